"""Nested search of hardware and mappings: each level is an ordinary optimizer."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from accel_dse import plugins
from accel_dse.errors import DesignError, OptionError
from accel_dse.mapping_slots import SEPARATOR
from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.turns import Block, Turns, blocks_of
from accel_dse.parameters import Categorical, Ordinal, Parameter
from accel_dse.problem import Objective, Problem
from accel_dse.source import Source
from accel_dse.space import DesignSpace
from accel_dse.trial import Design, Outcome, Trial

DIGITS = 1_000_003
"""Keeps the seeds of inner searches apart."""


LEAST = (
    ("mapping_trials", 2),
    ("initial", 1),
    ("remembered", 0),
    ("revisit", 0),
    ("halvings", 0),
)
"""Options, and the least that each may be."""

MOST_LEARNED = 100
"""Trials on other hardware that a search of mappings learns from, half of them the best: the time
that its proposals take grows with their square."""

MOST_BARREN = 300
"""Hardware designs in a row that some layer has no mapping on before the search gives up."""


@dataclass(kw_only=True)
class Codesign(Optimizer):
    """Searches hardware by one optimizer, and the mappings of its layers by another.

    For a space of `mapping_space`: parameters named `LAYER__...` are a layer's mapping, all others
    the hardware. Each trial of a hardware design tries a mapping for every layer; the last one of
    a turn joins the best mapping of each. What the hardware is worth is its best trial, and the
    outer optimizer is told that alone. Hardware that some layer has no valid mapping on is never
    simulated; the outer optimizer is told that it cannot work.

    How many trials a design gets, `Turns` decides: it begins with a part of `mapping_trials`, and
    the best quarter goes on. A search of mappings makes use of what was learned on other hardware:
    it tries a layer's best mappings there, and is handed all trials of the layer as a source,
    which Bayesian optimizers take as a trend.

    The simulator must report, for each layer, `LAYER/METRIC` of the objective (for `layer_edp`,
    `LAYER/edp`). In a space without mappings the outer optimizer searches alone.

    The published procedure: `halvings=0`, `revisit=0`, `transfer=False`, `remembered=0`, with
    `linear_bo` at both levels.

    Attributes:
        hardware: name of the outer optimizer.
        mapping: name of the inner one.
        mapping_trials: trials of a hardware design that is among the best; of each, without
            halvings.
        initial: random hardware that begins, where the outer optimizer can be told how much.
        remembered: how many of a layer's best mappings on other hardware are tried first.
        revisit: full turns of others for each time that the best one is mapped further, as long as
            its last trials still made it better; 0: never.
        halvings: how often `mapping_trials` is halved for a design that begins; 0: equal turns.
        transfer: whether searches of mappings learn from trials on other hardware.
        start: hardware that comes first, such as a hand-tuned design; by default, what the outer
            optimizer proposes.

    Source:
        Shi, Sakhuja, Hashemi, Swersky, Lin, "Learned Hardware/Software Co-Design of Neural
        Accelerators", arXiv 2010.02075 (about 5 random hardware designs to begin with; 250 mapping
        trials of each). Uneven turns, transfer between hardware and a start are ours.
    """

    hardware: str = "constrained_bo"
    mapping: str = "constrained_bo"
    mapping_trials: int = 250
    initial: int = 5
    remembered: int = 2
    revisit: int = 3
    halvings: int = 2
    transfer: bool = True
    start: Mapping[str, Any] = field(default_factory=dict)

    _turns: Turns = field(init=False, repr=False, compare=False)
    _layers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _outer: Problem = field(init=False, repr=False, compare=False)
    _next: dict[int, tuple[Design, list[Trial]]] = field(init=False, repr=False, compare=False)
    _inner: dict[Hashable, Optimizer] = field(init=False, repr=False, compare=False)
    _spaces: dict[Hashable, DesignSpace] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, low in LEAST:
            if getattr(self, name) < low:
                raise OptionError(
                    f"codesign: {name}: must be at least {low}, got {getattr(self, name)}"
                )
        for name in (self.hardware, self.mapping):
            if plugins.load("optimizers", name) is type(self):
                raise OptionError(f"codesign: {name!r} cannot be a level of itself")
        self._turns = Turns(self.problem, self.mapping_trials, self.halvings, self.revisit)
        names = self.problem.space.names
        self._layers = tuple(
            dict.fromkeys(name.partition(SEPARATOR)[0] for name in names if SEPARATOR in name)
        )
        if self._layers and len(self.problem.objectives) > 1:
            raise OptionError("codesign: several objectives", hint="name one, such as edp")
        hardware = tuple(p for p in self.problem.space.parameters if SEPARATOR not in p.name)
        if not hardware:
            raise OptionError("codesign: the space has no parameters of hardware")
        self._outer = replace(self.problem, space=self._part("hardware", hardware))
        if self.start:
            self.start = self._outer.space.canonical(self.start)
            self._outer.space.check(self.start)
        self._next, self._inner, self._spaces = {}, {}, {}

    def ask(self, n: int) -> list[Design]:
        """`n` designs: of hardware whose turn is not over, then of the best again, or of new."""
        if not self._layers:
            return self._outer_search(self.trials, self.pending).ask(n)
        blocks = blocks_of(self.trials, self.pending, self._outer.space.names)
        chosen: list[Design] = []
        busy = set()
        for block in blocks:
            room = self._turns.room(block)
            if room > 0 and len(chosen) < n:
                chosen += self._mapped(block, blocks, min(room, n - len(chosen)))
                busy.add(block.number)
        while len(chosen) < n:
            again = self._turns.deserving([b for b in blocks if b.number not in busy])
            if again is None:
                again = Block(self._new_hardware(blocks), len(blocks), len(self.trials))
                blocks.append(again)
            busy.add(again.number)
            room = self._turns.turn(again)
            chosen += self._mapped(again, blocks, min(room, n - len(chosen)))
        return chosen

    def _part(self, name: str, parameters: Sequence[Parameter]) -> DesignSpace:
        """The space of some parameters, with the rules and features about them alone."""
        space = self.problem.space
        names = {parameter.name for parameter in parameters}
        return DesignSpace(
            f"{space.name}_{name}",
            tuple(parameters),
            tuple(c for c in space.constraints if names.issuperset(c.rule.names)),
            {k: e for k, e in space.features.items() if names.issuperset(e.names)},
        )

    # The outer search

    def _new_hardware(self, blocks: Sequence[Block]) -> Design:
        """What the outer optimizer proposes after the blocks.

        What it proposed before each of them is found out again, since it was told of hardware
        without a mapping that no trial speaks of. All of it is a function of the trials.
        """
        if self.start and not blocks:
            return dict(self.start)
        barren: list[Trial] = []
        for block in blocks[bool(self.start) :]:
            if block.trials:
                barren = self._next_after(block.begin, barren)[1]
        awaited = [block.hardware for block in blocks if not self._turns.judged(block)]
        if not awaited:
            return self._next_after(len(self.trials), barren)[0]
        return self._proposal([*self._told(len(self.trials)), *barren], barren, awaited)[0]

    def _next_after(self, count: int, barren: Sequence[Trial]) -> tuple[Design, list[Trial]]:
        """`_proposal` after the first `count` trials."""
        if count not in self._next:
            self._next[count] = self._proposal([*self._told(count), *barren], barren, [])
        return self._next[count]

    def _told(self, count: int) -> list[Trial]:
        """What the outer optimizer is told after `count` trials: one of each judged design."""
        blocks = blocks_of(self.trials[:count], [], self._outer.space.names)
        return [self._worth(block) for block in blocks if self._turns.judged(block)]

    def _proposal(
        self, told: Sequence[Trial], barren: Sequence[Trial], awaited: Sequence[Design]
    ) -> tuple[Design, list[Trial]]:
        """The next hardware that all layers have a mapping on; and all known to have none.

        Raises:
            DesignError: none was found.
        """
        outer = self._outer_search(told, awaited)
        found = list(barren)
        while True:
            hardware = outer.ask(1)[0]
            reason = self._unmappable(hardware)
            if not reason:
                return hardware, found
            if len(found) - len(barren) == MOST_BARREN:
                raise DesignError(
                    f"codesign: none of {MOST_BARREN} hardware designs in a row has a mapping for "
                    f"every layer; the last: {reason}"
                )
            index = len(outer.trials)
            found.append(
                Trial(index=index, design=hardware, outcome=Outcome.INFEASIBLE, reason=reason)
            )
            outer.tell(found[-1:], pending=awaited)

    def _outer_search(self, told: Sequence[Trial], awaited: Sequence[Design]) -> Optimizer:
        cls = plugins.load("optimizers", self.hardware)
        begin = {"initial": self.initial} if "initial" in plugins.options(cls) else {}
        outer: Optimizer = cls(problem=self._outer, seed=self.seed, **begin)
        outer.tell(told, pending=awaited)
        return outer

    def _unmappable(self, hardware: Design) -> str:
        """Which layer has no valid mapping, and why; "" if all have one."""
        for layer in self._layers:
            try:
                self._layer_space(hardware, layer).sample(1, np.random.default_rng(self.seed))
            except DesignError as error:
                return f"{layer}: {error}"
        return ""

    def _worth(self, block: Block) -> Trial:
        """The trial that the outer optimizer is told of a block."""
        best = self.problem.best(block.trials)
        feasible = [trial for trial in block.trials if trial.feasible]
        chosen = best or (feasible or block.trials)[-1]
        return replace(chosen, index=block.number, design=block.hardware)

    # The inner searches

    def _layer_space(self, hardware: Design, layer: str) -> DesignSpace:
        """The mappings of `layer` on one hardware design, whose parameters have one value."""
        key = (*hardware.values(), layer)
        if key not in self._spaces:
            parameters = [fixed_parameter(name, hardware[name]) for name in self._outer.space.names]
            own = [p for p in self.problem.space.parameters if _layer_of(p.name) == layer]
            self._spaces[key] = self._part(layer, [*parameters, *own])
        return self._spaces[key]

    def _mapped(self, block: Block, blocks: Sequence[Block], n: int) -> list[Design]:
        """`n` more designs of a block."""
        last = self._turns.over(block, len(block) + n)
        columns = []
        for place, layer in enumerate(self._layers):
            wanted = n - last
            inner = self._search(block, place)
            warm: list[Design] = []
            if len(block) < self.remembered:
                warm = self._remembered(layer, block, blocks)[len(block) :][:wanted]
            chosen = [*warm, *(inner.ask(wanted - len(warm)) if wanted > len(warm) else [])]
            if last:
                best = self._best_mapping(layer, block)
                chosen.append(best[1] if best else inner.ask(1)[0])
            columns.append(chosen)
        names = self.problem.space.names
        designs: list[Design] = []
        for choice in zip(*columns):
            joined = {name: value for part in choice for name, value in part.items()}
            designs.append({name: joined[name] for name in names})
        return designs

    def _search(self, block: Block, place: int) -> Optimizer:
        """The search of a layer's mappings on one hardware design, told all that is known."""
        layer = self._layers[place]
        before = self._before(block)
        key = (*block.hardware.values(), layer, len(before))
        if key not in self._inner:
            problem = replace(
                self.problem,
                space=self._layer_space(block.hardware, layer),
                objectives=(Objective(self._metric(layer), self.problem.objectives[0].sense),),
                limits=(),
            )
            seed = (self.seed * DIGITS + block.number) * len(self._layers) + place
            cls = plugins.load("optimizers", self.mapping)
            sources = self._sources(problem, layer, before)
            begin = {"initial": 2} if sources and "initial" in plugins.options(cls) else {}
            self._inner[key] = cls(problem=problem, seed=seed, sources=sources, **begin)
        inner = self._inner[key]
        names = inner.problem.space.names
        news = block.trials[len(inner.trials) :]
        inner.tell(
            [replace(t, design=_some(t.design, names), index=t.index) for t in news],
            pending=[_some(design, names) for design in block.pending],
        )
        return inner

    def _before(self, block: Block) -> Sequence[Trial]:
        """The trials before the first of a block, which are all on other hardware."""
        if not self.transfer:
            return ()
        return self.trials[: block.begin]

    def _sources(self, problem: Problem, layer: str, before: Sequence[Trial]) -> tuple[Source, ...]:
        """What trials on other hardware taught of a layer."""
        told = sorted(
            (trial for trial in before if trial.feasible),
            key=lambda trial: self._cost(layer, trial),
        )
        if not told:
            return ()
        best, rest = told[: MOST_LEARNED // 2], told[MOST_LEARNED // 2 :]
        spread = np.linspace(0, len(rest) - 1, min(len(rest), MOST_LEARNED - len(best)))
        told = best + [rest[i] for i in spread.astype(int).tolist()]
        columns = self.problem.space.columns([trial.design for trial in told])
        metric = self._metric(layer)
        values = [self._measured(layer, trial) for trial in told]
        return (
            Source(
                task=f"{layer} on other hardware",
                fingerprint="",
                place="",
                space=problem.space,
                columns={name: columns[name] for name in problem.space.names},
                works=np.ones(len(told), dtype=bool),
                metrics={metric: np.array(values)},
            ),
        )

    def _metric(self, layer: str) -> str:
        """The layer's share of the objective."""
        return f"{layer}/{self.problem.objectives[0].metric.removeprefix('layer_')}"

    def _measured(self, layer: str, trial: Trial) -> float:
        """The layer's share of the objective in a feasible trial."""
        name = self._metric(layer)
        if name not in trial.metrics:
            raise OptionError(
                f"codesign: trial {trial.index} has no metric {name!r}",
                hint="use a simulator that reports the layers, such as explicit",
            )
        return trial.metrics[name]

    def _cost(self, layer: str, trial: Trial) -> float:
        sign = 1.0 if self.problem.objectives[0].sense == "minimize" else -1.0
        return sign * self._measured(layer, trial)

    def _best_mapping(self, layer: str, block: Block) -> tuple[float, Design] | None:
        """The block's best mapping of a layer, after its cost."""
        feasible = [trial for trial in block.trials if trial.feasible]
        if not feasible:
            return None
        best = min(feasible, key=lambda trial: self._cost(layer, trial))
        return self._cost(layer, best), _some(best.design, self._names_of(layer))

    def _names_of(self, layer: str) -> list[str]:
        """Parameters of the hardware and of one layer."""
        return [n for n in self.problem.space.names if _layer_of(n) in ("", layer)]

    def _remembered(self, layer: str, block: Block, blocks: Sequence[Block]) -> list[Design]:
        """The layer's best mappings on other hardware that are valid on this, best first."""
        others = [self._best_mapping(layer, other) for other in blocks[: block.number]]
        known = sorted((best for best in others if best is not None), key=lambda best: best[0])
        found = [{**mapping, **block.hardware} for _, mapping in known]
        space = self._search(block, self._layers.index(layer)).problem.space
        distinct: list[Design] = list({tuple(d.values()): d for d in found}.values())
        if not distinct:
            return []
        valid = space.coding.satisfied(space.coding.coded(space.columns(distinct)))
        return [design for design, good in zip(distinct, valid) if good][: self.remembered]


def _layer_of(name: str) -> str:
    """The layer that a parameter belongs to; "" for the hardware's."""
    layer, separator, _ = name.partition(SEPARATOR)
    return layer if separator else ""


def _some(design: Design, names: Iterable[str]) -> Design:
    return {name: design[name] for name in names}


def fixed_parameter(name: str, value: Any) -> Parameter:
    """A parameter that has just one value."""
    if isinstance(value, tuple):
        raise OptionError(f"codesign: {name}: a structured parameter must belong to a layer")
    return Categorical(name, (value,)) if isinstance(value, str) else Ordinal(name, (value,))
