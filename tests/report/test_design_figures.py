"""The best design as figures: what they show is what was measured."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread
from pages import run, study
from test_inside import CHAIN, PROBLEM, REFERENCE, SIMULATOR

from accel_dse.errors import OptionError
from accel_dse.problem import Objective, Problem
from accel_dse.report import design_figures, paper
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.inside import inside
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.trial import Outcome, Trial

ANALYTICAL = AcceleratorSimulator(template=SIMULATOR.template, fidelity="analytical")


@pytest.fixture(scope="module")
def told():
    return inside(SIMULATOR, CHAIN, REFERENCE)


@pytest.fixture(scope="module")
def found():
    metrics = SIMULATOR.simulate(CHAIN, PROBLEM.space.columns([REFERENCE])).row(0)
    goal = {"objectives": ["minimize latency_ms"], "limits": []}
    trial = Trial(index=0, design=REFERENCE, outcome=Outcome.FEASIBLE, metrics=metrics)
    return run([trial], problem=study().problem | goal)


def heights(axes):
    """Of all parts of a bar together, by place."""
    parts = [[bar.get_height() for bar in container] for container in axes.containers]
    return np.array(parts).sum(axis=0)


def test_time_and_energy_of_the_bars_are_those_of_the_layers(told):
    figure = design_figures.design(told, "a design")
    roof, _, time, energy = figure.axes
    assert roof.get_title(loc="left") == "Roofline"
    assert heights(time) == pytest.approx([row["cycles"] for row in told["layers"]])
    layers = [row["energy_mj"] * 1e3 for row in told["layers"][:4]]
    assert heights(energy) == pytest.approx(layers)
    names = [label.get_text() for label in time.get_xticklabels()]
    assert names[:2] == ["expand", "depthwise"]


def test_no_dot_is_above_the_roof(told):
    roof = design_figures.design(told, "a design").axes[0]
    [line] = roof.get_lines()
    dots = np.concatenate([dots.get_offsets() for dots in roof.collections])
    assert len(dots) == sum(row["macs"] > 0 and row["dram_bytes"] > 0 for row in told["layers"])
    ceiling = np.interp(dots[:, 0], line.get_xdata(), line.get_ydata())
    assert (dots[:, 1] <= 1.02 * ceiling).all(), "straight lines between points are below the roof"


def test_a_timeline_names_what_the_array_waits_for(told):
    figure = design_figures.timeline(told, "a design")
    assert len(figure.axes) == len(told["timelines"])
    named = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    stalls = {e[1] for one in told["timelines"] for e in one["events"] if e[2] == "stall" and e[4]}
    assert stalls
    shown = {name.removeprefix("waits: ") for name in named if name.startswith("waits: ")}
    assert shown == stalls or (len(shown) == len(design_figures.WAITS) and shown < stalls)
    for axes, one in zip(figure.axes, told["timelines"]):
        assert [label.get_text() for label in axes.get_yticklabels()] == one["lanes"]


def test_where_causes_overlap_all_cycles_of_a_layer_count_for_the_largest():
    told = inside(ANALYTICAL, CHAIN, REFERENCE)
    names, parts = design_figures.time_by_layer(told)
    assert len(names) == len(told["layers"])
    assert all(name.startswith("bound by ") for name in parts)
    assert sum(parts.values()) == pytest.approx([row["cycles"] for row in told["layers"]])


def test_a_study_becomes_three_figures_or_one_file_of_three_pages(found, tmp_path):
    lab = Lab(problem=PROBLEM, simulator=SIMULATOR)
    drawn = paper.save([found], lab, "edge", tmp_path / "f.png")
    assert [path.name for path in drawn] == ["f.png", "f_design.png", "f_timeline.png"]
    for path in drawn:
        assert imread(path).std() > 0.01, "it is not blank"
    [path] = paper.save([found], lab, "edge", tmp_path / "f.pdf")
    assert path.read_bytes().count(b"/Type /Page ") == 3


def test_each_network_of_a_study_has_figures_of_its_own(found):
    other = replace(CHAIN, name="other")
    problem = Problem(PROBLEM.space, ((CHAIN, 1.0), (other, 2.0)), (Objective("latency_ms"),))
    lab = Lab(problem=problem, simulator=ANALYTICAL)
    names = [name for name, _ in paper.drawings([found], lab, "edge")]
    assert names == ["", "_design_1", "_design_2"], "the analytical model has no timeline"


def test_without_a_simulator_or_a_design_only_the_search_is_drawn(found, tmp_path):
    [path] = paper.save([found], Lab(reason="gone"), "edge", tmp_path / "f.svg")
    assert path.name == "f.svg"
    nothing = run([], problem=found.study.problem)
    lab = Lab(problem=PROBLEM, simulator=SIMULATOR)
    assert [name for name, _ in paper.drawings([nothing], lab, "edge")] == [""]


def test_a_figure_that_cannot_be_written_is_an_error_of_one_line(found, tmp_path):
    for name, complaint in (("f.xls", "cannot draw this"), ("no/f.pdf", "cannot be written")):
        with pytest.raises(OptionError, match=complaint):
            paper.save([found], Lab(), "edge", tmp_path / name)
