"""What was simulated, as arrays: designs by column, metrics, and why the others cannot work."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column, Columns, rows
from accel_dse.errors import DesignError, OptionError
from accel_dse.parameters.base import Parameter
from accel_dse.problem import Goal
from accel_dse.space import DesignSpace
from accel_dse.trial import Outcome, Trial
from accel_dse.workload import Workload

Floats = NDArray[np.float64]
Texts = NDArray[Any]
"""Strings, shape `(n,)`; equal ones are mostly one object."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """`n` designs of one space, each simulated on one application.

    Attributes:
        space: where the designs are from.
        columns: the designs: parameter name -> values, `(n,)`, or `(n, k)` if structured.
        metrics: name -> values, shape `(n,)`: finite where the design works, else NaN.
        infeasible: "" where the design works, else why it does not, shape `(n,)`.
        application: name of the network that ran, shape `(n,)`.
        workloads: application -> its layers, as far as they are known.
        origin: how it was made, as plain data, for people.

    Raises:
        DesignError: on construction, if a design does not belong to the space.
        OptionError: on construction, if the rest does not fit together.
    """

    space: DesignSpace
    columns: Columns
    metrics: Mapping[str, Floats]
    infeasible: Texts
    application: Texts
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.infeasible)
        lengths = {name: len(column) for name, column in {**self.columns, **self.metrics}.items()}
        lengths["application"] = len(self.application)
        for name, length in lengths.items():
            if length != n:
                raise OptionError(f"{name}: has {length} values for {n} designs")
        for parameter in self.space.parameters:
            if parameter.name not in self.columns:
                raise DesignError(f"{parameter.name}: missing", hint=parameter.summary())
            check_values(parameter, self.columns[parameter.name])
        if n and self.space.constraints and not self.space.satisfied(self.columns).all():
            row, rule = np.argwhere(self.space.violated(self.columns))[0]
            raise DesignError(f"design {row}: breaks {self.space.constraints[rule]}")
        works = self.feasible
        for name, values in self.metrics.items():
            if (np.isfinite(values) != works).any():
                row = int(np.flatnonzero(np.isfinite(values) != works)[0])
                raise OptionError(
                    f"metric {name}: row {row} has {values[row]}, and reason "
                    f"{self.infeasible[row]!r}: it must be finite just where the design works"
                )

    def __len__(self) -> int:
        return len(self.infeasible)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Which designs work, shape `(n,)`; they may still break a limit."""
        return np.asarray(self.infeasible == "", dtype=bool)

    @property
    def applications(self) -> tuple[str, ...]:
        """The networks that ran, in order of first use."""
        return tuple(dict.fromkeys(self.application.tolist()))

    def rows(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> "Dataset":
        """Some of it."""
        return replace(
            self,
            columns=rows(self.columns, which),
            metrics=rows(self.metrics, which),
            infeasible=self.infeasible[which],
            application=self.application[which],
        )

    def of(self, *applications: str) -> "Dataset":
        """What ran on some applications.

        Raises:
            OptionError: nothing ran on one of them.
        """
        for name in applications:
            if name not in self.applications:
                known = ", ".join(self.applications) or "none"
                raise OptionError(f"no row of the log is of {name!r}", hint=f"known: {known}")
        return self.rows(np.isin(self.application.astype(str), applications))

    def accepted(self, goal: Goal) -> NDArray[np.bool_]:
        """Which designs work and keep the limits, shape `(n,)`."""
        goal.check_metrics(self.metrics)
        kept = self.feasible
        for limit in goal.limits:
            with np.errstate(invalid="ignore"):
                kept &= limit.violation(self.metrics[limit.metric]) <= 0
        return kept

    def _repr_html_(self) -> str:
        share = self.feasible.mean() if len(self) else 0.0
        return (
            f"<b>{escape(self.space.name)}</b>: {len(self):,} designs, {share:.1%} of them work; "
            f"applications: {escape(', '.join(self.applications))}; "
            f"metrics: {escape(', '.join(self.metrics))}"
        )


def check_values(parameter: Parameter, column: Column) -> None:
    """Raises DesignError if a value is not one of the parameter's; says which row."""
    if np.isinf(parameter.count):
        finite = np.isfinite(column)
        if not finite.all():
            raise parameter.stranger(column, ~finite)
        parameter.encode(column)
    elif len(column):
        parameter.field_choices(column)


def concatenate(parts: Sequence[Dataset]) -> Dataset:
    """All rows of several datasets of one space, with the metrics that all of them have.

    Raises:
        OptionError: there is none, or they are of different spaces, or disagree on a workload.
    """
    if not parts:
        raise OptionError("there is no log to learn from", hint="name one")
    first = parts[0]
    workloads: dict[str, Workload] = {}
    for part in parts:
        if part.space.content()["parameters"] != first.space.content()["parameters"]:
            raise OptionError(
                f"logs of different spaces: {first.space.name!r} and {part.space.name!r}",
                hint="parameters must be the same",
            )
        for name, workload in part.workloads.items():
            if workloads.setdefault(name, workload).fingerprint() != workload.fingerprint():
                raise OptionError(f"two networks of different layers are called {name!r}")
    shared = [m for m in first.metrics if all(m in part.metrics for part in parts)]
    return replace(
        first,
        columns=_joined([part.columns for part in parts], first.columns),
        metrics=_joined([part.metrics for part in parts], shared),
        infeasible=np.concatenate([part.infeasible for part in parts]),
        application=np.concatenate([part.application for part in parts]),
        workloads=workloads,
        origin=first.origin if len(parts) == 1 else {"parts": [dict(p.origin) for p in parts]},
    )


def _joined(tables: Sequence[Mapping[str, Any]], names: Iterable[str]) -> dict[str, Any]:
    return {name: np.concatenate([table[name] for table in tables]) for name in names}


def of_trials(
    trials: Sequence[Trial],
    space: DesignSpace,
    workloads: Mapping[str, Workload | None],
    origin: Mapping[str, Any],
) -> Dataset:
    """Trials as a dataset: one row for each trial and application.

    A trial that failed or timed out says nothing of its design and is left out. Where several
    networks ran and one of them cannot, the log has no metrics of the others: only the rows of
    those that cannot are kept.

    Args:
        trials: of one study.
        space: of their designs.
        workloads: name -> layers; None where they are not known.
        origin: how the trials were made.
    """
    told = [t for t in trials if t.outcome in (Outcome.FEASIBLE, Outcome.INFEASIBLE)]
    parts = [_of_one(told, space, name, alone=len(workloads) == 1) for name in workloads]
    known = {name: workload for name, workload in workloads.items() if workload is not None}
    joined = concatenate(parts)
    return replace(joined, workloads=known, origin=origin)


def _of_one(trials: Sequence[Trial], space: DesignSpace, name: str, *, alone: bool) -> Dataset:
    """The rows of application `name`."""
    prefix = "" if alone else f"{name}/"
    reason_of: Callable[[Trial], str | None] = (
        (lambda trial: trial.reason) if alone else lambda trial: _blame(trial, name)
    )
    found = [(trial, reason) for trial in trials if (reason := reason_of(trial)) is not None]
    names = list(
        dict.fromkeys(
            metric.removeprefix(prefix)
            for trial, _ in found
            for metric in trial.metrics
            if metric.startswith(prefix) and (prefix or "/" not in metric)
        )
    )
    values = [[t.metrics.get(prefix + m, np.nan) for m in names] for t, _ in found]
    table = np.array(values, dtype=np.float64).reshape(len(found), len(names))
    return Dataset(
        space,
        space.columns([trial.design for trial, _ in found]),
        {metric: table[:, i] for i, metric in enumerate(names)},
        texts(reason for _, reason in found),
        texts(name for _ in found),
    )


def _blame(trial: Trial, name: str) -> str | None:
    """Why `name` cannot run on the design, "" if it can; None if the log does not say."""
    if trial.feasible:
        return ""
    blamed = [part for part in trial.reason.split("; ") if part.startswith(f"{name}: ")]
    return "; ".join(part.removeprefix(f"{name}: ") for part in blamed) or None


def texts(values: Iterable[str]) -> Texts:
    """Strings as an array, shape `(n,)`."""
    listed = list(values)
    column = np.empty(len(listed), dtype=object)
    column[:] = listed
    return column
