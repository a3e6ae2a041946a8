"""Simulations under way: handed to any executor, taken back as they finish."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

from accel_dse.errors import SimulatorError
from accel_dse.execution.measuring import Measured, failed
from accel_dse.log_rows import Ticket
from accel_dse.trial import Design

Measuring = Callable[[Sequence[Design]], list[Measured]]

LIVES = 10
"""How many workers may be lost under one simulation before it is to blame: clusters evict often."""


class WorkerLostError(Exception):
    """The worker that was simulating is gone. Says nothing of the design; it is tried again."""


class InProcess(Executor):
    """Runs what it is given at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Calls `fn`; the future is done when this returns."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Crew:
    """Designs being simulated, at most `size` jobs at a time. A context manager.

    Args:
        measure: what to do with designs.
        size: how many jobs run at a time.
        executor: where they run, and stays when the crew goes; by default this process: its
            thread if `size` is 1, else as many threads of their own.
    """

    def __init__(self, measure: Measuring, size: int = 1, executor: Executor | None = None) -> None:
        own: Executor = InProcess() if size == 1 else ThreadPoolExecutor(size, "simulation")
        self._own = own if executor is None else None
        self._executor = executor or own
        self._measure = measure
        self._jobs: dict[Future[Any], tuple[Ticket, ...]] = {}
        self._lost: dict[int, int] = {}
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()
        self.size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for job in self._jobs:
            job.cancel()
        if self._own:  # what still runs ends with its simulator
            self._own.shutdown(wait=False, cancel_futures=True)

    @property
    def free(self) -> bool:
        """Whether another job would run at once."""
        return len(self._jobs) < self.size

    @property
    def tickets(self) -> list[Ticket]:
        """What is under way, in the order it was proposed."""
        under_way = (ticket for job in self._jobs.values() for ticket in job)
        return sorted(under_way, key=lambda ticket: ticket.number)

    def submit(self, tickets: Sequence[Ticket]) -> None:
        """Has the designs on `tickets` simulated, together."""
        job = tuple(tickets)
        future = self._executor.submit(self._measure, [ticket.design for ticket in job])
        self._jobs[future] = job
        future.add_done_callback(self._done.put)

    def finished(self, deadline: float = float("inf")) -> list[tuple[Ticket, Measured]]:
        """What has finished since the last call, in that order; waits until something has.

        Args:
            deadline: gives up waiting then, with nothing; seconds since the epoch.

        Raises:
            Exception: what measuring raised, once all that finished before was given out.
        """
        results: list[tuple[Ticket, Measured]] = []
        while self._jobs:
            left_s = 0.0 if results else min(max(0.0, deadline - time.time()), 1e6)
            try:
                future = self._done.get(timeout=left_s) if left_s else self._done.get_nowait()
            except Empty:
                if results or time.time() >= deadline:
                    break
                continue
            if results and not self._gave(future):
                self._done.put(future)  # first let those be written that did finish
                break
            results += self._take(future)
        return results

    def _gave(self, future: Future[Any]) -> bool:
        return not future.cancelled() and future.exception() is None

    def _take(self, future: Future[Any]) -> list[tuple[Ticket, Measured]]:
        job = self._jobs.pop(future)
        try:
            return list(zip(job, future.result()))
        except CancelledError as error:
            raise SimulatorError(
                "a simulation was cancelled from outside: its simulator or its cluster was closed",
                hint="the log is whole: run the same command again",
            ) from error
        except WorkerLostError as error:
            name = job[0].number
            self._lost[name] = lost = self._lost.get(name, 0) + 1
            if lost < LIVES:
                self.submit(job)
                return []
            now = time.time()
            blame = SimulatorError(f"{lost} workers were lost while it ran; the last: {error}")
            return [(ticket, failed(blame, now, now, "")) for ticket in job]
