"""Vizier's designers."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from accel_dse.errors import OptionError
from accel_dse.optimizers.peers.base import Lesson, Peer, Session, Verdict
from accel_dse.plugins import require_within
from accel_dse.trial import Design


@dataclass(kw_only=True)
class Vizier(Peer):
    """Vizier: its default Gaussian process bandit (`gp_ucb_pe`), or the eagle strategy.

    A design that does not work, or breaks a rule, is an infeasible trial, with its reason. Limits
    are its safety metrics, which make a trial infeasible where they are not kept: its open
    designers know no other constraint. Designs on their way are its active trials. The first ones
    are drawn among the valid ones.

    Attributes:
        algorithm: which designer.
        initial: designs drawn at random before it proposes any.

    Source:
        Song et al., "The Vizier Gaussian Process Bandit Algorithm", 2024.
    """

    natural_batch: ClassVar[int] = 1

    algorithm: Literal["gp_ucb_pe", "eagle"] = "gp_ucb_pe"
    initial: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("vizier", self, initial=(1, 10_000))
        if self.algorithm == "eagle" and len(self.problem.objectives) > 1:
            raise OptionError("vizier: eagle takes one objective", hint="algorithm=gp_ucb_pe")

    def session(self, told: Sequence[Lesson]) -> Session:
        """A designer, told everything."""
        vizier = _vizier()
        seed = (self.seed * 1_000_003 + len(told)) % 2**31
        statement = _statement(vizier, self)
        designer = vizier.UnsafeAsInfeasibleDesigner(statement, self._factory(vizier), seed=seed)
        session = _Session(self, vizier, designer, np.random.default_rng(seed))
        for place, (design, verdict) in enumerate(told):
            session.add(design, verdict, known=place < len(told) - len(self.pending))
        return session

    def _factory(self, vizier: Any) -> Any:
        """Makes the designer for a problem without limits, as Vizier's wrapper of them asks."""
        if self.algorithm == "gp_ucb_pe":
            made = vizier.VizierGPUCBPEBandit
            return lambda problem, seed: made(problem, rng=vizier.PRNGKey(seed))
        return lambda problem, seed: vizier.EagleStrategyDesigner(problem, seed=seed)


@dataclass
class _Session:
    peer: Vizier
    vizier: Any
    designer: Any
    random: np.random.Generator
    told: int = 0
    fresh: list[Any] = field(default_factory=list)
    active: list[Any] = field(default_factory=list)

    def ask(self) -> Design:
        if self.told < self.peer.initial:
            [design] = self.peer.problem.space.sample(1, self.random)
            return design
        vizier = self.vizier
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks for more precision than it has
            self.designer.update(
                vizier.CompletedTrials(self.fresh), vizier.ActiveTrials(list(self.active))
            )
            [suggested] = self.designer.suggest(1)
        self.fresh = []
        values = suggested.parameters.as_dict()
        vector = {v.name: _read(v, values[v.name]) for v in self.peer.variables.all}
        return self.peer.variables.designs([vector])[0]

    def tell(self, design: Design, verdict: Verdict) -> None:
        self.add(design, verdict, known=max(verdict.violations) > 0)

    def add(self, design: Design, verdict: Verdict, *, known: bool) -> None:
        """Takes in what became of a design; not `known`, it is on its way."""
        vector = self.peer.variables.vectors([design])[0]
        values = {v.name: _write(v, vector[v.name]) for v in self.peer.variables.all}
        self.told += 1
        trial = self.vizier.Trial(id=self.told, parameters=values)
        if not known:
            self.active.append(trial)
            return
        broken, fails, *beyond = verdict.violations
        if broken > 0 or fails > 0:
            reason = "breaks a rule" if broken > 0 else "does not work"
            trial.complete(self.vizier.Measurement(), infeasibility_reason=reason)
        else:
            metrics = {f"cost{i}": cost for i, cost in enumerate(verdict.costs)}
            metrics |= {f"limit{i}": -violation for i, violation in enumerate(beyond)}
            trial.complete(self.vizier.Measurement(metrics=metrics))
        self.fresh.append(trial)


def _statement(vizier: Any, peer: Vizier) -> Any:
    """The problem, as Vizier states them."""
    statement = vizier.ProblemStatement()
    root = statement.search_space.root
    for variable in peer.variables.all:
        if variable.kind == "category":
            root.add_categorical_param(variable.name, [str(i) for i in range(variable.size)])
        elif variable.kind == "index":
            root.add_int_param(variable.name, 0, variable.size - 1)
        else:
            root.add_float_param(variable.name, 0.0, 1.0)
    for i in range(len(peer.problem.objectives)):
        statement.metric_information.append(
            vizier.MetricInformation(f"cost{i}", goal=vizier.ObjectiveMetricGoal.MINIMIZE)
        )
    for i in range(len(peer.problem.limits)):
        statement.metric_information.append(
            vizier.MetricInformation(
                f"limit{i}", goal=vizier.ObjectiveMetricGoal.MAXIMIZE, safety_threshold=0.0
            )
        )
    return statement


def _write(variable: Any, value: float) -> str | int | float:
    return str(int(value)) if variable.kind == "category" else value


def _read(variable: Any, value: Any) -> int | float:
    return float(value) if variable.kind == "number" else int(value)


def _vizier() -> Any:
    """What is used of Vizier, by name."""
    try:
        from types import SimpleNamespace

        from jax.random import PRNGKey
        from vizier import algorithms as vza
        from vizier import pyvizier as vz

        # its public module of designers imports them all, and what each of them needs
        from vizier._src.algorithms.designers.eagle_strategy.eagle_strategy import (
            EagleStrategyDesigner,
        )
        from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit
        from vizier._src.algorithms.designers.unsafe_as_infeasible_designer import (
            UnsafeAsInfeasibleDesigner,
        )
    except ImportError as error:
        raise OptionError(
            "vizier is not installed", hint="pip install 'accel-dse[vizier]'"
        ) from error
    logging.getLogger("absl").setLevel(logging.ERROR)
    return SimpleNamespace(
        PRNGKey=PRNGKey, EagleStrategyDesigner=EagleStrategyDesigner,
        UnsafeAsInfeasibleDesigner=UnsafeAsInfeasibleDesigner,
        VizierGPUCBPEBandit=VizierGPUCBPEBandit, CompletedTrials=vza.CompletedTrials,
        ActiveTrials=vza.ActiveTrials, Trial=vz.Trial, Measurement=vz.Measurement,
        ProblemStatement=vz.ProblemStatement, MetricInformation=vz.MetricInformation,
        ObjectiveMetricGoal=vz.ObjectiveMetricGoal,
    )  # fmt: skip
