"""pymoo's genetic algorithms for mixed variables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from accel_dse.errors import OptionError
from accel_dse.optimizers.peers.base import Lesson, Peer, Session, Verdict
from accel_dse.plugins import require_within
from accel_dse.trial import Design

BROOD = 20
"""Children bred at a time where a space has rules that they may break."""


@dataclass(kw_only=True)
class PymooGA(Peer):
    """pymoo: its genetic algorithm for mixed variables; with several objectives NSGA-II.

    Integers, choices and numbers are variables of its own kinds, with its operators for each.
    Limits, and whether a design works, are its inequality constraints: its survival puts every
    design that keeps them before any that does not, and those by how far they are beyond. pymoo
    repairs no unknown rules, so that of a brood the first child that keeps the rules of the space
    is taken, and the first population is drawn among valid designs. A batch is a generation: its
    children have parents that were simulated, not each other.

    Attributes:
        population: designs that survive and have children.

    Source:
        Blank and Deb, "pymoo: Multi-Objective Optimization in Python", 2020.
    """

    natural_batch: ClassVar[int] = 10

    population: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("pymoo", self, population=(4, 10_000))

    def session(self, told: Sequence[Lesson]) -> Session:
        """The survivors of all that was told, ready to have children."""
        pymoo = _pymoo()
        several = len(self.problem.objectives) > 1
        space = pymoo.Problem(
            vars={v.name: _variable(pymoo, v.kind, v.size) for v in self.variables.all},
            n_obj=len(self.problem.objectives),
            n_ieq_constr=2 + len(self.problem.limits),
        )
        survival = pymoo.RankAndCrowding() if several else pymoo.FitnessSurvival()
        algorithm = pymoo.MixedVariableGA(
            pop_size=self.population, n_offsprings=1, survival=survival
        )
        seed = (self.seed * 1_000_003 + len(told)) % 2**32
        algorithm.setup(space, seed=seed, verbose=False)
        session = _Session(self, pymoo, space, algorithm, list(told))
        session.survive()
        return session


@dataclass
class _Session:
    peer: PymooGA
    pymoo: Any
    space: Any
    algorithm: Any
    lessons: list[Lesson]

    def ask(self) -> Design:
        random = self.algorithm.random_state
        if len(self.lessons) >= self.peer.population:
            brood = BROOD if self.peer.problem.space.constraints else 1
            children = self.algorithm.mating.do(
                self.space, self.algorithm.pop, brood, algorithm=self.algorithm, random_state=random
            )
            if len(children):  # else only such as the population holds already
                vectors = [dict(child.X) for child in children]
                return self._first_valid(self.peer.variables.designs(vectors))
        [design] = self.peer.problem.space.sample(1, random)
        return design

    def _first_valid(self, designs: list[Design]) -> Design:
        """The first that keeps the rules of the space; the first of all if none does."""
        space = self.peer.problem.space
        return designs[int(space.satisfied(space.columns(designs)).argmax())]

    def tell(self, design: Design, verdict: Verdict) -> None:
        """Nothing: it has children of designs that are known alone."""

    def survive(self) -> None:
        """Keeps the best of all designs; what became of them all is known, so at once."""
        if len(self.lessons) < self.peer.population:
            return
        designs, verdicts = zip(*self.lessons)
        told = self.pymoo.Population.new(
            X=np.array(self.peer.variables.vectors(designs), dtype=object),
            F=np.array([verdict.costs for verdict in verdicts]),
            G=np.array([verdict.graded for verdict in verdicts]),
        )
        for individual in told:
            individual.evaluated.update("F", "G")
        self.algorithm.pop = self.algorithm.survival.do(
            self.space, told, n_survive=self.peer.population, algorithm=self.algorithm,
            random_state=self.algorithm.random_state,
        )  # fmt: skip


def _variable(pymoo: Any, kind: str, size: int) -> Any:
    if kind == "category":
        return pymoo.Choice(options=list(range(size)))
    if kind == "index":
        return pymoo.Integer(bounds=(0, size - 1))
    return pymoo.Real(bounds=(0.0, 1.0))


def _pymoo() -> Any:
    """What is used of pymoo, by name."""
    try:
        from types import SimpleNamespace

        from pymoo.algorithms.moo.nsga2 import RankAndCrowding
        from pymoo.algorithms.soo.nonconvex.ga import FitnessSurvival
        from pymoo.core.mixed import MixedVariableGA
        from pymoo.core.population import Population
        from pymoo.core.problem import Problem
        from pymoo.core.variable import Choice, Integer, Real
    except ImportError as error:
        raise OptionError(
            "pymoo is not installed", hint="pip install 'accel-dse[peers]'"
        ) from error
    return SimpleNamespace(
        RankAndCrowding=RankAndCrowding, FitnessSurvival=FitnessSurvival, Choice=Choice,
        MixedVariableGA=MixedVariableGA, Population=Population, Problem=Problem, Integer=Integer,
        Real=Real,
    )  # fmt: skip
