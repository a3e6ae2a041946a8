"""The mapper: for each layer and design, the best valid mappings it finds within a stated effort.

It is the compiler of the built-in simulator. `map_search` chooses, one after the other, how to
split the layer over the arrays, what the array works on between two fills, what comes from DRAM at
a time, and what lies between; hundreds of whole mappings are ranked by a closed form of the
cycle-level engine, and the best of them handed to whoever plays them. Deterministic; batched over
designs and layers; one task per design, which ends at the first layer that has no mapping.

Efforts build on one another: each also searches as all smaller ones do and hands on what they
would, so that more effort never maps a layer worse. Whether a layer has a mapping does not depend
on the effort either: where a search finds none, those of larger efforts are tried, and last the
smallest mapping there is.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators import loop_counts, loop_rules, map_halves
from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import INPUTS, OUTPUTS, Ints
from accel_dse.simulators.map_estimate import ESTIMATE
from accel_dse.simulators.map_search import begin, search
from accel_dse.simulators.map_terms import (
    BLOCK,
    INNER,
    LEAF,
    LISTS,
    MAX_SPLITS,
    NO_PROGRAM,
    NO_SPLIT,
    NO_TILE,
    ORDERS,
    SEARCH,
    WAYS,
    Bools,
    Floats,
)
from accel_dse.simulators.threads import in_threads
from accel_dse.simulators.timeline_plan import pack_machine
from accel_dse.workload import Layer

Goal = Literal["latency", "energy", "edp"]
GOALS: tuple[Goal, ...] = ("latency", "energy", "edp")


@dataclass(frozen=True)
class Effort:
    """How much of the map space is looked at.

    Attributes:
        splits: spatial splits looked at, at most `MAX_SPLITS`.
        tiles_each: innermost tiles kept of each split.
        tiles: innermost tiles kept.
        blocks: blocks from DRAM kept for each way in which the network may need the layer.
        looked_at: tiles looked at for each split, and blocks for each tile, about.
        fine: whether dimensions are also cut into 3, 6, 12, ... parts.
        finalists: mappings handed on for each way, beside those of smaller efforts.
        shy: whether to spread the layer as little as possible, so that tiles are small.
    """

    splits: int
    tiles_each: int
    tiles: int
    blocks: int
    looked_at: int
    fine: bool
    finalists: int
    shy: bool = False


EFFORTS: Mapping[str, Effort] = {
    "low": Effort(8, 2, 6, 4, 8, True, 3),
    "normal": Effort(16, 2, 10, 8, 64, True, 8),
    "high": Effort(MAX_SPLITS, 6, 48, 24, 512, True, 24),
}

LAST_RESORTS = (
    Effort(MAX_SPLITS, 1, MAX_SPLITS, 24, 1, False, 1),
    Effort(MAX_SPLITS, 6, 48, 24, 512, True, 1, shy=True),
    Effort(MAX_SPLITS, 1, MAX_SPLITS, 24, 1, False, 1, shy=True),
)
"""Where all efforts fail: the smallest tiles, the least spread, and both, which occupies less than
any other mapping does."""

MOST_ROWS = 65_536
"""Rows of finalists that one call may ask for: bounds memory at about 150 MB."""


@dataclass(frozen=True)
class Mapped:
    """What the mapper found for `n` designs and `u` layers: `m` finalists in all.

    Attributes:
        found: how many finalists there are, `(n, u)`; 0 from the first layer on that has none.
        first: the row of the first finalist, `(n, u)`; the others follow.
        mappings: the finalists.
        ways: in which ways each is among the best, as bits 0 to 3: way 2 is with inputs that are
            on the chip already, 1 with outputs that stay there, 3 both, 0 neither, `(m,)`.
        problem: `(n, u, 4)`: code, level, needed and available, where nothing was found.
    """

    found: Ints
    first: Ints
    mappings: Mappings
    ways: Ints
    problem: Floats

    def failed(self) -> Ints:
        """The first layer that has no mapping on each design, -1 where all have one, `(n,)`."""
        none = self.found == 0
        return np.where(none.any(axis=1), none.argmax(axis=1), -1)

    def reason(self, design: int, layer: int, hardware: Hardware, name: str) -> str:
        """Why the layer `name` has no mapping on the design; "" if it has one."""
        if self.found[design, layer]:
            return ""
        code, level, needed, available = self.problem[design, layer]
        place = hardware.levels[int(level)]
        if code == NO_TILE:
            return (
                f"{name}: smallest tile needs {needed / 8:,.0f} bytes of {place}, "
                f"which has {available / 8:,.0f}"
            )
        if code == NO_PROGRAM:
            return (
                f"{name}: program needs {needed:,.0f} transfers, "
                f"instruction memory holds {available:,.0f}"
            )
        if code == NO_SPLIT:
            return f"{name}: no dimension may be split over the hardwired axis of {place}"
        if int(needed) in RULES:
            last = f"the last one looked at breaks {RULES[int(needed)]} at {place}"
            return f"{name}: no valid mapping found: {last}"
        return f"{name}: no valid mapping found"


RULES: Mapping[int, str] = {
    loop_rules.UNCOVERED: "the cover of a dimension",
    loop_rules.LOOP: "the rule which loops run",
    loop_rules.WHOLE: "the rule what is whole",
    loop_rules.CAPACITY: "the capacity",
    loop_rules.PROGRAM: "the length of the program",
}
"""What a mapping may break, in words."""


def built_on(effort: Effort) -> tuple[Effort, ...]:
    """The effort, after the smaller ones that it builds on; one not in `EFFORTS` stands alone."""
    named = tuple(EFFORTS.values())
    return named[: named.index(effort) + 1] if effort in named else (effort,)


def rows_for(effort: Effort, layers: int) -> int:
    """Rows of finalists that one design may need."""
    return layers * WAYS * sum(each.finalists for each in built_on(effort))


def map_layers(
    hardware: Hardware,
    layers: Sequence[Layer],
    *,
    effort: Effort,
    goal: Goal = "latency",
    asked: Bools | None = None,
) -> Mapped:
    """Maps each of `u` layers onto each of `n` designs.

    Args:
        hardware: the designs.
        layers: what runs on each of them.
        effort: how much to look at.
        goal: what the mappings should make small; ties go to the other of latency and energy. For
            `edp`, layers that run only briefly are also looked at in halves, see `map_halves`.
        asked: in which ways the network may need each layer, see `Mapped.ways`, `(u, 4)`; way 0
            alone by default.
    """
    mapped = _search_layers(hardware, layers, effort, goal, asked)
    if goal != "edp":
        return mapped
    listed = [_list(mapped)]
    for j, layer in enumerate(layers):
        brief = map_halves.brief(hardware, layer) & (mapped.found[:, j] > 0)
        cuts = map_halves.halves(hardware, layer) if brief.any() else []
        if cuts:
            of_halves = _search_layers(hardware, [half for _, half in cuts], effort, goal, None)
            dims = np.array([d for d, _ in cuts])
            listed.append(map_halves.doubled(hardware, layers, j, _list(of_halves), dims, brief))
    return _gather(mapped, listed)


def _list(mapped: Mapped) -> map_halves.Finalists:
    """The finalists with what they belong to; they are in the order of designs and layers."""
    many = mapped.found[mapped.found > 0]
    design, layer = (np.repeat(at, many) for at in np.nonzero(mapped.found))
    return map_halves.Finalists(design, layer, mapped.mappings, mapped.ways)


def _gather(mapped: Mapped, listed: Sequence[map_halves.Finalists]) -> Mapped:
    """All that is listed, the lists one after the other for each design and layer."""
    n, u = mapped.found.shape
    place = np.concatenate([each.design * u + each.layer for each in listed])
    order = np.argsort(place, kind="stable")
    found = np.bincount(place, minlength=n * u)
    factors = [
        np.concatenate([getattr(each.mappings, name) for each in listed])[order]
        for name in ("temporal", "spatial_x", "spatial_y", "order")
    ]
    ways = np.concatenate([each.ways for each in listed])[order]
    first = (np.cumsum(found) - found).reshape(n, u)
    return Mapped(found.reshape(n, u), first, Mappings(*factors), ways, mapped.problem)


def _search_layers(
    hardware: Hardware, layers: Sequence[Layer], effort: Effort, goal: Goal, asked: Bools | None
) -> Mapped:
    """`map_layers`, without a look at halves."""
    n, u, levels = len(hardware), len(layers), len(hardware.levels)
    if asked is None:
        asked = np.tile(np.arange(WAYS) == 0, (u, 1))
    slots = rows_for(effort, 1)
    lists = built_on(effort)
    factors = np.empty((4, n * u * slots, levels, 8), dtype=np.int64)
    ways = np.zeros(n * u * slots, dtype=np.int64)
    found = np.zeros((n, u), dtype=np.int64)
    problem = np.zeros((n, u, 4))
    chips, machines = loop_counts.pack(hardware), pack_machine(hardware)
    packed = loop_counts.pack_layers(layers)
    room, whole = _handed_over(hardware, layers)
    others = [e for e in EFFORTS.values() if e not in lists]
    attempts = tuple(_options(e, goal) for e in (*lists, *others, *LAST_RESORTS))

    def search_designs(start: int, stop: int) -> None:
        _search_designs(
            start,
            stop,
            chips,
            machines,
            hardware.hardwired,
            packed,
            attempts,
            asked,
            room,
            whole,
            new_memory(effort),
            loop_counts.new_work()[0],
            factors,
            ways,
            found,
            problem,
        )

    in_threads(search_designs, n)
    used = (np.arange(slots) < found[..., None]).reshape(-1)
    first = (np.cumsum(found) - found.reshape(-1)).reshape(n, u)
    temporal, spatial_x, spatial_y, order = (part[used] for part in factors)
    mappings = Mappings(temporal, spatial_x, spatial_y, order)
    return Mapped(found, first, mappings, ways[used], problem)


def new_memory(effort: Effort) -> Any:
    """What one thread searches in: scratch, and lists as long as the longest effort's."""
    lists = built_on(effort)
    most = (*lists, *EFFORTS.values(), *LAST_RESORTS)
    blocks = max(e.blocks for e in most)
    state = np.zeros(1, SEARCH)[0]
    state["lists"] = len(lists)
    state["finalists"][: len(lists)] = [e.finalists for e in lists]
    return (
        state,
        np.zeros(max(e.tiles for e in most), INNER),
        np.zeros((WAYS, blocks), BLOCK),
        np.zeros((len(lists), WAYS, max(e.finalists for e in lists)), LEAF),
        np.zeros(1, LEAF)[0],
        np.zeros(1, INNER)[0],
        np.zeros(1, ESTIMATE)[0],
        np.zeros((LISTS + 1, WAYS), dtype=np.int64),
        np.zeros(len(most) * WAYS * blocks, dtype=np.int64),
    )


