"""Many trials, in little memory."""

from collections.abc import Iterable, Iterator, Sequence
from struct import pack, unpack, unpack_from
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from accel_dse.trial import Outcome, Trial

POOLED = 4096
"""Different values of one column that are held once each; what is continuous has more."""


class Trials(Sequence[Trial]):
    """Trials in order, as a list of them, but in about a fifth of the memory.

    Each is packed when it is added and made anew, equal to what it was, when it is looked at: so a
    log of a million trials can be held. A slice shares what it holds with the whole.

    Args:
        trials: the first ones.
    """

    __slots__ = ("_forms", "_rows")

    def __init__(self, trials: Iterable[Trial] = ()) -> None:
        self._forms: dict[tuple[str, ...], _Form] = {}
        self._rows: list[tuple[Any, ...]] = []
        self.extend(trials)

    def append(self, trial: Trial) -> None:
        """Adds one."""
        names = (*trial.design, "", *trial.metrics)
        form = self._forms.get(names)
        if form is None:
            form = self._forms[names] = _Form(tuple(trial.design), tuple(trial.metrics))
        self._rows.append(form.packed(trial))

    def extend(self, trials: Iterable[Trial]) -> None:
        """Adds `trials`."""
        if isinstance(trials, Trials):
            self._rows += trials._rows
        else:
            for trial in trials:
                self.append(trial)

    def __iadd__(self, trials: Iterable[Trial]) -> Self:
        self.extend(trials)
        return self

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Trial: ...

    @overload
    def __getitem__(self, place: slice) -> "Trials": ...

    def __getitem__(self, place: int | slice) -> "Trial | Trials":
        if isinstance(place, slice):
            part = Trials()
            part._forms, part._rows = self._forms, self._rows[place]
            return part
        return _unpacked(self._rows[place])

    def __iter__(self) -> Iterator[Trial]:
        return map(_unpacked, self._rows)

    def at(self, places: Iterable[int]) -> "Trials":
        """Those at `places`; it shares what it holds with the whole."""
        part = Trials()
        part._forms, part._rows = self._forms, [self._rows[place] for place in places]
        return part

    def outcomes(self) -> list[Outcome]:
        """The outcome of each, without making a trial of it."""
        return [row[2] for row in self._rows]

    def reasons(self) -> list[str]:
        """The reason of each."""
        return [row[4] for row in self._rows]

    def metric(self, name: str) -> NDArray[np.float64]:
        """A metric of each, shape `(n,)`; NaN where there is none."""
        found = np.full(len(self), np.nan)
        for i, (form, _, _, numbers, *_) in enumerate(self._rows):
            place = form.places.get(name)
            if place is not None:
                packed = type(numbers) is bytes
                found[i] = unpack_from("d", numbers, 8 * place)[0] if packed else numbers[place]
        return found

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Trials):
            pairs = zip(self._rows, other._rows)
            return len(self) == len(other) and all(
                mine is theirs or _unpacked(mine) == _unpacked(theirs) for mine, theirs in pairs
            )
        if isinstance(other, list | tuple):
            return len(self) == len(other) and all(map(Trial.__eq__, self, other))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Trials({list(self)!r})"


class _Form:
    """What trials with the same parameters and metrics have in common.

    Args:
        names: of their parameters.
        metrics: names of their metrics.
    """

    __slots__ = ("metrics", "names", "places", "pools")

    def __init__(self, names: tuple[str, ...], metrics: tuple[str, ...]) -> None:
        self.names, self.metrics = names, metrics
        self.places = {name: i for i, name in enumerate(metrics, 2)}
        self.pools: tuple[dict[Any, Any], ...] = tuple({} for _ in ("", "", "", *names))

    def packed(self, trial: Trial) -> tuple[Any, ...]:
        """All of `trial`; equal texts, and equal values of a parameter, become one object."""
        numbers: bytes | tuple[float, ...] = (trial.started, trial.ended, *trial.metrics.values())
        if all(type(number) is float for number in numbers):
            numbers = pack(f"{len(numbers)}d", *numbers)
        values = (trial.reason, trial.source, trial.host, *trial.design.values())
        return (self, trial.index, trial.outcome, numbers, *map(_pooled, self.pools, values))


def _unpacked(row: tuple[Any, ...]) -> Trial:
    form, index, outcome, numbers, reason, source, host, *values = row
    if type(numbers) is bytes:
        numbers = unpack(f"{len(numbers) // 8}d", numbers)
    return Trial(
        index=index,
        design=dict(zip(form.names, values)),
        outcome=outcome,
        metrics=dict(zip(form.metrics, numbers[2:])),
        reason=reason,
        source=source,
        started=numbers[0],
        ended=numbers[1],
        host=host,
    )


def _pooled(pool: dict[Any, Any], value: Any) -> Any:
    try:
        return pool.setdefault(value, value) if len(pool) < POOLED else pool.get(value, value)
    except TypeError:  # it has no hash
        return value
