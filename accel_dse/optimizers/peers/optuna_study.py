"""Optuna's samplers."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from accel_dse.errors import OptionError
from accel_dse.optimizers.peers.base import Lesson, Peer, Session, Verdict
from accel_dse.trial import Design

POPULATION = 20
"""Of NSGA-II: a tenth of the budget of 200 that peers are compared at."""


@dataclass(kw_only=True)
class OptunaStudy(Peer):
    """Optuna: tree-structured Parzen estimators, a Gaussian process, NSGA-II, or CMA-ES.

    All constraints are given as Optuna's own, which its TPE, GP and NSGA-II use. TPE and NSGA-II
    add them up, and prefer the design of the least sum: therefore they are told as grades. A
    proposal against a rule is told as such, and the next is asked for. Designs on their way are
    its running trials, which its TPE keeps away from. Of NSGA-II, every 20 trials are a generation.

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
        known = len(told) - len(self.pending)
        for place, (design, verdict) in enumerate(told):
            session.add(design, verdict if place < known else None, place // POPULATION)
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
                return samplers.TPESampler(seed=seed)
            if self.sampler == "gp":
                return samplers.GPSampler(seed=seed, deterministic_objective=True)
            return samplers.NSGAIISampler(seed=seed, population_size=POPULATION)


@dataclass
class _Session:
    optimizer: OptunaStudy
    study: Any
    distributions: dict[str, Any]
    asked: Any = None

    def ask(self) -> Design:
        self.asked = self.study.ask(self.distributions)
        return self.optimizer.variables.designs([self.asked.params])[0]

    def tell(self, design: Design, verdict: Verdict) -> None:
        """Ends a trial whose design breaks a rule; others run, or ran before, and stay running."""
        if verdict.violations[0] > 0:
            for name, value in self._constraints(verdict).items():
                self.asked.set_constraint(name, value)
            self.study.tell(self.asked, list(verdict.costs))

    def add(self, design: Design, verdict: Verdict | None, generation: int) -> None:
        """A trial that it did not ask for; without a verdict, one on its way.

        Its genetic samplers breed from trials that say of which generation they are, and draw at
        random as long as there are none. It says so itself of those that it is asked for alone.
        """
        optuna = _optuna()
        key = optuna.samplers.NSGAIISampler._get_generation_key()
        self.study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.COMPLETE
                if verdict
                else optuna.trial.TrialState.RUNNING,
                params=self.optimizer.variables.vectors([design])[0],
                distributions=self.distributions,
                values=list(verdict.costs) if verdict else None,
                constraints=self._constraints(verdict) if verdict else None,
                system_attrs={key: generation},
            )
        )

    def _constraints(self, verdict: Verdict) -> dict[str, float]:
        names = ("space", "works", *map(str, self.optimizer.problem.limits))
        return dict(zip(names, verdict.graded))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise OptionError(
            "optuna is not installed", hint="pip install 'accel-dse[peers]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
