"""A log that workers share without anyone in charge: each takes a design, and brings a trial.

A worker holds a *lease* on its ticket and renews it while it simulates. Once a lease has run out,
because the worker died or its network did, another worker takes the ticket. Every step is one
transaction on the study, and each ticket is closed once: by the first result that arrives. Since a
simulator is deterministic, it does not matter whose that is.
"""

import fcntl
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import sqlalchemy as sa

from accel_dse.claim import Holder
from accel_dse.errors import LogError
from accel_dse.log_database import (
    AT_ONCE,
    clock,
    connect,
    explained,
    shown,
    sqlite_path,
    trial_columns,
)
from accel_dse.log_rows import (
    TICKET_ROW,
    TRIAL_ROW,
    Ticket,
    ticket_of,
    ticket_row,
    trial_row,
    trials_of,
)
from accel_dse.log_tables import STUDY, TICKET, TRIAL, WRITER
from accel_dse.trial import Design, Trial
from accel_dse.trials import Trials

_TICKET = [TICKET.c[name] for name in (*TICKET_ROW, "sha256", "trial_idx")]


@dataclass(frozen=True)
class Standing:
    """How a study stands, at one moment.

    Attributes:
        trials: those from the index on that was asked for.
        open: tickets whose trials are not in the log, in order.
        next_number: of the next ticket.
    """

    trials: Trials
    open: list[Ticket]
    next_number: int


class TicketQueue:
    """The tickets of one study, for one of its workers. Threads may share it.

    Args:
        place: path of an SQLite file on this machine, or a database URL.
        name: which study, where one database holds several.
        lease_s: how long a ticket is held without a sign of life.

    Raises:
        LogError: there is no such study, or a study is at it that is no worker.
    """

    def __init__(self, place: str | Path, *, name: str = "", lease_s: float = 60.0) -> None:
        self._target, self._name = str(place), name
        self.place, self.lease_s = shown(self._target), lease_s
        self._owner = f"process {os.getpid()} on {socket.gethostname()}"
        self._lock = threading.Lock()
        self._path = sqlite_path(self._target)
        if self._path is not None and not self._path.exists():
            raise LogError(f"{self.place}: no such log", hint="accel-dse optimize ... --workers 0")
        with explained(self.place), self._alone():
            self._connection = connect(self._target, write=True)
        with self._study():
            pass

    def close(self) -> None:
        """Lets go of the database."""
        with self._lock:
            self._connection.close()

    def standing(self, known: int) -> Standing:
        """How the study stands now, with the trials from index `known` on."""
        with self._study() as (link, study):
            columns = trial_columns(link, (*TRIAL_ROW, "sha256"))
            here = (TRIAL.c.study_id == study) & (TRIAL.c.idx >= known)
            query = sa.select(*columns).where(here).order_by(TRIAL.c.idx)
            trials = Trials()
            some = link.execute(query.execution_options(yield_per=AT_ONCE))
            with some as streamed, self._trusting():
                for rows in streamed.partitions():
                    trials += trials_of(rows)
            unfinished = sa.select(*_TICKET).where(_open(study)).order_by(TICKET.c.number)
            tickets = link.execute(unfinished).fetchall()
            number = self._next_number(link, study)
        with self._trusting():
            return Standing(trials, [ticket_of(row) for row in tickets], number)

    def take(self) -> tuple[Ticket, int, str] | None:
        """A ticket that nobody is at: it, how often it was taken before, and a token for it."""
        token = uuid.uuid4().hex
        with self._study() as (link, study):
            now = clock(link)
            free = _open(study) & (TICKET.c.lease_until <= now)
            query = sa.select(*_TICKET, TICKET.c.attempt).where(free).order_by(TICKET.c.number)
            row = link.execute(query.limit(1)).first()
            if row is None:
                return None
            *values, attempt = row
            link.execute(
                TICKET.update()
                .where(_open(study), TICKET.c.number == values[0])
                .values(
                    owner=self._owner,
                    token=token,
                    lease_until=now + self.lease_s,
                    attempt=attempt + 1,
                )
            )
        with self._trusting():
            return ticket_of(values), attempt, token

    def issue(self, ticket: Ticket) -> bool:
        """Adds a ticket for whoever takes it; False if its number is no longer the next."""
        row = ticket_row(ticket)
        with self._study() as (link, study):
            if self._next_number(link, study) != ticket.number:
                return False
            link.execute(TICKET.insert().values(study_id=study), row)
        return True

    def renew(self, ticket: Ticket, token: str) -> bool:
        """Holds a ticket for another `lease_s`; False if it is held no more."""
        with self._study() as (link, study):
            held = _open(study) & (TICKET.c.number == ticket.number) & (TICKET.c.token == token)
            renewed = TICKET.update().where(held).values(lease_until=clock(link) + self.lease_s)
            return link.execute(renewed).rowcount == 1

    def give_back(self, ticket: Ticket, token: str) -> None:
        """Lets another worker have a ticket."""
        with self._study() as (link, study):
            held = _open(study) & (TICKET.c.number == ticket.number) & (TICKET.c.token == token)
            link.execute(TICKET.update().where(held).values(lease_until=0.0, token=""))

    def finish(self, ticket: Ticket, make: Callable[[int, Design, str], Trial]) -> Trial | None:
        """Appends the trial of a ticket, and closes it, in one transaction.

        Args:
            ticket: taken.
            make: its trial, given its index, its design and who proposed that.

        Returns:
            The trial; None if another worker brought one first.
        """
        with self._study() as (link, study):
            mine = _open(study) & (TICKET.c.number == ticket.number)
            count = sa.select(sa.func.count()).where(TRIAL.c.study_id == study)
            index = int(link.execute(count).scalar_one())
            closed = link.execute(TICKET.update().where(mine).values(trial_idx=index))
            if closed.rowcount != 1:
                return None
            trial = make(index, ticket.design, ticket.source)
            link.execute(TRIAL.insert().values(study_id=study), [trial_row(trial)])
        return trial

    def _next_number(self, link: sa.Connection, study: int) -> int:
        last = sa.select(sa.func.max(TICKET.c.number)).where(TICKET.c.study_id == study)
        number = link.execute(last).scalar()
        return 0 if number is None else int(number) + 1

    @contextmanager
    def _study(self) -> Iterator[tuple[sa.Connection, int]]:
        """A transaction on the study that no other process sees half of."""
        with self._lock, explained(self.place), self._alone(), self._connection.begin():
            query = sa.select(STUDY.c.id).where(STUDY.c.name == self._name).with_for_update()
            study = self._connection.execute(query).scalar()
            if study is None:
                raise LogError(
                    f"{self.place}: holds no study", hint="accel-dse optimize ... --workers 0"
                )
            names = [WRITER.c[item.name] for item in fields(Holder)]
            held = sa.select(*names).where(WRITER.c.study_id == study)
            row = self._connection.execute(held).first()
            if row is not None and not (holder := Holder(*row)).dead():
                raise LogError(
                    f"{self.place}: {holder} is writing to it, and is no worker",
                    hint="wait for it to end",
                )
            yield self._connection, study

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps all other workers of an SQLite file out, until its journal is written back, too.

        SQLite before 3.51.3 can damage a WAL when one process writes to it while another resets it.
        Source: https://www.sqlite.org/wal.html, section "The WAL-Reset Bug".
        """
        if self._path is None:
            yield
            return
        with self._path.with_name(self._path.name + "-lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _trusting(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise LogError(f"{self.place}: {error}") from error


def _open(study: int) -> sa.ColumnElement[bool]:
    return (TICKET.c.study_id == study) & TICKET.c.trial_idx.is_(None)
