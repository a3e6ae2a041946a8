"""What a plug-in was made with, in words that JSON can hold."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def chosen_options(plugin: object, besides: Sequence[str] = ()) -> dict[str, Any]:
    """The options that `plugin` was made with, as plain data; none if it is no dataclass.

    Those that it declares with `compare=False` cannot change what comes out, and are left out.
    """
    if not is_dataclass(plugin):
        return {}
    return {
        item.name: _plain(getattr(plugin, item.name))
        for item in fields(plugin)
        if item.init and item.compare and item.name not in besides
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return chosen_options(value)
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    if callable(value):  # its text would hold an address, another one in every run
        return f"{value.__module__}:{value.__qualname__}"
    return str(value)
