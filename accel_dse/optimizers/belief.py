"""What the trials say about designs not yet tried."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from accel_dse.optimizers.acquisition import log_probability_below, log_student_below
from accel_dse.optimizers.elders import Advised, Elders, Trend
from accel_dse.problem import Problem
from accel_dse.surrogates.gaussian_process import SMOOTH, Kernel, Prior, fit, fit_kernel, tamed
from accel_dse.surrogates.inputs import Inputs
from accel_dse.surrogates.probit import WorksClassifier, fit_score_kernel, learn_to_tell
from accel_dse.trial import Outcome, Trial

Floats = NDArray[np.float64]

ALWAYS = 20
"""Up to so many examples, hyper-parameters are fitted anew with each."""

GROWTH = 1.1
"""Beyond, whenever their number has grown by this factor."""

DIGITS = 9
"""Decimals that tell inputs apart, which are from 0 to 1; what is left is rounding."""

MOST_EXAMPLES = 1000
"""Examples of one regression; its time grows with their square and cube."""


def fitted_count(n: int) -> int:
    """How many of `n` examples hyper-parameters are fitted to: a function of `n` alone."""
    count = ALWAYS
    while count <= n:
        step = max(count + 1, int(count * GROWTH))
        if step > n:
            return count
        count = step
    return n


class Regression(Protocol):
    """Expects a number of any design, with doubts."""

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Expected value and standard deviation at `m` inputs, `(m,)` each."""

    def mean(self, x: Floats) -> Floats:
        """Expected value at `m` inputs, `(m,)`."""

    def conditioned(self, x: Floats, y: Floats) -> "Regression":
        """With `m` more examples."""


Regress = Callable[[Floats, Floats], Regression]
"""From inputs `(n, d)` and targets `(n,)`."""


@dataclass(frozen=True)
class MetricModel:
    """A metric as a regression sees it.

    Attributes:
        regression: fitted to the metric, or to its logarithm, perhaps with bad ones drawn in.
        logs: whether to its logarithm.
        y: what it was fitted to, in the order of the feasible trials, `(n,)`.
    """

    regression: Regression
    logs: bool
    y: Floats

    def seen(self, values: Floats) -> Floats:
        """Values of the metric on the regression's scale."""
        return np.log(values) if self.logs else values


@dataclass(frozen=True)
class Belief:
    """What is believed of any design. Costs are on the scale of their models: less is better.

    Attributes:
        problem: what is searched for.
        metrics: metric -> model; empty while fewer than two trials are feasible.
        works: how likely a design works; None while all did, or none.
        accepted: costs of the accepted trials, `(a, objectives)`; empty without models.
        seen: inputs that were tried, or supposed to be, as `_keys`; None where only the same
            design has the same inputs.
    """

    problem: Problem
    metrics: dict[str, MetricModel]
    works: WorksClassifier | None
    accepted: Floats
    seen: frozenset[bytes] | None

    def costs(self, x: Floats) -> tuple[Floats, Floats]:
        """Means and standard deviations of the costs at `m` inputs, `(m, objectives)` each."""
        means, stds = [], []
        for objective in self.problem.objectives:
            mean, std = self.metrics[objective.metric].regression.predict(x)
            means.append(objective.cost(mean))
            stds.append(std)
        return np.column_stack(means), np.column_stack(stds)

    def log_works(self, x: Floats) -> Floats:
        """Log of the probability that each of `m` designs works, `(m,)`."""
        return np.zeros(len(x)) if self.works is None else self.works.log_probability(x)

    def log_within_limits(self, x: Floats) -> Floats:
        """Log of the probability that each of `m` designs keeps the limits if it works, `(m,)`.

        While none is accepted there may be two examples, both far beyond a limit. The scale of a
        metric is then a guess, so that tails are Student's: with a normal's, hundreds of nats speak
        for the corner where the metric seems least, whatever is known of what works there.
        """
        total = np.zeros(len(x))
        for limit in self.problem.limits:
            if limit.metric in self.metrics:
                model = self.metrics[limit.metric]
                mean, std = model.regression.predict(x)
                sign = 1.0 if limit.relation == "<=" else -1.0
                bound = sign * float(model.seen(np.array(limit.bound)))
                if len(self.accepted):
                    total = total + log_probability_below(sign * mean, std, bound)
                else:
                    freedom = len(model.y) - 1
                    total = total + log_student_below(sign * mean, std, bound, freedom)
        return total

    def repeats(self, x: Floats) -> NDArray[np.bool_]:
        """Which of `m` designs look the same as one that was tried, `(m,)`.

        They would teach nothing that the models can make use of.
        """
        if self.seen is None:
            return np.zeros(len(x), dtype=bool)
        return np.array([key in self.seen for key in _keys(x)], dtype=bool)

    def supposing(self, x: Floats) -> "Belief":
        """As if `m` designs had been tried, and each turned out just as expected.

        Source: the "Kriging believer" of Ginsbourger, Le Riche, Carraro, 2010.
        """
        supposed = {
            name: replace(
                model, regression=model.regression.conditioned(x, model.regression.mean(x))
            )
            for name, model in self.metrics.items()
        }
        seen = None if self.seen is None else self.seen.union(_keys(x))
        return replace(self, metrics=supposed, seen=seen)


