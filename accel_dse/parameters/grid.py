"""Parameters whose choices are numbers in a row."""

# ruff: noqa: D102 (a method that overrides means what its interface says)

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from accel_dse.designs import Column
from accel_dse.errors import DesignError
from accel_dse.formula import shown
from accel_dse.parameters.base import (
    EXACT,
    MOST_CHOICES,
    Floats,
    Indices,
    Parameter,
    Scale,
    along,
    listed,
    number_column,
    plain_number,
    require,
    require_distinct,
    require_scale,
    scaled,
)

MOST_EXCHANGES = 64
"""A parameter with more choices offers as neighbors only those 1, 2, 4, ... choices away."""


class Grid(Parameter):
    """A parameter whose choices are numbers in a row.

    Attributes:
        scale: whether neighboring choices differ by an amount or by a ratio: they are encoded by
            value or by logarithm, from 0 for the first to 1 for the last.
    """

    scale: Scale

    @property
    @abstractmethod
    def grid(self) -> Column:
        """The choices, ascending, shape `(count,)`."""

    @property
    def count(self) -> int:
        return len(self.grid)

    @property
    def width(self) -> int:
        return 1

    @property
    def fields(self) -> tuple[int, ...]:
        return (self.count,)

    @property
    def lines(self) -> tuple[tuple[float, ...], ...]:
        return (along(self.grid.astype(np.float64)),)

    @cached_property
    def _codes(self) -> Floats:
        """The encoding of each choice, ascending, shape `(count,)`."""
        low, high = self.grid[0].item(), self.grid[-1].item()
        return scaled(self.grid.astype(np.float64), low, high, self.scale)

    @cached_property
    def _borders(self) -> Floats:
        return np.asarray((self._codes[1:] + self._codes[:-1]) / 2)

    def canonical(self, value: Any) -> int | float:
        number = plain_number(value)
        hint = f"write a number such as {self.grid[0].item()}"
        if number is not None:
            at = int(np.searchsorted(self.grid, number))
            near: list[int | float] = self.grid[max(at - 1, 0) : at + 1].tolist()
            if number in near:
                return near[near.index(number)]
            hint = f"nearest: {' or '.join(str(v) for v in near)}"
        raise DesignError(f"{shown(value)} is not one of {self.summary()}", hint=hint)

    def column(self, values: Sequence[Any]) -> Column:
        return number_column(values, self.grid.dtype, self.name)

    def index(self, column: Column) -> Indices:
        at = np.searchsorted(self.grid, column)
        at[at == self.count] = 0
        wrong = self.grid[at] != column
        if wrong.any():
            raise self.stranger(column, wrong)
        return at

    def choice(self, index: Indices) -> Column:
        return self.grid[index]

    def field_choices(self, column: Column) -> Indices:
        return self.index(column)[:, None]

    def encode(self, column: Column) -> Floats:
        return self._codes[self.index(column)][:, None]

    def decode(self, codes: Floats) -> Column:
        return self.grid[np.searchsorted(self._borders, codes[:, 0])]

    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        """All other choices, or those 1, 2, 4, ... choices away where there are many."""
        index = self.index(column)[:, None]
        if self.count <= MOST_EXCHANGES:
            other = (index + np.arange(1, self.count)) % self.count
        else:
            hops = 2 ** np.arange((self.count - 1).bit_length())
            other = index + np.concatenate([-hops[::-1], hops])
        origin, place = np.nonzero((other >= 0) & (other < self.count))
        return self.choice(other[origin, place]), origin

    def step(self, column: Column, rng: np.random.Generator) -> Column:
        """A few choices up or down, most often one; further where there are very many."""
        n, index = len(column), self.index(column)
        hop = rng.geometric(0.5, size=n) * rng.integers(1, 2 + self.count // 32, size=n)
        hop = np.minimum(hop, max(self.count // 2, 1)) * rng.choice([-1, 1], size=n)
        inside = (index + hop >= 0) & (index + hop < self.count)
        return self.choice(np.clip(np.where(inside, index + hop, index - hop), 0, self.count - 1))


@dataclass(frozen=True)
class Ordinal(Grid):
    """One of a few increasing numbers, each drawn equally often.

    Attributes:
        values: distinct and increasing; all whole, or else all become floats.
        scale: see `Grid`.
    """

    values: tuple[int | float, ...]
    scale: Scale = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        values = tuple(self.values)
        for value in values:
            number = plain_number(value)
            require(
                self.name,
                number is not None and abs(number) <= EXACT,
                f"values must be numbers of at most 2^53, got {shown(value)}",
                "use categorical for names",
            )
        require_distinct(self.name, values)
        require(
            self.name,
            list(values) == sorted(values),
            f"values must increase, got {listed(values)}",
            "use categorical if they have no order",
        )
        require_scale(self.name, self.scale, values[0])
        kind = int if all(isinstance(value, int) for value in values) else float
        object.__setattr__(self, "values", tuple(kind(value) for value in values))

    @cached_property
    def grid(self) -> Column:
        return np.array(self.values)

    def content(self) -> Mapping[str, Any]:
        return {"ordinal": list(self.values), "scale": self.scale}

    def summary(self) -> str:
        return listed(self.values)


@dataclass(frozen=True)
class Integer(Grid):
    """A whole number from `low` to `high`, both included, in steps.

    Drawn uniformly, on a log scale by logarithm: each octave equally often.

    Attributes:
        low, high: the bounds; `high` is a whole number of steps from `low`.
        by: the step between neighboring values.
        scale: see `Grid`.
    """

    low: int
    high: int
    by: int = 1
    scale: Scale = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        for bound in (self.low, self.high, self.by):
            require(
                self.name,
                type(bound) is int and abs(bound) <= EXACT,
                f"bounds and step must be whole numbers of at most 2^53, got {bound!r}",
            )
        require(self.name, self.by >= 1, f"step must be at least 1, got {self.by}")
        require(
            self.name,
            self.low <= self.high,
            f"bounds must be [low, high], got [{self.low}, {self.high}]",
        )
        steps, left = divmod(self.high - self.low, self.by)
        require(
            self.name,
            left == 0,
            f"steps of {self.by} from {self.low} do not reach {self.high}",
            f"end at {self.high - left} or {self.high - left + self.by}",
        )
        require(
            self.name,
            steps < MOST_CHOICES,
            f"{steps + 1:,} values, at most {MOST_CHOICES:,} are allowed",
            "use a larger step, or a real",
        )
        require_scale(self.name, self.scale, self.low)

    @cached_property
    def grid(self) -> Column:
        return np.arange(self.low, self.high + 1, self.by, dtype=np.int64)

    @cached_property
    def _octaves(self) -> Floats:
        """What each value stands for on a log scale: half way to its neighbors."""
        edges = np.log2(self.grid)
        middle = (edges[1:] + edges[:-1]) / 2
        return np.diff(np.concatenate([[edges[0] - 0.5], middle, [edges[-1] + 0.5]]))

    @property
    def weights(self) -> Floats | None:
        return self._octaves if self.scale == "log" else None

    def content(self) -> Mapping[str, Any]:
        return {"integer": [self.low, self.high, self.by], "scale": self.scale}

    def summary(self) -> str:
        return f"{self.low} to {self.high}{f' in steps of {self.by}' if self.by > 1 else ''}"
