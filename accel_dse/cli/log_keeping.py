"""What `accel-dse log ...` does."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from accel_dse import log_care
from accel_dse.datasets import trial_table
from accel_dse.errors import LogError, OptionError
from accel_dse.log_rows import StudyDescription
from accel_dse.problem import Goal
from accel_dse.readable import number
from accel_dse.report.tables import title
from accel_dse.trial import Trial
from accel_dse.trial_log import TrialLog


def show(place: str, *, last: int, trial: int | None, as_json: bool) -> None:
    """Prints what the log at `place` is of, or one of its trials.

    Raises:
        OptionError: there is no such trial.
    """
    log = TrialLog(place)
    study, outcomes = log.study(), log.outcomes()
    count = sum(outcomes.values())
    if trial is not None:
        if trial >= count:
            raise OptionError(f"--trial: {log.place} has trials 0 to {count - 1}")
        print(json.dumps(_content(log.read(trial, trial + 1)[0]), indent=2))
        return
    about: dict[str, Any] = {
        "log": log.place,
        "study": title(study),
        "optimizer": study.optimizer,
        "optimizer_options": dict(study.optimizer_options),
        "seed": study.seed,
        "simulator": study.simulator,
        "simulator_version": study.simulator_version,
        "package_version": study.package_version,
        "created": _time(study.created),
        "trials": count,
        **{str(outcome): n for outcome, n in outcomes.items() if n},
        "under_way": len(log.tickets(unfinished=True)),
        "bytes": log_care.size_bytes(place),
    }
    shown = log.read(max(count - last, 0), count)
    if as_json:
        print(json.dumps({**about, "last": [_content(each) for each in shown]}, indent=2))
        return
    console = Console()
    grid = Table.grid(padding=(0, 2))
    for name, value in about.items():
        grid.add_row(name.replace("_", " "), Text(_plain(value)))
    console.print(grid)
    if shown:
        console.print(_table(shown, study))


def _table(trials: Sequence[Trial], study: StudyDescription) -> Table:
    """The trials, with the metrics that objectives and limits name."""
    goal = Goal.parse(study.problem["objectives"], study.problem["limits"])
    wanted = [o.metric for o in goal.objectives] + [limit.metric for limit in goal.limits]
    metrics = list(dict.fromkeys(wanted))
    table = Table("trial", "ended", box=None)
    for name in metrics:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("outcome", overflow="fold")
    for trial in trials:
        values = [number(trial.metrics[n]) if n in trial.metrics else "" for n in metrics]
        said = trial.outcome if trial.feasible else f"{trial.outcome}: {trial.reason}"
        table.add_row(str(trial.index), _time(trial.ended)[:19], *values, Text(said))
    return table


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items()) or "none"
    return f"{value:,}" if type(value) is int else str(value)


def export(place: str, out: Path, *, as_json: bool) -> None:
    """Writes the log at `place` to a Parquet file."""
    log = TrialLog(place)
    trials = log.read()
    trial_table.export(log.study(), trials, out)
    _say({"file": str(out), "trials": len(trials)}, f"{len(trials):,} trials -> {out}", as_json)


def merge(places: Sequence[str], out: str, *, as_json: bool) -> None:
    """Brings logs together."""
    logs = [TrialLog(place) for place in places]
    study, trials = log_care.merged(logs)
    log_care.written(out, study, trials)
    again = sum(len(log.read()) for log in logs) - len(trials)
    text = f"{len(trials):,} trials of {len(logs)} logs -> {out}"
    text += f"; {again:,} came twice" if again else ""
    _say({"log": out, "trials": len(trials), "came_twice": again}, text, as_json)


def repair(place: str, out: str, like: str, *, as_json: bool) -> None:
    """Saves what is whole.

    Raises:
        LogError: nothing can be saved.
    """
    study = TrialLog(like).study() if like else None
    repaired = log_care.recovered(place, study)
    if not repaired.kept:
        raise LogError(f"{place}: not one whole trial is left in it")
    log_care.written(out, repaired.study, repaired.kept)
    lost = repaired.lost
    text = f"{len(repaired.kept):,} whole trials -> {out}"
    if lost:
        named = ", ".join(map(str, lost[:20])) + (", ..." if len(lost) > 20 else "")
        text += f"; {len(lost):,} are lost: {named}; those after them have new numbers"
    text += f"; any after the last one kept are lost, too: compare with what {place} should hold"
    _say({"log": out, "kept": len(repaired.kept), "lost": lost}, text, as_json)


def _say(content: dict[str, Any], text: str, as_json: bool) -> None:
    print(json.dumps(content, indent=2) if as_json else text)


def _content(trial: Trial) -> dict[str, Any]:
    return {
        "index": trial.index,
        "outcome": trial.outcome,
        "reason": trial.reason,
        "design": dict(trial.design),
        "metrics": dict(trial.metrics),
        "source": trial.source,
        "started": _time(trial.started),
        "ended": _time(trial.ended),
        "host": trial.host,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds") if seconds else ""
