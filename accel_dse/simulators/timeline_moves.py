"""What moves at each step of a laid-out mapping, and what the array does, in whole cycles.

Words of a transfer, per instance of the level outside:

- where all fan-outs that it crosses multicast, words that several instances inside need are sent
  once; otherwise every instance is sent its own;
- a tile of inputs that differs from the one before only by its rows, or only by its columns, gets
  those that the one before did not have (each instance for itself);
- outputs are added on their way out where all fan-outs reduce; otherwise every instance writes its
  own sums. A tile that is revisited is read back once;
- where a ragged dimension is split over instances and a level passed by steps through it, the last
  instance is charged like the others until the last step.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

import numpy as np

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import (
    INDEXES,
    INPUTS,
    OUTPUTS,
    PARTIAL,
    WEIGHTS,
    Ints,
    P,
    Q,
    R,
    S,
)
from accel_dse.simulators.timeline_plan import (
    LONGEST,
    MAX_LINKS,
    MAX_LOOPS,
    READ,
    TABLE_ROWS,
    WRITE,
)

START = MAX_LOOPS
"""In place of a loop: the layer begins."""

END = MAX_LOOPS + 1
"""In place of a loop: the layer ends."""

ALL = 0b11111111
MOVES = np.array([sum(1 << d for d in range(8) if INDEXES[t, d]) for t in range(3)])
"""Bit masks of the dimensions that index each tensor."""

WINDOW = 1 << P | 1 << Q | 1 << R | 1 << S
"""Bit mask of the dimensions that move the window of inputs."""


@compiled
def moved(machine: Any, layer: Ints, plan: Any, loop: int, mask: int) -> int:
    """The row of the tables for the step to the next iteration of `loop`, or for `START`.

    `mask` has a bit for each dimension whose loops down to `loop` are now all at the edge.
    """
    known = plan.row[loop, mask]
    if known >> 16 == plan.generation:
        return known & 0xFFFF
    if plan.rows == TABLE_ROWS:
        plan.generation += 1
        plan.rows = 0
    row = plan.rows
    plan.rows += 1
    plan.row[loop, mask] = (plan.generation << 16) | row
    plan.fill[row] = 0
    for k in range(plan.links):
        plan.load[row, k] = plan.store[row, k] = plan.spill[row, k] = -1
    if loop == END:
        for k in range(plan.first[OUTPUTS], plan.links):
            if not plan.resident[k]:
                _enter_store(machine, plan, row, k, mask)
    else:
        _move(machine, layer, plan, loop, mask, row)
    _touch(plan, row)
    return row


@compiled
def _touch(plan: Any, row: int) -> None:
    """Bit masks of the clocks that a row reads or sets: with fresh outputs, and read back."""
    touched = back = 0
    for k in range(plan.links):
        if plan.load[row, k] >= 0:
            touched |= 1 << plan.used[k] | 1 << plan.freed[k]
            if k > plan.first[plan.tensor[k]]:
                touched |= 1 << plan.used[k - 1]
            channel = 1 << plan.channel[plan.source[k], READ]
            if plan.tensor[k] == OUTPUTS:
                back |= channel
                channel = 1 << plan.channel[plan.source[k], WRITE]
            touched |= channel
    plan.touched[row, 0] = touched
    plan.touched[row, 1] = touched | back


@compiled
def _move(machine: Any, layer: Ints, plan: Any, loop: int, mask: int, row: int) -> None:
    """Compares the tiles after the step with those before it, level by level.

    Loops inside `loop` were at their last iteration and restart; `moved` collects the dimensions
    along which a level's tile is at another place, `rows` and `columns` how far its window went.
    """
    before = after = mask
    moved = rows = columns = 0
    j = 0
    outermost = 1
    if loop == START:
        moved = ALL
    else:
        d = plan.dim[loop]
        before &= ~(1 << d)
        moved = 1 << d
        rows, columns = _shift(layer, d, plan.stride[loop], rows, columns)
        j = loop + 1
        outermost = plan.level[loop] + 1
    for level in range(outermost, machine.levels):
        while j < plan.end[level]:
            d = plan.dim[j]
            back = plan.count[before >> d & 1, j] - 1
            if back > 0:
                moved |= 1 << d
                rows, columns = _shift(layer, d, -back * plan.stride[j], rows, columns)
            if plan.count[after >> d & 1, j] > 1:
                after &= ~(1 << d)
            j += 1
        for t in range(3):
            k = plan.link[level, t]
            if k < 0 or moved & MOVES[t] == 0:
                continue
            if t == WEIGHTS:
                _enter_load(machine, layer, plan, row, k, after, 1, 1)
            elif t == INPUTS:
                _enter_inputs(machine, layer, plan, row, k, before, after, moved, rows, columns)
            else:
                _enter_outputs(machine, plan, row, k, before, after, loop == START)


@compiled
def _enter_inputs(
    machine: Any,
    layer: Ints,
    plan: Any,
    row: int,
    k: int,
    before: int,
    after: int,
    moved: int,
    rows: int,
    columns: int,
) -> None:
    """Only what the tile before did not have, if the window slid along one axis."""
    level = plan.target[k]
    height = new_height = _window(layer, plan, level, after, 0)
    width = new_width = _window(layer, plan, level, after, 1)
    if moved & MOVES[INPUTS] & ~WINDOW == 0:
        old_height = _window(layer, plan, level, before, 0)
        old_width = _window(layer, plan, level, before, 1)
        if columns == 0 and old_width == width:
            new_height -= _overlap(height, old_height, rows)
        elif rows == 0 and old_height == height:
            new_width -= _overlap(width, old_width, columns)
    if new_height * new_width > 0:
        _enter_load(machine, layer, plan, row, k, after, new_height, new_width)


@compiled
def _shift(layer: Ints, d: int, by: int, rows: int, columns: int) -> tuple[int, int]:
    """The window's place after `by` steps along `d`."""
    if d in (P, R):
        return rows + by * layer[4 + d], columns
    if d in (Q, S):
        return rows, columns + by * layer[4 + d]
    return rows, columns


