"""Logs that are shown together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accel_dse.errors import OptionError
from accel_dse.log_rows import StudyDescription
from accel_dse.problem import Goal
from accel_dse.trial import Trial
from accel_dse.trial_log import TrialLog


@dataclass(frozen=True)
class Run:
    """What one log holds.

    Attributes:
        place: of the log.
        study: what it is a log of.
        trials: in order; may be none.
    """

    place: str
    study: StudyDescription
    trials: Sequence[Trial]

    @property
    def goal(self) -> Goal:
        """What was wanted."""
        problem = self.study.problem
        return Goal.parse(problem["objectives"], problem["limits"])


def read_runs(places: Sequence[str]) -> tuple[Run, ...]:
    """The runs that logs hold.

    Raises:
        LogError: one cannot be read, or holds no study.
        OptionError: they are not of one problem and one simulator, or one is named twice.
    """
    runs = []
    for place in places:
        log = TrialLog(place)
        runs.append(Run(log.place, log.study(), log.read()))
        if len({run.place for run in runs}) < len(runs):
            raise OptionError(f"{place}: is named twice")
        if differences := comparable(runs[0].study, runs[-1].study):
            raise OptionError(
                f"{place} and {places[0]} are of different problems: {'; '.join(differences[:3])}",
                hint="give logs of one problem, or make a report of each",
            )
    return tuple(runs)


def comparable(one: StudyDescription, other: StudyDescription) -> list[str]:
    """What keeps two studies from being shown together; how they searched may differ."""
    same_search = replace(
        other, optimizer=one.optimizer, optimizer_options=one.optimizer_options, seed=one.seed
    )
    return one.differences(same_search)


def labels(runs: Sequence[Run]) -> list[str]:
    """How each run searched, in a few words; runs that differ in their seed alone share a label."""
    options = [{k: str(v) for k, v in run.study.optimizer_options.items()} for run in runs]
    named = []
    for run, mine in zip(runs, options):
        rivals = [o for r, o in zip(runs, options) if r.study.optimizer == run.study.optimizer]
        differ = [k for k in mine if any(other.get(k) != mine[k] for other in rivals)]
        words = ", ".join(f"{key}={mine[key]}" for key in differ)
        named.append(f"{run.study.optimizer} ({words})" if words else run.study.optimizer)
    return named
