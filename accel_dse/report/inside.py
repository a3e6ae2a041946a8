"""Inside a design: where time and energy go, layer by layer; its mappings; what happens when."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from accel_dse.errors import DseError
from accel_dse.simulators import timeline_trace
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.simulators.base import Explained, Explains, Simulator
from accel_dse.simulators.explanation import explain
from accel_dse.simulators.network import OUTPUTS, Played, dram_bits_per_cycle
from accel_dse.trial import Design
from accel_dse.workload import Workload

TIMELINES = 3
"""Layers that come with a timeline: those that take longest."""

MOST_STEPS = 48
"""Steps of a layer that its timeline shows; the rest is one event."""


def inside(simulator: Simulator, workload: Workload, design: Design) -> dict[str, Any]:
    """One design on one network, as plain data.

    Returns:
        `layers`, `mappings`, `storage` and `area` as in `Explanation`; of the built-in simulator
        also `peak` rates, `energy` by component and `timelines`. Or `reason`: why there is nothing.
    """
    try:
        if isinstance(simulator, AcceleratorSimulator):
            columns = {name: np.array([value]) for name, value in design.items()}
            return _of_played(simulator.play(workload, columns))
        if isinstance(simulator, Explains):
            return _told(simulator.explain(workload, design))
    except DseError as error:
        return {"reason": str(error)}
    return {"reason": f"{type(simulator).__name__} does not tell layers apart"}


def _of_played(played: Played) -> dict[str, Any]:
    if played.infeasible[0]:
        return {"reason": played.infeasible[0]}
    return {
        **_told(explain(played)),
        "peak": _peak(played),
        "energy": energy(played),
        "timelines": _timelines(played),
    }


def _told(explanation: Explained) -> dict[str, Any]:
    return {
        "layers": [dict(row) for row in explanation.rows],
        "mappings": dict(explanation.mappings),
        "storage": [dict(row) for row in explanation.storage],
        "area": [dict(row) for row in explanation.area],
    }


def _peak(played: Played) -> dict[str, float]:
    """The roof: multiply-accumulates and DRAM bytes a cycle, and the clock."""
    return {
        "macs_per_cycle": float(played.hardware.macs[0]),
        "dram_bytes_per_cycle": float(dram_bits_per_cycle(played.hardware)[0]) / 8,
        "clock_ghz": float(played.hardware.clock_ghz[0]),
    }


def energy(played: Played) -> dict[str, Any]:
    """Energy in mJ by component, of each layer's runs and of the rest of the network.

    Returns:
        `components`, `layers` (one row of as many numbers for each place), and `static_mj` and
        `vector_mj` of the whole network.
    """
    hardware = played.hardware
    rows = []
    for k, place in enumerate(played.places):
        row = int(played.count_row_at(k)[0])
        parts = [float(hardware.mac_pj[0]) * played.workload.layers[k].macs]
        parts += [_level_pj(played, k, row, i) for i in range(len(hardware.levels))]
        whole = float(played.energy_pj_at(k)[0])
        parts.append(max(whole - sum(parts), 0.0))
        rows.append([pj * 1e-9 * place.count for pj in parts])
    metrics = played.metrics().values
    vector_mj = float(played.vector_ops[2][0]) * 1e-9
    dynamic = sum(map(sum, rows)) + vector_mj
    return {
        "components": ["multiply-accumulates", *hardware.levels, "on-chip network"],
        "layers": rows,
        "vector_mj": vector_mj,
        "static_mj": max(float(metrics["energy_mj"][0]) - dynamic, 0.0),
    }


def _level_pj(played: Played, k: int, row: int, level: int) -> float:
    """Accesses of one level at place `k`, priced; traffic saved between layers is not counted.

    An output written for the last time has the width of an output, before that of a partial sum.
    """
    hardware, counts = played.hardware, played.counts
    bits = hardware.word_bits[0, level]
    price = hardware.access_pj_per_bit[0, level]
    if level == 0:
        return float(played.dram_bits_at(k)[0]) * float(price.mean())
    toward = bits[[0, 1, 3]]
    updates = counts.total_updates[row, level, OUTPUTS]
    final = min(updates, played.workload.layers[k].words("outputs"))
    moved = (
        float(counts.total_reads[row, level] @ toward),
        float(counts.total_fills[row, level] @ toward),
        float(final * bits[2] + (updates - final) * bits[3]),
    )
    return float(np.dot(moved, price))


def _timelines(played: Played) -> list[dict[str, Any]]:
    """What happens when in the layers that take longest."""
    if not played.cycle_level:
        return []
    time = [float(played.cycles_at(k)[0]) * p.count for k, p in enumerate(played.places)]
    arrives, stays = (way[0].astype(bool) for way in played.ways)
    found = []
    for k in _distinct(played, np.argsort(time)[::-1]):
        trace = timeline_trace.trace(
            played.hardware,
            played.workload.layers[k],
            played.mapped.mappings,
            mapping=int(played.mapping_rows[0, k]),
            inputs_resident=bool(arrives[k]),
            outputs_resident=bool(stays[k]),
            most_steps=MOST_STEPS,
        )
        found.append(
            {
                "layer": trace.name,
                "cycles": trace.cycles,
                "lanes": list(trace.lanes),
                "events": [
                    [trace.lanes.index(e.lane), e.name, e.kind, e.start, e.cycles]
                    for e in trace.events
                ],
            }
        )
    return found


def _distinct(played: Played, order: Any) -> Sequence[int]:
    """The first places in `order` of different layers."""
    first: dict[int, int] = {}
    for k in order:
        first.setdefault(played.places[k].layer, int(k))
    return list(first.values())[:TIMELINES]
