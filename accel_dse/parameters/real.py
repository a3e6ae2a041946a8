"""A parameter that is any number of a range."""

# ruff: noqa: D102 (a method that overrides means what its interface says)

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accel_dse.designs import Column
from accel_dse.errors import DesignError
from accel_dse.formula import shown
from accel_dse.parameters.base import (
    Floats,
    Indices,
    Parameter,
    Scale,
    number_column,
    plain_number,
    require,
    require_scale,
    scaled,
)

LARGEST = 1e100
"""Bound of a real: the product of two of them still has a value."""


@dataclass(frozen=True)
class Real(Parameter):
    """Any number from `low` to `high`, drawn uniformly on its scale.

    Attributes:
        low, high: the bounds, both included.
        scale: whether it is differences or ratios that matter.
    """

    low: float
    high: float
    scale: Scale = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        for bound in (self.low, self.high):
            require(
                self.name,
                plain_number(bound) is not None and abs(bound) <= LARGEST,
                f"bounds must be numbers of at most {LARGEST:g}, got {bound!r}",
            )
        require(
            self.name,
            self.low < self.high,
            f"low must be below high, got [{self.low}, {self.high}]",
        )
        require_scale(self.name, self.scale, self.low)
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    @property
    def count(self) -> float:
        return math.inf

    @property
    def width(self) -> int:
        return 1

    @property
    def fields(self) -> tuple[int, ...]:
        raise self._uncountable()

    def _uncountable(self) -> DesignError:
        return DesignError(
            f"{self.name}: a real parameter has no countable choices",
            hint="use an integer or an ordinal, or an encoding that takes reals",
        )

    def content(self) -> Mapping[str, Any]:
        return {"real": [self.low, self.high], "scale": self.scale}

    def summary(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    def canonical(self, value: Any) -> float:
        number = plain_number(value)
        if number is None or not self.low <= number <= self.high:
            raise DesignError(
                f"{shown(value)} is not a number from {self.summary()}",
                hint=f"write a number such as {self.low:g}",
            )
        return float(number)

    def column(self, values: Sequence[Any]) -> Column:
        return number_column(values, np.dtype(np.float64), self.name)

    def draw(self, n: int, rng: np.random.Generator) -> Column:
        return self.decode(rng.random((n, 1)))

    def index(self, column: Column) -> Indices:
        raise self._uncountable()

    def choice(self, index: Indices) -> Column:
        raise self._uncountable()

    def field_choices(self, column: Column) -> Indices:
        raise self._uncountable()

    def encode(self, column: Column) -> Floats:
        wrong = ~((column >= self.low) & (column <= self.high))
        if wrong.any():
            raise self.stranger(column, wrong)
        return scaled(column, self.low, self.high, self.scale)[:, None]

    def decode(self, codes: Floats) -> Column:
        code = np.clip(codes[:, 0], 0, 1)
        if self.scale == "log":
            low, high = math.log2(self.low), math.log2(self.high)
            value = np.exp2(low + code * (high - low))
        else:
            value = self.low + code * (self.high - self.low)
        return np.asarray(np.clip(value, self.low, self.high))

    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        """Values a hundredth and a tenth of the range away, on its scale."""
        code = self.encode(column) + np.array([-0.1, -0.01, 0.01, 0.1])
        origin, place = np.nonzero((code >= 0) & (code <= 1))
        return self.decode(code[origin, place][:, None]), origin

    def step(self, column: Column, rng: np.random.Generator) -> Column:
        """A tenth of the range away, give or take, reflected at the bounds."""
        code = self.encode(column) + 0.1 * rng.standard_normal((len(column), 1))
        return self.decode(np.abs(1 - np.abs(1 - code)))