@compiled
def _overlap(new: int, old: int, shift: int) -> int:
    """How much of a window of `new` rows the one of `old` rows had, `shift` rows before it."""
    return max(0, min(new, old - shift) - max(0, -shift))


@compiled
def _extent(plan: Any, level: int, mask: int, d: int) -> int:
    """What the first instance's tile of `level` spans."""
    return plan.edge[level, d] if mask >> d & 1 else plan.full[level, d]


@compiled
def _window(layer: Ints, plan: Any, level: int, mask: int, axis: int) -> int:
    """Rows (axis 0) or columns (1) of the input that a tile spans."""
    p = _extent(plan, level, mask, P + axis) - 1
    r = _extent(plan, level, mask, R + axis) - 1
    return p * layer[8 + axis] + r * layer[10 + axis] + 1


@compiled
def _know(plan: Any, k: int, mask: int) -> None:
    """Fills what the rows of a link have in common: words but for rows and columns of inputs."""
    if plan.known[k, mask] == plan.run:
        return
    plan.known[k, mask] = plan.run
    t = plan.tensor[k]
    level = plan.target[k]
    once = 1.0
    copies = 1.0
    got = 1.0
    for d in range(8 if t != INPUTS else P):
        at = mask >> d & 1
        if INDEXES[t, d]:
            once *= plan.covered[k, at, d]
            got *= plan.edge[level, d] if at else plan.full[level, d]
        else:
            copies *= plan.copies[k, at, d]
    plan.once[k, mask] = once
    plan.sent[k, mask] = once * copies
    plan.got[k, mask] = got


@compiled
def _sent(layer: Ints, plan: Any, k: int, mask: int, height: int, width: int) -> float:
    """Words that a source sends so that each instance gets `height` rows and `width` columns."""
    _know(plan, k, mask)
    words = plan.sent[k, mask]
    if plan.tensor[k] == INPUTS:
        words *= _lines(layer, plan, k, mask, 0, height)
        words *= _lines(layer, plan, k, mask, 1, width)
    return words


@compiled
def _lines(layer: Ints, plan: Any, k: int, mask: int, axis: int, new: int) -> int:
    """Rows or columns that a source sends if each instance gets `new` of them."""
    at_p = mask >> (P + axis) & 1
    at_r = mask >> (R + axis) & 1
    each = plan.served[k, at_p, P + axis] * plan.served[k, at_r, R + axis] * new
    if plan.apart[k, axis]:
        return each
    span = (plan.covered[k, at_p, P + axis] - 1) * layer[8 + axis]
    span += (plan.covered[k, at_r, R + axis] - 1) * layer[10 + axis] + 1
    return min(each, span - _window(layer, plan, plan.target[k], mask, axis) + new)


@compiled
def _cycles(machine: Any, plan: Any, k: int, way: int, kind: int, sent: float, got: float) -> int:
    """Cycles that a transfer keeps the source's channel: what its slower end needs, and issue."""
    outer = plan.source[k]
    inner = plan.target[k]
    cycles = sent * machine.word_bits[outer, kind] / machine.rate[outer, way]
    cycles = max(cycles, got * machine.word_bits[inner, kind] / machine.rate[inner, 1 - way])
    return _whole(plan, cycles) + machine.issue[outer]


