"""The simulator's side of the protocol, as `serving.py` offers it to copy."""

import shlex
import sys

import numpy as np
import pytest

from accel_dse.simulators.process import ProcessSimulator
from accel_dse.workload import Layer, Workload

from .conftest import STUBS, TINY

SIMULATOR = """
import subprocess, sys
sys.path.insert(0, {stubs!r})
from serving import Infeasible, count_macs, serve, unique

def simulate(workload, design):
    if design["way"] == "prints":
        print("Simulating ...")
    if design["way"] == "reads":
        subprocess.run(["cat"], check=True)
    if design["way"] == "infeasible":
        raise Infeasible("the tile of conv1 does not fit")
    if design["way"] == "fails":
        raise KeyError("area")
    if design["way"] == "forgets":
        return {{"latency_cycles": 1}}
    counts = [layer["count"] for layer in unique(workload)]
    return {{"latency_cycles": count_macs(workload), "layers": len(counts), "runs": sum(counts)}}

metrics = ["latency_cycles", "layers", "runs"]
serve(simulate, simulator="test", version="3", metrics=metrics, parameters=["way"])
"""


@pytest.fixture
def simulator(tmp_path):
    path = tmp_path / "simulator.py"
    path.write_text(SIMULATOR.format(stubs=str(STUBS)))
    command = shlex.join([sys.executable, str(path)])
    simulator = ProcessSimulator(command=command, timeout_s=30.0, retries=0)
    yield simulator
    simulator.close()


def test_each_way_to_end_is_told(simulator):
    ways = np.array(["prints", "reads", "infeasible", "fails", "forgets", "prints"])
    outcomes = simulator.outcomes(TINY, {"way": ways})
    works = {"latency_cycles": float(TINY.macs), "layers": 3.0, "runs": 4.0}
    assert [outcomes.metrics.row(i) for i in range(6)] == [works, works, {}, {}, {}, works]
    assert outcomes.metrics.infeasible[2] == "the tile of conv1 does not fit"
    assert {i: str(failure) for i, failure in outcomes.failures.items()} == {
        3: "KeyError: 'area'",
        4: "KeyError: 'layers'",
    }


def test_equal_layers_are_merged_and_their_counts_added(simulator):
    fc = Layer(name="fc", K=4, C=4, count=2)
    conv = Layer(name="conv", K=4, C=4, P=3)
    workload = Workload("net", (fc, conv, Layer(name="again", K=4, C=4, count=3)))
    row = simulator.simulate(workload, {"way": np.array(["plain"])}).row(0)
    assert row == {"latency_cycles": float(workload.macs), "layers": 2.0, "runs": 6.0}
