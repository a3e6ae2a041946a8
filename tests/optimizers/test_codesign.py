from dataclasses import replace

import numpy as np
import pytest

from accel_dse.cli import main
from accel_dse.constraints import Constraint
from accel_dse.errors import DesignError, OptionError
from accel_dse.execution.measuring import Measure
from accel_dse.expressions import Expression
from accel_dse.files import load_space
from accel_dse.mapping_space import mapping_space
from accel_dse.optimizers import codesign as codesign_module
from accel_dse.optimizers import turns
from accel_dse.optimizers.codesign import Codesign
from accel_dse.optimizers.constrained_bo import ConstrainedBO
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.simulators.explicit import ExplicitMappingSimulator
from accel_dse.template import read_template
from accel_dse.testing import toy_problem
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog
from accel_dse.workload import Layer, Workload

CONV = Layer(name="conv", K=4, C=3, P=4, R=3)
GEMM = Layer(name="gemm", P=9, K=6, C=4, count=2)
EYERISS = load_space("eyeriss_168")
TEMPLATE = read_template(EYERISS.accelerator, EYERISS.space)
NETWORK = Workload("net", (CONV, GEMM))
SIMULATOR = ExplicitMappingSimulator(template=TEMPLATE, fidelity="analytical")


def problem_of(network=NETWORK, objective="layer_edp", limits=()):
    space = mapping_space(EYERISS.space, TEMPLATE, network)
    limits = tuple(Limit.parse(limit) for limit in limits)
    return Problem(space, ((network, 1.0),), (Objective(objective),), limits)


PROBLEM = problem_of()


def simulated(designs, first=0, problem=PROBLEM):
    return Measure(problem, SIMULATOR).trials(designs, first)


def codesign(problem=PROBLEM, **options):
    options = {
        "hardware": "random",
        "mapping": "random",
        "mapping_trials": 6,
        "halvings": 0,
    } | options
    return Codesign(problem=problem, **options)


def search(optimizer, n, batch=1):
    while len(optimizer.trials) < n:
        designs = optimizer.ask(min(batch, n - len(optimizer.trials)))
        optimizer.tell(simulated(designs, len(optimizer.trials), optimizer.problem))
    return optimizer.trials


def hardware_of(trial):
    return tuple(trial.design[name] for name in EYERISS.space.names)


def edp(trial, layer):
    return trial.metrics[f"{layer}/edp"]


def test_every_hardware_design_gets_its_trials_and_all_are_valid():
    trials = search(codesign(revisit=0), 24)
    blocks = [hardware_of(trial) for trial in trials]
    assert [blocks.count(h) for h in dict.fromkeys(blocks)] == [6] * 4
    assert all(len(set(blocks[i : i + 6])) == 1 for i in range(0, 24, 6))
    assert all(trial.feasible for trial in trials)
    for trial in trials:
        PROBLEM.space.check(trial.design)


def test_after_three_new_ones_the_best_is_mapped_further_while_that_helps():
    trials = search(codesign(), 24)
    turns = [trials[i : i + 6] for i in range(0, 24, 6)]
    hardware = [hardware_of(turn[0]) for turn in turns]
    assert len(set(hardware[:3])) == 3
    least = [min(trial.metrics["layer_edp"] for trial in turn) for turn in turns]
    best = int(np.argmin(least[:3]))
    assert hardware[3] == hardware[best]
    assert [hardware_of(trial) for trial in turns[3]] == [hardware[3]] * 6
    known = {tuple(trial.design.values()) for trial in turns[best]}
    assert not [t for t in turns[3][:-1] if tuple(t.design.values()) in known]
    # its last trial joins the best mappings of both turns
    assert turns[3][-1].metrics["layer_edp"] == min(least[3], least[best])


def test_hardware_that_more_trials_did_not_make_better_is_not_mapped_further(monkeypatch):
    monkeypatch.setattr(turns, "BETTER", 0.99)
    hardware = [hardware_of(trial) for trial in search(codesign(), 30)]
    assert [hardware.count(h) for h in dict.fromkeys(hardware)] == [6] * 5


