"""What every optimizer is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from accel_dse.problem import Problem
from accel_dse.source import Source
from accel_dse.trial import Design, Trial
from accel_dse.trials import Trials


@dataclass(frozen=True)
class Proposal:
    """A design, and which part of an optimizer proposes it.

    Attributes:
        design: to be simulated.
        source: what its trial will name as its source; "" if the optimizer has no parts.
    """

    design: Design
    source: str = ""


@dataclass(kw_only=True)
class Optimizer(ABC):
    """Proposes designs from the trials it was told.

    The proposals depend on `problem`, the options, `seed`, `trials` and `pending`, and on nothing
    else. `ask` therefore changes nothing, and a new optimizer that is told the log goes on
    exactly where the old one stopped. A subclass adds options (keyword-only fields) and `ask`.

    Attributes:
        problem: what is searched for.
        seed: fixes every random choice.
        sources: what related tasks taught, to whom can make use of it. They are part of the
            options, but too much for the log: `transfer` gives them, and puts them on record.
        trials: what is known, in order.
        pending: designs being simulated right now.
        natural_batch: how many designs it may as well propose at a time; what a study does unless
            it is told otherwise.
    """

    natural_batch: ClassVar[int] = 1

    problem: Problem
    seed: int = 0
    sources: tuple[Source, ...] = field(default=(), repr=False, compare=False)
    trials: Trials = field(default_factory=Trials, init=False, repr=False)
    pending: list[Design] = field(default_factory=list, init=False, repr=False)

    @abstractmethod
    def ask(self, n: int) -> list[Design]:
        """Proposes `n` designs from the problem's space, best guess first."""

    def propose(self, n: int) -> list[Proposal]:
        """The designs that `ask` gives, and where each comes from.

        An optimizer made of others overrides it: the log then holds who proposed what, so that
        each can be given its due by whoever reads the log.
        """
        return [Proposal(design) for design in self.ask(n)]

    def tell(self, trials: Sequence[Trial], pending: Sequence[Design] = ()) -> None:
        """Adds `trials`, whatever their outcome, to what is known, and replaces `pending`."""
        self.trials.extend(trials)
        self.pending = list(pending)

    def rng(self) -> np.random.Generator:
        """A generator fixed by the seed and by how much is known."""
        return np.random.default_rng([self.seed, len(self.trials), len(self.pending)])
