"""Offline first: what a model made from logs proposes, then a search that the model screens."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from accel_dse.errors import OptionError
from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.evolution import Evolution
from accel_dse.surrogates.proposing import Caution, Search
from accel_dse.trial import Design


@dataclass(kw_only=True)
class Offline(Optimizer):
    """Proposes what a model of `accel-dse fit` thinks best; then goes on by evolution.

    The model's own proposals come first, best first, before anything is simulated. Then designs
    are bred from the best trials, and of many children those that the model likes are simulated.
    Without a model it is evolution.

    Attributes:
        model: a folder of `accel-dse fit`; its space must be the problem's.
        first: how many designs the model proposes by itself.
        screened: children that are bred for each one that is simulated.
        disagreement: standard deviations of the ensemble that count against a design.
        limits: held-out errors of the model by which limits are kept; see `Caution`.
        distance: how much unlikeness to the log counts against it; see `Caution`.

    Source:
        Offline proposals: PRIME, Kumar et al., ICLR 2022. Screening of children by a model:
        pre-selection, Jin, "Surrogate-assisted evolutionary computation", 2011.
    """

    natural_batch: ClassVar[int] = 10

    model: str = ""
    first: int = 20
    screened: int = 8
    disagreement: float = 0.0
    limits: float = 1.0
    distance: float = 0.0

    _evolution: Evolution = field(init=False, repr=False, compare=False)
    _search: Search | None = field(init=False, repr=False, compare=False, default=None)
    _proposed: list[Design] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        for name, high in (("first", 1_000), ("screened", 1_000)):
            if not 1 <= getattr(self, name) <= high:
                raise OptionError(
                    f"offline: {name}: expected 1 to {high}, got {getattr(self, name)}"
                )
        caution = Caution(
            disagreement=self.disagreement, limits=self.limits, distance=self.distance
        )
        self._evolution = Evolution(problem=self.problem, seed=self.seed)
        if self.model:
            from accel_dse.surrogates import model_folder

            fitted = model_folder.read(Path(self.model))
            self._search = Search(
                fitted=fitted,
                problem=self.problem,
                caution=caution,
                seed=self.seed,
            )

    def ask(self, n: int) -> list[Design]:
        """`n` designs: what is left of the model's own, then children that it likes."""
        told = len(self._evolution.trials)
        self._evolution.tell(self.trials[told:], self.pending)
        if self._search is None:
            return self._evolution.ask(n)
        known = {self._key(trial.design) for trial in self.trials}
        known |= {self._key(design) for design in self.pending}
        own = [design for design in self._own() if self._key(design) not in known][:n]
        return own + self._children(n - len(own), own)

    def _own(self) -> list[Design]:
        """What the model proposes by itself: a function of the options, worked out once."""
        if self._proposed is None and self._search is not None:
            self._proposed = [p.design for p in self._search.propose(self.first)]
        return self._proposed or []

    def _children(self, n: int, besides: list[Design]) -> list[Design]:
        """`n` designs that evolution proposes, the best of many by the model."""
        if n == 0 or self._search is None:
            return []
        taken = {self._key(design) for design in besides}
        brood = self._evolution.ask(n * self.screened + len(besides))
        brood = [design for design in brood if self._key(design) not in taken]
        scores = self._search.scores(self.problem.space.columns(brood))
        return [brood[i] for i in np.argsort(scores, kind="stable")[:n]]

    def _key(self, design: Design) -> tuple[object, ...]:
        return tuple(design[name] for name in self.problem.space.names)
