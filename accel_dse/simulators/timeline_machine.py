"""The machine itself: how transfers and steps move its clocks. `walk` plays every step."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

import numpy as np

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import INDEXES, OUTPUTS, Ints
from accel_dse.simulators.timeline_causes import (
    CHANNEL,
    FILL,
    FINAL_DRAIN,
    ISSUE,
    MAX_TALLIES,
    PLACE,
    QUEUE,
    START_UP,
    WORDS,
    WRITE_BACK,
    blame,
)
from accel_dse.simulators.timeline_moves import END, START, moved, step
from accel_dse.simulators.timeline_plan import MAX_CLOCKS, MAX_LINKS, MAX_LOOPS, READ, WRITE

MEMORY = 8
"""Played loops that `timeline_skip` remembers at each depth."""

STATE = np.dtype(
    [
        ("clock", np.int64, (MAX_CLOCKS,)),
        ("tally", np.int64, (MAX_TALLIES,)),
        ("tallies", np.int64),
        ("lanes", np.int64),
        # The loops, outermost first, and what is so inside each.
        ("index", np.int64, (MAX_LOOPS,)),
        ("count", np.int64, (MAX_LOOPS,)),
        ("mask", np.int64, (MAX_LOOPS + 1,)),
        ("fresh", np.uint8, (MAX_LOOPS + 1,)),
        ("final", np.uint8, (MAX_LOOPS + 1,)),
        # The last transfers of each link.
        ("place", np.int64, (MAX_LINKS,)),
        ("begun", np.int64, (MAX_LINKS,)),
        ("spent", np.int64, (MAX_LINKS,)),
        ("waited_for", np.int64, (MAX_LINKS,)),
        ("written_from", np.int64, (MAX_LINKS,)),
        ("written_for", np.int64, (MAX_LINKS,)),
        # For sharing a wait out.
        ("share", np.int64, (4,)),
        # By depth: the iteration that later ones are compared with, and the clocks touched since.
        ("seen_index", np.int64, (MAX_LOOPS,)),
        ("seen_power", np.int64, (MAX_LOOPS,)),
        ("seen_clock", np.int64, (MAX_LOOPS, MAX_CLOCKS)),
        ("seen_tally", np.int64, (MAX_LOOPS, MAX_TALLIES)),
        ("since", np.int64, (MAX_LOOPS,)),
        # By depth: loops played before, and the one being played.
        ("played", np.int64, (MAX_LOOPS,)),
        ("slot", np.int64, (MAX_LOOPS,)),
        ("opened", np.int64, (MAX_LOOPS,)),
        ("total", np.int64, (MAX_LOOPS,)),
        ("key", np.int64, (MAX_LOOPS, MEMORY)),
        ("touched", np.int64, (MAX_LOOPS, MEMORY)),
        ("before", np.int64, (MAX_LOOPS, MEMORY, MAX_CLOCKS)),
        ("after", np.int64, (MAX_LOOPS, MEMORY, MAX_CLOCKS)),
        ("added", np.int64, (MAX_LOOPS, MEMORY, MAX_TALLIES)),
    ]
)
"""The machine at one moment.

