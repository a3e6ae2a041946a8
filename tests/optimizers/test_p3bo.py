from dataclasses import replace

import numpy as np
import pytest
from searching import PROBLEM, best_cost, search

from accel_dse import plugins
from accel_dse.errors import OptionError
from accel_dse.optimizers import portfolio as portfolio_module
from accel_dse.optimizers.adaptive_p3bo import OPTIONS, AdaptiveP3BO
from accel_dse.optimizers.credit import Standing, decayed, round_rewards, shares
from accel_dse.optimizers.evolution import Evolution
from accel_dse.optimizers.p3bo import P3BO
from accel_dse.optimizers.portfolio import Books, Member
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.testing import check_optimizer, toy_problem
from accel_dse.trial import Outcome, Trial

FREE = toy_problem(limits=())
TWO = toy_problem(objectives=("latency_cycles", "energy_uj"), limits=())


def trial(index, cost, source="", area=1.0, energy=1.0):
    metrics = {"latency_cycles": cost, "area_mm2": area, "energy_uj": energy}
    return Trial(index=index, design={}, outcome=Outcome.FEASIBLE, metrics=metrics, source=source)


def broken(index, source=""):
    return Trial(index=index, design={}, outcome=Outcome.INFEASIBLE, reason="no", source=source)


SCRIPT = [
    [trial(0, 100.0, "a"), trial(1, 80.0, "b")],
    [trial(2, 60.0, "a"), trial(3, 72.0, "b"), trial(4, 72.0, "a")],
    [trial(5, 57.0, "a + b"), trial(6, 61.0, "a")],
    [broken(7, "a"), trial(8, 90.0, "b")],
]
"""What two members propose in four rounds."""


def test_credits_match_a_calculation_by_hand():
    scores, standing, found = {"a": 0.0, "b": 0.0}, Standing(), []
    for trials in SCRIPT:
        earned = round_rewards(FREE, standing, trials)
        scores = decayed(scores, earned, 0.5)
        standing = standing.after(FREE, trials)
        found.append((scores["a"], scores["b"]))
    # round 1: the first that works earn 1, whatever they cost
    # round 2, over 80: a (80 - 60) / 80, its best; b (80 - 72) / 80
    # round 3, over 60: both proposed 57
    # round 4: nothing better than 57
    a = [1.0, 0.25 + 0.5, 0.05 + 0.5 * 0.75, 0.5 * 0.425]
    b = [1.0, 0.1 + 0.5, 0.05 + 0.5 * 0.6, 0.5 * 0.35]
    assert found == [pytest.approx(pair) for pair in zip(a, b)]


def test_shares_match_a_calculation_by_hand():
    found = shares({"a": 0.2, "b": 0.1, "c": 0.0}, temperature=0.5, least=0.0)
    weights = np.exp([2.0, 1.0, 0.0])
    assert list(found.values()) == pytest.approx(weights / weights.sum())
    mixed = shares({"a": 0.2, "b": 0.1, "c": 0.0}, temperature=0.5, least=0.3)
    assert list(mixed.values()) == pytest.approx(0.7 * weights / weights.sum() + 0.1)


@pytest.mark.parametrize("score", [0.0, 1e-9, 3.0])
def test_equal_rewards_give_equal_shares(score):
    found = shares(dict.fromkeys("abcd", score), temperature=0.1, least=0.2)
    assert list(found.values()) == pytest.approx([0.25] * 4)


def test_the_temperature_matters():
    scores = {"a": 1.0, "b": 0.0}
    hot, cold = (shares(scores, temperature=t, least=0.0)["a"] for t in (10.0, 0.1))
    assert hot == pytest.approx(0.5, abs=0.03)
    assert cold > 0.99


def test_a_new_reward_counts_in_full_and_an_old_one_less():
    scores = {"early": 0.0, "late": 0.0}
    scores = decayed(scores, {"early": 1.0}, 0.9)
    scores = decayed(scores, {"late": 1.0}, 0.9)
    assert scores == {"early": 0.9, "late": 1.0}


