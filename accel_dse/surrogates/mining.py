"""Designs that tempt a model: found by making its predicted cost small, while it learns.

A miner keeps a population and improves it a little at each step of the training, so that it
follows the model. Designs are choices of one-hot fields; a choice that no design of the space has
does no harm here, as nothing is learned of it but that it is not good.

Each step of each miner calls the model on the population twice, so that they compare at equal
calls. Source: `num_iters=2` in PRIME's notebook.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Cost = Callable[[Tensor], Tensor]
"""One-hot fields `(m, sum(fields))` -> predicted cost `(m,)`, differentiable."""

Step = Callable[[Tensor, "Fields", Cost, torch.Generator], Tensor]
"""Population `(m, fields)`, what the fields are, the cost, chance -> the next population."""

RESTARTED = 0.05
"""Share of the population that is drawn from the log anew at each step: a miner that has settled
would show the model the same designs for ever."""


@dataclass(frozen=True)
class Fields:
    """The one-hot fields of a space.

    Attributes:
        sizes: shape `(fields,)`.
        starts: where each begins in a one-hot row, shape `(fields,)`.
    """

    sizes: Tensor
    starts: Tensor

    @classmethod
    def of(cls, sizes: tuple[int, ...], device: torch.device) -> "Fields":
        """Fields of these sizes."""
        tensor = torch.tensor(sizes, device=device)
        return cls(tensor, tensor.cumsum(0) - tensor)

    @property
    def width(self) -> int:
        """Length of a one-hot row."""
        return int(self.sizes.sum())

    def one_hot(self, choices: Tensor) -> Tensor:
        """Choices `(m, fields)` as one-hot rows `(m, width)`."""
        hot = torch.zeros(len(choices), self.width, device=choices.device)
        return hot.scatter_(1, choices + self.starts, 1.0)

    def random(self, shape: tuple[int, int], chance: torch.Generator) -> Tensor:
        """Random choices `(m, fields)`."""
        drawn = torch.rand(shape, generator=chance, device=self.sizes.device) * self.sizes
        return torch.minimum(drawn.long(), self.sizes - 1)


def evolve(population: Tensor, fields: Fields, cost: Cost, chance: torch.Generator) -> Tensor:
    """A child for each member, from it and the better of two others, with one field changed.

    A child that is better than the member takes its place.
    """
    m, device = len(population), population.device
    with torch.no_grad():
        now = cost(fields.one_hot(population))
        rivals = torch.randint(m, (2, m), generator=chance, device=device)
        mates = torch.where(now[rivals[0]] < now[rivals[1]], rivals[0], rivals[1])
        taken = torch.rand(population.shape, generator=chance, device=device) < 0.5
        child = torch.where(taken, population[mates], population)
        where = torch.randint(population.shape[1], (m, 1), generator=chance, device=device)
        strange = fields.random((m, population.shape[1]), chance)
        child = child.scatter(1, where, strange.gather(1, where))
        better = cost(fields.one_hot(child)) < now
    return torch.where(better[:, None], child, population)


def glow(population: Tensor, fields: Fields, cost: Cost, chance: torch.Generator) -> Tensor:
    """Fireflies: each member goes toward a better one, the more surely the nearer it is.

    Each field takes the other's value with probability `exp(-r^2)`, `r` being the share of fields
    that differ, or a random one with probability `1 / fields`. A move to a worse design is undone.

    Source: Yang, "Firefly algorithms for multimodal optimization", 2009, here for choices rather
    than numbers. PRIME's own optimizer of this kind is not published.
    """
    (m, f), device = population.shape, population.device
    with torch.no_grad():
        now = cost(fields.one_hot(population))
        other = torch.randint(m, (m,), generator=chance, device=device)
        brighter = (now[other] < now)[:, None]
        apart = (population != population[other]).float().mean(1, keepdim=True)
        pulled = torch.rand((m, f), generator=chance, device=device) < torch.exp(-(apart**2))
        moved = torch.where(pulled & brighter, population[other], population)
        astray = torch.rand((m, f), generator=chance, device=device) < 1.0 / f
        moved = torch.where(astray, fields.random((m, f), chance), moved)
        better = cost(fields.one_hot(moved)) < now
    return torch.where(better[:, None], moved, population)


def gibbs(
    population: Tensor,
    fields: Fields,
    cost: Cost,
    chance: torch.Generator,
    *,
    temperature: float = 0.1,
) -> Tensor:
    """One step of Gibbs-With-Gradients on `exp(-cost / temperature)` for each member.

    A gradient estimates what every single-field change would do; one is proposed in proportion to
    `exp(gain / 2)`, and taken or not by Metropolis and Hastings.

    Source: Grathwohl et al., "Oops I Took A Gradient: Scalable Sampling for Discrete
    Distributions", ICML 2021, algorithm 1.
    """
    score, forward = _proposals(population, fields, cost, temperature)
    drawn = torch.multinomial(forward.exp(), 1, generator=chance)
    field = torch.searchsorted(fields.starts, drawn, right=True) - 1
    moved = population.scatter(1, field, drawn - fields.starts[field])
    moved_score, backward = _proposals(moved, fields, cost, temperature)
    back = fields.starts[field] + population.gather(1, field)
    ratio = moved_score - score + (backward.gather(1, back) - forward.gather(1, drawn))[:, 0]
    accepted = torch.rand(len(ratio), generator=chance, device=ratio.device).log() < ratio
    return torch.where(accepted[:, None], moved, population)


def _proposals(
    population: Tensor, fields: Fields, cost: Cost, temperature: float
) -> tuple[Tensor, Tensor]:
    """Scores `(m,)`, and the logarithm of how likely each change is proposed, `(m, width)`."""
    one_hot = fields.one_hot(population).requires_grad_()
    with torch.enable_grad():
        score = -cost(one_hot) / temperature
        (slope,) = torch.autograd.grad(score.sum(), one_hot)
    taken = population + fields.starts
    gain = slope - slope.gather(1, taken).repeat_interleave(fields.sizes, dim=1)
    gain = gain.scatter(1, taken, -torch.inf)  # to stay is no change
    return score.detach(), torch.log_softmax(gain / 2, dim=1)


MINERS: dict[str, Step] = {"evolution": evolve, "firefly": glow, "gibbs": gibbs}
"""Name -> one step of it."""


def step(
    name: str,
    population: Tensor,
    logged: Tensor,
    fields: Fields,
    cost: Cost,
    chance: torch.Generator,
) -> Tensor:
    """The next population of the miner called `name`.

    Args:
        name: of `MINERS`.
        population: shape `(m, fields)`.
        logged: designs of the log to begin anew from, shape `(n, fields)`.
        fields: what the fields are.
        cost: the model, as it is now.
        chance: decides.
    """
    m, device = len(population), population.device
    fresh = logged[torch.randint(len(logged), (m,), generator=chance, device=device)]
    again = torch.rand((m, 1), generator=chance, device=device) < RESTARTED
    return MINERS[name](torch.where(again, fresh, population), fields, cost, chance)
