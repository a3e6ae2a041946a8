"""What moves at each step of a mapping, in whole cycles: the tables behind `timeline`.

`lay_out` turns one (design, layer, mapping) into a list of loops, a list of *links* and the clocks
that make up the state of the machine. A link joins a level that keeps a tensor to the next level
outside that keeps it. `moved` says how long each link is busy when a loop advances, and `step` how
long the array computes.

A dimension whose bound is less than the product of its factors is *ragged*: its last tiles are
clipped. Time follows the first instance of every fan-out, which never has less to do than the
others. Along one dimension a tile is either full or at the edge, so a bit mask of the dimensions
that are at the edge says everything about its size.

Words of a transfer, per instance of the level outside:

- where all fan-outs that it crosses multicast, words that several instances inside need are sent
  once; otherwise every instance is sent its own;
- a tile that differs from the one before only by its rows, or only by its columns, gets only those
  that the one before did not have (each instance for itself);
- outputs are added on their way out where all fan-outs reduce; otherwise every instance writes its
  own sums;
- where a ragged dimension is split over instances and a level passed by steps through it, the last
  instance is charged like the others until the last step.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from accel_dse.errors import SimulatorError
from accel_dse.hardware import Hardware
from accel_dse.simulators.loop_records import INDEXES, MAX_LEVELS

Ints = NDArray[np.int64]

N, G, K, C, P, Q, R, S = range(8)
WEIGHTS, INPUTS, OUTPUTS = range(3)
PARTIAL = 3
READ, WRITE = 0, 1

MAX_LOOPS = 8 * (MAX_LEVELS - 1)
MAX_LINKS = 3 * (MAX_LEVELS - 1)
MAX_CLOCKS = 60
TABLES = 512
"""Entries of the tables that are remembered at a time."""

START = MAX_LOOPS
"""In place of a loop: the layer begins."""

END = MAX_LOOPS + 1
"""In place of a loop: the layer ends."""

ROWS = 1 << P | 1 << R
COLUMNS = 1 << Q | 1 << S
"""Dimensions that move the input window along its rows, and along its columns."""

LONGEST = 2**40
"""No transfer or step is longer; sums of 2^20 such are still whole numbers in 64 bits."""

MACHINE = np.dtype(
    [
        ("levels", np.int64),
        ("keeps", np.uint8, (MAX_LEVELS, 3)),
        ("partition", np.int64, (MAX_LEVELS, 3)),
        ("multicast", np.uint8, (MAX_LEVELS,)),
        ("reduces", np.uint8, (MAX_LEVELS,)),
        ("double_buffered", np.uint8, (MAX_LEVELS,)),
        ("capacity_bits", np.float64, (MAX_LEVELS, 3)),
        ("word_bits", np.float64, (MAX_LEVELS, 4)),
        ("rate", np.float64, (MAX_LEVELS, 2)),
        ("shared", np.uint8, (MAX_LEVELS,)),
        ("latency", np.int64, (MAX_LEVELS,)),
        ("issue", np.int64, (MAX_LEVELS,)),
        ("fill", np.int64),
    ]
)
"""One design as the kernels read it. `rate` is bits per cycle of one instance for reads and for
writes, each no more than the shared bandwidth; latencies are rounded up to whole cycles."""

PLAN = np.dtype(
    [
        # tiles, by level and dimension
        ("full", np.int64, (MAX_LEVELS + 1, 8)),
        ("edge", np.int64, (MAX_LEVELS + 1, 8)),
        ("reach", np.int64, (MAX_LEVELS, 8)),
        ("trips", np.int64, (2, MAX_LEVELS, 8)),
        ("spatial", np.int64, (MAX_LEVELS, 8)),
        ("ragged", np.int64),
        # loops, outermost first; `end` by level: how many loops lie outside its tiles
        ("loops", np.int64),
        ("end", np.int64, (MAX_LEVELS + 1,)),
        ("level", np.int64, (MAX_LOOPS,)),
        ("dim", np.int64, (MAX_LOOPS,)),
        ("count", np.int64, (2, MAX_LOOPS)),
        ("stride", np.int64, (MAX_LOOPS,)),
        ("stays", np.uint8, (MAX_LOOPS,)),
        ("writes", np.uint8, (MAX_LOOPS,)),
        # links, tensor by tensor, outermost first; then one for each tensor to the MACs
        ("links", np.int64),
        ("first", np.int64, (4,)),
        ("source", np.int64, (MAX_LINKS + 3,)),
        ("target", np.int64, (MAX_LINKS + 3,)),
        ("tensor", np.int64, (MAX_LINKS + 3,)),
        ("resident", np.uint8, (MAX_LINKS,)),
        ("double", np.uint8, (MAX_LINKS,)),
        ("covered", np.int64, (MAX_LINKS + 3, 2, 8)),
        ("served", np.int64, (MAX_LINKS + 3, 2, 8)),
        ("copies", np.int64, (MAX_LINKS + 3, 2, 8)),
        ("apart", np.uint8, (MAX_LINKS + 3, 2)),
        ("accumulates", np.int64),
        # clocks: indices into the state; `channel` by level and direction, `freed` and `used` by link
        ("clocks", np.int64),
        ("channel", np.int64, (MAX_LEVELS, 2)),
        ("freed", np.int64, (MAX_LINKS,)),
        ("used", np.int64, (MAX_LINKS,)),
        # tables of `moved` by (loop, mask), and of `step` by mask
        ("run", np.int64),
        ("generation", np.int64),
        ("rows", np.int64),
        ("row", np.int64, (MAX_LOOPS + 2, 256)),
        ("load", np.int64, (TABLES, MAX_LINKS)),
        ("store", np.int64, (TABLES, MAX_LINKS)),
        ("spill", np.int64, (TABLES, MAX_LINKS)),
        ("fill", np.int64, (TABLES,)),
        ("touched", np.int64, (TABLES, 2)),
        ("step_row", np.int64, (256,)),
        ("compute", np.int64, (256,)),
        ("busy", np.int64, (256,)),
        ("streams", np.int64),
        ("stream_clock", np.int64, (2 * MAX_LEVELS,)),
        ("busy_cause", np.int64, (256,)),
        ("stream", np.int64, (256, 2 * MAX_LEVELS)),
        ("streamed", np.int64, (256,)),
        ("stream_cause", np.int64, (256, 2 * MAX_LEVELS)),
        ("demand", np.float64, (MAX_LEVELS, 2)),
        ("most", np.float64, (MAX_LEVELS, 2)),
        ("heaviest", np.int64, (MAX_LEVELS, 2)),
    ]
)
"""One (design, layer, mapping) laid out. Tables hold cycles; -1 in `load` and `store` means that
nothing moves. `writes`: whether outputs are exchanged in a loop or inside it. `touched` (by whether
outputs are read back) and `streamed` are bit masks of clocks. `busy` is how long a step's operands keep the array, `stream` how long they keep a
channel that has transfers too; a cause is `3 * level + tensor`."""


def pack_machine(hardware: Hardware) -> Any:
    """The designs as the kernels read them, `MACHINE` records of shape `(n,)`.

    Raises:
        SimulatorError: more levels than `MAX_LEVELS`, a bandwidth of 0, or a latency that is not
            finite.
    """
    count = len(hardware.levels)
    if count > MAX_LEVELS:
        raise SimulatorError(f"hardware: at most {MAX_LEVELS} levels, got {count}")
    machines = np.zeros(len(hardware), MACHINE)
    machines["levels"] = count
    for name in ("keeps", "partition", "multicast", "reduces", "double_buffered"):
        machines[name][:, :count] = getattr(hardware, name)
    machines["capacity_bits"][:, :count] = hardware.capacity_bits
    machines["word_bits"][:, :count] = hardware.word_bits
    machines["shared"][:, :count] = np.isfinite(hardware.shared_bits_per_cycle)
    for way, name in enumerate(("read_bits_per_cycle", "write_bits_per_cycle")):
        rate = np.minimum(getattr(hardware, name), hardware.shared_bits_per_cycle)
        if not (rate > 0).all():
            raise SimulatorError(f"hardware: {name}: must be positive, got 0")
        machines["rate"][:, :count, way] = rate
    for field in ("latency", "issue", "fill"):
        cycles = np.ceil(getattr(hardware, f"{field}_cycles"))
        if not (cycles < LONGEST).all():
            raise SimulatorError(f"hardware: {field}_cycles: too long, got {cycles.max():g}")
        machines[field][(slice(None), slice(count))[: cycles.ndim]] = cycles
    return machines


def new_plan(n: int = 1) -> Any:
    """Room for `n` threads: pass one element to the kernels."""
    return np.zeros(n, PLAN)


@njit(cache=True)
def lay_out(
    machine: Any,
    layer: Ints,
    temporal: Ints,
    spatial_x: Ints,
    spatial_y: Ints,
    order: Ints,
    inputs_resident: bool,
    outputs_resident: bool,
    plan: Any,
) -> None:
    """Fills `plan`; its tables are empty and grow as `moved` and `step` are asked."""
    _tiles(machine, layer, temporal, spatial_x, spatial_y, plan)
    _loops(machine, temporal, order, plan)
    _links(machine, temporal, inputs_resident, outputs_resident, plan)
    _buffers(machine, layer, plan)
    _clocks(machine, plan)
    plan.run += 1
    plan.generation += 1
    plan.rows = 0


@njit(cache=True)
def _tiles(
    machine: Any, layer: Ints, temporal: Ints, spatial_x: Ints, spatial_y: Ints, plan: Any
) -> None:
    """Extents of full tiles and of the first instance's tile at the edge, and both trip counts."""
    levels = machine.levels
    plan.ragged = 0
    for d in range(8):
        plan.full[levels, d] = 1
        for i in range(levels - 1, -1, -1):
            plan.spatial[i, d] = spatial_x[i, d] * spatial_y[i, d]
            plan.full[i, d] = plan.full[i + 1, d] * plan.spatial[i, d] * temporal[i, d]
        extent = layer[d]
        if extent != plan.full[0, d]:
            plan.ragged |= 1 << d
        for i in range(levels):
            stride = plan.spatial[i, d] * plan.full[i + 1, d]
            trips = (extent + stride - 1) // stride
            plan.edge[i, d] = extent
            plan.trips[0, i, d] = temporal[i, d]
            plan.trips[1, i, d] = trips
            extent -= (trips - 1) * stride
            plan.reach[i, d] = extent
            extent = min(extent, plan.full[i + 1, d])
        plan.edge[levels, d] = extent


