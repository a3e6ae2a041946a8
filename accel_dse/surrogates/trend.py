"""What a sum over the numbers of a design explains: the part that a network need not learn."""

from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

STIFFNESS = 1e-3
"""Penalty on squared slopes, for one example: keeps the slope of what hardly varies at 0."""


def fitted(
    sizes: tuple[int, ...],
    lines: tuple[tuple[float, ...], ...],
    choices: NDArray[np.int64],
    targets: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The value of each choice of each field, so that their sums fit the targets best.

    A target is linear in where the choices lie on their lines. Lines of numbers are logarithmic,
    and so are most targets: this is a power law, `latency ~ bandwidth^-a PEs^-b ...`, whose
    slopes hold beyond the choices that the examples have.

    Args:
        sizes: of the one-hot fields.
        lines: for each field, where its choices lie; `()` adds nothing.
        choices: of `n` examples, one at least, shape `(n, fields)`.
        targets: of the same, shape `(n, targets)`.

    Returns:
        Shape `(sum(sizes), targets)`. The mean is shared out evenly among the fields
        that have a line; all zeros if there is none.
    """
    used = [f for f, line in enumerate(lines) if line]
    table = np.zeros((sum(sizes), targets.shape[1]))
    if not used:
        return table.astype(np.float32)
    places = np.column_stack([np.array(lines[f])[choices[:, f]] for f in used])
    middle, level = places.mean(axis=0), targets.mean(axis=0, dtype=np.float64)
    around = places - middle
    penalty = STIFFNESS * len(choices) * np.eye(len(used))
    slopes = np.linalg.solve(around.T @ around + penalty, around.T @ (targets - level))
    spans = list(pairwise(accumulate(sizes, initial=0)))
    for f, slope, origin in zip(used, slopes, middle):
        start, end = spans[f]
        table[start:end] = (np.array(lines[f])[:, None] - origin) * slope + level / len(used)
    return table.astype(np.float32)
