"""Reads the `accelerator` section of a space file into a `Template`."""

from collections.abc import Mapping, Set
from typing import Any

from accel_dse.errors import DseError, FileError
from accel_dse.expressions import Expression
from accel_dse.space import DesignSpace
from accel_dse.technology import Precision, Technology
from accel_dse.template.description import MEMORIES, Level, Macs, Program, Template
from accel_dse.workload import DIMS, TENSORS

NOTHING: frozenset[str] = frozenset()


def read_template(section: Mapping[str, Any], space: DesignSpace) -> Template:
    """The template that a space file's `accelerator` section describes.

    Raises:
        FileError: what is wrong with it, with key and value.
    """
    return _Reader(section, space).template()


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
            whole = dict.fromkeys(whole, True)
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
        required: Set[str] = NOTHING,
        optional: Set[str] = NOTHING,
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
