import numpy as np
import pytest
from a_log import GOAL, broken, measured

from accel_dse.problem import Goal
from accel_dse.report.importance import FEWEST, WORKS, fields, importance
from accel_dse.trial import Outcome, Trial

FAST = Goal.parse(["minimize latency_ms"], [])


def grid(n=400, seed=0):
    """Trials whose latency is `a * b` and has nothing to do with `c`, a word, or `d`, a tuple."""
    rng = np.random.default_rng(seed)
    trials = []
    for i in range(n):
        a, b, c = (int(v) for v in rng.integers(1, 5, 3))
        design = {"a": a, "b": b, "c": "wxyz"[c - 1], "d": (c, 5 - c)}
        trials.append(measured(i, a * b, **design))
    return trials


def test_a_parameter_that_decides_is_found_important_and_one_that_does_not_is_not():
    [found] = importance(grid(), FAST)
    lost = {name: value for name, value, _ in found["main"]}
    assert found["score"] > 0.95
    assert min(lost["a"], lost["b"]) > 0.3
    assert max(abs(lost["c"]), abs(lost["d"])) < 0.05
    assert [name for name, *_ in found["main"]][:2] in (["a", "b"], ["b", "a"])


def test_an_effect_is_what_the_parameter_does():
    [found] = importance(grid(), FAST)
    effect = next(one for one in found["effects"] if one["name"] == "a")
    assert effect["values"] == [1, 2, 3, 4]
    assert found["log"] is True
    assert np.diff(effect["mean"]) == pytest.approx(np.diff(np.log([1, 2, 3, 4])), abs=0.1)


def test_an_interaction_is_told_from_a_sum_of_effects():
    trials = grid()
    product = importance(
        [sized(t, (t.design["a"] - 2.5) * (t.design["b"] - 2.5)) for t in trials], FAST
    )
    total = importance([sized(t, t.design["a"] + t.design["b"] - 5) for t in trials], FAST)
    assert share(product[0]) > 0.5
    assert share(total[0]) < 0.05


def sized(trial, latency):
    return measured(trial.index, latency, **trial.design)


def share(found):
    return next(pair["share"] for pair in found["pairs"] if {pair["a"], pair["b"]} == {"a", "b"})


def test_noise_is_not_taken_for_knowledge():
    rng = np.random.default_rng(1)
    trials = [sized(t, rng.normal()) for t in grid()]
    [found] = importance(trials, FAST)
    assert found["score"] < 0.2, "the page says not to trust it"


def test_what_decides_whether_a_design_works_is_found():
    trials = [
        t if t.design["a"] > 1
        else Trial(index=t.index, design=t.design, outcome=Outcome.INFEASIBLE, reason="too small")
        for t in grid()
    ]  # fmt: skip
    found = importance(trials, FAST)[-1]
    assert found["target"] == WORKS
    assert found["score"] > 0.95
    assert found["main"][0][0] == "a"


def test_it_is_the_same_each_time():
    assert importance(grid(120), FAST) == importance(grid(120), FAST)


@pytest.mark.parametrize("n", [0, 1, FEWEST - 1])
def test_of_too_few_trials_nothing_is_said(n):
    found = importance(grid(n), GOAL)
    assert [one["target"] for one in found] == ["latency_ms", "area_mm2", "power_w"]
    assert all(one["reason"] == f"only {n} designs work" for one in found)


def test_of_a_metric_that_never_changes_nothing_is_said():
    found = importance(grid(60), GOAL)
    assert found[1]["reason"] == "all designs have the same"


def test_simulations_that_broke_teach_nothing():
    crashed = [broken(i + 400, "it crashed", Outcome.FAILED) for i in range(100)]
    assert [one["target"] for one in importance([*grid(), *crashed], FAST)] == ["latency_ms"]


def test_words_and_tuples_become_numbers_that_stay_together():
    made = fields(grid(50))
    assert {name: len(part) for name, part in made.parts.items()} == {
        "a": 1,
        "b": 1,
        "c": 4,
        "d": 2,
    }
    assert made.matrix.shape == (50, 8)
    assert made.matrix[:, made.parts["c"]].sum(axis=1).tolist() == [1.0] * 50
