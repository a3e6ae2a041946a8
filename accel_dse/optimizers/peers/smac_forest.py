"""SMAC's Bayesian optimization with random forests, or with a Gaussian process."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal

import numpy as np
from joblib import parallel_config

from accel_dse.errors import OptionError
from accel_dse.optimizers.peers.base import Lesson, Peer, Session, Verdict
from accel_dse.plugins import require_within
from accel_dse.trial import Design

BUDGET = 2_000
"""Trials that SMAC is told it has; only its own first designs, which are not used, ask for it."""


@dataclass(kw_only=True)
class Smac(Peer):
    """SMAC3: a random forest (`hpo`), or a Gaussian process (`blackbox`), as its facades are.

    It takes one objective and has no constraints on outcomes, and its forbidden clauses compare
    single parameters, which the rules of our spaces do not. So a design that breaks a rule, a
    limit, or does not work is told as crashed, with a cost above the worst known one: SMAC's own
    way with such runs, which its models learn. The cost rises with how far a design is beyond its
    limits. The first designs are drawn among valid ones: its Sobol sequence would spend a quarter
    of the budget on designs of which most are not. Its local search goes through sets in the order
    of their hashes: a run can be repeated exactly only where `PYTHONHASHSEED` is set, as
    `accel-dse compare` does.

    Attributes:
        facade: `hpo` or `blackbox`.
        initial: designs drawn at random before it models anything.

    Source:
        Lindauer et al., "SMAC3: A Versatile Bayesian Optimization Package for Hyperparameter
        Optimization", 2022.
    """

    natural_batch: ClassVar[int] = 1

    facade: Literal["hpo", "blackbox"] = "hpo"
    initial: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("smac", self, initial=(1, 10_000))
        if len(self.problem.objectives) > 1:
            raise OptionError("smac: takes one objective", hint="use optuna or pymoo for several")

    def session(self, told: Sequence[Lesson]) -> Session:
        """A facade that writes nothing, told everything."""
        smac, space = _smac()
        seed = (self.seed * 1_000_003 + len(told)) % 2**31
        configs = space.ConfigurationSpace(seed=seed)
        configs.add([_parameter(space, v) for v in self.variables.all])
        facades = {"hpo": smac.HyperparameterOptimizationFacade, "blackbox": smac.BlackBoxFacade}
        facade = facades[self.facade]
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            # It writes its settings when it is made, and calls its library's deprecated methods.
            warnings.simplefilter("ignore")
            scenario = smac.Scenario(
                configs,
                output_directory=Path(folder),
                deterministic=True,
                n_trials=BUDGET,
                seed=seed,
            )
            # Its own first designs would come before what it learned, anew in each session: its
            # first is one that it is told of, or, if there is none, one that it is not asked for.
            first = [self.configuration(space, configs, design) for design, _ in told[:1]]
            initial = facade.get_initial_design(
                scenario, n_configs=0 if first else 1, additional_configs=first
            )
            optimizer = facade(scenario, None, initial_design=initial, logging_level=False)
        session = _Session(self, smac, space, configs, optimizer, np.random.default_rng(seed), told)
        for design, verdict in told:
            session.tell(design, verdict)
        return session

    def configuration(self, space: Any, configs: Any, design: Design) -> Any:
        """A design as SMAC has it."""
        return space.Configuration(configs, values=self.variables.vectors([design])[0])


class _Session:
    def __init__(
        self, peer: Smac, smac: Any, space: Any, configs: Any, optimizer: Any,
        random: np.random.Generator, told: Sequence[Lesson],
    ) -> None:  # fmt: skip
        self.peer, self.smac, self.space = peer, smac, space
        self.configs, self.optimizer, self.random = configs, optimizer, random
        self.young = len(told) < peer.initial
        costs = [v.costs[0] for _, v in told if max(v.violations) <= 0] or [1.0]
        self.worst, self.span = max(costs), (max(costs) - min(costs)) or abs(max(costs)) or 1.0

    def ask(self) -> Design:
        if self.young:
            [design] = self.peer.problem.space.sample(1, self.random)
            return design
        with parallel_config(backend="sequential"):  # threads for ten trees: most of it is waiting
            config = self.optimizer.ask().config
        return self.peer.variables.designs([dict(config)])[0]

    def tell(self, design: Design, verdict: Verdict) -> None:
        distance = verdict.distance
        status = self.smac.StatusType.CRASHED if distance else self.smac.StatusType.SUCCESS
        cost = self.worst + self.span * (1.0 + distance) if distance else verdict.costs[0]
        config = self.peer.configuration(self.space, self.configs, design)
        info = self.smac.TrialInfo(config, seed=0)
        self.optimizer.tell(info, self.smac.TrialValue(cost=cost, status=status), save=False)


def _parameter(space: Any, variable: Any) -> Any:
    name, size = variable.name, variable.size
    if size == 1:
        return space.Constant(name, 0)
    if variable.kind == "category":
        return space.CategoricalHyperparameter(name, list(range(size)))
    if variable.kind == "index":
        return space.UniformIntegerHyperparameter(name, 0, size - 1)
    return space.UniformFloatHyperparameter(name, 0.0, 1.0)


def _smac() -> tuple[Any, Any]:
    """What is used of SMAC, by name, and its library of parameters."""
    try:
        from types import SimpleNamespace

        import ConfigSpace
        from smac import BlackBoxFacade, HyperparameterOptimizationFacade, Scenario
        from smac.runhistory.dataclasses import TrialInfo, TrialValue
        from smac.runhistory.enumerations import StatusType
    except ImportError as error:
        raise OptionError("smac is not installed", hint="pip install 'accel-dse[peers]'") from error
    names = SimpleNamespace(
        BlackBoxFacade=BlackBoxFacade, Scenario=Scenario, StatusType=StatusType,
        HyperparameterOptimizationFacade=HyperparameterOptimizationFacade, TrialInfo=TrialInfo,
        TrialValue=TrialValue,
    )  # fmt: skip
    return names, ConfigSpace
