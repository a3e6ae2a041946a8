"""What is wrong with a file: collected, and told all at once."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from accel_dse.errors import FileError
from accel_dse.files.document import Document, Place
from accel_dse.formula import suggestion

Entry = TypeVar("Entry", bound=BaseModel)


class Mistakes:
    """What is wrong with one file."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._errors: list[tuple[int, FileError]] = []

    def add(self, place: Place, message: str, hint: str = "") -> None:
        """Notes that the value at `place` is wrong."""
        error = self._document.error(place, message, hint)
        self._errors.append((self._document.line(place), error))

    def read(self, model: type[Entry], value: Any, place: Place) -> Entry | None:
        """`value` as a `model`; None if it is not one, which is noted."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for key, message, hint in _complaints(error, model):
                self.add((*place, *key), message, hint)
            return None

    @property
    def found(self) -> bool:
        """Whether there are any."""
        return bool(self._errors)

    def error(self) -> FileError:
        """The error that tells all of them, one line each, in the order of the file."""
        ordered = [error for _, error in sorted(self._errors, key=lambda item: item[0])]
        if len(ordered) == 1:
            return ordered[0]
        return FileError(
            "\n".join(f"{error}{f' ({error.hint})' if error.hint else ''}" for error in ordered)
        )


def _complaints(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Place, str, str]]:
    """Key, message and hint of each thing that pydantic found."""
    for item in error.errors(include_url=False):
        place, kind, value = item["loc"], item["type"], item["input"]
        if kind == "missing":
            yield place, "missing", ""
        elif kind == "extra_forbidden":
            yield place, "unknown key", suggestion(str(place[-1]), list(model.model_fields))
        elif kind in ("model_type", "dict_type"):
            yield place, f"must be a mapping, got {shown(value)}", ""
        elif kind == "too_short":
            yield (
                place,
                f"expected {item['ctx']['min_length']} entries or more, got {len(value)}",
                "",
            )
        elif kind == "too_long":
            yield (
                place,
                f"expected {item['ctx']['max_length']:,} entries at most, got {len(value):,}",
                "",
            )
        else:
            yield place, f"{_lower(item['msg'])}, got {shown(value)}", ""


def _lower(message: str) -> str:
    message = message.replace("Input should be", "must be")
    return message[:1].lower() + message[1:]


def shown(value: Any) -> str:
    """`value` in a message: as it is if short, else what it is."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