def test_reward_is_over_the_best_before_the_round_so_that_improvement_pays():
    trials = [trial(0, 100.0, "a"), trial(1, 50.0, "b")]
    before = Standing().after(FREE, [trial(9, 200.0)])
    assert round_rewards(FREE, before, trials) == {"a": 0.5, "b": 0.75}


def test_where_more_is_better_more_is_rewarded():
    goal = replace(FREE.goal.objectives[0], sense="maximize")
    problem = replace(FREE, objectives=(goal,))
    before = Standing().after(problem, [trial(0, 100.0)])
    assert before.reward(problem, trial(1, 110.0)) == pytest.approx(0.1)
    assert before.reward(problem, trial(2, 90.0)) == 0.0


def test_until_something_is_accepted_coming_nearer_to_the_limits_pays():
    far = Standing().after(PROBLEM, [trial(0, 1.0, area=10.0)])
    assert far.excess == 1.0
    assert far.reward(PROBLEM, trial(1, 9.0, area=7.5)) == pytest.approx(0.5)
    assert far.reward(PROBLEM, trial(1, 9.0, area=5.0)) == 1.0
    assert far.reward(PROBLEM, trial(1, 9.0, area=12.0)) == 0.0
    accepted = far.after(PROBLEM, [trial(1, 9.0, area=5.0)])
    assert accepted.reward(PROBLEM, trial(2, 1.0, area=5.1)) == 0.0


def test_with_two_objectives_what_no_known_design_beats_is_rewarded():
    before = Standing().after(TWO, [trial(0, 100.0, energy=10.0), trial(1, 50.0, energy=20.0)])
    assert before.front == ((50.0, 20.0), (100.0, 10.0))
    assert before.reward(TWO, trial(2, 100.0, energy=10.0)) == 0.0
    assert before.reward(TWO, trial(2, 60.0, energy=25.0)) == 0.0
    # beats (50, 20) by 20 % in energy and (100, 10) by 40 % in latency: the less of the two
    assert before.reward(TWO, trial(2, 60.0, energy=16.0)) == pytest.approx(0.2)


def test_who_does_what_did_not_work_is_paid_nothing():
    before = Standing().after(FREE, [trial(0, 100.0)])
    assert round_rewards(FREE, before, [broken(1, "a")]) == {"a": 0.0}
    assert round_rewards(FREE, before, [trial(1, 1.0)]) == {}


CHEAP = ("random", "evolution")


def told(trials, **options):
    portfolio = P3BO(problem=FREE, members=("a", "b"), **options)
    portfolio.tell(trials)
    return portfolio


@pytest.fixture
def _a_and_b(monkeypatch):
    for name in "ab":
        place = "accel_dse.optimizers.random_search:RandomSearch"
        monkeypatch.setitem(plugins.BUILT_IN["optimizers"], name, place)


@pytest.mark.usefixtures("_a_and_b")
def test_the_accounts_are_those_of_the_log_however_it_was_told():
    trials = [replace(t, index=i) for i, t in enumerate([*SCRIPT[0], *SCRIPT[1][:2], *SCRIPT[2]])]
    at_once = told(trials, round_size=2, decay=0.5).accounts()
    assert at_once.scores == pytest.approx({"a": 0.05 + 0.5 * 0.75, "b": 0.05 + 0.5 * 0.6})
    one_by_one = told([], round_size=2, decay=0.5)
    for one in trials:
        one_by_one.tell([one])
        one_by_one.accounts()
    assert one_by_one.accounts() == at_once
    assert at_once.rounds == 3


@pytest.mark.usefixtures("_a_and_b")
def test_a_round_counts_when_it_is_whole():
    trials = [trial(0, 100.0, "a"), trial(1, 90.0, "a"), trial(2, 10.0, "b")]
    assert told(trials, round_size=2).accounts().scores == {"a": 1.0, "b": 0.0}


@pytest.mark.usefixtures("_a_and_b")
def test_the_better_member_proposes_more():
    winning = [trial(i, 100.0 / (i + 1), "a" if i % 2 else "b") for i in range(2)]
    winning += [trial(i, 100.0 / (i + 1), "a") for i in range(2, 20)]
    designs = FREE.space.sample(20, np.random.default_rng(0))
    winning = [replace(one, design=design) for one, design in zip(winning, designs)]
    portfolio = told(winning, round_size=2, temperature=0.2)
    sources = [proposal.source for proposal in portfolio.propose(60)]
    assert sources.count("a") > 40
    assert sources.count("b") > 2