def _options(effort: Effort, goal: Goal) -> tuple[int, int, int, int, int, bool, int, bool]:
    """An effort as `map_search.search` reads it."""
    return (
        effort.splits,
        effort.tiles_each,
        effort.tiles,
        effort.blocks,
        effort.looked_at,
        effort.fine,
        GOALS.index(goal),
        effort.shy,
    )


def _handed_over(hardware: Hardware, layers: Sequence[Layer]) -> tuple[int, Floats]:
    """The level that may hand activations over (0: none), and what all inputs and outputs of each
    layer take of one of its instances, in bits, `(n, u, 2)`.
    """
    level = shared_level(hardware)
    if level is None:
        return 0, np.zeros((len(hardware), len(layers), 2))
    words = np.array([[a.words("inputs"), a.words("outputs")] for a in layers], dtype=np.float64)
    instances = np.prod((hardware.fanout_x * hardware.fanout_y)[:, :level], axis=1)
    bits = hardware.word_bits[:, level, [INPUTS, OUTPUTS]]
    # Kernels are compiled anew for each layout of memory.
    return level, np.ascontiguousarray(words * bits[:, None] / instances[:, None, None])


def shared_level(hardware: Hardware) -> int | None:
    """The outermost level on the chip that keeps inputs and outputs, if there is one."""
    both = hardware.keeps[1:, INPUTS] & hardware.keeps[1:, OUTPUTS]
    return int(np.argmax(both)) + 1 if both.any() else None