`clock[0]` is the array's: when it may start its next step, or when it ended its last one. Inside a
loop, `mask` has the dimensions that are at the edge, `fresh` is whether outputs have no products
from outside iterations yet, `final` whether those get no more of them. `begun` and `spent` are the
start and the cycles of a link's last transfer inward, `waited_for` what it waited for last, and
`written_from` and `written_for` the first two of its last transfer outward. `share` is of
`timeline_causes`, the rest of `timeline_skip`.
"""


@compiled
def walk(machine: Any, layer: Ints, plan: Any, state: Any) -> int:
    """Plays every step; returns the cycles of the layer."""
    begin(machine, layer, plan, state)
    depth = 0
    while True:
        while depth < plan.loops:
            enter(plan, state, depth, 0)
            depth += 1
        compute(machine, layer, plan, state)
        depth -= 1
        while depth >= 0 and state.index[depth] == state.count[depth] - 1:
            depth -= 1
        if depth < 0:
            return finish(machine, layer, plan, state)
        proceed(machine, layer, plan, state, depth)
        depth += 1


@compiled
def begin(machine: Any, layer: Ints, plan: Any, state: Any) -> None:
    """Resets the state and loads the first tiles."""
    state.lanes = CHANNEL + 3 * machine.levels
    state.tallies = state.lanes + 2 * machine.levels
    for c in range(plan.clocks):
        state.clock[c] = 0
    for i in range(state.tallies):
        state.tally[i] = 0
    state.mask[0] = plan.ragged
    state.fresh[0] = True
    state.final[0] = True
    advance(machine, plan, state, moved(machine, layer, plan, START, plan.ragged), True, True)
    for cause in range(ISSUE, state.lanes):
        state.tally[START_UP] += state.tally[cause]
        state.tally[cause] = 0


@compiled
def enter(plan: Any, state: Any, depth: int, index: int) -> None:
    """Sets what is so inside loop `depth` at its iteration `index`."""
    d = plan.dim[depth]
    mask = state.mask[depth]
    edge = mask >> d & 1
    count = plan.count[edge, depth]
    last = index == count - 1
    if edge and not (last and plan.stays[depth]):
        mask &= ~(1 << d)
    adds = not INDEXES[OUTPUTS, d]
    state.index[depth] = index
    state.count[depth] = count
    state.mask[depth + 1] = mask
    state.fresh[depth + 1] = state.fresh[depth] and not (adds and index > 0)
    state.final[depth + 1] = state.final[depth] and (last or not adds)


@compiled
def proceed(machine: Any, layer: Ints, plan: Any, state: Any, depth: int) -> int:
    """Moves what the step to the next iteration of loop `depth` moves; returns its row."""
    enter(plan, state, depth, state.index[depth] + 1)
    row = moved(machine, layer, plan, depth, state.mask[depth + 1])
    adds = not INDEXES[OUTPUTS, plan.dim[depth]]
    fresh = state.fresh[depth] and not adds
    final = state.final[depth] and not adds
    advance(machine, plan, state, row, fresh, final)
    return row


@compiled
def advance(machine: Any, plan: Any, state: Any, row: int, fresh: bool, final: bool) -> None:
    """Moves what a row says, and the array's clock to when it may compute on it.

    Args:
        row: of the table of `moved`.
        fresh: whether the outputs that arrive have no products yet.
        final: whether the outputs that leave have all their products.
    """
    now = start = state.clock[0]
    binding = last = -1
    for t in range(2):
        ready = 0
        for k in range(plan.first[t], plan.first[t + 1]):
            if plan.load[row, k] >= 0:
                place = state.clock[plan.used[k]]
                if plan.double[k]:
                    freed = plan.freed[k]
                    place, state.clock[freed] = state.clock[freed], place
                ready = load(machine, plan, state, row, k, place, ready)
                last = k
        if ready > start:
            start = ready
            binding = last
    ready = exchange_outputs(machine, plan, state, row, fresh, final)
    if ready > start:
        start = ready
        binding = plan.links - 1
    if start > now:
        blame(machine, plan, state, row, binding, start - now, fresh)
    state.tally[FILL] += plan.fill[row]
    state.clock[0] = start + plan.fill[row]


@compiled
def load(machine: Any, plan: Any, state: Any, row: int, k: int, place: int, source: int) -> int:
    """Starts a transfer inward; returns when its tile is there.

    Args:
        row: of the table of `moved`.
        k: the link.
        place: when there is room for the tile.
        source: when its words are at the source.
    """
    level = plan.source[k]
    cycles = plan.load[row, k]
    channel = plan.channel[level, READ]
    queue = state.clock[channel]
    begun = max(queue, place, source)
    done = begun + cycles
    state.clock[channel] = done
    if plan.tensor[k] != OUTPUTS and k > plan.first[plan.tensor[k]] and plan.used[k - 1] > 0:
        state.clock[plan.used[k - 1]] = done
    state.begun[k] = begun
    state.spent[k] = cycles
    state.waited_for[k] = PLACE if place == begun else QUEUE if queue == begun else WORDS
    state.tally[state.lanes + plan.lane[level, READ]] += cycles
    return done + machine.latency[level]


@compiled
def store(plan: Any, state: Any, row: int, k: int, final: bool) -> int:
    """Writes a tile of outputs back once it is not used any more; returns when that is done."""
    level = plan.source[k]
    cycles = plan.store[row, k] if final else plan.spill[row, k]
    channel = plan.channel[level, WRITE]
    begun = max(state.clock[channel], state.clock[plan.used[k]])
    done = begun + cycles
    state.clock[channel] = done
    if k > plan.first[OUTPUTS] and plan.used[k - 1] > 0:
        state.clock[plan.used[k - 1]] = done
    state.written_from[k] = begun
    state.written_for[k] = cycles
    state.tally[state.lanes + plan.lane[level, WRITE]] += cycles
    return done


@compiled
def exchange_outputs(
    machine: Any, plan: Any, state: Any, row: int, fresh: bool, final: bool
) -> int:
    """Writes tiles of outputs back and makes room for, or reads back, the next ones; returns when
    the array may go on.

    Sums of the outermost tile that changes may be read back before the old ones are written if
    there is room for two; further inside, the old ones have to reach the tile that leaves first.
    """
    begin = plan.first[OUTPUTS]
    end = plan.first[OUTPUTS + 1]
    while begin < end and plan.load[row, begin] < 0:
        begin += 1
    if begin == end:
        return 0
    ready = 0
    if plan.double[begin]:
        state.place[begin] = state.clock[plan.freed[begin]]
        ready = take_outputs(machine, plan, state, row, begin, fresh, 0)
    for k in range(end - 1, begin - 1, -1):
        done = store(plan, state, row, k, final) if plan.store[row, k] >= 0 else 0
        if plan.double[k]:
            state.place[k] = state.clock[plan.freed[k]]
            state.clock[plan.freed[k]] = done
        else:
            state.place[k] = done
    if not plan.double[begin]:
        ready = take_outputs(machine, plan, state, row, begin, fresh, 0)
    for k in range(begin + 1, end):
        ready = take_outputs(machine, plan, state, row, k, fresh, ready)
    return ready


@compiled
def take_outputs(
    machine: Any, plan: Any, state: Any, row: int, k: int, fresh: bool, source: int
) -> int:
    """Reads sums back if there are any, or just takes the place for new ones; returns when."""
    place = state.place[k]
    if not fresh:
        return load(machine, plan, state, row, k, place, source)
    state.waited_for[k] = PLACE if source <= place else WORDS
    return max(place, source)


@compiled
def compute(machine: Any, layer: Ints, plan: Any, state: Any) -> int:
    """One step of the array and of the channels that stream its operands; returns the mask of the
    clocks touched.
    """
    mask = state.mask[plan.loops]
    step(machine, layer, plan, mask)
    start = state.clock[0]
    free = end = start + plan.compute[mask]
    level = busy = tensor = 0
    for s in range(plan.streams[mask]):
        cycles = plan.stream[mask, s]
        lane = plan.stream_lane[mask, s]
        clock = plan.stream_clock[mask, s]
        done = max(start, state.clock[clock]) + cycles
        if clock > 0:
            state.clock[clock] = done
        state.tally[state.lanes + lane] += cycles
        if done > end:
            end, busy = done, cycles
            level, tensor = lane // 2, plan.stream_tensor[mask, s]
    streaming = min(end - free, busy)
    state.tally[CHANNEL + 3 * level + tensor] += streaming
    state.tally[WRITE_BACK] += end - free - streaming
    state.clock[0] = end
    return plan.streamed[mask]


@compiled
def finish(machine: Any, layer: Ints, plan: Any, state: Any) -> int:
    """Writes the last outputs back; returns the cycles of the layer."""
    row = moved(machine, layer, plan, END, plan.ragged)
    cycles = state.clock[0]
    for k in range(plan.links - 1, plan.first[OUTPUTS] - 1, -1):
        if plan.store[row, k] >= 0:
            cycles = max(cycles, store(plan, state, row, k, True))
    state.tally[FINAL_DRAIN] = cycles - state.clock[0]
    return cycles
