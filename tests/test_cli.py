import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from accel_dse import __version__, plugins
from accel_dse.cli import main
from accel_dse.errors import SimulatorError
from accel_dse.testing import ToySimulator
from accel_dse.trial_log import TrialLog

SPACE = """\
version: 1
name: toy
source: made up
parameters:
  pes_x: {ordinal: [1, 2, 4, 8, 16, 32], scale: log, description: PEs along x}
  pes_y: {ordinal: [1, 2, 4, 8, 16, 32], scale: log}
  buffer_kib: {ordinal: [1, 2, 4, 8, 16, 32, 64, 128], scale: log, unit: KiB}
  dataflow: {categorical: [weight_stationary, output_stationary, input_stationary]}
constraints:
  - pes_x <= 4 * pes_y
references:
  small: {design: {pes_x: 4, pes_y: 4, buffer_kib: 16, dataflow: weight_stationary}}
  large: {design: {pes_x: 16, pes_y: 16, buffer_kib: 64, dataflow: weight_stationary}}
"""

STUDY = """\
version: 1
space: toy.yaml
workloads: {mlp: 2.0, dqn: 1.0}
minimize: latency_cycles
limits: [area_mm2<=5]
optimizer: {name: evolution, population: 10}
simulator: toy
trials: 12
batch: 4
seed: 3
"""


class Layers:
    rows = ({"layer": "fc1", "cycles": 12_345, "bottleneck": "dram"},)
    area = ({"part": "array", "mm2": 3.5, "share": 1.0},)


class Talkative(ToySimulator):
    """Can tell more than the toy."""

    def explain(self, workload, design):
        return Layers()

    def trace(self, workload, design, path):
        path.write_text("[]")


class Broken(ToySimulator):
    def simulate(self, workload, designs):
        raise SimulatorError("no licence")


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    """Simulators by name, and a folder with a space and a study."""
    table = {name: f"test_cli:{cls.__name__}" for name, cls in
             (("talkative", Talkative), ("broken", Broken))}  # fmt: skip
    table["toy"] = "accel_dse.testing:ToySimulator"
    monkeypatch.setattr(
        plugins, "BUILT_IN", {**plugins.BUILT_IN, "simulators": {**SIMULATORS, **table}}
    )
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    Path("toy.yaml").write_text(SPACE)
    Path("study.yaml").write_text(STUDY)


SIMULATORS = plugins.BUILT_IN["simulators"]
TOY = ("--simulator", "toy")
SEARCH = ("optimize", "toy.yaml", "-w", "mlp", "--minimize", "latency_cycles",
          "--limit", "area_mm2<=5", "--optimizer", "evolution", *TOY,
          "--log", "run.db")  # fmt: skip


def said(capsys, *arguments, code=0):
    assert main(arguments) == code
    return capsys.readouterr()


def answered(capsys, *arguments, code=0):
    return json.loads(said(capsys, *arguments, "--json", code=code).out)


def refused(capsys, *arguments):
    """The one line of an error, and its hint."""
    output = said(capsys, *arguments, code=2)
    assert output.out == ""
    error, *hint = output.err.splitlines()
    assert error.startswith("error: ")
    assert len(hint) <= 1
    return error.removeprefix("error: "), "".join(hint).removeprefix("hint:  ")


# optimize


def test_a_search_fills_its_log_and_shows_the_best(capsys):
    output = said(capsys, *SEARCH, "--trials", "40", "--batch", "8")
    assert len(TrialLog("run.db").read()) == 40
    for text in ("accepted", "Best designs", "latency_cycles", "accel-dse report run.db"):
        assert text in output.out
    assert output.err == ""


def test_a_search_answers_a_program(capsys):
    answer = answered(capsys, *SEARCH, "--trials", "40", "--batch", "8")
    trials = TrialLog("run.db").read()
    assert answer["trials"] == 40
    assert answer["feasible"] == sum(trial.feasible for trial in trials)
    assert answer["stopped"] is False
    best = answer["best"]
    assert trials[best["trial"]].design == best["design"]
    assert trials[best["trial"]].metrics == best["metrics"]


