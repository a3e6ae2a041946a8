"""One training run of a field network on a log."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from accel_dse.surrogates import mining, trend
from accel_dse.surrogates.field_network import FieldNetwork, NetworkShape
from accel_dse.surrogates.field_predictor import Singles
from accel_dse.surrogates.losses import conservative_loss, ranking_loss

CHECKS = 10
"""Times that a run looks at what was held out, all in its second half: a rank correlation of few
designs is noisy, and a network that has hardly begun may win by luck."""

PATIENCE = 5
"""Looks without improvement after which it stops."""

WARM_UP = 0.05
"""Share of the steps in which the learning rate rises; then it falls to 0, both linearly."""

LARGEST_GRADIENT = 1.0
"""Norm above which a gradient is shortened: the first steps would else decide the rest."""


@dataclass(frozen=True)
class Examples:
    """`n` rows of a log, as arrays that a network takes.

    Attributes:
        choices: of the one-hot fields, `(n, fields)`.
        context: of the applications, `(n, c)`.
        targets: standardized, `(n, targets)`; NaN where the design does not work.
        works: `(n,)`.
        refused: rows that count as not working: their cost is not learned but pushed up, `(n,)`.
        lines: where the choices of each field lie on a line; `()` if they have no order.
    """

    choices: NDArray[np.int64]
    context: NDArray[np.float32]
    targets: NDArray[np.float32]
    works: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    lines: tuple[tuple[float, ...], ...]

    def rows(self, which: NDArray[np.bool_]) -> "Examples":
        """Some of them."""
        return Examples(
            self.choices[which],
            self.context[which],
            self.targets[which],
            self.works[which],
            self.refused[which],
            self.lines,
        )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Attributes:
        alpha, beta, ceiling: see `conservative_loss`.
        margin: its floor is so much below the least cost that is learned from.
        miner: finds tempting designs.
        mined: how many it keeps.
        ordered: whether embeddings begin along their lines.
        trend: whether the network learns what `trend.fitted` leaves over.
        ranking_weight: of `ranking_loss`.
        feasibility_weight: of the cross-entropy of whether a design works.
        steps: in all; the learning rate follows from it.
        batch: designs that work in a step; half as many that do not join them.
        learning_rate: at its height.
        device: where PyTorch computes.
    """

    alpha: float
    beta: float
    margin: float
    ceiling: float
    miner: str
    mined: int
    ordered: bool
    trend: bool
    ranking_weight: float
    feasibility_weight: float
    steps: int
    batch: int
    learning_rate: float
    device: str


Judge = Callable[[FieldNetwork], float]
"""A network in the making -> how good it is; more is better."""


@dataclass(frozen=True)
class Trained:
    """What came of a run.

    Attributes:
        network: at its best, on the CPU, ready to predict.
        step: when that was.
        score: what the judge gave it; NaN without a judge.
    """

    network: FieldNetwork
    step: int
    score: float


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch in one thread: matrices this small are split at a loss.

    With other work on the cores at a huge one: threads wait for each other spinning. A fit of a
    second took a minute of CPU time.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(
    examples: Examples,
    shape: NetworkShape,
    recipe: Recipe,
    *,
    seed: int,
    judge: Judge | None = None,
) -> Trained:
    """Trains one network; the same arguments give the same network on the same machine.

    Args:
        examples: what to learn from; one works, at least.
        shape: of the network.
        recipe: how.
        seed: fixes every random choice.
        judge: decides which of `CHECKS` moments was best; without, it is the last one.
    """
    with one_thread():
        return _trained(_Run(examples, shape, recipe, seed), recipe, judge)


