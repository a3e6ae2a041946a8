"""Time and memory, and how they grow with designs, layers or mapping effort.

    python benchmarks/speed/scale.py [--designs 1000000] [--workload tiny] [--fidelity analytical]
    python benchmarks/speed/scale.py --along layers --fidelity cycle --workload efficientnet_b0
    python benchmarks/speed/scale.py --along effort --fidelity cycle --workload mobilenet_v2

- `--along designs`: one call with a hundredth, a tenth, and all of so many random designs.
- `--along layers`: designs that can run the whole network, on 1, 4, 16, ... and all of its distinct
  layers, each set taken evenly from the network.
- `--along effort`: the same designs on the whole network, by each effort of the mapper.

CPU seconds are of the process; the peak of its memory has the interpreter and compiled kernels in
it. `exponent` is the slope of CPU time over the number on logarithmic scales: 1 is proportional.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from accel_dse.files import load_space
from accel_dse.simulators import mapper
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.template import read_template
from accel_dse.workload import Layer, Workload
from accel_dse.workloads.load import load

ARGUMENTS = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
ARGUMENTS.add_argument("--along", default="designs", choices=("designs", "layers", "effort"))
ARGUMENTS.add_argument("--designs", type=int, help="1,000,000; along layers or effort, 100")
ARGUMENTS.add_argument("--workload", default="tiny", help="a network, or `tiny`: one GEMM")
ARGUMENTS.add_argument("--space", default="edge")
ARGUMENTS.add_argument("--fidelity", default="analytical", choices=("cycle", "analytical"))
ARGUMENTS.add_argument("--effort", help="of the mapper: low; along layers, normal")
ARGUMENTS.add_argument("--json", action="store_true")
ARGUMENTS.add_argument("--quick", action="store_true", help="all three, of few designs")

TINY = Workload("tiny", (Layer(name="gemm", P=64, K=64, C=64),))

Call = tuple[str, int, Workload, Mapping[str, Any], str]
"""What varies, its number, and what is simulated: a network, designs, with an effort."""


def main() -> None:
    options = ARGUMENTS.parse_args()
    network = TINY if options.workload == "tiny" else load(options.workload)
    if options.quick:
        for options.along, options.designs in (("designs", 1_000), ("layers", 2), ("effort", 2)):
            run(options, network)
    else:
        run(options, network)


def run(options: argparse.Namespace, network: Workload) -> None:
    """Measures along one axis, and prints it."""
    rows = []
    for what, number, workload, columns, effort in calls(options, network):
        rows.append({"what": what, "number": number, **measure(options, workload, columns, effort)})
        if not options.json:
            show(rows[-1])
    numbers, seconds = ([row[name] for row in rows] for name in ("number", "cpu_s"))
    grows = options.along != "effort" and len(rows) > 1
    exponent = fitted(numbers, seconds) if grows else None
    if options.json:
        told = {"workload": network.name, "fidelity": options.fidelity, "along": options.along}
        print(json.dumps({**told, "rows": rows, "exponent": exponent}))
    elif exponent is not None:
        print(f"CPU time grows with the number to the power of {exponent:.2f}")


def calls(options: argparse.Namespace, network: Workload) -> Iterator[Call]:
    """What is measured, smallest first: the peak of memory only grows."""
    if options.along == "designs":
        most = options.designs or 1_000_000
        rng = np.random.default_rng(0)
        for count in (most // 100, most // 10, most):
            columns = {
                p.name: rng.choice(np.array(p.values), size=count)
                for p in load_space(options.space).space.parameters
            }
            yield "designs", count, network, columns, options.effort or "low"
        return
    columns = working(options, network, options.designs or 100)
    if options.along == "effort":
        for effort in mapper.EFFORTS:
            yield f"effort {effort}", len(network.unique()), network, columns, effort
        return
    layers = [replace(layer, count=1, follows=False) for layer in network.unique()]
    for count in [4**k for k in range(9) if 4**k < len(layers)] + [len(layers)]:
        places = np.linspace(0, len(layers) - 1, count).round().astype(int)
        some = Workload(f"{count} layers", tuple(layers[i] for i in places))
        yield "layers", count, some, columns, options.effort or "normal"


def simulator(options: argparse.Namespace, effort: str) -> AcceleratorSimulator:
    file = load_space(options.space)
    template = read_template(file.accelerator, file.space)
    return AcceleratorSimulator(template=template, fidelity=options.fidelity, mapper_effort=effort)


def working(options: argparse.Namespace, network: Workload, most: int) -> Mapping[str, Any]:
    """Random designs that can run the whole network, up to `most` of them."""
    space = load_space(options.space).space
    designs = space.sample(20 * most, np.random.default_rng(0))
    found = simulator(options, "low").simulate(network, space.columns(designs))
    return space.columns([d for d, why in zip(designs, found.infeasible) if not why][:most])


def measure(
    options: argparse.Namespace, network: Workload, columns: Mapping[str, Any], effort: str
) -> dict[str, Any]:
    """Seconds and memory of one call, after a small one for which kernels are loaded."""
    asked = simulator(options, effort)
    asked.simulate(network, {name: column[:20] for name, column in columns.items()})
    wall, cpu = time.perf_counter(), time.process_time()
    metrics = asked.simulate(network, columns)
    return {
        "designs": len(metrics.infeasible),
        "feasible": int(np.isfinite(metrics.values["latency_ms"]).sum()),
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "mean_latency_ms": float(np.nanmean(metrics.values["latency_ms"])),
    }


def fitted(numbers: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent of a power law, by least squares on logarithmic scales."""
    return float(np.polyfit(np.log(numbers), np.log(seconds), 1)[0])


def show(row: Mapping[str, Any]) -> None:
    print(
        f"{row['number']:9,d} {row['what']:14s} {row['designs']:9,d} designs, "
        f"{row['feasible']:9,d} feasible: {row['wall_s']:8.1f} s wall, {row['cpu_s']:8.2f} s CPU, "
        f"{1e3 * row['cpu_s'] / row['designs']:8.3f} ms CPU a design, peak {row['peak_gb']:.2f} GB",
        flush=True,
    )


if __name__ == "__main__":
    main()