def test_the_same_command_gives_the_same_log_and_continues_it(capsys):
    said(capsys, *SEARCH, "--trials", "20", "--batch", "5")
    first = TrialLog("run.db").read()
    said(capsys, *SEARCH, "--trials", "30", "--batch", "5")
    continued = TrialLog("run.db").read()
    Path("run.db").unlink()
    said(capsys, *SEARCH, "--trials", "30", "--batch", "5")
    assert TrialLog("run.db").read() == continued
    assert continued[:20] == first


def test_a_study_file_says_it_all(capsys):
    answer = answered(capsys, "optimize", "study.yaml", "--log", "run.db")
    assert answer["trials"] == 12
    assert answer["limits"][0]["limit"] == "area_mm2<=5"
    study = TrialLog("run.db").study()
    assert (study.optimizer, study.seed) == ("evolution", 3)
    assert study.optimizer_options["population"] == 10
    assert [w["weight"] for w in study.problem["workloads"]] == [2.0, 1.0]


def test_a_flag_may_change_how_long_a_study_file_runs_but_not_what_it_is(capsys):
    asked = ("optimize", "study.yaml", "--log", "run.db")
    assert answered(capsys, *asked, "--trials", "4", "--batch", "2", "--seed", "5")["trials"] == 4
    assert TrialLog("run.db").study().seed == 5
    for flag, value in (("--limit", "area_mm2<=6"), ("--option", "population=3"),
                        ("--workload", "mlp"), ("--simulator", "toy")):  # fmt: skip
        message, _ = refused(capsys, *asked, flag, value)
        assert message == f"{flag}: the study file study.yaml says it already"


def test_options_and_weights_reach_the_study(capsys):
    said(
        capsys, "optimize", "toy.yaml", "-w", "mlp:3", "-w", "dqn", "--maximize", "latency_cycles",
        "--aggregate", "worst", "--optimizer", "evolution", "--option", "population=7", *TOY,
        "--log", "run.db", "--trials", "3",
    )  # fmt: skip
    study = TrialLog("run.db").study()
    assert study.optimizer_options["population"] == 7
    assert study.problem["aggregate"] == "worst"
    assert study.problem["objectives"] == ["maximize latency_cycles"]
    assert [w["weight"] for w in study.problem["workloads"]] == [3.0, 1.0]


def test_a_simulator_that_always_breaks_is_reported_once_all_is_on_record(capsys):
    arguments = [*SEARCH, "--trials", "4"]
    arguments[arguments.index("toy")] = "broken"
    output = said(capsys, *arguments, code=2)
    assert "error: the simulator failed on all 4 designs: no licence" in output.err
    assert [trial.outcome for trial in TrialLog("run.db").read()] == ["failed"] * 4


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"mlp": "mlpp"}, "no workload is named 'mlpp'", "mlp"),
        ({"latency_cycles": "latency"}, "no metric is named 'latency'", "known: latency_cycles"),
        ({"area_mm2<=5": "area<5"}, "cannot read limit 'area<5'", "area_mm2<=27"),
        ({"toy": "toyy"}, "no simulator is named 'toyy'", "known: "),
        ({"toy.yaml": "toy.yml"}, "toy.yml: ", ""),
        ({"run.db": "nowhere/run.db"}, "nowhere/run.db: cannot be opened", "folder"),
        ({"run.db": "toy.yaml"}, "toy.yaml: is not a trial log", ""),
    ],
)
def test_a_wrong_word_is_answered_with_one_line_and_a_hint(capsys, change, message, hint):
    answer, advice = refused(capsys, *(change.get(word, word) for word in SEARCH))
    assert answer.startswith(message)
    assert hint in advice


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--optimizer", "bo"), "no optimizer is named 'bo'"),
        (("--option", "population"), "--option: got 'population'"),
        (("--option", "population=x"), "evolution: population: must be a valid integer"),
        (("--option", "pop=3"), "evolution has no option 'pop'"),
        (("--option", "population=1"), "evolution: population: expected 2"),
        (("--simulator-option", "a=1"), "toy has no option 'a'"),
        (("--trials", "0"), "Invalid value for '--trials'"),
        (("--trials", "many"), "Invalid value for '--trials'"),
        (("--sed", "1"), "No such option: --sed"),
        (("-w", "dqn:0"), "--workload dqn:0: a weight must be above 0"),
        (("-w", "mlp"), "two workloads are named 'mlp'"),
        (("--seed", str(2**63)), "--seed: expected less than 2^63"),
    ],
)
def test_a_wrong_flag_is_answered_with_one_line(capsys, extra, message):
    answer, _ = refused(capsys, *SEARCH, *extra)
    assert answer.startswith(message)
    assert not Path("run.db").exists()


