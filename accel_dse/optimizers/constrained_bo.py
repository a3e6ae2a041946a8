"""Bayesian optimization that knows its constraints."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.optimizers.acquisition import log_expected_improvement
from accel_dse.optimizers.bayesian import BayesianOptimizer
from accel_dse.optimizers.belief import Belief, Learner
from accel_dse.surrogates.inputs import Inputs

Floats = NDArray[np.float64]


@dataclass(kw_only=True)
class ConstrainedBO(BayesianOptimizer):
    """Proposes the design of greatest expected improvement, weighted by its chance to be accepted.

    Gaussian processes with a Matern kernel and a linear one, on the parameters (by logarithm
    where their scale is) and the features that the space names, model each metric. The
    best-scoring design is found by local search over the space's own neighbors. With several
    objectives each `ask` weighs them anew, at random; `pareto_bo` covers a front better.

    Source:
        Improvement times feasibility: Gardner et al., "Bayesian Optimization with Inequality
        Constraints", ICML 2014; its logarithm: Ament et al., NeurIPS 2023. Known constraints kept
        by the search of candidates, hidden ones learned: Shi et al., arXiv 2010.02075, and BaCO,
        ASPLOS 2023.
    """

    def _new_learner(self) -> Learner:
        # drawn in twice, bad designs look close to good ones once most trials are good
        return Learner(self.problem, Inputs(self.problem.space), tames_logs=False)

    def _worth(self, belief: Belief, x: Floats) -> Floats:
        means, stds = belief.costs(x)
        weights = np.ones(1)
        if len(self.problem.objectives) > 1:
            spread = np.maximum(np.ptp(belief.accepted, axis=0), 1e-9)
            weights = self.rng().dirichlet(np.ones(len(spread))) / spread
        mean = means @ weights
        std = np.sqrt((stds * stds) @ (weights * weights))
        return log_expected_improvement(mean, std, float((belief.accepted @ weights).min()))
