"""What Timeloop counts beyond our model, so that its figures can be had to the word.

Two things, both off unless asked for with `Conventions`:

- *Words that neighbors pass on.* Where a level's instances split a window's dimension and the
  window moves by as much as one of them holds, an instance needs now what its neighbor had a step
  before. Timeloop lets it take the words from there (its link transfers), so that the level outside
  reads them less often. Which instances are neighbors depends on how dimensions are laid out along
  x and y, which a `Mappings` does not say. Left out where factors do not divide, and between the
  innermost level and the multiply-accumulate units.
- *Fills of sums not begun.* Until May 2023 Timeloop filled a tile of outputs from outside even when
  nothing had been added to it yet.
"""

# A record has no type that mypy knows.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass
from typing import Any

import numpy as np

from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_counts import fetched
from accel_dse.simulators.loop_records import INPUTS, OUTPUTS, C, G, Ints, K, N, P, Q, R, S
from accel_dse.simulators.loop_tiles import step


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """Which of Timeloop's conventions to follow.

    Attributes:
        neighbors: for each mapping and level, the dimensions as they are laid out along x and
            along y, outermost first, `(m, L, 8)`, if neighbors pass words on; None if not.
        fills_first: whether sums not begun are filled.
    """

    neighbors: Ints | None = None
    fills_first: bool = False


@compiled
def fill_first(chip: Any, work: Any) -> None:
    """Adds the fills of sums not begun to what `count` found.

    Source: Timeloop before commit 59fdc83, "First fills are now correctly elided".
    """
    outermost = True
    for i in range(chip.levels):
        if chip.keeps[i, OUTPUTS]:
            if not outermost:
                work.fills[i, OUTPUTS] += work.updates[i, OUTPUTS] - work.reads[i, OUTPUTS]
                work.total_fills[i, OUTPUTS] += (
                    work.total_updates[i, OUTPUTS] - work.total_reads[i, OUTPUTS]
                )
            outermost = False


@compiled
def pass_on(chip: Any, along: Ints, work: Any) -> None:
    """Counts inputs again, in place of what `count` found, where neighbors pass words on.

    Args:
        chip, work: as in `count`, the mapping taken by `take`.
        along: dimensions in the order in which each level lays them out along x and along y,
            outermost first, `(L, 8)`.

    Source: Timeloop, `NestAnalysis::ComputeNetworkLinkTransfers` (any of four neighbors; instances
    are numbered without gaps, but neighbors found as if rows were full), and
    `tiling::ComputePeerAccesses`, `MaskTiles`.
    """
    if work.ragged:
        return
    levels = chip.levels
    outer = 0
    passed_inside = 0.0
    while outer < levels:
        inner = outer + 1
        while inner < levels and not chip.keeps[inner, INPUTS]:
            inner += 1
        words = work.steps[8 * inner]
        if inner < levels:
            words = fetched(work, INPUTS, inner)
        passed = 0.0
        for i in range(inner - 1, outer - 1, -1):
            split = work.instances[i + 1] / work.instances[i]
            if split == 1:
                continue
            sent, taken, linked = 0.0, 0.0, 0.0
            if i + 1 < levels:
                sent, taken, linked = _sent(chip, along, work, i)
            if linked == 0:
                words *= work.copies[i, INPUTS]
            elif i + 1 == inner:
                words = sent
                passed = linked / work.instances[inner]
                work.fills[inner, INPUTS] = taken / split + passed
            else:
                words *= split * sent / taken
        work.reads[outer, INPUTS] = np.round(words + passed_inside)
        passed_inside = passed
        outer = inner


@compiled
def _sent(chip: Any, along: Ints, work: Any, level: int) -> tuple[float, float, float]:
    """Words between one instance of `level` and those inside, if both kept inputs.

    Returns:
        Words that leave it, words that those inside take from it, and words that they pass on.
    """
    tile = work.tile[level + 1, INPUTS]
    words = fetched(work, INPUTS, level + 1)
    many = int(work.instances[level + 1] / work.instances[level])
    distinct = work.copies[level, INPUTS]
    sent, taken, passed = words * distinct, words * many, 0.0
    last = work.innermost[level]
    if last == 0 or work.loop_dim[last] < P:
        return sent, taken, passed
    places = _places(along, work, level, many)
    axis = (work.loop_dim[last] - P) % 2
    overlap = _overlap(work, level + 1, axis, step(work, last))
    inside = np.zeros(2, dtype=np.int64)
    move = np.zeros(2, dtype=np.int64)
    for k in range(last, 0, -1):
        d = work.loop_dim[k]
        if work.steps[k] == work.steps[k - 1]:
            continue
        if d in (N, G, C):
            break
        move[:] = -inside
        if d != K:
            move[(d - P) % 2] += step(work, k)
            inside[(d - P) % 2] += step(work, k)
        times = work.steps[k] - work.steps[k - 1]
        part = tile
        if overlap > 0:
            slides = k < last and move[axis] == step(work, last) and move[1 - axis] == 0
            if not slides:
                continue
            part = tile * (1 - overlap)
            times *= work.steps[last] / work.steps[last - 1]
        served, needed = _served(chip, places, move, level, many)
        if needed < distinct:
            sent -= times * part * (distinct - needed)
            taken -= times * part * served
            passed += times * part * served
    return sent, taken, passed


@compiled
def _overlap(work: Any, level: int, axis: int, move: int) -> float:
    """Share of a tile's rows (axis 0) or columns (1) that is left after it has moved."""
    rows = (
        work.layer[8 + axis] * (work.extent[level, P + axis] - 1)
        + work.layer[10 + axis] * (work.extent[level, R + axis] - 1)
        + 1
    )
    return max(0, rows - move) / rows


@compiled
def _places(along: Ints, work: Any, level: int, many: int) -> Ints:
    """Where the tile of each instance inside begins: row, column, rest, `(many, 3)`."""
    places = np.zeros((many, 3), dtype=np.int64)
    for k in range(many):
        left = k
        weight = np.ones(8, dtype=np.int64)
        for axis in range(2):
            split = work.spatial_x[level] if axis == 0 else work.spatial_y[level]
            for r in range(7, -1, -1):
                d = along[level, r]
                at = left % split[d] * weight[d]
                left //= split[d]
                weight[d] *= split[d]
                if d in (P, Q, R, S):
                    places[k, (d - P) % 2] += at * work.layer[4 + d] * work.extent[level + 1, d]
                elif d in (N, G, C):
                    places[k, 2] += at << (15 * d)
    return places


@compiled
def _served(chip: Any, places: Ints, move: Ints, level: int, many: int) -> tuple[int, int]:
    """How many instances find their next tile at a neighbor, and how many different tiles the
    others need.
    """
    used = np.zeros(many, dtype=np.bool_)
    width = chip.fanout_x[level]
    served = 0
    for k in range(many):
        for near in (k - width, k + width, k - 1, k + 1):
            if near < 0 or near >= many:
                continue
            if abs(near - k) < width and near // width != k // width:
                continue
            if (
                places[near, 0] == places[k, 0] + move[0]
                and places[near, 1] == places[k, 1] + move[1]
                and places[near, 2] == places[k, 2]
            ):
                used[k] = True
        served += used[k]
    needed = 0
    for k in range(many):
        if used[k]:
            continue
        known = False
        for j in range(k):
            if not used[j] and (
                places[j, 0] == places[k, 0]
                and places[j, 1] == places[k, 1]
                and places[j, 2] == places[k, 2]
            ):
                known = True
                break
        needed += not known
    return served, needed
