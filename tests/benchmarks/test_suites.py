"""Problems that are not ours: their formulas, their known best values, and the command."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from accel_dse.testing import check_simulator

ROOT = Path(__file__).resolve().parents[2]
SUITES = ROOT / "benchmarks" / "suites"
LOG = ROOT / "../shared/reference/gemmini_timeloop.csv.gz"

sys.path.insert(0, str(SUITES))
functions, tables = (
    importlib.import_module(name) for name in ("known_functions", "measured_tables")
)
sys.path.remove(str(SUITES))

LISTED = ("branin_disk", "gramacy_holes", "ackley_4")
CONTINUOUS = [name for name in functions.FUNCTIONS if name not in (*LISTED, "hartmann_holes")]
BOTORCH = {
    "tension_spring": "TensionCompressionString",
    "hartmann_ball": "ConstrainedHartmann",
    "pressure_vessel": "PressureVessel",
    "welded_beam": "WeldedBeamSO",
    "speed_reducer": "SpeedReducer",
    "gramacy_holes": "ConstrainedGramacy",
}


def drawn(name, n=200):
    it = functions.FUNCTIONS[name]
    columns = it.space(name).sample_columns(n, np.random.default_rng(0))
    return np.column_stack([columns[p.name] for p in it.parameters]).astype(float)


@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_the_best_design_keeps_everything_and_is_as_good_as_said(name):
    it = functions.FUNCTIONS[name]
    best = np.array([it.best], float)
    assert it.value(best)[0] == pytest.approx(it.optimum, rel=3e-6, abs=1e-6)
    scale = np.maximum(np.abs(it.beyond(drawn(name))).mean(axis=0), 1e-9)
    assert (it.beyond(best) / scale).max() <= 1e-5, (
        "as well as it is written down in the literature"
    )


@pytest.mark.parametrize("name", LISTED)
def test_nothing_on_a_grid_is_better_than_the_optimum(name):
    it = functions.FUNCTIONS[name]
    axes = np.meshgrid(*[np.array(p.values, float) for p in it.parameters], indexing="ij")
    x = np.stack([axis.ravel() for axis in axes], axis=1)
    value = np.where((it.beyond(x) <= 0).all(axis=1), it.value(x), np.inf)
    assert value.min() == pytest.approx(it.optimum, abs=1e-6)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_no_local_solver_beats_the_optimum(name):
    it = functions.FUNCTIONS[name]
    bounds = [(float(p.low), float(p.high)) if hasattr(p, "low") else (p.values[0], p.values[-1])
              for p in it.parameters]  # fmt: skip
    whole = [p.name in ("teeth", "shell", "head") for p in it.parameters]
    bounds = [(b, b) if fixed else bound for fixed, b, bound in zip(whole, it.best, bounds)]
    starts = np.vstack([it.best, drawn(name, 6)])
    starts[:, whole] = np.array(it.best)[whole]
    scale = max(abs(it.optimum), 1.0)
    beyond = it.beyond(starts[:1])[0]
    units = np.maximum(np.abs(it.beyond(drawn(name, 50))).mean(axis=0), 1e-9)
    assert len(beyond) == len(units)
    with np.errstate(all="ignore"):
        for start in starts:
            found = minimize(
                lambda x: float(it.value(x[None])[0]) / scale, start, bounds=bounds, method="SLSQP",
                constraints={"type": "ineq", "fun": lambda x: -it.beyond(x[None])[0] / units},
            )  # fmt: skip
            x = found.x[None]
            columns = {p.name: x[:, i] for i, p in enumerate(it.parameters)}
            if (it.beyond(x) / units).max() <= 1e-9 and it.space(name).satisfied(columns).all():
                assert it.value(x)[0] >= it.optimum - 1e-5 * scale


@pytest.mark.parametrize("name", BOTORCH)
def test_formulas_are_those_of_botorch(name):
    import torch
    from botorch.test_functions import synthetic

    theirs = getattr(synthetic, BOTORCH[name])(dtype=torch.double) if name != "gramacy_holes" else (
        synthetic.ConstrainedGramacy()
    )  # fmt: skip
    x = drawn(name)
    it = functions.FUNCTIONS[name]
    x_theirs = torch.from_numpy(x)
    assert it.value(x) == pytest.approx(theirs._evaluate_true(x_theirs).numpy(), rel=1e-6)
    slack = theirs._evaluate_slack_true(x_theirs).numpy()
    kept = (slack >= 0).all(axis=1)
    assert (it.beyond(x) <= 0).all(axis=1).tolist() == kept.tolist()


@pytest.mark.parametrize("name", ["hartmann_holes", "welded_beam"])
def test_a_function_keeps_the_contract_of_simulators(name):
    problem = functions.problem(name)
    columns = problem.space.sample_columns(40, np.random.default_rng(1))
    check_simulator(functions.FunctionSimulator(name), functions.NOTHING, columns)


def test_a_design_that_breaks_a_hidden_constraint_has_no_value():
    space = functions.problem("gramacy_holes").space
    metrics = functions.FunctionSimulator("gramacy_holes").simulate(
        functions.NOTHING, space.columns([{"a": 0.0, "b": 0.0}, {"a": 0.19, "b": 0.42}])
    )
    assert metrics.infeasible == ("no value here", "")
    assert metrics.values["value"][1] == pytest.approx(0.61)


def test_no_problem_is_both_tuned_and_reported_on():
    for part in (functions, tables):
        assert not set(part.TUNING) & set(part.REPORT)
    assert set(functions.TUNING) | set(functions.REPORT) == set(functions.FUNCTIONS)


@pytest.mark.skipif(not LOG.exists(), reason="the artifact's log is not beside the checkout")
def test_a_row_of_a_table_is_looked_up_as_itself(tmp_path):
    log = tables.extract(LOG, tables.REPORT[:1], tmp_path)[tables.REPORT[0]]
    table, simulator = tables.read(log), tables.TableSimulator(log)
    found = simulator.simulate(table.workload, table.columns)
    for metric, column in table.metrics.items():  # some designs are there twice, rounded otherwise
        assert found.values[metric] == pytest.approx(column, rel=1e-5)
    kept = table.metrics["energy_uj"] <= table.problem().limits[0].bound
    assert 0.25 < kept.mean() < 0.35
    assert table.optimum() == table.metrics["latency_cycles"][kept].min()
    columns = table.space.sample_columns(30, np.random.default_rng(0))
    check_simulator(simulator, table.workload, columns)
