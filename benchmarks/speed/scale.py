"""Memory and time of one call with very many designs, and how they grow with their number.

The peak is that of the whole process, interpreter and compiled kernels included.

    python benchmarks/speed/scale.py [--designs 1000000] [--workload dqn] [--fidelity analytical]
"""

import argparse
import json
import resource
import time

import numpy as np

from accel_dse.files import load_space
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.template import read_template
from accel_dse.workload import Layer, Workload
from accel_dse.workloads.load import load

ARGUMENTS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
ARGUMENTS.add_argument("--designs", type=int, default=1_000_000)
ARGUMENTS.add_argument("--workload", default="tiny", help="a network, or `tiny`: one GEMM")
ARGUMENTS.add_argument("--space", default="edge")
ARGUMENTS.add_argument("--fidelity", default="analytical", choices=("cycle", "analytical"))
ARGUMENTS.add_argument("--effort", default="low")
ARGUMENTS.add_argument("--json", action="store_true")
ARGUMENTS.add_argument("--quick", action="store_true", help="1,000 designs")

TINY = Workload("tiny", (Layer(name="gemm", P=64, K=64, C=64),))


def main() -> None:
    options = ARGUMENTS.parse_args()
    if options.quick:
        options.designs = 1_000
    file = load_space(options.space)
    simulator = AcceleratorSimulator(
        template=read_template(file.accelerator, file.space),
        fidelity=options.fidelity,
        mapper_effort=options.effort,
    )
    network = TINY if options.workload == "tiny" else load(options.workload)
    rng = np.random.default_rng(0)
    rows = []
    for count in (options.designs // 100, options.designs // 10, options.designs):
        columns = {
            p.name: rng.choice(np.array(p.values), size=count) for p in file.space.parameters
        }
        wall, cpu = time.perf_counter(), time.process_time()
        metrics = simulator.simulate(network, columns)
        rows.append(
            {
                "designs": count,
                "feasible": int(np.isfinite(metrics.values["latency_ms"]).sum()),
                "wall_s": time.perf_counter() - wall,
                "cpu_s": time.process_time() - cpu,
                "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            }
        )
        if not options.json:
            row = rows[-1]
            print(
                f"{count:9,d} designs, {row['feasible']:9,d} feasible: "
                f"{row['wall_s']:8.1f} s wall, "
                f"{row['cpu_s']:8.1f} s CPU, peak {row['peak_gb']:.2f} GB",
                flush=True,
            )
    if options.json:
        print(json.dumps({"workload": network.name, "fidelity": options.fidelity, "rows": rows}))


if __name__ == "__main__":
    main()
