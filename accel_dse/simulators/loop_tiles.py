"""The geometry of a mapping: tiles, steps and windows, whole and clipped at the edge."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

from numba import njit

from accel_dse.simulators.loop_records import (
    INDEXES,
    INPUTS,
    OUTPUTS,
    WEIGHTS,
    C,
    G,
    Ints,
    K,
    N,
    P,
    Q,
    R,
    S,
)


@njit(cache=True)
def lay_out(
    chip: Any, layer: Ints, temporal: Ints, spatial_x: Ints, spatial_y: Ints, order: Ints, work: Any
) -> None:
    """Sets `extent`, `spatial`, `ragged`, `tile` and the list of loops, outermost first."""
    levels = chip.levels
    for d in range(8):
        work.extent[levels, d] = 1
    for i in range(levels - 1, -1, -1):
        for d in range(8):
            work.spatial[i, d] = spatial_x[i, d] * spatial_y[i, d]
            work.extent[i, d] = work.extent[i + 1, d] * work.spatial[i, d] * temporal[i, d]
        work.tile[i, WEIGHTS] = words(layer, work, i, WEIGHTS)
        work.tile[i, INPUTS] = words(layer, work, i, INPUTS)
        work.tile[i, OUTPUTS] = words(layer, work, i, OUTPUTS)
    work.ragged = 0
    for d in range(8):
        if work.extent[0, d] != layer[d]:
            work.ragged = 1
    k = 0
    steps = 1.0
    work.steps[0] = 1.0
    for i in range(levels):
        for r in range(8):
            d = order[i, r]
            n = temporal[i, d]
            if n > 1:
                steps *= n
                work.loop_dim[k] = d
                work.loop_level[k] = i
                k += 1
                work.steps[k] = steps
        work.loops[i] = k


@njit(cache=True)
def words(layer: Ints, work: Any, level: int, tensor: int) -> float:
    """Words that the unclipped tile of `level` has of `tensor`."""
    e = work.extent
    if tensor == WEIGHTS:
        return float(e[level, G]) * e[level, K] * e[level, C] * e[level, R] * e[level, S]
    if tensor == OUTPUTS:
        return float(e[level, N]) * e[level, G] * e[level, K] * e[level, P] * e[level, Q]
    rows = layer[8] * (e[level, P] - 1) + layer[10] * (e[level, R] - 1) + 1
    columns = layer[9] * (e[level, Q] - 1) + layer[11] * (e[level, S] - 1) + 1
    return float(e[level, N]) * e[level, G] * e[level, C] * rows * columns


@njit(cache=True)
def innermost(work: Any, tensor: int, end: int) -> int:
    """The innermost of the outer `end` loops that steps through other words of `tensor`, or -1."""
    k = end - 1
    while k >= 0 and not INDEXES[tensor, work.loop_dim[k]]:
        k -= 1
    return k


@njit(cache=True)
def step(layer: Ints, work: Any, loop: int) -> int:
    """Rows or columns of the input by which one step of `loop` moves the window."""
    d = work.loop_dim[loop]
    level = work.loop_level[loop]
    return layer[4 + d] * work.extent[level + 1, d] * work.spatial[level, d]


@njit(cache=True)
def distinct(layer: Ints, work: Any, level: int, axis: int) -> float:
    """Share of distinct windows among instances that split P and R (axis 0) or Q and S (1).

    Instances at `a` along P and `b` along R need the same rows if `a * step_p + b * step_r` is
    the same; a word that several need is read once.
    """
    p = work.spatial[level, P + axis]
    r = work.spatial[level, R + axis]
    if p == 1 or r == 1:
        return 1.0
    step_p = layer[8 + axis] * work.extent[level + 1, P + axis]
    step_r = layer[10 + axis] * work.extent[level + 1, R + axis]
    a = step_p
    b = step_r
    while b:
        a, b = b, a % b
    same = max(0, p - step_r // a) * max(0, r - step_p // a)
    return (p * r - same) / (p * r)


@njit(cache=True)
def tiles(
    layer: Ints, temporal: Ints, work: Any, d: int, level: int, counted: int, first_only: int
) -> tuple[float, float, int]:
    """How many tiles of `level` there are along `d`: `(whole, ragged, extent of a ragged one)`.

    Loops of levels outside `counted` count each step, the others only their first. Levels in the
    bit mask `first_only` count only the first instance that splits `d` (which has the largest
    tile), the others each.
    """
    whole = 0.0
    ragged = 1.0
    left = layer[d]
    if left == work.extent[0, d]:
        whole, ragged, left = 1.0, 0.0, 0
    for i in range(level):
        tile = work.extent[i + 1, d]
        split = work.spatial[i, d]
        if left > 0:
            groups = left // (tile * split)
            left -= groups * tile * split
            if i >= counted and groups > 0:
                groups = 1
                left = 0
            if first_only >> i & 1:
                more = groups
                if left >= tile:
                    more += 1
                    left = 0
            else:
                more = groups * split + left // tile
                left %= tile
            added = ragged * more
            if left == 0:
                ragged = 0.0
        else:
            added = 0.0
        if i < counted:
            whole *= temporal[i, d]
        if not first_only >> i & 1:
            whole *= split
        whole += added
    return whole, ragged, left


@njit(cache=True)
def windows(
    layer: Ints, temporal: Ints, work: Any, axis: int, inner: int, first_only: int, sliding: int
) -> float:
    """Rows (axis 0) or columns (1) fetched over all tiles of `inner`, clipped at the edge."""
    stride = layer[8 + axis]
    dilation = layer[10 + axis]
    p = P + axis
    r = R + axis
    whole_p, ragged_p, left_p = tiles(layer, temporal, work, p, inner, inner, first_only)
    whole_r, ragged_r, left_r = tiles(layer, temporal, work, r, inner, inner, first_only)
    n_p = whole_p + ragged_p
    n_r = whole_r + ragged_r
    sum_p = whole_p * work.extent[inner, p] + ragged_p * left_p
    sum_r = whole_r * work.extent[inner, r] + ragged_r * left_r
    found = stride * sum_p * n_r + dilation * sum_r * n_p + (1 - stride - dilation) * n_p * n_r
    if sliding < 0 or (work.loop_dim[sliding] != p and work.loop_dim[sliding] != r):
        return found
    level = work.loop_level[sliding]
    move = step(layer, work, sliding)
    if work.loop_dim[sliding] == p:
        whole, ragged, _ = tiles(layer, temporal, work, p, inner, level, first_only)
        reach = stride * (work.extent[inner, p] - 1) + 1 - move
        kept = whole_r * max(0, reach + dilation * (work.extent[inner, r] - 1))
        kept += ragged_r * max(0, reach + dilation * (left_r - 1))
        return found - kept * (n_p - whole - ragged)
    whole, ragged, _ = tiles(layer, temporal, work, r, inner, level, first_only)
    reach = dilation * (work.extent[inner, r] - 1) + 1 - move
    kept = whole_p * max(0, reach + stride * (work.extent[inner, p] - 1))
    kept += ragged_p * max(0, reach + stride * (left_p - 1))
    return found - kept * (n_r - whole - ragged)
