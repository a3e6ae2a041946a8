import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from accel_dse.errors import LogError, SimulatorError
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.progress import Silent
from accel_dse.simulators.base import Simulator
from accel_dse.simulators.cached import CachedSimulator, ResultCache, uncached
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, check_simulator, toy_problem
from accel_dse.trial_log import TrialLog

PROBLEM = toy_problem(workloads=2)
NETWORKS = [workload for workload, _ in PROBLEM.workloads]


class Counting(ToySimulator):
    """Counts designs, and fails on those with `broken` PEs along x."""

    def __init__(self, broken=0):
        self.designs, self.broken = 0, broken

    def simulate(self, workload, designs):
        self.designs += len(designs["pes_x"])
        if (designs["pes_x"] == self.broken).any():
            raise SimulatorError("no licence")
        return super().simulate(workload, designs)


class Newer(Counting):
    version = "2"


def columns(n, seed=0):
    return PROBLEM.space.sample_columns(n, np.random.default_rng(seed))


def cached(path, inner=None):
    return CachedSimulator(inner or Counting(), ResultCache(path))


def same(a, b):
    assert a.infeasible == b.infeasible
    for name, column in a.values.items():
        assert np.array_equal(column, b.values[name], equal_nan=True)


def test_a_cached_simulator_keeps_the_contract_of_simulators(tmp_path):
    check_simulator(cached(tmp_path / "cache.db"), NETWORKS[0], columns(40))


def test_what_was_measured_is_not_measured_again_whoever_asks(tmp_path):
    designs = columns(30)
    first = cached(tmp_path / "cache.db")
    measured = first.simulate(NETWORKS[0], designs)
    first.close()
    again = cached(tmp_path / "cache.db")
    same(again.simulate(NETWORKS[0], designs), measured)
    assert again.inner.designs == 0
    same(measured, ToySimulator().simulate(NETWORKS[0], designs))


def test_only_what_is_missing_is_measured(tmp_path):
    simulator = cached(tmp_path / "cache.db")
    designs = columns(30)
    simulator.simulate(NETWORKS[0], {name: column[5:20] for name, column in designs.items()})
    before = simulator.inner.designs
    same(simulator.simulate(NETWORKS[0], designs), ToySimulator().simulate(NETWORKS[0], designs))
    assert simulator.inner.designs - before <= 15


def test_another_workload_version_or_option_is_another_result(tmp_path):
    designs = columns(10)
    cached(tmp_path / "cache.db").simulate(NETWORKS[0], designs)
    other = cached(tmp_path / "cache.db")
    other.simulate(NETWORKS[1], designs)
    assert other.inner.designs == 10
    newer = cached(tmp_path / "cache.db", Newer())
    newer.simulate(NETWORKS[0], designs)
    assert newer.inner.designs == 10


def test_a_failure_is_not_kept_and_does_not_lose_the_others(tmp_path):
    simulator = cached(tmp_path / "cache.db", Counting(broken=8))
    designs = columns(40)
    outcomes = simulator.outcomes(NETWORKS[0], designs)
    broken = np.flatnonzero(designs["pes_x"] == 8)
    assert sorted(outcomes.failures) == broken.tolist()
    assert len(simulator.cache) == len({tuple(row) for row in zip(*designs.values())
                                        if row[list(designs).index("pes_x")] != 8})  # fmt: skip
    with pytest.raises(SimulatorError, match="no licence"):
        simulator.simulate(NETWORKS[0], designs)
    healed = cached(tmp_path / "cache.db")
    again = healed.outcomes(NETWORKS[0], designs)
    assert again.failures == {}
    assert healed.inner.designs == len(broken)
    same(again.metrics, ToySimulator().simulate(NETWORKS[0], designs))


def test_an_altered_result_is_measured_again(tmp_path):
    designs = columns(5)
    simulator = cached(tmp_path / "cache.db")
    measured = simulator.simulate(NETWORKS[0], designs)
    with sqlite3.connect(tmp_path / "cache.db") as meddler:
        meddler.execute("UPDATE result SET content = replace(content, '1', '2')")
    meddler.close()
    same(simulator.simulate(NETWORKS[0], designs), measured)
    assert simulator.inner.designs > 5


@pytest.mark.parametrize("content", [b"hello " * 1000, b"SQLite format 3\0" + b"\7" * 5000])
def test_a_file_that_is_no_cache_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "cache.db"
    path.write_bytes(content)
    with pytest.raises(LogError, match="cannot be used"):
        cached(path).simulate(NETWORKS[0], columns(3))
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "cache.db") as other:
        other.execute("CREATE TABLE result (a)")
    other.close()
    with pytest.raises(LogError, match="not a cache of results"):
        cached(tmp_path / "cache.db").simulate(NETWORKS[0], columns(3))


FILLING = """
import sys
sys.path.insert(0, sys.argv[2])
from test_cached import *
for i in range(40):
    cached(sys.argv[1]).simulate(NETWORKS[0], columns(5, seed=[int(sys.argv[3]), i]))
"""


def test_several_processes_may_use_one_cache(tmp_path):
    arguments = [sys.executable, "-c", FILLING, tmp_path / "cache.db", Path(__file__).parent]
    others = [subprocess.Popen([*arguments, str(i)]) for i in range(4)]
    assert [other.wait(120) for other in others] == [0] * 4
    everything = cached(tmp_path / "cache.db")
    for i in range(4):
        everything.simulate(NETWORKS[0], columns(5, seed=[i, 39]))
    assert everything.inner.designs == 0


def a_study(place, simulator, seed=1):
    return Study(
        problem=PROBLEM,
        optimizer=RandomSearch(problem=PROBLEM, seed=seed),
        simulator=simulator,
        log=TrialLog(place),
        progress=Silent(),
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_a_study_is_the_same_with_a_cache_and_may_go_on_without(tmp_path, workers):
    whole = a_study(tmp_path / "plain.db", Counting()).run(40, batch=5)
    first = cached(tmp_path / "cache.db")
    a_study(tmp_path / "a.db", first).run(20, batch=5, workers=workers)
    trials = a_study(tmp_path / "a.db", Counting()).run(40, batch=5)
    assert workers > 1 or trials == whole
    second = cached(tmp_path / "cache.db")
    again = a_study(tmp_path / "b.db", second).run(20, batch=5)
    assert again == whole[:20]
    assert workers > 1 or second.inner.designs == 0


def test_what_is_behind_a_cache_can_be_seen():
    inner = Counting()
    assert uncached(cached("cache.db", inner)) is inner
    assert uncached(inner) is inner
    assert isinstance(cached("cache.db"), Simulator)
