"""The best trials so far, where limits and several objectives have a say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.problem import Problem
from accel_dse.trial import Design, Trial

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """A feasible trial, as ranking sees it.

    Attributes:
        index: of the trial.
        design: of the trial.
        excess: by how much it is beyond its limits, as shares of their bounds; 0 if accepted.
        costs: the objectives; less is better.
    """

    index: int
    design: Design
    excess: float
    costs: tuple[float, ...]

    @classmethod
    def of(cls, trial: Trial, problem: Problem) -> "Candidate":
        """The candidate that a feasible `trial` of `problem` is."""
        excess = problem.goal.excess(trial.metrics)
        return cls(trial.index, trial.design, excess, problem.costs(trial.metrics))


class Elite:
    """The best `size` feasible trials, accepted or not, no two of which measure the same.

    Designs often differ only in what does not matter (a larger memory of which no more is used);
    without that rule one good design and its twins would fill the population.

    It is a function of the trials in their order, however they are grouped when they are told;
    between calls it only spares ranking the old ones anew.
    """

    def __init__(self, problem: Problem, size: int) -> None:
        self._problem = problem
        self._size = size
        self._count = 0
        self._members: list[Candidate] = []

    def refresh(self, trials: Sequence[Trial]) -> None:
        """Takes in what was told since the last time."""
        for trial in trials[self._count :]:
            if trial.feasible:
                self._members.append(Candidate.of(trial, self._problem))
            if len(self._members) >= 4 * self._size:
                self._members = _different(ranked(self._members))[: 2 * self._size]
        self._count = len(trials)

    def best(self) -> list[Candidate]:
        """The members, best first."""
        return _different(ranked(self._members))[: self._size]


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """`candidates`, best first.

    Accepted ones come first, by their nondominated front, then by how alone they stand in it
    (with one objective: by cost); then those beyond a limit, by how far; then the earlier.

    Source:
        Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002.
    """
    if not candidates:
        return []
    excess = np.array([candidate.excess for candidate in candidates])
    index = np.array([candidate.index for candidate in candidates])
    costs = np.array([candidate.costs for candidate in candidates])
    front, crowd = np.zeros(len(candidates)), np.zeros(len(candidates))
    accepted = np.flatnonzero(excess == 0)
    if costs.shape[1] == 1:
        front[accepted] = costs[accepted, 0]
    else:
        front[accepted] = fronts(costs[accepted])
        for rank in np.unique(front[accepted]):
            rows = accepted[front[accepted] == rank]
            crowd[rows] = -crowding(costs[rows])
    order = np.lexsort((index, crowd, front, excess))
    return [candidates[i] for i in order]


def _different(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of those that measure the same only the first."""
    return list({(c.excess, c.costs): c for c in reversed(candidates)}.values())[::-1]


def fronts(costs: Floats) -> NDArray[np.int64]:
    """The nondominated front of each of `n` points, shape `(n,)`; 0 is the best.

    Args:
        costs: shape `(n, objectives)`.
    """
    no_worse = np.asarray((costs[:, None] <= costs[None]).all(axis=2))
    dominates = no_worse & ~no_worse.T
    rank = np.full(len(costs), -1)
    dominators = dominates.sum(axis=0)
    level = 0
    while (rank < 0).any():
        best = (rank < 0) & (dominators == 0)
        rank[best] = level
        dominators = dominators - dominates[best].sum(axis=0)
        level += 1
    return rank


def crowding(costs: Floats) -> Floats:
    """How alone each of `n` points of one front stands, shape `(n,)`; infinite at the ends.

    Args:
        costs: shape `(n, objectives)`.

    Source:
        Deb et al., NSGA-II, 2002, section III.B.
    """
    n, objectives = costs.shape
    alone = np.zeros(n)
    for k in range(objectives):
        order = np.argsort(costs[:, k], kind="stable")
        along = costs[order, k]
        span = along[-1] - along[0]
        alone[order[[0, -1]]] = np.inf
        if span > 0:
            alone[order[1:-1]] += (along[2:] - along[:-2]) / span
    return alone
