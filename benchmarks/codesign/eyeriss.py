"""Energy-delay product of co-designed hardware against the hand-tuned Eyeriss, by workload.

python benchmarks/codesign/eyeriss.py [--quick] [--seeds 10] [--hardware-trials 50]
    [--mapping-trials 250] [--batch 4] [--short] [--hardware NAME] [--mapping NAME]
    [--workload NAME ...] [--json FILE]

The mapping of the hand-tuned Eyeriss is itself searched, by the same inner optimizer and with as
many mappings as the co-design tries on all its hardware together: mappings found on one design
begin the search on the next, so that with fewer a part of the gain would be better mapping. What
is left is the hardware's. `--short` also prints the gain over an Eyeriss mapped with the budget of
one hardware design. PEs and total storage are the same by the space's constraints; area must be
at most Eyeriss's, a limit that the search has to learn. Where no such hardware is found, the gain
is 0.
Published (Shi et al., arXiv 2010.02075), on the authors' layers and simulator: 18.3 % (ResNet),
40.2 % (DQN), 21.8 % (MLP), 16.0 % (Transformer) lower.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from accel_dse.execution.measuring import Measure
from accel_dse.files import load_space
from accel_dse.mapping_space import mapping_space
from accel_dse.optimizers.codesign import Codesign, fixed_parameter
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.simulators.explicit import ExplicitMappingSimulator
from accel_dse.space import DesignSpace
from accel_dse.template import read_template
from accel_dse.workloads.load import load

SPACES = {
    "resnet_k": "eyeriss_168",
    "dqn_k": "eyeriss_168",
    "mlp_k": "eyeriss_168",
    "transformer_k": "eyeriss_256",
}


def best_of(problem, simulator, options, seed, hardware_trials, mapping_trials, **more):
    """The best trial of a co-design, after how many trials it stopped, on how much hardware."""
    optimizer = Codesign(
        problem=problem,
        seed=seed,
        hardware=options.hardware,
        mapping=options.mapping,
        mapping_trials=mapping_trials,
        **more,
    )
    measure = Measure(problem, simulator)
    total = hardware_trials * mapping_trials
    best, found = None, 0
    while (told := len(optimizer.trials)) < total:
        optimizer.tell(measure.trials(optimizer.ask(min(options.batch, total - told)), told))
        if problem.best(optimizer.trials) != best:
            best, found = problem.best(optimizer.trials), told
        if hardware_trials == 1 and told - found > options.patience:
            break
    names = [name for name in problem.space.names if "__" not in name]
    hardware = {tuple(trial.design[name] for name in names) for trial in optimizer.trials}
    return best, len(optimizer.trials), len(hardware)


def hand_tuned(problem, design):
    """The problem of mapping onto one hardware design."""
    space = problem.space
    parameters = tuple(
        fixed_parameter(p.name, design[p.name]) if p.name in design else p for p in space.parameters
    )
    fixed = DesignSpace(f"{space.name}_fixed", parameters, space.constraints, space.features)
    return Problem(fixed, problem.workloads, problem.objectives)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--hardware-trials", type=int, default=50)
    parser.add_argument("--mapping-trials", type=int, default=250)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--patience", type=int, default=160)
    parser.add_argument("--halvings", type=int, default=2)
    parser.add_argument("--revisit", type=int, default=3)
    parser.add_argument("--start", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--hardware", default="constrained_bo")
    parser.add_argument("--mapping", default="constrained_bo")
    parser.add_argument("--workload", action="append")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.hardware_trials, options.mapping_trials = 1, 4, 15
    found = {}
    for name in options.workload or SPACES:
        file = load_space(SPACES[name])
        template = read_template(file.accelerator, file.space)
        network = load(name)
        problem = Problem(
            mapping_space(file.space, template, network),
            ((network, 1.0),),
            (Objective("layer_edp"),),
        )
        simulator = ExplicitMappingSimulator(template=template)
        baseline = hand_tuned(problem, file.references["eyeriss"].design)
        h, m = options.hardware_trials, options.mapping_trials
        rows = []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            tuned, tried, _ = best_of(baseline, simulator, options, seed, 1, h * m)
            area = Limit("area_mm2", "<=", tuned.metrics["area_mm2"])
            limited = replace(problem, limits=(area,))
            more = {"halvings": options.halvings, "revisit": options.revisit}
            if options.start:
                more["start"] = file.references["eyeriss"].design
            found_best, _, designs = best_of(limited, simulator, options, seed, h, m, **more)
            ours = found_best or tuned
            short = {}
            if options.short:
                hasty, _, _ = best_of(baseline, simulator, options, seed, 1, m)
                short["short"] = 1 - ours.metrics["layer_edp"] / hasty.metrics["layer_edp"]
            rows.append(
                {
                    "gain": 1 - ours.metrics["layer_edp"] / tuned.metrics["layer_edp"],
                    **short,
                    "eyeriss_layer_edp": tuned.metrics["layer_edp"],
                    "eyeriss_trials": tried,
                    "hardware_designs": designs,
                    "area_mm2": ours.metrics["area_mm2"],
                    "eyeriss_area_mm2": tuned.metrics["area_mm2"],
                    "hardware": {k: ours.design[k] for k in file.space.names},
                }
            )
            print(f"{name} seed {seed}: {rows[-1]}", flush=True)
        found[name] = rows
        gains = np.percentile([row["gain"] for row in rows], [25, 50, 75])
        hasty = [row["short"] for row in rows if "short" in row]
        also = f"; over a hastily mapped Eyeriss {np.median(hasty):.1%}" if hasty else ""
        areas = [np.median([row[k] for row in rows]) for k in ("area_mm2", "eyeriss_area_mm2")]
        print(
            f"{name}: {gains[1]:.1%} lower ({gains[0]:.1%} to {gains[2]:.1%}){also}; "
            f"area {areas[0]:.2f} mm2, Eyeriss {areas[1]:.2f}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
