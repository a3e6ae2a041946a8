"""The search for one layer's mappings on one design, compiled.

Splits over the fan-outs, innermost tiles, blocks that come from DRAM, and what lies between are
chosen in this order, each with a list of the best so far; whole mappings are then ranked by
`map_estimate` and by their energy, which is exact.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

from accel_dse.simulators import loop_counts
from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import INDEXES, OUTPUTS, PARTIAL, Ints
from accel_dse.simulators.map_blocks import block_tiles
from accel_dse.simulators.map_estimate import estimate
from accel_dse.simulators.map_inner import inner_tiles
from accel_dse.simulators.map_splits import spatial_options
from accel_dse.simulators.map_terms import (
    BLOCKS,
    EDP,
    ENERGY,
    LATENCY,
    NO_MAPPING,
    NO_PROGRAM,
    ORDERS,
    WAYS,
    Bools,
    Floats,
    ceil_div,
    hands_over,
    overflow,
    tile_words,
)

VARIANTS = 4
"""Ways to fill the levels between: with as much as fits once, or twice and cut in three orders."""


@compiled
def search(
    chip: Any,
    machine: Any,
    hardwired: Bools,
    layer: Ints,
    effort: Any,
    memory: Any,
    work: Any,
    problem: Floats,
) -> None:
    """Adds the best mappings found to `memory`'s lists of finalists, for each way asked.

    Args:
        chip, machine: one element of `loop_counts.pack` and of `timeline_plan.pack_machine`.
        hardwired: see `Hardware`, `(L, 2)`.
        layer: one row of `pack_layers(layers)`.
        effort: splits, tiles of each split, tiles, blocks of each way, budget, fine, goal, shy.
        memory: what `mapper.new_memory` returns, prepared by `begin`.
        work: one `WORK` record.
        problem: receives why nothing was found, `(4,)`; see `mapper.Mapped`.
    """
    state, inners, blocks, _, _, inner, _, counts, _ = memory
    state.broken = 0
    if state.shy != effort[7]:
        state.shy, state.looked_into = effort[7], 0
        problem[0], problem[1] = NO_MAPPING, 0
        state.splits = spatial_options(
            chip,
            layer,
            hardwired,
            effort[7],
            state.x[:, : chip.levels],
            state.y[:, : chip.levels],
            state.steps,
            problem,
        )
    splits = min(state.splits, effort[0])
    if splits > 0:
        problem[0], problem[1] = NO_MAPPING, 0
    state.fewest_transfers = 1e300
    many = 0
    for k in range(splits):
        for i in range(chip.levels):
            for d in range(8):
                state.spatial[k, i, d] = state.x[k, i, d] * state.y[k, i, d]
        if many < effort[2] or effort[6] == ENERGY or state.steps[k] < inners[many - 1].score:
            many = inner_tiles(chip, machine, layer, state, k, effort, inners, many, inner)
    if splits > 0 and many == 0 and 1e300 > state.fewest_transfers > chip.program_entries:
        problem[0], problem[1] = NO_PROGRAM, chip.program_level
        problem[2], problem[3] = state.fewest_transfers, chip.program_entries
    for way in range(WAYS):
        counts[BLOCKS, way] = 0
    for k in range(many):
        block_tiles(chip, machine, layer, state, inners[k], k, effort, blocks, counts[BLOCKS])
    for way in range(WAYS):
        for b in range(counts[BLOCKS, way]):
            if _is_new(inners, blocks[way, b], memory):
                _add_leaves(chip, machine, layer, effort[6], inners, blocks[way, b], memory, work)
    if problem[0] == NO_MAPPING:
        problem[1], problem[2] = state.broken // 16 % 16, state.broken // 256


@compiled
def begin(chip: Any, memory: Any) -> None:
    """Empties the lists, for another layer; what the network needs of it is set already."""
    state, counts = memory[0], memory[7]
    for k in range(len(counts)):
        for way in range(WAYS):
            counts[k, way] = 0
    state.shy = -1
    state.looked_into = 0
    _set_sources(chip, state)


@compiled
def _set_sources(chip: Any, state: Any) -> None:
    """Sets who keeps each tensor: see `SEARCH`."""
    for t in range(3):
        outer = 0
        state.target[t] = 0
        for i in range(1, chip.levels):
            state.source[i, t] = outer
            if chip.keeps[i, t]:
                if state.target[t] == 0:
                    state.target[t] = i
                outer = i
        state.keeper[t] = outer


@compiled
def _is_new(inners: Any, block: Any, memory: Any) -> bool:
    """Whether no search of this layer has looked into the block: told by a hash of what it is."""
    state, keys = memory[0], memory[8]
    inner = inners[block.inner]
    key = (inner.split * 3 + block.stationary) * 3 + block.inside
    for d in range(8):
        key = (key * 1_000_003 + inner.counts[d]) * 1_000_003 + block.counts[d]
    for k in range(state.looked_into):
        if keys[k] == key:
            return False
    keys[state.looked_into] = key
    state.looked_into += 1
    return True


@compiled
def _add_leaves(
    chip: Any, machine: Any, layer: Ints, goal: int, inners: Any, block: Any, memory: Any, work: Any
) -> None:
    """Ranks the whole mappings that a block may be part of: what lies between, and loop orders."""
    state, leaf = memory[0], memory[4]
    inner = inners[block.inner]
    levels = chip.levels
    between = levels - 2
    for variant in range(VARIANTS):
        built = _build(chip, machine, layer, state, inner, block, variant, leaf)
        if built == IMPOSSIBLE:
            break
        seen = False
        state.tried[variant] = 0
        for i in range(levels):
            for d in range(8):
                state.tried[variant] = state.tried[variant] * 31 + leaf.temporal[i, d]
        for k in range(variant):
            seen = seen or state.tried[k] == state.tried[variant]
        if seen:
            continue
        outer_loops = between_loops = 0
        for d in range(8):
            outer_loops += leaf.temporal[0, d] > 1
            if between > 0:
                between_loops += leaf.temporal[between, d] > 1
        for outer in range(3):
            if outer_loops < 2 and outer != block.stationary:
                continue
            for second in range(3):
                if second != block.inside and (between <= 0 or between_loops < 2):
                    continue
                leaf.stationary[0] = outer
                if between > 0:
                    leaf.stationary[between] = second
                _judge(chip, machine, layer, goal, memory, work)
        if built == NOTHING_CUT:
            break


IMPOSSIBLE, NOTHING_CUT, CUT = range(3)


@compiled
def _build(
    chip: Any,
    machine: Any,
    layer: Ints,
    state: Any,
    inner: Any,
    block: Any,
    variant: int,
    leaf: Any,
) -> int:
    """Fills the levels between the innermost and the outermost on the chip with as much of the
    block as fits (for variants other than 0: twice, where a level may be double-buffered).

    Returns:
        `IMPOSSIBLE`; `NOTHING_CUT` if even two whole blocks fit, so that all variants are equal.
    """
    levels = chip.levels
    leaf.split = inner.split
    for i in range(levels):
        leaf.stationary[i] = block.inside
        for d in range(8):
            leaf.temporal[i, d] = 1
    leaf.stationary[0], leaf.stationary[levels - 1] = block.stationary, OUTPUTS
    for d in range(8):
        leaf.temporal[levels - 1, d] = inner.counts[d]
        if levels > 1:
            leaf.temporal[0, d] = block.parts[d]
        state.left[d] = block.counts[d]
        state.tile[d] = inner.tile[d]
    _set_fixed(chip, state)
    built = NOTHING_CUT
    for i in range(levels - 2, 1, -1):
        for d in range(8):
            state.tile[d] *= state.spatial[inner.split, i, d]
        _take_all(chip, state, i)
        double = machine.double_buffered[i] != 0
        if double and _overflow(chip, layer, state, inner.split, i, PARTIAL, 0.5) != 0:
            built = CUT
        share = 0.5 if double and variant > 0 else 1.0
        if _overflow(chip, layer, state, inner.split, i, PARTIAL, share) != 0:
            built = CUT
            stationary = max(variant - 1, 0)
            if not _shrink(chip, layer, state, inner.split, i, stationary, PARTIAL, share):
                _take_all(chip, state, i)
                if not _shrink(chip, layer, state, inner.split, i, stationary, PARTIAL, 1.0):
                    _take_all(chip, state, i)
                    if not _shrink(chip, layer, state, inner.split, i, stationary, OUTPUTS, 1.0):
                        return IMPOSSIBLE
        for d in range(8):
            leaf.temporal[i, d] = state.count[d]
            state.tile[d] *= state.count[d]
            state.left[d] = ceil_div(state.left[d], state.count[d])
    if levels > 2:
        for d in range(8):
            leaf.temporal[1, d] = state.left[d]
            if state.left[d] > 1 and not chip.loops_allowed[1, d]:
                return IMPOSSIBLE
    return built


@compiled
def _set_fixed(chip: Any, state: Any) -> None:
    """Sets which dimensions a level's tile must take all steps of that a block has left."""
    for d in range(8):
        stepped = False
        for i in range(1, chip.levels):
            state.fixed[i, d] = chip.whole[i, d] != 0 or not stepped
            stepped = stepped or chip.loops_allowed[i, d] != 0


