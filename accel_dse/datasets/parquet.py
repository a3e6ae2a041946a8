"""Datasets as Parquet files that describe themselves.

Columns `param.NAME`, `metric.NAME`, `infeasible`, `application`; the schema's metadata holds the
space, the layers of the applications, and how the file was made. Any Parquet reader can use it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from accel_dse.dataset import Dataset, Floats, Texts
from accel_dse.datasets.whole_files import written_at_once
from accel_dse.designs import Column
from accel_dse.errors import DseError, FileError
from accel_dse.files.document import Document
from accel_dse.files.space_file import read_space
from accel_dse.space import DesignSpace
from accel_dse.workload import Layer, VectorOp, Workload

SCHEMA_VERSION = 1
"""Of the files below. Files of all versions so far can be read."""

_KEYS = ("schema_version", "space", "workloads", "origin")
_PAIRS = ("stride", "dilation")


def write(dataset: Dataset, path: Path, *, replace: bool = False) -> None:
    """Writes `dataset`, all or nothing.

    Raises:
        FileError: there is such a file already (unless `replace`), or it cannot be written.
    """
    metadata = {
        "schema_version": str(SCHEMA_VERSION),
        "space": json.dumps(space_content(dataset.space)),
        "workloads": json.dumps({n: workload_content(w) for n, w in dataset.workloads.items()}),
        "origin": json.dumps(dataset.origin),
    }
    columns: dict[str, pa.Array] = {}
    for name in dataset.space.names:
        columns[f"param.{name}"] = _arrow(dataset.columns[name])
    for name, values in dataset.metrics.items():
        columns[f"metric.{name}"] = pa.array(values, mask=np.isnan(values))
    columns["infeasible"] = pa.array(dataset.infeasible, pa.string()).dictionary_encode()
    columns["application"] = pa.array(dataset.application, pa.string()).dictionary_encode()
    table = pa.table(columns).replace_schema_metadata(
        {f"dse.{key}": text for key, text in metadata.items()}
    )
    with written_at_once(path, replace=replace) as draft:
        pq.write_table(table, draft, compression="zstd", compression_level=12)


def _arrow(column: Column) -> pa.Array:
    if column.ndim == 1:
        return pa.array(column.tolist())
    return pa.array(column.tolist(), pa.list_(pa.array(column[:1].ravel().tolist()).type))


def read(path: Path) -> Dataset:
    """Reads a file that `write` made.

    Raises:
        FileError: it is not one, or what it holds makes no sense; names the column.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise FileError(f"{path}: is no readable Parquet file: {first_line(error)}") from error
    metadata = _metadata(path, table.schema.metadata or {})
    space = space_of(metadata["space"], str(path))
    wanted = [f"param.{name}" for name in space.names] + ["infeasible", "application"]
    for name in wanted:
        if name not in table.column_names:
            raise FileError(f"{path}: column {name}: missing")
    metrics = [name for name in table.column_names if name.startswith("metric.")]
    try:
        columns = {
            p.name: p.column(_plain(table.column(f"param.{p.name}"))) for p in space.parameters
        }
        return Dataset(
            space,
            columns,
            {name.removeprefix("metric."): _numbers(table.column(name)) for name in metrics},
            _texts(table.column("infeasible")),
            _texts(table.column("application")),
            {name: workload_of(content) for name, content in metadata["workloads"].items()},
            metadata["origin"],
        )
    except (DseError, pa.ArrowException, TypeError, ValueError, KeyError) as error:
        message = str(error) if isinstance(error, DseError) else first_line(error)
        raise FileError(f"{path}: {message}", hint=getattr(error, "hint", "")) from error


def _metadata(path: Path, found: Mapping[bytes, bytes]) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for key in _KEYS:
        try:
            metadata[key] = json.loads(found[f"dse.{key}".encode()])
        except KeyError:
            raise FileError(
                f"{path}: metadata dse.{key}: missing: not a dataset of this package",
                hint="accel-dse convert makes one of other tables",
            ) from None
        except ValueError as error:
            raise FileError(f"{path}: metadata dse.{key}: is not JSON: {error}") from error
    if metadata["schema_version"] != SCHEMA_VERSION:
        raise FileError(
            f"{path}: metadata dse.schema_version: {metadata['schema_version']} is not known",
            hint="a newer version of accel-dse wrote it",
        )
    return metadata


def _plain(column: pa.ChunkedArray) -> list[Any]:
    values = column.to_pylist()
    return [tuple(v) if isinstance(v, list) else v for v in values]


def _numbers(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan).to_numpy(), dtype=np.float64)


def _texts(column: pa.ChunkedArray) -> Texts:
    """Strings, equal ones being one object."""
    coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if coded.null_count:
        raise ValueError("a text is missing")
    words = np.array([*coded.dictionary.to_pylist(), ""], dtype=object)
    return np.asarray(words[coded.indices.to_numpy()], dtype=object)


def first_line(error: Exception) -> str:
    """What another library says of an error, briefly."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def space_content(space: DesignSpace) -> dict[str, Any]:
    """A space as plain data, from which `space_of` makes it again."""
    return {"version": 1, "name": space.name, **space.content()}


def space_of(content: Any, place: str) -> DesignSpace:
    """The space that `space_content` described.

    Raises:
        FileError: it is no such description.
    """
    if isinstance(content, dict) and isinstance(content.get("parameters"), dict):
        parameters = {name: _entry(entry) for name, entry in content["parameters"].items()}
        content = {**content, "parameters": parameters}
    return read_space(Document(f"{place}: space", content, {}), Path(place)).space


def _entry(content: Any) -> Any:
    """What a space file says of the parameter that has this content."""
    if isinstance(content, dict) and len(content.get("integer", ())) == 3:
        low, high, step = content["integer"]
        return {**content, "integer": [low, high], "step": step}
    return content


def workload_content(workload: Workload) -> dict[str, Any]:
    """A workload as plain data, from which `workload_of` makes it again."""
    return {
        "name": workload.name,
        "source": workload.source,
        "layers": [asdict(layer) for layer in workload.layers],
        "vector_ops": [asdict(op) for op in workload.vector_ops],
    }


def workload_of(content: Mapping[str, Any]) -> Workload:
    """The workload that `workload_content` described."""
    layers: list[dict[str, Any]] = [
        {key: tuple(value) if key in _PAIRS else value for key, value in layer.items()}
        for layer in content["layers"]
    ]
    return Workload(
        str(content["name"]),
        tuple(Layer(**layer) for layer in layers),
        tuple(VectorOp(**op) for op in content["vector_ops"]),
        str(content["source"]),
    )
