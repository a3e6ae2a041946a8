"""Finding the designs that score best: a local search over the space's own neighbors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column, Columns, length, rows
from accel_dse.moves import exchanged, mutated
from accel_dse.space import DesignSpace
from accel_dse.trial import Design

Floats = NDArray[np.float64]
Score = Callable[[Columns], Floats]

CLIMBERS = 6
"""Designs that climb at the same time."""

DRAWN = 200
"""Random designs that compete to be climbers."""

VARIED = 200
"""Variations of good known designs that do."""

STEPS = 8
"""Exchanges that a climber makes at most."""

MOST_NEIGHBORS = 100
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
        begin.append(space.columns(list(parents)))
        chosen = rows(begin[1], rng.integers(len(parents), size=VARIED))
        varied = mutated(space.parameters, chosen, 2 / len(space.parameters), rng)
        begin.append(rows(varied, space.satisfied(varied)))
    seen = [_scored(score, _joined(begin))]
    climbers = seen[0].best(CLIMBERS)
    for _ in range(STEPS):
        around, origin = _neighbors(space, climbers.columns, rng)
        if not len(origin):
            break
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


def _neighbors(
    space: DesignSpace, columns: Columns, rng: np.random.Generator
) -> tuple[dict[str, Column], NDArray[np.int64]]:
    """Valid ones of at most `MOST_NEIGHBORS` neighbors of each of `n` designs, and whose."""
    around, origin = exchanged(space.parameters, columns)
    order = rng.permutation(len(origin))
    order = order[np.argsort(origin[order], kind="stable")]
    first = np.searchsorted(origin[order], origin[order])
    keep = np.sort(order[np.arange(len(order)) - first < MOST_NEIGHBORS])
    keep = keep[space.satisfied(rows(around, keep))]
    return rows(around, keep), origin[keep]


def _stepped(climbers: Scored, found: Scored, origin: NDArray[np.int64]) -> Scored:
    """Where the climbers are that found a better neighbor; of equal ones only one."""
    order = np.lexsort((-found.scores, origin))
    first = np.unique(origin[order], return_index=True)[1]
    leaders = order[first]
    better = leaders[found.scores[leaders] > climbers.scores[origin[leaders]]]
    _, distinct = np.unique(found.scores[better], return_index=True)
    return Scored(rows(found.columns, better[distinct]), found.scores[better[distinct]])
