"""The exact mapper: the best of all mappings of a small layer, to measure what `mapper` misses.

**The space.** Each fan-out splits any of the dimensions it may, in any product of factors up to its
size (a hardwired one exactly); each level's loops step through any dimension they may, as often as
they like, and in any order. Of factors that leave the same number of steps outside, only the
smallest is looked at: a larger one only makes the last tile emptier.

**Pruning.** With `best` the best score so far (at first, that of `mapper`), what cannot beat it is
left out:

- no mapping is faster than the steps of the array under its split, tile by tile;
- tiles only grow as dimensions are added: what does not fit without the rest does not fit with it;
- each loop indexes two tensors, so at most one of weights and outputs stays while DRAM's innermost
  loop runs; the other passes over DRAM's channel once for each of its steps, inputs at least once;
- the cycle-level engine is never faster than the analytical model's count of the same mapping;
- energy is at least that of the arithmetic and of the DRAM traffic above.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations
from math import factorial, prod
from typing import Any

import numpy as np

from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators import loop_counts, mapper
from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import INDEXES, INPUTS, OUTPUTS, PARTIAL, WEIGHTS, Ints
from accel_dse.simulators.map_terms import ENERGY, LATENCY, Floats, fits, tile_words
from accel_dse.simulators.timeline import cycles_of, new_scratch
from accel_dse.simulators.timeline_plan import pack_machine
from accel_dse.workload import Layer

PERMUTATIONS = np.array(
    [
        (list(p) + [0] * 8)[:8]
        for many in range(9)
        for p in (permutations(range(many)) if many < 7 else [])
    ],
    dtype=np.int64,
)
"""All orders of up to six loops; those of `m` loops start at row `FIRST[m]`."""

FIRST = np.cumsum([0] + [factorial(many) for many in range(7)])


@dataclass(frozen=True)
class Exact:
    """The best mapping of one layer on one design.

    Attributes:
        score: cycles, pJ, or cycles x pJ, by the goal; infinite if there is no mapping.
        mapping: a batch of one, or of none if what `mapper` found is the best or nothing is.
        looked_at: mappings whose accesses were counted.
        complete: whether all were looked at or ruled out; False if `most` stopped the search.
    """

    score: float
    mapping: Mappings | None
    looked_at: int
    complete: bool


def best_mapping(
    hardware: Hardware,
    layer: Layer,
    *,
    goal: mapper.Goal = "latency",
    start: float = np.inf,
    most: int = 10_000_000,
) -> Exact:
    """The best mapping of `layer` on the one design of `hardware`, played cycle by cycle.

    Inputs come from DRAM and outputs go there.

    Args:
        hardware: one design.
        layer: at most six of its dimensions may be larger than 1.
        goal: what is made small.
        start: a score known to be possible: only what is better is looked for.
        most: mappings to count before giving up.

    Raises:
        ValueError: several designs, or too many dimensions.
    """
    if len(hardware) != 1 or sum(bound > 1 for bound in layer.dims) > 6:
        raise ValueError("exact mapper: expects one design and at most six dimensions to loop over")
    levels = len(hardware.levels)
    best = np.array([start, 0.0, most])
    winner = np.ones((4, levels, 8), dtype=np.int64)
    chip, machine = loop_counts.pack(hardware)[0], pack_machine(hardware)[0]
    bounds = loop_counts.pack_layers([layer])[0]
    scratch = _new_memory(levels), loop_counts.new_work()[0], new_scratch()[0]
    aim = mapper.GOALS.index(goal)
    for x, y in _by_steps(layer, _splits(hardware, layer)):
        chains, counts = _chains(hardware, layer, x * y)
        if (counts > 0).all():
            found = best, winner, PERMUTATIONS, FIRST
            _search_split(chip, machine, bounds, x, y, chains, counts, aim, *found, *scratch)
    better = Mappings(*winner[:, None]) if best[0] < start else None
    return Exact(float(best[0]), better, int(best[1]), bool(best[1] < most))


def _new_memory(levels: int) -> Any:
    """What the kernels write to: temporal factors and orders, tiles, extents and words, cycles so
    far, the chain of each dimension, and the loops of each level with the number of their order.
    """
    return (
        np.empty((levels, 8), dtype=np.int64),
        np.empty((levels, 8), dtype=np.int64),
        np.empty((levels + 1, 8), dtype=np.int64),
        np.empty(8, dtype=np.int64),
        np.empty(3),
        np.empty(9),
        np.empty(8, dtype=np.int64),
        np.empty((levels, 8), dtype=np.int64),
        np.empty((levels, 2), dtype=np.int64),
    )


def _by_steps(layer: Layer, splits: Iterable[tuple[Ints, Ints]]) -> list[tuple[Ints, Ints]]:
    """Those with the fewest steps of the array first: a good one early rules out more."""

    def steps(split: tuple[Ints, Ints]) -> int:
        factors = (split[0] * split[1]).prod(axis=0)
        return prod(-(-bound // int(factor)) for bound, factor in zip(layer.dims, factors))

    return sorted(splits, key=steps)


def _steps(bound: int, most: int) -> list[int]:
    """The smallest factors, up to `most`, that cut `bound` into each number of parts."""
    return sorted({-(-bound // parts) for parts in range(1, bound + 1)} & set(range(1, most + 1)))


def _splits(hardware: Hardware, layer: Layer) -> Iterator[tuple[Ints, Ints]]:
    """All ways to split the layer over the fan-outs: factors along x and y, `(L, 8)` each."""
    levels = len(hardware.levels)
    axes = [
        (i, axis, int(fan[0, i]), bool(hardware.hardwired[i, axis]), allowed[i])
        for i in range(levels)
        for axis, fan, allowed in (
            (0, hardware.fanout_x, hardware.unroll_x),
            (1, hardware.fanout_y, hardware.unroll_y),
        )
        if fan[0, i] > 1
    ]
    factors = np.ones((2, levels, 8), dtype=np.int64)

    def assign(number: int, left: list[int]) -> Iterator[tuple[Ints, Ints]]:
        if number < 0:
            yield factors[0].copy(), factors[1].copy()
            return
        level, axis, fan, wired, allowed = axes[number]
        dims = [d for d in range(8) if allowed[d] and (left[d] > 1 or wired)]
        for chosen in _products(dims, left, fan, wired):
            for d, factor in chosen.items():
                factors[axis, level, d] = factor
            rest = [-(-b // chosen.get(d, 1)) for d, b in enumerate(left)]
            yield from assign(number - 1, rest)
            factors[axis, level] = 1

    yield from assign(len(axes) - 1, list(layer.dims))


def _products(dims: list[int], left: list[int], fan: int, wired: bool) -> Iterator[dict[int, int]]:
    """Factors of `dims` whose product is at most `fan`; `fan` itself where it is hardwired."""
    if not dims:
        if not wired or fan == 1:
            yield {}
        return
    d, *others = dims
    values = [f for f in range(1, fan + 1) if fan % f == 0] if wired else _steps(left[d], fan)
    for factor in values:
        for rest in _products(others, left, fan // factor, wired):
            yield {d: factor, **rest} if factor > 1 else rest


def _chains(hardware: Hardware, layer: Layer, spatial: Ints) -> tuple[Ints, Ints]:
    """For each dimension, all ways to give its steps to the levels: `(8, c, L)`, and how many."""
    levels = len(hardware.levels)
    found = []
    for d, bound in enumerate(layer.dims):
        allowed = hardware.loops_allowed[:, d]
        chains: list[tuple[tuple[int, ...], int]] = [((), -(-bound // int(spatial[:, d].prod())))]
        for level in range(levels - 1, 0, -1):
            chains = [
                ((step, *chain), -(-left // step))
                for chain, left in chains
                for step in (_steps(left, left) if allowed[level] else [1])
            ]
        found.append([(left, *chain) for chain, left in chains if allowed[0] or left == 1])
    most = max(1, *map(len, found))
    table = np.ones((8, most, levels), dtype=np.int64)
    for d, options in enumerate(found):
        table[d, : len(options)] = np.array(options, dtype=np.int64).reshape(-1, levels)
    return table, np.array([len(options) for options in found])


@compiled
def _search_split(
    chip: Any,
    machine: Any,
    layer: Ints,
    x: Ints,
    y: Ints,
    chains: Ints,
    counts: Ints,
    goal: int,
    best: Floats,
    winner: Ints,
    orders: Ints,
    first: Ints,
    memory: Any,
    work: Any,
    scratch: Any,
) -> None:
    """Looks at all tilings and orders under one split; updates `best`: score, looked at, most."""
    temporal, _, tile, extent, words, compute, place, _, _ = memory
    levels = chip.levels
    compute[0] = 1.0
    for d in range(8):
        tile[levels, d] = 1
        place[d] = -1
        for i in range(levels - 1, -1, -1):
            temporal[i, d] = 1
            tile[i, d] = tile[i + 1, d] * x[i, d] * y[i, d]
    d = 0
    while d >= 0 and best[1] < best[2]:
        place[d] += 1
        if place[d] == counts[d]:
            place[d] = -1
            _set_chain(levels, layer, x, y, chains, d, -1, temporal, tile)
            d -= 1
            continue
        trips = _set_chain(levels, layer, x, y, chains, d, place[d], temporal, tile)
        compute[d + 1] = compute[d] * trips
        if goal == LATENCY and compute[d + 1] >= best[0]:
            continue
        if not _may_fit(chip, layer, tile, extent, words):
            continue
        if d < 7:
            d += 1
            continue
        cycles, energy = _bounds(chip, layer, compute[8], temporal, tile, extent, words)
        if _score(goal, cycles, energy) < best[0]:
            _look_at_orders(
                chip, machine, layer, x, y, goal, best, winner, orders, first, memory, work, scratch
            )


@compiled
def _score(goal: int, cycles: float, energy: float) -> float:
    if goal == LATENCY:
        return cycles
    return energy if goal == ENERGY else cycles * energy


@compiled
def _set_chain(
    levels: int,
    layer: Ints,
    x: Ints,
    y: Ints,
    chains: Ints,
    d: int,
    k: int,
    temporal: Ints,
    tile: Ints,
) -> float:
    """Gives dimension `d` its chain number `k` (-1: no loops); returns its steps at the array."""
    for i in range(levels - 1, -1, -1):
        temporal[i, d] = chains[d, k, i] if k >= 0 else 1
        tile[i, d] = tile[i + 1, d] * x[i, d] * y[i, d] * temporal[i, d]
    # Of the first instance, which has the first tile of every group.
    own = layer[d]
    for i in range(levels):
        inner = tile[i + 1, d]
        split = x[i, d] * y[i, d]
        groups = own // (inner * split)
        own = groups * inner + min(inner, own - groups * inner * split)
    return float(own)


@compiled
def _may_fit(chip: Any, layer: Ints, tile: Ints, extent: Ints, words: Floats) -> bool:
    """Whether the tiles fit, as far as dimensions have their chains."""
    for i in range(1, chip.levels):
        for d in range(8):
            extent[d] = tile[i, d]
        tile_words(extent, layer, words)
        if not fits(chip, i, words, OUTPUTS, 1.0):
            return False
    return True


@compiled
def _bounds(
    chip: Any,
    layer: Ints,
    compute: float,
    temporal: Ints,
    tile: Ints,
    extent: Ints,
    words: Floats,
) -> tuple[float, float]:
    """Fewest cycles and least energy of a tiling in any order."""
    for d in range(8):
        extent[d] = layer[d]
    tile_words(extent, layer, words)
    bits = chip.word_bits[0]
    energy = chip.mac_pj * loop_counts.macs(layer)
    inputs = words[INPUTS] * bits[INPUTS]
    if layer[8] > 1 or layer[9] > 1 or layer[10] > 1 or layer[11] > 1:
        inputs = 0.0  # Inputs that a stride or a dilation skips need not be read.
    again_weights = again_outputs = 1.0
    for d in range(8):
        if not INDEXES[WEIGHTS, d]:
            again_weights *= temporal[0, d]
        if not INDEXES[OUTPUTS, d]:
            again_outputs *= temporal[0, d]
    weights = words[WEIGHTS] * bits[WEIGHTS]
    outputs = words[OUTPUTS] * bits[OUTPUTS]
    partial = words[OUTPUTS] * bits[PARTIAL]
    # Either weights pass once for each step of the loops that do not index them, or outputs do.
    more_weights = weights * (again_weights - 1.0) * _divides(layer, tile, WEIGHTS)
    more_outputs = partial * (again_outputs - 1.0) * _divides(layer, tile, OUTPUTS)
    read, update = chip.access_pj_per_bit[0, 0], chip.access_pj_per_bit[0, 2]
    base = (inputs + weights + outputs) / chip.shared_bits_per_cycle[0]
    base = max(base, (inputs + weights) / chip.read_bits_per_cycle[0])
    rate = min(chip.shared_bits_per_cycle[0], chip.read_bits_per_cycle[0])
    extra = min(more_weights, more_outputs)
    cycles = max(compute, base, (inputs + weights + extra) / rate)
    energy += (inputs + weights) * read + outputs * update
    energy += min(more_weights * read, more_outputs * (read + update))
    return cycles, energy


@compiled
def _divides(layer: Ints, tile: Ints, tensor: int) -> float:
    """1 if the factors of dimensions that do not index a tensor divide the layer, else 0: a clipped
    step may need less of it.
    """
    for d in range(8):
        if not INDEXES[tensor, d] and tile[0, d] != layer[d]:
            return 0.0
    return 1.0


@compiled
def _look_at_orders(
    chip: Any,
    machine: Any,
    layer: Ints,
    x: Ints,
    y: Ints,
    goal: int,
    best: Floats,
    winner: Ints,
    orders: Ints,
    first: Ints,
    memory: Any,
    work: Any,
    scratch: Any,
) -> None:
    """Looks at one tiling with its loops in every order."""
    temporal, order, _, _, _, _, _, loops, state = memory
    levels = chip.levels
    for i in range(levels):
        many = 0
        for d in range(8):
            order[i, d] = d
            if temporal[i, d] > 1 and i < levels - 1:
                loops[i, many] = d
                many += 1
        rest = many
        for d in range(8):
            if temporal[i, d] == 1 or i == levels - 1:
                loops[i, rest] = d
                rest += 1
        state[i, 0], state[i, 1] = many, 0
    while best[1] < best[2]:
        for i in range(levels):
            for r in range(8):
                at = r
                if r < state[i, 0]:
                    at = orders[first[state[i, 0]] + state[i, 1], r]
                order[i, r] = loops[i, at]
        _judge(chip, machine, layer, x, y, goal, best, winner, memory, work, scratch)
        i = 0
        while i < levels:
            state[i, 1] += 1
            if state[i, 1] < first[state[i, 0] + 1] - first[state[i, 0]]:
                break
            state[i, 1] = 0
            i += 1
        if i == levels:
            return


@compiled
def _judge(
    chip: Any,
    machine: Any,
    layer: Ints,
    x: Ints,
    y: Ints,
    goal: int,
    best: Floats,
    winner: Ints,
    memory: Any,
    work: Any,
    scratch: Any,
) -> None:
    """Counts one mapping, and plays it if that may make it the best."""
    temporal, order = memory[0], memory[1]
    best[1] += 1.0
    if loop_counts.check(chip, layer, temporal, x, y, order, work) != 0:
        return
    loop_counts.count(chip, layer, temporal, x, y, order, work)
    cycles, energy = loop_counts.totals(chip, layer, work)
    # Timeloop rounds up where the engine need not.
    if _score(goal, cycles - 1.0, energy) >= best[0]:
        return
    cycles = float(cycles_of(machine, layer, temporal, x, y, order, False, False, scratch))
    score = _score(goal, cycles, energy)
    if score < best[0]:
        best[0] = score
        for i in range(chip.levels):
            for d in range(8):
                winner[0, i, d], winner[1, i, d] = temporal[i, d], x[i, d]
                winner[2, i, d], winner[3, i, d] = y[i, d], order[i, d]


def count_tilings(hardware: Hardware, layer: Layer) -> int:
    """How many tilings of `layer` there are on the one design, fitting or not, in one order each:
    to see beforehand whether the space is small.
    """
    return sum(int(_chains(hardware, layer, x * y)[1].prod()) for x, y in _splits(hardware, layer))
