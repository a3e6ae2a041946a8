"""What a network has and no simulation counts is told by every command that simulates."""

import json
from pathlib import Path

import pytest

from accel_dse import plugins
from accel_dse.cli import main

SPACE = """\
version: 1
name: toy
source: made up
parameters:
  pes_x: {ordinal: [1, 2, 4, 8, 16, 32], scale: log}
  pes_y: {ordinal: [1, 2, 4, 8, 16, 32], scale: log}
  buffer_kib: {ordinal: [1, 2, 4, 8, 16, 32, 64, 128], scale: log, unit: KiB}
  dataflow: {categorical: [weight_stationary, output_stationary, input_stationary]}
references:
  small: {design: {pes_x: 4, pes_y: 4, buffer_kib: 16, dataflow: weight_stationary}}
"""
SPARSE = "Layer, M, N, K\nfc1, 16, 512, 256, 2:4\nfc2, 16, 10, 512\n"
WARNING = "warning: sparse: 1 operations have no cost here: fc1: sparsity 2:4\n"
TOY = ("toy.yaml", "--simulator", "toy", "-w")
SEARCH = ("--minimize", "latency_cycles", "--optimizer", "random", "--trials", "6")


@pytest.fixture(autouse=True)
def files(monkeypatch, tmp_path):
    table = {**plugins.BUILT_IN["simulators"], "toy": "accel_dse.testing:ToySimulator"}
    monkeypatch.setattr(plugins, "BUILT_IN", {**plugins.BUILT_IN, "simulators": table})
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(SPACE)
    Path("sparse.csv").write_text(SPARSE)
    Path("plain.csv").write_text(SPARSE.replace(", 2:4", ""))


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("simulate", ()),
        ("optimize", (*SEARCH, "--log", "run.db")),
        ("collect", ("-n", "5", "--out", "log.parquet")),
        ("compare", (*SEARCH, "--seeds", "1", "--out", "contest")),
    ],
)
def test_a_command_tells_once_what_it_does_not_count(capsys, command, more):
    assert main([command, *TOY, "sparse.csv", *more]) == 0
    assert capsys.readouterr().err.count(WARNING) == 1


def test_where_everything_is_counted_nothing_is_told(capsys):
    assert main(["simulate", *TOY, "plain.csv"]) == 0
    assert capsys.readouterr().err == ""


def test_a_program_is_told_what_is_not_counted(capsys):
    assert main(["simulate", *TOY, "sparse.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_counted"] == ["fc1: sparsity 2:4"]
