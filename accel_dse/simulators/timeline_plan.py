"""One (design, layer, mapping) laid out for the cycle-level engine: tiles, loops, links, clocks.

A *link* joins a level that keeps a tensor to the next level outside that keeps it. A *clock* is a
point in time that the future depends on: when the array, a channel or a place for a tile is free.

A dimension whose bound is less than the product of its factors is *ragged*: its last tiles are
clipped. Time follows the first instance of every fan-out, which never has less to do than the
others. Along one dimension a tile is either full or at the edge, so a bit mask of the dimensions
that are at the edge says everything about its size.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import SimulatorError
from accel_dse.hardware import Hardware
from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import (
    INDEXES,
    INPUTS,
    MAX_LEVELS,
    OUTPUTS,
    PARTIAL,
    Ints,
    P,
    Q,
    R,
    S,
)

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

Floats = NDArray[np.float64]

READ, WRITE = 0, 1

MAX_LOOPS = 8 * (MAX_LEVELS - 1)
MAX_LINKS = 3 * (MAX_LEVELS - 1)
MAX_CLOCKS = 60
TABLE_ROWS = 512
"""Rows of a table that are remembered at a time."""

LONGEST = 2**40
"""Cycles of the longest transfer or step that is counted."""

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
"""One design as the kernels read it. `rate` is bits per cycle of one instance, read and written,
no more than the shared bandwidth; latencies are whole cycles."""

PLAN = np.dtype(
    [
        # Tiles, by level and dimension, and trips of its loop, full and at the edge.
        ("full", np.int64, (MAX_LEVELS + 1, 8)),
        ("edge", np.int64, (MAX_LEVELS + 1, 8)),
        ("reach", np.int64, (MAX_LEVELS, 8)),
        ("trips", np.int64, (2, MAX_LEVELS, 8)),
        ("spatial", np.int64, (MAX_LEVELS, 8)),
        ("ragged", np.int64),
        ("accumulates", np.int64),
        # Loops, outermost first.
        ("loops", np.int64),
        ("end", np.int64, (MAX_LEVELS + 1,)),
        ("level", np.int64, (MAX_LOOPS,)),
        ("dim", np.int64, (MAX_LOOPS,)),
        ("count", np.int64, (2, MAX_LOOPS)),
        ("stride", np.int64, (MAX_LOOPS,)),
        ("stays", np.uint8, (MAX_LOOPS,)),
        ("exchanges", np.uint8, (MAX_LOOPS,)),
        # Links, tensor by tensor, outermost first; from MAX_LINKS on, those to the MACs.
        ("links", np.int64),
        ("first", np.int64, (4,)),
        ("link", np.int64, (MAX_LEVELS, 3)),
        ("source", np.int64, (MAX_LINKS + 3,)),
        ("target", np.int64, (MAX_LINKS + 3,)),
        ("tensor", np.int64, (MAX_LINKS + 3,)),
        ("resident", np.uint8, (MAX_LINKS,)),
        ("double", np.uint8, (MAX_LINKS,)),
        ("covered", np.int64, (MAX_LINKS + 3, 2, 8)),
        ("served", np.int64, (MAX_LINKS + 3, 2, 8)),
        ("copies", np.int64, (MAX_LINKS + 3, 2, 8)),
        ("apart", np.uint8, (MAX_LINKS + 3, 2)),
        # Clocks.
        ("clocks", np.int64),
        ("lane", np.int64, (MAX_LEVELS, 2)),
        ("channel", np.int64, (MAX_LEVELS, 2)),
        ("freed", np.int64, (MAX_LINKS,)),
        ("used", np.int64, (MAX_LINKS,)),
        # Tables, filled as they are asked for: words by (link, mask), `timeline_moves.moved` by
        # (loop, mask), `timeline_moves.step` by mask.
        ("run", np.int64),
        ("too_long", np.uint8),
        ("known", np.int64, (MAX_LINKS + 3, 256)),
        ("once", np.float64, (MAX_LINKS + 3, 256)),
        ("sent", np.float64, (MAX_LINKS + 3, 256)),
        ("got", np.float64, (MAX_LINKS + 3, 256)),
        ("generation", np.int64),
        ("rows", np.int64),
        ("row", np.int64, (MAX_LOOPS + 2, 256)),
        ("load", np.int64, (TABLE_ROWS, MAX_LINKS)),
        ("store", np.int64, (TABLE_ROWS, MAX_LINKS)),
        ("spill", np.int64, (TABLE_ROWS, MAX_LINKS)),
        ("fill", np.int64, (TABLE_ROWS,)),
        ("touched", np.int64, (TABLE_ROWS, 2)),
        ("step_known", np.int64, (256,)),
        ("compute", np.int64, (256,)),
        ("streams", np.int64, (256,)),
        ("stream_lane", np.int64, (256, 2 * MAX_LEVELS)),
        ("stream_clock", np.int64, (256, 2 * MAX_LEVELS)),
        ("stream_tensor", np.int64, (256, 2 * MAX_LEVELS)),
        ("stream", np.int64, (256, 2 * MAX_LEVELS)),
        ("streamed", np.int64, (256,)),
        ("demand", np.float64, (MAX_LEVELS, 2)),
        ("most", np.float64, (MAX_LEVELS, 2)),
        ("heaviest", np.int64, (MAX_LEVELS, 2)),
    ]
)
"""One (design, layer, mapping) laid out.

