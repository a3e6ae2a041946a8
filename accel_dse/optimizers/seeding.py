"""Designs of a source worth trying here: its best, each unlike those before it."""

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import length, rows
from accel_dse.encoding import distances
from accel_dse.optimizers.elite import Candidate, ranked
from accel_dse.problem import Problem
from accel_dse.source import Source
from accel_dse.trial import Design

POOL = 0.25
"""Seeds are chosen from this share of the designs, the best ones."""

FEWEST = 4
"""Where fewer would be accepted here, those nearest to the limits make up so many."""

UNLIKE = 0.1
"""Mean distance, over parameters and from 0 to 1, that seeds begin with; halved until there are
enough of them."""

FILLED = 256
"""Random designs that a seed takes parameters from, where its source does not have them."""


def seeds_of(source: Source, problem: Problem, n: int) -> list[Design]:
    """Up to `n` valid designs of the problem's space, the most promising first.

    Designs that would be accepted here come first, then those nearest to the limits. Parameters
    that the source does not have are drawn at random, always alike.

    Args:
        source: with its designs.
        problem: whose limits and objectives they are judged by.
        n: how many.
    """
    if source.useless(problem):
        return []
    order = _ranked(source, problem)
    kept = int((source.excess(problem)[order] == 0).sum())
    best = order[: min(max(n, round(POOL * len(order))), max(kept, FEWEST))]
    columns = rows(source.columns, best)
    codes = source.space.encode_columns(columns)
    chosen = _unlike(distances(source.space.parameters, codes, codes), n)
    parts = source.space.designs(rows(columns, chosen))
    rng = np.random.default_rng(0)
    return [whole for part in parts if (whole := _completed(part, problem, rng)) is not None]


def _ranked(source: Source, problem: Problem) -> NDArray[np.int64]:
    """Working designs, best first; of those that measure the same only the first."""
    working = np.flatnonzero(source.works)
    excess, costs = source.excess(problem), source.costs(problem)
    candidates = [
        Candidate(int(i), {}, float(excess[i]), tuple(map(float, costs[i]))) for i in working
    ]
    different = {(c.excess, c.costs): c for c in reversed(candidates)}
    return np.array([c.index for c in ranked(list(different.values()))], dtype=np.int64)


def _unlike(apart: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Up to `n` of some designs, in their order, by their distances `(m, m)`.

    First those at least `UNLIKE` from all before; then nearer ones.
    """
    chosen: list[int] = []
    near = UNLIKE
    while len(chosen) < min(n, len(apart)):
        for i in range(len(apart)):
            if len(chosen) < n and i not in chosen and (apart[i, chosen] >= near).all():
                chosen.append(i)
        near = near / 2 if near > UNLIKE / 16 else 0.0
    return np.array(chosen, dtype=np.int64)


def _completed(part: Design, problem: Problem, rng: np.random.Generator) -> Design | None:
    """A valid design that has the values of `part`; None if none was found."""
    space = problem.space
    if len(part) == len(space.names):
        return space.designs(space.columns([part]))[0]
    drawn = space.sample_columns(FILLED, rng)
    given = {
        p.name: np.repeat(p.column([part[p.name]]), FILLED, axis=0)
        for p in space.parameters
        if p.name in part
    }
    columns = {name: given.get(name, drawn[name]) for name in space.names}
    valid = rows(columns, space.satisfied(columns))
    return space.designs(rows(valid, np.zeros(1, dtype=np.int64)))[0] if length(valid) else None
