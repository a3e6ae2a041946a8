"""Transfer: any optimizer, begun from what related tasks taught."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from accel_dse import plugins
from accel_dse.chosen_options import chosen_options
from accel_dse.errors import OptionError
from accel_dse.optimizers.base import Optimizer, Proposal
from accel_dse.optimizers.novelty import Known
from accel_dse.optimizers.seeding import seeds_of
from accel_dse.problem import Problem
from accel_dse.source import Source
from accel_dse.trial import Design, Outcome, Trial

PROBES = 4
"""Seeds of a source that are tried before it is judged: all that a misleading one can cost."""

RECENT = 8
"""Proposals of the optimizer itself, the latest, that a source's latest `PROBES` must beat."""

SEED = "warm start"
"""What the trial of a seed names as its source."""


@dataclass(kw_only=True)
class Transfer(Optimizer):
    """Another optimizer, which begins from what related tasks taught; `--warm-start` makes it.

    Seeds, the best designs of each source (by this problem's limits and objectives, as far as
    they were measured there; each unlike those before it), are proposed in turn with what the
    optimizer proposes itself. After `PROBES` seeds a source must earn its turns: its latest seeds
    must do better than the optimizer's own latest proposals, more often than not. So a source
    that does not help costs no more than `PROBES` trials, and one that helps is left once the
    optimizer knows better.

    The sources are handed to the optimizer, too: Bayesian ones, alone or in a portfolio, take what
    sources predict as the trend of each metric, and model what is left (see `elders`).

    Attributes:
        optimizer: the name of the one that searches.
        options: of it.
        seeds: designs of all sources that are tried at most.
        share: of the trials that may be seeds, while there are some.
        sources: what related tasks taught; the log keeps their fingerprints.

    Source:
        Seeding with trials of other constraints: Yazdanbakhsh et al., "Apollo: Transferable
        Architecture Exploration", arXiv 2102.01723. That seeds compete with the optimizer's own
        proposals is ours.
    """

    optimizer: str = "evolution"
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 16
    share: float = 0.5
    sources: tuple[Source, ...] = ()

    _inner: Optimizer = field(init=False, repr=False, compare=False)
    _known: Known = field(init=False, repr=False, compare=False)
    _queues: list[list[Design]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plugins.require_within(
            "transfer",
            self,
            seeds=(0, 10_000),
            share=(0.0, 1.0),
        )
        made = plugins.load("optimizers", self.optimizer)
        if issubclass(made, Transfer):
            raise OptionError("transfer: the optimizer that searches must be another one")
        given = plugins.read_options(self.optimizer, made, self.options)
        self._inner = made(problem=self.problem, seed=self.seed, sources=self.sources, **given)
        self.options = chosen_options(self._inner, besides=("problem", "seed"))
        self._known = Known(self.problem)
        self._queues = []
        for source in self.sources:
            seeds = seeds_of(source, self.problem, self.seeds)
            before = [design for queue in self._queues for design in queue]
            self._queues.append([design for design in seeds if design not in before])

    @property
    def natural_batch(self) -> int:  # type: ignore[override]
        """The inner optimizer's: here it depends on an option."""
        return self._inner.natural_batch

    def ask(self, n: int) -> list[Design]:
        """`n` designs; see `propose`."""
        return [proposal.design for proposal in self.propose(n)]

    def propose(self, n: int) -> list[Proposal]:
        """`n` designs, seeds first, and which part of the optimizer proposes each."""
        self._known.refresh(self.trials, self.pending)
        seeds = self._next_seeds(n) if any(self._queues) else []
        found = [Proposal(design, SEED) for design in seeds]
        if len(seeds) < n:
            inner = self._inner
            inner.tell(self.trials[len(inner.trials) :], [*self.pending, *seeds])
            found += inner.propose(n - len(seeds))
        return found

    def _next_seeds(self, n: int) -> list[Design]:
        """The seeds among the next `n` designs; none once no source deserves a turn."""
        ledger = _Ledger(self.problem, self._queues, self._known, self.trials, self.pending)
        chosen: list[Design] = []
        for _ in range(n):
            tried = ledger.seeds
            if tried >= self.seeds or tried > self.share * ledger.count:
                ledger.count += 1
                continue
            source = ledger.next_source()
            if source is None:
                break
            queue = self._known.new(self._queues[source], besides=chosen)
            chosen.append(queue[0])
            ledger.take(source)
        return chosen


class _Ledger:
    """How the seeds of each source have done so far; a function of trials and pending designs.

    Attributes:
        seeds: how many are told or pending.
        count: how many designs are.
    """

    def __init__(
        self,
        problem: Problem,
        queues: Sequence[Sequence[Design]],
        known: Known,
        trials: Sequence[Trial],
        pending: Sequence[Design],
    ) -> None:
        self._problem = problem
        key = itemgetter(*problem.space.names)
        whose = {key(design): i for i, queue in enumerate(queues) for design in queue}
        told = [(whose.get(key(trial.design)), trial) for trial in trials]
        origins = [*(i for i, _ in told), *(whose.get(key(design)) for design in pending)]
        self.count = len(origins)
        self.seeds = self.count - origins.count(None)
        self._tried = [origins.count(i) for i in range(len(queues))]
        self._left = [len(known.new(queue)) for queue in queues]
        judged = [(i, t) for i, t in told if t.outcome in (Outcome.FEASIBLE, Outcome.INFEASIBLE)]
        own = [trial for i, trial in judged if i is None][-RECENT:]
        self._ratings = [
            self._rating([trial for j, trial in judged if j == i][-PROBES:], own)
            for i in range(len(queues))
        ]

    def next_source(self) -> int | None:
        """The source that deserves the next turn; None if none does."""
        able = [
            source
            for source, left in enumerate(self._left)
            if left and (self._tried[source] < PROBES or self._ratings[source] > 0.5)
        ]
        return max(able, key=lambda s: (self._ratings[s], -self._tried[s], -s), default=None)

    def take(self, source: int) -> None:
        """Notes that a seed of `source` is proposed."""
        self.seeds += 1
        self.count += 1
        self._tried[source] += 1
        self._left[source] -= 1

    def _rating(self, seeds: Sequence[Trial], own: Sequence[Trial]) -> float:
        """How likely a seed is better than an own proposal; a half where nothing is known."""
        wins = [self._wins(seed, other) for seed in seeds for other in own]
        return sum(wins) / len(wins) if wins else 0.5

    def _wins(self, a: Trial, b: Trial) -> float:
        """1 if `a` is better than `b`, 0 if worse, a half if neither."""
        better, worse = self._beats(a, b), self._beats(b, a)
        return 0.5 if better == worse else float(better)

    def _beats(self, a: Trial, b: Trial) -> bool:
        if not (a.feasible and b.feasible):
            return a.feasible
        excess = [self._problem.goal.excess(trial.metrics) for trial in (a, b)]
        if max(excess) > 0:
            return excess[0] < excess[1]
        pairs = list(zip(self._problem.costs(a.metrics), self._problem.costs(b.metrics)))
        return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)
