"""Contract tests of the four laws, for the authors of plug-ins.

Call the check of your kind of plug-in from a test of your own; it raises AssertionError with the
law that is broken:

    def test_my_optimizer_keeps_its_contract():
        check_optimizer(MyOptimizer, toy_problem())
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from accel_dse.constraints import Constraint
from accel_dse.errors import LogError
from accel_dse.expressions import Expression
from accel_dse.log_rows import StudyDescription
from accel_dse.metrics import Metrics
from accel_dse.optimizers.base import Optimizer
from accel_dse.parameters import Categorical, Ordinal
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.simulators.base import Columns, Simulator
from accel_dse.space import DesignSpace
from accel_dse.trial import Design, Outcome, Trial
from accel_dse.trial_log import TrialLog
from accel_dse.workload import Layer, Workload


class ToySimulator(Simulator):
    """A made-up accelerator: enough to see a search work, in microseconds."""

    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Measures `n` designs of `toy_problem`'s space."""
        pes = designs["pes_x"] * designs["pes_y"]
        buffer_kib = designs["buffer_kib"]
        slowdown = np.where(designs["dataflow"] == "output_stationary", 1.3, 1.0)
        compute = workload.macs / pes * slowdown
        memory = workload.weights * 16 / np.sqrt(buffer_kib)
        too_small = buffer_kib * 8 < pes
        area = 0.02 * pes + 0.03 * buffer_kib
        values = {
            "latency_cycles": compute + memory + 100 * designs["pes_x"],
            "area_mm2": area,
            "energy_uj": workload.macs * 1e-6 + memory * 1e-4 + 0.1 * pes * slowdown,
        }
        return Metrics(
            {name: np.where(too_small, np.nan, column) for name, column in values.items()},
            tuple("no tile fits the buffer" if small else "" for small in too_small),
        )


def toy_problem(
    *,
    objectives: Sequence[str] = ("latency_cycles",),
    limits: Sequence[str] = ("area_mm2<=5",),
    workloads: int = 1,
) -> Problem:
    """A problem for `ToySimulator`: 6 x 6 x 8 x 3 designs, some against a constraint."""
    powers = tuple(2**i for i in range(8))
    space = DesignSpace(
        "toy",
        (
            Ordinal("pes_x", (1, 2, 4, 8, 16, 32), scale="log"),
            Ordinal("pes_y", (1, 2, 4, 8, 16, 32), scale="log"),
            Ordinal("buffer_kib", powers, scale="log"),
            Categorical("dataflow", ("weight_stationary", "output_stationary", "input_stationary")),
        ),
        (Constraint(Expression("pes_x <= 4 * pes_y")),),
    )
    networks = [
        Workload(f"net{i}", (Layer(name="fc", P=256 * (i + 1), K=128, C=128),))
        for i in range(workloads)
    ]
    return Problem(
        space,
        tuple((network, 1.0) for network in networks),
        tuple(Objective(metric) for metric in objectives),
        tuple(Limit.parse(text) for text in limits),
    )


def check_optimizer(make: Callable[..., Optimizer], problem: Problem) -> None:
    """An optimizer stays in its space, and asks the same after the same trials (law 1).

    Args:
        make: called with `problem` and `seed`.
        problem: any; its metrics are made up here.
    """
    for outcomes in (
        (Outcome.FEASIBLE, Outcome.INFEASIBLE, Outcome.FEASIBLE, Outcome.FAILED),
        (Outcome.FEASIBLE,),
        (Outcome.INFEASIBLE,),
        (Outcome.FAILED, Outcome.TIMED_OUT),
    ):
        _check_replay(make, problem, outcomes)
    _check_failures_are_no_numbers(make, problem)


def _check_replay(
    make: Callable[..., Optimizer], problem: Problem, outcomes: Sequence[Outcome]
) -> None:
    stepwise, nosy, resumed = (make(problem=problem, seed=7) for _ in range(3))
    told: list[Trial] = []
    for size in (1, 7, 16):
        proposals = stepwise.propose(size)
        designs = [proposal.design for proposal in proposals]
        assert len(designs) == size, f"asked for {size} designs, got {len(designs)}"
        assert stepwise.ask(size) == designs, (
            "law 1: `ask` left a trace, or it is not reproducible, or `propose` gives other designs"
        )
        for design in designs:
            problem.space.check(design)
        np.random.seed(len(told))
        random.seed(len(told))
        nosy.ask(3)
        assert nosy.ask(size) == designs, "law 1: `ask` left a trace, or it is not reproducible"
        new = [
            replace(trial, source=proposal.source)
            for trial, proposal in zip(
                _made_up(problem, designs, outcomes, first=len(told)), proposals
            )
        ]
        stepwise.tell(new)
        for trial in new:
            nosy.tell([trial])
        told += new
    resumed.tell(told)
    expected = stepwise.ask(5)
    assert nosy.ask(5) == expected, "law 1: it matters how trials are grouped when they are told"
    assert resumed.ask(5) == expected, "law 1: told the log, it does not go on where it stopped"
    for optimizer in (stepwise, resumed):
        optimizer.tell([], pending=expected)
    assert stepwise.ask(5) == resumed.ask(5), "law 1: pending designs leave a trace"
    resumed.tell([], pending=expected[:2])
    resumed.tell([])
    assert resumed.ask(5) == expected, "law 1: designs that are pending no more leave a trace"
    assert resumed.trials == told, "the trials it was told have changed"


