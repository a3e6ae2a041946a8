"""The best designs that a model knows, found by searching it, and how far to trust each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_dse import encoding
from accel_dse.dataset import Dataset
from accel_dse.designs import Column, Columns, Design, length, rows
from accel_dse.errors import OptionError
from accel_dse.metrics import Metrics
from accel_dse.problem import Limit, Problem
from accel_dse.surrogates.base import Fitted, Floats, Predictor

DRAWN = 4_096
"""Random designs that a search begins with."""

CLIMBERS = 24
"""The best of them, and of the log, that are improved one exchange at a time."""

MOST_ROUNDS = 40
"""Rounds of exchanges; a climber stops where none helps."""

APART = 0.05
"""Least distance of two proposals: designs nearer than that mostly measure alike."""

FORBIDDEN = 100.0
"""Cost, in standard deviations, of breaking a limit, and again of breaking it by all of its bound;
far above any cost of a design."""

BOUNDS = (("disagreement", 100.0), ("limits", 10.0), ("distance", 100.0), ("works", 1.0))
"""Options of `Caution`, and the most that each may be."""


@dataclass(frozen=True, kw_only=True)
class Caution:
    """How much a search distrusts its model.

    Attributes:
        disagreement: standard deviations of the ensemble that are added to a cost, and by which
            a limit must be kept.
        limits: errors by which a limit must be kept, each as large as that of nine in ten of the
            designs that were held out (`Fitted.ratios`). Designs at a limit are what a search
            asks for, and a model errs on either side of it.
        distance: added to a cost, in standard deviations of the logged costs, at a distance of 1
            from the nearest logged design that works (0 is the same, 1 is unlike in everything).
        works: least likelihood of working.
    """

    disagreement: float = 0.0
    limits: float = 1.0
    distance: float = 0.0
    works: float = 0.5

    def __post_init__(self) -> None:
        for name, high in BOUNDS:
            value = getattr(self, name)
            if not 0 <= value <= high:
                raise OptionError(f"{name}: expected 0 to {high:g}, got {value}")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A design, and what speaks for and against it.

    Attributes:
        design: the design.
        metrics: predicted values.
        spread: standard deviations over the ensemble, of the same metrics.
        works: likelihood of working, on the network where it is least.
        distance: from the nearest logged design that works, 0 to 1.
    """

    design: Design
    metrics: dict[str, float]
    spread: dict[str, float]
    works: float
    distance: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Search:
    """A search of a model for the designs that are best for a problem.

    Attributes:
        fitted: the model; it must know the problem's networks, or be able to.
        problem: what is wanted. Its space is the model's.
        caution: how much the model is distrusted.
        seed: fixes the random starts.
    """

    fitted: Fitted
    problem: Problem
    caution: Caution = field(default_factory=Caution)
    seed: int = 0

    def __post_init__(self) -> None:
        log = self.fitted.log
        if self.problem.space.content()["parameters"] != log.space.content()["parameters"]:
            raise OptionError(
                f"the model is of space {log.space.name!r}, the problem of "
                f"{self.problem.space.name!r}: their parameters differ"
            )
        if len(self.problem.objectives) != 1:
            raise OptionError("a model is searched for one objective at a time")
        self.problem.check_metrics(self.fitted.predictor.metrics)

    @property
    def _log(self) -> Dataset:
        return self.fitted.log

    @cached_property
    def _informed(self) -> Predictor:
        predictor = self.fitted.predictor
        for workload, _ in self.problem.workloads:
            if workload.name not in predictor.applications:
                predictor = predictor.with_application(workload)
        return predictor

    @cached_property
    def _working(self) -> Floats:
        """The codes of the logged designs that work, each once, shape `(n, width)`."""
        log = self._log.rows(self._log.feasible)
        return np.unique(encoding.encoded(self.problem.space.parameters, log.columns), axis=0)

    @cached_property
    def _scale(self) -> tuple[bool, float, float]:
        """Whether costs are compared by their logarithm; mean and deviation of the logged ones."""
        objective = self.problem.objectives[0]
        costs = objective.cost(self._log.metrics[objective.metric][self._log.feasible])
        logarithmic = bool((costs > 0).all())
        seen = np.log(costs) if logarithmic else costs
        return logarithmic, float(seen.mean()), float(seen.std()) or 1.0

    def propose(self, n: int, *, besides: Sequence[Design] = ()) -> list[Proposal]:
        """Up to `n` different designs, best first.

        Only those that, by the model, work and keep the limits: there may be fewer, or none.

        Args:
            n: how many.
            besides: designs that are not to be proposed.
        """
        columns, scores = self._climbed()
        order = np.argsort(scores, kind="stable")
        order = order[scores[order] < FORBIDDEN / 2]
        codes = encoding.encoded(self.problem.space.parameters, columns)
        taken = self.problem.space.encode(besides) if besides else codes[:0]
        chosen: list[int] = []
        for apart in (APART, 0.0):
            for i in order.tolist():
                if len(chosen) == n:
                    break
                others = np.vstack([taken, codes[chosen]])
                if not len(others) or self._gap(codes[i : i + 1], others)[0] > apart:
                    chosen.append(i)
        return self.described(rows(columns, np.array(chosen, dtype=np.int64)))

    def described(self, columns: Columns) -> list[Proposal]:
        """What the model thinks of `n` designs."""
        if not length(columns):
            return []
        middle, works = self._metrics(columns, 0.0)
        beyond, _ = self._metrics(columns, 1.0)
        distance = self._gap(
            encoding.encoded(self.problem.space.parameters, columns), self._working
        )
        return [
            Proposal(
                design=design,
                metrics=middle.row(i),
                spread={m: abs(v - middle.row(i)[m]) for m, v in beyond.row(i).items()},
                works=float(works[i]),
                distance=float(distance[i]),
            )
            for i, design in enumerate(self.problem.space.designs(columns))
        ]

    def scores(self, columns: Columns) -> Floats:
        """What the search makes small, of `n` designs, shape `(n,)`.

        In standard deviations of the logged costs; `FORBIDDEN` and more if the design breaks a
        limit or will hardly work, the more the farther.
        """
        caution = self.caution
        metrics, works = self._metrics(columns, caution.disagreement)
        objective = self.problem.objectives[0]
        logarithmic, middle, deviation = self._scale
        cost = objective.cost(metrics.values[objective.metric])
        score = (np.log(np.maximum(cost, 1e-300)) if logarithmic else cost) - middle
        score = score / deviation
        for limit in self.problem.limits:
            feared = metrics.values[limit.metric] * self._ratio(limit)
            beyond = np.maximum(limit.violation(feared), 0.0)
            score = score + FORBIDDEN * ((beyond > 0) + beyond / (abs(limit.bound) or 1.0))
        hardly = np.maximum(caution.works - works, 0.0)
        score = score + FORBIDDEN * ((hardly > 0) + hardly)
        if caution.distance:
            codes = encoding.encoded(self.problem.space.parameters, columns)
            score = score + caution.distance * self._gap(codes, self._working)
        return np.asarray(score)

    def _ratio(self, limit: Limit) -> float:
        """What is feared to be measured, over what is predicted, of a limited metric."""
        low, high = self.fitted.ratios(limit.metric)
        ratio = high if limit.relation == "<=" else low
        return max(1.0 + self.caution.limits * (ratio - 1.0), 0.0)

    def _metrics(self, columns: Columns, deviations: float) -> tuple[Metrics, Floats]:
        """Predicted metrics of the problem, made worse by some deviations; least likelihoods."""
        worse = {o.metric: 1.0 if o.sense == "minimize" else -1.0 for o in self.problem.objectives}
        worse |= {li.metric: 1.0 if li.relation == "<=" else -1.0 for li in self.problem.limits}
        n = length(columns)
        works = np.ones(n)
        measured = []
        for workload, _ in self.problem.workloads:
            answer = self._informed.predict(columns, workload.name)
            works = np.minimum(works, answer.works)
            values = {
                name: values + worse.get(name, 0.0) * deviations * answer.spread[name]
                for name, values in answer.metrics.items()
            }
            measured.append(Metrics(values, ("",) * n))
        return self.problem.combine(measured), works

    def _gap(self, codes: Floats, others: Floats) -> Floats:
        """Distance of `n` designs from the nearest of others, shape `(n,)`."""
        if not len(others):
            return np.ones(len(codes))
        parts = [
            encoding.distances(self.problem.space.parameters, codes[k : k + 64], others).min(axis=1)
            for k in range(0, len(codes), 64)
        ]
        return np.concatenate(parts)

    def _climbed(self) -> tuple[dict[str, Column], Floats]:
        """All designs that were looked at, each once, and their scores."""
        space = self.problem.space
        drawn = space.sample_columns(DRAWN, np.random.default_rng(self.seed))
        start = joined([drawn, self._good_of_log()])
        seen = [(start, self.scores(start))]
        best = np.argsort(seen[0][1], kind="stable")[:CLIMBERS]
        climbers, heights = rows(start, best), seen[0][1][best]
        for _ in range(MOST_ROUNDS):
            around, origin = space.neighbor_columns(climbers)
            if not length(around):
                break
            scores = self.scores(around)
            seen.append((around, scores))
            moved, heights, improved = _best_moves(climbers, heights, around, scores, origin)
            climbers = rows(moved, improved)
            heights = heights[improved]
            if not improved.any():
                break
        columns = joined([part for part, _ in seen])
        scores = np.concatenate([part for _, part in seen])
        _, first = np.unique(encoding.encoded(space.parameters, columns), axis=0, return_index=True)
        return rows(columns, first), scores[first]

    def _good_of_log(self) -> Columns:
        """The best logged designs, by what was measured."""
        log = self._log.rows(self._log.accepted(self.problem.goal))
        cost = self.problem.objectives[0].cost(log.metrics[self.problem.objectives[0].metric])
        return rows(log.columns, np.argsort(cost, kind="stable")[: 10 * CLIMBERS])


