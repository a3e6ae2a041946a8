"""Metrics as a model sees them: standardized, smaller being better, and back."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.dataset import Dataset
from accel_dse.errors import OptionError
from accel_dse.problem import Objective
from accel_dse.workload import Workload

Floats = NDArray[np.float64]

SAME_LEVEL = 0.25
"""Levels of all applications within so many scales are one level: an area is no network's own."""

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
        per_mac: the logarithm of the value for one multiply-accumulate, on average over the
            applications: the level of one that was not in the log, less the logarithm of its
            multiply-accumulates. None if it takes the mean level.
    """

    metric: str
    sign: float
    logarithmic: bool
    scale: float
    levels: Mapping[str, float]
    per_mac: float | None

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
        if np.ptp(list(levels.values())) <= SAME_LEVEL * scale:
            mean = float(seen.mean())
            levels, scale = dict.fromkeys(levels, mean), float(seen.std())
        sign = -1.0 if objective.sense == "maximize" else 1.0
        constant = scale <= 1e-9 * (1.0 + abs(float(seen.mean())))
        return cls(
            metric, sign, logarithmic, 0.0 if constant else scale, levels,
            _per_mac(dataset, levels) if logarithmic else None,
        )  # fmt: skip

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
        level = float(np.mean(list(self.levels.values())))
        if self.per_mac is not None and not (self.shared and len(self.levels) > 1):
            level = self.per_mac + math.log(workload.macs)
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
            "per_mac": self.per_mac,
        }


def _per_mac(dataset: Dataset, levels: Mapping[str, float]) -> float | None:
    known = [
        level - math.log(dataset.workloads[name].macs)
        for name, level in levels.items()
        if name in dataset.workloads
    ]
    return float(np.mean(known)) if known else None
