"""What the table of optimizers makes of logs, and that it goes on where it stopped."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "apollo"))
    yield importlib.import_module("table")
    del sys.modules["table"]


def trial(index, latency, area):
    metrics = {"latency_ms": latency, "area_mm2": area}
    return Trial(index=index, design={}, outcome=Outcome.FEASIBLE, metrics=metrics)


def test_a_curve_is_the_best_accepted_so_far(table):
    broken = Trial(index=2, design={}, outcome=Outcome.INFEASIBLE, reason="no")
    trials = [trial(0, 1.0, 30.0), trial(1, 5.0, 27.0), broken, trial(3, 7.0, 1.0), trial(4, 2, 9)]
    assert table.curve(trials, 27.0).tolist() == [np.inf, 5.0, 5.0, 5.0, 2.0]


def test_an_entry_is_the_median_and_quartiles_of_seeds_that_were_measured(table):
    assert table.entry([1.0, 1.1, 1.2, 1.3, 9.0]) == "1.200 (1.100-1.300)"
    assert table.entry([1.5, np.inf, np.inf]) == "inf (1.500-inf)"
    assert table.entry([]) == "-"


@pytest.mark.parametrize("area", ["loose", "medium", "tight"])
def test_a_larger_network_has_larger_areas(table, area):
    small, large = (table.Cell(w, area, "random", 0).limit_mm2 for w in ("mobilenet_v2", "unet"))
    assert small < large


def test_a_search_goes_on_where_it_stopped_and_is_reported(table, tmp_path):
    cells = [table.Cell("mlp", "loose", "random", 0), table.Cell("mlp", "loose", "firefly", 0)]
    for n in (20, 30):
        for cell in cells:
            cell.run(tmp_path, n)
    trials = TrialLog(cells[0].place(tmp_path)).read()
    assert len(trials) == 30
    curves = table.logged([*cells, table.Cell("mlp", "loose", "random", 1)], tmp_path)
    assert list(curves) == cells
    table.BUDGETS = (20, 30, 40)
    text = "\n".join(table.report(cells, tmp_path))
    assert "- mlp, 100 mm2: " in text
    best = min(curves[cell][-1] for cell in cells)
    assert f"| mlp, 100 mm2 | {best:.4g} | 1 | " in text
    assert " 1.000 (1.000-1.000) |" in text
    assert "After 30" in text
    assert "After 40" not in text


def test_medians_and_calls_are_over_the_best_known_of_all_searches(table):
    cells = [table.Cell("mlp", "tight", name, seed) for name in ("a", "b") for seed in (0, 1, 2)]
    ends = [2.0, 4.0, 3.0, 2.1, 2.2, 8.0]
    curves = {cell: np.array([9.0, end]) for cell, end in zip(cells, ends)}
    results = table.Results(2, curves, table.best_known(curves))
    by_case = "\n".join(table.by_case(results))
    assert "| mlp, 10 mm2 | 2 | 3 | 1.500 (1.000-2.000) | 1.100 (1.050-4.000) |" in by_case
    over_cases = "\n".join(table.over_cases(results))
    assert "| a | 1.364 | 1.364 | 1.364 | never (2-never) |" in over_cases
    assert "| b | 1.000 | 1.000 | 1.000 | never (2-never) |" in over_cases
