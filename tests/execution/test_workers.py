"""Several simulations at a time, in one process."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from drill import Slow, a_study, assert_replays, uneven

from accel_dse.errors import LogError, OptionError, SimulatorError
from accel_dse.execution.crew import LIVES, Crew, WorkerLostError
from accel_dse.execution.measuring import Measured
from accel_dse.log_rows import Ticket
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial import Outcome
from accel_dse.trial_log import TrialLog


def test_workers_fill_the_log_and_every_proposal_can_be_made_again(tmp_path):
    simulator = Slow(uneven)
    trials = a_study(tmp_path / "log.db", simulator=simulator).run(60, workers=4)
    assert [trial.index for trial in trials] == list(range(60))
    assert TrialLog(tmp_path / "log.db").read() == trials
    assert simulator.started == 60
    assert 1 < simulator.most <= 4
    assert TrialLog(tmp_path / "log.db").tickets(unfinished=True) == []
    assert_replays(tmp_path / "log.db")


def test_a_result_is_logged_when_it_is_there_and_not_in_the_order_of_asking(tmp_path):
    simulator = Slow(lambda n: 0.5 if n == 0 else 0.01)
    a_study(tmp_path / "log.db", simulator=simulator).run(12, workers=2)
    order = [ticket.trial for ticket in TrialLog(tmp_path / "log.db").tickets()]
    assert sorted(order) == list(range(12))
    assert order[0] > 3
    assert_replays(tmp_path / "log.db")


def test_a_free_worker_does_not_wait_for_the_others(tmp_path):
    release = threading.Event()

    def wait(n):
        if n == 0:
            assert release.wait(60), "the others were never simulated"
        elif n == 10:
            release.set()

    trials = a_study(tmp_path / "log.db", simulator=Slow(at=wait)).run(12, workers=2)
    assert len(trials) == 12


def test_the_optimizer_sees_what_is_pending(tmp_path):
    seen = []

    class Watching(RandomSearch):
        def ask(self, n):
            seen.append((len(self.trials), len(self.pending)))
            return super().ask(n)

    a_study(tmp_path / "log.db", make=Watching).run(20, workers=3)
    assert seen[:3] == [(0, 0), (0, 1), (0, 2)]
    assert all(pending in (1, 2) for _, pending in seen[3:]), "those that finished are no more"
    designs = [tuple(t.design.values()) for t in TrialLog(tmp_path / "log.db").read()]
    assert len(set(designs)) == 20, "what is pending is not proposed again"


def test_with_one_worker_the_sequence_is_that_of_a_plain_run(tmp_path):
    plain = a_study(tmp_path / "a.db").run(30, batch=1)
    assert a_study(tmp_path / "b.db").run(30, batch=1, executor=ThreadPoolExecutor(1)) == plain


def test_several_workers_may_take_several_designs_each(tmp_path):
    simulator = Slow(uneven)
    trials = a_study(tmp_path / "log.db", simulator=simulator).run(50, workers=3, batch=4)
    assert len(trials) == 50
    assert_replays(tmp_path / "log.db")


def test_a_study_that_broke_with_workers_gives_out_first_what_was_never_finished(tmp_path):
    def crash(n):
        if n == 13:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        a_study(tmp_path / "log.db", simulator=Slow(uneven, crash)).run(40, workers=4)
    before = TrialLog(tmp_path / "log.db").read()
    unfinished = TrialLog(tmp_path / "log.db").tickets(unfinished=True)
    assert len(before) + len(unfinished) <= 14 + 4
    for workers in (2, 6):
        simulator = Slow(uneven)
        a_study(tmp_path / "log.db", simulator=simulator).run(30, workers=workers)
    trials = TrialLog(tmp_path / "log.db").read()
    assert trials[: len(before)] == before
    assert [t.design for t in unfinished] == [
        trials[ticket.trial].design
        for ticket in TrialLog(tmp_path / "log.db").tickets()
        if ticket.number in {t.number for t in unfinished}
    ]
    assert_replays(tmp_path / "log.db")


def test_what_workers_left_unfinished_is_finished_by_a_plain_run(tmp_path):
    def crash(n):
        if n == 9:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        a_study(tmp_path / "log.db", simulator=Slow(uneven, crash)).run(40, workers=4)
    trials = a_study(tmp_path / "log.db").run(40)
    assert len(trials) == 40
    assert TrialLog(tmp_path / "log.db").tickets(unfinished=True) == []


def test_what_finished_before_another_broke_is_on_record(tmp_path):
    both = threading.Barrier(2)

    class Half(ToySimulator):
        def simulate(self, workload, designs):
            both.wait(60)
            if threading.current_thread().name.endswith("_0"):
                raise OptionError("no such metric")
            return super().simulate(workload, designs)

    with pytest.raises(OptionError, match="no such metric"):
        a_study(tmp_path / "log.db", simulator=Half()).run(2, workers=2)
    assert len(TrialLog(tmp_path / "log.db").read()) <= 1


KILLED = """
    import os, signal, sys
    sys.path.insert(0, sys.argv[2])
    from drill import Slow, a_study, uneven
    def at(n):
        if n == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
    a_study(sys.argv[1], simulator=Slow(uneven, at)).run(60, workers=4)
