"""Why a design is as fast as it is: what every layer waits for, and storage that nothing uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from accel_dse.hardware import Hardware
from accel_dse.notebook_view import table
from accel_dse.simulators import timeline
from accel_dse.simulators.network import Played
from accel_dse.workload import DIMS, TENSORS, Layer


@dataclass(frozen=True)
class Explanation:
    """One design on one network.

    Attributes:
        rows: one for each layer in the network's order, then one for what does not multiply.
            `cycles` are those of all its runs; `bottleneck` names what most of them were spent
            on, `waits` how many went to each cause.
        mappings: layer name -> its mapping as an indented loop nest.
        storage: one row for each level and capacity: bytes there are, bytes that the layer with
            the most tiles in it fills, and the share.
        area: one row for each part of the chip: its name, mm2, and its share.
    """

    rows: tuple[Mapping[str, Any], ...]
    mappings: Mapping[str, str]
    storage: tuple[Mapping[str, Any], ...]
    area: tuple[Mapping[str, Any], ...]

    def _repr_html_(self) -> str:
        rows = [{k: v for k, v in row.items() if k != "waits"} for row in self.rows]
        return table(rows, bar="share", most=200)


def explain(played: Played) -> Explanation:
    """The story of the one design that `played` holds, which must work."""
    waits = _waits(played)
    total = float(played.metrics().values["latency_cycles"][0])
    rows = [_layer_row(played, k, waits[k], total) for k in range(len(played.places))]
    if played.workload.vector_ops:
        rows.append(_vector_row(played, total))
    mappings = {
        layer.name: _text_of(played, int(row), layer)
        for layer, row in zip(played.workload.layers, played.mapping_rows[0])
    }
    return Explanation(tuple(rows), mappings, _storage(played), _area(played.hardware))


def _layer_row(
    played: Played, k: int, waits: Mapping[str, float], total: float
) -> Mapping[str, Any]:
    """What the layer at place `k` takes in all its runs; `total` cycles are the network's."""
    layer, count = played.workload.layers[k], played.places[k].count
    cycles = float(played.cycles_at(k)[0])
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "runs": count,
        "macs": layer.macs * count,
        "cycles": cycles * count,
        "share": cycles * count / total,
        "utilization": layer.macs / (float(played.hardware.macs[0]) * cycles),
        "bottleneck": max(waits, key=lambda cause: waits[cause]),
        "dram_bytes": float(played.dram_bits_at(k)[0]) / 8 * count,
        "energy_mj": float(played.energy_pj_at(k)[0]) * 1e-9 * count,
        "waits": waits,
    }


def _vector_row(played: Played, total: float) -> Mapping[str, Any]:
    """What all that does not multiply takes."""
    operations = played.workload.vector_ops
    cycles, bits, energy = (float(column[0]) for column in played.vector_ops)
    return {
        "layer": f"{len(operations)} vector operations",
        "kind": "vector",
        "runs": sum(op.count for op in operations),
        "macs": 0,
        "cycles": cycles,
        "share": cycles / total,
        "utilization": 0.0,
        "bottleneck": "DRAM" if bits else "vector lanes",
        "dram_bytes": bits / 8,
        "energy_mj": energy * 1e-9,
        "waits": {},
    }


def _waits(played: Played) -> list[dict[str, float]]:
    """Cycles of one run at each place by cause; `compute` is the time that the array works."""
    if not played.cycle_level:
        return [_bounds(played, k) for k in range(len(played.places))]
    layer = np.array([place.layer for place in played.places])
    arrives, stays = (way[0] for way in played.ways)
    found = timeline.simulate(
        played.hardware,
        played.layers,
        played.mapped.mappings,
        np.zeros_like(layer),
        layer,
        played.mapping_rows[0],
        arrives.astype(bool),
        stays.astype(bool),
    )
    return [
        {"compute": float(found.compute_cycles[k])}
        | {c: float(v) for c, v in zip(found.causes, found.stalls[k]) if v}
        for k in range(len(layer))
    ]


