"""What a fitted model is and how good it is, for people."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from accel_dse.surrogates.base import Fitted


def card(fitted: Fitted) -> str:
    """A page of Markdown."""
    predictor, log = fitted.predictor, fitted.log
    works = int(log.feasible.sum())
    lines = [
        f"# A surrogate of `{log.space.name}` for {', '.join(log.applications)}",
        "",
        f"Made by `accel-dse fit --surrogate {fitted.surrogate}` to "
        f"{', '.join(map(str, predictor.goal.objectives))}"
        + "".join(f", with {limit}" for limit in predictor.goal.limits)
        + f"; from {len(log):,} designs, of which {works:,} work.",
        "",
        "## How good it is",
        "",
        "On designs that it did not learn from, before it learned from all in the end. *best*: the "
        "best of each application's log, held out on purpose; *typical*: random ones.",
        "",
        "| held out | metric | Kendall | Spearman | median error | measured / predicted, 8 of 10 |",
        "|---|---|---|---|---|---|",
        *_accuracy_rows(fitted.accuracy),
        "",
        "Whether a design works (typical ones): "
        + _words(fitted.accuracy.get("typical", {}).get("works", {})),
        "",
        "## Where it holds",
        "",
        "Designs of this space only; other values are refused. Predictions far from the log are "
        "guesses: `accel-dse propose` prints the distance to the nearest logged design.",
        "",
        "| parameter | values |",
        "|---|---|",
        *(f"| {p.name} | {p.summary()} |" for p in log.space.parameters),
        "",
        "| metric | least | median | most (of designs that work) |",
        "|---|---|---|---|",
        *_ranges(fitted),
        "",
        "## How it was made",
        "",
        *(f"- {name}: {value}" for name, value in fitted.options.items()),
        "",
    ]
    return "\n".join(lines)


def _accuracy_rows(accuracy: Mapping[str, Any]) -> list[str]:
    return [
        f"| {part} | {metric} | {_number(row['kendall'])} | {_number(row['spearman'])} | "
        f"{_number(row['median_abs_pct_error'])} % | "
        f"{_number(row.get('low_ratio'))} to {_number(row.get('high_ratio'))} |"
        for part in ("best", "typical")
        for metric, row in accuracy.get(part, {}).get("metrics", {}).items()
    ]


def _ranges(fitted: Fitted) -> list[str]:
    rows = []
    for metric in fitted.predictor.metrics:
        values = fitted.log.metrics[metric][fitted.log.feasible]
        least, median, most = np.quantile(values, [0.0, 0.5, 1.0])
        rows.append(f"| {metric} | {least:.5g} | {median:.5g} | {most:.5g} |")
    return rows


def _words(figures: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in figures.items()) or "not known"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
