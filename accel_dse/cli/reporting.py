"""What `accel-dse report` does."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from accel_dse.errors import OptionError
from accel_dse.report import tables
from accel_dse.report.runs import Run, labels, read_runs
from accel_dse.report.summary import summarize
from accel_dse.trial_log import TrialLog

PAGE = (".html", ".htm")


def report(
    places: Sequence[str], out: Path | None, *, simulate: bool | None, as_json: bool
) -> None:
    """Reads the logs at `places` and prints what they say; draws it into `out`."""
    runs = read_runs(places)
    if out is not None and out.suffix.lower() in PAGE:
        write_page(runs, TrialLog(places[0]), out, simulate=simulate)
    elif out is not None:
        _draw(runs, TrialLog(places[0]), out, simulate=simulate)
    told = [(run, summarize(run.trials, run.goal)) for run in runs]
    if as_json:
        contents = [
            {
                "log": run.place,
                "optimizer": run.study.optimizer,
                "seed": run.study.seed,
                **summary.content(),
            }
            for run, summary in told
        ]
        print(json.dumps(contents if len(contents) > 1 else contents[0], indent=2))
        return
    for run, summary in told:
        Console().print(tables.report(summary, run.study, run.place))


def write_page(runs: Sequence[Run], log: TrialLog, out: Path, *, simulate: bool | None) -> None:
    """Writes a page about `runs`, the first of which is of `log`.

    Raises:
        OptionError: it cannot be written, or the chart library is missing.
    """
    from accel_dse.cli.remaking import lab
    from accel_dse.report.content import content
    from accel_dse.report.html import page

    with lab(log, runs[0].study, simulate=simulate) as found:
        text = page(content(runs, found))
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{out}: cannot be written: {error.strerror}") from error


def _draw(runs: Sequence[Run], log: TrialLog, out: Path, *, simulate: bool | None) -> None:
    """Draws figures of `runs`, the first of which is of `log`, and says where they are."""
    from accel_dse.cli.remaking import lab
    from accel_dse.report import paper

    searched = ", ".join(dict.fromkeys(labels(runs)))
    title = tables.title(replace(runs[0].study, optimizer=searched))
    with lab(log, runs[0].study, simulate=simulate) as found:
        drawn = paper.save(runs, found, title, out)
    print("drawn:", *drawn, file=sys.stderr)
    if found.reason:
        print(f"the best design is not: {found.reason}", file=sys.stderr)
