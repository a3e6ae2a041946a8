import numpy as np
import pytest
from timeline_cases import make_hardware, random_case

from accel_dse.files import load_space
from accel_dse.simulators import loop_nest, mapper, timeline
from accel_dse.simulators.exact_mapper import best_mapping
from accel_dse.template import bind, read_template
from accel_dse.workload import Layer

ZERO = np.zeros(1, dtype=np.int64)
GEMM = Layer(name="gemm", P=6, K=4, C=4)


def small(**given):
    """DRAM of 16 bits a cycle, a buffer of 24 words, four units."""
    return make_hardware(
        2,
        **{
            "capacity_bits": np.array([[[1e12] * 3, [24 * 8.0] * 3]]),
            "fanout_x": np.array([[1, 4]]),
            "fanout_y": np.array([[1, 1]]),
            "shared_bits_per_cycle": np.array([[16.0, np.inf]]),
            "read_bits_per_cycle": np.array([[np.inf, 256.0]]),
            "write_bits_per_cycle": np.array([[np.inf, 128.0]]),
            "latency_cycles": np.array([[5.0, 0.0]]),
            "issue_cycles": np.array([[1.0, 0.0]]),
            "mac_pj": np.array([1.0]),
            "access_pj_per_bit": np.array([[[4.0, 0.0, 4.0], [0.1, 0.1, 0.1]]]),
            **given,
        },
    )


def scores(hardware, layer, mappings, goal):
    """What each of `mappings` scores; infinite where it is not valid."""
    rows = np.arange(len(mappings))
    zeros = np.zeros_like(rows)
    counted = loop_nest.evaluate(hardware, [layer], mappings, zeros, zeros, rows)
    good = np.flatnonzero(counted.codes == 0)
    cycles = np.full(len(rows), np.inf)
    if len(good):
        played = timeline.simulate(hardware, [layer], mappings, good * 0, good * 0, good)
        cycles[good] = played.cycles
    if goal == "latency":
        return cycles
    energy = np.where(counted.codes == 0, counted.energy_pj, np.inf)
    return energy if goal == "energy" else energy * cycles


@pytest.mark.parametrize("goal", mapper.GOALS)
def test_no_random_mapping_beats_the_exact_one(goal):
    from accel_dse.mapping import Mappings

    hardware = small()
    exact = best_mapping(hardware, GEMM, goal=goal)
    assert exact.complete
    rng = np.random.default_rng(0)
    n = 4000
    temporal, x = (np.ones((n, 2, 8), dtype=np.int64) for _ in range(2))
    for d, bound in ((4, 6), (2, 4), (3, 4)):
        x[:, 1, d] = rng.choice([1, 1, 2, 4], size=n)
        temporal[:, 1, d] = rng.integers(1, bound + 1, size=n)
        temporal[:, 0, d] = -(-bound // (x[:, 1, d] * temporal[:, 1, d]))
    order = rng.permuted(np.tile(np.arange(8), (n, 2, 1)), axis=2)
    found = scores(hardware, GEMM, Mappings(temporal, x, np.ones_like(x), order), goal)
    assert np.isfinite(found).sum() > 100
    assert exact.score <= found.min()
    assert exact.score == pytest.approx(found.min(), rel=0.05)


@pytest.mark.parametrize("goal", mapper.GOALS)
def test_the_exact_mapping_scores_what_it_says(goal):
    exact = best_mapping(small(), GEMM, goal=goal)
    assert scores(small(), GEMM, exact.mapping, goal)[0] == exact.score


@pytest.mark.parametrize("layer", [GEMM, Layer(name="conv", K=4, C=2, P=6, R=3)])
@pytest.mark.parametrize("goal", ["latency", "energy", "edp"])
def test_more_memory_or_bandwidth_never_makes_the_best_mapping_worse(goal, layer):
    scores = []
    for words in (12, 16, 20, 24, 32, 48, 96, 192):
        found = best_mapping(
            small(capacity_bits=np.array([[[1e12] * 3, [words * 8.0] * 3]])), layer, goal=goal
        )
        assert found.complete
        scores.append(found.score)
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < scores[0]
    scores = []
    for bits in (4.0, 8.0, 12.0, 16.0, 64.0):
        wider = small(shared_bits_per_cycle=np.array([[bits, np.inf]]))
        scores.append(best_mapping(wider, layer, goal=goal).score)
    assert scores == sorted(scores, reverse=True)


def test_bounds_do_not_change_what_is_found():
    fast = small(shared_bits_per_cycle=np.array([[1024.0, np.inf]]))
    everything = best_mapping(fast, GEMM)
    close = best_mapping(fast, GEMM, start=everything.score + 1)
    assert close.score == everything.score
    assert close.looked_at <= everything.looked_at
    nothing = best_mapping(fast, GEMM, start=everything.score)
    assert nothing.mapping is None
    assert nothing.complete


def test_a_search_that_is_stopped_says_so():
    stopped = best_mapping(small(), GEMM, most=3)
    assert not stopped.complete
    assert stopped.looked_at == 3


def test_what_cannot_fit_has_no_mapping():
    exact = best_mapping(small(capacity_bits=np.array([[[1e12] * 3, [16.0] * 3]])), GEMM)
    assert exact.score == np.inf
    assert exact.mapping is None


def test_too_large_a_layer_is_refused():
    with pytest.raises(ValueError, match="at most six dimensions"):
        best_mapping(small(), Layer(name="conv", N=2, K=2, C=2, P=2, Q=2, R=2, S=2))


def test_the_engine_is_never_faster_than_the_analytical_count_it_is_bounded_by():
    for seed in range(120):
        case = random_case(seed)
        counted = loop_nest.evaluate(case.hardware, [case.layer], case.mapping, ZERO, ZERO, ZERO)
        if counted.codes[0]:
            continue
        played = timeline.simulate(case.hardware, [case.layer], case.mapping, ZERO, ZERO, ZERO)
        assert played.cycles[0] >= counted.cycles[0] - 1, seed


@pytest.mark.parametrize("template", ["edge", "gemmini"])
def test_the_mapper_is_close_to_the_best_there_is(template):
    file = load_space(template)
    layer = Layer(name="gemm", P=12, K=8, C=8)
    designs = file.space.sample(6, np.random.default_rng(1))
    for design in designs[:3]:
        hardware = bind(read_template(file.accelerator, file.space), file.space.columns([design]))
        mapped = mapper.map_layers(hardware, [layer], effort=mapper.EFFORTS["normal"])
        if mapped.found[0, 0] == 0:
            continue
        best = scores(hardware, layer, mapped.mappings, "latency").min()
        exact = best_mapping(hardware, layer, start=best, most=200_000)
        if exact.complete:
            assert best <= 1.15 * exact.score
