"""Metrics as a model sees them: standardized, smaller being better, and back."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse import encoding
from accel_dse.dataset import Dataset
from accel_dse.errors import OptionError
from accel_dse.problem import Objective
from accel_dse.surrogates.context import words_moved
from accel_dse.workload import Workload

Floats = NDArray[np.float64]

SAME_LEVEL = 0.25
"""Levels of all applications within so many scales are one level, where no design was simulated on
two of them and could tell."""

SAME_VALUE = 1e-9
"""Relative difference up to which a design has the same value on two networks."""

WORD_WORTHS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Multiply-accumulates that a word moved may be worth, where the level of an unknown network is
told from its size: networks of few operations on many words are not as fast as these few are."""

FARTHEST = 10.0
"""Standardized values beyond are nothing a network should be believed."""


@dataclass(frozen=True)
class Target:
    """How a metric is standardized: `sign * (log(value) - level of the application) / scale`.

    Attributes:
        metric: its name.
        sign: 1, or -1 for what should be large.
        logarithmic: whether the logarithm is taken; where all values are above 0 it is.
        scale: standard deviation within an application.
        levels: application -> mean.
        per_work: the logarithm of the value for one unit of work, on average over the
            applications: the level of one that was not in the log, less the logarithm of its
            work. None if it takes the mean level.
        word_worth: units of work of one word moved; a multiply-accumulate is one unit.
    """

    metric: str
    sign: float
    logarithmic: bool
    scale: float
    levels: Mapping[str, float]
    per_work: float | None
    word_worth: float = 0.0

    @classmethod
    def of(cls, dataset: Dataset, objective: Objective) -> "Target":
        """The target that `objective` is, from the designs that work.

        Raises:
            OptionError: none of them works on some application.
        """
        metric = objective.metric
        works = dataset.rows(dataset.feasible)
        values = works.metrics[metric]
        logarithmic = bool((values > 0).all())
        seen = np.log(values) if logarithmic else values
        levels, spread = {}, np.zeros(len(seen))
        for name in dataset.applications:
            own = works.application == name
            if not own.any():
                raise OptionError(
                    f"{name}: none of its designs works: there is no {metric} to learn from",
                    hint="log more designs, or leave the application out",
                )
            levels[name] = float(seen[own].mean())
            spread[own] = seen[own] - levels[name]
        scale = float(spread.std())
        same = _same_for_all(works, values)
        if same is None:
            same = bool(np.ptp(list(levels.values())) <= SAME_LEVEL * scale)
        if same:
            mean = float(seen.mean())
            levels, scale = dict.fromkeys(levels, mean), float(seen.std())
        sign = -1.0 if objective.sense == "maximize" else 1.0
        constant = scale <= 1e-9 * (1.0 + abs(float(seen.mean())))
        work = _per_work(dataset, levels) if logarithmic else (None, 0.0)
        return cls(metric, sign, logarithmic, 0.0 if constant else scale, levels, *work)

    @property
    def constant(self) -> bool:
        """Whether it is the same for all designs of an application."""
        return self.scale == 0.0

    @property
    def shared(self) -> bool:
        """Whether all applications have one level."""
        return len(set(self.levels.values())) == 1

    def with_application(self, workload: Workload) -> "Target":
        """The same target, with a level for a network that was not in the log."""
        if self.shared and len(self.levels) > 1:
            level = next(iter(self.levels.values()))  # to the last digit
        elif self.per_work is not None:
            level = self.per_work + math.log(_work(workload, self.word_worth))
        else:
            level = float(np.mean(list(self.levels.values())))
        return replace(self, levels={**self.levels, workload.name: level})

    def standardized(self, values: Floats, applications: NDArray[np.object_]) -> Floats:
        """Values of the metric as the model learns them, shape `(n,)`; NaN stays."""
        with np.errstate(invalid="ignore"):
            seen = np.log(values) if self.logarithmic else values
        level = np.array([self.levels[name] for name in applications])
        return np.asarray(self.sign * (seen - level) / (self.scale or 1.0))

    def restored(self, predicted: Floats, application: str) -> Floats:
        """What the model says, in the metric's unit; any shape."""
        bounded = np.clip(predicted, -FARTHEST, FARTHEST)
        seen = self.levels[application] + self.sign * self.scale * bounded
        return np.asarray(np.exp(seen) if self.logarithmic else seen)

    def content(self) -> dict[str, Any]:
        """All it says, as plain data."""
        return {
            "metric": self.metric,
            "sign": self.sign,
            "logarithmic": self.logarithmic,
            "scale": self.scale,
            "levels": dict(self.levels),
            "per_work": self.per_work,
            "word_worth": self.word_worth,
        }


def _same_for_all(works: Dataset, values: Floats) -> bool | None:
    """Whether designs have one value on all networks, as an area; None if no design can tell."""
    if len(works.applications) < 2:
        return None
    codes = encoding.encoded(works.space.parameters, works.columns)
    _, which = np.unique(codes, axis=0, return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.flatnonzero(np.diff(which[order], prepend=-1))
    if not len(starts):
        return None
    applications = np.unique(works.application.astype(str), return_inverse=True)[1]
    least, most = (f.reduceat(applications[order], starts) for f in (np.minimum, np.maximum))
    both = least != most
    if not both.any():
        return None
    low, high = (f.reduceat(values[order], starts)[both] for f in (np.minimum, np.maximum))
    return bool((high - low <= SAME_VALUE * np.maximum(np.abs(low), np.abs(high))).all())


def _work(workload: Workload, word_worth: float) -> float:
    return workload.macs + word_worth * words_moved(workload)


def _per_work(dataset: Dataset, levels: Mapping[str, float]) -> tuple[float | None, float]:
    """The level of a unit of work, and what a word is worth: what tells the known levels best."""
    names = [name for name in levels if name in dataset.workloads]
    if not names:
        return None, 0.0
    found = []
    for worth in WORD_WORTHS if len(names) > 1 else (0.0,):
        rates = [levels[name] - math.log(_work(dataset.workloads[name], worth)) for name in names]
        found.append((float(np.std(rates)), worth, float(np.mean(rates))))
    _, worth, rate = min(found)
    return rate, worth
