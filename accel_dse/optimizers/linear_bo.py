"""The published recipe for hardware/software co-design, as a yardstick."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.optimizers.acquisition import lower_confidence_bound
from accel_dse.optimizers.bayesian import BayesianOptimizer
from accel_dse.optimizers.belief import Belief, Learner
from accel_dse.optimizers.climbing import Scored
from accel_dse.plugins import require_within
from accel_dse.surrogates.gaussian_process import LINEAR
from accel_dse.surrogates.inputs import Inputs

Floats = NDArray[np.float64]


@dataclass(kw_only=True)
class LinearBO(BayesianOptimizer):
    """A Gaussian process that is linear in the space's features, and a lower confidence bound.

    Of `candidates` random valid designs, the one whose cost may be lowest is proposed; where
    some trials were infeasible, the bound is taken relative to the best cost known and weighted
    by the chance to be accepted, however small that is (`caution` 0).

    Attributes:
        candidates: random valid designs that compete.
        doubts: standard deviations below the mean that a cost is hoped to be.

    Source:
        Shi, Sakhuja, Hashemi, Swersky, Lin, "Learned Hardware/Software Co-Design of Neural
        Accelerators", arXiv 2010.02075: 150 feasible candidates, doubts 1. How the bound is
        weighted is not published; the soft positive part is ours.
    """

    caution: float = 0.0
    candidates: int = 150
    doubts: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("linear_bo", self, candidates=(1, 100_000), doubts=(0.0, 100.0))

    def _new_learner(self) -> Learner:
        space = self.problem.space
        return Learner(self.problem, Inputs(space, features_only=bool(space.features)), LINEAR)

    def _worth(self, belief: Belief, x: Floats) -> Floats:
        means, stds = belief.costs(x)
        best = belief.accepted.min(axis=0)
        bounds = lower_confidence_bound((means - best).sum(axis=1), stds.sum(axis=1), self.doubts)
        # log of the soft positive part, so that it can be weighted by a probability
        scale = max(float(np.std(bounds)), 1e-9)
        return np.asarray(np.log(np.logaddexp(0.0, bounds / scale)))

    def _candidates(self, belief: Belief, rng: np.random.Generator) -> Scored:
        coded = self.problem.space.sample_coded(self.candidates, rng)
        return Scored(coded, self._score(belief, coded))