@njit(cache=True)
def _loops(machine: Any, temporal: Ints, order: Ints, plan: Any) -> None:
    """Loops that step, except those of the innermost level, which are one step of computing."""
    levels = machine.levels
    k = 0
    plan.end[0] = 0
    for i in range(levels - 1):
        for r in range(8):
            d = order[i, r]
            if temporal[i, d] > 1:
                plan.level[k] = i
                plan.dim[k] = d
                plan.count[0, k] = temporal[i, d]
                plan.count[1, k] = plan.trips[1, i, d]
                plan.stride[k] = plan.spatial[i, d] * plan.full[i + 1, d]
                plan.stays[k] = _edge_stays(plan, i, d)
                k += 1
        plan.end[i + 1] = k
    plan.end[levels] = k
    plan.loops = k
    written = levels - 1
    while written > 0 and not machine.keeps[written, OUTPUTS]:
        written -= 1
    writes = False
    for j in range(k - 1, -1, -1):
        writes = writes or (plan.level[j] < written and INDEXES[OUTPUTS, plan.dim[j]])
        plan.writes[j] = writes


@njit(cache=True)
def _edge_stays(plan: Any, level: int, d: int) -> bool:
    """Whether the last step of a loop at the edge differs from the others in anything inside."""
    if plan.reach[level, d] != plan.spatial[level, d] * plan.full[level + 1, d]:
        return True
    for i in range(level):
        tile = plan.full[i + 1, d]
        if plan.reach[i, d] > tile and plan.reach[i, d] != plan.spatial[i, d] * tile:
            return True
    return False


