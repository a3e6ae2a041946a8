"""What a design is made of: the kinds of parameters, all of whose operations take a batch."""

# ruff: noqa: D102 (a method that overrides means what its interface says)

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import DesignError

Column = NDArray[Any]
"""`n` values of one parameter, shape `(n,)`, or `(n, k)` if it is structured."""

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]
Scale = Literal["linear", "log"]

MOST_CHOICES = 1_000_000
"""Values of one ordinal, integer or categorical parameter; they are held in memory."""

MOST_EXCHANGES = 64
"""A parameter with more choices offers only steps of 1, 2, 4, ... choices as neighbors."""

EXACT = 2**53
"""Whole numbers beyond this are not exact in 64-bit floating point."""


@dataclass(frozen=True)
class Parameter(ABC):
    """One thing that a designer chooses.

    Attributes:
        name: an identifier, so that expressions can use it.
        unit: of its values, for people.
        description: what it is, for people.
    """

    name: str
    unit: str = field(default="", kw_only=True)
    description: str = field(default="", kw_only=True)

    def _require(self, condition: bool, message: str, hint: str = "") -> None:
        """Refuses a parameter that makes no sense."""
        if not self.name.isidentifier():
            raise DesignError(
                f"{self.name!r}: a parameter's name must be letters, digits and _",
                hint="for example pes_x",
            )
        if not condition:
            raise DesignError(f"{self.name}: {message}", hint=hint)

    @property
    @abstractmethod
    def count(self) -> int | float:
        """How many values it can have; infinite for a real."""

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers `encode` makes of one value."""

    @property
    @abstractmethod
    def fields(self) -> tuple[int, ...]:
        """Sizes of its one-hot fields.

        Raises:
            DesignError: it has none (a real).
        """

    @property
    def distance_weight(self) -> float:
        """What makes the absolute differences of two encoded values sum to at most 1."""
        return 1.0

    @property
    def weights(self) -> Floats | None:
        """How often each choice is drawn, shape `(count,)`; None if all equally often."""
        return None

    @abstractmethod
    def content(self) -> Mapping[str, Any]:
        """What its values are, as plain data: two parameters with equal content are the same."""

    @abstractmethod
    def summary(self) -> str:
        """Its values, in a few words."""

    @abstractmethod
    def canonical(self, value: Any) -> Any:
        """`value` as designs hold it: an int, a float, a string or a tuple.

        Raises:
            DesignError: it is not a value of this parameter; the message lacks the name.
        """

    @abstractmethod
    def column(self, values: Sequence[Any]) -> Column:
        """Canonical values as an array."""

    def plain(self, column: Column) -> list[Any]:
        """The values of a column as designs hold them."""
        return list(column.tolist())

    def draw(self, n: int, rng: np.random.Generator) -> Column:
        """`n` random values."""
        if self.weights is None:
            return self.choice(rng.integers(int(self.count), size=n))
        heap = np.cumsum(self.weights)
        picked = np.searchsorted(heap, rng.random(n) * heap[-1], side="right")
        return self.choice(np.minimum(picked, len(heap) - 1))

    @abstractmethod
    def index(self, column: Column) -> Indices:
        """The place of each value among all choices, shape `(n,)`.

        Raises:
            DesignError: a value is not one of its choices, or they cannot be counted (a real).
        """

    @abstractmethod
    def choice(self, index: Indices) -> Column:
        """The inverse of `index`."""

    @abstractmethod
    def field_choices(self, column: Column) -> Indices:
        """Which choice of each one-hot field is taken, shape `(n, len(fields))`."""

    @abstractmethod
    def encode(self, column: Column) -> Floats:
        """Numbers in [0, 1] that put similar values close together, shape `(n, width)`."""

    @abstractmethod
    def decode(self, codes: Floats) -> Column:
        """The values nearest to `codes`, shape `(n, width)`; undoes `encode`."""

    @abstractmethod
    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        """All values one exchange away from each of `n` values.

        Returns:
            `m` values, and for each the row of `column` it belongs to, ascending, shape `(m,)`.
        """

    @abstractmethod
    def step(self, column: Column, rng: np.random.Generator) -> Column:
        """A random nearby value for each; another one wherever there is one."""

    def mutate(self, column: Column, rng: np.random.Generator) -> Column:
        """Each value stepped to a nearby one, or (one in four) drawn anew."""
        anew = rng.random(len(column)) < 0.25
        near, far = self.step(column, rng), self.draw(len(column), rng)
        return np.where(anew[:, None] if column.ndim > 1 else anew, far, near)

    def cross(self, a: Column, b: Column, rng: np.random.Generator) -> Column:
        """A child of each pair of values: one parent's, unless values have parts to mix."""
        return np.where(rng.random(len(a)) < 0.5, a, b)


