"""The machine of `timeline_machine`, without playing again what it has played before.

A machine of channels and places is linear in (max, +): shift all clocks that a loop touches by the
same time, and what it leaves behind is shifted by that time. So a loop that starts as one before it
did, seen from the array's clock, goes as that one went (`recall`); and a loop whose iteration ends
as an earlier one of its own did goes on as it has gone since (`skip`).

Source: Baccelli, Cohen, Olsder, Quadrat, "Synchronization and Linearity", Wiley 1992.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import INDEXES, OUTPUTS, Ints
from accel_dse.simulators.timeline_machine import MEMORY, begin, compute, enter, finish, proceed

FOREVER = 2.0**61
"""Clocks beyond this would overflow."""


@compiled
def play(machine: Any, layer: Ints, plan: Any, state: Any) -> int:
    """Cycles of the layer: those of `walk`, at a cost that hardly depends on the loop counts."""
    begin(machine, layer, plan, state)
    for depth in range(plan.loops):
        state.played[depth] = 0
    depth = 0
    inward = True
    touched = 0
    while depth >= 0:
        if inward:
            inward = False
            if depth == plan.loops:
                touched = compute(machine, layer, plan, state)
                depth -= 1
                continue
            slot = recall(plan, state, depth)
            if slot >= 0:
                touched = repeat(plan, state, depth, slot)
                depth -= 1
            else:
                open_loop(plan, state, depth)
                depth += 1
                inward = True
            continue
        touch(state, depth, touched)
        if state.index[depth] < state.count[depth] - 2:
            skip(plan, state, depth)
        if state.index[depth] == state.count[depth] - 1:
            touched = close_loop(plan, state, depth)
            depth -= 1
        else:
            row = proceed(machine, layer, plan, state, depth)
            touch(state, depth, plan.touched[row, 0 if state.fresh[depth + 1] else 1])
            depth += 1
            inward = True
    return finish(machine, layer, plan, state)


@compiled
def touch(state: Any, depth: int, touched: int) -> None:
    """Notes which clocks were touched in a loop."""
    state.since[depth] |= touched
    state.total[depth] |= touched


@compiled
def _key(plan: Any, state: Any, depth: int) -> int:
    """What decides, beside the clocks, how the loops from `depth` on go."""
    key = state.mask[depth] << 2
    if plan.exchanges[depth]:
        key |= state.fresh[depth] << 1 | state.final[depth]
    return key


@compiled
def recall(plan: Any, state: Any, depth: int) -> int:
    """The slot of a loop that started alike, all clocks seen from the array's, or -1."""
    key = _key(plan, state, depth)
    now = state.clock[0]
    for slot in range(min(state.played[depth], MEMORY)):
        if state.key[depth, slot] == key:
            touched = state.touched[depth, slot]
            alike = True
            for c in range(1, plan.clocks):
                if touched >> c & 1 and state.clock[c] - now != state.before[depth, slot, c]:
                    alike = False
                    break
            if alike:
                return slot
    return -1


@compiled
def repeat(plan: Any, state: Any, depth: int, slot: int) -> int:
    """Does what a remembered loop did; returns the clocks touched."""
    touched = state.touched[depth, slot]
    now = state.clock[0]
    state.clock[0] = now + state.after[depth, slot, 0]
    for c in range(1, plan.clocks):
        if touched >> c & 1:
            state.clock[c] = now + state.after[depth, slot, c]
    for i in range(state.tallies):
        state.tally[i] += state.added[depth, slot, i]
    return touched


@compiled
def open_loop(plan: Any, state: Any, depth: int) -> None:
    """Enters a loop at its first iteration, and notes how it starts."""
    slot = state.played[depth] % MEMORY
    now = state.clock[0]
    state.slot[depth] = slot
    state.opened[depth] = now
    state.key[depth, slot] = -1
    for c in range(1, plan.clocks):
        state.before[depth, slot, c] = state.clock[c] - now
    for i in range(state.tallies):
        state.added[depth, slot, i] = state.tally[i]
    state.total[depth] = 0
    state.since[depth] = 0
    state.seen_index[depth] = -1
    state.seen_power[depth] = 1
    enter(plan, state, depth, 0)


@compiled
def close_loop(plan: Any, state: Any, depth: int) -> int:
    """Remembers what a loop did; returns the clocks touched."""
    slot = state.slot[depth]
    now = state.opened[depth]
    state.played[depth] += 1
    state.key[depth, slot] = _key(plan, state, depth)
    state.touched[depth, slot] = state.total[depth]
    for c in range(plan.clocks):
        state.after[depth, slot, c] = state.clock[c] - now
    for i in range(state.tallies):
        state.added[depth, slot, i] = state.tally[i] - state.added[depth, slot, i]
    return state.total[depth]


@compiled
def skip(plan: Any, state: Any, depth: int) -> None:
    """After an iteration: if the clocks, seen from the array's, are as after an earlier one, all
    further whole periods go alike. The iteration compared with is moved on at powers of two.

    Source: R. P. Brent, "An improved Monte Carlo factorization algorithm", BIT 20, 1980 (the
    search for a period).
    """
    index = state.index[depth]
    seen = state.seen_index[depth]
    if seen >= 0:
        alike = True
        shift = state.clock[0] - state.seen_clock[depth, 0]
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
        for i in range(state.tallies):
            state.seen_tally[depth, i] = state.tally[i]


@compiled
def _jump(plan: Any, state: Any, depth: int, shift: int) -> None:
    """Goes on by as many periods as there are iterations of the same kind."""
    d = plan.dim[depth]
    last = state.count[depth] - 1
    adds = not INDEXES[OUTPUTS, d]
    if state.mask[depth] >> d & 1 or (adds and state.final[depth]):
        last -= 1
    period = state.index[depth] - state.seen_index[depth]
    periods = (last - state.index[depth]) // period
    if float(periods) * float(shift) + float(state.clock[0]) > FOREVER:
        plan.too_long = True
        periods = 0
    state.index[depth] += periods * period
    state.clock[0] += periods * shift
    for c in range(1, plan.clocks):
        if state.since[depth] >> c & 1:
            state.clock[c] += periods * shift
    for i in range(state.tallies):
        more = state.tally[i] - state.seen_tally[depth, i]
        state.tally[i] += periods * more
