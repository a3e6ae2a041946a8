"""PRIME's surrogate."""

from dataclasses import replace

import numpy as np
import pytest
from toy_models import GOAL, fitted, log, small, two_logs

from accel_dse.dataset import concatenate
from accel_dse.errors import DesignError, OptionError
from accel_dse.parameters import Real
from accel_dse.problem import Goal
from accel_dse.space import DesignSpace
from accel_dse.surrogates.accuracy import accuracy
from accel_dse.testing import toy_problem
from accel_dse.workload import Layer, Workload


@pytest.fixture(scope="module")
def model():
    return fitted()


@pytest.fixture(scope="module")
def contextual():
    return small().fit(two_logs(), GOAL)


def test_it_ranks_designs_that_it_has_not_seen(model):
    figures = accuracy(model.predictor, log(500, seed=9))
    assert figures["metrics"]["latency_cycles"]["kendall"] > 0.6
    assert figures["metrics"]["area_mm2"]["kendall"] > 0.6
    assert figures["works"]["auc"] > 0.9


def test_the_same_seed_gives_the_same_model_and_another_seed_another(model):
    designs = log(50, seed=3).columns
    again, other = fitted(), fitted(seed=5)
    answers = [m.predictor.predict(designs, "net0").metrics["latency_cycles"]
               for m in (model, again, other)]  # fmt: skip
    np.testing.assert_array_equal(answers[0], answers[1])
    assert (answers[0] != answers[2]).any()


def test_a_prediction_does_not_depend_on_its_batch(model):
    designs = log(300, seed=3).columns
    whole = model.predictor.predict(designs, "net0")
    for rows in ([0], [299], list(range(7, 290, 3))):
        part = model.predictor.predict({n: c[rows] for n, c in designs.items()}, "net0")
        for name in whole.metrics:
            np.testing.assert_array_equal(part.metrics[name], whole.metrics[name][rows])


def test_alpha_and_beta_raise_what_is_predicted_of_the_best_and_the_broken():
    plain, pushed = (fitted(alpha=a, beta=a, margin=-3.0).predictor for a in (0.0, 2.0))
    data = log(500, seed=4)
    broken = data.rows(~data.feasible).columns
    everything = data.space.every()
    low, high = (p.predict(broken, "net0").metrics["latency_cycles"].mean()
                 for p in (plain, pushed))  # fmt: skip
    assert high > 1.5 * low
    least, raised = (p.predict(everything, "net0").metrics["latency_cycles"].min()
                     for p in (plain, pushed))  # fmt: skip
    assert raised > least


def test_what_looks_hardly_better_than_the_log_is_not_pushed_up():
    plain, wary = (fitted(alpha=a, beta=0.0, margin=50.0).predictor for a in (1e-6, 2.0))
    data = log(300, seed=9)
    ours, theirs = (p.predict(data.columns, "net0").metrics["latency_cycles"]
                    for p in (plain, wary))  # fmt: skip
    assert (ours == theirs).all()


@pytest.mark.parametrize("miner", ["firefly", "gibbs"])
def test_each_miner_gives_a_model(miner):
    figures = accuracy(fitted(miner=miner).predictor, log(300, seed=9))
    assert figures["metrics"]["latency_cycles"]["kendall"] > 0.6


@pytest.mark.parametrize(
    "options",
    [
        {"votes": 3, "dropout": 0.05, "members": 2},
        {"ranking_weight": 0.5, "ordered": False},
        {"feasibility_weight": 0.0, "trend": False},
        {"blocks": 1, "steps": 60},
    ],
)
def test_options_give_another_model_that_ranks(model, options):
    other = fitted(**options)
    data = log(300, seed=9)
    ours, theirs = (m.predictor.predict(data.columns, "net0").metrics["latency_cycles"]
                    for m in (model, other))  # fmt: skip
    assert (ours != theirs).any()
    assert accuracy(other.predictor, data)["metrics"]["latency_cycles"]["kendall"] > 0.5


def test_without_an_output_for_it_all_designs_are_taken_to_work():
    model = fitted(feasibility_weight=0.0, votes=2, steps=20)
    works = model.predictor.predict(log(300, seed=9).columns, "net0").works
    assert (works > 0.999).all()


def test_designs_over_a_limit_can_count_as_not_working(model):
    refused = fitted(over_limit="refused", beta=1.0).predictor
    data = log()
    over = data.rows(data.feasible & ~data.accepted(GOAL)).columns
    low, high = (p.predict(over, "net0").metrics["latency_cycles"].mean()
                 for p in (model.predictor, refused))  # fmt: skip
    assert high > 1.5 * low


def test_alpha_and_beta_are_chosen_by_what_is_held_out():
    lines = []
    model = small(alpha=None, beta=None, steps=40, report=lines.append).fit(log(), GOAL)
    tried = model.accuracy["tried"]
    assert [(t["alpha"], t["beta"]) for t in tried] == [
        (alpha, beta) for alpha in (0.0, 0.1, 0.5) for beta in (0.0, 0.1)
    ]
    best = max(tried, key=lambda t: t["kendall"])
    assert (model.accuracy["alpha"], model.accuracy["beta"]) == (best["alpha"], best["beta"])
    assert len(lines) == 7


def test_the_card_is_of_designs_that_were_not_learned_from(model):
    assert model.accuracy["best"]["rows"] > 10
    assert model.accuracy["typical"]["rows"] > 5
    assert model.accuracy["best"]["metrics"]["latency_cycles"]["kendall"] is not None


def test_one_model_tells_networks_apart(contextual):
    for network in (0, 1):
        data = log(300, seed=9, network=network)
        figures = accuracy(contextual.predictor, data)["metrics"]["latency_cycles"]
        assert figures["kendall"] > 0.7
        assert figures["median_abs_pct_error"] < 40


