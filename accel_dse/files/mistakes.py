"""What is wrong with a file: collected, and told all at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from accel_dse.errors import FileError
from accel_dse.files.document import Document
from accel_dse.files.yaml_builder import Place
from accel_dse.formula import shown, suggestion

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
        else:
            yield place, f"{_expected(item)}, got {described(value)}", ""


def _expected(item: Mapping[str, Any]) -> str:
    """What one of pydantic's errors says that a value must be."""
    match item["type"]:
        case "model_type" | "dict_type":
            return "must be a mapping"
        case "string_pattern_mismatch":
            return "must be a word of letters, digits, _ . and -"
        case "too_short":
            return f"must have {item['ctx']['min_length']} entries or more"
        case "too_long":
            return f"must have {item['ctx']['max_length']:,} entries at most"
    message = str(item["msg"]).replace("Input should be", "must be")
    return message[:1].lower() + message[1:]


def described(value: Any) -> str:
    """`value` in a message: as it is if short, else what it is."""
    if isinstance(value, dict):
        return f"a mapping of {len(value)}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else shown(value)
