import sqlite3
from contextlib import suppress
from functools import partial

import pytest

from accel_dse import log_database
from accel_dse.log_database import APPLICATION_ID, connect
from accel_dse.log_tables import TABLES


def made_by_another(path):
    """Makes the log at once, as another process would; or not, where it would have to wait."""
    link = sqlite3.Connection(path, timeout=0, isolation_level=None)
    with suppress(sqlite3.OperationalError):
        link.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID};"
            "CREATE TABLE writer (study_id INTEGER PRIMARY KEY); COMMIT"
        )
    link.close()


@pytest.mark.parametrize(
    "moment", ["application_id", "sqlite_schema", "user_version", "journal_mode", "BEGIN IMMEDIATE"]
)
def test_a_log_may_be_made_by_another_process_while_it_is_opened(tmp_path, monkeypatch, moment):
    path, seen = tmp_path / "log.db", []

    class Interrupted(sqlite3.Connection):
        """Lets another process have a turn before each statement that names the moment."""

        def execute(self, sql, *parameters):
            if moment in sql:
                seen.append(sql)
                made_by_another(path)
            return super().execute(sql, *parameters)

    plain = sqlite3.connect
    monkeypatch.setattr(log_database.sqlite3, "connect", partial(plain, factory=Interrupted))
    with connect(str(path), write=True) as connection, connection.begin():
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'")
        assert {name for (name,) in tables} >= set(TABLES.tables)
    assert seen
