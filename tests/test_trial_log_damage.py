"""What can be wrong with the file of a trial log: each is told, and nothing is lost."""

import os
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from trial_logs import STUDY, a_failure, a_trial, in_another_process, written

from accel_dse import log_database
from accel_dse.errors import LogError
from accel_dse.log_database import APPLICATION_ID
from accel_dse.log_tables import SCHEMA_VERSION
from accel_dse.trial_log import TrialLog


def test_a_flipped_bit_is_found_and_its_trial_named(tmp_path):
    path = tmp_path / "log.db"
    log = written(path, [a_trial(i) for i in range(3)])
    with sqlite3.connect(path) as meddler:
        meddler.execute("UPDATE trial SET metrics = replace(metrics, '3', '4') WHERE idx = 1")
    meddler.close()
    with pytest.raises(LogError, match="trial 1 was altered"):
        log.read()


@pytest.mark.parametrize("index", [0, 1])
def test_a_missing_trial_is_named(tmp_path, index):
    log = written(tmp_path / "log.db", [a_trial(i) for i in range(3)])
    with sqlite3.connect(log.place) as meddler:
        meddler.execute(f"DELETE FROM trial WHERE idx = {index}")
    meddler.close()
    with pytest.raises(LogError, match=f"trial {index} is missing"):
        log.read()


def test_an_altered_problem_is_found(tmp_path):
    log = written(tmp_path / "log.db")
    with sqlite3.connect(log.place) as meddler:
        meddler.execute("UPDATE study SET problem = replace(problem, '27', '28')")
    meddler.close()
    with pytest.raises(LogError, match="description of its problem was altered"):
        log.study()


def test_a_log_from_a_newer_version_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "log.db"
    written(path, [a_trial(0)])
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    newer.close()
    before = path.read_bytes()
    for use in (lambda: TrialLog(path).read(), lambda: TrialLog(path).create_or_check(STUDY)):
        with pytest.raises(LogError, match="written by a newer accel-dse") as caught:
            use()
        assert "pip install" in caught.value.hint
    assert path.read_bytes() == before


def old_log(path):
    """A log as it was written before trials had a source."""
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "logs" / "form_1.sql").read_text())
    old.close()
    return path


def test_a_log_of_the_first_form_is_read_as_it_is(tmp_path):
    path = old_log(tmp_path / "old.db")
    before = path.read_bytes()
    assert TrialLog(path).read() == [a_trial(0), a_failure(1)]
    assert path.read_bytes() == before


def test_a_log_of_the_first_form_goes_on_in_the_present_one(tmp_path):
    path = old_log(tmp_path / "old.db")
    more = replace(a_trial(2), source="evolution")
    log = TrialLog(path)
    log.create_or_check(STUDY)
    log.append([more])
    log.close()
    assert TrialLog(path).read() == [a_trial(0), a_failure(1), more]
    with sqlite3.connect(path) as now:
        (form,) = now.execute("PRAGMA user_version").fetchone()
        rows = now.execute("SELECT schema_version FROM study").fetchall()
    now.close()
    assert form == SCHEMA_VERSION
    assert rows == [(SCHEMA_VERSION,)]


def test_who_proposed_a_trial_is_kept_and_guarded(tmp_path):
    trial = replace(a_trial(0), source="gibbs+evolution")
    log = written(tmp_path / "log.db", [trial])
    assert log.read() == [trial]
    with sqlite3.connect(log.place) as meddler:
        meddler.execute("UPDATE trial SET source = ''")
    meddler.close()
    with pytest.raises(LogError, match="trial 0 was altered"):
        log.read()


@pytest.mark.parametrize("content", [b"x", b"hello " * 1000, b"SQLite format 3\0" + b"\7" * 5000])
def test_a_file_that_is_no_log_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "log.db"
    path.write_bytes(content)
    for use in (lambda: TrialLog(path).read(), lambda: TrialLog(path).create_or_check(STUDY)):
        with pytest.raises(LogError, match=r"log\.db: "):
            use()
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE study (a)")
    other.close()
    before = path.read_bytes()
    for use in (lambda: TrialLog(path).read(), lambda: TrialLog(path).create_or_check(STUDY)):
        with pytest.raises(LogError, match="not a trial log"):
            use()
    assert path.read_bytes() == before
    assert APPLICATION_ID.to_bytes(4, "big") == b"ADSE"


def test_a_database_is_called_by_its_url_without_the_password():
    log = TrialLog("postgresql+psycopg://me:secret@host/db")
    assert log.place == "postgresql+psycopg://me:***@host/db"
    with pytest.raises(LogError) as caught:
        log.read()
    assert "secret" not in str(caught.value)


def test_a_url_that_is_none_is_refused():
    for wrong in ("postgresql://me:pass@host:port/db", "://", "post gres://host"):
        with pytest.raises(LogError, match=r"cannot read the .* URL of a log"):
            TrialLog(wrong)
    with pytest.raises(LogError, match="nosuch"):
        TrialLog("nosuch://host/db").read()


def test_an_sqlite_url_is_a_path(tmp_path):
    for driver in ("sqlite", "sqlite+pysqlite"):
        written(f"{driver}:///{tmp_path}/{driver}.db", [a_trial(0)])
        assert TrialLog(tmp_path / f"{driver}.db").read() == [a_trial(0)]
        assert (tmp_path / f"{driver}.db").read_bytes()[18] == 2, "its journal is a WAL"


