"""What sources predict, as a trend that a Gaussian process only has to correct."""

from dataclasses import replace

import numpy as np
import pytest
from searching import best_cost, search

from accel_dse.optimizers.constrained_bo import ConstrainedBO
from accel_dse.optimizers.elders import MOST, Advised, Elders, Trend
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.optimizers.transfer import Transfer
from accel_dse.source import related
from accel_dse.surrogates.gaussian_process import fit
from accel_dse.surrogates.inputs import Inputs
from accel_dse.testing import toy_problem

PROBLEM = toy_problem()
INPUTS = Inputs(PROBLEM.space)
RNG = np.random.default_rng


def a_source(change=lambda metrics: metrics, n=120, names=PROBLEM.space.names):
    """A source of random designs, whose metrics are changed and whose parameters are some."""
    trials = [
        replace(
            trial,
            metrics=change(dict(trial.metrics)) if trial.feasible else {},
            design={name: trial.design[name] for name in names},
        )
        for trial in search(RandomSearch(problem=PROBLEM, seed=1), n)
    ]
    return related(PROBLEM, trials, task="another")


def slower(metrics):
    return metrics | {"latency_cycles": 3.0 * metrics["latency_cycles"] ** 1.2}


def opposite(metrics):
    return metrics | {"latency_cycles": 1e9 / metrics["latency_cycles"]}


def elders_of(*sources):
    return Elders(sources, INPUTS).of("latency_cycles", logs=True, sign=0.0)


def examples(n, seed=5):
    """Inputs and log latencies of random designs that work."""
    trials = [t for t in search(RandomSearch(problem=PROBLEM, seed=seed), 3 * n) if t.feasible][:n]
    x = INPUTS.of(PROBLEM.space.columns([trial.design for trial in trials]))
    return x, np.log([trial.metrics["latency_cycles"] for trial in trials])


def advised(elders, x, y):
    trend = Trend.of(elders, x, y)
    return Advised(trend, fit(x, y - trend.mean(x)))


def test_a_trend_takes_on_the_scale_of_this_task():
    x, y = examples(12)
    trend = Trend.of(elders_of(a_source(slower)), x, y)
    assert trend.weights == pytest.approx([1 / 1.2], rel=0.1)
    unseen, truth = examples(40, seed=6)
    assert np.abs(trend.mean(unseen) - truth).mean() < 0.25 * truth.std()


def test_an_elder_that_says_the_opposite_loses_all_weight():
    x, y = examples(30)
    assert Trend.of(elders_of(a_source(opposite)), x, y).elders == ()


def test_of_two_elders_the_one_that_is_right_counts():
    x, y = examples(30)
    right, wrong = elders_of(a_source(), a_source(opposite))
    trend = Trend.of([wrong, right], x, y)
    assert trend.elders == (right,)
    assert trend.weights == pytest.approx([1.0], rel=0.2)


def test_a_source_of_noise_has_no_say():
    noise = iter(np.exp(RNG(1).normal(10.0, 1.0, 200)))
    source = a_source(lambda metrics: metrics | {"latency_cycles": float(next(noise))})
    assert elders_of(source) == []


def test_without_elders_there_is_no_trend():
    x, y = examples(8)
    assert Trend.of([], x, y).elders == ()


def test_few_examples_are_enough_where_a_source_helps():
    unseen, truth = examples(60, seed=6)
    x, y = examples(5)
    alone, _ = fit(x, y).predict(unseen)
    helped, _ = advised(elders_of(a_source(slower)), x, y).predict(unseen)
    assert np.abs(helped - truth).mean() < 0.5 * np.abs(alone - truth).mean()


def test_a_wrong_source_does_little_harm_with_more_examples():
    unseen, truth = examples(60, seed=6)
    x, y = examples(40)
    alone, _ = fit(x, y).predict(unseen)
    misled, _ = advised(elders_of(a_source(opposite)), x, y).predict(unseen)
    assert np.abs(misled - truth).mean() < 1.05 * np.abs(alone - truth).mean()


def test_doubts_of_elders_count():
    x, y = examples(12)
    regression = advised(elders_of(a_source(n=30)), x, y)
    mean, std = regression.predict(x)
    assert (std > regression.process.predict(x)[1]).all()
    assert mean == pytest.approx(regression.mean(x))


def test_more_examples_are_taken_in_as_they_are():
    x, y = examples(20)
    regression = advised(elders_of(a_source(slower)), x[:12], y[:12])
    more = regression.conditioned(x[12:], y[12:])
    assert len(more.process) == 20
    assert np.abs(more.mean(x[12:]) - y[12:]).max() < 0.05


def test_parameters_that_a_source_lacks_are_not_read():
    (elder,) = elders_of(a_source(names=("pes_x", "pes_y")))
    x, _ = examples(6)
    assert elder.shared.sum() == 2
    changed = x.copy()
    changed[:, ~elder.shared] = 0.5
    assert (elder.mean(changed) == elder.mean(x)).all()


def test_a_source_with_many_trials_is_thinned():
    (elder,) = elders_of(a_source(n=2 * MOST + 50))
    assert len(elder.process) == MOST


def test_a_source_without_the_metric_has_no_say():
    assert Elders([a_source()], INPUTS).of("energy_kwh", logs=True, sign=0.0) == []


def test_bayesian_optimization_reasons_from_what_sources_predict():
    first = search(RandomSearch(problem=PROBLEM, seed=3), 10)
    source = a_source(slower, n=200)
    best = min(
        trial.metrics["latency_cycles"]
        for trial in search(RandomSearch(problem=PROBLEM, seed=1), 200)
        if PROBLEM.accepts(trial)
    )
    optimizer = ConstrainedBO(problem=PROBLEM, sources=(source,))
    optimizer.tell(first)
    assert best_cost(search(optimizer, 13, batch=3)) <= best, "as good as the best of 200 at once"
    assert best_cost(first) > 1.2 * best


@pytest.mark.slow
def test_a_wrong_source_costs_little_in_the_end():
    wrong = a_source(opposite, n=200)
    found = {}
    for sources in ((), (wrong,)):
        costs = []
        for seed in range(5):
            options = {"problem": PROBLEM, "seed": seed, "sources": sources}
            optimizer = Transfer(optimizer="constrained_bo", **options)
            costs.append(best_cost(search(optimizer, 60, batch=5)))
        found[sources] = np.median(costs)
    assert found[(wrong,)] <= 1.05 * found[()]
