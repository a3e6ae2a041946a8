"""A comparison as a page: what it is made of, and that a browser shows it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from accel_dse.comparison import Contestant, Curves, Run, outcome, quartiles, vary
from accel_dse.problem import Goal, Objective
from accel_dse.report.contest_page import content, contest_page
from accel_dse.testing import toy_problem

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), "")


def an_outcome(seeds=6, trials=30, sense="minimize"):
    """Random search against evolution, whose options are varied; one seed of it broke."""
    sensitivity = vary(Contestant("evolution"), toy_problem())
    contestants = [Contestant("random"), *sensitivity.contestants]
    runs = tuple(
        Run(contestant=one, seed=seed, log=Path("none"),
            problem="<b>no</b> idea left" if one.label == "evolution" and seed == 1 else "")
        for one in contestants for seed in range(seeds)
    )  # fmt: skip
    cost = 10 + np.random.default_rng(0).random((len(runs), trials))
    cost[:, :3] = np.inf
    cost[seeds : 2 * seeds] -= 5
    curves = Curves(
        goal=Goal((Objective("latency_ms", sense),)), runs=runs, budget=trials,
        counts=np.full(len(runs), trials), cost=cost if sense == "minimize" else -1 / cost,
        infeasible=np.isinf(cost), ask_s=np.full(cost.shape, 0.01),
    )  # fmt: skip
    return outcome("toy x toy", curves, [sensitivity])


def test_a_line_holds_the_quartiles_where_they_change():
    found = an_outcome()
    for line in content(found)["lines"]:
        costs = found.curves.best[found.curves.of(line["label"])]
        middle = quartiles(costs)[1]
        drawn = np.array(line["middle"])[np.searchsorted(line["at"], np.arange(1, 31), "right") - 1]
        assert np.array_equal(np.where(np.isinf(middle), np.nan, middle), drawn, equal_nan=True)
        assert len(line["at"]) < 30


def test_variations_are_told_apart_from_contestants():
    found = an_outcome()
    assert [standing.label for standing in found.standings] == ["evolution", "random"]
    parts = content(found)
    [varied] = parts["sensitivity"]
    assert varied["label"] == "evolution"
    assert {effect["option"] for effect in varied["effects"]} >= {"population", "crossover"}
    assert all(effect["better"] == 0.0 for effect in varied["effects"])


def test_the_page_asks_for_nothing_and_parses_no_text_as_markup():
    pytest.importorskip("plotly", reason="pages need plotly: pip install 'accel-dse[viz]'")
    text = contest_page(an_outcome())
    assert "connect-src 'none'" in text.replace("&#x27;", "'")
    assert "<b>no</b>" not in text


@pytest.mark.skipif(not BROWSER, reason="no Chromium is on the path")
@pytest.mark.parametrize("sense", ["minimize", "maximize"])
def test_a_browser_shows_every_contestant_and_every_option(tmp_path, sense):
    pytest.importorskip("plotly", reason="pages need plotly: pip install 'accel-dse[viz]'")
    page = tmp_path / "page.html"
    page.write_text(contest_page(an_outcome(sense=sense)), encoding="utf-8")
    words = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--virtual-time-budget=20000", "--window-size=1280,3000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    assert "CONSOLE" not in done.stderr, done.stderr
    assert "evolution has the best median latency_ms after 30 simulations" in done.stdout
    assert "evolution, seed 1" in done.stdout
    assert "&lt;b&gt;no&lt;/b&gt; idea left" in done.stdout
    assert done.stdout.count("js-plotly-plot") >= 4
