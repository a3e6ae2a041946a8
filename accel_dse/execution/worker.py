"""A worker that pulls designs from a shared log, and proposes new ones where none are left."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from accel_dse.errors import LogError, SimulatorError
from accel_dse.execution.crew import LIVES
from accel_dse.execution.desk import checked_proposals
from accel_dse.execution.measuring import Measure, Measured, failed
from accel_dse.log_rows import Ticket
from accel_dse.optimizers.base import Optimizer
from accel_dse.progress import Progress, Silent, Tally
from accel_dse.stopping import Until, stop_requests
from accel_dse.ticket_queue import TicketQueue

LONGEST_NAP_S = 5.0
"""How long to wait before looking again for something to do."""


@dataclass(kw_only=True)
class Worker:
    """One of any number that work on a study, on any machines, started and ended at any time.

    Attributes:
        optimizer: proposes designs; untold.
        measure: measures them.
        queue: of the study.
        progress: shows how the whole study goes.
        brought: how many trials it brought so far.
    """

    optimizer: Optimizer
    measure: Measure
    queue: TicketQueue
    progress: Progress = field(default_factory=Silent, repr=False)
    brought: int = field(default=0, init=False)

    def run(self, n_trials: int, until: Until = Until()) -> int:  # noqa: B008  it is frozen
        """Works until the log holds `n_trials`.

        Args:
            n_trials: how long the log should be.
            until: what ends this worker sooner; what it is at is finished first.

        Returns:
            How many trials it brought.

        Raises:
            KeyboardInterrupt: Ctrl-C or SIGTERM came.
        """
        goal = self.optimizer.problem.goal
        tally = Tally(goal, [], n_trials)
        with self.progress, stop_requests(self.progress.say) as stop_requested:
            while True:
                self._learn(tally)
                done = len(self.optimizer.trials) >= n_trials
                if done or until.reason(goal, tally.status().best):
                    return self.brought
                if stop_requested():
                    raise KeyboardInterrupt
                if taken := self.queue.take():
                    self.brought += self._work(*taken)
                elif len(self.optimizer.trials) + len(self.optimizer.pending) < n_trials:
                    self._propose()
                else:  # others are at the last ones; they may need help yet
                    time.sleep(min(self.queue.lease_s / 10, LONGEST_NAP_S))

    def _learn(self, tally: Tally) -> None:
        standing = self.queue.standing(len(self.optimizer.trials))
        self.optimizer.tell(standing.trials, [ticket.design for ticket in standing.open])
        self._next_number = standing.next_number
        tally.add(standing.trials)
        self.progress.show(tally.status())

    def _propose(self) -> None:
        """Adds a ticket, unless another worker was quicker; it is there for whoever takes it."""
        (proposal,) = checked_proposals(self.optimizer, 1)
        self.queue.issue(
            Ticket(
                number=self._next_number,
                ask=self._next_number,
                known=len(self.optimizer.trials),
                design=proposal.design,
                source=proposal.source,
            )
        )

    def _work(self, ticket: Ticket, attempt: int, token: str) -> bool:
        """Simulates; whether the result was the first."""
        if attempt >= LIVES:
            now = time.time()
            blame = SimulatorError(f"{attempt} workers were lost while it ran")
            measured = failed(blame, now, now, "")
        else:
            measured = self._simulate(ticket, token)
        return self.queue.finish(ticket, measured.trial) is not None

    def _simulate(self, ticket: Ticket, token: str) -> Measured:
        try:
            with _beating(lambda: self.queue.renew(ticket, token), self.queue.lease_s / 3):
                (measured,) = self.measure([ticket.design])
        except BaseException:
            with suppress(LogError):
                self.queue.give_back(ticket, token)
            raise
        return measured


@contextmanager
def _beating(renew: Callable[[], bool], every_s: float) -> Iterator[None]:
    """Calls `renew` again and again, until it has no use."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(every_s):
            with suppress(LogError):  # the database may be back at the next beat
                if not renew():
                    return

    heart = threading.Thread(target=beat, name="lease", daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()
