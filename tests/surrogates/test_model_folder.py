"""Fitted models on disk."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from toy_models import GOAL, fitted, log, small, two_logs

from accel_dse.errors import FileError
from accel_dse.simulators.surrogate import SurrogateSimulator
from accel_dse.surrogates import model_folder
from accel_dse.testing import toy_problem


@pytest.fixture(scope="module")
def model():
    return fitted(members=2)


@pytest.fixture
def folder(model, tmp_path):
    model_folder.write(model, tmp_path / "model")
    return tmp_path / "model"


def test_a_model_is_read_as_it_was_written(model, folder):
    again = model_folder.read(folder)
    designs = log(50, seed=3).columns
    ours, theirs = (m.predictor.predict(designs, "net0") for m in (model, again))
    for name in ours.metrics:
        np.testing.assert_array_equal(theirs.metrics[name], ours.metrics[name])
        np.testing.assert_array_equal(theirs.spread[name], ours.spread[name])
    np.testing.assert_array_equal(theirs.works, ours.works)
    assert again.accuracy == json.loads(json.dumps(model.accuracy))
    assert again.predictor.goal == model.predictor.goal


def test_a_network_that_was_not_in_the_log_stays_one_on_disk(tmp_path):
    model = small(steps=20).fit(two_logs(100), GOAL)
    unseen = log(50, seed=9, network=2)
    informed = model.predictor.with_application(unseen.workloads["net2"])
    model_folder.write(replace(model, predictor=informed), tmp_path / "model")
    again = model_folder.read(tmp_path / "model").predictor
    assert again.added == ("net2",)
    for name in ("net1", "net2"):
        ours, theirs = (p.predict(unseen.columns, name) for p in (informed, again))
        for metric in ours.metrics:
            np.testing.assert_array_equal(theirs.metrics[metric], ours.metrics[metric])


def test_the_folder_describes_itself(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "accuracy.json", "log.parquet", "model.json", "space.json",
        "weights.safetensors",
    ]  # fmt: skip
    page = (folder / "README.md").read_text()
    for word in ("Kendall", "minimize latency_cycles", "area_mm2<=3", "pes_x", "alpha"):
        assert word in page


def test_nothing_is_overwritten(model, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "precious").write_text("x")
    with pytest.raises(FileError, match="exists already"):
        model_folder.write(model, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


FILES = ("space.json", "weights.safetensors", "accuracy.json", "log.parquet")


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_or_altered_is_named(folder, name):
    whole = (folder / name).read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], bytes([whole[0] ^ 1]) + whole[1:]):
        (folder / name).write_bytes(content)
        with pytest.raises(FileError, match=rf"{name}: was altered or cut short"):
            model_folder.read(folder)


@pytest.mark.parametrize("name", [*FILES, "model.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileError, match=rf"{name}: there is no such file"):
        model_folder.read(folder)


def tampered(folder, change):
    """The folder with another model.json."""
    content = json.loads((folder / "model.json").read_text())
    change(content)
    (folder / "model.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda m: m.update(schema_version=9), "schema_version: 9 is not known"),
        (lambda m: m.pop("predictor"), "predictor: missing"),
        (lambda m: m["sha256"].pop("space.json"), "space.json: missing"),
        (lambda m: m["predictor"].pop("targets"), "targets: missing"),
        (lambda m: m["network"].update(width=10**9), "width: expected 2 to 1024"),
        (lambda m: m["network"].update(width="8"), "width: expected a number, got '8'"),
        (lambda m: m["network"].update(width=16), "size mismatch"),
        (lambda m: m["network"].update(fields=[2, 2]), "are not those of the space"),
        (lambda m: m["network"].update(magic=1), "magic"),
        (lambda m: m.update(members=3), "Missing key"),
        (lambda m: m.update(members=10**9), "members: expected 1 to 64"),
        (lambda m: m["predictor"]["targets"].pop(), "outputs"),
        (lambda m: m["predictor"]["contexts"].update(net0=[1.0]), "contexts"),
        (lambda m: m["predictor"]["contexts"].update(net0=["a"]), "could not convert"),
        (lambda m: m["predictor"]["limits"].append("area"), "cannot read limit 'area'"),
        (lambda m: m["predictor"].update(added=["net9"]), "added: expected some of net0"),
        (lambda m: m["predictor"].update(added=["net0"]), "added: expected some of net0"),
    ],
)
def test_a_tampered_description_is_refused_with_file_and_entry(folder, change, complaint):
    with pytest.raises(FileError, match=rf"model\.json: .*{complaint}"):
        model_folder.read(tampered(folder, change))


def test_weights_that_are_no_numbers_are_refused(folder):
    tensors = load_file(folder / "weights.safetensors")
    tensors["0.embedding"][0] = float("nan")
    save_file(tensors, folder / "weights.safetensors")
    digest = model_folder.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    tampered(folder, lambda m: m["sha256"].update({"weights.safetensors": digest}))
    with pytest.raises(FileError, match=r"0\.embedding: expected finite 32-bit numbers"):
        model_folder.read(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "pickle"])
def test_a_description_that_is_no_json_mapping_is_refused(folder, text):
    (folder / "model.json").write_text(text)
    with pytest.raises(FileError, match=r"model\.json: "):
        model_folder.read(folder)


def test_a_folder_takes_the_place_of_a_simulator(model, folder):
    workload = toy_problem().workloads[0][0]
    data = log(200, seed=3)
    metrics = SurrogateSimulator(path=str(folder)).simulate(workload, data.columns)
    predicted = model.predictor.predict(data.columns, "net0")
    thought = np.array([not reason for reason in metrics.infeasible])
    np.testing.assert_array_equal(thought, predicted.works >= 0.5)
    assert (thought == data.feasible).mean() > 0.9
    np.testing.assert_array_equal(
        metrics.values["area_mm2"][thought], predicted.metrics["area_mm2"][thought]
    )


def test_a_log_never_mixes_two_models(folder, tmp_path):
    first = SurrogateSimulator(path=str(folder))
    assert SurrogateSimulator(path=str(folder), sha256=first.sha256) == first
    with pytest.raises(FileError, match="another model"):
        SurrogateSimulator(path=str(folder), sha256="0" * 64)
    with pytest.raises(FileError, match="is no model"):
        SurrogateSimulator(path=str(tmp_path / "nothing"))
