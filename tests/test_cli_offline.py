"""`accel-dse collect`, `fit`, `propose`, `export`, `convert`: learning from logs."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from accel_dse.cli import main, proposing
from accel_dse.cli.proposing import _measured, _verdict
from accel_dse.datasets import parquet
from accel_dse.errors import OptionError
from accel_dse.files import load_space
from accel_dse.metrics import Metrics
from accel_dse.problem import Objective, Problem
from accel_dse.testing import toy_problem
from accel_dse.workload import Layer, Workload

SMALL = [
    word
    for option in (
        "steps=150", "learning_rate=0.01", "batch=32", "members=2", "width=8", "blocks=0",
        "attention_heads=2", "hidden=16", "alpha=0.1", "beta=0.1",
    )
    for word in ("--option", option)
]  # fmt: skip
GOAL = ["--minimize", "latency_ms", "--limit", "area_mm2<=60"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """200 random designs that run a small recurrent network."""
    path = tmp_path_factory.mktemp("logs") / "log.parquet"
    assert main(["collect", "edge", "-w", "t_rnn_decoder", "-n", "200", "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def model(log):
    path = log.with_name("model")
    assert main(["fit", str(log), *GOAL, *SMALL, "--out", str(path)]) == 0
    return path


def complaint(capsys, *words):
    """What an unsuccessful command says."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    return capsys.readouterr().err


