"""How much an optimizer's own options matter: each varied alone, around what it has by default."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import numpy as np

from accel_dse import plugins
from accel_dse.comparison.contest import Contestant
from accel_dse.comparison.curves import Curves
from accel_dse.comparison.standings import Duel, duels_of
from accel_dse.errors import BoundsError, DseError
from accel_dse.problem import Problem

FACTORS = (0.5, 2.0)
"""A number is tried at its default times these."""

SHARES = (0.01, 0.1)
"""A number that is 0 by default is tried at these shares of the greatest value that it may have."""

LEVEL = 0.05
"""A corrected p below this is pointed out."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One option of an optimizer at another value.

    Attributes:
        option: which.
        default, value: what it is otherwise, and here.
        contestant: the optimizer with it.
    """

    option: str
    default: Any
    value: Any
    contestant: Contestant


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """An optimizer and its variations.

    Attributes:
        base: the optimizer as it was named.
        variations: one option each.
        left_out: option -> why it is not varied.
    """

    base: Contestant
    variations: tuple[Variation, ...]
    left_out: Mapping[str, str]

    @property
    def contestants(self) -> list[Contestant]:
        """The optimizer as it was named, then its variations."""
        return [self.base, *(variation.contestant for variation in self.variations)]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What one variation did, at the end of the budget.

    Attributes:
        variation: which.
        change: the median over seeds of its best value over the default's with the same seed,
            less 1, where both found a design and the default's value is not 0; NaN if none.
        found, default_found: runs of the variation and of the default that found a design.
        better: how likely it ends better than the default: Vargha and Delaney's A.
        p: of Wilcoxon's signed-rank test against the default on paired seeds, after Holm's
            correction for all variations.
    """

    variation: Variation
    change: float
    found: int
    default_found: int
    better: float
    p: float

    def content(self) -> dict[str, Any]:
        """As plain data; what is not finite is None."""
        return {
            "option": self.variation.option,
            "default": self.variation.default,
            "value": self.variation.value,
            "change": self.change if np.isfinite(self.change) else None,
            "found": self.found,
            "default_found": self.default_found,
            "better": self.better,
            "p": self.p,
        }


def vary(base: Contestant, problem: Problem) -> Sensitivity:
    """Every option of an optimizer at half and twice its value, or at each other choice.

    Args:
        base: the optimizer, with options that all variations share.
        problem: what it is to search; bounds of options are asked of an optimizer made for it.

    Raises:
        OptionError: there is no such optimizer, or an option of `base` does not fit.
    """
    cls = plugins.load("optimizers", base.optimizer)
    known = plugins.options(cls)
    given = plugins.read_options(base.optimizer, cls, base.options)
    variations, left_out = [], {}
    for name, option in known.items():
        default = given.get(name, option.default)
        values = list(_others(cls, problem, given, name, option.type, default))
        if not values:
            left_out[name] = "neither a number, a choice, nor yes or no"
        for value in values:
            contestant = Contestant(base.optimizer, {**base.options, name: value})
            variations.append(
                Variation(option=name, default=default, value=value, contestant=contestant)
            )
    return Sensitivity(base=base, variations=tuple(variations), left_out=left_out)


def effects(sensitivity: Sensitivity, curves: Curves) -> list[Effect]:
    """What each variation did, the options that matter most first."""
    base = sensitivity.base.label
    pairs = [(one.contestant.label, base) for one in sensitivity.variations]
    found = [
        _effect(variation, duel, curves, base)
        for variation, duel in zip(sensitivity.variations, duels_of(curves, pairs))
    ]
    most: dict[str, float] = {}
    for effect in found:
        name = effect.variation.option
        most[name] = max(most.get(name, 0.0), abs(effect.better - 0.5))
    return sorted(found, key=lambda effect: -most[effect.variation.option])


def _effect(variation: Variation, duel: Duel, curves: Curves, base: str) -> Effect:
    ends, defaults = (
        curves.best[curves.of(label), -1] for label in (variation.contestant.label, base)
    )
    both = np.isfinite(ends) & np.isfinite(defaults) & (defaults != 0)
    return Effect(
        variation=variation,
        change=float(np.median(ends[both] / defaults[both])) - 1 if both.any() else np.nan,
        found=int(np.isfinite(ends).sum()),
        default_found=int(np.isfinite(defaults).sum()),
        better=duel.better,
        p=duel.p,
    )


def _others(
    cls: Any, problem: Problem, given: Mapping[str, Any], name: str, kind: Any, default: Any
) -> Iterator[Any]:
    """What to try instead of `default`."""
    if isinstance(default, bool):
        yield not default
    elif get_origin(kind) is Literal:
        yield from (value for value in get_args(kind) if value != default)
    elif isinstance(default, int | float):
        low, high = _bounds(cls, problem, given, name)
        steps = [default * f for f in FACTORS] if default else [high * s for s in SHARES]
        tried = [default]
        for step in steps:
            value = min(max(step, low), high)
            value = round(value) if isinstance(default, int) else value
            if np.isfinite(value) and value not in tried:
                tried.append(value)
                yield value


def _bounds(cls: Any, problem: Problem, given: Mapping[str, Any], name: str) -> tuple[float, float]:
    """The bounds that the optimizer itself states when it is given what is no number."""
    try:
        cls(problem=problem, seed=0, **{**given, name: float("nan")})
    except BoundsError as error:
        if error.option == name:
            return error.low, error.high
    except (DseError, TypeError, ValueError):
        pass  # it checks in another way; half and twice the default are tried as they are
    return -np.inf, np.inf


def fewest_seeds(variations: Sequence[Variation]) -> int:
    """Seeds without which no variation can have a corrected p below `LEVEL`.

    The exact signed-rank test of `n` pairs has no p below `2 / 2^n`.
    """
    return int(np.floor(np.log2(2 * max(len(variations), 1) / LEVEL))) + 1
