"""Model-based search: simulate where models expect the most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.elite import Elite
from accel_dse.optimizers.novelty import Known
from accel_dse.optimizers.regressors import Ensemble, chance_to_work, suitable_kinds
from accel_dse.optimizers.samples import Samples, model_inputs
from accel_dse.plugins import require_within
from accel_dse.space import DesignSpace
from accel_dse.trial import Design

Floats = NDArray[np.float64]

FEWEST = 8
"""Working designs that models can be trained on."""

REFIT = 1.05
"""Models are trained anew when there are this many times the trials, and one more at least."""

RECHOOSE = 2.0
"""Which kinds of models suit is asked anew when there are this many times the trials."""

PARENTS = 30
"""Of the best designs known that the search for promising ones begins with."""


@dataclass(kw_only=True)
class ModelBased(Optimizer):
    """Trains models of the objective, of each limit and of what works, and asks where they hope.

    The models are ensembles of the kinds that cross-validation favors (see `regressors`). The
    acquisition is the expected improvement, or an optimistic guess of it, times the chance that
    the design works and keeps every limit; it is optimized by evolution. Before anything is
    accepted, only that chance counts. Several objectives are weighed anew with each training.

    Attributes:
        warmup: random trials before models are trained.
        acquisition: "ei", expected improvement, or "ucb", improvement of the optimistic guess.
        optimism: of "ucb": standard deviations that a guess is better than the mean.
        generations: of the evolution that optimizes the acquisition.
        brood: designs in each of them.
        explore: share of each batch that is drawn at random.

    Source:
        Angermueller et al., DyNA-PPO, ICLR 2020, for model-based search as Apollo compares it;
        Gardner et al., "Bayesian optimization with inequality constraints", ICML 2014, for
        improvement times chance; Knowles, "ParEGO", 2006, for several objectives.
    """

    natural_batch: ClassVar[int] = 20

    warmup: int = 20
    acquisition: Literal["ei", "ucb"] = "ei"
    optimism: float = 1.0
    generations: int = 5
    brood: int = 240
    explore: float = 0.05

    _known: Known = field(init=False, repr=False, compare=False)
    _elite: Elite = field(init=False, repr=False, compare=False)
    _kinds: dict[int, list[tuple[str, ...]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _fitted: "tuple[int, _Models] | None" = field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        require_within(
            "model_based",
            self,
            warmup=(1, 1_000_000),
            optimism=(0.0, 100.0),
            generations=(1, 10_000),
            brood=(10, 1_000_000),
            explore=(0.0, 1.0),
        )
        self._known = Known(self.problem)
        self._elite = Elite(self.problem, PARENTS)

    def ask(self, n: int) -> list[Design]:
        """`n` designs; random ones until enough trials are told, some of which work."""
        self._known.refresh(self.trials, self.pending)
        self._elite.refresh(self.trials)
        rng = self.rng()
        # threads are slower on so little data, and might add up in another order
        with threadpool_limits(1):
            models = self._models()
            if models is None:
                return self._known.random(n, rng)
            strangers = int(rng.binomial(n, self.explore))
            asked = self._optimized(models, n - strangers, rng)
        return asked + self._known.random(n - len(asked), rng, besides=asked)

    def _models(self) -> "_Models | None":
        """What is believed now; None if too little is known.

        It is learned anew when there are a twentieth more trials, and the kinds of models are
        chosen anew when there are twice as many, counted from `warmup`: so both are functions of
        the trials, whenever and however often one asks.
        """
        size = _reached(self.warmup, REFIT, len(self.trials))
        if self._fitted is not None and self._fitted[0] == size:
            return self._fitted[1]
        samples = Samples.of(self.problem, self.trials[:size])
        if len(self.trials) < self.warmup or samples.works.sum() < FEWEST:
            return None
        kinds = self._suitable(_reached(self.warmup, RECHOOSE, size), samples)
        models = self._fit(samples, kinds)
        self._fitted = (size, models)
        return models

    def _suitable(self, size: int, now: Samples) -> list[tuple[str, ...]]:
        """The kinds of models of the cost and of each limit that suit the first `size` trials.

        Where too few of those work, the samples of `now` are asked.
        """
        if size not in self._kinds:
            first = Samples.of(self.problem, self.trials[:size])
            samples = first if first.works.sum() >= FEWEST else now
            targets = [samples.scalar_costs(self._weights(size)), *samples.violations.T]
            inputs = samples.inputs[samples.works]
            kinds = [suitable_kinds(inputs, target, self._model_seed(size)) for target in targets]
            if samples is now:
                return kinds
            self._kinds[size] = kinds
        return self._kinds[size]

    def _fit(self, samples: Samples, kinds: list[tuple[str, ...]]) -> "_Models":
        size = len(samples.works)
        seed = self._model_seed(size)
        inputs = samples.inputs[samples.works]
        costs = samples.scalar_costs(self._weights(size))
        targets = [costs, *samples.violations.T]
        cost, *limits = (
            Ensemble.fitted(kind, inputs, target, seed) for kind, target in zip(kinds, targets)
        )
        accepted = (samples.violations <= 0).all(axis=1)
        return _Models(
            cost=cost,
            limits=limits,
            works=chance_to_work(samples.inputs, samples.works, seed),
            best=float(costs[accepted].min()) if accepted.any() else None,
        )

    def _model_seed(self, size: int) -> int:
        return int(np.random.default_rng([self.seed, size, 1]).integers(2**31))

    def _weights(self, size: int) -> Floats:
        """How much each objective counts, others each time that models are trained."""
        rng = np.random.default_rng([self.seed, size, 2])
        return rng.dirichlet(np.ones(len(self.problem.objectives)))

    def _optimized(self, models: "_Models", n: int, rng: np.random.Generator) -> list[Design]:
        """New designs of the largest acquisition, no two alike but for one parameter if it can."""
        space = self.problem.space
        parents = [candidate.design for candidate in self._elite.best()]
        pool = self._known.new(space.mutate(parents, rng) + space.sample(self.brood, rng))
        hopes = self._hope(models, pool)
        for _ in range(self.generations):
            order = np.argsort(-hopes, kind="stable")[: max(self.brood // 3, 2 * n)]
            pool, hopes = [pool[i] for i in order], hopes[order]
            mates = pool + parents
            mothers, fathers = (
                [mates[i] for i in rng.integers(len(mates), size=(self.brood, 2)).min(axis=1)]
                for _ in range(2)
            )
            children = space.crossover(mothers, fathers, rng)
            children = space.mutate(children, rng, rate=1.5 / len(space.parameters))
            fresh = self._known.new(children, besides=pool)
            pool, hopes = pool + fresh, np.concatenate([hopes, self._hope(models, fresh)])
        return _unlike(space, [pool[i] for i in np.argsort(-hopes, kind="stable")], n)

    def _hope(self, models: "_Models", designs: Sequence[Design]) -> Floats:
        """The acquisition of `n` designs, shape `(n,)`."""
        if not designs:
            return np.zeros(0)
        inputs = model_inputs(self.problem.space, designs)
        chance = models.works(inputs)
        for limit in models.limits:
            mean, deviation = limit.predict(inputs)
            chance = chance * ndtr(-mean / np.maximum(deviation, 1e-12))
        if models.best is None:
            return np.asarray(chance)
        mean, deviation = models.cost.predict(inputs)
        if self.acquisition == "ucb":
            gain = np.maximum(models.best - mean + self.optimism * deviation, 1e-9)
        else:
            gain = expected_improvement(models.best - mean, deviation)
        return np.asarray(gain * chance)


def expected_improvement(improvement: Floats, deviation: Floats) -> Floats:
    """Expected improvement of a normal variable, shape `(n,)`; none below zero.

    Args:
        improvement: of its mean, shape `(n,)`.
        deviation: its standard deviation, shape `(n,)`.

    Source:
        Jones, Schonlau and Welch, "Efficient global optimization", 1998, eq. 15.
    """
    deviation = np.maximum(deviation, 1e-12)
    z = improvement / deviation
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(np.maximum(improvement * ndtr(z) + deviation * density, 0.0))


@dataclass(frozen=True)
class _Models:
    """What is believed of a design.

    Attributes:
        cost: its cost.
        limits: how far it is beyond each limit; `<= 0` is allowed.
        works: the chance that it works.
        best: the least cost accepted so far; None if none is.
    """

    cost: Ensemble
    limits: list[Ensemble]
    works: Callable[[Floats], Floats]
    best: float | None


def _reached(start: int, growth: float, n: int) -> int:
    """The last of `start`, `start` times `growth`, times `growth` ... that is at most `n`."""
    size = start
    while (after := max(size + 1, int(size * growth))) <= n:
        size = after
    return size


def _unlike(space: DesignSpace, designs: Sequence[Design], n: int) -> list[Design]:
    """`n` of `designs`, best first: at first those that differ in two parameters or more."""
    picked: list[Design] = []
    alike: list[Design] = []
    names = space.names
    for design in designs:
        if len(picked) == n:
            break
        near = any(sum(design[name] != p[name] for name in names) < 2 for p in picked)
        (alike if near else picked).append(design)
    return (picked + alike)[:n]
