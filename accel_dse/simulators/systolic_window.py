"""When a read buffer prefetches if its bandwidth is limited, exactly as in SCALE-Sim v3.

The buffer prefetches the blocks of a stream stacked on top of each other, in sets of a hundredth
of its size. It holds a *window* of that order; a request outside moves the window on, round and
round, until the word is inside. A word that comes in several places may be found in any of them.

SCALE-Sim looks every request up. Here a request is looked up by where it stands in the order, in
closed form, and stretches of lines that lie inside the window are passed over.

Source: SCALE-Sim 3.0.0 (github.com/scalesim-project/SCALE-Sim), `read_buffer.py`; read and
restated.
"""

from typing import NamedTuple

import numpy as np

from accel_dse.simulators.systolic_misses import (
    SETS,
    Held,
    hold,
    hold_lines,
    hold_part,
    holds,
    no_words,
    nothing_held,
)
from accel_dse.simulators.systolic_streams import (
    LOADED,
    SKEWED_TAPS,
    Block,
    Ints,
    Stream,
    absent,
    block_lines,
    block_of,
    ceil_div,
    compiled,
    element,
    number,
    requests,
    skewed_before,
)

PATIENCE = 32
"""Words looked for in all their places before it pays to write down which words are held."""


class Window(NamedTuple):
    """A read buffer's prefetch order, in sets.

    Attributes:
        words_per_set: words of a set.
        sets: of the whole order; the last may be empty.
        active: sets that can serve requests.
        step: sets by which a prefetch moves the window.
        rows: of the stacked blocks.
        length: rows of one block.
        lanes: of the last block, the others have as many as the stream.
        order: place of each element of the stack if some words are absent, else empty.
    """

    words_per_set: int
    sets: int
    active: int
    step: int
    rows: int
    length: int
    lanes: int
    order: Ints


class Events(NamedTuple):
    """Lines at which a buffer prefetches, ascending, and how often it does there."""

    line: Ints
    times: Ints


@compiled
def stack_of(stream: Stream) -> tuple[int, int]:
    """Rows of the stacked blocks, and lines in which a buffer prefetches them."""
    length, across = stream.taps, stream.pixels
    if stream.kind == SKEWED_TAPS:
        length, across = stream.pixels, stream.taps
    rows = ceil_div(across, stream.width) * length
    return rows, rows if stream.kind == LOADED else rows + stream.width - 1


@compiled
def in_stack(stream: Stream, pixel: int, tap: int) -> tuple[int, int]:
    """Row and lane of an element in the stack."""
    width = stream.width
    if stream.kind == SKEWED_TAPS:
        return tap // width * stream.pixels + pixel, tap % width
    return pixel // width * stream.taps + tap, pixel % width


@compiled
def from_stack(stream: Stream, row: int, lane: int) -> tuple[int, int]:
    """Pixel and tap of a place in the stack; they may lie beyond the matrix."""
    if stream.kind == SKEWED_TAPS:
        return row % stream.pixels, row // stream.pixels * stream.width + lane
    return row // stream.taps * stream.width + lane, row % stream.taps


@compiled
def in_order(stream: Stream, row: int, lane: int) -> bool:
    """Whether the place in the stack has a word."""
    rows, _ = stack_of(stream)
    if row < 0 or row >= rows:
        return False
    pixel, tap = from_stack(stream, row, lane)
    return pixel < stream.pixels and tap < stream.taps and not absent(stream, pixel, tap)


@compiled
def numbered(stream: Stream) -> tuple[Ints, int]:
    """Place in the prefetch order of each element of the stack, row by row, and their number."""
    rows, lines = stack_of(stream)
    order = np.empty(rows * stream.width, np.int64)
    skew = int(stream.kind != LOADED)
    count = 0
    for line in range(lines):
        for lane in range(stream.width):
            row = line - skew * lane
            if 0 <= row < rows:
                order[row * stream.width + lane] = count
                count += in_order(stream, row, lane)
    return order, count


