"""What every parameter is: one thing that a designer chooses."""

import keyword
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column
from accel_dse.errors import DesignError
from accel_dse.formula import FUNCTIONS, shown

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]
Scale = Literal["linear", "log"]

ANEW = 0.25
"""Share of mutations that draw a value anew."""

MOST_CHOICES = 1_000_000
"""Values of one ordinal, integer or categorical parameter; they are held in memory."""

EXACT = 2**53
"""Whole numbers beyond this are not exact in 64-bit floating point."""


@dataclass(frozen=True)
class Parameter(ABC):
    """One thing that a designer chooses. All operations take a batch of `n` values.

    Attributes:
        name: an identifier, so that expressions can use it.
        unit: of its values, for people.
        description: what it is, for people.

    Raises:
        DesignError: on construction, if it makes no sense; the message begins with the name.
    """

    name: str
    unit: str = field(default="", kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        reserved = keyword.iskeyword(self.name) or self.name in FUNCTIONS
        if not self.name.isidentifier() or not self.name.isascii() or reserved:
            raise DesignError(
                f"{self.name!r} cannot be the name of a parameter",
                hint="use letters, digits and _, and no word that expressions use; as in pes_x",
            )

    @property
    @abstractmethod
    def count(self) -> int | float:
        """How many values it can have; infinite for a real."""

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers `encode` makes of one value."""

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each number that `encode` makes."""
        if self.width == 1:
            return (self.name,)
        return tuple(f"{self.name}[{i}]" for i in range(self.width))

    @property
    @abstractmethod
    def fields(self) -> tuple[int, ...]:
        """Sizes of its one-hot fields; DesignError if its choices cannot be counted (a real)."""

    @property
    def lines(self) -> tuple[tuple[float, ...], ...]:
        """For each field, where its choices lie on a line, from -1 to 1; `()` without an order."""
        return ((),) * len(self.fields)

    @property
    def distance_weight(self) -> float:
        """Brings the summed absolute differences of two encoded values to at most 1."""
        return 1.0

    @property
    def weights(self) -> Floats | None:
        """How often each choice is drawn, shape `(count,)`; None if all equally often."""
        return None

    @abstractmethod
    def content(self) -> Mapping[str, Any]:
        """What its values are, as plain data: parameters with equal content have equal values."""

    @abstractmethod
    def summary(self) -> str:
        """Its values, in a few words."""

    @abstractmethod
    def canonical(self, value: Any) -> Any:
        """`value` as designs hold it: an int, a float, a string or a tuple.

        Raises:
            DesignError: it is not a value of this parameter.
        """

    @abstractmethod
    def column(self, values: Sequence[Any]) -> Column:
        """Canonical values as an array; DesignError if they have the wrong type or length."""

    def plain(self, column: Column) -> list[Any]:
        """The inverse of `column`: values as designs hold them."""
        return list(column.tolist())

    def draw(self, n: int, rng: np.random.Generator) -> Column:
        """`n` independent random values."""
        return self.choice(self.draw_index(n, rng))

    def draw_index(self, n: int, rng: np.random.Generator) -> Indices:
        """`draw`, by the place among all choices, which must be countable."""
        if self.weights is None:
            return rng.integers(int(self.count), size=n)
        return weighted(np.cumsum(self.weights), n, rng)

    @abstractmethod
    def index(self, column: Column) -> Indices:
        """The place of each value among all choices, shape `(n,)`.

        Raises:
            DesignError: a value is not one of its choices, or they cannot be counted.
        """

    @abstractmethod
    def choice(self, index: Indices) -> Column:
        """The inverse of `index`."""

    @abstractmethod
    def field_choices(self, column: Column) -> Indices:
        """Which choice each one-hot field takes, shape `(n, len(fields))`."""

    @abstractmethod
    def encode(self, column: Column) -> Floats:
        """Numbers from 0 to 1 that put like values close together, shape `(n, width)`."""

    @abstractmethod
    def decode(self, codes: Floats) -> Column:
        """The values nearest to `codes`, shape `(n, width)`; undoes `encode`."""

    @abstractmethod
    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        """All values one exchange away from each of `n` values.

        Returns:
            `m` values, each different from the one it is a neighbor of, and the row of `column`
            that one is in, ascending, shape `(m,)`.
        """

    @abstractmethod
    def step(self, column: Column, rng: np.random.Generator) -> Column:
        """A random like value for each; a different one wherever there is one."""

    def mutate(self, column: Column, rng: np.random.Generator) -> Column:
        """Each value made a like one, or (a share `ANEW`) drawn anew; different if there is any."""
        anew = rng.random(len(column)) < ANEW
        near, far = self.step(column, rng), self.draw(len(column), rng)
        structured = column.ndim > 1
        anew &= (far != column).any(axis=1) if structured else far != column
        return np.where(anew[:, None] if structured else anew, far, near)

    def cross(self, a: Column, b: Column, rng: np.random.Generator) -> Column:
        """A child of each pair of values: one parent's, unless values have parts to mix."""
        return np.where(rng.random(len(a)) < 0.5, a, b)

    def stranger(self, column: Column, wrong: NDArray[np.bool_]) -> DesignError:
        """The error about the first value of `column` that is `wrong`."""
        row = int(np.flatnonzero(wrong)[0])
        value = self.plain(column[row : row + 1])[0]
        return DesignError(
            f"design {row}: {self.name}: {shown(value)} is not one of {self.summary()}"
        )


def require(name: str, condition: bool, message: str, hint: str = "") -> None:
    """Raises DesignError about parameter `name` unless `condition` holds."""
    if not condition:
        raise DesignError(f"{name}: {message}", hint=hint)


def require_scale(name: str, scale: str, low: float) -> None:
    """Raises DesignError unless values from `low` on fit `scale`."""
    require(name, scale in ("linear", "log"), f"scale must be linear or log, got {scale!r}")
    require(name, scale == "linear" or low > 0, f"a log scale needs values above 0, got {low}")


def require_distinct(name: str, values: Sequence[Any]) -> None:
    """Raises DesignError unless there are some `values`, not too many, and none twice."""
    require(name, len(values) > 0, "there are no values", "list at least one")
    require(
        name,
        len(values) <= MOST_CHOICES,
        f"{len(values):,} values, at most {MOST_CHOICES:,} are allowed",
    )
    seen: set[Any] = set()
    for value in values:
        require(name, value not in seen, f"values must be distinct, got {shown(value)} twice")
        seen.add(value)


def plain_number(value: Any) -> int | float | None:
    """`value` as a finite Python number; None if it is not one (a boolean is not)."""
    value = value.item() if isinstance(value, np.generic) else value
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    return None


def number_column(values: Sequence[Any], dtype: np.dtype[Any], name: str) -> Column:
    """`values` as an array of `dtype`; DesignError if that would change one."""
    column = np.array(values) if len(values) else np.empty(0, dtype)
    exact = column.dtype.kind in "if" and column.ndim == 1
    if not exact or (column.dtype.kind == "f" and dtype.kind == "i" and (column % 1 != 0).any()):
        raise DesignError(f"{name}: some values are not {'whole ' * (dtype.kind == 'i')}numbers")
    return column.astype(dtype)


def weighted(heap: Floats, n: int, rng: np.random.Generator) -> Indices:
    """`n` random places, drawn by weights whose running sum is `heap`."""
    places = np.searchsorted(heap, rng.random(n) * heap[-1], side="right")
    return np.asarray(np.minimum(places, len(heap) - 1))


def scaled(values: Floats, low: float, high: float, scale: Scale) -> Floats:
    """Where `values` are between `low` and `high`, from 0 to 1, all of shape `(n,)`."""
    if low == high:
        return np.zeros(len(values))
    if scale == "log":
        values, low, high = np.log2(values), math.log2(low), math.log2(high)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1))


def along(values: Floats) -> tuple[float, ...]:
    """Ascending `values` on a line from -1 to 1: by ratio if all are above 0, else by amount."""
    scale: Scale = "log" if len(values) and values[0] > 0 else "linear"
    return tuple((2 * scaled(values, values[0], values[-1], scale) - 1).tolist())


def listed(values: Sequence[Any], most: int = 12) -> str:
    """The first of `values` and the last, as text."""
    shown = [str(value) for value in values[:most]]
    if len(values) > most:
        shown = [*shown[: most // 2], "...", str(values[-1])]
    return ", ".join(shown)
