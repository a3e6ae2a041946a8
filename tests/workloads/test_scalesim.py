"""Topologies of SCALE-Sim."""

import csv
from pathlib import Path

import pytest

from accel_dse.errors import WorkloadError
from accel_dse.workload import Layer
from accel_dse.workloads import scalesim

REFERENCE = Path(__file__).resolve().parents[2] / "../shared/reference/scalesim"

with_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="the reference runs are not beside the checkout"
)

CONV_HEAD = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, "
    "Channels, Num Filter, Strides,\n"
)
GEMM_HEAD = "Layer,M,N,K,\n"


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "net.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return scalesim.load(path)

    return read_text


def test_a_convolution_line(read):
    workload = read(CONV_HEAD + "conv1, 229, 229, 7, 5, 3, 64, 2,\n")
    expected = Layer(name="conv1", K=64, C=3, P=112, Q=113, R=7, S=5, stride=(2, 2))
    assert workload.layers == (expected,)
    assert workload.name == "net"


def test_a_gemm_line_has_rows_columns_and_sum(read):
    workload = read(GEMM_HEAD + "ffn,128,512,256,\nqkt,128,128,64,8,\n")
    assert workload.layers == (
        Layer(name="ffn", P=128, K=512, C=256),
        Layer(name="qkt", G=8, P=128, K=128, C=64, weights_stored=False),
    )


def test_an_input_that_does_not_divide_by_the_stride_is_rounded_as_scalesim_does(read):
    (layer,) = read(CONV_HEAD + "c, 58, 58, 3, 3, 64, 128, 2,\n").layers
    assert (layer.P, layer.Q) == (29, 29)


def test_a_depthwise_layer_is_known_by_its_name(read):
    (layer,) = read(CONV_HEAD + "Conv2_DP, 114, 114, 3, 3, 32, 1, 1,\n").layers
    assert (layer.G, layer.K, layer.C, layer.kind) == (32, 1, 1, "depthwise")


def test_rows_and_columns_may_have_strides_of_their_own(read):
    (layer,) = read(CONV_HEAD + "c, 21, 31, 1, 1, 4, 8, 2, 3,\n").layers
    assert (layer.P, layer.Q, layer.stride) == (11, 11, (2, 3))


def test_sparsity_is_listed_and_not_ignored(read):
    workload = read(GEMM_HEAD + "a,128,512,256,2:4,\nb,128,512,256,1:1,\n")
    assert workload.unknown == ("a: sparsity 2:4",)


def test_what_spreadsheets_add_is_tolerated(read):
    marked = b"\xef\xbb\xbf" + GEMM_HEAD.encode() + b"a,4,5,6, \r\n\r\n,,,,\r\nb,1,2,3\r\n"
    assert [layer.name for layer in read(marked).layers] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: not the head of a topology"),
        ("hello\nworld\n", "line 1: not the head of a topology"),
        (GEMM_HEAD, "no layer below the head"),
        (GEMM_HEAD + "a,4,5,\n", "line 2: expected a name and M, N, K"),
        (GEMM_HEAD + "a,4,5,six,\n", "line 2: K: expected a whole number, got 'six'"),
        (GEMM_HEAD + "a,4,0,6,\n", "line 2: N: expected 1 to"),
        (GEMM_HEAD + f"a,4,5,{2**31},\n", "line 2: K: expected 1 to"),
        (
            CONV_HEAD + "c, 2, 9, 3, 3, 4, 8, 1,\n",
            "line 2: a 3 x 3 filter is larger than its 2 x 9",
        ),
        (b"\xff\xfe\x00", "not a table"),
    ],
)
def test_a_wrong_line_is_told(read, text, complaint):
    with pytest.raises(WorkloadError, match=complaint):
        read(text)


def test_a_huge_or_missing_file_is_refused(tmp_path):
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(scalesim.LARGEST_FILE_BYTES + 1)
    with pytest.raises(WorkloadError, match="larger than"):
        scalesim.load(huge)
    with pytest.raises(WorkloadError, match=r"none\.csv: cannot be read"):
        scalesim.load(tmp_path / "none.csv")


def report(run: str, name: str) -> list[dict[str, float]]:
    with (REFERENCE / run / name).open() as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        return [{k: float(v) for k, v in row.items() if k and v} for row in rows]


@with_reference
@pytest.mark.parametrize("run", ["resnet18_32x32_ws_calc", "gemm_32x32_ws_calc"])
def test_macs_and_weights_are_those_of_scalesims_own_reports(run):
    """Utilization is MACs over cycles and PEs; weight-stationary arrays read each weight once."""
    layers = scalesim.load(REFERENCE / run / "topology.csv").layers
    compute = report(run, "COMPUTE_REPORT.csv")
    macs = [row["Overall Util %"] / 100 * row["Total Cycles"] * 32 * 32 for row in compute]
    assert [layer.macs for layer in layers] == [round(number) for number in macs]
    access = report(run, "DETAILED_ACCESS_REPORT.csv")
    reads = [row["SRAM Filter Reads"] for row in access]
    assert [layer.words("weights") for layer in layers] == reads
