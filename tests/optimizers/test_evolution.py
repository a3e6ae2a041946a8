import numpy as np
import pytest

from accel_dse.errors import OptionError
from accel_dse.execution.measuring import Measure
from accel_dse.optimizers.evolution import Evolution
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial import Outcome, Trial

PROBLEM = toy_problem()


def simulated(designs, first=0, problem=PROBLEM):
    return Measure(problem, ToySimulator()).trials(designs, first)


def search(optimizer, n, batch=5):
    while len(optimizer.trials) < n:
        designs = optimizer.ask(min(batch, n - len(optimizer.trials)))
        optimizer.tell(simulated(designs, len(optimizer.trials), optimizer.problem))
    return optimizer.trials


def best_cost(trials):
    return PROBLEM.costs(PROBLEM.best(trials).metrics)[0]


OPTIMUM = best_cost(simulated(PROBLEM.space.designs(PROBLEM.space.every())))


def mean_excess(kind, n):
    """How far above the optimum `n` trials end, as a share of it, over seeds."""
    costs = [best_cost(search(kind(problem=PROBLEM, seed=seed), n)) for seed in range(20)]
    return np.mean(costs) / OPTIMUM - 1


def test_a_seventh_of_a_small_space_brings_it_within_two_percent_of_the_optimum():
    assert mean_excess(Evolution, 100) < 0.02


@pytest.mark.parametrize(("n", "share"), [(60, 0.7), (100, 0.4), (144, 0.2)])
def test_it_draws_ahead_of_random_search(n, share):
    assert mean_excess(Evolution, n) < share * mean_excess(RandomSearch, n)


def test_it_approaches_a_pareto_front_of_two_objectives():
    problem = toy_problem(objectives=("latency_cycles", "energy_uj"))
    designs = problem.space.designs(problem.space.every())
    true_front = {problem.costs(t.metrics) for t in problem.pareto(simulated(designs))}
    trials = search(Evolution(problem=problem, seed=1), 250)
    front = {problem.costs(t.metrics) for t in problem.pareto(trials)}
    assert len(true_front) == 8
    assert len(front & true_front) >= 7


def test_no_design_is_proposed_twice_until_the_space_is_exhausted():
    trials = search(Evolution(problem=PROBLEM), 720, batch=40)
    assert len({tuple(trial.design.values()) for trial in trials}) == 720
    assert PROBLEM.space.count_valid() == 720
    assert len(search(Evolution(problem=PROBLEM), 730, batch=73)) == 730


def test_a_pending_design_is_not_proposed():
    optimizer = Evolution(problem=PROBLEM, immigrants=0.0)
    optimizer.tell(simulated(optimizer.ask(60)))
    pending = optimizer.ask(20)
    optimizer.tell([], pending=pending)
    assert not [design for design in optimizer.ask(20) if design in pending]


def test_it_begins_at_random_and_goes_on_so_while_nothing_works():
    optimizer = Evolution(problem=PROBLEM, seed=5)
    drawn = RandomSearch(problem=PROBLEM, seed=5)
    for _ in range(3):
        designs = optimizer.ask(20)
        assert designs == drawn.ask(20)
        trials = [
            Trial(index=i, design=design, outcome=Outcome.INFEASIBLE, reason="no")
            for i, design in enumerate(designs, len(drawn.trials))
        ]
        optimizer.tell(trials)
        drawn.tell(trials)


def test_children_are_near_their_only_parent():
    optimizer = Evolution(problem=PROBLEM, population=2, immigrants=0.0, mutation=1.0)
    parent = {"pes_x": 4, "pes_y": 32, "buffer_kib": 64, "dataflow": "input_stationary"}
    broken = {**parent, "buffer_kib": 1}
    optimizer.tell(simulated([parent, broken]))
    changed = []
    for child in optimizer.ask(15):
        changed.append(sum(child[name] != parent[name] for name in parent))
    assert min(changed) == 1
    assert np.mean(changed) < 1.7


def test_with_both_parents_alike_in_a_value_the_child_has_it_unless_it_mutates():
    optimizer = Evolution(problem=PROBLEM, population=2, immigrants=0.0, crossover=1.0, mutation=0)
    parents = [
        {"pes_x": x, "pes_y": y, "buffer_kib": 64, "dataflow": "input_stationary"}
        for x, y in ((4, 32), (8, 16))
    ]
    optimizer.tell(simulated(parents))
    changed = [
        sum(child[name] not in {p[name] for p in parents} for name in child)
        for child in optimizer.ask(15)
    ]
    assert max(changed) == 1
    assert np.mean(changed) > 0.5


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("population", 1),
        ("tournament", 0),
        ("crossover", 1.5),
        ("mutation", -0.1),
        ("mutation", float("nan")),
        ("immigrants", 2.0),
    ],
)
def test_an_option_out_of_range_is_refused(option, value):
    with pytest.raises(OptionError, match=f"evolution: {option}: expected"):
        Evolution(problem=PROBLEM, **{option: value})
