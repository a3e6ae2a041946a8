"""What happens when, as a list of events: for Perfetto and for pictures.

Every transfer, step and stall of one evaluation has an event on the lane of its channel or of the
array. The array's events fill its lane from cycle 0 to the end without gaps.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators.loop_records import INDEXES, OUTPUTS, pack_layers
from accel_dse.simulators.timeline import causes, cycles_of, new_scratch
from accel_dse.simulators.timeline_machine import begin, compute, enter, finish, proceed
from accel_dse.simulators.timeline_moves import END, START, moved
from accel_dse.simulators.timeline_plan import READ, WRITE, count_steps, lay_out, pack_machine
from accel_dse.workload import TENSORS, Layer

ARRAY = "array"
"""The lane of the multiply-accumulate units."""

LAYER = "layer"
"""The lane that says which layer runs."""


@dataclass(frozen=True)
class Event:
    """Something that keeps a lane busy, in cycles of the layer.

    Attributes:
        lane: `array`, or `<level> reads`, `<level> writes` or `<level> channel`.
        name: what it is.
        kind: `step`, `stall`, `transfer`, `operands` or `repeats`.
        start: first cycle.
        cycles: how many.
        detail: numbers worth showing.
    """

    lane: str
    name: str
    kind: str
    start: int
    cycles: int
    detail: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """One evaluation, event by event.

    Attributes:
        name: the layer's.
        cycles: of the layer, as `timeline.simulate` has it.
        lanes: names, the array's first, then the channels', outermost level first.
        events: in no particular order.
    """

    name: str
    cycles: int
    lanes: tuple[str, ...]
    events: tuple[Event, ...]


def trace(
    hardware: Hardware,
    layer: Layer,
    mappings: Mappings,
    *,
    design: int = 0,
    mapping: int = 0,
    inputs_resident: bool = False,
    outputs_resident: bool = False,
    most_steps: int = 1000,
) -> Trace:
    """Plays one layer and writes down what happens.

    Args:
        hardware: `n` designs.
        layer: what runs, once.
        mappings: `m` mappings that `loop_rules.check` finds valid.
        design, mapping: which of them.
        inputs_resident, outputs_resident: see `timeline.simulate`.
        most_steps: the steps after these, if any, become one event that says how many there are
            and what they wait for.
    """
    rows = (mappings.temporal, mappings.spatial_x, mappings.spatial_y, mappings.order)
    given = (
        pack_machine(hardware)[design],
        pack_layers([layer])[0],
        *(array[mapping] for array in rows),
        inputs_resident,
        outputs_resident,
    )
    whole = new_scratch()[0]
    cycles = int(cycles_of(*(*given, whole)))
    player = _Player(hardware.levels, given, most_steps)
    player.play(cycles, whole["state"]["tally"])
    return Trace(layer.name, cycles, player.lanes(), tuple(player.events))


class _Player:
    """Plays one evaluation step by step, and looks at the machine after each."""

    def __init__(self, levels: tuple[str, ...], given: tuple[Any, ...], most_steps: int) -> None:
        self.levels = levels
        self.causes = causes(levels)
        self.machine, self.layer = given[:2]
        scratch = new_scratch()[0]
        self.plan, self.state = scratch["plan"], scratch["state"]
        lay_out(*(*given, self.plan))
        self.most_steps = most_steps
        self.events: list[Event] = []

    def lanes(self) -> tuple[str, ...]:
        """All lanes that a machine of this kind has."""
        names = [ARRAY]
        for level in range(len(self.levels)):
            names += dict.fromkeys(self._lane(level, way) for way in (READ, WRITE))
        return tuple(names)

    def _lane(self, level: int, way: int) -> str:
        if self.machine["shared"][level]:
            return f"{self.levels[level]} channel"
        return f"{self.levels[level]} {'writes' if way == WRITE else 'reads'}"

    def play(self, cycles: int, tally: Any) -> None:
        """Plays the first steps; `cycles` and `tally` are those of all."""
        kernel = (self.machine, self.layer, self.plan, self.state)
        loops = int(self.plan["loops"])
        with self._waiting():
            begin(*kernel)
        self._transfers(self._moved(START), fresh=True, final=True)
        depth = 0
        for played in range(1, self.most_steps + 1):
            for inner in range(depth, loops):
                enter(self.plan, self.state, inner, 0)
            self._step(kernel)
            index, count = (self.state[name][:loops] for name in ("index", "count"))
            unfinished = np.flatnonzero(index < count - 1)
            if len(unfinished) == 0:
                self._end(kernel)
                return
            if played < self.most_steps:
                depth = int(unfinished[-1])
                self._advance(kernel, depth)
                depth += 1
        self._repeats(cycles, tally)

    def _moved(self, loop: int) -> int:
        """The row of the table of `moved` where the layer starts or ends."""
        return moved(self.machine, self.layer, self.plan, loop, int(self.plan["ragged"]))

    def _advance(self, kernel: tuple[Any, ...], depth: int) -> None:
        """The transfers at the next iteration of a loop."""
        adds = not INDEXES[OUTPUTS, self.plan["dim"][depth]]
        final = bool(self.state["final"][depth]) and not adds
        with self._waiting():
            row = proceed(*(*kernel, depth))
        self._transfers(row, fresh=bool(self.state["fresh"][depth + 1]), final=final)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Tells for what the array waits meanwhile, and for how long."""
        now = int(self.state["clock"][0])
        before = self.state["tally"].copy()
        yield
        self._stalled(now, before)

    def _stalled(self, now: int, before: Any) -> None:
        """What the array waited for from `now` on, since the tally was `before`."""
        for name, cycles in self._stalls(before, self.state["tally"]).items():
            self.events.append(Event(ARRAY, name, "stall", now, cycles))
            now += cycles

    def _stalls(self, before: Any, after: Any) -> dict[str, int]:
        """Cycles by cause between two tallies, in the order in which one leads to the next."""
        found = {name: int(after[i] - before[i]) for i, name in enumerate(self.causes)}
        last = ("issue", "latency", "fill", "final drain")
        order = [name for name in self.causes if name not in last] + list(last)
        return {name: found[name] for name in order if found[name]}

    def _transfers(self, row: int, *, fresh: bool, final: bool) -> None:
        """The transfers of a row of the table of `moved`, as the links remember them."""
        plan = self.plan
        for k in range(int(plan["links"])):
            level, to, tensor = (int(plan[name][k]) for name in ("source", "target", "tensor"))
            if plan["load"][row, k] >= 0 and not (tensor == OUTPUTS and fresh):
                what = "partial sums" if tensor == OUTPUTS else TENSORS[tensor]
                self._transfer(level, READ, f"{what} to {self.levels[to]}", "begun", "spent", k)
            if plan["store"][row, k] >= 0:
                what = "outputs" if final else "partial sums"
                name = f"{what} from {self.levels[to]}"
                self._transfer(level, WRITE, name, "written_from", "written_for", k)

    def _transfer(self, level: int, way: int, name: str, begun: str, spent: str, link: int) -> None:
        start, cycles = int(self.state[begun][link]), int(self.state[spent][link])
        self.events.append(Event(self._lane(level, way), name, "transfer", start, cycles))

    def _step(self, kernel: tuple[Any, ...]) -> None:
        """What the array computes, and the channels stream."""
        plan, state = self.plan, self.state
        start = int(state["clock"][0])
        before = state["tally"].copy()
        compute(*kernel)
        mask = int(state["mask"][int(plan["loops"])])
        cycles = int(plan["compute"][mask])
        self.events.append(Event(ARRAY, "compute", "step", start, cycles))
        self._stalled(start + cycles, before)
        for s in range(int(plan["streams"][mask])):
            level, way = divmod(int(plan["stream_lane"][mask, s]), 2)
            clock = int(plan["stream_clock"][mask, s])
            busy = int(plan["stream"][mask, s])
            begun = int(state["clock"][clock]) - busy if clock else start
            self.events.append(Event(self._lane(level, way), "operands", "operands", begun, busy))

    def _end(self, kernel: tuple[Any, ...]) -> None:
        """The last outputs are written back."""
        now = int(self.state["clock"][0])
        end = finish(*kernel)
        self._transfers(self._moved(END), fresh=True, final=True)
        if end > now:
            self.events.append(Event(ARRAY, "final drain", "stall", now, end - now))

    def _repeats(self, cycles: int, tally: Any) -> None:
        """The steps that are not shown, as one event; then the final drain."""
        steps = int(count_steps(self.plan, len(self.levels) - 1)) - self.most_steps
        now = int(self.state["clock"][0])
        waits = self._stalls(self.state["tally"], tally)
        drain = waits.pop("final drain", 0)
        self.events.append(
            Event(ARRAY, f"{steps:,} more steps", "repeats", now, cycles - drain - now, waits)
        )
        if drain:
            self.events.append(Event(ARRAY, "final drain", "stall", cycles - drain, drain))


