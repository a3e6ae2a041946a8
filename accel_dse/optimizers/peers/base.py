"""What all peers share: verdicts on designs, and asking until something new comes."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.novelty import Known
from accel_dse.optimizers.peers.variables import Variables
from accel_dse.trial import Design, Outcome, Trial

TRIES = 20
"""Proposals of a peer for each design wanted, before a random one is taken instead."""


@dataclass(frozen=True)
class Verdict:
    """What a peer is told of a design.

    Attributes:
        costs: objectives, less is better; of a design without any, the worst that is known.
        violations: of every constraint, `<= 0` is kept: the space's (how many are broken), whether
            it works, the limits, as shares of their bounds.
    """

    costs: tuple[float, ...]
    violations: tuple[float, ...]

    @property
    def graded(self) -> tuple[float, ...]:
        """The violations for a peer that adds them up to tell which of two designs is nearer.

        A design beyond its limits, by however much, is nearer than one that does not work, and
        that one nearer than one against a rule. As they are they would not say so: on `edge` half
        of the designs that work have over five times the area allowed.
        """
        rules, fails, *beyond = self.violations
        further = 1.0 + len(beyond)
        return (
            rules + further if rules > 0 else -1.0,
            further if fails > 0 else -1.0,
            *[share / (1.0 + abs(share)) for share in beyond],
        )

    @property
    def distance(self) -> float:
        """How far from what is accepted, in all; 0 if it is."""
        return sum(max(grade, 0.0) for grade in self.graded)


Lesson = tuple[Design, Verdict]


class Session(Protocol):
    """A peer at work."""

    def ask(self) -> Design:
        """One design, which may be known already or break a constraint."""

    def tell(self, design: Design, verdict: Verdict) -> None:
        """Takes in what became of the design that was asked for last."""


@dataclass(kw_only=True)
class Peer(Optimizer):
    """An optimizer of another project.

    Attributes:
        variables: the space as the project wants it.
    """

    _known: Known = field(init=False, repr=False, compare=False)
    variables: Variables = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._known = Known(self.problem)
        self.variables = Variables(self.problem.space)

    @abstractmethod
    def session(self, told: Sequence[Lesson]) -> Session:
        """The peer, having been told `told`; its randomness fixed by the seed and their number."""

    def ask(self, n: int) -> list[Design]:
        """`n` designs, one after the other; those on their way are not yet judged."""
        self._known.refresh(self.trials, self.pending)
        told = self._judged()
        space = self.problem.space
        verdicts = {tuple(design.values()): verdict for design, verdict in told}
        session = self.session(told)
        found: list[Design] = []
        for _ in range(n * TRIES):
            if len(found) == n:
                break
            design = session.ask()
            if design not in space:
                verdict = self.broken(design, told)
            else:
                verdict = verdicts.get(tuple(design.values())) or self._guess(told)
                found += self._known.new([design], besides=found)
            session.tell(design, verdict)
        return found + self._known.random(n - len(found), self.rng(), besides=found)

    def _judged(self) -> list[Lesson]:
        """All trials that teach something, then what is pending."""
        lessons = [t for t in self.trials if t.outcome in (Outcome.FEASIBLE, Outcome.INFEASIBLE)]
        worst = self._worst(lessons)
        limits = len(self.problem.limits)
        told: list[Lesson] = []
        for trial in lessons:
            if trial.feasible:
                beyond = self.problem.violations(trial.metrics)
                scaled = [v / (abs(li.bound) or 1.0) for v, li in zip(beyond, self.problem.limits)]
                verdict = Verdict(self.problem.costs(trial.metrics), (-1.0, -1.0, *scaled))
            else:
                verdict = Verdict(worst, (-1.0, 1.0, *[0.0] * limits))
            told.append((trial.design, verdict))
        return told + [(design, self._guess(told)) for design in self.pending]

    def _worst(self, lessons: Sequence[Trial]) -> tuple[float, ...]:
        costs = [self.problem.costs(t.metrics) for t in lessons if t.feasible]
        if not costs:
            return (1.0,) * len(self.problem.objectives)
        return tuple(float(cost) for cost in np.max(costs, axis=0))

    def _guess(self, told: Sequence[Lesson]) -> Verdict:
        """For a design that is on its way: a constant liar that tells the median.

        Source: Ginsbourger et al., "Kriging is well-suited to parallelize optimization", 2010.
        """
        kept = [v.costs for _, v in told if max(v.violations, default=0.0) <= 0]
        if kept:
            costs = tuple(float(cost) for cost in np.median(kept, axis=0))
        else:
            costs = (1.0,) * len(self.problem.objectives)
        return Verdict(costs, (-1.0, -1.0, *[0.0] * len(self.problem.limits)))

    def broken(self, design: Design, told: Sequence[Lesson]) -> Verdict:
        """For a design that breaks constraints of the space: how many of them."""
        columns = self.problem.space.columns([design])
        count = float(self.problem.space.violated(columns).sum())
        worst = max((v.costs for _, v in told), default=(1.0,) * len(self.problem.objectives))
        return Verdict(worst, (count, 0.0, *[0.0] * len(self.problem.limits)))
