"""Optimizers of other projects; each test needs the project."""

import threading

import numpy as np
import pytest

from accel_dse import plugins
from accel_dse.constraints import Constraint
from accel_dse.errors import OptionError
from accel_dse.expressions import Expression
from accel_dse.optimizers.peers.base import Verdict
from accel_dse.optimizers.peers.variables import Variables
from accel_dse.parameters import Categorical, Factorization, Integer, Permutation, Real
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.space import DesignSpace
from accel_dse.testing import ToySimulator, check_optimizer, toy_problem
from accel_dse.trial import Outcome, Trial

PEERS = {
    "optuna_tpe": ("optuna", {"sampler": "tpe"}),
    "optuna_gp": ("optuna", {"sampler": "gp"}),
    "optuna_nsga2": ("optuna", {"sampler": "nsga2"}),
    "nevergrad": ("nevergrad", {}),
    "pymoo": ("pymoo", {}),
    "smac": ("smac", {"initial": 5}),
    "smac_blackbox": ("smac", {"initial": 5, "facade": "blackbox"}),
    "vizier_eagle": ("vizier", {"initial": 5, "algorithm": "eagle"}),
}
SHORTER = {"optuna_gp": 12, "smac": 14, "smac_blackbox": 14}
BEGIN_BADLY = {"smac": 2, "smac_blackbox": 2}
"""Seeds of searches that differ from process to process, whose first designs any model beats."""
TWO = ("latency_cycles", "energy_uj")


def peer(name, problem, seed=0):
    library, options = PEERS[name]
    pytest.importorskip({"vizier": "equinox"}.get(library, library), reason=f"{library} is absent")
    return plugins.load("optimizers", library)(problem=problem, seed=seed, **options)


def searched(optimizer, n):
    problem, simulator = optimizer.problem, ToySimulator()
    for index in range(n):
        design = optimizer.ask(1)[0]
        metrics = simulator.simulate(problem.workloads[0][0], problem.space.columns([design]))
        reason = metrics.infeasible[0]
        optimizer.tell(
            [
                Trial(
                    index=index,
                    design=design,
                    outcome=Outcome.INFEASIBLE if reason else Outcome.FEASIBLE,
                    reason=reason,
                    metrics=metrics.row(0),
                )
            ]
        )
    return optimizer.trials


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_optuna_keeps_the_laws_of_optimizers(sampler):
    pytest.importorskip("optuna")
    cls = plugins.load("optimizers", "optuna")
    check_optimizer(lambda **given: cls(**given, sampler=sampler), toy_problem())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("library", "options"),
    [
        ("smac", {"initial": 3}),
        ("vizier", {"initial": 3, "algorithm": "eagle"}),
        ("nevergrad", {}),
    ],
)
def test_the_laws_of_optimizers_are_kept_by(library, options):
    pytest.importorskip({"vizier": "equinox"}.get(library, library), reason=f"{library} is absent")
    cls = plugins.load("optimizers", library)
    check_optimizer(lambda **given: cls(**given, **options), toy_problem())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("library", "trials"), [("vizier", 6), ("ax", 8)])
def test_a_bayesian_peer_goes_on_from_what_it_was_told(library, trials):
    pytest.importorskip({"vizier": "equinox"}.get(library, library), reason=f"{library} is absent")
    cls = plugins.load("optimizers", library)
    told = searched(cls(problem=toy_problem(), initial=4), trials)
    one, other = (cls(problem=toy_problem(), initial=4) for _ in range(2))
    one.tell(told)
    other.tell(told)
    assert one.ask(1) == one.ask(1) == other.ask(1)


def test_nevergrad_goes_on_as_one_that_was_never_stopped():
    """Its proposals adapt: told its own again, it is where it was; told another's, elsewhere."""
    problem = toy_problem()
    told = searched(peer("nevergrad", problem), 15)
    live = peer("nevergrad", problem)
    for trial in told:
        assert live.ask(1) == [trial.design]
        live.tell([trial])
    again = peer("nevergrad", problem)
    again.tell(told)
    assert again.ask(3) == live.ask(3)


