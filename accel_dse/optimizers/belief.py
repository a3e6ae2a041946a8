"""What the trials say about designs not yet tried."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from accel_dse.optimizers.acquisition import log_probability_below
from accel_dse.problem import Problem
from accel_dse.surrogates.gaussian_process import (
    SMOOTH,
    GaussianProcess,
    Kernel,
    Prior,
    fit,
    fit_kernel,
)
from accel_dse.surrogates.inputs import Inputs
from accel_dse.surrogates.probit import LABELS, WorksClassifier, learn_to_tell
from accel_dse.trial import Outcome, Trial

Floats = NDArray[np.float64]

ALWAYS = 20
"""Up to so many examples, hyper-parameters are fitted anew with each."""

GROWTH = 1.1
"""Beyond, whenever their number has grown by this factor."""


def fitted_count(n: int) -> int:
    """How many of `n` examples hyper-parameters are fitted to: a function of `n` alone."""
    count = ALWAYS
    while count <= n:
        step = max(count + 1, int(count * GROWTH))
        if step > n:
            return count
        count = step
    return n


@dataclass(frozen=True)
class MetricModel:
    """A metric as a Gaussian process sees it.

    Attributes:
        process: fitted to the metric, or to its logarithm.
        logs: whether to its logarithm.
    """

    process: GaussianProcess
    logs: bool

    def seen(self, value: float) -> float:
        """A value of the metric on the process's scale."""
        return math.log(value) if self.logs else value


@dataclass(frozen=True)
class Belief:
    """What is believed of any design.

    Attributes:
        problem: what is searched for.
        metrics: metric -> model; empty while fewer than two trials are feasible.
        works: how likely a design works; None while all did, or none.
        best: the least cost of an accepted trial, on the scale of its model; infinite if none.
    """

    problem: Problem
    metrics: dict[str, MetricModel]
    works: WorksClassifier | None
    best: float

    def cost(self, x: Floats, objective: int = 0) -> tuple[Floats, Floats]:
        """Mean and standard deviation of a cost at `m` inputs, on the scale of its model."""
        wanted = self.problem.objectives[objective]
        mean, std = self.metrics[wanted.metric].process.predict(x)
        return wanted.cost(mean), std

    def log_accepted(self, x: Floats) -> Floats:
        """Log of the probability that each of `m` designs works and keeps the limits, `(m,)`."""
        total = np.zeros(len(x)) if self.works is None else self.works.log_probability(x)
        for limit in self.problem.limits:
            if limit.metric in self.metrics:
                model = self.metrics[limit.metric]
                mean, std = model.process.predict(x)
                sign = 1.0 if limit.relation == "<=" else -1.0
                bound = model.seen(limit.bound)
                total = total + log_probability_below(sign * mean, std, sign * bound)
        return total

    def supposing(self, x: Floats) -> "Belief":
        """As if `m` designs had been tried, and each turned out just as expected.

        Source: the "Kriging believer" of Ginsbourger, Le Riche, Carraro, 2010.
        """
        supposed = {
            name: replace(model, process=model.process.conditioned(x, model.process.mean(x)))
            for name, model in self.metrics.items()
        }
        return replace(self, metrics=supposed)


@dataclass
class Learner:
    """Turns trials into a belief.

    It keeps kernels that were fitted, by how many examples they were fitted to; they are a
    function of the trials, and keeping them only saves time.

    Attributes:
        problem: what is searched for.
        prior: of the kernels of metrics.
    """

    problem: Problem
    prior: Prior = SMOOTH
    inputs: Inputs = field(init=False)
    _kernels: dict[tuple[str, bool, int], Kernel] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.inputs = Inputs(self.problem.space)

    def learn(self, trials: Sequence[Trial]) -> Belief:
        """What `trials` say. Failed and timed-out ones say nothing.

        Raises:
            OptionError: a trial lacks a metric that is an objective or has a limit.
        """
        telling = [t for t in trials if t.outcome in (Outcome.FEASIBLE, Outcome.INFEASIBLE)]
        feasible = [trial for trial in telling if trial.feasible]
        for trial in feasible:
            self.problem.check_metrics(trial.metrics)
        works = None
        if 0 < len(feasible) < len(telling):
            x = self._inputs_of(telling)
            labels = np.array([trial.feasible for trial in telling])
            kernel = self._kernel("works", x, np.where(labels, 1.0, -1.0), False, LABELS)
            works = learn_to_tell(x, labels, kernel)
        metrics = {}
        if len(feasible) >= 2:
            x = self._inputs_of(feasible)
            names = [o.metric for o in self.problem.objectives]
            names += [limit.metric for limit in self.problem.limits]
            metrics = {name: self._model(name, x, feasible) for name in dict.fromkeys(names)}
        return Belief(self.problem, metrics, works, self._best(metrics, feasible))

    def _inputs_of(self, trials: Sequence[Trial]) -> Floats:
        return self.inputs.of(self.problem.space.columns([trial.design for trial in trials]))

    def _model(self, name: str, x: Floats, feasible: Sequence[Trial]) -> MetricModel:
        y = np.array([trial.metrics[name] for trial in feasible])
        bounds = [limit.bound for limit in self.problem.limits if limit.metric == name]
        logs = bool((y > 0).all()) and all(bound > 0 for bound in bounds)
        y = np.log(y) if logs else y
        kernel = self._kernel(name, x, y, logs, self.prior)
        return MetricModel(fit(x, y, kernel=kernel), logs)

    def _kernel(self, name: str, x: Floats, y: Floats, logs: bool, prior: Prior) -> Kernel:
        count = fitted_count(len(y))
        key = (name, logs, count)
        if key not in self._kernels:
            self._kernels[key] = fit_kernel(x[:count], y[:count], prior=prior)
        return self._kernels[key]

    def _best(self, metrics: dict[str, MetricModel], feasible: Sequence[Trial]) -> float:
        best = self.problem.best(feasible)
        if best is None or not metrics:
            return math.inf
        objective = self.problem.objectives[0]
        seen = metrics[objective.metric].seen(best.metrics[objective.metric])
        return float(objective.cost(np.array(seen)))
