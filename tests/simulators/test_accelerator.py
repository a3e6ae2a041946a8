import json

import numpy as np
import pytest

from accel_dse.errors import DesignError, OptionError
from accel_dse.files import load_space
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.template import read_template
from accel_dse.testing import check_simulator
from accel_dse.workload import Layer, VectorOp, Workload

EDGE = load_space("edge")
TEMPLATE = read_template(EDGE.accelerator, EDGE.space)
REFERENCE = dict(next(iter(EDGE.references.values())).design)
CHAIN = Workload(
    "chain",
    (
        Layer(name="expand", K=96, C=16, P=28, Q=28),
        Layer(name="depthwise", G=96, P=28, Q=28, R=3, S=3, follows=True),
        Layer(name="project", K=24, C=96, P=28, Q=28, follows=True),
        Layer(name="again", K=96, C=16, P=28, Q=28),
    ),
    (VectorOp(name="add", reads=2 * 24 * 28 * 28, writes=24 * 28 * 28, operations=24 * 28 * 28),),
)


def columns(**changed):
    return {name: np.array([value]) for name, value in {**REFERENCE, **changed}.items()}


def simulator(**options):
    return AcceleratorSimulator(template=TEMPLATE, **options)


@pytest.mark.parametrize("fidelity", ["cycle", "analytical"])
def test_layers_and_vector_operations_add_up_to_the_network(fidelity):
    sim = simulator(fidelity=fidelity)
    metrics = sim.simulate(CHAIN, columns()).row(0)
    rows = sim.explain(CHAIN, REFERENCE).rows
    assert sum(row["cycles"] for row in rows) == pytest.approx(metrics["latency_cycles"])
    assert sum(row["dram_bytes"] for row in rows) == pytest.approx(metrics["dram_bytes"])
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert sum(row["energy_mj"] for row in rows) < metrics["energy_mj"]


def test_what_every_layer_waits_for_adds_up_to_its_cycles():
    for row in simulator().explain(CHAIN, REFERENCE).rows[:-1]:
        assert sum(row["waits"].values()) == row["cycles"]
        assert row["bottleneck"] in row["waits"]


def test_activations_that_fit_on_the_chip_are_not_sent_to_dram():
    together = simulator().simulate(CHAIN, columns()).row(0)
    apart = Workload(
        "apart",
        tuple(Layer(name=a.name, **dict(zip("NGKCPQRS", a.dims))) for a in CHAIN.layers),
        CHAIN.vector_ops,
    )
    alone = simulator().simulate(apart, columns()).row(0)
    saved = 2 * (CHAIN.layers[0].words("outputs") + CHAIN.layers[1].words("outputs"))
    assert alone["dram_bytes"] - together["dram_bytes"] >= 0.9 * saved
    assert together["latency_cycles"] < alone["latency_cycles"]


def test_a_network_moves_at_least_what_it_must():
    metrics = simulator().simulate(CHAIN, columns()).row(0)
    must = CHAIN.weights + CHAIN.layers[0].words("inputs") + CHAIN.layers[-1].words("outputs")
    assert metrics["dram_bytes"] >= must
    assert metrics["latency_cycles"] >= CHAIN.macs / (4 * 4 * 4 * 32 * 4)


def test_units_agree():
    row = simulator().simulate(CHAIN, columns()).row(0)
    assert row["latency_ms"] == pytest.approx(row["latency_cycles"] / 0.8e9 * 1e3)
    assert row["edp"] == pytest.approx(row["energy_mj"] * row["latency_ms"])
    assert row["power_w"] == pytest.approx(row["energy_mj"] / row["latency_ms"])


def test_an_infeasible_design_says_which_layer_needs_what_of_which_level():
    design = columns(activation_entries=256, cores=256, lanes=32)
    found = simulator().simulate(CHAIN, design)
    assert found.infeasible[0].startswith("expand: smallest tile needs")
    assert "core_registers" in found.infeasible[0]
    assert np.isnan(found.values["latency_ms"][0])
    with pytest.raises(DesignError, match="cannot run chain"):
        simulator().explain(CHAIN, {name: column[0] for name, column in design.items()})


def test_the_analytical_model_is_never_slower_than_the_cycle_level_one():
    designs = EDGE.space.columns(EDGE.space.sample(40, np.random.default_rng(1)))
    exact = simulator(fidelity="cycle").simulate(CHAIN, designs)
    ideal = simulator(fidelity="analytical").simulate(CHAIN, designs)
    assert exact.infeasible == ideal.infeasible
    works = np.isfinite(exact.values["latency_ms"])
    assert works.any()
    assert (ideal.values["latency_ms"][works] <= exact.values["latency_ms"][works] + 1e-12).all()


def test_the_simulator_keeps_its_contract():
    designs = EDGE.space.columns(EDGE.space.sample(24, np.random.default_rng(2)))
    check_simulator(simulator(mapper_effort="low"), CHAIN, designs)


def test_a_trace_lasts_as_long_as_the_layers(tmp_path):
    sim = simulator()
    sim.trace(CHAIN, REFERENCE, tmp_path / "trace.json")
    written = json.loads((tmp_path / "trace.json").read_text())
    rows = sim.explain(CHAIN, REFERENCE).rows
    assert written["otherData"]["cycles"] == sum(row["cycles"] for row in rows)
    events = [event for event in written["traceEvents"] if event["ph"] == "X"]
    assert max(event["ts"] + event["dur"] for event in events) == written["otherData"]["cycles"]
    assert {"name", "ph", "ts", "dur", "pid", "tid"} <= set(events[0])


@pytest.mark.parametrize(
    "options", [{"fidelity": "rough"}, {"mapper_effort": "most"}, {"mapper_goal": "area"}]
)
def test_an_unknown_option_is_refused_with_what_is_known(options):
    with pytest.raises(OptionError) as caught:
        simulator(**options)
    assert "known:" in caught.value.hint


def test_a_trace_of_the_analytical_model_is_refused(tmp_path):
    with pytest.raises(OptionError, match="cycle-level"):
        simulator(fidelity="analytical").trace(CHAIN, REFERENCE, tmp_path / "trace.json")


def test_a_mapping_is_shown_as_a_loop_nest():
    text = simulator().explain(CHAIN, REFERENCE).mappings["expand"]
    assert "[pe_memory]" in text
    assert text.endswith("multiply-accumulate")
    assert "# across x" in text


def test_storage_never_holds_more_than_there_is():
    for row in simulator().explain(CHAIN, REFERENCE).storage:
        assert 0 < row["share"] <= 1


def test_the_parts_of_the_area_add_up_to_the_chip():
    measured = simulator().simulate(CHAIN, {k: np.array([v]) for k, v in REFERENCE.items()})
    parts = simulator().explain(CHAIN, REFERENCE).area
    assert [part["part"] for part in parts[:2]] == ["dram interface", "pe_memory"]
    assert sum(part["mm2"] for part in parts) == pytest.approx(measured.values["area_mm2"][0])
    assert sum(part["share"] for part in parts) == pytest.approx(1.0)
    assert all(part["mm2"] > 0 for part in parts)


def test_no_designs_give_no_results():
    empty = simulator().simulate(
        CHAIN, {name: np.array([value])[:0] for name, value in REFERENCE.items()}
    )
    assert len(empty) == 0
    assert empty.values["latency_cycles"].shape == (0,)
