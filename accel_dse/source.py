"""What a related task taught, in the terms of the task at hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column, Columns, rows
from accel_dse.errors import DesignError
from accel_dse.parameters.base import Parameter, plain_number
from accel_dse.parameters.grid import Grid
from accel_dse.problem import Problem
from accel_dse.space import DesignSpace
from accel_dse.trial import Outcome, Trial

Floats = NDArray[np.float64]

MOST_TRIALS = 4_000
"""Trials of one source that are kept: of more, the best half of that and others evenly spread."""


@dataclass(frozen=True)
class Source:
    """Trials of a related task: another limit, another network, another fidelity, another space.

    Its designs are told in the parameters that both spaces share, by name, and in values of the
    problem at hand; what cannot be told so is left out. Its metrics are as they were measured, so
    that they can be judged under other limits.

    Attributes:
        task: what it was, for people.
        fingerprint: SHA-256 of all that follows and may change a search.
        place: where it was read; not compared.
        space: the shared part of the problem's space; not compared.
        columns: `n` designs by column, in the parameters of `space`; not compared.
        works: which of them work, `(n,)`; not compared.
        metrics: name -> values, `(n,)`, NaN where the design does not work; not compared.
        remarks: what is not used of it, and why; not compared.
    """

    task: str
    fingerprint: str
    place: str = field(compare=False)
    space: DesignSpace = field(compare=False, repr=False)
    columns: Columns = field(compare=False, repr=False)
    works: NDArray[np.bool_] = field(compare=False, repr=False)
    metrics: Mapping[str, Floats] = field(compare=False, repr=False)
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.works)

    def useless(self, problem: Problem) -> str:
        """Why nothing can be learned from it for `problem`; "" if something can."""
        if not len(self):
            return "; ".join(["it holds no finished trial of use here", *self.remarks])
        if not self.works.any():
            return f"none of its {len(self):,} designs works"
        for objective in problem.objectives:
            if objective.metric not in self.metrics:
                known = ", ".join(self.metrics)
                return f"it has no metric {objective.metric!r}, only {known}"
        return ""

    def excess(self, problem: Problem) -> Floats:
        """How far each design is beyond the problem's limits, as shares of their bounds, `(n,)`.

        0 where it keeps those whose metrics were measured; infinite where it does not work.
        """
        total = np.where(self.works, 0.0, np.inf)
        for limit in problem.limits:
            if limit.metric in self.metrics:
                beyond = limit.violation(self.metrics[limit.metric]) / (abs(limit.bound) or 1.0)
                total = total + np.where(self.works, np.maximum(beyond, 0.0), 0.0)
        return np.asarray(total)

    def costs(self, problem: Problem) -> Floats:
        """The problem's objectives, less is better, `(n, objectives)`; NaN where nothing works."""
        return np.column_stack([o.cost(self.metrics[o.metric]) for o in problem.objectives])

    def summary(self, problem: Problem) -> str:
        """What it offers, in one line."""
        accepted = int((self.excess(problem) == 0).sum())
        offers = f"{len(self):,} trials of {self.task}; {accepted:,} would be accepted here"
        return f"{self.place}: {'; '.join([offers, *self.remarks])}"


def related(problem: Problem, trials: Sequence[Trial], *, task: str, place: str = "") -> Source:
    """What `trials` of another task say in the terms of `problem`.

    Args:
        problem: the task at hand.
        trials: of the other one; those that failed or timed out say nothing.
        task: what the other one was, for people.
        place: where the trials are from.

    Raises:
        DesignError: its designs have no parameter in common with the problem's space.
    """
    told = [t for t in trials if t.outcome in (Outcome.FEASIBLE, Outcome.INFEASIBLE)]
    words = _Words(problem.space, told)
    if told and not words.tables:
        raise DesignError(
            f"{place or task}: shares no parameter with space {problem.space.name!r}",
            hint=f"it has {', '.join(told[0].design)}; here: {', '.join(problem.space.names)}",
        )
    space = _part(problem.space, list(words.tables)) if words.tables else problem.space
    columns, kept = words.columns(told, space)
    valid = space.satisfied(columns) if len(kept) else np.zeros(0, dtype=bool)
    told, columns = [told[i] for i in kept[valid]], rows(columns, valid)
    remarks = [*words.remarks, *_left_out(words.count - len(told), words.count)]
    works = np.array([trial.feasible for trial in told], dtype=bool)
    metrics = _measured(told)
    remarks += [
        f"no metric {limit.metric}, so {limit} is not judged"
        for limit in problem.limits
        if works.any() and limit.metric not in metrics
    ]
    source = Source(task, "", place, space, columns, works, metrics, tuple(remarks))
    return _signed(source) if source.useless(problem) else _signed(_bounded(source, problem))


