"""Ours and other projects' optimizers on the same problems, with the same number of simulations.

python benchmarks/peers/table.py --folder DIR [--quick] [--problem NAME ...] [--optimizer NAME ...]
    [--seeds 10] [--trials 200] [--workers 1]

Every simulation counts, infeasible ones too; seeds are paired; logs are kept in DIR, where a run
that was stopped goes on. What each peer is told is written in `accel_dse/optimizers/peers`.
Needs `pip install 'accel-dse[peers]'`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "codesign"))
from sample_efficiency import eyeriss

from accel_dse.cli.building import build_problem, build_simulator
from accel_dse.comparison import (
    Arena,
    Contest,
    Contestant,
    duels,
    play,
    read_curves,
    standings,
)
from accel_dse.files import load_space
from accel_dse.problem import Goal
from accel_dse.report.standings import ranking

OURS = ("random", "evolution", "constrained_bo", "auto")
PEERS = ("optuna:sampler=tpe|nsga2|gp", "nevergrad", "pymoo", "smac")


@dataclass(frozen=True)
class Task:
    """A problem of the table.

    Attributes:
        space: a shipped space.
        workloads: networks, equally weighted.
        objective, limits: what is wanted.
        aggregate: how several networks become one value.
    """

    space: str
    workloads: Sequence[str]
    objective: str
    limits: Sequence[str]
    aggregate: str = "geomean"

    def arena(self) -> Arena:
        """Where optimizers compete on it."""
        file = load_space(self.space)
        goal = Goal.parse([self.objective], list(self.limits))
        weighted = [(name, 1.0) for name in self.workloads]
        problem = build_problem(file, weighted, goal, self.aggregate)
        return Arena(problem, build_simulator("accelerator", {}, file))


@dataclass(frozen=True)
class MappingTask:
    """Mappings of one layer on the hand-tuned Eyeriss; 0.02 % of raw draws are valid."""

    layer: str

    def arena(self) -> Arena:
        """Where optimizers compete on it."""
        problem, simulator = eyeriss(self.layer, hand_tuned=True)
        return Arena(problem, simulator)


TASKS: dict[str, Task | MappingTask] = {
    "edge_latency": Task("edge", ("mobilenet_v2",), "minimize latency_ms", ("area_mm2<=27",)),
    "edge_four_networks": Task(
        "edge",
        ("mobilenet_v2", "mobilenet_edgetpu", "resnet18", "ssdlite_mobilenet_v3"),
        "minimize edp",
        ("area_mm2<=20", "power_w<=5"),
    ),
    **{f"eyeriss_mapping_k{i}": MappingTask(f"resnet_k{i}") for i in (1, 2, 3, 4)},
    "eyeriss_hardware": Task("eyeriss_168", ("resnet18",), "minimize edp", ("area_mm2<=10",)),
}
"""Latency and area; a tight budget for several networks; mappings of the four ResNet-K layers (of
which K2 was used to choose our options); hardware at fixed compute and storage."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--problem", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--optimizer", nargs="*", default=[*OURS, *PEERS])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="30 trials, 1 seed, one problem")
    options = parser.parse_args()
    if options.quick:
        options.problem, options.seeds, options.trials = options.problem[:1], 1, 30
    console = Console(width=100)
    for name in options.problem:
        arena = TASKS[name].arena()
        contest = Contest(
            make_study=arena,
            contestants=[one for text in options.optimizer for one in Contestant.parse(text)],
            seeds=range(options.seeds),
            trials=options.trials,
            folder=options.folder / name,
        )
        goal = arena.problem.goal
        curves = read_curves(contest, play(contest, workers=options.workers), goal)
        console.print(f"[bold]{name}[/]: {TASKS[name]}")
        console.print(ranking(standings(curves), duels(curves), goal))


if __name__ == "__main__":
    main()
