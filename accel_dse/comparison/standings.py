"""How contestants stand: medians, evaluations needed, and rank tests between pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.comparison.curves import Curves
from accel_dse.comparison.quartiles import quartiles

Floats = NDArray[np.float64]
Spread = tuple[float, float, float]
"""Lower quartile, median, upper quartile."""

NEAR = 0.05
"""A design is near the best known within this share. Source: the field's habit, 5 %."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one contestant did; quartiles over seeds.

    Attributes:
        label: which.
        seeds: how many runs.
        broken: runs that ended early, seed -> why.
        marks: trials -> the first objective's best value after so many; NaN if none was accepted.
        first: simulator calls until the first accepted design; infinite if never.
        near: simulator calls until within `NEAR` of the best known; infinite if never.
        infeasible: share of simulated designs that did not work.
        ask_s: seconds to propose and log one design, median over all.
        hypervolume: at the end, 1 being the box from the best to the worst of each objective on
            all fronts together; None with one objective.
    """

    label: str
    seeds: int
    broken: dict[int, str]
    marks: dict[int, Spread]
    first: Spread
    near: Spread
    infeasible: Spread
    ask_s: float
    hypervolume: Spread | None

    def content(self) -> dict[str, Any]:
        """As plain data; what is not finite is None."""
        return {
            "optimizer": self.label,
            "seeds": self.seeds,
            "broken": self.broken,
            "best": {str(n): _plain(values) for n, values in self.marks.items()},
            "first_accepted": _plain(self.first),
            "near_best": _plain(self.near),
            "infeasible_share": _plain(self.infeasible),
            "ask_s": _plain((self.ask_s,))[0],
            "hypervolume": self.hypervolume and _plain(self.hypervolume),
        }


@dataclass(frozen=True, kw_only=True)
class Duel:
    """Two contestants at the end of their budget.

    Attributes:
        one, other: their labels.
        better: how likely a run of `one` ends better than one of `other`, ties counting half:
            Vargha and Delaney's A, 2000; 0.5 is none, beyond 0.71 or below 0.29 large.
        p: of Wilcoxon's signed-rank test on pairs of equal seed, after Holm's correction for all
            duels; 1 if no pair differs.
    """

    one: str
    other: str
    better: float
    p: float

    def content(self) -> dict[str, Any]:
        """As plain data."""
        return {"one": self.one, "other": self.other, "better": self.better, "p": self.p}


def milestones(budget: int) -> list[int]:
    """Where curves are read: 10, 20, 50, 100 ... and the end."""
    marks = [m * 10**k for k in range(1, 8) for m in (1, 2, 5)]
    return [n for n in marks if n < budget] + [budget]


def best_known(curves: Curves) -> float:
    """The least cost that any run found; infinite if none."""
    return float(curves.cost.min(initial=np.inf))


def standings(curves: Curves, *, best: float | None = None) -> list[Standing]:
    """One for each contestant, best median at the end first.

    Args:
        curves: of the contest.
        best: a cost known to be possible, if it is less than any found.
    """
    target = min(best_known(curves), np.inf if best is None else best)
    target += NEAR * abs(target)
    volumes = _hypervolumes(curves)
    found = []
    for label in curves.labels:
        rows = curves.of(label)
        asked = curves.ask_s[rows]
        found.append(
            Standing(
                label=label,
                seeds=len(rows),
                broken={curves.runs[i].seed: p for i in rows if (p := curves.runs[i].problem)},
                marks={n: _values(curves, rows, n) for n in milestones(curves.budget)},
                first=_quartiles(_reached(curves.best[rows], np.finfo(float).max)),
                near=_quartiles(_reached(curves.best[rows], target)),
                infeasible=_quartiles(
                    curves.infeasible[rows].sum(axis=1) / np.maximum(curves.counts[rows], 1)
                ),
                ask_s=float(np.nanmedian(asked)) if np.isfinite(asked).any() else np.nan,
                hypervolume=None if volumes is None else _quartiles(volumes[rows]),
            )
        )
    ends = {label: np.median(curves.best[curves.of(label), -1]) for label in curves.labels}
    return sorted(found, key=lambda standing: float(ends[standing.label]))


def duels(curves: Curves) -> list[Duel]:
    """All pairs of contestants, compared at the end of the budget."""
    return duels_of(curves, list(combinations(curves.labels, 2)))


def duels_of(curves: Curves, pairs: Sequence[tuple[str, str]]) -> list[Duel]:
    """Some pairs of labels, compared at the end of the budget; corrected for their number."""
    from scipy.stats import wilcoxon

    ends = {label: curves.best[curves.of(label), -1] for label in curves.labels}
    p_values = []
    for one, other in pairs:
        ranks = _ranked(np.stack([ends[one], ends[other]]))
        differs = (ranks[0] != ranks[1]).any()
        p_values.append(float(wilcoxon(ranks[0], ranks[1]).pvalue) if differs else 1.0)
    return [
        Duel(one=one, other=other, better=_better(ends[one], ends[other]), p=p)
        for (one, other), p in zip(pairs, holm(p_values))
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p value, corrected for there being several.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.maximum.accumulate(np.minimum(np.array(p_values)[order] * factors, 1.0))
    corrected = np.empty(len(p_values))
    corrected[order] = adjusted
    return [float(p) for p in corrected]


def _ranked(ends: Floats) -> Floats:
    """Costs on a scale on which runs that found nothing are worst, and equally bad."""
    finite = ends[np.isfinite(ends)]
    worst = finite.max(initial=0.0) + np.ptp(finite) + 1.0 if finite.size else 1.0
    return np.where(np.isfinite(ends), ends, worst)


def _better(one: Floats, other: Floats) -> float:
    wins = (one[:, None] < other).sum() + 0.5 * (one[:, None] == other).sum()
    return float(wins / (len(one) * len(other)))


def _reached(best: Floats, target: float) -> Floats:
    """Trials until the best is at most `target`, `(R,)`; infinite where it never is."""
    there = best <= target
    return np.where(there.any(axis=1), there.argmax(axis=1) + 1.0, np.inf)


def _quartiles(values: Floats) -> Spread:
    low, middle, high = quartiles(values).tolist()
    return low, middle, high


def _values(curves: Curves, rows: NDArray[np.int64], n: int) -> Spread:
    """Quartiles of the first objective's best value, from good to bad."""
    costs = _quartiles(curves.best[rows, n - 1])
    objective = curves.goal.objectives[0]
    low, middle, high = (
        float(objective.cost(np.array(cost))) if np.isfinite(cost) else np.nan for cost in costs
    )
    return low, middle, high


def _hypervolumes(curves: Curves) -> Floats | None:
    """Of each run's front at the end, `(R,)`; None with one objective."""
    if not curves.fronts:
        return None
    from accel_dse.comparison.hypervolume import fronts_box, hypervolume

    costs = [costs for costs, _ in curves.fronts]
    box = fronts_box(costs)
    return np.array([hypervolume(front, box) for front in costs])


def _plain(values: Sequence[float]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values]
