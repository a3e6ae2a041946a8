"""Bayesian optimization of several objectives at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from botorch.utils.multi_objective.box_decompositions.non_dominated import (
    FastNondominatedPartitioning,
)
from botorch.utils.multi_objective.hypervolume import Hypervolume
from numpy.typing import NDArray
from scipy.special import logsumexp

from accel_dse.optimizers.acquisition import log_expected_improvement
from accel_dse.optimizers.bayesian import BayesianOptimizer
from accel_dse.optimizers.belief import Belief
from accel_dse.optimizers.elite import fronts
from accel_dse.problem import Goal
from accel_dse.trial import Trial

Floats = NDArray[np.float64]

MARGIN = 0.1
"""How far beyond the front the reference point lies, as a share of the front's range.

Source: BoTorch's `infer_reference_point`."""


@dataclass(kw_only=True)
class ParetoBO(BayesianOptimizer):
    """Proposes the design that should enlarge the dominated hypervolume most, if it is accepted.

    The expectation is exact, not sampled: each objective has its own Gaussian process and
    simulators repeat themselves, so that what the front is, is known. It is taken on the scale of
    the models (the logarithm where a metric is positive): shares count, not units.

    Source:
        Expected hypervolume improvement over boxes: Yang et al., "Efficient computation of
        expected hypervolume improvement using box decomposition algorithms", 2019; boxes by
        BoTorch; its logarithm as in Ament et al., NeurIPS 2023 (qLogNEHVI estimates the same
        number where measurements are noisy).
    """

    def _worth(self, belief: Belief, x: Floats) -> Floats:
        means, stds = belief.costs(x)
        if means.shape[1] == 1:
            return log_expected_improvement(means[:, 0], stds[:, 0], float(belief.accepted.min()))
        return log_expected_hypervolume_improvement(means, stds, *_boxes(belief.accepted))


def log_expected_hypervolume_improvement(
    means: Floats, stds: Floats, lower: Floats, upper: Floats
) -> Floats:
    """Log of the expected hypervolume that each of `m` designs would add, `(m,)`.

    In each box of the region that nothing dominates yet, a design adds what of the box is above
    it; in expectation that is a product over objectives of `E[(upper - cost)+] - E[(lower -
    cost)+]`.

    Args:
        means, stds: what is believed of the costs, `(m, k)` each.
        lower, upper: `b` disjoint boxes, `(b, k)` each; lower may be minus infinity.
    """
    total = np.zeros((len(means), len(lower)))
    for k in range(means.shape[1]):
        mean, std = means[:, k, None], stds[:, k, None]
        whole = log_expected_improvement(mean, std, upper[:, k])
        bounded = np.isfinite(lower[:, k])
        missing = log_expected_improvement(mean, std, np.where(bounded, lower[:, k], upper[:, k]))
        gap = np.where(bounded, np.minimum(missing - whole, -1e-12), -np.inf)
        total += whole + np.log1p(-np.exp(gap))
    return np.asarray(logsumexp(total, axis=1))


def _boxes(costs: Floats) -> tuple[Floats, Floats]:
    """The region below the reference point that `n` costs do not dominate, as boxes."""
    front = np.unique(costs[fronts(costs) == 0], axis=0)
    spread = np.ptp(front, axis=0)
    spread = np.where(spread > 0, spread, np.maximum(np.ptp(costs, axis=0), 1e-3))
    reference = front.max(axis=0) + MARGIN * spread
    partition = FastNondominatedPartitioning(
        ref_point=torch.from_numpy(-reference), Y=torch.from_numpy(-front)
    )
    above, below = (-corner.numpy() for corner in partition.get_hypercell_bounds())
    return below, above


def hypervolume(goal: Goal, trials: Sequence[Trial], reference: Sequence[float]) -> float:
    """What the accepted `trials` dominate of the region better than a reference point.

    Args:
        goal: objectives and limits.
        trials: of any outcome.
        reference: a value of each objective's metric, in order; the same for what is compared.

    Raises:
        ValueError: not as many numbers as objectives.
    """
    if len(reference) != len(goal.objectives):
        raise ValueError(f"{len(reference)} numbers for {len(goal.objectives)} objectives")
    bounds = [float(o.cost(np.array(float(v)))) for o, v in zip(goal.objectives, reference)]
    costs = np.array([goal.costs(trial.metrics) for trial in goal.pareto(trials)])
    better = costs[(costs < bounds).all(axis=1)] if len(costs) else costs
    if not len(better):
        return 0.0
    return float(
        Hypervolume(ref_point=-torch.tensor(bounds, dtype=torch.float64)).compute(
            torch.from_numpy(-better)
        )
    )
