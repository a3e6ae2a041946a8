"""What a search gains from logs of related tasks: other budgets, other networks, another fidelity.

python benchmarks/apollo/transfer.py --folder DIR [--quick] [--seeds 10] [--trials 200]
    [--kind budget network others fidelity opposite shuffled] [--workload NAME ...]
    [--optimizer constrained_bo evolution] [--report]

Each search is a trial log in DIR and goes on where it stopped. Without a source it is a search of
`table.py`, under the same name, and so are the sources: with the folder of that table only the
searches that begin from a source are left to run. A source's seed is another than the search's.

For each pair of tasks: trials until a design is within 5 % of the best that any search of the
target found, with the source and without it, and the objective at the end. `opposite` and
`shuffled` are sources that mislead: a log of the same task whose latencies are turned around, or
dealt out at random.

Published (Apollo, arXiv 2102.01723): up to 25 % better designs from other budgets' trials.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from table import BATCH, WITHIN, WORKLOADS, Cell, count, curve, entry, trials_until

from accel_dse.cli.building import build_optimizer, build_problem, build_simulator
from accel_dse.files import load_space
from accel_dse.problem import Goal, Problem
from accel_dse.progress import Silent
from accel_dse.simulators.cached import CachedSimulator, ResultCache
from accel_dse.source import Source, related
from accel_dse.study import Study
from accel_dse.trial import Trial
from accel_dse.trial_log import TrialLog

KINDS = ("budget", "network", "others", "fidelity", "opposite", "shuffled")
SOURCE_OPTIMIZER = "evolution"
"""What searched the related tasks."""

SOURCE_TRIALS = 200


@dataclass(frozen=True)
class Pair:
    """A task to search, and what to begin from.

    Attributes:
        kind: one of `KINDS`.
        target: network and area of the task.
        sources: networks and areas of the related ones.
    """

    kind: str
    target: tuple[str, str]
    sources: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        begun = "all others" if self.kind == "others" else " + ".join(map(" ".join, self.sources))
        return f"{self.kind}: {begun} -> {' '.join(self.target)}"


def pairs(kinds: Sequence[str], workloads: Sequence[str]) -> Iterator[Pair]:
    """All pairs of some kinds."""
    for place, workload in enumerate(workloads):
        medium, tight = (workload, "medium"), (workload, "tight")
        others = tuple((name, "medium") for name in workloads if name != workload)
        for kind in kinds:
            if kind == "budget":
                yield Pair(kind, tight, (medium,))
                yield Pair(kind, medium, ((workload, "loose"),))
            elif kind == "network" and others:
                yield Pair(kind, medium, (others[place % len(others)],))
            elif kind == "others" and len(others) > 1:
                yield Pair(kind, medium, others)
            elif kind in ("fidelity", "opposite", "shuffled"):
                yield Pair(kind, medium, (medium,))


def problem_of(task: tuple[str, str]) -> Problem:
    """The fastest design of the edge space for a network, within an area."""
    limit_mm2 = Cell(*task, "", 0).limit_mm2
    goal = Goal.parse(["minimize latency_ms"], [f"area_mm2<={limit_mm2}"])
    return build_problem(load_space("edge"), [(task[0], 1.0)], goal)


def source_trials(pair: Pair, task: tuple[str, str], seed: int, folder: Path) -> list[Trial]:
    """A search of a related task, run if it has not been."""
    cell = Cell(*task, SOURCE_OPTIMIZER, seed)
    if pair.kind == "fidelity":
        return analytical_trials(cell, folder)
    cell.run(folder, SOURCE_TRIALS)
    trials = TrialLog(cell.place(folder)).read(stop=SOURCE_TRIALS)
    misled = {"opposite": opposite, "shuffled": shuffled}.get(pair.kind)
    return misled(trials) if misled else trials


def analytical_trials(cell: Cell, folder: Path) -> list[Trial]:
    """The same search by the analytical simulator."""
    place = cell.place(folder)
    place = place.with_name(f"{place.stem}-analytical.sqlite")
    file, problem = load_space("edge"), problem_of((cell.workload, cell.area))
    study = Study(
        problem=problem,
        optimizer=build_optimizer(cell.optimizer, {}, problem, cell.seed),
        simulator=build_simulator("accelerator", {"fidelity": "analytical"}, file),
        log=TrialLog(place),
        progress=Silent(),
    )
    return study.run(SOURCE_TRIALS, batch=BATCH)


def opposite(trials: Sequence[Trial]) -> list[Trial]:
    """Trials whose latencies are turned around: the best are called the worst."""
    return with_latencies(trials, lambda values: values.min() * values.max() / values)


def shuffled(trials: Sequence[Trial]) -> list[Trial]:
    """Trials whose latencies are dealt out at random."""
    return with_latencies(trials, np.random.default_rng(0).permutation)


def with_latencies(
    trials: Sequence[Trial], change: Callable[[np.ndarray], np.ndarray]
) -> list[Trial]:
    """Trials with the latencies that `change` makes of those of the working ones."""
    working = [i for i, trial in enumerate(trials) if trial.feasible]
    changed = change(np.array([trials[i].metrics["latency_ms"] for i in working]))
    found = list(trials)
    for i, value in zip(working, changed):
        metrics = {**trials[i].metrics, "latency_ms": float(value)}
        found[i] = replace(trials[i], metrics=metrics)
    return found


def place_of(pair: Pair, optimizer: str, seed: int, folder: Path) -> Path:
    """The log of a search that begins from a source."""
    name = Cell(*pair.target, optimizer, seed).place(folder).stem
    begun = "-".join("_".join(task) for task in pair.sources)
    begun = "others" if pair.kind == "others" else begun
    return folder / f"{name}-from-{pair.kind}-{begun}.sqlite"


def run_warm(pair: Pair, optimizer: str, seed: int, seeds: int, folder: Path, trials: int) -> None:
    """The search that begins from the sources of `pair`."""
    problem, file = problem_of(pair.target), load_space("edge")
    sources: list[Source] = []
    for task in pair.sources:
        told = source_trials(pair, task, (seed + 1) % seeds, folder)
        sources.append(related(problem, told, task=f"{pair.kind}: {' '.join(task)}"))
    cache = ResultCache(folder / f"simulated-{pair.target[0]}.sqlite")
    study = Study(
        problem=problem,
        optimizer=build_optimizer(optimizer, {}, problem, seed, tuple(sources)),
        simulator=CachedSimulator(build_simulator("accelerator", {}, file), cache),
        log=TrialLog(place_of(pair, optimizer, seed, folder)),
        progress=Silent(),
    )
    try:
        study.run(trials, batch=BATCH)
    finally:
        study.simulator.close()


def curves_of(
    pair: Pair, optimizer: str, seeds: int, folder: Path, trials: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The best latency after each trial, without and with the source; seeds that have both."""
    limit_mm2 = Cell(*pair.target, optimizer, 0).limit_mm2
    cold, warm = [], []
    for seed in range(seeds):
        alone = Cell(*pair.target, optimizer, seed).place(folder)
        begun = place_of(pair, optimizer, seed, folder)
        if alone.exists() and begun.exists():
            found = [curve(TrialLog(log).read(stop=trials), limit_mm2) for log in (alone, begun)]
            if min(map(len, found)) == trials:
                cold.append(found[0])
                warm.append(found[1])
    return cold, warm


