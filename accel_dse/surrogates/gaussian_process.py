"""Gaussian process regression: mean and doubt about a number, from a few hundred examples.

Exact, in double precision, deterministic. Everything is a function of the examples (and, for the
hyper-parameters, of where their fit begins); nothing is drawn at random.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import minimize

Floats = NDArray[np.float64]

OFFSET_VARIANCE = 1.0
"""Prior variance of the constant that is added everywhere, in units of the targets' variance: an
optimizer's examples are mostly good ones, so that their mean says little about the rest."""

NOISE_FLOOR = 1e-6
"""Least noise variance: bounds the condition of the kernel matrix where inputs repeat."""

MOST_FITTED = 256
"""Examples that hyper-parameters are fitted to; a fit takes time cubic in it."""

MOST_STEPS = 60
"""Steps of one fit; more change little."""

FIVE_THIRDS = 5.0 / 3.0


@dataclass(frozen=True)
class Kernel:
    """Covariance of two inputs: Matern-5/2 with a lengthscale each, linear, and a constant.

    `matern * m(r) + linear * (x - 1/2).(x' - 1/2) / d + 1`, `r` being the distance after division
    by `lengthscales`. All variances are in units of the targets' variance.

    Attributes:
        lengthscales: shape `(d,)`; a large one means that the input hardly matters.
        matern: variance of the smooth part.
        linear: variance of the linear part.
        noise: variance of what the inputs do not explain.

    Source:
        Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, eqs. 4.17, 4.19.
    """

    lengthscales: Floats
    matern: float = 1.0
    linear: float = 0.1
    noise: float = 1e-3

    def covariance(self, a: Floats, b: Floats) -> Floats:
        """Covariance of the values at `n` and at `m` inputs, `(n, m)`; without noise."""
        decayed, root = self._matern_parts(a, b)
        matern = (1.0 + root + root * root / 3.0) * decayed
        return np.asarray(matern + self._flat(a, b))

    def variance(self, a: Floats) -> Floats:
        """The diagonal of `covariance(a, a)`, shape `(n,)`."""
        linear = ((a - 0.5) ** 2).sum(axis=1) * (self.linear / a.shape[1])
        return np.asarray(self.matern + OFFSET_VARIANCE + linear)

    def with_slopes(self, x: Floats) -> tuple[Floats, Callable[[Floats], Floats]]:
        """Covariance of `n` examples with noise, `(n, n)`, and how it varies with the kernel.

        Returns:
            The matrix, and a function: given the derivative `(n, n)` of a number by each entry
            of the matrix, symmetric, its derivative by the kernel's logarithms, `(d + 3,)`.
        """
        decayed, root = self._matern_parts(x, x)
        matern = (1.0 + root + root * root / 3.0) * decayed
        flat = self._flat(x, x)
        matrix = matern + flat
        matrix.flat[:: len(matrix) + 1] += self.noise
        scaled = x / self.lengthscales

        def slopes(by_entry: Floats) -> Floats:
            pull = by_entry * ((1.0 + root) * decayed)
            along = (pull.sum(axis=1)[:, None] * scaled * scaled).sum(axis=0)
            across = ((pull @ scaled) * scaled).sum(axis=0)
            by_variance = [
                (by_entry * matern).sum(),
                (by_entry * (flat - OFFSET_VARIANCE)).sum(),
                self.noise * by_entry.trace(),
            ]
            return np.concatenate([2.0 * FIVE_THIRDS * (along - across), by_variance])

        return matrix, slopes

    def _flat(self, a: Floats, b: Floats) -> Floats:
        """The parts of the covariance that do not decay with distance."""
        scale = self.linear / a.shape[1]
        return np.asarray(OFFSET_VARIANCE + scale * ((a - 0.5) @ (b - 0.5).T))

    def _matern_parts(self, a: Floats, b: Floats) -> tuple[Floats, Floats]:
        """`matern * exp(-sqrt(5) r)` and `sqrt(5) r`, each `(n, m)`."""
        a, b = a / self.lengthscales, b / self.lengthscales
        squared = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * (a @ b.T)
        root = np.sqrt(5.0 * np.maximum(squared, 0.0))
        return self.matern * np.exp(-root), root


