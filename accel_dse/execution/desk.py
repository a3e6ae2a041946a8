"""Where designs are handed out and trials come back: between optimizer, log and workers."""

from collections.abc import Sequence

from accel_dse import plugins
from accel_dse.errors import DesignError
from accel_dse.log_rows import Ticket
from accel_dse.optimizers.base import Optimizer, Proposal
from accel_dse.trial import Design, Trial
from accel_dse.trial_log import TrialLog


class Desk:
    """Hands out designs, each with a ticket, and takes their trials back.

    First come the designs that an earlier run had handed out and never got back. A ticket goes on
    record with the next trial that does: until then a killed study would ask, from the same state,
    for the same design.

    Args:
        optimizer: told all that is in the log.
        log: open for writing.
        keeps_tickets: whether tickets go on record at all: needed if a trial may end while another
            is under way.
    """

    def __init__(self, optimizer: Optimizer, log: TrialLog, *, keeps_tickets: bool) -> None:
        self._optimizer, self._log = optimizer, log
        self._keeps_tickets = keeps_tickets
        self._waiting = log.tickets(unfinished=True)
        self._on_record = {ticket.number for ticket in self._waiting}
        self._unwritten: list[Ticket] = []
        self._number = log.next_ticket()

    def next(self, n: int, under_way: Sequence[Ticket]) -> list[Ticket]:
        """At most `n` designs to simulate, one at least, beside those `under_way`."""
        if not self._waiting:
            self._waiting = self._ask(n, under_way)
        tickets, self._waiting = self._waiting[:n], self._waiting[n:]
        return tickets

    def close(
        self, tickets: Sequence[Ticket], trials: Sequence[Trial], under_way: Sequence[Ticket]
    ) -> None:
        """Writes down what became of `tickets`, and only then tells the optimizer.

        Args:
            tickets: that were handed out.
            trials: of each.
            under_way: what is still being simulated.
        """
        closed = {
            trial.index: ticket.number
            for trial, ticket in zip(trials, tickets)
            if ticket.number in self._on_record
        }
        self._log.append(trials, self._unwritten, closed)
        if trials:
            self._unwritten = []
        self._on_record.difference_update(closed.values())
        self._optimizer.tell(trials, self._pending(under_way))

    def _pending(self, under_way: Sequence[Ticket]) -> list[Design]:
        return [ticket.design for ticket in (*under_way, *self._waiting)]

    def _ask(self, n: int, under_way: Sequence[Ticket]) -> list[Ticket]:
        pending = self._pending(under_way)
        if pending != self._optimizer.pending:
            self._optimizer.tell([], pending)
        tickets = [
            Ticket(
                number=self._number + i,
                ask=self._number,
                known=len(self._optimizer.trials),
                design=proposal.design,
                source=proposal.source,
            )
            for i, proposal in enumerate(checked_proposals(self._optimizer, n))
        ]
        self._number += n
        if self._keeps_tickets:
            self._unwritten += tickets
            self._on_record.update(ticket.number for ticket in tickets)
        return tickets


def checked_proposals(optimizer: Optimizer, n: int) -> list[Proposal]:
    """`n` proposals, valid whoever wrote the optimizer.

    Raises:
        DesignError: they are not.
    """
    proposals = optimizer.propose(n)
    problem = "" if len(proposals) == n else f"asked for {n} designs, it gave {len(proposals)}"
    hint = ""
    try:
        for proposal in proposals:
            optimizer.problem.space.check(proposal.design)
    except DesignError as error:
        problem, hint = str(error), error.hint
    if problem:
        name = plugins.name_of("optimizers", type(optimizer))
        raise DesignError(f"optimizer {name}: {problem}", hint=hint)
    return proposals
