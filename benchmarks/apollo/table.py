"""Apollo's table: which optimizer finds the fastest edge accelerator within an area, and how soon.

python benchmarks/apollo/table.py --folder DIR [--quick] [--seeds 10] [--trials 4000]
    [--workload NAME ...] [--optimizer NAME ...] [--areas tight medium loose] [--report]

Each search is a trial log in DIR and goes on where it stopped; what was simulated once, for any
optimizer and any area, is looked up. `--report` prints the table of the logs that are there.

Published (Apollo, arXiv 2102.01723): the best optimizer finds up to 24.6 % faster designs than the
Gaussian-process bandit, and its lead grows as the area shrinks. There the simulator, the networks
and the areas are others, so only the order and the trend can be compared.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from accel_dse.cli.building import build_optimizer, build_problem, build_simulator
from accel_dse.files import load_space
from accel_dse.problem import Goal
from accel_dse.progress import Silent
from accel_dse.simulators.cached import CachedSimulator, ResultCache
from accel_dse.study import Study
from accel_dse.trial import Trial
from accel_dse.trial_log import TrialLog

WORKLOADS = ("mobilenet_v2", "mobilenet_edgetpu", "mobilenet_v3_large", "ssd_mobilenet_v1", "unet")
OPTIMIZERS = (
    "random",
    "evolution",
    "firefly",
    "model_based",
    "constrained_bo",
    "p3bo",
    "adaptive_p3bo",
    "auto",
)

WITHIN = 1.05
"""Of the best known: the goal of Apollo's comparison of evaluations."""

AREAS_MM2 = {"loose": 100.0, "medium": 27.0, "tight": 10.0}
"""What the networks of a few million weights may use; about 10, 4 and 1 % of random designs do."""

LARGE_AREAS_MM2 = {"loose": 400.0, "medium": 150.0, "tight": 60.0}
"""For U-Net, whose activations need larger memories."""

BUDGETS = (200, 1000, 4000)

AFFORDABLE = {"constrained_bo": 1000}
"""Trials after which a search takes longer than many simulations, and stops."""

BATCH = 10
"""Designs at a time, the same for all."""


@dataclass(frozen=True)
class Cell:
    """One search of the table."""

    workload: str
    area: str
    optimizer: str
    seed: int

    @property
    def limit_mm2(self) -> float:
        """The area that designs may have."""
        return (LARGE_AREAS_MM2 if self.workload == "unet" else AREAS_MM2)[self.area]

    def place(self, folder: Path) -> Path:
        """Its log."""
        name = f"{self.workload}-{self.limit_mm2:g}mm2-{self.optimizer}-{self.seed}.sqlite"
        return folder / name

    def run(self, folder: Path, trials: int) -> float:
        """Searches until the log holds `trials`; returns CPU seconds."""
        file = load_space("edge")
        goal = Goal.parse(["minimize latency_ms"], [f"area_mm2<={self.limit_mm2}"])
        problem = build_problem(file, [(self.workload, 1.0)], goal)
        cache = ResultCache(folder / f"simulated-{self.workload}.sqlite")
        simulator = CachedSimulator(build_simulator("accelerator", {}, file), cache)
        started = time.process_time()
        study = Study(
            problem=problem,
            optimizer=build_optimizer(self.optimizer, {}, problem, self.seed),
            simulator=simulator,
            log=TrialLog(self.place(folder)),
            progress=Silent(),
        )
        try:
            study.run(min(trials, AFFORDABLE.get(self.optimizer, trials)), batch=BATCH)
        finally:
            simulator.close()
        return time.process_time() - started


def curve(trials: list[Trial], limit_mm2: float) -> np.ndarray:
    """The best latency accepted after each trial, in ms; infinite before the first."""
    costs = [
        t.metrics["latency_ms"] if t.feasible and t.metrics["area_mm2"] <= limit_mm2 else np.inf
        for t in trials
    ]
    return np.minimum.accumulate(costs)


def logged(cells: list[Cell], folder: Path) -> dict[Cell, np.ndarray]:
    """The curves of the searches that are in the folder."""
    there = [cell for cell in cells if cell.place(folder).exists()]
    return {c: curve(TrialLog(c.place(folder)).read(), c.limit_mm2) for c in there}


def report(cells: list[Cell], folder: Path) -> Iterator[str]:
    """All tables, in markdown."""
    curves = {cell: found for cell, found in logged(cells, folder).items() if len(found)}
    yield from accepted_shares(list(curves), folder)
    for budget in BUDGETS:
        long_enough = {cell: found for cell, found in curves.items() if len(found) >= budget}
        if long_enough:
            results = Results(budget, long_enough, best_known(curves))
            yield from by_case(results)
            yield from over_cases(results)


def case(cell: Cell) -> tuple[str, str]:
    """What a cell searches: network and area."""
    return cell.workload, cell.area


def best_known(curves: dict[Cell, np.ndarray]) -> dict[tuple[str, str], float]:
    """The best latency of each case in any search, in ms."""
    known: dict[tuple[str, str], float] = {}
    for cell, found in curves.items():
        known[case(cell)] = min(known.get(case(cell), np.inf), found[-1])
    return known