def test_a_log_that_is_not_there_cannot_be_read_and_is_not_made(tmp_path):
    for use in (TrialLog.read, TrialLog.study):
        with pytest.raises(LogError, match="no such log"):
            use(TrialLog(tmp_path / "log.db"))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_becomes_a_log(tmp_path):
    path = tmp_path / "log.db"
    path.touch()
    with pytest.raises(LogError, match="holds no study"):
        TrialLog(path).read()
    assert written(path, [a_trial(0)]).read() == [a_trial(0)]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.99])
def test_a_truncated_file_gives_an_error_or_whole_trials(tmp_path, share):
    path = tmp_path / "log.db"
    trials = [a_trial(i) for i in range(200)]
    written(path, trials)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(LogError, match=r"log\.db: "):
        TrialLog(path).read()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.8, 0.99])
def test_a_truncated_journal_leaves_whole_batches(tmp_path, share):
    code = """
        log = TrialLog(sys.argv[1])
        log.create_or_check(STUDY)
        for start in range(0, 100, 10):
            log.append([a_trial(i) for i in range(start, start + 10)])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    path = tmp_path / "log.db"
    in_another_process(code, path)
    journal = tmp_path / "log.db-wal"
    whole = journal.read_bytes()
    journal.write_bytes(whole[: int(len(whole) * share)])
    try:
        trials = TrialLog(path).read()
    except LogError:
        trials = []  # cut before the tables were made
    assert trials == [a_trial(i) for i in range(len(trials))]
    assert len(trials) % 10 == 0


def test_a_file_cut_to_nothing_beside_its_journal_is_not_taken_for_new(tmp_path):
    code = """
        log = TrialLog(sys.argv[1])
        log.create_or_check(STUDY)
        log.append([a_trial(0)])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    path = tmp_path / "log.db"
    in_another_process(code, path)
    path.write_bytes(b"")
    with pytest.raises(LogError, match="cut to nothing"):
        TrialLog(path).create_or_check(STUDY)
    assert (tmp_path / "log.db-wal").stat().st_size > 0


def test_a_full_disk_loses_nothing_and_the_log_goes_on_once_there_is_room(tmp_path):
    log = TrialLog(tmp_path / "log.db")
    log.create_or_check(STUDY)
    log.append([a_trial(0)])
    pages = log._connection.exec_driver_sql("PRAGMA page_count").scalar()
    log._connection.rollback()
    log._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    log._connection.rollback()
    with pytest.raises(LogError, match="the disk is full") as caught:
        log.append([a_trial(i) for i in range(1, 500)])
    assert "free some space" in caught.value.hint
    assert log.read() == [a_trial(0)]
    log.close()
    written(log.place, [a_trial(1)])
    assert log.read() == [a_trial(0), a_trial(1)]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(LogError, match=r"nowhere/log\.db: cannot be opened"):
        TrialLog(tmp_path / "nowhere" / "log.db").create_or_check(STUDY)


def test_a_folder_is_no_log(tmp_path):
    for use in (
        lambda: TrialLog(tmp_path).read(),
        lambda: TrialLog(tmp_path).create_or_check(STUDY),
    ):
        with pytest.raises(LogError, match="is a folder"):
            use()


@pytest.fixture
def unprivileged():
    """A folder, and the rights of an ordinary user: root may write everywhere."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        written(Path(folder) / "warm-up.db", [a_trial(0)]).read()
        root = os.geteuid() == 0
        if root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        yield Path(folder)
        if root:
            os.seteuid(0)
        Path(folder).chmod(0o755)


def test_the_file_system_of_a_path_is_that_of_its_nearest_mount(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n"
        "tmp /home/me/my\\040disk tmpfs rw 0 0\n"
    )
    for path, kind in (
        ("/var/log.db", "ext4"),
        ("/home/me/log.db", "nfs4"),
        ("/home/me/my disk/log.db", "tmpfs"),
        ("/homeless/log.db", "ext4"),
    ):
        assert log_database.file_system(Path(path), mounts) == kind
    assert log_database.file_system(Path("/var"), tmp_path / "none") == ""


def test_on_a_network_file_system_there_is_no_shared_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(log_database, "file_system", lambda path: "nfs4")
    log = TrialLog(tmp_path / "log.db")
    log.create_or_check(STUDY)
    log.append([a_trial(0)])
    assert TrialLog(tmp_path / "log.db").read() == [a_trial(0)]
    assert not list(tmp_path.glob("*-shm"))
    log.close()


def test_a_read_only_log_can_be_read_and_says_that_it_cannot_be_written(unprivileged):
    path = unprivileged / "log.db"
    written(path, [a_trial(0)])
    path.chmod(0o444)
    unprivileged.chmod(0o555)
    assert TrialLog(path).read() == [a_trial(0)]
    with pytest.raises(LogError, match=r"log\.db: cannot be written"):
        TrialLog(path).create_or_check(STUDY)
    with pytest.raises(LogError, match=r"new\.db: cannot be opened"):
        TrialLog(unprivileged / "new.db").create_or_check(STUDY)