class Grid(Parameter):
    """A parameter whose choices are numbers in a row; abstract."""

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

    @cached_property
    def codes(self) -> Floats:
        """The encoding of each choice, ascending, shape `(count,)`."""
        return _scaled(self.grid.astype(np.float64), self.grid[0], self.grid[-1], self.scale)

    @cached_property
    def _borders(self) -> Floats:
        return (self.codes[1:] + self.codes[:-1]) / 2

    def summary(self) -> str:
        shown = [str(value) for value in self.grid[:12].tolist()]
        if self.count > 12:
            shown = [*shown[:5], "...", str(self.grid[-1].item())]
        return f"{', '.join(shown)}{' (log)' if self.scale == 'log' else ''}"

    def canonical(self, value: Any) -> Any:
        number = plain_number(value)
        if number is not None:
            at = int(np.searchsorted(self.grid, number))
            if at < self.count and self.grid[at] == number:
                return self.grid[at].item()
            near = self.grid[max(at - 1, 0) : at + 1].tolist()
            hint = f"nearest: {' or '.join(str(v) for v in near)}"
        else:
            hint = f"write a number such as {self.grid[0].item()}"
        raise DesignError(f"{value!r} is not one of {self.summary()}", hint=hint)

    def column(self, values: Sequence[Any]) -> Column:
        return number_column(values, self.grid.dtype, self.name)

    def index(self, column: Column) -> Indices:
        at = np.searchsorted(self.grid, column)
        at[at == self.count] = 0
        wrong = self.grid[at] != column
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DesignError(
                f"design {row}: {self.name}: {column[row].item()!r} is not one of {self.summary()}"
            )
        return at

    def choice(self, index: Indices) -> Column:
        return self.grid[index]

    def field_choices(self, column: Column) -> Indices:
        return self.index(column)[:, None]

    def encode(self, column: Column) -> Floats:
        return self.codes[self.index(column)][:, None]

    def decode(self, codes: Floats) -> Column:
        return self.grid[np.searchsorted(self._borders, codes[:, 0])]

    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        index = self.index(column)
        if self.count <= MOST_EXCHANGES:
            other = (index[:, None] + np.arange(1, self.count)) % self.count
        else:
            hops = 2 ** np.arange(int(np.log2(self.count - 1)) + 1)
            other = index[:, None] + np.concatenate([-hops[::-1], hops])
        origin, place = np.nonzero((other >= 0) & (other < self.count))
        return self.choice(other[origin, place]), origin

    def step(self, column: Column, rng: np.random.Generator) -> Column:
        return self.choice(stepped(self.index(column), self.count, rng))


