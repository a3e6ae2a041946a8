"""Metrics as a model sees them, and what it expects of a network that is not in the log."""

from dataclasses import replace

import numpy as np
import pytest
from toy_models import log

from accel_dse.dataset import concatenate
from accel_dse.problem import Objective
from accel_dse.surrogates.targets import Target
from accel_dse.workload import Layer, Workload

AREA, LATENCY = Objective("area_mm2"), Objective("latency_cycles")


def partial_logs():
    """Two networks; of one only the small designs that work, of the other only the large."""
    first, second = log(network=0), log(network=1)
    pes = [part.columns["pes_x"] * part.columns["pes_y"] for part in (first, second)]
    return concatenate([first.rows(pes[0] <= 16), second.rows(pes[1] >= 8)])


def test_what_a_design_has_on_all_networks_has_one_level_for_all():
    # the designs that work differ so much that the mean areas do, too
    target = Target.of(partial_logs(), AREA)
    assert target.shared
    level = 0.1 + 0.2  # whose mean with itself, thrice, is another number
    target = replace(target, levels=dict.fromkeys(("net0", "net1", "net2"), level))
    for name in ("stranger", "another"):
        stranger = Workload(name, (Layer(name="fc", P=10_000, K=512, C=512),))
        target = target.with_application(stranger)
    assert set(target.levels.values()) == {level}


def test_what_differs_between_networks_has_a_level_for_each():
    target = Target.of(partial_logs(), LATENCY)
    assert not target.shared


def test_where_no_design_ran_on_two_networks_the_levels_tell():
    first, second = log(network=0), log(network=1)
    codes = first.space.encode(first.space.designs(first.columns))
    half = np.unique(codes, axis=0, return_inverse=True)[1] % 2 == 0
    data = concatenate([first.rows(half), second.rows(~half)])
    assert Target.of(data, AREA).shared
    assert not Target.of(data, LATENCY).shared


def networks():
    """Three networks whose latencies are 1e-6 for a multiply-accumulate and 1e-4 for a word."""
    layers = {"wide": Layer(name="a", P=4096, K=64, C=64), "square": Layer(name="b", P=128, K=128,
              C=128), "rows": Layer(name="c", K=2048, C=2048)}  # fmt: skip
    return {name: Workload(name, (layer,)) for name, layer in layers.items()}


def cost_of(workload):
    layer = workload.layers[0]
    words = sum(layer.words(tensor) for tensor in ("weights", "inputs", "outputs"))
    return 1e-6 * layer.macs + 1e-4 * words


def test_a_network_that_waits_for_words_is_expected_to_be_slow():
    data = log(200)
    parts = []
    for name, workload in networks().items():
        cost = np.where(data.feasible, cost_of(workload) * data.metrics["area_mm2"], np.nan)
        parts.append(replace(
            data, metrics={**data.metrics, "latency_cycles": cost},
            application=np.full(len(data), name, dtype=object), workloads={name: workload},
        ))  # fmt: skip
    target = Target.of(concatenate(parts), LATENCY)
    assert target.word_worth == 100.0
    for layer in (Layer(name="d", K=4096, C=1024), Layer(name="e", P=1024, K=128, C=128)):
        stranger = Workload("stranger", (layer,))
        level = target.with_application(stranger).levels["stranger"]
        expected = np.log(cost_of(stranger)) - np.log(cost_of(networks()["wide"]))
        assert level - target.levels["wide"] == pytest.approx(expected, abs=1e-6)


def test_a_target_is_read_back_as_it_was():
    target = Target.of(partial_logs(), LATENCY)
    assert Target(**target.content()) == target
