"""A batch of accelerators: a chain of storage levels as columns, ready for the physics.

`Hardware` holds numbers only. `Template`, which computes them from a space's parameters, is in
`template.py`.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

WORDS = ("weights", "inputs", "outputs", "partial_sums")
"""Kinds of words, the last axis of `Hardware.word_bits`: an output is a partial sum until all its
products are added, and may then be rounded to fewer bits."""

ACCESSES = ("read", "fill", "update")
"""Kinds of accesses, the last axis of `Hardware.access_pj_per_bit`: toward the levels inside (and
read-modify-write), written from the level outside, written from the level inside."""

UNLIMITED = np.inf
"""A capacity or a bandwidth without bound."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """`n` designs of one chain of `L` storage levels, outermost (DRAM) first, then the MACs.

    Level `i` has `fanout_x[:, i] * fanout_y[:, i]` instances of level `i + 1` under each of its
    own instances; those of the last level are multiply-accumulate units.

    Attributes:
        levels: `L` names.
        keeps: which tensors (weights, inputs, outputs) a level stores, `(L, 3)`. The outermost
            keeps all; a tensor that a level does not keep passes by.
        partition: tensors of a level with equal numbers share one capacity, `(L, 3)`.
        multicast: whether one read can serve several instances inside, `(L,)`.
        reduces: whether partial sums of several instances inside are added on their way out,
            `(L,)`.
        double_buffered: whether a level may load its next tile while it serves the present one,
            `(L,)`; it does so when two tiles fit.
        loops_allowed: dimensions that a level's temporal loops may step through, `(L, 8)`.
        unroll_x, unroll_y: dimensions that may be split over the fan-out, `(L, 8)`.
        hardwired: the fan-out along x or y is always occupied in full by one of its dimensions,
            whether the layer fills it or not, `(L, 2)`.
        whole: dimensions that a level's tile must span whole, `(n, L, 8)`.
        capacity_bits: of the partition that the tensor belongs to, of one instance, `(n, L, 3)`.
        word_bits: by kind of word, `(n, L, 4)`.
        fanout_x, fanout_y: `(n, L)`.
        read_bits_per_cycle, write_bits_per_cycle: of one instance, `(n, L)`.
        shared_bits_per_cycle: for reads and writes together, `(n, L)`.
        latency_cycles: from request to first word, `(n, L)`.
        issue_cycles: to issue the transfer of one tile to the level inside, `(n, L)`.
        fill_cycles: to fill the MAC array (and to empty it) when it starts on another tile of
            the innermost level, `(n,)`.
        program_entries: how many tile transfers of `program_level` the instruction memory can
            hold for one layer, `(n,)`.
        program_level: the level whose loops and all loops outside it are spelled out as
            instructions; -1 if there is no instruction memory.
        access_pj_per_bit: by kind of access, `(n, L, 3)`.
        network_pj_per_bit: to bring one bit to one instance inside, `(n, L)`.
        mac_pj: one multiply-accumulate, `(n,)`.
        static_w: leakage and clock, whole chip, `(n,)`.
        area_mm2: whole chip, `(n,)`.
        level_mm2: what each level takes of it, all its instances with their logic; of the DRAM its
            interface, `(n, L)`.
        macs_mm2: what the multiply-accumulate units and their control take of it, `(n,)`.
        clock_ghz: `(n,)`.
        vector_operations_per_cycle: throughput of what is not a multiply-accumulate, `(n,)`.
    """

    levels: tuple[str, ...]
    keeps: NDArray[np.bool_]
    partition: NDArray[np.int64]
    multicast: NDArray[np.bool_]
    reduces: NDArray[np.bool_]
    double_buffered: NDArray[np.bool_]
    loops_allowed: NDArray[np.bool_]
    unroll_x: NDArray[np.bool_]
    unroll_y: NDArray[np.bool_]
    hardwired: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    capacity_bits: NDArray[np.float64]
    word_bits: NDArray[np.float64]
    fanout_x: NDArray[np.int64]
    fanout_y: NDArray[np.int64]
    read_bits_per_cycle: NDArray[np.float64]
    write_bits_per_cycle: NDArray[np.float64]
    shared_bits_per_cycle: NDArray[np.float64]
    latency_cycles: NDArray[np.float64]
    issue_cycles: NDArray[np.float64]
    fill_cycles: NDArray[np.float64]
    program_entries: NDArray[np.float64]
    program_level: int
    access_pj_per_bit: NDArray[np.float64]
    network_pj_per_bit: NDArray[np.float64]
    mac_pj: NDArray[np.float64]
    static_w: NDArray[np.float64]
    area_mm2: NDArray[np.float64]
    level_mm2: NDArray[np.float64]
    macs_mm2: NDArray[np.float64]
    clock_ghz: NDArray[np.float64]
    vector_operations_per_cycle: NDArray[np.float64]

    def __post_init__(self) -> None:
        n, count = len(self.area_mm2), len(self.levels)
        shapes = {
            "keeps": (count, 3),
            "partition": (count, 3),
            "loops_allowed": (count, 8),
            "unroll_x": (count, 8),
            "unroll_y": (count, 8),
            "hardwired": (count, 2),
            "multicast": (count,),
            "reduces": (count,),
            "double_buffered": (count,),
            "whole": (n, count, 8),
            "capacity_bits": (n, count, 3),
            "word_bits": (n, count, 4),
            "access_pj_per_bit": (n, count, 3),
        }
        per_design = {
            "fill_cycles",
            "program_entries",
            "mac_pj",
            "static_w",
            "area_mm2",
            "macs_mm2",
            "clock_ghz",
            "vector_operations_per_cycle",
        }
        for item in fields(self):
            array = getattr(self, item.name)
            if isinstance(array, np.ndarray):
                expected = shapes.get(item.name, (n,) if item.name in per_design else (n, count))
                if array.shape != expected:
                    raise ValueError(f"{item.name}: expected shape {expected}, got {array.shape}")
                if array.dtype.kind == "f" and (np.isnan(array).any() or (array < 0).any()):
                    raise ValueError(f"{item.name}: must not be negative or NaN")

    def __len__(self) -> int:
        return len(self.area_mm2)

    @property
    def macs(self) -> NDArray[np.int64]:
        """Multiply-accumulate units, shape `(n,)`: the peak per cycle."""
        return np.asarray(np.prod(self.fanout_x * self.fanout_y, axis=1))
