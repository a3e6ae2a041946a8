"""What objects show of themselves in a notebook: tables and small charts, as HTML.

Every text is escaped, and nothing in it runs: names come from files and logs of others.
"""

from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite, isnan
from numbers import Real

from accel_dse.readable import plain

MOST_ROWS = 20
"""Rows of a table; of more, the first ones and how many follow."""

MOST_STEPS = 400
"""Points of a curve; more cannot be seen."""

WIDTH, HEIGHT = 460, 110
"""Of a curve, in pixels."""

CURVE, BAR = "#0072b2", "#56b4e9"
"""Source: Okabe and Ito, "Color Universal Design", 2008."""


def table(rows: Sequence[Mapping[str, object]], *, bar: str = "", most: int = MOST_ROWS) -> str:
    """Rows under the first one's keys; numbers to the right.

    Args:
        rows: column -> value, the same columns in each.
        bar: a column of numbers that are drawn as bars, too, the largest in full.
        most: how many rows are shown.
    """
    if not rows:
        return "<p>nothing</p>"
    right = {name for name, value in rows[0].items() if _is_number(value)}
    largest = max((_size(row[bar]) for row in rows), default=0.0) if bar else 0.0
    head = "".join(_cell("th", escape(name), right=name in right) for name in rows[0])
    body = "".join(
        "<tr>"
        + "".join(_cell("td", escape(_text(v)), right=name in right) for name, v in row.items())
        + (f"<td>{_bar(_size(row[bar]) / (largest or 1.0))}</td>" if bar else "")
        + "</tr>"
        for row in rows[:most]
    )
    more = f"<p>and {len(rows) - most:,} more</p>" if len(rows) > most else ""
    return f"<table><tr>{head}{'<th></th>' if bar else ''}</tr>{body}</table>{more}"


def facts(rows: Mapping[str, object]) -> str:
    """Names and what they are, one below the other."""
    cells = "".join(
        f"<tr>{_cell('th', escape(name), right=False)}"
        f"{_cell('td', escape(_text(value)), right=False)}</tr>"
        for name, value in rows.items()
    )
    return f"<table>{cells}</table>"


def folded(title: str, inner: str) -> str:
    """`inner`, which is HTML, behind a title that opens it."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


def curve(values: Sequence[float], label: str) -> str:
    """Best values by trials as steps; what is NaN, before anything is accepted, is left out."""
    known = [(i, v) for i, v in enumerate(values) if isfinite(v)]
    if len(known) < 2:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    thin = known[:: -(-len(known) // MOST_STEPS)] + known[-1:]
    x = [WIDTH * i / max(len(values) - 1, 1) for i, _ in thin]
    y = [HEIGHT - (HEIGHT - 4) * (v - low) / ((high - low) or 1.0) - 2 for _, v in thin]
    path = f"M{x[0]:.1f} {y[0]:.1f}" + "".join(f"H{a:.1f}V{b:.1f}" for a, b in zip(x[1:], y[1:]))
    return (
        f"<p>{escape(label)}: {plain(float(known[0][1]))} to {plain(float(known[-1][1]))} "
        f"in {len(values):,} trials</p>"
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(label)} by trials">'
        f'<path d="M0 {HEIGHT - 0.5}H{WIDTH}" stroke="#999"/>'
        f'<path d="{path}" fill="none" stroke="{CURVE}" stroke-width="2"/></svg>'
    )


def _cell(tag: str, inner: str, *, right: bool) -> str:
    side = "right" if right else "left"
    return f'<{tag} style="text-align:{side}">{inner}</{tag}>'


def _bar(share: float) -> str:
    width = f"width:{80 * share:.0f}px"
    return f'<div style="background:{BAR};height:0.7em;{width}"></div>'


def _text(value: object) -> str:
    if isinstance(value, float) and isnan(value):
        return ""
    return plain(value)


def _size(value: object) -> float:
    return float(value) if isinstance(value, Real) and isfinite(value) else 0.0


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
