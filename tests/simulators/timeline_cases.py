"""Small random accelerators, layers and mappings, drawn to hit every rule of the timeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators.timeline import TimelineResult, simulate
from accel_dse.workload import DIMS, Layer


@dataclass(frozen=True)
class Case:
    """One evaluation: a design, a layer, a mapping that covers it, and what stays on the chip."""

    hardware: Hardware
    layer: Layer
    mapping: Mappings
    inputs_resident: bool = False
    outputs_resident: bool = False


def make_hardware(levels: int, **given: object) -> Hardware:
    """One design of `levels` levels that keep all tensors, with generous storage and one-byte
    words; `given` replaces columns.
    """
    n, count = 1, levels
    columns: dict[str, object] = {
        "levels": tuple(f"level{i}" for i in range(count)),
        "keeps": np.ones((count, 3), dtype=bool),
        "partition": np.zeros((count, 3), dtype=np.int64),
        "multicast": np.ones(count, dtype=bool),
        "reduces": np.ones(count, dtype=bool),
        "double_buffered": np.ones(count, dtype=bool),
        "loops_allowed": np.ones((count, 8), dtype=bool),
        "unroll_x": np.ones((count, 8), dtype=bool),
        "unroll_y": np.ones((count, 8), dtype=bool),
        "hardwired": np.zeros((count, 2), dtype=bool),
        "whole": np.zeros((n, count, 8), dtype=bool),
        "capacity_bits": np.full((n, count, 3), 1e12),
        "word_bits": np.full((n, count, 4), 8.0),
        "fanout_x": np.full((n, count), 64),
        "fanout_y": np.full((n, count), 64),
        "read_bits_per_cycle": np.full((n, count), np.inf),
        "write_bits_per_cycle": np.full((n, count), np.inf),
        "shared_bits_per_cycle": np.full((n, count), np.inf),
        "latency_cycles": np.zeros((n, count)),
        "issue_cycles": np.zeros((n, count)),
        "fill_cycles": np.zeros(n),
        "program_entries": np.full(n, np.inf),
        "program_level": -1,
        "access_pj_per_bit": np.zeros((n, count, 3)),
        "network_pj_per_bit": np.zeros((n, count)),
        "mac_pj": np.zeros(n),
        "static_w": np.zeros(n),
        "area_mm2": np.zeros(n),
        "level_mm2": np.zeros((n, count)),
        "macs_mm2": np.zeros(n),
        "clock_ghz": np.ones(n),
        "vector_operations_per_cycle": np.ones(n),
    }
    return Hardware(**{**columns, **given})  # type: ignore[arg-type]


def one_case(
    hardware: Hardware,
    layer: Layer,
    *,
    loops: Sequence[Mapping[str, int]] = (),
    split: Sequence[Mapping[str, int]] = (),
    temporal: NDArray[np.int64] | None = None,
    order: NDArray[np.int64] | None = None,
) -> Case:
    """A case by hand: for each level, its `loops` outermost first, and what it `split`s in space;
    or factors and orders as arrays, `(L, 8)`.
    """
    shape = (len(hardware.levels), len(DIMS))
    spatial = np.ones(shape, dtype=np.int64)
    if temporal is None or order is None:
        temporal, order = np.ones(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
        for i, level in enumerate(loops):
            named = [DIMS.index(dim) for dim in level]
            temporal[i, named] = list(level.values())
            order[i] = named + [d for d in range(len(DIMS)) if d not in named]
    for i, factors in enumerate(split):
        spatial[i, [DIMS.index(dim) for dim in factors]] = list(factors.values())
    mapping = Mappings(temporal[None], spatial[None], np.ones_like(spatial)[None], order[None])
    return Case(hardware, layer, mapping)


def simulate_case(case: Case) -> TimelineResult:
    """The engine's answer, a batch of one."""
    zero = np.zeros(1, dtype=np.int64)
    return simulate(
        case.hardware,
        [case.layer],
        case.mapping,
        zero,
        zero,
        zero,
        np.array([case.inputs_resident]),
        np.array([case.outputs_resident]),
    )


def random_case(seed: int, *, most_steps: int = 2000) -> Case:
    """Case number `seed`: 2 to 5 levels, at most `most_steps` steps of the array."""
    rng = np.random.default_rng([7, seed])
    while True:
        levels = int(rng.integers(2, 6))
        mapping, layer = _mapping_and_layer(rng, levels)
        if np.prod(mapping.temporal, dtype=float) <= most_steps:
            break
    return Case(
        _hardware(rng, levels),
        layer,
        mapping,
        bool(rng.random() < 0.15),
        bool(rng.random() < 0.15),
    )


def _mapping_and_layer(rng: np.random.Generator, levels: int) -> tuple[Mappings, Layer]:
    shape = (1, levels, len(DIMS))
    used = rng.random(len(DIMS)) < rng.choice([0.35, 0.6, 0.85])
    temporal = np.where(used & (rng.random(shape) < 0.45), rng.integers(1, 5, shape), 1)
    spatial_x = np.where(used & (rng.random(shape) < 0.2), rng.integers(1, 4, shape), 1)
    spatial_y = np.where(used & (rng.random(shape) < 0.1), rng.integers(1, 3, shape), 1)
    order = rng.permuted(np.tile(np.arange(8), (1, levels, 1)), axis=2)
    cover = np.prod(temporal * spatial_x * spatial_y, axis=1)[0]
    ragged = rng.random(8) < rng.choice([0.0, 0.3, 0.7])
    bounds = np.where(ragged, rng.integers(np.maximum(1, cover // 2), cover + 1), cover)
    layer = Layer(
        name="random",
        stride=(int(rng.integers(1, 4)), int(rng.integers(1, 3))),
        dilation=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        **{dim: int(bound) for dim, bound in zip(DIMS, bounds)},
    )
    arrays = (a.astype(np.int64) for a in (temporal, spatial_x, spatial_y, order))
    return Mappings(*arrays), layer


def _hardware(rng: np.random.Generator, levels: int) -> Hardware:
    keeps = rng.random((levels, 3)) < rng.choice([0.5, 0.8, 1.0])
    keeps[0] = True
    shape = (1, levels)
    rates = rng.choice([3.0, 8.0, 17.0, 64.0, 256.0, np.inf], (3, *shape))
    return make_hardware(
        levels,
        keeps=keeps,
        partition=rng.integers(0, 2, (levels, 3)),
        multicast=rng.random(levels) < 0.7,
        reduces=rng.random(levels) < 0.7,
        double_buffered=rng.random(levels) < 0.7,
        capacity_bits=rng.choice([200.0, 2000.0, 20000.0, np.inf], (1, levels, 3)),
        word_bits=rng.choice([4.0, 8.0, 16.0], (1, levels, 4)),
        read_bits_per_cycle=rates[0],
        write_bits_per_cycle=rates[1],
        shared_bits_per_cycle=np.where(rng.random(shape) < 0.5, np.inf, rates[2]),
        latency_cycles=rng.choice([0.0, 1.0, 5.5, 40.0], shape),
        issue_cycles=rng.choice([0.0, 1.0, 3.0], shape),
        fill_cycles=rng.choice([0.0, 2.0, 7.0], 1),
    )
