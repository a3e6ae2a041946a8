from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_dse.errors import OptionError
from accel_dse.metrics import Metrics
from accel_dse.problem import Goal, Limit, Objective, Problem
from accel_dse.testing import toy_problem
from accel_dse.trial import Outcome, Trial
from accel_dse.workload import Layer, Workload

GOAL = Goal.parse(["minimize latency_ms", "maximize utilization"], ["area_mm2<=27"])


def measured(index, latency=1.0, utilization=0.5, area=20.0):
    metrics = {"latency_ms": latency, "utilization": utilization, "area_mm2": area}
    return Trial(index=index, design={}, outcome=Outcome.FEASIBLE, metrics=metrics)


def infeasible(index):
    return Trial(index=index, design={}, outcome=Outcome.INFEASIBLE, reason="no")


def of_networks(count, aggregate="mean", weights=None, **change):
    toy = toy_problem(workloads=count)
    weights = weights or [1.0] * count
    pairs = tuple((w, weight) for (w, _), weight in zip(toy.workloads, weights))
    return replace(toy, workloads=pairs, aggregate=aggregate, **change)


def metrics(**columns):
    length = len(next(iter(columns.values())))
    return Metrics({k: np.array(v, float) for k, v in columns.items()}, ("",) * length)


# Limits and objectives.


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("area_mm2<=27", Limit("area_mm2", "<=", 27.0)),
        (" utilization >= 5e-1 ", Limit("utilization", ">=", 0.5)),
        ("slack_ms>=-1.5", Limit("slack_ms", ">=", -1.5)),
        ("power_w<=.25", Limit("power_w", "<=", 0.25)),
    ],
)
def test_a_limit_is_read(text, limit):
    assert Limit.parse(text) == limit


@pytest.mark.parametrize(
    "text", ["area_mm2<27", "area_mm2=27", "27<=area_mm2", "area_mm2<=", "a b<=1", "a<=1<=2",
             "a<=1e999", "a<=nan", "a<=1.2.3", ""]
)  # fmt: skip
def test_what_is_no_limit_is_refused_with_an_example(text):
    with pytest.raises(OptionError, match="cannot read limit") as caught:
        Limit.parse(text)
    assert caught.value.hint == "write it as 'area_mm2<=27'"


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["<=", ">="]))
def test_a_limit_is_written_so_that_it_reads_the_same(bound, relation):
    limit = Limit("area_mm2", relation, bound)
    assert Limit.parse(str(limit)) == limit


def test_at_its_bound_a_limit_holds():
    values = np.array([26.0, 27.0, 28.0])
    assert Limit("a", "<=", 27.0).violation(values).tolist() == [-1, 0, 1]
    assert Limit("a", ">=", 27.0).violation(values).tolist() == [1, 0, -1]
    assert [GOAL.accepts(measured(0, area=area)) for area in values] == [True, True, False]


def test_what_should_be_large_costs_its_negative():
    assert GOAL.costs(measured(0, 3.0, 0.9).metrics) == (3.0, -0.9)


def test_a_goal_is_written_so_that_it_reads_the_same():
    assert Goal.parse(**GOAL.content()) == GOAL
    assert GOAL.content() == {
        "objectives": ["minimize latency_ms", "maximize utilization"],
        "limits": ["area_mm2<=27"],
    }


@pytest.mark.parametrize("text", ["latency_ms", "reduce latency_ms", "minimize", "minimize "])
def test_what_is_no_objective_is_refused(text):
    with pytest.raises(OptionError, match="cannot read objective"):
        Goal.parse([text], [])


def test_a_goal_needs_an_objective_and_each_once():
    with pytest.raises(OptionError, match="nothing to minimize or maximize"):
        Goal(())
    with pytest.raises(OptionError, match="named twice: latency_ms, latency_ms"):
        Goal((Objective("latency_ms"), Objective("latency_ms", "maximize")))


