"""Gibbs with gradients: discrete search on anything differentiable in one-hot inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Columns, rows
from accel_dse.encoding import one_hot
from accel_dse.space import DesignSpace
from accel_dse.trial import Design

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

Differentiable = Callable[[NDArray[np.float32]], tuple[Floats, Floats]]
"""One-hot designs of shape `(n, sum(fields))` -> their costs, shape `(n,)`, less is better, and
the gradient of each cost with respect to its own input, of the input's shape."""


@dataclass(frozen=True)
class Chains:
    """`n` walks through a space.

    Attributes:
        columns: where they are.
        costs: there, shape `(n,)`.
        gradients: of the costs, shape `(n, sum(fields))`.
        best: where each was at its best.
        best_costs: there, shape `(n,)`.
    """

    columns: Columns
    costs: Floats
    gradients: Floats
    best: Columns
    best_costs: Floats


def start(space: DesignSpace, designs: Sequence[Design], function: Differentiable) -> Chains:
    """Chains at `designs`. Calls `function` once."""
    columns = space.columns(designs)
    costs, gradients = _evaluate(space, columns, function)
    return Chains(columns, costs, gradients, columns, costs)


def step(
    space: DesignSpace,
    chains: Chains,
    function: Differentiable,
    rng: np.random.Generator,
    *,
    temperature: float,
) -> Chains:
    """Each of `n` chains proposes one change, and makes it with Metropolis and Hastings' chance.

    The gradient gives a first-order estimate of what every exchange of one parameter would cost;
    one is drawn with probability `softmax(-change / (2 temperature))`. Only valid designs are
    proposed. The estimate misleads where the function is far from linear in its inputs; the chance
    to accept, which looks at the function's values, puts that right: the chains sample from
    `exp(-cost / temperature)`. Calls `function` once, on `n` designs.

    Args:
        space: where they walk; all its parameters have choices that can be counted.
        chains: `n` chains.
        function: what to make small.
        rng: decides.
        temperature: of the distribution sampled, in units of cost; near 0 it goes downhill only.

    Source:
        Grathwohl et al., "Oops I Took A Gradient: Scalable Sampling for Discrete Distributions",
        ICML 2021, algorithm 1. There each input is one flip; here an exchange may change two
        fields (two places of an order, two factors), and its estimate is the sum of theirs.
    """
    ahead = _Exchanges.of(space, chains.columns, chains.gradients, temperature)
    chosen = ahead.draw(rng)
    moving = chosen >= 0
    if not moving.any():
        return chains
    proposed = {
        name: np.where(_across(moving, column), ahead.columns[name][chosen], column)
        for name, column in chains.columns.items()
    }
    costs, gradients = _evaluate(space, proposed, function)
    back = _Exchanges.of(space, proposed, gradients, temperature)
    change = _change(space, proposed, chains.columns, gradients)
    odds = (chains.costs - costs) / temperature
    odds += -change / (2 * temperature) - back.total  # how likely the way back is proposed
    odds -= np.where(moving, ahead.logits[chosen], 0.0) - ahead.total
    accepted = moving & (np.log(rng.random(len(costs))) < odds)
    better = accepted & (costs < chains.best_costs)
    return replace(
        chains,
        columns=_merged(accepted, proposed, chains.columns),
        costs=np.where(accepted, costs, chains.costs),
        gradients=np.where(accepted[:, None], gradients, chains.gradients),
        best=_merged(better, proposed, chains.best),
        best_costs=np.where(better, costs, chains.best_costs),
    )


def minimized(
    space: DesignSpace,
    designs: Sequence[Design],
    function: Differentiable,
    rng: np.random.Generator,
    *,
    steps: int,
    temperature: tuple[float, float],
) -> tuple[list[Design], Floats]:
    """The best design on the way from each of `n`, and its cost.

    Start from several designs: what is found depends on where one begins.

    Args:
        space: where to search.
        designs: where to begin.
        function: what to make small; called `steps + 1` times, on `n` designs each.
        rng: decides.
        steps: how many changes each chain proposes.
        temperature: at the first step and at the last, in units of cost; falls evenly by ratio.
    """
    chains = start(space, designs, function)
    for heat in np.geomspace(*temperature, num=steps):
        chains = step(space, chains, function, rng, temperature=float(heat))
    return space.designs(chains.best), chains.best_costs


