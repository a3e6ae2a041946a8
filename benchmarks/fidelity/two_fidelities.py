"""How the analytical model ranks designs, beside the cycle-level engine, and where the two part.

    python benchmarks/fidelity/two_fidelities.py [-n 2000] [--workload resnet18] [--seed 0] [--json]
                                                 [SPACE ...]

For each space, `n` random designs that can run the workload are scored twice, with the same
candidate mappings: by the analytical model (bandwidths and arithmetic), and played cycle by cycle.

- `spearman`: rank correlation of the two latencies. `spearman_best_tenth`: among the tenth of the
  designs that are fastest by the engine.
- `ratio_median`, `ratio_p90`: cycles by the engine over those of the analytical model.
- `regret_pct`: how much slower the design is that the analytical model likes best than the one that
  the engine does, both by the engine.
- `best_tenth_shared`: share of the fastest tenth by one that is in the fastest tenth by the other.
- `cycles_by_cause`: what the engine's cycles are spent on, mean over designs.
- `apart_by_cause`: the same for the tenth of the designs whose ratio is largest.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from accel_dse.files import load_space
from accel_dse.simulators import timeline
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.simulators.network import Played
from accel_dse.template import read_template
from accel_dse.workload import Workload
from accel_dse.workloads.load import load

SPACES = (
    *("edge", "eyeriss_168", "eyeriss_256", "gemmini", "simba_like", "tpu_like", "nvdla_like"),
)

BATCH = 128
"""Designs played at a time: bounds memory."""

Floats = NDArray[np.float64]


def played(
    space: str, workload: Workload, n: int, seed: int, effort: str
) -> Iterator[tuple[Played, Played]]:
    """Batches of random designs, played cycle by cycle and counted, until `n` of them work."""
    file = load_space(space)
    simulator = AcceleratorSimulator(
        template=read_template(file.accelerator or {}, file.space), mapper_effort=effort
    )
    rng = np.random.default_rng(seed)
    found = 0
    while found < n:
        exact = simulator.play(workload, file.space.columns(file.space.sample(BATCH, rng)))
        found += len(exact.works)
        if len(exact.works):
            yield exact, Played(workload, exact.hardware, exact.mapped, exact.goal, False)


def cycles_by_cause(exact: Played) -> dict[str, Floats]:
    """What the engine's cycles are spent on, `(w,)` by cause; bandwidth by level."""
    w, places = exact.mapping_rows.shape
    layer = np.tile([place.layer for place in exact.places], w)
    count = np.array([place.count for place in exact.places], dtype=np.float64)
    arrives, stays = (way.astype(bool).reshape(-1) for way in exact.ways)
    found = timeline.simulate(
        exact.hardware,
        exact.layers,
        exact.mapped.mappings,
        np.repeat(exact.works, places),
        layer,
        exact.mapping_rows.reshape(-1),
        arrives,
        stays,
    )
    compute = found.compute_cycles.reshape(w, places) @ count
    total = {"compute": compute, "vector operations": exact.vector_ops[0]}
    for i, cause in enumerate(found.causes):
        level = cause.partition(":")[0]
        name = f"{level} bandwidth" if ":" in cause else cause
        spent = found.stalls[:, i].reshape(w, places) @ count
        total[name] = total.get(name, np.zeros(w)) + spent
    return total


def compare(space: str, workload: Workload, n: int, seed: int, effort: str) -> dict[str, Any]:
    """All figures of one space."""
    began = time.process_time()
    exact, ideal, causes, drawn, worked = [], [], [], 0, 0
    for one, other in played(space, workload, n, seed, effort):
        exact.append(one.metrics().values["latency_cycles"][one.works])
        ideal.append(other.metrics().values["latency_cycles"][other.works])
        causes.append(cycles_by_cause(one))
        drawn += len(one.hardware)
        worked += len(one.works)
    fine, coarse = np.concatenate(exact)[:n], np.concatenate(ideal)[:n]
    shares = {
        name: np.concatenate([part[name] for part in causes])[:n] / fine for name in causes[0]
    }
    ratio = fine / coarse
    best, likes = fine <= np.quantile(fine, 0.1), coarse <= np.quantile(coarse, 0.1)
    apart = ratio >= np.quantile(ratio, 0.9)
    return {
        "designs": len(fine),
        "feasible": worked / drawn,
        "spearman": float(spearmanr(coarse, fine).statistic),
        "spearman_best_tenth": float(spearmanr(coarse[best], fine[best]).statistic),
        "ratio_median": float(np.median(ratio)),
        "ratio_p90": float(np.quantile(ratio, 0.9)),
        "ratio_most": float(ratio.max()),
        "regret_pct": float(100 * (fine[np.argmin(coarse)] / fine.min() - 1)),
        "best_tenth_shared": float((best & likes).sum() / best.sum()),
        "cycles_by_cause": _mean(shares, np.ones(len(fine), dtype=bool)),
        "apart_by_cause": _mean(shares, apart),
        "cpu_s": time.process_time() - began,
    }


def _mean(shares: Mapping[str, Floats], chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Mean shares, largest first."""
    means = {name: float(share[chosen].mean()) for name, share in shares.items()}
    return dict(sorted(means.items(), key=lambda item: -item[1]))


def show(space: str, row: Mapping[str, Any]) -> None:
    print(
        f"{space:12s} {row['designs']} designs, {row['feasible']:.0%} of random ones work; "
        f"Spearman {row['spearman']:.4f}, in the best tenth {row['spearman_best_tenth']:.3f}; "
        f"engine over model {row['ratio_median']:.2f} (median), {row['ratio_p90']:.2f} (90 %), "
        f"{row['ratio_most']:.2f} (most); the model's best is {row['regret_pct']:.1f} % slower "
        f"than the best; best tenths share {row['best_tenth_shared']:.0%}; "
        f"{row['cpu_s']:.0f} s of CPU"
    )
    for name in ("cycles_by_cause", "apart_by_cause"):
        parts = (f"{cause} {share:.1%}" for cause, share in row[name].items() if share >= 0.01)
        print(f"    {name}: {', '.join(parts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spaces", nargs="*", metavar="SPACE", default=SPACES)
    parser.add_argument("-n", type=int, default=2000, help="designs of each space that work")
    parser.add_argument("--workload", default="resnet18")
    parser.add_argument("--effort", default="normal", help="of the mapper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="20 designs of one space")
    options = parser.parse_args()
    if options.quick:
        options.spaces, options.n, options.effort = ["gemmini"], 20, "low"
    workload, found = load(options.workload), {}
    for space in options.spaces:
        found[space] = compare(space, workload, options.n, options.seed, options.effort)
        if not options.json:
            show(space, found[space])
    if options.json:
        rows = sum(row["designs"] for row in found.values())
        least = min(row["spearman"] for row in found.values())
        print(json.dumps({"rows": rows, "spearman": least, "spaces": found}))


if __name__ == "__main__":
    main()
