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

from math import inf
from typing import Any

import numpy as np

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import (
    INDEXES,
    INPUTS,
    OUTPUTS,
    PARTIAL,
    UNSIGNED,
    WEIGHTS,
    C,
    G,
    Ints,
    K,
    N,
    P,
    Q,
    R,
    S,
    new_work,
    pack,
    pack_layers,
)
from accel_dse.simulators.loop_rules import OK, check
from accel_dse.simulators.loop_tiles import (
    distinct,
    level_of,
    own_extents,
    step,
    tiles,
    windows,
)

__all__ = ["check", "count", "measure", "new_work", "pack", "pack_layers", "totals"]


@compiled
def count(
    chip: Any,
    layer: Ints,
    temporal: Ints,
    spatial_x: Ints,
    spatial_y: Ints,
    order: Ints,
    work: Any,
) -> None:
    """Counts the accesses of the mapping that `check` has just found valid, into `work`."""
    if work.ragged:
        _count_clipped(chip, work)
    else:
        _count(chip, work)


@compiled
def _count(chip: Any, work: Any) -> None:
    """Counts accesses where all factors divide: from the units outward, for each tensor."""
    levels = chip.levels
    reads, fills, updates = work.reads, work.fills, work.updates
    instances, network, split = work.instances, work.network_bits, work.split
    work.compute_cycles = work.steps[8 * levels]
    for i in range(levels):
        network[i] = 0.0
        updates[i, WEIGHTS] = updates[i, INPUTS] = 0.0
    for t in range(3):
        kind = PARTIAL if t == OUTPUTS else t
        asked = reads if t < OUTPUTS else updates
        words = work.compute_cycles
        for inward in range(levels):
            i = (levels - 1 - inward) & UNSIGNED
            arrived = words * instances[i + 1] * chip.word_bits[i, kind]
            if split[i] > 1:
                words *= work.copies[i, t]
                arrived *= way(chip, i, split[i] / work.copies[i, t])
            network[i] += arrived
            if i == 0:
                asked[0, t] = words
                fills[0, t] = 0.0
            elif chip.keeps[i, t]:
                asked[i, t] = words
                words = work.tile[i, t] * work.reach[i - 1, t]
                if t == INPUTS:
                    words -= _slid(work, i)
                fills[i, t] = words
            else:
                asked[i, t] = fills[i, t] = 0.0
    first = float(work.layer[N] * work.layer[G] * work.layer[K]) * float(
        work.layer[P] * work.layer[Q]
    )
    copies = 1.0
    for level in range(levels):
        i = level & UNSIGNED
        reads[i, OUTPUTS] = work.final_updates[i] = 0.0
        if chip.keeps[i, OUTPUTS]:
            reads[i, OUTPUTS] = updates[i, OUTPUTS] - first
            if i > 0:
                fills[i, OUTPUTS] -= first
            if copies == 1.0:
                work.final_updates[i] = first
        if split[i] > 1:
            first /= work.parts[i]
            copies *= work.split[i] / work.parts[i]


@compiled
def way(chip: Any, level: int, together: float) -> float:
    """How far a word goes for each instance that gets it, over half the side of what they span.

    Alone, it goes half the side. Sent to several at once, it goes part of the way for all of them,
    and never further than to one after the other; sums that are added on their way out go the same
    ways back.

    Args:
        chip: one element of `pack(hardware)`.
        level: where the word comes from.
        together: how many instances get it at once, on average.

    Source:
        Timeloop, `LegacyNetwork::NumHops`: `sqrt(n f) + (sqrt(n) - sqrt(f)) / 2 - sqrt(n / f) +
        1/2` hops bring a word to `f` of `n` instances, which lie one hop apart in a square.
    """
    if together <= 1.0:
        return 1.0
    n = float(chip.fanout_x[level] * chip.fanout_y[level])
    root_n, root_f = np.sqrt(larger(n, together)), np.sqrt(together)
    return min(1.0, (2 * root_f + 1 - 2 / root_f - (root_f - 1) / root_n) / together)


@compiled
def fetched(work: Any, tensor: int, level: int) -> float:
    """Words that one instance of `level` gets of `tensor` in all, where all factors divide.

    A tile is fetched whenever a loop outside steps to other words; loops inside the innermost such
    loop cost nothing.
    """
    words = work.tile[level, tensor] * work.reach[level - 1, tensor]
    return words - _slid(work, level) if tensor == INPUTS else words