@dataclass(frozen=True)
class Prior:
    """What is believed of a kernel before any example: independent log-normal distributions.

    Attributes:
        lengthscale: (median for one input, spread of the logarithm); the median grows with the
            square root of the number of inputs, so that functions of many inputs are as smooth.
        matern, linear, noise: the same for the variances.

    Source:
        Lengthscales: Hvarfner, Hellsten, Nardi, "Vanilla Bayesian Optimization Performs Great in
        High Dimensions", ICML 2024: `log l ~ N(sqrt(2) + log(d) / 2, 3)`; the narrower spread and
        the variances are ours, chosen on the toolkit's own benchmarks. Simulators repeat
        themselves, so that what looks like noise is nearly always a short lengthscale.
    """

    lengthscale: tuple[float, float] = (math.exp(math.sqrt(2.0)) / 4.0, 1.0)
    matern: tuple[float, float] = (1.0, 1.0)
    linear: tuple[float, float] = (0.3, 1.5)
    noise: tuple[float, float] = (1e-4, 1.0)

    def moments(self, d: int) -> tuple[Floats, Floats]:
        """Mean and spread of the logarithms of a kernel of `d` inputs, each `(d + 3,)`."""
        median, spread = self.lengthscale
        others = (self.matern, self.linear, self.noise)
        means = [math.log(median * math.sqrt(d))] * d + [math.log(m) for m, _ in others]
        return np.array(means), np.array([spread] * d + [s for _, s in others])


SMOOTH = Prior()
"""The default: mostly smooth, a little linear, nearly free of noise."""

