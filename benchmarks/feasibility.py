"""How many random designs of `edge` can run each network, why not, and what 27 mm2 excludes.

python benchmarks/feasibility.py [-n 2000] [--seed 0] [--json] [WORKLOAD ...]
"""

import argparse
import json
import re
from collections import Counter

import numpy as np

from accel_dse.files import load_space
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.template import read_template
from accel_dse.workloads.load import load

NETWORKS = ["mobilenet_v2", "mobilenet_v3_large", "mobilenet_edgetpu", "mnasnet", "efficientnet_b0"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", default=NETWORKS)
    parser.add_argument("-n", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one network, 50 designs")
    options = parser.parse_args()
    if options.quick:
        options.workloads, options.n = options.workloads[:1], 50
    file = load_space("edge")
    simulator = AcceleratorSimulator(
        template=read_template(file.accelerator, file.space),
        fidelity="analytical",
        mapper_effort="low",
    )
    designs = file.space.columns(file.space.sample(options.n, np.random.default_rng(options.seed)))
    found = {}
    for name in options.workloads:
        metrics = simulator.simulate(load(name), designs)
        works = np.array([not reason for reason in metrics.infeasible])
        area = metrics.values["area_mm2"][works]
        reasons = Counter(
            re.sub(r"[\d,.]+", "...", reason.partition(": ")[2])
            for reason in metrics.infeasible
            if reason
        )
        found[name] = {
            "feasible": float(works.mean()),
            "excluded_by_27mm2": float((area > 27).mean()),
            "excluded_by_29mm2": float((area > 29).mean()),
            "excluded_by_100mm2": float((area > 100).mean()),
            "reasons": {reason: n / options.n for reason, n in reasons.most_common(4)},
        }
        if not options.json:
            row = found[name]
            print(
                f"{name:20s} feasible {row['feasible']:.1%}; of those, beyond 27 mm2 "
                f"{row['excluded_by_27mm2']:.1%}, 29 {row['excluded_by_29mm2']:.1%}, "
                f"100 {row['excluded_by_100mm2']:.1%}"
            )
            for reason, share in row["reasons"].items():
                print(f"    {share:6.1%} {reason}")
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
