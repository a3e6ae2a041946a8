"""How likely a design works, learned from which ones did."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize
from scipy.special import log_ndtr

from accel_dse.surrogates.gaussian_process import (
    MOST_FITTED,
    Kernel,
    Prior,
    check,
    cholesky,
    unpacked,
)

Floats = NDArray[np.float64]

LABELS = Prior(matern=(4.0, 1.0), linear=(1.0, 1.0), noise=(1e-6, 0.1))
"""Of the hidden score, whose doubt about a label has variance 1: examples may be near certain."""

MOST_NEWTON = 30
"""Steps towards the most probable scores; a handful nearly always suffices."""

MOST_STEPS = 40
"""Steps of one fit of a kernel."""


@dataclass(frozen=True, eq=False)
class WorksClassifier:
    """The probability that designs work: that a hidden score plus unit noise is positive.

    The score is a Gaussian process; what labels say about it is approximated by a normal
    distribution around the most probable scores. Unlike a regression on labels it is not sure of
    what it has not seen, also where a search chose the examples by what it thought before.

    Attributes:
        x: inputs of the examples, `(n, d)`.
        labels: 1 (works) and -1 (does not), `(n,)`.
        kernel: of the score.
        pull: slope of the log likelihood at the most probable scores, `(n,)`.
        root, factor: see `_Mode`.

    Source:
        Rasmussen and Williams, 2006, algorithms 3.1 and 3.2: Laplace's approximation, probit
        likelihood.
    """

    x: Floats
    labels: Floats
    kernel: Kernel
    pull: Floats
    root: Floats
    factor: Floats

    def log_probability(self, x: Floats) -> Floats:
        """Log of the probability that each of `m` designs works, `(m,)`."""
        across = self.kernel.covariance(self.x, x)
        mean = self.pull @ across
        solved = solve_triangular(
            self.factor, self.root[:, None] * across, lower=True, check_finite=False
        )
        left = self.kernel.variance(x) - np.einsum("ij,ij->j", solved, solved)
        return np.asarray(log_ndtr(mean / np.sqrt(1.0 + np.maximum(left, 0.0))))


def learn_to_tell(x: Floats, works: NDArray[np.bool_], kernel: Kernel | None) -> WorksClassifier:
    """The classifier of `n` examples, of which some work and some do not.

    Args:
        x: inputs, shape `(n, d)`.
        works: shape `(n,)`.
        kernel: of the score; fitted by `fit_score_kernel` if not given.
    """
    kernel = kernel or fit_score_kernel(x, works)
    labels = np.where(works, 1.0, -1.0)
    check(x, labels)
    mode = _mode(kernel.with_slopes(x)[0], labels)
    return WorksClassifier(x, labels, kernel, mode.slope, mode.root, mode.factor)


def fit_score_kernel(x: Floats, works: NDArray[np.bool_]) -> Kernel:
    """The kernel of the score that is most probable given `n` examples.

    Of more than `MOST_FITTED` it reads some, evenly spread.
    """
    labels = np.where(works, 1.0, -1.0)
    check(x, labels)
    if len(x) > MOST_FITTED:
        rows = np.linspace(0, len(x) - 1, MOST_FITTED).astype(np.int64)
        x, labels = x[rows], labels[rows]
    means, spreads = LABELS.moments(x.shape[1])
    found = minimize(
        _loss,
        means,
        args=(x, labels, means, spreads),
        jac=True,
        method="L-BFGS-B",
        bounds=[(m - 4.0 * s, m + 4.0 * s) for m, s in zip(means, spreads)],
        options={"maxiter": MOST_STEPS, "ftol": 1e-5},
    )
    return unpacked(found.x)


@dataclass(frozen=True, eq=False)
class _Mode:
    """The most probable scores of `n` examples, and the likelihood around them.

    Attributes:
        scores: shape `(n,)`.
        evidence: log of the joint density of labels and scores, without its constant.
        slope, bend: first and third derivative of the log likelihood by each score, `(n,)` each.
        root: square root of minus the second, `(n,)`.
        factor: lower Cholesky factor of `1 + root covariance root`, `(n, n)`.
    """

    scores: Floats
    evidence: float
    slope: Floats
    bend: Floats
    root: Floats
    factor: Floats


def _likelihood(scores: Floats, labels: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Log probability of all labels; its derivatives, see `_Mode`, the second one negated."""
    z = labels * scores
    logs = log_ndtr(z)
    ratio = np.exp(-0.5 * z * z - 0.5 * np.log(2.0 * np.pi) - logs)
    curve = np.maximum(ratio * (ratio + z), 1e-12)
    bend = labels * ratio * (z * z - 1.0 + 3.0 * z * ratio + 2.0 * ratio * ratio)
    return float(logs.sum()), labels * ratio, curve, bend


def _mode(covariance: Floats, labels: Floats) -> _Mode:
    """Newton's method, with shorter steps where a whole one overshoots."""
    n = len(labels)
    dual, scores = np.zeros(n), np.zeros(n)
    log_labels, slope, curve, bend = _likelihood(scores, labels)
    evidence = log_labels
    for _ in range(MOST_NEWTON):
        root = np.sqrt(curve)
        factor = cholesky(np.eye(n) + root[:, None] * covariance * root)
        wanted = curve * scores + slope
        solved = cho_solve((factor, True), root * (covariance @ wanted))
        step = wanted - root * solved - dual
        length, before = 1.0, evidence
        while length > 1e-3:
            tried = dual + length * step
            there = covariance @ tried
            log_labels, slope, curve, bend = _likelihood(there, labels)
            evidence = log_labels - 0.5 * float(tried @ there)
            if evidence >= before - 1e-9:
                break
            length *= 0.5
        dual, scores = tried, there
        if abs(evidence - before) < 1e-8 * n:
            break
    root = np.sqrt(curve)
    factor = cholesky(np.eye(n) + root[:, None] * covariance * root)
    return _Mode(scores, evidence, slope, bend, root, factor)


def _loss(
    logs: Floats, x: Floats, labels: Floats, means: Floats, spreads: Floats
) -> tuple[float, Floats]:
    """Minus the approximate log posterior of a kernel, and its gradient by the logarithms.

    Source: Rasmussen and Williams, 2006, algorithm 5.1; eq. 5.23 with the sign of the errata.
    """
    kernel = unpacked(logs)
    covariance, slopes = kernel.with_slopes(x)
    mode = _mode(covariance, labels)
    deviation = (logs - means) / spreads
    loss = np.log(mode.factor.diagonal()).sum() - mode.evidence + 0.5 * deviation @ deviation
    lower, _ = dpotri(mode.factor, lower=1)
    inverse = np.tril(lower) + np.tril(lower, -1).T
    weight = mode.root[:, None] * inverse * mode.root
    left = covariance.diagonal() - np.einsum("ij,ij->j", covariance, weight @ covariance)
    moved = 0.5 * left * mode.bend
    moved = moved - weight @ (covariance @ moved)
    by_entry = 0.5 * weight - 0.5 * np.outer(mode.slope, mode.slope)
    by_entry -= 0.5 * (np.outer(mode.slope, moved) + np.outer(moved, mode.slope))
    return float(loss), deviation / spreads + slopes(by_entry)