@njit(cache=True)
def _links(
    machine: Any, temporal: Ints, inputs_resident: bool, outputs_resident: bool, plan: Any
) -> None:
    """Lists the links, and how many words and instances each serves."""
    levels = machine.levels
    k = 0
    for t in range(3):
        plan.first[t] = k
        outer = 0
        for i in range(1, levels):
            if machine.keeps[i, t]:
                plan.source[k] = outer
                plan.target[k] = i
                plan.tensor[k] = t
                plan.resident[k] = outer == 0 and (
                    (t == INPUTS and inputs_resident) or (t == OUTPUTS and outputs_resident)
                )
                _reach(machine, temporal, plan, k)
                outer = i
                k += 1
        plan.source[MAX_LINKS + t] = outer
        plan.target[MAX_LINKS + t] = levels
        plan.tensor[MAX_LINKS + t] = t
        _reach(machine, temporal, plan, MAX_LINKS + t)
    plan.first[3] = k
    plan.links = k
    plan.accumulates = False
    for i in range(levels):
        if temporal[i, C] > 1 or temporal[i, R] > 1 or temporal[i, S] > 1:
            plan.accumulates = True


@njit(cache=True)
def _reach(machine: Any, temporal: Ints, plan: Any, k: int) -> None:
    """Along each dimension, full and at the edge: what all instances inside a source cover, how
    many there are, and how many copies of a word that the dimension does not index they need."""
    outer = plan.source[k]
    inner = plan.target[k]
    t = plan.tensor[k]
    plan.apart[k, 0] = plan.apart[k, 1] = False
    for d in range(8):
        covered = plan.full[inner, d]
        served = 1
        copies = 1
        # From the inside out; at the edge, from where the first instance is not full any more.
        edge_covered = plan.edge[inner, d]
        edge_served = 1
        edge_copies = 1
        for i in range(inner - 1, outer - 1, -1):
            split = plan.spatial[i, d]
            shared = machine.reduces[i] if t == OUTPUTS else machine.multicast[i]
            tile = plan.full[i + 1, d]
            reach = plan.reach[i, d]
            if reach > tile:
                whole = reach // tile
                rest = min(reach - whole * tile, covered)
                edge_covered = whole * covered + rest
                base = plan.full[inner, d]
                edge_served = whole * served + (rest + base - 1) // base
                active = whole + (1 if rest > 0 else 0)
                edge_copies = copies if shared else copies * active
            covered *= split
            served *= split
            if not shared:
                copies *= split
            if i > outer and temporal[i, d] > 1 and d >= P:
                plan.apart[k, (d - P) % 2] = True
        plan.covered[k, 0, d] = covered
        plan.covered[k, 1, d] = edge_covered
        plan.served[k, 0, d] = served
        plan.served[k, 1, d] = edge_served
        plan.copies[k, 0, d] = copies
        plan.copies[k, 1, d] = edge_copies