@compiled
def _slid(work: Any, level: int) -> float:
    """Words of inputs that one instance of `level` need not fetch since its window slides.

    If the innermost loop of all slides the window, a step of it fetches only what the tile before
    did not have. When another loop steps, that overlap is lost, unless the window moves on by as
    much: by the step of the loop outside, less one step of each loop inside. (So measured, a loop
    of two steps passes its overlap on to the next loop of its dimension, and a longer loop does
    not, since Timeloop lets the second step of a loop stand for all others.)

    Source: Timeloop, `NestAnalysis::ComputeTemporalWorkingSet` and
    `OperationSpace::SaveAndSubtractIfSameStride`, solved for all steps at once; a move by nothing
    counts as a change of stride, as it did until January 2025.
    """
    level &= UNSIGNED
    last = work.innermost[level - 1] & 127
    if last == 0 or work.loop_dim[last] < P:
        return 0.0
    axis = (work.loop_dim[last] - P) % 2
    move = step(work, last)
    rows = (
        work.layer[8 + axis] * (work.extent[level, P + axis] - 1)
        + work.layer[10 + axis] * (work.extent[level, R + axis] - 1)
        + 1
    )
    if rows <= move:
        return 0.0
    times = work.steps[last] - work.steps[last - 1]
    inside = move
    for k in range(last - 1, 0, -1):
        d = work.loop_dim[k]
        if d == K or work.steps[k] == work.steps[k - 1]:
            continue
        if d < P or (d - P) % 2 != axis:
            break
        outside = step(work, k)
        if outside == inside + move:
            times += work.steps[k] - work.steps[k - 1]
        inside += outside
    return work.tile[level, INPUTS] / rows * (rows - move) * times


@compiled
def _count_clipped(chip: Any, work: Any) -> None:
    """Counts accesses where some factor does not divide: clipped tiles have fewer words."""
    levels = chip.levels
    own_extents(work, levels)
    work.compute_cycles = 1.0
    for d in range(8):
        work.compute_cycles *= work.own[levels, d]
        work.splits[d] = 0
        for i in range(levels):
            work.splits[d] |= (work.spatial[i, d] > 1) << i
    for i in range(levels):
        if work.split[i] == 1:
            work.instances[i + 1] = work.instances[i]
        else:
            work.instances[i + 1] = 1.0
            for d in range(8):
                if work.extent[0, d] > 1:
                    work.instances[i + 1] *= tiles(work, d, i + 1, 0, 0)
        work.network_bits[i] = 0.0
        for t in range(3):
            work.reads[i, t] = work.total_reads[i, t] = 0.0
            work.fills[i, t] = work.total_fills[i, t] = 0.0
            work.updates[i, t] = work.total_updates[i, t] = 0.0
    for t in range(3):
        outer = 0
        for inner in range(1, levels + 1):
            if inner == levels or chip.keeps[inner, t]:
                _exchange(chip, work, t, outer, inner)
                outer = inner
    _skip_first(chip, work)


@compiled
def _exchange(chip: Any, work: Any, tensor: int, outer: int, inner: int) -> None:
    """Counts what passes between two levels that keep `tensor` and have none between them that
    does; `inner == levels` stands for the multiply-accumulate units.
    """
    asked, asked_in_all = work.compute_cycles, macs(work.layer)
    if inner < chip.levels:
        asked, asked_in_all = _moved(chip, work, tensor, inner, inner)
        work.fills[inner, tensor] = asked
        work.total_fills[inner, tensor] = asked_in_all
    kind = PARTIAL if tensor == OUTPUTS else tensor
    for outward in range(inner - outer):
        i = inner - 1 - outward
        bits = asked_in_all * chip.word_bits[i, kind]
        # What a single instance asks for is what those inside it ask for.
        if work.split[i] > 1:
            arrived = asked_in_all
            asked, asked_in_all = _moved(chip, work, tensor, i, inner)
            bits *= way(chip, i, arrived / asked_in_all)
        work.network_bits[i] += bits
    if tensor == OUTPUTS:
        work.updates[outer, tensor] = asked
        work.total_updates[outer, tensor] = asked_in_all
    else:
        work.reads[outer, tensor] = asked
        work.total_reads[outer, tensor] = asked_in_all


