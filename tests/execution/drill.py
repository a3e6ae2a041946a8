"""What tests of execution share: a simulator that takes its time, and a replay of a log."""

import threading
import time
from itertools import groupby

import numpy as np

from accel_dse.optimizers.evolution import Evolution
from accel_dse.progress import Silent
from accel_dse.study import Study
from accel_dse.testing import ToySimulator, toy_problem
from accel_dse.trial_log import TrialLog


class Slow(ToySimulator):
    """Takes `seconds(n)` for its n-th design, calls `at(n)` before, counts what runs at once."""

    def __init__(self, seconds=lambda n: 0.0, at=lambda n: None):
        self.seconds, self.at = seconds, at
        self.started = self.running = self.most = 0
        self.lock = threading.Lock()

    def simulate(self, workload, designs):
        with self.lock:
            number, self.started = self.started, self.started + len(designs["pes_x"])
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            self.at(number)
            time.sleep(self.seconds(number))
            return super().simulate(workload, designs)
        finally:
            with self.lock:
                self.running -= 1


def uneven(n):
    """Seconds that let later simulations overtake earlier ones."""
    return float(np.random.default_rng(n).uniform(0.0, 0.02))


def a_study(place, *, simulator=None, seed=1, progress=None, problem=None, make=Evolution):
    problem = problem or toy_problem()
    return Study(
        problem=problem,
        optimizer=make(problem=problem, seed=seed),
        simulator=simulator or Slow(uneven),
        log=TrialLog(place),
        progress=progress or Silent(),
    )


def assert_replays(place, *, seed=1, make=Evolution):
    """Every proposal on record is made again by a new optimizer that is told what was known."""
    log = TrialLog(place)
    trials, tickets = log.read(), log.tickets()
    assert tickets
    for ask, group in groupby(tickets, key=lambda ticket: ticket.ask):
        together = list(group)
        known = together[0].known
        pending = [
            ticket.design
            for ticket in tickets
            if ticket.number < ask and (ticket.trial is None or ticket.trial >= known)
        ]
        optimizer = make(problem=toy_problem(), seed=seed)
        optimizer.tell(trials[:known], pending)
        proposed = [proposal.design for proposal in optimizer.propose(len(together))]
        assert proposed == [ticket.design for ticket in together]
    for ticket in tickets:
        if ticket.trial is not None:
            assert trials[ticket.trial].design == ticket.design
