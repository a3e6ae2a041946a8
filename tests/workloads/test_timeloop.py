"""Problems of Timeloop, in all the forms it has had."""

import gzip
import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from accel_dse.errors import DseError, WorkloadError
from accel_dse.workload import Layer
from accel_dse.workloads import timeloop

RUNS = Path(__file__).resolve().parents[2] / "../shared/reference/timeloop_runs.json.gz"


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "layer.yaml"
        path.write_text(text)
        return timeloop.load(path)

    return read_text


SPELLED_OUT = """
problem:
  version: 0.4
  instance: {C: 3, M: 32, N: 2, P: 112, Q: 110, R: 3, S: 5, Wstride: 2, Hdilation: 2, H: 9, W: 9}
  shape:
    name: conv2D
    dimensions: [C, M, R, S, N, P, Q]
    coefficients:
    - {name: Wstride, default: 1}
    - {name: Hstride, default: 1}
    - {name: Wdilation, default: 1}
    - {name: Hdilation, default: 1}
    data_spaces:
    - name: Weights
      projection: [[[C]], [[M]], [[R]], [[S]]]
    - name: Inputs
      projection:
      - [[N]]
      - [[C]]
      - [[R, Wdilation], [P, Wstride]]
      - [[S, Hdilation], [Q, Hstride]]
    - name: Outputs
      projection: [[[N]], [[M]], [[Q]], [[P]]]
      read_write: true
"""


def test_a_convolution_spelled_out(read):
    workload = read(SPELLED_OUT)
    assert workload.layers == (
        Layer(
            name="layer",
            N=2,
            K=32,
            C=3,
            P=112,
            Q=110,
            R=3,
            S=5,
            stride=(2, 1),
            dilation=(1, 2),
        ),
    )
    assert not workload.unknown, "H and W follow from the rest"


@pytest.mark.parametrize("shape", ["  shape: cnn-layer\n", "  shape: cnn_layer\n", ""])
def test_a_convolution_by_name_with_bounds_beside_it(read, shape):
    bounds = {"R": 3, "S": 3, "P": 56, "Q": 56, "C": 64, "K": 128, "N": 1, "Hstride": 2}
    text = "problem:\n" + shape + "".join(f"  {dim}: {size}\n" for dim, size in bounds.items())
    (layer,) = read(text).layers
    assert (layer.K, layer.C, layer.P, layer.R, layer.stride) == (128, 64, 56, 3, (1, 2))


def test_a_matrix_multiply_by_name(read):
    (layer,) = read("problem: {shape: gemm_ABZ, instance: {M: 4, N: 6, K: 5}}").layers
    assert layer == Layer(name="layer", P=4, K=6, C=5)


def test_old_spellings_and_one_dimensional_windows(read):
    text = """
    problem:
      shape:
        dimensions: [R, P]
        data-spaces:
        - {name: Weights, projection: [R]}
        - {name: Inputs, projection: [[[R], [P]]]}
        - {name: Outputs, projection: [P], read-write: True}
      instance: {R: 3, P: 16}
    """
    (layer,) = read(text).layers
    assert (layer.P, layer.R, layer.macs, layer.input_rows) == (16, 3, 48, 18)


def test_a_dimension_of_all_three_tensors_is_a_group(read):
    grouped = (
        SPELLED_OUT.replace("dimensions: [C,", "dimensions: [G, C,")
        .replace("projection: [[[C]]", "projection: [[[G]], [[C]]")
        .replace("- [[N]]\n", "- [[N]]\n      - [[G]]\n")
        .replace("projection: [[[N]]", "projection: [[[G]], [[N]]")
        .replace("instance: {", "instance: {G: 7, ")
    )
    (layer,) = read(grouped).layers
    assert layer.G == 7
    assert layer.macs == 7 * read(SPELLED_OUT).macs


def test_tags_of_an_architecture_in_the_same_file_are_tolerated(read):
    tagged = "architecture:\n  nodes:\n  - !Component {name: buffer, class: SRAM}\n" + SPELLED_OUT
    assert read(tagged) == read(SPELLED_OUT)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [true]", "!Other {a: 1}"])
