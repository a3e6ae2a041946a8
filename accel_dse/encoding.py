"""Designs as numbers: points in the unit cube, one-hot fields, distances."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column, Columns
from accel_dse.parameters.base import Floats, Parameter


def encoded(parameters: Sequence[Parameter], columns: Columns) -> Floats:
    """`n` designs as points in the unit cube, shape `(n, width)`."""
    return np.hstack([p.encode(columns[p.name]) for p in parameters])


def decoded(parameters: Sequence[Parameter], codes: Floats) -> dict[str, Column]:
    """The designs nearest to `n` points of the unit cube, parameter by parameter."""
    return {p.name: p.decode(codes[:, part]) for p, part in zip(parameters, _parts(parameters))}


def one_hot(parameters: Sequence[Parameter], columns: Columns) -> NDArray[np.float32]:
    """The one-hot fields of `n` designs, shape `(n, sum of their sizes)`."""
    sizes = [size for parameter in parameters for size in parameter.fields]
    taken = np.hstack([p.field_choices(columns[p.name]) for p in parameters])
    taken = taken + np.array([0, *accumulate(sizes)][:-1])
    hot = np.zeros((len(taken), sum(sizes)), np.float32)
    hot[np.arange(len(taken))[:, None], taken] = 1.0
    return hot


def distances(parameters: Sequence[Parameter], a: Floats, b: Floats) -> Floats:
    """How unlike each of `n` encoded designs is each of `m`, shape `(n, m)`, from 0 to 1."""
    total = np.zeros((len(a), len(b)))
    for parameter, part in zip(parameters, _parts(parameters)):
        apart = np.zeros_like(total)
        for left, right in zip(a[:, part].T, b[:, part].T):
            apart += np.abs(left[:, None] - right)
        total += np.minimum(apart * parameter.distance_weight, 1.0)
    return np.asarray(total / len(parameters))


def _parts(parameters: Sequence[Parameter]) -> list[slice]:
    """Which numbers of an encoding each parameter has."""
    ends = accumulate((parameter.width for parameter in parameters), initial=0)
    return [slice(start, end) for start, end in pairwise(ends)]