@compiled
def _moved(chip: Any, work: Any, tensor: int, outer: int, inner: int) -> tuple[float, float]:
    """Words of `tensor` between instances of `outer` and the tiles of `inner` under them.

    Clipped tiles are whole or clipped along each dimension independently, so that a sum over all
    tiles is a product over dimensions; rows (P and R) and columns (Q and S) of inputs each make
    one factor. From `outer` inward, instances that need the same words count once where the level
    can share. A dimension that does not index the tensor repeats the move, with those of its loops
    that are not inside the innermost loop that does.

    Returns:
        Of the first instance of `outer`, which is the busiest, and of all.
    """
    last = work.innermost[inner - 1]
    first = last
    if inner < chip.levels:
        first = work.mover[inner - 1, tensor]
    shared = 0
    for i in range(outer, inner):
        if chip.reduces[i] if tensor == OUTPUTS else chip.multicast[i]:
            shared |= 1 << i
    before = (1 << outer) - 1
    busiest = 1.0
    total = 1.0
    for d in range(P if tensor == INPUTS else 8):
        if INDEXES[tensor, d]:
            busiest *= work.own[outer, d]
            total *= work.layer[d]
        elif work.extent[0, d] > 1:
            split = work.splits[d]
            counted = inner if inner == chip.levels else _counted(work, first, d)
            if counted == chip.levels and not split & shared:
                busiest *= work.own[outer, d]
                total *= work.layer[d]
                continue
            times = tiles(work, d, inner, counted, before | shared)
            busiest *= times
            if split & before:
                times = tiles(work, d, inner, counted, shared)
            total *= times
    if tensor != INPUTS:
        return busiest, total
    sliding = first if first == last and inner < chip.levels else 0
    for axis in range(2):
        found = windows(work, axis, inner, outer, sliding)
        busiest *= found
        if (
            work.own[outer, P + axis] < work.layer[P + axis]
            or work.own[outer, R + axis] < work.layer[R + axis]
        ):
            found = windows(work, axis, inner, 0, sliding)
        total *= found
        for i in range(outer, inner):
            if shared >> i & 1 and work.split[i] > 1:
                unlike = distinct(work, i, axis)
                busiest *= unlike
                total *= unlike
    return busiest, total


@compiled
def _counted(work: Any, first: int, d: int) -> int:
    """At how many of the outermost levels steps along `d` are not inside the loop `first`."""
    if first == 0:
        return 0
    level = level_of(first)
    for loop in range(8 * level + 1, first):
        if work.loop_dim[loop] == d:
            return level + 1
    return level


@compiled
def _skip_first(chip: Any, work: Any) -> None:
    """Turns updates of outputs into reads of what was there before, and takes back those fetches
    and reads that would be of sums not begun: a first update is written, not added.

    Source: Timeloop, `ComputeReadUpdateReductionAccesses_Legacy` (first read elision).
    """
    outputs = float(work.layer[N] * work.layer[G] * work.layer[K]) * float(
        work.layer[P] * work.layer[Q]
    )
    for i in range(chip.levels):
        work.final_updates[i] = work.total_final_updates[i] = 0.0
        if not chip.keeps[i, OUTPUTS]:
            continue
        busiest = float(work.own[i, N] * work.own[i, G] * work.own[i, K])
        busiest *= work.own[i, P] * work.own[i, Q]
        copies = tiles(work, C, i, 0, 0)
        copies *= tiles(work, R, i, 0, 0)
        copies *= tiles(work, S, i, 0, 0)
        work.reads[i, OUTPUTS] = work.updates[i, OUTPUTS] - busiest
        work.total_reads[i, OUTPUTS] = work.total_updates[i, OUTPUTS] - outputs * copies
        if i > 0:
            work.fills[i, OUTPUTS] -= busiest
            work.total_fills[i, OUTPUTS] -= outputs * copies
        if copies == 1.0:
            work.final_updates[i] = busiest
            work.total_final_updates[i] = outputs


@compiled
def add_up(chip: Any, work: Any) -> None:
    """Sets `total_*`, over all instances; `count` has done so already where factors do not
    divide.
    """
    if work.ragged:
        return
    for i in range(chip.levels):
        work.total_final_updates[i] = work.final_updates[i] * work.instances[i]
        for t in range(3):
            work.total_reads[i, t] = work.reads[i, t] * work.instances[i]
            work.total_fills[i, t] = work.fills[i, t] * work.instances[i]
            work.total_updates[i, t] = work.updates[i, t] * work.instances[i]


