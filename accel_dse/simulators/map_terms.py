"""What the parts of the mapper share: dimensions, tile sizes, and why a layer has no mapping."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WEIGHTS, INPUTS, OUTPUTS = 0, 1, 2
N, G, K, C, P, Q, R, S = range(8)

RELEVANT_TO = np.array(
    [
        [0, 1, 1, 1, 0, 0, 1, 1],
        [1, 1, 0, 1, 1, 1, 1, 1],
        [1, 1, 1, 0, 1, 1, 0, 0],
    ],
    dtype=np.bool_,
)
"""Whether a dimension (column) indexes a tensor (row); see `workload.RELEVANT`."""

NO_SPLIT, NO_TILE, NO_PROGRAM, NO_MAPPING = 1, 2, 3, 4
"""Why a layer has no mapping: a hardwired axis has no dimension to take; the smallest tile does
not fit a level; the instruction memory is too small; what the search built breaks a rule."""


@nb.njit(cache=True)
def ceil_div(a: int, b: int) -> int:
    """`a / b`, rounded up."""
    return -(-a // b)


@nb.njit(cache=True)
def tile_words(tile: Ints, window: Ints, out: Any) -> None:
    """Words of each tensor in a tile of extents `tile`, into `out` of shape `(3,)`."""
    rows = (tile[P] - 1) * window[0] + (tile[R] - 1) * window[2] + 1
    columns = (tile[Q] - 1) * window[1] + (tile[S] - 1) * window[3] + 1
    group = tile[G]
    out[WEIGHTS] = float(group * tile[K] * tile[C]) * float(tile[R] * tile[S])
    out[INPUTS] = float(tile[N] * group * tile[C]) * (float(rows) * float(columns))
    out[OUTPUTS] = float(tile[N] * group * tile[K]) * float(tile[P] * tile[Q])


ORDERS = np.array(
    [
        # weights stationary: what does not index weights is innermost
        [G, K, C, R, S, N, P, Q],
        # inputs stationary
        [N, G, P, Q, C, R, S, K],
        # outputs stationary
        [N, G, K, P, Q, C, R, S],
    ],
    dtype=np.int64,
)
"""Loop orders, outermost first, by the tensor that stays while the innermost loops run."""
