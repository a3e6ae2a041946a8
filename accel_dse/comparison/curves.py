"""What the runs of a contest found, trial by trial, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accel_dse.comparison.contest import Contest
from accel_dse.comparison.quartiles import quartiles
from accel_dse.comparison.runs import Run
from accel_dse.errors import LogError
from accel_dse.problem import Goal
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """All runs of a contest, trial by trial.

    Attributes:
        goal: what was wanted.
        runs: which contestant and seed each row is of, `R` in all.
        budget: trials that each run was given, `T`.
        counts: trials that each run made, shape `(R,)`.
        cost: first objective of each trial, less is better; infinite where the design was not
            accepted, or was never simulated, `(R, T)`.
        infeasible: whether the design of a trial does not work, `(R, T)`.
        ask_s: seconds since the batch before it, for each design: proposing and logging, `(R, T)`;
            NaN for the first batch.
        fronts: costs of every accepted trial in all objectives, by run, `(n, objectives)` each,
            and at which trials they came, `(n,)`; empty if there is one objective.
    """

    goal: Goal
    runs: tuple[Run, ...]
    budget: int
    counts: NDArray[np.int64]
    cost: Floats
    infeasible: NDArray[np.bool_]
    ask_s: Floats
    fronts: tuple[tuple[Floats, NDArray[np.int64]], ...] = ()

    @cached_property
    def best(self) -> Floats:
        """Least cost so far, `(R, T)`; infinite before the first accepted trial."""
        return np.minimum.accumulate(self.cost, axis=1)

    @cached_property
    def labels(self) -> list[str]:
        """The contestants, in the order of the contest."""
        return list(dict.fromkeys(run.contestant.label for run in self.runs))

    def of(self, label: str) -> NDArray[np.int64]:
        """The rows of one contestant, by seed."""
        rows = [i for i, run in enumerate(self.runs) if run.contestant.label == label]
        return np.array(sorted(rows, key=lambda i: self.runs[i].seed))

    def quartiles(self, label: str) -> Floats:
        """The best value so far over a contestant's seeds, shape `(3, trials)`: better first.

        In the unit of the first objective; NaN as long as that quartile of the seeds has no
        accepted design.
        """
        found = quartiles(self.best[self.of(label)])
        known = np.where(np.isfinite(found), found, np.nan)
        return np.asarray(self.goal.objectives[0].cost(known))  # turns a cost back, too

    def only(self, labels: Sequence[str]) -> "Curves":
        """The runs of some contestants alone."""
        rows = [i for i, run in enumerate(self.runs) if run.contestant.label in labels]
        return replace(
            self,
            runs=tuple(self.runs[i] for i in rows),
            counts=self.counts[rows],
            cost=self.cost[rows],
            infeasible=self.infeasible[rows],
            ask_s=self.ask_s[rows],
            fronts=tuple(self.fronts[i] for i in rows) if self.fronts else (),
        )

    def write(self, path: Path) -> None:
        """Writes a Parquet table: contestant, seed, trial, cost, best so far, infeasible, ask_s."""
        import pyarrow as pa
        from pyarrow import parquet

        rows, trials = np.nonzero(np.arange(self.budget) < self.counts[:, None])
        labels = np.array([run.contestant.label for run in self.runs])
        seeds = np.array([run.seed for run in self.runs])
        table = pa.table(
            {
                "contestant": pa.array(labels[rows]).dictionary_encode(),
                "seed": seeds[rows],
                "trial": trials,
                "cost": self.cost[rows, trials],
                "best": self.best[rows, trials],
                "infeasible": self.infeasible[rows, trials],
                "ask_s": self.ask_s[rows, trials],
            }
        )
        parquet.write_table(table, path, compression="zstd")


def read_curves(contest: Contest, runs: Sequence[Run], goal: Goal) -> Curves:
    """The curves of `runs`, from their logs."""
    shape = (len(runs), contest.trials)
    cost, ask_s = np.full(shape, np.inf), np.full(shape, np.nan)
    infeasible = np.zeros(shape, dtype=bool)
    counts = np.zeros(len(runs), dtype=np.int64)
    fronts = []
    for row, run in enumerate(runs):
        trials = _trials(run.log)[: contest.trials]
        counts[row] = len(trials)
        accepted = [i for i, trial in enumerate(trials) if goal.accepts(trial)]
        costs = np.array([goal.costs(trials[i].metrics) for i in accepted])
        costs = costs.reshape(len(accepted), len(goal.objectives))
        cost[row, accepted] = costs[:, 0]
        infeasible[row, : len(trials)] = [t.outcome is Outcome.INFEASIBLE for t in trials]
        ask_s[row, : len(trials)] = _waits(trials)
        if len(goal.objectives) > 1:
            fronts.append((costs, np.array(accepted, dtype=np.int64)))
    return Curves(
        goal=goal,
        runs=tuple(runs),
        budget=contest.trials,
        counts=counts,
        cost=cost,
        infeasible=infeasible,
        ask_s=ask_s,
        fronts=tuple(fronts),
    )


def _trials(log: Path) -> Sequence[Trial]:
    if not log.exists():
        return []
    try:
        return TrialLog(str(log)).read()
    except LogError:  # a run that ended before its study began
        return []


def _waits(trials: Sequence[Trial]) -> Floats:
    """For each trial, the seconds since the batch before, divided by the designs of its own."""
    started = np.array([trial.started for trial in trials])
    ended = np.array([trial.ended for trial in trials])
    batch = np.cumsum(np.diff(started, prepend=started[:1]) > 0)
    waits = np.full(len(trials), np.nan)
    for number in range(1, int(batch[-1]) + 1 if len(batch) else 0):
        members = np.flatnonzero(batch == number)
        gap = started[members[0]] - ended[members[0] - 1]
        waits[members] = max(gap, 0.0) / len(members)
    return waits
