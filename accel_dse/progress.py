"""How a study tells how it goes: one protocol, and a place to show it for each surrounding."""

import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from types import TracebackType
from typing import Any, Protocol, Self

from accel_dse.problem import Goal
from accel_dse.trial import Trial

LATELY = 20
"""Batches that the rate is of: the first ones compile, and speed may change with the designs."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a study stands.

    Attributes:
        done: trials in the log.
        total: trials wanted.
        feasible: trials whose design works.
        metric: the first objective's.
        best: its value in the best accepted trial; None if there is none yet.
        per_second: trials a second, of late; 0 before the first.
        seconds_left: at that rate; None before the first.
    """

    done: int
    total: int
    feasible: int
    metric: str
    best: float | None
    per_second: float
    seconds_left: float | None

    def __str__(self) -> str:
        best = "none accepted yet" if self.best is None else f"best {self.metric} {self.best:.5g}"
        share = f"{self.feasible / self.done:.0%} feasible" if self.done else "starting"
        rate = f" · {self.per_second:.3g} simulations/s" if self.per_second else ""
        return f"{best} · {share}{rate}"


class Progress(Protocol):
    """Something that shows how a study goes. Entered when a run begins, left when it ends."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, status: Status) -> None:
        """Called at the start of a run and after every batch."""

    def say(self, message: str) -> None:
        """Called with a line for the user."""


class Tally:
    """Counts trials as they come, so that a status costs nothing."""

    def __init__(self, goal: Goal, trials: Sequence[Trial], total: int) -> None:
        self._goal = goal
        self._total = total
        self._done = self._feasible = 0
        self._best: Trial | None = None
        self._marks: deque[tuple[float, int]] = deque(maxlen=LATELY)
        self.add(trials)
        self._marks.clear()
        self._mark()

    def _mark(self) -> None:
        self._marks.append((time.monotonic(), self._done))

    def add(self, trials: Sequence[Trial]) -> None:
        """Takes in trials that were told."""
        self._done += len(trials)
        self._feasible += sum(trial.feasible for trial in trials)
        best_before = () if self._best is None else (self._best,)
        self._best = self._goal.best(chain(best_before, trials))
        self._mark()

    def status(self) -> Status:
        """How it stands now."""
        since, before = self._marks[0]
        seconds = time.monotonic() - since
        fresh = self._done - before
        metric = self._goal.objectives[0].metric
        return Status(
            done=self._done,
            total=self._total,
            feasible=self._feasible,
            metric=metric,
            best=None if self._best is None else self._best.metrics[metric],
            per_second=fresh / seconds if fresh and seconds else 0.0,
            seconds_left=(self._total - self._done) * seconds / fresh if fresh else None,
        )


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, status: Status) -> None:
        """Does nothing."""

    def say(self, message: str) -> None:
        """Does nothing."""


class Terminal:
    """A bar at the foot of a terminal, on standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[left]}", style="dim", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, left="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, status: Status) -> None:
        """Moves the bar."""
        self._bar.update(
            self._task,
            completed=status.done,
            total=status.total,
            description=str(status),
            left="" if status.seconds_left is None else f"{duration(status.seconds_left)} left",
        )

    def say(self, message: str) -> None:
        """Prints a line above the bar."""
        self._bar.console.print(message, highlight=False, markup=False)


class Notebook:
    """A bar under a notebook's cell."""

    def __init__(self) -> None:
        if find_spec("ipywidgets"):
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm

        self._make: Any = tqdm
        self._bar: Any = None

    def __enter__(self) -> Self:
        self._bar = self._make(unit="trial")
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, status: Status) -> None:
        """Moves the bar."""
        if self._bar.total != status.total:
            self._bar.reset(status.total)
        self._bar.set_postfix_str(str(status), refresh=False)
        self._bar.update(status.done - self._bar.n)

    def say(self, message: str) -> None:
        """Prints a line above the bar."""
        self._bar.write(message)


def duration(seconds: float) -> str:
    """A time span as people say it: `48 s`, `3 min 20 s`, `5 h 12 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def fitting() -> Progress:
    """What suits where we run: a notebook, a terminal, or (in a batch job's log) nothing."""
    shell = sys.modules.get("IPython")
    if shell is not None and "IPKernelApp" in getattr(shell.get_ipython(), "config", {}):
        return Notebook()
    return Terminal() if sys.stderr.isatty() else Silent()
