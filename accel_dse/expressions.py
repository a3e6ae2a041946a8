"""Arithmetic over named columns, read from text and evaluated safely."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accel_dse.errors import DesignError
from accel_dse.formula import Array, Compiler, Formula, Rows, shown, suggestion

MAX_LENGTH = 80_000
"""Characters of one expression; the longest feature of a generated mapping space takes half."""


@dataclass(frozen=True)
class Expression:
    """A formula over named columns, such as `pes_x * pes_y <= 256`.

    Python's spelling and precedence: `+ - * / // % **`, comparisons (also chained), `and or not`,
    `a if c else b`, `in`, and the functions of `FUNCTIONS`. A structured column is indexed or
    sliced with constants (`tiling[0]`, `prod(tiling[1:])`); text is compared with `==`, `!=` and
    `in`.

    Numbers are computed in 64-bit floating point: whole numbers are exact up to 2^53, and nothing
    wraps around. As in Python, a part of `and`, `or` or `if` that is not reached may be undefined.

    Attributes:
        text: the formula, on one line.
        names: the columns that it reads, in order of first use.
        compared: pairs (column, text that it is compared with).

    Raises:
        DesignError: on construction, if the text is not such a formula.
    """

    text: str
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    compared: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _formula: Formula = field(init=False, repr=False, compare=False)
    _places: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise DesignError(f"expected an expression such as 'a * b <= 256', got {self.text!r}")
        object.__setattr__(self, "text", " ".join(self.text.split()))
        compiler = Compiler(self.text)
        object.__setattr__(self, "_formula", compiler.term(_parse(self.text)))
        object.__setattr__(self, "_places", compiler.names)
        object.__setattr__(self, "names", tuple(compiler.names))
        object.__setattr__(self, "compared", tuple(compiler.compared))

    def __reduce__(self) -> tuple[type["Expression"], tuple[str]]:
        return (Expression, (self.text,))

    def __str__(self) -> str:
        return self.text

    def check_names(self, known: Iterable[str]) -> None:
        """Raises DesignError if it reads a column that is not `known`."""
        known = known if isinstance(known, Mapping | set) else set(known)
        for name in self.names:
            if name not in known:
                raise DesignError(
                    f"{shown(self.text)}, column {self._places[name]}: nothing is named {name!r}",
                    hint=suggestion(name, known),
                )

    def evaluate(self, columns: Mapping[str, Any]) -> Array:
        """The value in each of `n` rows.

        Args:
            columns: name -> array of shape `(n,)`, or `(n, k)` if structured, or a scalar.

        Returns:
            Shape `(n,)`: bool for a comparison or logic, else float64. `n` is 1 if all columns
            are scalars.

        Raises:
            DesignError: a name is unknown, text stands where a number is needed, or a row has no
                finite value (division by zero, overflow).
        """
        values, undefined = self.evaluate_where_defined(columns)
        if undefined.any():
            raise self.undefined_in(columns, int(np.flatnonzero(undefined)[0]))
        return values

    def evaluate_where_defined(self, columns: Mapping[str, Any]) -> tuple[Array, Array]:
        """As `evaluate`, but rows without a finite value are marked instead of refused.

        Returns:
            The values and where they are undefined, both of shape `(n,)`. A value that is
            undefined means nothing.
        """
        self.check_names(columns)
        read = [columns[name] for name in self.names] or list(columns.values())
        lengths = {len(column) for column in read if np.ndim(column) > 0}
        if len(lengths) > 1:
            raise ValueError(f"columns differ in length: {sorted(lengths)}")
        n = lengths.pop() if lengths else 1
        with np.errstate(all="ignore"):
            values, undefined = self._formula(Rows(columns))
        if values.dtype.kind == "U":
            raise DesignError(f"{shown(self.text)}: is text, expected a number or a comparison")
        return np.broadcast_to(values, (n,)).copy(), np.broadcast_to(undefined, (n,))

    def undefined_in(self, columns: Mapping[str, Any], row: int) -> DesignError:
        """The error that says why there is no value in `row` of `columns`."""
        here = {name: np.asarray(columns[name]) for name in self.names}
        here = {name: c[row : row + 1] if c.ndim else c for name, c in here.items()}
        rows = Rows(here)
        with np.errstate(all="ignore"):
            self._formula(rows)
        culprit = next((text for text, _ in rows.failures), self.text)
        what = "" if culprit == self.text else f"{culprit!r} has "
        given = [f"{name}={(c[0] if c.ndim else c).tolist()}" for name, c in here.items()]
        return DesignError(
            f"{shown(self.text)}: {what}no finite value for {', '.join(given) or 'any design'}",
            hint="guard it, as in 'b == 0 or a / b <= 2' or 'a / b if b > 0 else 0'",
        )


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise DesignError(
            f"{shown(text)}: {len(text):,} characters, at most {MAX_LENGTH:,} are allowed"
        )
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise DesignError(
            f"{shown(text)}, column {error.offset or len(text) + 1}: cannot read this expression: "
            f"{error.msg}"
        ) from None
    except (ValueError, MemoryError, RecursionError):
        raise DesignError(f"{shown(text)}: cannot read this expression") from None
