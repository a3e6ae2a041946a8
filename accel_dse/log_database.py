"""How a trial log reaches its rows: connections, migrations, and what a database's errors mean."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from accel_dse.errors import LogError
from accel_dse.log_tables import SCHEMA_VERSION, STUDY, TABLES, TRIAL

APPLICATION_ID = 0x41445345
"""Marks an SQLite file as ours ("ADSE"), so that another program's is never written to."""

_MAGIC = b"SQLite format 3\0"
"""How an SQLite file begins. Source: https://www.sqlite.org/fileformat.html, section 1.3."""

BUSY_SECONDS = 30.0
"""How long to wait for another connection's transaction; ours last milliseconds."""

AT_ONCE = 1_000
"""Rows that are held while trials are read: as rows they take more memory than as `Trials`."""

NETWORK_FILE_SYSTEMS = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs"),
    *("gfs2", "gpfs", "lustre", "nfs", "nfs4", "smb3"),
}
"""Where an SQLite file gets a plain journal: WAL needs memory that its users share.

There a reader may have to wait for the writer's transaction, milliseconds.
Source: https://www.sqlite.org/wal.html, section 2.2."""


def shown(place: str) -> str:
    """`place` for people: a URL without its password.

    Raises:
        LogError: it is neither a path nor a URL.
    """
    if "://" not in place:
        return place
    try:
        return sa.make_url(place).render_as_string(hide_password=True)
    except (sa.exc.ArgumentError, ValueError) as error:
        scheme = place.partition("://")[0]
        raise LogError(
            f"cannot read the {scheme} URL of a log",
            hint="write postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE",
        ) from error


def connect(place: str, *, write: bool) -> sa.Connection:
    """Opens the database at `place`; with `write` an SQLite file is made if there is none.

    A reader can change nothing, and sees the last finished transaction.

    Raises:
        LogError: there is none, or it is not ours, or it is of a newer form.
    """
    path = sqlite_path(place)
    if path is None:
        connection = sa.create_engine(place, poolclass=sa.NullPool).connect()
    else:
        engine = sa.create_engine(
            "sqlite://", creator=lambda: _open(path, write), poolclass=sa.NullPool
        )
        begin = "BEGIN IMMEDIATE" if write else "BEGIN"
        sa.event.listen(engine, "begin", lambda link: link.exec_driver_sql(begin))
        connection = engine.connect()
    try:
        with connection.begin():
            if write:
                TABLES.create_all(connection)
            _check_version(connection, shown(place))
            if write:
                _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def sqlite_path(place: str) -> Path | None:
    """The file that `place` is; None if it is another database."""
    if "://" not in place:
        return Path(place)
    url = sa.make_url(place)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _open(path: Path, write: bool) -> sqlite3.Connection:
    if not write and not path.exists():
        raise LogError(f"{path}: no such log")
    if path.exists():
        _refuse_what_sqlite_would_overwrite(path)
    try:
        return _own(path, "mode=rwc" if write else "mode=ro", write)
    except sqlite3.OperationalError:
        if write or _journal(path).exists():
            raise
        return _own(path, "immutable=1", write)  # a folder in which not even an index may be made


def _refuse_what_sqlite_would_overwrite(path: Path) -> None:
    """SQLite takes a file of a few bytes for an empty database, and drops a lone journal."""
    if path.is_dir():
        raise LogError(f"{path}: is a folder", hint="name a file in it")
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head and head != _MAGIC:
        raise LogError(f"{path}: is not a trial log")
    journal = _journal(path)
    if not head and journal.exists() and journal.stat().st_size:
        raise LogError(f"{path}: was cut to nothing, yet its journal {journal.name} holds data")


def _journal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _own(path: Path, options: str, write: bool) -> sqlite3.Connection:
    """A connection to a file that is a log, or empty; with `write` it is then marked as one."""
    link = sqlite3.connect(
        f"file:{quote(str(path))}?{options}",
        uri=True,
        isolation_level=None,  # transactions are begun by SQLAlchemy's event, not by the driver
        timeout=BUSY_SECONDS,
        check_same_thread=False,
    )
    try:
        _mark(link, path, write)
    except BaseException:
        link.close()
        raise
    return link


def _mark(link: sqlite3.Connection, path: Path, write: bool) -> None:
    link.execute("BEGIN")  # all answers of one moment: another process may be making it now
    _is_new(link, path)
    link.execute("COMMIT")
    link.execute("PRAGMA foreign_keys = ON")
    if write:
        journal = "TRUNCATE" if file_system(path) in NETWORK_FILE_SYSTEMS else "WAL"
        link.execute(f"PRAGMA journal_mode = {journal}")
        link.execute("PRAGMA synchronous = FULL")
        link.execute("BEGIN IMMEDIATE")
        if _is_new(link, path):
            link.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            link.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        link.execute("COMMIT")


def _is_new(link: sqlite3.Connection, path: Path) -> bool:
    """Whether it is an empty database; called in a transaction.

    Raises:
        LogError: it is not ours, or of a newer form.
    """
    (identity,) = link.execute("PRAGMA application_id").fetchone()
    (objects,) = link.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (version,) = link.execute("PRAGMA user_version").fetchone()
    if identity != APPLICATION_ID and objects:
        raise LogError(f"{path}: is an SQLite database, but not a trial log")
    if version > SCHEMA_VERSION:
        raise _too_new(str(path), version)
    return not objects


