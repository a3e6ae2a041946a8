"""The same log in PostgreSQL; skipped where there is no server program or no driver."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from drill import a_study, assert_replays
from test_queue import a_queue, a_ticket, a_worker, closed_queues, measured, written_down

from accel_dse.errors import LogError
from accel_dse.testing import check_trial_log, toy_problem
from accel_dse.trial_log import TrialLog

pytest.importorskip("psycopg", reason="needs the extra postgres", exc_type=ImportError)
SERVERS = [*Path("/usr/lib/postgresql").glob("*/bin"), Path(shutil.which("initdb") or "/").parent]
BIN = next((path for path in SERVERS if (path / "initdb").exists()), None)
__all__ = ["closed_queues"]  # a fixture
pytestmark = [
    pytest.mark.skipif(BIN is None, reason="no PostgreSQL server is installed"),
    pytest.mark.timeout(180),
]


def unprivileged():
    """The server refuses to run as root."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="module")
def server():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="accel_dse_pg", dir="/tmp")
    if user := unprivileged():
        shutil.chown(folder, user)

    def run(program, *arguments):
        subprocess.run([BIN / program, *arguments], user=user, check=True, capture_output=True,
                       cwd=folder, timeout=120)  # fmt: skip

    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "me", "-E", "UTF8")
    run("pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-o", options, "-w", "start")
    yield f"postgresql+psycopg://me@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def place(server):
    """The URL of a database of its own."""
    name = f"log{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as link:
        link.exec_driver_sql(f"CREATE DATABASE {name}")
    return server.replace("/postgres", f"/{name}")


def test_a_log_in_postgres_keeps_the_contract(place, tmp_path):
    check_trial_log(tmp_path, lambda _: TrialLog(place))


def test_a_study_in_postgres_is_the_same_as_in_a_file(place, tmp_path):
    whole = a_study(tmp_path / "whole.db").run(30, batch=5)
    a_study(place).run(10, batch=5)
    assert a_study(place).run(30, batch=5) == whole
    assert TrialLog(place).read() == whole
    trials = a_study(place).run(45, workers=3)
    assert_replays(place)
    goal = toy_problem().goal
    assert TrialLog(place).best(goal) == goal.best(trials)


def test_an_altered_trial_is_found_in_postgres(place):
    a_study(place).run(5)
    with sa.create_engine(place, poolclass=sa.NullPool).begin() as link:
        link.exec_driver_sql("UPDATE trial SET reason = 'other' WHERE idx = 3")
    with pytest.raises(LogError, match="trial 3 was altered"):
        TrialLog(place).read()


def test_workers_share_a_study_in_postgres(place):
    written_down(place)
    brought = []
    threads = [
        threading.Thread(target=lambda: brought.append(a_worker(place).run(24))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(brought) == 24
    assert len(TrialLog(place).read()) == 24
    assert_replays(place)


KILLED = """
    import sys
    sys.path.insert(0, sys.argv[2])
    from test_queue import a_worker
    a_worker(sys.argv[1], seconds=lambda n: 60.0, lease_s=1.0).run(3)
"""


def attempted(place):
    with sa.create_engine(place, poolclass=sa.NullPool).connect() as link:
        return link.exec_driver_sql("SELECT max(attempt) FROM ticket").scalar()


def test_what_a_killed_worker_was_at_is_taken_by_another(place):
    written_down(place)
    code = [sys.executable, "-c", textwrap.dedent(KILLED), place, Path(__file__).parent]
    worker = subprocess.Popen(code)
    while not attempted(place):
        assert worker.poll() is None
        time.sleep(0.1)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert a_worker(place).run(3) == 3


def test_the_first_of_two_results_counts_in_postgres(place):
    written_down(place)
    one, two = a_queue(place, lease_s=0.0), a_queue(place)
    assert one.issue(a_ticket(0))
    assert not two.issue(a_ticket(0))
    ticket, _, token = one.take()
    _, attempt, _ = two.take()
    assert attempt == 1
    assert not one.renew(ticket, token)
    assert two.finish(ticket, measured().trial)
    assert one.finish(ticket, measured("late").trial) is None


def test_a_server_that_is_not_there_is_named(server):
    with pytest.raises(LogError, match="postgresql"):
        TrialLog("postgresql+psycopg://me:secret@127.0.0.1:1/none").read()
