"""One machine, step by step: how a step's transfers and computing move the clocks of its parts."""

from typing import Any

import numpy as np
from numba import njit

from accel_dse.simulators.loop_records import MAX_LEVELS
from accel_dse.simulators.timeline_tiles import (
    END,
    MAX_CLOCKS,
    MAX_LINKS,
    MAX_LOOPS,
    OUTPUTS,
    READ,
    START,
    WRITE,
    Ints,
    moved,
    step,
)
from accel_dse.workload import DIMS

START_UP, FILL, ISSUE, LATENCY, WRITE_BACK, FINAL_DRAIN, CHANNEL = range(7)
"""Causes of a stall; `CHANNEL + 3 * level + tensor` is waiting for a level's channel."""

REDUCTION = np.array([dim in "CRS" for dim in DIMS])
"""Whether a dimension adds products to the same output."""

MAX_CAUSES = CHANNEL + 3 * MAX_LEVELS

MEMORY = 8
"""Played loops that are remembered at each depth."""

STATE = np.dtype(
    [
        ("clock", np.int64, (MAX_CLOCKS,)),
        ("stall", np.int64, (MAX_CAUSES,)),
        ("mask", np.int64, (MAX_LOOPS + 1,)),
        ("index", np.int64, (MAX_LOOPS + 1,)),
        ("count", np.int64, (MAX_LOOPS + 1,)),
        ("fresh", np.uint8, (MAX_LOOPS + 1,)),
        ("final", np.uint8, (MAX_LOOPS + 1,)),
        ("begun", np.int64, (MAX_LINKS,)),
        ("queue", np.int64, (MAX_LINKS,)),
        ("place", np.int64, (MAX_LINKS,)),
        ("spent", np.int64, (MAX_LINKS,)),
        ("ready", np.int64, (MAX_LINKS,)),
        # skipping: by depth, what was so after an earlier iteration
        ("causes", np.int64),
        ("since", np.int64, (MAX_LOOPS,)),
        ("total", np.int64, (MAX_LOOPS,)),
        ("seen_index", np.int64, (MAX_LOOPS,)),
        ("seen_power", np.int64, (MAX_LOOPS,)),
        ("seen_clock", np.int64, (MAX_LOOPS, MAX_CLOCKS)),
        ("seen_stall", np.int64, (MAX_LOOPS, MAX_CAUSES)),
        # memory: by depth, whole loops played before
        ("known", np.int64, (MAX_LOOPS,)),
        ("open", np.int64, (MAX_LOOPS,)),
        ("opened_at", np.int64, (MAX_LOOPS,)),
        ("key", np.int64, (MAX_LOOPS, MEMORY)),
        ("clocks_used", np.int64, (MAX_LOOPS, MEMORY)),
        ("before", np.int64, (MAX_LOOPS, MEMORY, MAX_CLOCKS)),
        ("after", np.int64, (MAX_LOOPS, MEMORY, MAX_CLOCKS)),
        ("stalled", np.int64, (MAX_LOOPS, MEMORY, MAX_CAUSES)),
    ]
)


@njit(cache=True)
def load(machine: Any, plan: Any, state: Any, k: int, cycles: int, place: int, source: int) -> int:
    """Starts a transfer inward; returns when its tile is there.

    Args:
        k: the link.
        cycles: how long it keeps the channel.
        place: when there is room for it.
        source: when its words are at the source.
    """
    level = plan.source[k]
    channel = plan.channel[level, READ]
    queue = state.clock[channel]
    begun = max(queue, place, source)
    done = begun + cycles
    state.clock[channel] = done
    if k > plan.first[plan.tensor[k]]:
        used = plan.used[k - 1]
        if used > 0:
            state.clock[used] = max(state.clock[used], done)
    state.queue[k] = queue
    state.place[k] = place
    state.begun[k] = begun
    state.spent[k] = cycles
    state.ready[k] = done + machine.latency[level]
    return done + machine.latency[level]


