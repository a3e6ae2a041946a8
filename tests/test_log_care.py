"""Logs as a whole: shown, exported, merged, and saved from damage."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from accel_dse.cli import main
from accel_dse.errors import LogError
from accel_dse.log_care import recovered
from accel_dse.log_carving import carved_rows
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.progress import Silent
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog


def a_log(place, n=60, seed=1, batch=10, **problem):
    problem = toy_problem(**problem)
    study = Study(
        problem=problem,
        optimizer=RandomSearch(problem=problem, seed=seed),
        simulator=ToySimulator(),
        log=TrialLog(place),
        progress=Silent(),
    )
    return study.run(n, batch=batch)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def said(capsys, *arguments, code=0):
    assert main(arguments) == code
    return capsys.readouterr()


def answered(capsys, *arguments):
    return json.loads(said(capsys, "log", *arguments, "--json").out)


def refused(capsys, *arguments):
    output = said(capsys, "log", *arguments, code=2)
    return output.err.removeprefix("error: ")


# show


def test_a_log_is_shown_with_its_last_trials(capsys):
    trials = a_log("run.db")
    answer = answered(capsys, "show", "run.db", "--last", "3")
    assert answer["trials"] == 60
    assert answer["feasible"] == sum(trial.feasible for trial in trials)
    assert (answer["optimizer"], answer["seed"], answer["under_way"]) == ("random", 1, 0)
    assert [each["index"] for each in answer["last"]] == [57, 58, 59]
    output = said(capsys, "log", "show", "run.db").out
    infeasible = next(trial for trial in trials[-10:] if not trial.feasible)
    assert infeasible.reason.split()[0] in output
    assert "latency_cycles" in output
    assert "under way" in output


def test_one_trial_is_shown_in_full(capsys):
    trials = a_log("run.db", 5)
    answer = json.loads(said(capsys, "log", "show", "run.db", "--trial", "4").out)
    assert answer["design"] == dict(trials[4].design)
    assert "has trials 0 to 4" in refused(capsys, "show", "run.db", "--trial", "5")


# export


def test_an_exported_log_holds_every_trial_and_what_it_is_of(capsys):
    trials = a_log("run.db")
    assert answered(capsys, "export", "run.db", "--out", "run.parquet")["trials"] == 60
    table = pq.read_table("run.parquet")
    rows = table.to_pylist()
    for trial, row in zip(trials, rows, strict=True):
        assert (row["index"], row["outcome"], row["reason"]) == (
            trial.index, str(trial.outcome), trial.reason
        )  # fmt: skip
        assert {n: row[f"param.{n}"] for n in trial.design} == dict(trial.design)
        known = {n.removeprefix("metric."): v for n, v in row.items() if n.startswith("metric.")}
        assert {n: v for n, v in known.items() if v is not None} == dict(trial.metrics)
    study = json.loads(table.schema.metadata[b"dse.study"])
    assert study["problem"]["objectives"] == ["minimize latency_cycles"]
    assert "exists already" in refused(capsys, "export", "run.db", "--out", "run.parquet")
    assert "must end in .parquet" in refused(capsys, "export", "run.db", "--out", "run.csv")


def test_values_of_any_type_can_be_exported(capsys):
    a_log("run.db", 1)
    log = TrialLog("run.db")
    log.create_or_check(log.study())
    odd = {"pes_x": "many", "order": ("K", ("C", 2)), "on": True}
    log.append([Trial(index=1, design=odd, outcome=Outcome.FAILED, reason="x")])
    log.close()
    said(capsys, "log", "export", "run.db", "--out", "run.parquet")
    assert pq.read_table("run.parquet").column("param.pes_x").to_pylist()[1] == '"many"'


# merge


def test_merged_logs_hold_the_trials_of_all_and_who_proposed_them(capsys):
    first, second = a_log("a.db", 20, seed=1), a_log("b.db", 30, seed=2)
    shutil.copy("a.db", "copy.db")
    answer = answered(capsys, "merge", "a.db", "b.db", "copy.db", "--out", "all.db")
    assert (answer["trials"], answer["came_twice"]) == (50, 20)
    trials = TrialLog("all.db").read()
    assert [t.design for t in trials] == [t.design for t in [*first, *second]]
    assert [trial.index for trial in trials] == list(range(50))
    assert {trial.source for trial in trials} == {"random:1", "random:2"}
    assert TrialLog("all.db").study().optimizer == "merged"
    assert "exists already" in refused(capsys, "merge", "a.db", "b.db", "--out", "all.db")
    with pytest.raises(LogError, match='optimizer is "merged" there'):
        a_log("all.db", 60)


def test_logs_of_different_problems_are_not_merged(capsys):
    a_log("a.db", 3)
    a_log("b.db", 3, limits=("area_mm2<=6",))
    message = refused(capsys, "merge", "a.db", "b.db", "--out", "all.db")
    assert "b.db: is of another problem than a.db: problem.limits" in message
    assert not Path("all.db").exists()


# repair


def assert_nothing_wrong(kept, trials, lost=()):
    """What was kept is what was written, in order, without what was lost."""
    there = {json.dumps([dict(t.design), t.started, t.ended, t.metrics, t.reason]): t.index
             for t in trials}  # fmt: skip
    indices = [
        there[json.dumps([dict(t.design), t.started, t.ended, t.metrics, t.reason])] for t in kept
    ]
    assert indices == sorted(indices)
    assert not set(indices) & set(lost)
    assert [trial.index for trial in kept] == list(range(len(kept)))
    return indices


def test_a_whole_log_is_kept_whole(capsys):
    trials = a_log("run.db", 300)
    answer = answered(capsys, "repair", "run.db", "--out", "new.db")
    assert (answer["kept"], answer["lost"]) == (300, [])
    assert TrialLog("new.db").read() == trials
    assert a_log("new.db", 310) == a_log("run.db", 310), "it goes on as if nothing had been"


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_log_gives_back_what_is_left(capsys, share):
    trials = a_log("run.db", 400)
    whole = Path("run.db").read_bytes()
    Path("cut.db").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(LogError):
        TrialLog("cut.db").read()
    answer = answered(capsys, "repair", "cut.db", "--out", "new.db")
    kept = TrialLog("new.db").read()
    assert_nothing_wrong(kept, trials, answer["lost"])
    assert len(kept) > 400 * (share - 0.25), "indexes take their share of the file, too"


def test_every_trial_but_the_flipped_one_is_kept(capsys):
    trials = a_log("run.db", 200)
    content = bytearray(Path("run.db").read_bytes())
    place = content.index(json.dumps(dict(trials[77].design)).encode())
    content[place + 12] ^= 1
    Path("run.db").write_bytes(content)
    with pytest.raises(LogError):
        TrialLog("run.db").read()
    output = said(capsys, "log", "repair", "run.db", "--out", "new.db").out
    assert "199 whole trials" in output
    assert "1 are lost: 77;" in output
    kept = TrialLog("new.db").read()
    assert assert_nothing_wrong(kept, trials) == [i for i in range(200) if i != 77]


def test_whatever_byte_is_flipped_no_wrong_trial_is_kept():
    trials = a_log("run.db", 120)
    content = Path("run.db").read_bytes()
    rng = random.Random(0)
    study = TrialLog("run.db").study()
    for _ in range(150):
        broken = bytearray(content)
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        Path("broken.db").write_bytes(broken)
        kept = recovered("broken.db", like=study).kept
        assert_nothing_wrong(kept, trials)
        assert len(kept) >= 90, "a page of rows at most"


KILLED = """
    import os, signal, sys
    sys.path.insert(0, sys.argv[1])
    from test_log_care import *
    plain = ToySimulator.simulate
    calls = 0
    def simulate(self, workload, designs):
        global calls
        calls += 1
        if calls == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(self, workload, designs)
    ToySimulator.simulate = simulate
    a_log("run.db", 200)
