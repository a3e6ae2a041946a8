"""What a page says in numbers: best designs, limits, reasons, convergence, outcomes over time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.problem import Goal
from accel_dse.report.runs import Run, labels
from accel_dse.report.summary import Summary, column, summarize
from accel_dse.report.trial_columns import STATES, states
from accel_dse.trial import Trial
from accel_dse.trials import Trials

Floats = NDArray[np.float64]
States = NDArray[np.uint8]
"""What became of each trial of a run: places in `STATES`."""

MOST_FRONT = 200
"""Designs of a Pareto front that are listed."""

WINDOWS = 40
"""Parts in which a run's outcomes are counted."""

MARKS = 120
"""Trial counts at which runs are compared."""


def digest(runs: Sequence[Run]) -> dict[str, Any]:
    """All of it, as plain data; `runs` are of one problem."""
    goal = runs[0].goal
    trials = Trials()
    for run in runs:
        trials.extend(run.trials)
    state = [states(run.trials, goal) for run in runs]
    summary = summarize(trials, goal)

    def told(trial: Trial | None) -> dict[str, Any] | None:
        return None if trial is None else {"run": _home(trial, runs), **_content(trial)}

    return {
        "trials": summary.trials,
        "states": np.bincount(np.concatenate(state), minlength=len(STATES)).tolist(),
        "best": [told(trial) for trial in summary.best],
        "nearest": [told(trial) for trial in summary.nearest],
        "front_size": len(summary.front),
        "front": [told(trial) for trial in _spread(summary.front)],
        "limits": _limits(summary, told),
        "reasons": list(summary.reasons.items()),
        "failures": list(summary.failures.items()),
        "convergence": convergence(runs, state),
        "over_time": over_time(state),
    }


def _home(trial: Trial, runs: Sequence[Run]) -> int:
    """The first run in which `trial` is."""
    return next(
        i for i, run in enumerate(runs) if run.trials[trial.index : trial.index + 1] == [trial]
    )


def _limits(summary: Summary, told: Any) -> list[dict[str, Any]]:
    return [
        {
            "limit": str(use.limit),
            "metric": use.limit.metric,
            "bound": use.limit.bound,
            "value": use.value,
            "beyond": use.beyond,
            "alone": use.alone,
            "binds": use.binds,
            "without": told(use.without),
        }
        for use in summary.limits
    ]


def convergence(runs: Sequence[Run], state: Sequence[States]) -> dict[str, Any]:
    """The best value of each run after each trial, and over the seeds of a label.

    A band spans the quartiles of the seeds at trial counts that all of them reached; where a seed
    has no accepted design yet it counts as worse than all others.
    """
    goal = runs[0].goal
    objective = goal.objectives[0]
    named = labels(runs)
    least = []
    for run, became in zip(runs, state):
        cost = objective.cost(column(run.trials, objective.metric))
        cost = np.where(became == 0, cost, np.inf)
        least.append(np.minimum.accumulate(cost) if len(cost) else cost)
    lines = []
    for label, run, best in zip(named, runs, least):
        change = np.flatnonzero(best < np.append(np.inf, best[:-1]))
        at = np.append(change, len(best) - 1) if len(change) else change
        lines.append(
            {
                "label": label,
                "seed": run.study.seed,
                "at": (at + 1).tolist(),
                "best": np.asarray(objective.cost(best[at])).tolist(),
            }
        )
    bands = []
    for label in dict.fromkeys(named):
        group = [best for name, best in zip(named, least) if name == label]
        if len(group) > 1 and (reached := min(map(len, group))):
            bands.append({"label": label, **_band(np.stack([b[:reached] for b in group]), goal)})
    return {"metric": objective.metric, "lines": lines, "bands": bands}


def _band(best: Floats, goal: Goal) -> dict[str, Any]:
    """Median and quartiles of `(seeds, trials)`, at some trial counts; null where infinite."""
    at = np.unique(np.geomspace(1, best.shape[1], MARKS).astype(int)) - 1
    quartiles = np.quantile(best[:, at], (0.25, 0.5, 0.75), axis=0, method="nearest")
    shown = [
        [float(goal.objectives[0].cost(v)) if np.isfinite(v) else None for v in row]
        for row in quartiles
    ]
    return {"seeds": len(best), "at": (at + 1).tolist(), **dict(zip(("low", "mid", "high"), shown))}


def over_time(state: Sequence[States]) -> dict[str, Any]:
    """Shares of the outcomes in windows of trials, over all runs."""
    longest = max(map(len, state))
    edges = np.unique(np.linspace(0, longest, min(WINDOWS, longest) + 1).astype(int))
    counts = np.zeros((len(STATES), max(len(edges) - 1, 0)))
    for became in state:
        window = np.searchsorted(edges, np.arange(len(became)), side="right") - 1
        np.add.at(counts, (became, window), 1)
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    return {"edges": edges.tolist(), "shares": np.round(shares, 4).tolist()}


def _spread(front: Sequence[Trial]) -> Sequence[Trial]:
    if len(front) <= MOST_FRONT:
        return front
    return [front[i] for i in np.linspace(0, len(front) - 1, MOST_FRONT).astype(int)]


def _content(trial: Trial) -> Mapping[str, Any]:
    return {"trial": trial.index, "design": dict(trial.design), "metrics": dict(trial.metrics)}