def test_the_best_is_mapped_further_once_for_three_new_ones():
    hardware = [hardware_of(trial) for trial in search(codesign(mapping_trials=4), 48)][::4]
    new = len(set(hardware))
    assert new >= 3 * (len(hardware) - new)
    assert len(hardware) > new


def test_most_hardware_gets_a_part_of_a_turn_and_the_best_quarter_more():
    trials = search(codesign(mapping_trials=8, halvings=2), 60, batch=2)
    hardware = [hardware_of(trial) for trial in trials]
    counts = [hardware.count(h) for h in dict.fromkeys(hardware)]
    assert counts[0] >= 8
    assert set(counts[1:-1]) <= {2, 4, 8, 16}
    assert counts.count(2) >= len(counts) / 2
    assert len(counts) > 2 * 60 / 8
    blocks = {h: [t for t in trials if hardware_of(t) == h] for h in dict.fromkeys(hardware)}
    begun = {h: min(t.metrics["layer_edp"] for t in b[:2]) for h, b in blocks.items()}
    more = [begun[h] for h, b in blocks.items() if len(b) > 2 and b[0].index]
    least = [begun[h] for h, b in blocks.items() if len(b) == 2]
    assert np.median(more) < np.median(least)


def test_told_the_log_the_same_designs_go_on():
    options = {"mapping_trials": 6, "halvings": 2, "mapping": "evolution"}
    whole = codesign(**options)
    trials = search(whole, 24, batch=5)
    resumed = codesign(**options)
    resumed.tell(trials)
    assert resumed.ask(6) == whole.ask(6)


def test_a_reference_design_is_where_the_search_starts():
    start = EYERISS.references["eyeriss"].design
    optimizer = codesign(start=start, hardware="constrained_bo", mapping_trials=3)
    trials = search(optimizer, 9)
    hardware = [hardware_of(trial) for trial in trials]
    assert hardware[0] == tuple(start.values())
    assert len(set(hardware)) == 3
    again = codesign(start=start, hardware="constrained_bo", mapping_trials=3)
    again.tell(trials)
    assert again.ask(3) == optimizer.ask(3)
    with pytest.raises(DesignError, match="pe_x"):
        codesign(start={**start, "pe_x": 5})


def test_a_search_of_mappings_learns_from_other_hardware():
    def second(**options):
        """What the search of a layer begins with on the second hardware design."""
        optimizer = codesign(mapping="constrained_bo", mapping_trials=12, **options)
        search(optimizer, 13, batch=12)
        block = turns.blocks_of(optimizer.trials, [], EYERISS.space.names)[1]
        return optimizer._search(block, 0)

    (source,) = second().sources
    assert len(source) == 12
    assert len(np.unique(source.columns["pe_x"])) == 1
    assert list(source.metrics) == ["conv/edp"]
    told = second()
    belief = told._learner.learn(told.trials)
    assert not belief.metrics  # one trial of its own is too little
    assert not second(transfer=False).sources


def test_the_last_trial_of_a_block_joins_the_best_mapping_of_each_layer():
    trials = search(codesign(), 6)
    for layer in ("conv", "gemm"):
        assert edp(trials[-1], layer) == min(edp(trial, layer) for trial in trials)
    best = min(trial.metrics["layer_edp"] for trial in trials)
    assert trials[-1].metrics["layer_edp"] == best


def test_other_hardware_begins_with_the_mappings_that_were_best_before():
    trials = search(codesign(remembered=2), 14)
    first, begun = trials[:6], trials[6]
    same_layer = [n for n in PROBLEM.space.names if n.startswith("gemm__")]
    best = min(first, key=lambda trial: edp(trial, "gemm"))
    tried = {n: begun.design[n] for n in same_layer}
    space = codesign()._layer_space({n: begun.design[n] for n in EYERISS.space.names}, "gemm")
    carried = {**{n: begun.design[n] for n in EYERISS.space.names}}
    carried |= {n: best.design[n] for n in same_layer}
    assert carried not in space or tried == {n: best.design[n] for n in same_layer}
    forgetful = search(codesign(remembered=0), 14)
    assert forgetful[6].design != begun.design or carried not in space


