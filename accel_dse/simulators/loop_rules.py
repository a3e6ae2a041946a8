"""Whether a mapping is valid on a design: the rules, compiled, with what is missing."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

from numba import njit

from accel_dse.simulators.loop_records import INDEXES, OUTPUTS, PARTIAL, Ints
from accel_dse.simulators.loop_tiles import innermost, lay_out

(
    OK,
    UNCOVERED,
    LOOP,
    UNROLL_X,
    UNROLL_Y,
    FANOUT_X,
    FANOUT_Y,
    HARDWIRED_X,
    HARDWIRED_Y,
    WHOLE,
    CAPACITY,
    PROGRAM,
) = range(12)
"""What `check` may find wrong; it returns `rule * 256 + level * 16 + dim or tensor`."""


@njit(cache=True)
def check(
    chip: Any, layer: Ints, temporal: Ints, spatial_x: Ints, spatial_y: Ints, order: Ints, work: Any
) -> int:
    """Whether the mapping is valid: 0, or `rule * 256 + level * 16 + dim or tensor`.

    Args:
        chip: one element of `pack(hardware)`.
        layer: one row of `pack_layers(layers)`.
        temporal, spatial_x, spatial_y, order: one row of a `Mappings`, each `(L, 8)`.
        work: one element of `new_work(n)`, one for each thread.
    """
    levels = chip.levels
    for i in range(levels):
        x = 1
        y = 1
        most_x = 1
        most_y = 1
        for d in range(8):
            if temporal[i, d] > 1 and not chip.loops_allowed[i, d]:
                return LOOP * 256 + i * 16 + d
            if spatial_x[i, d] > 1:
                x *= spatial_x[i, d]
                most_x = max(most_x, spatial_x[i, d])
                if not chip.unroll_x[i, d]:
                    return UNROLL_X * 256 + i * 16 + d
            if spatial_y[i, d] > 1:
                y *= spatial_y[i, d]
                most_y = max(most_y, spatial_y[i, d])
                if not chip.unroll_y[i, d]:
                    return UNROLL_Y * 256 + i * 16 + d
        if x > chip.fanout_x[i]:
            return FANOUT_X * 256 + i * 16
        if y > chip.fanout_y[i]:
            return FANOUT_Y * 256 + i * 16
        if chip.hardwired_x[i] >= 0 and most_x != chip.fanout_x[i]:
            return HARDWIRED_X * 256 + i * 16 + chip.hardwired_x[i]
        if chip.hardwired_y[i] >= 0 and most_y != chip.fanout_y[i]:
            return HARDWIRED_Y * 256 + i * 16 + chip.hardwired_y[i]
    lay_out(chip, layer, temporal, spatial_x, spatial_y, order, work)
    for d in range(8):
        if work.extent[0, d] < layer[d]:
            return UNCOVERED * 256 + d
    for i in range(levels):
        for d in range(8):
            if chip.whole[i, d] and work.extent[i, d] < layer[d]:
                return WHOLE * 256 + i * 16 + d
        for t in range(3):
            if chip.keeps[i, t] and occupied_bits(chip, work, i, t) > chip.capacity_bits[i, t]:
                return CAPACITY * 256 + i * 16 + t
    if transfers(chip, work) > chip.program_entries:
        return PROGRAM * 256 + chip.program_level * 16
    return OK


@njit(cache=True)
def shortfall(
    chip: Any,
    layer: Ints,
    temporal: Ints,
    spatial_x: Ints,
    spatial_y: Ints,
    work: Any,
    code: int,
) -> tuple[float, float]:
    """What the mapping needs and what there is, where `check` has just found `code`."""
    rule, level, item = code // 256, code // 16 % 16, code % 16
    if rule in (UNCOVERED, WHOLE):
        return float(layer[item]), float(work.extent[level, item])
    if rule == LOOP:
        return float(temporal[level, item]), 1.0
    if rule == UNROLL_X:
        return float(spatial_x[level, item]), 1.0
    if rule == UNROLL_Y:
        return float(spatial_y[level, item]), 1.0
    if rule == CAPACITY:
        return occupied_bits(chip, work, level, item), chip.capacity_bits[level, item]
    if rule == PROGRAM:
        return transfers(chip, work), chip.program_entries
    x, y = 1, 1
    for d in range(8):
        x *= spatial_x[level, d]
        y *= spatial_y[level, d]
    if rule in (FANOUT_X, HARDWIRED_X):
        return float(x), float(chip.fanout_x[level])
    return float(y), float(chip.fanout_y[level])


@njit(cache=True)
def occupied_bits(chip: Any, work: Any, level: int, tensor: int) -> float:
    """Bits that unclipped tiles occupy in the partition of `tensor` at `level`."""
    bits = 0.0
    for t in range(3):
        if chip.keeps[level, t] and chip.partition[level, t] == chip.partition[level, tensor]:
            kind = PARTIAL if t == OUTPUTS and unfinished(chip, work, level) else t
            bits += work.tile[level, t] * chip.word_bits[level, kind]
    return bits


@njit(cache=True)
def unfinished(chip: Any, work: Any, level: int) -> bool:
    """Whether `level` ever holds a sum to which products are still to be added."""
    inner = level + 1
    while inner < chip.levels and not chip.keeps[inner, OUTPUTS]:
        inner += 1
    end = work.loops[inner - 1]
    if inner < chip.levels:
        end = innermost(work, OUTPUTS, end) + 1
    for k in range(end):
        if not INDEXES[OUTPUTS, work.loop_dim[k]]:
            return True
    for i in range(inner):
        if i < level or not chip.reduces[i]:
            for d in range(8):
                if work.spatial[i, d] > 1 and not INDEXES[OUTPUTS, d]:
                    return True
    return False


@njit(cache=True)
def transfers(chip: Any, work: Any) -> float:
    """Tile transfers that the program spells out: for each tensor, how often the loops of
    `program_level` and those outside it ask for another tile. 0 without a program.
    """
    if chip.program_level < 0:
        return 0.0
    found = 0.0
    for t in range(3):
        found += work.steps[innermost(work, t, work.loops[chip.program_level]) + 1]
    return found
