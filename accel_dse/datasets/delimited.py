"""Any table of comma-separated values, with a word for what each column is."""

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from accel_dse.dataset import Dataset, texts
from accel_dse.datasets.complaints import Complaints
from accel_dse.designs import Design
from accel_dse.errors import DesignError, FileError, OptionError
from accel_dse.space import DesignSpace
from accel_dse.workload import Workload

WORKS = ("", "0", "0.0", "false", "no", "none", "nan")
"""What a column of reasons says of a design that works."""

NO_REASON = "infeasible (the table gives no reason)"


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, gzipped or not.

    Raises:
        FileError: it cannot be read, or has no header or no row.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), restval="", strict=True))
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such file") from None
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise FileError(f"{path}: cannot be read as CSV: {error}") from error
    if not rows:
        raise FileError(f"{path}: has no row below its header")
    return rows


def read(
    path: Path,
    space: DesignSpace,
    *,
    metrics: Mapping[str, str],
    columns: Mapping[str, str],
    application: str,
    application_column: str | None,
    infeasible_column: str | None,
    workloads: Mapping[str, Workload],
) -> tuple[Dataset, Complaints]:
    """A table as designs of `space`.

    Args:
        path: a CSV file.
        space: of the designs.
        metrics: our name -> the table's column.
        columns: parameter -> the table's column; those left out have the parameter's name.
        application: what ran, if no column says so.
        application_column: says what ran.
        infeasible_column: says why a design cannot work; see `WORKS`. Without one, all work.
        workloads: name -> layers, as far as they are known.

    Returns:
        The rows that make sense, and what is wrong with the others.

    Raises:
        FileError: the file cannot be read, lacks a column, or no row in it makes sense.
        OptionError: `columns` names a parameter that the space does not have.
    """
    if not metrics:
        raise OptionError("no metric is named", hint="--metric latency_ms=COLUMN")
    for name in columns:
        if name not in space.names:
            raise OptionError(
                f"--column: the space has no parameter {name!r}", hint=", ".join(space.names)
            )
    rows = rows_of(path)
    places = {name: columns.get(name, name) for name in space.names}
    wanted = [*places.values(), *metrics.values(), application_column, infeasible_column]
    for column in wanted:
        if column is not None and column not in rows[0]:
            raise FileError(f"{path}: has no column {column!r}", hint=", ".join(rows[0]))
    complaints = Complaints()
    designs: list[Design] = []
    values: list[list[float]] = []
    reasons, applications = [], []
    for number, row in enumerate(rows, 2):
        try:
            design = space.canonical({n: typed(row[c]) for n, c in places.items()})
            space.check(design)
            reason = "" if infeasible_column is None else _reason(row[infeasible_column])
            measured = [
                np.nan if reason else measurement(row[column], column)
                for column in metrics.values()
            ]
        except (DesignError, ValueError) as error:
            complaints.add(f"line {number}: {error}")
            continue
        designs.append(design)
        reasons.append(reason)
        values.append(measured)
        applications.append(row[application_column] if application_column else application)
    if not designs:
        raise FileError(f"{path}: no row makes sense: {complaints.examples[0]}")
    table = np.array(values, dtype=np.float64)
    known = {name: workloads[name] for name in dict.fromkeys(applications) if name in workloads}
    origin = {"converted_from": "csv", "file": path.name, "corrupt_records": complaints.count}
    dataset = Dataset(
        space,
        space.columns(designs),
        {name: table[:, i] for i, name in enumerate(metrics)},
        texts(reasons),
        texts(applications),
        known,
        origin,
    )
    return dataset, complaints


def typed(text: str) -> Any:
    """The number that `text` is, else `text`."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def measurement(text: str, column: str) -> float:
    """The finite number that `text` is.

    Raises:
        ValueError: it is none.
    """
    value = typed(text)
    if not isinstance(value, int | float) or not np.isfinite(value):
        raise ValueError(f"{column}: expected a finite number, got {text!r}")
    return float(value)


def _reason(text: str) -> str:
    if text.strip().lower() in WORKS:
        return ""
    return NO_REASON if text.strip().lower() in ("1", "1.0", "true", "yes") else text.strip()


def distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    """The different values, in order."""
    return tuple(sorted(set(values)))
