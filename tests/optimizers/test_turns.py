import pytest

from accel_dse.optimizers import turns as turns_module
from accel_dse.optimizers.turns import Turns, blocks_of
from accel_dse.problem import Limit, Objective
from accel_dse.testing import toy_problem
from accel_dse.trial import Outcome, Trial


@pytest.fixture(autouse=True)
def half_are_kept(monkeypatch):
    """So that a few designs tell what many would."""
    monkeypatch.setattr(turns_module, "KEPT", 2)


LIMITED = (Limit("area_mm2", "<=", 10.0),)


def turns(*, full=8, halvings=2, revisit=3, limits=()):
    toy = toy_problem()
    problem = type(toy)(toy.space, toy.workloads, (Objective("edp"),), limits)
    return Turns(problem, full, halvings, revisit)


def told(*designs):
    """Blocks of hardware `h` with these values of each trial; a pair is an area, too."""
    trials = []
    for h, values in enumerate(designs):
        for value in values:
            edp, area = value if isinstance(value, tuple) else (value, 1.0)
            trials.append(
                Trial(
                    index=len(trials),
                    design={"h": h, "m": len(trials)},
                    outcome=Outcome.FEASIBLE,
                    metrics={"edp": float(edp), "area_mm2": float(area)},
                )
            )
    blocks = blocks_of(trials, [], ["h"])
    for block in blocks:  # none is the very first, which has a full turn
        block.number += 1
    return blocks


def falling(count, least=1.0):
    return [least * (1 + count - i) for i in range(count)]


@pytest.mark.parametrize(
    ("full", "halvings", "rungs"),
    [(8, 0, (8,)), (8, 2, (2, 4, 8)), (250, 3, (31, 62, 125, 250)), (6, 9, (2, 3, 6))],
)
def test_a_design_is_judged_after_halves_of_a_full_turn(full, halvings, rungs):
    assert turns(full=full, halvings=halvings).rungs == rungs


def test_a_turn_ends_at_each_rung_and_beyond_them_after_each_full_turn():
    rule = turns()
    (block,) = told([1.0] * 3)
    assert rule.room(block) == 1
    assert [n for n in range(1, 25) if rule.over(block, n)] == [2, 4, 8, 16, 24]
    (whole,) = told([1.0] * 8)
    assert rule.room(whole) == 0
    assert rule.turn(whole) == 8


def test_the_better_half_goes_on_and_the_others_do_not():
    rule = turns(revisit=0)
    blocks = told([9, 8], [5, 4], [7, 7])
    assert rule.deserving(blocks) is blocks[1]
    assert rule.deserving(told([9, 8])) is None
    both = told([9, 8], [5, 4, 3, 2], [7, 6], [3, 9])
    assert rule.deserving(both) is both[3]  # the second is ahead, and waits for company


def test_a_design_is_compared_by_as_many_trials_as_the_others_had():
    rule = turns(revisit=0)
    blocks = told([9, 8, 1, 1], [5, 4])
    assert rule.deserving(blocks) is blocks[1]


def test_designs_that_are_being_simulated_wait_for_their_turn_to_end():
    blocks = told([9, 8], [5, 4])
    blocks[1].pending.append({"h": 1, "m": 99})
    assert turns(revisit=0).deserving(blocks) is None


def test_the_very_first_design_has_a_full_turn():
    rule = turns()
    (block,) = told([1.0] * 3)
    block.number = 0
    assert rule.room(block) == 5
    assert [n for n in range(1, 25) if rule.over(block, n)] == [8, 16, 24]
    assert not rule.judged(block)


def test_a_design_whose_limits_no_mapping_mends_does_not_go_on():
    rule = turns(limits=LIMITED)
    big, lucky = told([(1.0, 20.0), (1.1, 20.0)], [(1.0, 20.0), (1.1, 15.0)])
    assert rule.hopeless(big)
    assert not rule.hopeless(lucky)
    assert rule.deserving([big, lucky]) is None
    assert rule.deserving([big, *told([(1.0, 20.0), (1.1, 15.0)], [(3, 20), (3, 30)])]) is not None


def test_designs_within_the_limits_come_first():
    blocks = told([(1, 20), (2, 12)], [(5, 1), (4, 1)])
    assert turns(limits=LIMITED, revisit=0).deserving(blocks) is blocks[1]


def test_the_best_goes_on_after_every_few_full_turns_while_that_helps():
    rule = turns(halvings=0)
    blocks = told([5.0] * 8, falling(8), [6.0] * 8)
    assert rule.deserving(blocks) is blocks[1]
    assert rule.deserving(blocks[:2]) is None
    assert turns(halvings=0, revisit=0).deserving(blocks) is None
    stuck = told([5.0] * 8, [1.0] * 8, [6.0] * 8)
    assert rule.deserving(stuck) is None
    once = told([5.0] * 8, falling(16), [6.0] * 8)
    assert rule.deserving(once) is None  # it had its turn for these three
