"""`accel-dse optimize` with workers, deadlines, targets and caches; `accel-dse worker`."""

import json
import os
import time
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import pytest

from accel_dse import plugins
from accel_dse.cli import main
from accel_dse.cli.running import moment, read_recipe, recipe
from accel_dse.cli.searching import Search
from accel_dse.errors import OptionError
from accel_dse.files.study_file import Choice
from accel_dse.problem import Goal, Limit, Objective
from accel_dse.simulators.cached import ResultCache
from accel_dse.trial_log import TrialLog

SPACE = """\
version: 1
name: toy
source: made up
parameters:
  pes_x: {ordinal: [1, 2, 4, 8, 16, 32], scale: log}
  pes_y: {ordinal: [1, 2, 4, 8, 16, 32], scale: log}
  buffer_kib: {ordinal: [1, 2, 4, 8, 16, 32, 64, 128], scale: log}
  dataflow: {categorical: [weight_stationary, output_stationary, input_stationary]}
constraints: [pes_x <= 4 * pes_y]
"""

SEARCH = ("optimize", "toy.yaml", "-w", "mlp", "-w", "dqn:2", "--minimize", "latency_cycles",
          "--limit", "area_mm2<=5", "--simulator", "toy", "--log", "run.db")  # fmt: skip


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    toy = {"toy": "accel_dse.testing:ToySimulator"}
    simulators = {**plugins.BUILT_IN["simulators"], **toy}
    monkeypatch.setattr(plugins, "BUILT_IN", {**plugins.BUILT_IN, "simulators": simulators})
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(SPACE)


def said(capsys, *arguments, code=0):
    assert main(arguments) == code
    return capsys.readouterr()


def answered(capsys, *arguments):
    return json.loads(said(capsys, *arguments, "--json").out)


def refused(capsys, *arguments):
    return said(capsys, *arguments, code=2).err


def test_several_designs_may_be_simulated_at_a_time(capsys):
    assert answered(capsys, *SEARCH, "--trials", "30", "--workers", "3")["trials"] == 30
    assert len(TrialLog("run.db").tickets()) == 30


def test_a_search_ends_at_its_target_and_says_so(capsys):
    whole = answered(capsys, *SEARCH, "--trials", "100", "--batch", "1")
    target = whole["best"]["metrics"]["latency_cycles"]
    Path("run.db").unlink()
    bounded = ("--trials", "100", "--batch", "1", "--target", str(target))
    answer = answered(capsys, *SEARCH, *bounded)
    assert answer["trials"] == whole["best"]["trial"] + 1
    assert "reaches the target" in answer["ended"]
    assert "reaches the target" in said(capsys, *SEARCH, *bounded).out


def test_a_search_ends_when_its_time_is_over_and_goes_on_later(capsys):
    answer = answered(capsys, *SEARCH, "--trials", "20", "--max-hours", "0")
    assert (answer["trials"], answer["stopped"], answer["ended"]) == (0, False, "its time is over")
    past = answered(capsys, *SEARCH, "--trials", "20", "--deadline", "2020-01-01T00:00")
    assert past["trials"] == 0
    assert answered(capsys, *SEARCH, "--trials", "20", "--max-hours", "1")["trials"] == 20


def test_a_time_of_day_is_the_next_one():
    at = moment("00:00")
    assert 0 < at - time.time() <= 25 * 3600
    assert datetime.fromtimestamp(at).hour == 0
    assert moment("2026-12-24T17:30+01:00") == 1798129800
    for wrong in ("soon", "25:00", "2026-13-01", ""):
        with pytest.raises(OptionError, match="cannot read"):
            moment(wrong)


def test_a_second_search_finds_the_results_of_the_first(capsys):
    said(capsys, *SEARCH, "--trials", "20", "--cache", "results.db")
    size = len(ResultCache("results.db"))
    assert size == 40, "two workloads"
    first = TrialLog("run.db").read()
    said(capsys, *(word.replace("run.db", "again.db") for word in SEARCH), "--trials", "20",
         "--cache", "results.db")  # fmt: skip
    assert TrialLog("again.db").read() == first
    assert len(ResultCache("results.db")) == size


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--deadline", "soon"), "--deadline: cannot read 'soon'"),
        (("--workers", "-1"), "Invalid value for '--workers'"),
        (("--target", "nan"), "expected times and targets that are numbers"),
        (("--cache", "toy.yaml"), "toy.yaml: this cache cannot be used"),
        (("--cache", "c.db", "--dask", "tcp://localhost:1"), "--cache: a file that many machines"),
    ],
)
def test_a_wrong_word_is_answered_with_one_line(capsys, extra, message):
    assert refused(capsys, *SEARCH, *extra).startswith(f"error: {message}")


