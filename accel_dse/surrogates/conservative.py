"""PRIME: a surrogate that is made from a log alone and is not fooled by its own mistakes."""

from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from accel_dse.dataset import Dataset
from accel_dse.errors import DesignError, OptionError
from accel_dse.plugins import require_within
from accel_dse.problem import Goal, Objective
from accel_dse.surrogates.base import Fitted, Surrogate
from accel_dse.surrogates.context import FEATURES, ContextScale
from accel_dse.surrogates.field_network import NetworkShape
from accel_dse.surrogates.field_predictor import FieldPredictor
from accel_dse.surrogates.selection import Choice, Split, best_slice_judge, examples_of, split
from accel_dse.surrogates.targets import Target
from accel_dse.surrogates.training import Examples, Recipe, TorchMembers, train

Bools = NDArray[np.bool_]
Contextual = Literal["auto", "on", "off"]
Miner = Literal["evolution", "firefly", "gibbs"]
OverLimit = Literal["learned", "refused"]

ALPHAS = (0.0, 0.1, 0.5)
BETAS = (0.0, 0.1)
"""Tried where the user sets none, in units of the standard deviation of the costs."""

FEWEST = 20
"""Designs that work, without which there is nothing to learn."""

WIDEST = 4_096
"""One-hot inputs that the network takes."""


