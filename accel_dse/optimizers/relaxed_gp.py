"""Bayesian optimization out of the box, which takes designs for points of a cube: a yardstick."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import rows
from accel_dse.optimizers.acquisition import log_expected_improvement
from accel_dse.optimizers.bayesian import BayesianOptimizer
from accel_dse.optimizers.belief import Belief, Learner
from accel_dse.optimizers.climbing import Scored
from accel_dse.surrogates.inputs import Inputs

Floats = NDArray[np.float64]

DRAWN = 1024
"""Random points of the cube that are scored."""

REFINED = 16
"""Best of them that are moved further."""

ROUNDS = 6
"""Moves, each half as far as the one before."""


@dataclass(kw_only=True)
class RelaxedGP(BayesianOptimizer):
    """Relax and round: improvement is sought over the whole unit cube, then rounded to a design.

    What a rounded design is like is not looked at again, but that it keeps the known constraints.

    Source: the usual way to use a continuous optimizer on discrete designs, and its weakness:
        Garrido-Merchan and Hernandez-Lobato, Neurocomputing 380, 2020.
    """

    def _new_learner(self) -> Learner:
        return Learner(self.problem, Inputs(self.problem.space, features=False))

    def _worth(self, belief: Belief, x: Floats) -> Floats:
        means, stds = belief.costs(x)
        return log_expected_improvement(
            means.sum(axis=1), stds.sum(axis=1), float(belief.accepted.sum(axis=1).min())
        )

    def _candidates(self, belief: Belief, rng: np.random.Generator) -> Scored:
        space, inputs = self.problem.space, self._learner.inputs
        codes = rng.random((DRAWN, space.width))
        worth = self._weighed(belief, inputs.of_codes(codes))
        for i in range(ROUNDS):
            near = codes[np.argsort(-worth, kind="stable")[:REFINED]]
            moved = np.repeat(near, 16, axis=0)
            moved = np.clip(moved + rng.normal(0.0, 0.2 / 2**i, moved.shape), 0.0, 1.0)
            codes = np.vstack([codes, moved])
            worth = np.concatenate([worth, self._weighed(belief, inputs.of_codes(moved))])
        columns = space.decode_columns(codes)
        valid = np.flatnonzero(space.satisfied(columns))
        return Scored(space.coding.coded(rows(columns, valid)), worth[valid])
