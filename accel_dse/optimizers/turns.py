"""How many trials a hardware design gets: turns, and who deserves another."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from accel_dse.problem import Problem
from accel_dse.trial import Design, Trial

BETTER = 0.01
"""Share by which the last trials of a hardware design made it better if it is worth more."""

KEPT = 4
"""Of so many designs that are judged, one goes on: an outer search that learns proposes ever better
ones, of which nearly all would be among the better half."""

FEWEST = 2
"""Trials of the shortest turn: the last one joins what the others found."""


@dataclass
class Block:
    """All trials of one hardware design.

    Attributes:
        hardware: its design.
        number: how many other hardware designs came before.
        begin: how many trials had been told before its first.
        trials: of it, in order.
        pending: designs of it that are being simulated.
    """

    hardware: Design
    number: int
    begin: int
    trials: list[Trial] = field(default_factory=list)
    pending: list[Design] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.trials) + len(self.pending)


def blocks_of(
    trials: Sequence[Trial], pending: Sequence[Design], names: Sequence[str]
) -> list[Block]:
    """Trials and pending designs by hardware, in order of first appearance.

    Args:
        trials: of hardware and mappings.
        pending: designs of hardware and mappings.
        names: of the parameters of hardware.
    """
    blocks: dict[Hashable, Block] = {}

    def block_of(design: Design, begin: int) -> Block:
        hardware = {name: design[name] for name in names}
        return blocks.setdefault(tuple(hardware.values()), Block(hardware, len(blocks), begin))

    for i, trial in enumerate(trials):
        block_of(trial.design, i).trials.append(trial)
    for design in pending:
        block_of(design, len(trials)).pending.append(design)
    return list(blocks.values())


@dataclass(frozen=True)
class Turns:
    """The rule by which trials are dealt out.

    The first design has a full turn: what is learned on it begins the others. They begin with
    `full / 2**halvings` trials. Of all that have had so many, the best quarter deserves twice as
    many, and so on, up to `full`; one that breaks a limit whatever its mapping does not. After
    every `revisit` designs with a full turn the best one of all deserves another, while its last
    trials still made it better.

    Attributes:
        problem: says what is better.
        full: trials of a full turn.
        halvings: 0 gives every design a full turn.
        revisit: full turns of others for each time that the best one goes on; 0: never.

    Source:
        Without waiting for a round to be over: Li et al., "A System for Massively Parallel
        Hyperparameter Tuning" (ASHA), MLSys 2020, with turns that double. How
        many are kept, and going on with the best, are ours.
    """

    problem: Problem
    full: int
    halvings: int
    revisit: int

    @property
    def rungs(self) -> tuple[int, ...]:
        """Trials after which a design is judged, up to a full turn."""
        shares = (self.full / 2**k for k in range(self.halvings, -1, -1))
        return tuple(dict.fromkeys(max(FEWEST, round(share)) for share in shares))

    def room(self, block: Block) -> int:
        """Trials that are left of the turn that a block is in; 0 if it is over."""
        if block.number == 0 and len(block) <= self.full:
            return self.full - len(block)
        longer = [rung for rung in self.rungs if rung >= len(block)]
        return longer[0] - len(block) if longer else -len(block) % self.full

    def turn(self, block: Block) -> int:
        """Trials of the turn that a block begins."""
        longer = [rung for rung in self.rungs if rung > len(block)]
        if not longer:
            return self.full
        return (longer[0] if block.number else self.full) - len(block)

    def over(self, block: Block, length: int) -> bool:
        """Whether a turn is over after so many trials of a design."""
        if length > self.full:
            return length % self.full == 0
        return length in (self.rungs if block.number else (self.full,))

    def judged(self, block: Block) -> bool:
        """Whether the trials that say what a design is worth at first are told."""
        return len(block.trials) >= (self.rungs[0] if block.number else self.full)

    def hopeless(self, block: Block) -> bool:
        """Whether a design breaks a limit by as much with each mapping, so that none mends that."""
        feasible = [trial.metrics for trial in block.trials if trial.feasible]
        if len(feasible) < FEWEST or not self.problem.limits:
            return False
        excess = {self.problem.goal.excess(metrics) for metrics in feasible}
        return len(excess) == 1 and excess.pop() > 0

    def deserving(self, blocks: Sequence[Block]) -> Block | None:
        """The design that deserves another turn most, of those whose turn is over.

        None if none does: a new design is to be tried.
        """
        ready = {id(b) for b in blocks if b.trials and not b.pending and not self.room(b)}
        for rung in reversed(self.rungs[:-1]):
            there = [b for b in blocks if len(b.trials) >= rung and not self.hopeless(b)]
            there.sort(key=lambda block: self._rank(block, rung))
            for block in there[: len(there) // KEPT]:
                if len(block) == rung and id(block) in ready:
                    return block
        best = self._best_of_all([b for b in blocks if len(b.trials) >= self.full])
        return best if best is not None and id(best) in ready else None

    def _best_of_all(self, blocks: Sequence[Block]) -> Block | None:
        """The best of those with a full turn, if it is to go on."""
        extra = sum(-(-len(block) // self.full) - 1 for block in blocks)
        if not self.revisit or (extra + 1) * self.revisit > len(blocks):
            return None
        best = min(blocks, key=lambda block: self._cost(block, len(block.trials)))
        before = self._cost(best, len(best.trials) - self.full // 2)
        now = self._cost(best, len(best.trials))
        if not np.isfinite(now):
            return None
        still = not np.isfinite(before) or now < before - BETTER * abs(before)
        return best if still else None

    def _cost(self, block: Block, count: int) -> float:
        """The best accepted cost of a design's first trials; infinite if there is none."""
        found = self.problem.best(block.trials[:count])
        return self.problem.costs(found.metrics)[0] if found else np.inf

    def _rank(self, block: Block, count: int) -> tuple[float, float]:
        """How far a design's first trials are from being allowed, and their least cost."""
        feasible = [trial.metrics for trial in block.trials[:count] if trial.feasible]
        ranks = [(self.problem.goal.excess(m), self.problem.costs(m)[0]) for m in feasible]
        return min(ranks, default=(np.inf, np.inf))