@njit(cache=True)
def store(machine: Any, plan: Any, state: Any, k: int, cycles: int) -> int:
    """Writes the present tile of outputs back once it is not used any more; returns when done."""
    channel = plan.channel[plan.source[k], WRITE]
    used = plan.used[k]
    begun = max(state.clock[channel], state.clock[used])
    done = begun + cycles
    state.clock[channel] = done
    if k > plan.first[OUTPUTS]:
        outer = plan.used[k - 1]
        if outer > 0:
            state.clock[outer] = max(state.clock[outer], done)
    return done


@njit(cache=True)
def advance(
    machine: Any, plan: Any, state: Any, row: int, fresh: bool, final: bool, starts: bool
) -> None:
    """Moves what row `row` says, and the array's clock to when it may compute on it.

    Args:
        fresh: whether the outputs that arrive have no products yet.
        final: whether the outputs that leave have all their products.
        starts: whether the layer begins.
    """
    now = state.clock[0]
    start = now
    binding = -1
    for t in range(2):
        ready = 0
        for k in range(plan.first[t], plan.first[t + 1]):
            cycles = plan.load[row, k]
            if cycles >= 0:
                place = state.clock[plan.used[k]]
                if plan.double[k]:
                    freed = plan.freed[k]
                    place, state.clock[freed] = state.clock[freed], place
                ready = load(machine, plan, state, k, cycles, place, ready)
        if ready > start:
            start = ready
            binding = plan.first[t + 1] - 1
    ready = exchange_outputs(machine, plan, state, row, fresh, final)
    if ready > start:
        start = ready
        binding = plan.first[3] - 1
    state.stall[FILL] += plan.fill[row]
    state.clock[0] = start + plan.fill[row]
    if starts:
        state.stall[START_UP] += start - now
    elif start > now:
        blame(machine, plan, state, binding, start - now, fresh)


@njit(cache=True)
def exchange_outputs(
    machine: Any, plan: Any, state: Any, row: int, fresh: bool, final: bool
) -> int:
    """Writes tiles of outputs back and makes room for, or reads back, the next ones.

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
        place = state.clock[plan.freed[begin]]
        ready = take_outputs(machine, plan, state, row, begin, fresh, place, ready)
    for k in range(end - 1, begin - 1, -1):
        cycles = plan.store[row, k] if final else plan.spill[row, k]
        done = store(machine, plan, state, k, cycles) if cycles >= 0 else 0
        if plan.double[k]:
            freed = plan.freed[k]
            state.place[k], state.clock[freed] = state.clock[freed], done
        else:
            state.place[k] = done
    if not plan.double[begin]:
        ready = take_outputs(machine, plan, state, row, begin, fresh, state.place[begin], ready)
    for k in range(begin + 1, end):
        ready = take_outputs(machine, plan, state, row, k, fresh, state.place[k], ready)
    return ready


@njit(cache=True)
def take_outputs(
    machine: Any, plan: Any, state: Any, row: int, k: int, fresh: bool, place: int, source: int
) -> int:
    """Reads sums back if there are any, or just takes the place for new ones; returns when."""
    if not fresh:
        return load(machine, plan, state, k, plan.load[row, k], place, source)
    state.place[k] = place
    state.ready[k] = max(place, source)
    return state.ready[k]


@njit(cache=True)
def blame(machine: Any, plan: Any, state: Any, link: int, gap: int, fresh: bool) -> None:
    """Attributes `gap` cycles, from the latest to the first, to what `link`'s tile waited for."""
    while gap > 0:
        level = plan.source[link]
        tensor = plan.tensor[link]
        channel = CHANNEL + 3 * level + tensor
        place = state.place[link]
        if tensor == OUTPUTS and fresh:
            if state.ready[link] == place:
                state.stall[WRITE_BACK] += gap
                return
            link -= 1
            continue
        part = min(gap, machine.latency[level])
        state.stall[LATENCY] += part
        gap -= part
        part = min(gap, state.spent[link] - machine.issue[level])
        state.stall[channel] += part
        gap -= part
        part = min(gap, machine.issue[level])
        state.stall[ISSUE] += part
        gap -= part
        begun = state.begun[link]
        if begun == state.queue[link]:
            state.stall[channel] += gap
            return
        if begun == place:
            if tensor == OUTPUTS:
                state.stall[WRITE_BACK] += gap
            else:
                state.stall[CHANNEL + 3 * plan.target[link] + tensor] += gap
            return
        link -= 1


