"""The search that every other must beat."""

from dataclasses import dataclass, field
from typing import ClassVar

from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.novelty import Known
from accel_dse.trial import Design


@dataclass(kw_only=True)
class RandomSearch(Optimizer):
    """Draws valid designs at random, none twice while there are others, and learns nothing."""

    natural_batch: ClassVar[int] = 50

    _known: Known = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._known = Known(self.problem)

    def ask(self, n: int) -> list[Design]:
        """`n` random designs."""
        self._known.refresh(self.trials, self.pending)
        return self._known.random(n, self.rng())