def write(
    path: Path, runs: Sequence[tuple[Trace, int]], others: Sequence[tuple[str, int]] = ()
) -> None:
    """Writes traces, one after the other, in the Trace Event Format: open it at ui.perfetto.dev.

    One cycle is shown as one microsecond.

    Args:
        path: a `.json` file.
        runs: traces of one machine, in order, and how many times each runs in a row; runs after
            the first are one event.
        others: names and cycles of what follows without the array, one event each.

    Source:
        "Trace Event Format", Google, the complete events (`X`) and metadata events (`M`).
    """
    lanes = (LAYER, *runs[0][0].lanes)
    written: list[dict[str, Any]] = [_metadata("process_name", 0, {"name": "accelerator"})]
    for thread, lane in enumerate(lanes):
        written.append(_metadata("thread_name", thread, {"name": lane}))
        written.append(_metadata("thread_sort_index", thread, {"sort_index": thread}))
    now = 0
    for found, times in runs:
        whole = Event(LAYER, found.name, "layer", 0, found.cycles, {"runs": times})
        for event in (whole, *found.events):
            written.append(_complete(event, now, lanes.index(event.lane)))
        now += found.cycles
        if times > 1:
            name = f"{found.name} repeats {times - 1:,} times"
            again = Event(LAYER, name, "repeats", 0, found.cycles * (times - 1))
            written.append(_complete(again, now, lanes.index(LAYER)))
            now += again.cycles
    for name, cycles in others:
        written.append(_complete(Event(LAYER, name, "other", 0, cycles), now, lanes.index(LAYER)))
        now += cycles
    other = {"cycles": now, "unit": "one microsecond is one cycle"}
    document = {"traceEvents": written, "displayTimeUnit": "ms", "otherData": other}
    path.write_text(json.dumps(document), encoding="utf-8")


def _metadata(name: str, thread: int, args: Mapping[str, object]) -> dict[str, Any]:
    return {"ph": "M", "name": name, "pid": 0, "tid": thread, "args": dict(args)}


def _complete(event: Event, offset: int, thread: int) -> dict[str, Any]:
    return {
        "ph": "X",
        "name": event.name,
        "cat": event.kind,
        "ts": offset + event.start,
        "dur": event.cycles,
        "pid": 0,
        "tid": thread,
        "args": dict(event.detail),
    }
