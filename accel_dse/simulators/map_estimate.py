"""What a whole mapping costs, about: a closed form of the cycle-level engine in all four ways.

A hundred mappings are ranked by it for each one that is played. A layer takes as long as the
longest of: the array with what it must wait for (first tiles, fills, transfers without a second
place, the last write-back); each channel with what passes over it; each link, whose transfers
follow one another. Clipped tiles count half of what a whole one would.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from math import ceil
from typing import Any

import numpy as np

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import (
    INDEXES,
    INPUTS,
    MAX_LEVELS,
    OUTPUTS,
    PARTIAL,
    Ints,
    P,
    R,
)
from accel_dse.simulators.map_terms import WAYS, transfer_cycles
from accel_dse.simulators.timeline_plan import MAX_LOOPS, READ, WRITE

ESTIMATE = np.dtype(
    [
        # Extents of tiles by level, all factors (`full`), clipped (`first`, `last`); how many tiles
        # there are along a dimension, and how many of them are like the first.
        ("full", np.int64, (MAX_LEVELS + 1, 8)),
        ("first", np.int64, (MAX_LEVELS + 1, 8)),
        ("last", np.int64, (MAX_LEVELS + 1, 8)),
        ("many", np.float64, (MAX_LEVELS + 1, 8)),
        ("alike", np.float64, (MAX_LEVELS + 1, 8)),
        ("steps", np.float64, (MAX_LEVELS + 1,)),
        # Loops outside the innermost level, outermost first.
        ("loops", np.int64),
        ("dim", np.int64, (MAX_LOOPS,)),
        ("level", np.int64, (MAX_LOOPS,)),
        ("accumulates", np.uint8),
        # Cycles: of channels inside, of the longest link, of waits at the innermost level and at
        # others; how often the array is filled; the first words of a tensor, the last outputs.
        ("busy", np.float64, (MAX_LEVELS, 2)),
        ("longest", np.float64),
        ("fills", np.float64),
        ("waits", np.float64),
        ("apart", np.float64),
        ("start", np.float64, (3,)),
        ("drain", np.float64),
        # The same of links to DRAM, by tensor: see the numbers below.
        ("dram", np.float64, (3, 7)),
        ("sent", np.float64),
        ("got", np.float64),
        ("cycles", np.float64, (WAYS,)),
    ],
    align=True,
)
"""Scratch and result: `cycles` by way."""

CHANNEL_READ, CHANNEL_WRITE, LINK, WAITS, APART, FIRST, DRAIN = range(7)


@compiled
def estimate(
    chip: Any,
    machine: Any,
    layer: Ints,
    temporal: Any,
    spatial: Any,
    order: Any,
    work: Any,
) -> None:
    """Sets `work.cycles` of one valid mapping.

    Args:
        chip: one element of `loop_counts.pack(hardware)`.
        machine: one element of `timeline_plan.pack_machine(hardware)`.
        layer: one row of `pack_layers(layers)`.
        temporal, spatial, order: factors (those along x and y multiplied) and loops, `(L, 8)`.
        work: one `ESTIMATE` record.
    """
    levels = chip.levels
    _list_tiles(layer, levels, temporal, spatial, work)
    _list_loops(levels, temporal, order, work)
    for i in range(levels):
        work.busy[i, READ] = work.busy[i, WRITE] = 0.0
    work.longest = work.fills = work.waits = work.apart = work.drain = 0.0
    compute = work.steps[levels]
    for t in range(3):
        work.start[t] = 0.0
        for k in range(7):
            work.dram[t, k] = 0.0
        outer = 0
        for inner in range(1, levels):
            if chip.keeps[inner, t]:
                _add_link(chip, machine, layer, temporal, spatial, t, outer, inner, work)
                outer = inner
        _set_words(chip, layer, temporal, spatial, t, outer, levels, -1, work)
        bits = work.sent * chip.word_bits[outer, PARTIAL if t == OUTPUTS else t] * compute
        way = WRITE if t == OUTPUTS else READ
        work.busy[outer, way] += bits / machine.rate[outer, way]
        if t == OUTPUTS and work.accumulates:
            work.busy[outer, READ] += bits / machine.rate[outer, READ]
    for way in range(WAYS):
        work.cycles[way] = _cycles(machine, levels, compute, way, work)


@compiled
def _list_tiles(layer: Ints, levels: int, temporal: Any, spatial: Any, work: Any) -> None:
    """Sets what `ESTIMATE` says of tiles."""
    for i in range(levels + 1):
        work.steps[i] = 1.0
    for d in range(8):
        work.full[levels, d] = 1
        for i in range(levels - 1, -1, -1):
            work.full[i, d] = work.full[i + 1, d] * spatial[i, d] * temporal[i, d]
        left = layer[d]
        whole = 0.0
        work.first[0, d] = work.last[0, d] = left
        work.many[0, d] = work.alike[0, d] = 1.0
        for i in range(levels):
            tile = work.full[i + 1, d]
            stride = spatial[i, d] * tile
            trips = (left + stride - 1) // stride
            whole = whole * temporal[i, d] + (trips - 1)
            left = min(left - (trips - 1) * stride, tile)
            work.many[i + 1, d] = whole + 1.0
            work.last[i + 1, d] = left
            work.first[i + 1, d] = tile if whole > 0 else left
            work.alike[i + 1, d] = whole + 1.0 if left == tile else max(whole, 1.0)
            work.steps[i + 1] *= whole + 1.0


@compiled
def _list_loops(levels: int, temporal: Any, order: Any, work: Any) -> None:
    """Sets what `ESTIMATE` says of loops."""
    k = 0
    accumulates = False
    for i in range(levels):
        for r in range(8):
            d = order[i, r]
            if temporal[i, d] > 1:
                accumulates = accumulates or not INDEXES[OUTPUTS, d]
                if i < levels - 1:
                    work.dim[k] = d
                    work.level[k] = i
                    k += 1
    work.loops = k
    work.accumulates = accumulates


@compiled
def _visits(work: Any, loop: int) -> float:
    """Steps of the loops down to `loop`."""
    if loop < 0:
        return 1.0
    level = work.level[loop]
    visits = work.steps[level]
    k = loop
    while k >= 0 and work.level[k] == level:
        d = work.dim[k]
        visits *= work.many[level + 1, d] / work.many[level, d]
        k -= 1
    return visits


@compiled
def _mover(work: Any, tensor: int, level: int) -> int:
    """The innermost loop outside `level` that steps to other words of a tensor, -1 if none does."""
    k = work.loops - 1
    while k >= 0 and (work.level[k] >= level or not INDEXES[tensor, work.dim[k]]):
        k -= 1
    return k


@compiled
def _doubled(chip: Any, machine: Any, layer: Ints, tensor: int, level: int, work: Any) -> bool:
    """Whether a tensor's tiles have two places at `level`."""
    if not machine.double_buffered[level]:
        return False
    bits = 0.0
    for t in range(3):
        if chip.keeps[level, t] and chip.partition[level, t] == chip.partition[level, tensor]:
            kind = PARTIAL if t == OUTPUTS and work.accumulates else t
            words = 1.0
            for d in range(8):
                if INDEXES[t, d] and (t != INPUTS or d < P):
                    words *= work.full[level, d]
            if t == INPUTS:
                for axis in range(2):
                    words *= _window(layer, work.full, level, axis)
            again = 2.0 if _mover(work, t, level) >= 0 else 1.0
            bits += again * words * chip.word_bits[level, kind]
    return bits <= chip.capacity_bits[level, tensor]


