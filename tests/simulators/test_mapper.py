import numpy as np
import pytest

from accel_dse.files import load_space
from accel_dse.simulators import loop_nest, mapper, timeline
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.simulators.network import ways_asked
from accel_dse.template import bind, read_template
from accel_dse.workload import Layer, Workload
from accel_dse.workloads.load import load

LAYERS = (
    Layer(name="conv", K=24, C=16, P=14, Q=14, R=3, S=3, stride=(2, 2)),
    Layer(name="pointwise", K=96, C=24, P=14, Q=14),
    Layer(name="depthwise", G=96, P=14, Q=14, R=3, S=3),
    Layer(name="gemm", P=33, K=70, C=65),
    Layer(name="vector", K=100, C=128),
)
NORMAL = mapper.EFFORTS["normal"]
TEMPLATES = ("edge", "gemmini", "simba_like", "tpu_like", "nvdla_like", "eyeriss_168")


def hardware_of(template, count, seed):
    file = load_space(template)
    columns = file.space.columns(file.space.sample(count, np.random.default_rng(seed)))
    return bind(read_template(file.accelerator, file.space), columns)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("goal", mapper.GOALS)
def test_every_finalist_is_a_valid_mapping(template, goal):
    hardware = hardware_of(template, 8, 0)
    asked = np.ones((len(LAYERS), 4), dtype=bool)
    mapped = mapper.map_layers(
        hardware, LAYERS, effort=mapper.EFFORTS["low"], goal=goal, asked=asked
    )
    design, layer = np.nonzero(mapped.found)
    assert len(design)
    many = mapped.found[design, layer]
    rows = np.concatenate(
        [first + np.arange(m) for first, m in zip(mapped.first[design, layer], many)]
    )
    assert sorted(rows) == list(range(len(mapped.mappings)))
    found = loop_nest.evaluate(
        hardware, LAYERS, mapped.mappings, np.repeat(design, many), np.repeat(layer, many), rows
    )
    assert (found.codes == 0).all()
    assert ((mapped.ways > 0) & (mapped.ways < 16)).all()


BRIEF = (
    Layer(name="depthwise", G=8, P=6, R=3),
    Layer(name="grouped", G=2, K=4, C=3, P=6),
    Layer(name="squeeze", K=8, C=32),
)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_layer_that_runs_briefly_is_mapped_in_halves_too_for_edp(template):
    """Then one half comes while the other is worked on; and each design stands alone."""
    hardware = hardware_of(template, 6, 2)
    layers = (*LAYERS[:1], *BRIEF)
    whole = mapper._search_layers(hardware, layers, NORMAL, "edp", None)
    mapped = mapper.map_layers(hardware, layers, effort=NORMAL, goal="edp")
    assert (mapped.found > whole.found).any()
    for i, j in np.argwhere(whole.found > 0):
        assert finalists_of(whole, i, j).items() <= finalists_of(mapped, i, j).items()
    assert ((mapped.found > 0) == (whole.found > 0)).all()
    design, layer = np.nonzero(mapped.found)
    many = mapped.found[design, layer]
    at = np.repeat(design, many), np.repeat(layer, many), np.arange(many.sum())
    assert (loop_nest.evaluate(hardware, layers, mapped.mappings, *at).codes == 0).all()


def test_halves_hide_the_start_of_a_brief_layer():
    hardware = hardware_of("eyeriss_168", 12, 0)
    best = {}
    for name, search in (
        ("whole", lambda: mapper._search_layers(hardware, BRIEF, NORMAL, "edp", None)),
        ("halves", lambda: mapper.map_layers(hardware, BRIEF, effort=NORMAL, goal="edp")),
    ):
        mapped = search()
        many = mapped.found[mapped.found > 0]
        design, layer = (np.repeat(at, many) for at in np.nonzero(mapped.found))
        at = design, layer, np.arange(len(design))
        cycles = timeline.simulate(hardware, BRIEF, mapped.mappings, *at).cycles
        energy = loop_nest.evaluate(hardware, BRIEF, mapped.mappings, *at).energy_pj
        best[name] = np.full(mapped.found.shape, np.inf)
        np.minimum.at(best[name], (design, layer), cycles * energy)
    works = np.isfinite(best["whole"])
    gain = best["halves"][works] / best["whole"][works]
    assert (gain <= 1).all()
    assert gain.min() < 0.9


def test_whether_a_layer_can_run_does_not_depend_on_the_effort():
    hardware = hardware_of("edge", 60, 3)
    found = {
        name: mapper.map_layers(hardware, LAYERS, effort=effort).found > 0
        for name, effort in mapper.EFFORTS.items()
    }
    assert 0 < found["normal"].mean() < 1
    assert (found["low"] == found["normal"]).all()
    assert (found["high"] == found["normal"]).all()


def test_weights_that_do_not_fit_an_inner_level_at_once_pass_it_in_parts():
    # Four array tiles of 128 x 128 weights fit the FIFO; the layer has 9 x 4 x 4 of them.
    file = load_space("tpu_like")
    design = {
        "mesh": 128,
        "unified_mib": 2,
        "accumulator_mib": 4,
        "weight_tiles": 4,
        "dram_gb_per_s": 136,
    }
    hardware = bind(read_template(file.accelerator, file.space), file.space.columns([design]))
    layer = Layer(name="layer4.0/conv2", K=512, C=512, P=7, Q=7, R=3, S=3)
    mapped = mapper.map_layers(hardware, [layer], effort=mapper.EFFORTS["low"])
    assert mapped.found[0, 0] > 0


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_has_no_mapping_says_which_level_is_too_small(template):
    hardware = hardware_of(template, 40, 9)
    mapped = mapper.map_layers(hardware, LAYERS, effort=mapper.EFFORTS["low"])
    for i in np.flatnonzero(mapped.failed() >= 0):
        j = mapped.failed()[i]
        assert "needs" in mapped.reason(i, j, hardware, LAYERS[j].name)


