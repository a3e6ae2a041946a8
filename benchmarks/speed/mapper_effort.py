"""What mapping effort costs and buys, how cost grows with layers, and how rarely memory hurts.

- quality: latency of feasible random designs at each effort, relative to `high`;
- cost: CPU milliseconds for each feasible design and distinct layer;
- law: one-step increases of each memory and of bandwidth: how many make the re-mapped design
  slower, and by how much.

    python benchmarks/speed/mapper_effort.py [--designs 200] [--workload mobilenet_v2] [--json]
"""

import argparse
import json
import time

import numpy as np

from accel_dse.files import load_space
from accel_dse.simulators import mapper
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.template import read_template
from accel_dse.workloads.load import load

ARGUMENTS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
ARGUMENTS.add_argument("--designs", type=int, default=200, help="random designs drawn")
ARGUMENTS.add_argument("--workload", default="mobilenet_v2")
ARGUMENTS.add_argument("--seed", type=int, default=0)
ARGUMENTS.add_argument("--law-effort", default="normal", choices=tuple(mapper.EFFORTS))
ARGUMENTS.add_argument("--json", action="store_true")
ARGUMENTS.add_argument("--quick", action="store_true", help="10 designs")

MORE = (
    "pe_memory_kib",
    "core_memory_kib",
    "activation_entries",
    "parameter_entries",
    "instruction_entries",
    "io_gb_per_s",
)

EDGE = load_space("edge")
TEMPLATE = read_template(EDGE.accelerator, EDGE.space)


def main() -> None:
    options = ARGUMENTS.parse_args()
    if options.quick:
        options.designs = 10
    network = load(options.workload)
    drawn = EDGE.space.sample(options.designs, np.random.default_rng(options.seed))
    found = simulator("low").simulate(network, EDGE.space.columns(drawn))
    designs = [d for d, reason in zip(drawn, found.infeasible) if not reason]
    efforts = compare_efforts(network, designs)
    law = check_law(network, designs, options.law_effort)
    if options.json:
        print(json.dumps({"feasible": len(designs), "efforts": efforts, "law": law}))
        return
    print(f"{len(designs)} feasible of {len(drawn)} random designs, {network.name}")
    for row in efforts:
        print(
            f"{row['effort']:7s} {row['ms_cpu']:7.1f} ms CPU a design, "
            f"{row['us_cpu_a_layer']:6.0f} us a layer; "
            f"latency over high: mean {row['mean']:.3f}, worst {row['worst']:.3f}"
        )
    for row in law:
        print(
            f"{row['parameter']:20s} {row['pairs']:4d} steps, slower {row['slower_pct']:5.1f} %, "
            f"by more than 1 % {row['slower_by_1pct_pct']:5.1f} %, "
            f"worst {row['worst_pct']:6.2f} %, infeasible {row['infeasible']}"
        )


def simulator(effort: str) -> AcceleratorSimulator:
    return AcceleratorSimulator(template=TEMPLATE, mapper_effort=effort)


def compare_efforts(network, designs) -> list[dict[str, object]]:
    """Cost and quality of each effort on the same designs."""
    columns = EDGE.space.columns(designs)
    latency, cost = {}, {}
    for effort in mapper.EFFORTS:
        start = time.process_time()
        latency[effort] = simulator(effort).simulate(network, columns).values["latency_ms"]
        cost[effort] = (time.process_time() - start) * 1e3 / len(designs)
    return [
        {
            "effort": effort,
            "ms_cpu": cost[effort],
            "us_cpu_a_layer": 1e3 * cost[effort] / len(network.unique()),
            "mean": float((latency[effort] / latency["high"]).mean()),
            "worst": float((latency[effort] / latency["high"]).max()),
        }
        for effort in mapper.EFFORTS
    ]


def check_law(network, designs, effort: str) -> list[dict[str, object]]:
    """One-step increases: how many make a design slower."""
    before = simulator(effort).simulate(network, EDGE.space.columns(designs)).values["latency_ms"]
    rows = []
    for name in MORE:
        values = list(EDGE.space.parameter(name).values)
        pairs = [
            (i, {**design, name: values[values.index(design[name]) + 1]})
            for i, design in enumerate(designs)
            if design[name] != values[-1]
        ]
        after = simulator(effort).simulate(network, EDGE.space.columns([d for _, d in pairs]))
        slower = after.values["latency_ms"] / before[[i for i, _ in pairs]] - 1
        rows.append(
            {
                "parameter": name,
                "pairs": len(pairs),
                "infeasible": int(np.isnan(slower).sum()),
                "slower_pct": 100 * float((slower > 1e-12).mean()),
                "slower_by_1pct_pct": 100 * float((slower > 0.01).mean()),
                "worst_pct": 100 * float(np.nanmax(slower)),
            }
        )
    return rows


if __name__ == "__main__":
    main()
