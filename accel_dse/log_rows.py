"""What the rows of a log mean: the description of a study, and its trials."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

from accel_dse.errors import LogError
from accel_dse.log_tables import SCHEMA_VERSION
from accel_dse.trial import Design, Outcome, Trial

AS_JSON = ("problem", "optimizer_options", "simulator_options")
"""Attributes of a description that its row holds as JSON."""

TRIAL_ROW = ("idx", "design", "outcome", "metrics", "reason", "started", "ended", "host", "source")
"""What the hash of a trial's row covers, in this order."""

TICKET_ROW = ("number", "ask", "known", "design", "source")
"""What the hash of a ticket's row covers, in this order."""


@dataclass(frozen=True, kw_only=True)
class StudyDescription:
    """What a log is a log of, in words that JSON can hold.

    Attributes:
        problem: space, workloads, objectives and limits.
        optimizer: its name.
        optimizer_options: its options, seed excepted.
        seed: of the optimizer.
        simulator: its name.
        simulator_version: raised when the same design may get other metrics.
        simulator_options: its options.
        package_version: of this package; not compared.
        created: when the study began, seconds since the epoch; not compared.
    """

    problem: Mapping[str, Any]
    optimizer: str
    optimizer_options: Mapping[str, Any]
    seed: int
    simulator: str
    simulator_version: str
    simulator_options: Mapping[str, Any]
    package_version: str = ""
    created: float = 0.0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the problem."""
        return sha256(_dump(self.problem).encode()).hexdigest()

    def differences(self, other: "StudyDescription") -> list[str]:
        """What separates two studies, one line each; empty if trials of one continue the other."""
        ours, theirs = (json.loads(_dump(asdict(which))) for which in (self, other))
        for bookkeeping in ("package_version", "created"):
            del ours[bookkeeping], theirs[bookkeeping]
        for kind in ("optimizer", "simulator"):
            if ours[kind] != theirs[kind]:  # then their options say nothing more
                del ours[f"{kind}_options"], theirs[f"{kind}_options"]
        return list(_differences(ours, theirs, ""))


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A design that was proposed, on record before it is simulated.

    The tickets of a log tell what its optimizer knew at each proposal, so that all of them can be
    made again: the first `known` trials, and as pending the tickets of earlier asks whose trials
    are not among those.

    Attributes:
        number: its place among all tickets of the study, from 0.
        ask: number of the first ticket that was proposed together with it.
        known: how many trials the optimizer had been told.
        design: to be simulated.
        source: which part of the optimizer proposed it.
        trial: index of its trial; None until it is done.
    """

    number: int
    ask: int
    known: int
    design: Design
    source: str = ""
    trial: int | None = None


def _dump(value: object) -> str:
    """JSON in which equal values are equal texts; a float is read back as it was."""
    return json.dumps(value, sort_keys=True, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    """What a numpy number holds."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"cannot be written as JSON: {value!r}")


def study_row(study: StudyDescription) -> dict[str, Any]:
    """The row of a study."""
    row: dict[str, Any] = {item.name: getattr(study, item.name) for item in fields(study)}
    for name in AS_JSON:
        row[name] = _dump(row[name])
    row["created"] = study.created or time.time()
    return {"schema_version": SCHEMA_VERSION, "fingerprint": study.fingerprint, **row}


def study_of(row: Mapping[str, Any]) -> StudyDescription:
    """The study of a row.

    Raises:
        ValueError: the row was altered.
    """
    values = {item.name: row[item.name] for item in fields(StudyDescription)}
    for name in AS_JSON:
        values[name] = json.loads(values[name])
    study = StudyDescription(**values)
    if study.fingerprint != row["fingerprint"]:
        raise ValueError("the description of its problem was altered")
    return study


def trial_row(trial: Trial) -> dict[str, Any]:
    """The row of a trial, with its hash.

    Raises:
        LogError: something in it cannot be written.
    """
    try:
        design = json.dumps(trial.design, allow_nan=False, default=_plain)
        metrics = json.dumps(trial.metrics, allow_nan=False, default=_plain)
        trial.reason.encode()
    except (TypeError, ValueError) as error:
        raise LogError(f"trial {trial.index} cannot be written: {error}") from error
    values = (
        trial.index,
        design,
        trial.outcome.value,
        metrics,
        trial.reason,
        float(trial.started),
        float(trial.ended),
        trial.host,
        trial.source,
    )
    return {**dict(zip(TRIAL_ROW, values)), "sha256": _hash(values)}


def trials_of(rows: Sequence[Sequence[Any]]) -> Iterator[Trial]:
    """The trials of rows in the order of `TRIAL_ROW`, each followed by its hash.

    Raises:
        ValueError: a row was altered.
    """
    for row in rows:
        if _hash(row[:-1]) != row[-1]:
            raise ValueError(f"trial {row[0]} was altered after it was written")
    # one call for many rows is faster, and their equal keys become one object
    designs = json.loads(f"[{','.join(row[1] for row in rows)}]", object_hook=_with_tuples)
    metrics = json.loads(f"[{','.join(row[3] for row in rows)}]")
    for row, design, measured in zip(rows, designs, metrics):
        yield Trial(
            index=row[0],
            design=design,
            outcome=Outcome(row[2]),
            metrics=measured,
            reason=row[4],
            started=row[5],
            ended=row[6],
            host=row[7],
            source=row[8],
        )


def ticket_row(ticket: Ticket) -> dict[str, Any]:
    """The row of a ticket, with its hash.

    Raises:
        LogError: its design cannot be written.
    """
    try:
        design = json.dumps(ticket.design, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise LogError(f"ticket {ticket.number} cannot be written: {error}") from error
    values = (ticket.number, ticket.ask, ticket.known, design, ticket.source)
    return {**dict(zip(TICKET_ROW, values)), "sha256": _hash(values)}


def ticket_of(row: Sequence[Any]) -> Ticket:
    """The ticket of a row in the order of `TICKET_ROW`, followed by its hash and its trial.

    Raises:
        ValueError: the row was altered.
    """
    *values, sha, trial = row
    if _hash(values) != sha:
        raise ValueError(f"ticket {row[0]} was altered after it was written")
    number, ask, known, design, source = values
    return Ticket(
        number=number,
        ask=ask,
        known=known,
        design=json.loads(design, object_hook=_with_tuples),
        source=source,
        trial=trial,
    )


def _hash(row: Sequence[Any]) -> str:
    *values, source = row
    row = row if source else values  # as before trials had a source: old hashes hold
    return sha256("\0".join(map(str, row)).encode()).hexdigest()


def _with_tuples(design: dict[str, Any]) -> dict[str, Any]:
    """`design` as it was before JSON made its tuples lists."""
    for name, value in design.items():
        if type(value) is list:
            design[name] = _tuple(value)
    return design


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _differences(there: Any, here: Any, where: str) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted({*there, *here}):
            inner = f"{where}.{key}" if where else key
            yield from _differences(there.get(key), here.get(key), inner)
    elif there != here:
        yield f"{where} is {_short(there)} there and {_short(here)} here"


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
