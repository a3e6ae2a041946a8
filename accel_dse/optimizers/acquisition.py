"""What a design is worth trying for, from what is believed of it: logarithms of expectations."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log1p, log_ndtr, ndtr, stdtr

Floats = NDArray[np.float64]

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


def log_expected_improvement(mean: Floats, std: Floats, best: Floats | float) -> Floats:
    """Log of the expected amount by which each of `m` costs is below `best`, `(m,)`.

    Args:
        mean, std: what is believed of the costs, `(m,)` each.
        best: the least cost known; an array is broadcast against the others.

    Source:
        Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization",
        NeurIPS 2023, eq. 9: unlike the improvement itself, its log does not vanish far away.
    """
    z = (best - mean) / std
    return np.asarray(np.log(std) + _log_h(z))


def _log_h(z: Floats) -> Floats:
    """`log(phi(z) + z Phi(z))`, accurate for any `z`."""
    found = np.empty_like(z)
    near = z > -1.0
    zn = z[near]
    found[near] = np.log(np.exp(-0.5 * zn * zn - HALF_LOG_2PI) + zn * ndtr(zn))
    far = ~near
    zf = z[far]
    # phi(z) (1 + z Phi(z) / phi(z)); the ratio of Mills is erfcx's
    ratio = -zf * erfcx(-zf / np.sqrt(2.0)) * np.sqrt(np.pi / 2.0)
    with np.errstate(divide="ignore"):
        tail = np.where(zf > -1e4, log1p(-np.minimum(ratio, 1.0 - 1e-16)), -2.0 * np.log(-zf))
    found[far] = -0.5 * zf * zf - HALF_LOG_2PI + tail
    return found


def lower_confidence_bound(mean: Floats, std: Floats, doubts: float) -> Floats:
    """How low each of `m` costs may well be, negated: more is better, `(m,)`.

    Source: Srinivas et al., "Gaussian Process Optimization in the Bandit Setting", ICML 2010.
    """
    return np.asarray(doubts * std - mean)


def log_probability_below(mean: Floats, std: Floats, bound: float) -> Floats:
    """Log of the probability that each of `m` values is at most `bound`, `(m,)`."""
    return np.asarray(log_ndtr((bound - mean) / std))


def log_student_below(mean: Floats, std: Floats, bound: float, freedom: int) -> Floats:
    """The same where `std` was itself estimated, with so many degrees of freedom.

    Source: Shah, Wilson, Ghahramani, "Student-t Processes as Alternatives to Gaussian Processes",
    AISTATS 2014: what is left of a Gaussian process when its scale is integrated out.
    """
    chance = stdtr(freedom, (bound - mean) / std)
    return np.asarray(np.log(np.maximum(chance, np.finfo(np.float64).tiny)))
