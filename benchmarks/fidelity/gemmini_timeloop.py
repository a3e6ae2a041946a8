"""Gemmini mappings that Timeloop evaluated (DOSA's data set) against the analytical model.

    python benchmarks/fidelity/gemmini_timeloop.py [--data PATH] [--json]

The data is the CSV of the DOSA artifact, gzipped or not. Energies per access are those published
with it (Hong et al., DOSA, MICRO 2023). Timeloop's conventions of its time are followed: it filled
outputs from outside before anything had been added to them (`Conventions.fills_first`).
"""

import argparse
import csv
import gzip
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from accel_dse.hardware import UNLIMITED, Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators.loop_nest import evaluate
from accel_dse.simulators.loop_timeloop import Conventions
from accel_dse.workload import DIMS, Layer

HERE = Path(__file__).resolve()
DATA = HERE.parents[3] / "shared/reference/gemmini_timeloop.csv.gz"

LEVELS = ("dram", "scratchpad", "accumulator", "registers")
KEEPS = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=bool)
WORD_BITS = (8.0, 8.0, 32.0, 8.0)
DRAM_WORDS_PER_CYCLE = 8.0
"""Source: `reference/README.md`: shared bandwidth of 8 words a cycle."""

MAC_PJ = 0.56
"""Not published with the data: the one number inferred from it."""

LOOP = re.compile(r"([A-Z])(\d+)(X?)")


