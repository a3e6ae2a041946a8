import os
import signal
import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from accel_dse.errors import (
    DesignError,
    LogError,
    OptionError,
    SimulatorError,
    SimulatorTimeoutError,
)
from accel_dse.metrics import Metrics
from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.progress import Silent
from accel_dse.simulators.base import Simulator
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial import Outcome
from accel_dse.trial_log import TrialLog


class Counting(ToySimulator):
    """Counts designs, and calls `at(n)` before measuring the n-th."""

    def __init__(self, at=lambda n: None):
        self.designs = 0
        self.at = at

    def simulate(self, workload, designs):
        self.at(self.designs)
        self.designs += len(designs["pes_x"])
        return super().simulate(workload, designs)


def a_study(path, *, simulator=None, problem=None, optimizer=None, seed=1, progress=None):
    problem = problem or toy_problem()
    return Study(
        problem=problem,
        optimizer=optimizer or RandomSearch(problem=problem, seed=seed),
        simulator=simulator or Counting(),
        log=TrialLog(path),
        progress=progress or Silent(),
    )


def test_a_study_returns_what_it_logged(tmp_path):
    trials = a_study(tmp_path / "log.db").run(25, batch=4)
    assert [trial.index for trial in trials] == list(range(25))
    assert TrialLog(tmp_path / "log.db").read() == trials
    assert {trial.outcome for trial in trials} == {Outcome.FEASIBLE, Outcome.INFEASIBLE}
    assert all(trial.ended >= trial.started > 1.6e9 and trial.host for trial in trials)


def test_a_trial_holds_what_the_simulator_said_of_its_design(tmp_path):
    problem = toy_problem()
    for trial in a_study(tmp_path / "log.db", problem=problem).run(30, batch=7):
        columns = problem.space.columns([trial.design])
        alone = ToySimulator().simulate(problem.workloads[0][0], columns)
        assert (trial.metrics, trial.reason) == (alone.row(0), alone.infeasible[0])


@pytest.mark.parametrize("optimizer", ["random"])
def test_a_stopped_study_goes_on_as_if_never_stopped(tmp_path, optimizer):
    whole = a_study(tmp_path / "whole.db").run(20, batch=4)
    a_study(tmp_path / "stopped.db").run(8, batch=4)
    simulator = Counting()
    resumed = a_study(tmp_path / "stopped.db", simulator=simulator).run(20, batch=4)
    assert resumed == whole
    assert simulator.designs == 12, "nothing is simulated twice"


@pytest.mark.parametrize("crash_at", [0, 4, 12, 16])
def test_a_study_that_broke_anywhere_goes_on_as_if_it_had_not(tmp_path, crash_at):
    def crash(n):
        if n == crash_at:
            raise RuntimeError("power cut")

    whole = a_study(tmp_path / "whole.db").run(20, batch=4)
    with pytest.raises(RuntimeError, match="power cut"):
        a_study(tmp_path / "log.db", simulator=Counting(crash)).run(20, batch=4)
    assert len(TrialLog(tmp_path / "log.db").read()) == crash_at
    assert a_study(tmp_path / "log.db").run(20, batch=4) == whole


def test_the_same_seed_gives_the_same_trials_and_another_seed_others(tmp_path):
    first = a_study(tmp_path / "a.db").run(10)
    assert a_study(tmp_path / "b.db").run(10) == first
    assert a_study(tmp_path / "c.db", seed=2).run(10) != first


def test_a_study_that_is_complete_simulates_nothing(tmp_path):
    trials = a_study(tmp_path / "log.db").run(6)
    simulator = Counting()
    assert a_study(tmp_path / "log.db", simulator=simulator).run(5) == trials
    assert simulator.designs == 0


