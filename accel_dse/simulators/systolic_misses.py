"""What a read buffer fetches when its bandwidth is unlimited, exactly as in SCALE-Sim v3.

It fetches what it misses, and forgets everything each time half of it is full. SCALE-Sim looks
every request up; here the words held are a bitmap, 64 to a step, and whole stretches of lines go
through it at once. Only where the buffer may become full is it one request at a time.

Source: SCALE-Sim 3.0.0 (github.com/scalesim-project/SCALE-Sim), `read_buffer_estimate_bw.py` and
`operand_matrix.py`; read and restated.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    line_of,
    requests,
    skewed_line,
)

SETS = 100
"""Sets of a read buffer. Source: SCALE-Sim 3.0.0, `read_buffer_estimate_bw.py`."""


class Held(NamedTuple):
    """Words of the input that a buffer holds.

    Attributes:
        bits: one for each word.
        of_pixel, of_tap: the word of (pixel, tap) is `of_pixel[pixel] + of_tap[tap]`.
    """

    bits: NDArray[np.uint64]
    of_pixel: Ints
    of_tap: Ints


class Misses(NamedTuple):
    """Words fetched, how often the buffer was full, and the last line at which it was."""

    words: int
    flushes: int
    line: int


@compiled
def nothing_held(stream: Stream) -> Held:
    """An empty buffer. In the input, channels are innermost, then columns, then rows."""
    conv = stream.conv
    rows = (conv.p - 1) * conv.stride_h + (conv.r - 1) * conv.dilation_h + 1
    columns = (conv.q - 1) * conv.stride_w + (conv.s - 1) * conv.dilation_w + 1
    of_pixel = np.empty(stream.pixels, np.int64)
    for i in range(stream.pixels):
        row = i // (conv.p * conv.q) * rows + i // conv.q % conv.p * conv.stride_h
        of_pixel[i] = (row * columns + i % conv.q * conv.stride_w) * conv.c
    of_tap = np.empty(stream.taps, np.int64)
    for j in range(stream.taps):
        row = j // (conv.s * conv.c) * conv.dilation_h
        of_tap[j] = (row * columns + j // conv.c % conv.s * conv.dilation_w) * conv.c + j % conv.c
    return Held(np.zeros(conv.n * rows * columns * conv.c // 64 + 1, np.uint64), of_pixel, of_tap)


@compiled
def no_words() -> Held:
    """Stands in where nobody asks which words are held."""
    return Held(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64))


@compiled
def hold_bits(bits: NDArray[np.uint64], at: int, low: int, count: int, store: bool) -> int:
    """How many of `count` bits of number `at`, from bit `low` on, are not set; may set them."""
    mask = (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - count)) << np.uint64(low)
    x = mask & ~bits[at]
    if x == 0:
        return 0
    if store:
        bits[at] |= mask
    if x == mask:
        return count
    # Counts the bits of x, in the form that compilers know.
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    pairs = np.uint64(0x3333333333333333)
    x = (x & pairs) + ((x >> np.uint64(2)) & pairs)
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int(np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56)))


@compiled
def hold(bits: NDArray[np.uint64], start: int, count: int, store: bool) -> int:
    """How many of `count` words from `start` on are not held; holds them if `store`."""
    at, low = start >> 6, start & 63
    if low + count <= 64:
        return hold_bits(bits, at, low, count, store)
    new = hold_bits(bits, at, low, 64 - low, store)
    left = count - (64 - low)
    while left > 64:
        at, left = at + 1, left - 64
        new += hold_bits(bits, at, 0, 64, store)
    return new + hold_bits(bits, at + 1, 0, left, store)


@compiled
def holds(held: Held, pixel: int, tap: int) -> bool:
    """Whether the word of (pixel, tap) is held."""
    word = held.of_pixel[pixel] + held.of_tap[tap]
    return hold(held.bits, word, 1, False) == 0


@compiled
def hold_lines(stream: Stream, block: Block, line: int, end: int, held: Held, store: bool) -> int:
    """How many words that a skewed block asks for from `line` to `end` are not held.

    Holds them if `store`; else stops counting at the first pixel with one.
    """
    conv, (bits, of_pixel, of_tap) = stream.conv, held
    # Taps lie side by side in the input within one row of the filter.
    run = conv.s * conv.c if conv.dilation_w == 1 else conv.c
    first_run, last_tap, stride = block.tap // run, block.tap + block.taps, conv.stride_w * conv.c
    new = 0
    i, high = max(0, line - block.taps + 1), min(block.pixels, end)
    column = (block.pixel + i) % conv.q
    while i < high and (store or new == 0):
        pixel = block.pixel + i
        tap, stop = block.tap + max(0, line - i), min(last_tap, block.tap + end - i)
        at, together = first_run, 1
        while (at + 1) * run <= tap:
            at += 1
        if tap == block.tap and not stream.cut and run >= stride:
            # Where windows overlap, pixels of a row that ask for all taps make one longer run.
            together = min(conv.q - column, high - i, end - i - block.taps + 1)
            together = max(1, together)
        while tap < stop:
            until = min(stop, (at + 1) * run)
            count, pieces = until - tap, together
            if count >= stride:
                count, pieces = count + (together - 1) * stride, 1
            if stream.cut:
                if absent(stream, pixel, tap):
                    pieces = 0
                elif run > conv.c:
                    inside = conv.columns - column * conv.stride_w
                    count = min(count, at * run + inside * conv.c - tap)
            word = of_pixel[pixel] + of_tap[tap]
            for piece in range(pieces):
                start = word + piece * stride
                new += hold(bits, start, count, store)
            tap, at = until, at + 1
        i, column = i + together, column + together
        if column == conv.q:
            column = 0
    return new


@compiled
def hold_part(stream: Stream, block: Block, line: int, end: int, held: Held, store: bool) -> int:
    """`hold_lines` for any block."""
    if stream.kind == LOADED:
        tap = block.tap + stream.depth - end
        block = Block(block.pixel, block.pixels, tap, end - line)
        line, end = 0, block.pixels + block.taps
    return hold_lines(stream, block, line, end, held, store)


@compiled
def blocks_of(stream: Stream) -> int:
    """Blocks of one lap: until the stream begins again or ends."""
    if stream.kind == LOADED:
        return stream.folds
    return ceil_div(stream.taps if stream.kind == SKEWED_TAPS else stream.pixels, stream.width)


@compiled
def misses_in_laps(stream: Stream, capacity: int) -> Misses:
    """Misses if the same word is never asked for twice in `capacity` requests, or all words fit."""
    total = stream.pixels * stream.taps
    if total < capacity:
        return Misses(total, 0, -1)
    words = total * (stream.folds // blocks_of(stream))
    return Misses(words, words // capacity, line_of(stream, words // capacity * capacity - 1))


@compiled
def misses_in_repeats(stream: Stream, capacity: int) -> Misses:
    """Misses if each block of distinct words is asked for several times in a row."""
    words, flushes, line, count = 0, 0, -1, 0
    for first in range(0, stream.folds, stream.repeat):
        block = block_of(stream, first)
        unseen = block.pixels * block.taps
        for fold in range(first, first + stream.repeat):
            if count + unseen < capacity:
                count, words = count + unseen, words + unseen
                break
            # The request for word `full` fills the buffer; all words after it are then missed.
            full = capacity - count - 1
            rest = block.pixels * block.taps - full - 1
            words += full + 1 + rest
            flushes += 1 + rest // capacity
            full += rest // capacity * capacity
            count, unseen = rest % capacity, full + 1
            line = fold * stream.fold_lines + stream.line
            line += skewed_line(full, block.taps, block.pixels)
    return Misses(words, flushes, line)


@compiled
def misses_by_word(stream: Stream, capacity: int) -> Misses:
    """Misses of any stream."""
    held = nothing_held(stream)
    bits, of_pixel, of_tap = held
    words, flushes, last, count = 0, 0, -1, 0
    for fold in range(stream.folds):
        if flushes == 0 and fold == blocks_of(stream):
            break  # all words are held
        block = block_of(stream, fold)
        line, end = block_lines(stream, block)
        while line < end:
            # So many lines cannot fill the buffer, whatever they ask for: their order is free.
            ahead = min((capacity - count - 1) // stream.width, end - line)
            if ahead > 1:
                new = hold_part(stream, block, line, line + ahead, held, True)
                count, words, line = count + new, words + new, line + ahead
                continue
            for i in range(requests(stream, block, line)):
                pixel, tap = element(stream, block, line, i)
                if absent(stream, pixel, tap):
                    continue
                word = of_pixel[pixel] + of_tap[tap]
                new = hold(bits, word, 1, True)
                count, words = count + new, words + new
                if count == capacity:
                    bits[:] = 0
                    count, flushes = 0, flushes + 1
                    last = fold * stream.fold_lines + stream.line + line
            line += 1
    return Misses(words, flushes, last)


@compiled
def least_reuse(stream: Stream) -> int:
    """At least so many requests lie between two for the same word, if taps are over the lanes.

    For filters whose channels fill whole blocks; 0 otherwise.
    """
    conv = stream.conv
    if stream.kind != SKEWED_TAPS or stream.cut or conv.c % stream.width:
        return 0
    channels, size = conv.c // stream.width, stream.pixels * stream.width
    blocks = channels * conv.r * conv.s
    least = blocks * size
    for down in range(conv.r):
        for across in range(-conv.s + 1, conv.s):
            later = down * conv.s + across
            p, q = down * conv.dilation_h, across * conv.dilation_w
            if later <= 0 or p % conv.stride_h or q % conv.stride_w:
                continue
            # The later tap meets the same word so many pixels before or after.
            pixels = abs(p // conv.stride_h * conv.q + q // conv.stride_w)
            nearer = min(later * channels, blocks - later * channels)
            least = min(least, nearer * size - pixels * stream.width)
    return least


@compiled
def misses_of(stream: Stream, words: int) -> Misses:
    """Misses of a read buffer of `words`."""
    capacity = SETS // 2 * (words // SETS)
    if not stream.cut:
        if stream.repeat > 1:
            return misses_in_repeats(stream, capacity)
        if stream.unique or capacity <= least_reuse(stream):
            return misses_in_laps(stream, capacity)
    return misses_by_word(stream, capacity)
