"""Every benchmark that is a command, in its `--quick` form.

A new script under `benchmarks/` is found by itself. One that cannot run here is listed with why.
"""

import os
import runpy
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
REFERENCE = ROOT / "../shared/reference"

COMMANDS = {
    str(path.relative_to(BENCHMARKS)): path
    for path in sorted(BENCHMARKS.rglob("*.py"))
    if "__main__" in path.read_text("utf-8")
}

LEFT_OUT = {
    "apollo/transfer_models.py": "it reads the logs that apollo/table.py wrote in full",
    **dict.fromkeys(
        (name for name in COMMANDS if name.startswith("reliability/")),
        "the drills are run by test_reliability.py",
    ),
    **dict.fromkeys(
        (name for name in COMMANDS if name.startswith("codesign/")),
        "test_codesign_tables.py runs them and looks at what they print",
    ),
}

if not any(map(shutil.which, ("chromium", "google-chrome"))):
    LEFT_OUT["speed/watch.py"] = "there is no Chromium to look at the page with"

WORDS = {
    "apollo/table.py": ("--folder", "{folder}", "--optimizer", "random", "evolution"),
    "apollo/transfer.py": (
        "--folder", "{folder}", "--kind", "budget", "--optimizer", "evolution",
    ),
    "offline/prime.py": ("--tables", "single"),
    "peers/table.py": ("--folder", "{folder}", "--optimizer", "random"),
    "suites/regret.py": ("--folder", "{folder}"),
}  # fmt: skip
"""What some commands need besides `--quick`."""

SLOW = {"offline/prime.py"}
"""It trains networks for a minute."""

DATA = {
    "fidelity/eyeriss_chip.py": "eyeriss_chip",
    "fidelity/gemmini_rtl.py": "gemmini_rtl_train.csv",
    "fidelity/gemmini_timeloop.py": "gemmini_timeloop.csv.gz",
    "fidelity/scalesim.py": "scalesim",
    "fidelity/timeloop_runs.py": "timeloop_runs.json.gz",
    "offline/gemmini_rtl.py": "gemmini_rtl_train.csv",
}
"""What some compare with: others' data, kept beside the checkout."""


@pytest.fixture
def as_before():
    """Undoes what a script does to its process: some bind themselves to one core."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    modules, path = set(sys.modules), list(sys.path)
    yield
    if cores is not None:
        os.sched_setaffinity(0, cores)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if "benchmarks" in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run(script: Path) -> object:
    """Runs a script as a command, and returns what it ends with."""
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in COMMANDS],
)
def test_a_benchmark_runs_quickly(name, tmp_path, monkeypatch, capsys):
    if name in LEFT_OUT:
        pytest.skip(LEFT_OUT[name])
    if name in DATA and not (REFERENCE / DATA[name]).exists():
        pytest.skip(f"{DATA[name]} is not there: it is others' data, kept beside the checkout")
    words = [word.format(folder=tmp_path) for word in WORDS.get(name, ())]
    monkeypatch.setattr(sys, "argv", [str(COMMANDS[name]), "--quick", *words])
    monkeypatch.syspath_prepend(str(COMMANDS[name].parent))
    monkeypatch.chdir(ROOT)
    assert not run(COMMANDS[name])
    assert capsys.readouterr().out.strip()


def test_nothing_is_left_out_that_is_not_there():
    assert set(LEFT_OUT) | set(WORDS) | set(DATA) | SLOW <= set(COMMANDS)
