"""Energy-delay product of co-designed hardware against the hand-tuned Eyeriss, by workload.

python benchmarks/codesign/eyeriss.py [--quick] [--seeds 10] [--hardware-trials 50]
    [--mapping-trials 250] [--batch 5] [--start] [--restarts 4] [--rounds 4] [--halvings 2]
    [--revisit 3] [--hardware NAME] [--mapping NAME] [--workload NAME ...] [--json FILE]

The hand-tuned Eyeriss is mapped as well as we can, so that what is gained is the hardware's: a
local search plays tens of thousands of mappings of each layer (`--restarts`, `--rounds`), far more
than the co-design tries on all its hardware together. `--start` lets the co-design begin with
Eyeriss, as who has a hand-tuned design would. PEs and total storage are the same by the space's
constraints; area must be at most Eyeriss's, a limit that the search has to learn. Where no better
hardware is found, the gain is 0.
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
from accel_dse.mapping_slots import SEPARATOR
from accel_dse.mapping_space import mapping_space
from accel_dse.optimizers.climbing import climb
from accel_dse.optimizers.codesign import Codesign, fixed_parameter
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.simulators.explicit import ExplicitMappingSimulator
from accel_dse.space import DesignSpace
from accel_dse.template import read_template
from accel_dse.workload import Workload
from accel_dse.workloads.load import load

SPACES = {
    "resnet_k": "eyeriss_168",
    "dqn_k": "eyeriss_168",
    "mlp_k": "eyeriss_168",
    "transformer_k": "eyeriss_256",
}


def best_of(problem, simulator, options, seed, **more):
    """The best trial of a co-design, or None; on how much hardware; and its best on `start`."""
    optimizer = Codesign(
        problem=problem,
        seed=seed,
        hardware=options.hardware,
        mapping=options.mapping,
        mapping_trials=options.mapping_trials,
        halvings=options.halvings,
        revisit=options.revisit,
        **more,
    )
    measure = Measure(problem, simulator)
    total = options.hardware_trials * options.mapping_trials
    while (told := len(optimizer.trials)) < total:
        optimizer.tell(measure.trials(optimizer.ask(min(options.batch, total - told)), told))
    names = [name for name in problem.space.names if SEPARATOR not in name]
    hardware = {tuple(trial.design[name] for name in names) for trial in optimizer.trials}
    start = [t for t in optimizer.trials if more.get("start", {}).items() <= t.design.items()]
    costs = [t.metrics["layer_edp"] for t in start if t.feasible]
    return problem.best(optimizer.trials), len(hardware), min(costs, default=np.inf)


def mapped_well(hardware_space, network, simulator, design, restarts, rounds):
    """Least `layer_edp` of one hardware design, its area, and mappings tried of each layer."""
    total, area_mm2, tried = 0.0, 0.0, []
    for layer in network.unique():
        alone = Workload(layer.name, (layer,))
        space = fixed(mapping_space(hardware_space, simulator.template, alone), design)
        played = []

        def score(coded, space=space, alone=alone, played=played):
            found = simulator.simulate(alone, space.coding.columns(coded)).values
            played.append(found)
            return -np.log(found["layer_edp"])

        for seed in range(restarts):
            rng, parents = np.random.default_rng(seed), []
            for _ in range(rounds):
                best = climb(space, score, space.sample_coded(1000, rng), parents, rng).best(20)
                parents = space.designs(space.coding.columns(best.coded))
        total += min(float(found["layer_edp"].min()) for found in played)
        area_mm2 = float(played[0]["area_mm2"][0])
        tried.append(sum(len(found["area_mm2"]) for found in played))
    return total, area_mm2, tried


def fixed(space, design):
    """The mappings in a space onto one hardware design."""
    parameters = tuple(
        fixed_parameter(p.name, design[p.name]) if p.name in design else p for p in space.parameters
    )
    return DesignSpace(f"{space.name}_fixed", parameters, space.constraints)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--hardware-trials", type=int, default=50)
    parser.add_argument("--mapping-trials", type=int, default=250)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--restarts", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--halvings", type=int, default=2)
    parser.add_argument("--revisit", type=int, default=3)
    parser.add_argument("--start", action="store_true")
    parser.add_argument("--hardware", default="constrained_bo")
    parser.add_argument("--mapping", default="constrained_bo")
    parser.add_argument("--workload", action="append")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.hardware_trials, options.mapping_trials = 1, 4, 15
        options.restarts, options.rounds = 1, 1
    found = {}
    for name in options.workload or SPACES:
        found[name] = compare(name, options)
        gains = np.array([row["gain"] for row in found[name]])
        area = np.median([row["area_mm2"] for row in found[name]])
        print(
            f"{name}: {np.median(gains):.1%} lower ({gains.min():.1%} to {gains.max():.1%}, "
            f"{len(gains)} seeds); area {area:.2f} mm2, Eyeriss "
            f"{found[name][0]['eyeriss_area_mm2']:.2f}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(found))


def compare(name, options):
    """One row for each seed."""
    file = load_space(SPACES[name])
    template = read_template(file.accelerator, file.space)
    network = load(name)
    problem = Problem(
        mapping_space(file.space, template, network),
        ((network, 1.0),),
        (Objective("layer_edp"),),
    )
    simulator = ExplicitMappingSimulator(template=template)
    eyeriss = file.references["eyeriss"].design
    effort = (options.restarts, options.rounds)
    least, area, tried = mapped_well(file.space, network, simulator, eyeriss, *effort)
    print(f"{name}: Eyeriss {least:.6g} after {tried} mappings of each layer", flush=True)
    limited = replace(problem, limits=(Limit("area_mm2", "<=", area),))
    more = {"start": eyeriss} if options.start else {}
    rows = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        ours, designs, on_eyeriss = best_of(limited, simulator, options, seed, **more)
        cost = ours.metrics["layer_edp"] if ours else np.inf
        least = min(least, on_eyeriss) if options.start else least
        better = cost < least
        rows.append(
            {
                "seed": seed,
                "gain": 1 - cost / least if better else 0.0,
                "layer_edp": cost,
                "eyeriss_layer_edp": least,
                "area_mm2": ours.metrics["area_mm2"] if better else area,
                "eyeriss_area_mm2": area,
                "hardware_designs": designs,
                "hardware": {k: ours.design[k] for k in file.space.names} if better else eyeriss,
            }
        )
        print(f"{name} seed {seed}: {rows[-1]}", flush=True)
    return rows


if __name__ == "__main__":
    main()
