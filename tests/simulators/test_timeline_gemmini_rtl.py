"""The cycle-level engine against measurements of a real chip's RTL."""

import subprocess
import sys
from json import loads
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared/reference/gemmini_rtl_train.csv"


@pytest.mark.skipif(not DATA.exists(), reason=f"no measurements at {DATA}")
def test_the_engine_predicts_gemmini_better_than_the_analytical_model():
    script = ROOT / "benchmarks/fidelity/gemmini_rtl.py"
    run = subprocess.run(
        [sys.executable, str(script), "--data", str(DATA), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found = loads(run.stdout)
    engine = found["held_out"]["cycle_level"]
    assert found["rows"] == found["held_out_rows"] + found["calibration_rows"] == 1567
    assert found["spearman"] == engine["spearman"] > 0.97
    assert found["median_abs_pct_error"] == engine["median_abs_pct_error"] < 21.0
    for model in ("analytical", "analytical_as_run"):
        assert engine["spearman"] > found["held_out"][model]["spearman"]
        assert engine["median_abs_pct_error"] < found["held_out"][model]["median_abs_pct_error"]
