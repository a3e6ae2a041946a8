"""What sources predict, as a trend that a Gaussian process only has to correct."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from accel_dse.designs import length, rows
from accel_dse.source import Source
from accel_dse.surrogates.gaussian_process import GaussianProcess, fit, tamed
from accel_dse.surrogates.inputs import Inputs

Floats = NDArray[np.float64]

MOST = 200
"""Trials of one source that its models are fitted to: prediction takes time linear in it."""

LEAST_SKILL = 0.2
"""Of the variance in its own task, what an elder must explain to have a say in another: one that
can say nothing would only add its doubts."""

NEGLIGIBLE = 1e-3
"""An elder of less weight is left out, which saves its time."""

STRENGTH = 3.0
"""Trials of this task that outweigh the belief that sources are right."""


@dataclass(frozen=True)
class Elder:
    """What one source says of a metric.

    Attributes:
        process: fitted to the source's trials.
        shared: which inputs it reads: those of the parameters that the source has, `(d,)`.
    """

    process: GaussianProcess
    shared: NDArray[np.bool_]

    def mean(self, x: Floats) -> Floats:
        """Expected value at `m` inputs, `(m,)`."""
        return self.process.mean(x[:, self.shared])

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Expected value and standard deviation at `m` inputs, `(m,)` each."""
        return self.process.predict(x[:, self.shared])


@dataclass(frozen=True)
class Trend:
    """A sum of what elders say.

    Attributes:
        elders: those that count.
        weights: of each, above 0.
        offset: added.
    """

    elders: tuple[Elder, ...]
    weights: Floats
    offset: float

    @classmethod
    def of(cls, elders: Sequence[Elder], x: Floats, y: Floats) -> "Trend":
        """The sum that `n` examples support: least squares, with weights that are not negative.

        Each elder is judged alone first: the examples scale what it says, against a belief worth
        `STRENGTH` examples that it is right as it is. Who says nothing of the examples, or the
        opposite, is heard no more. The others then share, in the same way.

        Args:
            elders: of the same metric.
            x: inputs, `(n, d)`.
            y: targets, `(n,)`.
        """
        said = np.array([elder.mean(x) for elder in elders]).reshape(len(elders), len(x))
        scales = np.array([elder.process.scale for elder in elders])
        alone = np.array(
            [_weights(said[[i]], y, scales[[i]], np.ones(1))[0] for i in range(len(elders))]
        )
        heard = np.flatnonzero(alone > NEGLIGIBLE)
        weights = _weights(said[heard], y, scales[heard], alone[heard] / max(len(heard), 1))
        kept = heard[weights > NEGLIGIBLE]
        weights = weights[weights > NEGLIGIBLE]
        offset = float((y - weights @ said[kept]).mean())
        return cls(tuple(elders[int(i)] for i in kept), weights, offset)

    def mean(self, x: Floats) -> Floats:
        """The trend at `m` inputs, `(m,)`."""
        total = np.full(len(x), self.offset)
        for elder, weight in zip(self.elders, self.weights):
            total += weight * elder.mean(x)
        return total

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """The trend and the variance of what elders say, at `m` inputs, `(m,)` each."""
        total, variance = np.full(len(x), self.offset), np.zeros(len(x))
        for elder, weight in zip(self.elders, self.weights):
            mean, std = elder.predict(x)
            total += weight * mean
            variance += (weight * std) ** 2
        return total, variance