def answer(capsys, *words):
    """What a command answers as JSON."""
    capsys.readouterr()
    assert main([str(word) for word in (*words, "--json")]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_log_holds_designs_that_work_and_reasons_of_the_others(log):
    dataset = parquet.read(log)
    assert len(dataset) == 200
    assert 20 < dataset.feasible.sum() < 150
    assert any("core_registers" in reason for reason in dataset.infeasible)
    assert dataset.workloads["t_rnn_decoder"].layers


def test_the_same_command_makes_the_same_log(log, tmp_path, capsys):
    words = ["collect", "edge", "-w", "t_rnn_decoder", "-n", "20"]
    first, second = (answer(capsys, *words, "--out", tmp_path / f"{i}.parquet") for i in (1, 2))
    assert first["sha256"] == second["sha256"]
    assert first["applications"][0]["rows"] == 20


def test_fit_tells_how_well_held_out_designs_are_ranked(log, tmp_path, capsys):
    found = answer(capsys, "fit", log, *GOAL, *SMALL, "--out", tmp_path / "m")
    assert -1 <= found["accuracy"]["best"]["metrics"]["latency_ms"]["kendall"] <= 1
    assert (tmp_path / "m" / "README.md").exists()


def test_proposals_come_with_guard_rails_and_are_simulated_if_asked(model, capsys):
    found = answer(capsys, "propose", model, "-n", 3, "--verify", "accelerator")
    assert len(found["proposals"]) == 3
    for proposal in found["proposals"]:
        assert proposal["predicted"]["area_mm2"] <= 60
        assert proposal["spread"]["latency_ms"] >= 0
        assert 0 <= proposal["distance"] <= 1
        assert proposal["measured"] or proposal["infeasible"]
        over = proposal["measured"].get("area_mm2", 0.0) > 60
        assert proposal["broken_limits"] == (["area_mm2<=60"] if over else [])
    assert found["best_logged"]["metrics"]["area_mm2"] <= 60


def test_proposals_are_printed_with_the_best_of_the_log(model, capsys):
    assert main(["propose", str(model), "-n", "2", "--caution", "disagreement=1"]) == 0
    text = capsys.readouterr().out
    for word in ("latency_ms", "works", "distance", "best in the log for t_rnn_decoder", "pes_x="):
        assert word in text


def test_proposals_that_break_a_limit_are_told_and_not_counted():
    problem = toy_problem(limits=("area_mm2<=3",))
    values = {"latency_cycles": [10.0, 30.0, np.nan], "area_mm2": [3.5, 2.0, np.nan]}
    measured = Metrics({k: np.array(v) for k, v in values.items()}, ("", "", "no tile fits"))
    assert [_measured(problem, measured, i) for i in range(3)] == [
        "10, area_mm2 3.5", "30", "does not work",
    ]  # fmt: skip
    best = ({}, {"latency_cycles": 40.0})
    assert _verdict(problem, best, measured) == (
        "measured: 1 of 3 work within the limits; the best has latency_cycles 30, "
        "0.75 of the best in the log"
    )


def test_a_model_is_a_simulator(model, capsys):
    found = answer(
        capsys, "simulate", "edge", "-w", "t_rnn_decoder", "--simulator", f"surrogate:{model}"
    )
    assert found["simulator"] == f"surrogate:{model}"
    assert found["feasible"] == bool(found["metrics"])


def test_a_search_may_start_from_a_model(model, tmp_path, capsys):
    found = answer(
        capsys, "optimize", "edge", "-w", "t_rnn_decoder", *GOAL, "--optimizer", "offline",
        "--option", f"model={model}", "--option", "first=4", "--trials", 12, "--batch", 4,
        "--log", tmp_path / "log.sqlite",
    )  # fmt: skip
    assert found["trials"] == 12


def test_a_table_is_converted_and_its_corrupt_rows_are_named(tmp_path, capsys):
    table = tmp_path / "table.csv"
    head = ("pes_x,pes_y,cores,lanes,pe_memory_kib,core_memory_kib,activation_entries,"
            "instruction_entries,parameter_entries,io_gb_per_s,ms")  # fmt: skip
    table.write_text(f"{head}\n4,4,4,32,2048,128,4096,16384,16384,16,1.5\n5,{'1,' * 9}1\n")
    words = ["convert", table, "--from", "csv", "--space", "edge", "--metric", "latency_ms=ms"]
    capsys.readouterr()
    assert main([*map(str, words), "--out", str(tmp_path / "t.parquet")]) == 0
    said = capsys.readouterr()
    assert "warning: 1 of 2 records could not be used" in said.err
    assert "line 3: pes_x: 5" in said.err
    assert parquet.read(tmp_path / "t.parquet").metrics["latency_ms"].tolist() == [1.5]


# Bad input: exit 2, one line that names what is wrong, and nothing written.


@pytest.mark.parametrize("command", ["collect", "fit", "convert", "export"])
def test_nothing_is_overwritten(command, log, model, tmp_path, capsys):
    out = tmp_path / ("out.onnx" if command == "export" else "out.parquet")
    out.write_text("precious")
    words = {
        "collect": ["edge", "-w", "t_rnn_decoder", "-n", "5"],
        "fit": [log, *GOAL],
        "convert": [log, "--from", "csv", "--space", "edge"],
        "export": [model],
    }[command]
    assert f"{out}: exists already" in complaint(capsys, command, *words, "--out", out)
    assert out.read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--minimize", "speed"], "no metric is named 'speed'"),
        ([], "no objective is named"),
        ([*GOAL, "--option", "contextual=on"], "contextual: the log is of one application"),
        ([*GOAL, "--option", "alpah=1"], "conservative has no option 'alpah'"),
        ([*GOAL, "--option", "steps=0"], "steps: expected 1 to"),
        ([*GOAL, "--device", "abacus"], "abacus"),
        ([*GOAL, "--surrogate", "magic"], "no surrogate is named 'magic'"),
        ([*GOAL, "-w", "resnet50"], "no row of the log is of 'resnet50'"),
    ],
)
def test_a_fit_that_cannot_be_is_refused(words, said, log, tmp_path, capsys):
    assert said in complaint(capsys, "fit", log, *words, "--out", tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-w", "resnet50"], "workload 'resnet50' is unknown to the model"),
        (["-w", "nonsense"], "no workload is named 'nonsense'"),
        (["--limit", "power_w<=1"], "no metric is named 'power_w'"),
        (["--caution", "distance=-1"], "distance: expected 0"),
        (["--verify", "nonsense"], "no simulator is named 'nonsense'"),
    ],
)
def test_a_proposal_that_cannot_be_is_refused(words, said, model, capsys):
    assert said in complaint(capsys, "propose", model, "-n", 1, *words)


def test_what_is_no_model_is_refused_by_name(tmp_path, capsys):
    for words in (["propose", tmp_path], ["export", tmp_path, "--out", tmp_path / "m.onnx"]):
        assert f"{tmp_path}/model.json: there is no such file" in complaint(capsys, *words)
    words = ["simulate", "edge", "-w", "dqn", "--simulator", f"surrogate:{tmp_path}/none"]
    assert "is no model" in complaint(capsys, *words)


def test_proposals_for_a_network_with_a_layer_called_unknown_are_simulated():
    file = load_space("edge")
    network = Workload("mine", (Layer(name="unknown", K=8, C=8),))
    problem = Problem(file.space, ((network, 1.0),), (Objective("latency_ms"),))
    request = SimpleNamespace(space="edge", verify="accelerator", simulator_options={})
    proposal = SimpleNamespace(design=next(iter(file.references.values())).design)
    assert len(proposing._verified(request, problem, [proposal])) == 1
    nameless = replace(network, layers=proposing.NO_LAYERS)
    with pytest.raises(OptionError, match="the layers of 'mine' are not known"):
        proposing._verified(request, replace(problem, workloads=((nameless, 1.0),)), [proposal])
