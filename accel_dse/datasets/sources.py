"""Reading logs of related tasks, for a search that should not begin from nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from accel_dse.dataset import Dataset
from accel_dse.log_rows import StudyDescription
from accel_dse.problem import Problem
from accel_dse.source import Source, related
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog


@dataclass(frozen=True)
class Reading:
    """What logs of related tasks offer.

    Attributes:
        sources: those that something can be learned from.
        remarks: one line for each log and task, for people: what is used of it, or why nothing.
    """

    sources: tuple[Source, ...]
    remarks: tuple[str, ...]


def read_sources(problem: Problem, places: Sequence[str]) -> Reading:
    """What the logs at `places` say in the terms of `problem`.

    A log that holds nothing of use (no trial, no design that works, no such metric) is remarked
    on, and the search goes on without it. A log that cannot be what was meant is an error.

    Args:
        problem: the task at hand.
        places: paths or URLs of trial logs, paths of Parquet files (`.parquet`; each of their
            applications is a task).

    Raises:
        LogError: a trial log cannot be read, or is of a newer format.
        FileError: a Parquet file is not a dataset, or of a newer format.
        DesignError: one has no parameter in common with the problem's space.
    """
    sources: list[Source] = []
    remarks: list[str] = []
    for place in places:
        for source in _tasks(problem, place):
            if why := source.useless(problem):
                remarks.append(f"{source.place}: {why}; the search goes on without it")
            else:
                sources.append(source)
                remarks.append(source.summary(problem))
    return Reading(tuple(sources), tuple(remarks))


def _tasks(problem: Problem, place: str) -> list[Source]:
    """The tasks of one log or file."""
    if Path(place).suffix != ".parquet":
        log = TrialLog(place)
        return [related(problem, log.read(), task=_task(log.study()), place=log.place)]
    from accel_dse.datasets import parquet  # which takes long to import

    dataset = parquet.read(Path(place))
    simulator = dataset.origin.get("simulator", "")
    return [
        related(
            problem,
            _trials(dataset.of(name)),
            task=f"{dataset.space.name} x {name}" + (f" · {simulator}" if simulator else ""),
            place=place,
        )
        for name in dataset.applications
    ] or [related(problem, [], task=dataset.space.name, place=place)]


def _task(study: StudyDescription) -> str:
    """What a log is a log of, in one line."""
    content = study.problem
    networks = " + ".join(entry["name"] for entry in content["workloads"])
    goal = ", ".join([*content["objectives"], *content["limits"]])
    simulator = " ".join(filter(None, [study.simulator, study.simulator_options.get("fidelity")]))
    return f"{content['space']['name']} x {networks} · {goal} · {simulator}"


def _trials(dataset: Dataset) -> list[Trial]:
    """The rows of a dataset as trials."""
    designs = dataset.space.designs(dataset.columns)
    trials = []
    for i, (design, reason) in enumerate(zip(designs, dataset.infeasible)):
        metrics = {} if reason else {m: float(v[i]) for m, v in dataset.metrics.items()}
        outcome = Outcome.INFEASIBLE if reason else Outcome.FEASIBLE
        trials.append(
            Trial(index=i, design=design, outcome=outcome, metrics=metrics, reason=reason)
        )
    return trials
