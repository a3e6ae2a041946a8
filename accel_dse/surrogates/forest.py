"""Randomized trees: a cost model that needs no scale, and doubts from how trees differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

Floats = NDArray[np.float64]

TREES = 30
"""Trees of a forest."""


@dataclass(frozen=True, eq=False)
class Forest:
    """Extremely randomized trees.

    Attributes:
        trees: fitted.
        least_std: standard deviation that answers have at least: trees agree exactly on what
            they were fitted to, and often far from it.
        x, y: the examples.

    Source:
        Geurts, Ernst, Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006. Doubts
        from how trees differ: Hutter, Hoos, Leyton-Brown (SMAC), LION 2011.
    """

    trees: ExtraTreesRegressor
    least_std: float

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation over trees at `m` inputs, `(m,)` each."""
        rows = np.asarray(x, dtype=np.float32)
        each = np.stack([tree.tree_.predict(rows)[:, 0] for tree in self.trees.estimators_])
        return each.mean(axis=0), np.maximum(each.std(axis=0), self.least_std)

    def mean(self, x: Floats) -> Floats:
        """Mean over trees at `m` inputs, `(m,)`."""
        return self.predict(x)[0]

    def conditioned(self, x: Floats, y: Floats) -> "Forest":
        """Itself: trees do not take back what they do not know."""
        return self


def fit_forest(x: Floats, y: Floats) -> Forest:
    """The forest of `n` examples; always the same one.

    Args:
        x: inputs, shape `(n, d)`.
        y: targets, shape `(n,)`.
    """
    trees = ExtraTreesRegressor(TREES, min_samples_leaf=1, random_state=0).fit(x, y)
    return Forest(trees, max(1e-2 * float(y.std()), 1e-9))
