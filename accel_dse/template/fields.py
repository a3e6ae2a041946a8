"""Typed values out of the `accelerator` section, each complaint naming the key and the value."""

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, TypeVar

import numpy as np

from accel_dse.errors import DseError, FileError
from accel_dse.expressions import Expression
from accel_dse.formula import suggestion
from accel_dse.workload import DIMS

T = TypeVar("T")

NOTHING: frozenset[str] = frozenset()


def wrong(where: str, message: str, hint: str = "") -> FileError:
    """The complaint `message` about the key `where` of the section."""
    return FileError(f"accelerator{'.' if where else ''}{where}: {message}", hint=hint)


def keys(
    item: Any, where: str, *, required: Set[str] = NOTHING, optional: Set[str] = NOTHING
) -> Mapping[str, Any]:
    """`item`, a mapping that has all `required` keys and none but those and the `optional` ones."""
    if not isinstance(item, Mapping):
        raise wrong(where, f"expected a mapping, got {item!r}")
    for key in item:
        if key not in required | optional:
            place = f"{where}.{key}" if where else str(key)
            raise wrong(place, "unknown key", suggestion(str(key), sorted(required | optional)))
    for key in sorted(required):
        if item.get(key) is None:
            raise wrong(f"{where}.{key}" if where else key, "missing")
    return item


def words(given: Any, known: Iterable[str], where: str) -> tuple[str, ...]:
    """Distinct names, each one of the `known` ones."""
    if not isinstance(given, list) or len(set(map(str, given))) != len(given):
        raise wrong(where, f"expected a list of distinct names, got {given!r}")
    for word in given:
        if word not in known:
            raise wrong(where, f"{word!r} is not known", f"known: {', '.join(known)}")
    return tuple(map(str, given))


def flag(item: Mapping[str, Any], key: str, where: str) -> bool:
    """A key that is true if left out."""
    value = item.get(key, True)
    if not isinstance(value, bool):
        raise wrong(f"{where}.{key}", f"expected true or false, got {value!r}")
    return value


def found(find: Callable[[str], T], name: Any, where: str) -> T:
    """What `find` finds under `name`."""
    try:
        return find(str(name))
    except DseError as error:
        raise wrong(where, str(error), error.hint) from error


class Formulas:
    """Reads expressions over names that are known.

    Attributes:
        known: parameters, and what has been derived so far, as keys.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self.known = dict.fromkeys(known)

    def read(
        self, text: Any, where: str, *, positive: bool = False, whole: bool = False
    ) -> Expression:
        """The expression `text`.

        Args:
            positive: whether it must be more than zero, not only not negative.
            whole: whether it must be a whole number.

        Raises:
            FileError: it is none, names something unknown, or is a constant that cannot be.
        """
        formula = self.read_any(text, where)
        if formula.names:
            return formula
        try:
            check_value(float(formula.evaluate({})[0]), positive=positive, whole=whole)
        except DseError as error:
            raise wrong(where, str(error), error.hint) from error
        return formula

    def read_any(self, text: Any, where: str) -> Expression:
        """The expression `text`, of any value.

        Raises:
            FileError: it is none, or names something unknown.
        """
        formula = expression(text, where)
        try:
            formula.check_names(self.known)
        except DseError as error:
            raise wrong(where, str(error), error.hint) from error
        return formula

    def of_dims(self, item: Any, where: str) -> dict[str, Expression]:
        """Conditions by dimension, or a list of dimensions that all count."""
        if isinstance(item, list):
            item = dict.fromkeys(words(item, DIMS, where), True)
        keys(item, where, optional=set(DIMS))
        return {dim: self.read(text, f"{where}.{dim}") for dim, text in item.items()}


def expression(text: Any, where: str) -> Expression:
    """The expression `text`, whatever it names; a number or truth value is one too."""
    text = int(text) if isinstance(text, bool) else text
    if not isinstance(text, (str, int, float)):
        raise wrong(where, f"expected a number or an expression, got {text!r}")
    try:
        return Expression(str(text))
    except DseError as error:
        raise wrong(where, str(error), error.hint) from error


def check_value(value: float, *, positive: bool, whole: bool) -> None:
    """Refuses a value that no template can have there.

    Raises:
        DseError: it is not finite, negative, zero or fractional where it may not be.
    """
    if not np.isfinite(value):
        raise DseError(f"must be finite, got {value}")
    if value < 0 or (positive and value == 0):
        raise DseError(f"must {'be positive' if positive else 'not be negative'}, got {value:g}")
    if whole and value != int(value):
        raise DseError(f"must be a whole number, got {value:g}")