@compiled
def totals(chip: Any, layer: Ints, work: Any) -> tuple[float, float]:
    """Cycles and dynamic energy (pJ) of what `count` counted; sets `level_cycles` and DRAM bits.

    A level's bandwidth slows the units down by the traffic of its busiest instance.

    Source: Timeloop, `BufferLevel::ComputePerformance`, in its order of operations.
    """
    energy = chip.mac_pj * macs(layer)
    compute = work.compute_cycles
    cycles = compute
    all_reads, all_fills, all_updates = work.reads, work.fills, work.updates
    final_updates = work.final_updates
    for level in range(chip.levels):
        i = level & UNSIGNED
        bits, pj = chip.word_bits[i], chip.access_pj_per_bit[i]
        late = bits[OUTPUTS] - bits[PARTIAL]
        reads, fills, updates = all_reads[i], all_fills[i], all_updates[i]
        weights = reads[WEIGHTS] * bits[WEIGHTS]
        inputs = reads[INPUTS] * bits[INPUTS]
        sums = reads[OUTPUTS] * bits[PARTIAL]
        new_weights = fills[WEIGHTS] * bits[WEIGHTS]
        new_inputs = fills[INPUTS] * bits[INPUTS]
        filled_sums = fills[OUTPUTS] * bits[PARTIAL]
        updated = updates[OUTPUTS] * bits[PARTIAL] + final_updates[i] * late
        read = weights + inputs + sums
        filled = new_weights + new_inputs + filled_sums
        written = filled + updated
        needed = larger(read / chip.read_bits_per_cycle[i], written / chip.write_bits_per_cycle[i])
        needed = larger(needed, (read + written) / chip.shared_bits_per_cycle[i])
        level_cycles = np.ceil(larger(compute, needed))
        if needed > compute and abs(needed - np.rint(needed)) < 1e-10 * needed:
            level_cycles = _throttled(
                chip,
                i,
                compute,
                weights / compute + inputs / compute + sums / compute,
                new_weights / compute + new_inputs / compute + (filled_sums + updated) / compute,
            )
        cycles = larger(cycles, level_cycles)
        work.level_cycles[i] = level_cycles
        many = work.instances[i]
        if work.ragged:
            many = 1.0
            read = work.total_reads[i, WEIGHTS] * bits[WEIGHTS]
            read += work.total_reads[i, INPUTS] * bits[INPUTS]
            read += work.total_reads[i, OUTPUTS] * bits[PARTIAL]
            filled = work.total_fills[i, WEIGHTS] * bits[WEIGHTS]
            filled += work.total_fills[i, INPUTS] * bits[INPUTS]
            filled += work.total_fills[i, OUTPUTS] * bits[PARTIAL]
            updated = work.total_updates[i, OUTPUTS] * bits[PARTIAL]
            updated += work.total_final_updates[i] * late
        energy += many * (read * pj[0] + filled * pj[1] + updated * pj[2])
        energy += work.network_bits[i] * chip.network_pj_per_bit[i]
        if i == 0:
            work.dram_read_bits = read
            work.dram_written_bits = updated
    return cycles, energy


@compiled
def macs(layer: Ints) -> float:
    """Multiply-accumulates of one run."""
    inputs = float(layer[N] * layer[G] * layer[K] * layer[C])
    return inputs * float(layer[P] * layer[Q] * layer[R] * layer[S])


@compiled
def larger(a: float, b: float) -> float:
    """The larger of two numbers, without a branch."""
    return a if a > b else b


@compiled
def _throttled(chip: Any, level: int, compute: float, read: float, written: float) -> float:
    """Cycles if `compute` cycles ask for `read` and `written` bits each, of one instance.

    Rounded as Timeloop does: where the bits take a whole number of cycles, one more or not.
    """
    speed = 1.0
    if chip.read_bits_per_cycle[level] < read:
        speed = min(speed, chip.read_bits_per_cycle[level] / read)
    if chip.write_bits_per_cycle[level] < written:
        speed = min(speed, chip.write_bits_per_cycle[level] / written)
    if chip.shared_bits_per_cycle[level] < read + written:
        speed = min(speed, chip.shared_bits_per_cycle[level] / (read + written))
    return np.ceil(compute / speed)


@compiled
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
