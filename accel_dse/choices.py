"""Tables of what a parameter's choices are: looking up is cheaper than working out again."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column
from accel_dse.parameters.base import ANEW, Floats, Indices, Parameter

MOST_LISTED = 8_192
"""Choices of a parameter that has a table."""

MOST_NEIGHBORS = 2_000_000
"""Pairs of choices one exchange apart that a table holds."""


@dataclass(frozen=True, eq=False)
class Choices:
    """All choices of a parameter, by their index.

    Attributes:
        parameter: with a countable number of them.
    """

    parameter: Parameter

    @cached_property
    def values(self) -> Column:
        """The choices themselves, `(count,)`, or `(count, k)` if they have parts."""
        return self.parameter.choice(np.arange(int(self.parameter.count)))

    @cached_property
    def codes(self) -> Floats:
        """What each is encoded as, `(count, width)`."""
        return self.parameter.encode(self.values)

    @cached_property
    def _near(self) -> tuple[Indices, Indices] | None:
        """Where each choice's neighbors begin, and all neighbors; None if they are too many."""
        some, _ = self.parameter.neighbors(self.values[:1])
        if len(some) * len(self.values) > MOST_NEIGHBORS:
            return None
        found, origin = self.parameter.neighbors(self.values)
        begin = np.searchsorted(origin, np.arange(len(self.values) + 1))
        return begin, self.parameter.index(found)

    def neighbors(self, places: Indices) -> tuple[Indices, Indices]:
        """As `Parameter.neighbors`, of choices by index."""
        if self._near is None:
            found, origin = self.parameter.neighbors(self.values[places])
            return self.parameter.index(found), origin
        begin, near = self._near
        many = begin[places + 1] - begin[places]
        ends = np.cumsum(many)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - many, many)
        return near[np.repeat(begin[places], many) + within], np.repeat(np.arange(len(many)), many)

    def mutate(self, places: Indices, rng: np.random.Generator) -> Indices:
        """As `Parameter.mutate`, of choices by index."""
        if self._near is None:
            return self.parameter.index(self.parameter.mutate(self.values[places], rng))
        begin, near = self._near
        if not len(near):
            return places
        many = begin[places + 1] - begin[places]
        picked = begin[places] + (rng.random(len(places)) * many).astype(np.int64)
        stepped = np.where(many > 0, near[np.minimum(picked, len(near) - 1)], places)
        drawn = self.parameter.draw_index(len(places), rng)
        anew = (rng.random(len(places)) < ANEW) & (drawn != places)
        return np.where(anew, drawn, stepped)


@lru_cache(maxsize=1_024)
def choices_of(parameter: Parameter) -> Choices | None:
    """The table of a parameter; None if it has too many choices for one."""
    return Choices(parameter) if parameter.count <= MOST_LISTED else None


Coded = dict[str, NDArray[np.generic]]
"""`n` designs by column: indices of choices where a parameter has a table, else values."""
