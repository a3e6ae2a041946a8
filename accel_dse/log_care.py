"""What is done with whole logs: brought together, and brought back."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accel_dse.errors import LogError
from accel_dse.log_carving import carved_rows
from accel_dse.log_database import sqlite_path
from accel_dse.log_rows import StudyDescription, study_of, trials_of
from accel_dse.log_tables import STUDY, TRIAL
from accel_dse.trial import Trial
from accel_dse.trial_log import TrialLog

MERGED = "merged"
"""The optimizer of a log that was merged; no optimizer has this name, so none goes on with it."""

CHUNK = 10_000
"""Trials written in one transaction."""


@dataclass(frozen=True)
class Repair:
    """What came of a repair.

    Attributes:
        study: what the log is of.
        kept: trials that are as they were written, in order; renumbered without gaps.
        lost: indices of trials that were altered or are missing; some after the last one kept may
            be missing, too, of which nothing is left to tell.
    """

    study: StudyDescription
    kept: list[Trial]
    lost: list[int]


def recovered(place: str, like: StudyDescription | None = None) -> Repair:
    """All trials of the file at `place` that are as they were written, however damaged it is.

    Args:
        place: a log with one study.
        like: what it is a log of, where that is damaged itself.

    Raises:
        LogError: it cannot be read, or what it is a log of is lost.
    """
    path = sqlite_path(place)
    if path is None or not path.is_file():
        raise LogError(f"{place}: there is no such file")
    try:
        rows = list(carved_rows(path))
    except OSError as error:
        raise LogError(f"{place}: {error}") from error
    study = next(_studies(rows), None) or like
    if study is None:
        raise LogError(
            f"{place}: what it is a log of is lost",
            hint="make it again: the same `optimize` with --workers 0 and a new --log; "
            "then name that one: --like LOG",
        )
    found = {trial.index: trial for trial in _trials(rows)}
    kept = [replace(found[index], index=i) for i, index in enumerate(sorted(found))]
    lost = sorted(set(range(max(found, default=-1) + 1)) - found.keys())
    return Repair(study, kept, lost)


def _studies(rows: Sequence[tuple[int, list[Any]]]) -> Iterator[StudyDescription]:
    names = [column.name for column in STUDY.columns]
    for row_id, values in rows:
        if len(values) == len(names):
            try:
                yield study_of({**dict(zip(names, values)), "id": row_id})
            except (ValueError, TypeError, KeyError, AttributeError):  # of another table
                continue


def _trials(rows: Sequence[tuple[int, list[Any]]]) -> Iterator[Trial]:
    names = [column.name for column in TRIAL.columns]
    for _, values in rows:
        if len(values) in (len(names), len(names) - 1):  # older forms lack the last
            row = {"source": "", **dict(zip(names, values))}
            for time in ("started", "ended"):  # whole numbers are stored as such
                row[time] = float(row[time]) if isinstance(row[time], int) else row[time]
            order = ("idx", "design", "outcome", "metrics", "reason", "started", "ended", "host",
                     "source", "sha256")  # fmt: skip
            try:
                yield from trials_of([[row[name] for name in order]])
            except (ValueError, TypeError, LogError):
                continue


def merged(logs: Sequence[TrialLog]) -> tuple[StudyDescription, list[Trial]]:
    """The trials of several logs of one problem and simulator, one after another.

    The same trial in two of them, as in a copy of a log, is taken once. Each trial's source is the
    optimizer that proposed it, where it had none.

    Raises:
        LogError: they are of different problems or simulators, or cannot be read.
    """
    studies = [log.study() for log in logs]
    first = studies[0]
    trials: list[Trial] = []
    seen: set[str] = set()
    for log, study in zip(logs, studies):
        alike = replace(
            study,
            optimizer=first.optimizer,
            optimizer_options=first.optimizer_options,
            seed=first.seed,
        )
        if differences := first.differences(alike):
            raise LogError(
                f"{log.place}: is of another problem than {logs[0].place}: {differences[0]}"
            )
        for trial in log.read():
            identity = json.dumps(
                [dict(trial.design), trial.outcome, trial.started, trial.ended, trial.host]
            )
            if identity not in seen:
                seen.add(identity)
                source = trial.source or f"{study.optimizer}:{study.seed}"
                trials.append(replace(trial, index=len(trials), source=source))
    about = replace(
        first,
        optimizer=MERGED,
        optimizer_options={"logs": [f"{s.optimizer}:{s.seed}" for s in studies]},
        seed=0,
    )
    return about, trials


def written(place: str, study: StudyDescription, trials: Sequence[Trial]) -> None:
    """Makes a new log that holds `trials`.

    Raises:
        LogError: there is something at `place`, or it cannot be written.
    """
    path = sqlite_path(place)
    if path is not None and path.exists():
        raise LogError(f"{place}: exists already", hint="name another, or move it away")
    log = TrialLog(place)
    log.create_or_check(study)
    for start in range(0, len(trials), CHUNK):
        log.append(trials[start : start + CHUNK])
    log.close()


def size_bytes(place: str) -> int | None:
    """Of the file and its journal; None of another database."""
    path = sqlite_path(place)
    if path is None:
        return None
    journal = path.with_name(f"{path.name}-wal")
    return sum(file.stat().st_size for file in (path, journal) if file.exists())
