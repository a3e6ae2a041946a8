"""Designs, metrics and reasons as arrays."""

from dataclasses import replace

import numpy as np
import pytest

from accel_dse.dataset import Dataset, concatenate, of_trials, texts
from accel_dse.errors import DesignError, OptionError
from accel_dse.problem import Goal
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial import Outcome, Trial


def toy_dataset(n=60, seed=0, workload=0):
    problem = toy_problem(workloads=2)
    network = problem.workloads[workload][0]
    columns = problem.space.sample_columns(n, np.random.default_rng(seed))
    metrics = ToySimulator().simulate(network, columns)
    return Dataset(
        problem.space,
        columns,
        metrics.values,
        texts(metrics.infeasible),
        texts([network.name] * n),
        {network.name: network},
    )


def test_rows_keep_designs_metrics_and_reasons_together():
    whole = toy_dataset()
    part = whole.rows(~whole.feasible)
    assert 0 < len(part) < len(whole)
    assert set(part.infeasible) == {"no tile fits the buffer"}
    assert np.isnan(part.metrics["area_mm2"]).all()
    assert len(part.columns["pes_x"]) == len(part)


def test_a_limit_rejects_designs_that_work():
    whole = toy_dataset()
    accepted = whole.accepted(Goal.parse(["minimize latency_cycles"], ["area_mm2<=2"]))
    assert 0 < accepted.sum() < whole.feasible.sum()
    assert whole.metrics["area_mm2"][accepted].max() <= 2


def test_an_unknown_application_is_refused_with_the_known_ones():
    with pytest.raises(OptionError, match="no row of the log is of 'net7'") as caught:
        toy_dataset().of("net7")
    assert "net0" in caught.value.hint


def test_datasets_are_joined_on_the_metrics_they_share():
    a, b = toy_dataset(10), toy_dataset(20, workload=1)
    b = replace(b, metrics={name: b.metrics[name] for name in ("area_mm2", "latency_cycles")})
    joined = concatenate([a, b])
    assert len(joined) == 30
    assert set(joined.metrics) == {"area_mm2", "latency_cycles"}
    assert joined.applications == ("net0", "net1")
    assert set(joined.workloads) == {"net0", "net1"}


def test_networks_of_one_name_and_different_layers_are_not_joined():
    a, b = toy_dataset(10), toy_dataset(10, workload=1)
    b = replace(b, application=a.application, workloads={"net0": b.workloads["net1"]})
    with pytest.raises(OptionError, match="two networks of different layers"):
        concatenate([a, b])


def test_a_design_outside_the_space_is_refused_by_name_and_row():
    good = toy_dataset(10)
    pes = good.columns["pes_x"].copy()
    pes[3] = 5
    with pytest.raises(DesignError, match="design 3: pes_x: 5 is not one of"):
        replace(good, columns={**good.columns, "pes_x": pes})


def test_a_design_against_a_known_constraint_is_refused():
    good = toy_dataset(10)
    x, y = good.columns["pes_x"].copy(), good.columns["pes_y"].copy()
    x[3], y[3] = 32, 1
    with pytest.raises(DesignError, match="design 3: breaks 'pes_x <= 4"):
        replace(good, columns={**good.columns, "pes_x": x, "pes_y": y})


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_working_design_without_a_number_is_refused(wrong):
    good = toy_dataset(10)
    row = int(np.flatnonzero(good.feasible)[0])
    area = good.metrics["area_mm2"].copy()
    area[row] = wrong
    with pytest.raises(OptionError, match=f"metric area_mm2: row {row} has {wrong}"):
        replace(good, metrics={**good.metrics, "area_mm2": area})


def trial(i, design, outcome, reason="", **metrics):
    return Trial(index=i, design=design, outcome=outcome, reason=reason, metrics=metrics)


def test_failed_and_late_trials_are_left_out():
    problem = toy_problem()
    design = problem.space.sample(1, np.random.default_rng(0))[0]
    trials = [
        trial(0, design, Outcome.FEASIBLE, latency_cycles=1.0),
        trial(1, design, Outcome.FAILED, "crashed"),
        trial(2, design, Outcome.TIMED_OUT, "late"),
        trial(3, design, Outcome.INFEASIBLE, "too small"),
    ]
    dataset = of_trials(trials, problem.space, {"net0": None}, {})
    assert dataset.infeasible.tolist() == ["", "too small"]


def test_a_trial_of_several_networks_becomes_a_row_for_each():
    problem = toy_problem()
    design = problem.space.sample(1, np.random.default_rng(0))[0]
    both = {"latency_cycles": 2.0, "a/latency_cycles": 1.0, "b/latency_cycles": 3.0}
    trials = [
        trial(0, design, Outcome.FEASIBLE, **both),
        trial(1, design, Outcome.INFEASIBLE, "b: no tile; b: nor bank"),
    ]
    dataset = of_trials(trials, problem.space, {"a": None, "b": None}, {})
    assert dataset.application.tolist() == ["a", "b", "b"]
    assert dataset.infeasible.tolist() == ["", "", "no tile; nor bank"]
    np.testing.assert_array_equal(dataset.metrics["latency_cycles"], [1.0, 3.0, np.nan])


def test_nothing_to_join_is_an_error():
    with pytest.raises(OptionError, match="no log to learn from"):
        concatenate([])