def load(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV, gzipped or not."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return list(csv.DictReader(io.StringIO(text.decode())))


def number(row: Mapping[str, str], name: str, default: float) -> float:
    text = row.get(name, "")
    return float(text) if text else default


def rates(row: Mapping[str, str], memory: str) -> tuple[float, float, float]:
    """Words per cycle of one instance: read, write, shared."""
    return (
        number(row, f"arch.{memory}_read_bandwidth", UNLIMITED),
        number(row, f"arch.{memory}_write_bandwidth", UNLIMITED),
        number(row, f"arch.{memory}_shared_bandwidth", UNLIMITED),
    )


def read_hardware(rows: Sequence[Mapping[str, str]]) -> Hardware:
    """One design for each row."""
    n = len(rows)
    side = np.array([int(row["arch.meshX"]) for row in rows])
    accumulator_words = np.array([float(row["arch.mem1_entries"]) for row in rows])
    scratchpad_words = np.array([float(row["arch.mem2_entries"]) for row in rows])
    words = np.full((n, 4), UNLIMITED)
    words[:, 1], words[:, 2], words[:, 3] = scratchpad_words, accumulator_words, 1.0
    bits = np.tile(WORD_BITS, (n, 1))
    read, write, shared = (np.full((n, 4), UNLIMITED) for _ in range(3))
    shared[:, 0] = DRAM_WORDS_PER_CYCLE
    for column, memory in ((1, "mem2"), (2, "mem1")):
        found = np.array([rates(row, memory) for row in rows])
        read[:, column], write[:, column], shared[:, column] = found.T
    # Source: DOSA, MICRO 2023; KiB of the whole accumulator over the columns, as published.
    accumulator_kib = accumulator_words * side * 4 / 1024
    energy = np.stack(
        [
            np.full(n, 100.0),
            0.49 + 0.02513 * scratchpad_words / 1024,
            1.94 + 0.1005 * accumulator_kib / side,
            np.full(n, 0.4875),
        ],
        axis=1,
    )
    fan_x, fan_y = np.ones((n, 4), dtype=np.int64), np.ones((n, 4), dtype=np.int64)
    fan_x[:, 1], fan_y[:, 2] = side, side
    free = np.ones((4, 8), dtype=bool)
    zeros = np.zeros((n, 4))
    return Hardware(
        levels=LEVELS,
        keeps=KEEPS,
        partition=np.zeros((4, 3), dtype=np.int64),
        multicast=np.ones(4, dtype=bool),
        reduces=np.ones(4, dtype=bool),
        double_buffered=np.zeros(4, dtype=bool),
        loops_allowed=free,
        unroll_x=free,
        unroll_y=free,
        hardwired=np.zeros((4, 2), dtype=bool),
        whole=np.zeros((n, 4, 8), dtype=bool),
        capacity_bits=np.repeat((words * bits)[:, :, None], 3, axis=2),
        word_bits=np.repeat(bits[:, :, None], 4, axis=2),
        fanout_x=fan_x,
        fanout_y=fan_y,
        read_bits_per_cycle=read * bits,
        write_bits_per_cycle=write * bits,
        shared_bits_per_cycle=shared * bits,
        latency_cycles=zeros,
        issue_cycles=zeros,
        fill_cycles=np.zeros(n),
        program_entries=np.full(n, UNLIMITED),
        program_level=-1,
        access_pj_per_bit=np.repeat((energy / bits)[:, :, None], 3, axis=2),
        network_pj_per_bit=zeros,
        mac_pj=np.full(n, MAC_PJ),
        static_w=np.zeros(n),
        area_mm2=np.zeros(n),
        level_mm2=zeros,
        macs_mm2=np.zeros(n),
        clock_ghz=np.ones(n),
        vector_operations_per_cycle=np.ones(n),
    )


def read_layer(row: Mapping[str, str]) -> Layer:
    bounds = {dim: int(float(row[f"prob.{dim}"])) for dim in "NKCPQRS"}
    coefficient = {
        name: int(float(row[f"prob.{name}"]))
        for name in ("Wstride", "Hstride", "Wdilation", "Hdilation")
    }
    return Layer(
        name=row["prob.shape"],
        **bounds,
        stride=(coefficient["Wstride"], coefficient["Hstride"]),
        dilation=(coefficient["Wdilation"], coefficient["Hdilation"]),
    )


def read_mappings(texts: Sequence[str]) -> Mappings:
    """Mapping strings, `L3[WIO] K8 Q28 - L2[WI] N1 K4X - ...`, outermost level and loop first."""
    shape = (len(texts), 4, 8)
    temporal, spatial_x, spatial_y = (np.ones(shape, dtype=np.int64) for _ in range(3))
    order = np.zeros(shape, dtype=np.int64)
    for m, text in enumerate(texts):
        for i, part in enumerate(text.split(" - ")):
            named = []
            for dim, factor, across in LOOP.findall(part.partition("]")[2]):
                d = DIMS.index(dim)
                if across:
                    (spatial_x if i == 1 else spatial_y)[m, i, d] *= int(factor)
                else:
                    temporal[m, i, d] *= int(factor)
                    named.append(d)
            order[m, i] = [*named, *(d for d in range(8) if d not in named)]
    return Mappings(temporal, spatial_x, spatial_y, order)


def compare(rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """All figures."""
    layers: dict[Layer, int] = {}
    layer_index = np.array([layers.setdefault(read_layer(row), len(layers)) for row in rows])
    index = np.arange(len(rows))
    result = evaluate(
        read_hardware(rows),
        list(layers),
        read_mappings([row["mapping.mapping"] for row in rows]),
        index,
        layer_index,
        index,
        conventions=Conventions(fills_first=True),
    )
    cycles = np.array([float(row["target.cycle"]) for row in rows])
    energy_uj = np.array([float(row["target.energy"]) for row in rows])
    valid = result.codes == 0
    ours, theirs = result.cycles[valid], cycles[valid]
    ratio = result.energy_pj[valid] * 1e-6 / energy_uj[valid]
    off = np.abs(ours / theirs - 1)
    refused = [result.reason(int(i)) for i in np.flatnonzero(~valid)[:5]]
    return {
        "rows": len(rows),
        "accepted": int(valid.sum()),
        "cycles_exact": float((ours == theirs).sum() / len(rows)),
        "cycles_within_1pct": float((off <= 0.01).sum() / len(rows)),
        "energy_within_0.1pct": float((np.abs(ratio - 1) <= 1e-3).sum() / len(rows)),
        "energy_within_5pct": float((np.abs(ratio - 1) <= 0.05).sum() / len(rows)),
        "energy_ratio_median": float(np.median(ratio)),
        "energy_ratio_quantiles": [float(q) for q in np.quantile(ratio, [0.01, 0.1, 0.9, 0.99])],
        "spearman": float(spearmanr(ours, theirs).statistic),
        "median_abs_pct_error": float(100 * np.median(off)),
        "refused": refused,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="every 50th row")
    options = parser.parse_args()
    found = compare(load(options.data)[:: 50 if options.quick else 1])
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24s} {value:.6g}" if isinstance(value, float) else f"{name:24s} {value}")


if __name__ == "__main__":
    main()
