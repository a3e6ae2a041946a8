from dataclasses import replace

import numpy as np
import pytest

from accel_dse.errors import DesignError
from accel_dse.files import load_space
from accel_dse.mapping_space import LayerMapping, mapping_space
from accel_dse.parameters import Ordinal
from accel_dse.simulators import loop_nest, timeline
from accel_dse.space import DesignSpace
from accel_dse.template import bind, read_template
from accel_dse.workload import Layer, Workload

CONV = Layer(name="conv.1", K=8, C=6, P=12, Q=12, R=3, S=3, stride=(2, 2))
STRIDED = Layer(name="strided", K=16, C=4, P=10, Q=10, R=8, S=8, stride=(4, 4), count=3)
DEPTHWISE = Layer(name="depthwise", G=12, P=14, Q=14, R=3, S=3)
GEMM = Layer(name="gemm", P=20, K=30, C=24)

EYERISS = load_space("eyeriss_168")
TEMPLATE = read_template(EYERISS.accelerator, EYERISS.space)


def template_of(name):
    file = load_space(name)
    return file, read_template(file.accelerator, file.space)


def on_hardware(design, mapping):
    """The mappings of one layer on one hardware design."""
    fixed = [Ordinal(name, (value,)) for name, value in design.items()]
    return DesignSpace(
        "fixed", (*fixed, *mapping.parameters), mapping.constraints, mapping.features
    )


def counted(template, mapping, columns):
    """What the analytical model says of mappings, each on its own hardware."""
    own = {p.name for p in mapping.parameters}
    hardware = bind(template, {k: v for k, v in columns.items() if k not in own})
    rows = np.arange(len(hardware))
    return loop_nest.evaluate(
        hardware,
        [mapping.layer],
        mapping.mappings(columns),
        rows,
        np.zeros_like(rows),
        rows,
        detail=True,
    )


@pytest.mark.parametrize("layer", [CONV, STRIDED, DEPTHWISE, GEMM], ids=lambda layer: layer.name)
@pytest.mark.parametrize("ragged", [False, True])
def test_every_sampled_mapping_is_valid_for_the_simulator(layer, ragged):
    mapping = LayerMapping(TEMPLATE, layer, ragged)
    space = mapping_space(EYERISS.space, TEMPLATE, Workload("net", (layer,)), ragged=ragged)
    columns = space.sample_columns(40, np.random.default_rng(0))
    found = counted(TEMPLATE, mapping, columns)
    assert [found.reason(i) for i in range(40)] == [""] * 40


