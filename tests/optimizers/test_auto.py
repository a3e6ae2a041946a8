from searching import PROBLEM, best_cost, search

from accel_dse import plugins
from accel_dse.optimizers.auto import MEMBERS, MEMBERS_FOR_A_FRONT, Auto
from accel_dse.optimizers.portfolio import Member
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.testing import toy_problem


def test_it_has_one_member_of_each_good_kind():
    kinds = [Member.parse(text).kind for text in MEMBERS]
    assert len(set(kinds)) == len(kinds)
    assert "constrained_bo" in kinds


def test_with_several_objectives_its_members_are_those_that_spread_along_a_front():
    two = toy_problem(objectives=("latency_cycles", "energy_uj"))
    assert Auto(problem=two).accounts().scores.keys() == set(MEMBERS_FOR_A_FRONT)


def test_there_is_nothing_to_choose():
    assert plugins.options(Auto) == {}


def test_every_member_gets_to_propose_and_all_is_accounted_for():
    optimizer = Auto(problem=PROBLEM, seed=1)
    trials = search(optimizer, 60, batch=20)
    proposed = {name for trial in trials for name in trial.source.split(" + ")}
    assert proposed == set(MEMBERS)
    assert optimizer.accounts().rounds == 3
    assert optimizer.accounts().scores.keys() == set(MEMBERS)
    optimum = best_cost(search(RandomSearch(problem=PROBLEM), 720, batch=720))
    assert best_cost(trials) < 1.1 * optimum


def test_a_search_resumes_from_its_log_as_if_it_had_not_stopped():
    whole = Auto(problem=PROBLEM, seed=2)
    search(whole, 50, batch=10)
    resumed = Auto(problem=PROBLEM, seed=2)
    resumed.tell(whole.trials[:30])
    assert search(resumed, 50, batch=10) == whole.trials
