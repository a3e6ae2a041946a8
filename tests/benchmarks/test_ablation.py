"""The ablation of the offline surrogate keeps its results, and says what they come to."""

import json
import sys
from pathlib import Path

import pytest

OFFLINE = Path(__file__).resolve().parents[2] / "benchmarks" / "offline"


@pytest.fixture(scope="module")
def ablation():
    """The script as a module."""
    sys.path.insert(0, str(OFFLINE))
    try:
        import ablation

        yield ablation
    finally:
        sys.path.remove(str(OFFLINE))
        for name in ("ablation", "prime"):
            sys.modules.pop(name, None)


def row(variant, ratio, seed=0):
    return {
        "variant": variant, "applications": ["mobilenet_v2"], "seed": seed, "ratio": ratio,
        "works": 1.0 if ratio else 0.0, "kendall": 0.7, "seconds": 10.0,
        "size": {"rows": 1000, "steps": 10, "members": 1},
    }  # fmt: skip


def test_what_is_in_the_file_is_not_run_again(ablation, tmp_path, monkeypatch):
    out = tmp_path / "results.jsonl"
    other_size = {**row("beta = 0", 0.5), "size": {"rows": 1000, "steps": 99, "members": 1}}
    out.write_text("".join(json.dumps(r) + "\n" for r in (row("as it is", 0.8), other_size)))
    size = ablation.Size(rows=1000, steps=10, members=1, seeds=1, applications=["mobilenet_v2"])
    bench = ablation.Ablation(ablation.Bench(ablation.LOGS, size), ablation.Kept(out))
    monkeypatch.setattr(ablation.Ablation, "fit", lambda *_: (None, 1.0))
    monkeypatch.setattr(ablation.Ablation, "judged", lambda *_: {"ratio": 0.7})
    found = list(bench.run(["as it is", "beta = 0"]))
    assert [(r["variant"], r["ratio"]) for r in found] == [("beta = 0", 0.7)]
    assert json.loads(out.read_text().splitlines()[-1]) == found[0]


def test_a_variant_is_compared_on_the_same_log_with_the_same_seed(ablation):
    base = [row("as it is", 0.8, 0), row("as it is", 0.5, 1), row("as it is", 0.9, 2)]
    rows = [row("x", 0.4, 1), row("x", 0.8, 0), row("x", None, 2)]
    line = ablation.summary(rows, base)
    assert line["beside"] == pytest.approx((0.8 * 1.0) ** 0.5)
    assert (line["better"], line["worse"], line["nothing_accepted"]) == (1, 0, 1)
    assert line["ratio"] == pytest.approx((0.4 * 0.8) ** 0.5)
    assert line["works"] == pytest.approx(2 / 3)
