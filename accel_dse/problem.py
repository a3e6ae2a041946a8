"""What is searched for: the only place where a sign or a threshold lives."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import OptionError
from accel_dse.metrics import Metrics
from accel_dse.space import DesignSpace
from accel_dse.trial import Trial
from accel_dse.workload import Workload

Sense = Literal["minimize", "maximize"]
Aggregate = Literal["mean", "worst", "geomean"]


@dataclass(frozen=True)
class Objective:
    """A metric to make small, or large."""

    metric: str
    sense: Sense = "minimize"

    def cost(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """`values` of the metric so that less is better."""
        return values if self.sense == "minimize" else -values


@dataclass(frozen=True)
class Limit:
    """A bound on a metric, `area_mm2 <= 27`."""

    metric: str
    relation: Literal["<=", ">="]
    bound: float

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """Reads `METRIC<=NUMBER` or `METRIC>=NUMBER`.

        Raises:
            OptionError: it is neither.
        """
        match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(<=|>=)\s*([-+.\deE]+)\s*", text)
        try:
            if match and np.isfinite(bound := float(match[3])):
                return cls(match[1], "<=" if match[2] == "<=" else ">=", bound)
        except ValueError:
            pass
        raise OptionError(f"cannot read limit {text!r}", hint="write it as 'area_mm2<=27'")

    def violation(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far `values` are beyond the bound, in the metric's unit; `<= 0` is allowed."""
        return values - self.bound if self.relation == "<=" else self.bound - values

    def __str__(self) -> str:
        return f"{self.metric}{self.relation}{self.bound:g}"


@dataclass(frozen=True)
class Problem:
    """A space, what runs on it, what should be small and what must hold.

    Attributes:
        space: where designs come from.
        workloads: (workload, weight) pairs; weights are positive.
        objectives: one or more.
        limits: bounds on metrics; all must hold.
        aggregate: how a metric of several workloads becomes one: weighted mean, worst (largest)
            or weighted geometric mean.
    """

    space: DesignSpace
    workloads: tuple[tuple[Workload, float], ...]
    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...] = ()
    aggregate: Aggregate = "mean"

    def __post_init__(self) -> None:
        if not self.workloads or not self.objectives:
            raise OptionError("a problem needs at least one workload and one objective")
        for workload, weight in self.workloads:
            if not (np.isfinite(weight) and weight > 0):
                raise OptionError(f"workload {workload.name!r}: weight must be > 0, got {weight}")
        names = [objective.metric for objective in self.objectives]
        if len(set(names)) != len(names):
            raise OptionError(f"an objective is named twice: {', '.join(names)}")

    def combine(self, measured: Sequence[Metrics]) -> Metrics:
        """One batch of metrics from one per workload, in the order of `workloads`.

        With several workloads each one's own value stays, as `NAME/METRIC`.
        """
        if len(measured) == 1:
            return measured[0]
        infeasible = tuple(
            "; ".join(
                f"{workload.name}: {reason}"
                for (workload, _), reason in zip(self.workloads, reasons)
                if reason
            )
            for reasons in zip(*(metrics.infeasible for metrics in measured))
        )
        broken = np.array([bool(reason) for reason in infeasible])
        weights = np.array([weight for _, weight in self.workloads])
        weights = weights / weights.sum()
        values: dict[str, NDArray[np.float64]] = {}
        for name in measured[0].values:
            table = np.stack([metrics.values[name] for metrics in measured])
            values[name] = np.where(broken, np.nan, self._aggregate(table, weights))
        for (workload, _), metrics in zip(self.workloads, measured):
            for name, column in metrics.values.items():
                values[f"{workload.name}/{name}"] = np.where(broken, np.nan, column)
        return Metrics(values, infeasible)

    def _aggregate(
        self, table: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if (table == table[0]).all():
            return table[0]
        if self.aggregate == "worst":
            return np.asarray(table.max(axis=0))
        if self.aggregate == "geomean":
            with np.errstate(divide="ignore"):
                return np.asarray(np.exp(weights @ np.log(table)))
        return np.asarray(weights @ table)

    def check_metrics(self, known: Iterable[str]) -> None:
        """Raises OptionError if an objective or a limit names a metric that is not `known`."""
        known = list(known)
        wanted = [o.metric for o in self.objectives] + [limit.metric for limit in self.limits]
        for name in wanted:
            if name not in known:
                raise OptionError(f"no metric is named {name!r}", hint=f"known: {', '.join(known)}")

    def costs(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives of one feasible design; less is better."""
        return tuple(float(o.cost(np.float64(metrics[o.metric]))) for o in self.objectives)

    def violations(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """How far one feasible design is beyond each limit; `<= 0` is allowed."""
        return tuple(float(li.violation(np.float64(metrics[li.metric]))) for li in self.limits)

    def accepts(self, trial: Trial) -> bool:
        """Whether the design works and keeps every limit."""
        return trial.feasible and all(v <= 0 for v in self.violations(trial.metrics))

    def best(self, trials: Iterable[Trial]) -> Trial | None:
        """The accepted trial of least first objective, the earliest if several; None if none."""
        accepted = [trial for trial in trials if self.accepts(trial)]
        return min(accepted, key=lambda t: (self.costs(t.metrics)[0], t.index), default=None)

    def pareto(self, trials: Iterable[Trial]) -> list[Trial]:
        """The accepted trials that no other accepted trial beats in every objective."""
        accepted = [trial for trial in trials if self.accepts(trial)]
        if not accepted:
            return []
        costs = np.array([self.costs(trial.metrics) for trial in accepted])
        order = np.lexsort(costs.T[::-1])
        front: list[int] = []
        for i in order:
            if not any((costs[j] <= costs[i]).all() for j in front):
                front.append(int(i))
        return [accepted[i] for i in front]
