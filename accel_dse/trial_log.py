"""The durable record of a study: every trial, on disk before anyone learns from it.

One SQLite file in WAL mode (or any database that SQLAlchemy reaches by URL) holds one study. One
process writes; any number read meanwhile. An `append` is one transaction: after a crash or a
power cut the log holds whole batches, and all that were acknowledged.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from html import escape
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from accel_dse.claim import Holder
from accel_dse.errors import LogError
from accel_dse.log_database import (
    AT_ONCE,
    check_complete,
    clock,
    connect,
    explained,
    metric_value,
    shown,
    trial_columns,
)
from accel_dse.log_rows import (
    TICKET_ROW,
    TRIAL_ROW,
    StudyDescription,
    Ticket,
    study_of,
    study_row,
    ticket_of,
    ticket_row,
    trial_row,
    trials_of,
)
from accel_dse.log_tables import RECIPE, STUDY, TICKET, TRIAL, WRITER
from accel_dse.problem import Goal
from accel_dse.trial import Outcome, Trial
from accel_dse.trials import Trials


class TrialLog:
    """The trials of one study.

    Reading needs nothing but the place. Writing begins with `create_or_check` and ends with
    `close`; in between no other process can write.

    Args:
        place: path of an SQLite file, or a database URL such as `postgresql+psycopg://...`.
        name: which study, where one database holds several.
        take_over: claims the log even if another process seems to be writing to it. Should it
            live, it is the other one that can write no more.
    """

    def __init__(self, place: str | Path, *, name: str = "", take_over: bool = False) -> None:
        self._target = str(place)
        self.place = shown(self._target)
        self.name = name
        self.take_over = take_over
        self._connection: sa.Connection | None = None
        self._token = ""
        self._length = 0
        self._began = False

    def create_or_check(self, study: StudyDescription) -> None:
        """Claims the log for this process; creates it, or checks that it is of the same study.

        Raises:
            LogError: it is of another study, another process is writing to it, or it cannot be
                written.
        """
        if self._connection is not None:
            raise LogError(f"{self.place}: is already open for writing")
        with explained(self.place):
            connection = connect(self._target, write=True)
            try:
                with connection.begin():
                    study_id = self._check(connection, study)
                    self._claim(connection, study_id)
                    count = sa.select(sa.func.count()).where(TRIAL.c.study_id == study_id)
                    self._length = connection.execute(count).scalar_one()
            except BaseException:
                connection.close()
                raise
        self._connection = connection

    def append(
        self,
        trials: Sequence[Trial],
        tickets: Sequence[Ticket] = (),
        closed: Mapping[int, int] | None = None,
    ) -> None:
        """Writes `trials`, all or none; when it returns they survive a power cut.

        Args:
            trials: what is new, in order.
            tickets: what was handed out since the last call.
            closed: index of a trial -> number of its ticket, where it has one on record.

        Raises:
            LogError: they do not continue the log, or they cannot be written.
        """
        indices = [trial.index for trial in trials]
        if indices != list(range(self._length, self._length + len(trials))):
            raise LogError(
                f"{self.place}: trials {indices} do not continue a log of {self._length}"
            )
        if not trials:
            return
        rows = [trial_row(trial) for trial in trials]
        issued = [ticket_row(ticket) for ticket in tickets]
        with self._writing() as (connection, study_id):
            connection.execute(TRIAL.insert().values(study_id=study_id), rows)
            if issued:
                connection.execute(TICKET.insert().values(study_id=study_id), issued)
            for index, number in (closed or {}).items():
                ours = (TICKET.c.study_id == study_id) & (TICKET.c.number == number)
                connection.execute(TICKET.update().where(ours).values(trial_idx=index))
        self._length += len(trials)

    def tickets(self, *, unfinished: bool = False) -> list[Ticket]:
        """All tickets of the study, or those whose trials are not in the log, in order.

        Raises:
            LogError: the log cannot be read, or a ticket was altered.
        """
        columns = [TICKET.c[name] for name in (*TICKET_ROW, "sha256", "trial_idx")]
        query = (
            sa.select(*columns)
            .join(STUDY, STUDY.c.id == TICKET.c.study_id)
            .where(STUDY.c.name == self.name)
            .order_by(TICKET.c.number)
        )
        if unfinished:
            query = query.where(TICKET.c.trial_idx.is_(None))
        with explained(self.place), self._reading() as connection:
            known = sa.inspect(connection).has_table(TICKET.name)
            rows = connection.execute(query).fetchall() if known else []
        try:
            return [ticket_of(row) for row in rows]
        except ValueError as error:
            raise LogError(f"{self.place}: {error}") from error

    def next_ticket(self) -> int:
        """The number that the next ticket gets."""
        query = (
            sa.select(sa.func.max(TICKET.c.number))
            .join(STUDY, STUDY.c.id == TICKET.c.study_id)
            .where(STUDY.c.name == self.name)
        )
        with explained(self.place), self._reading() as connection:
            last = connection.execute(query).scalar()
        return 0 if last is None else int(last) + 1

    def recipe(self) -> str:
        """What was written by `keep_recipe`; "" if nothing was.

        Raises:
            LogError: the log cannot be read.
        """
        query = (
            sa.select(RECIPE.c.content)
            .join(STUDY, STUDY.c.id == RECIPE.c.study_id)
            .where(STUDY.c.name == self.name)
        )
        with explained(self.place), self._reading() as connection:
            known = sa.inspect(connection).has_table(RECIPE.name)
            return str(connection.execute(query).scalar() or "") if known else ""

    def keep_recipe(self, content: str) -> None:
        """Writes down how to make this study again, instead of what was there.

        Raises:
            LogError: it cannot be written.
        """
        with self._writing() as (connection, study_id):
            connection.execute(RECIPE.delete().where(RECIPE.c.study_id == study_id))
            connection.execute(RECIPE.insert(), {"study_id": study_id, "content": content})

    def outcomes(self) -> dict[Outcome, int]:
        """How many trials ended how, counted by the database.

        Raises:
            LogError: the log cannot be read.
        """
        query = (
            sa.select(TRIAL.c.outcome, sa.func.count())
            .join(STUDY, STUDY.c.id == TRIAL.c.study_id)
            .where(STUDY.c.name == self.name)
            .group_by(TRIAL.c.outcome)
        )
        with explained(self.place), self._reading() as connection:
            counts = {str(outcome): count for outcome, count in connection.execute(query)}
        if unknown := counts.keys() - set(Outcome):
            raise LogError(f"{self.place}: a trial was altered: its outcome is {min(unknown)!r}")
        return {outcome: counts.get(outcome, 0) for outcome in Outcome}

    def best(self, goal: Goal) -> Trial | None:
        """What `goal.best` finds in the log, without reading all of it; None if there is none.

        Raises:
            LogError: the log cannot be read, or the best trial was altered.
        """
        with explained(self.place), self._reading() as connection:
            first = goal.objectives[0]
            cost = metric_value(connection, first.metric)
            works = (TRIAL.c.outcome == Outcome.FEASIBLE.value) & (STUDY.c.name == self.name)
            query = sa.select(TRIAL.c.idx).join(STUDY, STUDY.c.id == TRIAL.c.study_id).where(works)
            for limit in goal.limits:
                value = metric_value(connection, limit.metric)
                kept = value <= limit.bound if limit.relation == "<=" else value >= limit.bound
                query = query.where(kept)
            order = cost if first.sense == "minimize" else cost.desc()
            index = connection.execute(query.order_by(order, TRIAL.c.idx).limit(1)).scalar()
        return None if index is None else self.read(index, index + 1)[0]

    def read(self, start: int = 0, stop: int | None = None) -> Trials:
        """The trials from index `start` on, before `stop`, in order, each checked by its hash.

        Raises:
            LogError: the log cannot be read, or a trial is missing or was altered.
        """
        with explained(self.place), self._reading() as connection:
            query = (
                sa.select(*trial_columns(connection, (*TRIAL_ROW, "sha256")))
                .select_from(TRIAL)
                .join(STUDY, STUDY.c.id == TRIAL.c.study_id)
                .where(STUDY.c.name == self.name, TRIAL.c.idx >= start)
                .order_by(TRIAL.c.idx)
            )
            if stop is not None:
                query = query.where(TRIAL.c.idx < stop)
            trials = Trials()
            with connection.execute(query.execution_options(yield_per=AT_ONCE)) as streamed:
                for rows in streamed.partitions():
                    trials += self._checked(rows, start + len(trials))
            if start == 0 and stop is None:
                check_complete(connection, self.name, len(trials), self.place)
        return trials

    def study(self) -> StudyDescription:
        """What this is a log of.

        Raises:
            LogError: the log cannot be read, or is empty.
        """
        with explained(self.place), self._reading() as connection:
            row = self._row(connection)
        if row is None:
            raise LogError(f"{self.place}: holds no study")
        return self._description(row)

    def withdraw(self) -> None:
        """Takes back a study that this object began and that has no trial; leaves any other.

        What turned out to be impossible at once must not keep the place from what was meant.

        Raises:
            LogError: the log cannot be written.
        """
        if not self._began or self._length:
            return
        with self._writing() as (connection, study_id):
            for table in (TICKET, RECIPE, WRITER):
                connection.execute(table.delete().where(table.c.study_id == study_id))
            connection.execute(STUDY.delete().where(STUDY.c.id == study_id))
        self._began = False

    def close(self) -> None:
        """Gives up the claim, so that another process may write."""
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        try:
            with connection.begin():
                connection.execute(WRITER.delete().where(WRITER.c.token == self._token))
        except sa.exc.SQLAlchemyError:
            pass  # on a full disk, say; a claim left behind is recognized once this process ends
        finally:
            connection.close()

    @contextmanager
    def _writing(self) -> Iterator[tuple[sa.Connection, int]]:
        """A transaction that only the holder of the claim can make."""
        if self._connection is None:
            raise LogError(f"{self.place}: not open for writing", hint="call create_or_check first")
        ours = sa.select(WRITER.c.study_id).where(WRITER.c.token == self._token)
        with explained(self.place), self._connection.begin():
            study_id = self._connection.execute(ours).scalar()
            if study_id is None:
                raise LogError(f"{self.place}: was taken over by another process")
            yield self._connection, study_id

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        if self._connection is not None:
            with self._connection.begin():
                yield self._connection
        else:
            with connect(self._target, write=False) as connection:
                yield connection

    def _checked(self, rows: Sequence[sa.Row[Any]], start: int) -> Iterator[Trial]:
        """The trials of rows, which are those from index `start` on."""
        for index, row in enumerate(rows, start):
            if row[0] != index:
                raise LogError(f"{self.place}: trial {index} is missing")
        try:
            yield from trials_of(rows)
        except ValueError as error:
            raise LogError(f"{self.place}: {error}") from error

    def _row(self, connection: sa.Connection) -> sa.RowMapping | None:
        query = sa.select(STUDY).where(STUDY.c.name == self.name)
        return connection.execute(query).mappings().first()

    def _description(self, row: sa.RowMapping) -> StudyDescription:
        try:
            return study_of(dict(row))
        except ValueError as error:
            raise LogError(f"{self.place}: {error}") from error

    def _check(self, connection: sa.Connection, study: StudyDescription) -> int:
        """The number of the study, written here if the log is new."""
        row = self._row(connection)
        self._began = row is None
        if row is None:
            values = {**study_row(study), "name": self.name}
            added = connection.execute(STUDY.insert().returning(STUDY.c.id), values)
            return int(added.scalar_one())
        if differences := self._description(row).differences(study):
            raise LogError(
                f"{self.place}: is the log of another study: {'; '.join(differences[:3])}",
                hint="name a new log, or repeat the options of the old one",
            )
        return int(row["id"])

    def _claim(self, connection: sa.Connection, study_id: int) -> None:
        names = [item.name for item in fields(Holder)]
        held = WRITER.c.study_id == study_id
        query = sa.select(*(WRITER.c[name] for name in names)).where(held).with_for_update()
        row = connection.execute(query).first()
        if row is not None and not self.take_over and not (holder := Holder(*row)).dead():
            raise LogError(
                f"{self.place}: {holder} is writing to it",
                hint="wait for it to end, or, if it is gone for certain, say --take-over",
            )
        at_work = (TICKET.c.study_id == study_id) & TICKET.c.trial_idx.is_(None)
        leased = at_work & (TICKET.c.lease_until > clock(connection))
        worker = connection.execute(sa.select(TICKET.c.owner).where(leased)).scalar()
        if worker and not self.take_over:
            raise LogError(
                f"{self.place}: a worker, {worker}, is at it",
                hint="wait for the workers to end, or become one: accel-dse worker",
            )
        self._token = uuid.uuid4().hex
        claim = {"study_id": study_id, "token": self._token, **asdict(Holder.me())}
        connection.execute(WRITER.delete().where(held))
        connection.execute(WRITER.insert(), claim)

    def _repr_html_(self) -> str:
        study, trials = self.study(), self.read()
        counts = ", ".join(
            f"{sum(trial.outcome is outcome for trial in trials):,} {outcome.replace('_', ' ')}"
            for outcome in Outcome
        )
        return (
            f"<b>{escape(self.place)}</b>: {len(trials):,} trials of {escape(study.optimizer)} "
            f"with {escape(study.simulator)}: {counts}"
        )
