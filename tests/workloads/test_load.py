"""One door to all workloads."""

import subprocess
import sys
from pathlib import Path

import pytest

from accel_dse.errors import WorkloadError
from accel_dse.workload import Layer
from accel_dse.workloads.load import load, names

SHIPPED = Path(__file__).resolve().parents[2] / "notebooks/networks/mobilenet_v2.onnx"


def test_a_name_of_the_zoo():
    assert load("resnet18").name == "resnet18"
    assert "resnet18" in names()


def test_the_applications_and_layers_that_studies_are_about_are_there():
    applications = {
        *("mobilenet_edgetpu", "mobilenet_v2", "mobilenet_v3_large", "unet", "t_rnn_encoder"),
        *("t_rnn_decoder", "ssd_mobilenet_v1", "ssdlite_mobilenet_v3", "ssdlite_mobilenet_v2_035"),
    }
    layers = {"resnet_k4", "dqn_k2", "mlp_k2", "transformer_k4"}
    assert applications | layers <= set(names())


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("MobileNetV2", "mobilenet_v2"), ("resnet-50", "resnet50"), ("bert", "bert_base")],
)
def test_a_misspelled_name_is_answered_with_the_closest(wrong, meant):
    with pytest.raises(WorkloadError, match=f"no workload is named '{wrong}'") as caught:
        load(wrong)
    assert meant in caught.value.hint


def test_a_name_like_no_other_is_answered_with_all():
    with pytest.raises(WorkloadError) as caught:
        load("zzz")
    assert all(name in caught.value.hint for name in names())


def test_a_file_is_read_by_its_ending(tmp_path):
    topology, problem = tmp_path / "a.csv", tmp_path / "b.yaml"
    topology.write_text("Layer,M,N,K,\nx,4,6,5,\n")
    problem.write_text("problem: {shape: gemm_ABZ, instance: {M: 4, N: 6, K: 5}}")
    assert load(str(SHIPPED)).fingerprint() == load("mobilenet_v2").fingerprint()
    assert load(str(topology)).layers == (Layer(name="x", P=4, K=6, C=5),)
    assert load(str(problem)).fingerprint() == load(str(topology)).fingerprint()


@pytest.mark.parametrize("suffix", [".onnx", ".csv", ".yaml", ".yml"])
def test_a_missing_file_is_told(tmp_path, suffix):
    path = tmp_path / f"none{suffix}"
    with pytest.raises(WorkloadError, match=f"none{suffix}: cannot be read"):
        load(str(path))


def test_a_file_of_another_kind_is_told_what_can_be_read(tmp_path):
    with pytest.raises(WorkloadError) as caught:
        load(str(tmp_path / "net.tflite"))
    assert ".onnx, .csv, .yaml" in caught.value.hint


@pytest.mark.parametrize("text", ["resnet18", "a.csv"])
def test_only_an_onnx_file_has_dimensions_to_set(text):
    with pytest.raises(WorkloadError, match="dimensions to set"):
        load(text, shapes={"batch": 1})


def test_listing_and_building_load_no_heavy_package():
    code = (
        "import sys; from accel_dse.workloads.load import load, names; load(names()[0]); "
        "heavy = {'torch', 'onnx', 'numpy', 'ruamel.yaml'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode == 0
