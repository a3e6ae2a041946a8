from dataclasses import replace

import numpy as np
import pytest
from searching import PROBLEM, best_cost, search, simulated
from threadpoolctl import threadpool_info, threadpool_limits

from accel_dse.errors import OptionError
from accel_dse.optimizers.base import Proposal
from accel_dse.optimizers.model_based import ModelBased, _reached, expected_improvement
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.optimizers.regressors import (
    Committee,
    Ensemble,
    chance_to_work,
    suitable_kinds,
)
from accel_dse.optimizers.samples import Samples
from accel_dse.testing import toy_problem
from accel_dse.trial import Outcome, Trial


def known_curve(n=120, noise=0.0):
    rng = np.random.default_rng(0)
    inputs = rng.random((n, 3))
    targets = inputs[:, 0] ** 2 + inputs[:, 1] * inputs[:, 2]
    return inputs, targets + noise * rng.normal(size=n)


def test_the_kind_that_has_the_form_of_the_data_is_chosen_first():
    inputs, smooth = known_curve()
    assert suitable_kinds(inputs, smooth, 0) == ("quadratic",)
    steps = np.floor(inputs[:, 0] * 4) * np.where(inputs[:, 1] > 0.5, 1.0, -1.0)
    assert suitable_kinds(inputs, steps, 0)[0] in ("forest", "boosting")


def test_no_polynomial_is_tried_on_very_many_inputs_and_no_network_on_few_samples():
    rng = np.random.default_rng(0)
    assert suitable_kinds(rng.random((30, 60)), rng.random(30), 0) == ("forest",)


def test_a_committee_predicts_each_sample_by_the_model_that_did_not_see_it():
    rng = np.random.default_rng(0)
    inputs, noise = rng.random((60, 3)), rng.normal(size=60)
    committee = Committee.fitted("forest", inputs, noise, 0)
    seen = np.mean((committee.predict(inputs).mean(axis=0) - noise) ** 2)
    unseen = np.mean((committee.unseen - noise) ** 2)
    assert seen < 0.2 * noise.var() < noise.var() < unseen


def test_an_ensemble_admits_an_error_as_large_as_it_makes():
    inputs, targets = known_curve(200, noise=0.1)
    ensemble = Ensemble.fitted(("quadratic", "forest"), inputs[:100], 7 + targets[:100], 0)
    mean, deviation = ensemble.predict(inputs[100:])
    missed = (mean - 7 - targets[100:]) / deviation
    assert 0.6 < np.sqrt(np.mean(missed**2)) < 1.4


def test_a_constant_is_predicted_as_such():
    inputs, _ = known_curve(20)
    mean, deviation = Ensemble.fitted(("forest",), inputs, np.full(20, 3.0), 0).predict(inputs)
    assert mean == pytest.approx(np.full(20, 3.0))
    assert deviation == pytest.approx(np.zeros(20))


def test_the_chance_to_work_is_learned_and_never_certain():
    inputs, _ = known_curve(200)
    works = inputs[:, 0] > 0.5
    chance = chance_to_work(inputs, works, 0)(np.array([[0.9, 0.5, 0.5], [0.1, 0.5, 0.5]]))
    assert chance[0] > 0.8
    assert chance[1] < 0.2
    assert ((chance > 0) & (chance < 1)).all()
    always = chance_to_work(inputs, np.ones(200, dtype=bool), 0)(inputs[:2])
    assert always == pytest.approx([201 / 202] * 2)


def test_expected_improvement_of_worked_examples():
    assert expected_improvement(np.array([0.0]), np.array([1.0])) == pytest.approx([0.3989423])
    assert expected_improvement(np.array([1.0]), np.array([2.0])) == pytest.approx([1.3955931])
    assert expected_improvement(np.array([2.0, -2.0]), np.zeros(2)) == pytest.approx([2.0, 0.0])


def test_samples_leave_out_what_broke_and_measure_limits_by_ratio():
    design = {"pes_x": 8, "pes_y": 8, "buffer_kib": 32, "dataflow": "input_stationary"}
    good = simulated([Proposal(design)])[0]
    bad = Trial(index=1, design=design, outcome=Outcome.INFEASIBLE, reason="no")
    crash = Trial(index=2, design=design, outcome=Outcome.FAILED, reason="no")
    samples = Samples.of(PROBLEM, [good, bad, crash])
    assert samples.works.tolist() == [True, False]
    area = good.metrics["area_mm2"]
    assert samples.violations == pytest.approx(np.array([[np.log(area / 5)]]))
    other = replace(PROBLEM, limits=toy_problem(limits=("area_mm2>=5",)).limits)
    assert Samples.of(other, [good]).violations == pytest.approx(np.array([[np.log(5 / area)]]))


def test_models_are_trained_at_the_same_sizes_whenever_one_asks():
    assert [_reached(20, 2.0, n) for n in (20, 39, 40, 79, 160, 319)] == [20, 20, 40, 40, 160, 160]
    assert [_reached(10, 1.05, n) for n in (10, 11, 12)] == [10, 11, 12]
    assert _reached(20, 1.05, 1000) == _reached(20, 1.05, _reached(20, 1.05, 1000))


@pytest.mark.parametrize("acquisition", ["ei", "ucb"])
def test_sixty_trials_bring_it_closer_to_the_optimum_than_random_search(acquisition):
    optimum = best_cost(search(RandomSearch(problem=PROBLEM), 720, batch=720))

    def excess(make):
        return np.mean([best_cost(search(make(seed), 60, batch=20)) - optimum for seed in range(3)])

    modeled = excess(
        lambda seed: ModelBased(
            problem=PROBLEM, seed=seed, acquisition=acquisition, generations=4, brood=80
        )
    )
    assert modeled < 0.3 * excess(lambda seed: RandomSearch(problem=PROBLEM, seed=seed))


def test_it_begins_at_random_and_goes_on_so_while_nothing_works():
    optimizer, drawn = (kind(problem=PROBLEM, seed=5) for kind in (ModelBased, RandomSearch))
    for _ in range(3):
        designs = optimizer.ask(20)
        assert designs == drawn.ask(20)
        trials = [
            Trial(index=i, design=design, outcome=Outcome.INFEASIBLE, reason="no")
            for i, design in enumerate(designs, len(drawn.trials))
        ]
        optimizer.tell(trials)
        drawn.tell(trials)


@pytest.mark.parametrize(
    ("option", "value"),
    [("warmup", 0), ("optimism", -1.0), ("generations", 0), ("brood", 2), ("explore", 2.0)],
)
def test_an_option_out_of_range_is_refused(option, value):
    with pytest.raises(OptionError, match=f"model_based: {option}: expected"):
        ModelBased(problem=PROBLEM, **{option: value})


def test_models_are_trained_on_one_thread_however_many_the_process_may_use(monkeypatch):
    optimizer = ModelBased(problem=PROBLEM, warmup=20)
    search(optimizer, 24)
    seen = []
    models = ModelBased._models
    monkeypatch.setattr(
        ModelBased, "_models", lambda self: seen.extend(threadpool_info()) or models(self)
    )
    with threadpool_limits(2):
        optimizer.ask(1)
    assert {pool["num_threads"] for pool in seen} == {1}
