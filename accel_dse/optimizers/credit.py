"""What each member of a portfolio has earned, and the share of the next designs that buys."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.problem import Problem
from accel_dse.trial import Trial

Floats = NDArray[np.float64]

JOIN = " + "
"""Between the names in the source of a design that several members proposed."""


@dataclass(frozen=True)
class Standing:
    """What a search had reached before a round.

    Attributes:
        front: objectives of the accepted designs that no other beats, less is better.
        excess: how far the design nearest to the limits is beyond them, 0 if one is accepted;
            infinite if none works.
    """

    front: tuple[tuple[float, ...], ...] = ()
    excess: float = float("inf")

    def after(self, problem: Problem, trials: Iterable[Trial]) -> "Standing":
        """What it has reached with `trials` as well."""
        working = [trial for trial in trials if trial.feasible]
        excesses = [problem.goal.excess(trial.metrics) for trial in working]
        accepted = {
            problem.costs(trial.metrics) for trial, e in zip(working, excesses) if e == 0
        } | set(self.front)
        front = [
            costs
            for costs in accepted
            if not any(
                other != costs and all(o <= c for o, c in zip(other, costs)) for other in accepted
            )
        ]
        return Standing(tuple(sorted(front)), min([self.excess, *excesses]))

    def reward(self, problem: Problem, trial: Trial) -> float:
        """The relative improvement that `trial` is over what was reached; never negative.

        With one objective `(best - cost) / |best|`. With several, the least share by which a
        design of the front falls behind in its worst objective (the additive epsilon indicator,
        in shares). Until something is accepted, the share of the excess that is gone; the first
        design that works, and the first that is accepted, earn 1.

        Source:
            Angermueller et al., "Population-based black-box optimization for biological sequence
            design" (P3BO), ICML 2020, for the relative improvement over the best before the round;
            Zitzler et al., "Performance assessment of multiobjective optimizers", 2003, for the
            indicator.
        """
        if not trial.feasible:
            return 0.0
        excess = problem.goal.excess(trial.metrics)
        if not self.front:
            if np.isinf(self.excess):
                return 1.0
            return max((self.excess - excess) / self.excess, 0.0)
        if excess > 0:
            return 0.0
        costs = problem.costs(trial.metrics)
        gains = [
            max((old - new) / (abs(old) or 1.0) for old, new in zip(beaten, costs))
            for beaten in self.front
        ]
        return max(min(gains), 0.0)


def round_rewards(problem: Problem, before: Standing, trials: Sequence[Trial]) -> dict[str, float]:
    """What each source earned in a round: the reward of its best trial.

    A design that several proposed earns all of them its reward. Who proposed nothing is not
    named.

    Args:
        problem: what is searched for.
        before: what was reached before the round; not after it, or nothing is an improvement.
        trials: of the round.
    """
    earned: dict[str, float] = {}
    for trial in trials:
        reward = before.reward(problem, trial)
        for source in trial.source.split(JOIN) if trial.source else ():
            earned[source] = max(earned.get(source, 0.0), reward)
    return earned


def decayed(
    scores: Mapping[str, float], earned: Mapping[str, float], decay: float
) -> dict[str, float]:
    """Scores after a round: what was just earned counts in full, older rewards less and less.

    Args:
        scores: of each member, before the round.
        earned: in the round; a member that is not named earned nothing.
        decay: what a reward keeps of its worth from one round to the next.
    """
    return {name: earned.get(name, 0.0) + decay * old for name, old in scores.items()}


def shares(scores: Mapping[str, float], *, temperature: float, least: float) -> dict[str, float]:
    """How likely each member is to propose the next design; they add up to 1.

    The softmax of the scores over the temperature, where the largest score counts as 1 (so that
    neither the size of improvements late in a search nor the unit of the objective matters), then
    mixed with an even share, so that nobody is cut off. Equal scores give equal shares.

    Args:
        scores: of each member, not negative.
        temperature: above 0; the larger, the more even.
        least: what no share falls below, as a share of an even one; 0 to 1.
    """
    values = np.array(list(scores.values()))
    scaled = values / (values.max() or 1.0)
    weights = np.exp((scaled - scaled.max()) / temperature)
    mixed = (1 - least) * weights / weights.sum() + least / len(weights)
    return dict(zip(scores, mixed.tolist()))
