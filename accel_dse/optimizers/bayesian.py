"""What optimizers that reason from a belief have in common."""

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from accel_dse import plugins
from accel_dse.choices import Coded
from accel_dse.designs import rows
from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.belief import Belief, Learner
from accel_dse.optimizers.climbing import Scored, climb
from accel_dse.optimizers.elders import Elders
from accel_dse.optimizers.elite import Elite
from accel_dse.optimizers.novelty import Known
from accel_dse.surrogates.inputs import Inputs
from accel_dse.trial import Design

Floats = NDArray[np.float64]

PARENTS = 10
"""Best designs whose neighborhoods are always searched."""

POOL = 512
"""Designs that a batch is chosen from."""

AT_ONCE = 16
"""Designs of it that are looked at together."""

STRANGERS = 200
"""Random designs that each search for candidates begins with."""

UNLIKELY = -1e6
"""Added to the score of designs too unlikely to work: any other is better."""

REPEATED = 2 * UNLIKELY
"""Score of designs that look the same as one that was tried: even those are better."""

STOCK = 1_000
"""Random designs that they are picked from, drawn anew whenever trials have doubled."""


@dataclass(kw_only=True)
class BayesianOptimizer(Optimizer):
    """Begins at random, then proposes what is worth most by what the trials say.

    Metrics that are always positive are modeled by their logarithm. Every limit has a model of
    its metric, and infeasible trials teach a classifier, so that worth can be weighed by the
    chance to be accepted; while no trial is accepted, that chance alone decides. No design is
    proposed twice, nor one that looks the same to the models while there are others, and all
    keep the known constraints. A batch is chosen one by one, as if pending designs and those
    chosen before had turned out as expected.

    Improvement alone would lead where nothing works: no measurement there ever lessens the hope.
    So a proposal must also be likely enough to work, the more so the more trials there are.

    Attributes:
        initial: random designs that begin.
        caution: how likely a proposal must be to work after very many trials, from 0 to 1; after
            `n` it is `caution * (1 - 1 / sqrt(1 + n / initial))`. Where nothing is as likely, what
            is likeliest is proposed.

    Source:
        A least chance of feasibility, there drawn at random: Hellsten et al., "BaCO: A Fast and
        Portable Bayesian Compiler Optimization Framework", ASPLOS 2023. That it rises, and how,
        is ours, chosen on the tuning problems of `benchmarks/suites/known_functions.py`.
    """

    natural_batch: ClassVar[int] = 1

    initial: int = 10
    caution: float = 0.8

    _known: Known = field(init=False, repr=False, compare=False)
    _elite: Elite = field(init=False, repr=False, compare=False)
    _learner: Learner = field(init=False, repr=False, compare=False)
    _drawn: tuple[int, Coded] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        name = plugins.name_of("optimizers", type(self))
        plugins.require_within(name, self, initial=(1, 10_000), caution=(0.0, 1.0))
        self._known = Known(self.problem)
        self._elite = Elite(self.problem, PARENTS)
        self._learner = self._new_learner()
        if self.sources:
            self._learner.elders = Elders(self.sources, self._learner.inputs)

    def _new_learner(self) -> Learner:
        return Learner(self.problem, Inputs(self.problem.space))

    @abstractmethod
    def _worth(self, belief: Belief, x: Floats) -> Floats:
        """How much `m` designs are worth trying, `(m,)`; more is better, logarithms best.

        Only called once two trials are feasible and one is accepted.
        """

    def _candidates(self, belief: Belief, rng: np.random.Generator) -> Scored:
        """Designs to choose from, with their worth."""
        parents = [candidate.design for candidate in self._elite.best()]
        strangers = rows(self._stock(), rng.choice(STOCK, size=STRANGERS, replace=False))
        return climb(
            self.problem.space, lambda coded: self._score(belief, coded), strangers, parents, rng
        )

    def _first(self, n: int) -> list[Design]:
        """Up to `n` new designs, the next ones of the stock that a search begins with."""
        if not n:
            return []
        space, begin = self.problem.space, len(self.trials) + len(self.pending)
        which = np.arange(begin, min(begin + n, STOCK))
        return self._known.new(space.designs(space.coding.columns(rows(self._stock(), which))))

    def _stock(self) -> Coded:
        """Random valid designs: a function of the seed and of how often trials have doubled.

        They are kept, since drawing valid designs may take longer than all else.
        """
        doubled = (len(self.trials) // self.initial).bit_length()
        if self._drawn is None or self._drawn[0] != doubled:
            rng = np.random.default_rng([self.seed, doubled, STOCK])
            self._drawn = (doubled, self.problem.space.sample_coded(STOCK, rng))
        return self._drawn[1]

    def ask(self, n: int) -> list[Design]:
        """`n` designs, the most promising first; random ones to begin with.

        Raises:
            OptionError: a trial lacks a metric that is an objective or has a limit.
        """
        for trial in filter(lambda trial: trial.feasible, self.trials):
            self.problem.check_metrics(trial.metrics)
        self._known.refresh(self.trials, self.pending)
        self._elite.refresh(self.trials)
        rng = self.rng()
        strangers = min(n, max(self.initial - len(self.trials) - len(self.pending), 0))
        chosen = self._first(strangers)
        if len(chosen) == strangers < n:
            # threads are slower on matrices this small, many times so where cores are busy
            with threadpool_limits(1):
                chosen += self._promising(n - strangers, rng, chosen)
        if len(chosen) < n:
            chosen += self._known.random(n - len(chosen), rng, besides=chosen)
        return chosen

    def _promising(self, n: int, rng: np.random.Generator, besides: list[Design]) -> list[Design]:
        """Up to `n` new designs, each as if the pending and those before it had been tried."""
        space = self.problem.space
        belief = self._learner.learn(self.trials)
        awaited = [*self.pending, *besides]
        if awaited:
            belief = belief.supposing(self._learner.inputs.of(space.columns(awaited)))
        pool = self._candidates(belief, rng).best(POOL)
        chosen: list[Design] = []
        for _ in range(n):
            if chosen:
                belief = belief.supposing(self._learner.inputs.of(space.columns(chosen[-1:])))
                pool = Scored(pool.coded, self._score(belief, pool.coded)).best(POOL)
            fresh = self._first_new(pool, [*besides, *chosen])
            if fresh is None:
                break
            chosen.append(fresh)
        return chosen

    def _first_new(self, pool: Scored, besides: list[Design]) -> Design | None:
        """The first design of a pool that is not known; None if there is none."""
        space = self.problem.space
        for begin in range(0, len(pool.scores), AT_ONCE):
            some = np.arange(begin, min(begin + AT_ONCE, len(pool.scores)))
            designs = space.designs(space.coding.columns(rows(pool.coded, some)))
            fresh = self._known.new(designs, besides=besides)
            if fresh:
                return fresh[0]
        return None

    def _score(self, belief: Belief, coded: Coded) -> Floats:
        """What `m` coded designs are worth, `(m,)`."""
        x = self._learner.inputs.of_coded(coded)
        return np.where(belief.repeats(x), REPEATED, self._weighed(belief, x))

    def _weighed(self, belief: Belief, x: Floats) -> Floats:
        """Worth, weighted by the chance to be accepted, as a logarithm; `(m,)`."""
        works = belief.log_works(x)
        accepted = works + belief.log_within_limits(x)
        if not len(belief.accepted):
            return accepted
        unlikely = np.exp(works) < self._least_chance()
        return np.where(unlikely, UNLIKELY + works, accepted + self._worth(belief, x))

    def _least_chance(self) -> float:
        """How likely a proposal must be to work by now."""
        return self.caution * (1.0 - 1.0 / math.sqrt(1.0 + len(self.trials) / self.initial))
