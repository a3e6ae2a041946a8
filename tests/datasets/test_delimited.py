"""Any table of comma-separated values."""

import gzip

import numpy as np
import pytest

from accel_dse.datasets import delimited
from accel_dse.errors import FileError, OptionError
from accel_dse.testing import toy_problem

SPACE = toy_problem().space
TABLE = """px,pes_y,buffer_kib,dataflow,time,broken,net
4,4,16,weight_stationary,12.5,0,a
8,4,16,output_stationary,,too small,b
8,8,32,input_stationary,7,false,a
"""


def read(tmp_path, text, **changes):
    place = tmp_path / "table.csv"
    place.write_text(text)
    options = {
        "metrics": {"latency_ms": "time"},
        "columns": {"pes_x": "px"},
        "application": "net",
        "application_column": "net",
        "infeasible_column": "broken",
        "workloads": {},
    }
    return delimited.read(place, SPACE, **{**options, **changes})


def test_columns_become_parameters_metrics_and_reasons(tmp_path):
    dataset, complaints = read(tmp_path, TABLE)
    assert complaints.count == 0
    assert dataset.columns["pes_x"].tolist() == [4, 8, 8]
    np.testing.assert_array_equal(dataset.metrics["latency_ms"], [12.5, np.nan, 7.0])
    assert dataset.infeasible.tolist() == ["", "too small", ""]
    assert dataset.application.tolist() == ["a", "b", "a"]


def test_a_gzipped_table_is_read(tmp_path):
    place = tmp_path / "table.csv.gz"
    place.write_bytes(gzip.compress(TABLE.encode()))
    assert len(delimited.rows_of(place)) == 3


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("5,4,16,weight_stationary,12.5,0,a", "line 5: pes_x: 5"),
        ("32,1,16,weight_stationary,12.5,0,a", "line 5: constraint"),
        ("4,4,16,weight_stationary,nan,0,a", "line 5: time: expected a finite number, got 'nan'"),
        ("4,4,16,weight_stationary,fast,0,a", "line 5: time: expected a finite number, got 'fast'"),
        ("4,4", "line 5: buffer_kib: "),
    ],
)
def test_a_row_that_makes_no_sense_is_counted_and_named(tmp_path, line, complaint):
    dataset, complaints = read(tmp_path, f"{TABLE}{line}\n")
    assert len(dataset) == 3
    assert complaints.count == 1
    assert complaints.examples[0].startswith(complaint)


def test_a_missing_column_is_refused_with_the_columns_there_are(tmp_path):
    with pytest.raises(FileError, match=r"table\.csv: has no column 'speed'") as caught:
        read(tmp_path, TABLE, metrics={"latency_ms": "speed"})
    assert "time" in caught.value.hint


@pytest.mark.parametrize("text", ["", "px,pes_y\n"])
def test_a_table_without_rows_is_refused(tmp_path, text):
    with pytest.raises(FileError, match="has no row"):
        read(tmp_path, text)


def test_an_unknown_parameter_is_refused(tmp_path):
    with pytest.raises(OptionError, match="no parameter 'pez'"):
        read(tmp_path, TABLE, columns={"pez": "px"})


def test_a_table_in_which_nothing_makes_sense_is_refused(tmp_path):
    with pytest.raises(FileError, match="no row makes sense: line 2: time"):
        read(tmp_path, TABLE.replace("12.5", "x").splitlines()[0]
             + "\n4,4,16,weight_stationary,x,0,a\n")  # fmt: skip
