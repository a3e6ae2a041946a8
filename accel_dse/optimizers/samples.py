"""What models learn from: trials as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.problem import Problem
from accel_dse.space import DesignSpace
from accel_dse.trial import Design, Outcome, Trial

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """`n` trials that ended, `k` of which work, as arrays.

    Attributes:
        designs: what was simulated.
        inputs: what models see of them, shape `(n, d)`.
        works: whether they do, shape `(n,)`.
        costs: objectives of those that work, shape `(k, objectives)`.
        violations: how far those are beyond the limits, shape `(k, limits)`.
    """

    designs: list[Design]
    inputs: Floats
    works: NDArray[np.bool_]
    costs: Floats
    violations: Floats

    @classmethod
    def of(cls, problem: Problem, trials: Sequence[Trial]) -> "Samples":
        """Those of `trials` that teach something."""
        ended = [t for t in trials if t.outcome in (Outcome.FEASIBLE, Outcome.INFEASIBLE)]
        working = [trial for trial in ended if trial.feasible]
        costs = np.array([problem.costs(trial.metrics) for trial in working])
        violations = [
            _gap(limit.bound, np.array([t.metrics[limit.metric] for t in working]))
            * (1.0 if limit.relation == "<=" else -1.0)
            for limit in problem.limits
        ]
        designs = [trial.design for trial in ended]
        return cls(
            designs=designs,
            inputs=model_inputs(problem.space, designs) if designs else np.zeros((0, 0)),
            works=np.array([trial.feasible for trial in ended], dtype=bool),
            costs=costs.reshape(len(working), len(problem.objectives)),
            violations=np.array(violations).reshape(len(problem.limits), len(working)).T,
        )

    def scalar_costs(self, weights: Floats) -> Floats:
        """One cost for each working design, shape `(k,)`; a logarithm where that makes sense.

        Several objectives are scaled to [0, 1], and the worst of them by weight counts (ParEGO).
        """
        costs = np.log(self.costs) if (self.costs > 0).all() else self.costs
        if costs.shape[1] == 1:
            return np.asarray(costs[:, 0])
        low, high = costs.min(axis=0), costs.max(axis=0)
        scaled = (costs - low) / np.where(high > low, high - low, 1.0) * weights
        return np.asarray(scaled.max(axis=1) + 0.05 * scaled.sum(axis=1))


def _gap(bound: float, values: Floats) -> Floats:
    """How far `values` are above `bound`; by ratio if none is negative, as models like it."""
    if bound > 0 and (values > 0).all():
        return np.log(values / bound)
    return values - bound


def model_inputs(space: DesignSpace, designs: Sequence[Design]) -> Floats:
    """What models see of `n` designs: their encoding and the space's features."""
    columns = space.columns(designs)
    features = space.feature_values(columns)
    return np.column_stack([space.encode_columns(columns), *features.values()])
