"""Designs that tempt a model."""

import pytest
import torch

from accel_dse.surrogates import mining
from accel_dse.surrogates.mining import Fields

SIZES = (4, 3, 5)
FIELDS = Fields.of(SIZES, torch.device("cpu"))
GENTLE = torch.tensor([3.0, 2.0, 1.0, 0.0, 2.0, 1.0, 0.0, 4.0, 3.0, 2.0, 1.0, 0.0])


def linear(one_hot):
    """Least, 0, at the last choice of every field."""
    return one_hot @ GENTLE


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_one_hot_rows_hold_each_choice_once():
    hot = FIELDS.one_hot(torch.tensor([[3, 0, 4], [0, 2, 1]]))
    assert hot.shape == (2, 12)
    assert torch.nonzero(hot).tolist() == [[0, 3], [0, 4], [0, 11], [1, 0], [1, 6], [1, 8]]


@pytest.mark.parametrize("name", mining.MINERS)
def test_a_miner_finds_what_a_model_likes(name):
    draw = chance()
    logged = FIELDS.random((50, 3), draw)
    population = logged[:40]
    before = linear(FIELDS.one_hot(population)).mean()
    for _ in range(60):
        population = mining.step(name, population, logged, FIELDS, linear, draw)
    after = linear(FIELDS.one_hot(population))
    assert after.min() == 0
    assert after.mean() < before / 3


@pytest.mark.parametrize("name", mining.MINERS)
def test_a_miner_stays_among_the_choices_and_repeats_itself(name):
    logged = FIELDS.random((30, 3), chance())
    results = []
    for _ in range(2):
        draw, population = chance(1), logged
        for _ in range(10):
            population = mining.step(name, population, logged, FIELDS, linear, draw)
        results.append(population)
    assert torch.equal(*results)
    assert ((results[0] >= 0) & (results[0] < FIELDS.sizes)).all()


@pytest.mark.parametrize("name", mining.MINERS)
def test_a_step_calls_the_model_twice(name):
    calls = []

    def counted(one_hot):
        calls.append(len(one_hot))
        return linear(one_hot)

    mining.step(name, FIELDS.random((20, 3), chance()), FIELDS.random((5, 3), chance()),
                FIELDS, counted, chance())  # fmt: skip
    assert calls == [20, 20]


def test_gibbs_sampling_leaves_the_distribution_as_it_is():
    """Detailed balance: the share of time at each choice is its probability."""
    field = Fields.of((3,), torch.device("cpu"))
    costs = torch.tensor([0.0, 1.0, 2.0])
    draw, population = chance(), torch.zeros(4_000, 1, dtype=torch.long)
    for _ in range(30):
        population = mining.gibbs(population, field, lambda hot: hot @ costs, draw, temperature=1.0)
    share = torch.bincount(population[:, 0], minlength=3) / 4_000
    assert share.tolist() == pytest.approx(torch.softmax(-costs, 0).tolist(), abs=0.03)


def test_each_member_follows_its_own_gradient():
    """One sample's gradient must not move the others, as in the released notebook."""

    def crossed(one_hot):
        wants = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0]]).repeat(10, 1)
        return (one_hot[:, :4] * wants).sum(1)

    field = Fields.of((4,), torch.device("cpu"))
    draw, population = chance(), torch.ones(20, 1, dtype=torch.long)
    for _ in range(40):
        population = mining.gibbs(population, field, crossed, draw, temperature=0.05)
    assert set(population[0::2, 0].tolist()) == {3}
    assert set(population[1::2, 0].tolist()) == {0}
