"""The loop: ask, simulate, append, tell."""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from html import escape
from importlib.metadata import version
from typing import Any

import numpy as np

from accel_dse import plugins
from accel_dse.errors import DesignError, LogError, SimulatorError, SimulatorTimeoutError
from accel_dse.log_rows import StudyDescription
from accel_dse.metrics import Metrics
from accel_dse.optimizers.base import Optimizer, Proposal
from accel_dse.problem import Problem
from accel_dse.progress import Progress, Tally, fitting
from accel_dse.simulators.base import Simulator
from accel_dse.stopping import stop_requests
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog


@dataclass(kw_only=True)
class Study:
    """A search for good designs, on record.

    Attributes:
        problem: what is searched for.
        optimizer: proposes designs; untold, or told just what the log holds.
        simulator: measures them.
        log: where every trial goes, before anyone learns from it.
        progress: shows how it goes; by default what suits where we run.
    """

    problem: Problem
    optimizer: Optimizer
    simulator: Simulator
    log: TrialLog
    progress: Progress = field(default_factory=fitting, repr=False)

    def run(self, n_trials: int, *, batch: int | None = None) -> list[Trial]:
        """Runs until the log holds `n_trials`, counting those already there.

        A run that was stopped or killed, and is started again, goes on as if it never stopped.

        Args:
            n_trials: how long the log should be.
            batch: designs proposed and simulated at a time; by default what suits the optimizer.

        Returns:
            All trials, oldest first.

        Raises:
            LogError: the log cannot be written, is in use, or is of another study.
            OptionError: an objective or a limit names a metric that the simulator does not give.
            DesignError: the optimizer proposed what is no design of the space.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; the batch it came in is in the log.
        """
        batch = batch or self.optimizer.natural_batch
        self.log.create_or_check(self.description())
        try:
            trials = self.log.read()
            self._catch_up(trials)
            tally = Tally(self.problem.goal, trials, n_trials)
            with self.progress, stop_requests(self.progress.say) as stop_requested:
                self.progress.show(tally.status())
                while len(trials) < n_trials:
                    if stop_requested():
                        raise KeyboardInterrupt
                    proposals = self._propose(min(batch, n_trials - len(trials)))
                    new = self._simulate(proposals, first=len(trials))
                    self.log.append(new)  # on disk before anyone learns from it
                    self.optimizer.tell(new)
                    trials += new
                    tally.add(new)
                    self.progress.show(tally.status())
        finally:
            self.log.close()
        return trials

    def description(self) -> StudyDescription:
        """What the log says it is a log of."""
        return StudyDescription(
            problem=self.problem.content(),
            optimizer=plugins.name_of("optimizers", type(self.optimizer)),
            optimizer_options=chosen_options(self.optimizer, besides=("problem", "seed")),
            seed=self.optimizer.seed,
            simulator=plugins.name_of("simulators", type(self.simulator)),
            simulator_version=self.simulator.version,
            simulator_options=chosen_options(self.simulator),
            package_version=version("accel-dse"),
        )

    def _catch_up(self, trials: Sequence[Trial]) -> None:
        told = self.optimizer.trials
        if list(told) != list(trials[: len(told)]):
            raise LogError(
                f"{self.log.place}: the optimizer was told {len(told)} trials that are not the "
                "log's",
                hint="give the study a new optimizer",
            )
        self.optimizer.tell(trials[len(told) :])

    def _propose(self, n: int) -> list[Proposal]:
        """`n` proposals, valid whoever wrote the optimizer."""
        proposals = self.optimizer.propose(n)
        problem = "" if len(proposals) == n else f"asked for {n} designs, it gave {len(proposals)}"
        hint = ""
        try:
            for proposal in proposals:
                self.problem.space.check(proposal.design)
        except DesignError as error:
            problem, hint = str(error), error.hint
        if problem:
            name = plugins.name_of("optimizers", type(self.optimizer))
            raise DesignError(f"optimizer {name}: {problem}", hint=hint)
        return proposals

    def _simulate(self, proposals: Sequence[Proposal], first: int) -> list[Trial]:
        """Measures designs on every workload; they become trials from index `first` on."""
        designs = [proposal.design for proposal in proposals]
        columns = self.problem.space.columns(designs)
        started = time.time()
        outcomes = [
            self.simulator.outcomes(workload, columns) for workload, _ in self.problem.workloads
        ]
        ended = time.time()
        for outcome in outcomes:
            if len(outcome) != len(designs):
                raise SimulatorError(
                    f"{type(self.simulator).__name__} gave {len(outcome)} results for "
                    f"{len(designs)} designs"
                )
        failures: dict[int, SimulatorError] = {}
        for outcome in outcomes:
            failures = {**outcome.failures, **failures}
        alive = [i for i in range(len(designs)) if i not in failures]
        metrics = self.problem.combine([_rows(outcome.metrics, alive) for outcome in outcomes])
        if metrics.values or "" in metrics.infeasible:
            self.problem.check_metrics(metrics.values)
        results = {place: i for i, place in enumerate(alive)}
        return [
            Trial(
                index=first + i,
                design=proposal.design,
                source=proposal.source,
                started=started,
                ended=ended,
                host=socket.gethostname(),
                **(_failed(failures[i]) if i in failures else _measured(metrics, results[i])),
            )
            for i, proposal in enumerate(proposals)
        ]

    def _repr_html_(self) -> str:
        goal = self.problem.goal
        rows = {
            "space": f"{self.problem.space.name}: {self.problem.space.size:,} designs",
            "workloads": ", ".join(workload.name for workload, _ in self.problem.workloads),
            "objectives": ", ".join(map(str, goal.objectives)),
            "limits": ", ".join(map(str, goal.limits)) or "none",
            "optimizer": f"{self.optimizer!r}",
            "simulator": plugins.name_of("simulators", type(self.simulator)),
            "log": self.log.place,
        }
        cells = "".join(
            f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in rows.items()
        )
        return f"<table>{cells}</table>"


def chosen_options(plugin: object, besides: Sequence[str] = ()) -> dict[str, Any]:
    """The options that `plugin` was made with, as plain data; none if it is no dataclass.

    Those that it declares with `compare=False` cannot change what comes out, and are left out.
    """
    if not is_dataclass(plugin):
        return {}
    return {
        item.name: _plain(getattr(plugin, item.name))
        for item in fields(plugin)
        if item.init and item.compare and item.name not in besides
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return chosen_options(value)
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    if callable(value):  # its text would hold an address, another one in every run
        return f"{value.__module__}:{value.__qualname__}"
    return str(value)


def _rows(metrics: Metrics, rows: Sequence[int]) -> Metrics:
    return Metrics(
        {name: column[list(rows)] for name, column in metrics.values.items()},
        tuple(metrics.infeasible[i] for i in rows),
    )


def _failed(error: SimulatorError) -> dict[str, Any]:
    late = isinstance(error, SimulatorTimeoutError)
    reason = _text(str(error)) or type(error).__name__
    return {"outcome": Outcome.TIMED_OUT if late else Outcome.FAILED, "reason": reason}


def _measured(metrics: Metrics, i: int) -> dict[str, Any]:
    if metrics.infeasible[i]:
        return {"outcome": Outcome.INFEASIBLE, "reason": _text(metrics.infeasible[i])}
    return {"outcome": Outcome.FEASIBLE, "metrics": metrics.row(i)}


def _text(reason: str) -> str:
    """`reason` as any file can hold it: a broken simulator may print anything."""
    return reason.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
