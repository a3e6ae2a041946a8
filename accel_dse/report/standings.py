"""How contestants stand, as tables for a terminal."""

import math
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accel_dse.comparison import Duel, Effect, Sensitivity, Standing
from accel_dse.comparison.sensitivity import LEVEL, fewest_seeds
from accel_dse.comparison.standings import NEAR, Spread
from accel_dse.problem import Goal
from accel_dse.readable import number, plain

SHOWN_MARKS = 4
"""Budgets at which the best value is shown; they fit in 80 columns."""

WIDEST_LABEL = 32
"""Labels that are longer are folded."""


def ranking(found: Sequence[Standing], pairs: Sequence[Duel], goal: Goal) -> RenderableType:
    """The contestants, best median first, and who beats whom."""
    parts: list[RenderableType] = [_values(found, goal), _effort(found)]
    for standing in found:
        for seed, problem in standing.broken.items():
            parts.append(Text(f"{standing.label} seed {seed}: {problem}", style="red"))
    if len(found) > 1:
        parts.append(_duels(found, pairs))
    return Group(*parts)


def effects_table(
    sensitivity: Sensitivity, found: Sequence[Effect], seeds: int, goal: Goal
) -> RenderableType:
    """What each option of an optimizer does, those that matter most first."""
    if not found:
        return Text(f"{sensitivity.base.label} has no option that can be varied")
    objective = goal.objectives[0]
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, title_justify="left",
        title=f"options of {sensitivity.base.label}, each alone: {objective.metric} at the end",
    )  # fmt: skip
    for name in ("option", "default", "at"):
        table.add_column(name, justify="left" if name == "option" else "right", overflow="fold")
    for name in ("change", "better", "p", "found"):
        table.add_column(name, justify="right")
    last = ""
    for effect in found:
        one = effect.variation
        table.add_row(
            one.option if one.option != last else "",
            plain(one.default) if one.option != last else "",
            plain(one.value),
            "-" if math.isnan(effect.change) else f"{effect.change:+.1%}",
            f"{effect.better:.0%}",
            f"{effect.p:.2g}",
            f"{effect.found}/{seeds}",
            style="bold" if effect.p < LEVEL else "",
        )
        last = one.option
    return Group(table, Text("\n".join(remarks(sensitivity, seeds)), style="dim"))


def remarks(sensitivity: Sensitivity, seeds: int) -> list[str]:
    """How a table of effects is to be read."""
    said = [
        "change: median over paired seeds, of the default's value; better: how likely a run ends "
        "better than one of the default, ties half; p: signed-rank, corrected (Holm)"
    ]
    fewest = fewest_seeds(sensitivity.variations)
    if seeds < fewest:
        said.append(
            f"{seeds} seeds cannot show p < {LEVEL} for {len(sensitivity.variations)} variations: "
            f"give at least {fewest}"
        )
    said += [f"{name}: not varied, {why}" for name, why in sensitivity.left_out.items()]
    return said


def _values(found: Sequence[Standing], goal: Goal) -> Table:
    """The first objective after so many simulations, and its quartiles at the end."""
    marks = list(found[0].marks)[-SHOWN_MARKS:]
    table = _titled(
        found,
        f"{goal.objectives[0].metric} after so many simulations: median of {found[0].seeds} seeds",
    )
    for mark in marks:
        table.add_column(f"{mark:,}", justify="right")
    table.add_column("quartiles", justify="right")
    for place, standing in enumerate(found):
        cells = [_value(standing.marks[mark][1]) for mark in marks]
        low, _, high = standing.marks[marks[-1]]
        table.add_row(_name(place, standing), *cells, f"{_value(low)} {_value(high)}")
    return table


def _effort(found: Sequence[Standing]) -> Table:
    """What it took."""
    table = _titled(found, "simulations needed, and what was spent: medians")
    names = ["accepted", f"within {NEAR:.0%}", "infeasible", "s per ask"]
    if found[0].hypervolume is not None:
        names.insert(0, "hypervolume")
    for name in names:
        table.add_column(name, justify="right")
    for place, standing in enumerate(found):
        cells = [
            _count(standing.first),
            _count(standing.near),
            f"{standing.infeasible[1]:.0%}",
            "-" if math.isnan(standing.ask_s) else f"{standing.ask_s:.2g}",
        ]
        if standing.hypervolume is not None:
            cells.insert(0, _value(standing.hypervolume[1]))
        table.add_row(_name(place, standing), *cells)
    return table


def _duels(found: Sequence[Standing], pairs: Sequence[Duel]) -> Table:
    """How likely the row's run ends better than the column's; bold where p < 0.05."""
    table = _titled(
        found, "how likely the row's run ends better than the column's (bold: p < 0.05)"
    )
    chance = {}
    for duel in pairs:
        chance[duel.one, duel.other] = (duel.better, duel.p)
        chance[duel.other, duel.one] = (1 - duel.better, duel.p)
    for i in range(len(found)):
        table.add_column(f"{i + 1}", justify="right")
    for i, row in enumerate(found):
        cells = []
        for column in found:
            better, p = chance.get((row.label, column.label), (math.nan, 1.0))
            text = "" if math.isnan(better) else f"{better:.0%}"
            cells.append(Text(text, style="bold" if p < LEVEL else ""))
        table.add_row(_name(i, row), *cells)
    return table


def _titled(found: Sequence[Standing], title: str) -> Table:
    """A table whose first column is for contestants."""
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, title=title, title_justify="left"
    )
    widest = max(len(standing.label) for standing in found) + 2
    table.add_column("", overflow="fold", min_width=min(widest, WIDEST_LABEL))
    return table


def _name(place: int, standing: Standing) -> Text:
    return Text(f"{place + 1} {standing.label}", style="bold" if place == 0 else "")


def _value(value: float) -> str:
    return "-" if math.isnan(value) else number(value)


def _count(values: Spread) -> str:
    return f"{values[1]:,.0f}" if math.isfinite(values[1]) else "never"
