"""Datasets as files."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from accel_dse.constraints import Constraint
from accel_dse.dataset import Dataset, texts
from accel_dse.datasets import parquet
from accel_dse.errors import FileError
from accel_dse.expressions import Expression
from accel_dse.parameters import (
    Categorical,
    Factorization,
    Integer,
    Ordinal,
    Permutation,
    Real,
)
from accel_dse.space import DesignSpace
from accel_dse.testing import toy_problem
from accel_dse.workloads.zoo import NETWORKS

SPACE = DesignSpace(
    "all_kinds",
    (
        Ordinal("pes", (1, 2, 4), scale="log"),
        Ordinal("share", (0.25, 0.5)),
        Integer("banks", 1, 16),
        Real("voltage", 0.6, 1.0),
        Categorical("dataflow", ("ws", "os")),
        Permutation("order", ("N", "K", "C")),
        Factorization("tiles", 12, 3),
    ),
    (Constraint(Expression("pes <= banks")),),
    {"log_pes": Expression("log2(pes)")},
)


@pytest.fixture
def dataset():
    columns = SPACE.sample_columns(8, np.random.default_rng(0))
    reasons = texts(["", "too small", "", "", "", "too small", "", "no way"])
    works = reasons == ""
    return Dataset(
        SPACE,
        columns,
        {"latency_ms": np.where(works, np.arange(8.0) + 0.1, np.nan)},
        reasons,
        texts(["mobilenet_v2"] * 8),
        {"mobilenet_v2": NETWORKS["mobilenet_v2"]()},
        {"seed": 3},
    )


@pytest.fixture
def place(dataset, tmp_path):
    parquet.write(dataset, tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


def test_every_kind_of_parameter_is_read_as_it_was_written(dataset, place):
    again = parquet.read(place)
    assert again.space.fingerprint() == SPACE.fingerprint()
    assert again.space.designs(again.columns) == SPACE.designs(dataset.columns)
    np.testing.assert_array_equal(again.metrics["latency_ms"], dataset.metrics["latency_ms"])
    assert again.infeasible.tolist() == dataset.infeasible.tolist()
    assert again.workloads == dataset.workloads
    assert again.origin == {"seed": 3}


def test_other_readers_find_plain_columns(place):
    table = pq.read_table(place)
    assert table.column("param.pes").type == pa.int64()
    assert table.column("metric.latency_ms").null_count == 3


def test_a_file_is_never_overwritten(dataset, place):
    before = place.read_bytes()
    with pytest.raises(FileError, match="exists already"):
        parquet.write(dataset, place)
    assert place.read_bytes() == before


def test_a_failed_write_leaves_nothing(dataset, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(FileError, match="No space left"):
        parquet.write(dataset, tmp_path / "log.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [0, 10, 500, -1])
def test_a_truncated_file_is_refused_by_name(place, length):
    place.write_bytes(place.read_bytes()[:length])
    with pytest.raises(FileError, match=r"log\.parquet: is no readable Parquet file"):
        parquet.read(place)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(FileError, match=r"none\.parquet: there is no such file"):
        parquet.read(tmp_path / "none.parquet")


def altered(place, column=None, metadata=None):
    """The file with one column, or one entry of its metadata, exchanged."""
    table = pq.read_table(place)
    if column is not None:
        name, values = column
        at = table.column_names.index(name)
        table = table.remove_column(at)
        if values is not None:
            table = table.add_column(at, name, [values])
    if metadata is not None:
        name, value = metadata
        table = table.replace_schema_metadata(
            {**table.schema.metadata, f"dse.{name}".encode(): value}
        )
    pq.write_table(table, place)
    return place


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        (("param.pes", None), r"column param\.pes: missing"),
        (("infeasible", None), "column infeasible: missing"),
        (("param.pes", [3] * 8), "design 0: pes: 3 is not one of"),
        (("param.pes", ["a"] * 8), "pes: some values are not whole numbers"),
        (("param.voltage", [float("nan")] * 8), "voltage"),
        (("metric.latency_ms", [float("nan")] * 8), "metric latency_ms: row 0 has nan"),
        (("metric.latency_ms", [1.0] * 8), "metric latency_ms: row 1 has 1.0, and reason"),
        (("metric.latency_ms", ["fast"] * 8), "fast"),
        (("application", [None] * 8), "a text is missing"),
    ],
)
def test_a_wrong_column_is_refused_with_its_name(place, column, complaint):
    with pytest.raises(FileError, match=rf"log\.parquet: .*{complaint}"):
        parquet.read(altered(place, column=column))


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        (("space", "{"), "metadata dse.space: is not JSON"),
        (("space", "{}"), "space:1: version: missing"),
        (("schema_version", "99"), "99 is not known"),
        (("workloads", json.dumps({"net": {"name": "net"}})), "layers"),
    ],
)
def test_wrong_metadata_are_refused_with_their_name(place, metadata, complaint):
    with pytest.raises(FileError, match=complaint):
        parquet.read(altered(place, metadata=metadata))


def test_a_table_of_someone_else_is_pointed_to_convert(tmp_path):
    place = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), place)
    with pytest.raises(FileError, match="not a dataset of this package") as caught:
        parquet.read(place)
    assert "convert" in caught.value.hint


def test_the_toy_space_is_read_as_it_was_written():
    space = toy_problem().space
    content = json.loads(json.dumps(parquet.space_content(space)))
    assert parquet.space_of(content, "here").fingerprint() == space.fingerprint()
