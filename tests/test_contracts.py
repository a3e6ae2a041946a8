"""Every plug-in in the table keeps the four laws."""

import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from accel_dse import plugins
from accel_dse.cli.building import build_simulator
from accel_dse.dataset import Dataset, texts
from accel_dse.files import load_space
from accel_dse.mapping_space import mapping_space
from accel_dse.metrics import Metrics
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.simulators.base import Simulator
from accel_dse.simulators.explicit import ExplicitMappingSimulator
from accel_dse.surrogates import model_folder
from accel_dse.template import read_template
from accel_dse.testing import (
    ToySimulator,
    check_optimizer,
    check_simulator,
    check_trial_log,
    toy_problem,
)

PROBLEMS = {
    "one objective": toy_problem(),
    "two objectives": toy_problem(objectives=("latency_cycles", "energy_uj")),
    "no limit": toy_problem(limits=()),
}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", plugins.BUILT_IN["optimizers"])
def test_an_optimizer_keeps_its_contract(name, problem):
    check_optimizer(plugins.load("optimizers", name), PROBLEMS[problem])


def made(space, name, **options):
    """A simulator, and 40 designs of the space it is for."""
    file = load_space(space)
    simulator = build_simulator(name, options, file)
    return simulator, file.space.sample_columns(40, np.random.default_rng(0))


def systolic_arrays():
    rng = np.random.default_rng(0)
    sizes = {name: rng.choice([0, 4, 8], 40) for name in ("array_rows", "array_columns")}
    return plugins.load("simulators", "systolic")(), sizes


STUBS = Path(__file__).parents[1] / "simulator_stubs"


def explicit_mappings():
    file = load_space("eyeriss_168")
    template = read_template(file.accelerator, file.space)
    space = mapping_space(file.space, template, toy_problem().workloads[0][0])
    designs = space.sample_columns(40, np.random.default_rng(0))
    designs["input_words"][::4] = 4  # less than some of the mappings need
    return ExplicitMappingSimulator(template=template, fidelity="analytical"), designs


def small_model():
    """A model of the toy accelerator, in a folder of its own."""
    problem = toy_problem()
    workload = problem.workloads[0][0]
    columns = problem.space.sample_columns(300, np.random.default_rng(0))
    metrics = ToySimulator().simulate(workload, columns)
    log = Dataset(
        problem.space,
        columns,
        metrics.values,
        texts(metrics.infeasible),
        texts([workload.name] * 300),
    )
    recipe = plugins.load("surrogates", "conservative")(
        steps=60, members=2, alpha=0.1, beta=0.1, width=8, attention_heads=2, blocks=1, hidden=16
    )
    folder = Path(tempfile.mkdtemp()) / "model"
    model_folder.write(recipe.fit(log, problem.goal), folder)
    simulator = plugins.load("simulators", "surrogate")(path=str(folder))
    shutil.rmtree(folder.parent)
    return simulator, problem.space.sample_columns(40, np.random.default_rng(1))


SIMULATORS = {
    "accelerator": lambda: made("edge", "accelerator"),
    "explicit": explicit_mappings,
    "systolic": systolic_arrays,
    "surrogate": small_model,
    "process": lambda: made(
        STUBS / "python" / "space.yaml",
        "process",
        command=f"{sys.executable} {STUBS / 'python' / 'simulator.py'}",
    ),
}
"""Name -> how to make one, with designs to measure."""


@pytest.mark.parametrize("name", plugins.BUILT_IN["simulators"])
def test_a_simulator_keeps_its_contract(name):
    simulator, designs = SIMULATORS[name]()
    with closing(simulator):
        check_simulator(simulator, toy_problem().workloads[0][0], designs)
        outcomes = simulator.simulate(toy_problem().workloads[0][0], designs).infeasible
    assert "" in outcomes, "some of them work"


def test_the_log_keeps_its_contract(tmp_path):
    check_trial_log(tmp_path)


# The checks find what they are for.


class Forgetful(RandomSearch):
    def ask(self, n):
        self.asked = getattr(self, "asked", 0) + n
        return self.problem.space.sample(n, np.random.default_rng(self.asked))


class Global(RandomSearch):
    def ask(self, n):
        rng = np.random.default_rng(np.random.randint(1000))
        return self.problem.space.sample(n, rng)


class Outside(RandomSearch):
    def ask(self, n):
        return [{**design, "pes_x": 32, "pes_y": 1} for design in super().ask(n)]


class Lazy(RandomSearch):
    def ask(self, n):
        return super().ask(max(1, n - 1))


class Grouping(RandomSearch):
    def tell(self, trials, pending=()):
        super().tell(trials, pending)
        self.tells = getattr(self, "tells", 0) + 1

    def ask(self, n):
        return self.problem.space.sample(n, np.random.default_rng(getattr(self, "tells", 0)))


class Numerical(RandomSearch):
    def ask(self, n):
        late = sum(trial.outcome == "timed_out" for trial in self.trials)
        return self.problem.space.sample(n, np.random.default_rng([len(self.trials), late]))


@pytest.mark.parametrize(
    ("optimizer", "complaint"),
    [
        (Forgetful, "left a trace"),
        (Global, "reproducible"),
        (Outside, "constraint"),
        (Lazy, "got 6"),
        (Grouping, "left a trace|grouped|go on"),
        (Numerical, "law 3"),
    ],
)
def test_an_optimizer_that_breaks_a_law_is_caught(optimizer, complaint):
    with pytest.raises(Exception, match=complaint):
        check_optimizer(optimizer, toy_problem())


class Moody(ToySimulator):
    calls = 0

    def simulate(self, workload, designs):
        Moody.calls += 1
        metrics = super().simulate(workload, designs)
        values = {name: column + Moody.calls for name, column in metrics.values.items()}
        return Metrics(values, metrics.infeasible)


class Sociable(ToySimulator):
    def simulate(self, workload, designs):
        metrics = super().simulate(workload, designs)
        values = {name: column + len(metrics) for name, column in metrics.values.items()}
        return Metrics(values, metrics.infeasible)


class Vandal(ToySimulator):
    def simulate(self, workload, designs):
        metrics = super().simulate(workload, designs)
        designs["pes_x"][:] = 1
        return metrics


class Short(Simulator):
    def simulate(self, workload, designs):
        return Metrics({"latency_ms": np.array([1.0])}, ("",))


@pytest.mark.parametrize(
    ("simulator", "complaint"),
    [
        (Moody(), "run again"),
        (Sociable(), "half of the batch"),
        (Vandal(), "changed its input 'pes_x'"),
        (Short(), "40 designs gave 1 results"),
    ],
)
def test_a_simulator_that_breaks_a_law_is_caught(simulator, complaint):
    problem = toy_problem()
    designs = problem.space.sample_columns(40, np.random.default_rng(0))
    with pytest.raises(AssertionError, match=complaint):
        check_simulator(simulator, problem.workloads[0][0], designs)


EVERY_NAME = [(kind, name) for kind, table in plugins.BUILT_IN.items() for name in table]


@pytest.mark.parametrize(("kind", "name"), EVERY_NAME)
def test_every_name_in_the_table_can_be_loaded(kind, name):
    assert plugins.name_of(kind, plugins.load(kind, name)) == name
