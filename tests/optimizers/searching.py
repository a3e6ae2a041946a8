"""A search on the toy accelerator, for tests of optimizers."""

from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial import Outcome, Trial

PROBLEM = toy_problem()


def simulated(proposals, first=0, problem=PROBLEM):
    """The trials that `proposals` become."""
    columns = problem.space.columns([proposal.design for proposal in proposals])
    metrics = ToySimulator().simulate(problem.workloads[0][0], columns)
    return [
        Trial(
            index=first + i,
            design=proposal.design,
            source=proposal.source,
            outcome=Outcome.INFEASIBLE if metrics.infeasible[i] else Outcome.FEASIBLE,
            metrics=metrics.row(i),
            reason=metrics.infeasible[i],
        )
        for i, proposal in enumerate(proposals)
    ]


def search(optimizer, n, batch=5):
    """Runs `optimizer` until it was told `n` trials; returns them."""
    while len(optimizer.trials) < n:
        proposals = optimizer.propose(min(batch, n - len(optimizer.trials)))
        optimizer.tell(simulated(proposals, len(optimizer.trials), optimizer.problem))
    return optimizer.trials


def best_cost(trials, problem=PROBLEM):
    return problem.costs(problem.best(trials).metrics)[0]