def accepted_shares(cells: list[Cell], folder: Path) -> Iterator[str]:
    """How many random designs each case accepts."""
    yield "Random designs accepted:"
    for key in dict.fromkeys(map(case, cells)):
        drawn = [c for c in cells if case(c) == key and c.optimizer == "random"]
        accepted = [
            t.feasible and t.metrics["area_mm2"] <= cell.limit_mm2
            for cell in drawn
            for t in TrialLog(cell.place(folder)).read()
        ]
        if accepted:
            yield f"- {key[0]}, {drawn[0].limit_mm2:g} mm2: {np.mean(accepted):.1%}"


@dataclass(frozen=True)
class Results:
    """The curves of all searches that are long enough, and the best latencies known."""

    budget: int
    curves: dict[Cell, np.ndarray]
    known: dict[tuple[str, str], float]

    @property
    def names(self) -> list[str]:
        """The optimizers."""
        return list(dict.fromkeys(cell.optimizer for cell in self.curves))

    def ratios(self, name: str, key: tuple[str, str]) -> list[float]:
        """Latency over the best known of each seed, of one optimizer on one case."""
        mine = [v for c, v in self.curves.items() if (c.optimizer, case(c)) == (name, key)]
        return [found[self.budget - 1] / self.known[key] for found in mine]

    def reached(self, name: str) -> list[float]:
        """Trials until within 5 % of the best known, over all cases and seeds."""
        mine = {cell: found for cell, found in self.curves.items() if cell.optimizer == name}
        return [
            trials_until(found[: self.budget], WITHIN * self.known[case(cell)])
            for cell, found in mine.items()
        ]


def by_case(results: Results) -> Iterator[str]:
    """Latency over the best known: medians and quartiles over seeds."""
    yield f"\nAfter {results.budget:,} trials, latency over the best known"
    yield "| network, area | best known, ms | seeds | " + " | ".join(results.names) + " |"
    yield "|---" * (len(results.names) + 3) + "|"
    for key in dict.fromkeys(map(case, results.curves)):
        ratios = [results.ratios(name, key) for name in results.names]
        limit_mm2, seeds = Cell(*key, "", 0).limit_mm2, min(map(len, ratios))
        yield f"| {key[0]}, {limit_mm2:g} mm2 | {results.known[key]:.4g} | {seeds} | " + (
            " | ".join(map(entry, ratios)) + " |"
        )


def over_cases(results: Results) -> Iterator[str]:
    """Geometric means over cases of each median over the best optimizer's."""
    cases = list(dict.fromkeys(map(case, results.curves)))
    areas = [area for area in AREAS_MM2 if any(a == area for _, a in cases)]
    medians = {
        name: {key: median(found) for key in cases if (found := results.ratios(name, key))}
        for name in results.names
    }
    best = {key: min(m[key] for m in medians.values() if key in m) for key in cases}
    yield f"\nAfter {results.budget:,} trials, medians over the best optimizer's, geometric means"
    yield f"| optimizer | {' | '.join(areas)} | all | worst case | trials to within 5 % |"
    yield "|---" * (len(areas) + 4) + "|"
    for name, found in medians.items():
        over = {key: value / best[key] for key, value in found.items()}
        columns = [mean([r for (_, a), r in over.items() if a == area]) for area in areas]
        yield (
            f"| {name} | {' | '.join(columns)} | {mean(list(over.values()))} | "
            f"{max(over.values()):.3f} | {count(results.reached(name))} |"
        )


def median(values: list[float]) -> float:
    """The lower one of two in the middle, so that it is one of the values."""
    return float(np.quantile(values, 0.5, method="inverted_cdf"))


def mean(ratios: list[float]) -> str:
    """Geometric mean."""
    return f"{np.exp(np.mean(np.log(ratios))):.3f}" if ratios else "-"


def entry(ratios: list[float]) -> str:
    """Median and quartiles of ratios."""
    if not ratios:
        return "-"
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75], method="inverted_cdf")
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def trials_until(found: np.ndarray, goal: float) -> float:
    """Trials until the best is at most `goal`; infinite if it never is."""
    reached = np.flatnonzero(found <= goal)
    return float(reached[0] + 1) if len(reached) else np.inf


def count(values: Sequence[float]) -> str:
    """Median and quartiles of numbers of trials."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf")
    shown = [f"{v:.0f}" if np.isfinite(v) else "never" for v in (middle, low, high)]
    return f"{shown[0]} ({shown[1]}-{shown[2]})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("apollo_table"))
    parser.add_argument("--workload", nargs="*", default=WORKLOADS)
    parser.add_argument("--optimizer", nargs="*", default=OPTIMIZERS)
    parser.add_argument("--areas", nargs="*", default=list(AREAS_MM2), choices=list(AREAS_MM2))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=max(BUDGETS))
    parser.add_argument("--quick", action="store_true", help="one network, one area, 1 x 30")
    parser.add_argument("--report", action="store_true", help="search nothing, print the table")
    options = parser.parse_args()
    if options.quick:
        options.workload, options.areas = WORKLOADS[:1], ["medium"]
        options.seeds, options.trials = 1, 30
    # seed by seed, so that a table that is stopped holds whole rows
    cells = [
        Cell(workload, area, optimizer, seed)
        for seed, workload, area, optimizer in product(
            range(options.seeds), options.workload, options.areas, options.optimizer
        )
    ]
    options.folder.mkdir(parents=True, exist_ok=True)
    for cell in cells if not options.report else ():
        seconds = cell.run(options.folder, options.trials)
        print(f"{cell.place(options.folder).stem}: {seconds:.0f} s CPU", flush=True)
    print("\n".join(report(cells, options.folder)))


if __name__ == "__main__":
    main()