class Copycat(RandomSearch):
    """Always proposes the same designs."""

    def ask(self, n):
        return self.problem.space.sample(n, np.random.default_rng(1))


class Silent(RandomSearch):
    """Never proposes."""

    def ask(self, n):
        return []


class Raising(RandomSearch):
    """Always fails."""

    def ask(self, n):
        raise RuntimeError("out of ideas")


class Outlaw(RandomSearch):
    """Proposes what is no design."""

    def ask(self, n):
        return [{"pes_x": 32}] * n


@pytest.fixture
def _strangers(monkeypatch):
    for kind in (Copycat, Silent, Raising, Outlaw):
        place = f"{__name__}:{kind.__name__}"
        monkeypatch.setitem(plugins.BUILT_IN["optimizers"], kind.__name__.lower(), place)


@pytest.mark.usefixtures("_strangers")
def test_a_design_that_two_propose_is_proposed_once_and_credits_both():
    portfolio = P3BO(problem=FREE, members=("copycat", "copycat:"), seed=1)
    proposals = portfolio.propose(10)
    assert len({tuple(p.design.values()) for p in proposals}) == 10
    assert "copycat + copycat:" in {p.source for p in proposals}


@pytest.mark.usefixtures("_strangers")
def test_a_member_that_never_proposes_breaks_nothing():
    portfolio = P3BO(problem=PROBLEM, members=("silent", "evolution"), seed=1)
    trials = search(portfolio, 100, batch=10)
    assert len({tuple(t.design.values()) for t in trials}) == 100
    assert {t.source for t in trials} >= {"evolution"}
    assert portfolio.accounts().scores["silent"] == 0.0


@pytest.mark.usefixtures("_strangers")
@pytest.mark.parametrize(
    ("name", "complaint"),
    [("raising", "raising sits out: RuntimeError: out of"), ("outlaw", "outlaw sits out: an inv")],
)
def test_a_member_that_fails_sits_out_with_a_warning(name, complaint):
    portfolio = P3BO(problem=PROBLEM, members=(name, "evolution"), seed=1)
    with pytest.warns(RuntimeWarning, match=complaint):
        trials = search(portfolio, 60, batch=10)
    assert {t.source for t in trials} == {"evolution"}


@pytest.mark.usefixtures("_strangers")
def test_if_no_member_proposes_designs_are_drawn_and_credit_nobody():
    portfolio = P3BO(problem=PROBLEM, members=("silent",))
    assert {p.source for p in portfolio.propose(12)} == {""}


def test_a_member_that_takes_too_long_by_now_sits_out_while_others_can_propose(monkeypatch):
    monkeypatch.setitem(portfolio_module.AFFORDABLE, "evolution", 40)
    trials = search(P3BO(problem=PROBLEM, members=CHEAP, seed=1), 80, batch=20)
    assert {t.source for t in trials[:40]} >= {"evolution"}
    assert {t.source for t in trials[40:]} == {"random"}
    alone = search(P3BO(problem=PROBLEM, members=("evolution",), seed=1), 60, batch=20)
    assert {t.source for t in alone[40:]} == {"evolution"}


def test_members_are_given_what_related_tasks_taught():
    taught = ("what a source taught",)
    portfolio = P3BO(problem=PROBLEM, members=CHEAP, sources=taught)
    portfolio.ask(20)
    assert [member.sources for member in portfolio._crew.values()] == [taught] * len(CHEAP)


def test_members_learn_from_what_others_proposed():
    portfolio = P3BO(problem=PROBLEM, members=CHEAP, seed=2)
    trials = search(portfolio, 60, batch=20)
    portfolio.ask(20)
    assert all(member.trials == trials for member in portfolio._crew.values())


@pytest.mark.parametrize("kind", [P3BO, AdaptiveP3BO])
def test_it_keeps_its_contract_with_cheap_members(kind):
    def make(**given):
        return kind(members=("random", "evolution", "firefly"), round_size=4, **given)

    for problem in (PROBLEM, TWO):
        check_optimizer(make, problem)


