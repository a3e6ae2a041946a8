"""The mapper: for each layer and design, the best valid mapping it finds within a stated effort.

It is the compiler of the built-in simulator. For each way to split the layer over the arrays
(`spatial_options`) it grows tiles level by level from the MACs outward, keeping at each
level the few that move the fewest bits (`best_tiles`); every survivor is counted exactly
with several loop orders (`loop_counts`), and the finalists are handed to whoever plays them cycle
by cycle. Deterministic; batched over designs and layers; one task per (design, layer).
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numba as nb
import numpy as np

from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators import loop_counts
from accel_dse.simulators.map_splits import spatial_options
from accel_dse.simulators.map_terms import (
    NO_MAPPING,
    NO_PROGRAM,
    NO_SPLIT,
    NO_TILE,
    ORDERS,
    OUTPUTS,
    Bools,
    Floats,
    Ints,
    ceil_div,
    tile_words,
)
from accel_dse.simulators.map_tiles import best_tiles
from accel_dse.simulators.threads import in_threads
from accel_dse.workload import Layer

Goal = Literal["latency", "energy", "edp"]
GOALS: tuple[Goal, ...] = ("latency", "energy", "edp")


@dataclass(frozen=True)
class Effort:
    """How much of the map space is looked at.

    Attributes:
        splits: spatial splits kept.
        beam: partial tilings kept at each level.
        tiles: tiles looked at for each level and partial tiling, about.
        fine: whether dimensions are also cut into 3, 6, 12, ... parts.
    """

    splits: int
    beam: int
    tiles: int
    fine: bool

    @property
    def finalists(self) -> int:
        """Mappings handed on: two for each split."""
        return 2 * self.splits


EFFORTS: Mapping[str, Effort] = {
    "low": Effort(splits=2, beam=2, tiles=32, fine=False),
    "normal": Effort(splits=3, beam=4, tiles=64, fine=True),
    "high": Effort(splits=16, beam=6, tiles=512, fine=True),
}


@dataclass(frozen=True)
class Mapped:
    """What the mapper found for `n` designs and `u` layers.

    Attributes:
        found: how many finalists there are, 0 to `finalists`, `(n, u)`.
        mappings: `n * u * finalists` mappings; finalist `f` of design `i` and layer `j` is row
            `(i * u + j) * finalists + f`. Rows beyond `found` hold ones.
        problem: `(n, u, 4)`: code, level, needed and available, where nothing was found.
    """

    found: Ints
    mappings: Mappings
    problem: Floats

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
        return f"{name}: no valid mapping found"


def map_layers(
    hardware: Hardware, layers: Sequence[Layer], *, effort: Effort, goal: Goal = "latency"
) -> Mapped:
    """Maps each of `u` layers onto each of `n` designs.

    Args:
        hardware: the designs.
        layers: what runs on each of them.
        effort: how much to look at.
        goal: what the mapping should make small; ties go to the other of latency and energy.
    """
    n, u, f, levels = len(hardware), len(layers), effort.finalists, len(hardware.levels)
    shape = (n * u * f, levels, 8)
    temporal, spatial_x, spatial_y = (np.ones(shape, dtype=np.int64) for _ in range(3))
    order = np.broadcast_to(np.arange(8), shape).copy()
    found = np.zeros((n, u), dtype=np.int64)
    problem = np.zeros((n, u, 4))
    chips = loop_counts.pack(hardware)
    packed = loop_counts.pack_layers(layers)
    options = (effort.splits, effort.beam, effort.tiles, effort.fine, GOALS.index(goal))

    def search_tasks(start: int, stop: int) -> None:
        _search_tasks(
            start,
            stop,
            chips,
            hardware.double_buffered,
            hardware.fill_cycles,
            hardware.hardwired,
            packed,
            options,
            loop_counts.new_work()[0],
            temporal,
            spatial_x,
            spatial_y,
            order,
            found,
            problem,
        )

    in_threads(search_tasks, n * u)
    return Mapped(found, Mappings(temporal, spatial_x, spatial_y, order), problem)


@nb.njit(cache=True, nogil=True)
def _search_tasks(
    start: int,
    stop: int,
    chips: Any,
    double_buffered: Bools,
    fill_cycles: Floats,
    hardwired: Bools,
    layers: Ints,
    effort: Any,
    work: Any,
    temporal: Ints,
    spatial_x: Ints,
    spatial_y: Ints,
    order: Ints,
    found: Ints,
    problem: Floats,
) -> None:
    """Searches for tasks `start` to `stop` of the `n * u` (design, layer) pairs."""
    u, f = found.shape[1], 2 * effort[0]
    for task in range(start, stop):
        i, j, row = task // u, task % u, task * f
        found[i, j] = search(
            chips[i],
            double_buffered,
            fill_cycles[i],
            hardwired,
            layers[j],
            effort,
            work,
            temporal[row : row + f],
            spatial_x[row : row + f],
            spatial_y[row : row + f],
            order[row : row + f],
            problem[i, j],
        )


@nb.njit(cache=True)
def search(
    chip: Any,
    double_buffered: Bools,
    fill_cycles: float,
    hardwired: Bools,
    layer: Ints,
    effort: Any,
    work: Any,
    temporal: Ints,
    spatial_x: Ints,
    spatial_y: Ints,
    order: Ints,
    problem: Floats,
) -> int:
    """Writes the best mappings of one layer on one design, two for each split; how many."""
    splits, beam, budget, fine, goal = effort
    levels = chip.levels
    dims, window = layer[:8], layer[8:12]
    option_x = np.empty((splits, levels, 8), dtype=np.int64)
    option_y = np.empty((splits, levels, 8), dtype=np.int64)
    steps = np.empty(splits)
    options = spatial_options(
        chip, dims, window, hardwired, splits, option_x, option_y, steps, problem
    )
    if options == 0:
        return 0
    tilings = beam + 1
    counts = np.ones((tilings, levels, 8), dtype=np.int64)
    stationary = np.empty((tilings, levels), dtype=np.int64)
    best = np.full((2 * options, 2), np.inf)
    trial = np.empty((levels, 8), dtype=np.int64)
    problem[0] = NO_MAPPING
    for k in range(options):
        many = _tilings(
            chip,
            double_buffered,
            dims,
            window,
            option_x[k],
            option_y[k],
            beam,
            budget,
            fine,
            counts,
            stationary,
            problem,
        )
        for b in range(many):
            for outer in range(3):
                for inner in range(3):
                    if levels > 1 and inner != stationary[b, 1] and inner != outer:
                        continue
                    for i in range(levels):
                        tensor = stationary[b, i]
                        if i == 0:
                            tensor = outer
                        elif i == 1:
                            tensor = inner
                        trial[i] = ORDERS[tensor]
                    _judge(
                        chip,
                        double_buffered,
                        fill_cycles,
                        layer,
                        counts[b],
                        option_x[k],
                        option_y[k],
                        trial,
                        work,
                        goal,
                        best[2 * k : 2 * k + 2],
                        temporal[2 * k : 2 * k + 2],
                        spatial_x[2 * k : 2 * k + 2],
                        spatial_y[2 * k : 2 * k + 2],
                        order[2 * k : 2 * k + 2],
                    )
                    if levels == 1:
                        break
    found = 0
    for k in range(2 * options):
        if best[k, 0] < np.inf:
            temporal[found] = temporal[k]
            spatial_x[found] = spatial_x[k]
            spatial_y[found] = spatial_y[k]
            order[found] = order[k]
            found += 1
    return found


@nb.njit(cache=True)
def _judge(
    chip: Any,
    double_buffered: Bools,
    fill_cycles: float,
    layer: Ints,
    counts: Ints,
    x: Ints,
    y: Ints,
    trial: Ints,
    work: Any,
    goal: int,
    best: Floats,
    temporal: Ints,
    spatial_x: Ints,
    spatial_y: Ints,
    order: Ints,
) -> None:
    """Counts one mapping and keeps it if it is the best of its split so far.

    There are two places: the best if all tensors come from DRAM, and the best if inputs and
    outputs are on the chip already.
    """
    if loop_counts.check(chip, layer, counts, x, y, trial, work) != 0:
        return
    loop_counts.count(chip, layer, counts, x, y, trial, work)
    _, energy = loop_counts.totals(chip, layer, work)
    inside = _cycles_inside(chip, double_buffered, fill_cycles, work)
    outside = max(inside, work.level_cycles[0]) + _exposed(chip, counts, work)
    for place in range(2):
        first, second = (outside if place == 0 else inside), energy
        if goal == 1:
            first, second = second, first
        elif goal == 2:
            first, second = first * second, first
        if first < best[place, 0] or (first == best[place, 0] and second < best[place, 1]):
            best[place, 0], best[place, 1] = first, second
            temporal[place], order[place] = counts, trial
            spatial_x[place], spatial_y[place] = x, y


@nb.njit(cache=True)
def _cycles_inside(chip: Any, double_buffered: Bools, fill_cycles: float, work: Any) -> float:
    """About how many cycles a layer takes on the chip, if DRAM does not hold it up."""
    levels = chip.levels
    cycles = work.compute_cycles
    for i in range(1, levels):
        cycles = max(cycles, work.level_cycles[i])
    if levels == 1:
        return cycles
    last = levels - 1
    cycles += fill_cycles * work.steps[work.loops[levels - 2]]
    for tensor in range(3):
        if chip.keeps[last, tensor]:
            bits = work.tile[last, tensor] * chip.word_bits[last, tensor]
            if not double_buffered[last] or 2 * bits > chip.capacity_bits[last, tensor]:
                # Its transfers wait for the array, and the array for them.
                return cycles + work.level_cycles[levels - 2] if levels > 2 else cycles
    return cycles


@nb.njit(cache=True)
def _exposed(chip: Any, counts: Ints, work: Any) -> float:
    """About how many cycles the first transfer from DRAM and the last one to it take."""
    parts = 1.0
    for d in range(8):
        parts *= counts[0, d]
    rate = min(
        chip.shared_bits_per_cycle[0], chip.read_bits_per_cycle[0], chip.write_bits_per_cycle[0]
    )
    return (work.dram_read_bits + work.dram_written_bits) / parts / rate


@nb.njit(cache=True)
def _tilings(
    chip: Any,
    double_buffered: Bools,
    dims: Ints,
    window: Ints,
    x: Ints,
    y: Ints,
    beam: int,
    budget: int,
    fine: bool,
    counts: Ints,
    stationary: Any,
    problem: Floats,
) -> int:
    """The most promising tilings under one spatial split, into `counts`; returns how many."""
    levels = chip.levels
    tilings = counts.shape[0]
    counts[:] = 1
    stationary[:] = OUTPUTS
    moved = np.zeros(tilings)
    many = 1
    base = np.empty(8, dtype=np.int64)
    remaining = np.empty(8, dtype=np.int64)
    outside = np.empty(8, dtype=np.int64)
    must_finish = np.empty(8, dtype=np.bool_)
    tile_counts = np.empty((tilings, 8), dtype=np.int64)
    tile_score = np.empty(tilings)
    tile_stationary = np.empty(tilings, dtype=np.int64)
    fewest = np.empty(1)
    floor = np.empty((levels, 8), dtype=np.int64)
    next_counts = np.empty_like(counts)
    next_stationary = np.empty_like(stationary)
    next_moved = np.empty(tilings)
    for level in range(levels - 1, 0, -1):
        total = 0
        price = chip.access_pj_per_bit[level - 1, 0] + chip.network_pj_per_bit[level - 1] + 1e-6
        limit = np.inf
        if level == chip.program_level + 1:
            limit = chip.program_entries
        for d in range(8):
            must_finish[d] = chip.whole[level, d]
            if not must_finish[d]:
                must_finish[d] = True
                for i in range(level):
                    if chip.loops_allowed[i, d]:
                        must_finish[d] = False
        _smallest(chip, dims, x, y, level, floor)
        least = np.inf
        for b in range(many):
            for d in range(8):
                base[d] = x[level, d] * y[level, d]
                for i in range(level + 1, levels):
                    base[d] *= x[i, d] * y[i, d] * counts[b, i, d]
                split = base[d]
                for i in range(level):
                    split *= x[i, d] * y[i, d]
                remaining[d] = ceil_div(dims[d], split)
                outside[d] = x[level - 1, d] * y[level - 1, d]
            halves = 1 if double_buffered[level] else 0
            found = 0
            for share in range(halves, -1, -1):
                found = best_tiles(
                    base,
                    remaining,
                    outside,
                    chip.loops_allowed[level],
                    must_finish,
                    window,
                    chip.keeps[level],
                    chip.partition[level],
                    chip.capacity_bits[level],
                    chip.word_bits[level, :3],
                    chip.word_bits[level, 3] / chip.word_bits[level, 2],
                    0.5 if share else 1.0,
                    4 * budget if level == 1 else budget,
                    fine,
                    beam if share else min(found + 1, tilings),
                    tile_counts,
                    tile_score,
                    tile_stationary,
                    found,
                    limit,
                    fewest,
                    chip,
                    level,
                    floor,
                )
                least = min(least, fewest[0])
            for k in range(found):
                score = moved[b] + price * tile_score[k]
                at = total
                while at > 0 and score < next_moved[at - 1]:
                    at -= 1
                if at >= tilings:
                    continue
                for m in range(min(total, tilings - 1), at, -1):
                    next_counts[m] = next_counts[m - 1]
                    next_stationary[m] = next_stationary[m - 1]
                    next_moved[m] = next_moved[m - 1]
                next_counts[at] = counts[b]
                next_counts[at, level] = tile_counts[k]
                next_stationary[at] = stationary[b]
                next_stationary[at, level - 1] = tile_stationary[k]
                next_moved[at] = score
                total = min(total + 1, tilings)
        if total == 0:
            for d in range(8):
                if must_finish[d]:
                    base[d] *= remaining[d]
            _explain(chip, base, window, level, least, limit, problem)
            return 0
        many = total
        counts[:many] = next_counts[:many]
        stationary[:many] = next_stationary[:many]
        moved[:many] = next_moved[:many]
    for b in range(many):
        for d in range(8):
            whole = 1
            for i in range(levels):
                whole *= x[i, d] * y[i, d] * counts[b, i, d]
            counts[b, 0, d] = ceil_div(dims[d], whole)
    return many


@nb.njit(cache=True)
def _smallest(chip: Any, dims: Ints, x: Ints, y: Ints, level: int, floor: Ints) -> None:
    """Extents of the smallest tiles outside `level`, as `fits_outside` wants them, into `floor`."""
    for d in range(8):
        instances = 1
        for outer in range(level - 1, -1, -1):
            instances *= x[outer, d] * y[outer, d]
            floor[outer, d] = -dims[d] if chip.whole[outer, d] else instances


@nb.njit(cache=True)
def _explain(
    chip: Any, base: Ints, window: Ints, level: int, least: float, limit: float, problem: Floats
) -> None:
    """Writes why no tile of `level` is possible."""
    problem[1] = level
    if least < np.inf:
        problem[0], problem[2], problem[3] = NO_PROGRAM, least, limit
        return
    words = np.empty(3)
    tile_words(base, window, words)
    worst = 0.0
    for tensor in range(3):
        if not chip.keeps[level, tensor]:
            continue
        used = 0.0
        for other in range(3):
            if (
                chip.keeps[level, other]
                and chip.partition[level, other] == chip.partition[level, tensor]
            ):
                used += words[other] * chip.word_bits[level, other]
        if used / chip.capacity_bits[level, tensor] > worst:
            worst = used / chip.capacity_bits[level, tensor]
            problem[0], problem[2], problem[3] = NO_TILE, used, chip.capacity_bits[level, tensor]