def test_a_metric_that_is_not_measured_is_named_with_those_that_are():
    GOAL.check_metrics(["latency_ms", "utilization", "area_mm2"])
    with pytest.raises(OptionError, match="no metric is named 'area_mm2'") as caught:
        GOAL.check_metrics(["latency_ms", "utilization"])
    assert caught.value.hint == "known: latency_ms, utilization"


# The best of many.


def test_the_best_is_accepted_and_the_earliest_of_equals():
    trials = [infeasible(0), measured(1, 0.1, area=30), measured(2, 5), measured(3, 2),
              measured(4, 2)]  # fmt: skip
    assert GOAL.best(trials) is trials[3]
    assert GOAL.best(trials[:2]) is None
    assert GOAL.best([]) is None


def test_a_design_beyond_a_limit_or_that_does_not_work_is_not_accepted():
    assert GOAL.accepts(measured(0))
    assert not GOAL.accepts(measured(0, area=27.5))
    assert not GOAL.accepts(infeasible(0))


def test_the_pareto_front_of_a_worked_example():
    trials = [measured(0, 3, 0.9), measured(1, 1, 0.1), measured(2, 2, 0.5), measured(3, 2, 0.4),
              measured(4, 2, 0.5), measured(5, 0.5, 0.95, area=50), infeasible(6)]  # fmt: skip
    assert [trial.index for trial in GOAL.pareto(trials)] == [1, 2, 0]
    assert GOAL.pareto(trials[5:]) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
@settings(max_examples=80, deadline=None)
def test_nothing_accepted_beats_the_front_and_everything_else_is_beaten(points):
    trials = [measured(i, float(a), float(b)) for i, (a, b) in enumerate(points)]
    costs = {trial.index: np.array(GOAL.costs(trial.metrics)) for trial in trials}
    front = [trial.index for trial in GOAL.pareto(trials)]
    for i, cost in costs.items():
        beaten = any((costs[j] <= cost).all() for j in front if j != i)
        assert beaten != (i in front)


# Problems.


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_must_be_positive(weight):
    with pytest.raises(OptionError, match="weight must be > 0"):
        of_networks(1, weights=[weight])


def test_a_problem_needs_workloads_with_distinct_names():
    toy = toy_problem()
    with pytest.raises(OptionError, match="needs a workload"):
        replace(toy, workloads=())
    with pytest.raises(OptionError, match="two workloads are named 'net0'"):
        replace(toy, workloads=toy.workloads * 2)


def test_an_aggregate_that_does_not_exist_is_refused():
    with pytest.raises(OptionError, match="no aggregate is named 'median'") as caught:
        of_networks(2, aggregate="median")
    assert caught.value.hint == "known: mean, worst, geomean"


def test_a_problem_judges_as_its_goal_does():
    problem = toy_problem()
    metrics = {"latency_cycles": 7.0, "area_mm2": 4.0}
    trial = Trial(index=0, design={}, outcome=Outcome.FEASIBLE, metrics=metrics)
    assert problem.costs(metrics) == problem.goal.costs(metrics) == (7.0,)
    assert problem.violations(metrics) == problem.goal.violations(metrics) == (-1.0,)
    assert problem.accepts(trial)
    assert problem.best([trial]) is trial
    assert problem.pareto([trial]) == [trial]


def test_what_a_problem_is_shows_in_its_content():
    content = toy_problem(workloads=2).content()
    assert content["objectives"] == ["minimize latency_cycles"]
    assert content["limits"] == ["area_mm2<=5"]
    assert [workload["name"] for workload in content["workloads"]] == ["net0", "net1"]
    assert content["space"]["parameters"]["pes_x"]["ordinal"] == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize(
    "change",
    [
        {"aggregate": "worst"},
        {"limits": ()},
        {"objectives": (Objective("energy_uj"),)},
        {"workloads": ((Workload("net0", (Layer(name="fc", P=2),)), 1.0),)},
        {"workloads": ((toy_problem().workloads[0][0], 2.0),)},
        {"space": replace(toy_problem().space, constraints=())},
    ],
)
def test_problems_that_differ_have_contents_that_differ(change):
    assert replace(toy_problem(), **change).content() != toy_problem().content()


