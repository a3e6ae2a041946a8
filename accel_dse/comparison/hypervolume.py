"""How much of the objectives' box a set of designs beats."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Box = tuple[Floats, Floats]


def fronts_box(fronts: Sequence[Floats]) -> Box:
    """The best and the worst of each objective on the common front of `fronts`, `(objectives,)`.

    Args:
        fronts: costs of accepted designs, `(n, objectives)` each.
    """
    from botorch.utils.multi_objective.pareto import is_non_dominated
    from torch import from_numpy

    costs = np.concatenate(list(fronts))
    if not len(costs):
        ones = np.ones(costs.shape[1])
        return ones, ones
    front = costs[is_non_dominated(from_numpy(-costs)).numpy()]
    return front.min(axis=0), front.max(axis=0)


def hypervolume(costs: Floats, box: Box) -> float:
    """Share of `box`, widened by a tenth at its worst end, that `costs` equal or beat.

    Source: Zitzler and Thiele, 1998; the reference point a tenth beyond the nadir is common use.

    Args:
        costs: of accepted designs, `(n, objectives)`.
        box: best and worst of each objective.
    """
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.multi_objective.pareto import is_non_dominated
    from torch import from_numpy, zeros

    best, worst = box
    span = np.where(worst > best, worst - best, 1.0)
    gains = from_numpy(1.1 - (costs - best) / span)
    gains = gains[(gains > 0).all(dim=1)]
    if not len(gains):
        return 0.0
    front = gains[is_non_dominated(gains)]
    volume = Hypervolume(zeros(front.shape[1], dtype=front.dtype)).compute(front)
    whole: float = 1.1 ** costs.shape[1]
    return float(volume) / whole
