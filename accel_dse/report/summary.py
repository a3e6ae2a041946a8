"""What a log says: the best designs, what limits them, and why the others do not work."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.problem import Goal, Limit
from accel_dse.trial import Outcome, Trial
from accel_dse.trials import Trials

SHOWN = 5
"""Best designs that a summary holds."""


@dataclass(frozen=True, kw_only=True)
class LimitUse:
    """What one limit does to the trials of a study.

    Attributes:
        limit: which.
        value: of the limit's metric in the best accepted trial; None if there is none.
        beyond: feasible trials that break it.
        alone: feasible trials that break it and no other.
        without: the best trial if only this limit were lifted; None if it is no better.
    """

    limit: Limit
    value: float | None
    beyond: int
    alone: int
    without: Trial | None

    @property
    def binds(self) -> bool:
        """Whether it keeps out a design better than the best accepted one."""
        return self.without is not None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a log says.

    Attributes:
        goal: what was wanted.
        trials: how many there are.
        outcomes: how many ended how.
        accepted: how many work and keep every limit.
        best: the accepted designs of least first objective, best first. Of those that measure the
            same, which differ in what does not matter, only the first.
        nearest: where nothing is accepted, the feasible trials nearest to the limits.
        front: with several objectives, the accepted trials that no other beats.
        limits: what each limit does.
        reasons: kind of reason -> infeasible trials with it, most frequent first.
        failures: kind of failure -> failed and timed-out trials with it.
        best_so_far: the first objective of the best accepted trial after each trial, shape
            `(trials,)`; NaN before the first.
    """

    goal: Goal
    trials: int
    outcomes: Mapping[Outcome, int]
    accepted: int
    best: tuple[Trial, ...]
    nearest: tuple[Trial, ...]
    front: tuple[Trial, ...]
    limits: tuple[LimitUse, ...]
    reasons: Mapping[str, int]
    failures: Mapping[str, int]
    best_so_far: NDArray[np.float64]

    def content(self) -> dict[str, Any]:
        """The summary as plain data."""
        best = self.best[0] if self.best else None
        return {
            "trials": self.trials,
            "feasible": self.outcomes[Outcome.FEASIBLE],
            "accepted": self.accepted,
            "outcomes": {outcome.value: count for outcome, count in self.outcomes.items()},
            **self.goal.content(),
            "best": _content(best),
            "top": [_content(trial) for trial in self.best],
            "nearest": [_content(trial) for trial in self.nearest],
            "pareto": [_content(trial) for trial in self.front],
            "limits": [
                {
                    "limit": str(use.limit),
                    "value": use.value,
                    "beyond": use.beyond,
                    "alone": use.alone,
                    "binds": use.binds,
                    "without": _content(use.without),
                }
                for use in self.limits
            ],
            "reasons": dict(self.reasons),
            "failures": dict(self.failures),
            "best_so_far": {str(n): value for n, value in self.milestones()},
        }

    def milestones(self) -> list[tuple[int, float | None]]:
        """(trials, best so far) at 1, 2, 5, 10, 20, ... and at the end; None if none yet."""
        marks = [m * 10**k for k in range(8) for m in (1, 2, 5)]
        places = [n for n in marks if n < self.trials] + [self.trials] * bool(self.trials)
        values = [float(self.best_so_far[n - 1]) for n in places]
        return [(n, None if np.isnan(value) else value) for n, value in zip(places, values)]


def summarize(trials: Sequence[Trial], goal: Goal) -> Summary:
    """What `trials` say about `goal`; it need not be the one they were simulated for."""
    trials = trials if isinstance(trials, Trials) else Trials(trials)
    outcomes = trials.outcomes()
    places = [place for place, outcome in enumerate(outcomes) if outcome is Outcome.FEASIBLE]
    feasible = trials.at(places)
    beyond = np.zeros((len(feasible), len(goal.limits)), dtype=bool)
    for k, limit in enumerate(goal.limits):
        beyond[:, k] = limit.violation(column(feasible, limit.metric)) > 0
    costs = goal.objectives[0].cost(column(feasible, goal.objectives[0].metric))
    inside = np.flatnonzero(~beyond.any(axis=1))
    order = inside[np.lexsort((inside, costs[inside]))]
    best = _distinct(feasible[i] for i in order)
    excess = [] if best else [goal.excess(trial.metrics) for trial in feasible]
    nearest = (feasible[i] for i in np.argsort(excess, kind="stable"))
    counts = Counter(outcomes)
    return Summary(
        goal=goal,
        trials=len(trials),
        outcomes={outcome: counts[outcome] for outcome in Outcome},
        accepted=len(inside),
        best=best,
        nearest=_distinct(nearest),
        front=tuple(goal.pareto(trials)) if len(goal.objectives) > 1 else (),
        limits=tuple(
            _use(goal, k, feasible, beyond, costs, best[0] if best else None)
            for k in range(len(goal.limits))
        ),
        reasons=_histogram(trials, (Outcome.INFEASIBLE,)),
        failures=_histogram(trials, (Outcome.FAILED, Outcome.TIMED_OUT)),
        best_so_far=_best_so_far(len(trials), goal, np.array(places, int)[inside], costs[inside]),
    )


def _use(
    goal: Goal,
    k: int,
    feasible: Sequence[Trial],
    beyond: NDArray[np.bool_],
    costs: NDArray[np.float64],
    best: Trial | None,
) -> LimitUse:
    limit = goal.limits[k]
    alone = np.flatnonzero(beyond[:, k] & (beyond.sum(axis=1) == 1))
    rival = feasible[alone[np.argmin(costs[alone])]] if len(alone) else None
    if rival and best and goal.costs(rival.metrics)[0] >= goal.costs(best.metrics)[0]:
        rival = None
    return LimitUse(
        limit=limit,
        value=best.metrics[limit.metric] if best else None,
        beyond=int(beyond[:, k].sum()),
        alone=len(alone),
        without=rival,
    )


def column(trials: Sequence[Trial], metric: str) -> NDArray[np.float64]:
    """One metric of all trials, NaN where there is none, shape `(n,)`."""
    if isinstance(trials, Trials):
        return trials.metric(metric)
    nan = float("nan")
    return np.array([trial.metrics.get(metric, nan) for trial in trials], np.float64)


def kind_of(reason: str) -> str:
    """`reason` without what differs from design to design: where it happened, and numbers."""
    return re.sub(r"\d[\d,._]*(e[+-]?\d+)?", "…", reason.rpartition(": ")[2])


def _histogram(trials: Trials, outcomes: Sequence[Outcome]) -> dict[str, int]:
    pairs = zip(trials.outcomes(), trials.reasons())
    counts: Counter[str] = Counter()
    for reason, count in Counter(reason for became, reason in pairs if became in outcomes).items():
        for kind in {kind_of(part) for part in reason.split("; ")}:
            counts[kind] += count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _distinct(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """The first `SHOWN` of `trials` with different metrics."""
    found: list[Trial] = []
    for trial in trials:
        if len(found) == SHOWN:
            break
        if all(trial.metrics != other.metrics for other in found):
            found.append(trial)
    return tuple(found)


def _best_so_far(
    n: int, goal: Goal, places: NDArray[np.int64], costs: NDArray[np.float64]
) -> NDArray[np.float64]:
    least = np.full(n, np.inf)
    least[places] = costs
    least = np.minimum.accumulate(least)
    return np.where(np.isinf(least), np.nan, goal.objectives[0].cost(least))


def _content(trial: Trial | None) -> dict[str, Any] | None:
    if trial is None:
        return None
    return {"trial": trial.index, "design": dict(trial.design), "metrics": dict(trial.metrics)}
