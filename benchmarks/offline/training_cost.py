"""What training the conservative surrogate costs: CPU time and memory by the size of the log.

    python benchmarks/offline/training_cost.py [--rows N,N,...] [--steps N] [--quick] [--json]

The log is made up (random designs of the `edge` space, a made-up latency): only its size matters.
One training run of the default network, as `accel-dse fit` makes for each pair of alpha and beta
and for each member of the ensemble. Each size runs in a process of its own; memory is that
process's largest, PyTorch included.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

from accel_dse.dataset import Dataset, texts
from accel_dse.files import load_space
from accel_dse.problem import Goal
from accel_dse.surrogates.conservative import Conservative


def made_up(n: int) -> Dataset:
    space = load_space("edge").space
    columns = space.sample_columns(n, np.random.default_rng(0))
    pes = columns["pes_x"] * columns["pes_y"] * columns["cores"] * columns["lanes"]
    latency = 1e3 / pes + 1.0 / columns["io_gb_per_s"]
    area = 0.001 * pes + 0.002 * columns["pe_memory_kib"]
    works = columns["activation_entries"] > 4 * columns["cores"]
    return Dataset(
        space,
        columns,
        {name: np.where(works, v, np.nan) for name, v in
         (("latency_ms", latency), ("area_mm2", area))},
        texts("" if good else "too small" for good in works),
        texts(["made_up"] * n),
    )  # fmt: skip


def measure(n: int, steps: int) -> dict[str, float]:
    log = made_up(n)
    goal = Goal.parse(["minimize latency_ms"], ["area_mm2<=27"])
    started, before = time.process_time(), time.perf_counter()
    lines: list[float] = []

    def note(line: str) -> None:
        lines.append(time.process_time())

    fitted = Conservative(alpha=0.1, beta=0.1, steps=steps, members=1, report=note).fit(log, goal)
    return {
        "rows": n,
        "steps": steps,
        "cpu_seconds_of_one_run": lines[0] - started,
        "cpu_seconds_in_all": time.process_time() - started,
        "wall_seconds": time.perf_counter() - before,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "kendall": fitted.accuracy["typical"]["metrics"]["latency_ms"]["kendall"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="20000,100000,500000")
    parser.add_argument("--steps", type=int, default=Conservative.steps)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.steps)))
        return
    sizes, steps = options.rows, options.steps
    if options.quick:
        sizes, steps = "2000", 50
    found = []
    for n in sizes.split(","):
        words = [sys.executable, __file__, "--one", n, "--steps", str(steps)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
        if not options.json:
            print(found[-1], flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