LINEAR = Prior(matern=(1e-4, 0.01), linear=(1.0, 1.5), noise=(0.1, 1.5))
"""Linear in the inputs, with noise for the rest: the kernel of Shi et al., arXiv 2010.02075."""


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A regression: what `n` examples and a kernel say about any input.

    Attributes:
        x: inputs, shape `(n, d)`, best within the unit cube.
        y: targets, shape `(n,)`.
        kernel: see `fit`.
        center, scale: targets are worked on as `(y - center) / scale`.

    Raises:
        ValueError: on construction, if shapes differ or a number is not finite.
    """

    x: Floats
    y: Floats
    kernel: Kernel
    center: float
    scale: float
    _factor: Floats | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check(self.x, self.y)
        if self.kernel.lengthscales.shape != (self.x.shape[1],):
            raise ValueError(
                f"{len(self.kernel.lengthscales)} lengthscales for {self.x.shape[1]} inputs"
            )

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def factor(self) -> Floats:
        """Lower Cholesky factor of the examples' covariance with noise, `(n, n)`."""
        if self._factor is not None:
            return self._factor
        matrix = self.kernel.covariance(self.x, self.x)
        matrix.flat[:: len(matrix) + 1] += self.kernel.noise
        return cholesky(matrix)

    @cached_property
    def targets(self) -> Floats:
        """Targets in units of the kernel, `(n,)`."""
        return np.asarray((self.y - self.center) / self.scale)

    @cached_property
    def weights(self) -> Floats:
        """The inverse covariance times the targets, `(n,)`."""
        return np.asarray(cho_solve((self.factor, True), self.targets))

    def mean(self, x: Floats) -> Floats:
        """Expected value at `m` inputs, `(m,)`; much cheaper than `predict`."""
        return np.asarray(
            self.center + self.scale * (self.kernel.covariance(x, self.x) @ self.weights)
        )

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Expected value and standard deviation of the noise-free function at `m` inputs.

        Args:
            x: shape `(m, d)`.

        Returns:
            Both of shape `(m,)`, in units of the targets.
        """
        across = self.kernel.covariance(self.x, x)
        mean = self.center + self.scale * (self.weights @ across)
        solved = solve_triangular(
            self.factor, across, lower=True, overwrite_b=True, check_finite=False
        )
        left = self.kernel.variance(x) - np.einsum("ij,ij->j", solved, solved)
        return np.asarray(mean), self.scale * np.sqrt(np.maximum(left, 1e-12))

    def predict_jointly(self, x: Floats) -> tuple[Floats, Floats]:
        """Expected values `(m,)` and covariance `(m, m)` of the function at `m` inputs."""
        across = self.kernel.covariance(self.x, x)
        mean = self.center + self.scale * (self.weights @ across)
        solved = solve_triangular(self.factor, across, lower=True, check_finite=False)
        covariance = self.kernel.covariance(x, x) - solved.T @ solved
        return np.asarray(mean), np.asarray(self.scale**2 * covariance)

    def sample(self, x: Floats, n: int, rng: np.random.Generator) -> Floats:
        """`n` draws of the function at `m` inputs, `(n, m)`."""
        mean, covariance = self.predict_jointly(x)
        covariance.flat[:: len(mean) + 1] += 1e-9 * self.scale**2
        return np.asarray(mean + rng.standard_normal((n, len(mean))) @ cholesky(covariance).T)

    def leave_one_out(self) -> tuple[Floats, Floats]:
        """What all other examples say about each: mean and standard deviation with noise, `(n,)`.

        Source: Rasmussen and Williams, 2006, eq. 5.12.
        """
        inverse = cho_solve((self.factor, True), np.eye(len(self)))
        precision = np.diag(inverse)
        mean = self.targets - self.weights / precision
        return self.center + self.scale * mean, self.scale / np.sqrt(precision)

    def conditioned(self, x: Floats, y: Floats) -> "GaussianProcess":
        """The same kernel with `m` more examples, in time quadratic in `n`."""
        check(x, y)
        across = solve_triangular(
            self.factor, self.kernel.covariance(self.x, x), lower=True, check_finite=False
        )
        left = self.kernel.covariance(x, x) - across.T @ across
        left.flat[:: len(left) + 1] += self.kernel.noise
        n, m = len(self), len(y)
        factor = np.zeros((n + m, n + m))
        factor[:n, :n] = self.factor
        factor[n:, :n] = across.T
        factor[n:, n:] = cholesky(left)
        return GaussianProcess(
            np.vstack([self.x, x]),
            np.concatenate([self.y, y]),
            self.kernel,
            self.center,
            self.scale,
            factor,
        )


def fit(
    x: Floats, y: Floats, *, kernel: Kernel | None = None, prior: Prior = SMOOTH
) -> GaussianProcess:
    """The regression on `n` examples.

    Args:
        x: inputs, shape `(n, d)`, best within the unit cube.
        y: targets, shape `(n,)`.
        kernel: to use as it is; if not given it is fitted by `fit_kernel`.
        prior: of the kernel, where it is fitted.

    Raises:
        ValueError: shapes differ, there is no example, or a number is not finite.
    """
    check(x, y)
    center, scale = standard(y)
    return GaussianProcess(x, y, kernel or fit_kernel(x, y, prior=prior), center, scale)


def fit_kernel(
    x: Floats, y: Floats, *, start: Kernel | None = None, prior: Prior = SMOOTH
) -> Kernel:
    """The kernel that is most probable given `n` examples (maximum a posteriori).

    Of more than `MOST_FITTED` examples it reads the lowest half and others evenly spread: the low
    ones are those that a search must tell apart.

    Args:
        x: inputs, shape `(n, d)`.
        y: targets, shape `(n,)`.
        start: where to begin; at the prior's medians if not given.
        prior: what is believed beforehand.
    """
    check(x, y)
    means, spreads = prior.moments(x.shape[1])
    begin = means if start is None else _packed(start)
    center, scale = standard(y)
    targets = (y - center) / scale
    if len(y) < 2 or not targets.any():
        return unpacked(means)
    if len(y) > MOST_FITTED:
        rows = _telling(y)
        x, targets = x[rows], targets[rows]
    bounds = [(m - 4.0 * s, m + 4.0 * s) for m, s in zip(means, spreads)]
    bounds[-1] = (math.log(NOISE_FLOOR), 0.0)
    found = minimize(
        _loss,
        np.clip(begin, *np.array(bounds).T),
        args=(x, targets, means, spreads),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": MOST_STEPS, "ftol": 1e-6},
    )
    return unpacked(found.x)


def check(x: Floats, y: Floats) -> None:
    """Raises ValueError unless `x` and `y` are `n >= 1` finite examples."""
    if x.ndim != 2 or y.shape != (len(x),) or len(y) == 0:
        raise ValueError(f"expected inputs (n, d) and targets (n,), got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("inputs and targets must be finite")


def standard(y: Floats) -> tuple[float, float]:
    """Mean and standard deviation of targets; a deviation of 1 if they are all alike."""
    center = float(y.mean())
    scale = float(np.sqrt(((y - center) ** 2).mean()))
    alike = scale <= 1e-12 * max(abs(center), float(np.abs(y).max()), 1e-290)
    return center, 1.0 if alike else scale


def tamed(costs: Floats) -> Floats:
    """Costs `(n,)` with those above the median drawn in; their order stays.

    How bad a bad design is matters little to a search, and a few costs far out would make a
    regression forget the differences between good ones. Beyond the median, distances grow as
    their logarithm, in units of how far the best tenth is below it.
    """
    middle = float(np.median(costs))
    unit = middle - float(np.quantile(costs, 0.1))
    if unit <= 0:
        return costs
    above = np.maximum(costs - middle, 0.0)
    return np.where(costs > middle, middle + unit * np.log1p(above / unit), costs)


def cholesky(matrix: Floats) -> Floats:
    """Lower factor of a positive matrix `(n, n)`; adds as little to its diagonal as it must."""
    diagonal = matrix.diagonal().copy()
    for jitter in (0.0, 1e-10, 1e-8, 1e-6, 1e-4):
        lifted = matrix.copy()
        lifted.flat[:: len(matrix) + 1] = diagonal * (1.0 + jitter)
        factor, info = dpotrf(lifted, lower=1, clean=1, overwrite_a=1)
        if info == 0:
            return np.asarray(factor)
    raise ValueError("the covariance is not positive")


def _telling(y: Floats) -> NDArray[np.int64]:
    """`MOST_FITTED` of more examples: the lowest, and others evenly spread; ascending."""
    order = np.argsort(y, kind="stable")
    low, rest = order[: MOST_FITTED // 2], np.sort(order[MOST_FITTED // 2 :])
    spread = np.linspace(0, len(rest) - 1, MOST_FITTED - len(low)).astype(np.int64)
    return np.sort(np.concatenate([low, rest[spread]]))


def _packed(kernel: Kernel) -> Floats:
    """Logarithms of a kernel's numbers, `(d + 3,)`."""
    return np.log([*kernel.lengthscales, kernel.matern, kernel.linear, kernel.noise])


def unpacked(logs: Floats) -> Kernel:
    """The kernel of such logarithms."""
    numbers = np.exp(logs)
    return Kernel(numbers[:-3], *(float(v) for v in numbers[-3:]))


def _loss(
    logs: Floats, x: Floats, targets: Floats, means: Floats, spreads: Floats
) -> tuple[float, Floats]:
    """Minus the log posterior of a kernel, and its gradient by the kernel's logarithms.

    Source: Rasmussen and Williams, 2006, eqs. 5.8 and 5.9, with the prior's log density added.
    """
    kernel = unpacked(logs)
    matrix, slopes = kernel.with_slopes(x)
    factor, info = dpotrf(matrix, lower=1, overwrite_a=1)
    if info != 0:
        return 1e10, np.zeros_like(logs)
    weights = cho_solve((factor, True), targets)
    deviation = (logs - means) / spreads
    loss = 0.5 * targets @ weights + np.log(factor.diagonal()).sum() + 0.5 * deviation @ deviation
    # dpotri fills the lower triangle only
    lower, _ = dpotri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(lower) + np.tril(lower, -1).T
    gradient = slopes(0.5 * (inverse - np.outer(weights, weights)))
    return float(loss), deviation / spreads + gradient