# Several workloads.


def test_the_mean_counts_weights():
    problem = of_networks(2, weights=[3.0, 1.0])
    combined = problem.combine([metrics(latency_ms=[1.0]), metrics(latency_ms=[5.0])])
    assert combined.row(0) == {
        "latency_ms": 2.0, "net0/latency_ms": 1.0, "net1/latency_ms": 5.0
    }  # fmt: skip


def test_the_geometric_mean_counts_weights():
    problem = of_networks(2, "geomean", weights=[3.0, 1.0])
    combined = problem.combine([metrics(latency_ms=[2.0, 0.0]), metrics(latency_ms=[32.0, 5.0])])
    assert combined.values["latency_ms"] == pytest.approx([4.0, 0.0])


def test_the_geometric_mean_of_a_negative_value_is_refused():
    parts = [metrics(slack_ms=[2.0]), metrics(slack_ms=[-1.0])]
    with pytest.raises(OptionError, match="slack_ms: a negative value has no geometric mean"):
        of_networks(2, "geomean").combine(parts)


def test_the_worst_is_the_largest_but_of_what_should_be_large_the_smallest():
    objectives = (Objective("latency_ms"), Objective("utilization", "maximize"))
    limits = (Limit("rate_hz", ">=", 1.0),)
    problem = of_networks(2, "worst", objectives=objectives, limits=limits)
    parts = [
        metrics(latency_ms=[1.0], utilization=[0.2], rate_hz=[5.0]),
        metrics(latency_ms=[3.0], utilization=[0.7], rate_hz=[4.0]),
    ]
    worst = problem.combine(parts).row(0)
    assert [worst[k] for k in ("latency_ms", "utilization", "rate_hz")] == [3.0, 0.2, 4.0]


@pytest.mark.parametrize("aggregate", ["mean", "worst", "geomean"])
def test_what_is_equal_on_all_workloads_stays_exactly_so(aggregate):
    problem = of_networks(3, aggregate, weights=[0.1, 0.2, 0.4])
    area = [0.1 + 0.2, 1 / 3, 26.7]
    combined = problem.combine([metrics(area_mm2=area)] * 3)
    assert combined.values["area_mm2"].tolist() == area


@given(st.data(), st.sampled_from(["mean", "worst", "geomean"]))
@settings(max_examples=60, deadline=None)
def test_what_becomes_of_a_design_does_not_depend_on_its_batch(data, aggregate):
    n = data.draw(st.integers(2, 20))
    values = st.lists(st.sampled_from([0.1, 0.3, 1 / 3, 7.0, 1e9]), min_size=n, max_size=n)
    weights = data.draw(st.lists(st.floats(0.01, 9), min_size=3, max_size=3))
    problem = of_networks(3, aggregate, weights=weights)
    parts = [metrics(latency_ms=data.draw(values)) for _ in range(3)]
    whole = problem.combine(parts).values["latency_ms"]
    for i in range(n):
        alone = problem.combine([metrics(latency_ms=p.values["latency_ms"][[i]]) for p in parts])
        assert alone.values["latency_ms"][0] == whole[i]


def test_a_design_must_work_on_every_workload_and_every_reason_is_told():
    nan = float("nan")
    parts = [
        Metrics({"latency_ms": np.array([1.0, nan, nan])}, ("", "too small", "too big")),
        Metrics({"latency_ms": np.array([nan, 2.0, nan])}, ("no tile", "", "odd")),
    ]
    combined = of_networks(2).combine(parts)
    assert combined.infeasible == (
        "net1: no tile", "net0: too small", "net0: too big; net1: odd"
    )  # fmt: skip
    assert np.isnan(combined.values["latency_ms"]).all()
    assert np.isnan(combined.values["net0/latency_ms"]).all()


def test_with_one_workload_its_metrics_are_the_design_s():
    only = metrics(latency_ms=[1.0])
    assert isinstance(toy_problem(), Problem)
    assert toy_problem().combine([only]) is only
