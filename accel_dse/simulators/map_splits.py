"""Ways to split one layer over the fan-outs of one design: the spatial half of the map space."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

import numpy as np

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
from accel_dse.simulators.timeline_plan import compiled

WIDTH = MAX_SPLITS
"""Partial splits carried along, whatever the effort: those that fit should not be lost early."""


@compiled
def spatial_options(
    chip: Any,
    layer: Ints,
    hardwired: Bools,
    most: int,
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
        most: how many to keep at most; `out_x` and `out_y` have shape `(most, L, 8)`.
        out_steps: temporal steps of each, `(most,)`.
        problem: receives code, level, needed and available bits if there is none, `(4,)`.

    Returns:
        How many were found.
    """
    levels = chip.levels
    fan_x, fan_y = chip.fanout_x, chip.fanout_y
    unroll_x, unroll_y = (
        _may_split(chip.unroll_x, chip.whole),
        _may_split(chip.unroll_y, chip.whole),
    )
    bits = chip.word_bits[0, :3]
    wide = WIDTH
    beam_x = np.ones((wide, levels, 8), dtype=np.int64)
    beam_y = np.ones((wide, levels, 8), dtype=np.int64)
    count = 1
    chosen = np.empty((wide, 3), dtype=np.int64)  # parent, first dimension, second dimension
    chosen_factor = np.empty((wide, 2), dtype=np.int64)
    steps = np.empty(wide)
    words = np.empty(wide)
    left = np.empty(8, dtype=np.int64)
    split = np.empty(8, dtype=np.int64)
    may = np.empty(8, dtype=np.bool_)
    spread = np.empty(3)
    for axis in range(2 * levels - 1, -1, -1):
        level, along_x = axis // 2, axis % 2 == 0
        fan = fan_x[level] if along_x else fan_y[level]
        wired = hardwired[level, 0 if along_x else 1]
        if fan == 1:
            if along_x and level > 0:
                count = _drop_unfit(chip, layer, level, beam_x, beam_y, count, problem)
                if count == 0:
                    return 0
            continue
        must_split = _must_split(chip, unroll_x, unroll_y, axis)
        found = 0
        for parent in range(count):
            for d in range(8):
                split[d] = 1
                for i in range(levels):
                    split[d] *= beam_x[parent, i, d] * beam_y[parent, i, d]
                left[d] = ceil_div(layer[d], split[d])
            whole = 1.0
            needs = 0
            useful = False
            for d in range(8):
                may[d] = unroll_x[level, d] if along_x else unroll_y[level, d]
                whole *= left[d]
                useful = useful or (may[d] and left[d] > 1)
                needs += must_split[d] and left[d] > 1
            for tensor in range(3):
                spread[tensor] = bits[tensor]
                for d in range(8):
                    if INDEXES[tensor, d]:
                        spread[tensor] *= split[d]
            for first in range(-1, 8):
                one = 1
                if first < 0:
                    if wired or (useful and not shy):
                        continue
                else:
                    if not may[first] or (left[first] == 1 and not wired):
                        continue
                    one = fan
                    if not wired:
                        one = ceil_div(left[first], ceil_div(left[first], min(fan, left[first])))
                for second in range(-1, 8):
                    two = 1
                    total = whole
                    met = 0
                    if first >= 0:
                        total = total / left[first] * ceil_div(left[first], one)
                        met = must_split[first] and left[first] > 1 and one >= left[first]
                    if second >= 0:
                        if first < 0 or wired or fan // one < 2:
                            break
                        if second == first:
                            continue
                        if not may[second] or left[second] == 1:
                            continue
                        two = min(fan // one, left[second])
                        two = ceil_div(left[second], ceil_div(left[second], two))
                        total = total / left[second] * ceil_div(left[second], two)
                        met += must_split[second] and two >= left[second]
                    if met < needs:
                        continue
                    sent = 0.0
                    for tensor in range(3):
                        distinct = spread[tensor]
                        if first >= 0 and INDEXES[tensor, first]:
                            distinct *= one
                        if second >= 0 and INDEXES[tensor, second]:
                            distinct *= two
                        sent += distinct
                    if shy:
                        total = -total
                    found = _insert_option(
                        parent,
                        first,
                        second,
                        one,
                        two,
                        total,
                        sent,
                        chosen,
                        chosen_factor,
                        steps,
                        words,
                        found,
                        wide,
                    )
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
            count = _drop_unfit(chip, layer, level, beam_x, beam_y, count, problem)
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
            total *= ceil_div(layer[d], factor)
        out_steps[k] = total
    return count


@compiled
def _may_split(unroll: Any, whole: Any) -> Any:
    """Dimensions that a fan-out may split, `(L, 8)`: none that a level inside holds whole."""
    allowed = unroll != 0
    for d in range(8):
        inside = False
        for level in range(len(allowed) - 1, -1, -1):
            if inside:
                allowed[level, d] = False
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
        tile[:] = 1
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
            beam_x[kept] = beam_x[k]
            beam_y[kept] = beam_y[k]
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
    chosen: Ints,
    factor: Ints,
    steps: Floats,
    words: Floats,
    found: int,
    most: int,
) -> int:
    """Inserts an option into the sorted list of the best, unless its equal is there."""
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
        chosen[k] = chosen[k - 1]
        factor[k] = factor[k - 1]
        steps[k] = steps[k - 1]
        words[k] = words[k - 1]
    chosen[place, 0], chosen[place, 1], chosen[place, 2] = parent, first, second
    factor[place, 0], factor[place, 1] = one, two
    steps[place] = total
    words[place] = sent
    return min(found + 1, most)
