"""How likely a design works, learned from which ones did."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr

from accel_dse.surrogates.gaussian_process import GaussianProcess, Kernel, Prior, fit

Floats = NDArray[np.float64]

LABELS = Prior(noise=(0.02, 1.5), matern=(1.0, 0.7), linear=(0.3, 1.0))
"""Labels are a step: less smooth than a metric, and never exactly fitted."""


@dataclass(frozen=True)
class WorksClassifier:
    """The probability that designs work: `Phi((gain * mean + bias) / sqrt(1 + (gain * std)^2))`.

    A Gaussian process is fitted to labels 1 (works) and -1 (does not); `gain` and `bias` make its
    answers about each example, when that one is left out, as probable as they can.

    Attributes:
        process: fitted to the labels.
        gain, bias: calibration.

    Source:
        Rasmussen and Williams, 2006, section 6.5, least-squares classification; the idea of
        calibrating left-out predictions is Platt's, 1999.
    """

    process: GaussianProcess
    gain: float
    bias: float

    def log_probability(self, x: Floats) -> Floats:
        """Log of the probability that each of `m` designs works, `(m,)`."""
        mean, std = self.process.predict(x)
        score = (self.gain * mean + self.bias) / np.sqrt(1.0 + (self.gain * std) ** 2)
        return np.asarray(log_ndtr(score))


def learn_to_tell(x: Floats, works: NDArray[np.bool_], kernel: Kernel | None) -> WorksClassifier:
    """The classifier of `n` examples, of which some work and some do not.

    Args:
        x: inputs, shape `(n, d)`.
        works: shape `(n,)`.
        kernel: of the process; fitted if not given.
    """
    labels = np.where(works, 1.0, -1.0)
    process = fit(x, labels, kernel=kernel, prior=LABELS)
    mean, std = process.leave_one_out()

    def surprise(parameters: Floats) -> float:
        gain, bias = np.exp(parameters[0]), parameters[1]
        score = (gain * mean + bias) / np.sqrt(1.0 + (gain * std) ** 2)
        # a weak prior: gain within a factor of e of 2, bias near none
        prior = 0.5 * (parameters[0] - np.log(2.0)) ** 2 + 0.5 * bias**2
        return float(prior - log_ndtr(labels * score).sum())

    found = minimize(surprise, [np.log(2.0), 0.0], method="L-BFGS-B", options={"maxiter": 40})
    return WorksClassifier(process, float(np.exp(found.x[0])), float(found.x[1]))
