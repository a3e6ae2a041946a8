"""The machine of `timeline_machine`, without playing again what it has played before."""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

from numba import njit

from accel_dse.simulators.timeline_machine import (
    CHANNEL,
    MEMORY,
    REDUCTION,
    begin,
    compute,
    enter,
    finish,
    proceed,
)
from accel_dse.simulators.timeline_tiles import Ints, step


@njit(cache=True)
def play(machine: Any, layer: Ints, plan: Any, state: Any) -> int:
    """Cycles of the layer: those of `walk`, at a cost that hardly depends on the loop counts."""
    begin(machine, layer, plan, state)
    state.causes = CHANNEL + 3 * machine.levels
    for depth in range(plan.loops):
        state.known[depth] = 0
    depth = 0
    inward = True
    touched = 0
    while depth >= 0:
        if inward and depth == plan.loops:
            mask = state.mask[depth]
            step(machine, layer, plan, mask)
            compute(plan, state, mask)
            touched = plan.streamed[mask]
            inward = False
            depth -= 1
        elif inward:
            slot = recall(plan, state, depth)
            if slot >= 0:
                touched = repeat(plan, state, depth, slot)
                inward = False
                depth -= 1
            else:
                open_loop(plan, state, depth)
                depth += 1
        else:
            state.since[depth] |= touched
            state.total[depth] |= touched
            if state.index[depth] < state.count[depth] - 2:
                skip(plan, state, depth)
            if state.index[depth] == state.count[depth] - 1:
                touched = close_loop(plan, state, depth)
                depth -= 1
            else:
                touched = proceed(machine, layer, plan, state, depth)
                state.since[depth] |= touched
                state.total[depth] |= touched
                depth += 1
                inward = True
    return finish(machine, layer, plan, state)


@njit(cache=True)
def _key(plan: Any, state: Any, depth: int) -> int:
    """What decides, beside the clocks, how the loops from `depth` on go."""
    key = state.mask[depth] << 2
    if plan.writes[depth]:
        key |= state.fresh[depth] << 1 | state.final[depth]
    return key


@njit(cache=True)
def recall(plan: Any, state: Any, depth: int) -> int:
    """The slot of a loop that started alike, all clocks seen from the array's, or -1."""
    key = _key(plan, state, depth)
    now = state.clock[0]
    for slot in range(min(state.known[depth], MEMORY)):
        if state.key[depth, slot] == key:
            used = state.clocks_used[depth, slot]
            alike = True
            for c in range(1, plan.clocks):
                if used >> c & 1 and state.clock[c] - now != state.before[depth, slot, c]:
                    alike = False
                    break
            if alike:
                return slot
    return -1


@njit(cache=True)
def repeat(plan: Any, state: Any, depth: int, slot: int) -> int:
    """Does what a remembered loop did; returns the clocks touched."""
    used = state.clocks_used[depth, slot]
    now = state.clock[0]
    state.clock[0] = now + state.after[depth, slot, 0]
    for c in range(1, plan.clocks):
        if used >> c & 1:
            state.clock[c] = now + state.after[depth, slot, c]
    for cause in range(state.causes):
        state.stall[cause] += state.stalled[depth, slot, cause]
    return used


@njit(cache=True)
def open_loop(plan: Any, state: Any, depth: int) -> None:
    """Enters a loop at its first iteration, and notes how it starts."""
    slot = state.known[depth] % MEMORY
    now = state.clock[0]
    state.open[depth] = slot
    state.opened_at[depth] = now
    state.key[depth, slot] = -1
    for c in range(1, plan.clocks):
        state.before[depth, slot, c] = state.clock[c] - now
    for cause in range(state.causes):
        state.stalled[depth, slot, cause] = state.stall[cause]
    state.since[depth] = 0
    state.total[depth] = 0
    state.seen_index[depth] = -1
    state.seen_power[depth] = 1
    enter(plan, state, depth, 0)


@njit(cache=True)
def close_loop(plan: Any, state: Any, depth: int) -> int:
    """Remembers what a loop did; returns the clocks touched."""
    slot = state.open[depth]
    now = state.opened_at[depth]
    used = state.total[depth]
    state.known[depth] += 1
    state.key[depth, slot] = _key(plan, state, depth)
    state.clocks_used[depth, slot] = used
    for c in range(plan.clocks):
        state.after[depth, slot, c] = state.clock[c] - now
    for cause in range(state.causes):
        state.stalled[depth, slot, cause] = state.stall[cause] - state.stalled[depth, slot, cause]
    return used


@njit(cache=True)
def skip(plan: Any, state: Any, depth: int) -> None:
    """After an iteration: if the clocks, seen from the array's, are as after an earlier one, all
    further whole periods go alike. The iteration compared with is moved on at powers of two.

    Source: R. P. Brent, "An improved Monte Carlo factorization algorithm", BIT 20, 1980 (the
    search for a period).
    """
    index = state.index[depth]
    seen = state.seen_index[depth]
    now = state.clock[0]
    if seen >= 0:
        alike = True
        shift = now - state.seen_clock[depth, 0]
        since = state.since[depth]
        for c in range(1, plan.clocks):
            if since >> c & 1 and state.clock[c] - state.seen_clock[depth, c] != shift:
                alike = False
                break
        if alike:
            _jump(plan, state, depth, shift)
            return
    if seen < 0 or index - seen == state.seen_power[depth]:
        if seen >= 0:
            state.seen_power[depth] *= 2
        state.seen_index[depth] = index
        state.since[depth] = 0
        for c in range(plan.clocks):
            state.seen_clock[depth, c] = state.clock[c]
        for cause in range(state.causes):
            state.seen_stall[depth, cause] = state.stall[cause]


@njit(cache=True)
def _jump(plan: Any, state: Any, depth: int, shift: int) -> None:
    """Goes on by as many periods as there are iterations of the same kind."""
    d = plan.dim[depth]
    last = state.count[depth] - 1
    if state.mask[depth] >> d & 1 or (REDUCTION[d] and state.final[depth]):
        last -= 1
    period = state.index[depth] - state.seen_index[depth]
    periods = (last - state.index[depth]) // period
    state.index[depth] += periods * period
    state.clock[0] += periods * shift
    for c in range(1, plan.clocks):
        if state.since[depth] >> c & 1:
            state.clock[c] += periods * shift
    for cause in range(state.causes):
        more = state.stall[cause] - state.seen_stall[depth, cause]
        state.stall[cause] += periods * more