def _bounds(played: Played, k: int) -> dict[str, float]:
    """What each level and the array alone would need, by the analytical model."""
    counts, row = played.counts, int(played.count_row_at(k)[0])
    found = {"compute": float(counts.compute_cycles[row])}
    for i, name in enumerate(played.hardware.levels):
        found[f"{name} bandwidth"] = float(counts.level_cycles[row, i])
    return found


def _storage(played: Played) -> tuple[Mapping[str, Any], ...]:
    """Shrink-to-fit: what of each capacity the mappings fill.

    Source: the idea is DOSA's (Hong et al., MICRO 2023).
    """
    hardware, counts = played.hardware, played.counts
    used = np.array([played.count_row_at(k)[0] for k in range(len(played.places))])
    rows = []
    for i, name in enumerate(hardware.levels):
        groups = {int(hardware.partition[i, t]) for t in range(3) if hardware.keeps[i, t]}
        for group in sorted(groups):
            tensors = [
                t for t in range(3) if hardware.keeps[i, t] and hardware.partition[i, t] == group
            ]
            capacity = float(hardware.capacity_bits[0, i, tensors[0]])
            if not np.isfinite(capacity):
                continue
            bits = counts.tile_words[used, i][:, tensors] @ hardware.word_bits[0, i, tensors]
            slots = np.where(hardware.double_buffered[i] & (2 * bits <= capacity), 2, 1)
            filled = float((bits * slots).max())
            rows.append(
                {
                    "level": name,
                    "keeps": " + ".join(TENSORS[t] for t in tensors),
                    "bytes": capacity / 8,
                    "filled_bytes": filled / 8,
                    "share": filled / capacity,
                }
            )
    return tuple(rows)


def _area(hardware: Hardware) -> tuple[Mapping[str, Any], ...]:
    """Where the area goes: levels from outside in, the multiply-accumulate units, the rest."""
    interface, *levels = hardware.levels
    parts = {f"{interface} interface": hardware.level_mm2[0, 0]}
    parts |= dict(zip(levels, hardware.level_mm2[0, 1:]))
    parts["multiply-accumulates"] = hardware.macs_mm2[0]
    whole = float(hardware.area_mm2[0])
    parts["other logic"] = max(whole - sum(parts.values()), 0.0)
    return tuple(
        {"part": part, "mm2": float(mm2), "share": float(mm2) / whole}
        for part, mm2 in parts.items()
        if mm2 > 1e-9 * whole
    )


def _text_of(played: Played, row: int, layer: Layer) -> str:
    mappings = played.mapped.mappings
    return mapping_text(
        played.hardware.levels,
        mappings.temporal[row],
        mappings.spatial_x[row],
        mappings.spatial_y[row],
        mappings.order[row],
        layer,
    )


def mapping_text(
    levels: tuple[str, ...], temporal: Any, spatial_x: Any, spatial_y: Any, order: Any, layer: Layer
) -> str:
    """A mapping, `(L, 8)` arrays, as an indented loop nest: one line for each loop."""
    bounds = ", ".join(f"{d}={b}" for d, b in zip(DIMS, layer.dims) if b > 1)
    lines = [f"{layer.name}: {bounds}"]
    depth = 0
    for i, level in enumerate(levels):
        lines.append("  " * depth + f"[{level}]")
        for d in order[i]:
            if temporal[i, d] > 1:
                lines.append("  " * (depth + 1) + f"for {DIMS[d].lower()} in {temporal[i, d]}:")
                depth += 1
        for axis, spatial in (("x", spatial_x), ("y", spatial_y)):
            for d in range(len(DIMS)):
                if spatial[i, d] > 1:
                    lines.append(
                        "  " * (depth + 1)
                        + f"for {DIMS[d].lower()} in {spatial[i, d]}:  # across {axis}"
                    )
                    depth += 1
    lines.append("  " * (depth + 1) + "multiply-accumulate")
    return "\n".join(lines)
