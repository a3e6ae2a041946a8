"""How much of the objectives' box the front of each run beats, as it goes on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from accel_dse.report.runs import Run, labels

MARKS = 24
"""Trial counts at which it is computed."""


def hypervolumes(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One line for each run with an accepted design; nothing if there is one objective."""
    goal = runs[0].goal
    if len(goal.objectives) < 2:
        return []
    # late: it loads botorch
    from accel_dse.comparison.hypervolume import fronts_box, hypervolume

    accepted = [[trial for trial in run.trials if goal.accepts(trial)] for run in runs]
    costs = [np.array([goal.costs(trial.metrics) for trial in found]) for found in accepted]
    if not any(len(one) for one in costs):
        return []
    box = fronts_box([one for one in costs if len(one)])
    lines = []
    for label, run, found, cost in zip(labels(runs), runs, accepted, costs):
        if not found:
            continue
        came = np.array([trial.index for trial in found])
        at = np.unique(np.geomspace(came[0] + 1, len(run.trials), MARKS).astype(int))
        share = [hypervolume(cost[came < n], box) for n in at]
        name = f"{label}, seed {run.study.seed}"
        lines.append({"name": name, "at": at.tolist(), "share": share})
    return lines
