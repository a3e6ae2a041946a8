"""What the parts of the mapper share: records, tile sizes, transfers, and why nothing was found."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import (
    INDEXES,
    INPUTS,
    MAX_LEVELS,
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

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NO_SPLIT, NO_TILE, NO_PROGRAM, NO_MAPPING = 1, 2, 3, 4
"""Why a layer has no mapping: a hardwired axis has no dimension to take; the smallest tile does
not fit a level; the instruction memory is too small; what the search built breaks a rule."""

LATENCY, ENERGY, EDP = range(3)
"""Goals."""

WAYS = 4
"""Ways in which a network may need a layer: bit 1, its inputs are on the chip already; bit 0, its
outputs stay there."""

LISTS = 3
"""Lists of finalists at most: one for each effort from the smallest to the one asked for."""

BLOCKS = LISTS
"""Where counts of blocks are, after those of the lists."""

MAX_SPLITS = 32
MAX_VALUES = 24
"""Longest list of candidate tile counts of one dimension."""

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

INNER = np.dtype(
    [
        ("split", np.int64),
        ("stationary", np.int64),
        ("counts", np.int64, (8,)),
        ("tile", np.int64, (8,)),
        ("parts", np.int64, (8,)),
        ("compute", np.float64),
        ("adds", np.uint8),
        ("double", np.uint8),
        ("score", np.float64),
    ],
    align=True,
)
"""A tile of the innermost level: steps of its loops (`counts`), its extents (`tile`), and how many
there are (`parts`) under the spatial split; cycles of the array (`compute`), whether sums are read
as well as written (`adds`), and whether two tiles fit (`double`)."""

BLOCK = np.dtype(
    [
        ("inner", np.int64),
        ("stationary", np.int64),
        ("inside", np.int64),
        ("counts", np.int64, (8,)),
        ("parts", np.int64, (8,)),
        ("score", np.float64),
    ],
    align=True,
)
"""What DRAM's loops step through: how many of an innermost tile (`counts`) make one of the `parts`
that arrive one after the other; which tensor stays while the innermost of these loops run
(`stationary`), and of those within a block (`inside`)."""

LEAF = np.dtype(
    [
        ("split", np.int64),
        ("temporal", np.int64, (MAX_LEVELS, 8)),
        ("stationary", np.int64, (MAX_LEVELS,)),
        ("score", np.float64),
        ("second", np.float64),
    ],
    align=True,
)
"""A whole mapping: `stationary` stands for the loop order of each level; of equal scores, the one
with the smaller `second` is better."""

SEARCH = np.dtype(
    [
        # Splits of the layer over the fan-outs.
        ("x", np.int64, (MAX_SPLITS, MAX_LEVELS, 8)),
        ("y", np.int64, (MAX_SPLITS, MAX_LEVELS, 8)),
        ("spatial", np.int64, (MAX_SPLITS, MAX_LEVELS, 8)),
        ("steps", np.float64, (MAX_SPLITS,)),
        # Of the chip: who sends a tensor to a level, who feeds the units, what DRAM feeds.
        ("source", np.int64, (MAX_LEVELS, 3)),
        ("keeper", np.int64, (3,)),
        ("target", np.int64, (3,)),
        # The list of values of each dimension, and where in it the search is.
        ("values", np.int64, (8, MAX_VALUES)),
        ("lengths", np.int64, (8,)),
        ("trips", np.float64, (8, MAX_VALUES)),
        ("parts", np.int64, (8, MAX_VALUES)),
        ("place", np.int64, (8,)),
        ("active", np.int64, (8,)),
        ("base", np.int64, (8,)),
        ("left", np.int64, (8,)),
        ("tile", np.int64, (8,)),
        ("fixed", np.uint8, (MAX_LEVELS, 8)),
        ("least", np.int64, (MAX_LEVELS, 8)),
        # Scratch.
        ("extent", np.int64, (8,)),
        ("count", np.int64, (8,)),
        ("words", np.float64, (3,)),
        ("sent", np.float64, (3,)),
        ("got", np.float64, (3,)),
        ("own", np.float64, (3,)),
        ("busy", np.float64, (MAX_LEVELS, 2)),
        ("stream", np.float64, (3,)),
        ("stream_pj", np.float64),
        ("instances", np.float64, (MAX_LEVELS + 1,)),
        # Prices of an innermost tile, and what they come to: see `map_fills`.
        ("compute", np.float64),
        ("streamed", np.float64, (MAX_LEVELS, 2)),
        ("array_pj", np.float64),
        ("once", np.float64, (3,)),
        ("again", np.float64, (3,)),
        ("wait", np.float64, (3,)),
        ("once_pj", np.float64, (3,)),
        ("again_pj", np.float64, (3,)),
        ("start", np.float64),
        ("drain", np.float64),
        ("inside", np.int64, (8,)),
        ("visits", np.float64, (3,)),
        ("finals", np.float64),
        ("all_channels", np.float64),
        ("chip_pj", np.float64),
        ("in_dram", np.float64, (3,)),
        ("dram_pj", np.float64, (3,)),
        # Of a block: what DRAM sends by tensor, and the best score by way.
        ("block_sent", np.float64, (3,)),
        ("block_got", np.float64, (3,)),
        ("cuts", np.float64, (3,)),
        ("first", np.float64),
        ("last", np.float64),
        ("taken", np.float64, (3,)),
        ("taken_pj", np.float64, (3,)),
        ("best", np.float64, (WAYS,)),
        ("which", np.int64, (WAYS,)),
        ("order", np.int64, (MAX_LEVELS, 8)),
        # What the network needs.
        ("asked", np.uint8, (WAYS,)),
        ("room", np.int64),
        ("whole_bits", np.float64, (2,)),
        # Lists of finalists: the first and the last that a mapping is for, and how long each is.
        ("first_list", np.int64),
        ("lists", np.int64),
        ("finalists", np.int64, (LISTS,)),
        ("looked_into", np.int64),
        ("shy", np.int64),
        ("splits", np.int64),
        ("fewest_transfers", np.float64),
        ("broken", np.int64),
        ("tried", np.int64, (8,)),
    ],
    align=True,
)
"""Scratch of one search. `room` is the level that hands activations over, 0 if there is none;
`whole_bits` what all inputs and all outputs take of one of its instances; `broken` the code of the
rule that the last mapping broke; `looked_into` counts blocks; `shy` and `splits` tell which splits
are listed (-1: none yet); `tried` what tells the variants of a block apart."""


@compiled
def ceil_div(a: int, b: int) -> int:
    """`a / b`, rounded up."""
    return -(-a // b)


@compiled
def tile_words(tile: Ints, layer: Ints, out: Any) -> None:
    """Words of each tensor in a tile of extents `tile`, into `out` of shape `(3,)`."""
    rows = (tile[P] - 1) * layer[8] + (tile[R] - 1) * layer[10] + 1
    columns = (tile[Q] - 1) * layer[9] + (tile[S] - 1) * layer[11] + 1
    group = tile[G]
    out[WEIGHTS] = float(group * tile[K] * tile[C]) * float(tile[R] * tile[S])
    out[INPUTS] = float(tile[N] * group * tile[C]) * (float(rows) * float(columns))
    out[OUTPUTS] = float(tile[N] * group * tile[K]) * float(tile[P] * tile[Q])


@compiled
def fits(chip: Any, level: int, words: Any, kind: int, share: float) -> bool:
    """Whether tiles of `words` (3,) fit in `share` of a level's capacities.

    Args:
        kind: which bits an output takes: `OUTPUTS`, or `PARTIAL` if products are added later.
    """
    return overflow(chip, level, words, kind, share) == 0


@compiled
def overflow(chip: Any, level: int, words: Any, kind: int, share: float) -> int:
    """The tensors that lie where something does not fit, as bits; see `fits`."""
    found = 0
    for t in range(3):
        if not chip.keeps[level, t]:
            continue
        used = 0.0
        for other in range(3):
            if (
                chip.keeps[level, other]
                and chip.partition[level, other] == chip.partition[level, t]
            ):
                used += words[other] * chip.word_bits[level, kind if other == OUTPUTS else other]
        if used > chip.capacity_bits[level, t] * share:
            found |= 1 << t
    return found


@compiled
def hands_over(chip: Any, machine: Any, search: Any, words: Any, way: int) -> bool:
    """Whether `way` is possible with tiles of `words` in the level that hands activations over.

    What arrives or stays lies there whole, spread over the instances, beside the tiles of what
    does not.
    """
    level = search.room
    if way == 0:
        return True
    if level == 0:
        return False
    slots = 2.0 if machine.double_buffered[level] else 1.0
    inputs = words[INPUTS] * chip.word_bits[level, INPUTS] * slots
    outputs = words[OUTPUTS] * chip.word_bits[level, OUTPUTS] * slots
    if way & 2:
        inputs = search.whole_bits[0]
    if way & 1:
        outputs = search.whole_bits[1]
    if chip.partition[level, INPUTS] == chip.partition[level, OUTPUTS]:
        return inputs + outputs <= chip.capacity_bits[level, INPUTS]
    return (
        inputs <= chip.capacity_bits[level, INPUTS]
        and outputs <= chip.capacity_bits[level, OUTPUTS]
    )


@compiled
def candidate_values(left: int, must_finish: bool, fine: bool, out: Any) -> int:
    """Tile counts to try for a dimension of which `left` steps are left, smallest first.

    The dimension is cut into 1, 2, 4, ... equal parts, and into single steps.

    Args:
        left: at least 1.
        must_finish: whether all must be done at this level.
        fine: whether to try 3, 6, 12, ... parts too.
        out: receives the counts, `(MAX_VALUES,)`.

    Returns:
        How many.
    """
    out[0] = left
    if must_finish or left == 1:
        return 1
    found = 1
    parts = 2
    while parts < left and found < MAX_VALUES - 3:
        value = ceil_div(left, parts)
        if value < out[found - 1]:
            out[found] = value
            found += 1
        middle = parts + parts // 2
        if fine and parts % 2 == 0 and middle < left:
            value = ceil_div(left, middle)
            if value < out[found - 1]:
                out[found] = value
                found += 1
        parts *= 2
    if out[found - 1] > 1:
        out[found] = 1
        found += 1
    for k in range(found // 2):
        out[k], out[found - 1 - k] = out[found - 1 - k], out[k]
    return found


@compiled
def must_finish(chip: Any, level: int, d: int) -> bool:
    """Whether no level outside `level` may step through dimension `d`."""
    if chip.whole[level, d]:
        return True
    stepped = False
    for i in range(level):
        stepped = stepped or chip.loops_allowed[i, d] != 0
    return not stepped


@compiled
def count_instances(chip: Any, search: Any, split: int) -> None:
    """Sets how many instances of each level work under a spatial split."""
    search.instances[0] = 1.0
    for i in range(chip.levels):
        many = search.instances[i]
        for d in range(8):
            many *= search.spatial[split, i, d]
        search.instances[i + 1] = many


@compiled
def transfer_words(
    machine: Any, layer: Ints, spatial: Any, tile: Any, outer: int, inner: int, t: int, search: Any
) -> None:
    """Sets what an instance of `outer` sends so that each `inner` gets its tile of tensor `t`."""
    got = 1.0
    sent = 1.0
    shared = True
    for i in range(outer, inner):
        if not (machine.reduces[i] if t == OUTPUTS else machine.multicast[i]):
            shared = False
    for d in range(8):
        many = 1
        for i in range(outer, inner):
            many *= spatial[i, d]
        if INDEXES[t, d]:
            if t != INPUTS or d < P:
                got *= tile[d]
                sent *= tile[d] * many
        elif not shared:
            sent *= many
    if t == INPUTS:
        for axis in range(2):
            a = b = 1
            for i in range(outer, inner):
                a *= spatial[i, P + axis]
                b *= spatial[i, R + axis]
            p, r = tile[P + axis], tile[R + axis]
            rows = (p - 1) * layer[8 + axis] + (r - 1) * layer[10 + axis] + 1
            span = (p * a - 1) * layer[8 + axis] + (r * b - 1) * layer[10 + axis] + 1
            got *= rows
            sent *= min(a * b * rows, span) if shared else a * b * rows
    search.sent[t] = sent
    search.got[t] = got


@compiled
def transfer_cycles(
    machine: Any, sent: float, got: float, outer: int, inner: int, kind: int, way: int
) -> float:
    """Cycles that a transfer keeps the channel of `outer`, issue not counted."""
    return ceil(
        max(
            sent * machine.word_bits[outer, kind] / machine.rate[outer, way],
            got * machine.word_bits[inner, kind] / machine.rate[inner, 1 - way],
        )
    )
