"""Designs of systolic arrays by column, read and checked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import OptionError
from accel_dse.simulators.base import Columns
from accel_dse.simulators.systolic_streams import IS, OS, WS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DATAFLOWS: Mapping[str, int] = {
    "weight_stationary": WS,
    "output_stationary": OS,
    "input_stationary": IS,
    "ws": WS,
    "os": OS,
    "is": IS,
}

OPERANDS = ("ifmap", "filter", "ofmap")

LARGEST_SIDE = 2**16
"""Rows or columns of an array."""

SMALLEST_SRAM_WORDS = 100
"""A buffer is kept in hundredths. Source: SCALE-Sim 3.0.0, `read_buffer_estimate_bw.py`."""

LARGEST_SRAM_WORDS = 2**40

LARGEST_BANDWIDTH = 2**20


@dataclass(frozen=True)
class Arrays:
    """`n` designs.

    Attributes:
        columns: parameter -> `(n,)`, all but the dataflow.
        settings: as `systolic_replay` wants them, `(n, 9)`; 1 where the design is infeasible.
        infeasible: `n` strings, "" where the design works.
    """

    columns: Mapping[str, Floats]
    settings: Ints
    infeasible: tuple[str, ...]

    def parts(self, size: int) -> Iterator["Arrays"]:
        """The designs, `size` at a time; at least one part."""
        for start in range(0, max(1, len(self.infeasible)), size):
            rows = slice(start, start + size)
            yield Arrays(
                {name: column[rows] for name, column in self.columns.items()},
                self.settings[rows],
                self.infeasible[rows],
            )


class _Reasons:
    """Why designs do not work; the first reason of each counts."""

    def __init__(self, n: int) -> None:
        self.texts = [""] * n

    def require(self, name: str, holds: Bools, values: Floats, wanted: str) -> None:
        for i in np.flatnonzero(~holds):
            self.texts[i] = self.texts[i] or f"{name}: got {values[i]:g}, must be {wanted}"


def read_designs(defaults: Mapping[str, Any], designs: Columns) -> Arrays:
    """Reads and checks `n` designs; one if there is no column.

    Args:
        defaults: parameter -> value of those that `designs` do not set; what may be set.
        designs: parameter -> column of shape `(n,)`.

    Raises:
        OptionError: a parameter is unknown or its values have another type.
    """
    n = len(next(iter(designs.values()))) if designs else 1
    for name in designs:
        if name not in defaults:
            raise OptionError(
                f"systolic: no parameter is named {name!r}", hint=f"known: {', '.join(defaults)}"
            )
    given = {name: designs.get(name, np.full(n, value)) for name, value in defaults.items()}
    dataflow = _dataflows(np.asarray(given.pop("dataflow")))
    columns = {name: _numbers(name, column, n) for name, column in given.items()}
    reasons = _Reasons(n)
    for name in ("array_rows", "array_columns"):
        values = columns[name]
        wanted = f"a whole number from 1 to {LARGEST_SIDE}"
        reasons.require(name, _whole(values, LARGEST_SIDE), values, wanted)
    for name in ("word_bytes", "clock_ghz"):
        values = columns[name]
        reasons.require(name, np.isfinite(values) & (values > 0), values, "finite and positive")
    # In the order that `systolic_replay` names DATAFLOW, ROWS, COLUMNS, SIZES, BANDWIDTHS.
    numbers = [dataflow, columns["array_rows"], columns["array_columns"]]
    numbers += _words(columns, reasons) + _bandwidths(columns, reasons)
    works = np.array([not reason for reason in reasons.texts], dtype=bool)
    settings = np.where(works[:, None], np.stack(numbers, axis=1), 1).astype(np.int64)
    return Arrays(columns, settings, tuple(reasons.texts))


def _words(columns: Mapping[str, Floats], reasons: _Reasons) -> list[Floats]:
    """Words of each operand's SRAM."""
    sizes = []
    for operand in OPERANDS:
        name = f"{operand}_sram_kib"
        with np.errstate(all="ignore"):
            words = np.floor(columns[name] * 1024 / columns["word_bytes"])
        fits = (words >= SMALLEST_SRAM_WORDS) & (words <= LARGEST_SRAM_WORDS)
        wanted = f"for {SMALLEST_SRAM_WORDS} to {LARGEST_SRAM_WORDS:.3g} words"
        reasons.require(name, fits, columns[name], wanted)
        sizes.append(words)
    return sizes


def _bandwidths(columns: Mapping[str, Floats], reasons: _Reasons) -> list[Floats]:
    """Words per cycle of each operand's interface; 0 if unlimited."""
    shared, found = columns["bandwidth_words_per_cycle"], []
    for operand in OPERANDS:
        own = columns[f"{operand}_words_per_cycle"]
        values = np.where(own == 0, shared, own)
        works = _whole(values, LARGEST_BANDWIDTH) | np.isposinf(values)
        name = "bandwidth_words_per_cycle" if (own == 0).all() else f"{operand}_words_per_cycle"
        wanted = f"a whole number from 1 to {LARGEST_BANDWIDTH}, or inf"
        reasons.require(name, works, values, wanted)
        found.append(values)
    unlimited = np.isinf(found)
    same = (unlimited == unlimited[0]).all(axis=0)
    reasons.require("bandwidth_words_per_cycle", same, shared, "inf for all operands or for none")
    return [np.where(np.isinf(values), 0.0, values) for values in found]


def _whole(values: Floats, largest: int) -> Bools:
    return np.asarray((values >= 1) & (values <= largest) & (values == np.floor(values)))


def _numbers(name: str, column: Any, n: int) -> Floats:
    values = np.asarray(column)
    if values.shape != (n,):
        raise OptionError(f"systolic: {name}: has shape {values.shape}, expected {(n,)}")
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"systolic: {name}: expected numbers, got {str(values[0])!r}") from error


def _dataflows(column: NDArray[Any]) -> Floats:
    names, places = np.unique(column.astype(str), return_inverse=True)
    for name in names:
        if name not in DATAFLOWS:
            raise OptionError(
                f"systolic: dataflow: got {str(name)!r}", hint=f"known: {', '.join(DATAFLOWS)}"
            )
    return np.array([DATAFLOWS[name] for name in names], dtype=np.float64)[places.ravel()]