@dataclass
class Learner:
    """Turns trials into a belief.

    It keeps kernels that were fitted, by how many examples they were fitted to; they are a
    function of the trials, and keeping them only saves time.

    Attributes:
        problem: what is searched for.
        inputs: how designs become inputs.
        prior: of the kernels of metrics.
        regress: makes the regressions of metrics instead, where given.
        elders: what related tasks taught of metrics; regressions then model what is left.
        tames_logs: whether bad values of an objective are drawn in (see `tamed`) even where a
            logarithm is modeled, which has drawn them in already; elders' always are.
    """

    problem: Problem
    inputs: Inputs
    prior: Prior = SMOOTH
    regress: Regress | None = None
    elders: Elders | None = None
    tames_logs: bool = True
    _kernels: dict[tuple[str, bool, int], Kernel] = field(init=False, default_factory=dict)

    def learn(self, trials: Sequence[Trial]) -> Belief:
        """What `trials` say. Failed and timed-out ones say nothing.

        Feasible ones have all metrics that are objectives or have limits.
        """
        telling = [t for t in trials if t.outcome in (Outcome.FEASIBLE, Outcome.INFEASIBLE)]
        feasible = [trial for trial in telling if trial.feasible]
        works = None
        if 0 < len(feasible) < len(telling):
            x = self._inputs_of(telling)
            labels = np.array([trial.feasible for trial in telling])
            rows = _spread(np.arange(len(x)), MOST_EXAMPLES)
            works = learn_to_tell(x[rows], labels[rows], self._score_kernel(x, labels))
        metrics = {}
        if len(feasible) >= 2:
            x = self._inputs_of(feasible)
            names = [o.metric for o in self.problem.objectives]
            names += [limit.metric for limit in self.problem.limits]
            rows = self._telling(feasible)
            metrics = {name: self._model(name, x, feasible, rows) for name in dict.fromkeys(names)}
        seen = frozenset(_keys(self._inputs_of(telling))) if self.inputs.merges else None
        return Belief(self.problem, metrics, works, self._accepted(metrics, feasible), seen)

    def _inputs_of(self, trials: Sequence[Trial]) -> Floats:
        return self.inputs.of(self.problem.space.columns([trial.design for trial in trials]))

    def _telling(self, feasible: Sequence[Trial]) -> NDArray[np.int64]:
        """Rows that regressions are fitted to: all, or the better ones and a spread of others."""
        if len(feasible) <= MOST_EXAMPLES:
            return np.arange(len(feasible))
        excess = [self.problem.goal.excess(trial.metrics) for trial in feasible]
        costs = [self.problem.costs(trial.metrics)[0] for trial in feasible]
        order = np.lexsort((costs, excess))
        half = MOST_EXAMPLES // 2
        others = _spread(np.sort(order[half:]), MOST_EXAMPLES - half)
        return np.sort(np.concatenate([order[:half], others]))

    def _model(
        self, name: str, x: Floats, feasible: Sequence[Trial], rows: NDArray[np.int64]
    ) -> MetricModel:
        y = np.array([trial.metrics[name] for trial in feasible])
        bounds = [limit.bound for limit in self.problem.limits if limit.metric == name]
        logs = bool((y > 0).all()) and all(bound > 0 for bound in bounds)
        y = np.log(y) if logs else y
        wanted = [o for o in self.problem.objectives if o.metric == name]
        sign = float(wanted[0].cost(np.array(1.0))) if wanted and not bounds else 0.0
        if self.regress is not None:
            y = _drawn_in(y, sign)
            return MetricModel(self.regress(x, y), logs, y)
        elders = self.elders.of(name, logs=logs, sign=sign) if self.elders else []
        if logs and not self.tames_logs and not elders:
            sign = 0.0
        # the kernel may know of the first examples only: it is kept while more are told
        count = fitted_count(len(y))
        first, y = _drawn_in(y[:count], sign), _drawn_in(y, sign)
        left = first - Trend.of(elders, x[:count], first).mean(x[:count]) if elders else first
        kernel = self._kernel(name, x[:count], left, logs, self.prior)
        if not elders:
            return MetricModel(fit(x[rows], y[rows], kernel=kernel), logs, y)
        trend = Trend.of(elders, x, y)
        process = fit(x[rows], (y - trend.mean(x))[rows], kernel=kernel)
        return MetricModel(Advised(trend, process), logs, y)

    def _kernel(self, name: str, x: Floats, y: Floats, logs: bool, prior: Prior) -> Kernel:
        """The kernel of a number of examples that `fitted_count` allows."""
        key = (name, logs, len(y))
        if key not in self._kernels:
            self._kernels[key] = fit_kernel(x, y, prior=prior)
        return self._kernels[key]

    def _score_kernel(self, x: Floats, works: NDArray[np.bool_]) -> Kernel:
        """The kernel of what works, by a number of examples that `fitted_count` allows."""
        count = fitted_count(len(works))
        key = ("works", False, count)
        if key not in self._kernels:
            self._kernels[key] = fit_score_kernel(x[:count], works[:count])
        return self._kernels[key]

    def _accepted(self, metrics: dict[str, MetricModel], feasible: Sequence[Trial]) -> Floats:
        if not metrics:
            return np.empty((0, len(self.problem.objectives)))
        accepted = np.array([self.problem.accepts(trial) for trial in feasible])
        return np.column_stack(
            [o.cost(metrics[o.metric].y[accepted]) for o in self.problem.objectives]
        )


def _keys(x: Floats) -> list[bytes]:
    """Each of `m` inputs as something to look up."""
    return [row.tobytes() for row in np.round(x, DIGITS) + 0.0]


def _spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of `rows`, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]


def _drawn_in(y: Floats, sign: float) -> Floats:
    """Values of an objective with the bad ones drawn in; as they are if `sign` is 0."""
    return sign * tamed(sign * y) if sign else y