def file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    r"""The type of file system that `path` is or would be on, such as `ext4`; "" if unknown.

    Source: fstab(5); in `mounts` a space in a path is written `\040`.
    """
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    place, found, longest = path.resolve(), "", -1
    for line in lines:
        _, mounted, kind, *_ = line.split(" ")
        mounted = mounted.replace("\\040", " ")
        if len(mounted) > longest and place.is_relative_to(mounted):
            found, longest = kind, len(mounted)
    return found


def _check_version(connection: sa.Connection, place: str) -> None:
    if not sa.inspect(connection).has_table(STUDY.name):
        raise LogError(f"{place}: holds no study")
    version = connection.execute(sa.select(sa.func.max(STUDY.c.schema_version))).scalar()
    if version is not None and version > SCHEMA_VERSION:
        raise _too_new(place, version)


def trial_columns(connection: sa.Connection, names: Sequence[str]) -> list[sa.ColumnElement[Any]]:
    """The columns of trials, in this order; "" for those that a log of an older form lacks."""
    present = {column["name"] for column in sa.inspect(connection).get_columns(TRIAL.name)}
    return [TRIAL.c[name] if name in present else sa.literal("") for name in names]


def check_complete(connection: sa.Connection, name: str, found: int, place: str) -> None:
    """Raises LogError unless an SQLite table and its index tell of equally many trials.

    They are kept apart, so a flipped bit that cuts one short does not cut the other.
    """
    if connection.dialect.name == "sqlite":
        by = {}
        for way, hint in (
            ("table", "NOT INDEXED"),
            ("index", "INDEXED BY sqlite_autoindex_trial_1"),
        ):
            study = "(SELECT id FROM study WHERE name = ?)"
            count = f"SELECT count(*) FROM trial {hint} WHERE study_id = {study}"
            by[way] = connection.exec_driver_sql(count, (name,)).scalar()
        if set(by.values()) != {found}:
            raise LogError(
                f"{place}: is damaged: {found} trials can be read, its table has {by['table']}, "
                f"its index {by['index']}",
                hint="save what is whole with `accel-dse log repair`",
            )


def metric_value(connection: sa.Connection, metric: str) -> sa.ColumnElement[float]:
    """A metric of a trial, computed by the database."""
    if connection.dialect.name == "sqlite":
        name = metric.replace('"', '\\"')
        return sa.func.json_extract(TRIAL.c.metrics, f'$."{name}"', type_=sa.Double)
    return sa.cast(sa.cast(TRIAL.c.metrics, postgresql.JSONB)[metric].astext, sa.Double)


def _migrate(connection: sa.Connection) -> None:
    """Brings an older form up to date, all or nothing; tables that are new were just made."""
    if "source" not in {c["name"] for c in sa.inspect(connection).get_columns(TRIAL.name)}:
        connection.exec_driver_sql("ALTER TABLE trial ADD COLUMN source TEXT NOT NULL DEFAULT ''")
    older = STUDY.c.schema_version < SCHEMA_VERSION
    if connection.execute(sa.select(STUDY.c.id).where(older)).first() is None:
        return
    connection.execute(STUDY.update().values(schema_version=SCHEMA_VERSION))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def clock(connection: sa.Connection) -> float:
    """Seconds since the epoch as all who use this database see them: hosts' clocks differ."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(
        connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
    )


def _too_new(place: str, version: int) -> LogError:
    return LogError(
        f"{place}: was written by a newer accel-dse: its form is {version}, this one knows "
        f"{SCHEMA_VERSION}",
        hint="update with `pip install -U accel-dse`",
    )


_DAMAGED = "keep the file, and save what is whole with `accel-dse log repair`"

_COMPLAINTS = {
    "SQLITE_FULL": ("the disk is full", "free some space and run the same command again"),
    "SQLITE_READONLY": ("cannot be written", "is the file or its folder read-only?"),
    "SQLITE_CANTOPEN": ("cannot be opened", "does its folder exist, and may you write there?"),
    "SQLITE_NOTADB": ("is not a trial log", ""),
    "SQLITE_CORRUPT": ("is damaged", _DAMAGED),
    "SQLITE_BUSY": ("another process keeps it locked", "try again later"),
    "SQLITE_IOERR": ("the disk failed", ""),
}
"""SQLite's primary result codes -> what to say and to suggest.

Source: https://www.sqlite.org/rescode.html; an extended code begins with its primary one."""


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turns any complaint of the database into a LogError that names `place`."""
    try:
        yield
    except ImportError as error:
        hint = "pip install 'accel-dse[postgres]'"
        raise LogError(
            f"{place}: needs a driver that is missing: {error.name}", hint=hint
        ) from error
    except UnicodeDecodeError as error:  # in what SQLite quotes of a damaged file
        raise LogError(f"{place}: is damaged: {error}", hint=_DAMAGED) from error
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError, OverflowError) as error:
        cause = getattr(error, "orig", None) or error
        code = getattr(cause, "sqlite_errorname", "")
        for prefix, (what, hint) in _COMPLAINTS.items():
            if code.startswith(prefix):
                raise LogError(f"{place}: {what}: {cause}", hint=hint) from error
        raise LogError(f"{place}: {cause}") from error
