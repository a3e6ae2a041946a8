"""Optimizers on problems that are not ours: how far from the known best, after how many calls.

    python benchmarks/suites/regret.py --folder DIR [--quick] [--set report|tuning]
        [--problem NAME ...] [--optimizer NAME ...] [--seeds 5] [--trials 200] [--workers 1]

Functions of the literature with constraints (`known_functions.py`) and tables of other people's
simulations (`measured_tables.py`); both have a tuning set and a report set. Options of our
optimizers are chosen on the tuning set alone, and figures are published of the report set alone.
Every call counts; seeds are paired; logs are kept in DIR, where a run that was stopped goes on.

Regret is the first objective's best accepted value less the known best; the last table puts it
beside random search's at the same budget.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import known_functions as functions
import measured_tables as tables
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from accel_dse import plugins
from accel_dse.comparison import (
    Contest,
    Contestant,
    Curves,
    Standing,
    duels,
    play,
    quartiles,
    read_curves,
    standings,
)
from accel_dse.problem import Problem
from accel_dse.report.standings import ranking
from accel_dse.simulators.base import Simulator
from accel_dse.study import Study
from accel_dse.trial_log import TrialLog

OURS = ("random", "evolution", "p3bo", "constrained_bo", "auto")
PEERS = ("optuna:sampler=tpe|gp", "nevergrad", "pymoo")
SETS = {
    "report": (*functions.REPORT, *tables.REPORT),
    "tuning": (*functions.TUNING, *tables.TUNING),
}


@dataclass(frozen=True)
class Case:
    """A problem of the suite; names only, so that each process makes it anew.

    Attributes:
        name: of a function, or of a layer in the log.
        log: that layer's rows.
    """

    name: str
    log: Path

    def problem(self) -> Problem:
        """What is searched for."""
        if self.name in functions.FUNCTIONS:
            return functions.problem(self.name)
        return tables.read(self.log).problem()

    def optimum(self) -> float:
        """The least value there is."""
        if self.name in functions.FUNCTIONS:
            return functions.FUNCTIONS[self.name].optimum
        return tables.read(self.log).optimum()

    def simulator(self) -> Simulator:
        """What tells the values."""
        if self.name in functions.FUNCTIONS:
            return functions.FunctionSimulator(self.name)
        return tables.TableSimulator(self.log)

    def __call__(self, contestant: Contestant, seed: int, log: TrialLog) -> Study:
        """The study of one run."""
        cls = plugins.load("optimizers", contestant.optimizer)
        options = plugins.read_options(contestant.optimizer, cls, contestant.options)
        return Study(
            problem=(problem := self.problem()),
            optimizer=cls(problem=problem, seed=seed, **options),
            simulator=self.simulator(),
            log=log,
        )


def regrets(curves: Curves, label: str, optimum: float) -> tuple[float, float, float]:
    """Quartiles over seeds of the regret at the end; infinite where nothing was accepted."""
    ends = np.maximum(curves.best[curves.of(label), -1] - optimum, 0.0)
    low, middle, high = quartiles(ends).tolist()
    return low, middle, high


def summary(found: dict[str, dict[str, float]], labels: Sequence[str]) -> Table:
    """Each optimizer's median regret on every problem over random search's, and its mean rank."""
    table = Table("median regret over random's", box=box.SIMPLE_HEAD)
    for name in found:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("mean rank", justify="right")
    ranks = {label: [] for label in labels}
    for medians in found.values():
        for label in labels:
            better = sum(medians[other] < medians[label] for other in labels)
            equal = sum(medians[other] == medians[label] for other in labels)
            ranks[label].append(better + (equal + 1) / 2)
    for label in sorted(labels, key=lambda label: float(np.mean(ranks[label]))):
        cells = [_share(medians[label], medians.get("random")) for medians in found.values()]
        table.add_row(label, *cells, f"{np.mean(ranks[label]):.2f}")
    return table


def _share(median: float, random: float | None) -> str:
    if not np.isfinite(median):
        return "none"
    if random is None or not 0 < random < np.inf:
        return f"[{median:.3g}]"
    return f"{median / random:.3f}"


def standing_of(case: Case, options: argparse.Namespace, console: Console) -> dict[str, float]:
    """Plays one contest and prints it; the median regret of each optimizer."""
    goal, optimum = case.problem().goal, case.optimum()
    contest = Contest(
        make_study=case,
        contestants=[one for text in options.optimizer for one in Contestant.parse(text)],
        seeds=range(options.seeds),
        trials=options.trials,
        folder=options.folder / case.name,
    )
    curves = read_curves(contest, play(contest, workers=options.workers), goal)
    found: list[Standing] = standings(curves, best=optimum)
    console.print(f"[bold]{case.name}[/]: best {optimum:.6g}")
    console.print(ranking(found, duels(curves), goal))
    medians = {}
    for standing in found:
        low, medians[standing.label], high = regrets(curves, standing.label, optimum)
        regret = f"{medians[standing.label]:.4g} ({low:.4g} to {high:.4g})"
        console.print(f"  regret {standing.label}: {regret}")
    return medians


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=tables.LOG, help="the artifact's log")
    parser.add_argument("--set", choices=list(SETS), default="report")
    parser.add_argument("--problem", nargs="*")
    parser.add_argument("--optimizer", nargs="*", default=[*OURS, *PEERS])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--quick", action="store_true", help="2 problems, 2 optimizers, 1 seed, 20 trials"
    )
    options = parser.parse_args(arguments)
    console = Console(width=110)
    names = list(options.problem or SETS[options.set])
    if options.quick:
        names = [names[0], names[-1]]
        options.optimizer, options.seeds, options.trials = ["random", "evolution"], 1, 20
    if not options.data.exists():
        names = [name for name in names if name in functions.FUNCTIONS]
        console.print(f"{options.data} is not there: without tables", highlight=False)
    layers = [name for name in names if name not in functions.FUNCTIONS]
    logs = tables.extract(options.data, layers, options.folder) if layers else {}
    found = {
        name: standing_of(Case(name, logs.get(name, options.data)), options, console)
        for name in names
    }
    labels = list(next(iter(found.values())))
    console.print(summary(found, labels))


if __name__ == "__main__":
    main()
