"""Nevergrad's optimizers."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from accel_dse.errors import OptionError
from accel_dse.optimizers.peers.base import Lesson, Peer, Session, Verdict
from accel_dse.trial import Design

BUDGET = 2_000
"""What it is told that it may spend; some of its algorithms change their ways toward the end."""


@dataclass(kw_only=True)
class NevergradPortfolio(Peer):
    """Nevergrad, by default its portfolio of discrete (1+1) evolution.

    It takes one objective; a design that breaks a constraint has the worst cost known times
    two and a share of how far it is beyond, so that it is never preferred to one that does not.

    Attributes:
        algorithm: a name in Nevergrad's registry that can be told points it did not ask for.

    Source:
        Bennet et al., "Nevergrad: black-box optimization platform", 2021.
    """

    natural_batch: ClassVar[int] = 1

    algorithm: str = "PortfolioDiscreteOnePlusOne"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.problem.objectives) > 1:
            raise OptionError("nevergrad: takes one objective", hint="use optuna for several")

    def session(self, told: Sequence[Lesson]) -> Session:
        """One of its optimizers, told everything as points that it did not ask for."""
        ng = _nevergrad()
        if self.algorithm not in ng.optimizers.registry:
            raise OptionError(f"nevergrad has no algorithm {self.algorithm!r}")
        space = ng.p.Dict(**{v.name: _parameter(ng, v.kind, v.size) for v in self.variables.all})
        space.random_state = np.random.RandomState((self.seed * 1_000_003 + len(told)) % 2**32)
        worst = max((abs(verdict.costs[0]) for _, verdict in told), default=1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of what it was not asked for
            optimizer = ng.optimizers.registry[self.algorithm](space, budget=BUDGET)
            session = _Session(self, space, optimizer, worst)
            for design, verdict in told:
                session.tell(design, verdict)
        return session


@dataclass(frozen=True)
class _Session:
    peer: NevergradPortfolio
    space: Any
    optimizer: Any
    worst: float

    def ask(self) -> Design:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.peer.variables.designs([self.optimizer.ask().value])[0]

    def tell(self, design: Design, verdict: Verdict) -> None:
        beyond = sum(max(violation, 0.0) for violation in verdict.violations)
        loss = self.worst * (2.0 + beyond) if beyond else verdict.costs[0]
        vector = self.peer.variables.vectors([design])[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.optimizer.tell(self.space.spawn_child(new_value=vector), loss)


def _parameter(ng: Any, kind: str, size: int) -> Any:
    if kind == "category":
        return ng.p.Choice(list(range(size)))
    if kind == "index":
        return ng.p.TransitionChoice(list(range(size)))
    return ng.p.Scalar(lower=0.0, upper=1.0)


def _nevergrad() -> Any:
    try:
        import nevergrad
    except ImportError as error:
        raise OptionError(
            "nevergrad is not installed", hint="pip install 'accel-dse[peers]'"
        ) from error
    return nevergrad