@compiled
def _window(layer: Ints, extent: Any, level: int, axis: int) -> int:
    """Rows (axis 0) or columns (1) of inputs that a tile of `level` needs."""
    return (
        (extent[level, P + axis] - 1) * layer[8 + axis]
        + (extent[level, R + axis] - 1) * layer[10 + axis]
        + 1
    )


@compiled
def _set_words(
    chip: Any,
    layer: Ints,
    temporal: Any,
    spatial: Any,
    tensor: int,
    outer: int,
    inner: int,
    loop: int,
    work: Any,
) -> None:
    """Sets the words that an instance of `outer` sends and one of `inner` gets: a whole tile, or
    what it lacks after a step of `loop`.
    """
    sent = got = 1.0
    shared = True
    for i in range(outer, inner):
        shared = shared and (chip.reduces[i] if tensor == OUTPUTS else chip.multicast[i]) != 0
    for d in range(8):
        if INDEXES[tensor, d]:
            if tensor != INPUTS or d < P:
                covered = work.first[inner, d]
                for i in range(outer, inner):
                    covered *= spatial[i, d]
                sent *= min(covered, work.first[outer, d])
                got *= work.first[inner, d]
        elif not shared:
            for i in range(outer, inner):
                if not (chip.reduces[i] if tensor == OUTPUTS else chip.multicast[i]):
                    sent *= spatial[i, d]
    if tensor == INPUTS:
        for axis in range(2):
            rows = _window(layer, work.first, inner, axis)
            new = rows
            if loop >= 0 and work.dim[loop] >= P and (work.dim[loop] - P) % 2 == axis:
                d, i = work.dim[loop], work.level[loop]
                new = rows - max(0, rows - layer[4 + d] * spatial[i, d] * work.full[i + 1, d])
            p, r = work.first[inner, P + axis], work.first[inner, R + axis]
            apart = not shared
            for i in range(outer, inner):
                p *= spatial[i, P + axis]
                r *= spatial[i, R + axis]
                if i > outer and (temporal[i, P + axis] > 1 or temporal[i, R + axis] > 1):
                    apart = True
            p, r = min(p, work.first[outer, P + axis]), min(r, work.first[outer, R + axis])
            served = ceil(p / work.first[inner, P + axis]) * ceil(r / work.first[inner, R + axis])
            span = (p - 1) * layer[8 + axis] + (r - 1) * layer[10 + axis] + 1
            sent *= served * new if apart else min(served * new, span - rows + new)
            got *= new
    work.sent = sent
    work.got = got