@njit(cache=True)
def compute(plan: Any, state: Any, mask: int) -> None:
    """One step of the array, and of the channels that stream its operands."""
    start = state.clock[0]
    end = start + plan.busy[mask]
    cause = plan.busy_cause[mask]
    for c in range(plan.streams):
        cycles = plan.stream[mask, c]
        if cycles > 0:
            clock = plan.stream_clock[c]
            done = max(start, state.clock[clock]) + cycles
            state.clock[clock] = done
            if done > end:
                end = done
                cause = plan.stream_cause[mask, c]
    stalled = end - start - plan.compute[mask]
    if stalled > 0:
        state.stall[CHANNEL + cause] += stalled
    state.clock[0] = end


@njit(cache=True)
def begin(machine: Any, layer: Ints, plan: Any, state: Any) -> None:
    """Resets the state and loads the first tiles."""
    state.clock[: plan.clocks] = 0
    state.stall[: CHANNEL + 3 * machine.levels] = 0
    state.mask[0] = plan.ragged
    state.fresh[0] = True
    state.final[0] = True
    row = moved(machine, layer, plan, START, plan.ragged)
    advance(machine, plan, state, row, True, True, True)


@njit(cache=True)
def finish(machine: Any, layer: Ints, plan: Any, state: Any) -> int:
    """Writes the last outputs back; returns the cycles of the layer."""
    row = moved(machine, layer, plan, END, plan.ragged)
    cycles = state.clock[0]
    for k in range(plan.first[OUTPUTS + 1] - 1, plan.first[OUTPUTS] - 1, -1):
        if plan.store[row, k] >= 0:
            cycles = max(cycles, store(machine, plan, state, k, plan.store[row, k]))
    state.stall[FINAL_DRAIN] = cycles - state.clock[0]
    return cycles


@njit(cache=True)
def enter(plan: Any, state: Any, depth: int, index: int) -> None:
    """Sets what is so inside loop `depth` at its iteration `index`."""
    d = plan.dim[depth]
    mask = state.mask[depth]
    count = plan.count[mask >> d & 1, depth]
    last = index == count - 1
    if mask >> d & 1 and not (last and plan.stays[depth]):
        mask &= ~(1 << d)
    reduces = REDUCTION[d]
    state.index[depth] = index
    state.count[depth] = count
    state.mask[depth + 1] = mask
    state.fresh[depth + 1] = state.fresh[depth] and not (reduces and index > 0)
    state.final[depth + 1] = state.final[depth] and (last or not reduces)


@njit(cache=True)
def proceed(machine: Any, layer: Ints, plan: Any, state: Any, depth: int) -> int:
    """Moves what the step to the next iteration of loop `depth` moves; returns the clocks touched."""
    reduces = REDUCTION[plan.dim[depth]]
    enter(plan, state, depth, state.index[depth] + 1)
    row = moved(machine, layer, plan, depth, state.mask[depth + 1])
    fresh = state.fresh[depth] and not reduces
    final = state.final[depth] and not reduces
    advance(machine, plan, state, row, fresh, final, False)
    return plan.touched[row, 0 if fresh else 1]


@njit(cache=True)
def walk(machine: Any, layer: Ints, plan: Any, state: Any) -> int:
    """Plays every step; returns the cycles of the layer."""
    begin(machine, layer, plan, state)
    depth = 0
    while True:
        while depth < plan.loops:
            enter(plan, state, depth, 0)
            depth += 1
        step(machine, layer, plan, state.mask[depth])
        compute(plan, state, state.mask[depth])
        depth -= 1
        while depth >= 0 and state.index[depth] == state.count[depth] - 1:
            depth -= 1
        if depth < 0:
            return finish(machine, layer, plan, state)
        proceed(machine, layer, plan, state, depth)
        depth += 1
