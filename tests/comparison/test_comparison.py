import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from contestants import Dies, Hangs, Raises, Repeats, Strays

from accel_dse.comparison import (
    Arena,
    Contest,
    Contestant,
    Curves,
    Run,
    duels,
    play,
    quartiles,
    read_curves,
    standings,
)
from accel_dse.comparison.hypervolume import fronts_box, hypervolume
from accel_dse.comparison.runs import _surroundings
from accel_dse.comparison.standings import holm
from accel_dse.errors import OptionError
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.problem import Goal, Limit, Objective
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial_log import TrialLog

OPTIMIZERS = {cls.__name__.lower(): cls for cls in (Dies, Hangs, Raises, Repeats, Strays)}
OPTIMIZERS["random"] = RandomSearch
GOAL = Goal((Objective("latency_ms", "minimize"),), (Limit.parse("area_mm2<=5"),))


@dataclass
class Ring:
    """Where anybody may compete, however badly behaved."""

    simulator: ToySimulator

    def __call__(self, contestant, seed, log):
        problem = toy_problem()
        optimizer = OPTIMIZERS[contestant.optimizer](problem=problem, seed=seed)
        return Study(problem=problem, optimizer=optimizer, simulator=self.simulator, log=log)


def a_contest(folder, *names, seeds=2, trials=8, **more):
    make = more.pop("make_study", None) or Ring(ToySimulator())
    contestants = [one for name in names for one in Contestant.parse(name)]
    return Contest(
        make_study=make, contestants=contestants, seeds=range(seeds), trials=trials,
        folder=Path(folder), **more,
    )  # fmt: skip


def hush(line):
    assert isinstance(line, str)


def some_curves(costs, goal=GOAL, **more):
    """Curves of contestants a, b, ...: costs[contestant][seed][trial]."""
    runs = tuple(
        Run(contestant=Contestant(name), seed=seed, log=Path(f"{name}{seed}"))
        for name, of_seeds in zip("abcd", costs)
        for seed in range(len(of_seeds))
    )
    cost = np.array([run for of_seeds in costs for run in of_seeds], dtype=float)
    return Curves(
        goal=goal, runs=runs, budget=cost.shape[1], counts=np.full(len(runs), cost.shape[1]),
        cost=cost, infeasible=np.isinf(cost), ask_s=np.full(cost.shape, 0.5), **more,
    )  # fmt: skip


def test_a_run_that_another_process_brought_to_its_end_has_no_problem(tmp_path):
    arena = Arena(toy_problem(), ToySimulator())
    contest = a_contest(tmp_path, "random", seeds=1, make_study=arena)
    (run,) = play(contest, say=hush)
    run.log.with_suffix(".problem.json").write_text('"another process is writing to it"')
    assert [again.problem for again in play(contest, say=hush)] == [""]


def test_every_contestant_runs_once_with_each_seed_and_its_whole_budget(tmp_path):
    contest = a_contest(
        tmp_path, "random", "evolution:population=4|6", seeds=2, batch=4,
        make_study=Arena(toy_problem(), ToySimulator()),
    )  # fmt: skip
    runs = play(contest, workers=2, say=hush)
    labels = ["random", "evolution(population=4)", "evolution(population=6)"]
    assert [(run.contestant.label, run.seed) for run in runs] == [
        (label, seed) for seed in (0, 1) for label in labels
    ]
    assert all(run.problem == "" for run in runs)
    curves = read_curves(contest, runs, toy_problem().goal)
    assert curves.counts.tolist() == [8] * 6
    assert TrialLog(str(runs[1].log)).study().optimizer_options["population"] == 4
    for row, run in enumerate(runs):
        trials = TrialLog(str(run.log)).read()
        best = toy_problem().best(trials)
        assert curves.best[row, -1] == (best.metrics["latency_cycles"] if best else np.inf)


