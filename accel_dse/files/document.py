"""YAML files, read with care: plain values, and the line each one stands on.

A file is data and never code: no tags, no objects, and limits on what it may make a reader do.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accel_dse.errors import DseError, FileError

LARGEST_FILE = 1_000_000
"""Bytes of a file; it is a description that people read, not data."""

LONGEST_LINE = 10_000
"""Characters of one line; the parser's time on some lines grows with the square of their length."""

DEEPEST = 64
"""Nested lists and mappings."""

MOST_VALUES = 10_000
"""Values of one file; the parser takes about a second for as many."""

MOST_REPEATED = 1_000
"""Values that aliases may repeat, in all."""

LONGEST_NUMBER = 40
"""Characters of a number."""

Place = tuple[str | int, ...]
"""Keys and list indices that lead to a value."""


@dataclass(frozen=True)
class Document:
    """What a YAML file holds.

    Attributes:
        name: of the file, as messages should show it.
        data: mappings with string keys, lists, strings, numbers, booleans and None.
        lines: the line of each place, from 1. What an alias repeats has the alias's line.
    """

    name: str
    data: Any
    lines: Mapping[Place, int] = field(repr=False)

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest thing around it that is there."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def error(self, place: Place, message: str, hint: str = "") -> FileError:
        """An error about the value at `place`."""
        text = f"{written(place)}: {message}" if place else message
        return FileError(f"{self._where(place)}: {text}", hint=hint)

    def located(self, error: DseError) -> FileError:
        """`error`, whose message begins with a place such as `levels[2].loops`, with its line."""
        return FileError(f"{self._where(self._place_in(str(error)))}: {error}", hint=error.hint)

    def _where(self, place: Place) -> str:
        return f"{self.name}:{self.line(place)}" if place else self.name

    @contextmanager
    def blaming(self) -> Iterator[None]:
        """Turns any complaint about what this file says into one that names file and line."""
        try:
            yield
        except DseError as error:
            raise self.located(error) from error

    def _place_in(self, message: str) -> Place:
        place: list[str | int] = []
        here, rest = self.data, message
        while True:
            step = next(_steps(here, rest), None)
            if step is None:
                return tuple(place)
            key, text = step
            place.append(key)
            here, rest = here[key], rest[len(text) :].removeprefix(".")


def written(place: Place) -> str:
    """`place` as people write it: `levels[2].loops`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
    return text.removeprefix(".")


def _steps(here: Any, text: str) -> Iterator[tuple[str | int, str]]:
    """Keys of `here` that `text` begins with, and how it writes them; longest first.

    An item of a list may be called by its number or by its own `name`.
    """
    names: list[tuple[str, str | int]] = []
    if isinstance(here, Mapping):
        names = [(key, key) for key in here]
    elif isinstance(here, list):
        names = [(f"[{i}]", i) for i in range(len(here))]
        names += [(str(v["name"]), i) for i, v in enumerate(here) if "name" in _mapping(v)]
    for name, key in sorted(names, key=lambda pair: -len(pair[0])):
        if text.startswith(name) and text[len(name) : len(name) + 1] in (".", "[", ":", ""):
            yield key, name


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def read_yaml(path: Path, *, name: str = "", tags: Collection[str] = ()) -> Document:
    """Reads a YAML 1.2 file.

    Args:
        path: the file.
        name: what messages call it; by default the path.
        tags: tags that may occur, and are ignored.

    Raises:
        FileError: it is not there, cannot be read, is not UTF-8 or not YAML, holds two equal
            keys or a tag that is not among `tags`, or is larger or deeper than anything sensible.
    """
    name = name or str(path)
    return parse_yaml(_text(path, name), name, tags=tags)


def _text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise FileError(f"{name}: there is no such file") from None
    except IsADirectoryError:
        raise FileError(f"{name}: is a folder, expected a YAML file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"{name}: cannot be read: {reason}") from error
    if len(content) > LARGEST_FILE:
        raise FileError(
            f"{name}: larger than {LARGEST_FILE:,} bytes", hint="keep data in Parquet, not in YAML"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line: int = content.count(b"\n", 0, error.start) + 1
        raise FileError(
            f"{name}:{line}: not UTF-8 text (byte 0x{content[error.start]:02x})",
            hint="save the file as UTF-8",
        ) from None


def parse_yaml(text: str, name: str, *, tags: Collection[str] = ()) -> Document:
    """Reads YAML 1.2 text; see `read_yaml`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_LINE:
            raise FileError(
                f"{name}:{number}: a line of {len(line):,} characters, at most {LONGEST_LINE:,} "
                "are allowed"
            )
    yaml = YAML(typ="safe", pure=True)
    builder = _Builder(name, yaml, tags)
    try:
        for event in yaml.parse(text):
            builder.take(event)
    except MarkedYAMLError as error:
        at = error.problem_mark.line + 1 if error.problem_mark else 1
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise FileError(
            f"{name}:{at}: not valid YAML: {what}",
            hint="quote text that holds any of : , [ ] { } # & * !",
        ) from None
    except (YAMLError, ValueError) as error:
        raise FileError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not builder.documents:
        raise FileError(f"{name}: is empty")
    return Document(name, builder.data, builder.lines)