@compiled
def _add_link(
    chip: Any,
    machine: Any,
    layer: Ints,
    temporal: Any,
    spatial: Any,
    tensor: int,
    outer: int,
    inner: int,
    work: Any,
) -> None:
    """Adds what passes between two levels that keep a tensor."""
    loop = _mover(work, tensor, inner)
    visits = _visits(work, loop)
    innermost = inner == chip.levels - 1
    if innermost:
        work.fills = max(work.fills, visits)
    alike = own = 1.0
    for d in range(8):
        if INDEXES[tensor, d]:
            own *= work.many[inner, d]
            alike *= work.alike[inner, d] / work.many[inner, d]
    share = 0.5 * (1.0 + alike)
    issue, latency = machine.issue[outer], machine.latency[outer]
    written = first = drain = 0.0
    _set_words(chip, layer, temporal, spatial, tensor, outer, inner, -1, work)
    if tensor == OUTPUTS:
        back = visits - own
        final = transfer_cycles(machine, work.sent, work.got, outer, inner, OUTPUTS, WRITE)
        spill = transfer_cycles(machine, work.sent, work.got, outer, inner, PARTIAL, WRITE)
        again = transfer_cycles(machine, work.sent, work.got, outer, inner, PARTIAL, READ)
        written = share * (own * final + back * spill) + visits * issue
        read = share * back * again + back * issue
        link = max(written, read + back * latency)
        wait = written + read + back * latency
        drain = final + issue
        for d in range(8):
            if INDEXES[OUTPUTS, d]:
                drain *= work.last[inner, d] / work.first[inner, d]
    else:
        cycles = transfer_cycles(machine, work.sent, work.got, outer, inner, tensor, READ)
        read = visits * cycles
        asked = visits
        if tensor == INPUTS and loop >= 0 and work.dim[loop] >= P:
            runs = visits / temporal[work.level[loop], work.dim[loop]]
            _set_words(chip, layer, temporal, spatial, tensor, outer, inner, loop, work)
            slid = transfer_cycles(machine, work.sent, work.got, outer, inner, tensor, READ)
            read = runs * cycles + (visits - runs) * slid
            asked = runs if slid == 0 else visits
        read = max(share * read, asked) + asked * issue
        link = read + asked * latency
        first = cycles + issue
        wait = link - first - latency
    if _doubled(chip, machine, layer, tensor, inner, work):
        wait = 0.0
    if outer == 0:
        dram = work.dram[tensor]
        dram[CHANNEL_READ], dram[CHANNEL_WRITE] = read, written
        dram[LINK], dram[FIRST], dram[DRAIN] = link, first, drain
        dram[WAITS if innermost else APART] = wait
        return
    work.busy[outer, READ] += read
    work.busy[outer, WRITE] += written
    work.longest = max(work.longest, link)
    if innermost:
        work.waits = max(work.waits, wait)
    else:
        work.apart += wait
    if tensor != OUTPUTS:
        work.start[tensor] += first + latency
    work.drain += drain


@compiled
def _cycles(machine: Any, levels: int, compute: float, way: int, work: Any) -> float:
    """Cycles in one way: without links to DRAM of what arrives or stays on the chip."""
    read, written = work.busy[0, READ], work.busy[0, WRITE]
    waits, apart, longest, drain = work.waits, work.apart, work.longest, work.drain
    queue = start = 0.0
    for t in range(3):
        ready = work.start[t]
        if not ((t == INPUTS and way & 2) or (t == OUTPUTS and way & 1)):
            dram = work.dram[t]
            read += dram[CHANNEL_READ]
            written += dram[CHANNEL_WRITE]
            waits = max(waits, dram[WAITS])
            apart += dram[APART]
            longest = max(longest, dram[LINK])
            drain += dram[DRAIN]
            if t != OUTPUTS:
                queue += dram[FIRST]
                ready += queue + machine.latency[0]
        start = max(start, ready)
    array = compute + machine.fill * work.fills + waits
    busy = read + written if machine.shared[0] else max(read, written)
    # The channel to DRAM idles, at the least, while the last tile is worked on.
    cycles = max(start + array + apart + drain, busy + array / work.steps[1])
    for i in range(1, levels):
        busy = max(work.busy[i, READ], work.busy[i, WRITE])
        if machine.shared[i]:
            busy = work.busy[i, READ] + work.busy[i, WRITE]
        cycles = max(cycles, start + busy + drain)
    return max(cycles, longest)
