import numpy as np

from accel_dse.optimizers.belief import fitted_count
from accel_dse.optimizers.climbing import climb
from accel_dse.testing import toy_problem

SPACE = toy_problem().space


STRANGERS = SPACE.sample_coded(200, np.random.default_rng(9))


def distance_to_a_corner(coded):
    columns = SPACE.coding.columns(coded)
    return -(np.log2(columns["pes_x"]) ** 2 + (np.log2(columns["buffer_kib"]) - 5) ** 2) * 1.0


def test_it_climbs_to_the_top_and_looks_only_at_valid_designs():
    seen = climb(SPACE, distance_to_a_corner, STRANGERS, [], np.random.default_rng(0))
    best = seen.best(3)
    assert best.scores[0] == 0.0
    assert (np.diff(best.scores) <= 0).all()
    assert SPACE.satisfied(SPACE.coding.columns(seen.coded)).all()


def test_what_is_near_the_parents_is_looked_at():
    parent = {"pes_x": 1, "pes_y": 1, "buffer_kib": 32, "dataflow": "weight_stationary"}
    one = SPACE.sample_coded(1, np.random.default_rng(0))
    seen = climb(SPACE, distance_to_a_corner, one, [parent], np.random.default_rng(0))
    designs = SPACE.designs(SPACE.coding.columns(seen.coded))
    assert parent in designs
    assert all(neighbor in designs for neighbor in SPACE.neighbors(parent))


def test_the_same_seed_looks_at_the_same_designs():
    one, other = (
        climb(SPACE, distance_to_a_corner, STRANGERS, [], np.random.default_rng(4)) for _ in "ab"
    )
    assert all((one.coded[name] == other.coded[name]).all() for name in one.coded)


def test_hyper_parameters_are_fitted_at_counts_that_depend_on_the_count_alone():
    counts = [fitted_count(n) for n in range(1, 1200)]
    assert counts[:20] == list(range(1, 21))
    assert all(0.89 * n <= c <= n for n, c in enumerate(counts, 1))
    assert len(set(counts[20:])) < 50
