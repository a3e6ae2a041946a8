"""A design, and a batch of designs by column."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Design = Mapping[str, Any]
"""Parameter name -> an int, a float, a string, or (if structured) a tuple of them."""

Column = NDArray[Any]
"""`n` values of one parameter, shape `(n,)`, or `(n, k)` if it is structured."""

Columns = Mapping[str, Column]
"""`n` designs by column: parameter name -> its values."""


def length(columns: Columns) -> int:
    """How many designs there are."""
    return len(next(iter(columns.values())))


def rows(columns: Columns, which: NDArray[np.int64] | NDArray[np.bool_]) -> dict[str, Column]:
    """Some of the designs."""
    return {name: column[which] for name, column in columns.items()}
