"""A parameter that is a split of a total into factors."""

# ruff: noqa: D102 (a method that overrides means what its interface says)

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column
from accel_dse.errors import DesignError
from accel_dse.formula import shown
from accel_dse.parameters.base import Floats, Indices, Parameter, along, plain_number, require
from accel_dse.parameters.splits import LARGEST_TOTAL, Splits, primes, splits

LARGEST_RAGGED_TOTAL = 2**17
"""Total of a ragged factorization; its tables grow as total x log(total)."""

MOST_PARTS = 12
"""Parts of a factorization."""

AT_ONCE = 4096
"""Values whose neighbors are held in memory together."""


@dataclass(frozen=True)
class Factorization(Parameter):
    """How a total splits into ordered factors, outermost first: a loop over levels.

    Exact: the product of the factors is the total. Ragged: each factor is at most what the later
    ones leave to cover, `f[i] <= ceil(total / (f[i+1] * ... * f[k-1]))`, and the first is equal
    to it; so the last tile of a level may be partly empty, but no tile is entirely.

    Encoded as each factor's share of the total, `log2(factor) / log2(total)`. One exchange moves
    a prime factor from one part to another; in a ragged one, it doubles, halves or nudges an inner
    factor and lets the others follow.

    Attributes:
        total: what is split, at least 1.
        parts: how many factors.
        ragged: whether factors may cover more than the total.
    """

    total: int
    parts: int
    ragged: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.name, isinstance(self.ragged, bool), "ragged must be true or false")
        limit = LARGEST_RAGGED_TOTAL if self.ragged else LARGEST_TOTAL
        for label, value, most in (("total", self.total, limit), ("parts", self.parts, MOST_PARTS)):
            require(
                self.name,
                type(value) is int and 1 <= value <= most,
                f"{label} must be a whole number from 1 to {most:,}, got {value!r}",
            )

    @property
    def _splits(self) -> Splits:
        return splits(self.total, self.ragged)

    @cached_property
    def count(self) -> int:
        return int(self._splits.ways(self.parts)[-1])

    @property
    def width(self) -> int:
        return self.parts

    @property
    def fields(self) -> tuple[int, ...]:
        """For each part, which factor it is."""
        return (len(self._splits.factors),) * self.parts

    @property
    def lines(self) -> tuple[tuple[float, ...], ...]:
        return (along(np.array(self._splits.factors, dtype=np.float64)),) * self.parts

    @property
    def distance_weight(self) -> float:
        """Moving all of the total from one part to another changes two shares by 1."""
        return 0.5

    def content(self) -> Mapping[str, Any]:
        return {"factorization": self.total, "parts": self.parts, "ragged": self.ragged}

    def summary(self) -> str:
        ragged = ", ragged" if self.ragged else ""
        return f"{self.parts} factors of {self.total}{ragged}"

    def canonical(self, value: Any) -> tuple[int, ...]:
        value = value.tolist() if isinstance(value, np.ndarray) else value
        items = list(value) if isinstance(value, Sequence) else []
        numbers = [plain_number(item) for item in items]
        factors = tuple(int(f) for f in numbers if f is not None and f in range(1, self.total + 1))
        if len(factors) == len(items) == self.parts and self._walk(np.array([factors]))[1][0]:
            return factors
        rule = f"the product must be {self.total}"
        if self.ragged:
            rule = "each must be at most what the later ones leave to cover, the first equal to it"
        raise DesignError(
            f"{shown(value)} is not {self.summary()}: {rule}",
            hint=f"write {[self.total] + [1] * (self.parts - 1)}",
        )

    def column(self, values: Sequence[Any]) -> Column:
        if not len(values):
            return np.empty((0, self.parts), np.int64)
        if any(len(value) != self.parts for value in values):
            raise DesignError(f"{self.name}: some values are not {self.summary()}")
        column = np.array(values)
        if column.dtype.kind != "i":
            raise DesignError(f"{self.name}: some values are not whole numbers")
        return column.astype(np.int64)

    def plain(self, column: Column) -> list[Any]:
        return list(map(tuple, column.tolist()))

    def _walk(self, column: Column) -> tuple[Indices, NDArray[np.bool_]]:
        """The index of each row, and whether the row is a value of this parameter at all."""
        splits = self._splits
        good = ((column >= 1) & (column <= self.total)).all(axis=1)
        state = np.full(len(column), splits.root)
        index = np.zeros(len(column), np.int64)
        for part in range(self.parts - 1, 0, -1):
            place, found = splits.find(state, np.where(good, column[:, part], 1))
            before = splits.before(part)
            index += before[place] - before[splits.start[state]]
            good &= found
            state = splits.after[place]
        return index, np.asarray(good & (splits.totals[state] == column[:, 0]))

    def index(self, column: Column) -> Indices:
        index, good = self._walk(column)
        if not good.all():
            raise self.stranger(column, ~good)
        return index

    def choice(self, index: Indices) -> Column:
        splits = self._splits
        column = np.empty((len(index), self.parts), np.int64)
        state = np.full(len(index), splits.root)
        rest = np.asarray(index, np.int64)
        for part in range(self.parts - 1, 0, -1):
            before = splits.before(part)
            target = before[splits.start[state]] + rest
            place = np.searchsorted(before, target, side="right") - 1
            column[:, part], rest = splits.factor[place], target - before[place]
            state = splits.after[place]
        column[:, 0] = splits.totals[state]
        return column

    def field_choices(self, column: Column) -> Indices:
        self.index(column)
        return np.searchsorted(self._splits.factors, column)

    def encode(self, column: Column) -> Floats:
        self.index(column)
        return np.asarray(np.log2(column) / max(math.log2(self.total), 1.0))

    def decode(self, codes: Floats) -> Column:
        return self._settle(codes * math.log2(self.total))

    def _settle(self, logs: Floats) -> Column:
        """Valid factors near those whose `log2` is given: innermost first, each the nearest."""
        splits = self._splits
        column = np.empty(logs.shape, np.int64)
        state = np.full(len(logs), splits.root)
        for part in range(self.parts - 1, 0, -1):
            place = splits.nearest(state, logs[:, part])
            column[:, part] = splits.factor[place]
            state = splits.after[place]
        column[:, 0] = splits.totals[state]
        return column

    @cached_property
    def _moves(self) -> Floats:
        """What one exchange multiplies the factors by, shape `(moves, parts)`."""
        moved = [2] if self.ragged else primes(self.total)
        eye = np.eye(self.parts)
        moves = [
            p ** (eye[i] - eye[j])
            for p in moved
            for i in range(self.parts)
            for j in range(self.parts)
            if i != j
        ]
        return np.array(moves).reshape(-1, self.parts)

    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        each = column[:, None, :]
        wanted = each * self._moves
        if self.ragged:
            nudges = np.eye(self.parts)[1:]
            wanted = np.concatenate([wanted, each + nudges, each - nudges], axis=1)
        origin, place = np.nonzero((wanted % 1 == 0).all(axis=2) | self.ragged)
        found = self._settle(np.log2(np.maximum(wanted[origin, place], 1)))
        table = np.unique(np.column_stack([origin, found]), axis=0)
        changed = (table[:, 1:] != column[table[:, 0]]).any(axis=1)
        return table[changed, 1:], table[changed, 0]

    def step(self, column: Column, rng: np.random.Generator) -> Column:
        """A random one-exchange neighbor."""
        stepped = column.copy()
        for low in range(0, len(column), AT_ONCE):
            rows = slice(low, min(low + AT_ONCE, len(column)))
            found, origin = self.neighbors(column[rows])
            many = np.bincount(origin, minlength=rows.stop - low)
            pick = np.cumsum(many) - many + (rng.random(len(many)) * many).astype(np.int64)
            moved = np.flatnonzero(many)
            stepped[low + moved] = found[pick[moved]]
        return stepped

    def cross(self, a: Column, b: Column, rng: np.random.Generator) -> Column:
        """Each part asks for its factor in one parent or the other, and gets the nearest."""
        return self._settle(np.log2(np.where(rng.random(a.shape) < 0.5, a, b)))
