"""How many (design, layer, mapping) triples the analytical model evaluates each second.

Each evaluation is whole: validity, accesses of every level and tensor, cycles by level, energy.
Mappings are drawn at random onto a chain of three levels (DRAM, buffer, registers) and onto longer
ones, for the layers of a few networks' kinds; half of the last rows do not divide (ragged).

    python benchmarks/speed/loop_nest.py [--threads 1] [--json]
"""

import argparse
import json
import os
import statistics
import time

ARGUMENTS = argparse.ArgumentParser(description=__doc__)
ARGUMENTS.add_argument("--threads", type=int, default=1, help="cores to use")
ARGUMENTS.add_argument("--triples", type=int, default=200_000, help="evaluations in one call")
ARGUMENTS.add_argument("--repeats", type=int, default=7)
ARGUMENTS.add_argument("--json", action="store_true")
ARGUMENTS.add_argument("--quick", action="store_true", help="1,000 evaluations, once")


LAYERS = {
    "conv": {"K": 64, "C": 64, "P": 56, "Q": 56, "R": 3, "S": 3},
    "strided": {"K": 128, "C": 64, "P": 28, "Q": 28, "R": 3, "S": 3, "stride": (2, 2)},
    "pointwise": {"K": 256, "C": 64, "P": 56, "Q": 56},
    "depthwise": {"G": 96, "P": 56, "Q": 56, "R": 3, "S": 3},
    "gemm": {"P": 512, "K": 768, "C": 768},
}


def main() -> None:
    options = ARGUMENTS.parse_args()
    if options.quick:
        options.triples, options.repeats = 1_000, 1
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    found = {
        name: measure(levels, ragged, options.triples, options.repeats)
        for name, levels, ragged in (
            ("3 levels", 3, False),
            ("3 levels, ragged", 3, True),
            ("4 levels", 4, False),
            ("5 levels", 5, False),
        )
    }
    if options.json:
        print(json.dumps({"threads": options.threads, "evaluations_per_s": found}))
        return
    print(f"evaluations/s on {options.threads} core(s), median of {options.repeats}")
    for name, rate in found.items():
        print(f"  {name:18s} {rate / 1e6:6.2f} M/s")


def measure(levels: int, ragged: bool, triples: int, repeats: int) -> float:
    """Median evaluations a second over `repeats` calls, after one to compile."""
    import numpy as np

    from accel_dse.simulators.loop_nest import evaluate
    from accel_dse.workload import Layer

    rng = np.random.default_rng(0)
    layers = [Layer(name=name, **shape) for name, shape in LAYERS.items()]
    which = rng.integers(len(layers), size=triples)
    bounds = np.array([layer.dims for layer in layers])[which]
    mappings = draw(bounds, levels, ragged, rng)
    designs = chain(levels, 256)
    rows = rng.integers(len(designs), size=triples)
    arguments = (designs, layers, mappings, rows, which, np.arange(triples))
    result = evaluate(*arguments)
    assert (result.codes == 0).all(), result.reason(int(np.argmax(result.codes)))
    # On one core other jobs' turns are left out.
    clock = time.process_time if len(os.sched_getaffinity(0)) == 1 else time.perf_counter
    times = []
    for _ in range(repeats):
        start = clock()
        evaluate(*arguments)
        times.append(clock() - start)
    return triples / statistics.median(times)


def draw(bounds, levels, ragged, rng):
    """One random mapping for each row of `bounds`, all of them valid on `chain`."""
    import numpy as np

    from accel_dse.mapping import Mappings

    t = len(bounds)
    factors = np.ones((3, t, levels, 8), dtype=np.int64)
    left = bounds.copy()
    for level in range(levels - 1, 0, -1):
        for kind in (0, 1, 2) if level == levels - 2 else (0,):
            wanted = rng.choice([1, 2, 3, 4, 7, 8], size=(t, 8), p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
            if kind:
                wanted *= np.eye(8, dtype=np.int64)[rng.integers(8, size=t)]
                wanted = np.maximum(wanted, 1)
            fits = (left % wanted == 0) | (ragged & (wanted <= left))
            factors[kind, :, level] = np.where(fits, wanted, 1)
            left = -(-left // factors[kind, :, level])
    factors[0, :, 0] = left
    order = rng.permuted(np.tile(np.arange(8), (t, levels, 1)), axis=2)
    return Mappings(factors[0], factors[1], factors[2], order)


def chain(levels, designs):
    """Designs of DRAM and `levels - 1` buffers, large enough for anything, with random figures."""
    import numpy as np

    from accel_dse.hardware import UNLIMITED, Hardware

    rng = np.random.default_rng(1)
    n, free = designs, np.ones((levels, 8), dtype=bool)
    fan = np.ones((n, levels), dtype=np.int64)
    fan[:, levels - 2] = 16
    limits = rng.uniform(64, 512, size=(2, n, levels))
    return Hardware(
        levels=("DRAM", *(f"buffer {i}" for i in range(1, levels))),
        keeps=np.ones((levels, 3), dtype=bool),
        partition=np.zeros((levels, 3), dtype=np.int64),
        multicast=np.ones(levels, dtype=bool),
        reduces=np.ones(levels, dtype=bool),
        double_buffered=np.zeros(levels, dtype=bool),
        loops_allowed=free,
        unroll_x=free,
        unroll_y=free,
        hardwired=np.zeros((levels, 2), dtype=bool),
        whole=np.zeros((n, levels, 8), dtype=bool),
        capacity_bits=np.full((n, levels, 3), 1e12),
        word_bits=np.broadcast_to([8.0, 8.0, 8.0, 24.0], (n, levels, 4)),
        fanout_x=fan,
        fanout_y=fan,
        read_bits_per_cycle=limits[0],
        write_bits_per_cycle=limits[1],
        shared_bits_per_cycle=np.full((n, levels), UNLIMITED),
        latency_cycles=np.zeros((n, levels)),
        issue_cycles=np.zeros((n, levels)),
        fill_cycles=np.zeros(n),
        program_entries=np.full(n, UNLIMITED),
        program_level=-1,
        access_pj_per_bit=rng.uniform(0.01, 10, size=(n, levels, 3)),
        network_pj_per_bit=rng.uniform(0, 0.1, size=(n, levels)),
        mac_pj=np.full(n, 0.5),
        static_w=np.zeros(n),
        area_mm2=np.ones(n),
        level_mm2=np.zeros((n, levels)),
        macs_mm2=np.zeros(n),
        clock_ghz=np.ones(n),
        vector_operations_per_cycle=np.ones(n),
    )


if __name__ == "__main__":
    main()
