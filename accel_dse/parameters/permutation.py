"""A parameter that is an order of items."""

# ruff: noqa: D102 (a method that overrides means what its interface says)

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from accel_dse.designs import Column
from accel_dse.errors import DesignError
from accel_dse.formula import shown
from accel_dse.parameters.base import (
    Floats,
    Indices,
    Parameter,
    require,
    require_distinct,
)

MOST_ITEMS = 20
"""Items of a permutation: 20! is the last factorial below 2^63."""


@dataclass(frozen=True)
class Permutation(Parameter):
    """An order of all items, first one first: the loops of one level, outermost first.

    Encoded as the place of each item, so that the squared distance of two encodings is
    Spearman's: the sum of squared changes of place. One exchange swaps two items.

    Attributes:
        items: distinct strings.
    """

    items: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        items = tuple(self.items)
        for item in items:
            require(
                self.name,
                type(item) is str,
                f"items must be strings, got {shown(item)}",
                "quote it",
            )
        require_distinct(self.name, items)
        require(
            self.name,
            len(items) <= MOST_ITEMS,
            f"{len(items)} items, at most {MOST_ITEMS} are allowed",
        )
        object.__setattr__(self, "items", items)

    @property
    def count(self) -> int:
        return math.factorial(len(self.items))

    @property
    def width(self) -> int:
        return len(self.items)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"{self.name}[{item}]" for item in self.items)

    @property
    def fields(self) -> tuple[int, ...]:
        """For each place, which item stands there."""
        return (len(self.items),) * len(self.items)

    @property
    def distance_weight(self) -> float:
        """Spearman's footrule of a reversed order is `floor(m^2 / 2)` places."""
        m = len(self.items)
        return (m - 1) / (m * m // 2) if m > 1 else 1.0

    @cached_property
    def _items(self) -> Column:
        return np.array(self.items)

    @cached_property
    def _sorted(self) -> Indices:
        return np.argsort(self._items)

    def content(self) -> Mapping[str, Any]:
        return {"permutation": list(self.items)}

    def summary(self) -> str:
        return f"orders of {', '.join(self.items)}"

    def canonical(self, value: Any) -> tuple[str, ...]:
        value = value.tolist() if isinstance(value, np.ndarray) else value
        order = tuple(value) if isinstance(value, Sequence) else ()
        if len(order) != len(self.items) or any(item not in order for item in self.items):
            raise DesignError(
                f"{shown(value)} is not an order of {', '.join(self.items)}",
                hint=f"write {list(self.items)}",
            )
        return tuple(str(item) for item in order)

    def column(self, values: Sequence[Any]) -> Column:
        if not len(values):
            return np.empty((0, len(self.items)), self._items.dtype)
        if any(len(value) != len(self.items) for value in values):
            raise DesignError(f"{self.name}: some values are not {self.summary()}")
        return np.array(values, dtype=str)

    def plain(self, column: Column) -> list[Any]:
        return list(map(tuple, column.tolist()))

    def _numbers(self, column: Column) -> Indices:
        """Each item's place in `items`, shape `(n, m)`."""
        at = np.searchsorted(self._items, column, sorter=self._sorted)
        numbers = self._sorted[np.minimum(at, len(self.items) - 1)]
        wrong = (self._items[numbers] != column).any(axis=1)
        wrong |= (np.sort(numbers, axis=1) != np.arange(len(self.items))).any(axis=1)
        if wrong.any():
            raise self.stranger(column, wrong)
        return numbers

    def _places(self, column: Column) -> Indices:
        """Where each of `items` stands, shape `(n, m)`."""
        return np.argsort(self._numbers(column), axis=1)

    def index(self, column: Column) -> Indices:
        """Its place in lexicographic order, by Lehmer code."""
        numbers = self._numbers(column)
        m = len(self.items)
        index = np.zeros(len(column), np.int64)
        for i in range(m):
            smaller_later = (numbers[:, i + 1 :] < numbers[:, i : i + 1]).sum(axis=1)
            index = index * (m - i) + smaller_later
        return index

    def choice(self, index: Indices) -> Column:
        m = len(self.items)
        digits = np.empty((len(index), m), np.int64)
        rest = np.asarray(index, np.int64)
        for i in range(m - 1, -1, -1):
            rest, digits[:, i] = np.divmod(rest, m - i)
        # Undo the Lehmer code from the back: an item at or above one placed before it moves up.
        for i in range(m - 2, -1, -1):
            digits[:, i + 1 :] += digits[:, i + 1 :] >= digits[:, i : i + 1]
        return self._items[digits]

    def field_choices(self, column: Column) -> Indices:
        return self._numbers(column)

    def encode(self, column: Column) -> Floats:
        return self._places(column) / max(len(self.items) - 1, 1)

    def decode(self, codes: Floats) -> Column:
        return self._items[np.argsort(codes, axis=1, kind="stable")]

    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        m = len(self.items)
        first, second = np.triu_indices(m, 1)
        swaps = np.tile(np.arange(m), (len(first), 1))
        rows = np.arange(len(first))
        swaps[rows, first], swaps[rows, second] = second, first
        swapped = column[:, swaps].reshape(-1, m)
        return swapped, np.repeat(np.arange(len(column)), len(first))

    def step(self, column: Column, rng: np.random.Generator) -> Column:
        """Two items swapped, or one item moved past others."""
        n, m = len(column), len(self.items)
        if m == 1:
            return column
        rows = np.arange(n)
        source = rng.integers(m, size=n)
        target = (source + rng.integers(1, m, size=n)) % m
        keys = np.tile(np.arange(m, dtype=np.float64), (n, 1))
        swap = rng.random(n) < 0.5
        past = np.where(target > source, 0.5, -0.5)
        keys[rows, source] = target + np.where(swap, 0, past)
        keys[rows[swap], target[swap]] = source[swap]
        return np.take_along_axis(column, np.argsort(keys, axis=1), axis=1)

    def cross(self, a: Column, b: Column, rng: np.random.Generator) -> Column:
        """Each item asks for its place in one parent or the other; ties by a coin.

        Source: random keys, Bean, ORSA Journal on Computing 6(2), 1994.
        """
        keys = np.where(rng.random(a.shape) < 0.5, self._places(a), self._places(b))
        return self._items[np.argsort(keys + 0.5 * rng.random(a.shape), axis=1)]
