"""Who competes, on what, for how long."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from accel_dse import plugins
from accel_dse.errors import OptionError
from accel_dse.problem import Problem
from accel_dse.simulators.base import Simulator
from accel_dse.study import Study
from accel_dse.trial_log import TrialLog


@dataclass(frozen=True)
class Contestant:
    """An optimizer with its options.

    Attributes:
        optimizer: its name.
        options: name -> value, or text as people type it.
    """

    optimizer: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What it is called in tables: `evolution`, `evolution(population=40)`."""
        given = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.optimizer}({given})" if given else self.optimizer

    @classmethod
    def parse(cls, text: str) -> "list[Contestant]":
        """The contestants of `NAME` or `NAME:OPTION=VALUE,...`; one for each of `VALUE|VALUE`.

        Raises:
            OptionError: it says something else.
        """
        name, colon, tail = text.partition(":")
        found = [cls(name.strip())]
        for word in tail.split(",") if colon else ():
            option, equals, values = (part.strip() for part in word.partition("="))
            if not (name.strip() and option and equals and values):
                raise OptionError(
                    f"--optimizer {text}: cannot be read at {word!r}",
                    hint="write NAME, NAME:OPTION=VALUE,..., or NAME:OPTION=VALUE|VALUE",
                )
            found = [
                cls(one.optimizer, {**one.options, option: value})
                for one in found
                for value in values.split("|")
            ]
        return found


class MakeStudy(Protocol):
    """Makes the study of one run. It must survive pickling: runs are processes of their own."""

    def __call__(self, contestant: Contestant, seed: int, log: TrialLog) -> Study:
        """The study of one run."""


@dataclass(frozen=True)
class Arena:
    """Makes studies of one problem with one simulator."""

    problem: Problem
    simulator: Simulator

    def __call__(self, contestant: Contestant, seed: int, log: TrialLog) -> Study:
        """The study of one run.

        Raises:
            OptionError: there is no such optimizer, or an option does not fit.
        """
        cls = plugins.load("optimizers", contestant.optimizer)
        options = plugins.read_options(contestant.optimizer, cls, contestant.options)
        return Study(
            problem=self.problem,
            optimizer=cls(problem=self.problem, seed=seed, **options),
            simulator=self.simulator,
            log=log,
        )


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Optimizers, seeds and a budget.

    Attributes:
        make_study: the problem and the simulator, for any contestant and seed.
        contestants: with distinct labels.
        seeds: each contestant runs once with each.
        trials: simulator calls of one run; infeasible and failed ones count.
        batch: designs proposed at a time; None for what suits each optimizer.
        minutes: the most that one run may take; None for no bound.
        folder: holds a log for each run, so that a contest that was stopped goes on.
    """

    make_study: MakeStudy
    contestants: Sequence[Contestant]
    seeds: Sequence[int]
    trials: int
    folder: Path
    batch: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        labels = [contestant.label for contestant in self.contestants]
        for label in labels:
            if labels.count(label) > 1:
                raise OptionError(f"two contestants are called {label}")
        if not labels or not self.seeds:
            raise OptionError("a comparison needs an optimizer and a seed")

    def entries(self) -> Iterator[tuple[Contestant, int, Path]]:
        """Contestant, seed and log of every run; seeds first, so that part of it is balanced."""
        for seed in self.seeds:
            for contestant in self.contestants:
                name = re.sub(r"[^\w.=-]+", "_", contestant.label).strip("_")
                yield contestant, seed, self.folder / f"{name}-seed{seed}.sqlite"
