"""Search by a cost model of trees, as compilers tune kernels: a yardstick."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.optimizers.acquisition import log_expected_improvement
from accel_dse.optimizers.bayesian import BayesianOptimizer
from accel_dse.optimizers.belief import Belief, Learner
from accel_dse.surrogates.forest import fit_forest
from accel_dse.surrogates.inputs import Inputs

Floats = NDArray[np.float64]


@dataclass(kw_only=True)
class TreeBO(BayesianOptimizer):
    """As `constrained_bo`, with a forest of randomized trees instead of Gaussian processes.

    What works is still told by the Gaussian classifier. Stands for the learned cost model of TVM
    (Chen et al., "Learning to Optimize Tensor Programs", NeurIPS 2018).
    """

    def _new_learner(self) -> Learner:
        return Learner(self.problem, Inputs(self.problem.space), regress=fit_forest)

    def _worth(self, belief: Belief, x: Floats) -> Floats:
        means, stds = belief.costs(x)
        return log_expected_improvement(
            means.sum(axis=1), stds.sum(axis=1), float(belief.accepted.sum(axis=1).min())
        )
