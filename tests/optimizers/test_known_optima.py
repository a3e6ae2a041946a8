"""Every optimizer beats random search on problems whose optimum is known, by a stated margin."""

from functools import cache

import numpy as np
import pytest
from known_optima import PROBLEMS

from accel_dse import plugins

TRIALS = 200
SEEDS = 3

MARGIN = 0.5
"""What an optimizer's median distance from the optimum is at most, as a share of random's."""

OPTIMIZERS = (
    "evolution",
    "firefly",
    "model_based",
    "constrained_bo",
    "p3bo",
    "adaptive_p3bo",
    "auto",
)


@cache
def excesses(name, problem):
    made = plugins.load("optimizers", name)
    known = PROBLEMS[problem]
    return [known.excess(made(problem=known.problem, seed=s), TRIALS) for s in range(SEEDS)]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_optimum_is_where_the_problem_says(problem):
    known = PROBLEMS[problem]
    space = known.problem.space
    space.check(known.best)
    (latency,), (area,), (fails,) = known.measure(space.columns([known.best]))
    assert latency == known.optimum
    assert not fails
    bound = known.problem.limits[0].bound if known.problem.limits else np.inf
    assert area <= bound
    drawn, areas, broken = known.measure(space.sample_columns(20_000, np.random.default_rng(0)))
    accepted = ~broken & (areas <= bound)
    assert drawn[accepted].min() > known.optimum
    assert accepted.mean() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_ends_far_closer_to_the_optimum_than_random_search(name, problem):
    assert np.median(excesses(name, problem)) <= MARGIN * np.median(excesses("random", problem))


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
def test_auto_is_not_far_from_the_best_single_optimizer(problem):
    single = [np.median(excesses(name, problem)) for name in OPTIMIZERS[:4]]
    drawn = np.median(excesses("random", problem))
    assert np.median(excesses("auto", problem)) <= min(single) + 0.2 * (drawn - min(single))
