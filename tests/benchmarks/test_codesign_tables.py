"""That the benchmarks of co-design run, and count what they say."""

import importlib
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "codesign"


@pytest.fixture
def benchmark(monkeypatch):
    """Runs one of the benchmarks."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def run(name, *words):
        monkeypatch.setattr(sys, "argv", [name, *words])
        importlib.import_module(name).main()

    yield run
    for name in ("ask_cost", "eyeriss", "headroom", "sample_efficiency"):
        sys.modules.pop(name, None)


def test_the_papers_table_gives_gain_and_area(benchmark, tmp_path, capsys):
    found = tmp_path / "found.json"
    benchmark(
        "eyeriss", "--quick", "--workload", "mlp_k", "--mapping", "random", "--json", str(found)
    )
    row, *others = json.loads(found.read_text())["mlp_k"]
    assert not others
    assert 0 <= row["gain"] < 1
    assert 0 < row["area_mm2"] <= row["eyeriss_area_mm2"]
    assert "mlp_k: " in capsys.readouterr().out


def test_the_headroom_is_what_a_mapper_finds(benchmark, capsys):
    benchmark("headroom", "--quick", "--workload", "mlp_k")
    told = capsys.readouterr().out
    assert told.startswith("mlp_k: ")
    assert 0 < float(told.split()[1].rstrip("%")) < 50


def test_curves_fall_and_no_simulated_design_breaks_a_constraint(benchmark, tmp_path):
    found = tmp_path / "found.json"
    words = ("--quick", "--optimizer", "random", "--optimizer", "linear_bo", "--json", str(found))
    benchmark("sample_efficiency", "resnet_k2", *words)
    for name, what in json.loads(found.read_text()).items():
        (curve,) = what["curves"]
        assert len(curve) == 30
        assert curve == sorted(curve, reverse=True), name
        assert what["runs"][0]["against_constraints"] == 0


def test_the_cost_of_a_proposal_is_told(benchmark, capsys):
    benchmark("ask_cost", "--quick", "--optimizer", "random")
    assert capsys.readouterr().out.count("s CPU") == 2
