"""Trials as columns that a page can read: numbers packed as bytes, repeated values as a table."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.problem import Goal
from accel_dse.readable import plain
from accel_dse.report.summary import column, kind_of
from accel_dse.trial import Outcome, Trial
from accel_dse.trials import Trials

STATES = ("accepted", "beyond a limit", "infeasible", "failed", "timed out")
"""What becomes of a trial, by number."""

MOST_VALUES = 1 << 16
"""Different values that a column's table holds; of the rest it says only that they are others."""

OTHERS = "(another value)"


def packed(runs: Sequence[tuple[int, Sequence[Trial]]], goal: Goal) -> dict[str, Any]:
    """Trials of several runs as plain data, in the order given.

    Args:
        runs: number of a run, and trials of it.
        goal: tells which are accepted.
    """
    trials = [trial for _, part in runs for trial in part]
    run = np.repeat([number for number, _ in runs], [len(part) for _, part in runs])
    return {
        "count": len(trials),
        "run": numbers(run.astype(np.uint16)),
        "index": numbers(np.array([trial.index for trial in trials], np.uint32)),
        "state": numbers(states(trials, goal)),
        "reason": coded([_reason(trial) for trial in trials]),
        "parameters": {
            name: values([trial.design.get(name) for trial in trials])
            for name in _names([trial.design for trial in trials])
        },
        "metrics": {
            name: numbers(column(trials, name).astype(np.float32)) for name in metric_names(trials)
        },
    }


def states(trials: Sequence[Trial], goal: Goal) -> NDArray[np.uint8]:
    """The place in `STATES` of each trial, `(n,)`."""
    number = {Outcome.FEASIBLE: 0, Outcome.INFEASIBLE: 2, Outcome.FAILED: 3, Outcome.TIMED_OUT: 4}
    outcomes = (
        trials.outcomes() if isinstance(trials, Trials) else [trial.outcome for trial in trials]
    )
    found = np.array([number[outcome] for outcome in outcomes], np.uint8)
    for limit in goal.limits:
        found[limit.violation(column(trials, limit.metric)) > 0] = 1
    return found


def metric_names(trials: Sequence[Trial]) -> list[str]:
    """All metrics that some trial has, in order of first appearance."""
    return _names([trial.metrics for trial in trials])


def numbers(array: NDArray[Any]) -> dict[str, Any]:
    """An array as its type and its bytes, little-endian, in base 64."""
    raw = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return {"type": array.dtype.name, "bytes": b64encode(raw).decode()}


def values(column: Sequence[Any]) -> dict[str, Any]:
    """A parameter's column: a table of numbers or of texts, and places in it."""
    if not all(type(value) in (int, float) for value in column):
        return coded(["" if value is None else plain(value) for value in column])
    if len(set(column)) > MOST_VALUES:
        return numbers(np.array(column, np.float32))
    return coded(column)


def coded(column: Sequence[Any]) -> dict[str, Any]:
    """Any column as a table of its distinct values, and places in it."""
    table = dict.fromkeys(column)
    if len(table) > MOST_VALUES:
        known = dict.fromkeys(list(table)[: MOST_VALUES - 1])
        column = [value if value in known else OTHERS for value in column]
        table = {**known, OTHERS: None}
    place = {value: number for number, value in enumerate(table)}
    width = np.uint8 if len(table) <= 1 << 8 else np.uint16
    return {"table": list(table), **numbers(np.array([place[v] for v in column], width))}


def _reason(trial: Trial) -> str:
    return kind_of(trial.reason.partition("; ")[0]) if trial.reason else ""


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All keys of `rows`, in order of first appearance; equal rows are looked at once."""
    return list(dict.fromkeys(name for keys in dict.fromkeys(map(tuple, rows)) for name in keys))
