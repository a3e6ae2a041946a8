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
from collections.abc import Iterator
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
BASELINE = "constrained_bo"
"""A Gaussian-process bandit, as Apollo's baseline is."""

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
    """The table, in markdown: median over seeds, and quartiles, of latency over the best known."""
    curves = {cell: found for cell, found in logged(cells, folder).items() if len(found)}
    for workload, area in dict.fromkeys((cell.workload, cell.area) for cell in curves):
        here = {c: v for c, v in curves.items() if (c.workload, c.area) == (workload, area)}
        best = min(found[-1] for found in here.values())
        limit = next(iter(here)).limit_mm2
        drawn = [TrialLog(c.place(folder)).read() for c in here if c.optimizer == "random"]
        accepted = [t.feasible and t.metrics["area_mm2"] <= limit for ts in drawn for t in ts]
        yield f"\n{workload}, {limit:g} mm2: best known {best:.4g} ms" + (
            f"; {np.mean(accepted):.1%} of random designs accepted" if accepted else ""
        )
        budgets = [b for b in BUDGETS if any(len(found) >= b for found in here.values())]
        yield "| optimizer | " + " | ".join(f"{b:,}" for b in budgets) + " | seeds |"
        yield "|---" * (len(budgets) + 2) + "|"
        for optimizer in dict.fromkeys(cell.optimizer for cell in here):
            mine = [found for cell, found in here.items() if cell.optimizer == optimizer]
            entries = [entry([f[b - 1] / best for f in mine if len(f) >= b]) for b in budgets]
            yield f"| {optimizer} | " + " | ".join(entries) + f" | {len(mine)} |"


def entry(ratios: list[float]) -> str:
    if not ratios:
        return "-"
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75], method="inverted_cdf")
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def summary(cells: list[Cell], folder: Path) -> Iterator[str]:
    """Over all networks and areas: geometric means of the medians, and worst cases."""
    curves = {cell: found for cell, found in logged(cells, folder).items() if len(found)}
    for budget in BUDGETS:
        medians: dict[tuple[str, str], dict[str, float]] = {}
        for cell in curves:
            key = (cell.workload, cell.area)
            found = [
                v[budget - 1]
                for c, v in curves.items()
                if (c.workload, c.area, c.optimizer) == (*key, cell.optimizer) and len(v) >= budget
            ]
            if found:
                medians.setdefault(key, {})[cell.optimizer] = float(np.median(found))
        if not medians:
            continue
        yield f"\nAfter {budget:,} trials: median over seeds, over the best optimizer's median"
        yield "| optimizer | geometric mean | worst case | faster than constrained_bo, tight area |"
        yield "|---|---|---|---|"
        for optimizer in dict.fromkeys(name for found in medians.values() for name in found):
            ratios = [f[optimizer] / min(f.values()) for f in medians.values() if optimizer in f]
            gains = [
                f[BASELINE] / f[optimizer] - 1
                for (_, area), f in medians.items()
                if area == "tight" and optimizer in f and BASELINE in f
            ]
            gain = f"{np.mean(gains):+.1%}" if gains else "-"
            mean = np.exp(np.mean(np.log(ratios)))
            yield f"| {optimizer} | {mean:.3f} | {max(ratios):.3f} | {gain} |"


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
    print("\n".join([*report(cells, options.folder), *summary(cells, options.folder)]))


if __name__ == "__main__":
    main()
