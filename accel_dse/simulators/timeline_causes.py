"""What the array waits for: the causes of a stall, found by going back along what was waited for.

The last tile that a step waits for came out of a channel, `latency` cycles before. It had stood in
the channel's queue, behind others of the same step, behind writes of the step before, or alone
since its words were late or it had no place. In the first cases the channel is what the array waits
for, whichever tile came last: the cycles are shared out among the tensors for which that channel
works in this step, in proportion to how long each keeps it. Words that were late had been waited
for at the level outside, which is looked at next, and a place is free when outputs have left.

All this depends on the step, and on clocks as seen from the array's: steps that start alike wait
alike, as `timeline_skip` needs it.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from typing import Any

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import MAX_LEVELS, OUTPUTS
from accel_dse.simulators.timeline_plan import READ, WRITE

START_UP, FILL, ISSUE, LATENCY, WRITE_BACK, FINAL_DRAIN, CHANNEL = range(7)
"""Where in `tally` a cause of stalls is. `CHANNEL + 3 * level + tensor` is waiting for a level's
channel; after all those comes, for each lane, for how long it was busy."""

MAX_TALLIES = CHANNEL + 5 * MAX_LEVELS

WORDS, PLACE, QUEUE = range(3)
"""What a transfer waited for last: its words at the source, a place for its tile, the channel."""

SHARE_OF_ISSUE = 3
"""In `share`, behind the three tensors: issuing their transfers."""


@compiled
def blame(machine: Any, plan: Any, state: Any, row: int, link: int, gap: int, fresh: bool) -> None:
    """Says what the last `gap` cycles before a link's tile was there were spent on.

    Args:
        row: of the table of `moved`.
        link: of the tile that came last.
        gap: how long the array waits for it.
        fresh: whether the outputs that arrive have no products yet, and so are not read.
    """
    late = True
    while gap > 0:
        waited_for = state.waited_for[link]
        if plan.tensor[link] != OUTPUTS or not fresh:
            if late:
                gap = _spend(state, LATENCY, gap, machine.latency[plan.source[link]])
            link, gap = _blame_queue(machine, plan, state, row, link, gap, fresh)
            waited_for = state.waited_for[link]
        late = waited_for == WORDS
        if late:
            link -= 1
        elif waited_for == QUEUE:  # tiles of another step have come: these are its writes
            gap = _spend(state, WRITE_BACK, gap, gap)
        elif gap > 0:
            link, gap = _blame_writes(plan, state, row, link, gap, fresh)


@compiled
def _spend(state: Any, cause: int, gap: int, cycles: int) -> int:
    """Counts up to `cycles` of the gap as spent on a cause; returns what is left of it."""
    part = min(gap, cycles)
    state.tally[cause] += part
    return gap - part


@compiled
def _blame_queue(
    machine: Any, plan: Any, state: Any, row: int, link: int, gap: int, fresh: bool
) -> tuple[int, int]:
    """Shares out the cycles in which a transfer inward, and those before it in the queue, kept
    the channel; returns the link of the first of them, and what is left of the gap.
    """
    level = plan.source[link]
    for t in range(4):
        state.share[t] = 0
    length = 0
    while True:
        cycles = state.spent[link]
        length += cycles
        state.share[SHARE_OF_ISSUE] += machine.issue[level]
        state.share[plan.tensor[link]] += cycles - machine.issue[level]
        before = -1
        if state.waited_for[link] == QUEUE:
            before = _before(plan, state, row, plan.channel[level, READ], state.begun[link], fresh)
        if before < 0:
            break
        link = before
    if state.waited_for[link] == QUEUE:  # the one before was of another step
        state.share[OUTPUTS] += _written(plan, state, row, level)
    waited = min(gap, length)
    _share_out(state, level, waited)
    return link, gap - waited


@compiled
def _before(plan: Any, state: Any, row: int, channel: int, begun: int, fresh: bool) -> int:
    """The link for which this row's transfer inward left a channel at `begun`, or -1."""
    for k in range(plan.links):
        if plan.load[row, k] > 0 and not (fresh and plan.tensor[k] == OUTPUTS):
            same = plan.channel[plan.source[k], READ] == channel
            if same and state.begun[k] + state.spent[k] == begun:
                return k
    return -1


@compiled
def _written(plan: Any, state: Any, row: int, level: int) -> int:
    """For how long this row's writes keep the channel that reads of a level wait for."""
    if plan.channel[level, READ] == plan.channel[level, WRITE]:
        for k in range(plan.first[OUTPUTS], plan.links):
            if plan.source[k] == level and plan.store[row, k] >= 0:
                return state.written_for[k]
    return 0


@compiled
def _share_out(state: Any, level: int, waited: int) -> None:
    """Counts `waited` cycles for a level's channel in proportion to `share`, in whole cycles."""
    total = 0.0
    for t in range(4):
        total += state.share[t]
    so_far = 0.0
    counted = 0
    for t in range(4):
        if state.share[t] > 0:
            so_far += state.share[t]
            upto = waited if so_far == total else int(waited * so_far / total + 0.5)
            state.tally[ISSUE if t == SHARE_OF_ISSUE else CHANNEL + 3 * level + t] += upto - counted
            counted = upto


@compiled
def _blame_writes(
    plan: Any, state: Any, row: int, link: int, gap: int, fresh: bool
) -> tuple[int, int]:
    """Says what a place for outputs was waited for: for writing those back that were in it, and
    for what had stood before them in the queue; returns the link of that, and what is left of the
    gap.
    """
    if plan.double[link]:  # the one that leaves now is not the one that was in the place
        return link, _spend(state, WRITE_BACK, gap, gap)
    while gap > 0 and link < plan.links and plan.store[row, link] >= 0:
        gap = _spend(state, WRITE_BACK, gap, state.written_for[link])
        channel = plan.channel[plan.source[link], WRITE]
        before = _before(plan, state, row, channel, state.written_from[link], fresh)
        if before >= 0:
            return before, gap
        link += 1
    return plan.links - 1, _spend(state, WRITE_BACK, gap, gap)