@dataclass(frozen=True)
class Advised:
    """A regression: a trend, and a Gaussian process of what is left.

    The doubts of both add up. Seeds are designs that elders know, so that what is left of them
    says little about how wrong elders are elsewhere. It predicts better than a ranking-weighted
    ensemble of the same models: `benchmarks/apollo/transfer_models.py`.

    Source:
        Stacked regressions, each on the residual of the one before: Golovin et al., "Google
        Vizier: A Service for Black-Box Optimization", KDD 2017, section 3.3; a scale for what the
        cheaper model says: Kennedy and O'Hagan, Biometrika 87, 2000.
    """

    trend: Trend
    process: GaussianProcess

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Expected value and standard deviation at `m` inputs, `(m,)` each."""
        mean, std = self.process.predict(x)
        trend, variance = self.trend.predict(x)
        return mean + trend, np.sqrt(std * std + variance)

    def mean(self, x: Floats) -> Floats:
        """Expected value at `m` inputs, `(m,)`."""
        return self.process.mean(x) + self.trend.mean(x)

    def conditioned(self, x: Floats, y: Floats) -> "Advised":
        """With `m` more examples."""
        return replace(self, process=self.process.conditioned(x, y - self.trend.mean(x)))


@dataclass
class Elders:
    """The models of all sources, each fitted when it is first asked for.

    Attributes:
        sources: what they are fitted to.
        inputs: how designs of the problem's space become inputs.
    """

    sources: Sequence[Source]
    inputs: Inputs
    _fitted: dict[tuple[str, bool, float], list[Elder]] = field(init=False, default_factory=dict)

    def of(self, metric: str, *, logs: bool, sign: float) -> list[Elder]:
        """What each source that has the metric says of it.

        Args:
            metric: its name.
            logs: whether of its logarithm.
            sign: 1 or -1 where it should be small or large, so that bad values are drawn in; 0
                where its values count.
        """
        key = (metric, logs, sign)
        if key not in self._fitted:
            made = [self._elder(source, metric, logs, sign) for source in self.sources]
            self._fitted[key] = [elder for elder in made if elder is not None]
        return self._fitted[key]

    def _elder(self, source: Source, metric: str, logs: bool, sign: float) -> Elder | None:
        """The model of one source; None if it has too little of the metric, or cannot tell it."""
        values = source.metrics.get(metric, np.zeros(0))
        usable = np.flatnonzero(np.isfinite(values) & ((values > 0) | (not logs)))
        if len(usable) < 2:
            return None
        y = np.log(values) if logs else values
        y = sign * tamed(sign * y[usable]) if sign else y[usable]
        chosen = _telling(sign * y)
        x, shared = self._inputs_of(source, usable[chosen])
        process = fit(x, y[chosen])
        return Elder(process, shared) if _skill(process) >= LEAST_SKILL else None

    def _inputs_of(
        self, source: Source, which: NDArray[np.int64]
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """The inputs that the source has, of some of its designs, and which inputs they are."""
        space = self.inputs.space
        columns = rows(source.columns, which)
        # what is missing may be anything: inputs that depend on it are not read
        filled = space.sample_columns(length(columns), np.random.default_rng(0))
        x = self.inputs.of_others({**filled, **columns})
        names = set(source.space.names)
        shared = np.array([read <= names for read in self.inputs.reads])
        return x[:, shared], shared


def _weights(said: Floats, y: Floats, scales: Floats, believed: Floats) -> Floats:
    """Weights of what `s` elders say of `n` examples, `(s,)`, none negative.

    Args:
        said: `(s, n)`.
        y: the examples, `(n,)`.
        scales: deviation of each elder's metric in its own task, `(s,)`.
        believed: the weights before any example, `(s,)`.
    """
    if not len(said):
        return np.zeros(0)
    belief = np.diag(scales) * np.sqrt(STRENGTH)
    centered = (said - said.mean(axis=1, keepdims=True)).T
    targets = np.concatenate([y - y.mean(), belief @ believed])
    return np.asarray(nnls(np.vstack([centered, belief]), targets)[0])


def _skill(process: GaussianProcess) -> float:
    """The share of the examples' variance that each one's prediction by the others explains."""
    mean, _ = process.leave_one_out()
    return 1.0 - float(((process.y - mean) ** 2).mean()) / process.scale**2


def _telling(costs: Floats) -> NDArray[np.int64]:
    """`MOST` of more examples: the least costly half, and others evenly spread; ascending."""
    order = np.argsort(costs, kind="stable")
    if len(order) <= MOST:
        return np.sort(order)
    best, rest = order[: MOST // 2], order[MOST // 2 :]
    spread = rest[np.linspace(0, len(rest) - 1, MOST - len(best)).astype(np.int64)]
    return np.sort(np.concatenate([best, spread]))
