"""Auto: what searches when nobody says how."""

from dataclasses import dataclass, field
from typing import ClassVar

from accel_dse.optimizers.adaptive_p3bo import AdaptiveP3BO
from accel_dse.optimizers.base import Optimizer, Proposal
from accel_dse.optimizers.portfolio import Books
from accel_dse.trial import Design

MEMBERS = ("constrained_bo", "model_based", "evolution:mutation=2", "firefly")
"""One of each kind, so that whatever suits the problem is among them."""

MEMBERS_FOR_A_FRONT = ("pareto_bo", "model_based", "evolution:mutation=2")
"""Where there are several objectives; fireflies would gather at one place of the front."""


@dataclass(kw_only=True)
class Auto(Optimizer):
    """An adaptive portfolio of the best optimizers here; there is nothing to choose.

    Which optimizer is best differs from problem to problem, and cannot be known beforehand. Here
    all learn from every trial, and who improves on the best known proposes more of the next.
    """

    natural_batch: ClassVar[int] = 10

    _portfolio: AdaptiveP3BO = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        one = len(self.problem.objectives) == 1
        self._portfolio = AdaptiveP3BO(
            problem=self.problem,
            seed=self.seed,
            sources=self.sources,
            members=MEMBERS if one else MEMBERS_FOR_A_FRONT,
        )

    def accounts(self) -> Books:
        """The members and what they have earned."""
        return self._informed().accounts()

    def ask(self, n: int) -> list[Design]:
        """`n` designs; see `propose`."""
        return self._informed().ask(n)

    def propose(self, n: int) -> list[Proposal]:
        """`n` designs with the names of the members that proposed them."""
        return self._informed().propose(n)

    def _informed(self) -> AdaptiveP3BO:
        self._portfolio.tell(self.trials[len(self._portfolio.trials) :], self.pending)
        return self._portfolio
