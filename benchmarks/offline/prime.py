"""PRIME's tables on our logs, with the simulator as referee.

    python benchmarks/offline/prime.py [--logs FOLDER] [--rows N] [--seeds N] [--steps N]
        [--members N] [--tables NAME,...] [--applications NAME,...] [--online NAME ...]
        [--out FILE] [--quick] [--json]

The logs are `logged_data/edge_*.parquet`: random designs of the `edge` space. As in the paper, a
model sees only the low-performing 80 % of the designs that work, by latency, and all that do not;
what it proposes is simulated, and that is what counts.

- single: one application, 27 mm2. The best of `PROPOSED` proposals, against the best design in the
  log it was given, and against online searches with as many simulator calls, and with ten times
  as many.
- several: one model of all applications of a row; mean latency over them, at 29 and at 100 mm2.
- unseen: as before, but the proposals are for networks that are not in the log.

A ratio is the other's latency over ours: above 1, ours is better. Every simulator call counts, also
of designs that do not work. An online search that found nothing within the limit in its budget has
no ratio; how often is said.

With `--out`, each result is added to a file as a line of JSON, and what is in it is not run again:
not the whole, with the same size; not the online searches, whatever the size of the model.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from accel_dse import plugins
from accel_dse.cli.building import build_simulator
from accel_dse.dataset import Dataset, concatenate
from accel_dse.datasets import parquet
from accel_dse.execution.measuring import Measure
from accel_dse.files import load_space
from accel_dse.problem import Goal, Limit, Objective, Problem
from accel_dse.simulators.base import Simulator
from accel_dse.surrogates.conservative import Conservative
from accel_dse.surrogates.proposing import Search, best_logged
from accel_dse.trial import Design, Trial
from accel_dse.workloads.zoo import NETWORKS

LOGS = Path(__file__).resolve().parents[2] / "logged_data"
OBJECTIVE = "latency_ms"
APPLICATIONS = (
    "mobilenet_edgetpu", "mobilenet_v2", "mobilenet_v3_large", "ssd_mobilenet_v1",
    "ssdlite_mobilenet_v3", "ssdlite_mobilenet_v2_035", "unet_small", "t_rnn_decoder",
    "t_rnn_encoder",
)  # fmt: skip
SEVERAL = (
    (("mobilenet_edgetpu", "mobilenet_v2", "mobilenet_v3_large"), 29.0),
    (("mobilenet_edgetpu", "mobilenet_v2", "mobilenet_v3_large", "t_rnn_encoder"), 100.0),
)
"""Rows of the paper's table of several applications, as far as they take different forms."""
UNSEEN = (
    (("mobilenet_edgetpu", "mobilenet_v3_large"), ("mobilenet_v2",), 29.0),
    (
        ("mobilenet_edgetpu", "mobilenet_v2", "mobilenet_v3_large", "ssd_mobilenet_v1",
         "ssdlite_mobilenet_v3", "ssdlite_mobilenet_v2_035", "t_rnn_encoder"),
        ("unet_small", "t_rnn_decoder"),
        100.0,
    ),
)  # fmt: skip
"""Rows of the table of unseen ones: (in the log, asked for, area)."""
KEPT = 0.8
"""Share of the designs that work, the slow ones, that a model sees."""
PROPOSED = 10
"""Designs that are proposed, simulated and counted."""
ONLINE = ("random", "evolution")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is run.

    Attributes:
        rows: of each application's log.
        steps, members: of the conservative model.
        seeds: repetitions.
        applications: of the first table.
        online: searches to compare with.
    """

    rows: int
    steps: int
    members: int
    seeds: int
    applications: Sequence[str] = APPLICATIONS
    online: Sequence[str] = ONLINE

    def content(self) -> dict[str, int]:
        """What a result depends on, beside applications and seed."""
        return {"rows": self.rows, "steps": self.steps, "members": self.members}


@dataclass
class Kept:
    """Results, each a line of JSON in a file if there is one.

    Attributes:
        path: the file; None if nowhere.
        rows: all results.
    """

    path: Path | None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines()
            self.rows = [json.loads(line) for line in lines]

    def add(self, row: dict[str, Any]) -> None:
        """Adds a result, to the file also."""
        self.rows.append(row)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def find(self, **wanted: Any) -> dict[str, Any] | None:
        """The first result that agrees with what is wanted."""
        rows = (row for row in self.rows if all(row.get(k) == v for k, v in wanted.items()))
        return next(rows, None)


@dataclass
class Bench:
    """The logs, the simulator, and what it was asked."""

    logs: Path
    size: Size
    simulator: Simulator = field(init=False)
    loaded: dict[str, Dataset] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file = load_space("edge")
        self.simulator = build_simulator("accelerator", {}, self.file)

    def log(self, application: str) -> Dataset:
        """The low-performing part of an application's log."""
        if application not in self.loaded:
            whole = parquet.read(self.logs / f"edge_{application}.parquet")
            whole = whole.rows(np.arange(min(self.size.rows, len(whole))))
            cost = whole.metrics[OBJECTIVE]
            worst = cost >= np.quantile(cost[whole.feasible], 1 - KEPT)
            self.loaded[application] = whole.rows(worst | ~whole.feasible)
        return self.loaded[application]

    def problem(self, applications: Sequence[str], area: float) -> Problem:
        """The least mean latency of some applications within an area."""
        return Problem(
            space=self.file.space,
            workloads=tuple((NETWORKS[name](), 1.0) for name in applications),
            objectives=(Objective(OBJECTIVE),),
            limits=(Limit("area_mm2", "<=", area),),
        )

    def simulate(self, problem: Problem, designs: Sequence[Design], first: int) -> list[Trial]:
        """Trials of designs, the first of which has index `first`."""
        return Measure(problem, self.simulator).trials(designs, first) if designs else []

    def online(self, name: str, problem: Problem, calls: Sequence[int], seed: int) -> list[float]:
        """The best latency after each number of calls; infinite if none was accepted."""
        optimizer = plugins.load("optimizers", name)(problem=problem, seed=seed)
        trials: list[Trial] = []
        found = []
        for budget in calls:
            while len(trials) < budget:
                designs = optimizer.ask(min(optimizer.natural_batch, budget - len(trials)))
                new = self.simulate(problem, designs, len(trials))
                optimizer.tell(new)
                trials += new
            found.append(value(problem, trials))
        return found

    def compare(
        self, learned: Sequence[str], asked: Sequence[str], area: float, seed: int, kept: Kept
    ) -> dict[str, Any]:
        """Offline against the log and against online searches, once."""
        searched = kept.find(asked=list(asked), area=area, seed=seed) or {"online": {}}
        problem = self.problem(asked, area)
        log = concatenate([self.log(name) for name in learned])
        goal = Goal((Objective(OBJECTIVE),), problem.limits)
        started = time.process_time()
        model = Conservative(
            seed=seed, alpha=ALPHA, beta=BETA, steps=self.size.steps, members=self.size.members
        ).fit(log, goal)
        search = Search(fitted=model, problem=problem, seed=seed)
        proposals = search.propose(PROPOSED)
        seconds = time.process_time() - started
        trials = self.simulate(problem, [proposal.design for proposal in proposals], 0)
        logs = concatenate([self.log(name) for name in asked])
        known = best_logged(logs, problem)
        calls = (PROPOSED, 10 * PROPOSED)
        return {
            "learned": list(learned),
            "asked": list(asked),
            "area": area,
            "seed": seed,
            "kendall": model.accuracy["best"]["metrics"][OBJECTIVE]["kendall"],
            "prime": value(problem, trials),
            "prime_first": value(problem, trials[:1]),
            "accepted": sum(problem.accepts(trial) for trial in trials),
            "log": known[1][OBJECTIVE] if known else float("inf"),
            "online": {
                name: searched["online"].get(name) or self.online(name, problem, calls, seed)
                for name in self.size.online
            },
            "fit_cpu_seconds": seconds,
            "size": self.size.content(),
        }