def _check_failures_are_no_numbers(make: Callable[..., Optimizer], problem: Problem) -> None:
    """Law 3: how a simulation broke says nothing of the design's quality."""
    outcomes = (Outcome.FEASIBLE, Outcome.FAILED, Outcome.INFEASIBLE)
    designs = make(problem=problem, seed=7).ask(12)
    trials = _made_up(problem, designs, outcomes, first=0)
    asked = []
    for outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
        optimizer = make(problem=problem, seed=7)
        optimizer.tell(
            [
                replace(trial, outcome=outcome, reason=f"it {outcome}")
                if trial.outcome is Outcome.FAILED
                else trial
                for trial in trials
            ]
        )
        asked.append(optimizer.ask(8))
    assert asked[0] == asked[1], "law 3: a crash and a timeout are not equally uninformative"


def _made_up(
    problem: Problem, designs: Sequence[Design], outcomes: Sequence[Outcome], first: int
) -> list[Trial]:
    """Trials with every outcome in turn; half of the feasible ones break a limit."""
    names = [o.metric for o in problem.objectives] + [limit.metric for limit in problem.limits]
    trials = []
    for i, design in enumerate(designs, first):
        outcome = outcomes[i % len(outcomes)]
        works = outcome is Outcome.FEASIBLE
        metrics = {name: 10.0 + (7 * i + 3 * j) % 11 for j, name in enumerate(names)}
        for limit in problem.limits:
            beyond = 1.0 if limit.relation == "<=" else -1.0
            metrics[limit.metric] = limit.bound + beyond * (i % 2 - 0.5)
        trials.append(
            Trial(
                index=i,
                design=design,
                outcome=outcome,
                metrics=metrics if works else {},
                reason="" if works else f"made up: {outcome}",
            )
        )
    return trials


def check_simulator(simulator: Simulator, workload: Workload, designs: Columns) -> None:
    """A simulator is deterministic, and a design's metrics do not depend on its batch (law 2).

    Args:
        simulator: to be checked.
        workload: any it can run.
        designs: a batch by column, better of some dozens of which some work.
    """
    n = len(next(iter(designs.values())))
    before = {name: column.copy() for name, column in designs.items()}
    whole = simulator.simulate(workload, designs)
    assert len(whole) == n, f"{n} designs gave {len(whole)} results"
    for name, column in designs.items():
        assert (column == before[name]).all(), f"it changed its input {name!r}"
    _assert_equal(whole, simulator.simulate(workload, designs), np.arange(n), "run again")
    for label, rows in (
        ("in another order", np.arange(n)[::-1]),
        ("in half of the batch", np.arange(0, n, 2)),
        *((f"alone (design {i})", np.array([i])) for i in range(0, n, max(1, n // 16))),
    ):
        part = {name: column[rows] for name, column in designs.items()}
        _assert_equal(whole, simulator.simulate(workload, part), rows, label)


def _assert_equal(whole: Metrics, part: Metrics, rows: np.ndarray, how: str) -> None:
    reasons = tuple(whole.infeasible[i] for i in rows)
    assert part.infeasible == reasons, f"law 2: another reason {how}"
    if "" in reasons:
        assert part.values.keys() == whole.values.keys(), f"law 2: other metrics {how}"
    for name, column in part.values.items():
        same = np.array_equal(column, whole.values[name][rows], equal_nan=True)
        assert same, f"law 2: another {name} {how}"


def check_trial_log(folder: Path, make: Callable[[str], TrialLog] = TrialLog) -> None:
    """A log gives back what it was given, to one study and one writer at a time (law 4).

    Args:
        folder: an empty one.
        make: called with a place in it.
    """
    place = str(folder / "contract.db")
    study = StudyDescription(
        problem=toy_problem().content(),
        optimizer="random",
        optimizer_options={},
        seed=1,
        simulator="toy",
        simulator_version="1",
        simulator_options={"effort": 0.1},
    )
    problem = toy_problem()
    designs = problem.space.sample(12, np.random.default_rng(0))
    trials = _made_up(problem, designs, tuple(Outcome), first=0)
    log = make(place)
    for start, stop in pairwise((0, 5, 6, 12)):
        log.create_or_check(study)
        log.append(trials[start:stop])
        assert make(place).read() == trials[:stop], "law 4: what was appended cannot be read"
        assert _refuses(lambda: make(place).create_or_check(study)), "two can write at a time"
        log.close()
    assert make(place).read(start=7) == trials[7:]
    assert _refuses(lambda: make(place).create_or_check(replace(study, seed=2)))
    assert make(place).study().fingerprint == study.fingerprint


def _refuses(action: Callable[[], object]) -> bool:
    try:
        action()
    except LogError:
        return True
    return False
