"""All that a contest showed, for whoever prints or draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accel_dse.comparison.curves import Curves
from accel_dse.comparison.sensitivity import Effect, Sensitivity, effects
from accel_dse.comparison.standings import Duel, Standing, best_known, duels, standings


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a contest showed.

    Attributes:
        title: the problem in one line.
        curves: of all contestants but variations.
        standings: of each of those, best first.
        duels: of each pair of those.
        effects: optimizers whose options were varied, with what each variation did.
    """

    title: str
    curves: Curves
    standings: list[Standing]
    duels: list[Duel]
    effects: tuple[tuple[Sensitivity, list[Effect]], ...]

    def content(self) -> dict[str, Any]:
        """As plain data, without the curves."""
        return {
            "problem": self.title,
            "trials": self.curves.budget,
            "seeds": max(standing.seeds for standing in self.standings),
            "standings": [standing.content() for standing in self.standings],
            "duels": [duel.content() for duel in self.duels],
            "sensitivity": {
                one.base.label: [effect.content() for effect in found]
                for one, found in self.effects
            },
        }


def outcome(title: str, curves: Curves, varied: Sequence[Sensitivity] = ()) -> Outcome:
    """What the runs in `curves`, variations among them, showed."""
    variations = {v.contestant.label for one in varied for v in one.variations}
    rivals = curves.only([label for label in curves.labels if label not in variations])
    return Outcome(
        title=title,
        curves=rivals,
        standings=standings(rivals, best=best_known(curves)),
        duels=duels(rivals),
        effects=tuple((one, effects(one, curves)) for one in varied),
    )