def test_workers_do_a_study_that_was_written_down(capsys, monkeypatch, tmp_path):
    output = said(capsys, *SEARCH, "--trials", "15", "--workers", "0")
    assert "accel-dse worker --log run.db" in output.out
    assert TrialLog("run.db").read() == []
    monkeypatch.chdir("/")
    answer = answered(capsys, "worker", "--log", str(tmp_path / "run.db"), "--trials", "6")
    assert (answer["brought"], answer["trials"]) == (6, 6)
    assert Path.cwd() == tmp_path, "paths in the recipe are seen from where the study was made"
    assert "brought 9 of the 15" in said(capsys, "worker", "--log", "run.db").out
    said(capsys, *(word.replace("run.db", "whole.db") for word in SEARCH), "--trials", "15",
         "--batch", "1")  # fmt: skip
    assert TrialLog("run.db").read() == TrialLog("whole.db").read()


def test_a_recipe_makes_the_same_search_again():
    search = Search(
        space="toy.yaml",
        workloads=(("mlp", 2.0), ("dqn", 1.0)),
        goal=Goal((Objective("latency_ms"), Objective("edp", "maximize")), (Limit("a", "<=", 2),)),
        aggregate="worst",
        optimizer=Choice("evolution", {"population": "7"}),
        simulator=Choice("process", {"command": "python 'a b.py'"}),
        trials=17,
        seed=5,
        shapes={"batch": 1},
        warm_start=("old.db",),
    )
    assert read_recipe(recipe(search), "log.db") == search
    of_a_run = {"batch", "workers", "max_hours", "target"}  # a worker is told by its own flags
    names = {item.name for item in fields(Search)} - of_a_run
    assert names <= set(json.loads(recipe(search))), "a worker must know all that was asked for"


def test_a_worker_refuses_files_that_changed_since_the_study_was_made(capsys):
    said(capsys, *SEARCH, "--trials", "5", "--workers", "0")
    Path("toy.yaml").write_text(SPACE.replace("4 * pes_y", "2 * pes_y"))
    assert "is the log of another study" in refused(capsys, "worker", "--log", "run.db")


def test_a_log_that_says_no_recipe_has_no_workers(capsys):
    study = TrialLog("run.db")
    said(capsys, *SEARCH, "--trials", "5")
    study.create_or_check(study.study())
    for content, complaint in (("", "does not say how"), ("{}", "its recipe cannot be read"),
                              ("[", "its recipe cannot be read")):  # fmt: skip
        study.keep_recipe(content)
        study.close()
        assert complaint in refused(capsys, "worker", "--log", "run.db")
        study.create_or_check(study.study())
    study.close()
    assert "no such log" in refused(capsys, "worker", "--log", "none.db")
    assert not os.path.exists("none.db")


STUDY = """\
version: 1
space: toy.yaml
workloads: [mlp]
minimize: latency_cycles
simulator: toy
optimizer: random
trials: 60
batch: 3
"""


def test_a_study_file_may_say_what_is_good_enough_and_a_flag_overrules_it(capsys):
    Path("study.yaml").write_text(STUDY + "target: 1.0e12\n")
    assert (
        "reaches the target" in answered(capsys, "optimize", "study.yaml", "--log", "a.db")["ended"]
    )
    whole = answered(capsys, "optimize", "study.yaml", "--log", "a.db", "--target", "0")
    assert (whole["trials"], whole["ended"]) == (60, "")


def test_a_study_file_may_leave_the_search_to_workers(capsys):
    Path("study.yaml").write_text(STUDY + "workers: 0\n")
    assert "is ready for" in said(capsys, "optimize", "study.yaml", "--log", "b.db").out
    found = answered(capsys, "optimize", "study.yaml", "--log", "c.db", "--workers", "2")
    assert found["trials"] == 60


def test_a_study_file_may_name_a_log_to_begin_from(capsys):
    Path("study.yaml").write_text(STUDY + "warm_start: other.db\n")
    assert "other.db" in refused(capsys, "optimize", "study.yaml", "--log", "d.db")
    said(capsys, *SEARCH[:-1], "other.db", "--trials", "20")
    done = said(capsys, "optimize", "study.yaml", "--log", "d.db")
    assert "warm start: " in done.err
    assert "other.db" in done.err
