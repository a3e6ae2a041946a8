"""A summary as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from accel_dse.log_rows import StudyDescription
from accel_dse.readable import number, plain
from accel_dse.report.summary import LimitUse, Summary
from accel_dse.trial import Outcome, Trial

SIDE_BY_SIDE = 4
"""Designs in one table; they fit in 80 columns."""

MOST_REASONS = 6
"""Kinds of reasons that are listed; the rest is counted together."""


def report(summary: Summary, study: StudyDescription, place: str) -> RenderableType:
    """The whole report on the log at `place`."""
    parts = [heading(summary, study, place), outcomes(summary)]
    if summary.best:
        parts += [Text("Best designs", style="bold"), designs(summary.best[:SIDE_BY_SIDE], summary)]
    elif summary.nearest:
        title = "No design keeps every limit; the nearest are"
        parts += [Text(title, style="bold"), designs(summary.nearest[:SIDE_BY_SIDE], summary)]
    if len(summary.front) > 1:
        title = f"Pareto front, {len(summary.front):,} designs"
        parts += [Text(title, style="bold"), designs(_spread(summary.front), summary)]
    if summary.limits:
        parts += [Text("Limits", style="bold"), limits(summary)]
    for title, counts, total in (
        ("Why designs do not work", summary.reasons, summary.outcomes[Outcome.INFEASIBLE]),
        (
            "Why simulations broke",
            summary.failures,
            summary.outcomes[Outcome.FAILED] + summary.outcomes[Outcome.TIMED_OUT],
        ),
    ):
        if counts:
            parts += [Text(title, style="bold"), reasons(counts, total)]
    if summary.best:
        parts += [Text("Best so far", style="bold"), convergence(summary)]
    return Group(
        *(part if isinstance(part, Text) else Padding(part, (0, 0, 1, 2)) for part in parts)
    )


def found(summary: Summary, place: str, *, stopped: bool) -> RenderableType:
    """What a search that ended just now has found; `report` tells the rest."""
    parts: list[RenderableType] = [Padding(outcomes(summary), (0, 0, 1, 2))]
    shown = (summary.best or summary.nearest)[:SIDE_BY_SIDE]
    if shown:
        title = "Best designs" if summary.best else "No design keeps every limit; the nearest are"
        parts += [Text(title, style="bold"), Padding(designs(shown, summary), (0, 0, 1, 2))]
    for use in summary.limits:
        if use.binds:
            parts.append(Text(f"{use.limit} binds: it keeps out better designs", style="yellow"))
    if stopped:
        parts.append(Text("stopped; the same command goes on from here", style="yellow"))
    parts.append(Text(f"all of it: accel-dse report {place}", style="dim"))
    return Group(*parts)


def title(study: StudyDescription) -> str:
    """A study in one line."""
    problem = study.problem
    networks = " + ".join(workload["name"] for workload in problem["workloads"])
    wanted = ", ".join([*problem["objectives"], *problem["limits"]])
    return f"{problem['space']['name']} x {networks} · {wanted} · {study.optimizer}"


def heading(summary: Summary, study: StudyDescription, place: str) -> RenderableType:
    """What was searched for, and how."""
    problem = study.problem
    grid = _grid()
    grid.columns[0].style = "dim"
    networks = ", ".join(
        w["name"] + (f" x {w['weight']:g}" if w["weight"] != 1 else "")
        for w in problem["workloads"]
    )
    goal = summary.goal
    lines = {
        "log": place,
        "space": problem["space"]["name"],
        "workloads": networks,
        "goal": ", ".join([*map(str, goal.objectives), *map(str, goal.limits)]),
        "optimizer": search(study),
        "simulator": f"{study.simulator}, version {study.simulator_version}",
    }
    for name, text in lines.items():
        grid.add_row(name, Text(text))
    return grid


def outcomes(summary: Summary) -> RenderableType:
    """How many trials ended how, with bars."""
    beyond = summary.outcomes[Outcome.FEASIBLE] - summary.accepted
    rows = [
        ("accepted", summary.accepted, "green"),
        ("beyond a limit", beyond, "yellow"),
        ("infeasible", summary.outcomes[Outcome.INFEASIBLE], "bright_black"),
        ("failed", summary.outcomes[Outcome.FAILED], "red"),
        ("timed out", summary.outcomes[Outcome.TIMED_OUT], "red"),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column()
    for name, count, color in rows:
        if count or name in ("accepted", "infeasible"):
            share = count / summary.trials if summary.trials else 0.0
            bar = Text(_bar(share, 30), style=color)
            table.add_row(name, f"{count:,}", f"{share:.1%}", bar)
    table.add_row("[dim]trials", f"{summary.trials:,}", "", "")
    return table


def designs(trials: Sequence[Trial], summary: Summary) -> RenderableType:
    """Designs side by side: metrics that matter first, then parameters, then other metrics."""
    goal = summary.goal
    wanted = list(
        dict.fromkeys([o.metric for o in goal.objectives] + [limit.metric for limit in goal.limits])
    )
    others = [name for name in trials[0].metrics if name not in wanted and "/" not in name]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    widest = max(map(len, [*trials[0].design, *trials[0].metrics]))
    table.add_column("trial", min_width=min(widest, 24), overflow="fold")
    for trial in trials:
        table.add_column(f"{trial.index:,}", justify="right", overflow="fold")
    for name in wanted:
        bounds = [limit for limit in goal.limits if limit.metric == name]
        label = Text(name, style="bold")
        table.add_row(label, *(_value(trial, name, bounds) for trial in trials))
    table.add_section()
    for name in trials[0].design:
        table.add_row(Text(name), *(Text(plain(trial.design.get(name))) for trial in trials))
    if others:
        table.add_section()
    for name in others:
        table.add_row(Text(name, style="dim"), *(_value(trial, name, ()) for trial in trials))
    return table


def limits(summary: Summary) -> RenderableType:
    """What each limit does, and which one binds."""
    objective = summary.goal.objectives[0].metric
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    table.add_column("limit")
    table.add_column("best design has", justify="right")
    table.add_column("keeps out", justify="right")
    table.add_column(Text(f"without it, best {objective}"), justify="right")
    table.add_column("")
    for use in summary.limits:
        value = "-" if use.value is None else f"{number(use.value)} ({_share(use)})"
        without = number(use.without.metrics[objective]) if use.without else "no better"
        verdict = Text("binds", style="bold yellow") if use.binds else Text("slack", style="dim")
        table.add_row(Text(str(use.limit)), value, f"{use.beyond:,}", without, verdict)
    return table


def reasons(counts: Mapping[str, int], total: int) -> RenderableType:
    """Kinds of reasons, most frequent first."""
    table = _grid()
    table.columns[0].justify = "right"
    for kind, count in list(counts.items())[:MOST_REASONS]:
        table.add_row(f"{count / total:.1%}", Text(kind))
    rest = len(counts) - MOST_REASONS
    if rest > 0:
        table.add_row("", f"[dim]and {rest} other reasons")
    return table


def convergence(summary: Summary) -> RenderableType:
    """The best value after so many trials."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    table.add_column("trials", style="dim")
    marks = summary.milestones()[-8:]
    for n, _ in marks:
        table.add_column(f"{n:,}", justify="right")
    values = ["-" if value is None else number(value) for _, value in marks]
    table.add_row(Text(summary.goal.objectives[0].metric), *values)
    return table


def _value(trial: Trial, name: str, bounds: Sequence[Any]) -> Text:
    value = trial.metrics[name]
    beyond = any(float(limit.violation(value)) > 0 for limit in bounds)
    return Text(number(value), style="red" if beyond else "bold" if bounds else "")


def _share(use: LimitUse) -> str:
    if use.value is None or use.limit.bound == 0:
        return "-"
    return f"{use.value / use.limit.bound:.0%}"


def _bar(share: float, width: int) -> str:
    eighths = round(share * width * 8)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


def search(study: StudyDescription) -> str:
    """How a study searched: its optimizer, with all options and the seed."""
    options = {**study.optimizer_options, "seed": study.seed}
    return f"{study.optimizer} ({', '.join(f'{key}={value}' for key, value in options.items())})"


def _spread(front: Sequence[Trial], most: int = SIDE_BY_SIDE) -> Sequence[Trial]:
    """At most `most` of a front, ends included, evenly by place."""
    if len(front) <= most:
        return front
    return [front[round(i * (len(front) - 1) / (most - 1))] for i in range(most)]


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column()
    return table
