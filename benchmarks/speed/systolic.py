"""How long the systolic simulator takes, beside SCALE-Sim v3, which it equals to the cycle.

One network on one 32 x 32 array with three SRAMs of 64 KiB, for each dataflow, without and with a
limit on DRAM bandwidth; then a batch of random arrays. All on one core, compiled kernels warm.

    python benchmarks/speed/systolic.py [--workload resnet18] [--designs 200] [--json]

Wall time is what a user waits; the processor's time is what other programs on the machine leave
alone. SCALE-Sim 3.0.0 took 540 to 1,030 s and 4.5 to 7 GB for ResNet-18 on one such array without
a limit on bandwidth, on another day on two cores like these; with `--scalesim SECONDS` the ratio is
to a figure of your own.
"""

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable

SCALESIM_SECONDS = 540
"""The shortest of SCALE-Sim 3.0.0's three runs of ResNet-18, output-, weight- and
input-stationary, 540 to 1,030 s."""

DATAFLOWS = ("weight_stationary", "output_stationary", "input_stationary")


def timed(call: Callable[[], object], repeats: int) -> dict[str, float]:
    """Medians over `repeats` calls, after one to compile."""
    call()
    wall, processor = [], []
    for _ in range(repeats):
        start, start_processor = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    return {
        "wall_ms": 1e3 * statistics.median(wall),
        "processor_ms": 1e3 * statistics.median(processor),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", default="resnet18", help="of the zoo, or a file")
    parser.add_argument("--designs", type=int, default=200, help="in the batch")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--scalesim", type=float, default=SCALESIM_SECONDS, help="seconds it took")
    parser.add_argument("--json", action="store_true", help="one object, for machines")
    parser.add_argument("--quick", action="store_true", help="5 designs, once")
    options = parser.parse_args()
    if options.quick:
        options.designs, options.repeats = 5, 1
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    import numpy as np

    from accel_dse.simulators.systolic import SystolicSimulator
    from accel_dse.workloads.load import load

    network, simulator = load(options.workload), SystolicSimulator()
    rng = np.random.default_rng(0)
    n = options.designs
    sizes = {
        "array_rows": rng.choice([8, 16, 32, 64, 128], n),
        "array_columns": rng.choice([8, 16, 32, 64, 128], n),
        "dataflow": rng.choice(DATAFLOWS, n),
        **{
            f"{name}_sram_kib": rng.choice([16, 64, 256], n)
            for name in ("ifmap", "filter", "ofmap")
        },
    }
    one, batch = [], {}
    for label, words in (("unlimited", np.inf), ("10 words/cycle", 10)):
        for dataflow in DATAFLOWS:
            design = {
                "dataflow": np.array([dataflow]),
                "bandwidth_words_per_cycle": np.array([words]),
            }
            took = timed(lambda design=design: simulator.simulate(network, design), options.repeats)
            ratio = options.scalesim * 1e3 / took["wall_ms"]
            one.append({"dataflow": dataflow, "bandwidth": label, **took, "faster": ratio})
        designs = {**sizes, "bandwidth_words_per_cycle": np.full(n, words)}
        took = timed(lambda designs=designs: simulator.simulate(network, designs), 3)
        batch[label] = 1e3 * n / took["wall_ms"]
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if options.json:
        found = {"workload": network.name, "one": one, "designs_per_s": batch, "peak_gb": peak_gb}
        print(json.dumps(found))
        return
    print(f"{network.name} on one 32 x 32 array, one core, median of {options.repeats}")
    for row in one:
        print(
            f"  {row['dataflow']:18s} {row['bandwidth']:15s} {row['wall_ms']:7.2f} ms "
            f"(processor {row['processor_ms']:.2f} ms), {row['faster']:,.0f} times as fast as "
            f"SCALE-Sim's {options.scalesim:g} s"
        )
    print(f"{n} random arrays of 8 to 128 x 8 to 128 PEs, one core")
    for label, rate in batch.items():
        print(f"  {label:15s} {rate:,.0f} designs/s")
    print(f"peak memory of the process, Python and compiler included: {peak_gb:.2f} GB")


if __name__ == "__main__":
    main()
