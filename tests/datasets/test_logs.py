"""Datasets from trial logs."""

import numpy as np
import pytest

from accel_dse.datasets import parquet
from accel_dse.datasets.logs import read_logs
from accel_dse.errors import FileError, LogError, WorkloadError
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.progress import Silent
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial_log import TrialLog


def logged(place, trials, **options):
    problem = toy_problem(**options)
    Study(
        problem=problem,
        optimizer=RandomSearch(problem=problem),
        simulator=ToySimulator(),
        log=TrialLog(place),
        progress=Silent(),
    ).run(trials, batch=10)
    return str(place)


def test_logs_and_parquet_files_become_one_dataset(tmp_path):
    log = logged(tmp_path / "a.sqlite", 30)
    first = read_logs([log])
    assert len(first) == 30
    assert first.origin["optimizer"] == "random"
    parquet.write(first, tmp_path / "b.parquet")
    both = read_logs([log, str(tmp_path / "b.parquet")])
    assert len(both) == 60
    np.testing.assert_array_equal(both.metrics["area_mm2"][:30], both.metrics["area_mm2"][30:])


def test_a_log_of_several_networks_gives_rows_for_each(tmp_path):
    dataset = read_logs([logged(tmp_path / "a.sqlite", 30, workloads=2)])
    assert dataset.applications == ("net0", "net1")
    fast, slow = (dataset.of(name).rows(dataset.of(name).feasible) for name in ("net0", "net1"))
    assert (fast.metrics["latency_cycles"] < slow.metrics["latency_cycles"]).all()


def test_layers_are_taken_from_networks_that_are_given(tmp_path):
    log = logged(tmp_path / "a.sqlite", 10)
    network = toy_problem().workloads[0][0]
    assert read_logs([log]).workloads == {}
    assert read_logs([log], {"net0": network}).workloads == {"net0": network}


def test_another_network_of_the_same_name_is_refused(tmp_path):
    log = logged(tmp_path / "a.sqlite", 10)
    other = toy_problem(workloads=2).workloads[1][0]
    with pytest.raises(WorkloadError, match="workload 'net0' is not the network"):
        read_logs([log], {"net0": other})


def test_a_log_without_a_finished_trial_is_refused_by_name(tmp_path):
    with pytest.raises(FileError, match=r"a\.sqlite: holds no finished trial"):
        read_logs([logged(tmp_path / "a.sqlite", 0)])


def test_what_is_no_log_is_refused_by_name(tmp_path):
    with pytest.raises(LogError, match=r"none\.sqlite"):
        read_logs([str(tmp_path / "none.sqlite")])
