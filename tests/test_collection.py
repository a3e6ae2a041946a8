"""Logs of random designs."""

import pytest

from accel_dse import collection as module
from accel_dse.collection import Collection, checksum
from accel_dse.datasets import parquet
from accel_dse.errors import FileError, OptionError, SimulatorError
from accel_dse.testing import ToySimulator, toy_problem


class Tired(ToySimulator):
    """Fails for good after some batches."""

    def __init__(self, batches):
        self.left = batches

    def simulate(self, workload, designs):
        self.left -= 1
        if self.left < 0:
            raise SimulatorError("no license")
        return super().simulate(workload, designs)


def collection(simulator=None, **changes):
    problem = toy_problem(workloads=2)
    values = {
        "space": problem.space,
        "workloads": [workload for workload, _ in problem.workloads],
        "simulator": simulator or ToySimulator(),
        "n": 50,
        "seed": 1,
    }
    return Collection(**{**values, **changes})


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 20)


def test_every_network_gets_the_same_designs(tmp_path):
    dataset = collection().run(tmp_path / "log.parquet")
    first, second = dataset.of("net0"), dataset.of("net1")
    assert len(first) == len(second) == 50
    for name in dataset.space.names:
        assert first.columns[name].tolist() == second.columns[name].tolist()
    assert dataset.feasible.any()
    assert "no tile fits the buffer" in dataset.infeasible


def test_a_stopped_collection_goes_on_as_if_never_stopped(tmp_path):
    whole = collection().run(tmp_path / "whole.parquet")
    with pytest.raises(SimulatorError, match="net0: design 40: the simulator failed: no license"):
        collection(Tired(2)).run(tmp_path / "stopped.parquet")
    resumed = collection(Tired(4)).run(tmp_path / "stopped.parquet")
    assert checksum(resumed) == checksum(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stopped.parquet", "whole.parquet"]


def test_another_seed_draws_other_designs(tmp_path):
    a, b = (collection(seed=s).run(tmp_path / f"{s}.parquet") for s in (1, 2))
    assert checksum(a) != checksum(b)


def test_a_longer_collection_begins_with_the_shorter_one(tmp_path):
    short, long = (collection(n=n).run(tmp_path / f"{n}.parquet").of("net0") for n in (30, 50))
    for name in short.space.names:
        assert long.columns[name][:30].tolist() == short.columns[name].tolist()


def test_chunks_of_another_collection_are_not_mixed_in(tmp_path):
    with pytest.raises(SimulatorError):
        collection(Tired(1)).run(tmp_path / "log.parquet")
    with pytest.raises(FileError, match="chunks of another collection"):
        collection(seed=2).run(tmp_path / "log.parquet")


def test_a_finished_file_is_never_overwritten(tmp_path):
    place = tmp_path / "log.parquet"
    place.write_text("precious")
    with pytest.raises(FileError, match="exists already"):
        collection().run(place)
    assert place.read_text() == "precious"


def test_the_file_says_how_it_was_made(tmp_path):
    collection().run(tmp_path / "log.parquet")
    origin = parquet.read(tmp_path / "log.parquet").origin
    assert origin["n"] == 50
    assert origin["seed"] == 1
    assert set(origin["workloads"]) == {"net0", "net1"}


def test_two_networks_of_one_name_are_refused():
    network = toy_problem().workloads[0][0]
    with pytest.raises(OptionError, match="distinct workloads"):
        collection(workloads=[network, network])
