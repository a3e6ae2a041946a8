"""Firefly: a pool of designs that drift toward better ones near them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Columns, length, rows
from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.elite import Candidate, ranked
from accel_dse.optimizers.novelty import Known
from accel_dse.plugins import require_within
from accel_dse.problem import Problem
from accel_dse.trial import Design, Outcome, Trial

Floats = NDArray[np.float64]

ROUNDS = 6
"""Times that a swarm is moved before the rest of a batch are neighbors of its flies."""


@dataclass(frozen=True)
class Fly:
    """A place in the pool.

    Attributes:
        candidate: the best design found from here.
        code: that design, encoded, shape `(width,)`.
        restlessness: scale of the random part of its next move, in units of `perturbation`.
    """

    candidate: Candidate
    code: Floats
    restlessness: float = 1.0


class Swarm:
    """The pool of flies that a sequence of trials leaves behind.

    Each trial belongs to the fly nearest to its design: that fly moves there if it is better
    there, and else calms down; a fly that has calmed down gives up its place, unless it is the
    best. So the pool is a function of the trials in their order, whoever proposed them; between
    calls an object of this class only spares reading the old ones anew.
    """

    def __init__(self, problem: Problem, size: int, penalty: float, calm: float) -> None:
        self._problem = problem
        self._size = size
        self._penalty = penalty
        self._calm = calm
        self._count = 0
        self.flies: list[Fly] = []

    def refresh(self, trials: Sequence[Trial]) -> None:
        """Takes in what was told since the last time."""
        for trial in trials[self._count :]:
            if trial.outcome in (Outcome.FEASIBLE, Outcome.INFEASIBLE):
                self._take_in(trial)
        self._count = len(trials)

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return len(self.flies) >= self._size

    def _take_in(self, trial: Trial) -> None:
        code = self._problem.space.encode([trial.design])[0]
        fly = Fly(Candidate.of(trial, self._problem), code) if trial.feasible else None
        if fly is not None and not self.full:
            if all(_key(fly) != _key(other) for other in self.flies):
                self.flies.append(fly)
            return
        if not self.flies:
            return
        near = int(np.argmin([np.abs(other.code - code).sum() for other in self.flies]))
        if fly is not None and _better(fly, self.flies[near]):
            self.flies[near] = Fly(fly.candidate, code, self.flies[near].restlessness)
            return
        calmer = self.flies[near].restlessness * self._penalty
        self.flies[near] = Fly(self.flies[near].candidate, self.flies[near].code, calmer)
        if calmer < self._calm and self.flies[near].candidate is not self.ranked()[0].candidate:
            del self.flies[near]

    def ranked(self) -> list[Fly]:
        """The flies, best first."""
        place = {id(c): i for i, c in enumerate(ranked([fly.candidate for fly in self.flies]))}
        return sorted(self.flies, key=lambda fly: place[id(fly.candidate)])


def _key(fly: Fly) -> tuple[float, tuple[float, ...]]:
    """Equal for designs that measure the same."""
    return (fly.candidate.excess, fly.candidate.costs)


def _better(fly: Fly, other: Fly) -> bool:
    return ranked([other.candidate, fly.candidate])[0] is fly.candidate and _key(fly) != _key(other)


@dataclass(kw_only=True)
class Firefly(Optimizer):
    """Moves a pool of designs toward better ones near them, with noise that calms down.

    Designs move in the space's encoding and land on the nearest valid design; orders, splits and
    names move with the numbers. Accepted designs are better than those beyond a limit, and nearer
    to the limit is better; a design that cannot work only calms the fly it is near.

    Attributes:
        pool: places for flies.
        gravity: how strongly a better fly pulls.
        negative_gravity: how strongly a worse one pushes.
        visibility: how fast the pull fades with distance.
        perturbation: scale of the noise of a fresh fly, as a share of each parameter's range.
        penalty: what each failed move multiplies a fly's noise by.
        calm: share of the noise below which a fly gives up its place.

    Source:
        Yang, "Firefly algorithm, stochastic test functions and design optimisation", 2010, and
        with a pool that is refilled, the Eagle strategy of OSS Vizier (Song et al., 2022), which
        PRIME and Apollo use as a baseline. In Vizier a trial names the fly it was moved from;
        here it is the nearest, so that trials of other optimizers count as well. Pool (Vizier: 23
        for ten parameters) and visibility (3) were chosen on made-up accelerators.
    """

    natural_batch: ClassVar[int] = 10

    pool: int = 12
    gravity: float = 1.0
    negative_gravity: float = 0.02
    visibility: float = 1.0
    perturbation: float = 0.1
    penalty: float = 0.9
    calm: float = 0.1

    _known: Known = field(init=False, repr=False, compare=False)
    _swarm: Swarm = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_within(
            "firefly",
            self,
            pool=(2, 10_000),
            gravity=(0.0, 100.0),
            negative_gravity=(0.0, 100.0),
            visibility=(0.0, 1e6),
            perturbation=(1e-6, 10.0),
            penalty=(0.0, 1.0),
            calm=(0.0, 1.0),
        )
        self._known = Known(self.problem)
        self._swarm = Swarm(self.problem, self.pool, self.penalty, self.calm)

    def ask(self, n: int) -> list[Design]:
        """`n` designs; random ones while places are free."""
        self._known.refresh(self.trials, self.pending)
        self._swarm.refresh(self.trials)
        rng = self.rng()
        flies = self._swarm.ranked()
        free = max(self.pool - len(flies) - len(self.pending), 0)
        movers = 0 if not flies else max(n - free, 0)
        moved: list[Design] = []
        turn = len(self.trials) + len(self.pending)
        for _ in range(ROUNDS):
            missing = movers - len(moved)
            if missing > 0:
                which = (turn + np.arange(missing)) % len(flies)
                moved += self._known.new(self._move(flies, which, rng), besides=moved)
                turn += missing
        if len(moved) < movers:
            parents = [flies[i % len(flies)].candidate.design for i in range(movers)]
            near = self.problem.space.mutate(parents, rng)
            moved += self._known.new(near, besides=moved)[: movers - len(moved)]
        return moved + self._known.random(n - len(moved), rng, besides=moved)

    def _move(
        self, flies: list[Fly], which: NDArray[np.int64], rng: np.random.Generator
    ) -> list[Design]:
        """Where the flies `which` of `flies`, best first, land; only what is valid."""
        codes = np.array([fly.code for fly in flies])
        here = codes[which]
        space = self.problem.space
        apart = ((here[:, None] - codes) ** 2).mean(axis=2)
        seen = np.exp(-self.visibility * 10 * apart)
        pull = seen * np.where(
            np.arange(len(flies)) < which[:, None], self.gravity, -self.negative_gravity
        )
        pull /= np.maximum(np.abs(pull).sum(axis=1, keepdims=True), 1.0)
        # a random share of the way, or all flies would meet in one point
        drift = (pull[:, :, None] * (codes - here[:, None])).sum(axis=1)
        noise = rng.laplace(size=here.shape) * self.perturbation
        noise *= np.array([flies[i].restlessness for i in which])[:, None]
        landed: Columns = space.decode_columns(here + rng.random((len(here), 1)) * drift + noise)
        valid = space.satisfied(landed)
        return space.designs(rows(landed, valid)) if length(landed) else []