@njit(cache=True)
def _buffers(machine: Any, layer: Ints, plan: Any) -> None:
    """A level is double-buffered if two tiles of each tensor in a partition fit; a tensor that has
    only one tile in the whole layer takes one place."""
    for k in range(plan.links):
        i = plan.target[k]
        plan.double[k] = False
        if machine.double_buffered[i]:
            bits = 0.0
            for j in range(plan.links):
                same = machine.partition[i, plan.tensor[j]] == machine.partition[i, plan.tensor[k]]
                if plan.target[j] == i and same:
                    bits += _footprint(machine, layer, plan, j)
            plan.double[k] = bits <= machine.capacity_bits[i, plan.tensor[k]]


@njit(cache=True)
def _footprint(machine: Any, layer: Ints, plan: Any, k: int) -> float:
    """Bits that the tiles of a link's target take, two of them if it ever gets another one."""
    t = plan.tensor[k]
    i = plan.target[k]
    kind = PARTIAL if t == OUTPUTS and plan.accumulates else t
    bits = machine.word_bits[i, kind] * _words(layer, plan.full[i], t)
    for j in range(plan.end[i]):
        if INDEXES[t, plan.dim[j]]:
            return 2.0 * bits
    return bits


@njit(cache=True)
def _words(layer: Ints, extent: Ints, tensor: int) -> float:
    """Words of a tile."""
    words = 1.0
    for d in range(8):
        if INDEXES[tensor, d] and (tensor != INPUTS or d < P):
            words *= extent[d]
    if tensor == INPUTS:
        words *= layer[8] * (extent[P] - 1) + layer[10] * (extent[R] - 1) + 1
        words *= layer[9] * (extent[Q] - 1) + layer[11] * (extent[S] - 1) + 1
    return words