@pytest.mark.parametrize("batch", [1, 9])
def test_told_the_log_it_goes_on_where_it_stopped(batch):
    whole = codesign(hardware="constrained_bo", mapping="evolution")
    trials = search(whole, 20, batch)
    resumed = codesign(hardware="constrained_bo", mapping="evolution")
    resumed.tell(trials)
    resumed.ask(2)
    assert resumed.ask(8) == whole.ask(8)
    pending = whole.ask(4)
    for optimizer in (whole, resumed):
        optimizer.tell([], pending=pending)
    assert whole.ask(4) == resumed.ask(4)
    assert not [design for design in whole.ask(4) if design in pending]


def test_hardware_without_a_mapping_is_never_simulated_and_the_outer_search_learns_it():
    wide = Layer(name="wide", P=2, Q=2, R=11, S=11)  # fits no PE whole
    problem = problem_of(Workload("net", (wide,)))
    optimizer = codesign(problem, mapping_trials=2, hardware="constrained_bo")
    trials = search(optimizer, 12)
    assert all(trial.feasible for trial in trials)
    assert not any(trial.design["r_whole"] and trial.design["s_whole"] for trial in trials)
    barren = list(optimizer._next.values())[-1][1]
    assert barren
    assert all("rejects" in trial.reason for trial in barren)
    assert {trial.outcome for trial in barren} == {Outcome.INFEASIBLE}


def test_hardware_and_mappings_can_be_searched_as_one_flat_space_too():
    optimizer = ConstrainedBO(problem=PROBLEM, initial=5)
    trials = search(optimizer, 8)
    assert all(trial.feasible for trial in trials)
    assert len({hardware_of(trial) for trial in trials}) > 1


def test_a_layer_that_fits_no_hardware_is_named(monkeypatch):
    monkeypatch.setattr(codesign_module, "MOST_BARREN", 3)
    wide = problem_of(Workload("net", (Layer(name="wide", P=2, Q=2, R=11, S=11),)))
    whole = Constraint(Expression("r_whole + s_whole == 2"))
    space = replace(wide.space, constraints=(*wide.space.constraints, whole))
    with pytest.raises(DesignError, match=r"none of 3 hardware designs .* wide"):
        codesign(replace(wide, space=space)).ask(1)


@pytest.mark.slow
def test_better_mappings_are_found_by_a_better_inner_search():
    problem = problem_of(Workload("net", (Layer(name="conv", K=16, C=8, P=14, Q=14, R=3, S=3),)))
    worth = {}
    for mapping in ("random", "constrained_bo"):
        optimizer = codesign(problem, mapping=mapping, mapping_trials=40)
        worth[mapping] = min(t.metrics["layer_edp"] for t in search(optimizer, 40))
    assert worth["constrained_bo"] < 0.8 * worth["random"]


def test_a_space_without_mappings_is_searched_by_the_outer_optimizer():
    toy = toy_problem()
    alone = Codesign(problem=toy, seed=3)
    outer = ConstrainedBO(problem=toy, seed=3)
    assert alone.ask(4) == outer.ask(4)


def test_failed_trials_are_no_measurements():
    optimizer = codesign(mapping="constrained_bo")
    designs = optimizer.ask(6)
    failed = [
        Trial(index=i, design=d, outcome=Outcome.FAILED, reason="crash")
        for i, d in enumerate(designs)
    ]
    optimizer.tell(failed)
    following = optimizer.ask(6)
    assert {hardware_of(t) for t in failed}.isdisjoint(
        tuple(d[n] for n in EYERISS.space.names) for d in following
    )


