import threading
from types import SimpleNamespace

import pytest

from accel_dse import stopping
from accel_dse.errors import OptionError
from accel_dse.execution import crew
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.problem import Goal, Objective
from accel_dse.progress import Silent
from accel_dse.stopping import Until
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial_log import TrialLog


class Listening(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


class Lasting(ToySimulator):
    """Waits before each simulation."""

    def __init__(self, wait=lambda: None):
        self.wait = wait

    def simulate(self, workload, designs):
        self.wait()
        return super().simulate(workload, designs)


def a_study(path, simulator=None, progress=None):
    problem = toy_problem()
    return Study(
        problem=problem,
        optimizer=RandomSearch(problem=problem, seed=1),
        simulator=simulator or Lasting(),
        log=TrialLog(path),
        progress=progress or Silent(),
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_a_study_ends_once_its_target_is_reached(tmp_path, workers):
    whole = a_study(tmp_path / "whole.db").run(200, batch=1)
    goal = toy_problem().goal
    target = goal.best(whole[:60]).metrics["latency_cycles"]
    progress = Listening()
    study = a_study(tmp_path / "log.db", progress=progress)
    trials = study.run(200, batch=1, workers=workers, until=Until(target=target))
    assert len(trials) < 200
    assert goal.best(trials).metrics["latency_cycles"] <= target
    assert workers > 1 or goal.best(trials) == trials[-1], "not a batch later"
    assert "reaches the target" in progress.said[0]
    again = a_study(tmp_path / "log.db").run(
        200, batch=1, workers=workers, until=Until(target=target)
    )
    assert again == trials, "nothing is left to do"


@pytest.fixture
def clock(monkeypatch):
    """Lets a test say what time it is: `clock.now`."""
    clock = SimpleNamespace(now=0.0)
    clock.time = lambda: clock.now
    for module in (stopping, crew):
        monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_study_ends_at_its_deadline_and_goes_on_later(tmp_path, clock):
    def tick():
        clock.now += 1.0

    progress = Listening()
    study = a_study(tmp_path / "log.db", Lasting(tick), progress)
    trials = study.run(10_000, batch=2, until=Until(deadline=5.0))
    assert len(trials) == 10
    assert progress.said == ["stopping: its time is over"]
    clock.now = 0.0
    whole = a_study(tmp_path / "whole.db").run(16, batch=2)
    assert a_study(tmp_path / "log.db").run(16, batch=2) == whole


def test_what_runs_at_the_deadline_is_given_up_and_begun_again_later(tmp_path, clock):
    release = threading.Event()
    begun = []

    def wait():
        begun.append(1)
        if len(begun) == 3:
            clock.now = 1.0
        release.wait(60)

    study = a_study(tmp_path / "log.db", Lasting(wait))
    assert study.run(9, workers=3, until=Until(deadline=0.1)) == []
    release.set()
    assert len(begun) == 3
    assert TrialLog(tmp_path / "log.db").read() == []
    trials = a_study(tmp_path / "log.db").run(9, workers=3)
    asked = [a_study(tmp_path / "fresh.db").optimizer.ask(1)[0], *(t.design for t in trials)]
    assert asked[0] in asked[1:4], "the same designs are proposed again"


def test_a_deadline_that_is_past_lets_nothing_begin(tmp_path):
    assert a_study(tmp_path / "log.db").run(5, until=Until(deadline=1.0)) == []


@pytest.mark.parametrize(
    ("sense", "best", "reached"),
    [("minimize", 9.0, True), ("minimize", 10.0, True), ("minimize", 11.0, False),
     ("maximize", 11.0, True), ("maximize", 9.0, False), ("minimize", None, False)],
)  # fmt: skip
def test_a_target_is_reached_from_the_side_of_the_objective(sense, best, reached):
    goal = Goal((Objective("utilization", sense),))
    assert bool(Until(target=10.0).reason(goal, best)) == reached


@pytest.mark.parametrize("wrong", [{"deadline": float("nan")}, {"target": float("inf")}])
def test_a_time_or_target_that_is_no_number_is_refused(wrong):
    with pytest.raises(OptionError, match="that are numbers"):
        Until(**wrong)
