"""Layers and mappings that make no sense are refused by name; huge ones are counted exactly."""

import numpy as np
import pytest

from accel_dse.errors import SimulatorError, WorkloadError
from accel_dse.files import load_space
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.template import bind, read_template
from accel_dse.workload import Layer, VectorOp, Workload
from accel_dse.workloads import operators
from accel_dse.workloads.network import Network

SPACES = ("edge", "eyeriss_168", "gemmini", "simba_like", "tpu_like", "nvdla_like")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"K": 0}, "layer 'a': K: expected a whole number from 1 to 2^31-1, got 0"),
        ({"C": -3}, "layer 'a': C: expected a whole number from 1 to 2^31-1, got -3"),
        ({"P": 2**31}, "layer 'a': P: expected a whole number from 1 to 2^31-1, got 2147483648"),
        ({"Q": 2.0}, "layer 'a': Q: expected a whole number from 1 to 2^31-1, got 2.0"),
        ({"N": np.int64(4)}, "layer 'a': N: expected a whole number"),
        ({"stride": (0, 1)}, "layer 'a': stride: expected two, >= 1, got (0, 1)"),
        ({"stride": (1,)}, "layer 'a': stride: expected two, >= 1, got (1,)"),
        ({"dilation": (1, 2**31)}, "layer 'a': dilation: expected two, >= 1"),
        ({"count": 0}, "layer 'a': count: must be at least 1, got 0"),
        ({"K": 2**30, "C": 2**30, "P": 8}, "layer 'a': too large to count in 64 bits"),
        ({"K": 2**30, "count": 2**40}, "layer 'a': too large to count in 64 bits"),
        ({"P": 2**30, "stride": (2**30, 1), "C": 64}, "layer 'a': too large to count in 64 bits"),
    ],
)
def test_a_layer_that_cannot_be_is_refused_with_its_dimension(given, message):
    with pytest.raises(WorkloadError) as caught:
        Layer(name="a", **given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reads": -1}, "'pool': reads: got -1"),
        ({"operations": 2**63}, "'pool': operations: got"),
        ({"count": 0}, "'pool': count: must be at least 1, got 0"),
    ],
)
def test_work_that_cannot_be_is_refused(given, message):
    with pytest.raises(WorkloadError) as caught:
        VectorOp(**{"name": "pool", "reads": 4, "writes": 1, "operations": 4, **given})
    assert message in str(caught.value)


@pytest.mark.parametrize(("channels", "outputs", "groups"), [(6, 8, 4), (8, 6, 4), (8, 8, 0)])
def test_channels_that_do_not_divide_into_groups_are_refused(channels, outputs, groups):
    net = Network("net")
    x = net.input(1, channels, 8, 8)
    w = net.stored(outputs, max(1, channels // max(1, groups)), 3, 3)
    with pytest.raises(WorkloadError) as caught:
        operators.convolution(net, "conv", x, w, (1, outputs, 6, 6), groups=groups)
    assert str(caught.value).startswith(f"conv: {channels} input channels do not fit")
    assert f"{outputs} output channels and {groups} groups" in str(caught.value)


def simulator(name, **options):
    file = load_space(name)
    design = next(iter(file.references.values())).design
    return (
        AcceleratorSimulator(template=read_template(file.accelerator, file.space), **options),
        file.space.columns([design]),
    )


HUGE = [
    Layer(name="wide", K=2**20, C=2**20, P=2**10),
    Layer(name="long", P=2**31 - 1, C=3, K=5),
    Layer(name="image", P=2**15, Q=2**15, C=64, K=64, R=3, S=3),
    Layer(name="prime", P=1_000_003, K=999_983, C=999_979),
    Layer(name="apart", P=2**15, C=8, K=8, stride=(2**14, 1)),
]


@pytest.mark.parametrize("fidelity", ["cycle", "analytical"])
@pytest.mark.parametrize("layer", HUGE, ids=lambda layer: layer.name)
@pytest.mark.parametrize("name", SPACES)
def test_a_huge_layer_takes_as_long_as_its_arithmetic_or_is_refused_in_words(name, layer, fidelity):
    sim, columns = simulator(name, fidelity=fidelity)
    try:
        metrics = sim.simulate(Workload("huge", (layer,)), columns)
    except SimulatorError as error:
        if "too many cycles to count in 64 bits" not in str(error):
            raise
        return
    if metrics.infeasible[0]:
        assert layer.name in metrics.infeasible[0]
        return
    row = metrics.row(0)
    assert all(np.isfinite(value) and value > 0 for value in row.values())
    assert 0 < row["utilization"] <= 1
    must = layer.words("weights") + layer.words("outputs")
    assert row["dram_bytes"] >= must
    assert row["latency_cycles"] * row["utilization"] == pytest.approx(
        layer.macs / peak(sim, columns)
    )


def peak(sim, columns):
    return float(bind(sim.template, columns).macs[0])
