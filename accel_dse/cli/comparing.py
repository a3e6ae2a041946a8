"""What `accel-dse compare` does."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from accel_dse.cli.building import not_counted
from accel_dse.cli.searching import Search
from accel_dse.comparison import (
    Contest,
    Contestant,
    Outcome,
    Sensitivity,
    outcome,
    play,
    read_curves,
    vary,
)
from accel_dse.errors import OptionError
from accel_dse.files.study_file import Choice
from accel_dse.report.standings import effects_table, ranking
from accel_dse.study import Study
from accel_dse.trial_log import TrialLog

WARM = "warm_start"
"""An option that every contestant has: a log of a related task."""


@dataclass(frozen=True)
class Searches:
    """Makes the study of a run from names, so that each process loads what it needs."""

    search: Search

    def __call__(self, contestant: Contestant, seed: int, log: TrialLog) -> Study:
        """The search, by this contestant."""
        return self.of(contestant, seed).study(log)

    def of(self, contestant: Contestant, seed: int) -> Search:
        """What this contestant does; its option `warm_start` names a log to begin from."""
        options = dict(contestant.options)
        begun = (str(options.pop(WARM)),) if WARM in options else ()
        choice = Choice(contestant.optimizer, options)
        return replace(self.search, optimizer=choice, seed=seed, warm_start=begun)

    def varied(self, contestant: Contestant) -> Sensitivity:
        """A contestant, and each of its options at other values."""
        plain = replace(self.search, optimizer=Choice("random", {}), warm_start=())
        with TemporaryDirectory() as folder:
            study = plain.study(TrialLog(str(Path(folder) / "none.sqlite")))
            study.simulator.close()
        return vary(contestant, study.problem)


def compare(
    search: Search,
    optimizers: Sequence[str],
    sensitivity: Sequence[str],
    *,
    seeds: int,
    workers: int,
    minutes: float | None,
    retry: bool,
    folder: Path,
    page: Path | None,
    as_json: bool,
) -> None:
    """Plays the contest and prints how the contestants stand.

    Args:
        search: the problem, the simulator and the budget.
        optimizers: contestants, as people type them.
        sensitivity: contestants whose options are varied, as people type them.
        seeds, workers, minutes, retry, folder, page, as_json: see the help.

    Raises:
        OptionError: an optimizer or an option of it is wrong; nothing has run then.
    """
    if not optimizers and not sensitivity:
        raise OptionError("no optimizer is named", hint="--optimizer evolution --optimizer random")
    searches, say = Searches(search), partial(print, file=sys.stderr)
    named = [one for text in optimizers for one in Contestant.parse(text)]
    varied = [searches.varied(one) for text in sensitivity for one in Contestant.parse(text)]
    contest = Contest(
        make_study=searches,
        contestants=_joined(named, varied),
        seeds=range(seeds),
        trials=search.trials,
        batch=search.batch,
        minutes=minutes,
        folder=folder,
    )
    title = _rehearse(contest, searches, say)
    runs = play(contest, workers=workers, retry=retry, say=say)
    curves = read_curves(contest, runs, search.goal)
    curves.write(folder / "curves.parquet")
    found = outcome(title, curves, varied)
    from accel_dse.report.curves import save

    save(found.curves, found.standings, title, folder / "curves.png")
    if page is not None:
        _write(page, found)
    if as_json:
        print(json.dumps(found.content(), indent=2))
        return
    console = Console()
    console.print(Text(title))
    if named:
        console.print(ranking(found.standings, found.duels, search.goal))
    for one, effects in found.effects:
        console.print(effects_table(one, effects, seeds, search.goal))
    console.print(f"[dim]curves: {folder / 'curves.png'}, {folder / 'curves.parquet'}")


def _joined(named: Sequence[Contestant], varied: Sequence[Sensitivity]) -> list[Contestant]:
    """All contestants; one that is both named and varied takes part once."""
    others = [one for sensitivity in varied for one in sensitivity.contestants]
    labels = [one.label for one in named]
    return [*named, *(one for one in others if one.label not in labels)]


def _write(page: Path, found: Outcome) -> None:
    from accel_dse.report.contest_page import contest_page

    text = contest_page(found)
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{page}: cannot be written: {error.strerror}") from error


def _rehearse(contest: Contest, searches: Searches, say: Callable[[str], object]) -> str:
    """Makes each contestant's study once, so that what is wrong is known before anything runs.

    Returns:
        The problem in one line.
    """
    title = ""
    with TemporaryDirectory() as folder:
        for place, contestant in enumerate(contest.contestants):
            log = TrialLog(str(Path(folder) / f"{place}.sqlite"))
            study = searches.of(contestant, 0).study(log, say)
            study.simulator.close()
            problem = study.problem
            networks = " + ".join(workload.name for workload, _ in problem.workloads)
            goal = ", ".join([*map(str, problem.goal.objectives), *map(str, problem.goal.limits)])
            title = f"{problem.space.name} x {networks} · {goal}"
    for remark in filter(None, (not_counted(network) for network, _ in problem.workloads)):
        say(remark)
    return title
