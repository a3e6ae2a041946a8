"""ZigZag's stub: what it asks of the tool, and what it makes of the answer."""

import pytest

from accel_dse.workload import Layer, Workload

from .conftest import TINY

EXTRA = "--lpf-limit 4"
DESIGN = {
    "rows": [8, 16],
    "columns": [8, 16],
    "weight_bytes": [1, 16],
    "buffer_kib": [16, 64],
    "dram_bits_per_cycle": [64, 64],
}


def test_a_tiny_network_is_mapped_within_the_bounds_of_physics(stub):
    values = stub.measure(TINY, **DESIGN).values
    for i in range(2):
        pes = DESIGN["rows"][i] * DESIGN["columns"][i]
        cycles = values["latency_cycles"][i]
        assert cycles >= TINY.macs / pes
        bits = 8 * sum(layer.count * layer.words("weights") for layer in TINY.layers)
        assert cycles >= bits / DESIGN["dram_bits_per_cycle"][i]
        assert values["utilization"][i] == pytest.approx(TINY.macs / cycles / pes)
        macs_mj = 0.3e-9 * TINY.macs
        assert values["energy_mj"][i] >= macs_mj + 20e-9 * bits


def test_a_layer_that_runs_twice_costs_twice_as_much(stub):
    design = {name: column[:1] for name, column in DESIGN.items()}
    layer = Layer(name="fc", K=10, C=16, P=4)
    once = stub.measure(Workload("once", (layer,)), **design).values
    twice = stub.measure(Workload("twice", (layer, layer)), **design).values
    assert twice["latency_cycles"] == 2 * once["latency_cycles"]
    assert twice["energy_mj"] == 2 * once["energy_mj"]
    assert twice["utilization"] == once["utilization"]


def test_a_buffer_too_small_for_any_tile_is_infeasible(stub):
    design = {name: column[:1] for name, column in DESIGN.items()} | {"buffer_kib": [0]}
    (reason,) = stub.measure(
        Workload("one", (Layer(name="fc", K=10, C=16, P=4),)), **design
    ).infeasible
    assert reason.startswith("no mapping of fc fits")
