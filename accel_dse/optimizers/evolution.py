"""Evolution: variations of the best designs known."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.elite import Elite
from accel_dse.optimizers.novelty import Known
from accel_dse.plugins import require_within
from accel_dse.trial import Design

ROUNDS = 4
"""Broods bred before the rest of a batch is filled with random designs: near the end of a small
space nearly every child is known."""


@dataclass(kw_only=True)
class Evolution(Optimizer):
    """Breeds from the best designs known: tournament, crossover, mutation.

    Accepted designs come before those beyond a limit, and nearer to the limit is better; designs
    that do not work never breed. Among accepted ones the objective decides, or with several
    objectives the nondominated rank, then crowding. No design is proposed twice.

    Attributes:
        population: how many of the best designs breed; also how many random designs begin.
        tournament: each parent is the best of this many drawn from the population.
        crossover: how likely a child has two parents.
        mutation: how many parameters of a child change, on average; one at least. With 2 rather
            than 1 a search is caught in a corner less often (chosen on made-up accelerators).
        immigrants: share of each batch that is drawn at random.

    Source:
        Tournament selection and variation: Goldberg and Deb, 1991. Feasibility first: Deb, "An
        efficient constraint handling method for genetic algorithms", 2000. Several objectives:
        NSGA-II, Deb et al., 2002. Here the population is the best of all trials, so that it is a
        function of the log.
    """

    natural_batch: ClassVar[int] = 10

    population: int = 20
    tournament: int = 4
    crossover: float = 0.5
    mutation: float = 2.0
    immigrants: float = 0.05

    _known: Known = field(init=False, repr=False, compare=False)
    _elite: Elite = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_within(
            "evolution",
            self,
            population=(2, 10_000),
            tournament=(1, 1_000),
            crossover=(0.0, 1.0),
            mutation=(0.0, np.inf),
            immigrants=(0.0, 1.0),
        )
        self._known = Known(self.problem)
        self._elite = Elite(self.problem, self.population)

    def ask(self, n: int) -> list[Design]:
        """`n` designs; random ones until `population` designs are told or pending."""
        self._known.refresh(self.trials, self.pending)
        self._elite.refresh(self.trials)
        rng = self.rng()
        parents = [candidate.design for candidate in self._elite.best()]
        missing = self.population - len(self.trials) - len(self.pending)
        strangers = n if not parents else min(n, max(missing, rng.binomial(n, self.immigrants)))
        children: list[Design] = []
        for _ in range(ROUNDS):
            if len(children) < n - strangers:
                brood = self._breed(parents, n - strangers, rng)
                children += self._known.new(brood, besides=children)
        children = children[: n - strangers]
        return children + self._known.random(n - len(children), rng, besides=children)

    def _breed(self, parents: list[Design], n: int, rng: np.random.Generator) -> list[Design]:
        """`n` valid children; `parents` are best first."""
        mothers, fathers = (
            [parents[i] for i in rng.integers(len(parents), size=(n, self.tournament)).min(axis=1)]
            for _ in range(2)
        )
        space = self.problem.space
        crossed = rng.random(n) < self.crossover
        mixed = space.crossover(mothers, fathers, rng)
        children = [m if cross else one for m, one, cross in zip(mixed, mothers, crossed)]
        rate = self.mutation / len(space.parameters)
        return space.mutate(children, rng, rate=min(rate, 1.0))
