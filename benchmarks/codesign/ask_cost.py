"""CPU time and memory of one proposal, after 50, 200 and 1,000 trials.

python benchmarks/codesign/ask_cost.py [--quick] [--seeds 3] [--optimizer constrained_bo ...]

Trials are random designs of the edge space with a made-up latency, area and feasibility of the
usual shape, so that only the optimizer is timed. `first` includes fitting hyper-parameters; most
proposals keep those of a few trials ago (`again`).
"""

import argparse
import resource
import time

import numpy as np

from accel_dse import plugins
from accel_dse.files import load_space
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.trial import Outcome, Trial
from accel_dse.workloads.load import load

PROBLEM = Problem(
    load_space("edge").space,
    ((load("mobilenet_v2"), 1.0),),
    (Objective("latency_ms"),),
    (Limit.parse("area_mm2<=27"),),
)


def trials(n, seed):
    """Random designs, of which about a third work."""
    designs = PROBLEM.space.sample(n, np.random.default_rng(seed))
    found = []
    for i, d in enumerate(designs):
        pes = d["pes_x"] * d["pes_y"]
        macs = pes * d["cores"] * d["lanes"]
        memory = pes * (d["pe_memory_kib"] + d["core_memory_kib"])
        works = d["parameter_entries"] >= 48 * d["cores"] and memory < 400_000
        metrics = {
            "latency_ms": 300.0 / macs**0.7 + 1.5 / d["io_gb_per_s"] + 1e3 / memory,
            "area_mm2": 1.0 + 2e-4 * macs + 4e-4 * memory,
        }
        outcome = Outcome.FEASIBLE if works else Outcome.INFEASIBLE
        reason = "" if works else "made up"
        found.append(
            Trial(
                index=i,
                design=d,
                outcome=outcome,
                metrics=metrics if works else {},
                reason=reason,
            )
        )
    return found


def seconds(action):
    """CPU time of all threads."""
    start = time.process_time()
    action()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--optimizer", action="append")
    options = parser.parse_args()
    counts = (50, 200) if options.quick else (50, 200, 1000)
    for name in options.optimizer or ["constrained_bo"]:
        for count in counts:
            first, again = [], []
            for seed in range(1 if options.quick else options.seeds):
                optimizer = plugins.load("optimizers", name)(problem=PROBLEM, seed=seed)
                optimizer.tell(trials(count, seed))
                first.append(seconds(lambda optimizer=optimizer: optimizer.ask(1)))
                again.append(seconds(lambda optimizer=optimizer: optimizer.ask(1)))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name:16s} {count:5d} trials: first {np.median(first):.2f} s, "
                f"again {np.median(again):.2f} s CPU; peak memory {peak:.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main()
