import json

import numpy as np
import pytest
from a_log import GOAL, TRIALS, broken, measured

from accel_dse.problem import Goal
from accel_dse.report.summary import kind_of, summarize


def test_trials_are_counted_by_what_became_of_them():
    summary = summarize(TRIALS, GOAL)
    assert summary.trials == 10
    assert summary.accepted == 2
    assert {outcome.value: count for outcome, count in summary.outcomes.items()} == {
        "feasible": 5, "infeasible": 3, "failed": 1, "timed_out": 1
    }  # fmt: skip


def test_the_best_come_first_and_of_those_that_measure_the_same_the_first():
    trials = [measured(i, latency, area=area) for i, (latency, area) in
              enumerate([(3, 9), (1, 9), (1, 9), (2, 9), (1, 8)])]  # fmt: skip
    assert [trial.index for trial in summarize(trials, GOAL).best] == [1, 4, 3, 0]
    assert len(summarize([measured(i, i) for i in range(20)], GOAL).best) == 5


def test_a_metric_to_be_made_large_is_best_where_it_is_largest():
    goal = Goal.parse(["maximize latency_ms"], [])
    summary = summarize([measured(0, 1), measured(1, 3), measured(2, 2)], goal)
    assert [trial.index for trial in summary.best] == [1, 2, 0]
    assert summary.best_so_far.tolist() == [1, 3, 3]


def test_a_limit_binds_if_without_it_alone_a_better_design_were_accepted():
    area, power = summarize(TRIALS, GOAL).limits
    assert (area.binds, area.without.index, area.value) == (True, 2, 20.0)
    assert (area.beyond, area.alone) == (2, 1), "trial 5 breaks the other limit, too"
    assert (power.binds, power.without, power.beyond, power.alone) == (False, None, 2, 1)


def test_where_nothing_is_accepted_the_nearest_are_told():
    trials = [measured(0, 1, area=54), measured(1, 9, area=28), measured(2, 5, area=30, power=4)]
    summary = summarize(trials, GOAL)
    assert summary.best == ()
    assert [trial.index for trial in summary.nearest] == [1, 0, 2]
    area, power = summary.limits
    assert (area.value, area.without.index, area.binds) == (None, 0, True)
    assert not power.binds
    assert np.isnan(summary.best_so_far).all()
    assert summarize(TRIALS, GOAL).nearest == ()


def test_reasons_of_a_kind_are_counted_together():
    summary = summarize(TRIALS, GOAL)
    assert summary.reasons == {
        "smallest tile needs … bytes of core_memory, which has …": 2,
        "program needs … transfers, instruction memory holds …": 1,
    }
    assert list(summary.reasons.values()) == [2, 1], "most frequent first"
    assert summary.failures == {"exit status …": 1, "no answer in … s": 1}


def test_a_reason_on_two_networks_counts_once_for_a_trial():
    trials = [
        broken(0, "a: conv1: no tile; b: conv2: no tile"),
        broken(1, "a: conv1: no tile; b: x"),
    ]
    assert summarize(trials, GOAL).reasons == {"no tile": 2, "x": 1}


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("conv1: needs 4,096 of 2048 bytes", "needs … of … bytes"),
        ("net: conv1: 1.5e-3 ms", "… ms"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_kind_of_reason_has_no_numbers_and_no_place(reason, kind):
    assert kind_of(reason) == kind


def test_the_best_so_far_never_gets_worse_and_starts_where_something_is_accepted():
    so_far = summarize(TRIALS, GOAL).best_so_far
    assert np.isnan(so_far[0])
    assert so_far[1:].tolist() == [5, 5, 4, 4, 4, 4, 4, 4, 4]
    assert summarize(TRIALS, GOAL).milestones() == [(1, None), (2, 5), (5, 4), (10, 4)]


def test_with_several_objectives_there_is_a_front():
    goal = Goal.parse(["minimize latency_ms", "minimize area_mm2"], [])
    summary = summarize(TRIALS, goal)
    assert [trial.index for trial in summary.front] == [5, 2, 3]
    assert summarize(TRIALS, GOAL).front == ()


def test_a_log_may_be_judged_by_another_goal():
    tighter = Goal.parse(["minimize latency_ms"], ["area_mm2<=35"])
    assert summarize(TRIALS, tighter).best[0].index == 2


def test_part_of_a_log_can_be_summarized():
    part = summarize(TRIALS[3:], GOAL)
    assert part.best[0].index == 3
    assert part.best_so_far.tolist() == [4] * 7


def test_an_empty_log_has_a_summary():
    summary = summarize([], GOAL)
    assert (summary.trials, summary.accepted, summary.best, summary.milestones()) == (0, 0, (), [])
    assert json.loads(json.dumps(summary.content()))["best"] is None


def test_a_summary_is_plain_data():
    content = json.loads(json.dumps(summarize(TRIALS, GOAL).content(), allow_nan=False))
    assert content["trials"] == 10
    assert content["feasible"] == 5
    assert content["best"] == {
        "trial": 3,
        "design": {"pes": 3},
        "metrics": {"latency_ms": 4.0, "area_mm2": 20.0, "power_w": 1.0},
    }
    assert content["limits"][0]["binds"]
    assert content["best_so_far"] == {"1": None, "2": 5.0, "5": 4.0, "10": 4.0}