@pytest.mark.parametrize("kind", [P3BO, AdaptiveP3BO])
def test_a_search_resumes_from_its_log_as_if_it_had_not_stopped(kind):
    def make():
        members = ("evolution", "evolution:mutation=2", "firefly", "firefly:pool=6")
        return kind(problem=PROBLEM, members=members, round_size=10, seed=3)

    whole = make()
    search(whole, 160, batch=10)
    resumed = make()
    resumed.tell(whole.trials[:90])
    assert search(resumed, 160, batch=10) == whole.trials


def test_members_can_have_options_and_each_has_a_name_of_its_own():
    member = Member.parse("evolution:mutation=2,population=40")
    assert (member.kind, member.options) == ("evolution", {"mutation": 2.0, "population": 40})
    for members, complaint in (
        (("evolution", "evolution"), "all different"),
        ((), "needs members"),
        (("evolution:mutation",), "cannot read the member"),
        (("evolution:speed=2",), "no option 'speed'"),
        (("p3bo",), "cannot be a member"),
        (("nobody",), "no optimizer is named"),
    ):
        with pytest.raises(OptionError, match=complaint):
            P3BO(problem=PROBLEM, members=members)


@pytest.mark.parametrize(
    ("option", "value"),
    [("round_size", 0), ("decay", 1.5), ("temperature", 0.0), ("least", -0.1)],
)
def test_an_option_out_of_range_is_refused(option, value):
    with pytest.raises(OptionError, match=f"p3bo: {option}: expected"):
        P3BO(problem=PROBLEM, **{option: value})


def test_an_option_of_the_adaptive_form_out_of_range_is_refused():
    with pytest.raises(OptionError, match="adaptive_p3bo: period: expected"):
        AdaptiveP3BO(problem=PROBLEM, period=0)


def after(scores, rounds=4, **options):
    portfolio = AdaptiveP3BO(
        problem=PROBLEM, members=("evolution", "evolution", "firefly", "random"), **options
    )
    members = portfolio.founders()
    named = {member.name: score for member, score in zip(members, scores)}
    return portfolio, portfolio.succeeded(Books(members, named, rounds=rounds))


def test_the_worse_half_of_the_members_leaves_for_children_of_the_better():
    portfolio, books = after([3.0, 1.0, 2.0, 0.5])
    first, second, third, last = portfolio.founders()
    assert books.members[:3] == (first, third, last)  # no other is of the last one's kind
    (child,) = books.members[3:]
    assert second.name not in books.scores
    assert child.kind in ("evolution", "firefly")
    assert books.scores[child.name] == (3.0 if child.kind == "evolution" else 2.0)
    assert dict(child.options).keys() == set(OPTIONS[child.kind].names)


def test_members_stay_from_one_generation_to_the_next():
    portfolio, books = after([3.0, 1.0, 2.0, 0.5], rounds=3)
    assert books.members == portfolio.founders()


def test_the_second_of_a_kind_begins_with_other_options():
    first, second, *_ = AdaptiveP3BO(problem=PROBLEM).founders()
    assert first.options == {}
    assert second.options != {}
    plugins.load("optimizers", second.kind)(problem=PROBLEM, **second.options)


@pytest.mark.parametrize("kind", OPTIONS)
def test_every_option_that_may_evolve_is_one_of_the_optimizer(kind):
    made = plugins.load("optimizers", kind)
    known = plugins.options(made)
    for design in OPTIONS[kind].sample(30, np.random.default_rng(0)):
        made(problem=PROBLEM, **design)
        assert design.keys() <= known.keys()


def test_the_adaptive_form_is_as_good_as_evolution_alone_on_the_toy():
    members = ("evolution", "evolution", "firefly")
    adaptive, alone = (
        np.mean([best_cost(search(make(seed), 120, batch=10)) for seed in range(8)])
        for make in (
            lambda seed: AdaptiveP3BO(problem=PROBLEM, members=members, round_size=10, seed=seed),
            lambda seed: Evolution(problem=PROBLEM, seed=seed),
        )
    )
    assert adaptive < 1.03 * alone
