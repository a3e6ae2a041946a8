"""Valid variations of designs, by column: what local and evolutionary searches are made of."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column, Columns, length
from accel_dse.parameters.base import Indices, Parameter

TRIES = 16
"""Times that a variation is tried again where its result is not valid."""


def exchanged(
    parameters: Sequence[Parameter], columns: Columns
) -> tuple[dict[str, Column], Indices]:
    """All designs one exchange in one parameter away from `n` designs, valid or not.

    Returns:
        `m` designs by column, and the row that each is a variation of, shape `(m,)`.
    """
    moved = {p.name: p.neighbors(columns[p.name]) for p in parameters}
    varied = {
        p.name: np.concatenate(
            [
                values if name == p.name else columns[p.name][origin]
                for name, (values, origin) in moved.items()
            ]
        )
        for p in parameters
    }
    return varied, np.concatenate([origin for _, origin in moved.values()])


def mutated(
    parameters: Sequence[Parameter], columns: Columns, rate: float, rng: np.random.Generator
) -> dict[str, Column]:
    """Each of `n` designs with some parameters changed, at least one; valid or not.

    Args:
        parameters: of the space.
        columns: the designs.
        rate: how likely each parameter is to change.
        rng: decides.
    """
    varied = dict(columns)
    for parameter, change in zip(parameters, changed(parameters, length(columns), rate, rng).T):
        rows = np.flatnonzero(change)
        varied[parameter.name] = varied[parameter.name].copy()
        varied[parameter.name][rows] = parameter.mutate(varied[parameter.name][rows], rng)
    return varied


def changed(
    parameters: Sequence[Parameter], n: int, rate: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which parameters of each of `n` designs are to change, at least one: `(n, parameters)`."""
    movable = np.array([parameter.count > 1 for parameter in parameters])
    chosen = rng.random((n, len(parameters))) < rate
    one = np.argmax(rng.random(chosen.shape) * movable, axis=1)
    chosen[np.arange(n), one] |= ~(chosen & movable).any(axis=1)
    return chosen


def repaired(
    vary: Callable[[Indices], dict[str, Column]],
    n: int,
    satisfied: Callable[[Columns], NDArray[np.bool_]],
    replace: Callable[[int], Columns],
) -> dict[str, Column]:
    """`n` valid variations.

    Args:
        vary: variations of the designs in some rows, valid or not, different at each call.
        n: how many rows there are.
        satisfied: which designs are valid.
        replace: valid designs, one at least, to take one from for a row that `vary` never made
            valid; the first is taken.
    """
    varied = vary(np.arange(n))
    invalid = np.flatnonzero(~satisfied(varied))
    for _ in range(TRIES):
        if not len(invalid):
            break
        again = vary(invalid)
        good = satisfied(again)
        for name, column in again.items():
            varied[name][invalid[good]] = column[good]
        invalid = invalid[~good]
    for row in invalid.tolist():
        for name, column in replace(row).items():
            varied[name][row] = column[0]
    return varied