def test_a_design_s_mappings_do_not_depend_on_its_batch():
    hardware = hardware_of("edge", 12, 4)
    whole = mapper.map_layers(hardware, LAYERS, effort=mapper.EFFORTS["low"])
    file = load_space("edge")
    designs = file.space.sample(12, np.random.default_rng(4))
    for i in (0, 5, 11):
        one = bind(read_template(file.accelerator, file.space), file.space.columns([designs[i]]))
        alone = mapper.map_layers(one, LAYERS, effort=mapper.EFFORTS["low"])
        assert (alone.found[0] == whole.found[i]).all()
        if len(alone.mappings):
            start = whole.first[i, 0]
            part = whole.mappings.temporal[start : start + len(alone.mappings)]
            np.testing.assert_array_equal(alone.mappings.temporal, part)


def finalists_of(mapped, i, j):
    """What each finalist of a layer on a design is, and in which ways."""
    rows = mapped.first[i, j] + np.arange(mapped.found[i, j])
    found = mapped.mappings
    parts = (found.temporal, found.spatial_x, found.spatial_y, found.order)
    return {b"".join(part[row].tobytes() for part in parts): mapped.ways[row] for row in rows}


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("goal", ["latency", "edp"])
def test_a_larger_effort_hands_on_all_that_a_smaller_one_does(template, goal):
    """So whoever plays all finalists never gets a worse mapping from more effort."""
    hardware = hardware_of(template, 6, 7)
    smaller, *larger = (
        mapper.map_layers(hardware, LAYERS, effort=effort, goal=goal)
        for effort in mapper.EFFORTS.values()
    )
    assert smaller.found.any()
    for more in larger:
        for i, j in np.argwhere(smaller.found > 0):
            few, many = finalists_of(smaller, i, j), finalists_of(more, i, j)
            assert all(ways & ~many.get(one, 0) == 0 for one, ways in few.items())
        smaller = more


def best_cycles(hardware, layers, effort):
    """Cycles of the best finalist, played, `(n, u)`; infinite where there is none."""
    mapped = mapper.map_layers(hardware, layers, effort=effort)
    many = mapped.found[mapped.found > 0]
    design, layer = (np.repeat(at, many) for at in np.nonzero(mapped.found))
    rows = np.arange(len(mapped.mappings))
    played = timeline.simulate(hardware, layers, mapped.mappings, design, layer, rows).cycles
    best = np.full(mapped.found.shape, np.inf)
    np.minimum.at(best, (design, layer), played)
    return best


@pytest.mark.parametrize("template", TEMPLATES)
def test_more_effort_maps_each_layer_of_a_network_no_worse_and_some_better(template):
    hardware = hardware_of(template, 10, 5)
    layers = load("resnet18").unique()[::3] + load("mobilenet_v2").unique()[::8]
    low, normal, high = (best_cycles(hardware, layers, e) for e in mapper.EFFORTS.values())
    assert np.isfinite(low).any()
    assert (normal <= low).all()
    assert (high <= normal).all()
    works = np.isfinite(low)
    assert (high[works] / low[works]).mean() < 0.995


@pytest.mark.parametrize(("goal", "metric"), [("latency", "latency_ms"), ("energy", "energy_mj")])
def test_the_goal_is_what_gets_small(goal, metric):
    file = load_space("simba_like")
    columns = file.space.columns(file.space.sample(12, np.random.default_rng(6)))
    network = Workload("layers", LAYERS)
    template = read_template(file.accelerator, file.space)
    other = "energy" if goal == "latency" else "latency"
    by_goal = {
        name: AcceleratorSimulator(template=template, mapper_goal=name).simulate(network, columns)
        for name in (goal, other)
    }
    wanted, unwanted = (by_goal[name].values[metric] for name in (goal, other))
    assert np.isfinite(wanted).any()
    assert np.nanmean(wanted) <= np.nanmean(unwanted)


def test_a_layer_that_no_design_of_a_kind_can_run_ends_the_search_there():
    hardware = hardware_of("edge", 60, 3)
    mapped = mapper.map_layers(hardware, LAYERS, effort=mapper.EFFORTS["low"])
    failed = mapped.failed()
    assert (failed >= 0).any()
    for i in np.flatnonzero(failed >= 0):
        j = failed[i]
        assert (mapped.found[i, :j] > 0).all()
        assert (mapped.found[i, j:] == 0).all()
        assert mapped.reason(i, j, hardware, LAYERS[j].name).startswith(LAYERS[j].name)


def test_only_ways_that_the_network_may_need_are_asked_for():
    network = Workload(
        "chain",
        (
            Layer(name="a", K=8, C=8, P=4),
            Layer(name="b", K=8, C=8, P=4, R=3, follows=True),
            Layer(name="c", K=8, C=4, P=4),
        ),
    )
    # b's inputs may arrive, a's outputs may stay; c stands alone.
    assert ways_asked(network).tolist() == [
        [True, True, False, False],
        [True, False, True, False],
        [True, False, False, False],
    ]