@dataclass(frozen=True)
class Ordinal(Grid):
    """One of a few increasing numbers, each drawn equally often.

    Attributes:
        values: distinct and increasing; all whole, or else all become floats.
        scale: whether neighboring values differ by an amount or by a ratio.
    """

    values: tuple[int | float, ...]
    scale: Scale = "linear"

    def __post_init__(self) -> None:
        values = self.values
        self._require(0 < len(values) <= MOST_CHOICES, f"got {len(values)} values", "list some")
        for value in values:
            self._require(
                plain_number(value) is not None and abs(value) <= EXACT,
                f"values must be numbers of at most 2^53, got {value!r}",
                "use categorical for names",
            )
        repeated = sorted({value for value in values if values.count(value) > 1})[:3]
        self._require(not repeated, f"values must be distinct, got {_listed(repeated)} twice")
        self._require(
            list(values) == sorted(values),
            f"values must increase, got {_listed(values)}",
            "use categorical if they have no order",
        )
        _require_scale(self, self.scale, values[0])
        kind = int if all(isinstance(value, int) for value in values) else float
        object.__setattr__(self, "values", tuple(kind(value) for value in values))

    @cached_property
    def grid(self) -> Column:
        return np.array(self.values)

    def content(self) -> Mapping[str, Any]:
        return {"ordinal": list(self.values), "scale": self.scale}