def test_a_contest_that_is_played_again_goes_on_and_can_be_made_longer(tmp_path):
    play(a_contest(tmp_path, "random", seeds=1), say=hush)
    short = TrialLog(str(tmp_path / "random-seed0.sqlite")).read()
    play(a_contest(tmp_path, "random", seeds=1, trials=12), say=hush)
    long = TrialLog(str(tmp_path / "random-seed0.sqlite")).read()
    assert long[:8] == short
    assert len(long) == 12


def test_one_that_misbehaves_is_recorded_as_such_and_the_others_go_on(tmp_path):
    names = ("raises", "strays", "repeats", "dies", "random")
    contest = a_contest(tmp_path, *names, seeds=1, batch=1)
    runs = play(contest, workers=2, say=hush)
    problems = {run.contestant.label: run.problem for run in runs}
    assert problems["raises"] == "RuntimeError: no idea left"
    assert "pes_x" in problems["strays"]
    assert problems["repeats"] == ""
    assert problems["dies"] == "died: exit code 7"
    assert problems["random"] == ""
    curves = read_curves(contest, runs, toy_problem().goal)
    assert curves.counts.tolist() == [3, 0, 8, 0, 8]
    found = {standing.label: standing for standing in standings(curves)}
    assert found["strays"].broken == {0: problems["strays"]}
    assert len(duels(curves)) == 10


def test_one_that_takes_too_long_is_stopped_and_keeps_what_it_found(tmp_path):
    contest = a_contest(tmp_path, "hangs", seeds=1, batch=1, minutes=0.2)
    (run,) = play(contest, say=hush)
    assert run.problem == "stopped after 0.2 minutes"
    assert read_curves(contest, [run], toy_problem().goal).counts.tolist() == [2]
    (again,) = play(contest, say=pytest.fail)
    assert again.problem == run.problem


def test_a_broken_run_is_tried_again_on_request(tmp_path):
    contest = a_contest(tmp_path, "random", seeds=1)
    note = tmp_path / "random-seed0.problem.json"
    note.write_text('"died: exit code 7"')
    assert play(contest, say=pytest.fail)[0].problem == "died: exit code 7"
    assert play(contest, retry=True, say=hush)[0].problem == ""
    assert not note.exists()


def test_words_name_contestants():
    assert Contestant.parse("random") == [Contestant("random")]
    one, two = Contestant.parse("evolution:population=10|20,mutation=2")
    assert one.label == "evolution(population=10, mutation=2)"
    assert two.options == {"population": "20", "mutation": "2"}
    for wrong in ("evolution:", "evolution:population", ":a=b", "evolution:=3"):
        with pytest.raises(OptionError, match="cannot be read"):
            Contestant.parse(wrong)


def test_two_of_one_name_are_refused(tmp_path):
    with pytest.raises(OptionError, match="two contestants are called random"):
        a_contest(tmp_path, "random", "random")


def test_evaluations_are_counted_until_the_first_accepted_and_the_near_best():
    inf = np.inf
    curves = some_curves(
        [
            [[inf, 9, 4, 4], [inf, inf, 8, 4.1], [8, 8, 8, 8]],
            [[inf, inf, inf, inf]] * 3,
        ]
    )
    a, b = standings(curves)
    assert (a.label, b.label) == ("a", "b")
    assert a.first[1] == 2
    assert a.near[1] == 4
    assert a.marks[4][1] == 4.1
    assert b.first[1] == b.near[1] == inf
    assert np.isnan(b.marks[4]).all()
    assert b.infeasible[1] == 1.0
    assert b.content()["near_best"] == [None, None, None]


def test_what_is_to_be_large_is_shown_as_it_is_and_the_largest_is_best():
    goal = Goal((Objective("utilization", "maximize"),))
    a, b = standings(some_curves([[[-0.2, -0.5]], [[-0.6, -0.4]]], goal))
    assert (a.label, a.marks[2][1]) == ("b", 0.6)
    assert (b.label, b.marks[2][1]) == ("a", 0.5)