def test_a_trial_is_on_disk_before_the_optimizer_learns_of_it(tmp_path):
    seen = []

    @dataclass(kw_only=True)
    class Watching(RandomSearch):
        def tell(self, trials, pending=()):
            super().tell(trials, pending)
            seen.append(TrialLog(tmp_path / "log.db").read() == self.trials)

    problem = toy_problem()
    study = a_study(tmp_path / "log.db", problem=problem, optimizer=Watching(problem=problem))
    study.run(6, batch=2)
    assert seen == [True] * 4, "once with the log, then with each batch"


def test_a_study_simulates_as_many_at_a_time_as_suits_the_optimizer(tmp_path):
    calls = []
    simulator = Counting(calls.append)
    a_study(tmp_path / "a.db", simulator=simulator).run(120)
    assert calls == [0, 50, 100]
    assert RandomSearch.natural_batch == 50
    assert Optimizer.natural_batch == 1


def test_one_study_can_be_run_twice(tmp_path):
    study = a_study(tmp_path / "log.db")
    first = study.run(4)
    assert study.run(8)[:4] == first


def test_an_optimizer_that_was_told_other_trials_is_refused(tmp_path):
    problem = toy_problem()
    optimizer = RandomSearch(problem=problem)
    optimizer.tell(a_study(tmp_path / "a.db", problem=problem).run(3))
    with pytest.raises(LogError, match="told 3 trials that are not the log's"):
        a_study(tmp_path / "b.db", problem=problem, optimizer=optimizer).run(5)


# Several workloads.


def test_every_workload_is_simulated_and_their_metrics_are_combined(tmp_path):
    problem = toy_problem(workloads=2)
    trials = a_study(tmp_path / "log.db", problem=problem).run(20, batch=5)
    trial = next(trial for trial in trials if trial.feasible)
    each = [trial.metrics[f"net{i}/latency_cycles"] for i in range(2)]
    assert each[0] < each[1]
    assert trial.metrics["latency_cycles"] == pytest.approx(np.mean(each))
    assert trial.metrics["area_mm2"] == trial.metrics["net0/area_mm2"]
    broken = next(trial for trial in trials if not trial.feasible)
    assert broken.reason == "net0: no tile fits the buffer; net1: no tile fits the buffer"


# Simulators that break.


class Fragile(ToySimulator):
    """Breaks on some designs."""

    def __init__(self, error=SimulatorError):
        self.error = error

    def simulate(self, workload, designs):
        if (designs["pes_x"] == 8).any() and workload.name != "net1":
            raise self.error("segmentation fault\0 \udc80")
        return super().simulate(workload, designs)


@pytest.mark.parametrize("workloads", [1, 2])
@pytest.mark.parametrize(
    ("error", "outcome"),
    [(SimulatorError, Outcome.FAILED), (SimulatorTimeoutError, Outcome.TIMED_OUT)],
)
def test_only_the_designs_that_break_the_simulator_fail(tmp_path, error, outcome, workloads):
    problem = toy_problem(workloads=workloads)
    broken = a_study(tmp_path / "a.db", problem=problem, simulator=Fragile(error)).run(64, batch=16)
    whole = a_study(tmp_path / "b.db", problem=problem).run(64, batch=16)
    assert 0 < sum(trial.outcome is outcome for trial in broken) < 32
    for trial, healthy in zip(broken, whole):
        if trial.design["pes_x"] == 8:
            assert (trial.outcome, trial.metrics) == (outcome, {})
            assert trial.reason == "segmentation fault\\0 \\udc80"
        else:
            assert trial == healthy
    assert TrialLog(tmp_path / "a.db").read() == broken


def test_a_batch_in_which_every_design_fails_is_recorded_so(tmp_path):
    class Broken(Simulator):
        def simulate(self, workload, designs):
            raise SimulatorError("no licence")

    problem = toy_problem(workloads=2)
    trials = a_study(tmp_path / "log.db", problem=problem, simulator=Broken()).run(4, batch=2)
    assert [trial.outcome for trial in trials] == [Outcome.FAILED] * 4
    assert {trial.reason for trial in trials} == {"no licence"}


