"""How a search is run: where, how long, with what memory. None of it changes what the search is."""

import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from accel_dse.cli.building import not_counted
from accel_dse.cli.searching import Search
from accel_dse.errors import LogError, OptionError, SimulatorError
from accel_dse.files.study_file import Choice
from accel_dse.problem import Goal
from accel_dse.report import tables
from accel_dse.report.summary import summarize
from accel_dse.simulators.base import Simulator
from accel_dse.simulators.cached import CachedSimulator, ResultCache
from accel_dse.stopping import Until
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog

STOPPED = 130
"""Exit code of a run that was stopped. Source: the shell's, 128 + SIGINT."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """How a search is run.

    Attributes:
        workers: simulations at a time; None for what suits, 0 to leave them to `worker`s.
        dask: where a Dask cluster is; "" for this machine.
        cache: a file of results; "" for none.
        until: what ends it sooner.
    """

    workers: int | None = None
    dask: str = ""
    cache: str = ""
    until: Until = field(default_factory=Until)

    def __post_init__(self) -> None:
        if self.dask and self.cache:
            raise OptionError(
                "--cache: a file that many machines write to is not safe",
                hint="leave out --cache or --dask",
            )

    def cached(self, simulator: Simulator) -> Simulator:
        """The simulator, behind the file of results if there is one."""
        return CachedSimulator(simulator, ResultCache(self.cache)) if self.cache else simulator

    @contextmanager
    def executor(self) -> Iterator[tuple[Executor | None, int]]:
        """Where simulations run (None: in this process), and how many at a time."""
        if not self.dask:
            yield None, self.workers or 1
            return
        from accel_dse.execution.dask_cluster import dask_executor

        with dask_executor(self.dask) as (executor, size):
            yield executor, self.workers or size


def run(search: Search, log: TrialLog, how: Running, *, as_json: bool) -> None:
    """Runs the search on `log`, and prints what it found.

    Raises:
        SimulatorError: it failed on every design; the log says how.
        typer.Exit: it was stopped.
    """
    study = search.study(log, partial(print, file=sys.stderr))
    for remark in filter(None, (not_counted(network) for network, _ in study.problem.workloads)):
        print(remark, file=sys.stderr)
    study.simulator, study.recipe = how.cached(study.simulator), recipe(search)
    with closing(study.simulator):
        if how.workers == 0:
            study.write_down()
            print(f"{log.place} is ready for: accel-dse worker --log {log.place}")
            return
        try:
            with how.executor() as (executor, workers):
                trials = study.run(
                    search.trials,
                    batch=search.batch,
                    workers=workers,
                    executor=executor,
                    until=how.until,
                )
            stopped = False
        except KeyboardInterrupt:
            trials, stopped = log.read(), True
    summary = summarize(trials, study.problem.goal)
    best = study.problem.best(trials)
    metric = study.problem.objectives[0].metric
    early = how.until.reason(study.problem.goal, best.metrics[metric] if best else None)
    ended = early if len(trials) < search.trials and not stopped else ""
    if as_json:
        about = {"log": log.place, "stopped": stopped, "ended": ended}
        print(json.dumps({**about, **summary.content()}, indent=2))
    else:
        Console().print(tables.found(summary, log.place, stopped=stopped))
        if ended:
            print(f"ended after {len(trials):,} of {search.trials:,} trials: {ended}")
    if trials and all(_broke(trial) for trial in trials):
        reason = trials[-1].reason
        raise SimulatorError(f"the simulator failed on all {len(trials):,} designs: {reason}")
    if stopped:
        raise typer.Exit(STOPPED)


def _broke(trial: Trial) -> bool:
    return trial.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)


def until(deadline: str, max_hours: float | None, target: float | None) -> Until:
    """When to end, from what was typed.

    Raises:
        OptionError: the deadline is no time.
    """
    ends = [moment(deadline)] if deadline else []
    ends += [time.time() + 3600 * max_hours] if max_hours is not None else []
    return Until(deadline=min(ends, default=float("inf")), target=target)


def moment(text: str) -> float:
    """Seconds since the epoch of a time of day (the next one), or of an ISO date and time.

    Raises:
        OptionError: it is neither.
    """
    try:
        if len(text) <= 5 and ":" in text:
            now = datetime.now().astimezone()
            wanted = datetime.strptime(text, "%H:%M")
            at = now.replace(hour=wanted.hour, minute=wanted.minute, second=0, microsecond=0)
            return (at if at > now else at + timedelta(days=1)).timestamp()
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise OptionError(
            f"--deadline: cannot read {text!r}", hint="write 17:30, or 2026-12-24T17:30"
        ) from error


def recipe(search: Search) -> str:
    """All that a `worker` needs to make the same study, as JSON."""
    content: dict[str, Any] = {
        **{name: getattr(search, name) for name in _AS_IT_IS},
        "goal": search.goal.content(),
        "optimizer": asdict(search.optimizer),
        "simulator": asdict(search.simulator),
        "folder": os.getcwd(),
    }
    return json.dumps(content, default=str)


_AS_IT_IS = ("space", "workloads", "aggregate", "trials", "seed", "shapes", "warm_start")


def read_recipe(text: str, place: str) -> Search:
    """The search of a recipe; goes to the folder that its paths are seen from.

    Raises:
        LogError: there is none, or it cannot be read.
        OptionError: that folder is not here.
    """
    if not text:
        raise LogError(
            f"{place}: does not say how to make its study",
            hint="run `accel-dse optimize ... --workers 0` on it once",
        )
    try:
        content = json.loads(text)
        folder = Path(content["folder"])
        as_they_are = [name for name in _AS_IT_IS if name not in ("workloads", "warm_start")]
        search = Search(
            **{name: content[name] for name in as_they_are},
            warm_start=tuple(content.get("warm_start", ())),  # recipes of old do not have it
            workloads=tuple((name, float(weight)) for name, weight in content["workloads"]),
            goal=Goal.parse(content["goal"]["objectives"], content["goal"]["limits"]),
            optimizer=Choice(**content["optimizer"]),
            simulator=Choice(**content["simulator"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise LogError(f"{place}: its recipe cannot be read: {error!r}") from error
    if not folder.is_dir():
        raise OptionError(
            f"{place}: its study was made in {folder}, which is not on this machine",
            hint="make that folder, with the files the study names in it",
        )
    os.chdir(folder)
    return search
