"""Everything that a page shows of some runs of one problem, as plain data."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from accel_dse import __version__
from accel_dse.report import tables
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.digest import digest
from accel_dse.report.hypervolume import hypervolumes
from accel_dse.report.importance import importance
from accel_dse.report.runs import Run, labels
from accel_dse.report.trial_columns import packed
from accel_dse.trial import Trial

MOST_CELLS = 3_000_000
"""Values of trials that a page carries: 100,000 trials of 30 columns, some 7 MB."""


def content(runs: Sequence[Run], lab: Lab) -> dict[str, Any]:
    """All parts of a report."""
    kept = _kept(runs)
    found = digest(runs)
    return {
        "about": about(runs, kept=sum(map(len, kept))),
        "trials": [packed(list(enumerate(kept)), runs[0].goal)],
        "digest": found,
        "hypervolume": hypervolumes(runs),
        "references": lab.measured_references(),
        "importance": importance([trial for run in runs for trial in run.trials], runs[0].goal),
        "inside": lab.looked_into(named_best(found, runs)),
    }


def about(runs: Sequence[Run], *, kept: int | None = None, live: bool = False) -> dict[str, Any]:
    """What was searched for, and how."""
    study, goal = runs[0].study, runs[0].goal
    problem = study.problem
    total = sum(len(run.trials) for run in runs)
    networks = ", ".join(
        w["name"] + (f" x {w['weight']:g}" if w["weight"] != 1 else "")
        for w in problem["workloads"]
    )
    several = {"aggregate": problem["aggregate"]} if len(problem["workloads"]) > 1 else {}
    began = min((run.study.created for run in runs if run.study.created), default=0.0)
    return {
        "title": f"{problem['space']['name']} x {networks}",
        "live": live,
        "goal": {
            "objectives": [{"metric": o.metric, "sense": o.sense} for o in goal.objectives],
            "limits": [
                {"metric": li.metric, "relation": li.relation, "bound": li.bound, "text": str(li)}
                for li in goal.limits
            ],
        },
        "facts": {
            "space": problem["space"]["name"],
            "networks": networks,
            **several,
            "simulator": f"{study.simulator}, version {study.simulator_version}",
            "began": datetime.fromtimestamp(began).astimezone().isoformat(" ", "seconds")
            if began
            else "",
            "made by": f"accel_dse {__version__}; the studies by {study.package_version or '?'}",
        },
        "runs": [
            {
                "name": f"{label}, seed {run.study.seed}",
                "place": run.place,
                "search": f"{tables.search(run.study)}; {len(run.trials):,} trials",
            }
            for label, run in zip(labels(runs), runs)
        ],
        "thinned": f"it carries {kept:,} of {total:,} trials: the accepted ones first, and of the "
        "rest some, evenly picked; counts, best designs and limits are of all"
        if kept is not None and kept < total
        else "",
    }


def named_best(found: dict[str, Any], runs: Sequence[Run]) -> list[tuple[str, Trial]]:
    """The best designs, or the nearest to the limits, called as the page calls them."""
    named = [f"{label}, seed {run.study.seed}, " for label, run in zip(labels(runs), runs)]
    return [
        (
            f"{named[one['run']] if len(runs) > 1 else ''}trial {one['trial']:,}",
            runs[one["run"]].trials[one["trial"]],
        )
        for one in found["best"] or found["nearest"]
    ]


def _kept(runs: Sequence[Run]) -> list[Sequence[Trial]]:
    """The trials of each run that a page can carry, in order."""
    total = sum(len(run.trials) for run in runs)
    cells = max((len(t.design) + len(t.metrics) for run in runs for t in run.trials), default=0)
    if total * cells <= MOST_CELLS:
        return [run.trials for run in runs]
    share = MOST_CELLS / (total * cells)
    kept: list[Sequence[Trial]] = []
    for run in runs:
        room = int(share * len(run.trials))
        good = [t.index for t in run.trials if run.goal.accepts(t)]
        rest = [t.index for t in run.trials if not run.goal.accepts(t)]
        chosen = _even(good, max(room, 1))
        chosen += _even(rest, room - len(chosen))
        kept.append([run.trials[i] for i in sorted(chosen)])
    return kept


def _even(indices: Sequence[int], most: int) -> list[int]:
    if len(indices) <= most:
        return list(indices)
    return [indices[i] for i in np.linspace(0, len(indices) - 1, max(most, 0)).astype(int)]
