"""A search on the toy accelerator, for tests of optimizers."""

from accel_dse.execution.measuring import Measure
from accel_dse.testing import ToySimulator, toy_problem

PROBLEM = toy_problem()


def simulated(proposals, first=0, problem=PROBLEM):
    """The trials that `proposals` become."""
    measured = Measure(problem, ToySimulator())([proposal.design for proposal in proposals])
    return [
        what.trial(i, proposal.design, proposal.source)
        for i, (what, proposal) in enumerate(zip(measured, proposals), first)
    ]


def search(optimizer, n, batch=5):
    """Runs `optimizer` until it was told `n` trials; returns them."""
    while len(optimizer.trials) < n:
        proposals = optimizer.propose(min(batch, n - len(optimizer.trials)))
        optimizer.tell(simulated(proposals, len(optimizer.trials), optimizer.problem))
    return optimizer.trials


def best_cost(trials, problem=PROBLEM):
    return problem.costs(problem.best(trials).metrics)[0]
