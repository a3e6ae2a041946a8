import numpy as np
import pytest

from accel_dse.optimizers.novelty import Known
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.parameters import Categorical, Ordinal, Real
from accel_dse.problem import Problem
from accel_dse.space import DesignSpace
from accel_dse.testing import toy_problem
from accel_dse.trial import Outcome, Trial


def in_space(*parameters):
    toy = toy_problem()
    return Problem(DesignSpace("small", parameters), toy.workloads, toy.objectives, toy.limits)


SMALL = in_space(Ordinal("a", (1, 2, 3, 4)), Categorical("b", ("x", "y", "z")))


def infeasible(designs, first=0):
    return [
        Trial(index=i, design=design, outcome=Outcome.INFEASIBLE, reason="no")
        for i, design in enumerate(designs, first)
    ]


def distinct(designs):
    return {tuple(design.values()) for design in designs}


def test_every_design_comes_up_once_before_any_comes_up_again():
    optimizer = RandomSearch(problem=SMALL)
    asked = []
    for size in (5, 1, 4, 2):
        designs = optimizer.ask(size)
        optimizer.tell(infeasible(designs, first=len(asked)))
        asked += designs
    assert len(distinct(asked)) == len(asked) == 12


def test_an_exhausted_space_is_drawn_from_again():
    optimizer = RandomSearch(problem=SMALL)
    designs = optimizer.ask(30)
    assert len(designs) == 30
    assert len(distinct(designs[:12])) == 12
    optimizer.tell(infeasible(designs))
    assert len(optimizer.ask(3)) == 3


def test_a_pending_design_is_not_proposed():
    optimizer = RandomSearch(problem=SMALL)
    pending = SMALL.space.designs(SMALL.space.every())[:11]
    optimizer.tell([], pending=pending)
    (left,) = optimizer.ask(1)
    assert distinct([left]).isdisjoint(distinct(pending))


def test_a_space_of_real_numbers_is_never_exhausted():
    designs = RandomSearch(problem=in_space(Real("a", 0.0, 1.0))).ask(1000)
    assert len({design["a"] for design in designs}) == 1000


def test_draws_are_uniform():
    optimizer = RandomSearch(problem=SMALL)
    counts = np.zeros(4)
    for seed in range(400):
        optimizer = RandomSearch(problem=SMALL, seed=seed)
        counts[optimizer.ask(1)[0]["a"] - 1] += 1
    assert abs(counts - 100).max() < 4 * np.sqrt(400 * 0.25 * 0.75)


@pytest.mark.parametrize("besides", [0, 3])
def test_only_new_designs_are_kept_and_each_once(besides):
    a, b, c, d = SMALL.space.designs(SMALL.space.every())[:4]
    known = Known(SMALL)
    known.refresh(infeasible([a]), pending=[b])
    assert known.new([a, b, c, d, c], besides=[d] * besides) == ([c] if besides else [c, d])
    known.refresh(infeasible([a, c]), pending=[])
    assert known.new([a, b, c]) == [b]
