"""What is believed of what an external simulator says."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_dse.errors import SimulatorError
from accel_dse.simulators.protocol import (
    LONGEST_QUOTE,
    Answer,
    Greeting,
    quote,
    read_answer,
    read_object,
    workload_message,
)
from accel_dse.workload import Layer, VectorOp, Workload

METRICS = ("latency_cycles", "energy_mj")
GREETING = {"accel_dse": 1, "simulator": "toy", "version": "2.1", "metrics": ["latency_cycles"]}


def test_a_workload_is_told_whole():
    conv = Layer(name="conv", K=8, C=3, P=5, Q=7, R=3, S=3, stride=(2, 1), dilation=(1, 2), count=4)
    pool = VectorOp(name="pool", reads=100, writes=25, operations=75)
    workload = Workload("net", (conv,), (pool,), source="a paper")
    told = json.loads(json.dumps(workload_message(workload)))
    assert told["name"] == "net"
    assert workload.fingerprint().startswith(told["workload"])
    layer = {**told["layers"][0], "stride": (2, 1), "dilation": (1, 2)}
    assert Layer(**layer) == conv
    assert VectorOp(**told["vector_ops"][0]) == pool


def test_a_greeting_is_read():
    read = Greeting.read(json.dumps({**GREETING, "parameters": ["pes"], "later": "ignored"}))
    assert read == Greeting("toy", "2.1", ("latency_cycles",), ("pes",))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"accel_dse": 2}, "protocol 2, expected 1"),
        ({"accel_dse": None}, "protocol None, expected 1"),
        ({"metrics": []}, "distinct names"),
        ({"metrics": ["a_ms", "a_ms"]}, "distinct names"),
        ({"metrics": "latency_cycles"}, "lists of names"),
        ({"parameters": [1]}, "lists of names"),
        ({"simulator": ""}, "without a name or a version"),
        ({"version": "\n"}, "without a name or a version"),
    ],
)
def test_a_wrong_greeting_is_refused(change, complaint):
    with pytest.raises(SimulatorError, match=complaint):
        Greeting.read(json.dumps({**GREETING, **change}))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON: ''"),
        ("Simulating...", "not JSON: 'Simulating...'"),
        ('{"a": 1} {"b": 2}', "not JSON"),
        ("[1]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ("x" * 2_000_000, "over 1048576 characters"),
    ],
)
def test_what_is_no_object_is_refused_and_quoted(text, complaint):
    with pytest.raises(SimulatorError, match=complaint) as caught:
        read_object(text)
    assert len(str(caught.value)) < 2 * LONGEST_QUOTE


def test_each_kind_of_answer_is_read():
    metrics = {"latency_cycles": 10, "energy_mj": 0.5}
    assert read_answer({"metrics": metrics}, METRICS) == Answer(metrics=metrics)
    assert read_answer({"infeasible": "too\nbig"}, METRICS) == Answer(infeasible="too big")
    with pytest.raises(SimulatorError, match="no licence"):
        read_answer({"error": "no licence"}, METRICS)


@pytest.mark.parametrize(
    "answer", [Answer(metrics={"latency_cycles": 1.0, "energy_mj": 2.0}), Answer(infeasible="big")]
)
def test_an_answer_survives_being_written_down(answer):
    assert read_answer(json.loads(json.dumps(answer.message())), METRICS) == answer


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"energy_mj": float("nan")}, "energy_mj nan, expected a finite number"),
        ({"energy_mj": float("-inf")}, "energy_mj -inf, expected a finite number"),
        ({"energy_mj": 10**400}, "energy_mj .*000, expected a finite number"),
        ({"energy_mj": None}, "energy_mj None, expected a finite number"),
        ({"energy_mj": True}, "energy_mj True, expected a finite number"),
        ({"energy_mj": "0.5"}, "energy_mj '0.5', expected a finite number"),
        ({"energy_mj": [0.5]}, r"energy_mj \[0.5\], expected a finite number"),
        ({"energy_mj": -1}, "energy_mj -1, which is below zero"),
        ({"energy_pj": 1}, "'energy_pj', expected 'energy_mj': another unit"),
        ({"moonlight": 1}, "'moonlight', expected one of latency_cycles, energy_mj"),
    ],
)
def test_a_measurement_that_cannot_be_is_refused(change, complaint):
    with pytest.raises(SimulatorError, match=complaint):
        read_answer({"metrics": {"latency_cycles": 1.0, "energy_mj": 0.5, **change}}, METRICS)


def test_a_quantity_that_may_be_below_zero_may_be_so():
    assert read_answer({"metrics": {"slack_ns": -3}}, ["slack_ns"]).metrics == {"slack_ns": -3.0}


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({}, "answered nothing, expected"),
        ({"latency_cycles": 1}, "answered 'latency_cycles', expected metrics"),
        ({"metrics": {}, "infeasible": "x"}, "answered metrics and infeasible"),
        ({"metrics": {}}, "no latency_cycles"),
        ({"metrics": [1, 2]}, r"metrics \[1, 2\], expected names and numbers"),
        ({"infeasible": ""}, "infeasible without a reason"),
        ({"infeasible": True}, "infeasible without a reason: True"),
        ({"error": " \n "}, "error without a reason"),
    ],
)
def test_an_answer_of_another_form_is_refused(message, complaint):
    with pytest.raises(SimulatorError, match=complaint):
        read_answer(message, METRICS)


ANY_JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists)
NEARLY_ANSWERS = st.dictionaries(
    st.sampled_from(["metrics", "infeasible", "error", "id"]),
    ANY_JSON | st.dictionaries(st.sampled_from(METRICS), st.floats() | st.text(), min_size=1),
)


@settings(deadline=None)
@given(ANY_JSON | NEARLY_ANSWERS)
def test_whatever_is_answered_is_a_result_or_an_error(message):
    try:
        answer = read_answer(read_object(json.dumps(message)), METRICS)
    except SimulatorError:
        return
    assert set(answer.metrics) == (set() if answer.infeasible else set(METRICS))


@settings(deadline=None)
@given(st.text())
def test_a_quote_is_one_printable_line(text):
    quoted = quote(text * 100)
    assert quoted.isprintable()
    assert len(quoted) <= LONGEST_QUOTE + 5
