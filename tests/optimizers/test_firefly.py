from dataclasses import replace

import numpy as np
import pytest
from searching import PROBLEM, best_cost, search, simulated

from accel_dse.errors import OptionError
from accel_dse.optimizers.base import Proposal
from accel_dse.optimizers.firefly import Firefly, Swarm
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.parameters import Categorical, Factorization, Permutation
from accel_dse.space import DesignSpace
from accel_dse.trial import Outcome, Trial

GOOD = {"pes_x": 8, "pes_y": 8, "buffer_kib": 32, "dataflow": "input_stationary"}


def measured(*designs):
    return simulated([Proposal(design) for design in designs])


def swarm(trials, size=4, penalty=0.5, calm=0.3):
    made = Swarm(PROBLEM, size, penalty, calm)
    made.refresh(trials)
    return made


def mean_cost(kind, n):
    return np.mean([best_cost(search(kind(problem=PROBLEM, seed=s), n)) for s in range(12)])


def test_it_leaves_random_search_half_as_far_from_the_optimum_or_less():
    optimum = best_cost(search(RandomSearch(problem=PROBLEM), 720, batch=720))
    assert mean_cost(Firefly, 100) - optimum < 0.5 * (mean_cost(RandomSearch, 100) - optimum)


def test_a_better_design_takes_the_place_of_the_nearest_fly():
    trials = measured(GOOD, {**GOOD, "pes_x": 32, "buffer_kib": 128})
    better = measured({**GOOD, "pes_x": 16})[0]
    assert PROBLEM.costs(better.metrics) < PROBLEM.costs(trials[0].metrics)
    flies = swarm([*trials, better], size=2).flies
    assert [fly.candidate.design for fly in flies] == [better.design, trials[1].design]
    assert [fly.restlessness for fly in flies] == [1.0, 1.0]


def test_a_design_that_is_worse_or_cannot_work_calms_the_nearest_fly():
    trials = measured(GOOD, {**GOOD, "pes_x": 32, "buffer_kib": 128})
    worse, broken = measured({**GOOD, "pes_x": 4}, {**GOOD, "buffer_kib": 4})
    assert broken.outcome is Outcome.INFEASIBLE
    for trial in (worse, broken):
        flies = swarm([*trials, trial], size=2).flies
        assert [fly.restlessness for fly in flies] == [0.5, 1.0]


def test_a_crash_teaches_nothing():
    trials = measured(GOOD)
    crash = Trial(index=1, design={**GOOD, "pes_x": 4}, outcome=Outcome.FAILED, reason="no")
    (fly,) = swarm([*trials, crash], size=1).flies
    assert fly.restlessness == 1.0


def test_a_calm_fly_gives_up_its_place_unless_it_is_the_best():
    far = {**GOOD, "pes_x": 1, "pes_y": 1}
    trials = measured(GOOD, far, *[{**far, "buffer_kib": kib} for kib in (16, 8)])
    flies = swarm(trials, size=2).flies
    assert [fly.candidate.design for fly in flies] == [GOOD]
    trials = measured(GOOD, *[{**GOOD, "dataflow": "output_stationary"}] * 4)
    assert [fly.candidate.design for fly in swarm(trials, size=1).flies] == [GOOD]


def test_designs_that_measure_the_same_take_one_place():
    trials = measured(GOOD, {**GOOD, "dataflow": "weight_stationary"})
    assert trials[0].metrics == trials[1].metrics
    assert len(swarm(trials).flies) == 1


def test_flies_move_toward_the_better_one_when_nothing_else_moves_them():
    better, worse = {**GOOD, "pes_x": 16}, {**GOOD, "pes_x": 2}
    optimizer = Firefly(problem=PROBLEM, pool=2, perturbation=1e-6, visibility=0.0)
    optimizer.tell(measured(better, worse))
    flies = optimizer._swarm
    flies.refresh(optimizer.trials)
    rng = np.random.default_rng(0)
    moved = optimizer._move(flies.ranked(), np.ones(50, dtype=int), rng)
    assert {design["pes_x"] for design in moved} == {2, 4, 8, 16}
    assert {design["buffer_kib"] for design in moved} == {32}


def test_orders_splits_and_names_move_too():
    space = DesignSpace(
        "mixed",
        (
            Permutation("order", ("K", "C", "P", "Q")),
            Factorization("tiles", total=48, parts=3),
            Categorical("flow", ("a", "b", "c")),
        ),
    )
    problem = replace(PROBLEM, space=space, limits=())
    optimizer = Firefly(problem=problem, pool=6, seed=1)
    for _ in range(8):
        first = len(optimizer.trials)
        optimizer.tell(
            [
                Trial(
                    index=first + i,
                    design=design,
                    outcome=Outcome.FEASIBLE,
                    metrics={"latency_cycles": float(design["order"].index("P") + i % 3)},
                )
                for i, design in enumerate(optimizer.ask(6))
            ]
        )
    designs = [tuple(trial.design.values()) for trial in optimizer.trials]
    assert len(set(designs)) == 48
    for trial in optimizer.trials:
        space.check(trial.design)


@pytest.mark.parametrize(
    ("option", "value"),
    [("pool", -1), ("gravity", -1.0), ("perturbation", 0.0), ("penalty", 1.5), ("calm", 2.0)],
)
def test_an_option_out_of_range_is_refused(option, value):
    with pytest.raises(OptionError, match=f"firefly: {option}: expected"):
        Firefly(problem=PROBLEM, **{option: value})
