"""Optimizers against each other: same problem, same budget, paired seeds, every call counted."""

from accel_dse.comparison.contest import Arena, Contest, Contestant
from accel_dse.comparison.curves import Curves, read_curves
from accel_dse.comparison.outcome import Outcome, outcome
from accel_dse.comparison.quartiles import quartiles
from accel_dse.comparison.runs import Run, play
from accel_dse.comparison.sensitivity import Effect, Sensitivity, effects, vary
from accel_dse.comparison.standings import Duel, Standing, duels, standings

__all__ = [
    "Arena",
    "Contest",
    "Contestant",
    "Curves",
    "Duel",
    "Effect",
    "Outcome",
    "Run",
    "Sensitivity",
    "Standing",
    "duels",
    "effects",
    "outcome",
    "play",
    "quartiles",
    "read_curves",
    "standings",
    "vary",
]
