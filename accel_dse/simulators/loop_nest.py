"""The analytical model: what a mapping costs on a design, from access counts and bandwidths.

Timeloop's semantics: data moves between the levels that keep it, each word is counted where it is
read, filled and updated (`loop_counts`), and a layer takes as long as the busiest level or the
multiply-accumulate units, whichever is slower. Static power is not included.

Source: Parashar et al., "Timeloop: A Systematic Approach to DNN Accelerator Evaluation",
ISPASS 2019, and its code, `src/loop-analysis` and `src/model/buffer.cpp`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators import loop_counts, loop_records, loop_rules, loop_timeloop
from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import LAYER, Ints, rows_of
from accel_dse.simulators.loop_timeloop import Conventions
from accel_dse.simulators.threads import in_threads
from accel_dse.workload import DIMS, TENSORS, Layer

BLOCK = 1 << 15
"""Triples evaluated at a time: bounds the memory that packed designs take."""

DETAILED_BLOCK = 1 << 12
"""The same if all counts are kept."""

REASONS: Mapping[int, str] = {
    loop_rules.UNCOVERED: "factors of {dim} cover {available:.0f} of {needed:.0f}",
    loop_rules.LOOP: "{level}: may not loop over {dim}, asked {needed:.0f} times",
    loop_rules.UNROLL_X: "{level}: may not split {dim} along x, asked {needed:.0f} ways",
    loop_rules.UNROLL_Y: "{level}: may not split {dim} along y, asked {needed:.0f} ways",
    loop_rules.FANOUT_X: "{level}: needs {needed:.0f} instances along x, has {available:.0f}",
    loop_rules.FANOUT_Y: "{level}: needs {needed:.0f} instances along y, has {available:.0f}",
    loop_rules.HARDWIRED_X: "{level}: x splits {dim} {available:.0f} ways, not {needed:.0f}",
    loop_rules.HARDWIRED_Y: "{level}: y splits {dim} {available:.0f} ways, not {needed:.0f}",
    loop_rules.WHOLE: "{level}: must hold all {needed:.0f} of {dim}, holds {available:.0f}",
    loop_rules.CAPACITY: "{level}: {tensor} and what shares their place need {needed:.0f} bits, "
    "has {available:.0f}",
    loop_rules.PROGRAM: "{level}: needs {needed:.0f} tile transfers, "
    "instruction memory holds {available:.0f}",
    loop_rules.TOO_LARGE: "{level}: factors of {dim} multiply to 2^31 or more",
}


@dataclass(frozen=True, kw_only=True)
class LevelCounts:
    """Accesses by level and tensor, of `t` valid triples on `L` levels; zero where not valid.

    Attributes:
        tile_words: what the unclipped tile of a level has of each tensor, `(t, L, 3)`.
        reads, fills, updates: words of the busiest instance: read toward the inside, written from
            the outside, written from the inside, `(t, L, 3)`.
        total_reads, total_fills, total_updates: the same over all instances.
        instances: how many of each level's instances work; last, of the multiply-accumulate
            units, `(t, L + 1)`.
        level_cycles: what each level's bandwidth alone would take, `(t, L)`.
        compute_cycles: what the multiply-accumulate units alone would take, `(t,)`.
    """

    tile_words: NDArray[np.float64]
    reads: NDArray[np.float64]
    fills: NDArray[np.float64]
    updates: NDArray[np.float64]
    total_reads: NDArray[np.float64]
    total_fills: NDArray[np.float64]
    total_updates: NDArray[np.float64]
    instances: NDArray[np.float64]
    level_cycles: NDArray[np.float64]
    compute_cycles: NDArray[np.float64]


COLUMNS = {"tile_words": "tile"} | {
    item.name: item.name for item in fields(LevelCounts) if item.name != "tile_words"
}
"""Which field of `WORK` each column of `LevelCounts` is."""


@dataclass(frozen=True, kw_only=True)
class LoopNestResult:
    """What `t` (design, layer, mapping) triples cost; NaN where the mapping is not valid.

    Attributes:
        codes: 0 where the mapping is valid, else what `loop_counts.check` found, `(t,)`.
        cycles: of one run of the layer, `(t,)`.
        energy_pj: dynamic energy of one run, `(t,)`.
        dram_read_bits, dram_written_bits: traffic of the outermost level, `(t,)`.
        utilization: multiply-accumulates over the peak of all units in that time, `(t,)`.
        needed, available: what a rule that is broken asks for and what there is, `(t,)`.
        level_names: of the `L` levels.
        levels: the counts behind it, if asked for.
    """

    codes: NDArray[np.int64]
    cycles: NDArray[np.float64]
    energy_pj: NDArray[np.float64]
    dram_read_bits: NDArray[np.float64]
    dram_written_bits: NDArray[np.float64]
    utilization: NDArray[np.float64]
    needed: NDArray[np.float64]
    available: NDArray[np.float64]
    level_names: tuple[str, ...]
    levels: LevelCounts | None = None

    def reason(self, i: int) -> str:
        """Why triple `i` cannot work; "" if it can."""
        code = int(self.codes[i])
        if code == 0:
            return ""
        rule, level, item = code // 256, code // 16 % 16, code % 16
        return REASONS[rule].format(
            level=self.level_names[level],
            dim=DIMS[item],
            tensor=TENSORS[item % 3],
            needed=self.needed[i],
            available=self.available[i],
        )


def evaluate(
    hardware: Hardware,
    layers: Sequence[Layer],
    mappings: Mappings,
    hardware_index: Ints,
    layer_index: Ints,
    mapping_index: Ints,
    *,
    conventions: Conventions | None = None,
    detail: bool = False,
) -> LoopNestResult:
    """Costs of `t` triples: one design, one layer and one mapping each.

    Args:
        hardware: designs of one chain of `L` levels.
        layers: what may run on them.
        mappings: mappings onto `L` levels.
        hardware_index, layer_index, mapping_index: which design, layer and mapping, each `(t,)`.
        conventions: of Timeloop's to follow, if not ours.
        detail: whether to return `levels` as well.

    Raises:
        ValueError: an index out of range, or mappings onto another number of levels.
    """
    index = _triples(hardware, layers, mappings, hardware_index, layer_index, mapping_index)
    packed = loop_counts.pack_layers(layers).view(LAYER)[:, 0]
    mapped = rows_of(mappings)
    conventions = conventions or Conventions()
    codes = np.zeros(len(index), dtype=np.int64)
    figures = np.full((len(index), 7), np.nan)
    pieces = []
    for block, chips, local in _blocks(hardware, index, DETAILED_BLOCK if detail else BLOCK):
        works = loop_counts.new_work(len(local) if detail else 0)

        def evaluate_rows(
            first: int,
            last: int,
            block: slice = block,
            chips: Any = chips,
            local: Ints = local,
            works: Any = works,
        ) -> None:
            rows = slice(first, last)
            _evaluate(
                chips,
                packed,
                mapped,
                local[rows],
                works[rows] if detail else loop_counts.new_work(),
                conventions.neighbors,
                conventions.fills_first,
                detail,
                codes[block][rows],
                figures[block][rows],
            )

        in_threads(evaluate_rows, len(local))
        if detail:
            pieces.append(_level_counts(works, codes[block], mappings.levels))
    return LoopNestResult(
        codes=codes,
        cycles=figures[:, 0],
        energy_pj=figures[:, 1],
        dram_read_bits=figures[:, 2],
        dram_written_bits=figures[:, 3],
        utilization=figures[:, 4],
        needed=figures[:, 5],
        available=figures[:, 6],
        level_names=hardware.levels,
        levels=_joined(pieces, mappings.levels) if detail else None,
    )


def _triples(
    hardware: Hardware,
    layers: Sequence[Layer],
    mappings: Mappings,
    hardware_index: Ints,
    layer_index: Ints,
    mapping_index: Ints,
) -> Ints:
    """The three indices side by side, `(t, 3)`, once they are known to fit."""
    rows = _index(hardware_index, len(hardware), "hardware_index")
    columns = _index(layer_index, len(layers), "layer_index")
    picks = _index(mapping_index, len(mappings), "mapping_index")
    if not len(rows) == len(columns) == len(picks):
        raise ValueError(f"index lengths differ: {len(rows)}, {len(columns)}, {len(picks)}")
    if mappings.levels != len(hardware.levels):
        raise ValueError(
            f"mappings: {mappings.levels} levels, the hardware has {len(hardware.levels)}"
        )
    return np.stack([rows, columns, picks], axis=1)


def _blocks(hardware: Hardware, index: Ints, size: int) -> Iterator[tuple[slice, Any, Ints]]:
    """Cuts the triples into blocks: which they are, packed designs, and the index into those.

    Designs are packed once if they are no more than a block has rows, else for each block.
    """
    chips = loop_counts.pack(hardware) if len(hardware) <= size else None
    for start in range(0, len(index), size):
        block = slice(start, start + size)
        local = index[block]
        if chips is not None:
            yield block, chips, local
            continue
        some, rows = np.unique(local[:, 0], return_inverse=True)
        yield block, loop_counts.pack(hardware, some), np.column_stack([rows, local[:, 1:]])


def _index(index: Ints, size: int, name: str) -> Ints:
    found = np.asarray(index, dtype=np.int64)
    if found.ndim != 1 or (len(found) and not 0 <= found.min() <= found.max() < size):
        raise ValueError(f"{name}: expected shape (t,) and values from 0 to {size - 1}")
    return found


@compiled
def _evaluate(
    chips: Any,
    layers: Any,
    mappings: Any,
    index: Ints,
    works: Any,
    along: Ints | None,
    fills_first: bool,
    detail: bool,
    codes: Ints,
    figures: NDArray[np.float64],
) -> None:
    """Writes codes `(t,)` and the figures of `LoopNestResult` in its order `(t, 7)`.

    `index` names a design, a layer and a mapping in each row; `works` has a record for each row if
    detail is wanted, else one.
    """
    for i in range(len(index)):
        work = works[i if detail else 0]
        chip = chips[index[i, 0]]
        layer = layers[index[i, 1]].values
        m = index[i, 2]
        loop_records.take(mappings, m, chip.levels, work)
        codes[i] = loop_counts.check(
            chip, layer, work.temporal, work.spatial_x, work.spatial_y, work.order, work
        )
        if codes[i] != 0:
            figures[i, 5], figures[i, 6] = loop_rules.shortfall(chip, work, codes[i])
            continue
        loop_counts.count(
            chip, layer, work.temporal, work.spatial_x, work.spatial_y, work.order, work
        )
        if fills_first:
            loop_timeloop.fill_first(chip, work)
        if along is not None:
            loop_timeloop.pass_on(chip, along[m], work)
        if detail:
            loop_counts.add_up(chip, work)
        cycles, energy = loop_counts.totals(chip, layer, work)
        figures[i, 0] = cycles
        figures[i, 1] = energy
        figures[i, 2] = work.dram_read_bits
        figures[i, 3] = work.dram_written_bits
        figures[i, 4] = loop_counts.macs(layer) / (cycles * chip.macs)


def _level_counts(work: Any, codes: Ints, count: int) -> dict[str, NDArray[np.float64]]:
    """The columns of `LevelCounts` of one block."""
    valid = codes == 0
    columns = {}
    for name, field in COLUMNS.items():
        column = (
            work[field][:, : count + (name == "instances")] if work[field].ndim > 1 else work[field]
        )
        columns[name] = column * valid.reshape(-1, *[1] * (column.ndim - 1))
    return columns


def _joined(pieces: Sequence[Mapping[str, NDArray[np.float64]]], count: int) -> LevelCounts:
    empty = _level_counts(loop_counts.new_work(0), np.zeros(0, dtype=np.int64), count)
    return LevelCounts(
        **{name: np.concatenate([p[name] for p in (empty, *pieces)]) for name in COLUMNS}
    )
