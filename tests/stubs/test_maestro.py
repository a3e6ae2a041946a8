"""MAESTRO's stub: what it asks of the tool, and what it makes of the report."""

import pytest

from accel_dse.workload import Layer, Workload

from .conftest import TINY

DESIGN = {
    "clusters": [4, 8],
    "cluster_pes": [4, 8],
    "l1_bytes": [512, 512],
    "l2_kib": [64, 64],
    "noc_words_per_cycle": [16, 16],
    "dram_words_per_cycle": [8, 8],
}
FIRST = {name: column[:1] for name, column in DESIGN.items()}


def one(layer):
    return Workload("one", (layer,))


def test_a_tiny_network_is_measured_within_the_bounds_of_physics(stub):
    values = stub.measure(TINY, **DESIGN).values
    for i in range(2):
        pes = DESIGN["clusters"][i] * DESIGN["cluster_pes"][i]
        assert values["latency_cycles"][i] >= TINY.macs / pes
        assert values["utilization"][i] == pytest.approx(
            TINY.macs / values["latency_cycles"][i] / pes
        )
    assert values["area_mm2"][0] < values["area_mm2"][1]


def test_weights_from_dram_bound_a_layer_that_uses_them_once(stub):
    layer = Layer(name="vector", K=64, C=64)
    slow, fast = (
        stub.measure(one(layer), **FIRST | {"dram_words_per_cycle": [words]}).values
        for words in (1, 1000)
    )
    assert slow["latency_cycles"] >= layer.words("weights") > fast["latency_cycles"]


def test_groups_and_images_are_run_one_after_the_other(stub):
    single = stub.measure(one(Layer(name="single", P=4, Q=4, R=3, S=3)), **FIRST).values
    grouped = stub.measure(one(Layer(name="grouped", N=2, G=8, P=4, Q=4, R=3, S=3)), **FIRST).values
    assert grouped["latency_cycles"] == 16 * single["latency_cycles"]
    assert grouped["energy_mj"] == pytest.approx(16 * single["energy_mj"])
    assert grouped["area_mm2"] == single["area_mm2"]


def test_a_dilated_layer_runs_as_the_matrix_multiply_it_is(stub):
    dilated = Layer(name="dilated", K=4, C=2, P=3, Q=3, R=3, S=3, dilation=(2, 2))
    multiply = Layer(name="multiply", K=4, C=18, P=3, Q=3)
    values, same = (stub.measure(one(layer), **FIRST).values for layer in (dilated, multiply))
    assert values == same


def test_a_buffer_that_is_too_small_is_infeasible(stub):
    weights, inputs, outputs = 4 * 4 * 9, 4 * 9, 4  # 4 output and 4 input channels of a 3x3 window
    needed = 2 * (weights + inputs + outputs)  # one half is filled while the other is used
    assert stub.measure(TINY, **FIRST | {"l2_kib": [0]}).infeasible == (
        f"conv needs {needed} bytes of L2, there are 0",
    )
    assert "bytes of L1" in stub.measure(TINY, **FIRST | {"l1_bytes": [8]}).infeasible[0]
