"""What `accel-dse report` does."""

import json
from pathlib import Path

from rich.console import Console

from accel_dse.problem import Goal
from accel_dse.report import tables
from accel_dse.report.summary import summarize
from accel_dse.trial_log import TrialLog


def report(place: str, out: Path | None, *, as_json: bool) -> None:
    """Reads the log at `place` and prints what it says; draws it into `out`."""
    log = TrialLog(place)
    study = log.study()
    trials = log.read()
    goal = Goal.parse(study.problem["objectives"], study.problem["limits"])
    summary = summarize(trials, goal)
    if out is not None:
        from accel_dse.report import figures

        figures.save(trials, summary, tables.title(study), out)
    if as_json:
        about = {"log": place, "optimizer": study.optimizer, "seed": study.seed}
        print(json.dumps({**about, **summary.content()}, indent=2))
        return
    Console().print(tables.report(summary, study, place))
