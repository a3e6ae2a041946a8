"""What was measured of one design, as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accel_dse.report.tables import number, plain


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


def layers(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One row for each layer, with the columns that the simulator gives."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    if not rows:
        return table
    for name, value in rows[0].items():
        is_number = isinstance(value, int | float)
        table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(value)) for value in row.values()))
    return table
