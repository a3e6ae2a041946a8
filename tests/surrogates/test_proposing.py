"""The best designs that a model knows."""

from dataclasses import replace

import numpy as np
import pytest
from toy_models import GOAL, fitted, log, small, two_logs

from accel_dse.errors import OptionError
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.surrogates.proposing import APART, Caution, Search, best_logged
from accel_dse.testing import ToySimulator, toy_problem

PROBLEM = toy_problem(limits=("area_mm2<=3",))


@pytest.fixture(scope="module")
def model():
    return fitted(members=2)


def search(model, problem=PROBLEM, **options):
    return Search(fitted=model, problem=problem, **options)


def test_proposals_are_valid_different_and_best_first(model):
    proposals = search(model).propose(6)
    assert len(proposals) == 6
    for proposal in proposals:
        PROBLEM.space.check(proposal.design)
        assert proposal.metrics["area_mm2"] <= 3
        assert proposal.works >= 0.5
        assert 0 <= proposal.distance <= 1
    designs = [proposal.design for proposal in proposals]
    apart = PROBLEM.space.distance(designs, designs) + np.eye(6)
    assert apart.min() > APART
    costs = [proposal.metrics["latency_cycles"] for proposal in proposals]
    assert costs == sorted(costs)


def test_the_best_proposal_is_the_best_of_all_designs_by_the_model(model):
    every = PROBLEM.space.every()
    scores = search(model).scores(every)
    found = PROBLEM.space.columns([search(model).propose(1)[0].design])
    assert search(model).scores(found)[0] == pytest.approx(scores.min())


def test_proposals_are_nearly_as_good_as_the_best_design_there_is(model):
    designs = [proposal.design for proposal in search(model).propose(10)]
    problem = PROBLEM
    simulate = lambda columns: ToySimulator().simulate(problem.workloads[0][0], columns)  # noqa: E731
    proposed, every = (
        simulate(columns) for columns in (problem.space.columns(designs), problem.space.every())
    )
    kept = {m: v.values["latency_cycles"][v.values["area_mm2"] <= 3]
            for m, v in (("proposed", proposed), ("every", every))}  # fmt: skip
    assert kept["proposed"].min() <= 1.2 * kept["every"].min()


def test_a_tighter_limit_is_kept(model):
    tight = replace(PROBLEM, limits=(Limit("area_mm2", "<=", 1.0),))
    assert all(p.metrics["area_mm2"] <= 1.0 for p in search(model, tight).propose(5))


def test_nothing_is_proposed_where_nothing_keeps_the_limit(model):
    impossible = replace(PROBLEM, limits=(Limit("area_mm2", "<=", 1e-6),))
    assert search(model, impossible).propose(5) == []


def test_designs_that_are_known_are_not_proposed_again(model):
    first = [proposal.design for proposal in search(model).propose(3)]
    again = [proposal.design for proposal in search(model).propose(3, besides=first)]
    assert not [design for design in again if design in first]


def test_distrust_of_distance_keeps_near_the_log(model):
    few = replace(model, log=model.log.rows(np.arange(60)))
    far, near = (
        np.mean([p.distance for p in search(few, caution=Caution(distance=d)).propose(8)])
        for d in (0.0, 100.0)
    )
    assert near < far


def test_distrust_of_disagreement_makes_scores_worse(model):
    columns = log(50, seed=3).columns
    trusting, wary = (
        search(model, caution=Caution(disagreement=k)).scores(columns) for k in (0.0, 3.0)
    )
    assert (wary >= trusting - 1e-9).all()
    assert (wary > trusting).any()


def erring(model, low, high):
    """A model whose held-out areas are between `low` and `high` of the predicted ones."""
    figures = {"area_mm2": {"low_ratio": low, "high_ratio": high}}
    return replace(model, accuracy={"best": {"metrics": figures}})


def test_a_limit_is_kept_with_room_for_the_error_on_held_out_designs(model):
    wrong = erring(model, 0.8, 1.5)
    assert all(p.metrics["area_mm2"] <= 2.0 for p in search(wrong).propose(5))
    trusting = search(wrong, caution=Caution(limits=0.0)).propose(5)
    assert max(p.metrics["area_mm2"] for p in trusting) > 2.0
    least = replace(PROBLEM, limits=(Limit("area_mm2", ">=", 2.0),))
    assert all(p.metrics["area_mm2"] >= 2.5 for p in search(wrong, least).propose(5))


def test_a_model_that_errs_on_the_safe_side_gets_no_more_room(model):
    assert erring(model, 0.5, 0.9).ratios("area_mm2") == (0.5, 1.0)


def test_where_little_was_held_out_the_model_is_taken_at_its_word(model):
    assert erring(model, None, None).ratios("area_mm2") == (1.0, 1.0)
    assert replace(model, accuracy={}).ratios("area_mm2") == (1.0, 1.0)


def test_a_fit_knows_how_far_it_errs_on_either_side(model):
    low, high = model.ratios("area_mm2")
    assert 0 < low <= 1 <= high < 3
    assert low < high


def test_designs_for_several_networks_are_judged_together():
    model = small().fit(two_logs(), GOAL)
    problem = replace(toy_problem(workloads=2), limits=PROBLEM.limits)
    proposal = search(model, problem).propose(1)[0]
    each = [proposal.metrics[f"net{i}/latency_cycles"] for i in (0, 1)]
    assert proposal.metrics["latency_cycles"] == pytest.approx(np.mean(each))


def test_the_best_logged_design_is_the_best_that_all_networks_ran():
    data = two_logs()
    problem = replace(toy_problem(workloads=2), limits=PROBLEM.limits)
    design, metrics = best_logged(data, problem)
    first, second = data.of("net0"), data.of("net1")
    both = (first.metrics["latency_cycles"] + second.metrics["latency_cycles"]) / 2
    allowed = first.accepted(GOAL)
    assert metrics["latency_cycles"] == pytest.approx(both[allowed].min())
    assert metrics["area_mm2"] <= 3
    assert design in problem.space
    assert best_logged(data.of("net0"), problem) is None


def test_another_space_and_an_unpredicted_metric_are_refused(model):
    other = Problem(PROBLEM.space, PROBLEM.workloads, (Objective("energy_uj"),))
    with pytest.raises(OptionError, match="no metric is named 'energy_uj'"):
        search(model, other)
    shorter = replace(PROBLEM.space, parameters=PROBLEM.space.parameters[:3])
    with pytest.raises(OptionError, match="parameters differ"):
        search(model, replace(PROBLEM, space=shorter))


def test_a_negative_distrust_is_refused():
    with pytest.raises(OptionError, match="distance: expected 0"):
        Caution(distance=-1.0)