@compiled
def window_of(stream: Stream, words: int) -> Window:
    """The window of a buffer of `words`."""
    order, count = np.empty(0, np.int64), stream.pixels * stream.taps
    if stream.cut:
        order, count = numbered(stream)
    each = ceil_div(words, SETS)
    sets = count // each + 1
    active = min(ceil_div(ceil_div(words, 2), each), sets)
    step = min(ceil_div(words // 2, each), sets - active)
    length, across = stream.taps, stream.pixels
    if stream.kind == SKEWED_TAPS:
        length, across = stream.pixels, stream.taps
    lanes = (across - 1) % stream.width + 1
    rows, _ = stack_of(stream)
    return Window(each, sets, active, step, rows, length, lanes, order)


@compiled
def place(stream: Stream, window: Window, row: int, lane: int) -> int:
    """Elements that come before (row, lane) of the stack in the prefetch order."""
    width, rows, lanes = stream.width, window.rows, window.lanes
    if len(window.order):
        return int(window.order[row * width + lane])
    whole = rows - window.length
    if stream.kind == LOADED:
        return row * width + lane if row < whole else whole * width + (row - whole) * lanes + lane
    line = row + lane
    before = skewed_before(line, rows, width) + lane - max(0, line - rows + 1)
    if lanes < width and line >= whole + lanes:
        # The last block is narrower.
        before -= skewed_before(line - whole - lanes, window.length, width - lanes)
        before -= max(0, min(lane - 1, line - whole) - max(lanes, line - rows + 1) + 1)
    return before


@compiled
def place_of(stream: Stream, window: Window, pixel: int, tap: int) -> int:
    """Elements that come before (pixel, tap) in the prefetch order."""
    row, lane = in_stack(stream, pixel, tap)
    return place(stream, window, row, lane)


@compiled
def first_place(stream: Stream, window: Window, block: Block, line: int) -> int:
    """Place of the first request in a block's `line`."""
    pixel, tap = element(stream, block, line, 0)
    return place_of(stream, window, pixel, tap)


@compiled
def last_place(stream: Stream, window: Window, block: Block, line: int) -> int:
    """Place of the last request in a block's `line`."""
    pixel, tap = element(stream, block, line, requests(stream, block, line) - 1)
    return place_of(stream, window, pixel, tap)


@compiled
def inside(window: Window, start: int, at: int) -> bool:
    """Whether place `at` lies inside the window at `start`."""
    ahead = at - start * window.words_per_set
    if ahead < 0:
        ahead += window.sets * window.words_per_set
    return ahead < window.active * window.words_per_set


@compiled
def steps_to(window: Window, start: int, at: int) -> int:
    """Prefetches until the window, now at set `start`, reaches place `at`."""
    if inside(window, start, at):
        return 0
    ahead = (at // window.words_per_set - start) % window.sets
    return (ahead - window.active + window.step) // window.step


@compiled
def steps_to_word(
    stream: Stream, window: Window, start: int, pixel: int, tap: int, steps: int
) -> int:
    """Prefetches until the window reaches the word in any of its places; at most `steps`."""
    conv = stream.conv
    image, p, q = pixel // (conv.p * conv.q), pixel // conv.q % conv.p, pixel % conv.q
    row = p * conv.stride_h + tap // (conv.s * conv.c) * conv.dilation_h
    column = q * conv.stride_w + tap // conv.c % conv.s * conv.dilation_w
    for r in range(conv.r):
        p = row - r * conv.dilation_h
        if conv.stride_h > 1:
            if p % conv.stride_h:
                continue
            p //= conv.stride_h
        if p < 0 or p >= conv.p:
            continue
        for s in range(conv.s):
            q = column - s * conv.dilation_w
            if conv.stride_w > 1:
                if q % conv.stride_w:
                    continue
                q //= conv.stride_w
            if q < 0 or q >= conv.q:
                continue
            other = (r * conv.s + s) * conv.c + tap % conv.c
            at = place_of(stream, window, (image * conv.p + p) * conv.q + q, other)
            if inside(window, start, at):
                return 0
            steps = min(steps, steps_to(window, start, at))
    return steps


@compiled
def inside_until(
    stream: Stream, window: Window, block: Block, line: int, end: int, start: int
) -> int:
    """The first line, from `line` on, with an element outside the window at `start`, or `end`.

    Its word may still lie inside, if it comes several times.
    """
    each = window.words_per_set
    first, last = (
        first_place(stream, window, block, line),
        last_place(stream, window, block, line),
    )
    low_edge = start * each if first >= start * each else (start - window.sets) * each
    high_edge = low_edge + window.active * each
    if last >= high_edge:
        return line
    low, high = line, end
    while low < high:
        # Places rise along a skewed block and fall along a loaded one. Try the last line first.
        middle = (low + high) // 2 if high < end else end - 1
        if stream.kind == LOADED:
            fits = first_place(stream, window, block, middle) >= low_edge
        else:
            fits = last_place(stream, window, block, middle) < high_edge
        if fits and middle == end - 1:
            return end
        if fits:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def stack_line(stream: Stream, window: Window, at: int) -> int:
    """The line in which a buffer prefetches place `at`."""
    rows, lines = stack_of(stream)
    low, high = 0, lines - 1
    while low < high:
        middle = (low + high + 1) // 2
        row = min(middle, rows - 1)
        if place(stream, window, row, middle - row) <= at:
            low = middle
        else:
            high = middle - 1
    return low


@compiled
def hold_places(stream: Stream, window: Window, low: int, high: int, held: Held) -> None:
    """Holds the words from place `low` to place `high` of the prefetch order."""
    rows, _ = stack_of(stream)
    skew = int(stream.kind != LOADED)
    first, last = stack_line(stream, window, low), stack_line(stream, window, high - 1)
    # These two lines may lie inside in part, those between them lie inside in full.
    for line in range(first, last + 1, max(1, last - first)):
        for lane in range(stream.width):
            row = line - skew * lane
            if in_order(stream, row, lane) and low <= place(stream, window, row, lane) < high:
                pixel, tap = from_stack(stream, row, lane)
                word = held.of_pixel[pixel] + held.of_tap[tap]
                hold(held.bits, word, 1, True)
    first += 1
    length = stream.pixels if stream.kind == SKEWED_TAPS else stream.taps
    row = max(0, first - skew * (stream.width - 1)) // length * length
    while row < min(last, rows):
        pixel, tap = from_stack(stream, row, 0)
        pixels, taps = stream.pixels - pixel, stream.taps - tap
        line, end = first - row, last - row
        if stream.kind == SKEWED_TAPS:
            taps = min(stream.width, taps)
        else:
            pixels = min(stream.width, pixels)
        if stream.kind == LOADED:
            tap, taps = max(0, line), min(length, end) - max(0, line)
            line, end = 0, pixels + taps
        hold_lines(stream, Block(pixel, pixels, tap, taps), line, end, held, True)
        row += length


@compiled
def hold_window(stream: Stream, window: Window, start: int, held: Held) -> None:
    """Holds what the window at `start` holds, and nothing else."""
    held.bits[:] = 0
    each = window.words_per_set
    for lap in range(2):
        low = max(start - lap * window.sets, 0)
        high = min(start + window.active - lap * window.sets, window.sets)
        if low < high:
            hold_places(stream, window, low * each, high * each, held)


@compiled
def held_until(stream: Stream, block: Block, line: int, end: int, held: Held) -> int:
    """The first line, from `line` on, that asks for a word that is not held, or `end`."""
    size = 64
    while line < end:
        stop = min(line + size, end)
        if hold_part(stream, block, line, stop, held, False) == 0:
            line, size = stop, 2 * size
        elif stop == line + 1:
            return line
        else:
            size = (stop - line) // 2
    return end


@compiled
def noted(events: Events, count: int, line: int, times: int) -> tuple[Events, int]:
    """`events` with one more, and their number."""
    if count and events.line[count - 1] == line:
        events.times[count - 1] += times
        return events, count
    if count == len(events.line):
        events = Events(
            np.concatenate((events.line, np.empty_like(events.line))),
            np.concatenate((events.times, np.empty_like(events.times))),
        )
    events.line[count] = line
    events.times[count] = times
    return events, count + 1


@compiled
def prefetches(stream: Stream, words: int) -> Events:
    """When a read buffer of `words` prefetches."""
    window = window_of(stream, words)
    events, count = Events(np.empty(64, np.int64), np.empty(64, np.int64)), number(0)
    if window.step == 0:
        return Events(events.line[:0], events.times[:0])
    held = no_words() if stream.unique else nothing_held(stream)
    start, noted_at, searches = number(0), number(-1), 0
    for fold in range(stream.folds):
        block = block_of(stream, fold)
        line, end = block_lines(stream, block)
        while line < end:
            line = inside_until(stream, window, block, line, end, start)
            if noted_at == start:
                line = held_until(stream, block, line, end, held)
            if line == end:
                break
            first = first_place(stream, window, block, line)
            for i in range(requests(stream, block, line)):
                pixel, tap = element(stream, block, line, i)
                # Places of a line follow each other, unless words are absent.
                at = place_of(stream, window, pixel, tap) if stream.cut else first + i
                steps = steps_to(window, start, at)
                if steps == 0 or absent(stream, pixel, tap):
                    continue
                if not stream.unique:
                    searches += 1
                    if searches > PATIENCE and noted_at != start:
                        hold_window(stream, window, start, held)
                        noted_at = start
                    if noted_at == start and holds(held, pixel, tap):
                        continue
                    steps = steps_to_word(stream, window, start, pixel, tap, steps)
                if steps:
                    start, searches = (start + steps * window.step) % window.sets, 0
                    now = fold * stream.fold_lines + stream.line + line
                    events, count = noted(events, count, now, steps)
            line += 1
    return Events(events.line[:count], events.times[:count])
