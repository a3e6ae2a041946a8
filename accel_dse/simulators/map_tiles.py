"""Tile sizes of one level: the temporal half of the map space.

The candidates come from a fixed grid: a dimension of which `r` steps are left is cut into 1, 2, 4,
... (finer with more effort) equal parts, and of the tiles that fit, only those that cannot grow
along the longest dimension are kept, as a larger tile is loaded less often.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

import numba as nb
import numpy as np

from accel_dse.simulators.map_terms import (
    OUTPUTS,
    RELEVANT_TO,
    Bools,
    C,
    Floats,
    Ints,
    R,
    S,
    ceil_div,
    tile_words,
)

MOST_VALUES = 24
"""Longest list of candidate tile counts of one dimension."""


@nb.njit(cache=True)
def candidate_counts(remaining: Any, must_finish: Any, ratio: int, fine: bool, out: Any) -> int:
    """Tile counts to try for a dimension of which `remaining` steps are left, largest first.

    Args:
        remaining: steps left, at least 1.
        must_finish: whether all must be done at this level.
        ratio: how fast the number of parts grows, 2 or more.
        fine: whether to try 3, 6, 12, ... parts too.
        out: receives the counts, `(MOST_VALUES,)`.

    Returns:
        How many.
    """
    out[0] = remaining
    if must_finish or remaining == 1:
        return 1
    found = 1
    parts = 2
    while parts < remaining and found < MOST_VALUES - 3:
        value = ceil_div(remaining, parts)
        if value < out[found - 1]:
            out[found] = value
            found += 1
        middle = parts + parts // 2
        if fine and parts % 2 == 0 and middle < remaining:
            value = ceil_div(remaining, middle)
            if value < out[found - 1]:
                out[found] = value
                found += 1
        parts *= ratio
    if out[found - 1] > 1:
        out[found] = 1
        found += 1
    return found


@nb.njit(cache=True)
def fits(
    words: Floats, keeps: Bools, partition: Ints, capacity: Floats, bits: Floats, share: float
) -> bool:
    """Whether tiles of `words` (3,) fit in `share` of a level's capacities."""
    for tensor in range(3):
        if not keeps[tensor]:
            continue
        used = 0.0
        for other in range(3):
            if keeps[other] and partition[other] == partition[tensor]:
                used += words[other] * bits[other]
        if used > capacity[tensor] * share:
            return False
    return True


@nb.njit(cache=True)
def fits_outside(
    chip: Any, level: int, tile: Ints, least: Ints, window: Ints, unfinished: bool, words: Floats
) -> bool:
    """Whether the levels between DRAM and `level` can hold what goes into `tile`.

    Args:
        chip: one element of `loop_counts.pack(hardware)`.
        tile: extents of the level's tile, `(8,)`.
        least: extents of the smallest tile of each level, were the level's tile one element;
            a dimension that a level holds whole in negative, `(L, 8)`.
        unfinished: whether products are added to a tile's sums again later.
        words: scratch, `(3,)`.
    """
    extent = np.empty(8, dtype=np.int64)
    for outer in range(1, level):
        for d in range(8):
            extent[d] = max(tile[d] * least[outer, d], -least[outer, d])
        tile_words(extent, window, words)
        if unfinished:
            words[OUTPUTS] *= chip.word_bits[outer, 3] / chip.word_bits[outer, 2]
        if not fits(
            words,
            chip.keeps[outer],
            chip.partition[outer],
            chip.capacity_bits[outer],
            chip.word_bits[outer, :3],
            1.0,
        ):
            return False
    return True


@nb.njit(cache=True)
def reload_score(
    words: Floats, parts: Floats, keeps: Bools, bits: Floats, all_tensors: bool
) -> tuple[float, int, float]:
    """Bits moved into a level over the whole layer, at best loop order, and the order's tensor.

    With one level of loops outside, the tensor whose irrelevant loops are innermost is loaded
    once for each of its tiles; every other one again for each of its irrelevant loops. Outputs
    that are revisited are read as well as written.

    Args:
        words: of one tile as the level outside sees it, `(3,)`.
        parts: tiles along each dimension, `(8,)`.
        keeps: tensors that move into the level, `(3,)`.
        bits: `(3,)`.
        all_tensors: whether to count those that pass by as well.

    Returns:
        Bits, the stationary tensor, and how many tiles of all three tensors are asked for.
    """
    best, which, transfers = np.inf, OUTPUTS, 0.0
    for stationary in range(3):
        total, asked = 0.0, 0.0
        for tensor in range(3):
            own, others = 1.0, 1.0
            for d in range(8):
                if RELEVANT_TO[tensor, d]:
                    own *= parts[d]
                else:
                    others *= parts[d]
            if tensor == stationary:
                others = 1.0
            asked += own * others
            if not (keeps[tensor] or all_tensors):
                continue
            if tensor == OUTPUTS:
                others = 2.0 * others - 1.0
            total += words[tensor] * own * others * bits[tensor]
        if total < best:
            best, which, transfers = total, stationary, asked
    return best, which, transfers


