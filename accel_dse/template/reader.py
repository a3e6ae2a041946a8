"""Reads the `accelerator` section of a space file into a `Template`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accel_dse.expressions import Expression
from accel_dse.hardware import WORDS
from accel_dse.space import DesignSpace
from accel_dse.technology import Precision, Technology
from accel_dse.template.description import (
    MEMORIES,
    MOST_LEVELS,
    ONE,
    Level,
    Macs,
    Program,
    Store,
    Template,
)
from accel_dse.template.fields import Formulas, expression, flag, found, keys, words, wrong
from accel_dse.workload import DIMS, TENSORS

LEVEL_KEYS = {
    "keeps", "capacity_bytes", "copies", "unroll", "hardwired", "multicast", "reduces",
    "bandwidth", "latency", "issue", "double_buffered", "loops", "whole", "word_bits", "logic_mm2",
}  # fmt: skip

Fanout = tuple[
    tuple[Expression, Expression], tuple[tuple[str, ...], tuple[str, ...]], tuple[bool, bool]
]


def read_template(section: Mapping[str, Any], space: DesignSpace) -> Template:
    """The template that a space file's `accelerator` section describes.

    Raises:
        FileError: what is wrong with it, with key and value.
    """
    keys(
        section,
        "",
        required={"technology", "precision", "clock_ghz", "levels"},
        optional={"macs", "word_bits", "program", "vector_lanes", "logic_mm2", "derived"},
    )
    formulas = Formulas(parameter.name for parameter in space.parameters)
    derived = _derived(section.get("derived") or {}, formulas)
    technology = found(Technology.named, section["technology"], "technology")
    levels = _levels(section["levels"], technology, formulas)
    program = section.get("program")
    return Template(
        name=space.name,
        technology=technology,
        precision=_precision(section),
        clock_ghz=formulas.read(section["clock_ghz"], "clock_ghz", positive=True),
        levels=levels,
        macs=_macs(section.get("macs") or {}, formulas),
        program=None if program is None else _program(program, levels, formulas),
        vector_lanes=formulas.read(section.get("vector_lanes", 1), "vector_lanes", positive=True),
        logic_mm2=formulas.read(section.get("logic_mm2", 0), "logic_mm2"),
        derived=derived,
    )


def _derived(item: Any, formulas: Formulas) -> dict[str, Expression]:
    """Named expressions, each over parameters and those before it."""
    if not isinstance(item, Mapping):
        raise wrong("derived", f"expected a mapping, got {item!r}")
    needs = {name: expression(text, f"derived.{name}").names for name, text in item.items()}
    derived: dict[str, Expression] = {}
    for name, text in item.items():
        where = f"derived.{name}"
        if not isinstance(name, str) or not name.isidentifier():
            raise wrong(where, "expected a name of letters, digits and _")
        if name in formulas.known:
            raise wrong(where, "there is a parameter of this name")
        circle = _circle(name, needs)
        if circle:
            raise wrong(where, f"needs itself: {' -> '.join(circle)}")
        for need in needs[name]:
            if need in item and need not in derived:
                raise wrong(where, f"needs {need!r}, which comes after it", "move it down")
        derived[name] = formulas.read_any(text, where)
        formulas.known[name] = None
    return derived


def _circle(start: str, needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The way from a name over what it needs back to itself; empty if there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for need in needs.get(way[-1], ()):
            if need == start:
                return (*way, start)
            if need not in seen:
                seen.add(need)
                ways.append((*way, need))
    return ()


def _precision(section: Mapping[str, Any]) -> Precision:
    """The number format, with the widths that the section sets for the whole chip."""
    precision = found(Precision.named, section["precision"], "precision")
    widths = keys(section.get("word_bits") or {}, "word_bits", optional=set(WORDS))
    for kind, bits in widths.items():
        if not isinstance(bits, int) or isinstance(bits, bool) or not 1 <= bits <= 1024:
            raise wrong(f"word_bits.{kind}", f"expected a whole number up to 1024, got {bits!r}")
    return replace(precision, **widths)


def _levels(items: Any, technology: Technology, formulas: Formulas) -> tuple[Level, ...]:
    if not isinstance(items, list) or not 2 <= len(items) <= MOST_LEVELS:
        raise wrong("levels", f"expected a list of 2 to {MOST_LEVELS} levels, a DRAM first")
    levels = tuple(_level(item, i, technology, formulas) for i, item in enumerate(items))
    names = [level.name for level in levels]
    for name in names:
        if names.count(name) > 1:
            raise wrong("levels", f"two levels are named {name!r}")
    return levels


def _level(item: Any, place: int, technology: Technology, formulas: Formulas) -> Level:
    where = f"levels[{place}]"
    if isinstance(item, Mapping) and isinstance(item.get("name"), str):
        where = f"levels.{item['name']}"
    keys(item, where, required={"name", "memory"}, optional=LEVEL_KEYS)
    keeps = words(item.get("keeps", list(TENSORS)), TENSORS, f"{where}.keeps")
    if not keeps:
        raise wrong(f"{where}.keeps", "a level must keep at least one tensor, got []")
    outermost = place == 0
    bandwidth = item.get("bandwidth") or {}
    keys(bandwidth, f"{where}.bandwidth", optional={"read", "write", "shared"})
    rates = {
        key: formulas.read(text, f"{where}.bandwidth.{key}", positive=True)
        for key, text in bandwidth.items()
    }
    word_bits = keys(item.get("word_bits") or {}, f"{where}.word_bits", optional=set(WORDS))
    copies, unroll, hardwired = _fanout(item, where, formulas)
    return Level(
        name=str(item["name"]),
        keeps=keeps,
        dram=_dram(item, keeps, technology, where) if outermost else "",
        stores=() if outermost else _stores(item, keeps, where, formulas),
        copies=copies,
        unroll=unroll,
        hardwired=hardwired,
        multicast=flag(item, "multicast", where),
        reduces=flag(item, "reduces", where),
        read=rates.get("read"),
        write=rates.get("write"),
        shared=rates.get("shared"),
        latency=formulas.read(item.get("latency", 0), f"{where}.latency"),
        issue=formulas.read(item.get("issue", 0), f"{where}.issue"),
        double_buffered=flag(item, "double_buffered", where),
        loops=words(item.get("loops", list(DIMS)), DIMS, f"{where}.loops"),
        whole=formulas.of_dims(item.get("whole") or {}, f"{where}.whole"),
        word_bits={
            kind: formulas.read(bits, f"{where}.word_bits.{kind}", positive=True)
            for kind, bits in word_bits.items()
        },
        logic_mm2=formulas.read(item.get("logic_mm2", 0), f"{where}.logic_mm2"),
    )


def _dram(
    item: Mapping[str, Any], keeps: tuple[str, ...], technology: Technology, where: str
) -> str:
    """The kind of DRAM of the outermost level."""
    if item["memory"] in MEMORIES:
        raise wrong(f"{where}.memory", f"the outermost level is a DRAM, got {item['memory']!r}")
    found(technology.dram, item["memory"], f"{where}.memory")
    if len(keeps) < len(TENSORS):
        raise wrong(f"{where}.keeps", f"the outermost level keeps all tensors, got {list(keeps)}")
    for key in ("capacity_bytes", "copies", "unroll", "hardwired", "logic_mm2"):
        if key in item:
            raise wrong(f"{where}.{key}", "the outermost level has none")
    return str(item["memory"])


def _stores(
    item: Mapping[str, Any], keeps: tuple[str, ...], where: str, formulas: Formulas
) -> tuple[Store, ...]:
    """The memories of a level on the chip: one, or one for each group of `capacity_bytes`."""
    given = item.get("capacity_bytes")
    if given is None:
        raise wrong(f"{where}.capacity_bytes", "missing")
    at = f"{where}.capacity_bytes"
    capacities: dict[tuple[str, ...], Expression] = {}
    if isinstance(given, Mapping):
        for key, text in given.items():
            capacities[_group(key, at)] = formulas.read(text, f"{at}.{key}", positive=True)
    else:
        capacities[keeps] = formulas.read(given, at, positive=True)
    _same_tensors([t for group in capacities for t in group], keeps, at)
    kinds = item["memory"]
    memories = dict.fromkeys(keeps, kinds)
    at = f"{where}.memory"
    if isinstance(kinds, Mapping):
        memories = {tensor: kind for key, kind in kinds.items() for tensor in _group(key, at)}
        _same_tensors(list(memories), keeps, at)
    for tensors in capacities:
        kind = memories[tensors[0]]
        if kind not in MEMORIES:
            raise wrong(
                at, f"no memory on the chip is named {kind!r}", f"known: {', '.join(MEMORIES)}"
            )
        if any(memories[tensor] != kind for tensor in tensors):
            raise wrong(at, f"{', '.join(tensors)} share one capacity but are in two memories")
    return tuple(
        Store(tensors=tensors, memory=memories[tensors[0]], capacity_bytes=capacity)
        for tensors, capacity in capacities.items()
    )


def _group(key: Any, where: str) -> tuple[str, ...]:
    """The tensors of a key such as `inputs + outputs`."""
    return words([word.strip() for word in str(key).split("+")], TENSORS, where)


def _same_tensors(named: list[str], keeps: tuple[str, ...], where: str) -> None:
    if sorted(named) != sorted(keeps):
        raise wrong(
            where,
            f"names {', '.join(named)}, but the level keeps {', '.join(keeps)}",
            "write groups as 'inputs + outputs: 1024'",
        )


def _macs(item: Any, formulas: Formulas) -> Macs:
    keys(item, "macs", optional={"copies", "unroll", "hardwired", "multicast", "reduces", "fill"})
    copies, unroll, hardwired = _fanout(item, "macs", formulas)
    return Macs(
        copies=copies,
        unroll=unroll,
        hardwired=hardwired,
        multicast=flag(item, "multicast", "macs"),
        reduces=flag(item, "reduces", "macs"),
        fill=formulas.read(item.get("fill", 0), "macs.fill"),
    )


def _program(item: Any, levels: tuple[Level, ...], formulas: Formulas) -> Program:
    keys(item, "program", required={"entries", "per_transfer", "level"})
    names = [level.name for level in levels]
    if item["level"] not in names:
        raise wrong(
            "program.level", f"no level is named {item['level']!r}", f"known: {', '.join(names)}"
        )
    return Program(
        entries=formulas.read(item["entries"], "program.entries", positive=True),
        per_transfer=formulas.read(item["per_transfer"], "program.per_transfer", positive=True),
        level=str(item["level"]),
    )


def _fanout(item: Mapping[str, Any], where: str, formulas: Formulas) -> Fanout:
    """Copies along x and y, which dimensions may be split over them, and which axes are wired."""
    copies, unroll = item.get("copies") or {}, item.get("unroll") or {}
    keys(copies, f"{where}.copies", optional={"x", "y"})
    keys(unroll, f"{where}.unroll", optional={"x", "y"})
    wired = words(item.get("hardwired", []), ("x", "y"), f"{where}.hardwired")
    counts, dims = [], []
    for axis in ("x", "y"):
        count = ONE
        if axis in copies:
            at = f"{where}.copies.{axis}"
            count = formulas.read(copies[axis], at, positive=True, whole=True)
        split = words(unroll.get(axis, []), DIMS, f"{where}.unroll.{axis}")
        if not split and (count.text != "1" or axis in wired):
            raise wrong(
                f"{where}.unroll.{axis}",
                f"no dimension may be split over {count.text} copies",
                f"name some of {', '.join(DIMS)}",
            )
        counts.append(count)
        dims.append(split)
    return (counts[0], counts[1]), (dims[0], dims[1]), ("x" in wired, "y" in wired)
