"""What was measured of one design, as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accel_dse.readable import number, plain

SCALED: Mapping[str, tuple[str, float, str]] = {
    "macs": ("M MACs", 1e-6, ".2f"),
    "cycles": ("cycles", 1.0, ",.0f"),
    "share": ("% time", 100.0, ".1f"),
    "utilization": ("% busy", 100.0, ".1f"),
    "dram_bytes": ("DRAM kB", 1e-3, ",.1f"),
    "energy_mj": ("uJ", 1e3, ",.1f"),
}
"""Columns of layers that read better in other units: title, factor, format."""

COMPARED = ("latency_ms", "energy_mj", "area_mm2")
"""Metrics that changes of a design are told apart by, where the simulator gives them."""

HIDDEN = ("kind",)
"""Columns of layers that the layer's name tells, too; `--json` has them."""


def measured(
    title: str, design: Mapping[str, Any], metrics: Mapping[str, float], reason: str
) -> RenderableType:
    """A design beside its metrics, or the reason why it does not work.

    Args:
        title: what ran on what.
        design: parameter -> value.
        metrics: name -> value; empty if it does not work.
        reason: why it does not; "" if it does.
    """
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "left", "left", "right"):
        table.add_column(justify="right" if justify == "right" else "left")
    left = [(Text(name), Text(plain(value))) for name, value in design.items()]
    right = [(Text(name), Text(number(value))) for name, value in metrics.items()]
    for i in range(max(len(left), len(right))):
        row = [*(left[i] if i < len(left) else ("", "")), " "]
        table.add_row(*row, *(right[i] if i < len(right) else ("", "")))
    verdict = [Text(f"infeasible: {reason}", style="yellow")] if reason else []
    return Group(Text(title, style="bold"), "", table, "", *verdict)


def remedies(
    design: Mapping[str, Any], found: Sequence[Mapping[str, Any]], untried: int
) -> RenderableType:
    """Single changes after which a design works, and the first metrics it then has.

    Args:
        design: parameter -> value.
        found: `parameter`, `value` and `metrics` of each change.
        untried: larger changes for which there was no time.
    """
    rest = f"; {untried} larger changes were not tried (--remedies gives them more time)"
    if not found:
        tried = "no smaller" if untried else "no"
        text = f"{tried} change of a single parameter makes it work{rest if untried else ''}"
        return Text(text, style="dim")
    shown = [name for name in COMPARED if name in found[0]["metrics"]]
    shown = shown or list(found[0]["metrics"])[:2]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("works with")
    for name in shown:
        table.add_column(name, justify="right")
    for change in found:
        name = change["parameter"]
        text = f"{name}={plain(change['value'])} (is {plain(design[name])})"
        table.add_row(Text(text), *(Text(number(change["metrics"][key])) for key in shown))
    return Group(table, Text(rest.removeprefix("; "), style="dim")) if untried else table


def layers(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One row for each layer, with the columns of single values that the simulator gives."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    shown = [name for name in (rows[0] if rows else {}) if _says_something(name, rows)]
    for name in shown:
        title = SCALED[name][0] if name in SCALED else name
        is_number = isinstance(rows[0][name], int | float)
        # numbers are never cut; words fold on a narrow terminal
        widest = max(len(_cell(name, row[name])) for row in rows) if is_number else 10
        table.add_column(
            Text(title),
            justify="right" if is_number else "left",
            min_width=max(widest, *map(len, title.split())),
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(_cell(name, row[name])) for name in shown))
    return table


def area(parts: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Where the area goes, the largest part first, in a line."""
    found = [
        f"{part['part']} {number(part['mm2'])} ({part['share']:.0%})"
        for part in sorted(parts, key=lambda part: -part["mm2"])
    ]
    return Text(f"area, mm2: {', '.join(found)}")


def _says_something(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a column is worth its width: not nested, not the same 1 throughout."""
    values = [row[name] for row in rows]
    nested = any(isinstance(value, Mapping) for value in values)
    return name not in HIDDEN and not nested and not all(value == 1 for value in values)


def _cell(name: str, value: Any) -> str:
    if name not in SCALED:
        return plain(value)
    _, factor, form = SCALED[name]
    return format(value * factor, form)