@dataclass(frozen=True, kw_only=True)
class Conservative(Surrogate):
    """Learns costs from a log so that what looks good is good.

    Designs that tempt the model while it learns, and designs known not to work, are pushed up
    (`alpha`, `beta`; see `losses`). How hard is decided offline, by how well the model ranks the
    best designs of the log, which it is not shown. Then the chosen recipe learns from all rows.

    With several applications, and their layers known, the model is contextual: it learns how the
    design and the features of the network act together, and can be asked about another network.

    Attributes:
        alpha: weight on tempting designs; chosen from 0, 0.1 and 0.5 if None.
        beta: weight on designs that do not work; chosen from 0 and 0.1 if None.
        margin: by how much a tempting design may look better than the best in the log before it is
            pushed up, in standard deviations. Very negative values push all, as in PRIME.
        ceiling: cost up to which designs that do not work are pushed, in standard deviations above
            the mean.
        miner: finds tempting designs: `evolution`, `firefly` or `gibbs`.
        mined: tempting designs in a step.
        contextual: `on`, `off`, or `auto`: on if there are several applications.
        over_limit: designs that work but break a limit of the goal are `learned`, or `refused`
            like those that do not work, as in PRIME.
        ranking_weight: of the ranking loss.
        feasibility_weight: of telling apart what works, by an output of its own; where it is 0,
            all is taken to work.
        members: networks of the ensemble, which differ in their seed.
        held_out: share of the best designs that decides, and is learned from only at the end.
        steps, batch, learning_rate: of Adam; see `training`. With four times as many steps,
            the designs proposed from the logs here were no better.
        ordered: embeddings of numbers begin in their order; in PRIME they begin at random.
        trend: the network learns what is left of a power law in the design's numbers, which also
            reaches values that few logged designs have; PRIME has none.
        blocks: of attention among the fields; PRIME has two. On the logs here they gain nothing,
            and a step with them takes five times as long.
        width, attention_heads, hidden, votes, dropout: see `field_network`.
        device: where PyTorch computes: `cpu`, `cuda`.

    Source:
        Kumar, Yazdanbakhsh, Hashemi, Swersky, Levine, "Data-Driven Offline Optimization for
        Architecting Hardware Accelerators" (PRIME), ICLR 2022.
    """

    alpha: float | None = None
    beta: float | None = None
    margin: float = 0.5
    ceiling: float = 3.0
    miner: Miner = "evolution"
    mined: int = 64
    contextual: Contextual = "auto"
    over_limit: OverLimit = "learned"
    ranking_weight: float = 0.0
    feasibility_weight: float = 0.3
    members: int = 3
    held_out: float = 0.2
    steps: int = 400
    batch: int = 128
    learning_rate: float = 3e-3
    ordered: bool = True
    trend: bool = True
    width: int = 32
    blocks: int = 0
    attention_heads: int = 4
    hidden: int = 128
    votes: int = 1
    dropout: float = 0.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        require_within(
            "conservative",
            self,
            alpha=(0.0, 1e3),
            beta=(0.0, 1e3),
            margin=(-100.0, 100.0),
            ceiling=(-10.0, 10.0),
            mined=(2, 65_536),
            ranking_weight=(0.0, 1e3),
            feasibility_weight=(0.0, 1e3),
            members=(1, 64),
            held_out=(0.01, 0.5),
            steps=(1, 10_000_000),
            batch=(2, 65_536),
            learning_rate=(1e-9, 1.0),
        )
        for name, kind in (("miner", Miner), ("contextual", Contextual), ("over_limit", OverLimit)):
            if getattr(self, name) not in get_args(kind):
                raise OptionError(
                    f"conservative: {name}: got {getattr(self, name)!r}",
                    hint=f"known: {', '.join(get_args(kind))}",
                )
        try:
            self._network((2,), context=0, outputs=2)
            torch.device(self.device)
        except (OptionError, RuntimeError) as error:
            raise OptionError(f"conservative: {error}") from error
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise OptionError("conservative: device: PyTorch finds no GPU here", hint="device=cpu")

    def fit(self, dataset: Dataset, goal: Goal) -> Fitted:
        """A predictor, with how good it is; see `Surrogate`."""
        require_learnable(dataset, goal)
        blank = self._blank(dataset, goal)
        examples = examples_of(blank, dataset, refused=self._refused(dataset, goal))
        parts = split(dataset, goal, share=self.held_out, seed=self.seed)
        choice = self._choose(blank, dataset, examples, parts)
        self.report(
            f"chosen: alpha {choice.recipe.alpha:g}, beta {choice.recipe.beta:g}, "
            f"{choice.trained.step} steps; now learning from all {len(dataset):,} rows"
        )
        recipe = replace(choice.recipe, steps=choice.trained.step)
        final = [
            train(examples, self._shape(blank), recipe, seed=self.seed + 1 + i).network
            for i in range(self.members)
        ]
        return Fitted(
            predictor=replace(blank, members=TorchMembers(tuple(final))),
            log=dataset,
            surrogate="conservative",
            options=self._content(),
            accuracy=choice.card(blank, dataset, parts),
        )

    def _blank(self, dataset: Dataset, goal: Goal) -> FieldPredictor:
        """The predictor to be, without networks."""
        wanted = [*goal.objectives, *(Objective(limit.metric) for limit in goal.limits)]
        targets = [Target.of(dataset, o) for o in {o.metric: o for o in reversed(wanted)}.values()]
        targets.sort(key=lambda target: target.metric != goal.objectives[0].metric)
        if targets[0].constant:
            raise OptionError(
                f"metric {targets[0].metric}: all designs that work have the same value: "
                "there is nothing to learn"
            )
        scale = self._context_scale(dataset)
        names = dataset.applications
        contexts = {
            name: scale(dataset.workloads[name]) if scale else np.zeros(0) for name in names
        }
        return FieldPredictor(
            space=dataset.space,
            goal=goal,
            targets=tuple(targets),
            contexts=contexts,
            context_scale=scale,
            members=TorchMembers(()),
        )

    def _context_scale(self, dataset: Dataset) -> ContextScale | None:
        """What tells applications apart; None if nothing is to."""
        names = dataset.applications
        if self.contextual == "off" or (self.contextual == "auto" and len(names) == 1):
            return None
        if len(names) == 1:
            raise OptionError(
                f"conservative: contextual: the log is of one application, {names[0]}: "
                "there is nothing to tell apart",
                hint="add logs of other networks, or say contextual=off",
            )
        for name in names:
            if name not in dataset.workloads:
                raise OptionError(
                    f"conservative: contextual: the layers of {name!r} are not known",
                    hint=f"--workload FILE that is called {name}, or contextual=off",
                )
        return ContextScale.of([dataset.workloads[name] for name in names])

    def _shape(self, blank: FieldPredictor) -> NetworkShape:
        return self._network(
            blank.space.fields,
            context=len(FEATURES) if blank.context_scale else 0,
            outputs=len(blank.targets) + 1,
        )

    def _network(self, sizes: tuple[int, ...], *, context: int, outputs: int) -> NetworkShape:
        return NetworkShape(
            fields=sizes,
            context=context,
            outputs=outputs,
            width=self.width,
            blocks=self.blocks,
            attention_heads=self.attention_heads,
            hidden=self.hidden,
            votes=self.votes,
            dropout=self.dropout,
        )

    def _refused(self, dataset: Dataset, goal: Goal) -> Bools:
        """Designs that work and whose cost is not learned, shape `(n,)`."""
        if self.over_limit == "learned":
            return np.zeros(len(dataset), dtype=bool)
        return dataset.feasible & ~dataset.accepted(goal)

    def _choose(
        self, blank: FieldPredictor, dataset: Dataset, examples: Examples, parts: Split
    ) -> Choice:
        """Trains with each alpha and beta, and takes what ranks the held-out designs best."""
        learned = examples.rows(parts.learned)
        judge = best_slice_judge(blank, dataset, parts)
        choices = []
        for alpha, beta in product(
            ALPHAS if self.alpha is None else (self.alpha,),
            BETAS if self.beta is None else (self.beta,),
        ):
            recipe = self._recipe(alpha, beta)
            trained = train(learned, self._shape(blank), recipe, seed=self.seed, judge=judge)
            choices.append(Choice(recipe, trained))
            self.report(
                f"alpha {alpha:g}, beta {beta:g}: rank correlation {trained.score:.3f} on the "
                f"best designs, held out, after {trained.step} steps"
            )
        best = max(choices, key=lambda choice: choice.trained.score)
        return replace(best, tried=tuple(choices))

    def _recipe(self, alpha: float, beta: float) -> Recipe:
        return Recipe(
            alpha=alpha,
            beta=beta,
            margin=self.margin,
            ceiling=self.ceiling,
            miner=self.miner,
            mined=self.mined,
            ordered=self.ordered,
            trend=self.trend,
            ranking_weight=self.ranking_weight,
            feasibility_weight=self.feasibility_weight,
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.learning_rate,
            device=self.device,
        )

    def _content(self) -> dict[str, Any]:
        """The options, as plain data."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.compare}


def require_learnable(dataset: Dataset, goal: Goal) -> None:
    """Raises OptionError unless there is something to learn for `goal`."""
    if len(goal.objectives) != 1:
        names = ", ".join(map(str, goal.objectives))
        raise OptionError(f"expected one objective, got {names}", hint="edp, say, joins two")
    if not len(dataset):
        raise OptionError("the log is empty: there is nothing to learn from")
    works = int(dataset.feasible.sum())
    if works == 0:
        raise OptionError(
            f"none of the {len(dataset):,} designs in the log works: there is nothing to learn",
            hint=f"most frequent reason: {_most_frequent(dataset)}",
        )
    if works < FEWEST:
        raise OptionError(
            f"only {works} designs in the log work, at least {FEWEST} are needed",
            hint="log more designs",
        )
    goal.check_metrics(dataset.metrics)
    try:
        width = sum(dataset.space.fields)
    except DesignError as error:
        raise OptionError(f"conservative: {error}", hint="give the real values a grid") from error
    if width > WIDEST:
        raise OptionError(
            f"conservative: the space has {width:,} choices in all, at most {WIDEST:,} can be told "
            "apart",
            hint="give its widest parameters a coarser grid",
        )


def _most_frequent(dataset: Dataset) -> str:
    reasons, counts = np.unique(dataset.infeasible.astype(str), return_counts=True)
    return str(reasons[np.argmax(counts)])