def of_torch(model: Any) -> Differentiable:
    """The costs that a PyTorch module predicts from one-hot inputs, with their gradients.

    Args:
        model: maps a float tensor of shape `(n, sum(fields))` to costs of shape `(n,)` or
            `(n, 1)`, each of which depends on its own row alone (so: in evaluation mode).
    """
    import torch

    def function(hot: NDArray[np.float32]) -> tuple[Floats, Floats]:
        inputs = torch.from_numpy(hot).requires_grad_()
        with torch.enable_grad():
            costs = model(inputs).reshape(len(hot))
            # the sum's gradient is each cost's own, as no cost depends on another's input
            (gradients,) = torch.autograd.grad(costs.sum(), inputs)
        return costs.detach().numpy().astype(np.float64), gradients.numpy().astype(np.float64)

    return function


@dataclass(frozen=True)
class _Exchanges:
    """All valid exchanges of `n` designs, by design.

    Attributes:
        columns: the `m` designs that they lead to.
        first: where those of each design begin, shape `(n,)`.
        count: how many each design has, shape `(n,)`.
        logits: how likely each is to be proposed, shape `(m,)`, a logarithm, not normalized.
        total: logarithm of their sum for each design, shape `(n,)`; 0 if it has none.
    """

    columns: Columns
    first: Indices
    count: Indices
    logits: Floats
    total: Floats

    @classmethod
    def of(
        cls, space: DesignSpace, columns: Columns, gradients: Floats, temperature: float
    ) -> "_Exchanges":
        near, origin = space.neighbor_columns(columns)
        order = np.argsort(origin, kind="stable")
        near, origin = rows(near, order), origin[order]
        here = rows(columns, origin)
        logits = -_change(space, here, near, gradients, origin) / (2 * temperature)
        count = np.bincount(origin, minlength=len(gradients))
        first = np.cumsum(count) - count
        some = count > 0
        total = np.zeros(len(count))
        if some.any():
            top = np.maximum.reduceat(logits, first[some])
            share = np.add.reduceat(np.exp(logits - np.repeat(top, count[some])), first[some])
            total[some] = top + np.log(share)
        return cls(near, first, count, logits, total)

    def draw(self, rng: np.random.Generator) -> Indices:
        """One exchange for each design; -1 if it has none."""
        chosen = np.full(len(self.count), -1)
        # the largest of the logits with Gumbel noise is a draw from their softmax
        noisy = self.logits + rng.gumbel(size=len(self.logits))
        for i in np.flatnonzero(self.count):
            begin = self.first[i]
            chosen[i] = begin + np.argmax(noisy[begin : begin + self.count[i]])
        return chosen


def _evaluate(
    space: DesignSpace, columns: Columns, function: Differentiable
) -> tuple[Floats, Floats]:
    costs, gradients = function(one_hot(space.parameters, columns))
    return np.asarray(costs, dtype=np.float64), np.asarray(gradients, dtype=np.float64)


def _change(
    space: DesignSpace,
    here: Columns,
    there: Columns,
    gradients: Floats,
    origin: Indices | None = None,
) -> Floats:
    """What the gradient says that going from `m` designs to others costs, shape `(m,)`.

    Args:
        space: of both.
        here: the designs to leave.
        there: the designs to go to.
        gradients: of the designs to leave, shape `(n, sum(fields))`.
        origin: which row of `gradients` is theirs; by default the same row.
    """
    row = np.arange(len(gradients)) if origin is None else origin
    change = np.zeros(len(row))
    starts = iter([0, *accumulate(space.fields)])
    for parameter in space.parameters:
        old = parameter.field_choices(here[parameter.name])
        new = parameter.field_choices(there[parameter.name])
        for part in range(len(parameter.fields)):
            at = next(starts)
            change += gradients[row, at + new[:, part]] - gradients[row, at + old[:, part]]
    return change


def _across(mask: NDArray[np.bool_], column: NDArray[Any]) -> NDArray[np.bool_]:
    """`mask` in the shape that selects rows of `column`."""
    return mask.reshape(-1, *(1,) * (column.ndim - 1))


def _merged(mask: NDArray[np.bool_], new: Columns, old: Columns) -> Columns:
    return {name: np.where(_across(mask, old[name]), new[name], old[name]) for name in old}
