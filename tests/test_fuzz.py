"""Whatever bytes a reader is given, it reads them or refuses them in its own words."""

import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from fuzz_targets import CORPUS, TARGETS, tried
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]
BINARY = {"log", "cache", "onnx", "parquet"}


@cache
def seeds(name: str) -> tuple[bytes, ...]:
    """Whole files of the kind that a target reads."""
    if name == "space":
        return ((ROOT / "design_spaces" / "eyeriss_168.yaml").read_bytes(),)
    if name == "study":
        text = "version: 1\nspace: edge\nworkloads: {mlp: 2.0}\nminimize: latency_ms\n"
        return ((text + "limits: [area_mm2<=5]\ntrials: 12\n").encode(),)
    if name == "expression":
        return (b"pes_x <= 4 * pes_y", b"ceil(a / 2) + min(b, 3) ** 2", b"2.5e3 if a else not b")
    if name == "answer":
        greeting = b'{"accel_dse": 1, "simulator": "s", "version": "1", "metrics": ["latency_ms"]}'
        return greeting, b'{"metrics": {"latency_ms": 814.0}}', b'{"infeasible": "too large"}'
    if name == "recipe":
        return (b'{"folder": "/", "space": "edge", "workloads": [["mlp", 1]], "goal": {}}',)
    if name == "scalesim":
        return (b"Layer, M, N, K,\nfc1, 4, 5, 6,\nfc2, 7, 8, 9,\n",)
    if name == "timeloop":
        return (b"problem:\n  shape: {name: g, dimensions: [C, K]}\n  instance: {C: 3, K: 4}\n",)
    if name == "onnx":
        return ((ROOT / "notebooks" / "networks" / "mobilenet_v2.onnx").read_bytes()[:20_000],)
    return (made(name),)


def made(name: str) -> bytes:
    """A file that is written here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        if name == "log":
            from test_log_care import a_log

            a_log(path, 40)
        elif name == "cache":
            from accel_dse.simulators.cached import ResultCache

            results = ResultCache(path)
            results.keep({f"key{i}": {"metrics": {"latency_ms": float(i)}} for i in range(20)})
            results.close()
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.table({"param.a": [1, 2], "infeasible": ["", "x"]}), path)
        return path.read_bytes()


@st.composite
def mutated(draw, name):
    """A file of the right kind with some bytes changed, cut out or put in."""
    content = bytearray(draw(st.sampled_from(seeds(name))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.integers(0, 3))
        if kind == 0 and content:
            content[at] = draw(st.integers(0, 255))
        elif kind == 1:
            del content[at : at + draw(st.integers(1, 200))]
        elif kind == 2:
            content[at:at] = draw(st.binary(max_size=12))
        else:
            del content[at:]
    return bytes(content)


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_surprise_a_reader(name):
    anything = st.binary(max_size=200) if name in BINARY else st.text(max_size=200).map(str.encode)

    @given(st.one_of(mutated(name), mutated(name), anything))
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def feed(content):
        tried(name, content)

    feed()


FOUND = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_once_surprised_a_reader_does_so_no_more(path):
    tried(path.parent.name, path.read_bytes())


def test_a_log_that_is_read_in_spite_of_damage_is_never_wrong():
    from accel_dse.errors import LogError
    from accel_dse.trial_log import TrialLog

    (content,) = seeds("log")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.db")
        path.write_bytes(content)
        whole = TrialLog(path).read()
        assert len(whole) == 40
        for at in range(16, len(content), 1009):
            damaged = bytearray(content)
            damaged[at] ^= 0x10
            path.write_bytes(damaged)
            with suppress(LogError):
                trials = TrialLog(path).read()
                assert trials == whole[: len(trials)]
