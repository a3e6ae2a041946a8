"""Choosing a model offline: what is held out, and how well it is ranked."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.dataset import Dataset
from accel_dse.problem import Goal
from accel_dse.surrogates.accuracy import FEWEST, accuracy, rank_correlation
from accel_dse.surrogates.field_network import FieldNetwork
from accel_dse.surrogates.field_predictor import FieldPredictor
from accel_dse.surrogates.training import Examples, Judge, Recipe, TorchMembers, Trained

Bools = NDArray[np.bool_]

TYPICAL = 0.05
"""Share of the other rows that is held out, too, for figures about typical designs."""


MOST_JUDGED = 1_000
"""Held-out designs of an application that are ranked at each look."""


@dataclass(frozen=True)
class Split:
    """Rows of a dataset by their part in choosing a model, each of shape `(n,)`.

    Attributes:
        learned: are learned from.
        best: the best designs, held out: what a search goes for, and a log has few of.
        typical: random others, held out.
    """

    learned: Bools
    best: Bools
    typical: Bools


def split(dataset: Dataset, goal: Goal, *, share: float, seed: int) -> Split:
    """Holds out, of each application, the best `share` of the designs that `goal` accepts.

    Of all that work, where it accepts hardly any.
    """
    best = np.zeros(len(dataset), dtype=bool)
    objective = goal.objectives[0]
    accepted, works = dataset.accepted(goal), dataset.feasible
    for application in dataset.applications:
        own = dataset.application == application
        rows = np.flatnonzero(own & accepted)
        if share * len(rows) < 2 * FEWEST:
            rows = np.flatnonzero(own & works)
        cost = objective.cost(dataset.metrics[objective.metric][rows])
        best[rows[np.argsort(cost, kind="stable")[: int(share * len(rows))]]] = True
    typical = (np.random.default_rng(seed).random(len(dataset)) < TYPICAL) & ~best
    return Split(~best & ~typical, best, typical)


def examples_of(predictor: FieldPredictor, dataset: Dataset, *, refused: Bools) -> Examples:
    """The rows of `dataset` as `predictor`'s networks will see them."""
    parameters = dataset.space.parameters
    choices = np.hstack([p.field_choices(dataset.columns[p.name]) for p in parameters])
    context = np.zeros((len(dataset), len(next(iter(predictor.contexts.values())))), np.float32)
    for application, values in predictor.contexts.items():
        context[dataset.application == application] = values
    targets = [
        target.standardized(dataset.metrics[target.metric], dataset.application)
        for target in predictor.targets
    ]
    return Examples(
        choices,
        context,
        np.column_stack(targets).astype(np.float32),
        dataset.feasible,
        refused,
        tuple(line for parameter in parameters for line in parameter.lines),
    )


def best_slice_judge(predictor: FieldPredictor, dataset: Dataset, parts: Split) -> Judge:
    """Rank correlation on the best designs, held out, on average over the applications."""
    held_out = dataset.rows(_thinned(dataset, parts.best))
    costs = predictor.targets[0].standardized(
        held_out.metrics[predictor.metrics[0]], held_out.application
    )
    slices = [
        (name, held_out.of(name).columns, costs[held_out.application == name])
        for name in held_out.applications
    ]

    def judge(network: FieldNetwork) -> float:
        trial = replace(predictor, members=TorchMembers((network,)))
        return float(
            np.mean(
                [
                    rank_correlation(trial.standardized(columns, name)[:, 0, 0], cost)
                    for name, columns, cost in slices
                ]
            )
        )

    return judge


def _thinned(dataset: Dataset, rows: Bools) -> NDArray[np.int64]:
    """Places of some of `rows`: of each application at most `MOST_JUDGED`, evenly spaced."""
    places = []
    for application in dataset.applications:
        own = np.flatnonzero(rows & (dataset.application == application))
        places.append(own[:: -(-max(len(own), 1) // MOST_JUDGED)])
    return np.concatenate(places)


@dataclass(frozen=True)
class Choice:
    """A recipe, and what came of it without the rows that are held out.

    Attributes:
        recipe: how it was trained.
        trained: the network, at its best.
        tried: all choices that it was chosen from.
    """

    recipe: Recipe
    trained: Trained
    tried: tuple["Choice", ...] = ()

    def card(self, predictor: FieldPredictor, dataset: Dataset, parts: Split) -> dict[str, Any]:
        """Figures of this network, on what it did not learn from, as plain data."""
        trial = replace(predictor, members=TorchMembers((self.trained.network,)))
        return {
            "alpha": self.recipe.alpha,
            "beta": self.recipe.beta,
            "step": self.trained.step,
            "tried": [
                {
                    "alpha": choice.recipe.alpha,
                    "beta": choice.recipe.beta,
                    "step": choice.trained.step,
                    "kendall": choice.trained.score,
                }
                for choice in self.tried
            ],
            "best": accuracy(trial, dataset.rows(parts.best)),
            "typical": accuracy(trial, dataset.rows(parts.typical)),
        }
