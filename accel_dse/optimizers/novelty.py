"""Not simulating a design twice."""

from collections.abc import Hashable, Iterable, Sequence
from operator import itemgetter

import numpy as np

from accel_dse.problem import Problem
from accel_dse.space import DesignSpace
from accel_dse.trial import Design, Trial

LISTED = 200_000
"""A space of no more valid designs is listed once random draws bring up few new ones."""

ROUNDS = 8
"""Random draws that bring up too little before the space is listed, or repeats are allowed."""


class Known:
    """The designs that were told or are pending.

    It is derived from an optimizer's `trials` and `pending`, and only spares reading them anew:
    an optimizer that keeps one still depends on nothing else.
    """

    def __init__(self, problem: Problem) -> None:
        self._space: DesignSpace = problem.space
        self._key = itemgetter(*problem.space.names)
        self._told: set[Hashable] = set()
        self._count = 0
        self._pending: set[Hashable] = set()

    def refresh(self, trials: Sequence[Trial], pending: Iterable[Design]) -> None:
        """Takes in what was told since the last time."""
        self._told.update(self._key(trial.design) for trial in trials[self._count :])
        self._count = len(trials)
        self._pending = {self._key(design) for design in pending}

    def new(self, designs: Iterable[Design], besides: Iterable[Design] = ()) -> list[Design]:
        """Those of `designs` that are not known, not in `besides`, and each only once."""
        taken = {self._key(design) for design in besides}
        fresh = []
        for design in designs:
            key = self._key(design)
            if key not in taken and key not in self._told and key not in self._pending:
                taken.add(key)
                fresh.append(design)
        return fresh

    def random(
        self, n: int, rng: np.random.Generator, besides: Sequence[Design] = ()
    ) -> list[Design]:
        """`n` random valid designs, new as far as the space still holds new ones.

        Args:
            n: how many.
            rng: decides.
            besides: designs that count as known, too.
        """
        found: list[Design] = []
        for _ in range(ROUNDS):
            found += self.new(self._space.sample(n, rng), besides=[*besides, *found])
            if len(found) >= n:
                return found[:n]
        count = self._space.count_valid()
        if count is not None and count <= LISTED:
            everything = self._space.designs(self._space.every(limit=LISTED))
            rest = self.new(everything, besides=[*besides, *found])
            found += [rest[i] for i in rng.permutation(len(rest))]
        return (found + self._space.sample(n, rng))[:n]