def joined(parts: Sequence[Columns]) -> dict[str, Column]:
    """All rows of several batches of designs."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _best_moves(
    climbers: Columns,
    heights: Floats,
    around: Columns,
    scores: Floats,
    origin: NDArray[np.int64],
) -> tuple[dict[str, Column], Floats, NDArray[np.bool_]]:
    """Each climber at its best neighbor if that is better, its score, and whether it moved."""
    order = np.lexsort((scores, origin))
    firsts, at = np.unique(origin[order], return_index=True)
    best = order[at]
    better = scores[best] < heights[firsts]
    moved = {name: column.copy() for name, column in climbers.items()}
    for name, column in moved.items():
        column[firsts[better]] = around[name][best[better]]
    heights = heights.copy()
    heights[firsts[better]] = scores[best[better]]
    improved = np.zeros(len(heights), dtype=bool)
    improved[firsts[better]] = True
    return moved, heights, improved


def best_logged(log: Dataset, problem: Problem) -> tuple[Design, dict[str, float]] | None:
    """The best logged design that all of the problem's networks ran, and its metrics.

    None if none of them works for all, within the limits, or if a network is not in the log.
    """
    names = [workload.name for workload, _ in problem.workloads]
    if not set(names) <= set(log.applications):
        return None
    parameters = problem.space.parameters
    found: list[dict[bytes, int]] = []
    parts = [log.of(name) for name in names]
    for part in parts:
        codes = encoding.encoded(parameters, part.columns)
        found.append({codes[i].tobytes(): i for i in np.flatnonzero(part.feasible).tolist()})
    common = [key for key in found[0] if all(key in other for other in found)]
    if not common:
        return None
    measured = []
    for part, places in zip(parts, found):
        own = part.rows(np.array([places[key] for key in common]))
        measured.append(Metrics(dict(own.metrics), tuple(own.infeasible)))
    metrics = problem.combine(measured)
    objective = problem.objectives[0]
    cost = objective.cost(metrics.values[objective.metric])
    for limit in problem.limits:
        cost = np.where(limit.violation(metrics.values[limit.metric]) > 0, np.inf, cost)
    if not np.isfinite(cost).any():
        return None
    i = int(np.argmin(cost))
    row = rows(parts[0].columns, np.array([found[0][common[i]]]))
    return problem.space.designs(row)[0], metrics.row(i)