def _trained(run: "_Run", recipe: Recipe, judge: Judge | None) -> Trained:
    best = Trained(run.network, recipe.steps, float("nan"))
    idle = 0
    every = max(1, recipe.steps // (2 * CHECKS))
    for step in range(1, recipe.steps + 1):
        run.step(step)
        late = 2 * step >= recipe.steps
        if judge is not None and late and (step % every == 0 or step == recipe.steps):
            score = judge(_ready(run.network))
            if np.isnan(best.score) or score > best.score:
                best, idle = Trained(_ready(run.network), step, score), 0
            else:
                idle += 1
            if idle == PATIENCE:
                break
    if judge is None:
        best = Trained(_ready(run.network), recipe.steps, float("nan"))
    return best


class _Run:
    """The moving parts of a run."""

    def __init__(self, examples: Examples, shape: NetworkShape, recipe: Recipe, seed: int) -> None:
        device = torch.device(recipe.device)
        self.recipe = recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = FieldNetwork(shape)
            if recipe.ordered:
                self.network.align(examples.lines)
            if not recipe.feasibility_weight:
                self.network.take_all_to_work()
        known = examples.rows(examples.works & ~examples.refused)
        if recipe.trend and len(known.choices):
            table = trend.fitted(shape.fields, known.lines, known.choices, known.targets)
            self.network.trend[:, :-1] = torch.as_tensor(table)
        self.network.to(device)
        costs = known.targets[:, 0] if len(known.choices) else examples.targets[examples.works, 0]
        self.floor = float(costs.min()) - recipe.margin
        self.chance = torch.Generator(device=device).manual_seed(seed)
        self.fields = mining.Fields.of(shape.fields, device)
        self.choices = torch.as_tensor(examples.choices, device=device)
        self.context = torch.as_tensor(examples.context, device=device)
        self.targets = torch.as_tensor(examples.targets, device=device)
        self.good = torch.as_tensor(np.flatnonzero(examples.works), device=device)
        self.bad = torch.as_tensor(np.flatnonzero(~examples.works), device=device)
        self.costed = torch.as_tensor(examples.works & ~examples.refused, device=device)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=recipe.learning_rate, fused=True
        )
        self.population = self.choices[self._drawn(self.good, recipe.mined)]
        self.settings = self.context[self._drawn(self.good, recipe.mined)]
        # dropout draws from PyTorch's global state, which is set for each step and put back
        self.dropout_seed = seed if shape.dropout else None

    def _drawn(self, rows: Tensor, n: int) -> Tensor:
        if not len(rows):
            return rows
        device = rows.device
        return rows[torch.randint(len(rows), (n,), generator=self.chance, device=device)]

    def step(self, number: int) -> None:
        """One step of the optimizer."""
        if self.dropout_seed is None:
            loss = self._loss()
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.dropout_seed * 1_000_003 + number)
                loss = self._loss()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * _rate(number / self.recipe.steps)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()

    def _loss(self) -> Tensor:
        recipe = self.recipe
        good = self._drawn(self.good, recipe.batch)
        bad = self._drawn(self.bad, recipe.batch // 2)
        mined = self._mined() if recipe.alpha else self.population[:0]
        choices = torch.cat([self.choices[good], self.choices[bad], mined])
        context = torch.cat([self.context[good], self.context[bad], self.settings[: len(mined)]])
        out = self.network(self.fields.one_hot(choices), context)
        at = out[: len(good)]
        measured, costed = self.targets[good], self.costed[good]
        refused = torch.cat([at[~costed, 0], out[len(good) : len(good) + len(bad), 0]])
        loss = conservative_loss(
            at[costed, 0] if costed.any() else measured[:, 0],
            measured[costed, 0] if costed.any() else measured[:, 0],
            out[len(good) + len(bad) :, 0],
            refused,
            alpha=recipe.alpha,
            beta=recipe.beta,
            floor=self.floor,
            ceiling=recipe.ceiling,
        )
        if measured.shape[1] > 1:
            loss = loss + ((at[:, 1:-1] - measured[:, 1:]) ** 2).mean(dim=0).sum()
        if recipe.ranking_weight and costed.sum() > 1:
            loss = loss + recipe.ranking_weight * ranking_loss(at[costed, 0], measured[costed, 0])
        if recipe.feasibility_weight:
            both = out[: len(good) + len(bad), -1]
            truth = torch.zeros_like(both)
            truth[: len(good)] = 1.0
            entropy = binary_cross_entropy_with_logits(both, truth)
            loss = loss + recipe.feasibility_weight * entropy
        return loss

    def _mined(self) -> Tensor:
        """The tempting designs, one step on."""

        def cost(one_hot: Tensor) -> Tensor:
            predicted: Tensor = self.network(one_hot, self.settings)[:, 0]
            return predicted

        self.population = mining.step(
            self.recipe.miner,
            self.population,
            self.choices[self.good],
            self.fields,
            cost,
            self.chance,
        )
        return self.population


def _rate(progress: float) -> float:
    """Share of the learning rate at a share of the steps."""
    return min(progress / WARM_UP, (1.0 - progress) / (1.0 - WARM_UP)) if progress < 1 else 0.0


def _ready(network: FieldNetwork) -> FieldNetwork:
    """A copy that learns no more."""
    copied = copy.deepcopy(network).cpu().eval()
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return copied


@dataclass(frozen=True, eq=False)
class TorchMembers:
    """Networks run by PyTorch; see `Members`."""

    networks: tuple[FieldNetwork, ...]

    def __call__(self, one_hot: Singles, context: Singles) -> Singles:
        """See `Members`."""
        with one_thread(), torch.inference_mode():
            hot, setting = torch.from_numpy(one_hot), torch.from_numpy(context)
            answers = torch.stack([network(hot, setting) for network in self.networks], dim=1)
            return np.asarray(answers.numpy(), dtype=np.float32)