@compiled
def _whole(plan: Any, cycles: float) -> int:
    """`cycles` rounded up; notes if there are too many to count."""
    if cycles > LONGEST:
        plan.too_long = True
        return LONGEST
    return int(np.ceil(cycles))


@compiled
def _enter_load(
    machine: Any, layer: Ints, plan: Any, row: int, k: int, mask: int, height: int, width: int
) -> None:
    if plan.target[k] == machine.levels - 1:
        plan.fill[row] = machine.fill
    if not plan.resident[k]:
        sent = _sent(layer, plan, k, mask, height, width)
        got = plan.got[k, mask] * height * width
        plan.load[row, k] = _cycles(machine, plan, k, READ, plan.tensor[k], sent, got)


@compiled
def _enter_outputs(
    machine: Any, plan: Any, row: int, k: int, before: int, after: int, start: bool
) -> None:
    """A revisited tile is read back once, whoever made its sums; all write what they have."""
    if plan.target[k] == machine.levels - 1:
        plan.fill[row] = machine.fill
    if plan.resident[k]:
        return
    _know(plan, k, after)
    once, got = plan.once[k, after], plan.got[k, after]
    plan.load[row, k] = _cycles(machine, plan, k, READ, PARTIAL, once, got)
    if not start:
        _enter_store(machine, plan, row, k, before)


@compiled
def _enter_store(machine: Any, plan: Any, row: int, k: int, mask: int) -> None:
    _know(plan, k, mask)
    sent, got = plan.sent[k, mask], plan.got[k, mask]
    plan.store[row, k] = _cycles(machine, plan, k, WRITE, OUTPUTS, sent, got)
    plan.spill[row, k] = _cycles(machine, plan, k, WRITE, PARTIAL, sent, got)


@compiled
def step(machine: Any, layer: Ints, plan: Any, mask: int) -> None:
    """Fills the row of `mask` (all loops given) in the tables of a step.

    The array does one multiply-accumulate per unit and cycle. Each reads its operands from the
    innermost levels that keep them, at the rate of the fullest cycle; sums are read as well as
    written unless no sum has a second product.

    What the channels stream in that time is listed by channel, with the tensor that takes most.
    """
    if plan.step_known[mask] == plan.run:
        return
    plan.step_known[mask] = plan.run
    levels = machine.levels
    compute = 1
    fullest = mask
    for d in range(8):
        trips = plan.trips[mask >> d & 1, levels - 1, d]
        compute *= trips
        if trips > 1:
            fullest &= ~(1 << d)
    if compute > LONGEST:
        plan.too_long = True
        compute = LONGEST
    _demand(machine, layer, plan, fullest)
    plan.compute[mask] = compute
    plan.streamed[mask] = 0
    k = 0
    for i in range(levels):
        for way in range(2):
            cycles = _stream(machine, plan, i, way, compute)
            if cycles > 0:
                plan.stream[mask, k] = cycles
                plan.stream_lane[mask, k] = plan.lane[i, way]
                plan.stream_clock[mask, k] = plan.channel[i, way]
                plan.stream_tensor[mask, k] = plan.heaviest[i, way]
                plan.streamed[mask] |= 1 << plan.channel[i, way]
                k += 1
    plan.streams[mask] = k


@compiled
def _stream(machine: Any, plan: Any, level: int, way: int, compute: int) -> int:
    """Cycles for which the operands of `compute` cycles keep a channel; what is written over a
    shared one counts as read.
    """
    bits = plan.demand[level, way] * compute
    rate = machine.rate[level, way]
    cycles = bits / rate
    if machine.shared[level]:
        if way == WRITE:
            return 0
        written = plan.demand[level, WRITE] * compute
        if machine.rate[level, WRITE] == rate:
            cycles = (bits + written) / rate
        else:
            cycles += written / machine.rate[level, WRITE]
    return _whole(plan, cycles)


@compiled
def _demand(machine: Any, layer: Ints, plan: Any, mask: int) -> None:
    """Bits of operands that one cycle of the array takes from each level's channels."""
    for i in range(machine.levels):
        for way in range(2):
            plan.demand[i, way] = plan.most[i, way] = 0.0
    for t in range(3):
        k = MAX_LINKS + t
        i = plan.source[k]
        bits = _sent(layer, plan, k, mask, 1, 1)
        bits *= machine.word_bits[i, PARTIAL if t == OUTPUTS else t]
        kept = 0.0
        for way in range(2):
            asked = way == READ if t != OUTPUTS else way == WRITE or plan.accumulates
            if asked:
                plan.demand[i, way] += bits
                at = READ if machine.shared[i] else way
                kept = bits / machine.rate[i, way] + (kept if machine.shared[i] else 0.0)
                if kept > plan.most[i, at]:
                    plan.most[i, at] = kept
                    plan.heaviest[i, at] = t