- Tiles: `full[i]` spans all factors of level `i` and inward, `full[L]` is one multiply-accumulate;
  `edge[i]` is the first instance's clipped tile, `reach[i]` what its last step covers.
- Loops: `end[i]` is how many lie outside the tiles of level `i`; `stride` what one iteration
  covers; `stays`, whether the last iteration at the edge has clipped tiles inside it;
  `exchanges`, whether a loop or one inside it changes a tile of outputs.
- Links: `covered`, `served` and `copies` see `_reach`; `apart` (by rows, columns), whether windows
  of several instances are sent without looking for common words.
- Clocks: 0 is the array. `channel` by level and direction, `lane` its number among all channels;
  `freed`, when the other place of a double-buffered tile was freed; `used`, when the present tile
  was last read or written from inside (clock 0 if the array does that itself).
- Tables are in cycles, -1 where nothing moves.
"""


def pack_machine(hardware: Hardware) -> Any:
    """The designs as the kernels read them, `MACHINE` records of shape `(n,)`.

    Raises:
        SimulatorError: more levels than `MAX_LEVELS`, a bandwidth of 0, or an endless latency.
    """
    count = len(hardware.levels)
    if count > MAX_LEVELS:
        raise SimulatorError(f"hardware: at most {MAX_LEVELS} levels can be played, got {count}")
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
            raise SimulatorError(f"hardware: {name}: must be positive, got {rate.min():g}")
        machines["rate"][:, :count, way] = rate
    for field, name in (("latency", "latency_cycles"), ("issue", "issue_cycles")):
        machines[field][:, :count] = _whole(getattr(hardware, name), name)
    machines["fill"] = _whole(hardware.fill_cycles, "fill_cycles")
    return machines


def _whole(cycles: Floats, name: str) -> Ints:
    """`cycles` rounded up."""
    if not (cycles < LONGEST).all():
        raise SimulatorError(f"hardware: {name}: must be below 2^40, got {cycles.max():g}")
    return np.ceil(cycles).astype(np.int64)


@compiled
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
    """Fills `plan`, with empty tables; see `timeline.cycles_of` for the arguments."""
    _tiles(machine, layer, temporal, spatial_x, spatial_y, plan)
    _loops(machine, temporal, order, plan)
    _links(machine, temporal, inputs_resident, outputs_resident, plan)
    _buffers(machine, layer, plan)
    _clocks(machine, plan)
    plan.run += 1
    plan.generation += 1
    plan.rows = 0
    plan.too_long = False


@compiled
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


@compiled
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
    exchanges = False
    for j in range(k - 1, -1, -1):
        exchanges = exchanges or (plan.level[j] < written and INDEXES[OUTPUTS, plan.dim[j]])
        plan.exchanges[j] = exchanges


@compiled
def _edge_stays(plan: Any, level: int, d: int) -> bool:
    """Whether the last step of a loop at the edge differs from the others in anything inside."""
    if plan.reach[level, d] != plan.spatial[level, d] * plan.full[level + 1, d]:
        return True
    for i in range(level):
        tile = plan.full[i + 1, d]
        if plan.reach[i, d] > tile and plan.reach[i, d] != plan.spatial[i, d] * tile:
            return True
    return False


@compiled
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
            plan.link[i, t] = -1
            if machine.keeps[i, t]:
                plan.link[i, t] = k
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
        for d in range(8):
            if temporal[i, d] > 1 and not INDEXES[OUTPUTS, d]:
                plan.accumulates = True


@compiled
def _reach(machine: Any, temporal: Ints, plan: Any, k: int) -> None:
    """Sets `covered`, `served` and `copies` of a link, along each dimension, full and at the edge:
    what the tiles of all targets under one source cover, how many targets have work, and to how
    many of them a word has to be sent that the dimension does not index.
    """
    outer = plan.source[k]
    inner = plan.target[k]
    t = plan.tensor[k]
    plan.apart[k, 0] = plan.apart[k, 1] = False
    alone = False
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
                if split > 1:
                    alone = True
            if i > outer and temporal[i, d] > 1 and d >= P:
                plan.apart[k, (d - P) % 2] = True
        plan.covered[k, 0, d] = covered
        plan.covered[k, 1, d] = edge_covered
        plan.served[k, 0, d] = served
        plan.served[k, 1, d] = edge_served
        plan.copies[k, 0, d] = copies
        plan.copies[k, 1, d] = edge_copies
    if alone:
        plan.apart[k, 0] = plan.apart[k, 1] = True


@compiled
def _buffers(machine: Any, layer: Ints, plan: Any) -> None:
    """A level that may be is double-buffered if two tiles of each tensor in a partition fit; a
    tensor that has only one tile in the whole layer takes one place.
    """
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


@compiled
def _footprint(machine: Any, layer: Ints, plan: Any, k: int) -> float:
    """Bits that the tiles of a link's target take, two of them if it ever gets another one."""
    t = plan.tensor[k]
    i = plan.target[k]
    kind = PARTIAL if t == OUTPUTS and _unfinished(machine, plan, k) else t
    bits = machine.word_bits[i, kind] * _words(layer, plan.full[i], t)
    for j in range(plan.end[i]):
        if INDEXES[t, plan.dim[j]]:
            return 2.0 * bits
    return bits


