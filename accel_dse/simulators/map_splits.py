"""Ways to split one layer over the fan-outs of one design: the spatial half of the map space."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

import numpy as np

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import INDEXES, Ints
from accel_dse.simulators.map_terms import (
    MAX_SPLITS,
    NO_SPLIT,
    NO_TILE,
    Bools,
    Floats,
    ceil_div,
    tile_words,
)

WIDTH = MAX_SPLITS
"""Partial splits carried along, whatever the effort: those that fit should not be lost early."""


@compiled
def spatial_options(
    chip: Any,
    layer: Ints,
    hardwired: Bools,
    shy: bool,
    out_x: Ints,
    out_y: Ints,
    out_steps: Floats,
    problem: Floats,
) -> int:
    """The best ways to split a layer over the fan-outs, by temporal steps, then by words sent.

    A beam search over the axes, innermost first. On each axis one dimension takes as much of the
    fan-out as it can use, and a second one what is left. Splits whose smallest tile fits nowhere
    are dropped, so that a layer has no split only if no split can work.

    Args:
        chip: one element of `loop_counts.pack(hardware)`.
        layer: one row of `pack_layers(layers)`.
        hardwired: axes that one dimension always occupies in full, `(L, 2)`.
        shy: whether to split as little as possible instead, so that tiles are small.
        out_x, out_y: receive the factors of each, `(MAX_SPLITS, L, 8)`.
        out_steps: receives temporal steps of each, `(MAX_SPLITS,)`.
        problem: receives code, level, needed and available bits if there is none, `(4,)`.

    Returns:
        How many were found.
    """
    levels = chip.levels
    unroll = (_may_split(chip.unroll_x, chip.whole), _may_split(chip.unroll_y, chip.whole))
    beam_x = np.ones((WIDTH, levels, 8), dtype=np.int64)
    beam_y = np.ones((WIDTH, levels, 8), dtype=np.int64)
    options = (
        np.empty((WIDTH, 3), dtype=np.int64),  # parent, first dimension, second dimension
        np.empty((WIDTH, 2), dtype=np.int64),  # their factors
        np.empty(WIDTH),  # steps
        np.empty(WIDTH),  # words
    )
    count = 1
    for axis in range(2 * levels - 1, -1, -1):
        level, along_x = axis // 2, axis % 2 == 0
        fan = chip.fanout_x[level] if along_x else chip.fanout_y[level]
        if fan > 1:
            must = _must_split(chip, unroll[0], unroll[1], axis)
            may = unroll[0][level] if along_x else unroll[1][level]
            wired = hardwired[level, 0 if along_x else 1]
            count = _list_options(
                chip, layer, fan, wired, shy, may, must, beam_x, beam_y, count, options
            )
            if count == 0:
                problem[0], problem[1] = NO_SPLIT, level
                return 0
            _take_options(level, along_x, beam_x, beam_y, count, options)
        if along_x and level > 0:
            count = _drop_unfit(chip, layer, level, beam_x, beam_y, count, problem)
            if count == 0:
                return 0
    for k in range(count):
        _copy(beam_x, k, out_x, k)
        _copy(beam_y, k, out_y, k)
        out_steps[k] = 1.0
        for d in range(8):
            factor = 1
            for i in range(levels):
                factor *= beam_x[k, i, d] * beam_y[k, i, d]
            out_steps[k] *= ceil_div(layer[d], factor)
    return count


@compiled
def _list_options(
    chip: Any,
    layer: Ints,
    fan: int,
    wired: bool,
    shy: bool,
    may: Bools,
    must: Bools,
    beam_x: Ints,
    beam_y: Ints,
    count: int,
    options: Any,
) -> int:
    """Lists the best ways to continue the `count` splits of the beam on one axis, whose fan-out
    may split the dimensions `may` and must finish those in `must`; returns how many there are.
    """
    left = np.empty(8, dtype=np.int64)
    spread = np.empty(3)
    found = 0
    for parent in range(count):
        whole = 1.0
        needs = 0
        useful = False
        _set_left(chip, layer, beam_x[parent], beam_y[parent], left, spread)
        for d in range(8):
            whole *= left[d]
            useful = useful or (may[d] and left[d] > 1)
            needs += must[d] and left[d] > 1
        for first in range(-1, 8):
            one = _first_factor(first, left, may, fan, wired, useful and not shy)
            if one == 0:
                continue
            steps = whole
            met = 0
            if first >= 0:
                steps = whole / left[first] * ceil_div(left[first], one)
                met = must[first] and left[first] > 1 and one >= left[first]
            for second in range(-1, 8):
                two = 1
                total, enough = steps, met
                if second >= 0:
                    two = _second_factor(first, second, one, left, may, fan, wired)
                    if two == 0:
                        continue
                    total = steps / left[second] * ceil_div(left[second], two)
                    enough += must[second] and two >= left[second]
                if enough >= needs:
                    sent = _words_sent(spread, first, one, second, two)
                    if shy:
                        total = -total
                    found = _insert_option(
                        parent, first, second, one, two, total, sent, options, found
                    )
    return found


@compiled
def _set_left(chip: Any, layer: Ints, x: Any, y: Any, left: Ints, spread: Floats) -> None:
    """Sets the steps that a partial split leaves, `(8,)`, and the bits of distinct words that its
    instances ask for at a time, by tensor, `(3,)`.
    """
    for t in range(3):
        spread[t] = chip.word_bits[0, t]
    for d in range(8):
        split = 1
        for i in range(chip.levels):
            split *= x[i, d] * y[i, d]
        left[d] = ceil_div(layer[d], split)
        for t in range(3):
            if INDEXES[t, d]:
                spread[t] *= split


@compiled
def _first_factor(first: int, left: Ints, may: Bools, fan: int, wired: bool, useful: bool) -> int:
    """What dimension `first` takes of a fan-out, 0 if it may not; -1 stands for no dimension, which
    is no choice where a split is `useful`.
    """
    if first < 0:
        return 0 if wired or useful else 1
    if not may[first] or (left[first] == 1 and not wired):
        return 0
    return fan if wired else _even(left[first], fan)


@compiled
def _second_factor(
    first: int, second: int, one: int, left: Ints, may: Bools, fan: int, wired: bool
) -> int:
    """What dimension `second` takes of what `first` leaves of a fan-out, 0 if it may not."""
    if first < 0 or wired or fan // one < 2 or second == first:
        return 0
    if not may[second] or left[second] == 1:
        return 0
    return _even(left[second], fan // one)


@compiled
def _even(left: int, most: int) -> int:
    """The smallest factor that leaves as few steps as `most` does."""
    return ceil_div(left, ceil_div(left, min(most, left)))


@compiled
def _words_sent(spread: Floats, first: int, one: int, second: int, two: int) -> float:
    """Bits of distinct words that all instances ask for at a time."""
    sent = 0.0
    for t in range(3):
        distinct = spread[t]
        if first >= 0 and INDEXES[t, first]:
            distinct *= one
        if second >= 0 and INDEXES[t, second]:
            distinct *= two
        sent += distinct
    return sent


@compiled
def _take_options(
    level: int, along_x: bool, beam_x: Ints, beam_y: Ints, count: int, options: Any
) -> None:
    """Makes the `count` options the beam."""
    chosen, factors = options[0], options[1]
    old_x, old_y = beam_x.copy(), beam_y.copy()
    for k in range(count):
        _copy(old_x, chosen[k, 0], beam_x, k)
        _copy(old_y, chosen[k, 0], beam_y, k)
        for part in range(2):
            d = chosen[k, 1 + part]
            if d >= 0 and along_x:
                beam_x[k, level, d] = factors[k, part]
            elif d >= 0:
                beam_y[k, level, d] = factors[k, part]


@compiled
def _copy(splits: Ints, k: int, into: Ints, at: int) -> None:
    """Copies one split's factors: written out, an assignment of a row takes long to compile."""
    for level in range(splits.shape[1]):
        for d in range(8):
            into[at, level, d] = splits[k, level, d]


