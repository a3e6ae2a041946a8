"""What is searched for: the only place where a sign or a threshold lives."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

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

    def __str__(self) -> str:
        return f"{self.sense} {self.metric}"


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
        return f"{self.metric}{self.relation}{repr(self.bound).removesuffix('.0')}"


@dataclass(frozen=True)
class Goal:
    """What is wanted of a design: metrics to make small or large, and bounds to keep.

    Attributes:
        objectives: one or more.
        limits: bounds on metrics; all must hold.
    """

    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        if not self.objectives:
            raise OptionError("nothing to minimize or maximize", hint="name an objective")
        names = [objective.metric for objective in self.objectives]
        if len(set(names)) != len(names):
            raise OptionError(f"an objective is named twice: {', '.join(names)}")

    @classmethod
    def parse(cls, objectives: Iterable[str], limits: Iterable[str]) -> "Goal":
        """Reads what `content` wrote: `minimize latency_ms`, `area_mm2<=27`.

        Raises:
            OptionError: one of them is neither.
        """
        read = []
        for text in objectives:
            sense, _, metric = text.partition(" ")
            if sense not in ("minimize", "maximize") or not metric:
                raise OptionError(f"cannot read objective {text!r}", hint="'minimize latency_ms'")
            read.append(Objective(metric, "minimize" if sense == "minimize" else "maximize"))
        return cls(tuple(read), tuple(Limit.parse(text) for text in limits))

    def content(self) -> dict[str, list[str]]:
        """All it says, as plain data."""
        return {
            "objectives": [str(objective) for objective in self.objectives],
            "limits": [str(limit) for limit in self.limits],
        }

    def check_metrics(self, known: Iterable[str]) -> None:
        """Raises OptionError if an objective or a limit names a metric that is not `known`."""
        known = list(known)
        wanted = [o.metric for o in self.objectives] + [limit.metric for limit in self.limits]
        for name in wanted:
            if name not in known:
                raise OptionError(f"no metric is named {name!r}", hint=f"known: {', '.join(known)}")

    def costs(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives of one feasible design; less is better."""
        return tuple(float(o.cost(np.array(metrics[o.metric]))) for o in self.objectives)

    def violations(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """How far one feasible design is beyond each limit; `<= 0` is allowed."""
        return tuple(float(li.violation(np.array(metrics[li.metric]))) for li in self.limits)

    def excess(self, metrics: Mapping[str, float]) -> float:
        """How far one feasible design is beyond its limits in all, as shares of their bounds.

        0 if it keeps them; being well within one does not make up for another.
        """
        beyond = zip(self.violations(metrics), self.limits)
        return sum(max(v, 0.0) / (abs(limit.bound) or 1.0) for v, limit in beyond)

    def accepts(self, trial: Trial) -> bool:
        """Whether the design works and keeps every limit."""
        return trial.feasible and all(v <= 0 for v in self.violations(trial.metrics))

    def best(self, trials: Iterable[Trial]) -> Trial | None:
        """The accepted trial of least first objective, the earliest if several; None if none."""
        accepted = (trial for trial in trials if self.accepts(trial))
        return min(accepted, key=lambda t: (self.costs(t.metrics)[0], t.index), default=None)

    def pareto(self, trials: Iterable[Trial]) -> list[Trial]:
        """The accepted trials that no other accepted trial equals or beats in every objective.

        Of equal ones the earliest; ordered by the first objective.
        """
        accepted = [trial for trial in trials if self.accepts(trial)]
        costs = np.array([self.costs(trial.metrics) for trial in accepted])
        front: list[int] = []
        kept = np.empty((len(accepted), len(self.objectives)))
        for i in np.lexsort(costs.T[::-1]) if accepted else ():
            if not (kept[: len(front)] <= costs[i]).all(axis=1).any():
                kept[len(front)] = costs[i]
                front.append(int(i))
        return [accepted[i] for i in front]


@dataclass(frozen=True)
class Problem:
    """A space, what runs on it, what should be small and what must hold.

    Attributes:
        space: where designs come from.
        workloads: (workload, weight) pairs; weights are positive, names are distinct.
        objectives: one or more.
        limits: bounds on metrics; all must hold.
        aggregate: how a metric of several workloads becomes one: weighted mean, weighted
            geometric mean, or worst: the largest, but of what should be large the smallest.
    """

    space: DesignSpace
    workloads: tuple[tuple[Workload, float], ...]
    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...] = ()
    aggregate: Aggregate = "mean"

    def __post_init__(self) -> None:
        if not self.workloads:
            raise OptionError("a problem needs a workload")
        if self.aggregate not in get_args(Aggregate):
            known = ", ".join(get_args(Aggregate))
            raise OptionError(f"no aggregate is named {self.aggregate!r}", hint=f"known: {known}")
        names = [workload.name for workload, _ in self.workloads]
        for workload, weight in self.workloads:
            if not (np.isfinite(weight) and weight > 0):
                raise OptionError(f"workload {workload.name!r}: weight must be > 0, got {weight}")
            if names.count(workload.name) > 1:
                raise OptionError(f"two workloads are named {workload.name!r}")
        _ = self.goal  # which checks the objectives

    @cached_property
    def goal(self) -> Goal:
        """Objectives and limits, without the rest."""
        return Goal(self.objectives, self.limits)

    def content(self) -> dict[str, Any]:
        """All that its answers depend on, as plain data; `sha256` tells equal ones apart."""
        return {
            "space": {
                "name": self.space.name,
                "sha256": self.space.fingerprint(),
                **self.space.content(),
            },
            "workloads": [
                {"name": workload.name, "weight": weight, "sha256": workload.fingerprint()}
                for workload, weight in self.workloads
            ],
            "aggregate": self.aggregate,
            **self.goal.content(),
        }

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
        broken = np.array([bool(reason) for reason in infeasible], dtype=bool)
        values: dict[str, NDArray[np.float64]] = {}
        for name in dict.fromkeys(name for metrics in measured for name in metrics.values):
            # a simulator may leave out the columns of a batch in which nothing works
            columns = [m.values.get(name, np.full(len(m), np.nan)) for m in measured]
            values[name] = np.where(broken, np.nan, self._aggregated(name, columns))
        for (workload, _), metrics in zip(self.workloads, measured):
            for name, column in metrics.values.items():
                values[f"{workload.name}/{name}"] = np.where(broken, np.nan, column)
        return Metrics(values, infeasible)

    def _aggregated(self, name: str, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """One value per design, exactly its own where all workloads agree (its area, say).

        Adds workload by workload: a matrix product may round differently in another batch.
        """
        if self.aggregate == "worst":
            return np.asarray(
                (np.minimum if name in self._better_large else np.maximum).reduce(columns)
            )
        if self.aggregate == "geomean" and any((column < 0).any() for column in columns):
            raise OptionError(f"{name}: a negative value has no geometric mean", hint="use mean")
        total_weight = sum(weight for _, weight in self.workloads)
        total = np.zeros_like(columns[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            for (_, weight), column in zip(self.workloads, columns):
                term = np.log(column) if self.aggregate == "geomean" else column
                total += weight / total_weight * term
            mean = np.exp(total) if self.aggregate == "geomean" else total
        same = np.logical_and.reduce([column == columns[0] for column in columns])
        return np.where(same, columns[0], mean)

    @cached_property
    def _better_large(self) -> frozenset[str]:
        return frozenset(o.metric for o in self.objectives if o.sense == "maximize") | frozenset(
            limit.metric for limit in self.limits if limit.relation == ">="
        )

    def check_metrics(self, known: Iterable[str]) -> None:
        """See `Goal`."""
        self.goal.check_metrics(known)

    def costs(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """See `Goal`."""
        return self.goal.costs(metrics)

    def violations(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """See `Goal`."""
        return self.goal.violations(metrics)

    def accepts(self, trial: Trial) -> bool:
        """See `Goal`."""
        return self.goal.accepts(trial)

    def best(self, trials: Iterable[Trial]) -> Trial | None:
        """See `Goal`."""
        return self.goal.best(trials)

    def pareto(self, trials: Iterable[Trial]) -> list[Trial]:
        """See `Goal`."""
        return self.goal.pareto(trials)