@nb.njit(cache=True)
def best_tiles(
    base: Ints,
    remaining: Any,
    outside: Ints,
    allowed: Bools,
    must_finish: Any,
    window: Ints,
    keeps: Bools,
    partition: Ints,
    capacity: Floats,
    bits: Floats,
    widening: float,
    share: float,
    budget: int,
    fine: bool,
    most: int,
    out_counts: Ints,
    out_score: Floats,
    out_stationary: Ints,
    start: int,
    most_transfers: float,
    fewest: Floats,
    chip: Any,
    level: int,
    least: Ints,
) -> int:
    """The tiles of one level that move the fewest bits into it, best first.

    Args:
        base: extents of what one step of the level's loops covers, `(8,)`.
        remaining: steps left of each dimension, to be divided between this level's loops and
            those outside, `(8,)`.
        outside: spatial factors between this level and the one that sends, `(8,)`.
        allowed: dimensions that the level's loops may step through, `(8,)`.
        must_finish: dimensions that no level outside may step through, `(8,)`.
        window: strides and dilations, `(4,)`.
        keeps, partition, capacity, bits: the level's, `(3,)`.
        widening: bits of a partial sum per bit of an output.
        share: of the capacity that one tile may take: 0.5 when two tiles must fit.
        budget: how many tiles to look at, about.
        fine: see `candidate_counts`.
        most: how many to keep, counting `start`, those in `out_*` already.
        out_counts: receives temporal factors, `(most, 8)`.
        out_score, out_stationary: receive bits moved and the stationary tensor, `(most,)`.
        most_transfers: how many tiles may be asked for (the instruction memory's bound).
        fewest: `fewest[0]` receives the fewest transfers of any size that fits, infinity if none
            does, `(1,)`.
        chip, level, least: see `fits_outside`. Above the outermost level on the chip, 1, there is
            only DRAM, so there all three tensors count, and so does the first tile, whose transfer
            nothing hides.

    Returns:
        How many entries `out_*` hold now.
    """
    outermost = level == 1
    active = np.empty(8, dtype=np.int64)
    count = 0
    values = np.empty((8, MOST_VALUES), dtype=np.int64)
    lengths = np.ones(8, dtype=np.int64)
    ratio = 2
    while True:
        count, total, longest = 0, 1.0, 1.0
        for d in range(8):
            if remaining[d] > 1 and not allowed[d]:
                if must_finish[d]:
                    fewest[0] = np.inf
                    return start
                values[d, 0] = 1
                lengths[d] = 1
            else:
                lengths[d] = candidate_counts(
                    remaining[d], must_finish[d], ratio, fine and ratio == 2, values[d]
                )
            if lengths[d] > 1:
                active[count] = d
                count += 1
                total *= lengths[d]
                longest = max(longest, float(lengths[d]))
        if total / (1.0 if outermost else longest) <= budget or ratio >= 32:
            break
        ratio *= 2
    # The longest list last: its largest value that fits is taken.
    for k in range(count - 1):
        if lengths[active[k]] > lengths[active[count - 1]]:
            active[k], active[count - 1] = active[count - 1], active[k]
    place = np.zeros(8, dtype=np.int64)
    tile = np.empty(8, dtype=np.int64)
    sent = np.empty(8, dtype=np.int64)
    parts = np.empty(8, dtype=np.float64)
    words = np.empty(3)
    found = start
    fewest[0] = np.inf
    for d in range(8):
        tile[d] = base[d] * values[d, 0]
    while True:
        last = active[count - 1] if count else 0
        for k in range(lengths[last] if count else 1):
            if count:
                place[last] = k
                tile[last] = base[last] * values[last, k]
            tile_words(tile, window, words)
            unfinished = False
            for d in (C, R, S):
                unfinished = unfinished or values[d, place[d]] < remaining[d]
            if unfinished:
                words[OUTPUTS] *= widening
            if not fits(words, keeps, partition, capacity, bits, share):
                continue
            if not fits_outside(chip, level, tile, least, window, unfinished, words):
                continue
            many = 1.0
            for d in range(8):
                parts[d] = ceil_div(remaining[d], values[d, place[d]])
                sent[d] = tile[d] * outside[d]
                many *= parts[d]
            tile_words(sent, window, words)
            score, stationary, transfers = reload_score(words, parts, keeps, bits, outermost)
            fewest[0] = min(fewest[0], transfers)
            if outermost:
                score *= 1.0 + 1.0 / many
            if transfers <= most_transfers:
                # Of equal scores, fewer and larger transfers first.
                score += transfers * 1e-3
                found = _insert_tile(
                    values,
                    place,
                    score,
                    stationary,
                    out_counts,
                    out_score,
                    out_stationary,
                    found,
                    start,
                    most,
                )
            if not outermost:
                break
        k = count - 2
        while k >= 0:
            d = active[k]
            place[d] += 1
            if place[d] < lengths[d]:
                tile[d] = base[d] * values[d, place[d]]
                break
            place[d] = 0
            tile[d] = base[d] * values[d, 0]
            k -= 1
        if k < 0:
            return found


@nb.njit(cache=True)
def _insert_tile(
    values: Ints,
    place: Ints,
    score: float,
    stationary: Any,
    out_counts: Ints,
    out_score: Floats,
    out_stationary: Ints,
    found: int,
    start: int,
    most: int,
) -> int:
    at = found
    while at > start and score < out_score[at - 1]:
        at -= 1
    if at >= most:
        return found
    for k in range(min(found, most - 1), at, -1):
        out_counts[k] = out_counts[k - 1]
        out_score[k] = out_score[k - 1]
        out_stationary[k] = out_stationary[k - 1]
    for d in range(8):
        out_counts[at, d] = values[d, place[d]]
    out_score[at] = score
    out_stationary[at] = stationary
    return min(found + 1, most)
