"""Best design found after so many simulations, by optimizer: medians over paired seeds.

python benchmarks/codesign/sample_efficiency.py edge [--quick] [--seeds 10] [--trials 200]
    [--optimizer NAME ...] [--batch B] [--json FILE]

Problems: `edge` (MobileNetV2, least latency within 27 mm2), a layer such as `resnet_k2` (mappings
on the hand-tuned Eyeriss of 168 PEs, least energy-delay product), `joint:WORKLOAD` (hardware and
all mappings in one flat space). Every simulation counts, whatever its outcome. Also printed: the
share of infeasible simulations in the first and the last half, designs against a known constraint
(there must be none), and CPU time of a proposal.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from accel_dse import plugins
from accel_dse.execution.measuring import Measure
from accel_dse.files import load_space
from accel_dse.mapping_space import mapping_space
from accel_dse.optimizers.codesign import fixed_parameter
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.simulators.explicit import ExplicitMappingSimulator
from accel_dse.space import DesignSpace
from accel_dse.template import read_template
from accel_dse.workloads.load import load

ALL = ["constrained_bo", "evolution", "linear_bo", "relaxed_gp", "tree_bo", "random"]
COUNTS = (25, 50, 100, 200, 500, 1000, 2000)


def edge():
    file = load_space("edge")
    problem = Problem(
        file.space,
        ((load("mobilenet_v2"), 1.0),),
        (Objective("latency_ms"),),
        (Limit.parse("area_mm2<=27"),),
    )
    return problem, AcceleratorSimulator(template=read_template(file.accelerator, file.space))


def eyeriss(workload, *, hand_tuned):
    """Mappings on Eyeriss, or hardware and mappings."""
    file = load_space("eyeriss_168")
    template = read_template(file.accelerator, file.space)
    network = load(workload)
    space = mapping_space(file.space, template, network)
    if hand_tuned:
        design = file.references["eyeriss"].design
        space = DesignSpace(
            workload,
            tuple(
                fixed_parameter(p.name, design[p.name]) if p.name in design else p
                for p in space.parameters
            ),
            space.constraints,
            {k: e for k, e in space.features.items() if k not in file.space.features},
        )
    problem = Problem(space, ((network, 1.0),), (Objective("layer_edp"),))
    return problem, ExplicitMappingSimulator(template=template)


def search(problem, simulator, name, seed, trials, batch):
    """Best objective after each trial, `(trials,)`, and what else is reported."""
    optimizer = plugins.load("optimizers", name)(problem=problem, seed=seed)
    measure = Measure(problem, simulator)
    asking = 0.0
    while len(optimizer.trials) < trials:
        start = time.process_time()
        designs = optimizer.ask(min(batch, trials - len(optimizer.trials)))
        asking += time.process_time() - start
        optimizer.tell(measure.trials(designs, len(optimizer.trials)))
    told = optimizer.trials
    costs = [problem.costs(t.metrics)[0] if problem.accepts(t) else np.inf for t in told]
    columns = problem.space.columns([trial.design for trial in told])
    broken = np.array([not trial.feasible for trial in told])
    return np.minimum.accumulate(costs), {
        "against_constraints": int((~problem.space.satisfied(columns)).sum()),
        "infeasible_first_half": float(broken[: trials // 2].mean()),
        "infeasible_last_half": float(broken[trials // 2 :].mean()),
        "ask_cpu_s": asking / trials,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problem")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--optimizer", action="append")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seeds, trials = (1, 30) if options.quick else (options.seeds, options.trials)
    kind, _, workload = options.problem.rpartition(":")
    if options.problem == "edge":
        problem, simulator = edge()
    else:
        problem, simulator = eyeriss(workload, hand_tuned=kind != "joint")
    share = problem.space.share_valid(100_000, np.random.default_rng(0))
    print(f"{options.problem}: {share:.3%} of raw draws keep the known constraints")
    found = {}
    for name in options.optimizer or ALL:
        runs = [
            search(problem, simulator, name, seed, trials, options.batch) for seed in range(seeds)
        ]
        curves = np.array([curve for curve, _ in runs])
        found[name] = {"curves": curves.tolist(), "runs": [more for _, more in runs]}
        means = {key: np.mean([more[key] for _, more in runs]) for key in runs[0][1]}
        parts = []
        for count in COUNTS:
            if count <= trials:
                low, middle, high = np.percentile(
                    curves[:, count - 1], [25, 50, 75], method="nearest"
                )
                parts.append(f"@{count} {middle:.4g} ({low:.4g}-{high:.4g})")
        print(
            f"{name:16s} {'  '.join(parts)}  infeasible {means['infeasible_first_half']:.0%} then "
            f"{means['infeasible_last_half']:.0%}, against constraints "
            f"{means['against_constraints']:.0f}, ask {means['ask_cpu_s']:.2f} s CPU",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
