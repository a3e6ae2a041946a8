"""Simulations on a Dask cluster."""

import os
import signal
import threading
import time

import pytest
from drill import a_study, assert_replays

from accel_dse.errors import FileError, OptionError
from accel_dse.testing import ToySimulator
from accel_dse.trial_log import TrialLog

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Dask's own, of ports and of tasks' sizes
    pytest.mark.timeout(180),
]
distributed = pytest.importorskip(
    "distributed", reason="needs the extra dask", exc_type=ImportError
)
from accel_dse.execution import dask_cluster  # noqa: E402
from accel_dse.execution.dask_cluster import dask_executor  # noqa: E402


class Lasting(ToySimulator):
    """Takes 50 ms; can be sent to another process."""

    def simulate(self, workload, designs):
        time.sleep(0.05)
        return super().simulate(workload, designs)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    with (
        dask_cluster.dask.config.set(dask_cluster.SETTINGS),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=2,
            dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
    ):
        yield cluster


def test_a_cluster_fills_the_log_and_every_proposal_can_be_made_again(cluster, tmp_path):
    with dask_executor(cluster.scheduler_address) as (executor, size):
        assert size == 4
        study = a_study(tmp_path / "log.db", simulator=Lasting())
        trials = study.run(40, workers=size, executor=executor)
    assert len(trials) == 40
    assert_replays(tmp_path / "log.db")
    again = a_study(tmp_path / "again.db", simulator=Lasting()).run(40, workers=4)
    designs = {tuple(t.design.values()): t.metrics for t in again}
    assert all(designs.get(tuple(t.design.values()), t.metrics) == t.metrics for t in trials)


def test_killed_workers_lose_nothing(cluster, tmp_path):
    def kill_one():
        while not stop.wait(0.7):
            worker = next(iter(cluster.workers.values()))
            if worker.pid:
                os.kill(worker.pid, signal.SIGKILL)

    stop = threading.Event()
    killer = threading.Thread(target=kill_one)
    with dask_executor(cluster.scheduler_address) as (executor, size):
        killer.start()
        try:
            study = a_study(tmp_path / "log.db", simulator=Lasting())
            trials = study.run(120, workers=size, executor=executor)
        finally:
            stop.set()
            killer.join()
    assert len(trials) == 120
    assert all(trial.outcome != "failed" for trial in trials)
    assert TrialLog(tmp_path / "log.db").tickets(unfinished=True) == []
    assert_replays(tmp_path / "log.db")


def test_an_address_where_nobody_answers_is_named(monkeypatch):
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 1.0)
    with (
        pytest.raises(OptionError, match="no Dask scheduler answers"),
        dask_executor("tcp://127.0.0.1:9"),
    ):
        pass


CLUSTER = """\
version: 1
cluster: slurm
jobs: 3
simulations_per_job: 4
lifetime: 55m
options: {queue: long, memory: 8GB, walltime: "01:00:00"}
"""


@pytest.mark.parametrize(
    ("kind", "mark"),
    [("slurm", "#SBATCH -p long"), ("lsf", "#BSUB -q long"), ("pbs", "#PBS -q long")],
)
def test_the_jobs_of_a_batch_system_are_as_the_file_says(tmp_path, kind, mark):
    pytest.importorskip("dask_jobqueue", reason="needs the extra dask")
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER.replace("slurm", kind))
    with dask_cluster.batch_cluster(dask_cluster.read_cluster(path)) as cluster:
        script = cluster.job_script()
    assert mark in script
    assert "--nthreads 4" in script
    assert "--lifetime 55m" in script


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("slurm", "condor", "cluster"),
        ("jobs: 3", "jobs: 0", "jobs"),
        ("lifetime", "lifetme", "lifetme"),
    ],
)
def test_a_wrong_cluster_file_is_refused_with_the_place(tmp_path, old, new, message):
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER.replace(old, new))
    with pytest.raises(FileError, match=message):
        dask_cluster.read_cluster(path)