def report(options: argparse.Namespace) -> Iterator[str]:
    """The table, in markdown: medians, and quartiles, over seeds."""
    table = {
        (pair, name): curves_of(pair, name, options.seeds, options.folder, options.trials)
        for pair in pairs(options.kind, options.workload)
        for name in options.optimizer
    }
    best: dict[tuple[str, str], float] = {}
    for (pair, _), (cold, warm) in table.items():
        known = [found[-1] for found in [*cold, *warm]]
        best[pair.target] = min([best.get(pair.target, np.inf), *known])
    yield f"Trials to within 5 % of the best known, and its ratio to that after {options.trials}"
    yield "| pair | optimizer | without | with | without, final | with, final | seeds |"
    yield "|---|---|---|---|---|---|---|"
    ratios: dict[tuple[str, str], list[float]] = {}
    for (pair, name), (cold, warm) in table.items():
        if not cold:
            continue
        least = best[pair.target]
        counts = [[trials_until(v, WITHIN * least) for v in part] for part in (cold, warm)]
        ends = [entry([v[-1] / least for v in part]) for part in (cold, warm)]
        shown = [count(part) for part in counts]
        yield f"| {pair} | {name} | {' | '.join([*shown, *ends])} | {len(cold)} |"
        without, begun = (float(np.quantile(c, 0.5, method="inverted_cdf")) for c in counts)
        capped = [min(v, options.trials) for v in (without, begun)]
        ratios.setdefault((pair.kind, name), []).append(capped[1] / capped[0])
    yield f"\nTrials with the source over trials without it, median pair (none: {options.trials})"
    for (kind, name), found in ratios.items():
        yield f"- {kind}, {name}: {np.median(found):.2f} ({len(found)} pairs)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("apollo_table"))
    parser.add_argument("--kind", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--workload", nargs="*", default=WORKLOADS)
    parser.add_argument("--optimizer", nargs="*", default=("constrained_bo", "evolution"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="two networks, 1 seed, 20 trials")
    parser.add_argument("--report", action="store_true", help="search nothing, print the table")
    options = parser.parse_args()
    if options.quick:
        options.workload, options.seeds, options.trials = WORKLOADS[:2], 1, 20
    options.folder.mkdir(parents=True, exist_ok=True)
    work = product(range(options.seeds), pairs(options.kind, options.workload), options.optimizer)
    for seed, pair, name in work if not options.report else ():
        started = time.process_time()
        Cell(*pair.target, name, seed).run(options.folder, options.trials)
        run_warm(pair, name, seed, options.seeds, options.folder, options.trials)
        seconds = time.process_time() - started
        print(f"{pair}, {name}, seed {seed}: {seconds:.0f} s CPU", flush=True)
    print("\n".join(report(options)))


if __name__ == "__main__":
    main()
