"""P3BO: a portfolio whose members earn their share of the designs."""

from dataclasses import dataclass

from accel_dse.optimizers.portfolio import Books, Member, Portfolio


@dataclass(kw_only=True)
class P3BO(Portfolio):
    """Divides each batch among members by how much they improved on the best known before it.

    Attributes:
        members: optimizers, by name; `evolution:mutation=2` sets an option.

    Source:
        Angermueller et al., "Population-based black-box optimization for biological sequence
        design", ICML 2020, algorithm 1; as Apollo uses it. There scores are not scaled and nobody
        keeps a least share.
    """

    members: tuple[str, ...] = ("evolution:mutation=2", "evolution", "firefly", "model_based")

    def founders(self) -> tuple[Member, ...]:
        """All members."""
        return tuple(map(Member.parse, self.members))

    def succeeded(self, books: Books) -> Books:
        """The same members."""
        return books