def test_a_duel_tells_who_is_likely_better_and_how_sure_that_is():
    good, bad = [[1.0 + i / 10] for i in range(10)], [[3.0 + i / 10] for i in range(10)]
    (duel,) = duels(some_curves([good, bad]))
    assert (duel.one, duel.other, duel.better) == ("a", "b", 1.0)
    assert duel.p == pytest.approx(2 / 2**10)
    (same,) = duels(some_curves([good, good]))
    assert (same.better, same.p) == (0.5, 1.0)


def test_p_values_are_corrected_for_their_number():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_hypervolume_is_the_share_of_the_box_that_is_beaten():
    fronts = [np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 2.0]])]
    box = fronts_box(fronts)
    assert [side.tolist() for side in box] == [[0.0, 0.0], [1.0, 1.0]]
    corner = hypervolume(np.array([[0.0, 0.0]]), box)
    assert corner == pytest.approx(1.0)
    assert hypervolume(fronts[0], box) == pytest.approx((2 * 1.1 * 0.1 - 0.01) / 1.21)
    assert hypervolume(np.array([[5.0, 5.0]]), box) == 0.0
    assert hypervolume(np.empty((0, 2)), box) == 0.0


def test_the_curves_are_written_trial_by_trial(tmp_path):
    from pyarrow import parquet

    curves = some_curves([[[np.inf, 3.0, 2.0]]])
    curves.write(tmp_path / "curves.parquet")
    table = parquet.read_table(tmp_path / "curves.parquet").to_pydict()
    assert table["contestant"] == ["a", "a", "a"]
    assert table["trial"] == [0, 1, 2]
    assert table["best"] == [np.inf, 3.0, 2.0]


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_the_curves_are_drawn_even_if_one_found_nothing(tmp_path, suffix):
    from accel_dse.report.curves import save

    curves = some_curves([[[np.inf, 3.0, 2.0]] * 2, [[np.inf] * 3] * 2])
    path = tmp_path / f"curves{suffix}"
    save(curves, standings(curves), "a title", path)
    assert path.stat().st_size > 5_000
    with pytest.raises(OptionError, match="cannot draw"):
        save(curves, standings(curves), "a title", tmp_path / "curves.txt")


def test_no_contest_is_without_optimizers(tmp_path):
    with pytest.raises(OptionError, match="needs an optimizer"):
        a_contest(tmp_path)
    assert partial(a_contest, tmp_path, "random")().seeds == range(2)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 11])
def test_quartiles_are_the_ones_of_numpy_where_all_values_are_finite(n):
    values = np.random.default_rng(n).normal(size=n)
    expected = np.quantile(values, (0.25, 0.5, 0.75), method="median_unbiased")
    assert quartiles(values) == pytest.approx(expected)


def test_the_median_of_two_runs_is_no_value_as_long_as_one_of_them_has_none():
    assert quartiles(np.array([1.0, np.inf]))[1] == np.inf
    assert quartiles(np.array([1.0, 2.0, np.inf]))[1] == 2.0
    assert quartiles(np.array([np.inf, np.inf])).tolist() == [np.inf] * 3


@pytest.mark.parametrize("seeds", [2, 3, 4, 5, 10])
def test_quartiles_of_best_values_never_get_worse_with_more_simulations(seeds):
    rng = np.random.default_rng(seeds)
    costs = np.where(rng.random((seeds, 40)) < 0.1, rng.random((seeds, 40)), np.inf)
    best = np.minimum.accumulate(costs, axis=1)
    found = quartiles(best)
    assert found.shape == (3, 40)
    assert (found[:, 1:] <= found[:, :-1]).all()


def test_runs_hash_alike_and_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with _surroundings(3):
        hashes = [
            subprocess.run(
                [sys.executable, "-c", "print(hash('a'))"], capture_output=True, check=True
            ).stdout
            for _ in range(2)
        ]
        assert os.environ["OMP_NUM_THREADS"] == "3"
    assert hashes[0] == hashes[1]
    assert os.environ["PYTHONHASHSEED"] == "7"
    assert "OMP_NUM_THREADS" not in os.environ
