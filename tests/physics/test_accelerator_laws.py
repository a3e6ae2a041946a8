"""Laws of physics through the whole simulator: mapper, cycle-level engine and network together."""

import numpy as np
import pytest

from accel_dse.files import load_space
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.template import bind, read_template
from accel_dse.workload import Layer, Workload
from accel_dse.workloads.load import load

EDGE = load_space("edge")
TEMPLATE = read_template(EDGE.accelerator, EDGE.space)
SIMULATOR = AcceleratorSimulator(template=TEMPLATE)
MEMORIES = (
    "pe_memory_kib",
    "core_memory_kib",
    "activation_entries",
    "parameter_entries",
    "instruction_entries",
)
NETWORK = Workload(
    "blocks",
    (
        Layer(name="stem", K=32, C=3, P=56, Q=56, R=3, S=3, stride=(2, 2)),
        Layer(name="expand", K=96, C=32, P=28, Q=28),
        Layer(name="depthwise", G=96, P=28, Q=28, R=3, S=3, follows=True),
        Layer(name="project", K=32, C=96, P=28, Q=28, follows=True),
        Layer(name="classify", K=1000, C=1280),
    ),
)


def feasible(count, seed):
    """The first `count` random designs that can run the network, and what they measure."""
    designs = EDGE.space.sample(12 * count, np.random.default_rng(seed))
    metrics = SIMULATOR.simulate(NETWORK, EDGE.space.columns(designs))
    works = [i for i, reason in enumerate(metrics.infeasible) if not reason][:count]
    assert len(works) == count
    return [designs[i] for i in works], {name: v[works] for name, v in metrics.values.items()}


DESIGNS, MEASURED = feasible(30, 0)


def one_step_more(name):
    """The numbers of designs that have a next larger value of a parameter, and metrics with it."""
    values = list(EDGE.space.parameter(name).values)
    found = [
        (i, {**design, name: values[values.index(design[name]) + 1]})
        for i, design in enumerate(DESIGNS)
        if design[name] != values[-1]
    ]
    numbers = np.array([i for i, _ in found])
    return numbers, SIMULATOR.simulate(NETWORK, EDGE.space.columns([d for _, d in found]))


def test_no_network_is_faster_than_the_peak_of_its_array():
    peak = bind(TEMPLATE, EDGE.space.columns(DESIGNS)).macs
    assert (MEASURED["latency_cycles"] >= NETWORK.macs / peak).all()
    assert (MEASURED["utilization"] <= 1).all()


def test_every_network_moves_at_least_what_it_must():
    hardware = bind(TEMPLATE, EDGE.space.columns(DESIGNS))
    # Parameters, the inputs of layers that follow nothing, the outputs of those nothing follows.
    words = NETWORK.weights
    for layer, after in zip(NETWORK.layers, (*NETWORK.layers[1:], None)):
        words += 0 if layer.follows else layer.words("inputs")
        words += layer.words("outputs") if after is None or not after.follows else 0
    # Of the strided layer's inputs the last row and column are never used.
    assert (MEASURED["dram_bytes"] >= words * hardware.word_bits[0, 0, 0] / 8).all()


def test_no_network_takes_less_energy_than_its_arithmetic():
    hardware = bind(TEMPLATE, EDGE.space.columns(DESIGNS))
    assert (MEASURED["energy_mj"] * 1e9 > NETWORK.macs * hardware.mac_pj).all()


def test_no_network_is_faster_than_its_traffic_over_the_bandwidth():
    seconds = MEASURED["dram_bytes"] / np.array([d["io_gb_per_s"] * 1e9 for d in DESIGNS])
    assert (MEASURED["latency_ms"] * 1e-3 >= seconds * (1 - 1e-9)).all()


def test_more_bandwidth_is_never_slower():
    numbers, more = one_step_more("io_gb_per_s")
    assert not any(more.infeasible)
    assert (more.values["latency_cycles"] <= MEASURED["latency_cycles"][numbers]).all()


@pytest.mark.parametrize("name", MEMORIES)
def test_more_memory_never_makes_a_design_infeasible(name):
    _, more = one_step_more(name)
    assert not any(more.infeasible)


@pytest.mark.parametrize("name", MEMORIES)
def test_more_memory_is_hardly_ever_slower(name):
    """The mapper looks at part of the map space, so a larger memory may hide what a smaller one
    made it find: rarely, and by a few per cent (`benchmarks/speed/mapper_effort.py` has figures).
    """
    numbers, more = one_step_more(name)
    slower = more.values["latency_cycles"] / MEASURED["latency_cycles"][numbers] - 1
    assert slower.max() < 0.10
    assert np.median(slower) < 1e-3
    assert (slower > 0.01).mean() < 0.1


@pytest.mark.parametrize("name", [*MEMORIES[:4], "pes_x", "cores", "lanes"])
def test_more_of_anything_takes_more_area(name):
    columns = EDGE.space.columns(DESIGNS)
    values = np.array(EDGE.space.parameter(name).values)
    room = columns[name] < values[-1]
    larger = dict(columns)
    larger[name] = values[np.minimum(np.searchsorted(values, columns[name]) + 1, len(values) - 1)]
    grown = bind(TEMPLATE, larger).area_mm2 - bind(TEMPLATE, columns).area_mm2
    assert room.any()
    assert (grown[room] > 0).all()


def test_running_a_layer_twice_takes_twice_the_time_and_the_energy():
    once, twice = (
        SIMULATOR.simulate(
            Workload("gemm", (Layer(name="gemm", K=64, C=64, P=64, count=count),)),
            EDGE.space.columns(DESIGNS),
        )
        for count in (1, 2)
    )
    for name in ("latency_cycles", "energy_mj", "dram_bytes"):
        np.testing.assert_allclose(twice.values[name], 2 * once.values[name], rtol=1e-12)


def test_a_zoo_network_keeps_the_same_bounds():
    network = load("mobilenet_v2")
    columns = EDGE.space.columns(DESIGNS[:6])
    metrics = SIMULATOR.simulate(network, columns)
    works = np.array([not reason for reason in metrics.infeasible])
    assert works.any()
    peak = bind(TEMPLATE, columns).macs
    assert (metrics.values["latency_cycles"][works] >= network.macs / peak[works]).all()
    assert (metrics.values["dram_bytes"][works] >= network.weights).all()