class _Words:
    """How the values of some designs are told in a space.

    Attributes:
        tables: shared parameter -> value there -> value here.
        remarks: what differs.
        count: how many designs there are.
    """

    def __init__(self, space: DesignSpace, trials: Sequence[Trial]) -> None:
        self.tables: dict[str, dict[Any, Any]] = {}
        self.remarks: list[str] = []
        self.count = len(trials)
        there = trials[0].design if trials else {}
        for parameter in space.parameters:
            shared = trials if parameter.name in there else ()
            values = dict.fromkeys(trial.design[parameter.name] for trial in shared)
            table = {value: _nearest(parameter, value) for value in values}
            table = {value: here for value, here in table.items() if here is not None}
            if table:
                self.tables[parameter.name] = table
            moved = sum(value != here for value, here in table.items())
            if moved:
                self.remarks.append(f"{moved} values of {parameter.name} become the nearest here")
        missing = [name for name in space.names if name not in self.tables]
        extra = [name for name in there if name not in self.tables]
        if self.tables and (missing or extra):
            said = f"shares {len(self.tables)} of {len(space.names)} parameters"
            said += f", not {', '.join(missing)}" if missing else ""
            self.remarks.append(said + (f"; ignores its {', '.join(extra)}" if extra else ""))

    def columns(
        self, trials: Sequence[Trial], space: DesignSpace
    ) -> tuple[dict[str, Column], NDArray[np.int64]]:
        """Designs in the words of `space`, and which of `trials` can be told so."""
        known = [
            i
            for i, trial in enumerate(trials)
            if all(trial.design[name] in table for name, table in self.tables.items())
        ]
        designs = [
            {name: table[trials[i].design[name]] for name, table in self.tables.items()}
            for i in known
        ]
        return space.columns(designs), np.array(known, dtype=np.int64)


def _nearest(parameter: Parameter, value: Any) -> Any:
    """`value` as the parameter's own, or of numbers the nearest within its range; None if none."""
    try:
        return parameter.canonical(value)
    except DesignError:
        number = plain_number(value)
    if number is None or not isinstance(parameter, Grid):
        return None
    grid = parameter.grid.astype(np.float64)
    if not grid.min() <= number <= grid.max():
        return None
    logs = parameter.scale == "log"
    apart = np.abs(np.log(grid / number) if logs else grid - number)
    return parameter.plain(parameter.grid[[int(np.argmin(apart))]])[0]


def _part(space: DesignSpace, names: Sequence[str]) -> DesignSpace:
    """The part of a space that some of its parameters span."""
    if len(names) == len(space.names):
        return space
    return DesignSpace(
        space.name,
        tuple(p for p in space.parameters if p.name in names),
        tuple(c for c in space.constraints if set(c.rule.names) <= set(names)),
        {name: f for name, f in space.features.items() if set(f.names) <= set(names)},
    )


def _left_out(lost: int, count: int) -> list[str]:
    if not lost:
        return []
    return [f"{lost:,} of {count:,} designs cannot be told in the values and constraints here"]


def _measured(trials: Sequence[Trial]) -> dict[str, Floats]:
    """The metrics that all working designs have."""
    working = [trial for trial in trials if trial.feasible]
    first = working[0].metrics if working else ()
    names = [name for name in first if all(name in trial.metrics for trial in working)]
    return {
        name: np.array([trial.metrics.get(name, np.nan) for trial in trials], dtype=np.float64)
        for name in names
    }


def _bounded(source: Source, problem: Problem) -> Source:
    """The source with at most `MOST_TRIALS`."""
    if len(source) <= MOST_TRIALS:
        return source
    cost = np.where(source.works, source.costs(problem)[:, 0], np.inf)
    order = np.lexsort((np.arange(len(source)), cost, source.excess(problem)))
    best, rest = order[: MOST_TRIALS // 2], np.sort(order[MOST_TRIALS // 2 :])
    spread = rest[np.linspace(0, len(rest) - 1, MOST_TRIALS - len(best)).astype(np.int64)]
    which = np.sort(np.concatenate([best, spread]))
    return replace(
        source,
        columns=rows(source.columns, which),
        works=source.works[which],
        metrics=rows(source.metrics, which),
        remarks=(*source.remarks, f"{MOST_TRIALS:,} of {len(source):,} designs are used"),
    )


def _signed(source: Source) -> Source:
    """The source with its fingerprint."""
    digest = sha256(json.dumps(source.task).encode())
    for name, column in source.columns.items():
        digest.update(json.dumps([name, column.tolist()]).encode())
    digest.update(source.works.tobytes())
    for name in sorted(source.metrics):
        digest.update(name.encode() + np.ascontiguousarray(source.metrics[name]).tobytes())
    return replace(source, fingerprint=digest.hexdigest())