def test_a_simulator_may_leave_out_the_metrics_of_a_batch_in_which_nothing_works(tmp_path):
    class Terse(ToySimulator):
        def simulate(self, workload, designs):
            metrics = super().simulate(workload, designs)
            return metrics if "" in metrics.infeasible else Metrics({}, metrics.infeasible)

    whole = a_study(tmp_path / "a.db").run(30)
    assert a_study(tmp_path / "b.db", simulator=Terse()).run(30) == whole


def test_a_simulator_that_returns_too_few_results_is_not_trusted(tmp_path):
    class Short(Simulator):
        def simulate(self, workload, designs):
            return Metrics({"latency_cycles": np.array([1.0])}, ("",))

    with pytest.raises(SimulatorError, match="Short gave 1 results for 3 designs"):
        a_study(tmp_path / "log.db", simulator=Short()).run(3, batch=3)
    assert TrialLog(tmp_path / "log.db").read() == []


@pytest.mark.parametrize(
    "wrong", [{"objectives": ("latencycycles",)}, {"limits": ("latencycycles<=1",)}]
)
def test_a_metric_that_does_not_exist_is_refused_before_anything_is_logged(tmp_path, wrong):
    with pytest.raises(OptionError, match="no metric is named 'latencycycles'") as caught:
        a_study(tmp_path / "log.db", problem=toy_problem(**wrong)).run(5, batch=5)
    assert "latency_cycles, area_mm2, energy_uj" in caught.value.hint
    assert TrialLog(tmp_path / "log.db").read() == []
    assert len(a_study(tmp_path / "log.db").run(5)) == 5, "the log is free for what was meant"


def test_a_study_that_has_trials_or_was_there_before_is_never_withdrawn(tmp_path):
    wrong = toy_problem(limits=("latencycycles<=1",))
    a_study(tmp_path / "there.db", problem=wrong).write_down()
    with pytest.raises(OptionError):
        a_study(tmp_path / "there.db", problem=wrong).run(5)
    assert TrialLog(tmp_path / "there.db").study().problem["limits"] == ["latencycycles<=1"]
    study = a_study(tmp_path / "log.db")
    trials = study.run(3)
    study.log.withdraw()
    assert TrialLog(tmp_path / "log.db").read() == trials


# Optimizers that break.


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda designs: designs[1:], "asked for 3 designs, it gave 2"),
        (lambda designs: [], "asked for 3 designs, it gave 0"),
        (lambda designs: [{**d, "pes_x": 3} for d in designs], "pes_x: 3 is not one of"),
        (lambda designs: [{**d, "pes_x": 32, "pes_y": 1} for d in designs], "constraint"),
        (lambda designs: [{**d, "pes_x": np.int64(4)} for d in designs], "pes_x: .* must be given"),
    ],
)
def test_what_is_no_design_is_not_simulated(tmp_path, wrong, message):
    @dataclass(kw_only=True)
    class Outside(RandomSearch):
        def ask(self, n):
            return wrong(super().ask(n))

    problem, simulator = toy_problem(), Counting()
    study = a_study(
        tmp_path / "log.db",
        problem=problem,
        optimizer=Outside(problem=problem),
        simulator=simulator,
    )
    with pytest.raises(DesignError, match=f"optimizer .*Outside: {message}"):
        study.run(9, batch=3)
    assert simulator.designs == 0
    assert TrialLog(tmp_path / "log.db").read() == []


# Whose log it is.


