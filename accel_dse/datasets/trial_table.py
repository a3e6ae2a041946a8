"""All that a trial log holds, as one Parquet file for other tools."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from accel_dse.datasets.whole_files import written_at_once
from accel_dse.errors import FileError
from accel_dse.log_rows import StudyDescription
from accel_dse.trial import Trial

SCHEMA_VERSION = 1
"""Of the columns below."""

ABOUT = ("index", "outcome", "reason", "source", "started", "ended", "host")
"""Columns that every file has; `started` and `ended` are seconds since the epoch."""


def export(study: StudyDescription, trials: Sequence[Trial], path: Path) -> None:
    """Writes one row for each trial: `ABOUT`, `param.NAME` and `metric.NAME`.

    A metric is null where the design does not work. The schema's metadata hold the study.

    Raises:
        FileError: there is such a file already, or it cannot be written.
    """
    if path.suffix != ".parquet":
        raise FileError(f"{path}: the name must end in .parquet")
    columns: dict[str, pa.Array] = {
        name: pa.array([_plain(getattr(trial, name)) for trial in trials]) for name in ABOUT
    }
    for kind, tables in (
        ("param", [trial.design for trial in trials]),
        ("metric", [trial.metrics for trial in trials]),
    ):
        for name in dict.fromkeys(name for table in tables for name in table):
            columns[f"{kind}.{name}"] = _column([table.get(name) for table in tables])
    metadata = {
        "dse.log_schema_version": str(SCHEMA_VERSION),
        "dse.study": json.dumps(asdict(study)),
        "dse.fingerprint": study.fingerprint,
    }
    table = pa.table(columns).replace_schema_metadata(metadata)
    with written_at_once(path) as draft:
        pq.write_table(table, draft, compression="zstd")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _column(values: list[Any]) -> pa.Array:
    """Values of one type where they are, else as JSON."""
    try:
        return pa.array([list(v) if isinstance(v, tuple) else v for v in values])
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([json.dumps(value) for value in values])
