import copy
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_dse.trial import Outcome, Trial
from accel_dse.trials import POOLED, Trials


def works(index, **design):
    return Trial(
        index=index,
        design=design or {"pes": index, "order": ("K", ("C", 2)), "on": True},
        outcome=Outcome.FEASIBLE,
        metrics={"latency_ms": index / 3 + 1, "area_mm2": 5e-324},
        source="evolution",
        started=1.7e9 + 1 / 3,
        ended=1.7e9 + 2 / 3,
        host="a.host",
    )


def fails(index):
    return Trial(index=index, design={"pes": 7}, outcome=Outcome.TIMED_OUT, reason=f"after {index}")


MIXED = [works(0), fails(1), works(2), works(3, pes=0.5), fails(4)]


def test_what_is_held_is_given_back_in_every_detail():
    for before, after in zip(MIXED, Trials(MIXED), strict=True):
        assert vars(after) == vars(before)
        assert [type(value) for value in after.design.values()] == [
            type(value) for value in before.design.values()
        ]


VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.tuples(st.integers(), st.text()),
    st.lists(st.integers()),
)


@given(
    designs=st.lists(st.dictionaries(st.text(), VALUES), max_size=6),
    metrics=st.dictionaries(st.text(), st.floats(allow_nan=False) | st.integers(), min_size=1),
)
def test_any_trial_is_given_back_equal(designs, metrics):
    trials = [
        Trial(index=i, design=design, outcome=Outcome.FEASIBLE, metrics=metrics)
        for i, design in enumerate(designs)
    ]
    assert list(Trials(trials)) == trials


@pytest.mark.parametrize(
    "part", [slice(0, 2), slice(2, None), slice(None), slice(-2, None), slice(9, 12)], ids=str
)
def test_a_slice_is_that_of_a_list(part):
    assert Trials(MIXED)[part] == MIXED[part]
    assert list(Trials(MIXED)[part]) == MIXED[part]


def test_a_slice_does_not_grow_with_the_whole_nor_the_whole_with_it():
    trials = Trials(MIXED[:3])
    part = trials[1:]
    trials.append(MIXED[3])
    part.append(MIXED[4])
    assert trials == MIXED[:4]
    assert part == [*MIXED[1:3], MIXED[4]]


def test_trials_are_looked_up_by_place():
    trials = Trials(MIXED)
    assert [trials[0], trials[-1]] == [MIXED[0], MIXED[-1]]
    with pytest.raises(IndexError):
        trials[5]


def test_trials_are_added_in_order_from_anywhere():
    trials = Trials()
    trials.extend(iter(MIXED[:2]))
    trials += Trials(MIXED[2:4])
    trials.append(MIXED[4])
    assert trials == MIXED
    assert len(trials) == 5
    assert MIXED[4] in trials


@pytest.mark.parametrize("other", [MIXED[:-1], [*MIXED[:-1], fails(5)], [], "trials", 3])
def test_different_trials_are_not_equal(other):
    assert Trials(MIXED) != other
    assert Trials(MIXED) == Trials(MIXED)


def test_trials_can_be_copied_and_sent():
    assert copy.deepcopy(Trials(MIXED)) == MIXED
    assert pickle.loads(pickle.dumps(Trials(MIXED))) == MIXED


def test_changing_a_design_that_was_looked_at_does_not_change_what_is_held():
    trials = Trials(MIXED)
    dict.clear(trials[0].design)
    assert trials == MIXED


def test_values_that_are_all_different_are_held_too():
    trials = [works(i, pes=i / 7) for i in range(POOLED + 10)]
    assert Trials(trials) == trials


def test_a_trial_takes_a_fifth_of_the_memory():
    def many():
        return (
            Trial(
                index=i,
                design={f"parameter_{k}": (i * (2 * k + 1)) % 1024 for k in range(12)},
                outcome=Outcome.FEASIBLE,
                metrics={f"metric_{k}_ms": i / (k + 3) for k in range(8)},
                host=f"node{i % 9}",
            )
            for i in range(3000, 9000)
        )

    assert taken(Trials, many()) < 0.25 * taken(list, many())


def taken(hold, trials):
    tracemalloc.start()
    try:
        held = hold(trials)
        return tracemalloc.get_traced_memory()[0] / len(held)
    finally:
        tracemalloc.stop()


def test_columns_are_those_of_the_trials():
    whole = Trial(
        index=5, design={"pes": 1}, outcome=Outcome.FEASIBLE, metrics={"area_mm2": 2, "other": 3.0}
    )
    trials = [*MIXED, whole]
    held = Trials(trials)
    assert held.outcomes() == [trial.outcome for trial in trials]
    assert held.reasons() == [trial.reason for trial in trials]
    for name in ("latency_ms", "area_mm2", "other", "unknown"):
        expected = [trial.metrics.get(name, np.nan) for trial in trials]
        np.testing.assert_array_equal(held.metric(name), expected)
    assert held.at([4, 2]) == [trials[4], trials[2]]
