"""An accelerator described as data: the `accelerator` section of a space file.

A template is a chain of levels, outermost first, whose attributes are expressions over the
space's parameters; `Template.bind` computes them for `n` designs at once. Nothing here knows what
a cycle is: the physics is in `simulators/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import DesignError, DseError, FileError
from accel_dse.expressions import Expression
from accel_dse.hardware import UNLIMITED, Hardware
from accel_dse.space import DesignSpace
from accel_dse.technology import Precision, Technology
from accel_dse.workload import DIMS, TENSORS

Columns = Mapping[str, NDArray[Any]]

MEMORIES = ("sram", "registers")
"""On-chip kinds of storage; any other `memory` is a kind of DRAM of the technology table."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """One storage level. Expressions are over the parameters and the derived values.

    Attributes:
        name: unique in its template.
        memory: `sram`, `registers`, or a kind of DRAM.
        keeps: tensors it stores; the others pass by.
        capacity_bytes: groups of tensors -> bytes that the group shares, of one instance.
        copies: instances along x and y under each instance of the level outside.
        unroll: dimensions that may be split over those copies, along x and y.
        hardwired: axes whose copies always work as one wide unit.
        multicast: whether one word sent by the level outside can reach several copies at once.
        reduces: whether partial sums of several copies are added on their way out.
        read, write, shared: bytes per cycle of one instance.
        latency: cycles from request to first word.
        issue: cycles to issue one transfer to the level inside.
        double_buffered: whether the next tile may arrive while the present one is used.
        loops: dimensions its temporal loops may step through.
        whole: dimension -> condition under which its tile must span it whole.
        word_bits: kinds of words whose width here differs from the precision's.
        logic_mm2: control and datapath beside each instance.
    """

    name: str
    memory: str
    keeps: tuple[str, ...]
    capacity_bytes: Mapping[tuple[str, ...], Expression] = field(default_factory=dict)
    copies: tuple[Expression, Expression] = (Expression("1"), Expression("1"))
    unroll: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    hardwired: tuple[bool, bool] = (False, False)
    multicast: bool = True
    reduces: bool = True
    read: Expression | None = None
    write: Expression | None = None
    shared: Expression | None = None
    latency: Expression = Expression("0")
    issue: Expression = Expression("0")
    double_buffered: bool = True
    loops: tuple[str, ...] = DIMS
    whole: Mapping[str, Expression] = field(default_factory=dict)
    word_bits: Mapping[str, Expression] = field(default_factory=dict)
    logic_mm2: Expression = Expression("0")


@dataclass(frozen=True, kw_only=True)
class Macs:
    """The multiply-accumulate units under each instance of the last level."""

    copies: tuple[Expression, Expression]
    unroll: tuple[tuple[str, ...], tuple[str, ...]]
    hardwired: tuple[bool, bool] = (False, False)
    multicast: bool = True
    reduces: bool = True
    fill: Expression = Expression("0")


@dataclass(frozen=True, kw_only=True)
class Program:
    """An instruction memory: entries, what one transfer takes, and down to which level."""

    entries: Expression
    per_transfer: Expression
    level: str


@dataclass(frozen=True, kw_only=True)
class Template:
    """A chain of levels and its MACs, ready to be bound to designs.

    Attributes:
        name: of the space file.
        technology: a node of the technology table.
        precision: a precision of the technology table.
        clock_ghz: one clock for the whole chip.
        levels: outermost first; the first is the DRAM and keeps all tensors.
        macs: what computes.
        program: the instruction memory, if there is one.
        vector_lanes: elementwise operations per cycle, whole chip.
        logic_mm2: what is on the chip once, beside the levels and MACs.
        derived: named expressions that others may use, in order.
    """

    name: str
    technology: Technology
    precision: Precision
    clock_ghz: Expression
    levels: tuple[Level, ...]
    macs: Macs
    program: Program | None = None
    vector_lanes: Expression = Expression("1")
    logic_mm2: Expression = Expression("0")
    derived: Mapping[str, Expression] = field(default_factory=dict)

    @classmethod
    def parse(cls, section: Mapping[str, Any], space: DesignSpace) -> "Template":
        """Reads the `accelerator` section of a space file.

        Raises:
            FileError: what is wrong with it, with key and value.
        """
        return _Reader(section, space).template()

    def bind(self, designs: Columns) -> Hardware:
        """The hardware of `n` designs.

        Raises:
            DesignError: an expression has no value for a design, or a capacity, a bandwidth or a
                number of copies is not positive.
        """
        return _Binding(self, designs).hardware()


class _Binding:
    """One evaluation of a template's expressions for `n` designs."""

    def __init__(self, template: Template, designs: Columns) -> None:
        self.template = template
        self.n = len(next(iter(designs.values()))) if designs else 1
        self.columns: dict[str, NDArray[Any]] = dict(designs)
        for name, expression in template.derived.items():
            self.columns[name] = self.value(expression, f"derived.{name}")

    def value(
        self, expression: Expression, where: str, *, at_least: float = 0.0
    ) -> NDArray[np.float64]:
        found = np.asarray(expression.evaluate(self.columns), dtype=np.float64)
        array = np.broadcast_to(found, (self.n,)).astype(np.float64)
        if not (array >= at_least).all():
            row = int(np.flatnonzero(~(array >= at_least))[0])
            raise DesignError(
                f"accelerator.{where}: {expression.text!r} is {array[row]:g}, "
                f"but must be at least {at_least:g}"
            )
        return array

    def rate(self, expression: Expression | None, where: str) -> NDArray[np.float64]:
        """Bits per cycle of an expression in bytes per cycle; unlimited if there is none."""
        if expression is None:
            return np.full(self.n, UNLIMITED)
        bits = 8 * self.value(expression, where)
        if not (bits > 0).all():
            raise DesignError(f"accelerator.{where}: a bandwidth must be positive")
        return bits

    def hardware(self) -> Hardware:
        template, n = self.template, self.n
        levels = template.levels
        inside = [*levels[1:], template.macs]
        fanout = np.stack(
            [
                [
                    self.value(level.copies[axis], "copies", at_least=1).astype(np.int64)
                    for level in inside
                ]
                for axis in (0, 1)
            ]
        ).transpose(0, 2, 1)
        instances = np.concatenate(
            [np.ones((n, 1)), np.cumprod(fanout[0] * fanout[1], axis=1)], axis=1
        )
        word_bits = np.stack([self._word_bits(level) for level in levels], axis=1)
        capacity, partition = self._capacities()
        costs = _Costs(self, instances, word_bits, capacity, partition)
        return Hardware(
            levels=tuple(level.name for level in levels),
            keeps=np.array([[t in level.keeps for t in TENSORS] for level in levels]),
            partition=partition,
            multicast=np.array([level.multicast for level in inside]),
            reduces=np.array([level.reduces for level in inside]),
            double_buffered=np.array([level.double_buffered for level in levels]),
            loops_allowed=np.array([[d in level.loops for d in DIMS] for level in levels]),
            unroll_x=np.array([[d in level.unroll[0] for d in DIMS] for level in inside]),
            unroll_y=np.array([[d in level.unroll[1] for d in DIMS] for level in inside]),
            hardwired=np.array([level.hardwired for level in inside]),
            whole=np.stack([self._whole(level) for level in levels], axis=1),
            capacity_bits=capacity,
            word_bits=word_bits,
            fanout_x=np.ascontiguousarray(fanout[0]),
            fanout_y=np.ascontiguousarray(fanout[1]),
            read_bits_per_cycle=self._table("read"),
            write_bits_per_cycle=self._table("write"),
            shared_bits_per_cycle=self._table("shared"),
            latency_cycles=self._plain("latency"),
            issue_cycles=self._plain("issue"),
            fill_cycles=self.value(template.macs.fill, "macs.fill"),
            program_entries=self._program_entries(),
            program_level=self._program_level(),
            access_pj_per_bit=costs.access_pj_per_bit,
            network_pj_per_bit=costs.network_pj_per_bit,
            mac_pj=costs.mac_pj,
            static_w=costs.static_w,
            area_mm2=costs.area_mm2,
            clock_ghz=self.value(template.clock_ghz, "clock_ghz"),
            vector_operations_per_cycle=self.value(
                template.vector_lanes, "vector_lanes", at_least=1e-9
            ),
        )

    def _table(self, attribute: str) -> NDArray[np.float64]:
        return np.stack(
            [
                self.rate(getattr(level, attribute), f"levels.{level.name}.bandwidth.{attribute}")
                for level in self.template.levels
            ],
            axis=1,
        )

    def _plain(self, attribute: str) -> NDArray[np.float64]:
        return np.stack(
            [
                self.value(getattr(level, attribute), f"levels.{level.name}.{attribute}")
                for level in self.template.levels
            ],
            axis=1,
        )

    def _word_bits(self, level: Level) -> NDArray[np.float64]:
        precision = self.template.precision
        columns = []
        for kind in ("weights", "inputs", "outputs", "partial_sums"):
            own = level.word_bits.get(kind)
            columns.append(
                np.full(self.n, float(getattr(precision, kind)))
                if own is None
                else self.value(own, f"levels.{level.name}.word_bits.{kind}", at_least=1)
            )
        return np.stack(columns, axis=1)

    def _whole(self, level: Level) -> NDArray[np.bool_]:
        table = np.zeros((self.n, len(DIMS)), dtype=bool)
        for dim, condition in level.whole.items():
            table[:, DIMS.index(dim)] = self.value(condition, f"levels.{level.name}.whole") != 0
        return table

    def _capacities(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        levels = self.template.levels
        capacity = np.full((self.n, len(levels), 3), UNLIMITED)
        partition = np.zeros((len(levels), 3), dtype=np.int64)
        for i, level in enumerate(levels):
            for group, (tensors, expression) in enumerate(level.capacity_bytes.items()):
                where = f"levels.{level.name}.capacity_bytes"
                bits = 8 * self.value(expression, where)
                if not (bits > 0).all():
                    raise DesignError(f"accelerator.{where}: a capacity must be positive")
                for tensor in tensors:
                    capacity[:, i, TENSORS.index(tensor)] = bits
                    partition[i, TENSORS.index(tensor)] = group
        return capacity, partition

    def _program_entries(self) -> NDArray[np.float64]:
        program = self.template.program
        if program is None:
            return np.full(self.n, UNLIMITED)
        entries = self.value(program.entries, "program.entries")
        return np.floor(
            entries / self.value(program.per_transfer, "program.per_transfer", at_least=1e-9)
        )

    def _program_level(self) -> int:
        program = self.template.program
        names = [level.name for level in self.template.levels]
        return -1 if program is None else names.index(program.level)


class _Costs:
    """Area, energy and static power of a binding, from the technology table."""

    def __init__(
        self,
        binding: _Binding,
        instances: NDArray[np.float64],
        word_bits: NDArray[np.float64],
        capacity: NDArray[np.float64],
        partition: NDArray[np.int64],
    ) -> None:
        template, n = binding.template, binding.n
        technology = template.technology
        count = len(template.levels)
        clock = binding.value(template.clock_ghz, "clock_ghz")
        self.access_pj_per_bit = np.zeros((n, count, 3))
        stored = np.zeros((n, count))
        logic = np.zeros((n, count))
        clocked = np.zeros(n)
        self.static_w = np.zeros(n)
        for i, level in enumerate(template.levels):
            own = binding.value(level.logic_mm2, f"levels.{level.name}.logic_mm2")
            logic[:, i] = own * instances[:, i]
            if level.memory not in MEMORIES:
                dram = technology.dram(level.memory)
                self.access_pj_per_bit[:, i] = dram.pj_per_bit
                peak = binding.rate(level.shared or level.read, f"levels.{level.name}.bandwidth")
                rate = np.where(np.isfinite(peak), peak / 8 * clock, 0.0)
                stored[:, i] = technology.dram_interface_mm2(level.memory, rate)
                continue
            width = _port_bits(binding, level)
            for group in range(len(level.capacity_bytes)):
                member = next(
                    t
                    for t, name in enumerate(TENSORS)
                    if name in level.keeps and partition[i, t] == group
                )
                bits = capacity[:, i, member]
                store = technology.sram if level.memory == "sram" else technology.register_file
                cost = store(bits, np.minimum(width, bits))
                stored[:, i] += cost.area_mm2 * instances[:, i]
                if level.memory == "registers":
                    clocked += cost.area_mm2 * instances[:, i]
                else:
                    self.static_w += cost.leakage_w * instances[:, i]
                share = 1.0 / len(level.capacity_bytes)
                self.access_pj_per_bit[:, i, 0] += share * cost.read_pj_per_bit
                self.access_pj_per_bit[:, i, 1:] += share * cost.write_pj_per_bit[:, None]
        mac = technology.mac(template.precision)
        self.mac_pj = np.broadcast_to(mac.energy_pj, (n,)).astype(np.float64)
        macs_mm2 = mac.area_mm2 * instances[:, count]
        macs_mm2 = macs_mm2 + technology.control_mm2(macs_mm2)
        shared = binding.value(template.logic_mm2, "logic_mm2")
        self.static_w += technology.logic_static_w(
            clocked + logic.sum(axis=1) + macs_mm2 + shared, clock
        )
        area = stored + logic
        inside = np.concatenate([area[:, 1:], macs_mm2[:, None]], axis=1)
        spanned = np.cumsum(inside[:, ::-1], axis=1)[:, ::-1] / instances[:, :count]
        self.network_pj_per_bit = technology.network_pj_per_bit(spanned)
        self.area_mm2 = area.sum(axis=1) + macs_mm2 + shared


def _port_bits(binding: _Binding, level: Level) -> NDArray[np.float64]:
    """The width of a level's port: what it must deliver in a cycle, 64 bits if unlimited."""
    rates = [
        binding.rate(expression, f"levels.{level.name}.bandwidth")
        for expression in (level.read, level.write, level.shared)
        if expression is not None
    ]
    return np.maximum.reduce(rates) if rates else np.full(binding.n, 64.0)


class _Reader:
    """Reads the `accelerator` section, naming the key in every complaint."""

    def __init__(self, section: Mapping[str, Any], space: DesignSpace) -> None:
        if not isinstance(section, Mapping):
            raise FileError("accelerator: expected a mapping", hint="see design_spaces/edge.yaml")
        self.section = section
        self.space = space
        self.known = {parameter.name for parameter in space.parameters}

    def template(self) -> Template:
        section = self.section
        self._keys(
            section,
            "",
            required={"technology", "precision", "clock_ghz", "levels", "macs"},
            optional={"program", "vector_lanes", "logic_mm2", "derived"},
        )
        derived = {}
        for name, text in dict(section.get("derived") or {}).items():
            derived[str(name)] = self._expression(text, f"derived.{name}")
            self.known.add(str(name))
        levels = self._levels(section["levels"])
        program = section.get("program")
        return Template(
            name=self.space.name,
            technology=self._named(Technology.named, section["technology"], "technology"),
            precision=self._named(Precision.named, section["precision"], "precision"),
            clock_ghz=self._expression(section["clock_ghz"], "clock_ghz"),
            levels=levels,
            macs=self._macs(section["macs"]),
            program=None if program is None else self._program(program, levels),
            vector_lanes=self._expression(section.get("vector_lanes", 1), "vector_lanes"),
            logic_mm2=self._expression(section.get("logic_mm2", 0), "logic_mm2"),
            derived=derived,
        )

    def _levels(self, items: Any) -> tuple[Level, ...]:
        if not isinstance(items, list) or len(items) < 2:
            raise FileError("accelerator.levels: expected a list of at least a DRAM and one level")
        levels = tuple(self._level(item, i) for i, item in enumerate(items))
        names = [level.name for level in levels]
        for name in names:
            if names.count(name) > 1:
                raise FileError(f"accelerator.levels: two levels are named {name!r}")
        if set(levels[0].keeps) != set(TENSORS) or levels[0].memory in MEMORIES:
            raise FileError(
                f"accelerator.levels.{names[0]}: the outermost level must be a DRAM that keeps "
                "all tensors"
            )
        return levels

    def _level(self, item: Any, place: int) -> Level:
        where = f"levels[{place}]"
        if isinstance(item, Mapping) and isinstance(item.get("name"), str):
            where = f"levels.{item['name']}"
        self._keys(
            item,
            where,
            required={"name", "memory"},
            optional={
                "keeps", "capacity_bytes", "copies", "unroll", "hardwired", "multicast",
                "reduces", "bandwidth", "latency", "issue", "double_buffered", "loops", "whole",
                "word_bits", "logic_mm2",
            },
        )  # fmt: skip
        memory = str(item["memory"])
        keeps = self._words(item.get("keeps", list(TENSORS)), TENSORS, f"{where}.keeps")
        if not keeps:
            raise FileError(f"accelerator.{where}.keeps: a level must keep at least one tensor")
        capacity = self._capacity(item, keeps, memory, where)
        bandwidth = item.get("bandwidth") or {}
        self._keys(bandwidth, f"{where}.bandwidth", optional={"read", "write", "shared"})
        rates = {
            key: self._expression(text, f"{where}.bandwidth.{key}")
            for key, text in bandwidth.items()
        }
        whole = item.get("whole") or {}
        if isinstance(whole, list):
            whole = {dim: True for dim in whole}
        self._words(list(whole), DIMS, f"{where}.whole")
        word_bits = item.get("word_bits") or {}
        self._keys(
            word_bits,
            f"{where}.word_bits",
            optional={"weights", "inputs", "outputs", "partial_sums"},
        )
        copies, unroll, hardwired = self._fanout(item, where)
        return Level(
            name=str(item["name"]),
            memory=memory,
            keeps=keeps,
            capacity_bytes=capacity,
            copies=copies,
            unroll=unroll,
            hardwired=hardwired,
            multicast=self._flag(item, "multicast", where),
            reduces=self._flag(item, "reduces", where),
            read=rates.get("read"),
            write=rates.get("write"),
            shared=rates.get("shared"),
            latency=self._expression(item.get("latency", 0), f"{where}.latency"),
            issue=self._expression(item.get("issue", 0), f"{where}.issue"),
            double_buffered=self._flag(item, "double_buffered", where),
            loops=self._words(item.get("loops", list(DIMS)), DIMS, f"{where}.loops"),
            whole={d: self._expression(c, f"{where}.whole.{d}") for d, c in whole.items()},
            word_bits={
                k: self._expression(v, f"{where}.word_bits.{k}") for k, v in word_bits.items()
            },
            logic_mm2=self._expression(item.get("logic_mm2", 0), f"{where}.logic_mm2"),
        )

    def _capacity(
        self, item: Mapping[str, Any], keeps: tuple[str, ...], memory: str, where: str
    ) -> dict[tuple[str, ...], Expression]:
        where = f"{where}.capacity_bytes"
        given = item.get("capacity_bytes")
        if memory not in MEMORIES:
            if given is not None:
                raise FileError(f"accelerator.{where}: a DRAM has none")
            return {}
        if given is None:
            raise FileError(f"accelerator.{where}: missing")
        if not isinstance(given, Mapping):
            return {keeps: self._expression(given, where)}
        groups = {}
        for key, text in given.items():
            tensors = self._words([k.strip() for k in str(key).split("+")], TENSORS, where)
            groups[tensors] = self._expression(text, f"{where}.{key}")
        named = [tensor for tensors in groups for tensor in tensors]
        if sorted(named) != sorted(keeps):
            raise FileError(
                f"accelerator.{where}: names {', '.join(named)}, but the level keeps "
                f"{', '.join(keeps)}",
                hint="write groups as `inputs + outputs: 1024`",
            )
        return groups

    def _macs(self, item: Any) -> Macs:
        self._keys(
            item,
            "macs",
            required={"copies", "unroll"},
            optional={"hardwired", "multicast", "reduces", "fill"},
        )
        copies, unroll, hardwired = self._fanout(item, "macs")
        return Macs(
            copies=copies,
            unroll=unroll,
            hardwired=hardwired,
            multicast=self._flag(item, "multicast", "macs"),
            reduces=self._flag(item, "reduces", "macs"),
            fill=self._expression(item.get("fill", 0), "macs.fill"),
        )

    def _program(self, item: Any, levels: tuple[Level, ...]) -> Program:
        self._keys(item, "program", required={"entries", "per_transfer", "level"})
        names = [level.name for level in levels]
        if item["level"] not in names:
            raise FileError(
                f"accelerator.program.level: no level is named {item['level']!r}",
                hint=f"known: {', '.join(names)}",
            )
        return Program(
            entries=self._expression(item["entries"], "program.entries"),
            per_transfer=self._expression(item["per_transfer"], "program.per_transfer"),
            level=str(item["level"]),
        )

    def _fanout(
        self, item: Mapping[str, Any], where: str
    ) -> tuple[
        tuple[Expression, Expression],
        tuple[tuple[str, ...], tuple[str, ...]],
        tuple[bool, bool],
    ]:
        copies = item.get("copies") or {}
        unroll = item.get("unroll") or {}
        self._keys(copies, f"{where}.copies", optional={"x", "y"})
        self._keys(unroll, f"{where}.unroll", optional={"x", "y"})
        for axis in copies:
            if axis not in unroll:
                raise FileError(
                    f"accelerator.{where}.unroll.{axis}: missing",
                    hint=f"say which dimensions may be split along {axis}, of {', '.join(DIMS)}",
                )
        wired = self._words(item.get("hardwired", []), ("x", "y"), f"{where}.hardwired")
        return (
            (
                self._expression(copies.get("x", 1), f"{where}.copies.x"),
                self._expression(copies.get("y", 1), f"{where}.copies.y"),
            ),
            (
                self._words(unroll.get("x", []), DIMS, f"{where}.unroll.x"),
                self._words(unroll.get("y", []), DIMS, f"{where}.unroll.y"),
            ),
            ("x" in wired, "y" in wired),
        )

    def _expression(self, text: Any, where: str) -> Expression:
        text = int(text) if isinstance(text, bool) else text
        if not isinstance(text, (str, int, float)):
            raise FileError(
                f"accelerator.{where}: expected a number or an expression, got {text!r}"
            )
        try:
            expression = Expression(str(text))
        except DseError as error:
            raise FileError(f"accelerator.{where}: {error}", hint=error.hint) from error
        for name in expression.names:
            if name not in self.known:
                raise FileError(
                    f"accelerator.{where}: {text!r} names {name!r}, which is neither a parameter "
                    "nor derived before it",
                    hint=f"known: {', '.join(sorted(self.known))}",
                )
        return expression

    def _named(self, find: Any, name: Any, where: str) -> Any:
        try:
            return find(str(name))
        except DseError as error:
            raise FileError(f"accelerator.{where}: {error}", hint=error.hint) from error

    @staticmethod
    def _flag(item: Mapping[str, Any], key: str, where: str) -> bool:
        value = item.get(key, True)
        if not isinstance(value, bool):
            raise FileError(f"accelerator.{where}.{key}: expected true or false, got {value!r}")
        return value

    @staticmethod
    def _words(given: Any, known: tuple[str, ...], where: str) -> tuple[str, ...]:
        if not isinstance(given, list) or len(set(map(str, given))) != len(given):
            raise FileError(
                f"accelerator.{where}: expected a list of distinct names, got {given!r}"
            )
        for word in given:
            if word not in known:
                raise FileError(
                    f"accelerator.{where}: {word!r} is not known", hint=f"known: {', '.join(known)}"
                )
        return tuple(str(word) for word in given)

    @staticmethod
    def _keys(
        item: Any,
        where: str,
        *,
        required: set[str] = frozenset(),  # type: ignore[assignment]
        optional: set[str] = frozenset(),  # type: ignore[assignment]
    ) -> None:
        place = f"accelerator.{where}" if where else "accelerator"
        if not isinstance(item, Mapping):
            raise FileError(f"{place}: expected a mapping, got {item!r}")
        for key in item:
            if key not in required | optional:
                raise FileError(
                    f"{place}.{key}: unknown key",
                    hint=f"known: {', '.join(sorted(required | optional))}",
                )
        for key in sorted(required):
            if key not in item:
                raise FileError(f"{place}.{key}: missing")