@compiled
def _take_all(chip: Any, state: Any, level: int) -> None:
    """Gives a level all steps that are left and that its loops may do."""
    for d in range(8):
        state.count[d] = state.left[d] if chip.loops_allowed[level, d] else 1


@compiled
def _overflow(
    chip: Any, layer: Ints, state: Any, split: int, level: int, kind: int, share: float
) -> int:
    """The tensors, as bits, that do not fit in `share` of a level, or in a level outside it that
    takes nothing more than its instances need.
    """
    over = 0
    for d in range(8):
        state.extent[d] = state.tile[d] * state.count[d]
    for i in range(level, 0, -1):
        if i < level:
            for d in range(8):
                state.extent[d] *= state.spatial[split, i, d]
                if chip.whole[i, d]:
                    state.extent[d] = max(state.extent[d], layer[d])
        tile_words(state.extent, layer, state.words)
        over |= overflow(chip, i, state.words, kind, share if i == level else 1.0)
    return over


@compiled
def _shrink(
    chip: Any,
    layer: Ints,
    state: Any,
    split: int,
    level: int,
    stationary: int,
    kind: int,
    share: float,
) -> bool:
    """Cuts dimensions of the level's tile, those of the outermost loops first, until it fits."""
    over = _overflow(chip, layer, state, split, level, kind, share)
    for r in range(8):
        d = ORDERS[stationary, r]
        whole = state.count[d]
        parts = 1
        while over != 0 and state.count[d] > 1 and not state.fixed[level, d]:
            helps = False
            for t in range(3):
                helps = helps or (over >> t & 1 != 0 and INDEXES[t, d])
            if not helps:
                break
            # Small numbers of parts one by one, larger ones by halves.
            parts += 1 + (parts // 2 if parts >= 8 else 0)
            state.count[d] = ceil_div(whole, parts)
            over = _overflow(chip, layer, state, split, level, kind, share)
    return over == 0


@compiled
def _judge(chip: Any, machine: Any, layer: Ints, goal: int, memory: Any, work: Any) -> None:
    """Inserts the mapping in `leaf` where it is among the best, for each way that it can serve."""
    state, finals, leaf, estimated, counts = memory[0], memory[3], memory[4], memory[6], memory[7]
    for i in range(chip.levels):
        for r in range(8):
            state.order[i, r] = ORDERS[leaf.stationary[i], r]
    x, y, spatial = state.x[leaf.split], state.y[leaf.split], state.spatial[leaf.split]
    estimate(chip, machine, layer, leaf.temporal, spatial, state.order, estimated)
    if goal == LATENCY:
        wanted = False
        for k in range(state.first_list, state.lists):
            for way in range(WAYS):
                if state.asked[way]:
                    full = counts[k, way] == state.finalists[k]
                    last = finals[k, way, state.finalists[k] - 1].score
                    wanted = wanted or not full or estimated.cycles[way] <= last
        if not wanted:
            return
    code = loop_counts.check(chip, layer, leaf.temporal, x, y, state.order, work)
    if code != 0:
        state.broken = code
        return
    loop_counts.count(chip, layer, leaf.temporal, x, y, state.order, work)
    _, energy = loop_counts.totals(chip, layer, work)
    for way in range(WAYS):
        if state.asked[way] and hands_over(chip, machine, state, work.tile[state.room], way):
            leaf.score, leaf.second = estimated.cycles[way], energy
            if goal == ENERGY:
                leaf.score, leaf.second = leaf.second, leaf.score
            elif goal == EDP:
                leaf.score, leaf.second = leaf.score * energy, leaf.score
            for k in range(state.first_list, state.lists):
                counts[k, way] = _insert(finals[k, way], counts[k, way], state.finalists[k], leaf)


@compiled
def _insert(finals: Any, count: int, most: int, leaf: Any) -> int:
    """Inserts a mapping into a sorted list of `most`, unless its equal is there; returns the new
    count.
    """
    at = count
    while at > 0 and (
        leaf.score < finals[at - 1].score
        or (leaf.score == finals[at - 1].score and leaf.second < finals[at - 1].second)
    ):
        at -= 1
    if at == most:
        return count
    if at > 0 and leaf.score == finals[at - 1].score and leaf.second == finals[at - 1].second:
        return count
    for k in range(min(count, most - 1), at, -1):
        finals[k] = finals[k - 1]
    finals[at] = leaf
    return min(count + 1, most)