@njit(cache=True)
def _clocks(machine: Any, plan: Any) -> None:
    """Numbers the points in time that the future depends on. Clock 0 is the array's."""
    k = 1
    plan.channel[:] = 0
    for j in range(plan.links):
        if plan.resident[j]:
            plan.freed[j] = plan.used[j] = 0
            continue
        i = plan.source[j]
        for way in range(2):
            if plan.channel[i, way] == 0 and (way == READ or plan.tensor[j] == OUTPUTS):
                if machine.shared[i] and plan.channel[i, 1 - way] > 0:
                    plan.channel[i, way] = plan.channel[i, 1 - way]
                else:
                    plan.channel[i, way] = k
                    k += 1
        plan.freed[j] = 0
        if plan.double[j]:
            plan.freed[j] = k
            k += 1
        plan.used[j] = 0
        if j + 1 < plan.first[plan.tensor[j] + 1]:
            plan.used[j] = k
            k += 1
    plan.clocks = k
    plan.streams = 0
    for i in range(machine.levels):
        for way in range(2):
            clock = plan.channel[i, way]
            if clock > 0 and not (way == WRITE and clock == plan.channel[i, READ]):
                plan.stream_clock[plan.streams] = clock
                plan.streams += 1


@njit(cache=True)
def moved(machine: Any, layer: Ints, plan: Any, loop: int, mask: int) -> int:
    """The row of the tables for the step to the next iteration of `loop`, or for `START`.

    `mask` has a bit for each dimension whose loops down to `loop` are now all at the edge.
    """
    known = plan.row[loop, mask]
    if known >> 16 == plan.generation:
        return known & 0xFFFF
    if plan.rows == TABLES:
        plan.generation += 1
        plan.rows = 0
    row = plan.rows
    plan.rows += 1
    plan.row[loop, mask] = (plan.generation << 16) | row
    plan.fill[row] = 0
    for k in range(plan.links):
        plan.load[row, k] = plan.store[row, k] = plan.spill[row, k] = -1
        if loop == END:
            if plan.tensor[k] == OUTPUTS and not plan.resident[k]:
                _enter_store(machine, layer, plan, row, k, mask)
        elif loop == START or plan.level[loop] < plan.target[k]:
            _move(machine, layer, plan, loop, mask, row, k)
    _touch(plan, row)
    return row


@njit(cache=True)
def _touch(plan: Any, row: int) -> None:
    """Bit masks of the clocks that a row reads or sets: with outputs fresh, and read back."""
    touched = 0
    reread = 0
    for k in range(plan.links):
        if plan.load[row, k] >= 0:
            own = 1 << plan.used[k] | 1 << plan.freed[k]
            outer = 0
            if k > plan.first[plan.tensor[k]]:
                outer = 1 << plan.used[k - 1]
            channel = 1 << plan.channel[plan.source[k], READ]
            if plan.tensor[k] == OUTPUTS:
                touched |= own | outer | 1 << plan.channel[plan.source[k], WRITE]
                reread |= channel
            else:
                touched |= own | outer | channel
    plan.touched[row, 0] = touched
    plan.touched[row, 1] = touched | reread


@njit(cache=True)
def _move(machine: Any, layer: Ints, plan: Any, loop: int, mask: int, row: int, k: int) -> None:
    """Enters what link `k` moves: compares the tile after the step with the one before it.

    Loops inside `loop` were at their last iteration and restart; `moved` collects the dimensions
    along which the tile is at another place, `shift` how far its window went.
    """
    t = plan.tensor[k]
    inner = plan.target[k]
    before = mask
    after = mask
    moved = 0
    rows = 0
    columns = 0
    begin = 0
    if loop != START:
        begin = loop + 1
        d = plan.dim[loop]
        before &= ~(1 << d)
        if INDEXES[t, d]:
            moved |= 1 << d
            rows, columns = _shift(layer, d, plan.stride[loop], rows, columns)
    for j in range(begin, plan.end[inner]):
        d = plan.dim[j]
        back = plan.count[before >> d & 1, j] - 1
        if loop != START and INDEXES[t, d] and back > 0:
            moved |= 1 << d
            rows, columns = _shift(layer, d, -back * plan.stride[j], rows, columns)
        if plan.count[after >> d & 1, j] > 1:
            after &= ~(1 << d)
    if loop != START and moved == 0:
        return
    if t == OUTPUTS:
        _enter_outputs(machine, layer, plan, row, k, before, after, loop == START)
        return
    height = _window(layer, plan, inner, after, 0)
    width = _window(layer, plan, inner, after, 1)
    if t == INPUTS and loop != START:
        if moved & ~ROWS == 0:
            height -= _overlap(height, _window(layer, plan, inner, before, 0), rows)
        elif moved & ~COLUMNS == 0:
            width -= _overlap(width, _window(layer, plan, inner, before, 1), columns)
    if t == WEIGHTS or height * width > 0:
        _enter_load(machine, layer, plan, row, k, after, height, width)


