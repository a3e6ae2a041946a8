"""A parameter that is one of a few names."""

# ruff: noqa: D102 (a method that overrides means what its interface says)

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
    Floats,
    Indices,
    Parameter,
    listed,
    require,
    require_distinct,
)

MOST_NAMES = 10_000
"""Choices of one categorical parameter; its encoding has as many numbers."""


@dataclass(frozen=True)
class Categorical(Parameter):
    """One of a few names without order (or of a few whole numbers that stand for options).

    Encoded one-hot, so that all choices are equally far apart.

    Attributes:
        values: distinct strings, or distinct whole numbers.
    """

    values: tuple[str | int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        values = tuple(self.values)
        require(
            self.name,
            all(type(value) is str for value in values)
            or all(type(value) is int and abs(value) <= EXACT for value in values),
            f"choices must be all strings or all whole numbers, got {shown(list(values))}",
            "quote them",
        )
        require_distinct(self.name, values)
        require(
            self.name,
            len(values) <= MOST_NAMES,
            f"{len(values):,} choices, at most {MOST_NAMES:,} are allowed",
        )
        object.__setattr__(self, "values", values)

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def width(self) -> int:
        return self.count

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"{self.name}[{value}]" for value in self.values)

    @property
    def fields(self) -> tuple[int, ...]:
        return (self.count,)

    @property
    def distance_weight(self) -> float:
        return 0.5

    @cached_property
    def _choices(self) -> Column:
        return np.array(self.values)

    @cached_property
    def _order(self) -> Indices:
        return np.argsort(self._choices)

    def content(self) -> Mapping[str, Any]:
        return {"categorical": list(self.values)}

    def summary(self) -> str:
        return listed(self.values)

    def canonical(self, value: Any) -> Any:
        value = value.item() if isinstance(value, np.generic) else value
        if type(value) in (str, int) and value in self.values:
            return value
        raise DesignError(
            f"{shown(value)} is not one of {self.summary()}", hint=f"write {self.values[0]!r}"
        )

    def column(self, values: Sequence[Any]) -> Column:
        column = np.array(values, dtype=None if len(values) else self._choices.dtype)
        if column.shape != (len(values),) or column.dtype.kind != self._choices.dtype.kind:
            raise DesignError(f"{self.name}: some values are not among {self.summary()}")
        # wide enough for every choice: NumPy cuts a longer string off when it is assigned
        return column.astype(np.result_type(column, self._choices))

    def index(self, column: Column) -> Indices:
        at = np.searchsorted(self._choices, column, sorter=self._order)
        found = self._order[np.minimum(at, self.count - 1)]
        wrong = self._choices[found] != column
        if wrong.any():
            raise self.stranger(column, wrong)
        return found

    def choice(self, index: Indices) -> Column:
        return self._choices[index]

    def field_choices(self, column: Column) -> Indices:
        return self.index(column)[:, None]

    def encode(self, column: Column) -> Floats:
        return np.asarray(self.index(column)[:, None] == np.arange(self.count), dtype=np.float64)

    def decode(self, codes: Floats) -> Column:
        return np.asarray(self._choices[codes.argmax(axis=1)])

    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        other = (self.index(column)[:, None] + np.arange(1, self.count)) % self.count
        return self.choice(other.ravel()), np.repeat(np.arange(len(column)), self.count - 1)

    def step(self, column: Column, rng: np.random.Generator) -> Column:
        hop = rng.integers(1, max(self.count, 2), size=len(column))
        return self.choice((self.index(column) + hop) % self.count)
