"""Offline first, online after."""

import numpy as np
import pytest
import torch

from accel_dse.dataset import Dataset, texts
from accel_dse.errors import FileError, OptionError
from accel_dse.optimizers.evolution import Evolution
from accel_dse.optimizers.offline import Offline
from accel_dse.surrogates import model_folder
from accel_dse.surrogates.conservative import Conservative
from accel_dse.testing import ToySimulator, check_optimizer, toy_problem
from accel_dse.trial import Outcome, Trial

PROBLEM = toy_problem()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model made from 300 random designs of the toy accelerator."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    workload = PROBLEM.workloads[0][0]
    columns = PROBLEM.space.sample_columns(300, np.random.default_rng(0))
    metrics = ToySimulator().simulate(workload, columns)
    log = Dataset(
        PROBLEM.space,
        columns,
        metrics.values,
        texts(metrics.infeasible),
        texts([workload.name] * 300),
    )
    recipe = Conservative(
        steps=150, learning_rate=1e-2, members=1, alpha=0.1, beta=0.1, width=8, blocks=0,
        attention_heads=2, hidden=16, batch=32,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("offline") / "model"
    model_folder.write(recipe.fit(log, PROBLEM.goal), folder)
    torch.set_num_threads(before)
    return str(folder)


def run(optimizer, n):
    """The best cost after each of some batches of 5."""
    best, trials = [], []
    for _ in range(n // 5):
        designs = optimizer.ask(5)
        metrics = ToySimulator().simulate(PROBLEM.workloads[0][0], PROBLEM.space.columns(designs))
        new = [
            Trial(
                index=len(trials) + i,
                design=design,
                outcome=Outcome.INFEASIBLE if metrics.infeasible[i] else Outcome.FEASIBLE,
                metrics=metrics.row(i),
                reason=metrics.infeasible[i],
            )
            for i, design in enumerate(designs)
        ]
        optimizer.tell(new)
        trials += new
        found = PROBLEM.best(trials)
        best.append(found.metrics["latency_cycles"] if found else np.inf)
    return best, trials


def test_it_keeps_its_contract_with_a_model(model):
    check_optimizer(lambda problem, seed: Offline(problem=problem, seed=seed, model=model, first=5),
                    PROBLEM)  # fmt: skip


def test_its_first_batch_beats_what_evolution_finds_in_several(model):
    offline, _ = run(Offline(problem=PROBLEM, model=model), 5)
    evolution, _ = run(Evolution(problem=PROBLEM), 20)
    assert offline[0] <= evolution[-1]


def test_no_design_is_simulated_twice(model):
    _, trials = run(Offline(problem=PROBLEM, model=model, first=8), 40)
    designs = [tuple(trial.design.items()) for trial in trials]
    assert len(set(designs)) == 40


def test_without_a_model_it_is_evolution():
    assert Offline(problem=PROBLEM, seed=3).ask(7) == Evolution(problem=PROBLEM, seed=3).ask(7)


def test_a_wrong_model_or_option_is_refused(model, tmp_path):
    with pytest.raises(FileError, match=r"model\.json: there is no such file"):
        Offline(problem=PROBLEM, model=str(tmp_path))
    with pytest.raises(OptionError, match="first: expected 1"):
        Offline(problem=PROBLEM, model=model, first=0)
    with pytest.raises(OptionError, match="energy_uj"):
        Offline(problem=toy_problem(objectives=("energy_uj",)), model=model)