@compiled
def _search_designs(
    start: int,
    stop: int,
    chips: Any,
    machines: Any,
    hardwired: Bools,
    layers: Ints,
    attempts: Any,
    asked: Bools,
    room: int,
    whole: Floats,
    memory: Any,
    work: Any,
    factors: Ints,
    ways: Ints,
    found: Ints,
    problem: Floats,
) -> None:
    """Maps the layers onto designs `start` to `stop`, each up to the first that has no mapping."""
    state = memory[0]
    slots = len(ways) // found.size
    for i in range(start, stop):
        for j in range(len(layers)):
            state.room = room
            for way in range(WAYS):
                state.asked[way] = asked[j, way] and (way == 0 or room > 0)
            state.whole_bits[0], state.whole_bits[1] = whole[i, j, 0], whole[i, j, 1]
            begin(chips[i], memory)
            row = (i * found.shape[1] + j) * slots
            for k in range(len(attempts)):
                # Those past the effort asked for are for layers that have no mapping yet.
                if k >= state.lists and found[i, j] > 0:
                    break
                effort = attempts[k]
                # Which splits fit does not depend on the effort, and small tiles need programs
                # that are no shorter.
                if problem[i, j, 0] == NO_TILE and not effort[7]:
                    continue
                if problem[i, j, 0] == NO_PROGRAM and (effort[7] or effort[4] == 1):
                    continue
                state.first_list = min(k, state.lists - 1)
                search(
                    chips[i],
                    machines[i],
                    hardwired,
                    layers[j],
                    effort,
                    memory,
                    work,
                    problem[i, j],
                )
                found[i, j] = _count(memory)
                if found[i, j] == 0 and problem[i, j, 0] == NO_SPLIT:
                    break
            if found[i, j] == 0:
                break
            found[i, j] = _write(chips[i].levels, memory, factors, ways, row)