def test_what_is_missing_is_asked_for(capsys):
    assert refused(capsys, "optimize", "toy.yaml", "--log", "run.db") == (
        "no workload is named", "--workload mobilenet_v2, say"
    )  # fmt: skip
    asked = ("optimize", "toy.yaml", "--log", "run.db", "-w", "mlp")
    assert refused(capsys, *asked) == ("no objective is named", "--minimize latency_ms, say")
    assert refused(capsys, *SEARCH[:-2])[0] == "Missing option '--log'"


def test_a_space_without_hardware_needs_another_simulator(capsys):
    arguments = [*SEARCH]
    arguments[arguments.index("toy")] = "accelerator"
    message, hint = refused(capsys, *arguments)
    assert message == "toy.yaml: has no accelerator section, which accelerator needs"
    assert "another --simulator" in hint


def test_a_space_without_a_valid_design_is_told_apart(capsys):
    Path("toy.yaml").write_text(SPACE.replace("pes_x <= 4 * pes_y", "pes_x > 4 * pes_y + 200"))
    for asked in (SEARCH, ("check", "toy.yaml"), MEASURE):
        message, _ = refused(capsys, *asked)
        assert "pes_x > 4 * pes_y + 200" in message


def test_a_log_of_another_problem_is_refused_and_left_alone(capsys):
    said(capsys, *SEARCH, "--trials", "3")
    before = TrialLog("run.db").read()
    other = [word.replace("area_mm2<=5", "area_mm2<=6") for word in SEARCH]
    message, hint = refused(capsys, *other, "--trials", "9")
    assert message.startswith("run.db: is the log of another study: problem.limits is")
    assert "new log" in hint
    assert TrialLog("run.db").read() == before


MEASURE = ("simulate", "toy.yaml", "-w", "mlp", *TOY)


