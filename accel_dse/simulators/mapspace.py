"""Candidate mappings of one layer on one design: spatial splits, then tiles, level by level.

Everything here is a compiled kernel over one (design, layer); `mapper.py` scores the candidates.
The candidates come from fixed grids: a dimension of which `r` steps are left is cut into 1, 2, 4,
... (finer with more effort) equal parts, and of the tiles that fit, only those that cannot grow
along the last dimension are kept, as a larger tile is loaded less often.

Indices: level `i` of `L`, outermost first; dimension `d` in the order of `workload.DIMS`.
"""

import numba as nb
import numpy as np

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

WIDTH = 16
"""Partial splits carried along, whatever the effort: those that fit should not be lost early."""

MOST_VALUES = 24
"""Longest list of candidate tile counts of one dimension."""


@nb.njit(cache=True)
def ceil_div(a, b):
    return -(-a // b)


@nb.njit(cache=True)
def tile_words(tile, window, out):
    """Words of each tensor in a tile of extents `tile`, into `out` of shape `(3,)`."""
    rows = (tile[P] - 1) * window[0] + (tile[R] - 1) * window[2] + 1
    columns = (tile[Q] - 1) * window[1] + (tile[S] - 1) * window[3] + 1
    group = tile[G]
    out[WEIGHTS] = float(group * tile[K] * tile[C]) * float(tile[R] * tile[S])
    out[INPUTS] = float(tile[N] * group * tile[C]) * (float(rows) * float(columns))
    out[OUTPUTS] = float(tile[N] * group * tile[K]) * float(tile[P] * tile[Q])


@nb.njit(cache=True)
def spatial_options(chip, dims, window, hardwired, most, out_x, out_y, out_steps, problem):
    """The best ways to split a layer over the fan-outs, by temporal steps, then by words sent.

    A beam search over the axes, innermost first. On each axis one dimension takes as much of the
    fan-out as it can use, and a second one what is left. Splits whose smallest tile fits nowhere
    are dropped, so that a layer has no split only if no split can work.

    Args:
        chip: one element of `loop_counts.pack(hardware)`.
        dims: layer bounds, `(8,)`.
        window: strides and dilations, `(4,)`.
        hardwired: axes that one dimension always occupies in full, `(L, 2)`.
        most: how many to keep at most; `out_x` and `out_y` have shape `(most, L, 8)`.
        out_steps: temporal steps of each, `(most,)`.
        problem: receives code, level, needed and available bits if there is none, `(4,)`.

    Returns:
        How many were found.
    """
    levels = chip.levels
    fan_x, fan_y, unroll_x, unroll_y = chip.fanout_x, chip.fanout_y, chip.unroll_x, chip.unroll_y
    bits = chip.word_bits[0, :3]
    wide = max(most, WIDTH)
    beam_x = np.ones((wide, levels, 8), dtype=np.int64)
    beam_y = np.ones((wide, levels, 8), dtype=np.int64)
    count = 1
    chosen = np.empty((wide, 3), dtype=np.int64)  # parent, first dimension, second dimension
    chosen_factor = np.empty((wide, 2), dtype=np.int64)
    steps = np.empty(wide)
    words = np.empty(wide)
    left = np.empty(8, dtype=np.int64)
    split = np.empty(8, dtype=np.int64)
    for axis in range(2 * levels - 1, -1, -1):
        level, along_x = axis // 2, axis % 2 == 0
        fan = fan_x[level] if along_x else fan_y[level]
        wired = hardwired[level, 0 if along_x else 1]
        if fan == 1:
            if along_x and level > 0:
                count = _drop_unfit(chip, dims, window, level, beam_x, beam_y, count, problem)
                if count == 0:
                    return 0
            continue
        found = 0
        for parent in range(count):
            for d in range(8):
                split[d] = 1
                for i in range(levels):
                    split[d] *= beam_x[parent, i, d] * beam_y[parent, i, d]
                left[d] = ceil_div(dims[d], split[d])
            for first in range(-1, 8):
                if first < 0:
                    if wired:
                        continue
                    useful = False
                    for d in range(8):
                        allowed = unroll_x[level, d] if along_x else unroll_y[level, d]
                        useful = useful or (allowed and left[d] > 1)
                    if useful:
                        continue
                    one = 1
                else:
                    allowed = unroll_x[level, first] if along_x else unroll_y[level, first]
                    if not allowed or (left[first] == 1 and not wired):
                        continue
                    one = fan
                    if not wired:
                        one = ceil_div(left[first], ceil_div(left[first], min(fan, left[first])))
                for second in range(-1, 8):
                    two = 1
                    if second >= 0:
                        if first < 0 or second == first or wired or fan // one < 2:
                            continue
                        allowed = unroll_x[level, second] if along_x else unroll_y[level, second]
                        if not allowed or left[second] == 1:
                            continue
                        two = min(fan // one, left[second])
                        two = ceil_div(left[second], ceil_div(left[second], two))
                    total, sent = 1.0, 0.0
                    for d in range(8):
                        factor = one if d == first else (two if d == second else 1)
                        total *= ceil_div(left[d], factor)
                    for tensor in range(3):
                        distinct = bits[tensor]
                        for d in range(8):
                            if RELEVANT_TO[tensor, d]:
                                factor = one if d == first else (two if d == second else 1)
                                distinct *= split[d] * factor
                        sent += distinct
                    found = _insert_option(
                        parent, first, second, one, two, total, sent,
                        chosen, chosen_factor, steps, words, found, wide,
                    )  # fmt: skip
        if found == 0:
            problem[0], problem[1] = NO_SPLIT, level
            return 0
        next_x = np.empty((found, levels, 8), dtype=np.int64)
        next_y = np.empty((found, levels, 8), dtype=np.int64)
        for k in range(found):
            parent = chosen[k, 0]
            next_x[k] = beam_x[parent]
            next_y[k] = beam_y[parent]
            for part in range(2):
                d = chosen[k, 1 + part]
                if d >= 0:
                    if along_x:
                        next_x[k, level, d] = chosen_factor[k, part]
                    else:
                        next_y[k, level, d] = chosen_factor[k, part]
        beam_x[:found] = next_x
        beam_y[:found] = next_y
        count = found
        if along_x and level > 0:
            count = _drop_unfit(chip, dims, window, level, beam_x, beam_y, count, problem)
            if count == 0:
                return 0
    count = min(count, most)
    for k in range(count):
        out_x[k] = beam_x[k]
        out_y[k] = beam_y[k]
        total = 1.0
        for d in range(8):
            factor = 1
            for i in range(levels):
                factor *= beam_x[k, i, d] * beam_y[k, i, d]
            total *= ceil_div(dims[d], factor)
        out_steps[k] = total
    return count


@nb.njit(cache=True)
def _drop_unfit(chip, dims, window, level, beam_x, beam_y, count, problem):
    """Keeps the splits of the beam whose smallest tile fits `level`; returns how many are left."""
    tile = np.empty(8, dtype=np.int64)
    words = np.empty(3)
    kept = 0
    least = np.inf
    for k in range(count):
        tile[:] = 1
        for i in range(chip.levels - 1, level - 1, -1):
            for d in range(8):
                tile[d] *= beam_x[k, i, d] * beam_y[k, i, d]
                if chip.whole[i, d] and tile[d] < dims[d]:
                    tile[d] *= ceil_div(dims[d], tile[d])
        tile_words(tile, window, words)
        excess = 0.0
        for tensor in range(3):
            if not chip.keeps[level, tensor]:
                continue
            used = 0.0
            for other in range(3):
                if (
                    chip.keeps[level, other]
                    and chip.partition[level, other] == chip.partition[level, tensor]
                ):
                    used += words[other] * chip.word_bits[level, other]
            available = chip.capacity_bits[level, tensor]
            if used / available > excess:
                excess = used / available
                if excess > 1.0 and excess < least and kept == 0:
                    problem[0], problem[1] = NO_TILE, level
                    problem[2], problem[3] = used, available
        if excess <= 1.0:
            beam_x[kept] = beam_x[k]
            beam_y[kept] = beam_y[k]
            kept += 1
        least = min(least, excess)
    return kept


@nb.njit(cache=True)
def _insert_option(
    parent, first, second, one, two, total, sent, chosen, factor, steps, words, found, most
):
    """Inserts an option into the sorted list of the best, unless its equal is there."""
    place = found
    for k in range(found):
        if total == steps[k] and sent == words[k] and parent == chosen[k, 0]:
            same = (first == chosen[k, 2] and second == chosen[k, 1]) or (
                first == chosen[k, 1] and second == chosen[k, 2]
            )
            if same:
                return found
        if total < steps[k] or (total == steps[k] and sent < words[k]):
            place = min(place, k)
    if place >= most:
        return found
    last = min(found, most - 1)
    for k in range(last, place, -1):
        chosen[k] = chosen[k - 1]
        factor[k] = factor[k - 1]
        steps[k] = steps[k - 1]
        words[k] = words[k - 1]
    chosen[place, 0], chosen[place, 1], chosen[place, 2] = parent, first, second
    factor[place, 0], factor[place, 1] = one, two
    steps[place] = total
    words[place] = sent
    return min(found + 1, most)


@nb.njit(cache=True)
def candidate_counts(remaining, must_finish, ratio, fine, out):
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
def fits(words, keeps, partition, capacity, bits, share):
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
def reload_score(words, parts, keeps, bits):
    """Bits moved into a level over the whole layer, at best loop order, and the order's tensor.

    With one level of loops outside, the tensor whose irrelevant loops are innermost is loaded
    once for each of its tiles; every other one again for each of its irrelevant loops. Outputs
    that are revisited are read as well as written.

    Args:
        words: of one tile as the level outside sees it, `(3,)`.
        parts: tiles along each dimension, `(8,)`.
        keeps: tensors that move into the level, `(3,)`.
        bits: `(3,)`.

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
            if not keeps[tensor]:
                continue
            if tensor == OUTPUTS:
                others = 2.0 * others - 1.0
            total += words[tensor] * own * others * bits[tensor]
        if total < best:
            best, which, transfers = total, stationary, asked
    return best, which, transfers


@nb.njit(cache=True)
def best_tiles(
    base, remaining, outside, allowed, must_finish, window, keeps, partition, capacity, bits,
    widening, share, budget, fine, most, out_counts, out_score, out_stationary, start, most_transfers, fewest,
):  # fmt: skip
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

    Returns:
        How many entries `out_*` hold now.
    """
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
        if total / longest <= budget or ratio >= 32:
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
        fitted = False
        last = active[count - 1] if count else 0
        for k in range(lengths[last] if count else 1):
            if count:
                place[last] = k
                tile[last] = base[last] * values[last, k]
            tile_words(tile, window, words)
            for d in (C, R, S):
                if values[d, place[d]] < remaining[d]:
                    words[OUTPUTS] *= widening
                    break
            if fits(words, keeps, partition, capacity, bits, share):
                fitted = True
                break
        if fitted:
            for d in range(8):
                parts[d] = ceil_div(remaining[d], values[d, place[d]])
                sent[d] = tile[d] * outside[d]
            tile_words(sent, window, words)
            score, stationary, transfers = reload_score(words, parts, keeps, bits)
            fewest[0] = min(fewest[0], transfers)
            if transfers <= most_transfers:
                # Of equal scores, fewer and larger transfers first.
                score += transfers * 1e-3
                found = _insert_tile(
                    values, place, score, stationary, out_counts, out_score, out_stationary,
                    found, start, most,
                )  # fmt: skip
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
    values, place, score, stationary, out_counts, out_score, out_stationary, found, start, most
):
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
