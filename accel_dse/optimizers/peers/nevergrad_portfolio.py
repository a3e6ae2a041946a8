"""Nevergrad's optimizers."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from accel_dse.errors import OptionError
from accel_dse.optimizers.peers.base import TRIES, Lesson, Peer, Session, Verdict
from accel_dse.plugins import require_within
from accel_dse.trial import Design


@dataclass(kw_only=True)
class NevergradPortfolio(Peer):
    """Nevergrad, by default the algorithm that it chooses by itself.

    It takes one objective; a design beyond a limit, or that does not work, has the worst cost known
    times two and more the further it is from what is accepted: of two such it prefers the nearer
    one. (Of designs that violate its own constraints of outcomes, its evolutions keep none, so that
    they learn nothing before the first accepted one.) One against a rule is told as such, and it
    is asked again; that is what its cheap constraints do, but for hundreds of times, of which each
    is some 20 ms where a design is a mapping. Its first design is a random valid one, suggested.
    Its algorithms adapt to what became of their own proposals. So they are asked again what they
    were asked before, which gives the same, and told what came of it: each goes on as one that
    was never stopped. A design that it did not propose is told as such, where it takes that.

    Attributes:
        algorithm: a name in Nevergrad's registry; empty for its `NGOpt`, which its authors
            recommend, and which chooses one for the kinds of variables and the budget. If all are
            numbers, for its (1+1) evolution: there `NGOpt` chose models that NumPy 2.4 breaks, or
            one of SciPy's, which takes no designs but its own, in a thread that never ends.
        budget: trials that it is told it may spend.

    Source:
        Bennet et al., "Nevergrad: black-box optimization platform", 2021.
    """

    natural_batch: ClassVar[int] = 1

    algorithm: str = ""
    budget: int = 200
    _live: "_Live | None" = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("nevergrad", self, budget=(1, 1_000_000))
        if len(self.problem.objectives) > 1:
            raise OptionError("nevergrad: takes one objective", hint="use optuna for several")

    def session(self, told: Sequence[Lesson]) -> Session:
        """The optimizer that was told everything."""
        known = told[: len(told) - len(self.pending)]
        if self._live is None or self._live.spoiled or self._live.count > len(known):
            self._live = _Live(self)
        for design, verdict in known[self._live.count :]:
            self._live.learn(design, verdict)
        self._live.handed = False
        return self._live


class _Live:
    """One of its optimizers, and what it was told.

    Attributes:
        count: lessons that it had.
        held: what it proposes now, and how its library calls that; None if it was not asked yet.
        handed: whether that was given to this batch already.
        spoiled: whether it was asked for more than one design at once. One that is told the trials
            later would not have been, so that another takes its place.
    """

    def __init__(self, peer: NevergradPortfolio) -> None:
        ng = _nevergrad()
        self.peer, self.worst, self.tries, self.count = peer, 1.0, 0, 0
        self.verdicts: dict[tuple[Any, ...], Verdict] = {}
        self.held: tuple[Design, Any] | None = None
        self.handed = self.spoiled = False
        self.asked: Any = None
        self.refusal = ng.errors.TellNotAskedNotSupportedError
        space = ng.p.Dict(**{v.name: _parameter(ng, v.kind, v.size) for v in peer.variables.all})
        space.random_state = np.random.RandomState(peer.seed % 2**32)
        [first] = peer.problem.space.sample(1, np.random.default_rng(peer.seed))
        with _quiet():
            self.optimizer = _optimizer(ng, space, peer)
            self.optimizer.suggest(peer.variables.vectors([first])[0])

    def ask(self) -> Design:
        """What it proposes now, then more."""
        if self.held and not self.handed:
            self.handed = True
            return self.held[0]
        self.spoiled = self.held is not None
        self.tries += 1
        with _quiet():
            self.asked = self.optimizer.ask()
        return self.peer.variables.designs([self.asked.value])[0]

    def tell(self, design: Design, verdict: Verdict) -> None:
        """Says what is wrong with a proposal; one that is to be simulated is held."""
        if verdict.violations[0] > 0 or tuple(design.values()) in self.verdicts:
            with _quiet():
                self.optimizer.tell(self.asked, self._loss(verdict))
        elif self.held is None:
            self.held, self.handed = (design, self.asked), True

    def learn(self, design: Design, verdict: Verdict) -> None:
        """Takes in a lesson: as what it proposes now, if it does, else as somebody else's."""
        while self.held is None and self.tries < TRIES:
            found = self.ask()
            if found in self.peer.problem.space:
                self.tell(found, self.verdicts.get(tuple(found.values()), verdict))
            else:
                self.tell(found, self.peer.broken(found, ()))
        if self.held and self.held[0] == design:
            with _quiet():
                self.optimizer.tell(self.held[1], self._loss(verdict))
        else:
            self._learn_other(design, verdict)
        self.held, self.tries, self.count = None, 0, self.count + 1
        self.verdicts[tuple(design.values())] = verdict
        if verdict.violations[1] <= 0:  # else it has no cost of its own
            self.worst = max(self.worst, abs(verdict.costs[0]))

    def _learn_other(self, design: Design, verdict: Verdict) -> None:
        vector = self.peer.variables.vectors([design])[0]
        with _quiet(), contextlib.suppress(self.refusal):
            child = self.optimizer.parametrization.spawn_child(new_value=vector)
            self.optimizer.tell(child, self._loss(verdict))

    def _loss(self, verdict: Verdict) -> float:
        distance = verdict.distance
        return self.worst * (2.0 + distance) if distance else verdict.costs[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """It warns of what it was not asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _optimizer(ng: Any, space: Any, peer: NevergradPortfolio) -> Any:
    """The algorithm that the options name.

    Raises:
        OptionError: there is none of that name, or it is one of those that run in a thread.
    """
    numbers = all(variable.kind == "number" for variable in peer.variables.all)
    name = peer.algorithm or ("OnePlusOne" if numbers else "NGOpt")
    if name not in ng.optimizers.registry:
        raise OptionError(f"nevergrad has no algorithm {name!r}")
    optimizer = ng.optimizers.registry[name](space, budget=peer.budget)
    if getattr(optimizer, "optim", optimizer).recast:
        raise OptionError(
            f"nevergrad: {name} takes no designs but its own, and so no log",
            hint="algorithm=OnePlusOne, CMA or DE",
        )
    return optimizer


def _parameter(ng: Any, kind: str, size: int) -> Any:
    if kind == "category":
        return ng.p.Choice(list(range(size)))
    if kind == "index":
        return ng.p.TransitionChoice(list(range(size)))
    return ng.p.Scalar(lower=0.0, upper=1.0)


def _nevergrad() -> Any:
    try:
        import nevergrad
    except ImportError as error:
        raise OptionError(
            "nevergrad is not installed", hint="pip install 'accel-dse[peers]'"
        ) from error
    return nevergrad
