import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_dse.optimizers.elite import Candidate, Elite, crowding, fronts, ranked
from accel_dse.testing import toy_problem
from accel_dse.trial import Outcome, Trial

TWO = toy_problem(objectives=("latency_cycles", "energy_uj"), limits=("area_mm2<=5",))
ONE = toy_problem(limits=("area_mm2<=5", "energy_uj>=2"))


def measured(index, latency=1.0, energy=2.0, area=5.0):
    metrics = {"latency_cycles": latency, "energy_uj": energy, "area_mm2": area}
    return Trial(index=index, design={}, outcome=Outcome.FEASIBLE, metrics=metrics)


def order(trials, problem=ONE):
    return [c.index for c in ranked([Candidate.of(trial, problem) for trial in trials])]


def test_an_accepted_design_comes_before_any_beyond_a_limit():
    assert order([measured(0, 1.0, area=5.1), measured(1, 9.0)]) == [1, 0]


def test_beyond_the_limits_nearer_is_better_whatever_the_objective():
    trials = [measured(0, 1.0, area=7.0), measured(1, 9.0, area=6.0), measured(2, 5.0, area=6.5)]
    assert order(trials) == [1, 2, 0]


def test_excess_counts_in_shares_of_each_bound_and_slack_earns_nothing():
    trial = measured(0, area=6.0, energy=1.5)
    assert Candidate.of(trial, ONE).excess == pytest.approx(0.2 + 0.25)
    assert Candidate.of(measured(0, area=1.0, energy=1.5), ONE).excess == pytest.approx(0.25)
    zero = toy_problem(limits=("area_mm2<=0",))
    assert Candidate.of(measured(0, area=3.0), zero).excess == 3.0


def test_of_equals_the_earlier_is_first():
    assert order([measured(2), measured(0), measured(1)]) == [0, 1, 2]


def test_with_several_objectives_the_undominated_come_first_and_the_lonely_among_them():
    trials = [
        measured(0, 2.0, 2.0),  # beaten by 1
        measured(1, 1.0, 2.0),
        measured(2, 1.1, 1.9),
        measured(3, 9.0, 0.1),
        measured(4, 1.05, 1.95),
    ]
    assert order(trials, TWO) == [1, 3, 2, 4, 0]


def test_fronts_of_a_worked_example():
    costs = np.array([[1, 4], [2, 2], [4, 1], [2, 4], [3, 3], [4, 4], [1, 4]], float)
    assert fronts(costs).tolist() == [0, 0, 0, 1, 1, 2, 0]


def test_crowding_of_a_worked_example():
    costs = np.array([[0, 10], [1, 6], [4, 3], [10, 0]], float)
    assert crowding(costs).tolist() == [np.inf, 0.4 + 0.7, 0.9 + 0.6, np.inf]
    assert crowding(np.ones((3, 2))).tolist() == [np.inf, 0.0, np.inf]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_point_is_one_front_behind_the_worst_placed_that_beats_it(points):
    costs = np.array(points, float)
    rank = fronts(costs)
    for i, point in enumerate(costs):
        beaten_by = [
            rank[j]
            for j, other in enumerate(costs)
            if (other <= point).all() and (other < point).any()
        ]
        assert rank[i] == max(beaten_by, default=-1) + 1


@pytest.mark.parametrize("problem", [ONE, TWO])
def test_the_elite_is_the_same_however_trials_are_grouped(problem):
    rng = np.random.default_rng(3)
    trials = [measured(i, *rng.uniform(1, 9, 3)) for i in range(100)]
    alone, together, mixed = (Elite(problem, 5) for _ in range(3))
    for i in range(100):
        alone.refresh(trials[: i + 1])
    together.refresh(trials)
    for stop in (7, 50, 51, 100):
        mixed.refresh(trials[:stop])
    assert alone.best() == together.best() == mixed.best()
    assert len(together.best()) == 5


def test_with_one_objective_the_elite_is_the_best_of_all():
    rng = np.random.default_rng(3)
    trials = [measured(i, *rng.uniform(1, 9, 3)) for i in range(100)]
    elite = Elite(ONE, 5)
    elite.refresh(trials)
    assert [candidate.index for candidate in elite.best()] == order(trials)[:5]


def test_designs_that_measure_the_same_count_once():
    elite = Elite(ONE, 3)
    elite.refresh([measured(i, 1.0 + i // 10) for i in range(40)])
    assert [candidate.index for candidate in elite.best()] == [0, 10, 20]


def test_designs_that_do_not_work_are_not_among_the_elite():
    elite = Elite(ONE, 5)
    broken = [
        Trial(index=i, design={}, outcome=outcome, reason="no")
        for i, outcome in enumerate((Outcome.INFEASIBLE, Outcome.FAILED, Outcome.TIMED_OUT))
    ]
    elite.refresh([*broken, measured(3)])
    assert [candidate.index for candidate in elite.best()] == [3]
    assert ranked([]) == []
