"""Stopping a study in good order: on request, at a time, or when the result is good enough."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

import numpy as np

from accel_dse.errors import OptionError
from accel_dse.problem import Goal


@dataclass(frozen=True, kw_only=True)
class Until:
    """When a study ends before it has all its trials.

    Attributes:
        deadline: seconds since the epoch. From then on nothing is begun, and what still runs in
            another thread or on a cluster is given up: it is begun again when the study goes on.
        target: a value of the first objective that is good enough; None if none is.
    """

    deadline: float = float("inf")
    target: float | None = None

    def __post_init__(self) -> None:
        if np.isnan(self.deadline) or (self.target is not None and not np.isfinite(self.target)):
            raise OptionError(f"expected times and targets that are numbers, got {self}")

    def reason(self, goal: Goal, best: float | None) -> str:
        """Why it ends now; "" if it does not.

        Args:
            goal: says which objective is the first, and whether less of it is better.
            best: its value in the best accepted trial; None if there is none yet.
        """
        objective = goal.objectives[0]
        if self.target is not None and best is not None:
            value, enough = (objective.cost(np.array(x)) for x in (best, self.target))
            if value <= enough:
                return f"{objective.metric} {best:.5g} reaches the target of {self.target:g}"
        if time.time() >= self.deadline:
            return "its time is over"
        return ""


@contextmanager
def stop_requests(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Lets Ctrl-C and SIGTERM ask for a stop; a second one interrupts at once.

    Args:
        say: called with what to tell the user.

    Yields:
        Whether a stop was asked for. Outside the main thread nothing is caught.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        with suppress(RuntimeError):  # the signal may have come in the middle of a write
            say("stopping once what runs now is on disk; once more to stop at once and lose it")

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    caught = [s for s in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(s) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in caught}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
