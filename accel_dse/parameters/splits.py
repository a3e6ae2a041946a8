"""The tree of choices met when a total is split into factors."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from accel_dse.parameters.base import Floats, Indices

LARGEST_TOTAL = 2**31
"""The largest total; its divisors are found by trial."""


class Splits:
    """The choices met when a total is split innermost factor first.

    A state is what is left to cover; taking a factor leads to `ceil(left / factor)`. Exact splits
    take divisors only, ragged ones any factor up to what is left. The choices of all states lie in
    one row, so that a batch in mixed states is looked up at once.

    Attributes:
        factors: all factors that occur, ascending.
        totals: what is left to cover in each state, ascending, shape `(states,)`.
        root: the state in which nothing is covered yet.
        start: where the choices of each state begin in the row, shape `(states + 1,)`.
        factor: the row: the factor of each choice, ascending within a state.
        after: the state that each choice leads to.
    """

    def __init__(self, total: int, ragged: bool) -> None:
        if ragged:
            self.factors = np.arange(1, total + 1)
            self.totals = np.unique(-(-total // self.factors))
            choices = [self.factors[:state] for state in self.totals]
        else:
            self.factors = divisors(total)
            self.totals = self.factors
            choices = [self.factors[state % self.factors == 0] for state in self.totals]
        lengths = np.array([len(c) for c in choices])
        self.start = np.concatenate([[0], np.cumsum(lengths)])
        self.factor = np.concatenate(choices)
        state = np.repeat(np.arange(len(self.totals)), lengths)
        self.after = np.searchsorted(self.totals, -(-self.totals[state] // self.factor))
        self._keys = state * (LARGEST_TOTAL + 1) + self.factor
        self.root = len(self.totals) - 1
        self._before: dict[int, Indices] = {}

    def before(self, inner: int) -> Indices:
        """Splits into `inner + 1` parts that come before each choice, over the whole row."""
        if inner not in self._before:
            ways = self.ways(inner)[self.after]
            self._before[inner] = np.concatenate([[0], np.cumsum(ways)])
        return self._before[inner]

    def ways(self, parts: int) -> Indices:
        """How many splits into `parts` each state has, shape `(states,)`."""
        if parts == 1:
            return np.ones(len(self.totals), np.int64)
        before = self.before(parts - 1)
        return np.asarray(before[self.start[1:]] - before[self.start[:-1]])

    def find(self, state: Indices, factor: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """Where the choice `factor` of each `state` is in the row, and whether there is one."""
        keys = state * (LARGEST_TOTAL + 1) + factor
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return place, self._keys[place] == keys

    def nearest(self, state: Indices, log: Floats) -> Indices:
        """The choice of each `state` whose `log2` is nearest to `log`."""
        wanted = np.exp2(np.clip(log, 0, np.log2(self.totals[state]))).astype(np.int64)
        keys = state * (LARGEST_TOTAL + 1) + np.maximum(wanted, 1)
        low = np.searchsorted(self._keys, keys, side="right") - 1
        high = np.minimum(low + 1, self.start[state + 1] - 1)
        nearer = np.abs(np.log2(self.factor[high]) - log) < np.abs(np.log2(self.factor[low]) - log)
        return np.asarray(np.where(nearer, high, low))


@lru_cache(maxsize=256)
def splits(total: int, ragged: bool) -> Splits:
    """`Splits`, kept for the next caller."""
    return Splits(total, ragged)


def divisors(total: int) -> Indices:
    """All divisors of `total`, ascending."""
    small = np.arange(1, math.isqrt(total) + 1)
    small = small[total % small == 0]
    return np.unique(np.concatenate([small, total // small]))


def primes(total: int) -> list[int]:
    """The distinct prime factors of `total`, ascending."""
    found, p = [], 2
    while p * p <= total:
        if total % p == 0:
            found.append(p)
            total //= p
            while total % p == 0:
                total //= p
        p += 1
    return [*found, total] if total > 1 else found
