"""How contestants stand, as tables for a terminal."""

import math
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accel_dse.comparison import Duel, Standing
from accel_dse.comparison.standings import NEAR, Spread
from accel_dse.problem import Goal
from accel_dse.report.tables import number

SHOWN_MARKS = 4
"""Budgets at which the best value is shown; they fit in 100 columns."""


def ranking(found: Sequence[Standing], pairs: Sequence[Duel], goal: Goal) -> RenderableType:
    """The contestants, best median first, and who beats whom."""
    parts: list[RenderableType] = [_table(found, goal)]
    for standing in found:
        for seed, problem in standing.broken.items():
            parts.append(Text(f"{standing.label} seed {seed}: {problem}", style="red"))
    if len(found) > 1:
        parts.append(_duels(found, pairs))
    return Group(*parts)


def _table(found: Sequence[Standing], goal: Goal) -> Table:
    objective = goal.objectives[0]
    marks = list(found[0].marks)[-SHOWN_MARKS:]
    several = found[0].hypervolume is not None
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        show_edge=False,
        title=f"{objective.metric} after so many simulations: median [quartiles] "
        f"over {found[0].seeds} seeds",
        title_justify="left",
    )
    table.add_column("optimizer", overflow="fold")
    for mark in marks:
        table.add_column(f"{mark:,}", justify="right")
    if several:
        table.add_column("hypervolume", justify="right")
    for name in ("first accepted", f"within {NEAR:.0%}", "infeasible", "s per ask"):
        table.add_column(name, justify="right")
    for place, standing in enumerate(found):
        cells = [_spread(standing.marks[mark], last=mark == marks[-1]) for mark in marks]
        if standing.hypervolume is not None:
            cells.append(_spread(standing.hypervolume, last=True))
        table.add_row(
            Text(standing.label, style="bold" if place == 0 else ""),
            *cells,
            _count(standing.first),
            _count(standing.near),
            f"{standing.infeasible[1]:.0%}",
            "-" if math.isnan(standing.ask_s) else f"{standing.ask_s:.2g}",
        )
    return table


def _duels(found: Sequence[Standing], pairs: Sequence[Duel]) -> Table:
    """How likely the row's run ends better than the column's; bold where p < 0.05."""
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        show_edge=False,
        title="how likely a run of the row ends better than one of the column (bold: p < 0.05)",
        title_justify="left",
    )
    chance = {}
    for duel in pairs:
        chance[duel.one, duel.other] = (duel.better, duel.p)
        chance[duel.other, duel.one] = (1 - duel.better, duel.p)
    table.add_column("")
    for i in range(len(found)):
        table.add_column(f"{i + 1}", justify="right")
    for i, row in enumerate(found):
        cells = []
        for column in found:
            better, p = chance.get((row.label, column.label), (math.nan, 1.0))
            text = "" if math.isnan(better) else f"{better:.0%}"
            cells.append(Text(text, style="bold" if p < 0.05 else ""))
        table.add_row(Text(f"{i + 1} {row.label}"), *cells)
    return table


def _spread(values: Spread, *, last: bool) -> str:
    low, middle, high = ("-" if math.isnan(value) else number(value) for value in values)
    return f"{middle} [dim]({low} {high})[/]" if last else middle


def _count(values: Spread) -> str:
    return f"{values[1]:,.0f}" if math.isfinite(values[1]) else "never"
