"""Optuna's samplers."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from accel_dse.errors import OptionError
from accel_dse.optimizers.peers.base import Lesson, Peer, Session, Verdict
from accel_dse.trial import Design


@dataclass(kw_only=True)
class OptunaStudy(Peer):
    """Optuna: tree-structured Parzen estimators, a Gaussian process, NSGA-II, or CMA-ES.

    All constraints are given as Optuna's own, which its TPE, GP and NSGA-II use; parallel
    proposals are told as trials with the median result.

    Attributes:
        sampler: which.

    Source:
        Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", 2019.
    """

    natural_batch: ClassVar[int] = 1

    sampler: Literal["tpe", "gp", "nsga2"] = "tpe"

    def session(self, told: Sequence[Lesson]) -> Session:
        """A study in memory."""
        study = _optuna().create_study(
            directions=["minimize"] * len(self.problem.objectives), sampler=self._sampler(len(told))
        )
        session = _Session(self, study, self._distributions())
        for design, verdict in told:
            session.tell(design, verdict)
        return session

    def _distributions(self) -> dict[str, Any]:
        optuna = _optuna()
        return {
            v.name: optuna.distributions.CategoricalDistribution(range(v.size))
            if v.kind == "category"
            else optuna.distributions.IntDistribution(0, v.size - 1)
            if v.kind == "index"
            else optuna.distributions.FloatDistribution(0.0, 1.0)
            for v in self.variables.all
        }

    def _sampler(self, told: int) -> Any:
        """The sampler, its randomness fixed by the seed and by how much is known."""
        samplers = _optuna().samplers
        seed = (self.seed * 1_000_003 + told) % 2**32
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls several of its own options experimental
            if self.sampler == "tpe":
                return samplers.TPESampler(seed=seed, multivariate=True)
            if self.sampler == "gp":
                return samplers.GPSampler(seed=seed, deterministic_objective=True)
            return samplers.NSGAIISampler(seed=seed, population_size=20)


@dataclass(frozen=True)
class _Session:
    optimizer: OptunaStudy
    study: Any
    distributions: dict[str, Any]

    def ask(self) -> Design:
        params = self.study.ask(self.distributions).params
        return self.optimizer.variables.designs([params])[0]

    def tell(self, design: Design, verdict: Verdict) -> None:
        names = ("space", "works", *map(str, self.optimizer.problem.limits))
        self.study.add_trial(
            _optuna().trial.create_trial(
                params=self.optimizer.variables.vectors([design])[0],
                distributions=self.distributions,
                values=list(verdict.costs),
                constraints=dict(zip(names, verdict.violations)),
            )
        )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise OptionError(
            "optuna is not installed", hint="pip install 'accel-dse[peers]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
