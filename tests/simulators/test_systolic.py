"""Systolic arrays, against a PE-by-PE stepper, a request-by-request replay, and SCALE-Sim."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from systolic_reference import Conv, replay
from systolic_stepper import multiply

from accel_dse.errors import OptionError, WorkloadError
from accel_dse.simulators.systolic import SystolicSimulator
from accel_dse.testing import check_simulator
from accel_dse.workload import Layer, VectorOp, Workload
from accel_dse.workloads.scalesim import load

DATAFLOWS = ("ws", "os", "is")
OPERANDS = ("ifmap", "filter", "ofmap")
CASES = 60
REFERENCE = Path(__file__).resolve().parents[2] / "../shared/reference/scalesim"


def gemm(M, N, K):
    return Layer(name="gemm", P=M, K=N, C=K)


def one(layer, *, inputs=None, **design):
    """What one layer does on one design, name -> number."""
    columns = {name: np.array([value]) for name, value in design.items()}
    table = SystolicSimulator().layers(Workload("one", (layer,)), columns, inputs=inputs)
    assert table.infeasible == ("",)
    return {name: column[0, 0] for name, column in table.values.items()}


def reason(layer=None, **design):
    workload = Workload("one", (layer or gemm(4, 4, 4),))
    metrics = SystolicSimulator().simulate(
        workload, {name: np.array([value]) for name, value in design.items()}
    )
    assert all(np.isnan(column).all() for column in metrics.values.values())
    return metrics.infeasible[0]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_cycles_are_those_of_an_array_stepped_pe_by_pe(dataflow):
    rng = np.random.default_rng(0)
    for _ in range(25):
        M, N, K = (int(v) for v in rng.integers(1, 14, 3))
        R, C = (int(v) for v in rng.integers(1, 6, 2))
        a, b = rng.integers(-9, 9, (M, K)), rng.integers(-9, 9, (K, N))
        stepped = multiply(a, b, dataflow, R, C)
        assert (stepped.product == a @ b).all()
        found = one(
            gemm(M, N, K), dataflow=dataflow, array_rows=R, array_columns=C,
            bandwidth_words_per_cycle=np.inf,
        )  # fmt: skip
        assert found["stall_cycles"] == 0
        assert found["cycles"] == max(stepped.last_cycle, 1)


@pytest.mark.parametrize(
    ("dataflow", "cycles"),
    [
        ("ws", 3 * 2 * (2 * 4 + 8 + 10 - 2) - 1),
        ("is", 3 * 2 * (2 * 4 + 8 + 9 - 2) - 1),
        ("os", 3 * 2 * (4 + 8 + 12 - 2) - 1),
    ],
)
def test_a_ragged_fold_costs_a_whole_fold(dataflow, cycles):
    assert (
        one(gemm(10, 9, 12), dataflow=dataflow, array_rows=4, array_columns=8)["cycles"] == cycles
    )


def random_case(rng):
    """A small layer as a `Layer`, its input's size, the same for the replay, and a design."""
    r, s = (int(v) for v in rng.integers(1, 4, 2))
    stride, dilation = (tuple(int(v) for v in rng.integers(1, 3, 2)) for _ in range(2))
    p, q, n = (int(v) for v in rng.integers(1, (8, 8, 3)))
    c, k = int(rng.choice([1, 2, 3, 4, 8, 16])), int(rng.choice([1, 3, 8, 20]))
    if rng.random() < 0.3:
        r = s = q = 1
        p, c = int(rng.integers(1, 60)), int(rng.integers(1, 60))
    layer = Layer(
        name="conv", N=n, P=p, Q=q, K=k, C=c, R=r, S=s, stride=stride, dilation=dilation
    )  # fmt: skip
    rows, columns = layer.input_rows, layer.input_columns
    if rng.random() < 0.4:  # the last windows hang over the edge
        rows = max((r - 1) * dilation[0] + 1, rows - int(rng.integers(0, stride[0])))
        columns = max((s - 1) * dilation[1] + 1, columns - int(rng.integers(0, stride[1])))
    conv = Conv(rows, columns, r, s, c, k, p, q, stride, dilation, n)
    unlimited = rng.random() < 0.4
    design = {
        "dataflow": str(rng.choice(DATAFLOWS)),
        "array_rows": int(rng.choice([1, 2, 3, 4, 8])),
        "array_columns": int(rng.choice([1, 2, 3, 4, 8])),
        **{f"{name}_sram_kib": float(rng.choice([0.1, 0.2, 0.5, 1])) for name in OPERANDS},
        **{
            f"{name}_words_per_cycle": np.inf if unlimited else float(rng.choice([1, 2, 3, 7, 10]))
            for name in OPERANDS
        },
    }
    return layer, (rows, columns), conv, design


