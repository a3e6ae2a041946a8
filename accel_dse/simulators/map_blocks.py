"""Blocks: what arrives from DRAM at a time, as a number of innermost tiles along each dimension.

All dimensions whole, then one cut, then two (which is all that a good block needs: a tensor that is
cut along both of its outer dimensions is loaded no less often for a third cut); if no such block
fits, all combinations, coarsely.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from math import ceil, inf
from typing import Any

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import INDEXES, INPUTS, OUTPUTS, PARTIAL, WEIGHTS, Ints
from accel_dse.simulators.map_fills import add_up, set_prices, set_streams, set_visits
from accel_dse.simulators.map_terms import (
    EDP,
    ENERGY,
    WAYS,
    candidate_values,
    ceil_div,
    fits,
    hands_over,
    must_finish,
    tile_words,
    transfer_cycles,
    transfer_words,
)
from accel_dse.simulators.timeline_plan import READ, WRITE


@compiled
def block_tiles(
    chip: Any,
    machine: Any,
    layer: Ints,
    search: Any,
    inner: Any,
    index: int,
    effort: Any,
    beams: Any,
    counts: Ints,
) -> None:
    """Adds the best blocks of one innermost tile to `beams`, best first.

    Args:
        inner: an `INNER` record, the one numbered `index`.
        beams: `BLOCK` records for each way, `(WAYS, b)`, of which `counts` `(WAYS,)` are in use.
    """
    budget, fine = effort[4], effort[5]
    active = _list_values(chip, machine, layer, search, inner, budget, fine)
    if active < 0:
        return
    looked = 1
    fit = _judge(chip, machine, layer, search, inner, index, effort[6], beams, counts)
    for a in range(active):
        d = search.active[a]
        for k in range(search.lengths[d] - 2, -1, -1):
            _put(search, d, k)
            looked += 1
            if _judge(chip, machine, layer, search, inner, index, effort[6], beams, counts):
                fit = True
        _put(search, d, search.lengths[d] - 1)
    for a in range(active):
        for b in range(a + 1, active):
            d, e = search.active[a], search.active[b]
            for place in range(search.lengths[d] * search.lengths[e]):
                k, m = place // search.lengths[e], place % search.lengths[e]
                if k == search.lengths[d] - 1 or m == search.lengths[e] - 1:
                    continue
                if looked >= budget and fit:
                    break
                _put(search, d, search.lengths[d] - 2 - k)
                _put(search, e, search.lengths[e] - 2 - m)
                looked += 1
                if _judge(chip, machine, layer, search, inner, index, effort[6], beams, counts):
                    fit = True
            _put(search, d, search.lengths[d] - 1)
            _put(search, e, search.lengths[e] - 1)
    if not fit:
        _look_everywhere(chip, machine, layer, search, inner, index, effort, active, beams, counts)


@compiled
def _list_values(
    chip: Any, machine: Any, layer: Ints, search: Any, inner: Any, budget: int, fine: bool
) -> int:
    """Prices the tile, and starts with all dimensions whole (with a budget of 1, with the smallest
    block alone); returns how many may be cut, -1 if there is no block.
    """
    levels = chip.levels
    set_streams(chip, machine, layer, search, inner.split)
    set_prices(
        chip,
        machine,
        layer,
        search,
        inner.split,
        inner.tile,
        inner.compute,
        inner.adds != 0,
        inner.double != 0,
    )
    active = 0
    for d in range(8):
        search.left[d] = inner.parts[d]
        search.base[d] = inner.tile[d]
        on_chip = False
        for i in range(1, levels - 1):
            search.base[d] *= search.spatial[inner.split, i, d]
            on_chip = on_chip or chip.loops_allowed[i, d] != 0
        must = must_finish(chip, 1, d)
        many = 1
        if search.left[d] > 1 and not on_chip:
            if must:
                return -1
            search.values[d, 0] = 1
        else:
            many = candidate_values(search.left[d], must, fine, search.values[d])
            many = 1 if budget == 1 else many
        search.lengths[d] = many
        _put(search, d, many - 1)
        if many > 1:
            search.active[active] = d
            active += 1
    return active


@compiled
def _put(search: Any, d: int, k: int) -> None:
    """Gives dimension `d` its value number `k`."""
    search.place[d] = k
    search.tile[d] = search.base[d] * search.values[d, k]


@compiled
def _look_everywhere(
    chip: Any,
    machine: Any,
    layer: Ints,
    search: Any,
    inner: Any,
    index: int,
    effort: Any,
    active: int,
    beams: Any,
    counts: Ints,
) -> None:
    """Judges every other combination of values, smallest first, up to four budgets of those that
    fit.
    """
    for a in range(active):
        _put(search, search.active[a], 0)
    looked = 0
    a = 0
    while a >= 0 and looked < 4 * effort[4]:
        if _judge(chip, machine, layer, search, inner, index, effort[6], beams, counts):
            looked += 1
        a = active - 1
        while a >= 0:
            d = search.active[a]
            if search.place[d] < search.lengths[d] - 1:
                _put(search, d, min(search.place[d] + 2, search.lengths[d] - 1))
                tile_words(search.tile, layer, search.words)
                if fits(chip, 1, search.words, OUTPUTS, 1.0):
                    break
            _put(search, d, 0)
            a -= 1


@compiled
def _judge(
    chip: Any,
    machine: Any,
    layer: Ints,
    search: Any,
    inner: Any,
    index: int,
    goal: int,
    beams: Any,
    counts: Ints,
) -> bool:
    """Inserts the block that `search` has come to where it is among the best, for each way; whether
    it fits.
    """
    levels = chip.levels
    many = 1.0
    own = search.own
    own[WEIGHTS] = own[INPUTS] = own[OUTPUTS] = 1.0
    adds = False
    for d in range(8):
        parts = ceil_div(search.left[d], search.values[d, search.place[d]])
        search.count[d] = parts
        search.inside[d] = search.values[d, search.place[d]]
        many *= parts
        for t in range(3):
            if INDEXES[t, d]:
                own[t] *= parts
        adds = adds or (not INDEXES[OUTPUTS, d] and parts > 1)
    tile_words(search.tile, layer, search.words)
    kind = PARTIAL if adds else OUTPUTS
    double = True
    if levels > 1:
        if not fits(chip, 1, search.words, kind, 1.0):
            return False
        if chip.keeps[1, 0] or chip.keeps[1, 1] or chip.keeps[1, 2]:
            double = machine.double_buffered[1] != 0
            double = double and (many == 1.0 or fits(chip, 1, search.words, kind, 0.5))
    for t in range(3):
        if 0 < search.target[t] < levels - 1:
            transfer_words(
                machine, layer, search.spatial[inner.split], search.tile, 0, 1, t, search
            )
            search.block_sent[t], search.block_got[t] = search.sent[t], search.got[t]
    for way in range(WAYS):
        search.best[way] = inf
    for stationary in range(3):
        _score(chip, machine, search, inner, stationary, many, kind, double, goal)
    possible = False
    for way in range(WAYS):
        if search.asked[way] and hands_over(chip, machine, search, search.words, way):
            possible = True
            _insert(search, beams, counts, way, index)
    return possible


@compiled
def _score(
    chip: Any,
    machine: Any,
    search: Any,
    inner: Any,
    stationary: int,
    many: float,
    kind: int,
    double: bool,
    goal: int,
) -> None:
    """Lowers `best` to what the block costs in each way with one tensor stationary outside."""
    _set_sent(chip, machine, search, inner, stationary, many, kind)
    steps = 1
    for d in range(8):
        steps *= search.inside[d]
    for inside in range(3):
        # The third tensor has little to offer.
        if inside == stationary or (steps > 1 and inside == inner.stationary):
            set_visits(chip, search, stationary, inside, many)
            cycles = add_up(chip, machine, search)
            for way in range(WAYS):
                if search.asked[way]:
                    _score_way(search, way, cycles, many, double, goal, 3 * stationary + inside)


@compiled
def _set_sent(
    chip: Any, machine: Any, search: Any, inner: Any, stationary: int, many: float, kind: int
) -> None:
    """Sets what DRAM sends of each tensor to levels between (`taken`, `taken_pj`), what precedes
    the first step and follows the last (`first`, `last`), and in how many parts those levels work
    on a block (`cuts`).
    """
    search.first, search.last = machine.latency[0] + search.start, 0.0
    for t in range(3):
        search.taken[t] = search.taken_pj[t] = 0.0
        search.cuts[t] = 1.0
        level = search.target[t]
        if level == 0 or level == chip.levels - 1:
            continue
        visits = search.own[t] if t == stationary and _stays(chip, search, inner, t, kind) else many
        chunks = _chunks(chip, search, inner, t, kind)
        if level > 1:
            held = _held(chip, search, inner, t, kind)
            search.cuts[t] = max(1.0, ceil(held / chip.capacity_bits[level, t]))
        sent, got = search.block_sent[t], search.block_got[t]
        for i in range(1, level):
            for d in range(8):
                if INDEXES[t, d]:
                    got /= search.spatial[inner.split, i, d]
        issue = chunks * machine.issue[0]
        price = sent * chip.access_pj_per_bit[0, 0]
        price += got * search.instances[level] * chip.access_pj_per_bit[level, 1]
        if t != OUTPUTS:
            cycles = transfer_cycles(machine, sent, got, 0, level, t, READ) + issue
            search.taken[t] = visits * cycles
            search.first += cycles / chunks
            search.taken_pj[t] = visits * price * chip.word_bits[0, t]
            continue
        final = transfer_cycles(machine, sent, got, 0, level, OUTPUTS, WRITE) + issue
        spill = transfer_cycles(machine, sent, got, 0, level, PARTIAL, WRITE) + issue
        back = visits - search.own[t]
        search.taken[t] = search.own[t] * final + 2.0 * back * spill
        search.last = final / chunks
        written = sent * chip.access_pj_per_bit[0, 2]
        search.taken_pj[t] = search.own[t] * written * chip.word_bits[0, OUTPUTS]
        search.taken_pj[t] += back * (written + price) * chip.word_bits[0, PARTIAL]


@compiled
def _score_way(
    search: Any, way: int, inside: float, many: float, double: bool, goal: int, which: int
) -> None:
    """Lowers the `best` of one way to what the block costs if it takes `inside` on the chip."""
    busy = drain = 0.0
    spent = search.chip_pj
    for t in range(3):
        if not ((t == INPUTS and way & 2) or (t == OUTPUTS and way & 1)):
            busy += search.taken[t] + search.in_dram[t]
            spent += search.taken_pj[t] + search.dram_pj[t]
            if t == OUTPUTS:
                drain = search.last
    drain += search.drain
    if not double and many > 1.0:
        busy += inside
    # DRAM idles at the least while the last block is worked on.
    score = max(search.first + inside + drain, busy + inside / many)
    score += 0.001 * (busy + inside)
    if goal == ENERGY:
        score = spent
    elif goal == EDP:
        score *= spent
    if score < search.best[way]:
        search.best[way] = score
        search.which[way] = which


@compiled
def _held(chip: Any, search: Any, inner: Any, t: int, kind: int) -> float:
    """Bits of tensor `t` of a block in an instance of the level that gets it from DRAM."""
    level = search.target[t]
    bits = search.words[t] * chip.word_bits[level, kind if t == OUTPUTS else t]
    for i in range(1, level):
        for d in range(8):
            if INDEXES[t, d]:
                bits /= search.spatial[inner.split, i, d]
    return bits


@compiled
def _stays(chip: Any, search: Any, inner: Any, t: int, kind: int) -> bool:
    """Whether the level that gets tensor `t` from DRAM can hold all of a block."""
    level = search.target[t]
    return level == 1 or _held(chip, search, inner, t, kind) <= chip.capacity_bits[level, t]


@compiled
def _chunks(chip: Any, search: Any, inner: Any, t: int, kind: int) -> float:
    """In how many transfers a block's share of tensor `t` comes from DRAM, two places each."""
    level = search.target[t]
    if level == 1:
        return 1.0
    return max(1.0, ceil(2.0 * _held(chip, search, inner, t, kind) / chip.capacity_bits[level, t]))


@compiled
def _insert(search: Any, beams: Any, counts: Ints, way: int, index: int) -> None:
    """Inserts the block into the sorted beam of one way."""
    beam, at = beams[way], counts[way]
    if at == len(beam):
        if search.best[way] >= beam[at - 1].score:
            return
        at -= 1
    counts[way] = at + 1
    while at > 0 and search.best[way] < beam[at - 1].score:
        beam[at] = beam[at - 1]
        at -= 1
    beam[at].inner = index
    beam[at].stationary, beam[at].inside = search.which[way] // 3, search.which[way] % 3
    beam[at].score = search.best[way]
    for d in range(8):
        beam[at].counts[d] = search.values[d, search.place[d]]
        beam[at].parts[d] = search.count[d]
