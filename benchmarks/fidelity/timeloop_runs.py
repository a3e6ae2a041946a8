"""Explicit (architecture, problem, mapping) runs of Timeloop against the analytical model.

    python benchmarks/fidelity/timeloop_runs.py [--data PATH] [--json]

The data is a JSON object, gzipped or not, with `problem_shapes` and lists of runs: `random` rows
name one of `architectures`, `curated` rows bring their own. A run that Timeloop refused must be
refused here too. Nothing is fitted.
"""

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from timeloop_form import (
    hardware,
    read_architecture,
    read_keeps,
    read_mapping,
    read_neighbors,
    read_shape,
)

from accel_dse.simulators.loop_nest import LoopNestResult, evaluate
from accel_dse.simulators.loop_timeloop import Conventions
from accel_dse.workload import TENSORS

HERE = Path(__file__).resolve()
DATA = HERE.parents[3] / "shared/reference/timeloop_runs.json.gz"
COUNTS = {"reads": "total_reads", "updates": "total_updates", "fills": "total_fills"}

Run = Mapping[str, Any]


def load(path: Path) -> Mapping[str, Any]:
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)


def runs(data: Mapping[str, Any]) -> Iterator[tuple[Run, Mapping[str, Any], Mapping[str, Any]]]:
    """Every run with its architecture and its energies."""
    for name, rows in data.items():
        if not isinstance(rows, list):
            continue
        for row in rows:
            arch = row.get("arch", {})
            if isinstance(arch, str):
                known = data["architectures"][arch]
                yield {"list": name, **row}, known["architecture"], known["energy_per_access_pj"]
            else:
                yield {"list": name, **row}, arch, row["ert"]


def replay(
    run: Run, shape_text: Mapping[str, Any], arch: Mapping[str, Any], pj: Mapping[str, Any]
) -> LoopNestResult:
    """What our model says of one run."""
    shape = read_shape(shape_text)
    levels = read_architecture(arch)
    mapping = run["mapping"]
    return evaluate(
        hardware(levels, pj, read_keeps(levels, shape, mapping)),
        [shape.layer(str(run.get("name", run.get("id", ""))), run["problem"])],
        read_mapping(levels, shape, mapping),
        np.zeros(1, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        detail=True,
        conventions=Conventions(neighbors=read_neighbors(levels, shape, mapping)),
    )


def expected(run: Run) -> tuple[float, float, dict[tuple[str, str, str], float]]:
    """Timeloop's cycles, energy in pJ, and counts by level, tensor and kind of access."""
    result = run["result"]
    counts: dict[tuple[str, str, str], float] = {}
    cycles, energy = 0.0, 0.0
    for level, row in result["levels"].items():
        cycles = max(cycles, float(row.get("cycles", 0)))
        energy += float(row.get("Energy (total)", 0.0)) if level == "mac" else 0.0
        for tensor, found in row.items():
            if not isinstance(found, Mapping):
                continue
            for kind in COUNTS:
                key = kind if kind in found else f"Scalar {kind} (per-instance)"
                counts[level, tensor, kind] = float(found[key])
            energy += float(found.get("energy_total_pj", found.get("Energy (total)", 0.0)))
    energy += float(result.get("mac", {}).get("energy_pj", 0.0))
    return float(result.get("cycles", cycles)), float(result.get("energy_pj", energy)), counts


def compare(data: Mapping[str, Any]) -> dict[str, Any]:
    """All figures."""
    rows, accepted = 0, 0
    wrong_verdict: list[str] = []
    cycles, ours, energy_error, counts_right = [], [], [], []
    parts: Counter[str] = Counter()
    for run, arch, pj in runs(data):
        rows += 1
        label = f"{run['list']} {run.get('name', run.get('id'))}"
        result = replay(run, data["problem_shapes"][run["kind"]], arch, pj)
        if not run.get("ok", True):
            if result.codes[0] == 0:
                wrong_verdict.append(f"{label}: Timeloop refused: {run.get('error', '')}"[:120])
            continue
        if result.codes[0] != 0:
            wrong_verdict.append(f"{label}: {result.reason(0)}")
            continue
        accepted += 1
        want_cycles, want_energy, want = expected(run)
        cycles.append(want_cycles)
        ours.append(float(result.cycles[0]))
        energy_error.append(abs(result.energy_pj[0] / want_energy - 1))
        shape = read_shape(data["problem_shapes"][run["kind"]])
        detail = result.levels
        assert detail is not None
        for (level, tensor, kind), value in want.items():
            i, t = result.level_names.index(level), shape.tensors[tensor]
            got = float(getattr(detail, kind)[0, i, t])
            right = abs(got - value) < 0.5
            counts_right.append(right)
            if not right:
                parts[f"{level} {TENSORS[t]} {kind}"] += 1
    want_array, our_array = np.array(cycles), np.array(ours)
    errors = np.array(energy_error)
    return {
        "rows": rows,
        "accepted": accepted,
        "verdicts_equal": 1 - len(wrong_verdict) / rows,
        "cycles_exact": float((want_array == our_array).mean()),
        "cycles_within_1pct": float((np.abs(our_array / want_array - 1) <= 0.01).mean()),
        "counts": len(counts_right),
        "counts_exact": float(np.mean(counts_right)),
        "energy_within_0.1pct": float((errors <= 1e-3).mean()),
        "energy_within_5pct": float((errors <= 0.05).mean()),
        "spearman": float(spearmanr(want_array, our_array).statistic),
        "median_abs_pct_error": float(100 * np.median(np.abs(our_array / want_array - 1))),
        "other_verdicts": wrong_verdict,
        "counts_that_differ": dict(parts.most_common(8)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="all of it: it takes seconds")
    options = parser.parse_args()
    found = compare(load(options.data))
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        if isinstance(value, float):
            print(f"{name:24s} {value:.6g}")
        elif isinstance(value, int):
            print(f"{name:24s} {value}")
        else:
            print(f"{name:24s} {len(value)}")
            for line in list(value.items() if isinstance(value, dict) else value)[:10]:
                print(f"    {line}")


if __name__ == "__main__":
    main()