def test_the_log_says_what_it_is_a_log_of(tmp_path):
    @dataclass(kw_only=True)
    class Tuned(ToySimulator):
        effort: int = 3
        table: tuple = (1.5, np.float64(2.5))
        rule: object = len
        workers: int = field(default=1, compare=False)

    study = a_study(tmp_path / "log.db", simulator=Tuned(effort=4))
    study.run(1)
    written = TrialLog(tmp_path / "log.db").study()
    assert replace(written, created=0) == study.description()
    assert (written.optimizer, written.optimizer_options, written.seed) == ("random", {}, 1)
    assert written.simulator_options == {
        "effort": 4, "table": [1.5, 2.5], "rule": "builtins:len"
    }, "workers cannot change what comes out"  # fmt: skip
    assert written.problem["objectives"] == ["minimize latency_cycles"]
    assert written.problem["limits"] == ["area_mm2<=5"]


def test_a_log_of_another_problem_is_refused_and_left_alone(tmp_path):
    trials = a_study(tmp_path / "log.db").run(3)
    with pytest.raises(LogError, match=r"problem\.limits"):
        a_study(tmp_path / "log.db", problem=toy_problem(limits=("area_mm2<=6",))).run(9)
    with pytest.raises(LogError, match="seed is 1 there and 2 here"):
        a_study(tmp_path / "log.db", seed=2).run(9)
    assert TrialLog(tmp_path / "log.db").read() == trials


# Stopping.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_obeyed_once_the_present_batch_is_on_disk(tmp_path, number):
    said = []

    class Listening(Silent):
        def say(self, message):
            said.append(message)

    def stop(n):
        if n == 8:
            os.kill(os.getpid(), number)

    study = a_study(tmp_path / "log.db", simulator=Counting(stop), progress=Listening())
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        study.run(20, batch=4)
    assert len(said) == 1
    assert "stopping once what runs now is on disk" in said[0]
    assert signal.getsignal(number) is before
    assert len(TrialLog(tmp_path / "log.db").read()) == 12
    whole = a_study(tmp_path / "whole.db").run(20, batch=4)
    assert a_study(tmp_path / "log.db").run(20, batch=4) == whole


def test_a_stop_during_the_last_batch_comes_too_late(tmp_path):
    def stop(n):
        if n == 8:
            os.kill(os.getpid(), signal.SIGINT)

    assert len(a_study(tmp_path / "log.db", simulator=Counting(stop)).run(12, batch=4)) == 12


def test_a_second_stop_is_obeyed_at_once(tmp_path):
    def stop_twice(n):
        if n == 8:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        a_study(tmp_path / "log.db", simulator=Counting(stop_twice)).run(20, batch=4)
    assert len(TrialLog(tmp_path / "log.db").read()) == 8


def test_a_study_runs_outside_the_main_thread(tmp_path):
    trials = []
    thread = threading.Thread(target=lambda: trials.extend(a_study(tmp_path / "log.db").run(5)))
    thread.start()
    thread.join()
    assert len(trials) == 5


# Showing.


def test_progress_is_told_how_the_study_stands(tmp_path):
    shown = []

    class Watching(Silent):
        def show(self, status):
            shown.append(status)

    problem = toy_problem()
    trials = a_study(tmp_path / "log.db", problem=problem, progress=Watching()).run(30, batch=10)
    assert [(status.done, status.total) for status in shown] == [(n, 30) for n in (0, 10, 20, 30)]
    last = shown[-1]
    assert last.feasible == sum(trial.feasible for trial in trials)
    assert last.best == problem.best(trials).metrics["latency_cycles"]
    assert last.per_second > 0
    assert last.seconds_left == 0
    assert shown[0].seconds_left is None


def test_a_study_shows_itself_in_a_notebook_with_names_escaped(tmp_path):
    study = a_study(tmp_path / "<b>.db")
    html = study._repr_html_()
    assert "minimize latency_cycles" in html
    assert "area_mm2&lt;=5" in html
    assert "<b>.db" not in html
    assert "DesignSpace(" not in html, "an optimizer is told by its name and options"
    assert "<svg" not in html
    study.run(20, batch=10)
    assert "best latency_cycles" in study._repr_html_()
    assert "<svg" in study._repr_html_()
