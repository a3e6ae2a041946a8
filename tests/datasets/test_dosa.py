"""The logs of the DOSA artifact."""

from pathlib import Path

import pytest

from accel_dse.datasets import dosa
from accel_dse.errors import FileError

REFERENCE = Path(__file__).resolve().parents[2] / "../shared/reference"
RTL = REFERENCE / "gemmini_rtl_train.csv"

HEAD = (
    "target.cycle,target.energy,mapping.mapping,arch.meshX,arch.mem1_entries,arch.mem2_entries,"
    "prob.N,prob.K,prob.C,prob.P,prob.Q,prob.R,prob.S,prob.Wstride,prob.Hstride,prob.Wdilation,"
    "prob.Hdilation"
)
MAPPING = "L3[WIO] P28 R7 Q56 K8 - L2[WI] N1 K4X - L1[O] K2 S7 Q2 P2 C3X - L0[W] P2"
ROW = f"100,2.5,{MAPPING},32,64,2048,1,64,3,112,112,7,7,2,2,1,1"


def read(tmp_path, *lines):
    place = tmp_path / "log.csv"
    place.write_text("\n".join(lines))
    return dosa.read(place)


def test_a_mapping_becomes_factors_and_an_order():
    found = dosa.factors(MAPPING)
    assert found["dram_order"] == "PRQK"
    assert {k: v for k, v in found.items() if v != 1 and k != "dram_order"} == {
        "dram_P": 28, "dram_R": 7, "dram_Q": 56, "dram_K": 8, "spatial_K": 4, "spatial_C": 3,
        "accumulator_K": 2, "accumulator_S": 7, "accumulator_Q": 2, "accumulator_P": 2,
        "registers_P": 2,
    }  # fmt: skip


def test_a_row_becomes_a_design_on_a_layer(tmp_path):
    dataset, complaints = read(tmp_path, HEAD, ROW)
    assert complaints.count == 0
    assert dataset.metrics["latency_cycles"].tolist() == [100.0]
    (workload,) = dataset.workloads.values()
    assert workload.layers[0].dims == (1, 1, 64, 3, 112, 112, 7, 7)
    assert workload.layers[0].stride == (2, 2)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (" - L0[W] P2", "", "mapping: expected 4 levels"),
        ("P28", "P28X", "mapping: unexpected loop P28X"),
        ("100,2.5", "fast,2.5", "target.cycle: expected a finite number, got 'fast'"),
        (",1,64,3,", ",1,0,3,", "K: expected a whole number"),
    ],
)
def test_a_row_that_makes_no_sense_is_counted_and_named(tmp_path, old, new, complaint):
    dataset, complaints = read(tmp_path, HEAD, ROW, ROW.replace(old, new, 1))
    assert len(dataset) == 1
    assert complaints.count == 1
    assert complaint in complaints.examples[0]


def test_another_table_is_refused(tmp_path):
    with pytest.raises(FileError, match="not a log of DOSA"):
        read(tmp_path, "a,b", "1,2")


@pytest.mark.skipif(not RTL.exists(), reason="the reference data is not there")
def test_all_rows_of_the_rtl_log_are_read_with_the_measurement():
    dataset, complaints = dosa.read(RTL)
    assert (len(dataset), complaints.count) == (1567, 0)
    assert dataset.metrics["latency_cycles"][0] == 9853947.0
    assert dataset.columns["spatial_C"].max() <= 128