@dataclass(frozen=True)
class Integer(Grid):
    """A whole number from `low` to `high`, both included, in steps.

    On a log scale small numbers are drawn more often: each octave equally often.

    Attributes:
        low, high: the bounds; `high` is a whole number of steps from `low`.
        step_size: between neighboring values.
        scale: whether neighboring values differ by an amount or by a ratio.
    """

    low: int
    high: int
    step_size: int = 1
    scale: Scale = "linear"

    def __post_init__(self) -> None:
        for bound in (self.low, self.high, self.step_size):
            self._require(
                type(bound) is int and abs(bound) <= EXACT,
                f"bounds and step must be whole numbers of at most 2^53, got {bound!r}",
            )
        self._require(self.step_size >= 1, f"step must be at least 1, got {self.step_size}")
        self._require(
            self.low <= self.high, f"bounds must be [low, high], got [{self.low}, {self.high}]"
        )
        reach, left = divmod(self.high - self.low, self.step_size)
        self._require(
            left == 0,
            f"steps of {self.step_size} from {self.low} do not reach {self.high}",
            f"end at {self.high - left} or {self.high - left + self.step_size}",
        )
        self._require(
            reach < MOST_CHOICES,
            f"{reach + 1:,} values, at most {MOST_CHOICES:,} are allowed",
            "use a larger step, or a real",
        )
        _require_scale(self, self.scale, self.low)

    @cached_property
    def grid(self) -> Column:
        return np.arange(self.low, self.high + 1, self.step_size, dtype=np.int64)

    @cached_property
    def _octaves(self) -> Floats:
        """How many octaves each value stands for: those between it and its neighbors, halved."""
        logs = np.log2(self.grid)
        return np.gradient(logs) if self.count > 1 else np.ones(1)

    @property
    def weights(self) -> Floats | None:
        return self._octaves if self.scale == "log" else None

    def summary(self) -> str:
        steps = f" in steps of {self.step_size}" if self.step_size > 1 else ""
        return f"{self.low} to {self.high}{steps}{' (log)' if self.scale == 'log' else ''}"

    def content(self) -> Mapping[str, Any]:
        return {"integer": [self.low, self.high, self.step_size], "scale": self.scale}


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
        for bound in (self.low, self.high):
            self._require(plain_number(bound) is not None, f"bounds must be finite, got {bound!r}")
        self._require(
            self.low < self.high, f"low must be below high, got [{self.low}, {self.high}]"
        )
        _require_scale(self, self.scale, self.low)
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
        return f"{self.low:g} to {self.high:g}{' (log)' if self.scale == 'log' else ''}"

    def canonical(self, value: Any) -> float:
        number = plain_number(value)
        if number is None or not self.low <= number <= self.high:
            raise DesignError(
                f"{value!r} is not a number from {self.low:g} to {self.high:g}",
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
            row = int(np.flatnonzero(wrong)[0])
            raise DesignError(
                f"design {row}: {self.name}: {column[row].item()!r} is not from {self.summary()}"
            )
        return _scaled(column, self.low, self.high, self.scale)[:, None]

    def decode(self, codes: Floats) -> Column:
        code = np.clip(codes[:, 0], 0, 1)
        if self.scale == "log":
            low, high = np.log2(self.low), np.log2(self.high)
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


@dataclass(frozen=True)
class Categorical(Parameter):
    """One of a few names without order (or of a few whole numbers that stand for options).

    Encoded one-hot, so that all choices are equally far apart.

    Attributes:
        values: distinct strings, or distinct whole numbers.
    """

    values: tuple[str | int, ...]

    def __post_init__(self) -> None:
        values = self.values
        self._require(0 < len(values) <= MOST_CHOICES, f"got {len(values)} values", "list some")
        self._require(
            all(type(value) is str for value in values)
            or all(type(value) is int and abs(value) <= EXACT for value in values),
            f"values must be all strings or all whole numbers, got {_listed(values)}",
            "quote them",
        )
        repeated = sorted({str(value) for value in values if values.count(value) > 1})[:3]
        self._require(not repeated, f"values must be distinct, got {_listed(repeated)} twice")

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def width(self) -> int:
        return self.count

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
        return _listed(self.values)

    def canonical(self, value: Any) -> Any:
        value = value.item() if isinstance(value, np.generic) else value
        if type(value) in (str, int) and value in self.values:
            return value
        raise DesignError(
            f"{value!r} is not one of {self.summary()}", hint=f"write {self.values[0]!r}"
        )

    def column(self, values: Sequence[Any]) -> Column:
        column = np.array(values, dtype=None if len(values) else self._choices.dtype)
        if column.shape != (len(values),) or column.dtype.kind != self._choices.dtype.kind:
            raise DesignError(f"{self.name}: some values are not among {self.summary()}")
        return column

    def index(self, column: Column) -> Indices:
        at = np.searchsorted(self._choices, column, sorter=self._order)
        found = self._order[np.minimum(at, self.count - 1)]
        wrong = self._choices[found] != column
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DesignError(
                f"design {row}: {self.name}: {column[row].item()!r} is not one of {self.summary()}"
            )
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


def plain_number(value: Any) -> int | float | None:
    """`value` as a finite Python number; None if it is not one (a boolean is not)."""
    value = value.item() if isinstance(value, np.generic) else value
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    return None


def number_column(values: Sequence[Any], dtype: np.dtype[Any], name: str) -> Column:
    """`values` as an array of `dtype`; raises DesignError if that would change one."""
    column = np.array(values) if len(values) else np.empty(0, dtype)
    exact = column.dtype.kind in "if" and column.ndim == 1
    if not exact or (column.dtype.kind == "f" and dtype.kind == "i" and (column % 1 != 0).any()):
        raise DesignError(f"{name}: some values are not {'whole ' * (dtype.kind == 'i')}numbers")
    return column.astype(dtype)


def stepped(index: Indices, count: int, rng: np.random.Generator) -> Indices:
    """Places a few steps up or down a row of `count`, most often one; never the same place.

    In a long row a step is longer, so that it does not take forever to cross.
    """
    hop = rng.geometric(0.5, size=len(index)) * rng.integers(1, 2 + count // 32, size=len(index))
    hop = np.minimum(hop, max(count // 2, 1)) * rng.choice([-1, 1], size=len(index))
    inside = (index + hop >= 0) & (index + hop < count)
    return np.asarray(np.clip(np.where(inside, index + hop, index - hop), 0, count - 1))


def _scaled(values: Floats, low: Any, high: Any, scale: Scale) -> Floats:
    """Where `values` are between `low` and `high`, from 0 to 1."""
    if low == high:
        return np.zeros(len(values))
    if scale == "log":
        values, low, high = np.log2(values), np.log2(low), np.log2(high)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1))


def _require_scale(parameter: Parameter, scale: str, low: float) -> None:
    parameter._require(scale in ("linear", "log"), f"scale must be linear or log, got {scale!r}")
    parameter._require(scale == "linear" or low > 0, f"a log scale needs values above 0, got {low}")


def _listed(values: Sequence[Any]) -> str:
    shown = [str(value) for value in values[:8]]
    return ", ".join(shown + ["..."] * (len(values) > 8))