@compiled
def _unfinished(machine: Any, plan: Any, k: int) -> bool:
    """Whether the target of a link ever holds sums to which products are still to be added."""
    if k + 1 == plan.first[OUTPUTS + 1]:
        inside = machine.levels
        if plan.accumulates:
            return True
    else:
        inside = plan.target[k + 1]
        exchanged = False
        for j in range(plan.end[inside] - 1, -1, -1):
            exchanged = exchanged or INDEXES[OUTPUTS, plan.dim[j]]
            if exchanged and not INDEXES[OUTPUTS, plan.dim[j]]:
                return True
    for i in range(inside):
        for d in range(8):
            alone = i < plan.target[k] or not machine.reduces[i]
            if alone and plan.spatial[i, d] > 1 and not INDEXES[OUTPUTS, d]:
                return True
    return False


@compiled
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


@compiled
def _clocks(machine: Any, plan: Any) -> None:
    """Numbers the clocks. A channel without transfers needs none."""
    for i in range(machine.levels):
        for way in range(2):
            plan.lane[i, way] = 2 * i + (READ if machine.shared[i] else way)
            plan.channel[i, way] = 0
    k = 1
    for j in range(plan.links):
        plan.freed[j] = plan.used[j] = 0
        if plan.resident[j]:
            continue
        i = plan.source[j]
        for way in range(2 if plan.tensor[j] == OUTPUTS else 1):
            if plan.channel[i, way] == 0:
                plan.channel[i, way] = k
                if machine.shared[i]:
                    plan.channel[i, 1 - way] = k
                k += 1
        if plan.double[j]:
            plan.freed[j] = k
            k += 1
        if j + 1 < plan.first[plan.tensor[j] + 1]:
            plan.used[j] = k
            k += 1
    plan.clocks = k


@compiled
def count_steps(plan: Any, levels: int) -> int:
    """Iterations of all loops of the outer `levels` levels, clipped at the edge. Those of all
    levels are the cycles in which the array works.
    """
    steps = 1
    for d in range(8):
        whole = 1
        edge = 1
        for i in range(levels - 1, -1, -1):
            if plan.reach[i, d] >= plan.full[i + 1, d]:
                edge = whole
            edge += (plan.trips[1, i, d] - 1) * whole
            whole *= plan.trips[0, i, d]
        steps *= edge
    return steps
