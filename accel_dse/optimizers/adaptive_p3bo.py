"""Adaptive P3BO: a portfolio whose members' options evolve."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from accel_dse.optimizers.portfolio import Books, Member, Portfolio
from accel_dse.parameters import Categorical, Ordinal
from accel_dse.plugins import require_within
from accel_dse.space import DesignSpace

OPTIONS: Mapping[str, DesignSpace] = {
    space.name: space
    for space in (
        DesignSpace(
            "evolution",
            (
                Ordinal("population", (10, 20, 40, 80), scale="log"),
                Ordinal("tournament", (2, 4, 8), scale="log"),
                Ordinal("crossover", (0.2, 0.5, 0.8)),
                Ordinal("mutation", (0.5, 1.0, 1.5, 2.0, 3.0)),
                Ordinal("immigrants", (0.02, 0.05, 0.1)),
            ),
        ),
        DesignSpace(
            "firefly",
            (
                Ordinal("pool", (8, 12, 16, 24, 32), scale="log"),
                Ordinal("gravity", (0.5, 1.0, 2.0), scale="log"),
                Ordinal("visibility", (0.3, 1.0, 3.0), scale="log"),
                Ordinal("perturbation", (0.05, 0.1, 0.2, 0.3), scale="log"),
                Ordinal("penalty", (0.7, 0.8, 0.9, 0.95)),
            ),
        ),
        DesignSpace(
            "model_based",
            (
                Categorical("acquisition", ("ei", "ucb")),
                Ordinal("optimism", (0.5, 1.0, 2.0), scale="log"),
                Ordinal("explore", (0.0, 0.05, 0.1)),
            ),
        ),
    )
}
"""Kind of optimizer -> the options of it that may evolve. Others stay as they are."""


@dataclass(kw_only=True)
class AdaptiveP3BO(Portfolio):
    """Divides each batch by what members have earned, and breeds members from the best.

    Every `period` rounds the worse half of the members leaves (but the best of each kind stays,
    so that no kind dies out). In place of each comes a child of a member that won a tournament:
    its options are crossed with those of another member of its kind, and mutated. A child begins
    with its parent's score, and knows all that its parent knows, since all learn from every trial.

    Attributes:
        members: optimizers, by name; `evolution:mutation=2` sets an option. A kind may come
            several times: the second has random options, and so on.
        period: rounds from one generation of members to the next.
        survivors: share of the members that stay.
        tournament: a parent is the best of this many.

    Source:
        Angermueller et al., "Population-based black-box optimization for biological sequence
        design", ICML 2020, section 3.3. There each round is a generation, and kinds may die out.
    """

    members: tuple[str, ...] = ("evolution", "evolution", "firefly", "firefly", "model_based")
    period: int = 4
    survivors: float = 0.5
    tournament: int = 2

    def __post_init__(self) -> None:
        require_within(
            "adaptive_p3bo",
            self,
            period=(1, 1_000_000),
            survivors=(0.0, 1.0),
            tournament=(1, 1_000),
        )
        super().__post_init__()

    def founders(self) -> tuple[Member, ...]:
        """All members; of each kind the first as it is, others with random options."""
        rng = np.random.default_rng([self.seed, 0])
        found: list[Member] = []
        for i, text in enumerate(self.members):
            member = Member.parse(text)
            options = OPTIONS.get(member.kind)
            again = any(other.kind == member.kind for other in found)
            if again and options is not None and not member.options:
                member = Member(f"{text}#{i}", member.kind, options.sample(1, rng)[0])
            found.append(member)
        return tuple(found)

    def succeeded(self, books: Books) -> Books:
        """Every `period` rounds the next generation of members, else the same ones."""
        if books.rounds % self.period:
            return books
        rng = np.random.default_rng([self.seed, books.rounds])
        order = sorted(books.members, key=lambda member: -books.scores[member.name])
        stay = order[: max(round(self.survivors * len(order)), 1)]
        for member in order:
            if all(member.kind != other.kind for other in stay):
                stay.append(member)
        scores = {member.name: books.scores[member.name] for member in stay}
        bred: list[Member] = []
        for i in range(len(order) - len(stay)):
            drawn = [stay[k] for k in rng.integers(len(stay), size=self.tournament)]
            parent = max(drawn, key=lambda member: books.scores[member.name])
            child = self._child(parent, stay, f"{books.rounds}.{i}", rng)
            bred.append(child)
            scores[child.name] = books.scores[parent.name]
        self._forget([member for member in books.members if member not in stay])
        return Books((*stay, *bred), scores, books.standing, books.rounds)

    def _child(
        self, parent: Member, among: list[Member], serial: str, rng: np.random.Generator
    ) -> Member:
        """A variation of `parent`; the same options with another seed if none of them evolve."""
        name = f"{parent.kind}#{serial}"
        space = OPTIONS.get(parent.kind)
        if space is None:
            return Member(name, parent.kind, parent.options)
        mates = [member for member in among if member.kind == parent.kind]
        mate = mates[rng.integers(len(mates))]
        mixed = space.crossover([self._evolving(parent, space)], [self._evolving(mate, space)], rng)
        return Member(name, parent.kind, {**parent.options, **space.mutate(mixed, rng)[0]})

    def _evolving(self, member: Member, space: DesignSpace) -> dict[str, object]:
        """A member's options that evolve, each as the nearest value that it may have."""
        optimizer = self._optimizer(member)
        nearest: dict[str, object] = {}
        for parameter in space.parameters:
            value = getattr(optimizer, parameter.name)
            if isinstance(parameter, Ordinal):
                value = min(parameter.values, key=lambda known: abs(known - value))
            nearest[parameter.name] = value
        return nearest
