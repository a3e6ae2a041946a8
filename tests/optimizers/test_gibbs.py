from collections import Counter

import numpy as np
import pytest

from accel_dse.constraints import Constraint
from accel_dse.expressions import Expression
from accel_dse.optimizers import gibbs
from accel_dse.parameters import Categorical, Factorization, Ordinal, Permutation
from accel_dse.space import DesignSpace

SMALL = DesignSpace(
    "small",
    (Ordinal("a", (1, 2, 3)), Ordinal("b", (1, 2, 4)), Categorical("c", ("x", "y"))),
    (Constraint(Expression("a + b <= 6")),),
)
MIXED = DesignSpace(
    "mixed",
    (
        Permutation("order", ("K", "C", "P")),
        Factorization("tiles", total=12, parts=2),
        Ordinal("size", (1, 2, 4)),
    ),
)


def linear(weights):
    def function(hot):
        return hot @ weights, np.broadcast_to(weights, hot.shape)

    return function


def rugged(space, seed=0):
    """A cost in which every pair of inputs plays a part."""
    rng = np.random.default_rng(seed)
    width = sum(space.fields)
    weights, pairs = rng.normal(size=width), rng.normal(size=(width, width)) / 3
    pairs = pairs + pairs.T

    def function(hot):
        hot = hot.astype(np.float64)
        return hot @ weights + ((hot @ pairs) * hot).sum(axis=1) / 2, weights + hot @ pairs

    return function


def every(space):
    return space.designs(space.every())


@pytest.mark.parametrize("space", [SMALL, MIXED], ids=lambda space: space.name)
def test_the_estimate_of_an_exchange_is_exact_where_the_cost_is_linear(space):
    weights = np.random.default_rng(1).normal(size=sum(space.fields))
    designs = space.sample(6, np.random.default_rng(2))
    here = space.columns(designs)
    near, origin = space.neighbor_columns(here)
    hot = space.one_hot(space.designs(near)) - space.one_hot([designs[i] for i in origin])
    gradients = np.tile(weights, (6, 1))
    from_rows = {name: column[origin] for name, column in here.items()}
    change = gibbs._change(space, from_rows, near, gradients, origin)
    assert change == pytest.approx(hot @ weights)
    assert len(set(np.round(change, 9))) > 10


@pytest.mark.parametrize("space", [SMALL, MIXED], ids=lambda space: space.name)
def test_chains_sample_each_design_as_often_as_its_cost_says(space):
    function, temperature = rugged(space), 1.0
    designs = every(space)
    costs, _ = function(space.one_hot(designs))
    wanted = np.exp(-costs / temperature)
    wanted /= wanted.sum()
    rng = np.random.default_rng(3)
    n, rounds = 400, 120
    chains = gibbs.start(space, space.sample(n, rng), function)
    seen = Counter()
    for i in range(rounds):
        chains = gibbs.step(space, chains, function, rng, temperature=temperature)
        if i >= 80:
            seen.update(tuple(design.values()) for design in space.designs(chains.columns))
    found = np.array([seen[tuple(design.values())] for design in designs]) / (n * 40)
    apart = np.abs(found - wanted).sum() / 2
    uniform = np.abs(1 / len(designs) - wanted).sum() / 2
    assert apart < 0.06
    assert uniform > 0.25


def test_a_step_calls_the_function_once_on_as_many_designs_as_there_are_chains():
    calls = []
    inner = rugged(SMALL)

    def function(hot):
        calls.append(hot.shape)
        return inner(hot)

    rng = np.random.default_rng(0)
    gibbs.minimized(SMALL, SMALL.sample(5, rng), function, rng, steps=7, temperature=(1.0, 0.1))
    assert calls == [(5, sum(SMALL.fields))] * 8


@pytest.mark.parametrize("space", [SMALL, MIXED], ids=lambda space: space.name)
def test_every_chain_stays_valid_and_many_find_the_optimum_of_a_small_space(space):
    function = rugged(space, seed=4)
    rng = np.random.default_rng(5)
    optimum = function(space.one_hot(every(space)))[0].min()
    found, costs = gibbs.minimized(
        space, space.sample(40, rng), function, rng, steps=60, temperature=(2.0, 0.05)
    )
    for design in found:
        space.check(design)
    assert costs == pytest.approx(function(space.one_hot(found))[0])
    assert (costs < optimum + 1e-9).mean() > 0.25


def test_gradients_find_a_far_better_design_than_as_many_random_ones():
    space = DesignSpace("wide", tuple(Ordinal(f"p{i}", tuple(range(12))) for i in range(12)))
    function = rugged(space)
    rng = np.random.default_rng(0)
    _, costs = gibbs.minimized(
        space, space.sample(10, rng), function, rng, steps=100, temperature=(1.0, 0.1)
    )
    drawn = function(space.one_hot(space.sample(1010, rng)))[0]
    assert np.median(costs) < drawn.min() - 2 * drawn.std()


def test_a_design_without_valid_neighbors_stays():
    space = DesignSpace(
        "tied", (Ordinal("a", (1, 2)), Ordinal("b", (1, 2))), (Constraint(Expression("a == b")),)
    )
    rng = np.random.default_rng(0)
    designs = [{"a": 1, "b": 1}, {"a": 2, "b": 2}]
    found, _ = gibbs.minimized(
        space, designs, linear(np.arange(4.0)), rng, steps=3, temperature=(1.0, 1.0)
    )
    assert found == designs


def test_a_torch_module_gives_each_design_its_own_gradient():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    width = sum(SMALL.fields)
    net = torch.nn.Sequential(torch.nn.Linear(width, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    designs = every(SMALL)[::3]
    hot = SMALL.one_hot(designs)
    costs, gradients = gibbs.of_torch(net)(hot)
    assert costs == pytest.approx(net(torch.from_numpy(hot)).detach().numpy()[:, 0])
    for i in range(len(designs)):
        alone = gibbs.of_torch(net)(hot[i : i + 1])[1]
        assert gradients[i] == pytest.approx(alone[0], abs=1e-6)
    assert np.abs(gradients[0] - gradients[1]).max() > 1e-4
