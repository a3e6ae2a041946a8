"""What the kernels of the analytical model read and write: plain records, one design each.

A record of fixed size costs one pointer to pass and nothing to slice, so that a search can ask
about millions of mappings without allocating.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators.kernels import compiled
from accel_dse.workload import DIMS, RELEVANT, TENSORS, Layer

Ints = NDArray[np.int64]

MAX_LEVELS = 8
"""Levels that a `chip` and a `work` have room for."""

UNSIGNED = 2 * MAX_LEVELS - 1
"""`i & UNSIGNED` is the level `i`. It tells the compiler that `i` is not negative, so that arrays
need not be asked whether they are indexed from their end: a third of the instructions."""

LOOPS = MAX_LEVELS * len(DIMS)

LARGEST_EXTENT = 2**31
"""No layer spans more of a dimension, and products of two such extents fit 64 bits."""

N, G, K, C, P, Q, R, S = range(8)
WEIGHTS, INPUTS, OUTPUTS = range(3)
PARTIAL = 3

CHIP = np.dtype(
    [
        ("levels", np.int64),
        ("program_level", np.int64),
        ("program_entries", np.float64),
        ("mac_pj", np.float64),
        ("macs", np.float64),
        ("keeps", np.uint8, (MAX_LEVELS, 3)),
        ("partition", np.int64, (MAX_LEVELS, 3)),
        ("multicast", np.uint8, (MAX_LEVELS,)),
        ("reduces", np.uint8, (MAX_LEVELS,)),
        ("loops_allowed", np.uint8, (MAX_LEVELS, 8)),
        ("unroll_x", np.uint8, (MAX_LEVELS, 8)),
        ("unroll_y", np.uint8, (MAX_LEVELS, 8)),
        ("most_steps", np.int64, (MAX_LEVELS, 8)),
        ("most_x", np.int64, (MAX_LEVELS, 8)),
        ("most_y", np.int64, (MAX_LEVELS, 8)),
        ("hardwired_x", np.int64, (MAX_LEVELS,)),
        ("hardwired_y", np.int64, (MAX_LEVELS,)),
        ("whole", np.uint8, (MAX_LEVELS, 8)),
        ("any_whole", np.uint8),
        ("spreads", np.uint8, (MAX_LEVELS,)),
        ("one_partition", np.uint8, (MAX_LEVELS,)),
        ("wide_sums", np.uint8, (MAX_LEVELS,)),
        ("capacity_bits", np.float64, (MAX_LEVELS, 3)),
        ("word_bits", np.float64, (MAX_LEVELS, 4)),
        ("fanout_x", np.int64, (MAX_LEVELS,)),
        ("fanout_y", np.int64, (MAX_LEVELS,)),
        ("read_bits_per_cycle", np.float64, (MAX_LEVELS,)),
        ("write_bits_per_cycle", np.float64, (MAX_LEVELS,)),
        ("shared_bits_per_cycle", np.float64, (MAX_LEVELS,)),
        ("access_pj_per_bit", np.float64, (MAX_LEVELS, 3)),
        ("network_pj_per_bit", np.float64, (MAX_LEVELS,)),
    ],
    align=True,
)
"""One design as the kernels read it: `Hardware` with room for `MAX_LEVELS` levels. `hardwired_x`
is the dimension that always occupies x, -1 if x is free."""

WORK = np.dtype(
    [
        ("layer", np.int64, (12,)),
        ("temporal", np.int64, (MAX_LEVELS, 8)),
        ("spatial_x", np.int64, (MAX_LEVELS, 8)),
        ("spatial_y", np.int64, (MAX_LEVELS, 8)),
        ("order", np.int64, (MAX_LEVELS, 8)),
        ("extent", np.int64, (MAX_LEVELS + 1, 8)),
        ("spatial", np.int64, (MAX_LEVELS, 8)),
        ("splits", np.int64, (8,)),
        ("own", np.int64, (MAX_LEVELS + 1, 8)),
        ("ragged", np.int64),
        ("innermost", np.int64, (MAX_LEVELS,)),
        ("loop_dim", np.int64, (LOOPS + 1,)),
        ("steps", np.float64, (LOOPS + 1,)),
        ("split", np.int64, (MAX_LEVELS,)),
        ("mover", np.int64, (MAX_LEVELS, 3)),
        ("reach", np.float64, (MAX_LEVELS, 3)),
        ("copies", np.float64, (MAX_LEVELS, 3)),
        ("parts", np.float64, (MAX_LEVELS,)),
        ("tile", np.float64, (MAX_LEVELS, 3)),
        ("compute_cycles", np.float64),
        ("instances", np.float64, (MAX_LEVELS + 1,)),
        ("reads", np.float64, (MAX_LEVELS, 3)),
        ("fills", np.float64, (MAX_LEVELS, 3)),
        ("updates", np.float64, (MAX_LEVELS, 3)),
        ("final_updates", np.float64, (MAX_LEVELS,)),
        ("total_reads", np.float64, (MAX_LEVELS, 3)),
        ("total_fills", np.float64, (MAX_LEVELS, 3)),
        ("total_updates", np.float64, (MAX_LEVELS, 3)),
        ("total_final_updates", np.float64, (MAX_LEVELS,)),
        ("network_bits", np.float64, (MAX_LEVELS,)),
        ("level_cycles", np.float64, (MAX_LEVELS,)),
        ("dram_read_bits", np.float64),
        ("dram_written_bits", np.float64),
    ],
    align=True,
)
"""Scratch and results of the kernels.

