"""What is appended to a trial log, by whom, and how it is found again."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trial_logs import STUDY, a_failure, a_trial, in_another_process, written

from accel_dse.claim import Holder
from accel_dse.errors import LogError
from accel_dse.log_rows import trial_row, trials_of
from accel_dse.problem import Goal, Limit, Objective
from accel_dse.trial import Outcome
from accel_dse.trial_log import TrialLog


def test_what_is_appended_is_read_back_in_every_detail(tmp_path):
    trials = [a_trial(0), a_failure(1), a_failure(2, Outcome.TIMED_OUT), a_trial(3)]
    read = written(tmp_path / "log.db", trials).read()
    assert read == trials
    for ours, theirs in zip(trials, read):
        assert (ours.started, ours.ended, ours.host) == (theirs.started, theirs.ended, theirs.host)
    assert read[0].design["order"] == ("K", ("C", 2))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text())
@settings(max_examples=200, deadline=None)
def test_every_number_and_text_is_read_back_exactly(number, whole, text):
    trial = replace(a_trial(0, real=number, whole=whole, text=text), metrics={text: number})
    (read,) = trials_of([tuple(trial_row(trial).values())])
    assert read == trial
    assert str(read.metrics[text]) == str(number), "0.0 and -0.0 are equal, but not the same"


def test_numbers_of_numpy_are_written_as_what_they_hold(tmp_path):
    import numpy as np

    trial = a_trial(0, pes=np.int64(8), clock_ghz=np.float64(0.1), on=np.bool_(True))
    (read,) = written(tmp_path / "log.db", [trial]).read()
    assert read.design == {"pes": 8, "clock_ghz": 0.1, "on": True}
    assert [type(v) for v in read.design.values()] == [int, float, bool]


def test_a_part_of_the_log_can_be_read(tmp_path):
    log = written(tmp_path / "log.db", [a_trial(i) for i in range(5)])
    assert log.read(3) == [a_trial(3), a_trial(4)]
    assert log.read(5) == []


def test_a_log_that_is_closed_is_one_file(tmp_path):
    written(tmp_path / "log.db", [a_trial(0)])
    assert [path.name for path in tmp_path.iterdir()] == ["log.db"]


def test_a_path_may_hold_any_character(tmp_path):
    folder = tmp_path / "50% of #3?é"
    folder.mkdir()
    assert written(folder / "a?b#c%d.db", [a_trial(0)]).read() == [a_trial(0)]
    assert [path.name for path in folder.glob("*.db")] == ["a?b#c%d.db"]


def test_two_studies_in_one_database_do_not_meet(tmp_path):
    for name in ("a", "b"):
        log = TrialLog(tmp_path / "log.db", name=name)
        log.create_or_check(replace(STUDY, seed=ord(name)))
        log.append([a_trial(0, of=name)])
        log.close()
    assert TrialLog(tmp_path / "log.db", name="b").read() == [a_trial(0, of="b")]
    assert TrialLog(tmp_path / "log.db", name="a").study().seed == ord("a")


def test_a_trial_that_does_not_continue_the_log_is_refused(tmp_path):
    log = written(tmp_path / "log.db", [a_trial(0)])
    log.create_or_check(STUDY)
    for wrong in ([a_trial(0)], [a_trial(2)], [a_trial(1), a_trial(3)]):
        with pytest.raises(LogError, match="do not continue a log of 1"):
            log.append(wrong)
    log.append([a_trial(1)])
    assert len(log.read()) == 2
    log.close()


def test_a_batch_with_one_bad_trial_leaves_no_trace(tmp_path):
    log = TrialLog(tmp_path / "log.db")
    log.create_or_check(STUDY)
    nan = replace(a_trial(1), metrics={"latency_ms": float("nan")})
    unwritable = replace(a_failure(1), reason="\udc80")
    for bad in (nan, unwritable, a_trial(1, tool=object())):
        with pytest.raises(LogError, match="trial 1 cannot be written"):
            log.append([a_trial(0), bad])
    assert log.read() == []
    log.append([a_trial(0)])
    log.close()
    assert log.read() == [a_trial(0)]


def test_appending_needs_a_claim(tmp_path):
    with pytest.raises(LogError, match="not open for writing"):
        written(tmp_path / "log.db").append([a_trial(0)])


# What a log is a log of.


def test_the_log_tells_what_study_it_is_of(tmp_path):
    study = written(tmp_path / "log.db").study()
    assert replace(study, created=0.0) == STUDY
    assert study.created > 1.6e9


def test_a_log_of_another_problem_is_refused_with_what_differs(tmp_path):
    path = tmp_path / "log.db"
    written(path, [a_trial(0)])
    before = path.read_bytes()
    other = replace(STUDY, problem={**STUDY.problem, "limits": ["area_mm2<=29"]})
    with pytest.raises(LogError, match=r'problem\.limits is \["area_mm2<=27"\] there and \["area'):
        TrialLog(path).create_or_check(other)
    assert path.read_bytes() == before
    written(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "seed is 3 there and 4 here"),
        ({"optimizer": "evolution"}, 'optimizer is "random" there'),
        ({"optimizer_options": {"population": 9}}, "optimizer_options.population is null there"),
        ({"simulator_version": "2"}, 'simulator_version is "1" there'),
    ],
)
def test_a_log_of_another_search_is_refused(tmp_path, change, message):
    written(tmp_path / "log.db")
    with pytest.raises(LogError, match=message):
        TrialLog(tmp_path / "log.db").create_or_check(replace(STUDY, **change))


def test_a_newer_package_may_continue_the_log(tmp_path):
    written(tmp_path / "log.db", [a_trial(0)])
    written(tmp_path / "log.db", [a_trial(1)], replace(STUDY, package_version="99"))
    assert len(TrialLog(tmp_path / "log.db").read()) == 2


# Who writes.


def test_a_second_writer_is_refused_with_the_name_of_the_first(tmp_path):
    log = TrialLog(tmp_path / "log.db")
    log.create_or_check(STUDY)
    with pytest.raises(LogError, match=f"process {os.getpid()} on .* is writing to it"):
        TrialLog(tmp_path / "log.db").create_or_check(STUDY)
    other = in_another_process("TrialLog(sys.argv[1]).create_or_check(STUDY)", log.place)
    assert f"process {os.getpid()} on" in other.stderr
    log.append([a_trial(0)])
    log.close()
    written(tmp_path / "log.db", [a_trial(1)])


def test_a_reader_is_not_kept_waiting_and_does_not_keep_the_writer_waiting(tmp_path):
    log = TrialLog(tmp_path / "log.db")
    log.create_or_check(STUDY)
    log.append([a_trial(0)])
    assert TrialLog(tmp_path / "log.db").read() == [a_trial(0)]
    with TrialLog(tmp_path / "log.db")._reading() as reading:
        count = "SELECT count(*) FROM trial"
        assert reading.exec_driver_sql(count).scalar() == 1
        log.append([a_trial(1)])
        assert reading.exec_driver_sql(count).scalar() == 1, "a reader sees one moment"
    log.close()


def test_what_a_killed_writer_had_appended_is_there_and_its_claim_is_void(tmp_path):
    code = """
        log = TrialLog(sys.argv[1])
        log.create_or_check(STUDY)
        log.append([a_trial(0), a_trial(1)])
        log._connection.begin()
        log._connection.exec_driver_sql("DELETE FROM trial")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    path = tmp_path / "log.db"
    assert in_another_process(code, path).returncode == -signal.SIGKILL
    assert TrialLog(path).read() == [a_trial(0), a_trial(1)]
    written(path, [a_trial(2)])
    assert len(TrialLog(path).read()) == 3


