"""`accel-dse report --out page.html`: which logs it takes, and when it simulates."""

import json
from pathlib import Path

import pytest
from pages import Page, study

from accel_dse import plugins
from accel_dse.cli import main
from accel_dse.trial_log import TrialLog

pytest.importorskip("plotly", reason="pages need plotly: pip install 'accel-dse[viz]'")

SPACE = """\
version: 1
name: toy
source: made up
parameters:
  pes_x: {ordinal: [1, 2, 4, 8, 16, 32], scale: log}
  pes_y: {ordinal: [1, 2, 4, 8, 16, 32], scale: log}
  buffer_kib: {ordinal: [1, 2, 4, 8, 16, 32, 64, 128], scale: log, unit: KiB}
  dataflow: {categorical: [weight_stationary, output_stationary, input_stationary]}
references:
  small: {design: {pes_x: 4, pes_y: 4, buffer_kib: 16, dataflow: weight_stationary}}
  none:
    description: nothing fits
    design: {pes_x: 32, pes_y: 32, buffer_kib: 1, dataflow: weight_stationary}
"""

SEARCH = (
    "optimize", "toy.yaml", "-w", "mlp", "--minimize", "latency_cycles", "--limit", "area_mm2<=5",
    "--simulator", "toy", "--trials", "12", "--batch", "4",
)  # fmt: skip


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path):
    known = {**plugins.BUILT_IN["simulators"], "toy": "accel_dse.testing:ToySimulator"}
    monkeypatch.setattr(plugins, "BUILT_IN", {**plugins.BUILT_IN, "simulators": known})
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(SPACE)


@pytest.fixture
def log(capsys):
    assert main([*SEARCH, "--log", "run.db"]) == 0
    capsys.readouterr()
    return "run.db"


def paged(*arguments):
    assert main(["report", *arguments, "--out", "page.html"]) == 0
    return Page(Path("page.html").read_text(encoding="utf-8")).parts


def refused(capsys, *arguments):
    assert main(["report", *arguments]) == 2
    return capsys.readouterr().err


def test_reference_designs_are_simulated_where_that_is_wanted(log):
    found = {one["name"]: one for one in paged(log, "--simulate")["references"]["designs"]}
    assert found["small"]["accepted"] is True
    assert found["small"]["metrics"]["latency_cycles"] > 0
    assert found["none"]["metrics"] == {}
    assert found["none"]["reason"] == "no tile fits the buffer"
    assert found["none"]["description"] == "nothing fits"


def test_a_simulator_that_could_start_programs_is_not_run_unasked(log):
    found = paged(log)["references"]
    assert found["designs"] == []
    assert "simulator 'toy' may start programs" in found["reason"]
    assert paged(log, "--no-simulate")["references"]["reason"] == "simulations were not wanted"


def test_a_recipe_cannot_bring_in_another_simulator(log):
    writer = TrialLog(log)
    recipe = json.loads(writer.recipe())
    recipe["simulator"] = {"name": "process", "options": {"command": "touch ran"}}
    writer.create_or_check(writer.study())
    writer.keep_recipe(json.dumps(recipe))
    writer.close()
    found = paged(log, "--simulate")["references"]
    assert found["designs"] == []
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (SPACE.replace("[1, 2, 4, 8, 16, 32]", "[1, 2, 4]"), "small: pes_x"),
        (SPACE.replace(", 128]", ", 256]"), "has changed since"),
        (None, "toy"),
    ],
    ids=["no longer valid", "another space", "gone"],
)
def test_a_space_that_changed_or_is_gone_is_a_reason_not_an_error(log, file, reason):
    Path("toy.yaml").unlink()
    if file is not None:
        Path("toy.yaml").write_text(file)
    found = paged(log, "--simulate")
    assert found["references"]["designs"] == []
    assert found["references"]["reason"].startswith("designs cannot be simulated again here: ")
    assert found["digest"]["trials"] == 12


def test_several_seeds_make_one_page(log, capsys):
    assert main([*SEARCH, "--log", "other.db", "--seed", "1"]) == 0
    found = paged(log, "other.db", "--no-simulate")
    assert [run["name"] for run in found["about"]["runs"]] == [
        "auto, seed 0",
        "auto, seed 1",
    ]
    assert found["digest"]["trials"] == 24
    assert [band["seeds"] for band in found["digest"]["convergence"]["bands"]] == [2]
    capsys.readouterr()
    assert main(["report", log, "other.db", "--json"]) == 0
    assert [one["seed"] for one in json.loads(capsys.readouterr().out)] == [0, 1]


def test_logs_of_different_problems_are_not_mixed(log, capsys):
    assert main([*SEARCH[:6], "--limit", "area_mm2<=4", *SEARCH[8:], "--log", "b.db"]) == 0
    capsys.readouterr()
    said = refused(capsys, log, "b.db", "--out", "page.html")
    assert said.startswith(
        'error: b.db and run.db are of different problems: problem.limits is ["area'
    )
    assert "a report of each" in said
    assert not Path("page.html").exists()


def test_a_log_is_not_counted_twice(log, capsys):
    assert "run.db: is named twice" in refused(capsys, log, log)


def test_several_seeds_make_one_figure(log, capsys):
    main([*SEARCH, "--log", "other.db", "--seed", "1"])
    capsys.readouterr()
    assert main(["report", log, "other.db", "--out", "a.png"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "drawn: a.png"
    assert said[1].startswith("the best design is not: designs cannot be simulated again here")
    assert Path("a.png").stat().st_size > 50_000


def test_a_study_without_trials_makes_a_page():
    writer = TrialLog("empty.db")
    writer.create_or_check(study())
    writer.close()
    found = paged("empty.db")
    assert found["digest"]["trials"] == 0
    assert found["references"]["designs"] == []


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_half_written_file_is_answered_with_one_line(log, capsys, size):
    whole = Path(log).read_bytes()
    Path("half.db").write_bytes(whole[:size])
    said = refused(capsys, "half.db", "--out", "page.html")
    assert said.startswith("error: half.db: ")
    assert len(said.splitlines()) <= 2


def test_a_page_that_cannot_be_written_is_answered_with_one_line(log, capsys):
    assert "cannot be written" in refused(capsys, log, "--out", "nowhere/page.html")


def test_a_page_can_be_made_while_the_study_runs(log):
    writer = TrialLog(log)
    writer.create_or_check(writer.study())
    assert paged(log)["digest"]["trials"] == 12
    writer.close()
