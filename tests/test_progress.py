import io
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from accel_dse import progress
from accel_dse.progress import Notebook, Silent, Status, Tally, Terminal, duration, fitting
from accel_dse.testing import toy_problem
from accel_dse.trial import Outcome, Trial

STATUS = Status(
    done=50,
    total=200,
    feasible=12,
    metric="latency_ms",
    best=3.14159,
    per_second=21.53,
    seconds_left=7.0,
)


def a_trial(index, latency=None):
    if latency is None:
        return Trial(index=index, design={}, outcome=Outcome.INFEASIBLE, reason="no")
    metrics = {"latency_cycles": latency, "area_mm2": 1.0}
    return Trial(index=index, design={}, outcome=Outcome.FEASIBLE, metrics=metrics)


def test_a_tally_is_the_same_however_trials_are_grouped():
    trials = [a_trial(0), a_trial(1, 5.0), a_trial(2, 3.0), a_trial(3, 4.0), a_trial(4)]
    goal = toy_problem().goal
    tallies = [Tally(goal, trials, 9), Tally(goal, [], 9), Tally(goal, trials[:2], 9)]
    for trial in trials:
        tallies[1].add([trial])
    tallies[2].add(trials[2:])
    for tally in tallies:
        status = tally.status()
        assert (status.done, status.feasible, status.best, status.total) == (5, 3, 3.0, 9)


def test_the_rate_counts_what_this_run_simulated(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    tally = Tally(toy_problem().goal, [a_trial(i) for i in range(50)], 80)
    assert (tally.status().per_second, tally.status().seconds_left) == (0.0, None)
    now[0] += 4.0
    tally.add([a_trial(50 + i) for i in range(10)])
    assert (tally.status().per_second, tally.status().seconds_left) == (2.5, 8.0)


def test_the_rate_is_that_of_late(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    tally = Tally(toy_problem().goal, [], 1000)
    for index in range(100):
        now[0] += 10.0 if index < 50 else 0.5
        tally.add([a_trial(index)])
    assert tally.status().per_second == pytest.approx(2.0)


def test_a_status_reads_well():
    assert str(STATUS) == "best latency_ms 3.1416 · 24% feasible · 21.5 simulations/s"
    empty = replace(STATUS, done=0, feasible=0, best=None, per_second=0.0)
    assert str(empty) == "none accepted yet · starting"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.9, "1 min 0 s"), (200, "3 min 20 s"), (18720, "5 h 12 min")],
)
def test_a_duration_is_told_as_people_do(seconds, text):
    assert duration(seconds) == text


def test_a_terminal_shows_a_bar_and_clears_it(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        "rich.console.Console", lambda **_: Console(file=screen, force_terminal=True, width=120)
    )
    with Terminal() as bar:
        bar.show(STATUS)
        bar.say("stopping [soon]")
        bar._bar.refresh()
    shown = screen.getvalue()
    for text in ("50/200", "best latency_ms 3.1416", "24% feasible", "7 s left", "stopping [soon]"):
        assert text in shown


def test_a_notebook_without_widgets_shows_a_bar_of_text(capsys, monkeypatch):
    monkeypatch.setattr(progress, "find_spec", lambda _: None)
    with Notebook() as bar:
        bar.show(STATUS)
        bar.say("stopping")
    output = capsys.readouterr()
    assert "50/200" in output.err
    assert "best latency_ms 3.1416" in output.err
    assert "stopping" in output.out + output.err


def test_a_notebook_with_widgets_shows_one():
    pytest.importorskip("ipywidgets")
    with Notebook() as bar:
        bar.show(STATUS)
    _, filled, text = bar._bar.container.children
    assert (filled.value, filled.max) == (50, 200)
    shown = text.value.replace("\u2007", " ")  # which it puts for spaces
    assert "50/200" in shown
    assert "best latency_ms 3.1416" in shown


def test_nothing_is_shown_in_a_batch_job(capsys):
    assert isinstance(fitting(), Silent)
    with fitting() as silent:
        silent.show(STATUS)
        silent.say("stopping")
    assert capsys.readouterr() == ("", "")


def test_what_suits_depends_on_where_we_run(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert isinstance(fitting(), Terminal)
    kernel = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    assert isinstance(fitting(), Notebook)
    shell = SimpleNamespace(config={})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert isinstance(fitting(), Terminal)