def test_skipping_from_event_to_event_is_walking_request_by_request():
    rng = np.random.default_rng(1)
    stalled = 0
    for _ in range(CASES):
        layer, size, conv, design = random_case(rng)
        found = one(layer, inputs=[size], **design)
        expected = replay(
            conv,
            design["dataflow"],
            design["array_rows"],
            design["array_columns"],
            tuple(int(design[f"{name}_sram_kib"] * 1024) for name in OPERANDS),
            tuple(design[f"{name}_words_per_cycle"] for name in OPERANDS),
        )
        stalled += expected["stall_cycles"] > 0
        expected["cycles"] = max(expected["cycles"], 1)
        assert {name: found[name] for name in expected} == expected, (layer, size, design)
    assert stalled > CASES // 8


def recorded():
    """Layers run by SCALE-Sim 3.0.0: small ones, drawn so that each way to behave comes up.

    A row has the settings, the layer as SCALE-Sim reads it, and what it reported.
    """
    with (Path(__file__).parent / "systolic_scalesim_runs.csv").open() as file:
        return [
            {name: value if name == "dataflow" else float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


LAYER = {
    *("ifmap_height", "ifmap_width", "filter_height", "filter_width"),
    *("channels", "filters", "stride"),
}
SHARES = {"utilization", "mapping_efficiency", "compute_utilization"}
SETTINGS = {
    *("dataflow", "array_rows", "array_columns"),
    *(f"{operand}_sram_kib" for operand in OPERANDS),
    *(f"{operand}_words_per_cycle" for operand in OPERANDS),
}


@pytest.mark.parametrize("row", recorded(), ids=lambda row: row["dataflow"])
def test_a_recorded_run_of_scalesim_is_met_to_the_cycle_and_the_word(row):
    size = int(row["ifmap_height"]), int(row["ifmap_width"])
    r, s, step = (int(row[name]) for name in ("filter_height", "filter_width", "stride"))
    layer = Layer(
        name="recorded", R=r, S=s, C=int(row["channels"]), K=int(row["filters"]),
        P=-(-(size[0] - r + step) // step), Q=-(-(size[1] - s + step) // step),
        stride=(step, step),
    )  # fmt: skip
    found = one(layer, inputs=[size], **{name: row[name] for name in SETTINGS})
    R, C, folds = row["array_rows"], row["array_columns"], found["folds"]
    if row["dataflow"] == "os":  # SCALE-Sim counts more writes than there are outputs
        found["ofmap_sram_words"] += folds * (R + C)
    else:  # SCALE-Sim takes a fold for longer than it is
        found["compute_utilization"] /= 1 + folds * (C - 1) / found["compute_cycles"]
    for name in row.keys() - SETTINGS - LAYER - SHARES:
        assert found[name] == row[name], name
    for name in SHARES:
        assert found[name] * 100 == pytest.approx(row[name]), name


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="no runs of SCALE-Sim beside the checkout")
@pytest.mark.parametrize(
    ("run", "dataflow", "words_per_cycle"),
    [("gemm_32x32_os_user", "os", 10), ("resnet18_32x32_ws_calc", "ws", np.inf)],
)
def test_whole_networks_run_by_scalesim_are_met(run, dataflow, words_per_cycle):
    """One of each mode; `benchmarks/fidelity/scalesim.py` compares all of all."""
    with (REFERENCE / run / "COMPUTE_REPORT.csv").open() as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    simulator = SystolicSimulator(dataflow=dataflow, bandwidth_words_per_cycle=words_per_cycle)
    found = simulator.layers(load(REFERENCE / run / "topology.csv"), {}).values
    assert found["cycles"][0].tolist() == [float(row["Total Cycles"]) for row in rows]
    assert found["stall_cycles"][0].tolist() == [float(row["Stall Cycles"]) for row in rows]


def test_the_network_is_the_sum_of_its_runs():
    network = Workload(
        "network",
        (
            replace(gemm(20, 30, 40), count=3),
            Layer(name="grouped", G=4, P=9, Q=9, K=2, C=3, R=3, S=3),
            Layer(name="again", G=2, P=20, K=30, C=40),
        ),
        (VectorOp(name="pool", reads=10**9, writes=10**9, operations=10**9),),
    )
    designs = {"array_rows": np.array([4, 16]), "ifmap_sram_kib": np.array([1, 64])}
    simulator = SystolicSimulator(array_columns=8)
    whole = simulator.simulate(network, designs).values
    table = simulator.layers(network, designs).values
    runs = np.array([3, 4, 2])
    assert (whole["latency_cycles"] == table["cycles"] @ runs).all()
    assert (whole["stall_cycles"] == table["stall_cycles"] @ runs).all()
    dram = sum(table[f"{name}_dram_words"] for name in OPERANDS) @ runs
    assert (whole["dram_bytes"] == dram).all()
    macs = 5 * 20 * 30 * 40 + 4 * 81 * 2 * 27
    assert whole["utilization"] * whole["pes"] * whole["latency_cycles"] == pytest.approx(macs)


def test_words_of_two_bytes_halve_what_an_sram_holds():
    wide = one(
        gemm(64, 64, 64), ifmap_sram_kib=2, word_bytes=2, filter_sram_kib=128, ofmap_sram_kib=128
    )
    narrow = one(gemm(64, 64, 64), ifmap_sram_kib=1)
    assert wide == narrow


def test_time_is_cycles_over_the_clock():
    network = Workload("one", (gemm(64, 64, 64),))
    metrics = SystolicSimulator(clock_ghz=0.5).simulate(network, {}).values
    assert metrics["latency_ms"] * 5e5 == pytest.approx(metrics["latency_cycles"])


def test_without_a_limit_on_bandwidth_nothing_stalls():
    for dataflow in DATAFLOWS:
        found = one(
            Layer(name="conv", P=14, Q=14, K=96, C=24, R=3, S=3), dataflow=dataflow,
            array_rows=8, array_columns=16, bandwidth_words_per_cycle=np.inf,
            **{f"{name}_sram_kib": 1 for name in OPERANDS},
        )  # fmt: skip
        assert found["stall_cycles"] == 0
        assert found["cycles"] == found["compute_cycles"] - 1


def test_a_wait_is_counted_twice_as_scalesim_does():
    """The 518th of 640 words is the first that 47 sets of 11 words do not hold.

    It is asked for in the 165th line; the next half of the buffer, 512 words at one a cycle, is
    there 512 cycles after the array began.
    """
    found = one(
        gemm(40, 4, 16), dataflow="ws", array_rows=4, array_columns=4, ifmap_sram_kib=1,
        ifmap_words_per_cycle=1,
    )  # fmt: skip
    assert found["stall_cycles"] == 2 * (512 - 165)


def test_it_keeps_the_contract_of_a_simulator():
    rng = np.random.default_rng(3)
    designs = {
        "array_rows": rng.choice([0, 4, 8, 16], 40),
        "array_columns": rng.choice([4, 8, 16], 40),
        "dataflow": rng.choice(DATAFLOWS, 40),
        "ofmap_sram_kib": rng.choice([1, 2], 40),
        "bandwidth_words_per_cycle": rng.choice([1, 4, np.inf], 40),
    }
    network = Workload(
        "network", (gemm(30, 40, 50), Layer(name="conv", P=8, Q=8, K=24, C=16, R=3, S=3))
    )
    check_simulator(SystolicSimulator(), network, designs)


@pytest.mark.parametrize(
    ("design", "text"),
    [
        ({"array_rows": 0}, "array_rows: got 0, must be a whole number from 1 to"),
        ({"array_columns": 2.5}, "array_columns: got 2.5, must be a whole number"),
        ({"array_columns": np.nan}, "array_columns: got nan"),
        ({"ifmap_sram_kib": 0}, "ifmap_sram_kib: got 0, must be for 100 to"),
        ({"filter_sram_kib": -4}, "filter_sram_kib: got -4"),
        ({"ofmap_sram_kib": np.inf}, "ofmap_sram_kib: got inf"),
        ({"bandwidth_words_per_cycle": -1}, "bandwidth_words_per_cycle: got -1, must be a whole"),
        ({"bandwidth_words_per_cycle": 0}, "bandwidth_words_per_cycle: got 0"),
        ({"ofmap_words_per_cycle": 0.5}, "ofmap_words_per_cycle: got 0.5"),
        ({"ofmap_words_per_cycle": np.inf}, "must be inf for all operands or for none"),
        ({"clock_ghz": 0}, "clock_ghz: got 0, must be finite and positive"),
        ({"word_bytes": 0}, "word_bytes: got 0"),
    ],
)
def test_a_design_that_cannot_work_says_why(design, text):
    assert text in reason(**design)


def test_a_layer_that_takes_too_many_folds_says_so():
    huge = gemm(1, 2**30, 2**30)
    assert "layer 'gemm': 1.15e+18 folds, more than 1e+08" in reason(
        huge, array_rows=1, array_columns=1
    )


def test_a_layer_that_takes_too_many_cycles_says_so():
    assert "compute cycles, more than" in reason(
        gemm(2**31 - 1, 2**15, 2**15), dataflow="ws", array_rows=4, array_columns=4
    )


def test_a_layer_whose_input_is_too_large_is_refused():
    huge = Layer(name="huge", P=2**20, Q=2**20, R=3, S=3)
    with pytest.raises(WorkloadError, match="layer 'huge': too large to replay: 1,099,"):
        reason(huge)


def test_unknown_parameters_and_values_are_refused():
    network = Workload("one", (gemm(4, 4, 4),))
    with pytest.raises(OptionError, match="no parameter is named 'array_row'"):
        SystolicSimulator().simulate(network, {"array_row": np.array([4])})
    with pytest.raises(OptionError, match="dataflow: got 'row_stationary'"):
        SystolicSimulator().simulate(network, {"dataflow": np.array(["row_stationary"])})
    with pytest.raises(OptionError, match="array_rows: expected numbers, got 'many'"):
        SystolicSimulator().simulate(network, {"array_rows": np.array(["many"])})
    with pytest.raises(OptionError, match=r"array_columns: has shape \(1,\), expected \(2,\)"):
        SystolicSimulator().simulate(
            network, {"array_rows": np.array([4, 4]), "array_columns": np.array([4])}
        )
