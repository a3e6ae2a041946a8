"""Timeloop's stub: the files it writes, and what it makes of the statistics."""

import gzip
import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest

from accel_dse.workload import Layer, Workload

from .conftest import STUBS, TINY

REFERENCE = Path(__file__).parents[2] / "../shared/reference/timeloop_runs.json.gz"
DESIGN = {
    "rows": [8, 16],
    "columns": [8, 16],
    "buffer_kib": [16, 64],
    "dram_words_per_cycle": [8, 8],
}
FIRST = {name: column[:1] for name, column in DESIGN.items()}


@pytest.fixture(scope="module")
def files():
    """The stub as a module."""
    path = STUBS / "timeloop" / "stub.py"
    specification = importlib.util.spec_from_file_location("timeloop_stub", path)
    module = importlib.util.module_from_spec(specification)
    before = list(sys.path)
    specification.loader.exec_module(module)
    sys.path[:] = before
    return module


def one(layer):
    return Workload("one", (layer,))


def test_a_tiny_network_is_measured_within_the_bounds_of_physics(stub):
    values = stub.measure(TINY, **DESIGN).values
    for i in range(2):
        pes = DESIGN["rows"][i] * DESIGN["columns"][i]
        assert values["latency_cycles"][i] >= TINY.macs / pes
        assert values["utilization"][i] == pytest.approx(
            TINY.macs / values["latency_cycles"][i] / pes, abs=0.01
        )
        weights = sum(layer.count * layer.words("weights") for layer in TINY.layers)
        assert values["energy_mj"][i] >= 1e-9 * (0.3 * TINY.macs + 160 * weights)


def test_a_matrix_multiply_agrees_with_a_count_by_hand(stub):
    """K = 8 across, C = 8 of 16 down, P = 4 innermost, so that each weight is loaded once."""
    design = FIRST | {"dram_words_per_cycle": [1000]}
    metrics = stub.measure(one(Layer(name="fc", K=8, C=16, P=4)), **design)
    macs, weights, inputs, outputs = 8 * 16 * 4, 8 * 16, 16 * 4, 8 * 4
    assert metrics.values["latency_cycles"] == macs / 64
    assert metrics.values["utilization"] == 1
    sums = 2 * outputs  # twice 8 of the 16 input channels
    buffer_accesses = 2 * weights + 2 * inputs + sums + (sums - outputs)
    picojoules = (
        160 * (weights + inputs + outputs)
        + 1.25 * 2**0.4746 * buffer_accesses
        + 0.15 * (macs + weights)
        + 0.3 * macs
    )
    assert 1e9 * metrics.values["energy_mj"][0] == pytest.approx(picojoules, rel=1e-3)


def test_a_tile_that_fits_nowhere_is_refused_by_timeloop(stub):
    metrics = stub.measure(TINY, **FIRST | {"buffer_kib": [0]})
    assert metrics.infeasible[0].startswith("conv: couldn't map level Buffer: mapped tile size")


def test_factors_multiply_to_the_bounds_and_the_tile_fits(files):
    layer = {"N": 2, "K": 24, "C": 10, "P": 7, "Q": 12, "R": 3, "S": 3}
    layer |= {"stride": [2, 1], "dilation": [1, 2]}
    for kib in (1, 4, 64):
        design = {"rows": 4, "columns": 16, "buffer_kib": kib, "dram_words_per_cycle": 8}
        levels = files.mapping(layer, design)["mapping"]
        loops = [
            {dim: int(bound) for dim, bound in (f.split("=") for f in level["factors"].split())}
            for level in levels
            if level["type"] != "bypass"
        ]
        for dim in "NKCPQRS":
            assert math.prod(factors[dim] for factors in loops) == layer[dim]
        outer, inner, spatial, _ = loops
        tile = {dim: inner[dim] * spatial[dim] for dim in outer}
        assert files.words(layer, tile) <= 1024 * kib
        assert (spatial["K"], spatial["C"]) == (12, 2)


def test_files_have_the_form_of_runs_that_timeloop_accepted(files):
    if not REFERENCE.exists():
        pytest.skip(f"{REFERENCE.name} is not beside this checkout")
    runs = json.loads(gzip.decompress(REFERENCE.read_bytes()))

    def attributes(document):
        (system,) = document["architecture"]["subtree"]
        (array,) = system["subtree"]
        return {
            level["class"]: set(level["attributes"])
            for level in (*system["local"], *array["local"])
        }

    ours = files.architecture({name: column[0] for name, column in DESIGN.items()})
    accepted = attributes(runs["architectures"]["A8bw"]["architecture"])
    for kind, names in attributes(ours).items():
        assert names <= accepted[kind], kind
    layer = {**dict.fromkeys("NKCPQRS", 2), "stride": [1, 1], "dilation": [1, 1]}
    shape = files.problem(layer)["problem"]["shape"]
    conv = runs["problem_shapes"]["conv"]
    assert sorted(shape["dimensions"]) == sorted(conv["dimensions"])

    def spaces(shape):
        """Tensor -> its axes; Timeloop's own file calls P's stride Wstride, which is but a name."""
        return {
            space["name"]: sorted(sorted(term[0] for term in axis) for axis in space["projection"])
            for space in shape["data-spaces"]
        }

    assert spaces(shape) == spaces(conv)
