"""Builds plain values from the events of a YAML parser; a file is data and never code.

No tags, no objects, no merging, and limits on what a file may make its reader do.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.nodes import ScalarNode

from accel_dse.errors import FileError

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


def written(place: Place) -> str:
    """`place` as people write it: `levels[2].loops`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
    return text.removeprefix(".")


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


class Builder:
    """Builds values from the events of the parser, one after the other.

    Attributes:
        data: what the file holds, once all events are taken.
        lines: the line of each place, from 1.
        documents: how many there are; 0 if the file is empty.
    """

    def __init__(self, name: str, yaml: Any, tags: Collection[str]) -> None:
        self._name = name
        self._yaml = yaml
        self._tags = tags
        self.data: Any = None
        self.lines: dict[Place, int] = {}
        self.documents = 0
        self._values = 0
        self._repeated = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}

    def take(self, event: Any) -> None:
        """Takes in the next event; FileError if it is none that a file of ours may cause."""
        line = event.start_mark.line + 1
        match type(event).__name__:
            case "DocumentStartEvent":
                self.documents += 1
                if self.documents > 1:
                    raise self._refuse(line, "a second document begins here, expected one")
            case "AliasEvent":
                self._alias(event.anchor, line)
            case "ScalarEvent":
                self._check(event, line)
                self._scalar(event, line)
            case "SequenceStartEvent" | "MappingStartEvent" as kind:
                self._check(event, line)
                self._begin([] if kind.startswith("Seq") else {}, event.anchor, line)
            case "SequenceEndEvent" | "MappingEndEvent":
                self._end()

    def _refuse(self, line: int, message: str, hint: str = "") -> FileError:
        return FileError(f"{self._name}:{line}: {message}", hint=hint)

    def _check(self, event: Any, line: int) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._refuse(line, f"more than {MOST_VALUES:,} values")
        if event.tag is not None and event.tag not in self._tags:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._refuse(line, f"tag {tag[:60]} is not allowed", "write a plain value")

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            raise self._refuse(line, f"alias *{anchor} stands for nothing complete before it")
        value, values = self._anchors[anchor]
        self._repeated += values
        if self._repeated > MOST_REPEATED:
            raise self._refuse(line, f"aliases repeat more than {MOST_REPEATED:,} values")
        self._put(value, values, line, is_alias=True)

    def _scalar(self, event: Any, line: int) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._key(parent, event.value, line)
            return
        value = self._resolved(event, line)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._put(value, 1, line)

    def _key(self, parent: _Open, key: str, line: int) -> None:
        place = (*parent.place, key)
        if key == "<<":
            raise self._refuse(line, "merge keys (<<) are not part of YAML 1.2", "write them out")
        if key in parent.value:
            first = self.lines[place]
            raise self._refuse(line, f"{written(place)}: given twice, first in line {first}")
        parent.key = key
        self.lines[place] = line

    def _resolved(self, event: Any, line: int) -> Any:
        """The value that a scalar stands for, by the core rules of YAML 1.2."""
        if not event.implicit[0]:
            return event.value
        text = event.value
        tag = str(self._yaml.resolver.resolve(ScalarNode, text, (True, False)))
        kind = tag.rpartition(":")[2]
        if kind in ("int", "float") and len(text) > LONGEST_NUMBER:
            raise self._refuse(line, f"a number of {len(text)} digits: {text[:20]}...")
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(self._yaml.constructor.construct_yaml_int(ScalarNode(tag, text)))
            case "float":
                return float(self._yaml.constructor.construct_yaml_float(ScalarNode(tag, text)))
        return text

    def _begin(self, value: Any, anchor: str | None, line: int) -> None:
        if len(self._open) >= DEEPEST:
            raise self._refuse(line, f"nested deeper than {DEEPEST} levels")
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            raise self._refuse(line, "a key must be a plain word")
        self._open.append(_Open(value, self._next_place(line), anchor))

    def _next_place(self, line: int) -> Place:
        """Where the next value goes; notes its line."""
        if not self._open:
            place: Place = ()
        else:
            parent = self._open[-1]
            key = parent.key if parent.key is not None else len(parent.value)
            place = (*parent.place, key)
        self.lines.setdefault(place, line)
        return place

    def _end(self) -> None:
        done = self._open.pop()
        if done.anchor:
            self._anchors[done.anchor] = (done.value, done.values)
        self._put(done.value, done.values, self.lines[done.place])

    def _put(self, value: Any, values: int, line: int, *, is_alias: bool = False) -> None:
        """Gives a complete value to what it belongs to."""
        if not self._open:
            self.data = value
            self.lines.setdefault((), line)
            return
        parent = self._open[-1]
        if is_alias and isinstance(parent.value, dict) and parent.key is None:
            raise self._refuse(line, "a key must be a plain word")
        self._next_place(line)
        parent.values += values
        if isinstance(parent.value, dict):
            parent.value[parent.key], parent.key = value, None
        else:
            parent.value.append(value)
