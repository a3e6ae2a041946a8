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

from accel_dse.cli.searching import Search
from accel_dse.comparison import Contest, Contestant, duels, play, read_curves, standings
from accel_dse.errors import OptionError
from accel_dse.files.study_file import Choice
from accel_dse.report.standings import ranking
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


def compare(
    search: Search,
    optimizers: Sequence[str],
    *,
    seeds: int,
    workers: int,
    minutes: float | None,
    retry: bool,
    folder: Path,
    as_json: bool,
) -> None:
    """Plays the contest and prints how the contestants stand.

    Raises:
        OptionError: an optimizer or an option of it is wrong; nothing has run then.
    """
    if not optimizers:
        raise OptionError("no optimizer is named", hint="--optimizer evolution --optimizer random")
    searches, say = Searches(search), partial(print, file=sys.stderr)
    contest = Contest(
        make_study=searches,
        contestants=[one for text in optimizers for one in Contestant.parse(text)],
        seeds=range(seeds),
        trials=search.trials,
        batch=search.batch,
        minutes=minutes,
        folder=folder,
    )
    title = _rehearse(contest, searches, say)
    runs = play(contest, workers=workers, retry=retry, say=say)
    curves = read_curves(contest, runs, search.goal)
    found, pairs = standings(curves), duels(curves)
    curves.write(folder / "curves.parquet")
    from accel_dse.report.curves import save

    save(curves, found, title, folder / "curves.png")
    if as_json:
        content = {
            "problem": title,
            "trials": contest.trials,
            "seeds": seeds,
            "standings": [standing.content() for standing in found],
            "duels": [duel.content() for duel in pairs],
        }
        print(json.dumps(content, indent=2))
    else:
        console = Console()
        console.print(Text(title))
        console.print(ranking(found, pairs, search.goal))
        console.print(f"[dim]curves: {folder / 'curves.png'}, {folder / 'curves.parquet'}")


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
    return title
