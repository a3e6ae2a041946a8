"""Pages in a headless browser; skipped where there is none."""

import html as escapes
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from a_log import TRIALS, broken, measured
from pages import run, study
from test_inside import CHAIN, PROBLEM, REFERENCE, SIMULATOR

from accel_dse.report import html
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.content import content
from accel_dse.trial import Outcome, Trial

pytest.importorskip("plotly", reason="pages need plotly: pip install 'accel-dse[viz]'")

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
CHECKS = Path(__file__).with_name("browser_checks.js")
NO_LAB = Lab(reason="this is a test")
EVIL = "</script><img src=x onerror='window.hacked=1'><b>&lt;é漢"

pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium or Chrome is on the path")

SOLID = [
    measured(
        i, 1 + 2 ** (i % 5) * (1 + i % 7) / 9, area=10 + i % 23, pes=2 ** (i % 5), rows=1 + i % 7
    )
    if i % 4
    else broken(i, "conv1: smallest tile needs 4,096 bytes")
    for i in range(120)
]


@pytest.fixture
def opened(tmp_path):
    """Opens a page of some runs, uses it, and tells what it found."""

    def opened(*runs, lab=NO_LAB):
        path = tmp_path / "page.html"
        text = html.page(content(runs, lab), scripts=(*html.SCRIPTS, str(CHECKS)))
        path.write_text(text, encoding="utf-8")
        command = [
            BROWSER, "--headless", "--no-sandbox",
            "--disable-3d-apis",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,9000",
            "--virtual-time-budget=20000", "--dump-dom", "--enable-logging=stderr", path.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        [text] = re.findall(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
        found = json.loads(escapes.unescape(text))
        said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        found["console"] = [line for line in said if "GL Driver Message" not in line]
        return found

    return opened


@pytest.mark.timeout(300)
def test_a_page_draws_its_charts_and_answers_keys_and_choices(opened):
    found = opened(run(SOLID))
    assert found["errors"] == found["console"] == []
    for name in ("tradeoff", "convergence", "outcomes", "importance", "effect"):
        assert found["charts"][f"{name}-chart"] == "drawn", found["charts"]
        assert f"{name}-chart" in found["printed"], "paper shows what was not scrolled to"
    assert found["charts"]["hypervolume-chart"] == "hidden", "there is one objective"
    assert found["sentence"].startswith("Best of 120 trials: latency_ms 1")
    assert "Download plot" in found["buttons"]
    assert not [title for title in found["buttons"] if "Share" in title or "Cloud" in title]
    assert "trial" in found["hover"]
    assert "latency_ms" in found["walked"], "what the arrow keys reach is read out"
    assert found["axis"] == "power_w"
    assert re.match(r"\d+ of 90 working designs are in the chosen ranges", found["kept"])
    assert found["rows"] > 0
    assert found["cleared"] == ""
    assert "latency_ms" in found["compared"]
    assert found["charts"]["parallel-chart"] == "No WebGL.", "the rest works without"


@pytest.mark.timeout(300)
def test_scripts_in_names_do_not_run(opened):
    named = study().problem | {"space": {"name": EVIL}, "workloads": [{"name": EVIL, "weight": 1}]}
    trials = [
        measured(0, 5.0, **{EVIL: EVIL, "b": 1}),
        measured(1, 4.0, **{EVIL: "other", "b": 2}),
        broken(2, EVIL),
    ]
    found = opened(run(trials, EVIL, problem=named, optimizer=EVIL))
    assert found["hacked"] is False
    assert found["errors"] == found["console"] == []
    assert found["title"] == f"{EVIL} x {EVIL}"
    assert found["charts"]["tradeoff-chart"] == "drawn"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "trials", [[], [broken(0, "no")], TRIALS], ids=["no trial", "none works", "every outcome"]
)
def test_a_log_with_little_in_it_opens_without_an_error(opened, trials):
    found = opened(run(trials))
    assert found["errors"] == found["console"] == []
    works = any(trial.feasible for trial in trials)
    assert (found["charts"]["tradeoff-chart"] == "drawn") == works


@pytest.mark.timeout(300)
def test_several_seeds_are_shown_together(opened):
    found = opened(*(run(SOLID[i:], f"{i}.sqlite", seed=i) for i in range(3)))
    assert found["errors"] == found["console"] == []
    assert found["charts"]["convergence-chart"] == "drawn"
    assert "random, seed 0, trial" in found["hover"]


@pytest.mark.timeout(300)
def test_a_page_shows_the_best_design_layer_by_layer_and_names_what_it_waits_for(opened):
    metrics = SIMULATOR.simulate(CHAIN, PROBLEM.space.columns([REFERENCE])).row(0)
    trial = Trial(index=0, design=REFERENCE, outcome=Outcome.FEASIBLE, metrics=metrics)
    goal = {"objectives": ["minimize latency_ms"], "limits": []}
    lab = Lab(problem=PROBLEM, simulator=SIMULATOR, references={"known": REFERENCE})
    found = opened(run([trial], problem=study().problem | goal), lab=lab)
    assert found["errors"] == found["console"] == []
    for name in ("roofline", "component", "time", "energy", "timeline"):
        assert found["charts"][f"{name}-chart"] == "drawn", found["charts"]
    assert {"array works", "transfer", "waits: start-up"} <= set(found["timeline"])
    assert "array waits" not in found["timeline"], "a wait has a cause"
