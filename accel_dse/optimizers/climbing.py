"""Finding the designs that score best: a local search over the space's own neighbors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.choices import Coded
from accel_dse.designs import length, rows
from accel_dse.parameters import Factorization, Permutation
from accel_dse.space import DesignSpace
from accel_dse.trial import Design

Floats = NDArray[np.float64]
Score = Callable[[Coded], Floats]

VARIED = 200
"""Variations of good known designs that compete for a place to climb from."""

MOST_NEIGHBORS = 100
"""Neighbors that one climber looks at in one step, drawn at random of more."""

KEPT = 100
"""Designs of one generation that the next descends from."""

BROOD = 200
"""Children in a generation, valid or not."""

CHANGED = 1.5
"""Parameters of a child that are changed, on average."""


@dataclass(frozen=True)
class Effort:
    """How hard a search tries.

    Attributes:
        climbers: designs that climb at the same time.
        steps: exchanges that a climber makes at most.
        generations: of crossing and varying the best designs before any climbs.
    """

    climbers: int
    steps: int
    generations: int


PLAIN = Effort(6, 8, 0)
"""Where a good exchange is always one parameter's."""

TIED = Effort(20, 15, 10)
"""Where factors of loops fill the same buffer and the same PEs: of two good changes one alone is
mostly invalid or worse. Chosen on two mapping problems (ResNet-K2, DQN-K2)."""


@dataclass(frozen=True)
class Scored:
    """Designs and their scores.

    Attributes:
        coded: `m` designs, see `Coding`.
        scores: `(m,)`; more is better.
    """

    coded: Coded
    scores: Floats

    def best(self, n: int) -> "Scored":
        """The `n` that score best, best first."""
        order = np.argsort(-self.scores, kind="stable")[:n]
        return Scored(rows(self.coded, order), self.scores[order])


def climb(
    space: DesignSpace,
    score: Score,
    strangers: Coded,
    parents: Sequence[Design],
    rng: np.random.Generator,
) -> Scored:
    """All designs that were looked at on the way to ones that score best.

    Strangers, and variations of `parents`, compete for a few places; from each, the best
    exchange is made again and again until none is better. All keep the space's constraints. In a
    space of factorizations or orders, generations of crossed designs come in between.

    Args:
        space: where designs come from.
        score: of `n` coded designs, `(n,)`; more is better.
        strangers: random valid designs, coded.
        parents: designs known to be good, may be empty.
        rng: decides.

    Source:
        Evolution first, then local search: memetic algorithms, Moscato, Caltech C3P 826, 1989.
    """
    begin = [strangers]
    if parents:
        begin.append(space.coding.coded(space.columns(list(parents))))
        chosen = rows(begin[1], rng.integers(len(parents), size=VARIED))
        movable = sum(parameter.count > 1 for parameter in space.parameters)
        varied = space.coding.mutated(chosen, 2 / max(movable, 2), rng)
        begin.append(rows(varied, space.coding.satisfied(varied)))
    seen = [_scored(score, _joined(begin))]
    effort = _effort(space)
    pool = seen[0]
    for _ in range(effort.generations):
        children = _children(space, pool.best(KEPT).coded, rng)
        if length(children):
            seen.append(_scored(score, children))
            pool = _distinct(_all([pool.best(KEPT), seen[-1]]))
    climbers = pool.best(effort.climbers)
    for _ in range(effort.steps):
        around, origin = _neighbors(space, climbers.coded, rng)
        if not len(origin):
            break
        found = _scored(score, around)
        seen.append(found)
        climbers = _stepped(climbers, found, origin)
        if not length(climbers.coded):
            break
    return _all(seen)


def _effort(space: DesignSpace) -> Effort:
    tied = any(isinstance(p, Factorization | Permutation) and p.count > 1 for p in space.parameters)
    return TIED if tied else PLAIN


def _scored(score: Score, coded: Coded) -> Scored:
    return Scored(coded, score(coded))


def _all(parts: Sequence[Scored]) -> Scored:
    return Scored(
        _joined([part.coded for part in parts]), np.concatenate([part.scores for part in parts])
    )


def _distinct(scored: Scored) -> Scored:
    """Of designs that score the same only one."""
    _, first = np.unique(scored.scores, return_index=True)
    return Scored(rows(scored.coded, first), scored.scores[first])


def _children(space: DesignSpace, coded: Coded, rng: np.random.Generator) -> Coded:
    """Valid ones of `BROOD` children of `n` designs, of which the first are parents most often.

    A child has each parameter of one parent or the other; then some are changed.
    """
    mothers, fathers = (
        rows(coded, rng.integers(length(coded), size=(BROOD, 2)).min(axis=1)) for _ in range(2)
    )
    children = {}
    for name, column in mothers.items():
        hers = (rng.random(BROOD) < 0.5).reshape(-1, *[1] * (column.ndim - 1))
        children[name] = np.where(hers, column, fathers[name])
    movable = sum(parameter.count > 1 for parameter in space.parameters)
    varied = space.coding.mutated(children, CHANGED / max(movable, 1), rng)
    return rows(varied, space.coding.satisfied(varied))


def _joined(parts: Sequence[Coded]) -> Coded:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _neighbors(
    space: DesignSpace, coded: Coded, rng: np.random.Generator
) -> tuple[Coded, NDArray[np.int64]]:
    """Valid ones of at most `MOST_NEIGHBORS` neighbors of each of `n` designs, and whose."""
    around, origin = space.coding.neighbors(coded)
    order = rng.permutation(len(origin))
    order = order[np.argsort(origin[order], kind="stable")]
    first = np.searchsorted(origin[order], origin[order])
    keep = np.sort(order[np.arange(len(order)) - first < MOST_NEIGHBORS])
    around, origin = rows(around, keep), origin[keep]
    valid = space.coding.satisfied(around)
    return rows(around, valid), origin[valid]


def _stepped(climbers: Scored, found: Scored, origin: NDArray[np.int64]) -> Scored:
    """Where the climbers are that found a better neighbor; of equal ones only one."""
    order = np.lexsort((-found.scores, origin))
    first = np.unique(origin[order], return_index=True)[1]
    leaders = order[first]
    better = leaders[found.scores[leaders] > climbers.scores[origin[leaders]]]
    _, distinct = np.unique(found.scores[better], return_index=True)
    return Scored(rows(found.coded, better[distinct]), found.scores[better[distinct]])