@njit(cache=True)
def _shift(layer: Ints, d: int, by: int, rows: int, columns: int) -> tuple[int, int]:
    """The window's place after `by` steps along `d`."""
    if d == P or d == R:
        return rows + by * layer[4 + d], columns
    if d == Q or d == S:
        return rows, columns + by * layer[4 + d]
    return rows, columns


@njit(cache=True)
def _overlap(new: int, old: int, shift: int) -> int:
    """How much of a window of `new` rows the one of `old` rows had, `shift` rows before it."""
    return max(0, min(new, old - shift) - max(0, -shift))


@njit(cache=True)
def _extent(plan: Any, level: int, mask: int, d: int) -> int:
    """What the first instance's tile of `level` spans."""
    return plan.edge[level, d] if mask >> d & 1 else plan.full[level, d]


@njit(cache=True)
def _window(layer: Ints, plan: Any, level: int, mask: int, axis: int) -> int:
    """Rows (axis 0) or columns (1) of the input that a tile spans."""
    p = _extent(plan, level, mask, P + axis) - 1
    r = _extent(plan, level, mask, R + axis) - 1
    return p * layer[8 + axis] + r * layer[10 + axis] + 1


@njit(cache=True)
def _sent(layer: Ints, plan: Any, k: int, mask: int, height: int, width: int) -> float:
    """Words that a source sends so that each instance gets `height` rows and `width` columns."""
    t = plan.tensor[k]
    words = 1.0
    shared = True
    for d in range(8):
        at = mask >> d & 1
        if INDEXES[t, d] and (t != INPUTS or d < P):
            words *= plan.covered[k, at, d]
        elif not INDEXES[t, d]:
            words *= plan.copies[k, at, d]
        if plan.copies[k, 0, d] > 1:
            shared = False
    if t == INPUTS:
        words *= _sent_lines(layer, plan, k, mask, 0, height, shared)
        words *= _sent_lines(layer, plan, k, mask, 1, width, shared)
    return words


@njit(cache=True)
def _sent_lines(
    layer: Ints, plan: Any, k: int, mask: int, axis: int, lines: int, shared: bool
) -> int:
    """Distinct rows or columns that a source sends if each instance gets `lines` of them."""
    at_p = mask >> (P + axis) & 1
    at_r = mask >> (R + axis) & 1
    each = plan.served[k, at_p, P + axis] * plan.served[k, at_r, R + axis] * lines
    if not shared or plan.apart[k, axis]:
        return each
    span = (plan.covered[k, at_p, P + axis] - 1) * layer[8 + axis]
    span += (plan.covered[k, at_r, R + axis] - 1) * layer[10 + axis] + 1
    return min(each, span)


@njit(cache=True)
def _got(plan: Any, k: int, mask: int, height: int, width: int) -> float:
    """Words that the first instance of a target gets."""
    t = plan.tensor[k]
    words = 1.0
    for d in range(8):
        if INDEXES[t, d] and (t != INPUTS or d < P):
            words *= _extent(plan, plan.target[k], mask, d)
    if t == INPUTS:
        words *= height * width
    return words


@njit(cache=True)
def _cycles(machine: Any, plan: Any, k: int, way: int, kind: int, sent: float, got: float) -> int:
    """Cycles that a transfer keeps the source's channel: what its slower end needs, and issue."""
    outer = plan.source[k]
    inner = plan.target[k]
    cycles = sent * machine.word_bits[outer, kind] / machine.rate[outer, way]
    cycles = max(cycles, got * machine.word_bits[inner, kind] / machine.rate[inner, 1 - way])
    return int(min(np.ceil(cycles), LONGEST)) + machine.issue[outer]