def test_pymoo_keeps_the_laws_of_optimizers():
    pytest.importorskip("pymoo")
    for objectives in (("latency_cycles",), TWO):
        check_optimizer(plugins.load("optimizers", "pymoo"), toy_problem(objectives=objectives))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ax_keeps_the_laws_of_optimizers():
    pytest.importorskip("ax")
    check_optimizer(plugins.load("optimizers", "ax"), toy_problem())


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_depends_on_what_it_was_told_alone(name):
    told = searched(peer(name, toy_problem()), 6)
    one, other = peer(name, toy_problem()), peer(name, toy_problem())
    one.tell(told)
    first = one.ask(2)
    assert one.ask(2) == first
    other.tell(told[:2])
    other.ask(1)
    other.tell(told[2:])
    assert other.ask(2) == first


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_finds_better_designs_than_its_first_ones(name):
    problem = toy_problem()
    trials = searched(peer(name, problem, BEGIN_BADLY.get(name, 0)), SHORTER.get(name, 30))
    assert all(trial.design in problem.space for trial in trials)
    first, best = problem.best(trials[:4]), problem.best(trials)
    assert best is not None
    assert first is None or best.metrics["latency_cycles"] < first.metrics["latency_cycles"]
    designs = {tuple(trial.design.items()) for trial in trials}
    assert len(designs) == len(trials)


