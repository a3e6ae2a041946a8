"""Models as ONNX files."""

import json
import logging
import subprocess
import sys

import numpy as np
import pytest
from toy_models import GOAL, fitted, log, small, two_logs

from accel_dse.errors import FileError
from accel_dse.surrogates import export, onnx_model

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def model():
    return small(members=2, steps=60).fit(two_logs(), GOAL)


@pytest.fixture(scope="module")
def said():
    """What PyTorch's exporter logs."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger("torch.onnx").addHandler(handler)
    yield records
    logging.getLogger("torch.onnx").removeHandler(handler)


@pytest.fixture(scope="module")
def file(model, said, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    done = export.to_onnx(model, path)
    assert done.difference <= export.TOLERANCE
    return path


@pytest.mark.usefixtures("file")
def test_the_exporter_says_nothing_of_torchvision(said):
    assert [record.getMessage() for record in said] == []


def test_the_file_answers_as_the_model(model, file):
    copied = onnx_model.read(file)
    designs = log(300, seed=3).columns
    for name in ("net0", "net1"):
        ours, theirs = (p.predict(designs, name) for p in (model.predictor, copied))
        for metric in ours.metrics:
            np.testing.assert_allclose(theirs.metrics[metric], ours.metrics[metric], rtol=1e-4)


@pytest.mark.parametrize("batch", [1, 2, 7, 1024])
def test_the_batch_may_have_any_size(model, file, batch):
    members = onnx_model.read(file).members
    width = sum(model.predictor.space.fields)
    context = len(model.predictor.contexts["net0"])
    inputs = (np.zeros((batch, width), np.float32), np.zeros((batch, context), np.float32))
    assert members(*inputs).shape == (batch, 2, 3)


def test_it_predicts_for_a_network_it_never_saw_without_pytorch(file):
    code = (
        "import sys, numpy as np\n"
        "from accel_dse.simulators.surrogate import SurrogateSimulator\n"
        "from accel_dse.testing import toy_problem\n"
        "problem = toy_problem(workloads=3)\n"
        "designs = problem.space.sample_columns(20, np.random.default_rng(0))\n"
        f"simulator = SurrogateSimulator(path={str(file)!r})\n"
        "print(len(simulator.simulate(problem.workloads[2][0], designs)))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "20"), done.stderr


def test_the_metadata_say_what_the_file_is(file):
    import onnx

    model = onnx.load(file)
    assert next(o.version for o in model.opset_import if not o.domain) == export.OPSET
    assert [i.name for i in model.graph.input] == ["one_hot", "context"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    about = {entry.key: entry.value for entry in model.metadata_props}[onnx_model.METADATA]
    for word in ('"space"', '"pes_x"', "latency_cycles", "kendall"):
        assert word in about


def test_a_model_that_would_answer_otherwise_is_not_written(tmp_path, monkeypatch):
    model = fitted(steps=5)
    real = export._write

    def slip(ensemble, *rest):
        weight = ensemble.networks[0].heads[0][0].weight
        before = weight.clone()
        weight.mul_(1.01)
        real(ensemble, *rest)
        weight.copy_(before)

    monkeypatch.setattr(export, "_write", slip)
    with pytest.raises(FileError, match=r"not written: the exported model's answers differ by"):
        export.to_onnx(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(model, tmp_path):
    (tmp_path / "model.onnx").write_text("precious")
    with pytest.raises(FileError, match="exists already"):
        export.to_onnx(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_text() == "precious"


def test_a_file_cut_short_or_of_someone_else_is_refused_by_name(file, tmp_path):
    place = tmp_path / "part.onnx"
    place.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(FileError, match=r"part\.onnx: is no readable ONNX file"):
        onnx_model.read(place)
    with pytest.raises(FileError, match=r"none\.onnx: cannot be read"):
        onnx_model.read(tmp_path / "none.onnx")


def test_a_file_without_our_metadata_is_refused_by_name(file, tmp_path):
    import onnx

    model = onnx.load(file)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(FileError, match=r"bare\.onnx: metadata: space: missing"):
        onnx_model.read(tmp_path / "bare.onnx")


def test_a_file_of_another_version_is_refused_by_name(file, tmp_path):
    import onnx

    model = onnx.load(file)
    entry = next(e for e in model.metadata_props if e.key == onnx_model.METADATA)
    entry.value = json.dumps({**json.loads(entry.value), "schema_version": 9})
    onnx.save(model, tmp_path / "later.onnx")
    with pytest.raises(FileError, match=r"later\.onnx: metadata: schema_version: 9 is not known"):
        onnx_model.read(tmp_path / "later.onnx")