ALPHA, BETA = 0.1, 0.1
"""The recipe's weights, in standard deviations; with None they are chosen for each log."""


def value(problem: Problem, trials: Sequence[Trial]) -> float:
    """The best accepted latency; infinite if there is none."""
    best = problem.best(trials)
    return float("inf") if best is None else best.metrics[OBJECTIVE]


def ratios(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Geometric means over the rows of the other's latency over PRIME's, with the spread."""
    table: dict[str, Any] = {}
    sources = {"best in the log": [row["log"] / row["prime"] for row in rows]}
    for name in rows[0]["online"]:
        for i, calls in enumerate((PROPOSED, 10 * PROPOSED)):
            sources[f"{name}, {calls} calls"] = [
                row["online"][name][i] / row["prime"] for row in rows
            ]
    for name, values in sources.items():
        good = np.array([v for v in values if np.isfinite(v) and v > 0])
        table[name] = {
            "geomean": float(np.exp(np.log(good).mean())) if len(good) else None,
            "quartiles": [float(q) for q in np.quantile(good, [0.25, 0.75])] if len(good) else None,
            "rows": len(good),
            "nothing_found": len(values) - len(good),
        }
    return table


def run(bench: Bench, tables: Sequence[str], kept: Kept) -> dict[str, Any]:
    """The tables, seed by seed."""
    size = bench.size
    single = [((name,), (name,), 27.0) for name in size.applications]
    several = [(names, names, area) for names, area in SEVERAL]
    cases = {"single": single, "several": several, "unseen": list(UNSEEN)}
    results = {}
    for table in tables:
        rows = []
        for seed in range(size.seeds):
            for learned, asked, area in cases[table]:
                row = kept.find(
                    learned=list(learned), asked=list(asked), area=area, seed=seed,
                    size=size.content(),
                )  # fmt: skip
                if row is None:
                    row = bench.compare(learned, asked, area, seed, kept)
                    kept.add(row)
                    print(table, json.dumps(row), flush=True)
                rows.append(row)
        results[table] = {"rows": rows, "ratios": ratios(rows)}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=Path, default=LOGS)
    parser.add_argument("--rows", type=int, default=20_000, help="of each log")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=Conservative.steps)
    parser.add_argument("--members", type=int, default=Conservative.members)
    parser.add_argument("--tables", default="single,several,unseen")
    parser.add_argument("--online", nargs="*", default=ONLINE, help="searches to compare with")
    parser.add_argument("--applications", default=",".join(APPLICATIONS), help="of single")
    parser.add_argument("--out", type=Path, help="keeps results; goes on from them")
    parser.add_argument("--quick", action="store_true", help="a few minutes; two applications")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = Size(
        rows=options.rows,
        steps=options.steps,
        members=options.members,
        seeds=options.seeds,
        applications=options.applications.split(","),
        online=options.online,
    )
    if options.quick:
        size = Size(rows=1_000, steps=150, members=1, seeds=1,
                    applications=("mobilenet_v2", "t_rnn_encoder"))  # fmt: skip
    found = run(Bench(options.logs, size), options.tables.split(","), Kept(options.out))
    if options.json:
        print(json.dumps(found))
        return
    for table, content in found.items():
        print(f"\n{table}: the other's latency over PRIME's")
        for name, row in content["ratios"].items():
            print(f"  {name:24s} {row}")


if __name__ == "__main__":
    main()
