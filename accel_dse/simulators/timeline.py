r"""The cycle-level engine: a mapping's tile steps played against finite channels and storage.

**Steps.** The temporal loops of all levels but the innermost, outermost loop first, are one nest.
Each of its iterations is a *step*: the array runs the innermost level's loops over one tile, at one
multiply-accumulate per unit and cycle, so

    compute(step) = product over dimensions of the innermost level's trip counts.

Tiles are clipped at the edge of the layer: a clipped tile has fewer steps, words and cycles. All
instances of a level run in lockstep; the first one, which has most to do, sets the pace.

**Links.** A level `v` that keeps a tensor gets its tiles from the next level `u` outside that keeps
it. When the tile at `v` changes from one step to the next, a transfer is due. It keeps the channel
of `u` for

    busy = issue[u] + ceil(max(sent * word_bits[u] / rate[u], got * word_bits[v] / rate[v]))

cycles, where `sent` are the words for all instances of `v` under one of `u`, and `got` those of one
instance (`timeline_moves` says which words); rates are those of reading at `u` and writing at `v`
toward the inside, of reading at `v` and writing at `u` toward the outside, none above the shared
bandwidth. A level has a channel for reads and one for writes, or one for both if their bandwidth is
shared. A channel serves one transfer after the other, in the order of the steps that need them,
and at each step weights, inputs, then outputs, outer levels first. With `begun` for when a transfer
enters the channel,

    begun = max(channel free, place free, words at u),   channel free = begun + busy,
    words at v = begun + busy + latency[u].

**Places.** A level that may be double-buffered is so, for each partition of its capacity, if two
tiles of all tensors in it fit (one of a tensor that never gets another tile). The place of the next
tile is free when the last use of a tile has ended: of the present one if there is one place, of the
one before it if there are two. A tile is in use until the last transfer of its words further
inside, or the last step on it, has ended.

**Outputs.** A tile of sums that arrives for the first time needs a place and no transfer, there and
at the levels outside that have not got one. When it leaves it is written back, as outputs if all
its products were added, else as partial sums, and these are read back when it returns. A write is
posted: its place is free, and its words are there, when it leaves the channel. Where a level has
two places, the sums of the next tile are read before the old ones are written, unless the tile
outside changes too.

**The array** starts a step when it has ended the one before and the tiles that the step needs are
at the innermost levels that keep them. If a tile of the innermost level is another one, it pays
`fill` cycles first, to drain and fill the array. During the step, the innermost levels that keep
each tensor stream its operands, once per multiply-accumulate (sums are read and written, unless
none has a second product), for

    stream = ceil(compute(step) * bits of the fullest cycle / rate)

cycles, in their place in the channel's queue; the step ends when the array and all streams have.

**The layer** ends when the last outputs are written back. Time is counted in whole cycles, so all
this is exact. Two steps that start alike go alike; `timeline_skip` uses it so that the cost hardly
depends on the number of steps.

**Stalls.** Each cycle in which the array does not work has one cause. `start-up`: before the first
step. `fill`: as above. `<level>: <tensor>`: the step waits for a tile that comes through that
level's channel or stands in its queue, or the channel streams operands. Such a wait is shared out
among the tensors in proportion to how long the transfers of the step keep the channel, and `issue`
has its part in it: a tile that comes last is not to blame for those before it. `latency`: the tile
is on its way. `write-back`: the step waits for outputs to leave a place or, those of steps before,
a channel. `final drain`: after the last step. `timeline_causes` finds them.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import SimulatorError
from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import Ints, pack_layers
from accel_dse.simulators.threads import in_threads
from accel_dse.simulators.timeline_machine import STATE
from accel_dse.simulators.timeline_plan import PLAN, count_steps, lay_out, pack_machine
from accel_dse.simulators.timeline_skip import play
from accel_dse.workload import DIMS, TENSORS, Layer

SCRATCH = np.dtype([("plan", PLAN), ("state", STATE)])
"""What one evaluation writes to. The state's `tally` holds the stalls by cause, then for how long
each channel was busy (reads and writes of each level; both as reads if they share a channel)."""


def causes(levels: Sequence[str]) -> tuple[str, ...]:
    """What the array can wait for, in the order of `TimelineResult.stalls`."""
    channels = tuple(f"{level}: {tensor}" for level in levels for tensor in TENSORS)
    return ("start-up", "fill", "issue", "latency", "write-back", "final drain", *channels)


@dataclass(frozen=True)
class TimelineResult:
    """Cycles of `t` evaluations, and what they were spent on.

    Attributes:
        cycles: from the first request to the last word written back, `(t,)`.
        compute_cycles: in which the array works, `(t,)`.
        stalls: in which it does not, by cause, `(t, causes)`. A row's sum is
            `cycles - compute_cycles`.
        causes: their names.
        busy_cycles: in which each level's channel for reads and for writes is taken, `(t, L, 2)`.
            Where reads and writes share a channel, reads stand for both.
    """

    cycles: Ints
    compute_cycles: Ints
    stalls: Ints
    causes: tuple[str, ...]
    busy_cycles: Ints


def new_scratch(n: int = 1) -> Any:
    """Room for `n` threads: pass one element to `cycles_of`."""
    return np.zeros(n, SCRATCH)


@compiled
def cycles_of(
    machine: Any,
    layer: Ints,
    temporal: Ints,
    spatial_x: Ints,
    spatial_y: Ints,
    order: Ints,
    inputs_resident: bool,
    outputs_resident: bool,
    scratch: Any,
) -> int:
    """Cycles of one valid mapping, for other kernels to call; allocates nothing.

    Args:
        machine: one element of `pack_machine(hardware)`.
        layer: one row of `pack_layers(layers)`.
        temporal, spatial_x, spatial_y, order: one row of a `Mappings`, each `(L, 8)`.
        inputs_resident, outputs_resident: see `simulate`.
        scratch: one element of `new_scratch(n)`.

    Returns:
        Cycles, or -1 if there are too many to count.
    """
    plan = scratch.plan
    lay_out(
        machine,
        layer,
        temporal,
        spatial_x,
        spatial_y,
        order,
        inputs_resident,
        outputs_resident,
        plan,
    )
    cycles = play(machine, layer, plan, scratch.state)
    return -1 if plan.too_long else cycles


@compiled
def _simulate(
    machines: Any,
    layers: Ints,
    temporal: Ints,
    spatial_x: Ints,
    spatial_y: Ints,
    order: Ints,
    index: Ints,
    resident: NDArray[np.bool_],
    scratch: Any,
    cycles: Ints,
    tally: Ints,
) -> None:
    """`cycles_of` row by row of `index`; `cycles` gets all and those of the array."""
    for i in range(len(index)):
        h, a, m = index[i]
        cycles[i, 0] = cycles_of(
            machines[h],
            layers[a],
            temporal[m],
            spatial_x[m],
            spatial_y[m],
            order[m],
            resident[i, 0],
            resident[i, 1],
            scratch,
        )
        cycles[i, 1] = count_steps(scratch.plan, machines[h].levels)
        for k in range(tally.shape[1]):
            tally[i, k] = scratch.state.tally[k]


def simulate(
    hardware: Hardware,
    layers: Sequence[Layer],
    mappings: Mappings,
    hw_index: Ints,
    layer_index: Ints,
    mapping_index: Ints,
    inputs_resident: NDArray[np.bool_] | None = None,
    outputs_resident: NDArray[np.bool_] | None = None,
) -> TimelineResult:
    """Plays `t` layers, each once, on all cores.

    Args:
        hardware: `n` designs.
        layers: loop nests; `count` is not looked at.
        mappings: `m` mappings that `loop_rules.check` finds valid.
        hw_index, layer_index, mapping_index: of each evaluation, `(t,)`.
        inputs_resident: whether the inputs lie in the outermost level on the chip that keeps them
            before the layer begins, `(t,)`; nowhere by default.
        outputs_resident: whether the outputs stay in the outermost level on the chip that keeps
            them, `(t,)`; nowhere by default.

    Raises:
        SimulatorError: the mappings are for another number of levels, one does not cover its
            layer, or one takes too many cycles to count.
    """
    bounds = pack_layers(layers)
    index = np.stack([hw_index, layer_index, mapping_index], axis=1).astype(np.int64)
    _check(hardware, layers, mappings, bounds, index)
    resident = np.zeros((len(index), 2), dtype=np.bool_)
    for column, given in enumerate((inputs_resident, outputs_resident)):
        if given is not None:
            resident[:, column] = given
    cycles, tally = _play_all(hardware, bounds, mappings, index, resident)
    if (cycles[:, 0] < 0).any():
        i = int(np.flatnonzero(cycles[:, 0] < 0)[0])
        raise SimulatorError(
            f"mapping {index[i, 2]}: layer {layers[index[i, 1]].name!r} takes too many cycles to "
            "count in 64 bits"
        )
    names = causes(hardware.levels)
    return TimelineResult(
        cycles[:, 0].copy(),
        cycles[:, 1].copy(),
        tally[:, : len(names)].copy(),
        names,
        tally[:, len(names) :].reshape(-1, mappings.levels, 2).copy(),
    )


def _play_all(
    hardware: Hardware, bounds: Ints, mappings: Mappings, index: Ints, resident: NDArray[np.bool_]
) -> tuple[Ints, Ints]:
    """Plays each row of `index`: cycles, all and the array's, `(t, 2)`, and its tally."""
    machines = pack_machine(hardware)
    # Kernels are compiled anew for each layout of memory.
    temporal, spatial_x, spatial_y, order = (
        np.require(part, requirements=("C", "W"))
        for part in (mappings.temporal, mappings.spatial_x, mappings.spatial_y, mappings.order)
    )
    cycles = np.empty((len(index), 2), dtype=np.int64)
    tallies = len(causes(hardware.levels)) + 2 * mappings.levels
    tally = np.empty((len(index), tallies), dtype=np.int64)

    def rows(start: int, stop: int) -> None:
        at = slice(start, stop)
        _simulate(
            machines,
            bounds,
            temporal,
            spatial_x,
            spatial_y,
            order,
            index[at],
            resident[at],
            new_scratch()[0],
            cycles[at],
            tally[at],
        )

    in_threads(rows, len(index))
    return cycles, tally


def _check(
    hardware: Hardware, layers: Sequence[Layer], mappings: Mappings, bounds: Ints, index: Ints
) -> None:
    """Raises a `SimulatorError` where an evaluation has no meaning."""
    if mappings.levels != len(hardware.levels):
        raise SimulatorError(
            f"mappings: made for {mappings.levels} levels, but the hardware has "
            f"{len(hardware.levels)}"
        )
    covered = mappings.tile_extents()[index[:, 2], 0]
    short = covered < bounds[index[:, 1], :8]
    if short.any():
        i, d = (int(v) for v in np.argwhere(short)[0])
        _, a, m = index[i]
        raise SimulatorError(
            f"mapping {m}: {DIMS[d]}: its factors cover {covered[i, d]} of {bounds[a, d]} in layer "
            f"{layers[a].name!r}"
        )