@pytest.mark.parametrize("name", ["smac", "smac_blackbox"])
def test_a_peer_proposes_by_its_model_and_not_at_random(name):
    """Each session begins anew: its own first designs must not come before what it learned."""
    problem = toy_problem(limits=())
    told = searched(plugins.load("optimizers", "random")(problem=problem, seed=1), 20)
    costs = sorted(t.metrics["latency_cycles"] for t in told if t.feasible)
    proposed = []
    for n in (14, 17, 20):
        optimizer = peer(name, problem)
        optimizer.tell(told[:n])
        (design,) = optimizer.ask(1)
        found = (
            ToySimulator()
            .simulate(problem.workloads[0][0], problem.space.columns([design]))
            .values["latency_cycles"][0]
        )
        proposed.append(found)
    assert np.nanmedian(proposed) < np.median(costs)
    assert np.nanmin(proposed) < costs[len(costs) // 5]


@pytest.mark.parametrize("name", ["optuna_tpe", "optuna_nsga2", "pymoo"])
def test_a_peer_goes_to_designs_that_work_rather_than_small_ones_that_do_not(name):
    """Nothing is accepted yet, and whatever works has many times the area allowed."""
    space = DesignSpace("two", (Integer("size", 1, 100), Integer("ports", 1, 100)))
    small = (Limit("area_mm2", "<=", 1.0),)
    problem = Problem(space, toy_problem().workloads, (Objective("latency_cycles"),), small)
    told = []
    for index, design in enumerate(space.sample(40, np.random.default_rng(0))):
        works = design["size"] > 50
        told.append(
            Trial(
                index=index,
                design=design,
                outcome=Outcome.FEASIBLE if works else Outcome.INFEASIBLE,
                reason="" if works else "too small",
                metrics={"latency_cycles": 1.0, "area_mm2": 20.0 + design["ports"]}
                if works
                else {},
            )
        )
    sizes = []
    for n in range(36, 41):
        optimizer = peer(name, problem)
        optimizer.tell(told[:n])
        sizes += [design["size"] for design in optimizer.ask(4)]
    assert np.mean(np.array(sizes) > 50) > 0.7


def test_nevergrad_searches_among_numbers_without_threads_that_would_outlive_it():
    numbers = DesignSpace("numbers", (Real("clock", 0.2, 2.0), Real("supply", 0.5, 1.0)))
    problem = Problem(numbers, toy_problem().workloads, (Objective("latency_cycles"),))
    optimizer = peer("nevergrad", problem)
    for index in range(15):
        (design,) = optimizer.ask(1)
        metrics = {"latency_cycles": design["clock"] + design["supply"]}
        done = Trial(index=index, design=design, outcome=Outcome.FEASIBLE, metrics=metrics)
        optimizer.tell([done])
    assert threading.active_count() == 1
    named = plugins.load("optimizers", "nevergrad")(problem=problem, algorithm="Cobyla")
    with pytest.raises(OptionError, match="no designs but its own"):
        named.ask(1)


def test_of_a_brood_of_pymoo_a_child_that_keeps_the_rules_is_taken():
    parts = tuple(Integer(name, 1, 30) for name in ("pes_x", "pes_y", "ports"))
    rules = (Constraint(Expression("pes_x * pes_y <= 30")), Constraint(Expression("ports < pes_x")))
    space = DesignSpace("narrow", parts, rules)
    problem = Problem(space, toy_problem().workloads, (Objective("latency_cycles"),))
    optimizer = peer("pymoo", problem)
    designs = space.sample(20, np.random.default_rng(0))
    told = [(design, Verdict((float(design["ports"]),), (-1.0, -1.0))) for design in designs]
    session = optimizer.session(told)
    kept = [session.ask() in space for _ in range(20)]
    assert space.share_valid(10_000, np.random.default_rng(0)) < 0.1
    assert all(kept)


def test_a_verdict_ranks_designs_by_how_far_they_are_from_being_accepted():
    kept = Verdict((1.0,), (-1.0, -1.0, -0.5, -0.1))
    one, other = (Verdict((1.0,), (-1.0, -1.0, over, 9.0)) for over in (2.0, 1e9))
    fails = Verdict((1.0,), (-1.0, 1.0, 0.0, 0.0))
    broken = Verdict((1.0,), (1.0, 0.0, 0.0, 0.0))
    distances = [verdict.distance for verdict in (kept, one, other, fails, broken)]
    assert distances[0] == 0
    assert distances == sorted(set(distances))


def test_a_peer_with_one_objective_says_so():
    pytest.importorskip("nevergrad")
    with pytest.raises(OptionError, match="takes one objective"):
        peer("nevergrad", toy_problem(objectives=TWO))


def test_failed_trials_teach_a_peer_nothing():
    problem = toy_problem()
    told = searched(peer("optuna_tpe", problem), 12)
    one, other = peer("optuna_tpe", problem), peer("optuna_tpe", problem)
    crash = Trial(index=12, design=told[0].design, outcome=Outcome.FAILED, reason="crash")
    one.tell(told)
    other.tell([*told, crash])
    assert one.ask(1) == other.ask(1)


def test_every_kind_of_parameter_goes_to_a_peer_and_back():
    space = DesignSpace(
        "all",
        (
            Integer("ports", 2, 10, by=2),
            Real("clock", 0.2, 2.0, scale="log"),
            Categorical("dataflow", ("ws", "os")),
            Factorization("tile", 12, 2),
            Permutation("order", ("P", "Q", "C")),
        ),
        (Constraint(Expression("ports < 10")),),
    )
    designs = space.sample(50, np.random.default_rng(0))
    variables = Variables(space)
    back = variables.designs(variables.vectors(designs))
    for one, other in zip(designs, back, strict=True):
        assert other.pop("clock") == pytest.approx(one["clock"])
        assert other == {name: value for name, value in one.items() if name != "clock"}
    assert {v.kind for v in variables.all} == {"category", "index", "number"}


def test_a_peer_searches_structured_spaces():
    space = DesignSpace("tiles", (Factorization("tile", 12, 2), Permutation("order", ("P", "Q"))))
    network = toy_problem().workloads[0]
    problem = Problem(space, (network,), (Objective("latency_cycles", "minimize"),))
    for design in peer("optuna_tpe", problem).ask(5):
        space.check(design)


@pytest.mark.parametrize("name", ["optuna_tpe", "nevergrad", "pymoo", "smac"])
def test_a_parameter_with_one_value_is_none_of_a_peers_variables(name):
    parts = (Integer("cores", 4, 4), Factorization("tile", 1, 3), Integer("ports", 1, 9))
    space = DesignSpace("fixed", parts)
    assert [variable.name for variable in Variables(space).all] == ["ports"]
    problem = Problem(space, toy_problem().workloads, (Objective("latency_cycles", "minimize"),))
    designs = peer(name, problem).ask(3)
    assert {(design["cores"], design["tile"]) for design in designs} == {(4, (1, 1, 1))}
