"""Committees of regressors, and which kinds of them suit the data."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

Floats = NDArray[np.float64]

KINDS: Mapping[str, Callable[[int], Any]] = {
    "quadratic": lambda seed: make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2),
        StandardScaler(),
        RidgeCV(alphas=np.logspace(-3, 3, 13)),
    ),
    "forest": lambda seed: ExtraTreesRegressor(n_estimators=20, random_state=seed),
    "boosting": lambda seed: GradientBoostingRegressor(
        n_estimators=60, learning_rate=0.15, max_depth=4, subsample=0.7, random_state=seed
    ),
    "network": lambda seed: make_pipeline(
        StandardScaler(),
        MLPRegressor(
            hidden_layer_sizes=(32, 32), learning_rate_init=0.01, max_iter=80, random_state=seed
        ),
    ),
}
"""Name -> a model, untrained, of a seed. All are trained on one core, the same way every time."""

UNCHECKED = partial(config_context, assume_finite=True, skip_parameter_validation=True)
"""Spares scikit-learn's checks of what is known to be right: they take as long as the work."""

NEEDED = {"boosting": 60, "network": 60}
"""Samples below which a kind is not tried: it takes longest, and does not win."""

WIDEST_QUADRATIC = 40
"""Inputs beyond which a polynomial has too many terms."""

FOLDS = 4
"""Models in a committee: each is trained without another quarter of the data."""

AS_GOOD = 1.25
"""A kind whose squared error is at most this many times the least belongs to the ensemble."""

MOST_KINDS = 2
"""Kinds in an ensemble."""


@dataclass(frozen=True)
class Committee:
    """Models of one kind, each trained without one fold of the data.

    Attributes:
        models: one for each fold.
        unseen: what they predict for each sample in the fold they did not see, shape `(n,)`.
    """

    models: Sequence[Any]
    unseen: Floats

    @classmethod
    def fitted(cls, kind: str, inputs: Floats, targets: Floats, seed: int) -> "Committee":
        """Trains a committee.

        Args:
            kind: one of `KINDS`.
            inputs: shape `(n, d)`.
            targets: shape `(n,)`, standardized.
            seed: fixes the folds and the models.
        """
        fold = np.random.default_rng(seed).permutation(len(targets)) % FOLDS
        models, unseen = [], np.zeros(len(targets))
        for i in range(FOLDS):
            seen, held = fold != i, fold == i
            model = KINDS[kind](seed + i)
            with UNCHECKED(), warnings.catch_warnings():
                # a network that is not done after its epochs is judged by its error, as all are
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(inputs[seen], targets[seen])
            models.append(model)
            if held.any():
                unseen[held] = _predicted(model, inputs[held])
        return cls(models, unseen)

    def predict(self, inputs: Floats) -> Floats:
        """What each model predicts, shape `(FOLDS, n)`."""
        with UNCHECKED():
            return np.array([_predicted(model, inputs) for model in self.models])


@dataclass(frozen=True)
class Ensemble:
    """What is predicted of one quantity.

    Attributes:
        committees: of the kinds that suit the data.
        center, scale: undo the standardization of the targets.
        error: root mean square error on unseen samples, in the quantity's unit.
    """

    committees: tuple[Committee, ...]
    center: float
    scale: float
    error: float

    @classmethod
    def fitted(cls, kinds: Sequence[str], inputs: Floats, targets: Floats, seed: int) -> "Ensemble":
        """Trains committees of `kinds`; the arguments are those of `Committee`."""
        center, scale = float(targets.mean()), float(targets.std()) or 1.0
        standard = (targets - center) / scale
        committees = tuple(Committee.fitted(kind, inputs, standard, seed) for kind in kinds)
        unseen = np.mean([committee.unseen for committee in committees], axis=0)
        error = float(np.sqrt(np.mean((unseen - standard) ** 2)))
        return cls(committees, center, scale, error * scale)

    def predict(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Means and standard deviations, both of shape `(n,)`.

        The deviation is the models' disagreement and, as they may all be wrong, their error on
        samples that they had not seen.
        """
        each = np.concatenate([committee.predict(inputs) for committee in self.committees])
        spread = each.std(axis=0) * self.scale
        return each.mean(axis=0) * self.scale + self.center, np.hypot(spread, self.error)


def suitable_kinds(inputs: Floats, targets: Floats, seed: int) -> tuple[str, ...]:
    """The kinds of models that predict unseen samples best, best first.

    Args:
        inputs: shape `(n, d)`.
        targets: shape `(n,)`.
        seed: fixes the folds.

    Source:
        Model-based optimization by an ensemble of the regressors that cross-validation favors:
        Angermueller et al., "Model-based reinforcement learning for biological sequence design"
        (DyNA-PPO), ICLR 2020. There a kind needs a score above a threshold; here it must be about
        as good as the best.
    """
    standard = (targets - targets.mean()) / (targets.std() or 1.0)
    errors = {}
    for kind in _worth_trying(*inputs.shape):
        unseen = Committee.fitted(kind, inputs, standard, seed).unseen
        errors[kind] = float(np.mean((unseen - standard) ** 2))
    least = min(errors.values())
    good = [kind for kind in errors if errors[kind] <= AS_GOOD * least]
    return tuple(sorted(good, key=errors.__getitem__)[:MOST_KINDS])


def _worth_trying(n: int, d: int) -> list[str]:
    """The kinds that may suit `n` samples of `d` inputs."""
    kinds = [kind for kind in KINDS if n >= NEEDED.get(kind, 0)]
    return [kind for kind in kinds if kind != "quadratic" or d <= WIDEST_QUADRATIC]


def chance_to_work(
    inputs: Floats, works: NDArray[np.bool_], seed: int
) -> Callable[[Floats], Floats]:
    """A model of the chance that a design works, `(n, d)` -> `(n,)`, between 0 and 1 exclusive.

    Args:
        inputs: shape `(n, d)`.
        works: whether each sample did, shape `(n,)`.
        seed: fixes the model.
    """
    if works.all() or not works.any():
        return lambda asked: np.full(len(asked), (works.sum() + 1) / (len(works) + 2))
    forest = ExtraTreesRegressor(n_estimators=60, min_samples_leaf=2, random_state=seed)
    with UNCHECKED():
        forest.fit(inputs, works.astype(np.float64))
    # no forest of 60 trees can be much surer than this
    return lambda asked: np.clip(_predicted(forest, asked), 0.005, 0.995)


def _predicted(model: Any, inputs: Floats) -> Floats:
    """What one model predicts, shape `(n,)`."""
    if isinstance(model, ExtraTreesRegressor):
        # what its own `predict` does, without a pool of workers for each call
        narrow = np.ascontiguousarray(inputs, dtype=np.float32)
        each = [tree.tree_.predict(narrow).ravel() for tree in model.estimators_]
        return np.asarray(np.mean(each, axis=0))
    return np.asarray(model.predict(inputs))
