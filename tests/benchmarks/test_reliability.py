"""The drills of `benchmarks/reliability`, smaller; each says itself which law it broke."""

import subprocess
import sys
from pathlib import Path

import pytest

DRILLS = Path(__file__).resolve().parents[2] / "benchmarks" / "reliability"


@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    ("drill", "arguments"),
    [
        pytest.param("killed_studies", (), marks=pytest.mark.slow),
        ("killed_studies", ("--workers", "3")),
        ("killed_workers", ("--kind", "local")),
        pytest.param("killed_workers", ("--kind", "queue"), marks=pytest.mark.slow),
        ("faults", ()),
        pytest.param("damage", (), marks=pytest.mark.slow),
        pytest.param("million_trials", (), marks=pytest.mark.slow),
        ("busy_workers", ("--floor", "0.3")),
    ],
)
def test_a_drill_breaks_no_law(drill, arguments):
    words = [sys.executable, DRILLS / f"{drill}.py", "--quick", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "holds" in done.stdout
    assert "BROKEN" not in done.stdout
