"""The geometry of a mapping: tiles, steps and windows, whole and clipped at the edge."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import (
    INPUTS,
    OUTPUTS,
    UNSIGNED,
    WEIGHTS,
    C,
    G,
    K,
    N,
    P,
    Q,
    R,
    S,
)


@compiled
def words(work: Any, level: int) -> None:
    """Sets the words that the unclipped tile of `level` has of each tensor."""
    level &= UNSIGNED
    e = work.extent
    rows = work.layer[8] * (e[level, P] - 1) + work.layer[10] * (e[level, R] - 1) + 1
    columns = work.layer[9] * (e[level, Q] - 1) + work.layer[11] * (e[level, S] - 1) + 1
    n, g, k, c = float(e[level, N]), float(e[level, G]), float(e[level, K]), float(e[level, C])
    p, q, r, s = float(e[level, P]), float(e[level, Q]), float(e[level, R]), float(e[level, S])
    work.tile[level, WEIGHTS] = g * k * c * r * s
    work.tile[level, INPUTS] = n * g * c * rows * columns
    work.tile[level, OUTPUTS] = n * g * k * p * q


@compiled
def step(work: Any, loop: int) -> int:
    """Rows or columns of the input by which one step of `loop` moves the window."""
    d = work.loop_dim[loop]
    level = level_of(loop)
    return work.layer[4 + d] * work.extent[level + 1, d] * work.spatial[level, d]


@compiled
def level_of(loop: int) -> int:
    """The level that `loop` belongs to; loops are numbered from 1, eight at each level."""
    return (loop - 1) // 8


@compiled
def distinct(work: Any, level: int, axis: int) -> float:
    """Share of distinct windows among instances that split P and R (axis 0) or Q and S (1).

    Instances at `a` along P and `b` along R need the same rows if `a * step_p + b * step_r` is
    the same; a word that several need is read once.
    """
    p = work.spatial[level, P + axis]
    r = work.spatial[level, R + axis]
    if p == 1 or r == 1:
        return 1.0
    step_p = work.layer[8 + axis] * work.extent[level + 1, P + axis]
    step_r = work.layer[10 + axis] * work.extent[level + 1, R + axis]
    a = step_p
    b = step_r
    while b:
        a, b = b, a % b
    same = max(0, p - step_r // a) * max(0, r - step_p // a)
    return (p * r - same) / (p * r)


@compiled
def tiles(work: Any, d: int, level: int, counted: int, first_only: int) -> float:
    """How many tiles of `level` are visited along `d`, clipped ones included.

    Loops of levels outside `counted` count each step, the others only their first. Levels in the
    bit mask `first_only` count only the first instance that splits `d` (which has the largest
    tile), the others each.
    """
    extent, spatial = work.extent, work.spatial
    if work.layer[d] == extent[0, d]:
        whole = 1.0
        for i in range(level):
            if i < counted:
                whole *= work.temporal[i, d]
            if not first_only >> i & 1:
                whole *= spatial[i, d]
        return whole
    whole = 0.0
    left = work.layer[d]
    for outer in range(level):
        i = outer & UNSIGNED
        tile = extent[i + 1, d]
        group = tile * spatial[i, d]
        alone = first_only >> i & 1
        each = 1 if alone else spatial[i, d]
        whole *= each * work.temporal[i, d] if i < counted else each
        if left >= group:
            groups = left // group
            left -= groups * group
            if i >= counted:
                groups = 1
                left = 0
            whole += groups * each
        if left >= tile:
            more = left // tile
            left -= more * tile
            if alone:
                more = 1
                left = 0
            whole += more
    return whole + (left > 0)


@compiled
def own_extents(work: Any, levels: int) -> None:
    """Sets `own[i]`: what the first instance of level `i` covers of each dimension in all. The
    first instance gets the first tile of each group that instances share, so no other has more.
    """
    for d in range(8):
        covered = work.layer[d]
        work.own[0, d] = covered
        for i in range(levels):
            split = work.spatial[i, d]
            if split > 1:
                tile = work.extent[i + 1, d]
                groups = covered // (tile * split)
                covered = groups * tile + min(tile, covered - groups * tile * split)
            work.own[i + 1, d] = covered


@compiled
def windows(work: Any, axis: int, inner: int, outer: int, sliding: int) -> float:
    """Rows (axis 0) or columns (1) of inputs over all tiles of `inner`, clipped at the edge.

    Args:
        axis: 0 for P and R, 1 for Q and S.
        inner: the level whose tiles are fetched.
        outer: only tiles under the first instance of this level count.
        sliding: the loop whose steps fetch only what the tile before did not have, or -1.
    """
    stride = work.layer[8 + axis]
    dilation = work.layer[10 + axis]
    p = P + axis
    r = R + axis
    if work.extent[0, p] == 1 and work.extent[0, r] == 1:
        return 1.0
    tile_p = work.extent[inner, p]
    tile_r = work.extent[inner, r]
    whole_p = work.own[outer, p] // tile_p
    whole_r = work.own[outer, r] // tile_r
    left_p = work.own[outer, p] - whole_p * tile_p
    left_r = work.own[outer, r] - whole_r * tile_r
    n_p = float(whole_p + (left_p > 0))
    n_r = float(whole_r + (left_r > 0))
    rows = stride * work.own[outer, p] * n_r + dilation * work.own[outer, r] * n_p
    rows += (1 - stride - dilation) * n_p * n_r
    if sliding == 0:
        return rows
    d = work.loop_dim[sliding]
    move = step(work, sliding)
    starts = tiles(work, d, inner, level_of(sliding), (1 << outer) - 1)
    if d == p:
        reach = stride * (tile_p - 1) + 1 - move
        kept = whole_r * float(max(0, reach + dilation * (tile_r - 1)))
        if left_r > 0:
            kept += max(0, reach + dilation * (left_r - 1))
        return rows - kept * (n_p - starts)
    if d == r:
        reach = dilation * (tile_r - 1) + 1 - move
        kept = whole_p * float(max(0, reach + stride * (tile_p - 1)))
        if left_p > 0:
            kept += max(0, reach + stride * (left_p - 1))
        return rows - kept * (n_r - starts)
    return rows
