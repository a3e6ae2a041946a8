"""The cycle-level engine: a mapping's tile steps played against finite channels and storage.

TODO
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from accel_dse.errors import SimulatorError
from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators.loop_records import pack_layers
from accel_dse.simulators.timeline_machine import CHANNEL, STATE
from accel_dse.simulators.timeline_skip import play
from accel_dse.simulators.timeline_tiles import PLAN, Ints, compute_cycles, lay_out, pack_machine
from accel_dse.workload import DIMS, TENSORS, Layer

SCRATCH = np.dtype([("plan", PLAN), ("state", STATE)])


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
        causes: their names; `<level>: <tensor>` is waiting for that level's channel.
    """

    cycles: Ints
    compute_cycles: Ints
    stalls: Ints
    causes: tuple[str, ...]


def new_scratch(n: int = 1) -> Any:
    """Room for `n` threads: pass one element to `cycles_of`."""
    return np.zeros(n, SCRATCH)


@njit(cache=True)
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
        scratch: one element of `new_scratch(n)`; its `state.stall` holds the stalls afterwards.

    Returns:
        Cycles.
    """
    lay_out(
        machine,
        layer,
        temporal,
        spatial_x,
        spatial_y,
        order,
        inputs_resident,
        outputs_resident,
        scratch.plan,
    )
    return play(machine, layer, scratch.plan, scratch.state)


@njit(cache=True, parallel=True)
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
    found: Ints,
    stalls: Ints,
) -> None:
    for thread in prange(len(scratch)):
        for i in range(thread, len(index), len(scratch)):
            h, a, m = index[i]
            found[i, 0] = cycles_of(
                machines[h],
                layers[a],
                temporal[m],
                spatial_x[m],
                spatial_y[m],
                order[m],
                resident[i, 0],
                resident[i, 1],
                scratch[thread],
            )
            found[i, 1] = compute_cycles(machines[h].levels, scratch[thread].plan)
            for cause in range(stalls.shape[1]):
                stalls[i, cause] = scratch[thread].state.stall[cause]


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
    """Plays `t` layers, each once, on as many cores as numba may use.

    Args:
        hardware: `n` designs.
        layers: loop nests; `count` is not looked at.
        mappings: `m` mappings that fit (`loop_rules.check`).
        hw_index, layer_index, mapping_index: of each evaluation, `(t,)`.
        inputs_resident: whether the inputs lie in the outermost level on the chip that keeps them
            before the layer begins, `(t,)`; nowhere by default.
        outputs_resident: whether the outputs may stay in the outermost level on the chip that
            keeps them, `(t,)`; nowhere by default.

    Raises:
        SimulatorError: the mappings are for another number of levels, or one does not cover its
            layer.
    """
    if mappings.levels != len(hardware.levels):
        raise SimulatorError(
            f"mappings: made for {mappings.levels} levels, but the hardware has "
            f"{len(hardware.levels)}"
        )
    bounds = pack_layers(layers)
    index = np.stack([hw_index, layer_index, mapping_index], axis=1).astype(np.int64)
    short = mappings.tile_extents()[index[:, 2], 0] < bounds[index[:, 1], :8]
    if short.any():
        i, d = (int(v) for v in np.argwhere(short)[0])
        layer, mapping = index[i, 1:]
        raise SimulatorError(
            f"mapping {mapping}: {DIMS[d]}: its factors cover "
            f"{mappings.tile_extents()[mapping, 0, d]} of {bounds[layer, d]} in layer "
            f"{layers[layer].name!r}"
        )
    resident = np.zeros((len(index), 2), dtype=np.bool_)
    for column, given in enumerate((inputs_resident, outputs_resident)):
        if given is not None:
            resident[:, column] = given
    names = causes(hardware.levels)
    found = np.empty((len(index), 2), dtype=np.int64)
    stalls = np.empty((len(index), len(names)), dtype=np.int64)
    _simulate(
        pack_machine(hardware),
        bounds,
        mappings.temporal,
        mappings.spatial_x,
        mappings.spatial_y,
        mappings.order,
        index,
        resident,
        new_scratch(max(1, min(get_num_threads(), len(index)))),
        found,
        stalls,
    )
    return TimelineResult(found[:, 0].copy(), found[:, 1].copy(), stalls, names)
