from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from accel_dse.errors import OptionError
from accel_dse.optimizers.acquisition import log_expected_improvement, log_probability_below
from accel_dse.optimizers.pareto_bo import (
    ParetoBO,
    _boxes,
    hypervolume,
    log_expected_hypervolume_improvement,
)
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.problem import Goal, Objective
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial import Outcome, Trial

PROBLEM = toy_problem(objectives=("latency_cycles", "energy_uj"))
REFERENCE = (4e6, 40.0)


def search(optimizer, n):
    while len(optimizer.trials) < n:
        designs = optimizer.ask(1)
        metrics = ToySimulator().simulate(PROBLEM.workloads[0][0], PROBLEM.space.columns(designs))
        reason = metrics.infeasible[0]
        optimizer.tell(
            [
                Trial(
                    index=len(optimizer.trials),
                    design=designs[0],
                    outcome=Outcome.INFEASIBLE if reason else Outcome.FEASIBLE,
                    metrics=metrics.row(0),
                    reason=reason,
                )
            ]
        )
    return optimizer.trials


def points(costs, goal):
    return [
        Trial(
            index=i,
            design={},
            outcome=Outcome.FEASIBLE,
            metrics={o.metric: v for o, v in zip(goal.objectives, row)},
        )
        for i, row in enumerate(costs)
    ]


def test_the_hypervolume_is_that_of_the_rectangles():
    goal = Goal.parse(["minimize a", "maximize b"], ["a<=8"])
    trials = points([(1.0, 1.0), (3.0, 4.0), (3.0, 2.0), (9.0, 9.0), (7.0, 0.5)], goal)
    assert hypervolume(goal, trials, (5.0, 0.0)) == pytest.approx(4 * 1 + 2 * 3)
    assert hypervolume(goal, trials, (0.5, 0.0)) == 0.0
    assert hypervolume(goal, [], (5.0, 0.0)) == 0.0
    with pytest.raises(ValueError, match="1 numbers for 2 objectives"):
        hypervolume(goal, trials, (5.0,))


@pytest.mark.parametrize("k", [2, 3])
def test_the_expected_hypervolume_improvement_is_the_mean_of_sampled_ones(k):
    rng = np.random.default_rng(0)
    front = rng.random((6, k))
    means, stds = rng.random((3, k)), 0.1 + 0.3 * rng.random((3, k))
    lower, upper = _boxes(front)
    found = np.exp(log_expected_hypervolume_improvement(means, stds, lower, upper))
    goal = Goal.parse([f"minimize m{i}" for i in range(k)], [])
    reference = upper.max(axis=0)
    before = hypervolume(goal, points(front, goal), reference)
    for i in range(3):
        drawn = means[i] + stds[i] * rng.standard_normal((300, k))
        gains = [
            hypervolume(goal, points([*front, row], goal), reference) - before for row in drawn
        ]
        assert found[i] == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / 300**0.5)


def test_logarithms_of_improvement_are_right_near_by_and_alive_far_away():
    mean, std = np.array([0.0, 1.0, 3.0]), np.array([1.0, 0.5, 0.7])
    z = (0.5 - mean) / std
    expected = std * (norm.pdf(z) + z * norm.cdf(z))
    np.testing.assert_allclose(log_expected_improvement(mean, std, 0.5), np.log(expected))
    far = log_expected_improvement(np.linspace(10, 1e6, 50), np.ones(50), 0.0)
    assert np.isfinite(far).all()
    assert (np.diff(far) < 0).all()
    near = log_expected_improvement(np.linspace(0.99, 1.01, 21), np.ones(21), 0.0)
    assert np.abs(np.diff(near, 2)).max() < 1e-3, "both formulas meet at z = -1"
    np.testing.assert_allclose(log_probability_below(mean, std, 0.5), norm.logcdf(z), rtol=1e-9)


def test_it_dominates_more_than_random_search_does():
    found = [search(ParetoBO(problem=PROBLEM, seed=s), 40) for s in range(2)]
    drawn = [search(RandomSearch(problem=PROBLEM, seed=s), 160) for s in range(2)]
    volumes = [
        np.median([hypervolume(PROBLEM.goal, trials, REFERENCE) for trials in runs])
        for runs in (found, drawn)
    ]
    assert volumes[0] > volumes[1] > 0


def told(designs, metrics):
    """Trials with the latency and energy that `metrics` gives to their place; None: infeasible."""
    found = [metrics(i) for i in range(len(designs))]
    return [
        Trial(
            index=i,
            design=design,
            outcome=Outcome.FEASIBLE if pair else Outcome.INFEASIBLE,
            metrics=dict(zip(("latency_cycles", "energy_uj"), pair)) | {"area_mm2": 1.0}
            if pair
            else {},
            reason="" if pair else "made up",
        )
        for i, (design, pair) in enumerate(zip(designs, found))
    ]


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("constant", lambda i: (3.0, 5.0)),
        ("all infeasible", lambda i: None),
        ("one feasible", lambda i: (3.0, 5.0) if i == 4 else None),
        ("huge", lambda i: (1e12 * (1 + i), 1e12 * (20 - i))),
        ("one constant", lambda i: (3.0, 1.0 + i)),
        ("zero and negative", lambda i: (0.0, i - 9.0)),
    ],
)
def test_any_finite_pair_of_measurements_can_be_learned_from(name, metrics):
    optimizer = ParetoBO(problem=PROBLEM)
    optimizer.tell(told(PROBLEM.space.sample(20, np.random.default_rng(0)), metrics))
    proposed = optimizer.ask(3)
    for design in proposed:
        PROBLEM.space.check(design)
    assert len({tuple(design.values()) for design in proposed}) == 3, name


def test_one_trial_or_one_design_told_many_times_is_enough_to_go_on():
    design = PROBLEM.space.sample(1, np.random.default_rng(3))[0]
    for times in (1, 20):
        optimizer = ParetoBO(problem=PROBLEM, initial=1)
        optimizer.tell(told([design] * times, lambda i: (3.0, 5.0)))
        assert design not in optimizer.ask(2)


def test_an_objective_that_does_not_exist_is_named():
    problem = replace(PROBLEM, objectives=(Objective("latency_cycles"), Objective("beauty")))
    optimizer = ParetoBO(problem=problem, initial=1)
    optimizer.tell(told(PROBLEM.space.sample(3, np.random.default_rng(0)), lambda i: (3.0, 5.0)))
    with pytest.raises(OptionError, match="no metric is named 'beauty'"):
        optimizer.ask(1)