"""


def test_a_study_killed_again_and_again_loses_nothing_and_replays(tmp_path):
    path, length = tmp_path / "log.db", 0
    for at in (7, 1, 12, 0, 5):
        code = textwrap.dedent(KILLED)
        arguments = [sys.executable, "-c", code, path, Path(__file__).parent, str(at)]
        done = subprocess.run(arguments, check=False, timeout=120)
        assert done.returncode == -signal.SIGKILL
        trials = TrialLog(path).read()
        assert len(trials) >= length
        length = len(trials)
    assert length < 40
    a_study(path).run(40, workers=4)
    assert len(TrialLog(path).read()) == 40
    assert_replays(path)
    tickets = TrialLog(path).tickets()
    assert len(tickets) == 40, "what a killed study had given out is not asked for again"


def test_a_ticket_that_was_altered_is_found(tmp_path):
    a_study(tmp_path / "log.db").run(6, workers=2)
    log = TrialLog(tmp_path / "log.db")
    log.create_or_check(log.study())
    log._connection.exec_driver_sql("UPDATE ticket SET known = known + 1 WHERE number = 3")
    log._connection.commit()
    log.close()
    with pytest.raises(LogError, match="ticket 3 was altered"):
        log.tickets()


# Losing workers.


class Losing(ThreadPoolExecutor):
    """Loses the worker of the first `times` calls."""

    def __init__(self, times):
        super().__init__(2)
        self.times = times

    def submit(self, fn, /, *args, **kwargs):
        if self.times:
            self.times -= 1
            fn = lost
        return super().submit(fn, *args, **kwargs)


def lost(*_):
    raise WorkerLostError("evicted")


def test_a_simulation_whose_worker_was_lost_is_given_to_another(tmp_path):
    with Losing(LIVES - 1) as executor:
        trials = a_study(tmp_path / "log.db").run(8, workers=2, executor=executor)
    assert all(trial.outcome is not Outcome.FAILED for trial in trials)
    assert len(trials) == 8


def test_a_simulation_that_loses_every_worker_failed():
    ticket = Ticket(number=0, ask=0, known=0, design={"pes": 1})
    with Losing(1000) as executor, Crew(lambda designs: [], 2, executor) as crew:
        crew.submit([ticket])
        ((same, measured),) = [result for _ in range(LIVES) for result in crew.finished()]
    assert same == ticket
    assert measured.outcome is Outcome.FAILED
    assert measured.reason == f"{LIVES} workers were lost while it ran; the last: evicted"


def test_a_crew_that_is_cancelled_from_outside_says_so():
    hold = threading.Event()
    with (
        ThreadPoolExecutor(1) as executor,
        Crew(lambda designs: hold.wait(60), 2, executor) as crew,
    ):
        for number in range(2):
            crew.submit([Ticket(number=number, ask=0, known=0, design={})])
        list(crew._jobs)[1].cancel()
        with pytest.raises(SimulatorError, match="cancelled from outside"):
            crew.finished()
        hold.set()


def test_a_deadline_ends_the_wait():
    hold = threading.Event()
    with (
        ThreadPoolExecutor(1) as executor,
        Crew(lambda designs: hold.wait(60), 2, executor) as crew,
    ):
        crew.submit([Ticket(number=0, ask=0, known=0, design={})])
        assert crew.finished(time.time() + 0.1) == []
        hold.set()
    assert Measured(outcome=Outcome.FAILED, reason="x", started=0, ended=0, host="").metrics == {}


# Stopping.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_lets_what_runs_finish_and_begins_nothing(tmp_path, number):
    def stop(n):
        if n == 10:
            os.kill(os.getpid(), number)

    simulator = Slow(lambda n: 0.2, stop)
    with pytest.raises(KeyboardInterrupt):
        a_study(tmp_path / "log.db", simulator=simulator).run(40, workers=3)
    log = TrialLog(tmp_path / "log.db")
    assert len(log.read()) == simulator.started < 40
    assert log.tickets(unfinished=True) == []


def test_problems_are_named_once(tmp_path):
    problem = toy_problem(objectives=("latencycycles",))
    with pytest.raises(OptionError, match="no metric is named 'latencycycles'"):
        a_study(tmp_path / "log.db", problem=problem).run(5, workers=2)
    assert all(a.number < b.number for a, b in pairwise(TrialLog(tmp_path / "log.db").tickets()))
