"""Workers that share a log, with nobody in charge."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from drill import Slow, a_study, assert_replays, uneven

from accel_dse.errors import LogError
from accel_dse.execution.crew import LIVES
from accel_dse.execution.measuring import Measure, Measured
from accel_dse.execution.worker import Worker
from accel_dse.log_rows import Ticket
from accel_dse.progress import Silent
from accel_dse.stopping import Until
from accel_dse.ticket_queue import TicketQueue
from accel_dse.trial import Outcome
from accel_dse.trial_log import TrialLog


def written_down(place):
    study = a_study(place)
    study.log.create_or_check(study.description())
    study.log.close()
    return place


def a_queue(place, **options):
    queue = TicketQueue(place, **options)
    OPEN.append(queue)
    return queue


OPEN = []


@pytest.fixture(autouse=True)
def closed_queues():
    yield
    while OPEN:
        OPEN.pop().close()


def a_worker(place, *, seconds=uneven, at=lambda n: None, lease_s=30.0):
    study = a_study(place, simulator=Slow(seconds, at))
    return Worker(
        optimizer=study.optimizer,
        measure=Measure(study.problem, study.simulator),
        queue=a_queue(place, lease_s=lease_s),
        progress=Silent(),
    )


def measured(reason="no", outcome=Outcome.INFEASIBLE):
    return Measured(outcome=outcome, reason=reason, started=1.0, ended=2.0, host="h")


def a_ticket(number, **changes):
    design = {"pes_x": 1, "pes_y": 1, "buffer_kib": 1, "dataflow": "weight_stationary"}
    return replace(Ticket(number=number, ask=number, known=0, design=design), **changes)


def test_a_lone_worker_does_what_a_plain_run_does(tmp_path):
    whole = a_study(tmp_path / "whole.db").run(25, batch=1)
    assert a_worker(written_down(tmp_path / "log.db")).run(25) == 25
    assert TrialLog(tmp_path / "log.db").read() == whole
    assert_replays(tmp_path / "log.db")


def test_workers_share_the_work_and_every_proposal_can_be_made_again(tmp_path):
    place = written_down(tmp_path / "log.db")
    brought = []
    threads = [
        threading.Thread(target=lambda: brought.append(a_worker(place).run(40))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(brought) == 40
    assert len(TrialLog(place).read()) == 40
    assert TrialLog(place).tickets(unfinished=True) == []
    assert_replays(place)


def test_a_worker_joins_a_study_that_has_begun_and_a_plain_run_goes_on(tmp_path):
    place = tmp_path / "log.db"
    a_study(place).run(10)
    assert a_worker(place).run(20) == 10
    trials = a_study(place).run(30)
    assert len(trials) == 30


WORKER = """
    import sys
    sys.path.insert(0, sys.argv[2])
    from test_queue import a_worker
    print(a_worker(sys.argv[1], seconds=lambda n: 0.05, lease_s=1.0).run(16), flush=True)
"""


def test_killed_workers_lose_nothing(tmp_path):
    place = written_down(tmp_path / "log.db")

    def start():
        code = [sys.executable, "-c", textwrap.dedent(WORKER), place, Path(__file__).parent]
        return subprocess.Popen(code, stdout=subprocess.PIPE)

    workers = [start() for _ in range(3)]
    victims = 0
    deadline = time.monotonic() + 120
    while len(TrialLog(place).read()) < 16:
        assert time.monotonic() < deadline
        if victims < 3 and TrialLog(place).tickets(unfinished=True):
            workers[victims % 3].kill()
            workers[victims % 3].communicate()
            workers[victims % 3] = start()
            victims += 1
        time.sleep(0.4)
    for worker in workers:
        worker.communicate(timeout=120)
        assert worker.returncode == 0
    trials = TrialLog(place).read()
    assert len(trials) == 16
    assert all(trial.outcome is not Outcome.FAILED for trial in trials)
    assert_replays(place)


def test_a_lease_that_ran_out_is_taken_by_another_and_the_first_result_counts(tmp_path):
    place = written_down(tmp_path / "log.db")
    slow, quick = a_queue(place, lease_s=0.2), a_queue(place, lease_s=30.0)
    assert slow.issue(a_ticket(0))
    ticket, attempt, token = slow.take()
    assert (ticket, attempt) == (a_ticket(0), 0)
    assert quick.take() is None
    time.sleep(0.4)
    again, attempt, other = quick.take()
    assert (again, attempt) == (ticket, 1)
    assert not slow.renew(ticket, token)
    assert quick.renew(ticket, other)
    assert quick.finish(ticket, measured().trial).index == 0
    assert slow.finish(ticket, measured("late").trial) is None
    assert [trial.reason for trial in TrialLog(place).read()] == ["no"]


def test_a_lease_is_renewed_while_a_simulation_runs(tmp_path):
    place = written_down(tmp_path / "log.db")
    others = a_queue(place, lease_s=30.0)
    taken = []
    worker = a_worker(place, seconds=lambda n: 2.5, at=taken.append, lease_s=1.0)
    thread = threading.Thread(target=worker.run, args=(1,))
    thread.start()
    while not taken:
        time.sleep(0.01)
    time.sleep(1.5)
    assert others.take() is None
    thread.join()
    assert len(TrialLog(place).read()) == 1


def test_a_ticket_that_is_not_the_next_is_refused(tmp_path):
    place = written_down(tmp_path / "log.db")
    one, two = a_queue(place), a_queue(place)
    assert one.issue(a_ticket(0))
    assert not two.issue(a_ticket(0, design={"pes_x": 2}))
    assert two.standing(0).next_number == 1


def test_a_design_that_no_worker_survives_failed(tmp_path):
    place = written_down(tmp_path / "log.db")
    queue = a_queue(place, lease_s=0.0)
    queue.issue(a_ticket(0))
    for attempt in range(LIVES):
        assert queue.take()[1] == attempt
    assert a_worker(place).run(1) == 1
    (trial,) = TrialLog(place).read()
    assert trial.outcome is Outcome.FAILED
    assert trial.reason == f"{LIVES} workers were lost while it ran"


def test_workers_and_a_plain_study_do_not_write_at_once(tmp_path):
    place = written_down(tmp_path / "log.db")
    queue = a_queue(place)
    queue.issue(a_ticket(0))
    queue.take()
    study = a_study(place)
    with pytest.raises(LogError, match=f"a worker, process {os.getpid()} on .*, is at it"):
        study.run(5)
    ((ticket, *_),) = [(t,) for t in TrialLog(place).tickets()]
    queue.finish(ticket, measured().trial)
    study.log.create_or_check(study.description())
    with pytest.raises(LogError, match="is writing to it, and is no worker"):
        queue.take()
    study.log.close()
    assert queue.take() is None


def test_a_worker_that_breaks_gives_its_ticket_back(tmp_path):
    place = written_down(tmp_path / "log.db")

    def crash(n):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        a_worker(place, at=crash).run(5)
    assert a_queue(place).take() is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_is_asked_to_stop_finishes_what_it_is_at(tmp_path, number):
    place = written_down(tmp_path / "log.db")

    def stop(n):
        if n == 3:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        a_worker(place, at=stop).run(20)
    assert len(TrialLog(place).read()) == 4
    assert TrialLog(place).tickets(unfinished=True) == []


def test_a_worker_ends_at_its_deadline(tmp_path):
    place = written_down(tmp_path / "log.db")
    assert a_worker(place).run(20, Until(deadline=1.0)) == 0


def test_a_log_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(LogError, match="no such log"):
        TicketQueue(tmp_path / "log.db")
    assert list(tmp_path.iterdir()) == []