@compiled
def _may_split(unroll: Any, whole: Any) -> Any:
    """Dimensions that a fan-out may split, `(L, 8)`: none that a level inside holds whole."""
    allowed = np.empty((len(unroll), 8), dtype=np.bool_)
    for d in range(8):
        inside = False
        for level in range(len(unroll) - 1, -1, -1):
            allowed[level, d] = unroll[level, d] != 0 and not inside
            inside = inside or whole[level, d] != 0
    return allowed


@compiled
def _must_split(chip: Any, unroll_x: Any, unroll_y: Any, axis: int) -> Any:
    """Dimensions that no loop may step through and no axis outside `axis` may split, `(8,)`."""
    must = np.ones(8, dtype=np.bool_)
    for d in range(8):
        for level in range(chip.levels):
            if chip.loops_allowed[level, d]:
                must[d] = False
        for outer in range(axis):
            level, along_x = outer // 2, outer % 2 == 0
            allowed = unroll_x[level, d] if along_x else unroll_y[level, d]
            if allowed and (chip.fanout_x[level] if along_x else chip.fanout_y[level]) > 1:
                must[d] = False
    return must


@compiled
def _drop_unfit(
    chip: Any,
    layer: Ints,
    level: int,
    beam_x: Ints,
    beam_y: Ints,
    count: int,
    problem: Floats,
) -> int:
    """Keeps the splits of the beam whose smallest tile fits `level`; returns how many are left."""
    tile = np.empty(8, dtype=np.int64)
    words = np.empty(3)
    kept = 0
    least = np.inf
    for k in range(count):
        for d in range(8):
            tile[d] = 1
        for i in range(chip.levels - 1, level - 1, -1):
            for d in range(8):
                tile[d] *= beam_x[k, i, d] * beam_y[k, i, d]
                if chip.whole[i, d] and tile[d] < layer[d]:
                    tile[d] *= ceil_div(layer[d], tile[d])
        tile_words(tile, layer, words)
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
            _copy(beam_x, k, beam_x, kept)
            _copy(beam_y, k, beam_y, kept)
            kept += 1
        least = min(least, excess)
    return kept


@compiled
def _insert_option(
    parent: int,
    first: int,
    second: int,
    one: int,
    two: int,
    total: float,
    sent: float,
    options: Any,
    found: int,
) -> int:
    """Inserts an option into the sorted list of the best, unless its equal is there."""
    chosen, factor, steps, words = options
    most = len(steps)
    if found == most and (
        total > steps[most - 1] or (total == steps[most - 1] and sent >= words[most - 1])
    ):
        return found
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
        for part in range(3):
            chosen[k, part] = chosen[k - 1, part]
        for part in range(2):
            factor[k, part] = factor[k - 1, part]
        steps[k] = steps[k - 1]
        words[k] = words[k - 1]
    chosen[place, 0], chosen[place, 1], chosen[place, 2] = parent, first, second
    factor[place, 0], factor[place, 1] = one, two
    steps[place] = total
    words[place] = sent
    return min(found + 1, most)
