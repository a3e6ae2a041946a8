"""Systolic arrays running against their buffers, exactly as in SCALE-Sim v3.

SCALE-Sim goes from cycle to cycle. This goes from event to event: the lines at which a buffer
prefetches, drains or stalls. Between them nothing happens but counting.

Source: SCALE-Sim 3.0.0 (github.com/scalesim-project/SCALE-Sim), `write_buffer.py`,
`double_buffered_scratchpad_mem.py` and `single_layer_sim.py`; read and restated.
"""

import numpy as np
from numba import njit

from accel_dse.simulators.systolic_misses import SETS, misses_of
from accel_dse.simulators.systolic_streams import (
    NEVER,
    Conv,
    Ints,
    Outputs,
    Stream,
    block_lines,
    block_of,
    ceil_div,
    compiled,
    number,
    output_line,
    outputs_before,
    outputs_of,
    streams_of,
)
from accel_dse.simulators.systolic_window import Events, prefetches, stack_of

PREFETCH_WORDS_PER_CYCLE = 10
"""First prefetch under unlimited bandwidth. Source: SCALE-Sim 3.0.0, `single_layer_sim.py`."""

FREE, FILLING, QUEUED, DRAINED, BUSY, WORDS, FIRST, LAST, SHORT = range(9)
"""State of the write buffer: free words as it counts them, words in the bus line being filled, bus
lines filled and written back so far, the cycle until which a write-back runs, words written back as
it counts them, cycles of the first and the last write-back, and how many bus lines were closed
before they were full."""

REMEMBERED = 16
"""Bus lines closed before they were full, of which the last are kept: each write-back closes one
and writes back most of those before it."""

CYCLES, STALLS = 0, 1
IFMAP_READS, FILTER_READS, OFMAP_WRITES = 2, 3, 4
IFMAP_START, FILTER_START, OFMAP_START = 5, 6, 7
IFMAP_STOP, FILTER_STOP, OFMAP_STOP = 8, 9, 10
RESULTS = 11
"""What is found for a layer; reads, writes, starts and stops are those of DRAM."""

DATAFLOW, ROWS, COLUMNS, SIZES, BANDWIDTHS, SETTINGS = 0, 1, 2, 3, 6, 9
"""A design: dataflow, rows and columns of the array, words of the ifmap's, filter's and ofmap's
buffer, words per cycle of their interfaces."""


@compiled
def close_line(drain: Ints, short: Ints, bandwidth: int) -> None:
    """Queues the bus line being filled as it is; `short` remembers what it lacks."""
    if drain[FILLING]:
        slot = drain[SHORT] % REMEMBERED
        short[0, slot], short[1, slot] = drain[QUEUED], bandwidth - drain[FILLING]
        drain[SHORT] += 1
        drain[QUEUED] += 1
        drain[FILLING] = 0


@compiled
def write_back(drain: Ints, short: Ints, half: int, bandwidth: int, now: int) -> None:
    """Starts to write half a buffer back.

    Empty places of a bus line count as words, except those of the last line: so SCALE-Sim does.
    """
    lines = min(ceil_div(half, bandwidth), drain[QUEUED] - drain[DRAINED])
    words = lines * bandwidth
    for i in range(REMEMBERED):
        if short[0, i] == drain[DRAINED] + lines - 1:
            words -= short[1, i]
    drain[DRAINED] += lines
    drain[WORDS] += words
    drain[FREE] += words
    drain[BUSY] = now + lines - 1
    if drain[FIRST] < 0:
        drain[FIRST] = now
    drain[LAST] = max(drain[LAST], drain[BUSY])


@compiled
def write(drain: Ints, short: Ints, size: int, bandwidth: int, count: int, now: int) -> int:
    """Puts `count` outputs of one line into the buffer; returns the cycle at which all are in."""
    half = size // 2
    for _ in range(count):
        drain[FREE] -= 1
        drain[FILLING] += 1
        if drain[FILLING] == bandwidth:
            drain[FILLING] = 0
            drain[QUEUED] += 1
        if now < drain[BUSY]:
            if drain[FREE] <= 0:
                now = drain[BUSY]
        elif drain[FREE] < size - half:
            close_line(drain, short, bandwidth)
            write_back(drain, short, half, bandwidth, now)
    return now