def test_other_tags_are_refused(read, tag):
    with pytest.raises(DseError, match="tag"):
        read(f"architecture: {tag}\n{SPELLED_OUT}")


def test_a_base_problem_is_included_as_text_and_merged(tmp_path):
    base = SPELLED_OUT.replace("problem:", "base_ignore: &base", 1)
    (tmp_path / "base.yaml").write_text(base)
    (tmp_path / "net").mkdir()
    path = tmp_path / "net" / "7.yaml"
    path.write_text(
        "{{include_text('../base.yaml')}}\nproblem:\n  <<<: *base\n  instance: {M: 8, HStride: 4}\n"
    )
    workload = timeloop.load(path)
    (layer,) = workload.layers
    assert (layer.K, layer.C, layer.stride) == (8, 3, (2, 1))
    assert workload.unknown == ("7: HStride",), "no coefficient has this name"


def test_templates_are_not_run(read):
    with pytest.raises(WorkloadError, match="Jinja") as caught:
        read("problem:\n  instance: {C: {{ 2 + 2 }}}\n")
    assert "parsed-processed-input.yaml" in caught.value.hint


def test_densities_are_listed_and_not_ignored(read):
    text = (
        "problem: {shape: gemm_ABZ, instance: {M: 4, N: 6, K: 5, densities: {A: {density: 0.5}}}}"
    )
    assert read(text).unknown == ("layer: densities",)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("architecture: {}", "problem: missing"),
        ("- 1\n- 2", "the file: expected keys and values"),
        ("problem: 3", "problem: expected keys and values"),
        ("problem: {shape: lstm}", "no shape is named 'lstm'"),
        ("problem: {shape: gemm_ABZ, instance: {M: 4, N: 6}}", "problem: instance: K: missing"),
        (
            "problem: {shape: gemm_ABZ, instance: {M: 4, N: 6, K: 0}}",
            "instance: K: expected a whole",
        ),
        (
            "problem: {shape: gemm_ABZ, instance: {M: 4, N: 6, K: 1.5}}",
            "instance: K: expected a whole",
        ),
        ("problem: {shape: gemm_ABZ, instance: {M: 4, N: 6, K: true}}", "instance: K: expected a"),
        ("problem: {shape: {dimensions: [A]}, instance: {A: 1}}", "data_spaces: missing"),
        (SPELLED_OUT.replace("read_write: true", ""), "two that are read and one read_write"),
        (SPELLED_OUT.replace("[R, Wdilation]", "[R, Xdilation]"), "no coefficient is named"),
        (
            SPELLED_OUT.replace("[P, Wstride]]", "[P, Wstride], [Q, Hstride]]"),
            "cannot read the axis",
        ),
        (SPELLED_OUT.replace("      - [[C]]\n", ""), "C indexes fewer than two"),
        ("problem: {a: [", "not valid YAML"),
        ("a: &a [1,1]\n" + "problem: " + "[" * 200, "nested"),
    ],
)
def test_what_is_wrong_is_told(read, text, complaint):
    with pytest.raises(DseError, match=complaint):
        read(text)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(WorkloadError, match=r"none\.yaml: cannot be read"):
        timeloop.load(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WorkloadError, match="not text"):
        timeloop.load(tmp_path / "bytes.yaml")


@pytest.mark.skipif(not RUNS.exists(), reason="the reference runs are not beside the checkout")
def test_macs_are_those_that_timeloop_computed(tmp_path):
    runs = json.loads(gzip.decompress(RUNS.read_bytes()))
    done = [run for run in runs["random"] if run["ok"]]
    path = tmp_path / "layer.yaml"
    for run in {run["kind"]: run for run in done}.values():
        problem = {"shape": runs["problem_shapes"][run["kind"]], "instance": run["problem"]}
        YAML(typ="safe", pure=True).dump({"problem": problem}, path)
        (layer,) = timeloop.load(path).layers
        assert layer.macs == run["result"]["computes"], run["kind"]
