"""YAML files, read with care: plain values, and the line each one stands on."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from accel_dse.errors import DseError, FileError
from accel_dse.files.yaml_builder import Builder, Place, written

LARGEST_FILE = 200_000
"""Bytes of a file; it is a description that people read, not data."""

LONGEST_LINE = 10_000
"""Characters of one line; the parser's time on some lines grows with the square of their length."""


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
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_LINE:
            raise FileError(
                f"{name}:{number}: a line of {len(line):,} characters, at most {LONGEST_LINE:,} "
                "are allowed"
            )
    yaml = YAML(typ="safe", pure=True)
    builder = Builder(name, yaml, tags)
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