def test_a_simulator_that_does_not_report_layers_is_named():
    optimizer = codesign()
    designs = optimizer.ask(6)
    optimizer.tell(
        [
            Trial(index=i, design=d, outcome=Outcome.FEASIBLE, metrics={"layer_edp": 1.0})
            for i, d in enumerate(designs)
        ]
    )
    with pytest.raises(OptionError, match="has no metric 'conv/edp'"):
        optimizer.ask(1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("constant", lambda i: 3.0), ("huge", lambda i: 1e12 * (1 + i)), ("none works", None)],
)
def test_any_finite_measurement_can_be_learned_from(name, value):
    optimizer = codesign(hardware="constrained_bo", mapping="constrained_bo", mapping_trials=3)
    while len(optimizer.trials) < 9:
        (design,) = optimizer.ask(1)
        i = len(optimizer.trials)
        found = {"layer_edp": value(i), "conv/edp": value(i), "gemm/edp": value(i)} if value else {}
        outcome = Outcome.FEASIBLE if found else Outcome.INFEASIBLE
        optimizer.tell(
            [
                Trial(
                    index=i,
                    design=design,
                    outcome=outcome,
                    metrics=found,
                    reason="" if found else name,
                )
            ]
        )
    PROBLEM.space.check(optimizer.ask(1)[0])


def test_a_metric_that_does_not_exist_is_named():
    problem = replace(PROBLEM, objectives=(Objective("beauty"),))
    optimizer = codesign(problem=problem, mapping="constrained_bo")
    with pytest.raises(OptionError, match="beauty"):
        search(optimizer, 8)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mapping_trials": 1}, "mapping_trials: must be at least 2"),
        ({"remembered": -1}, "remembered: must be at least 0"),
        ({"hardware": "codesign"}, "cannot be a level of itself"),
        ({"mapping": "nonsense"}, "no optimizer is named 'nonsense'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, complaint):
    with pytest.raises(OptionError, match=complaint):
        codesign(**options)


def test_the_sums_over_layers_are_those_of_the_metrics():
    columns = PROBLEM.space.sample_columns(10, np.random.default_rng(0))
    values = SIMULATOR.simulate(NETWORK, columns).values
    energy = values["conv/energy_mj"] + 2 * values["gemm/energy_mj"]
    latency = values["conv/latency_ms"] + 2 * values["gemm/latency_ms"]
    np.testing.assert_allclose(values["energy_mj"], energy)
    np.testing.assert_allclose(values["edp"], energy * latency)
    np.testing.assert_allclose(values["layer_edp"], values["conv/edp"] + 2 * values["gemm/edp"])


def test_playing_the_cycles_takes_at_least_as_long_as_counting_them():
    columns = PROBLEM.space.sample_columns(10, np.random.default_rng(0))
    played = ExplicitMappingSimulator(template=TEMPLATE).simulate(NETWORK, columns).values
    counted = SIMULATOR.simulate(NETWORK, columns).values
    assert (played["latency_ms"] >= counted["latency_ms"]).all()
    assert (played["area_mm2"] == counted["area_mm2"]).all()


def test_a_fidelity_that_does_not_exist_is_refused():
    with pytest.raises(OptionError, match="fidelity"):
        ExplicitMappingSimulator(template=TEMPLATE, fidelity="vague")


def test_one_command_searches_hardware_and_mappings(tmp_path, capsys):
    network = tmp_path / "net.csv"
    network.write_text("Layer, M, N, K,\nfc, 6, 4, 4,\n")
    log = tmp_path / "log.sqlite"
    command = f"optimize eyeriss_168 --workload {network} --minimize layer_edp"
    command += " --optimizer codesign --option hardware=random --option mapping=random"
    command += " --option mapping_trials=3 --option halvings=0"
    command += f" --simulator explicit --trials 6 --log {log}"
    assert main(command.split()) == 0, capsys.readouterr().err
    trials = TrialLog(str(log)).read()
    assert len({hardware_of(trial) for trial in trials}) == 2
    assert all("fc__p" in trial.design for trial in trials)
    assert main(command.replace("--trials 6", "--trials 9").split()) == 0
