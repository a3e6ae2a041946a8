"""A portfolio: optimizers that share what is known, and the designs to propose."""

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from accel_dse import plugins
from accel_dse.errors import DesignError, OptionError
from accel_dse.optimizers.base import Optimizer, Proposal
from accel_dse.optimizers.credit import JOIN, Standing, decayed, round_rewards, shares
from accel_dse.optimizers.novelty import Known
from accel_dse.trial import Design

AFFORDABLE = {"constrained_bo": 1000, "linear_bo": 1000, "pareto_bo": 1000}
"""Trials after which a kind sits out while others can propose: a proposal of its Gaussian processes
takes seconds by then, and ever more."""

ROUNDS = 4
"""Times that members are asked for what is missing of a batch before it is drawn at random."""


@dataclass(frozen=True)
class Member:
    """An optimizer of a portfolio.

    Attributes:
        name: what its trials name as their source; no two members have the same.
        kind: the name of the optimizer.
        options: of it.
    """

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Member":
        """Reads `evolution`, or `evolution:mutation=2,population=40`.

        Raises:
            OptionError: it is neither, or its options are wrong.
        """
        kind, _, rest = text.partition(":")
        given = {}
        for word in rest.split(",") if rest else ():
            option, equals, value = word.partition("=")
            if not equals:
                raise OptionError(
                    f"cannot read the member {text!r}", hint="write it as evolution:mutation=2"
                )
            given[option.strip()] = value.strip()
        made = plugins.load("optimizers", kind)
        if issubclass(made, Portfolio):
            raise OptionError(f"a portfolio cannot be a member of another: {kind!r}")
        return cls(text, kind, plugins.read_options(kind, made, given))


@dataclass(frozen=True)
class Books:
    """A portfolio after some rounds.

    Attributes:
        members: who may propose now.
        scores: of each of them, by name.
        standing: what the search has reached.
        rounds: how many are over.
    """

    members: tuple[Member, ...]
    scores: Mapping[str, float]
    standing: Standing = field(default_factory=Standing)
    rounds: int = 0


@dataclass(kw_only=True)
class Portfolio(Optimizer):
    """Divides each batch among members by what they have earned; all learn from every trial.

    A round is `round_size` consecutive trials of the log, however they were asked for. Each
    trial's source names the members that proposed it, so the accounts are a function of the
    trials; trials of no source (from another log, say) teach the members and credit nobody.

    Attributes:
        round_size: trials in a round.
        decay: what a reward keeps of its worth from one round to the next.
        temperature: of the softmax that makes shares of scores, the best of which counts as 1.
        least: share that every member keeps, as a share of an even one.
    """

    natural_batch: ClassVar[int] = 20

    round_size: int = 20
    decay: float = 0.8
    temperature: float = 0.4
    least: float = 0.2

    _known: Known = field(init=False, repr=False, compare=False)
    _crew: dict[str, Optimizer] = field(default_factory=dict, init=False, repr=False, compare=False)
    _books: Books | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plugins.require_within(
            plugins.name_of("optimizers", type(self)),
            self,
            round_size=(1, 1_000_000),
            decay=(0.0, 1.0),
            temperature=(1e-6, 1e6),
            least=(0.0, 1.0),
        )
        self._known = Known(self.problem)
        founders = self.founders()
        names = [member.name for member in founders]
        if not names or len(set(names)) < len(names):
            raise OptionError(f"a portfolio needs members, all different, got {names}")

    @abstractmethod
    def founders(self) -> tuple[Member, ...]:
        """The members that a search begins with."""

    @abstractmethod
    def succeeded(self, books: Books) -> Books:
        """The portfolio that goes on after a round, members and scores."""

    def accounts(self) -> Books:
        """The portfolio after the last whole round of `trials`."""
        books = self._books
        if books is None:
            founders = self.founders()
            books = Books(founders, {member.name: 0.0 for member in founders})
        while (books.rounds + 1) * self.round_size <= len(self.trials):
            first = books.rounds * self.round_size
            trials = self.trials[first : first + self.round_size]
            earned = round_rewards(self.problem, books.standing, trials)
            books = self.succeeded(
                Books(
                    books.members,
                    decayed(books.scores, earned, self.decay),
                    books.standing.after(self.problem, trials),
                    books.rounds + 1,
                )
            )
        self._books = books
        return books

    def ask(self, n: int) -> list[Design]:
        """`n` designs; see `propose`."""
        return [proposal.design for proposal in self.propose(n)]

    def propose(self, n: int) -> list[Proposal]:
        """`n` designs with the names of the members that proposed them.

        Who fails to propose, or proposes what is no design of the space, sits out this time, with
        a warning; what is then missing is drawn at random and has no source.
        """
        self._known.refresh(self.trials, self.pending)
        rng = self.rng()
        books = self.accounts()
        weights = shares(books.scores, temperature=self.temperature, least=self.least)
        able = self._affordable(books.members)
        found: list[Design] = []
        sources: list[str] = []
        for _ in range(ROUNDS):
            if not able or len(found) == n:
                break
            chances = np.array([weights[member.name] for member in able])
            counts = rng.multinomial(n - len(found), chances / chances.sum())
            asked = [*self.pending, *found]
            for member, count in list(zip(able, counts)):
                designs = self._asked(member, int(count), asked) if count else []
                if designs is None:
                    able.remove(member)
                    continue
                for design in designs:
                    if design in found:
                        at = found.index(design)
                        if member.name not in sources[at].split(JOIN):
                            sources[at] += JOIN + member.name
                    elif self._known.new([design]):
                        found.append(design)
                        sources.append(member.name)
        rest = self._known.random(n - len(found), rng, besides=found)
        return [*map(Proposal, found, sources), *map(Proposal, rest)]

    def _affordable(self, members: Sequence[Member]) -> list[Member]:
        """The members that can be afforded by now; all, if none of them can."""
        told = len(self.trials)
        return [m for m in members if told < AFFORDABLE.get(m.kind, np.inf)] or list(members)

    def _asked(self, member: Member, n: int, pending: Sequence[Design]) -> list[Design] | None:
        """What a member proposes; None if it cannot."""
        try:
            optimizer = self._optimizer(member)
            optimizer.tell(self.trials[len(optimizer.trials) :], pending)
            designs = list(optimizer.ask(n))[:n]
            for design in designs:
                self.problem.space.check(design)
        except Exception as error:  # whatever a member does, the others go on
            kind = "an invalid design" if isinstance(error, DesignError) else type(error).__name__
            warnings.warn(f"{member.name} sits out: {kind}: {error}", RuntimeWarning, stacklevel=4)
            self._crew.pop(member.name, None)
            return None
        return designs

    def _optimizer(self, member: Member) -> Optimizer:
        if member.name not in self._crew:
            seed = np.random.default_rng([self.seed, *member.name.encode()]).integers(2**31)
            made = plugins.load("optimizers", member.kind)
            self._crew[member.name] = made(
                problem=self.problem, seed=int(seed), sources=self.sources, **member.options
            )
        return self._crew[member.name]

    def _forget(self, members: Sequence[Member]) -> None:
        """Lets go of members that left."""
        for member in members:
            self._crew.pop(member.name, None)
