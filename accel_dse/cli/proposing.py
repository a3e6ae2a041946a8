"""What `accel-dse propose` does."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from accel_dse.cli import flags
from accel_dse.cli.building import build_simulator
from accel_dse.errors import OptionError
from accel_dse.files import load_space
from accel_dse.metrics import Metrics
from accel_dse.problem import Aggregate, Limit, Problem
from accel_dse.readable import number
from accel_dse.surrogates import model_folder
from accel_dse.surrogates.base import Fitted
from accel_dse.surrogates.proposing import Caution, Proposal, Search, best_logged
from accel_dse.workload import Layer, Workload
from accel_dse.workloads.load import load

NO_LAYERS = (Layer(name="unknown"),)
"""Stand for those of a network whose log does not hold them: a single multiplication."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command line of `propose`; see its help."""

    model: Path
    workloads: tuple[str, ...]
    limits: tuple[str, ...]
    aggregate: Aggregate
    n: int
    seed: int
    caution: Caution
    verify: str | None
    space: str | None
    simulator_options: Mapping[str, str]
    shapes: Mapping[str, int]


def propose(request: Request, *, as_json: bool) -> None:
    """Searches the model, simulates what it found if asked to, and prints both."""
    fitted = model_folder.read(request.model)
    problem = _problem(request, fitted)
    search = Search(
        fitted=fitted,
        problem=problem,
        caution=request.caution,
        seed=request.seed,
    )
    proposals = search.propose(request.n)
    if not proposals:
        raise OptionError(
            f"{request.model}: of all designs it looked at, the model thinks that none works "
            "within the limits",
            hint="loosen --limit, or --caution works=0",
        )
    best = best_logged(fitted.log, problem)
    measured = _verified(request, problem, proposals) if request.verify else None
    if as_json:
        print(json.dumps(_content(problem, proposals, best, measured), indent=2))
        return
    print_proposals(problem, proposals, best, measured)


def _problem(request: Request, fitted: Fitted) -> Problem:
    """What is wanted of the designs."""
    names = [flags.weighted(text) for text in request.workloads]
    names = names or [(name, 1.0) for name in fitted.log.applications]
    goal = fitted.predictor.goal
    limits = tuple(map(Limit.parse, request.limits)) or goal.limits
    return Problem(
        space=fitted.log.space,
        workloads=tuple((_network(name, fitted, request.shapes), w) for name, w in names),
        objectives=goal.objectives,
        limits=limits,
        aggregate=request.aggregate,
    )


def _network(name: str, fitted: Fitted, shapes: Mapping[str, int]) -> Workload:
    """The network called `name`: of the log, of the zoo, or in a file."""
    if name in fitted.log.workloads:
        return fitted.log.workloads[name]
    if name in fitted.log.applications:  # its layers are not known, and not asked for
        return Workload(name, NO_LAYERS)
    return load(name, shapes=shapes)


def _verified(request: Request, problem: Problem, proposals: list[Proposal]) -> Metrics:
    """What the simulator says of the proposals."""
    unknown = [w.name for w, _ in problem.workloads if w.layers == NO_LAYERS]
    if unknown:
        raise OptionError(f"--verify: the layers of {unknown[0]!r} are not known")
    file = load_space(request.space or problem.space.name)
    if file.space.content()["parameters"] != problem.space.content()["parameters"]:
        raise OptionError(
            f"--verify: space {file.name!r} has other parameters than the model's",
            hint="--space FILE",
        )
    columns = problem.space.columns([proposal.design for proposal in proposals])
    name = request.verify or flags.DEFAULT_SIMULATOR
    with closing(build_simulator(name, request.simulator_options, file)) as simulator:
        return problem.combine([simulator.simulate(w, columns) for w, _ in problem.workloads])


def _content(
    problem: Problem, proposals: list[Proposal], best: Any, measured: Metrics | None
) -> dict[str, Any]:
    rows = [
        {
            "design": dict(p.design),
            "predicted": p.metrics,
            "spread": p.spread,
            "works": p.works,
            "distance": p.distance,
        }
        for p in proposals
    ]
    if measured is not None:
        for i, row in enumerate(rows):
            row["measured"] = measured.row(i)
            row["infeasible"] = measured.infeasible[i]
            row["broken_limits"] = [str(limit) for limit in _broken(problem, measured, i)]
    logged = None if best is None else {"design": dict(best[0]), "metrics": best[1]}
    return {"best_logged": logged, "proposals": rows}


def _broken(problem: Problem, measured: Metrics, i: int) -> list[Limit]:
    """The limits that design `i` was measured to break; none if it does not work."""
    row = measured.row(i)
    if not row:
        return []
    beyond = zip(problem.limits, problem.violations(row))
    return [limit for limit, violation in beyond if violation > 0]


def _measured(problem: Problem, measured: Metrics, i: int) -> str:
    """What was measured of design `i`, in a few words."""
    row = measured.row(i)
    if not row:
        return "does not work"
    broken = [f"{li.metric} {number(row[li.metric])}" for li in _broken(problem, measured, i)]
    return ", ".join([number(row[problem.objectives[0].metric]), *broken])


def _verdict(problem: Problem, best: Any, measured: Metrics) -> str:
    """How many of the proposals hold what they promise, and what the best of them gains."""
    objective = problem.objectives[0]
    n = len(measured.infeasible)
    kept = [i for i in range(n) if measured.row(i) and not _broken(problem, measured, i)]
    text = f"measured: {len(kept)} of {n} work within the limits"
    if not kept:
        return text
    costs = objective.cost(measured.values[objective.metric][kept])
    value = float(measured.values[objective.metric][kept[int(np.argmin(costs))]])
    text += f"; the best has {objective.metric} {number(value)}"
    if best is None or not value or not best[1][objective.metric]:
        return text
    return text + f", {value / best[1][objective.metric]:.2f} of the best in the log"


def print_proposals(
    problem: Problem,
    proposals: list[Proposal],
    best: Any,
    measured: Metrics | None,
) -> None:
    """A table of the proposals, each with its guard rails."""
    objective = problem.objectives[0].metric
    shown = [objective, *(limit.metric for limit in problem.limits)]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for title in ["", *shown, "works", "distance", *(["measured"] if measured else [])]:
        table.add_column(title, justify="right")
    for i, proposal in enumerate(proposals):
        cells = [str(i + 1)]
        for name in shown:
            cells.append(f"{number(proposal.metrics[name])} ±{number(proposal.spread[name])}")
        cells += [f"{proposal.works:.2f}", f"{proposal.distance:.2f}"]
        if measured:
            cells.append(_measured(problem, measured, i))
        table.add_row(*map(Text, cells))
    console = Console()
    console.print(table)
    names = ", ".join(workload.name for workload, _ in problem.workloads)
    if best is None:
        console.print(f"no logged design works for {names} within the limits", highlight=False)
    else:
        value = number(best[1][objective])
        console.print(f"best in the log for {names}: {objective} {value}", highlight=False)
    if measured:
        console.print(_verdict(problem, best, measured), highlight=False)
    for i, proposal in enumerate(proposals):
        values = " ".join(f"{name}={value}" for name, value in proposal.design.items())
        console.print(f"{i + 1}: {values}", highlight=False)
        if measured and measured.infeasible[i]:
            console.print(f"   {measured.infeasible[i]}", style="dim", highlight=False)
    console.print(
        "±: spread of the ensemble; works: likelihood; distance: from the nearest logged design "
        "that works (0 the same, 1 unlike in everything)",
        style="dim",
        highlight=False,
    )
