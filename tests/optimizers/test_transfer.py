"""Any optimizer, begun from what related tasks taught."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from searching import best_cost, search

from accel_dse import plugins
from accel_dse.errors import LogError, OptionError
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.optimizers.seeding import FEWEST, seeds_of
from accel_dse.optimizers.transfer import PROBES, SEED, Transfer
from accel_dse.parameters import Ordinal
from accel_dse.progress import Silent
from accel_dse.source import related
from accel_dse.space import DesignSpace
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, check_optimizer, toy_problem
from accel_dse.trial_log import TrialLog

FREE = toy_problem(limits=())
LOOSE, TIGHT = toy_problem(limits=["area_mm2<=8"]), toy_problem(limits=["area_mm2<=2"])


def taught(problem=TIGHT, *, by=LOOSE, n=60, name="evolution", change=lambda trials: trials):
    """What a search of `by` taught, for `problem`."""
    trials = search(plugins.load("optimizers", name)(problem=by), n)
    return related(problem, change(trials), task="the loose one")


def inverted(trials):
    """The same designs, the best of which is called the worst."""
    working = [trial for trial in trials if trial.feasible]
    most = max(trial.metrics["latency_cycles"] for trial in working)
    return [
        replace(trial, metrics={"latency_cycles": 2 * most - trial.metrics["latency_cycles"],
                                "area_mm2": 1.0})
        for trial in working
    ]  # fmt: skip


def sources_of(trials):
    return Counter(trial.source for trial in trials)


QUICK = ("random", "evolution", "firefly", "constrained_bo")
OTHERS = sorted({*plugins.BUILT_IN["optimizers"]} - {"transfer", *QUICK})


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_every_optimizer_keeps_its_contract_with_sources(name):
    sources = (taught(),)

    def make(problem, seed):
        return Transfer(problem=problem, seed=seed, optimizer=name, sources=sources)

    check_optimizer(make, TIGHT)


def test_without_sources_it_is_the_optimizer_itself():
    alone = search(plugins.load("optimizers", "evolution")(problem=TIGHT, seed=3), 40)
    assert search(Transfer(problem=TIGHT, seed=3, optimizer="evolution"), 40) == alone


def test_the_first_seed_is_the_best_design_that_is_accepted_here():
    source = taught()
    kept = source.excess(TIGHT) == 0
    best = source.metrics["latency_cycles"][kept].min()
    (first, *_) = search(Transfer(problem=TIGHT, sources=(source,)), 1)
    assert first.source == SEED
    assert first.metrics["latency_cycles"] == best, "same network, same simulator"


def test_seeds_are_valid_and_unlike_each_other():
    seeds = seeds_of(taught(), TIGHT, 8)
    assert len(seeds) == 8
    for seed in seeds:
        TIGHT.space.check(seed)
    assert len({tuple(seed.values()) for seed in seeds}) == 8


def test_where_nothing_keeps_the_limits_here_the_nearest_to_them_comes_first():
    source = taught()
    tighter = toy_problem(limits=["area_mm2<=0.001"])
    first = seeds_of(source, tighter, 3)[0]
    (row,) = source.space.designs({k: v[[np.nanargmin(source.excess(tighter))]]
                                   for k, v in source.columns.items()})  # fmt: skip
    assert first == row


def test_designs_known_to_break_a_limit_are_no_seeds_where_others_keep_it():
    source = taught(n=150)
    accepted = source.space.designs(
        {k: v[source.excess(TIGHT) == 0] for k, v in source.columns.items()}
    )
    seeds = seeds_of(source, TIGHT, 16)
    assert len(seeds) >= FEWEST
    assert all(seed in accepted for seed in seeds)


def test_parameters_that_the_source_lacks_are_filled_so_that_constraints_hold():
    part = replace(LOOSE, space=DesignSpace("part", (Ordinal("pes_x", (16, 32)),)))
    trials = [
        replace(trial, design={"pes_x": trial.design["pes_x"]})
        for trial in search(RandomSearch(problem=LOOSE), 60)
        if trial.design["pes_x"] in (16, 32)
    ]
    assert part.space.names == ("pes_x",)
    seeds = seeds_of(related(LOOSE, trials, task="part"), LOOSE, 5)
    assert seeds
    for seed in seeds:
        LOOSE.space.check(seed)
        assert seed["pes_x"] in (16, 32)


def test_seeds_take_turns_with_the_optimizer():
    trials = search(Transfer(problem=TIGHT, sources=(taught(),)), 2 * PROBES, batch=1)
    assert [trial.source == SEED for trial in trials] == [True, False] * PROBES


def test_an_unproven_source_gets_no_more_than_its_probes_however_large_the_batch():
    proposals = Transfer(problem=TIGHT, sources=(taught(),)).propose(100)
    assert sum(proposal.source == SEED for proposal in proposals) == PROBES


def test_a_source_that_misleads_is_left_after_its_probes():
    misleading = taught(FREE, by=FREE, n=200, name="random", change=inverted)
    trials = search(Transfer(problem=FREE, sources=(misleading,)), 60, batch=1)
    assert sources_of(trials)[SEED] == PROBES


def test_of_two_sources_the_one_that_helps_gets_the_turns():
    misleading = taught(FREE, by=FREE, n=200, name="random", change=inverted)
    helpful = taught(FREE, by=FREE)
    optimizer = Transfer(problem=FREE, optimizer="random", sources=(misleading, helpful))
    trials = search(optimizer, 60, batch=1)
    seeds = [trial.design for trial in trials if trial.source == SEED]
    good = seeds_of(helpful, FREE, optimizer.seeds)
    assert sum(design in good for design in seeds) > len(seeds) / 2 > PROBES


def test_no_more_seeds_are_tried_than_allowed():
    optimizer = Transfer(problem=TIGHT, optimizer="random", sources=(taught(),), seeds=6)
    assert sources_of(search(optimizer, 60))[SEED] == 6


def test_a_source_of_no_use_is_passed_over():
    nothing = related(TIGHT, [], task="nothing")
    alone = search(plugins.load("optimizers", "evolution")(problem=TIGHT), 20)
    assert search(Transfer(problem=TIGHT, sources=(nothing,)), 20) == alone


@pytest.mark.parametrize("name", ["evolution", "random", "firefly"])
def test_what_another_limit_taught_saves_most_of_the_search(name):
    def found(sources, seed):
        optimizer = Transfer(problem=TIGHT, seed=seed, optimizer=name, sources=sources)
        return best_cost(search(optimizer, 15), TIGHT)

    with_source = [found((taught(n=150),), seed) for seed in range(5)]
    without = [found((), seed) for seed in range(5)]
    assert np.median(with_source) < 0.9 * np.median(without)


def test_options_go_to_the_optimizer_and_all_of_them_on_record():
    made = Transfer(problem=TIGHT, optimizer="evolution", options={"population": "8"})
    assert made.options["population"] == 8
    assert "mutation" in made.options
    assert made.natural_batch == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": -1}, "seeds: expected 0 to"),
        ({"share": 1.5}, "share: expected 0"),
        ({"optimizer": "transfer"}, "must be another one"),
        ({"optimizer": "magic"}, "no optimizer is named 'magic'"),
        ({"options": {"x": 1}}, "evolution has no option 'x'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Transfer(problem=TIGHT, **options)


def a_study(path, sources):
    optimizer = Transfer(problem=TIGHT, optimizer="evolution", sources=sources)
    return Study(
        problem=TIGHT,
        optimizer=optimizer,
        simulator=ToySimulator(),
        log=TrialLog(path),
        progress=Silent(),
    )


def test_a_stopped_study_goes_on_as_if_never_stopped(tmp_path):
    sources = (taught(),)
    whole = a_study(tmp_path / "whole.db", sources).run(30, batch=4)
    a_study(tmp_path / "stopped.db", sources).run(8, batch=4)
    assert a_study(tmp_path / "stopped.db", sources).run(30, batch=4) == whole


def test_a_study_is_not_gone_on_with_from_other_sources(tmp_path):
    a_study(tmp_path / "log.db", (taught(),)).run(8)
    with pytest.raises(LogError, match=r"optimizer_options\.sources"):
        a_study(tmp_path / "log.db", (taught(n=50),)).run(12)


def test_the_log_says_what_it_began_from_without_holding_it(tmp_path):
    source = taught()
    study = a_study(tmp_path / "log.db", (source,))
    study.run(4)
    (entry,) = study.log.study().optimizer_options["sources"]
    assert entry == {"task": "the loose one", "fingerprint": source.fingerprint}