def test_a_writer_that_lost_its_claim_writes_nothing(tmp_path):
    log = TrialLog(tmp_path / "log.db")
    log.create_or_check(STUDY)
    with sqlite3.connect(log.place) as meddler:
        meddler.execute("UPDATE writer SET token = 'another'")
    meddler.close()
    with pytest.raises(LogError, match="taken over"):
        log.append([a_trial(0)])
    log.close()
    assert log.read() == []


def test_a_log_whose_writer_is_gone_with_its_machine_can_be_taken_over(tmp_path):
    first = TrialLog(tmp_path / "log.db")
    first.create_or_check(STUDY)
    with sqlite3.connect(first.place) as meddler:
        meddler.execute("UPDATE writer SET host = 'another'")
    meddler.close()
    with pytest.raises(LogError, match="on another is writing to it") as caught:
        TrialLog(tmp_path / "log.db").create_or_check(STUDY)
    assert "--take-over" in caught.value.hint
    second = TrialLog(tmp_path / "log.db", take_over=True)
    second.create_or_check(STUDY)
    second.append([a_trial(0)])
    with pytest.raises(LogError, match="taken over"):
        first.append([a_trial(0)])
    first.close()
    second.append([a_trial(1)])
    second.close()
    assert second.read() == [a_trial(0), a_trial(1)]


