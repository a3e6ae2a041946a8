"""Bayesian optimization that knows its constraints."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Columns
from accel_dse.errors import OptionError
from accel_dse.optimizers.acquisition import log_expected_improvement
from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.belief import Belief, Learner
from accel_dse.optimizers.climbing import Scored, climb
from accel_dse.optimizers.elite import Elite
from accel_dse.optimizers.novelty import Known
from accel_dse.trial import Design

Floats = NDArray[np.float64]

PARENTS = 10
"""Best designs whose neighborhoods are always searched."""

POOL = 512
"""Designs that a batch is chosen from."""


@dataclass(kw_only=True)
class ConstrainedBO(Optimizer):
    """Proposes the design of greatest expected improvement, weighted by its chance to be accepted.

    Attributes:
        initial: random designs that begin.
    """

    natural_batch: ClassVar[int] = 1

    initial: int = 10

    _known: Known = field(init=False, repr=False, compare=False)
    _elite: Elite = field(init=False, repr=False, compare=False)
    _learner: Learner = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.initial <= 10_000:
            raise OptionError(f"constrained_bo: initial: expected 1 to 10000, got {self.initial}")
        self._known = Known(self.problem)
        self._elite = Elite(self.problem, PARENTS)
        self._learner = Learner(self.problem)

    def ask(self, n: int) -> list[Design]:
        """`n` designs, the most promising first; random ones to begin with."""
        self._known.refresh(self.trials, self.pending)
        self._elite.refresh(self.trials)
        rng = self.rng()
        strangers = min(n, max(self.initial - len(self.trials) - len(self.pending), 0))
        chosen = self._known.random(strangers, rng)
        if strangers < n:
            chosen += self._promising(n - strangers, rng, chosen)
        missing = n - len(chosen)
        return chosen + self._known.random(missing, rng, besides=chosen)

    def _promising(self, n: int, rng: np.random.Generator, besides: list[Design]) -> list[Design]:
        """Up to `n` new designs, one after the other, each as if those before had been tried."""
        belief = self._learner.learn(self.trials)
        awaited = [*self.pending, *besides]
        if awaited:
            belief = belief.supposing(self._inputs(self.problem.space.columns(awaited)))
        parents = [candidate.design for candidate in self._elite.best()]
        pool = climb(
            self.problem.space, lambda columns: self._score(belief, columns), parents, rng
        ).best(POOL)
        chosen: list[Design] = []
        for _ in range(n):
            if chosen:
                belief = belief.supposing(self._inputs(self.problem.space.columns(chosen[-1:])))
                pool = Scored(pool.columns, self._score(belief, pool.columns)).best(POOL)
            ordered = self._known.new(
                self.problem.space.designs(pool.columns), besides=[*besides, *chosen]
            )
            if not ordered:
                break
            chosen.append(ordered[0])
        return chosen

    def _inputs(self, columns: Columns) -> Floats:
        return self._learner.inputs.of(columns)

    def _score(self, belief: Belief, columns: Columns) -> Floats:
        x = self._inputs(columns)
        score = belief.log_accepted(x)
        if np.isfinite(belief.best):
            mean, std = belief.cost(x)
            score = score + log_expected_improvement(mean, std, belief.best)
        return score
