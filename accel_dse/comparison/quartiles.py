"""Quartiles over runs of which some may have found nothing."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def quartiles(values: Floats) -> Floats:
    """Quartiles over the first axis, infinite where one lies between a finite and an infinite one.

    So the median of two runs is no value as long as one of them has none, and a quartile of best
    values never gets worse with more simulations.

    Args:
        values: of each run, shape `(R,)` or `(R, T)`; infinite where it has none.

    Returns:
        The lower quartile, the median and the upper quartile, shape `(3,)` or `(3, T)`.

    Source: Hyndman and Fan, "Sample quantiles in statistical packages", 1996: the eighth.
    """
    ordered = np.sort(values, axis=0)
    places = np.array([0.25, 0.5, 0.75]) * (len(values) + 1 / 3) - 2 / 3
    places = np.clip(places.round(9), 0, len(values) - 1)
    below, above = ordered[np.floor(places).astype(int)], ordered[np.ceil(places).astype(int)]
    share = (places % 1).reshape(3, *[1] * (values.ndim - 1))
    with np.errstate(invalid="ignore"):  # between two that are infinite
        between = below + share * (above - below)
    found: Floats = np.where(below == above, below, between)
    return found
