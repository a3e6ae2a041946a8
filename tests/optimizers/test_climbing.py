from dataclasses import replace

import numpy as np

from accel_dse.constraints import Constraint
from accel_dse.designs import length
from accel_dse.expressions import Expression
from accel_dse.optimizers.belief import fitted_count
from accel_dse.optimizers.climbing import climb
from accel_dse.parameters import Factorization
from accel_dse.space import DesignSpace
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


TILED = DesignSpace("tiled", tuple(Factorization(name, 64, 4) for name in "kcpq"))


def shared_buffer(coded):
    """How full a buffer is that three loops share, nothing if it overflows: full of evens tops."""
    columns = TILED.coding.columns(coded)
    logs = np.log2(np.stack([columns[name][:, -1] for name in "kcp"]))
    held = logs.sum(axis=0)
    return np.where(held <= 6, held - 0.5 * np.ptp(logs, axis=0), -100.0)


def test_where_two_changes_pay_only_together_generations_come_before_climbing():
    full_of_k = {"k": (1, 1, 1, 64)} | dict.fromkeys("cpq", (64, 1, 1, 1))
    one = TILED.coding.coded(TILED.columns([full_of_k]))
    neighbors, _ = TILED.coding.neighbors(one)
    assert (shared_buffer(neighbors) <= shared_buffer(one)).all(), "a top for one exchange"
    for seed in range(4):
        seen = climb(TILED, shared_buffer, one, [full_of_k], np.random.default_rng(seed))
        assert seen.best(1).scores[0] == 6.0
        assert length(seen.coded) < 5_000


def test_nothing_is_scored_where_no_child_is_valid():
    def scored(coded):
        assert length(coded)
        return shared_buffer(coded)

    rules = ("k[0] == 64", "c[1] == 64", "p[2] == 64", "q[3] == 64")
    narrow = replace(TILED, constraints=tuple(Constraint(Expression(rule)) for rule in rules))
    one = narrow.sample_coded(1, np.random.default_rng(0))
    seen = climb(narrow, scored, one, [], np.random.default_rng(0))
    assert narrow.coding.satisfied(seen.coded).all()