def test_a_network_that_was_not_in_the_log_is_answered_from_its_layers(contextual):
    unseen = log(300, seed=9, network=2)
    predictor = contextual.predictor.with_application(unseen.workloads["net2"])
    figures = accuracy(predictor, unseen)["metrics"]["latency_cycles"]
    assert figures["kendall"] > 0.6
    assert figures["median_abs_pct_error"] < 100


def test_the_area_of_a_design_is_the_same_for_a_network_that_was_not_in_the_log(contextual):
    unseen = log(300, seed=9, network=2)
    predictor = contextual.predictor.with_application(unseen.workloads["net2"])
    areas = [
        predictor.predict(unseen.columns, name).metrics["area_mm2"] for name in ("net1", "net2")
    ]
    assert np.array_equal(*areas)


def test_a_metric_to_be_made_large_is_learned_with_its_sign():
    data = log()
    speed = {**data.metrics, "rate": 1.0 / data.metrics["latency_cycles"]}
    model = small().fit(replace(data, metrics=speed), Goal.parse(["maximize rate"], []))
    other = log(300, seed=9)
    predicted = model.predictor.predict(other.columns, "net0").metrics["rate"]
    works = other.feasible
    measured = other.metrics["latency_cycles"][works]
    assert np.corrcoef(np.log(predicted[works]), np.log(measured))[0, 1] < -0.8


# Bad input.


def test_an_empty_log_is_refused():
    with pytest.raises(OptionError, match="the log is empty"):
        small().fit(log().rows(np.zeros(400, dtype=bool)), GOAL)


def test_a_log_in_which_nothing_works_is_refused_with_the_reason():
    data = log()
    with pytest.raises(OptionError, match=r"none of the \d+ designs in the log works") as caught:
        small().fit(data.rows(~data.feasible), GOAL)
    assert "no tile fits the buffer" in caught.value.hint


def test_too_few_working_designs_are_refused():
    data = log()
    few = data.rows(np.flatnonzero(data.feasible)[:3])
    with pytest.raises(OptionError, match="only 3 designs in the log work"):
        small().fit(few, GOAL)


def test_an_application_of_which_nothing_works_is_refused_by_name():
    second = log(network=1)
    data = concatenate([log(), second.rows(~second.feasible)])
    with pytest.raises(OptionError, match="net1: none of its designs works"):
        small().fit(data, GOAL)


def test_one_application_in_contextual_mode_is_refused():
    with pytest.raises(OptionError, match="contextual: the log is of one application, net0"):
        small(contextual="on").fit(log(), GOAL)


def test_applications_of_unknown_layers_are_refused_in_contextual_mode():
    with pytest.raises(OptionError, match="contextual: the layers of 'net0' are not known"):
        small().fit(replace(two_logs(), workloads={}), GOAL)


def test_without_context_unknown_layers_do_no_harm():
    model = small(contextual="off").fit(replace(two_logs(), workloads={}), GOAL)
    assert model.predictor.applications == ("net0", "net1")


def test_an_unknown_workload_at_predict_time_is_refused(model, contextual):
    stranger = Workload("stranger", (Layer(name="fc", K=8),))
    with pytest.raises(OptionError, match="workload 'stranger' is unknown to the model"):
        model.predictor.with_application(stranger)
    with pytest.raises(OptionError, match="workload 'stranger' is unknown to the model"):
        contextual.predictor.predict(log(5).columns, "stranger")


def test_a_constant_target_is_refused_by_name():
    data = log()
    constant = np.where(data.feasible, 7.0, np.nan)
    data = replace(data, metrics={**data.metrics, "latency_cycles": constant})
    with pytest.raises(OptionError, match="metric latency_cycles: all designs that work have the"):
        small().fit(data, GOAL)


def test_a_constant_limit_is_no_problem():
    data = log()
    constant = np.where(data.feasible, 2.0, np.nan)
    data = replace(data, metrics={**data.metrics, "area_mm2": constant})
    predictor = small().fit(data, GOAL).predictor
    assert predictor.predict(data.columns, "net0").metrics["area_mm2"] == pytest.approx(2.0)


def test_an_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(OptionError, match="no metric is named 'power'") as caught:
        small().fit(log(), Goal.parse(["minimize power"], []))
    assert "latency_cycles" in caught.value.hint


def test_two_objectives_are_refused():
    goal = Goal.parse(["minimize latency_cycles", "minimize energy_uj"], [])
    with pytest.raises(OptionError, match="expected one objective"):
        small().fit(log(), goal)


def test_a_design_outside_of_the_space_is_refused_by_name(model):
    designs = {name: column.copy() for name, column in log(5).columns.items()}
    designs["pes_x"][2] = 7
    with pytest.raises(DesignError, match="design 2: pes_x: 7 is not one of"):
        model.predictor.predict(designs, "net0")
    del designs["pes_x"]
    with pytest.raises(DesignError, match="pes_x: missing"):
        model.predictor.predict(designs, "net0")


def test_a_real_parameter_is_refused():
    data = log()
    space = DesignSpace("r", (*toy_problem().space.parameters, Real("v", 0.5, 1.0)))
    columns = {**data.columns, "v": np.full(len(data), 0.7)}
    with pytest.raises(OptionError, match="conservative"):
        small().fit(replace(data, space=space, columns=columns), GOAL)


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ({"alpha": -1.0}, "alpha: expected 0"),
        ({"members": 0}, "members: expected 1"),
        ({"miner": "magic"}, "miner: got 'magic'"),
        ({"width": 30, "attention_heads": 4}, "4 do not divide width 30"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_a_wrong_option_is_refused_by_name(option, complaint):
    with pytest.raises(OptionError, match=complaint):
        small(**option)
