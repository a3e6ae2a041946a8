"""`simulate --trace` from the command line: what Perfetto and Chrome are handed."""

import json
from itertools import pairwise

import pytest

from accel_dse.cli import main

NUMBER, TEXT = (int, float), str
FIELDS = {
    "X": {"name": TEXT, "cat": TEXT, "ts": NUMBER, "dur": NUMBER, "pid": int, "tid": int},
    "M": {"name": TEXT, "pid": int, "tid": int},
}
"""Phase -> fields that an event must have, and their types.

Source: "Trace Event Format", Google: complete events and metadata events."""

METADATA = {"process_name": "name", "thread_name": "name", "thread_sort_index": "sort_index"}
"""Metadata events, and the argument of each. Source: the same."""


MEASURE = ("simulate", "edge", "--workload", "mobilenet_v2")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A trace of a whole network, as it is in its file."""
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    assert main([*MEASURE, "--trace", str(path)]) == 0
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_event_has_the_fields_of_its_kind(written):
    assert isinstance(written["traceEvents"], list)
    assert written["displayTimeUnit"] in ("ms", "ns")
    for event in written["traceEvents"]:
        for name, kind in FIELDS[event["ph"]].items():
            assert isinstance(event[name], kind), (name, event)
            assert not isinstance(event[name], bool)
        if event["ph"] == "M":
            assert METADATA[event["name"]] in event["args"]
        else:
            assert event["ts"] >= 0
            assert event["dur"] >= 0


def test_events_of_a_lane_follow_each_other(written):
    """Viewers stack what overlaps on one thread as calls within calls."""
    lanes = {}
    for event in written["traceEvents"]:
        if event["ph"] == "X":
            lanes.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    assert len(lanes) > 4
    for spans in lanes.values():
        assert all(end <= start for (_, end), (start, _) in pairwise(sorted(spans)))


def test_the_whole_is_as_long_as_the_simulator_says(written, capsys):
    assert main([*MEASURE, "--json"]) == 0
    cycles = json.loads(capsys.readouterr().out)["metrics"]["latency_cycles"]
    events = [event for event in written["traceEvents"] if event["ph"] == "X"]
    assert max(event["ts"] + event["dur"] for event in events) == cycles
    assert written["otherData"]["cycles"] == cycles
    layers = [event for event in events if event["tid"] == 0]
    assert sum(event["dur"] for event in layers) == cycles, "the layers fill their lane"


def test_the_array_is_never_without_a_name_for_what_it_does(written):
    layers = {e["name"]: e["dur"] for e in written["traceEvents"] if e.get("cat") == "layer"}
    array = [e for e in written["traceEvents"] if e["ph"] == "X" and e["tid"] == 1]
    assert sum(event["dur"] for event in array) == sum(layers.values())
    stalls = {event["name"] for event in array if event["cat"] == "stall"}
    assert {"start-up", "final drain"} <= stalls
    assert any(name.startswith("dram: ") for name in stalls), "and whose channel it waits for"
