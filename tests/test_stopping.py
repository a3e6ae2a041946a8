import threading
import time

import pytest

from accel_dse.errors import OptionError
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


def test_a_study_ends_at_its_deadline_and_goes_on_later(tmp_path):
    progress = Listening()
    study = a_study(tmp_path / "log.db", Lasting(lambda: time.sleep(0.05)), progress)
    trials = study.run(10_000, batch=2, until=Until(deadline=time.time() + 0.5))
    assert 0 < len(trials) < 10_000
    assert progress.said == ["stopping: its time is over"]
    n = len(trials) + 6
    whole = a_study(tmp_path / "whole.db").run(n, batch=2)
    assert a_study(tmp_path / "log.db").run(n, batch=2) == whole


def test_what_runs_at_the_deadline_is_given_up_and_begun_again_later(tmp_path):
    release = threading.Event()
    study = a_study(tmp_path / "log.db", Lasting(lambda: release.wait(60)))
    assert study.run(9, workers=3, until=Until(deadline=time.time() + 0.3)) == []
    release.set()
    left = TrialLog(tmp_path / "log.db").tickets(unfinished=True)
    assert len(left) == 3
    trials = a_study(tmp_path / "log.db").run(9, workers=3)
    assert all(ticket.design in [trial.design for trial in trials] for ticket in left)


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
