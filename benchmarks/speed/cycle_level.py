"""How many `edge` designs a second are mapped and played cycle by cycle on a whole network.

Random designs (most of which cannot run the network, and are found out early) and designs that
can. CPU seconds are those of the whole process: on a busy machine they tell more than wall time.

    python benchmarks/speed/cycle_level.py [--designs 400] [--workload mobilenet_v2] [--json]
"""

import argparse
import json
import os
import resource
import statistics
import time

ARGUMENTS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
ARGUMENTS.add_argument("--designs", type=int, default=400)
ARGUMENTS.add_argument("--workload", default="mobilenet_v2")
ARGUMENTS.add_argument("--space", default="edge")
ARGUMENTS.add_argument("--effort", default="normal")
ARGUMENTS.add_argument("--repeats", type=int, default=3)
ARGUMENTS.add_argument("--seed", type=int, default=0)
ARGUMENTS.add_argument("--json", action="store_true")
ARGUMENTS.add_argument("--quick", action="store_true", help="20 designs, once")


def main() -> None:
    options = ARGUMENTS.parse_args()
    if options.quick:
        options.designs, options.repeats = 20, 1
    import numpy as np

    from accel_dse.files import load_space
    from accel_dse.simulators.accelerator import AcceleratorSimulator
    from accel_dse.template import read_template
    from accel_dse.workloads.load import load

    file = load_space(options.space)
    template = read_template(file.accelerator, file.space)
    simulator = AcceleratorSimulator(template=template, mapper_effort=options.effort)
    network = load(options.workload)
    designs = file.space.sample(options.designs, np.random.default_rng(options.seed))
    found = simulator.simulate(network, file.space.columns(designs))
    working = [d for d, reason in zip(designs, found.infeasible) if not reason]
    cores = sorted(os.sched_getaffinity(0))
    report = []
    for count in sorted({1, len(cores)}):
        os.sched_setaffinity(0, cores[:count])
        for kind, some in (("random", designs), ("feasible", working)):
            wall, cpu = measure(simulator, network, file.space.columns(some), options.repeats)
            report.append(
                {
                    "cores": count,
                    "designs": kind,
                    "per_wall_s": len(some) / wall,
                    "per_cpu_s": len(some) / cpu,
                    "ms_cpu_each": 1e3 * cpu / len(some),
                }
            )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    if options.json:
        print(json.dumps({"feasible": len(working), "peak_gb": memory, "rows": report}))
        return
    print(f"{len(working)} of {len(designs)} random designs are feasible; {memory:.2f} GB")
    for row in report:
        print(
            f"{row['cores']} cores, {row['designs']:8s} designs: "
            f"{row['per_wall_s']:7.1f} a second, "
            f"{row['per_cpu_s']:7.1f} a CPU second ({row['ms_cpu_each']:.1f} ms each)"
        )


def measure(simulator, network, columns, repeats: int) -> tuple[float, float]:
    """Median wall and CPU seconds of one call."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        simulator.simulate(network, columns)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus)


if __name__ == "__main__":
    main()
