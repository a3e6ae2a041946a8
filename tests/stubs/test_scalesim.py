"""SCALE-Sim's stub: what it asks of the tool, and what it makes of the reports."""

import math

import pytest

from accel_dse.workload import Layer, Workload

from .conftest import TINY

DESIGN = {
    "rows": [8, 8, 16, 8],
    "columns": [8, 8, 4, 8],
    "dataflow": ["weight_stationary", "output_stationary", "input_stationary", "weight_stationary"],
    "ifmap_kib": [4, 4, 4, 4],
    "filter_kib": [4, 4, 4, 4],
    "ofmap_kib": [4, 4, 4, 4],
    "dram_words_per_cycle": [0, 0, 0, 2],
}


def compute_cycles(layer, rows, columns, dataflow):
    """Cycles without stalls and prefetch of one group, from the size of its matrix multiply.

    Source: SCALE-Sim v3, systolic_compute_{ws,os,is}.py; one less than the sum over folds.
    """
    m, n, k = layer.P * layer.Q, layer.K, layer.C * layer.R * layer.S
    down, across, along = {
        "weight_stationary": (k, n, m),
        "output_stationary": (m, n, k),
        "input_stationary": (k, m, n),
    }[dataflow]
    fill = rows if dataflow == "output_stationary" else 2 * rows
    folds = math.ceil(down / rows) * math.ceil(across / columns)
    return folds * (fill + columns + along - 2) - 1


def test_compute_cycles_are_those_of_the_closed_form(stub):
    values = stub.measure(TINY, **DESIGN).values
    for i in range(4):
        rows, columns, dataflow = (DESIGN[name][i] for name in ("rows", "columns", "dataflow"))
        expected = sum(
            layer.count * layer.G * compute_cycles(layer, rows, columns, dataflow)
            for layer in TINY.layers
        )
        assert values["compute_cycles"][i] == expected
        assert values["latency_cycles"][i] >= expected + values["stall_cycles"][i]
        assert values["utilization"][i] == pytest.approx(
            TINY.macs / values["latency_cycles"][i] / rows / columns
        )
    assert values["latency_cycles"][3] > values["latency_cycles"][0], "little bandwidth is slower"


def test_a_dilated_layer_runs_as_the_matrix_multiply_it_is(stub):
    design = {name: column[:1] for name, column in DESIGN.items()}
    dilated = Layer(name="dilated", K=4, C=2, P=3, Q=3, R=3, S=3, dilation=(2, 2))
    multiply = Layer(name="multiply", K=4, C=18, P=9)
    values, same = (
        stub.measure(Workload("one", (x,)), **design).values for x in (dilated, multiply)
    )
    assert values == same
    assert values["compute_cycles"] == compute_cycles(multiply, 8, 8, "weight_stationary")


def test_an_array_without_pes_is_infeasible(stub):
    metrics = stub.measure(
        TINY, **{name: column[:1] for name, column in DESIGN.items()} | {"rows": [0]}
    )
    assert metrics.infeasible == ("the array has no PEs",)
