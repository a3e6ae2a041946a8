"""Small logs and models of the toy accelerator."""

import numpy as np

from accel_dse.dataset import Dataset, concatenate, texts
from accel_dse.problem import Goal
from accel_dse.surrogates.conservative import Conservative
from accel_dse.testing import ToySimulator, toy_problem

GOAL = Goal.parse(["minimize latency_cycles"], ["area_mm2<=3"])

SMALL = {
    "steps": 150,
    "learning_rate": 1e-2,
    "members": 1,
    "width": 8,
    "blocks": 0,
    "attention_heads": 2,
    "hidden": 16,
    "batch": 32,
    "mined": 16,
    "alpha": 0.1,
    "beta": 0.1,
}


def log(n=400, seed=0, network=0):
    """Random designs of the toy accelerator, on one of its networks."""
    problem = toy_problem(workloads=3)
    workload = problem.workloads[network][0]
    columns = problem.space.sample_columns(n, np.random.default_rng(seed))
    metrics = ToySimulator().simulate(workload, columns)
    return Dataset(
        problem.space,
        columns,
        metrics.values,
        texts(metrics.infeasible),
        texts([workload.name] * n),
        {workload.name: workload},
    )


def two_logs(n=300):
    """The same designs on two networks."""
    return concatenate([log(n, network=0), log(n, network=1)])


def small(**options):
    """A recipe that takes a second."""
    return Conservative(**{**SMALL, **options})


def fitted(**options):
    """A model of one network."""
    return small(**options).fit(log(), GOAL)