@compiled
def next_write(out: Outputs, drain: Ints, size: int, line: int, stalls: int) -> int:
    """The next line, from `line` on, at which the write buffer drains or stalls."""
    done = outputs_before(out, line)
    enough = drain[FREE] - (size - size // 2)
    idle = drain[BUSY] - stalls
    if line >= idle:
        return output_line(out, done + max(0, enough))
    full = output_line(out, done + max(0, drain[FREE] - 1))
    if full < idle:
        return full
    return output_line(out, max(done + enough, outputs_before(out, idle)))


@compiled
def wait(now: int, ready: int, cycles: int, times: int) -> tuple[int, int]:
    """How long the array waits for a read, and when its last prefetch is ready.

    SCALE-Sim adds each wait twice, and the next prefetch of the same line sees the array that much
    later: from the third prefetch on, waits alternate.

    Args:
        now: cycle of the request.
        ready: when the prefetch before is ready.
        cycles: of one prefetch.
        times: prefetches that the request sets off.
    """
    late = max(ready + cycles - now - 1, 0)
    for _ in range(min(times - 1, 2 + (times - 1) % 2)):
        late = max(cycles - late, 0)
    ready += times * cycles
    return ready + late - now - 1, ready


@compiled
def play(
    ifmap: Events, filters: Events, out: Outputs, sizes: Ints, bandwidths: Ints, lines: int
) -> tuple[int, int, Ints]:
    """Lets the array run against its buffers.

    Args:
        ifmap, filters: when the read buffers prefetch.
        out: when outputs leave.
        sizes: words of the three buffers.
        bandwidths: words per cycle of their interfaces.
        lines: of the whole layer.

    Returns:
        Cycle of the last line, stalls, and the write buffer's state.
    """
    drain, short = np.zeros(9, np.int64), np.full((2, REMEMBERED), -1, np.int64)
    drain[FREE], drain[FIRST] = sizes[2], -1
    cycles_i = ceil_div(sizes[0] // 2, bandwidths[0]) + 1
    cycles_f = ceil_div(sizes[1] // 2, bandwidths[1]) + 1
    ready_i, ready_f, at_i, at_f = number(-1), number(-1), 0, 0
    line, stalls, total = number(0), number(0), number(0)
    while line < lines:
        next_i = ifmap.line[at_i] if at_i < len(ifmap.line) else NEVER
        next_f = filters.line[at_f] if at_f < len(filters.line) else NEVER
        event = min(next_i, next_f, next_write(out, drain, sizes[2], line, stalls), lines - 1)
        before = outputs_before(out, event)
        passed = before - outputs_before(out, line)
        drain[FREE] -= passed
        drain[QUEUED] += (drain[FILLING] + passed) // bandwidths[2]
        drain[FILLING] = (drain[FILLING] + passed) % bandwidths[2]
        now, stall_i, stall_f = event + stalls, 0, 0
        if next_i == event:
            stall_i, ready_i = wait(now, ready_i, cycles_i, ifmap.times[at_i])
            at_i += 1
        if next_f == event:
            stall_f, ready_f = wait(now, ready_f, cycles_f, filters.times[at_f])
            at_f += 1
        count = outputs_before(out, event + 1) - before
        total = write(drain, short, sizes[2], bandwidths[2], count, now)
        stalls += max(stall_i, stall_f, total - now)
        line = event + 1
    close_line(drain, short, bandwidths[2])
    now = total
    while drain[DRAINED] < drain[QUEUED]:
        write_back(drain, short, sizes[2] // 2, bandwidths[2], now)
        now = drain[BUSY] + 1
    return total, stalls, drain


@compiled
def unlimited_reads(stream: Stream, words: int) -> tuple[int, int, int]:
    """Words that a read buffer of `words` fetches, and the first and last cycle in which it does.

    Before the first request it fills half of itself, or what it will ever need.
    """
    found = misses_of(stream, words)
    each = words // SETS
    if found.flushes == 0:
        half = ceil_div(found.words, each) * each
        return found.words, -ceil_div(half, PREFETCH_WORDS_PER_CYCLE), -1
    first, _ = block_lines(stream, block_of(stream, number(0)))
    first += stream.line - ceil_div(SETS // 2 * each, PREFETCH_WORDS_PER_CYCLE)
    return found.words, first, found.line + 1


@compiled
def limited_reads(
    stream: Stream, events: Events, words: int, bandwidth: int
) -> tuple[int, int, int]:
    """Words that a read buffer of `words` fetches, and the first and last cycle in which it does.

    A bus line counts in full.
    """
    rows, _ = stack_of(stream)
    first = min(ceil_div(ceil_div(words, 2), bandwidth), ceil_div(rows * stream.width, bandwidth))
    times, cycles = events.times.sum(), ceil_div(words // 2, bandwidth)
    # Each prefetch waits a cycle for DRAM; the first ended as the array started.
    return (first + times * cycles) * bandwidth, -first, times * (cycles + 1) - 1


@compiled
def conv_of(row: Ints) -> Conv:
    """The layer that a row of bounds describes."""
    return Conv(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6],
        row[7], row[8], row[9], row[10], row[11], row[12],
    )  # fmt: skip


@compiled
def finish(result: Ints, total: int, stalls: int, drain: Ints) -> None:
    """Writes down what `play` found."""
    result[CYCLES], result[STALLS] = total, stalls
    result[OFMAP_WRITES] = drain[WORDS]
    result[OFMAP_START], result[OFMAP_STOP] = drain[FIRST], drain[LAST]


@njit(cache=True, error_model="numpy", nogil=True)
def run_unlimited(
    start: int, stop: int, pairs: Ints, designs: Ints, layers: Ints, results: Ints
) -> None:
    """Runs pairs `start` to `stop` of (design, layer), with interfaces as fast as needed.

    Args:
        start, stop: rows of `pairs`.
        pairs: (design, layer), `(m, 2)`.
        designs: `(n, SETTINGS)`.
        layers: fields of `Conv`, `(u, 13)`.
        results: written, `(m, RESULTS)`.
    """
    none = np.empty(0, np.int64)
    for row in range(start, stop):
        design, conv = designs[pairs[row, 0]], conv_of(layers[pairs[row, 1]])
        R, C, result = design[ROWS], design[COLUMNS], results[row]
        streams = streams_of(conv, design[DATAFLOW], R, C)
        for i in range(2):
            found = unlimited_reads(streams[i], design[SIZES + i])
            result[IFMAP_READS + i], result[IFMAP_START + i], result[IFMAP_STOP + i] = found
        # Outputs leave at most one a column and cycle, and are written back as fast.
        sizes, bandwidths = design[SIZES:BANDWIDTHS], np.array([1, 1, C])
        events, lines = Events(none, none), streams[0].folds * streams[0].fold_lines
        out = outputs_of(conv, design[DATAFLOW], R, C)
        total, stalls, drain = play(events, events, out, sizes, bandwidths, lines)
        finish(result, total, stalls, drain)


@njit(cache=True, error_model="numpy", nogil=True)
def run_limited(
    start: int, stop: int, pairs: Ints, designs: Ints, layers: Ints, results: Ints
) -> None:
    """As `run_unlimited`, with interfaces of limited bandwidth.

    `CYCLES` is `NEVER` where stalls might not fit 64 bits.
    """
    none = np.empty(0, np.int64)
    for row in range(start, stop):
        design, conv = designs[pairs[row, 0]], conv_of(layers[pairs[row, 1]])
        R, C, result = design[ROWS], design[COLUMNS], results[row]
        sizes, bandwidths = design[SIZES:BANDWIDTHS], design[BANDWIDTHS:SETTINGS]
        streams = streams_of(conv, design[DATAFLOW], R, C)
        ifmap, filters = Events(none, none), Events(none, none)
        for i in range(2):
            events = prefetches(streams[i], sizes[i])
            if events.times.astype(np.float64).sum() * sizes[i] > NEVER / 8:
                result[CYCLES] = NEVER
                break
            found = limited_reads(streams[i], events, sizes[i], bandwidths[i])
            result[IFMAP_READS + i], result[IFMAP_START + i], result[IFMAP_STOP + i] = found
            ifmap, filters = (events, filters) if i == 0 else (ifmap, events)
        if result[CYCLES] == NEVER:
            continue
        out = outputs_of(conv, design[DATAFLOW], R, C)
        lines = streams[0].folds * streams[0].fold_lines
        total, stalls, drain = play(ifmap, filters, out, sizes, bandwidths, lines)
        finish(result, total, stalls, drain)