@njit(cache=True)
def _enter_load(
    machine: Any, layer: Ints, plan: Any, row: int, k: int, mask: int, height: int, width: int
) -> None:
    if plan.target[k] == machine.levels - 1:
        plan.fill[row] = machine.fill
    if not plan.resident[k]:
        sent = _sent(layer, plan, k, mask, height, width)
        got = _got(plan, k, mask, height, width)
        plan.load[row, k] = _cycles(machine, plan, k, READ, plan.tensor[k], sent, got)


@njit(cache=True)
def _enter_outputs(
    machine: Any, layer: Ints, plan: Any, row: int, k: int, before: int, after: int, start: bool
) -> None:
    """A revisited tile is read back once, whoever made its sums; all write what they have."""
    if plan.target[k] == machine.levels - 1:
        plan.fill[row] = machine.fill
    if plan.resident[k]:
        return
    got = _got(plan, k, after, 0, 0)
    plan.load[row, k] = _cycles(machine, plan, k, READ, PARTIAL, _covered(plan, k, after), got)
    if not start:
        _enter_store(machine, layer, plan, row, k, before)


@njit(cache=True)
def _enter_store(machine: Any, layer: Ints, plan: Any, row: int, k: int, mask: int) -> None:
    sent = _sent(layer, plan, k, mask, 0, 0)
    got = _got(plan, k, mask, 0, 0)
    plan.store[row, k] = _cycles(machine, plan, k, WRITE, OUTPUTS, sent, got)
    plan.spill[row, k] = _cycles(machine, plan, k, WRITE, PARTIAL, sent, got)


@njit(cache=True)
def _covered(plan: Any, k: int, mask: int) -> float:
    """Distinct outputs that all instances inside a source hold."""
    words = 1.0
    for d in range(8):
        if INDEXES[OUTPUTS, d]:
            words *= plan.covered[k, mask >> d & 1, d]
    return words


@njit(cache=True)
def step(machine: Any, layer: Ints, plan: Any, mask: int) -> None:
    """Fills the row of `mask` (all loops given) in the tables of a step.

    The array does one multiply-accumulate per unit and cycle. Each reads its operands from the
    innermost levels that keep them, at the rate of the fullest cycle; sums are read as well as
    written unless no sum has a second product.

    Where a channel has transfers too, a step's operands take their place in its queue; where it
    has none, they only bound the step.
    """
    if plan.step_row[mask] == plan.run:
        return
    plan.step_row[mask] = plan.run
    levels = machine.levels
    compute = 1
    fullest = mask
    for d in range(8):
        trips = plan.trips[mask >> d & 1, levels - 1, d]
        compute *= trips
        if trips > 1:
            fullest &= ~(1 << d)
    _demand(machine, layer, plan, fullest)
    plan.compute[mask] = compute
    plan.busy[mask] = compute
    plan.busy_cause[mask] = -1
    for c in range(plan.streams):
        plan.stream[mask, c] = 0
    plan.streamed[mask] = 0
    for i in range(levels):
        for way in range(2):
            bits = plan.demand[i, way] * compute
            if bits > 0.0:
                cycles = int(min(np.ceil(bits / machine.rate[i, way]), LONGEST))
                cause = 3 * i + plan.heaviest[i, way]
                clock = plan.channel[i, way]
                if clock == 0 and cycles > plan.busy[mask]:
                    plan.busy[mask] = cycles
                    plan.busy_cause[mask] = cause
                for c in range(plan.streams):
                    if plan.stream_clock[c] == clock:
                        plan.stream[mask, c] = cycles
                        plan.stream_cause[mask, c] = cause
                        plan.streamed[mask] |= 1 << clock


@njit(cache=True)
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
        for way in range(2):
            asked = way == READ if t != OUTPUTS else way == WRITE or plan.accumulates
            at = READ if machine.shared[i] else way
            if asked:
                if bits > plan.most[i, at]:
                    plan.most[i, at] = bits
                    plan.heaviest[i, at] = t
                plan.demand[i, at] += bits


@njit(cache=True)
def compute_cycles(levels: int, plan: Any) -> int:
    """Cycles in which the array works: one for each step of all loops, clipped at the edge."""
    cycles = 1
    for d in range(8):
        whole = 1
        edge = 1
        for i in range(levels - 1, -1, -1):
            if plan.reach[i, d] >= plan.full[i + 1, d]:
                edge = whole
            edge += (plan.trips[1, i, d] - 1) * whole
            whole *= plan.trips[0, i, d]
        cycles *= edge
    return cycles
