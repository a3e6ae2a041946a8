"""Whether a mapping is valid on a design: the rules, compiled, with what is missing."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from math import inf
from typing import Any

import numpy as np
from numba import njit

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import (
    INDEXED,
    INPUTS,
    LARGEST_EXTENT,
    OUTPUTS,
    PARTIAL,
    UNSIGNED,
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
from accel_dse.simulators.loop_tiles import distinct, words

(
    OK,
    UNCOVERED,
    LOOP,
    UNROLL_X,
    UNROLL_Y,
    FANOUT_X,
    FANOUT_Y,
    HARDWIRED_X,
    HARDWIRED_Y,
    WHOLE,
    CAPACITY,
    PROGRAM,
    TOO_LARGE,
) = range(13)
"""What `check` may find wrong; it returns `rule * 256 + level * 16 + dim or tensor`."""

MOVES = np.array(
    [sum((INDEXED[t] >> d & 1) << 8 * t for t in range(3)) + (1 << 24) for d in range(8)]
)
"""A byte for each tensor, 1 where a step along the dimension moves it; the fourth is always 1."""

LAST = np.array([seen.bit_length() for seen in range(256)], dtype=np.uint8)
"""The number, from 1, of the highest bit that is set."""


@compiled
def check(
    chip: Any,
    layer: Ints,
    temporal: Ints,
    spatial_x: Ints,
    spatial_y: Ints,
    order: Ints,
    work: Any,
) -> int:
    """Whether the mapping is valid: 0, or `rule * 256 + level * 16 + dim or tensor`.

    Also sets in `work` what `count` starts from: tiles, steps, splits.

    Args:
        chip: one element of `pack(hardware)`.
        layer: one row of `pack_layers(layers)`.
        temporal, spatial_x, spatial_y, order: one row of a `Mappings`, each `(L, 8)`.
        work: one element of `new_work(n)`, one for each thread.
    """
    levels = chip.levels
    for k in range(12):
        work.layer[k] = layer[k]
    if not _lay_out(chip, layer, temporal, spatial_x, spatial_y, work):
        return _broken_rule(chip, layer, temporal, spatial_x, spatial_y, work)
    if chip.any_whole and not _spans_whole(chip, layer, work):
        return _broken_rule(chip, layer, temporal, spatial_x, spatial_y, work)
    _list_loops(order, work, levels)
    for i in range(levels):
        words(work, i)
    for i in range(levels):
        if chip.one_partition[i]:
            if occupied_bits(chip, work, i, -1) > chip.capacity_bits[i, 0]:
                return CAPACITY * 256 + i * 16
        else:
            for t in range(3):
                if chip.keeps[i, t] and occupied_bits(chip, work, i, t) > chip.capacity_bits[i, t]:
                    return CAPACITY * 256 + i * 16 + t
    if chip.program_level >= 0 and transfers(chip, work) > chip.program_entries:
        return PROGRAM * 256 + chip.program_level * 16
    return OK


@njit(cache=True, error_model="numpy", inline="always")
def _lay_out(
    chip: Any, layer: Ints, temporal: Ints, spatial_x: Ints, spatial_y: Ints, work: Any
) -> bool:
    """Sets `extent`, `temporal`, `spatial`, `split`, `parts`, `copies`, `instances` and `ragged`.

    Returns:
        Whether the factors keep all rules but those about whole dimensions, storage and programs.
    """
    levels = chip.levels
    steps, split, extent, parts = work.temporal, work.spatial, work.extent, work.split
    most_steps, most_x, most_y = chip.most_steps, chip.most_x, chip.most_y
    n = g = k = c = p = q = r = s = 1
    for d in range(8):
        extent[levels, d] = 1
    largest = 0
    over = 0
    fits = True
    for outward in range(levels):
        i = (levels - 1 - outward) & UNSIGNED
        parts[i] = 1
        if chip.spreads[i]:
            for d in range(8):
                x, y = spatial_x[i, d], spatial_y[i, d]
                split[i, d] = x * y
                over |= most_x[i, d] - x | most_y[i, d] - y
            fits &= _spread(chip, spatial_x, work, i)
            n, g, k, c = n * split[i, N], g * split[i, G], k * split[i, K], c * split[i, C]
            p, q, r, s = p * split[i, P], q * split[i, Q], r * split[i, R], s * split[i, S]
        else:
            for d in range(8):
                split[i, d] = 1
                over |= 1 - spatial_x[i, d] | 1 - spatial_y[i, d]
        for d in range(8):
            steps[i, d] = temporal[i, d]
            over |= most_steps[i, d] - temporal[i, d]
        n, g, k, c = n * steps[i, N], g * steps[i, G], k * steps[i, K], c * steps[i, C]
        p, q, r, s = p * steps[i, P], q * steps[i, Q], r * steps[i, R], s * steps[i, S]
        extent[i, N], extent[i, G], extent[i, K], extent[i, C] = n, g, k, c
        extent[i, P], extent[i, Q], extent[i, R], extent[i, S] = p, q, r, s
        largest |= n | g | k | c | p | q | r | s
    work.instances[0] = 1.0
    for i in range(levels):
        work.instances[i + 1] = work.instances[i] * parts[i]
    missing = (n - layer[N]) | (g - layer[G]) | (k - layer[K]) | (c - layer[C])
    missing |= (p - layer[P]) | (q - layer[Q]) | (r - layer[R]) | (s - layer[S])
    excess = (n ^ layer[N]) | (g ^ layer[G]) | (k ^ layer[K]) | (c ^ layer[C])
    excess |= (p ^ layer[P]) | (q ^ layer[Q]) | (r ^ layer[R]) | (s ^ layer[S])
    work.ragged = excess
    return fits & (over >= 0) & (missing >= 0) & (largest < LARGEST_EXTENT)


@njit(cache=True, error_model="numpy", inline="always")
def _spread(chip: Any, x: Ints, work: Any, level: int) -> bool:
    """Sets `split`, `parts` and `copies` of a level with a fan-out; whether it keeps the rules."""
    split = work.spatial
    n, g, k, c = split[level, N], split[level, G], split[level, K], split[level, C]
    p, q, r, s = split[level, P], split[level, Q], split[level, R], split[level, S]
    along_x = x[level, N] * x[level, G] * x[level, K] * x[level, C]
    along_x *= x[level, P] * x[level, Q] * x[level, R] * x[level, S]
    many = n * g * k * c * (p * q * r * s)
    fanout_x, fanout_y = chip.fanout_x[level], chip.fanout_y[level]
    work.split[level] = many
    outputs = n * g * k * p * q
    work.parts[level] = outputs
    inputs = float(n * g * c * (p * q * r * s))
    if (p > 1 and r > 1) or (q > 1 and s > 1):
        inputs *= distinct(work, level, 0) * distinct(work, level, 1)
    copies = work.copies
    copies[level, WEIGHTS] = g * k * c * r * s if chip.multicast[level] else many
    copies[level, INPUTS] = inputs if chip.multicast[level] else many
    copies[level, OUTPUTS] = outputs if chip.reduces[level] else many
    hard_x, hard_y = chip.hardwired_x[level], chip.hardwired_y[level]
    full_y = along_x * fanout_y
    return (
        (along_x <= fanout_x)
        & (many <= full_y)
        & ((hard_x < 0) | (along_x == fanout_x))
        & ((hard_y < 0) | (many == full_y))
    )


@njit(cache=True, error_model="numpy", inline="always")
def _list_loops(order: Ints, work: Any, levels: int) -> None:
    """Sets what `WORK` says of loops, without a branch that depends on the mapping."""
    temporal = work.temporal
    loop_dim, steps, mover, reach = work.loop_dim, work.steps, work.mover, work.reach
    so_far = 1.0
    weights = inputs = outputs = any_tensor = 0
    steps[0] = 1.0
    for level in range(levels):
        i = level & UNSIGNED
        seen = 0
        here = 1.0
        for r in range(8):
            d = order[i, r] & 7
            many = temporal[i, d]
            loop = i * 8 + r + 1
            here *= many
            steps[loop] = so_far * here
            loop_dim[loop] = d
            seen |= (MOVES[d] & -int(many > 1)) << r
        so_far *= here
        weights = _last(seen, 8 * i, weights)
        inputs = _last(seen >> 8, 8 * i, inputs)
        outputs = _last(seen >> 16, 8 * i, outputs)
        any_tensor = _last(seen >> 24, 8 * i, any_tensor)
        work.innermost[i] = any_tensor
        mover[i, WEIGHTS], mover[i, INPUTS], mover[i, OUTPUTS] = weights, inputs, outputs
        reach[i, WEIGHTS] = steps[weights]
        reach[i, INPUTS] = steps[inputs]
        reach[i, OUTPUTS] = steps[outputs]


@njit(cache=True, error_model="numpy", inline="always")
def _last(seen: int, outside: int, before: int) -> int:
    """The innermost loop of a level whose bit is set in the last byte of `seen`, else `before`."""
    innermost = LAST[seen & 255]
    return (outside + innermost if innermost else before) & 127


@compiled
def _spans_whole(chip: Any, layer: Ints, work: Any) -> bool:
    """Whether each tile spans those dimensions that its level must hold whole."""
    for i in range(chip.levels):
        for d in range(8):
            if chip.whole[i, d] and work.extent[i, d] < layer[d]:
                return False
    return True


@compiled
def _broken_rule(
    chip: Any, layer: Ints, temporal: Ints, spatial_x: Ints, spatial_y: Ints, work: Any
) -> int:
    """The first rule about factors that the mapping breaks."""
    for i in range(chip.levels - 1, -1, -1):
        x = 1.0
        y = 1.0
        for d in range(8):
            x *= spatial_x[i, d]
            y *= spatial_y[i, d]
            span = 1.0
            for j in range(i, chip.levels):
                span *= float(temporal[j, d]) * spatial_x[j, d] * spatial_y[j, d]
            if span >= LARGEST_EXTENT:
                return TOO_LARGE * 256 + i * 16 + d
            if temporal[i, d] > chip.most_steps[i, d]:
                return LOOP * 256 + i * 16 + d
            if spatial_x[i, d] > 1 and chip.most_x[i, d] == 1:
                return UNROLL_X * 256 + i * 16 + d
            if spatial_y[i, d] > 1 and chip.most_y[i, d] == 1:
                return UNROLL_Y * 256 + i * 16 + d
        if x > chip.fanout_x[i]:
            return FANOUT_X * 256 + i * 16
        if y > chip.fanout_y[i]:
            return FANOUT_Y * 256 + i * 16
        if chip.hardwired_x[i] >= 0 and x != chip.fanout_x[i]:
            return HARDWIRED_X * 256 + i * 16 + chip.hardwired_x[i]
        if chip.hardwired_y[i] >= 0 and y != chip.fanout_y[i]:
            return HARDWIRED_Y * 256 + i * 16 + chip.hardwired_y[i]
    for d in range(8):
        if work.extent[0, d] < layer[d]:
            return UNCOVERED * 256 + d
    for i in range(chip.levels):
        for d in range(8):
            if chip.whole[i, d] and work.extent[i, d] < layer[d]:
                return WHOLE * 256 + i * 16 + d
    return OK


@compiled
def shortfall(chip: Any, work: Any, code: int) -> tuple[float, float]:
    """What the mapping that `take` took needs and what there is, where `check` found `code`."""
    layer, temporal = work.layer, work.temporal
    spatial_x, spatial_y = work.spatial_x, work.spatial_y
    rule, level, item = code // 256, code // 16 % 16, code % 16
    if rule in (UNCOVERED, WHOLE):
        return float(layer[item]), float(work.extent[level, item])
    if rule == LOOP:
        return float(temporal[level, item]), 1.0
    if rule == TOO_LARGE:
        return inf, float(LARGEST_EXTENT)
    if rule == UNROLL_X:
        return float(spatial_x[level, item]), 1.0
    if rule == UNROLL_Y:
        return float(spatial_y[level, item]), 1.0
    if rule == CAPACITY:
        return occupied_bits(chip, work, level, item), chip.capacity_bits[level, item]
    if rule == PROGRAM:
        return transfers(chip, work), chip.program_entries
    x, y = 1, 1
    for d in range(8):
        x *= spatial_x[level, d]
        y *= spatial_y[level, d]
    if rule in (FANOUT_X, HARDWIRED_X):
        return float(x), float(chip.fanout_x[level])
    return float(y), float(chip.fanout_y[level])


@compiled
def occupied_bits(chip: Any, work: Any, level: int, tensor: int) -> float:
    """Bits that unclipped tiles occupy in the partition of `tensor` at `level` (-1: in all)."""
    level &= UNSIGNED
    tile, bits, keeps, partition = work.tile, chip.word_bits, chip.keeps, chip.partition
    found = 0.0
    for t in range(3):
        if keeps[level, t] and (tensor < 0 or partition[level, t] == partition[level, tensor]):
            kind = t
            if t == OUTPUTS and chip.wide_sums[level] and unfinished(chip, work, level):
                kind = PARTIAL
            found += tile[level, t] * bits[level, kind]
    return found


@compiled
def unfinished(chip: Any, work: Any, level: int) -> bool:
    """Whether `level` ever holds a sum to which products are still to be added.

    It does if its outputs are updated more than once, or if instances of it hold copies that are
    added further out.
    """
    for i in range(level):
        if work.split[i] > 1 and work.split[i] > work.parts[i]:
            return True
    inner = level + 1
    while inner < chip.levels and not chip.keeps[inner, OUTPUTS]:
        inner += 1
    updates = work.steps[8 * inner]
    if inner < chip.levels:
        updates = work.tile[inner, OUTPUTS] * work.reach[inner - 1, OUTPUTS]
    for i in range(inner):
        if work.split[i] > 1:
            updates *= work.parts[i] if i < level else work.copies[i, OUTPUTS]
    return updates > work.tile[0, OUTPUTS]


@compiled
def transfers(chip: Any, work: Any) -> float:
    """Tile transfers that the program spells out: for each tensor, how often the loops of
    `program_level` and those outside it ask for another tile. 0 without a program.
    """
    if chip.program_level < 0:
        return 0.0
    level = chip.program_level
    return work.reach[level, WEIGHTS] + work.reach[level, INPUTS] + work.reach[level, OUTPUTS]
