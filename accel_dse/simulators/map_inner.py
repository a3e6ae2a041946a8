"""Tiles of the innermost level: what the array works on before it is filled anew.

All combinations of a list of values of each dimension are looked at in turn, up to a budget; of
the tiles that differ in one dimension only, the largest that fits twice (if the level may be
double-buffered) and the larger ones that fit once.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from math import inf
from typing import Any

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import (
    INDEXES,
    INPUTS,
    OUTPUTS,
    PARTIAL,
    WEIGHTS,
    C,
    Ints,
    P,
    Q,
    R,
    S,
)
from accel_dse.simulators.map_fills import add_up, set_prices, set_streams
from accel_dse.simulators.map_terms import (
    ENERGY,
    LATENCY,
    candidate_values,
    ceil_div,
    fits,
    must_finish,
    tile_words,
)


@compiled
def inner_tiles(
    chip: Any,
    machine: Any,
    layer: Ints,
    search: Any,
    split: int,
    effort: Any,
    beam: Any,
    count: int,
    candidate: Any,
) -> int:
    """Adds the best tiles under one spatial split to `beam`, best first; returns how many it holds.

    Args:
        beam: `INNER` records, `count` of them in use.
        candidate: one `INNER` record, scratch.
    """
    budget, fine = effort[4], effort[5]
    active = _list_values(chip, machine, layer, search, split, budget, fine)
    if active < 0:
        return count
    last = search.active[active - 1] if active > 0 else 0
    innermost = chip.levels - 1
    # Without a filter, rows and columns are alike: whole rows first.
    alike = layer[R] * layer[S] == 1 and layer[8] == 1 and layer[9] == 1
    looked = 0
    while looked < budget:
        for k in range(search.lengths[last] - 1, -1, -1):
            _put(search, last, k)
            if alike and _value(search, P) > 1 and _value(search, Q) < search.left[Q]:
                continue
            kind = OUTPUTS
            for d in (C, R, S):
                if search.parts[d, search.place[d]] > 1:
                    kind = PARTIAL
            tile_words(search.tile, layer, search.words)
            if not fits(chip, innermost, search.words, kind, 1.0):
                continue
            double = machine.double_buffered[innermost] != 0
            double = double and fits(chip, innermost, search.words, kind, 0.5)
            if not _fits_outside(chip, layer, search, kind):
                continue
            looked += 1
            count = _judge(
                chip, machine, layer, search, split, double, effort, beam, count, candidate
            )
            if double:
                break
        if not _next(chip, layer, search, active - 2, last):
            break
    return count


@compiled
def _list_values(
    chip: Any, machine: Any, layer: Ints, search: Any, split: int, budget: int, fine: bool
) -> int:
    """Sets what the tiles under one split start from; returns how many dimensions have a choice
    (none with a budget of 1: the smallest tile alone), -1 if there is no tile.
    """
    innermost = chip.levels - 1
    active = 0
    for d in range(8):
        outside = 1
        for i in range(innermost):
            outside *= search.spatial[split, i, d]
        base = search.spatial[split, innermost, d]
        left = ceil_div(layer[d], base * outside)
        must = must_finish(chip, innermost, d)
        many = 1
        if left > 1 and not chip.loops_allowed[innermost, d]:
            if must:
                return -1
            search.values[d, 0] = 1
        else:
            many = candidate_values(left, must, fine, search.values[d])
            many = 1 if budget == 1 else many
        search.lengths[d], search.base[d], search.left[d] = many, base, left
        for k in range(many):
            value = search.values[d, k]
            tile = base * value * outside
            rounds = layer[d] // tile
            rest = min(layer[d] - rounds * tile, base * value)
            search.trips[d, k] = rounds * value + ceil_div(rest, base)
            search.parts[d, k] = ceil_div(left, value)
        _put(search, d, 0)
        if many > 1:
            search.active[active] = d
            active += 1
        least = 1
        for i in range(innermost - 1, 0, -1):
            least *= search.spatial[split, i, d]
            search.least[i, d] = least
    for k in range(active - 1):
        if search.lengths[search.active[k]] > search.lengths[search.active[active - 1]]:
            d = search.active[k]
            search.active[k] = search.active[active - 1]
            search.active[active - 1] = d
    set_streams(chip, machine, layer, search, split)
    return active


@compiled
def _put(search: Any, d: int, k: int) -> None:
    """Gives dimension `d` its value number `k`."""
    search.place[d] = k
    search.tile[d] = search.base[d] * search.values[d, k]


@compiled
def _value(search: Any, d: int) -> int:
    return search.values[d, search.place[d]]


@compiled
def _next(chip: Any, layer: Ints, search: Any, k: int, last: int) -> bool:
    """Goes on to the next values of all dimensions but the last; False after the last of them."""
    while k >= 0:
        d = search.active[k]
        if search.place[d] < search.lengths[d] - 1:
            _put(search, d, search.place[d] + 1)
            _put(search, last, 0)
            tile_words(search.tile, layer, search.words)
            if fits(chip, chip.levels - 1, search.words, OUTPUTS, 1.0):
                return True
        _put(search, d, 0)
        k -= 1
    return False


@compiled
def _fits_outside(chip: Any, layer: Ints, search: Any, kind: int) -> bool:
    """Whether the levels between DRAM and the innermost one can hold what goes into its tile."""
    for i in range(1, chip.levels - 1):
        for d in range(8):
            extent = search.tile[d] * search.least[i, d]
            search.extent[d] = max(extent, layer[d]) if chip.whole[i, d] else extent
        tile_words(search.extent, layer, search.words)
        if not fits(chip, i, search.words, kind, 1.0):
            return False
    return True


@compiled
def _judge(
    chip: Any,
    machine: Any,
    layer: Ints,
    search: Any,
    split: int,
    double: bool,
    effort: Any,
    beam: Any,
    count: int,
    candidate: Any,
) -> int:
    """Judges the tile that `search` has come to with each tensor stationary in turn, and inserts
    the best; returns how many `beam` holds.
    """
    innermost = chip.levels - 1
    many = compute = 1.0
    own = search.own
    own[WEIGHTS] = own[INPUTS] = own[OUTPUTS] = 1.0
    adds = False
    for d in range(8):
        parts = search.parts[d, search.place[d]]
        many *= parts
        compute *= search.trips[d, search.place[d]]
        for t in range(3):
            if INDEXES[t, d]:
                own[t] *= parts
        adds = adds or (not INDEXES[OUTPUTS, d] and search.left[d] > 1)
    # Each loop indexes two tensors, so one at most is asked for less often than there are steps.
    transfers = 2.0 * many + min(own[0], own[1], own[2])
    if chip.program_level == innermost - 1:
        search.fewest_transfers = min(search.fewest_transfers, transfers)
        if transfers > chip.program_entries:
            return count
    set_prices(chip, machine, layer, search, split, search.tile, compute, adds, double)
    candidate.score = inf
    for stationary in range(3):
        _score(chip, machine, search, stationary, many, effort[6], candidate)
    candidate.split = split
    candidate.compute, candidate.adds, candidate.double = compute, adds, double
    for d in range(8):
        candidate.counts[d] = _value(search, d)
        candidate.tile[d] = search.tile[d]
        candidate.parts[d] = search.parts[d, search.place[d]]
    return _insert(beam, count, effort[1], effort[2], candidate)


@compiled
def _score(
    chip: Any, machine: Any, search: Any, stationary: int, many: float, goal: int, candidate: Any
) -> None:
    """Lowers `candidate`'s score to what the `many` tiles of the layer cost with one tensor
    stationary.
    """
    for t in range(3):
        search.visits[t] = search.own[t] if t == stationary else many
    search.finals = search.own[OUTPUTS]
    inside = add_up(chip, machine, search)
    sent = search.in_dram[WEIGHTS] + search.in_dram[INPUTS] + search.in_dram[OUTPUTS]
    # Of equals, the one whose other channels have less to do.
    score = max(inside, sent) + search.start + search.drain + 0.02 * search.all_channels
    if goal != LATENCY:
        energy = search.chip_pj
        for t in range(3):
            energy += search.dram_pj[t]
        score = energy if goal == ENERGY else score * energy
    if score < candidate.score:
        candidate.score = score
        candidate.stationary = stationary


@compiled
def _insert(beam: Any, count: int, each: int, width: int, candidate: Any) -> int:
    """Inserts a tile into the sorted beam, `each` of one split at most; returns the new count."""
    mine = 0
    worst = -1
    for k in range(count):
        if beam[k].split == candidate.split:
            mine += 1
            worst = k
    if mine >= each:
        if beam[worst].score <= candidate.score:
            return count
        for k in range(worst, count - 1):
            beam[k] = beam[k + 1]
        count -= 1
    if count == width:
        if candidate.score >= beam[width - 1].score:
            return count
        count -= 1
    at = count
    while at > 0 and candidate.score < beam[at - 1].score:
        beam[at] = beam[at - 1]
        at -= 1
    beam[at] = candidate
    return count + 1