def test_a_process_is_dead_when_it_ended_or_its_machine_was_restarted():
    me = Holder.me()
    assert not me.dead()
    assert replace(me, started=me.started + 1).dead(), "its number was given to a later process"
    assert replace(me, boot="an earlier boot").dead()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert replace(me, pid=ended.pid).dead()


def test_a_process_that_cannot_be_seen_from_here_is_not_called_dead():
    me = Holder.me()
    assert not replace(me, host="elsewhere", pid=2**22 + 1).dead()
    assert not replace(me, namespace="another container", pid=2**22 + 1).dead()


def test_a_zombie_is_dead():
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert replace(Holder.me(), pid=zombie.pid, started=7).dead()
    zombie.wait()


# Finding the best without reading all.


@pytest.mark.parametrize(
    "goal",
    [
        Goal((Objective("latency_ms"),), (Limit("area_mm2", "<=", 5.0),)),
        Goal((Objective("latency_ms", "maximize"),), (Limit("area_mm2", ">=", 5.0),)),
        Goal((Objective("area_mm2"), Objective("latency_ms"))),
        Goal((Objective("net0/latency_ms"),)),
        Goal((Objective("latency_ms"),), (Limit("area_mm2", "<=", -1.0),)),
    ],
)
def test_the_database_finds_the_best_that_reading_all_finds(tmp_path, goal):
    trials = [
        replace(
            a_trial(i),
            metrics={
                "latency_ms": (i * 37 % 50) / 7,
                "area_mm2": i * 13 % 11 + 1e-9,
                "net0/latency_ms": (i * 31 % 50) / 7,
            },
        )
        if i % 3
        else a_failure(i)
        for i in range(80)
    ]
    log = written(tmp_path / "log.db", trials)
    assert log.best(goal) == goal.best(trials)


def test_a_best_trial_that_was_altered_is_not_believed(tmp_path):
    log = written(tmp_path / "log.db", [a_trial(i) for i in range(3)])
    with sqlite3.connect(log.place) as meddler:
        meddler.execute("UPDATE trial SET metrics = replace(metrics, '0.3', '0.1') WHERE idx = 1")
    meddler.close()
    with pytest.raises(LogError, match="trial 1 was altered"):
        log.best(Goal((Objective("latency_ms"),)))


def test_a_slice_of_the_log_can_be_read(tmp_path):
    log = written(tmp_path / "log.db", [a_trial(i) for i in range(9)])
    assert log.read(2, 5) == [a_trial(i) for i in range(2, 5)]


def test_outcomes_are_counted_without_reading_the_trials(tmp_path):
    trials = [a_trial(0), a_failure(1), a_failure(2, Outcome.TIMED_OUT), a_trial(3)]
    log = written(tmp_path / "log.db", trials)
    assert log.outcomes() == {
        Outcome.FEASIBLE: 2,
        Outcome.INFEASIBLE: 0,
        Outcome.FAILED: 1,
        Outcome.TIMED_OUT: 1,
    }
    with sqlite3.connect(tmp_path / "log.db") as link:
        link.execute("UPDATE trial SET outcome = 'fine' WHERE idx = 1")
    with pytest.raises(LogError, match="its outcome is 'fine'"):
        log.outcomes()
