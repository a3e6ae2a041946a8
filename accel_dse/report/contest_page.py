"""A contest as one page that opens offline: curves, who is ahead and how surely, what it took."""

from typing import Any

import numpy as np

from accel_dse import __version__
from accel_dse.comparison import Curves, Effect, Outcome, Sensitivity, Standing
from accel_dse.comparison.sensitivity import LEVEL
from accel_dse.comparison.standings import NEAR
from accel_dse.report.html import page
from accel_dse.report.standings import remarks

SCRIPTS = ("base.js", "contest.js")


def contest_page(outcome: Outcome) -> str:
    """The whole page.

    Raises:
        OptionError: the chart library is not installed.
    """
    return page(content(outcome), frame="contest.html", scripts=SCRIPTS)


def content(outcome: Outcome) -> dict[str, Any]:
    """What the page shows, as plain data, by part."""
    curves = outcome.curves
    seeds = max(standing.seeds for standing in outcome.standings)
    objective = curves.goal.objectives[0]
    return {
        "about": {
            "title": outcome.title,
            "live": False,
            "metric": objective.metric,
            "sense": objective.sense,
            "budget": curves.budget,
            "seeds": seeds,
            "near": NEAR,
            "level": LEVEL,
            "facts": {
                "problem": outcome.title,
                "simulations of each run": f"{curves.budget:,}; infeasible ones count",
                "seeds": f"{seeds}, the same for all contestants",
                "made by": f"accel_dse {__version__}",
            },
        },
        "lines": [_line(curves, standing) for standing in outcome.standings],
        "standings": [standing.content() for standing in outcome.standings],
        "duels": [duel.content() for duel in outcome.duels],
        "sensitivity": [_varied(one, found, seeds) for one, found in outcome.effects],
    }


def _line(curves: Curves, standing: Standing) -> dict[str, Any]:
    """Quartiles of the best value so far, where any of them changes; None before a design."""
    steps = curves.quartiles(standing.label)
    filled = np.nan_to_num(steps, nan=np.inf)
    turns = np.flatnonzero((filled[:, 1:] != filled[:, :-1]).any(axis=0)) + 1
    at = np.unique([0, *turns, steps.shape[1] - 1])
    return {
        "label": standing.label,
        "at": (at + 1).tolist(),
        **dict(zip(("low", "middle", "high"), steps[:, at].tolist())),
    }


def _varied(one: Sensitivity, found: list[Effect], seeds: int) -> dict[str, Any]:
    """The variations of one optimizer."""
    return {
        "label": one.base.label,
        "effects": [effect.content() for effect in found],
        "remarks": remarks(one, seeds),
    }
