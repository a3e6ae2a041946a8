"""What related tasks taught, in the terms of another task."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accel_dse import plugins
from accel_dse.cli import main
from accel_dse.cli.comparing import Searches
from accel_dse.cli.searching import Search
from accel_dse.comparison import Contestant
from accel_dse.dataset import Dataset, texts
from accel_dse.datasets import parquet
from accel_dse.datasets.sources import read_sources
from accel_dse.errors import DesignError, FileError, LogError
from accel_dse.files.study_file import Choice
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.parameters import Categorical, Ordinal
from accel_dse.progress import Silent
from accel_dse.source import MOST_TRIALS, related
from accel_dse.space import DesignSpace
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog

PROBLEM = toy_problem()

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


def trials_of(designs, metrics=None, works=None):
    """Made-up trials of designs: the i-th has latency i and area i."""
    found = []
    for i, design in enumerate(designs):
        fine = works is None or works[i]
        values = {"latency_cycles": float(i), "area_mm2": float(i)} | (metrics or {})
        found.append(
            Trial(
                index=i,
                design=design,
                outcome=Outcome.FEASIBLE if fine else Outcome.INFEASIBLE,
                metrics=values if fine else {},
                reason="" if fine else "too big",
            )
        )
    return found


def sampled(n, problem=PROBLEM):
    return problem.space.sample(n, np.random.default_rng(0))


def a_log(path, problem=PROBLEM, n=20):
    """A log of random designs."""
    log = TrialLog(path)
    optimizer, simulator = RandomSearch(problem=problem), ToySimulator()
    study = Study(
        problem=problem, optimizer=optimizer, simulator=simulator, log=log, progress=Silent()
    )
    study.run(n)
    return str(path)


def space_of(*parameters):
    return replace(PROBLEM, space=DesignSpace("other", parameters))


def test_trials_of_the_same_space_are_taken_as_they_are():
    designs = sampled(10)
    source = related(PROBLEM, trials_of(designs), task="the same")
    assert source.space.designs(source.columns) == designs
    assert source.metrics["area_mm2"].tolist() == list(range(10))
    assert source.remarks == ()


def test_metrics_are_judged_anew_under_other_limits():
    source = related(PROBLEM, trials_of(sampled(10)), task="under other limits")
    for bound, kept in ((5, 6), (2, 3)):
        problem = toy_problem(limits=[f"area_mm2<={bound}"])
        excess = source.excess(problem)
        assert (excess == 0).sum() == kept
        assert excess[9] == pytest.approx((9 - bound) / bound)


def test_a_limit_whose_metric_was_not_measured_is_said_not_to_be_judged():
    trials = [replace(trial, metrics={"latency_cycles": 1.0}) for trial in trials_of(sampled(4))]
    source = related(PROBLEM, trials, task="no area")
    assert (source.excess(PROBLEM) == 0).all()
    assert "no metric area_mm2, so area_mm2<=5 is not judged" in source.remarks


def test_designs_that_do_not_work_keep_no_limit():
    source = related(PROBLEM, trials_of(sampled(4), works=[1, 0, 1, 0]), task="half works")
    assert np.isinf(source.excess(PROBLEM)[[1, 3]]).all()
    assert source.works.tolist() == [True, False, True, False]


def test_failed_trials_teach_nothing():
    first, *others = trials_of(sampled(4))
    failed = replace(first, outcome=Outcome.FAILED, metrics={}, reason="crashed")
    assert len(related(PROBLEM, [failed, *others], task="one failed")) == 3


def test_parameters_are_matched_by_name_and_the_others_named():
    other = space_of(Ordinal("pes_x", (1, 2, 4)), Ordinal("banks", (1, 2)))
    source = related(PROBLEM, trials_of(sampled(10, other)), task="another space")
    assert source.space.names == ("pes_x",)
    assert len(source) == 10
    (remark,) = source.remarks
    assert "shares 1 of 4 parameters, not pes_y, buffer_kib, dataflow" in remark
    assert "ignores its banks" in remark


def test_numbers_become_the_nearest_value_and_are_counted():
    other = space_of(Ordinal("pes_x", (1, 3, 20)))
    source = related(PROBLEM, trials_of([{"pes_x": v} for v in (1, 3, 20)]), task="odd")
    assert source.columns["pes_x"].tolist() == [1, 4, 16], "3 is nearer to 4 by ratio"
    assert "2 values of pes_x become the nearest here" in source.remarks
    assert other.space.names == ("pes_x",)


def test_values_out_of_range_and_names_not_known_leave_their_designs_out():
    designs = [
        {"pes_x": 1, "dataflow": "weight_stationary"},
        {"pes_x": 64, "dataflow": "weight_stationary"},
        {"pes_x": 1, "dataflow": "row_stationary"},
    ]
    source = related(PROBLEM, trials_of(designs), task="strange values")
    assert len(source) == 1
    assert "2 of 3 designs cannot be told in the values and constraints here" in source.remarks


def test_designs_against_a_constraint_here_are_left_out():
    designs = [{"pes_x": x, "pes_y": 1} for x in (4, 32)]
    source = related(PROBLEM, trials_of(designs), task="without the constraint")
    assert source.columns["pes_x"].tolist() == [4]


def test_a_space_without_a_shared_parameter_is_an_error_that_names_both():
    other = space_of(Ordinal("banks", (1, 2)), Categorical("kind", ("a", "b")))
    with pytest.raises(DesignError, match="shares no parameter with space 'toy'") as caught:
        related(PROBLEM, trials_of(sampled(3, other)), task="x", place="old.sqlite")
    assert "banks, kind" in caught.value.hint
    assert "old.sqlite" in str(caught.value)


def test_equal_trials_have_equal_fingerprints_and_others_do_not():
    trials = trials_of(sampled(5))
    one = related(PROBLEM, trials, task="t", place="here")
    moved = related(PROBLEM, trials, task="t", place="there")
    assert one == moved
    for other in (trials[:4], trials_of(sampled(5), metrics={"area_mm2": 7.0})):
        assert related(PROBLEM, other, task="t").fingerprint != one.fingerprint


def test_of_very_many_trials_the_best_and_a_spread_are_kept():
    n = 3 * MOST_TRIALS
    trials = trials_of(sampled(n), metrics={"area_mm2": 1.0})
    source = related(PROBLEM, trials, task="many")
    assert len(source) == MOST_TRIALS
    latency = source.metrics["latency_cycles"]
    assert set(range(MOST_TRIALS // 2)) <= set(latency.astype(int))
    assert latency.max() == n - 1


def test_a_log_says_in_one_line_what_it_offers(tmp_path):
    reading = read_sources(PROBLEM, [a_log(tmp_path / "old.sqlite")])
    (source,), (line,) = reading.sources, reading.remarks
    accepted = int((source.excess(PROBLEM) == 0).sum())
    assert "old.sqlite: 20 trials of toy x net0 · minimize latency_cycles, area_mm2<=5" in line
    assert f"; {accepted} would be accepted here" in line


def test_each_application_of_a_parquet_file_is_a_task(tmp_path):
    designs = sampled(6)
    dataset = Dataset(
        PROBLEM.space,
        PROBLEM.space.columns(designs),
        {"latency_cycles": np.arange(6.0), "area_mm2": np.ones(6)},
        texts([""] * 6),
        texts(["one", "one", "two", "two", "two", "two"]),
    )
    path = tmp_path / "old.parquet"
    parquet.write(dataset, path)
    reading = read_sources(PROBLEM, [str(path)])
    assert [(source.task, len(source)) for source in reading.sources] == [
        ("toy x one", 2),
        ("toy x two", 4),
    ]


def test_an_empty_log_is_gone_on_without(tmp_path):
    reading = read_sources(PROBLEM, [a_log(tmp_path / "old.sqlite", n=0)])
    assert reading.sources == ()
    (line,) = reading.remarks
    assert "holds no finished trial" in line
    assert line.endswith("the search goes on without it")


def test_a_log_of_infeasible_trials_only_is_gone_on_without(tmp_path):
    place = a_log(tmp_path / "old.sqlite", n=0)
    log = TrialLog(place)
    log.create_or_check(log.study())
    log.append(trials_of(sampled(4), works=[0, 0, 0, 0]))
    log.close()
    reading = read_sources(PROBLEM, [place])
    assert reading.sources == ()
    (line,) = reading.remarks
    assert "none of its 4 designs works; the search goes on without it" in line


def test_a_log_without_the_objective_is_gone_on_without():
    other = toy_problem(objectives=["energy_uj"])
    source = related(other, trials_of(sampled(4)), task="t")
    assert source.useless(other) == ("it has no metric 'energy_uj', only latency_cycles, area_mm2")


def test_a_log_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(LogError, match=r"gone\.sqlite"):
        read_sources(PROBLEM, [str(tmp_path / "gone.sqlite")])
    with pytest.raises(FileError, match=r"gone\.parquet"):
        read_sources(PROBLEM, [str(tmp_path / "gone.parquet")])


def test_a_log_of_a_newer_format_is_an_error_that_says_so(tmp_path):
    place = a_log(tmp_path / "old.sqlite", n=2)
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE study SET schema_version = 999")
    connection.close()
    with pytest.raises(LogError, match="newer"):
        read_sources(PROBLEM, [place])


def test_a_parquet_file_of_a_newer_format_is_an_error_that_says_so(tmp_path, monkeypatch):
    columns = PROBLEM.space.columns([])
    none = texts([])
    path = tmp_path / "old.parquet"
    with monkeypatch.context() as later:
        later.setattr(parquet, "SCHEMA_VERSION", 999)
        parquet.write(Dataset(PROBLEM.space, columns, {}, none, none), path)
    with pytest.raises(FileError, match="999") as caught:
        read_sources(PROBLEM, [str(path)])
    assert "newer" in caught.value.hint


def test_an_empty_parquet_file_is_gone_on_without(tmp_path):
    columns = PROBLEM.space.columns([])
    path = tmp_path / "old.parquet"
    parquet.write(Dataset(PROBLEM.space, columns, {}, texts([]), texts([])), path)
    reading = read_sources(PROBLEM, [str(path)])
    assert reading.sources == ()
    assert "holds no finished trial" in reading.remarks[0]


SEARCH = ("optimize", "toy.yaml", "-w", "mlp", "--minimize", "latency_cycles", "--simulator", "toy",
          "--optimizer", "evolution", "--trials", "20")  # fmt: skip


@pytest.fixture
def toys(monkeypatch, tmp_path):
    toy = {"toy": "accel_dse.testing:ToySimulator"}
    simulators = {**plugins.BUILT_IN["simulators"], **toy}
    monkeypatch.setattr(plugins, "BUILT_IN", {**plugins.BUILT_IN, "simulators": simulators})
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(SPACE)


def said(capsys, *arguments, code=0):
    assert main(arguments) == code
    return capsys.readouterr()


@pytest.mark.usefixtures("toys")
def test_a_search_begins_from_a_log_and_says_what_it_uses(capsys):
    said(capsys, *SEARCH, "--limit", "area_mm2<=5", "--log", "old.db")
    warm = (*SEARCH, "--limit", "area_mm2<=3", "--log", "new.db", "--warm-start", "old.db")
    assert "warm start: old.db: 20 trials of toy x mlp" in said(capsys, *warm).err
    log = TrialLog("new.db")
    assert log.study().optimizer == "transfer"
    assert log.study().optimizer_options["optimizer"] == "evolution"
    assert log.read(0, 1)[0].source == "warm start"
    said(capsys, *warm, "--trials", "25")
    assert len(log.read()) == 25


@pytest.mark.usefixtures("toys")
def test_a_worker_begins_from_the_same_log(capsys):
    said(capsys, *SEARCH, "--log", "old.db")
    said(capsys, *SEARCH, "--log", "new.db", "--warm-start", "old.db", "--workers", "0")
    said(capsys, "worker", "--log", "new.db")
    assert "warm start" in {trial.source for trial in TrialLog("new.db").read()}


@pytest.mark.usefixtures("toys")
def test_a_search_goes_on_without_an_empty_log(capsys):
    a_log("empty.db", n=0)
    err = said(capsys, *SEARCH, "--log", "new.db", "--warm-start", "empty.db").err
    assert "holds no finished trial of use here; the search goes on without it" in err
    assert TrialLog("new.db").study().optimizer == "evolution"


@pytest.mark.usefixtures("toys")
def test_a_search_stops_before_it_begins_at_a_log_that_cannot_be_meant(capsys):
    err = said(capsys, *SEARCH, "--log", "new.db", "--warm-start", "gone.db", code=2).err
    assert "gone.db" in err
    assert not Path("new.db").exists()


@pytest.mark.usefixtures("toys")
def test_contestants_may_begin_from_a_log(capsys):
    said(capsys, *SEARCH, "--log", "old.db")
    compare = ("compare", *SEARCH[1:-4], "--trials", "6", "--seeds", "1", "--out", "out", "--json")
    contestants = ("--optimizer", "random:warm_start=old.db|gone.db")
    err = said(capsys, *compare, *contestants, code=2).err
    assert "warm start: old.db: 20 trials" in err
    assert "gone.db" in err


def test_a_contestant_takes_the_log_it_names_and_its_other_options():
    search = Search(
        space="toy.yaml",
        workloads=(("mlp", 1.0),),
        goal=PROBLEM.goal,
        aggregate="mean",
        optimizer=Choice("random"),
        simulator=Choice("toy"),
    )
    (contestant,) = Contestant.parse("evolution:warm_start=old.db,population=8")
    made = Searches(search).of(contestant, seed=3)
    assert made.warm_start == ("old.db",)
    assert made.optimizer == Choice("evolution", {"population": "8"})
