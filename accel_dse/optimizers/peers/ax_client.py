"""Ax's default Bayesian optimization."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from accel_dse.errors import OptionError
from accel_dse.optimizers.peers.base import Lesson, Peer, Session, Verdict
from accel_dse.plugins import require_within
from accel_dse.trial import Design

BROKEN = "broken"
"""The outcome that tells designs which do not work, 1, from those which do, 0."""

FEWEST = 3
"""Working designs that are known before it models anything: its models need some."""


@dataclass(kw_only=True)
class AxClient(Peer):
    """Ax: the Bayesian optimization that its client chooses by itself.

    Limits are its outcome constraints. Whether a design works is one more outcome, `broken <= 0.5`,
    and the only one that is told of a design that does not: Ax fits each outcome to the trials
    that have it. Designs on their way are its running trials. Its own parameter constraints are
    linear, the rules of our spaces are not: a proposal that breaks one is abandoned, as Ax calls
    it, and it is asked again. The first designs are drawn among the valid ones (its Sobol sequence
    would spend them on others).

    Attributes:
        initial: designs drawn at random before it models anything.

    Source:
        Olson et al., "Ax: A Platform for Adaptive Experimentation", 2025.
    """

    natural_batch: ClassVar[int] = 1

    initial: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("ax", self, initial=(1, 10_000))

    def session(self, told: Sequence[Lesson]) -> Session:
        """A client in memory."""
        configs = _ax()
        seed = (self.seed * 1_000_003 + len(told)) % 2**31
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls its own deprecated methods
            client = configs.Client(random_seed=seed)
            client.configure_experiment([_parameter(configs, v) for v in self.variables.all])
            goals = [f"-cost{i}" for i in range(len(self.problem.objectives))]
            limits = [f"limit{i} <= 0" for i in range(len(self.problem.limits))]
            client.configure_optimization(", ".join(goals), [f"{BROKEN} <= 0.5", *limits])
            client.configure_generation_strategy(
                initialization_budget=1,
                initialization_random_seed=seed,
                initialize_with_center=False,
            )
        session = _Session(self, client, np.random.default_rng(seed))
        for place, (design, verdict) in enumerate(told):
            session.attach(design, verdict, known=place < len(told) - len(self.pending))
        return session


@dataclass
class _Session:
    peer: AxClient
    client: Any
    random: np.random.Generator
    told: int = 0
    working: int = 0
    asked: int = field(default=-1, init=False)

    def ask(self) -> Design:
        if self.told < self.peer.initial or self.working < FEWEST:
            self.asked = -1
            [design] = self.peer.problem.space.sample(1, self.random)
            return design
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            [(self.asked, vector)] = self.client.get_next_trials(max_trials=1).items()
        return self.peer.variables.designs([vector])[0]

    def tell(self, design: Design, verdict: Verdict) -> None:
        if self.asked >= 0 and verdict.violations[0] > 0:
            self.client.mark_trial_abandoned(self.asked)
        elif self.asked < 0 and verdict.violations[0] <= 0:
            self.attach(design, verdict, known=False)

    def attach(self, design: Design, verdict: Verdict, *, known: bool) -> None:
        """Tells what became of a design; not `known`, it is on its way."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            index = self.client.attach_trial(self.peer.variables.vectors([design])[0])
            if not known:
                return
            works = verdict.violations[1] <= 0
            outcomes = {BROKEN: 0.0 if works else 1.0}
            if works:
                outcomes |= {f"cost{i}": cost for i, cost in enumerate(verdict.costs)}
                beyond = verdict.violations[2:]
                outcomes |= {f"limit{i}": violation for i, violation in enumerate(beyond)}
            self.client.complete_trial(index, raw_data=outcomes)
        self.told += 1
        self.working += works


def _parameter(configs: Any, variable: Any) -> Any:
    name, size = variable.name, variable.size
    if variable.kind == "category" or size == 1:
        return configs.ChoiceParameterConfig(
            name=name, values=list(range(max(size, 1))), parameter_type="int", is_ordered=False
        )
    if variable.kind == "index":
        return configs.RangeParameterConfig(name=name, bounds=(0, size - 1), parameter_type="int")
    return configs.RangeParameterConfig(name=name, bounds=(0.0, 1.0), parameter_type="float")


def _ax() -> Any:
    """What is used of Ax, by name."""
    try:
        from types import SimpleNamespace

        from ax.api.client import Client
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
        from ax.utils.common.logger import set_stderr_log_level
    except ImportError as error:
        raise OptionError(
            "ax-platform is not installed", hint="pip install 'accel-dse[peers]'"
        ) from error
    set_stderr_log_level(logging.ERROR)  # else two lines for every trial that it is told
    return SimpleNamespace(
        Client=Client,
        ChoiceParameterConfig=ChoiceParameterConfig,
        RangeParameterConfig=RangeParameterConfig,
    )
