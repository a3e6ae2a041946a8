"""How often a mapping touches each level: compiled kernels for one (design, layer, mapping).

Three calls, in this order, on the same arguments and the same `work`:

    code = check(chip, layer, temporal, spatial_x, spatial_y, order, work)    0, or what is wrong
    count(chip, layer, temporal, spatial_x, spatial_y, order, work)           accesses, into `work`
    cycles, energy_pj = totals(chip, layer, work)

- `chip`: one element of `pack(hardware)`;
- `layer`: one row of `pack_layers(layers)`;
- `temporal`, `spatial_x`, `spatial_y`, `order`: one row of a `Mappings`, each `(L, 8)`;
- `work`: one element of `new_work(n)`, scratch and results of one thread.

Nothing is allocated. The words are Timeloop's: a level is *read* toward the inside, *filled* from
the outside and *updated* from the inside. Counts are 64-bit floats: exact up to 2^53, and never
wrapped beyond.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from math import ceil, inf
from typing import Any

from numba import njit

from accel_dse.simulators.loop_records import (
    INDEXES,
    INPUTS,
    OUTPUTS,
    PARTIAL,
    Ints,
    K,
    P,
    R,
    new_work,
    pack,
    pack_layers,
)
from accel_dse.simulators.loop_rules import OK, check
from accel_dse.simulators.loop_tiles import distinct, innermost, step, tiles, windows

__all__ = ["check", "count", "measure", "new_work", "pack", "pack_layers", "totals"]


@njit(cache=True)
def count(
    chip: Any, layer: Ints, temporal: Ints, spatial_x: Ints, spatial_y: Ints, order: Ints, work: Any
) -> None:
    """Counts the accesses of the mapping that `check` has just found valid, into `work`."""
    levels = chip.levels
    for i in range(levels):
        work.network_bits[i] = 0.0
        for t in range(3):
            work.fills[i, t] = work.total_fills[i, t] = 0.0
            work.reads[i, t] = work.total_reads[i, t] = 0.0
            work.updates[i, t] = work.total_updates[i, t] = 0.0
    _parallel(layer, temporal, work, levels)
    for t in range(3):
        outer = 0
        while outer < levels:
            inner = outer + 1
            while inner < levels and not chip.keeps[inner, t]:
                inner += 1
            if work.ragged:
                _exchange_clipped(chip, layer, temporal, work, t, outer, inner)
            else:
                _exchange(chip, layer, work, t, outer, inner)
            outer = inner
    for i in range(levels):
        if chip.keeps[i, OUTPUTS]:
            _skip_first(chip, layer, temporal, work, i)


@njit(cache=True)
def _parallel(layer: Ints, temporal: Ints, work: Any, levels: int) -> None:
    """Sets `compute_cycles` and `instances`: time and space that the mapping takes."""
    if not work.ragged:
        work.compute_cycles = work.steps[work.loops[levels - 1]]
        work.instances[0] = 1.0
        for i in range(levels):
            active = 1
            for d in range(8):
                active *= work.spatial[i, d]
            work.instances[i + 1] = work.instances[i] * active
        return
    work.compute_cycles = 1.0
    for i in range(levels + 1):
        work.instances[i] = 1.0
    for d in range(8):
        whole, rest, _ = tiles(layer, temporal, work, d, levels, levels, -1)
        work.compute_cycles *= whole + rest
        for i in range(1, levels + 1):
            whole, rest, _ = tiles(layer, temporal, work, d, i, 0, 0)
            work.instances[i] *= whole + rest


@njit(cache=True)
def _exchange(chip: Any, layer: Ints, work: Any, tensor: int, outer: int, inner: int) -> None:
    """Counts what passes between two levels that keep `tensor` and have none between them that
    does; `inner == levels` stands for the multiply-accumulate units. All factors divide.
    """
    if inner == chip.levels:
        words = work.steps[work.loops[inner - 1]]
    else:
        words = fetched(layer, work, tensor, inner)
        work.fills[inner, tensor] = words
        work.total_fills[inner, tensor] = words * work.instances[inner]
    for i in range(inner - 1, outer - 1, -1):
        work.network_bits[i] += words * work.instances[i + 1] * _network_bits(chip, tensor, i)
        if work.instances[i + 1] != work.instances[i]:
            words *= copies(chip, layer, work, tensor, i)
    if tensor == OUTPUTS:
        work.updates[outer, tensor] = words
        work.total_updates[outer, tensor] = words * work.instances[outer]
    else:
        work.reads[outer, tensor] = words
        work.total_reads[outer, tensor] = words * work.instances[outer]


@njit(cache=True)
def _network_bits(chip: Any, tensor: int, level: int) -> float:
    """Bits of one word of `tensor` on its way between `level` and the inside."""
    return chip.word_bits[level, PARTIAL if tensor == OUTPUTS else tensor]


@njit(cache=True)
def copies(chip: Any, layer: Ints, work: Any, tensor: int, level: int) -> float:
    """Words that `level` sends (gets) for one that each instance inside takes (gives)."""
    s = work.spatial
    shared = chip.reduces[level] if tensor == OUTPUTS else chip.multicast[level]
    words = 1.0
    for d in range(8):
        if INDEXES[tensor, d] or not shared:
            words *= s[level, d]
    if tensor == INPUTS and shared:
        words *= distinct(layer, work, level, 0) * distinct(layer, work, level, 1)
    return words


@njit(cache=True)
def fetched(layer: Ints, work: Any, tensor: int, level: int) -> float:
    """Words that one instance of `level` gets of `tensor` in all, where all factors divide.

    A tile is fetched whenever a loop outside steps to other words; loops inside the innermost such
    loop cost nothing. If the innermost loop of all slides the window, a step of it fetches only
    what the tile before did not have. When another loop steps, that overlap is lost, unless the
    window moves on by as much: by the step of the loop outside, less one step of each loop inside.
    (So measured, a loop of two steps passes its overlap on to the next loop of its dimension, and
    a longer loop does not, since Timeloop lets the second step of a loop stand for all others.)

    Source: Timeloop, `NestAnalysis::ComputeTemporalWorkingSet` and
    `OperationSpace::SaveAndSubtractIfSameStride`, solved for all steps at once; a move by nothing
    counts as a change of stride, as in the runs we compare with.
    """
    tile = work.tile[level, tensor]
    last = work.loops[level - 1] - 1
    first = innermost(work, tensor, last + 1)
    words = tile * work.steps[first + 1]
    if tensor != INPUTS or first != last or last < 0 or work.loop_dim[last] < P:
        return words
    axis = (work.loop_dim[last] - P) % 2
    move = step(layer, work, last)
    rows = (
        layer[8 + axis] * (work.extent[level, P + axis] - 1)
        + layer[10 + axis] * (work.extent[level, R + axis] - 1)
        + 1
    )
    overlap = tile / rows * max(0, rows - move)
    words -= overlap * (work.steps[last + 1] - work.steps[last])
    inside = move
    for k in range(last - 1, -1, -1):
        d = work.loop_dim[k]
        if d == K:
            continue
        if d < P or (d - P) % 2 != axis:
            break
        outside = step(layer, work, k)
        if outside == inside + move:
            words -= overlap * (work.steps[k + 1] - work.steps[k])
        inside += outside
    return words


@njit(cache=True)
def _exchange_clipped(
    chip: Any, layer: Ints, temporal: Ints, work: Any, tensor: int, outer: int, inner: int
) -> None:
    """`_exchange` where some factor does not divide: clipped tiles have fewer words and steps."""
    levels = chip.levels
    outside = (1 << outer) - 1
    if inner < levels:
        work.fills[inner, tensor] = _visited(chip, layer, temporal, work, tensor, inner, -1, inner)
        work.total_fills[inner, tensor] = _visited(
            chip, layer, temporal, work, tensor, inner, 0, inner
        )
    for i in range(inner - 1, outer - 1, -1):
        words = _visited(chip, layer, temporal, work, tensor, inner, 0, i + 1)
        work.network_bits[i] += words * _network_bits(chip, tensor, i)
    busiest = _visited(chip, layer, temporal, work, tensor, inner, outside, outer)
    total = _visited(chip, layer, temporal, work, tensor, inner, 0, outer)
    if tensor == OUTPUTS:
        work.updates[outer, tensor] = busiest
        work.total_updates[outer, tensor] = total
    else:
        work.reads[outer, tensor] = busiest
        work.total_reads[outer, tensor] = total


@njit(cache=True)
def _visited(
    chip: Any,
    layer: Ints,
    temporal: Ints,
    work: Any,
    tensor: int,
    inner: int,
    first_only: int,
    outer: int,
) -> float:
    """Words of `tensor` that pass between instances of `outer` and all of `inner` under them.

    Only the first instance of levels in the bit mask `first_only` is looked at. From `outer`
    inward, instances that need the same words are counted once where the level can share.

    Clipped tiles are whole or ragged along each dimension independently, so that a sum over all
    tiles is a product over dimensions; rows (P and R) and columns (Q and S) of inputs each make
    one factor.
    """
    last = work.loops[inner - 1] - 1
    first = -1
    cut = inner
    stepping = 0
    if inner < chip.levels:
        first = innermost(work, tensor, last + 1)
        cut = work.loop_level[first] if first >= 0 else 0
        k = first
        while k >= 0 and work.loop_level[k] == cut:
            stepping |= 1 << work.loop_dim[k]
            k -= 1
    shared = 0
    for i in range(outer, inner):
        if chip.reduces[i] if tensor == OUTPUTS else chip.multicast[i]:
            shared |= 1 << i
    words = 1.0
    for d in range(8):
        if not INDEXES[tensor, d]:
            counted = cut + (stepping >> d & 1) if inner < chip.levels else inner
            whole, ragged, _ = tiles(layer, temporal, work, d, inner, counted, first_only | shared)
            words *= whole + ragged
        elif tensor != INPUTS or d < P:
            whole, ragged, left = tiles(layer, temporal, work, d, inner, inner, first_only)
            words *= whole * work.extent[inner, d] + ragged * left
    if tensor == INPUTS:
        sliding = first if first == last else -1
        words *= windows(layer, temporal, work, 0, inner, first_only, sliding)
        words *= windows(layer, temporal, work, 1, inner, first_only, sliding)
        for i in range(outer, inner):
            if shared >> i & 1:
                words *= distinct(layer, work, i, 0) * distinct(layer, work, i, 1)
    return words


@njit(cache=True)
def _skip_first(chip: Any, layer: Ints, temporal: Ints, work: Any, level: int) -> None:
    """Turns updates of outputs into reads of what was there before, and takes back those fetches
    and reads that would be of sums not begun: a first update is written, not added.

    Source: Timeloop, `ComputeReadUpdateReductionAccesses_Legacy` (first read elision).
    """
    total = 1.0
    busiest = 1.0
    held = 1.0
    for d in range(8):
        if INDEXES[OUTPUTS, d]:
            total *= layer[d]
            if work.ragged:
                whole, ragged, left = tiles(layer, temporal, work, d, level, level, -1)
                busiest *= whole * work.extent[level, d] + ragged * left
            else:
                own = layer[d]
                for i in range(level):
                    own //= work.spatial[i, d]
                busiest *= own
        elif work.ragged:
            whole, ragged, _ = tiles(layer, temporal, work, d, level, 0, 0)
            held *= whole + ragged
        else:
            for i in range(level):
                held *= work.spatial[i, d]
    work.reads[level, OUTPUTS] = work.updates[level, OUTPUTS] - busiest
    work.total_reads[level, OUTPUTS] = work.total_updates[level, OUTPUTS] - total * held
    if level > 0:
        work.fills[level, OUTPUTS] -= busiest
        work.total_fills[level, OUTPUTS] -= total * held
    work.final_updates[level] = busiest if held == 1.0 else 0.0
    work.total_final_updates[level] = total if held == 1.0 else 0.0


@njit(cache=True)
def totals(chip: Any, layer: Ints, work: Any) -> tuple[float, float]:
    """Cycles and dynamic energy (pJ) of what `count` counted; sets `level_cycles` and DRAM bits."""
    energy = chip.mac_pj
    for d in range(8):
        energy *= layer[d]
    cycles = work.compute_cycles
    for i in range(chip.levels):
        read = 0.0
        written = 0.0
        read_bits = 0.0
        fill_bits = 0.0
        update_bits = 0.0
        for t in range(3):
            bits = chip.word_bits[i, t]
            if t == OUTPUTS:
                partial = chip.word_bits[i, PARTIAL]
                read += work.reads[i, t] * partial / work.compute_cycles
                late = work.final_updates[i] * (bits - partial)
                written += (
                    (work.fills[i, t] + work.updates[i, t]) * partial + late
                ) / work.compute_cycles
                read_bits += work.total_reads[i, t] * partial
                fill_bits += work.total_fills[i, t] * partial
                update_bits += work.total_updates[i, t] * partial
                update_bits += work.total_final_updates[i] * (bits - partial)
            elif chip.keeps[i, t]:
                read += work.reads[i, t] * bits / work.compute_cycles
                written += work.fills[i, t] * bits / work.compute_cycles
                read_bits += work.total_reads[i, t] * bits
                fill_bits += work.total_fills[i, t] * bits
        slowdown = 1.0
        if chip.read_bits_per_cycle[i] < read:
            slowdown = min(slowdown, chip.read_bits_per_cycle[i] / read)
        if chip.write_bits_per_cycle[i] < written:
            slowdown = min(slowdown, chip.write_bits_per_cycle[i] / written)
        if chip.shared_bits_per_cycle[i] < read + written:
            slowdown = min(slowdown, chip.shared_bits_per_cycle[i] / (read + written))
        work.level_cycles[i] = ceil(work.compute_cycles / slowdown)
        cycles = max(cycles, work.level_cycles[i])
        energy += read_bits * chip.access_pj_per_bit[i, 0]
        energy += fill_bits * chip.access_pj_per_bit[i, 1]
        energy += update_bits * chip.access_pj_per_bit[i, 2]
        energy += work.network_bits[i] * chip.network_pj_per_bit[i]
        if i == 0:
            work.dram_read_bits = read_bits
            work.dram_written_bits = update_bits
    return cycles, energy


@njit(cache=True)
def measure(
    chip: Any, layer: Ints, temporal: Ints, spatial_x: Ints, spatial_y: Ints, order: Ints, work: Any
) -> tuple[int, float, float]:
    """`check`, `count` and `totals` in one: `(code, cycles, energy_pj)`; infinite if not valid."""
    code = check(chip, layer, temporal, spatial_x, spatial_y, order, work)
    if code != OK:
        return code, inf, inf
    count(chip, layer, temporal, spatial_x, spatial_y, order, work)
    cycles, energy_pj = totals(chip, layer, work)
    return code, cycles, energy_pj
