import numpy as np
import pytest
from pages import run

from accel_dse.files import load_space
from accel_dse.problem import Objective, Problem
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.content import content
from accel_dse.report.inside import TIMELINES, inside
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.simulators.base import Simulator
from accel_dse.template import read_template
from accel_dse.trial import Outcome, Trial
from accel_dse.workload import Layer, VectorOp, Workload

EDGE = load_space("edge")
REFERENCE = dict(EDGE.references["edge_tpu_like"].design)
CHAIN = Workload(
    "chain",
    (
        Layer(name="expand", K=96, C=16, P=28, Q=28),
        Layer(name="depthwise", G=96, P=28, Q=28, R=3, S=3, follows=True),
        Layer(name="project", K=24, C=96, P=28, Q=28, follows=True),
        Layer(name="again", K=96, C=16, P=28, Q=28, count=2),
    ),
    (VectorOp(name="add", reads=2 * 24 * 28 * 28, writes=24 * 28 * 28, operations=24 * 28 * 28),),
)
PROBLEM = Problem(EDGE.space, ((CHAIN, 1.0),), (Objective("latency_ms"),))
SIMULATOR = AcceleratorSimulator(template=read_template(EDGE.accelerator, EDGE.space))


class Mute(Simulator):
    def simulate(self, workload, designs):
        raise AssertionError("nothing is asked of it")


@pytest.fixture(scope="module")
def story():
    return inside(SIMULATOR, CHAIN, REFERENCE)


@pytest.fixture(scope="module")
def metrics():
    return SIMULATOR.simulate(CHAIN, EDGE.space.columns([REFERENCE])).row(0)


def test_energy_by_layer_and_component_adds_up_to_what_was_measured(story, metrics):
    energy = story["energy"]
    layers = np.array(energy["layers"])
    assert layers.shape == (4, len(energy["components"]))
    assert (layers >= 0).all()
    total = layers.sum() + energy["vector_mj"] + energy["static_mj"]
    assert total == pytest.approx(metrics["energy_mj"], rel=1e-9)
    dynamic = [row["energy_mj"] for row in story["layers"][:4]]
    assert layers.sum(axis=1) == pytest.approx(dynamic, rel=1e-9)


def test_multiplications_cost_the_same_wherever_the_data_come_from(story):
    column = [row[0] for row in story["energy"]["layers"]]
    macs = [layer.macs * layer.count for layer in CHAIN.layers]
    assert np.array(column) / column[0] == pytest.approx(np.array(macs) / macs[0])


def test_no_layer_is_above_the_roof(story):
    peak = story["peak"]
    for row in story["layers"][:4]:
        rate = row["macs"] / row["cycles"]
        assert rate <= peak["macs_per_cycle"]
        if row["dram_bytes"]:
            assert rate <= peak["dram_bytes_per_cycle"] * row["macs"] / row["dram_bytes"] * 1.001


def test_timelines_are_of_the_layers_that_take_longest_and_as_long_as_they(story):
    cycles = {row["layer"]: row["cycles"] / row["runs"] for row in story["layers"]}
    time = {row["layer"]: row["cycles"] for row in story["layers"][:4]}
    shown = [one["layer"] for one in story["timelines"]]
    assert len(shown) == TIMELINES
    assert time[shown[0]] == max(time.values())
    for one in story["timelines"]:
        assert one["cycles"] == cycles[one["layer"]]
        for lane, _, _, start, length in one["events"]:
            assert 0 <= lane < len(one["lanes"])
            assert 0 <= start <= start + length <= one["cycles"]


def test_every_layer_has_its_mapping_as_a_loop_nest(story):
    assert set(story["mappings"]) == {layer.name for layer in CHAIN.layers}
    for text in story["mappings"].values():
        assert text.splitlines()[-1].strip() == "multiply-accumulate"


def test_a_design_that_cannot_run_has_a_reason_and_nothing_else():
    found = inside(SIMULATOR, CHAIN, {**REFERENCE, "activation_entries": 256, "cores": 256})
    assert set(found) == {"reason"}
    assert "core_registers" in found["reason"]


def test_a_simulator_that_cannot_tell_layers_apart_is_not_asked():
    assert inside(Mute(), CHAIN, REFERENCE) == {"reason": "Mute does not tell layers apart"}


def test_references_are_measured_like_any_design_and_the_best_is_looked_into(metrics):
    trial = Trial(index=0, design=REFERENCE, outcome=Outcome.FEASIBLE, metrics=metrics)
    lab = Lab(problem=PROBLEM, simulator=SIMULATOR, references={"known": REFERENCE},
              descriptions={"known": "as published"})  # fmt: skip
    [reference] = lab.measured_references()["designs"]
    assert reference["metrics"] == metrics
    assert (reference["accepted"], reference["reason"]) == (True, "")
    assert reference["description"] == "as published"
    looked = lab.looked_into([("trial 0", trial)])
    assert [one["design"] for one in looked["designs"]] == ["trial 0", "known"]
    assert looked["warning"] == ""
    goal = {"problem": {"space": {"name": "edge"}, "workloads": [{"name": "chain", "weight": 1}],
            "aggregate": "mean", "objectives": ["minimize latency_ms"], "limits": []}}  # fmt: skip
    parts = content([run([trial], **goal)], lab)
    assert parts["inside"]["designs"][0]["design"] == "trial 0", "as the page calls it"


def test_a_simulator_that_answers_otherwise_than_the_log_is_told(metrics):
    then = {**metrics, "latency_ms": metrics["latency_ms"] * 2}
    trial = Trial(index=7, design=REFERENCE, outcome=Outcome.FEASIBLE, metrics=then)
    lab = Lab(problem=PROBLEM, simulator=SIMULATOR)
    warning = lab.looked_into([("trial 7", trial)])["warning"]
    assert warning.startswith("trial 7 simulated again differs from the log: latency_ms was")
    assert "energy_mj" not in warning


def test_without_a_simulator_the_reason_is_told():
    lab = Lab(reason="the space has changed")
    assert lab.measured_references() == {"reason": "the space has changed", "designs": []}
    assert lab.looked_into([])["reason"] == "the space has changed"
