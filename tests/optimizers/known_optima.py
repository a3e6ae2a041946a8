"""Problems whose best design is known because they are built around it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from accel_dse.parameters import Categorical, Factorization, Ordinal, Permutation
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.space import DesignSpace
from accel_dse.testing import toy_problem
from accel_dse.trial import Design, Outcome, Trial

WORKLOADS = toy_problem().workloads


@dataclass(frozen=True)
class KnownOptimum:
    """A problem and what its best design costs.

    Attributes:
        problem: minimizes `latency_ms`, and may limit `area_mm2`.
        measure: designs by column -> latency, area, and which do not work.
        best: the accepted design of least latency.
        optimum: its latency.
    """

    problem: Problem
    measure: Callable[[dict], tuple[np.ndarray, np.ndarray, np.ndarray]]
    best: Design
    optimum: float

    def simulated(self, proposals, first):
        """The trials that `proposals` become."""
        designs = [proposal.design for proposal in proposals]
        latency, area, broken = self.measure(self.problem.space.columns(designs))
        return [
            Trial(
                index=first + i,
                design=proposal.design,
                source=proposal.source,
                outcome=Outcome.INFEASIBLE if broken[i] else Outcome.FEASIBLE,
                reason="it is built not to work" if broken[i] else "",
                metrics={}
                if broken[i]
                else {"latency_ms": float(latency[i]), "area_mm2": float(area[i])},
            )
            for i, proposal in enumerate(proposals)
        ]

    def excess(self, optimizer, n, batch=10):
        """How far above the optimum the best of `n` trials is, as a share of it."""
        while len(optimizer.trials) < n:
            proposals = optimizer.propose(min(batch, n - len(optimizer.trials)))
            optimizer.tell(self.simulated(proposals, len(optimizer.trials)))
        best = self.problem.best(optimizer.trials)
        return np.inf if best is None else best.metrics["latency_ms"] / self.optimum - 1


def valley():
    """Eight sizes of ten values: a curved valley that a limit and a region without designs cut.

    Latency is 10 plus squared distances from a bent line and from a target, where it is 10; the
    target lies exactly on the limit, and a quarter of all designs do not work.
    """
    target = np.array([7, 2, 6, 3, 8, 1, 5, 4])
    names = [f"size_{i}" for i in range(8)]
    space = DesignSpace("valley", tuple(Ordinal(name, tuple(range(10))) for name in names))

    def measure(columns):
        x = np.column_stack([columns[name] for name in names]).astype(float)
        bend = (x[:, 1:] - target[1:]) - 0.1 * (x[:, :-1] - target[:-1]) ** 2
        latency = 10 + ((x - target) ** 2).sum(axis=1) / 4 + (bend**2).sum(axis=1) / 8
        return latency, x.sum(axis=1), (x[:, 0] + 2 * x[:, 5]) % 4 == 3

    problem = Problem(
        space, WORKLOADS, (Objective("latency_ms"),), (Limit.parse(f"area_mm2<={target.sum()}"),)
    )
    return KnownOptimum(problem, measure, dict(zip(names, target.tolist())), 10.0)


def tiled_loops():
    """An order, two splits and a name, as mappings have them, all of which matter at once."""
    space = DesignSpace(
        "tiled_loops",
        (
            Permutation("order", ("K", "C", "P", "Q", "R")),
            Factorization("k", total=96, parts=3),
            Factorization("p", total=56, parts=3),
            Categorical("keeps", ("weights", "inputs", "outputs")),
        ),
    )
    wanted = {"order": tuple("PKQCR"), "k": (8, 12, 1), "p": (7, 2, 4), "keeps": "outputs"}
    best = space.parameter("order").encode(space.columns([wanted])["order"])

    def measure(columns):
        places = space.parameter("order").encode(columns["order"])
        latency = 1 + 4 * np.abs(places - best).sum(axis=1)
        for name in ("k", "p"):
            factors = np.log2(columns[name].astype(float) / np.array(wanted[name]))
            latency += (factors**2).sum(axis=1)
        latency *= np.where(columns["keeps"] == wanted["keeps"], 1.0, 1.5)
        n = len(latency)
        return latency, np.ones(n), np.zeros(n, dtype=bool)

    problem = Problem(space, WORKLOADS, (Objective("latency_ms"),))
    return KnownOptimum(problem, measure, wanted, 1.0)


PROBLEMS = {"valley": valley(), "tiled_loops": tiled_loops()}
