"""Optimizers' options, each varied alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from accel_dse import plugins
from accel_dse.cli import main
from accel_dse.comparison import Contestant, Curves, Run, effects, vary
from accel_dse.comparison.sensitivity import fewest_seeds
from accel_dse.errors import BoundsError
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.problem import Goal, Objective
from accel_dse.testing import toy_problem


@dataclass(kw_only=True)
class Many(RandomSearch):
    """Has an option of each kind."""

    steps: int = 5
    share: float = 0.8
    least: float = 0.0
    loose: float = 3.0
    kind: Literal["a", "b", "c"] = "b"
    eager: bool = True
    name: str = "x"

    def __post_init__(self):
        plugins.require_within(
            "many", self, steps=(1, 8), share=(0.0, 1.0), least=(0.0, 10.0)
        )  # fmt: skip


@pytest.fixture
def many(monkeypatch):
    known = {**plugins.BUILT_IN, "optimizers": {**plugins.BUILT_IN["optimizers"]}}
    known["optimizers"]["many"] = f"{__name__}:Many"
    monkeypatch.setattr(plugins, "BUILT_IN", known)
    monkeypatch.setattr(plugins, "load", lambda kind, name: Many)
    return Contestant("many")


def tried(sensitivity):
    found = {}
    for one in sensitivity.variations:
        found.setdefault(one.option, []).append(one.value)
    return found


def test_numbers_are_halved_and_doubled_within_their_bounds_and_choices_changed(many):
    sensitivity = vary(many, toy_problem())
    assert tried(sensitivity) == {
        "steps": [2, 8],
        "share": [0.4, 1.0],
        "least": [0.1, 1.0],
        "loose": [1.5, 6.0],
        "kind": ["a", "c"],
        "eager": [False],
    }
    assert list(sensitivity.left_out) == ["name"]
    labels = [one.label for one in sensitivity.contestants]
    assert labels[:2] == ["many", "many(steps=2)"]
    assert len(set(labels)) == len(labels)


def test_options_that_were_given_are_what_is_varied_around(many):
    sensitivity = vary(Contestant("many", {"steps": "2", "kind": "a"}), toy_problem())
    assert tried(sensitivity)["steps"] == [1, 4]
    assert tried(sensitivity)["kind"] == ["b", "c"]
    assert all(one.contestant.options["steps"] for one in sensitivity.variations)


@pytest.mark.parametrize("name", plugins.BUILT_IN["optimizers"])
def test_every_variation_of_an_optimizer_can_be_made(name):
    problem = toy_problem()
    if name in ("offline", "transfer", "codesign"):
        pytest.skip("needs a model, logs, or mappings beside the problem")
    cls = plugins.load("optimizers", name)
    for one in vary(Contestant(name), problem).variations:
        options = plugins.read_options(name, cls, one.contestant.options)
        assert getattr(cls(problem=problem, **options), one.option) == one.value


def test_bounds_are_told_with_the_complaint():
    with pytest.raises(BoundsError, match="steps: expected 1 to 8, got 9") as caught:
        Many(problem=toy_problem(), steps=9)
    assert (caught.value.option, caught.value.low, caught.value.high) == ("steps", 1, 8)


def curves_of(sensitivity, ends):
    """Curves of one trial: ends[contestant][seed]."""
    runs = tuple(
        Run(contestant=one, seed=seed, log=Path("none"))
        for one, of_seeds in zip(sensitivity.contestants, ends)
        for seed in range(len(of_seeds))
    )
    cost = np.array(ends, dtype=float).reshape(len(runs), 1)
    return Curves(
        goal=Goal((Objective("latency_ms", "minimize"),)), runs=runs, budget=1,
        counts=np.ones(len(runs), dtype=np.int64), cost=cost, infeasible=np.isinf(cost),
        ask_s=np.ones(cost.shape),
    )  # fmt: skip


def test_the_option_that_matters_most_comes_first_with_its_change_and_p(many):
    sensitivity = vary(many, toy_problem())
    seeds = np.arange(10) / 10
    ends = [10 + seeds for _ in sensitivity.contestants]
    worse = [one.label for one in sensitivity.contestants].index("many(kind=c)")
    ends[worse] = 2 * (10 + seeds)
    ends[worse][9] = np.inf
    first, second, *rest = effects(sensitivity, curves_of(sensitivity, ends))
    assert {first.variation.value, second.variation.value} == {"a", "c"}
    effect = max(first, second, key=lambda one: one.change)
    assert effect.change == pytest.approx(1.0)
    assert (effect.found, effect.default_found, effect.better) == (9, 10, 0.0)
    assert effect.p == pytest.approx(len(sensitivity.variations) * 2 / 2**10)
    assert all((one.change, one.better, one.p) == (0.0, 0.5, 1.0) for one in rest)


def test_so_many_seeds_are_needed_that_the_least_p_is_small_enough(many):
    variations = vary(many, toy_problem()).variations
    n = fewest_seeds(variations)
    assert len(variations) * 2 / 2**n < 0.05 <= len(variations) * 2 / 2 ** (n - 1)


def test_the_command_varies_all_options_and_goes_on_without_another_simulation(tmp_path, capsys):
    words = [
        "compare", "edge", "--workload", "mlp", "--minimize", "latency_ms",
        "--sensitivity", "evolution", "--seeds", "1", "--trials", "2",
        "--workers", "3", "--out", str(tmp_path),
    ]  # fmt: skip
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "tournament" in out
    assert "1 seeds cannot show p < 0.05" in " ".join(out.split())
    assert "evolution(population=10) seed 0: done" in err
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    effects = json.loads(out)["sensitivity"]["evolution"]
    tried = {(effect["option"], effect["default"], effect["value"]) for effect in effects}
    assert {("population", 20, 10), ("population", 20, 40), ("crossover", 0.5, 1.0)} < tried
    assert {option for option, _, _ in tried} == set(
        plugins.options(plugins.load("optimizers", "evolution"))
    )
    assert "done" not in err