@pytest.mark.parametrize("layer", [CONV, GEMM], ids=lambda layer: layer.name)
def test_the_constraints_refuse_what_the_simulator_refuses_and_nothing_else(layer):
    mapping = LayerMapping(TEMPLATE, layer)
    design = dict(EYERISS.references["eyeriss"].design)
    space = on_hardware(design, mapping)
    columns = space.draw_columns(20_000, np.random.default_rng(0))
    near = space.sample_columns(50, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    for name, column in columns.items():
        spread = rng.permutation(len(column))[:10_000]
        if name in {p.name for p in mapping.parameters}:
            keep = spread[rng.random(len(spread)) < 0.7]
            column[keep] = near[name][keep % 50]
    allowed = space.satisfied(columns)
    found = counted(TEMPLATE, mapping, columns)
    assert (allowed == (found.codes == 0)).all()
    assert 50 < allowed.sum() < 19_000


def test_wired_fan_out_and_derived_values_are_kept_too():
    for name in ("tpu_like", "simba_like", "gemmini"):
        file, template = template_of(name)
        mapping = LayerMapping(template, GEMM, ragged=True)
        space = mapping_space(file.space, template, Workload("net", (GEMM,)), ragged=True)
        found = counted(template, mapping, space.sample_columns(20, np.random.default_rng(0)))
        assert (found.codes == 0).all(), (name, [found.reason(i) for i in range(20)])


def test_the_features_follow_the_counts_of_the_simulator():
    mapping = LayerMapping(TEMPLATE, GEMM)
    space = on_hardware(dict(EYERISS.references["eyeriss"].design), mapping)
    columns = space.sample_columns(300, np.random.default_rng(0))
    features = space.feature_values(columns)
    levels = counted(TEMPLATE, mapping, columns).levels
    tile = np.log2(levels.tile_words[:, 2, 0])
    np.testing.assert_allclose(features["gemm__weights_in_pe"], tile, atol=1e-9)
    filled = np.log2(levels.total_fills[:, 1, 1])
    ranks = np.argsort(np.argsort(np.stack([features["gemm__inputs_to_global_buffer"], filled])))
    assert np.corrcoef(ranks)[0, 1] > 0.95


@pytest.mark.parametrize(
    "layer",
    [
        replace(CONV, K=64, C=64, P=56, Q=56),
        replace(STRIDED, P=20, Q=20),
        replace(GEMM, P=128, K=512, C=512),
    ],
    ids=lambda layer: layer.name,
)
def test_the_feature_of_time_follows_the_played_cycles(layer):
    mapping = LayerMapping(TEMPLATE, layer)
    space = on_hardware(dict(EYERISS.references["eyeriss"].design), mapping)
    columns = space.sample_columns(300, np.random.default_rng(0))
    hardware = bind(TEMPLATE, {name: columns[name] for name in EYERISS.space.names})
    rows, zeros = np.arange(300), np.zeros(300, dtype=np.int64)
    played = timeline.simulate(hardware, [layer], mapping.mappings(columns), rows, zeros, rows)
    features = space.feature_values(columns)
    estimate = features[f"{mapping.prefix}__cycles"]
    cycles = np.log2(played.cycles)
    parallel = features[f"{mapping.prefix}__parallel"]
    told = np.corrcoef(estimate, cycles)[0, 1]
    assert told > 0.88
    assert told > np.corrcoef(-parallel, cycles)[0, 1] + 0.05


def test_the_feature_of_dram_traffic_is_what_the_simulator_counts():
    mapping = LayerMapping(TEMPLATE, GEMM)
    space = on_hardware(dict(EYERISS.references["eyeriss"].design), mapping)
    columns = space.sample_columns(100, np.random.default_rng(0))
    levels = counted(TEMPLATE, mapping, columns).levels
    words = levels.total_reads[:, 0].sum(axis=1) + levels.total_updates[:, 0].sum(axis=1)
    bits = 2.0 ** space.feature_values(columns)["gemm__bits_of_dram"]
    np.testing.assert_allclose(bits, 16 * words)


def test_inputs_are_fetched_once_where_the_window_slides():
    mapping = LayerMapping(TEMPLATE, STRIDED)
    space = on_hardware(dict(EYERISS.references["eyeriss"].design), mapping)
    columns = space.sample_columns(400, np.random.default_rng(0))
    sent = 2.0 ** space.feature_values(columns)["strided__inputs_to_global_buffer"]
    fills = counted(TEMPLATE, mapping, columns).levels.total_fills[:, 1, 1]
    exact = np.isclose(sent, fills)
    assert exact.mean() > 0.7
    assert (sent[~exact] > fills[~exact]).mean() > 0.9  # it slides on across loops


def test_each_distinct_layer_has_one_mapping():
    twice = Workload("net", (CONV, GEMM, replace(CONV, name="conv.2")))
    space = mapping_space(EYERISS.space, TEMPLATE, twice)
    layers = {name.partition("__")[0] for name in space.names if "__" in name}
    assert layers == {"conv_1", "gemm"}
    assert set(EYERISS.space.names) < set(space.names)


def test_different_layers_of_one_name_are_refused():
    clash = Workload("net", (CONV, replace(GEMM, name="conv_1")))
    with pytest.raises(DesignError, match="two layers are named 'conv_1'"):
        mapping_space(EYERISS.space, TEMPLATE, clash)


def test_few_raw_draws_are_valid_so_that_sampling_must_not_be_by_chance():
    space = on_hardware(dict(EYERISS.references["eyeriss"].design), LayerMapping(TEMPLATE, CONV))
    assert 0 < space.share_valid(50_000, np.random.default_rng(0)) < 0.02


def test_hardware_without_a_valid_mapping_says_which_rule_refuses():
    design = dict(EYERISS.references["eyeriss"].design) | {"r_whole": 1, "s_whole": 1}
    space = on_hardware(design, LayerMapping(TEMPLATE, STRIDED))
    with pytest.raises(DesignError, match=r"\(strided: pe holds . whole\) rejects"):
        space.sample(1, np.random.default_rng(0))


def test_the_order_of_the_innermost_loops_changes_nothing():
    mapping = LayerMapping(TEMPLATE, CONV)
    space = on_hardware(dict(EYERISS.references["eyeriss"].design), mapping)
    columns = space.sample_columns(60, np.random.default_rng(0))
    hardware = bind(TEMPLATE, {name: columns[name] for name in EYERISS.space.names})
    one = mapping.mappings(columns)
    order = one.order.copy()
    order[:, -1] = order[:, -1, ::-1]
    other = replace(one, order=order)
    rows, zeros = np.arange(60), np.zeros(60, dtype=np.int64)
    costs = []
    for mappings in (one, other):
        found = loop_nest.evaluate(hardware, [CONV], mappings, rows, zeros, rows)
        played = timeline.simulate(hardware, [CONV], mappings, rows, zeros, rows)
        costs.append((found.cycles, found.energy_pj, played.cycles))
    np.testing.assert_array_equal(*costs)
