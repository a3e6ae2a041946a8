import numpy as np

from accel_dse.optimizers.constrained_bo import ConstrainedBO
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial import Outcome, Trial

PROBLEM = toy_problem()


def simulated(designs, first=0, problem=PROBLEM):
    metrics = ToySimulator().simulate(problem.workloads[0][0], problem.space.columns(designs))
    return [
        Trial(
            index=first + i,
            design=design,
            outcome=Outcome.INFEASIBLE if metrics.infeasible[i] else Outcome.FEASIBLE,
            metrics=metrics.row(i),
            reason=metrics.infeasible[i],
        )
        for i, design in enumerate(designs)
    ]


def search(optimizer, n, batch=1):
    while len(optimizer.trials) < n:
        designs = optimizer.ask(min(batch, n - len(optimizer.trials)))
        optimizer.tell(simulated(designs, len(optimizer.trials), optimizer.problem))
    return optimizer.trials


def best_cost(trials):
    best = PROBLEM.best(trials)
    return np.inf if best is None else PROBLEM.costs(best.metrics)[0]


OPTIMUM = best_cost(simulated(PROBLEM.space.designs(PROBLEM.space.every())))


def test_thirty_trials_find_the_optimum_of_720_designs():
    for seed in range(3):
        assert best_cost(search(ConstrainedBO(problem=PROBLEM, seed=seed), 30)) == OPTIMUM
    assert best_cost(search(RandomSearch(problem=PROBLEM), 30)) > OPTIMUM