@dataclass
class _Open:
    """A list or a mapping that is being read.

    Attributes:
        value: what is there so far.
        place: where it is.
        anchor: the name that aliases call it by, if any.
        values: how many values it holds, with what aliases repeat.
        key: of the value that comes next, in a mapping.
    """

    value: Any
    place: Place
    anchor: str | None
    values: int = 1
    key: str | None = None


class _Builder:
    """Builds values from the events of the parser, one after the other."""

    def __init__(self, name: str, yaml: Any, tags: Collection[str]) -> None:
        self.name = name
        self.yaml = yaml
        self.tags = tags
        self.data: Any = None
        self.lines: dict[Place, int] = {}
        self.documents = 0
        self.values = 0
        self.repeated = 0
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        match type(event).__name__:
            case "DocumentStartEvent":
                self.documents += 1
                if self.documents > 1:
                    raise self.refuse(line, "a second document begins here, expected one")
            case "AliasEvent":
                self.alias(event.anchor, line)
            case "ScalarEvent":
                self.check(event, line)
                self.scalar(event, line)
            case "SequenceStartEvent" | "MappingStartEvent" as kind:
                self.check(event, line)
                self.begin([] if kind.startswith("Seq") else {}, event.anchor, line)
            case "SequenceEndEvent" | "MappingEndEvent":
                self.end()

    def refuse(self, line: int, message: str, hint: str = "") -> FileError:
        return FileError(f"{self.name}:{line}: {message}", hint=hint)

    def check(self, event: Any, line: int) -> None:
        self.values += 1
        if self.values > MOST_VALUES:
            raise self.refuse(line, f"more than {MOST_VALUES:,} values")
        if event.tag is not None and event.tag not in self.tags:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self.refuse(line, f"tag {tag[:60]} is not allowed", "write a plain value")

    def alias(self, anchor: str, line: int) -> None:
        if anchor not in self.anchors:
            raise self.refuse(line, f"alias *{anchor} stands for nothing complete before it")
        value, values = self.anchors[anchor]
        self.repeated += values
        if self.repeated > MOST_REPEATED:
            raise self.refuse(line, f"aliases repeat more than {MOST_REPEATED:,} values")
        self.put(value, values, line, is_alias=True)

    def scalar(self, event: Any, line: int) -> None:
        parent = self.open[-1] if self.open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self.key(parent, event.value, line)
            return
        value = self.resolved(event, line)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self.put(value, 1, line)

    def key(self, parent: _Open, key: str, line: int) -> None:
        place = (*parent.place, key)
        if key == "<<":
            raise self.refuse(line, "merge keys (<<) are not part of YAML 1.2", "write them out")
        if key in parent.value:
            first = self.lines[place]
            raise self.refuse(line, f"{written(place)}: given twice, first in line {first}")
        parent.key = key
        self.lines[place] = line

    def resolved(self, event: Any, line: int) -> Any:
        """The value that a scalar stands for, by the core rules of YAML 1.2."""
        from ruamel.yaml.nodes import ScalarNode

        if not event.implicit[0]:
            return event.value
        text = event.value
        tag = str(self.yaml.resolver.resolve(ScalarNode, text, (True, False)))
        kind = tag.rpartition(":")[2]
        if kind in ("int", "float") and len(text) > LONGEST_NUMBER:
            raise self.refuse(line, f"a number of {len(text)} digits: {text[:20]}...")
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(self.yaml.constructor.construct_yaml_int(ScalarNode(tag, text)))
            case "float":
                return float(self.yaml.constructor.construct_yaml_float(ScalarNode(tag, text)))
        return text

    def begin(self, value: Any, anchor: str | None, line: int) -> None:
        if len(self.open) >= DEEPEST:
            raise self.refuse(line, f"nested deeper than {DEEPEST} levels")
        parent = self.open[-1] if self.open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            raise self.refuse(line, "a key must be a plain word")
        self.open.append(_Open(value, self.next_place(line), anchor))

    def next_place(self, line: int) -> Place:
        """Where the next value goes; notes its line."""
        if not self.open:
            place: Place = ()
        else:
            parent = self.open[-1]
            key = parent.key if parent.key is not None else len(parent.value)
            place = (*parent.place, key)
        self.lines.setdefault(place, line)
        return place

    def end(self) -> None:
        done = self.open.pop()
        if done.anchor:
            self.anchors[done.anchor] = (done.value, done.values)
        self.put(done.value, done.values, self.lines[done.place])

    def put(self, value: Any, values: int, line: int, *, is_alias: bool = False) -> None:
        """Gives a complete value to what it belongs to."""
        if not self.open:
            self.data = value
            self.lines.setdefault((), line)
            return
        parent = self.open[-1]
        if is_alias and isinstance(parent.value, dict) and parent.key is None:
            raise self.refuse(line, "a key must be a plain word")
        self.next_place(line)
        parent.values += values
        if isinstance(parent.value, dict):
            parent.value[parent.key], parent.key = value, None
        else:
            parent.value.append(value)
