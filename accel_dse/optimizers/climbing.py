"""Finding the designs that score best: a local search over the space's own neighbors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column, Columns, length, rows
from accel_dse.space import DesignSpace
from accel_dse.trial import Design

Floats = NDArray[np.float64]
Score = Callable[[Columns], Floats]

CLIMBERS = 10
"""Designs that climb at the same time."""

DRAWN = 400
"""Random designs that compete to be climbers."""

VARIED = 200
"""Variations of good known designs that do."""

STEPS = 12
"""Exchanges that a climber makes at most."""

MOST_NEIGHBORS = 120
"""Neighbors that one climber looks at in one step, drawn at random of more."""


@dataclass(frozen=True)
class Scored:
    """Designs and their scores.

    Attributes:
        columns: `m` designs by column.
        scores: `(m,)`; more is better.
    """

    columns: Columns
    scores: Floats

    def best(self, n: int) -> "Scored":
        """The `n` that score best, best first."""
        order = np.argsort(-self.scores, kind="stable")[:n]
        return Scored(rows(self.columns, order), self.scores[order])


def climb(
    space: DesignSpace, score: Score, parents: Sequence[Design], rng: np.random.Generator
) -> Scored:
    """All designs that were looked at on the way to ones that score best.

    Random designs, and variations of `parents`, compete for a few places; from each, the best
    exchange is made again and again until none is better. All keep the space's constraints.

    Args:
        space: where designs come from.
        score: of `n` designs by column, `(n,)`; more is better.
        parents: designs known to be good, may be empty.
        rng: decides.
    """
    begin = [space.sample_columns(DRAWN, rng)]
    if parents:
        chosen = [parents[i] for i in rng.integers(len(parents), size=VARIED)]
        begin.append(space.columns(space.mutate(chosen, rng, rate=2 / len(space.parameters))))
        begin.append(space.columns(list(parents)))
    seen = [_scored(score, _joined(begin))]
    climbers = seen[0].best(CLIMBERS)
    for _ in range(STEPS):
        around, origin = space.neighbor_columns(climbers.columns)
        if not length(around):
            break
        around, origin = _fewer(around, origin, rng)
        found = _scored(score, around)
        seen.append(found)
        climbers = _stepped(climbers, found, origin)
        if not length(climbers.columns):
            break
    return Scored(
        _joined([part.columns for part in seen]), np.concatenate([part.scores for part in seen])
    )


def _scored(score: Score, columns: Columns) -> Scored:
    return Scored(columns, score(columns))


def _joined(parts: Sequence[Columns]) -> dict[str, Column]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _fewer(
    around: dict[str, Column], origin: NDArray[np.int64], rng: np.random.Generator
) -> tuple[dict[str, Column], NDArray[np.int64]]:
    """At most `MOST_NEIGHBORS` of each climber's neighbors."""
    order = rng.permutation(len(origin))
    order = order[np.argsort(origin[order], kind="stable")]
    sorted_origin = origin[order]
    starts = np.searchsorted(sorted_origin, sorted_origin)
    keep = np.sort(order[np.arange(len(order)) - starts < MOST_NEIGHBORS])
    return rows(around, keep), origin[keep]


def _stepped(climbers: Scored, found: Scored, origin: NDArray[np.int64]) -> Scored:
    """Where the climbers are that found a better neighbor; of equal ones only one."""
    order = np.lexsort((-found.scores, origin))
    first = np.unique(origin[order], return_index=True)[1]
    leaders = order[first]
    better = leaders[found.scores[leaders] > climbers.scores[origin[leaders]]]
    _, distinct = np.unique(found.scores[better], return_index=True)
    return Scored(rows(found.columns, better[distinct]), found.scores[better[distinct]])