`layer` and `temporal` are copies of what `check` was given, so that the rest needs no other
argument; `take` fills them and the rest of the mapping. After `check`: `extent[i]`, what level
`i`'s tile spans before clipping (`extent[L]` is one multiply-accumulate); `tile[i, t]`, its words.
After `count`, by level and tensor: `reads`, `fills`, `updates` of the busiest instance, and
`total_*` over all instances; `final_updates` are those `updates` of outputs that carry a finished
sum. `instances[i]` is how many instances of level `i` work (`instances[L]`: multiply-accumulate
units). After `totals`: `level_cycles`, the cycles that a level's bandwidth alone would need, and
the bits that DRAM moved."""

OF_THE_CHAIN = (
    "keeps",
    "partition",
    "multicast",
    "reduces",
    "loops_allowed",
    "unroll_x",
    "unroll_y",
)
OF_EACH_DESIGN = (
    "whole",
    "capacity_bits",
    "word_bits",
    "fanout_x",
    "fanout_y",
    "read_bits_per_cycle",
    "write_bits_per_cycle",
    "shared_bits_per_cycle",
    "access_pj_per_bit",
    "network_pj_per_bit",
)

ROW = np.dtype([("values", np.int64, (8,))])
LAYER = np.dtype([("values", np.int64, (12,))])
"""Eight factors of a level, and a row of `pack_layers`: a record that points into an array is not
counted as a reference to it, and counting is an atomic operation."""

INDEXES = np.array([[dim in RELEVANT[tensor] for dim in DIMS] for tensor in TENSORS])
"""Whether a dimension indexes a tensor, `(3, 8)`."""

INDEXED = tuple(sum(1 << d for d in range(8) if INDEXES[t, d]) for t in range(3))
"""The same, as one bit mask for each tensor."""


def new_work(n: int = 1) -> Any:
    """Scratch for one thread: pass `new_work()[0]` to the kernels."""
    return np.zeros(n, WORK)


def pack_layers(layers: Sequence[Layer]) -> NDArray[np.int64]:
    """The bounds and the window of each layer as the kernels read them, shape `(len(layers), 12)`.

    The last four columns are the strides of P and Q and the dilations of R and S.
    """
    return np.array([[*a.dims, *a.stride, *a.dilation] for a in layers], dtype=np.int64)


def rows_of(mappings: Mappings) -> Any:
    """What `take` reads: temporal and spatial factors and orders, as records of one level each."""
    parts = (mappings.temporal, mappings.spatial_x, mappings.spatial_y, mappings.order)
    return tuple(np.ascontiguousarray(part).view(ROW)[:, :, 0] for part in parts)


@compiled
def take(rows: Any, m: int, levels: int, work: Any) -> None:
    """Copies mapping `m` of what `rows_of` returned into `work`."""
    temporal, spatial_x, spatial_y, order = rows
    for i in range(levels):
        _copy(temporal[m, i].values, work.temporal, i)
        _copy(spatial_x[m, i].values, work.spatial_x, i)
        _copy(spatial_y[m, i].values, work.spatial_y, i)
        _copy(order[m, i].values, work.order, i)


@njit(cache=True, error_model="numpy", inline="always")
def _copy(row: Ints, into: Ints, i: int) -> None:
    """Eight loads and then eight stores: two vector moves."""
    (
        into[i, 0],
        into[i, 1],
        into[i, 2],
        into[i, 3],
        into[i, 4],
        into[i, 5],
        into[i, 6],
        into[i, 7],
    ) = (row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7])


def pack(hardware: Hardware, rows: Ints | None = None) -> Any:
    """The designs (at `rows`, or all) as the kernels read them, `CHIP` records of shape `(n,)`.

    Raises:
        ValueError: more than `MAX_LEVELS` levels, or a hardwired fan-out without a dimension.
    """
    count = len(hardware.levels)
    if count > MAX_LEVELS:
        raise ValueError(f"levels: at most {MAX_LEVELS} can be counted, got {count}")
    rows = np.arange(len(hardware)) if rows is None else rows
    chips = np.zeros(len(rows), CHIP)
    chips["levels"] = count
    chips["program_level"] = hardware.program_level
    chips["macs"] = hardware.macs[rows]
    for name in ("program_entries", "mac_pj"):
        chips[name] = getattr(hardware, name)[rows]
    for name in OF_THE_CHAIN:
        chips[name][:, :count] = getattr(hardware, name)
    for name in OF_EACH_DESIGN:
        chips[name][:, :count] = getattr(hardware, name)[rows]
    chips["most_steps"][:, :count] = np.where(hardware.loops_allowed, LARGEST_EXTENT, 1)
    for axis in ("x", "y"):
        fanout, allowed = getattr(hardware, f"fanout_{axis}"), getattr(hardware, f"unroll_{axis}")
        chips[f"most_{axis}"][:, :count] = np.where(allowed, fanout[rows][:, :, None], 1)
    chips["any_whole"] = hardware.whole[rows].any(axis=(1, 2))
    chips["spreads"][:, :count] = (hardware.fanout_x * hardware.fanout_y)[rows] > 1
    chips["one_partition"][:, :count] = (hardware.partition == hardware.partition[:, :1]).all(
        axis=1
    )
    bits = hardware.word_bits[rows]
    chips["wide_sums"][:, :count] = bits[:, :, OUTPUTS] != bits[:, :, PARTIAL]
    chips["hardwired_x"] = _hardwired(hardware, 0, hardware.unroll_x)
    chips["hardwired_y"] = _hardwired(hardware, 1, hardware.unroll_y)
    return chips


def _hardwired(hardware: Hardware, axis: int, allowed: NDArray[np.bool_]) -> Ints:
    """A dimension that may occupy the hardwired axis of each level, -1 where it is free."""
    found = np.full(MAX_LEVELS, -1)
    for level in np.flatnonzero(hardware.hardwired[:, axis]):
        dims = np.flatnonzero(allowed[level])
        if not len(dims):
            raise ValueError(
                f"level {hardware.levels[level]!r}: a hardwired fan-out needs a dimension to split"
            )
        found[level] = dims[0]
    return found
