"""How good predictions are, of designs that a model did not learn from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from accel_dse.dataset import Dataset
from accel_dse.surrogates.base import Predictor

Floats = NDArray[np.float64]

TAIL = 0.1
"""Share of the designs whose error is beyond each of the two quantiles that are kept."""

FEWEST = 5
"""Designs that a figure is made of; of fewer it would be luck."""


def rank_correlation(predicted: Floats, measured: Floats) -> float:
    """Kendall's tau-b: 1 if all pairs are ordered as they should, 0 if by chance; NaN if few.

    Predictions that do not tell any two designs apart are worth 0.
    """
    if len(measured) < FEWEST or np.ptp(measured) == 0:
        return float("nan")
    return 0.0 if np.ptp(predicted) == 0 else float(kendalltau(predicted, measured).statistic)


def accuracy(predictor: Predictor, dataset: Dataset) -> dict[str, Any]:
    """Figures for each metric on designs that work, averaged over applications, and for which work.

    Returns:
        `metrics`: name -> `kendall`, `spearman`, `median_abs_pct_error`, and `low_ratio`,
        `high_ratio`: what was measured over what was predicted is between the two but for a
        share `TAIL` on either side; and `works`: `accuracy`, `auc` (how often of two designs the
        one that works is thought likelier to). A figure that cannot be made is None.
    """
    tables: dict[str, list[dict[str, float]]] = {name: [] for name in predictor.metrics}
    known: list[dict[str, float]] = []
    for application in dataset.applications:
        part = dataset.of(application)
        prediction = predictor.predict(part.columns, application)
        works = part.feasible
        for name in predictor.metrics:
            tables[name].append(
                metric_figures(prediction.metrics[name][works], part.metrics[name][works])
            )
        known.append(
            {
                "accuracy": float(((prediction.works > 0.5) == works).mean()),
                "auc": _auc(prediction.works[works], prediction.works[~works]),
            }
        )
    return {
        "rows": len(dataset),
        "metrics": {name: _mean(rows) for name, rows in tables.items()},
        "works": _mean(known),
    }


def metric_figures(predicted: Floats, measured: Floats) -> dict[str, float]:
    """Of one metric on `n` designs that work; NaN where there are too few."""
    few = len(measured) < FEWEST
    same = few or np.ptp(predicted) == 0 or np.ptp(measured) == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        error = 100 * np.abs(predicted / measured - 1)
        ratio = measured / predicted
    low, high = (np.nan, np.nan) if few else np.quantile(ratio, (TAIL, 1 - TAIL))
    return {
        "kendall": rank_correlation(predicted, measured),
        "spearman": float("nan") if same else float(spearmanr(predicted, measured).statistic),
        "median_abs_pct_error": float("nan") if few else float(np.median(error)),
        "low_ratio": float(low),
        "high_ratio": float(high),
    }


def _auc(good: Floats, bad: Floats) -> float:
    """The area under the receiver operating characteristic, by ranks."""
    if not len(good) or not len(bad):
        return float("nan")
    below = np.searchsorted(np.sort(bad), good, side="left")
    up_to = np.searchsorted(np.sort(bad), good, side="right")
    return float((below + up_to).mean() / 2 / len(bad))


def _mean(rows: list[dict[str, float]]) -> Mapping[str, float | None]:
    """The mean of each figure over the rows that have it."""
    means: dict[str, float | None] = {}
    for name in rows[0] if rows else ():
        values = np.array([row[name] for row in rows])
        finite = values[np.isfinite(values)]
        means[name] = float(finite.mean()) if len(finite) else None
    return means