SLOW = """
import sys, time
from accel_dse import plugins
from accel_dse.testing import ToySimulator
class Slow(ToySimulator):
    def simulate(self, workload, designs):
        time.sleep(0.05)
        return super().simulate(workload, designs)
plugins.BUILT_IN["simulators"]["toy"] = "__main__:Slow"
from accel_dse.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_search_that_is_stopped_or_killed_goes_on_as_if_it_had_not(capsys, number):
    arguments = [*SEARCH, "--trials", "200", "--batch", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *arguments, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not Path("run.db").exists() or len(_logged()) < 4:
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert err == ""
        answer = json.loads(out)
        assert answer["stopped"]
        assert answer["trials"] == len(_logged()) < 200
    assert len(_logged()) % 2 == 0
    said(capsys, *arguments)
    stopped = TrialLog("run.db").read()
    Path("run.db").unlink()
    said(capsys, *arguments)
    assert TrialLog("run.db").read() == stopped


def _logged():
    try:
        return TrialLog("run.db").read()
    except Exception:  # it is being made
        return []


# simulate


def test_a_design_is_measured(capsys):
    asked = (
        "simulate",
        "toy.yaml",
        "-w",
        "mlp",
        *TOY,
        "--set",
        "pes_x=8",
        "--set",
        "buffer_kib=32",
    )
    answer = answered(capsys, *asked)
    assert answer["design"] == {
        "pes_x": 8, "pes_y": 4, "buffer_kib": 32, "dataflow": "weight_stationary"
    }  # fmt: skip
    assert answer["feasible"]
    assert answer["metrics"]["area_mm2"] == pytest.approx(0.02 * 32 + 0.03 * 32)
    output = said(capsys, *asked).out
    assert "mlp on toy" in output
    assert "latency_cycles" in output


def test_the_first_reference_design_gives_what_is_left_open_or_the_one_that_is_named(capsys):
    assert answered(capsys, *MEASURE)["design"]["pes_x"] == 4
    assert answered(capsys, *MEASURE, "--reference", "large")["design"]["pes_x"] == 16
    assert refused(capsys, *MEASURE, "--reference", "huge") == (
        "toy: no reference design is named 'huge'", "known: small, large"
    )  # fmt: skip


def test_a_design_may_come_from_a_file_such_as_a_search_s_answer(capsys):
    best = answered(capsys, *SEARCH, "--trials", "20")["best"]
    asked = (*MEASURE, "--design", "best.json")
    for content in (best, best["design"]):
        Path("best.json").write_text(json.dumps(content))
        assert answered(capsys, *asked)["metrics"] == best["metrics"]
    assert answered(capsys, *asked, "--set", "pes_x=1")["design"]["pes_x"] == 1


def test_a_design_that_does_not_work_is_an_answer(capsys):
    asked = (
        "simulate",
        "toy.yaml",
        "-w",
        "mlp",
        *TOY,
        "--reference",
        "large",
        "--set",
        "buffer_kib=1",
    )
    answer = answered(capsys, *asked)
    assert not answer["feasible"]
    assert (answer["metrics"], answer["reason"]) == ({}, "no tile fits the buffer")
    assert "infeasible: no tile fits the buffer" in said(capsys, *asked).out


def test_a_simulator_that_can_explain_is_asked_what_would_work(capsys):
    words = ("simulate", "toy.yaml", "-w", "mlp", "--simulator", "talkative")
    asked = (*words, "--reference", "large", "--set", "buffer_kib=16")
    changes = answered(capsys, *asked)["works_with"]
    assert {"parameter": "buffer_kib", "value": 32} in [
        {key: change[key] for key in ("parameter", "value")} for change in changes
    ]
    assert "works_with" not in answered(capsys, *asked, "--remedies", "0")
    output = said(capsys, *asked).out
    assert "buffer_kib=32 (is 16)" in output
    assert "area_mm2" in output


def test_layers_and_a_timeline_are_shown_where_the_simulator_can(capsys):
    asked = (
        "simulate",
        "toy.yaml",
        "-w",
        "mlp",
        "--simulator",
        "talkative",
        "--layers",
        "--trace",
        "t.json",
    )
    assert answered(capsys, *asked)["layers"] == [dict(Layers.rows[0])]
    assert answered(capsys, *asked)["area"] == [dict(Layers.area[0])]
    assert Path("t.json").read_text() == "[]"
    output = said(capsys, *asked).out
    assert "bottleneck" in output
    assert "12,345" in output
    assert "t.json" in output
    message, _ = refused(capsys, *MEASURE[:-1], "talkative", "--trace", "nowhere/t.json")
    assert message == "nowhere/t.json: cannot be written: No such file or directory"
    assert refused(capsys, *MEASURE, "--layers")[0] == "simulator 'toy' cannot tell layers apart"
    assert refused(capsys, *MEASURE, "--trace", "t")[0] == "simulator 'toy' writes no timeline"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--set", "pes_x=3"), "pes_x: 3 is not one of 1, 2, 4, 8, 16, 32"),
        (("--set", "pes_z=3"), "no parameter is named 'pes_z'"),
        (
            ("--set", "pes_x=32", "--set", "pes_y=1"),
            "constraint 'pes_x <= 4 * pes_y' does not hold",
        ),
        (("--set", "pes_x"), "--set: got 'pes_x'"),
        (("--set", "pes_x=1", "--set", "pes_x=2"), "--set: pes_x is given twice"),
        (("--design", "none.json"), "none.json: No such file or directory"),
        (("--design", "toy.yaml"), "toy.yaml: is not JSON"),
        (("--design", "list.json"), "list.json: expected a mapping"),
        (("--shape", "batch=x"), "--shape: batch: expected a whole number"),
    ],
)
def test_a_wrong_design_is_answered_with_one_line(capsys, extra, message):
    Path("list.json").write_text("[1]")
    answer, _ = refused(capsys, *MEASURE, *extra)
    assert answer.startswith(message)


def test_without_a_reference_design_every_value_must_be_given(capsys):
    Path("toy.yaml").write_text(SPACE.partition("references")[0])
    message, hint = refused(capsys, *MEASURE, "--set", "pes_x=1")
    assert message.startswith("toy: no value for pes_y, buffer_kib, dataflow")
    assert hint == "--set pes_y=VALUE"


# report


def test_a_report_tells_what_a_log_says(capsys):
    answer = answered(capsys, *SEARCH, "--trials", "60", "--batch", "10")
    report = answered(capsys, "report", "run.db")
    for key in ("trials", "feasible", "accepted", "best", "limits", "reasons"):
        assert report[key] == answer[key]
    assert report["reasons"] == {"no tile fits the buffer": 60 - report["feasible"]}
    output = said(capsys, "report", "run.db").out
    for text in ("toy", "evolution", "area_mm2<=5", "no tile fits the buffer", "Best so far"):
        assert text in output


def test_who_names_no_optimizer_gets_the_portfolio(capsys):
    words = [word for word in SEARCH if word not in ("--optimizer", "evolution")]
    answered(capsys, *words, "--trials", "20")
    assert answered(capsys, "report", "run.db")["optimizer"] == "auto"


def test_a_report_can_be_drawn(capsys):
    said(capsys, *SEARCH, "--trials", "20")
    said(capsys, "report", "run.db", "--out", "run.png")
    assert Path("run.png").read_bytes().startswith(b"\x89PNG")
    message, hint = refused(capsys, "report", "run.db", "--out", "run.xls")
    assert message == "run.xls: cannot draw this"
    assert ".png" in hint


def test_a_log_can_be_reported_while_it_is_written(capsys):
    said(capsys, *SEARCH, "--trials", "5")
    log = TrialLog("run.db")
    log.create_or_check(log.study())
    assert answered(capsys, "report", "run.db")["trials"] == 5
    log.close()


@pytest.mark.parametrize("place", ["none.db", "toy.yaml", "."])
def test_what_is_no_log_cannot_be_reported(capsys, place):
    message, _ = refused(capsys, "report", place)
    assert message.startswith(f"{place}: ")


# list and check


@pytest.mark.parametrize(
    "kind", ["spaces", "workloads", "optimizers", "simulators", "surrogates", "stubs"]
)
def test_everything_can_be_listed(capsys, kind):
    rows = answered(capsys, "list", kind)
    output = said(capsys, "list", kind).out
    assert all(next(iter(row.values())) in output for row in rows)
    assert rows or f"no {kind} yet" in output


def test_a_listed_stub_can_be_copied(capsys):
    folders = {row["stub"]: Path(row["folder"]) for row in answered(capsys, "list", "stubs")}
    assert (folders["python"] / "simulator.py").is_file()
    assert (folders["timeloop"].parent / "serving.py").is_file()
    assert f"each is a folder in {folders['python'].parent}\n" in said(capsys, "list", "stubs").out


def test_an_optimizer_is_listed_with_its_options(capsys):
    rows = {row["optimizer"]: row for row in answered(capsys, "list", "optimizers")}
    assert rows["evolution"]["options"]["population"] == 20
    assert "population=20" in said(capsys, "list", "optimizers").out


def test_a_kind_that_does_not_exist_is_refused(capsys):
    assert "colours" in refused(capsys, "list", "colours")[0]


def test_a_space_without_mistakes_is_described(capsys):
    answer = answered(capsys, "check", "toy.yaml")
    assert answer["designs"] == 864
    assert answer["valid_designs"] == 720
    assert answer["share_valid"] == pytest.approx(720 / 864, abs=0.01)
    assert answer["share_rejected_by"]["pes_x <= 4 * pes_y"] == pytest.approx(1 / 6, abs=0.01)
    assert answer["references"] == ["small", "large"]
    assert "weight_stationary" in said(capsys, "check", "toy.yaml").out


def test_a_shipped_space_is_bound_to_random_designs(capsys):
    answer = answered(capsys, "check", "edge")
    assert answer["designs"] == 452_760_000
    assert answer["area_mm2"]["least"] < answer["area_mm2"]["median"] < answer["area_mm2"]["most"]


def test_a_study_without_mistakes_is_described(capsys):
    answer = answered(capsys, "check", "study.yaml")
    assert answer["workloads"] == ["mlp", "dqn"]
    assert answer["objectives"] == ["minimize latency_cycles"]


def test_a_study_of_hardware_and_mappings_is_checked_as_it_is_searched(capsys):
    study = STUDY.replace("space: toy.yaml", "space: eyeriss_168").replace("toy", "explicit")
    study = study.replace("{mlp: 2.0, dqn: 1.0}", "{mlp_k: 1.0}").replace("latency_cycles", "edp")
    Path("study.yaml").write_text(study.replace("area_mm2<=5", "area_mm2<=9"))
    answer = answered(capsys, "check", "study.yaml")
    assert answer["mapping_parameters"] > 4
    assert answer["mapping_constraints"] > 10
    assert answer["designs_with_mappings"] > answer["designs"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("evolution", "bo", "no optimizer is named 'bo'"),
        ("simulator: toy", "simulator: tob", "no simulator is named 'tob'"),
        ("population: 10", "population: few", "evolution: population: must be a valid integer"),
        ("mlp: 2.0", "mlpp: 2.0", "no workload is named 'mlpp'"),
        ("trials: 12", "trails: 12", "trails: unknown key"),
        ("area_mm2<=5", "area_mm2=5", "cannot read limit"),
    ],
)
def test_a_mistake_in_a_study_file_is_told(capsys, old, new, message):
    Path("study.yaml").write_text(STUDY.replace(old, new))
    output = said(capsys, "check", "study.yaml", code=2)
    assert "study.yaml" in output.err
    assert message in output.err
    assert "Traceback" not in output.err


# The whole


def test_help_is_quick_to_load_and_says_what_there_is(capsys):
    output = said(capsys, "--help").out
    for command in ("list", "check", "simulate", "optimize", "report"):
        assert command in output
    assert said(capsys).out == output
    assert "--minimize" in said(capsys, "optimize", "--help").out


@pytest.mark.parametrize(
    "code", ["import accel_dse", "from accel_dse.cli import main; main(['-h'])"]
)
def test_nothing_heavy_is_imported_before_it_is_needed(code):
    heavy = ("torch", "sklearn", "matplotlib", "pandas", "scipy", "numba", "sqlalchemy", "numpy")
    code += f"; import sys; print('loaded:', [m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_the_version_is_that_of_the_package(capsys):
    assert said(capsys, "--version").out == f"{__version__}\n"


def test_a_command_that_does_not_exist_is_refused(capsys):
    message, hint = refused(capsys, "optimise")
    assert message.startswith("No such command 'optimise'")
    assert hint == "see `accel-dse --help`"


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(ToySimulator, "simulate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main([*SEARCH, "--trials", "1"])
    assert os.path.exists("run.db")
