"""What a mapping costs on the chip, by how often each tensor's innermost tile is filled anew.

A tile has a price for each arrival of each tensor (`set_prices`); loops decide how often that
happens (`set_visits`, or a bound); both together give cycles and energy (`add_up`).
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import INDEXES, OUTPUTS, PARTIAL, Ints
from accel_dse.simulators.map_terms import count_instances, transfer_cycles, transfer_words
from accel_dse.simulators.timeline_plan import READ, WRITE


@compiled
def set_streams(chip: Any, machine: Any, layer: Ints, search: Any, split: int) -> None:
    """Sets how many instances work under a split, the bits of operands that the array takes in a
    cycle, and the energy of its arithmetic.
    """
    levels = chip.levels
    count_instances(chip, search, split)
    search.stream_pj = chip.mac_pj
    for d in range(8):
        search.extent[d] = 1
        search.stream_pj *= layer[d]
    for t in range(3):
        level = search.keeper[t]
        transfer_words(
            machine, layer, search.spatial[split], search.extent, level, levels, t, search
        )
        search.stream[t] = search.sent[t] * chip.word_bits[level, PARTIAL if t == OUTPUTS else t]


@compiled
def set_prices(
    chip: Any,
    machine: Any,
    layer: Ints,
    search: Any,
    split: int,
    tile: Any,
    compute: float,
    adds: bool,
    double: bool,
) -> None:
    """Sets what the array streams, and what each arrival of each tensor's tile costs.

    Args:
        tile: extents of the innermost tile, `(8,)`.
        compute: cycles of the array.
        adds: whether sums are read as well as written.
        double: whether two tiles fit, so that the array does not wait for transfers.
    """
    levels = chip.levels
    for i in range(levels):
        search.streamed[i, READ] = search.streamed[i, WRITE] = 0.0
    search.compute = compute
    search.array_pj = search.stream_pj
    search.start = search.drain = 0.0
    for t in range(3):
        outer = search.keeper[t]
        stream = search.stream[t] * compute
        way = WRITE if t == OUTPUTS else READ
        search.streamed[outer, way] += stream / machine.rate[outer, way]
        price = chip.access_pj_per_bit[outer, 2 if t == OUTPUTS else 0]
        if t == OUTPUTS and adds:
            search.streamed[outer, READ] += stream / machine.rate[outer, READ]
            price += chip.access_pj_per_bit[outer, 0]
        search.array_pj += stream * search.instances[outer] * price
        if levels > 1 and chip.keeps[levels - 1, t]:
            _set_price(chip, machine, layer, search, split, tile, t, double)


@compiled
def _set_price(
    chip: Any, machine: Any, layer: Ints, search: Any, split: int, tile: Any, t: int, double: bool
) -> None:
    """Sets the price of one arrival of tensor `t` (`once`), and of one more trip of sums out and
    back again (`again`).
    """
    inner = chip.levels - 1
    outer = search.source[inner, t]
    transfer_words(machine, layer, search.spatial[split], tile, outer, inner, t, search)
    sent, got = search.sent[t], search.got[t]
    issue = machine.issue[outer]
    search.again[t] = search.again_pj[t] = 0.0
    way = WRITE if t == OUTPUTS else READ
    cycles = transfer_cycles(machine, sent, got, outer, inner, t, way) + issue
    search.once[t] = search.wait[t] = cycles
    to_inner = got * search.instances[inner] * chip.network_pj_per_bit[inner - 1]
    out = sent * search.instances[outer]
    read = out * chip.access_pj_per_bit[outer, 0]
    read += got * search.instances[inner] * chip.access_pj_per_bit[inner, 1] + to_inner
    if t == OUTPUTS:
        spill = transfer_cycles(machine, sent, got, outer, inner, PARTIAL, WRITE) + issue
        bits = chip.word_bits[outer, PARTIAL]
        written = out * chip.access_pj_per_bit[outer, 2] + to_inner
        search.again[t] = spill
        search.once_pj[t] = written * bits
        search.again_pj[t] = read * bits
        search.drain += cycles
    else:
        search.once_pj[t] = read * chip.word_bits[outer, t]
        search.wait[t] += machine.latency[outer]
        search.start = max(search.start, search.wait[t])
    if double:
        search.wait[t] = 0.0


@compiled
def set_visits(chip: Any, search: Any, outer: int, inner: int, many: float) -> None:
    """Sets how often each tensor's innermost tile arrives, by loops in two places.

    `search.inside` has the steps of the loops inside a block, `(8,)`; `search.own` the blocks of
    each tensor that differ, `search.cuts` in how many parts a level between works on it, `(3,)`.

    Args:
        outer, inner: the tensor that stays while the innermost loops of each place run.
        many: blocks.
    """
    steps = 1.0
    for d in range(8):
        steps *= search.inside[d]
    for t in range(3):
        within = 1.0
        for d in range(8):
            if INDEXES[t, d]:
                within *= search.inside[d]
        if within > 1.0:
            search.visits[t] = many * (within if inner == t else steps)
        else:
            search.visits[t] = search.own[t] if outer == t else many
        if t == OUTPUTS:
            search.finals = search.own[t] * within
    # What a level between cannot hold at once is done part by part, each asking for the others.
    for t in range(3):
        if search.cuts[t] > 1.0:
            for other in range(3):
                if other != t:
                    again = search.visits[other] * search.cuts[t]
                    search.visits[other] = min(again, max(search.visits[other], many * steps))


@compiled
def add_up(chip: Any, machine: Any, search: Any) -> float:
    """Cycles on the chip of the priced tile, if tensors arrive `search.visits` times, of which
    `search.finals` are the outputs' last.

    Sets `search.all_channels`, `search.chip_pj`, and by tensor what comes from DRAM straight to the
    innermost level: `search.in_dram` and `search.dram_pj`.
    """
    levels = chip.levels
    inner = levels - 1
    busy = search.busy
    for i in range(levels):
        busy[i, READ], busy[i, WRITE] = search.streamed[i, READ], search.streamed[i, WRITE]
    search.chip_pj = search.array_pj
    serial = fills = 0.0
    for t in range(3):
        search.in_dram[t] = search.dram_pj[t] = 0.0
        if inner == 0 or not chip.keeps[inner, t]:
            continue
        outer = search.source[inner, t]
        visits = search.visits[t]
        fills = max(fills, visits)
        taken = visits * search.once[t]
        spent = visits * search.once_pj[t]
        wait = visits * search.wait[t]
        if t == OUTPUTS:
            back = visits - search.finals
            taken = search.finals * search.once[t] + back * search.again[t]
            busy[outer, WRITE] += taken
            busy[outer, READ] += back * search.again[t]
            taken += back * search.again[t]
            spent += back * search.again_pj[t]
            wait = taken if search.wait[t] > 0.0 else 0.0
        else:
            busy[outer, READ] += taken
        serial += wait
        if outer == 0:
            search.in_dram[t], search.dram_pj[t] = taken, spent
        else:
            search.chip_pj += spent
    inside = total = search.compute + machine.fill * fills + serial
    for i in range(1, levels):
        most = max(busy[i, READ], busy[i, WRITE])
        if machine.shared[i]:
            most = busy[i, READ] + busy[i, WRITE]
        inside = max(inside, most)
        total += most
    search.all_channels = total
    return inside