"""


def test_trials_that_are_only_in_the_journal_are_kept():
    code = [sys.executable, "-c", textwrap.dedent(KILLED), Path(__file__).parent]
    assert subprocess.run(code, check=False).returncode == -signal.SIGKILL
    assert os.path.getsize("run.db-wal") > 0
    shutil.copy("run.db", "cut.db")
    shutil.copy("run.db-wal", "cut.db-wal")
    assert len(TrialLog("run.db").read()) == 80
    assert len(recovered("cut.db").kept) == 80


def test_a_log_whose_head_is_lost_is_saved_with_another_of_the_same_study(capsys):
    trials = a_log("run.db", 100)
    a_log("like.db", 1)
    content = bytearray(Path("run.db").read_bytes())
    start = content.index(b"minimize latency_cycles")
    content[start : start + 8] = b"maximize"
    Path("run.db").write_bytes(content)
    message = refused(capsys, "repair", "run.db", "--out", "new.db")
    assert "what it is a log of is lost" in message
    assert "--like LOG" in message
    answered(capsys, "repair", "run.db", "--out", "new.db", "--like", "like.db")
    assert TrialLog("new.db").read() == trials


def test_a_long_reason_over_many_pages_is_put_together():
    a_log("run.db", 1)
    log = TrialLog("run.db")
    log.create_or_check(log.study())
    long = Trial(index=1, design={"pes_x": 1}, outcome=Outcome.FAILED, reason="why? " * 20_000)
    log.append([long])
    log.close()
    assert recovered("run.db").kept[1] == replace(long, index=1)


@pytest.mark.parametrize("content", [b"", b"x", b"hello " * 2000, b"\x0d" * 9000, bytes(5000)])
def test_a_file_with_nothing_to_save_is_told(capsys, content):
    Path("run.db").write_bytes(content)
    a_log("like.db", 1)
    assert "is lost" in refused(capsys, "repair", "run.db", "--out", "new.db")
    message = refused(capsys, "repair", "run.db", "--out", "new.db", "--like", "like.db")
    assert "not one whole trial is left" in message
    assert "no such file" in refused(capsys, "repair", "none.db", "--out", "new.db")
    assert list(carved_rows(Path("run.db"))) == [] or content[:1] == b"\x0d"