@compiled
def _count(memory: Any) -> int:
    """How many finalists there are in all lists together."""
    state, counts = memory[0], memory[7]
    found = 0
    for k in range(state.lists):
        for way in range(WAYS):
            found += counts[k, way]
    return found


@compiled
def _write(levels: int, memory: Any, factors: Ints, ways: Ints, row: int) -> int:
    """Writes the finalists of all lists and ways from `row` on, each once; returns how many."""
    state, finals, counts = memory[0], memory[3], memory[7]
    many = 0
    for at in range(state.lists * WAYS):
        k, way = at // WAYS, at % WAYS
        for f in range(counts[k, way]):
            leaf = finals[k, way, f]
            same = -1
            for other in range(many):
                if _equal(levels, leaf, state, factors, row + other):
                    same = other
                    break
            if same < 0:
                same = many
                many += 1
                ways[row + same] = 0
                for i in range(levels):
                    for d in range(8):
                        factors[0, row + same, i, d] = leaf.temporal[i, d]
                        factors[1, row + same, i, d] = state.x[leaf.split, i, d]
                        factors[2, row + same, i, d] = state.y[leaf.split, i, d]
                        factors[3, row + same, i, d] = ORDERS[leaf.stationary[i], d]
            ways[row + same] |= 1 << way
    return many


@compiled
def _equal(levels: int, leaf: Any, state: Any, factors: Ints, at: int) -> bool:
    """Whether a finalist is written at a row already."""
    for i in range(levels):
        for d in range(8):
            if (
                factors[0, at, i, d] != leaf.temporal[i, d]
                or factors[1, at, i, d] != state.x[leaf.split, i, d]
                or factors[2, at, i, d] != state.y[leaf.split, i, d]
                or factors[3, at, i, d] != ORDERS[leaf.stationary[i], d]
            ):
                return False
    return True
