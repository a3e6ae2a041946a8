"""Rules that every design must keep, and random draws that keep them without waste."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import DesignError
from accel_dse.expressions import Expression
from accel_dse.parameters import Column, Floats, Indices, Parameter

MOST_ROWS = 2**20
"""Partial designs that one group of parameters may list while its valid ones are worked out."""

MOST_DRAWS = 1_000_000
"""Draws without a single valid one after which a group counts as empty."""


@dataclass(frozen=True)
class Constraint:
    """A rule over parameters, known before anything is simulated.

    Attributes:
        rule: holds where it is true (or not zero).
        why: the reason for it, for people.
    """

    rule: Expression
    why: str = ""

    def __str__(self) -> str:
        return f"{self.rule.text!r}{f' ({self.why})' if self.why else ''}"


def broken(
    constraints: Sequence[Constraint], columns: Mapping[str, Column], n: int
) -> NDArray[np.bool_]:
    """Which of `n` designs break which constraints, shape `(n, constraints)`.

    A rule without a value (a division by zero) counts as broken where another rule is broken
    too: the other one is there to exclude such designs.

    Raises:
        DesignError: a rule has no value for a design that keeps all others.
    """
    table = np.zeros((n, len(constraints)), dtype=bool)
    unknown = np.zeros((n, len(constraints)), dtype=bool)
    for i, constraint in enumerate(constraints):
        values, unknown[:, i] = constraint.rule.evaluate_where_defined(columns)
        table[:, i] = (values == 0) & ~unknown[:, i]
    if unknown.any():
        alone = unknown.any(axis=1) & ~table.any(axis=1)
        if alone.any():
            row = int(np.flatnonzero(alone)[0])
            rule = constraints[int(np.flatnonzero(unknown[row])[0])].rule
            raise rule.undefined_at(columns, row)
    return table | unknown


class Group:
    """Parameters tied together by constraints; different groups do not touch.

    Its valid value combinations are listed parameter by parameter, dropping each partial one as
    soon as a rule refuses it. Where the list grows too long, the parameters listed so far are
    drawn from it and the others freely, and whole draws are refused; the result has the same
    distribution either way.

    Source: the chain of trees of BaCO (Hellsten et al., ASPLOS 2023), as flat tables.
    """

    def __init__(self, parameters: Sequence[Parameter], constraints: Sequence[Constraint]) -> None:
        self.parameters = _ordered(parameters, constraints)
        self.constraints = tuple(constraints)

    @cached_property
    def _listed(self) -> tuple[list[Parameter], Indices]:
        """The parameters listed, and the partial designs that no rule refuses, `(rows, listed)`."""
        rows = np.zeros((1, 0), np.int64)
        listed: list[Parameter] = []
        for parameter in self.parameters:
            if not len(rows) or len(rows) * parameter.count > MOST_ROWS:
                break
            count = int(parameter.count)
            rows = np.column_stack(
                [np.repeat(rows, count, axis=0), np.tile(np.arange(count), len(rows))]
            )
            listed.append(parameter)
            ready = self._ready(listed)
            fresh = [c for c in ready if parameter.name in c.rule.names]
            if fresh:
                columns = self._columns(listed, rows)
                keep = np.ones(len(rows), dtype=bool)
                for constraint in fresh:
                    values, unknown = constraint.rule.evaluate_where_defined(columns)
                    keep &= (values != 0) | unknown
                rows = rows[keep]
        if not len(rows):
            return listed, rows
        kept = ~broken(self._ready(listed), self._columns(listed, rows), len(rows)).any(axis=1)
        return listed, rows[kept]

    def _ready(self, listed: Sequence[Parameter]) -> list[Constraint]:
        names = {parameter.name for parameter in listed}
        return [c for c in self.constraints if names.issuperset(c.rule.names)]

    @staticmethod
    def _columns(listed: Sequence[Parameter], rows: Indices) -> dict[str, Column]:
        return {p.name: p.choice(rows[:, i]) for i, p in enumerate(listed)}

    @property
    def complete(self) -> bool:
        """Whether all its valid combinations are listed."""
        listed, rows = self._listed
        return len(listed) == len(self.parameters) or not len(rows)

    @property
    def count(self) -> int:
        """How many valid combinations there are; only if `complete`."""
        return len(self._listed[1])

    def combinations(self) -> dict[str, Indices]:
        """Choice indices of all valid combinations; only if `complete`."""
        listed, rows = self._listed
        return {p.name: rows[:, i] for i, p in enumerate(listed)}

    @cached_property
    def _heap(self) -> Floats | None:
        """Running sum of how often each listed row is drawn; None if all equally often."""
        listed, rows = self._listed
        weighted = [(i, p.weights) for i, p in enumerate(listed) if p.weights is not None]
        if not weighted:
            return None
        weights = np.ones(len(rows))
        for i, column in weighted:
            weights *= column[rows[:, i]]
        return np.cumsum(weights)

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Column] | None:
        """`n` valid combinations as columns; None if `MOST_DRAWS` draws held none."""
        if not len(self._listed[1]):
            return None
        parts: list[dict[str, Column]] = []
        found, idle, tried = 0, 0, 0
        while found < n or not parts:
            share = found / tried if found else 0.01
            size = n if self.complete else int(np.clip(1.1 * (n - found) / share, 256, 2**17))
            columns = self._attempt(size, rng)
            if not self.complete:
                keep = ~broken(self.constraints, columns, size).any(axis=1)
                columns = {name: column[keep] for name, column in columns.items()}
                got = int(keep.sum())
                idle = 0 if got else idle + size
                tried += size
                if idle >= MOST_DRAWS:
                    return None
            else:
                got = size
            parts.append(columns)
            found += got
        return {
            p.name: np.concatenate([part[p.name] for part in parts])[:n] for p in self.parameters
        }

    def _attempt(self, n: int, rng: np.random.Generator) -> dict[str, Column]:
        listed, rows = self._listed
        if self._heap is None:
            picked = rng.integers(len(rows), size=n)
        else:
            picked = np.searchsorted(self._heap, rng.random(n) * self._heap[-1], side="right")
            picked = np.minimum(picked, len(rows) - 1)
        columns = self._columns(listed, rows[picked])
        for parameter in self.parameters[len(listed) :]:
            columns[parameter.name] = parameter.draw(n, rng)
        return columns


def groups(
    parameters: Sequence[Parameter], constraints: Sequence[Constraint]
) -> tuple[list[Parameter], list[Group]]:
    """The parameters that no constraint names, and the others in groups that do not touch."""
    owner = {name: name for c in constraints for name in c.rule.names}

    def root(name: str) -> str:
        while owner[name] != name:
            name = owner[name]
        return name

    for constraint in constraints:
        for name in constraint.rule.names[1:]:
            owner[root(name)] = root(constraint.rule.names[0])
    free = [p for p in parameters if p.name not in owner]
    roots = dict.fromkeys(root(p.name) for p in parameters if p.name in owner)
    return free, [
        Group(
            [p for p in parameters if p.name in owner and root(p.name) == r],
            [c for c in constraints if root(c.rule.names[0]) == r],
        )
        for r in roots
    ]


def _ordered(parameters: Sequence[Parameter], constraints: Sequence[Constraint]) -> list[Parameter]:
    """The parameters in an order that completes the cheapest constraints first."""
    by_name = {parameter.name: parameter for parameter in parameters}
    ordered: dict[str, Parameter] = {}
    waiting = list(constraints)
    while waiting:

        def cost(constraint: Constraint) -> float:
            return math.prod(
                float(by_name[name].count) for name in constraint.rule.names if name not in ordered
            )

        cheapest = min(waiting, key=cost)
        waiting.remove(cheapest)
        missing = [by_name[name] for name in cheapest.rule.names if name not in ordered]
        for parameter in sorted(missing, key=lambda p: p.count):
            ordered[parameter.name] = parameter
    return list(ordered.values())


def explain_empty(constraints: Sequence[Constraint], table: NDArray[np.bool_]) -> DesignError:
    """The error that says which of the `constraints` refuse most of the draws in `table`."""
    shares = table.mean(axis=0)
    worst = int(shares.argmax())
    return DesignError(
        f"no valid design in {len(table):,} random draws; constraint {constraints[worst]} "
        f"rejects {shares[worst]:.1%} of them",
        hint=f"loosen it, or try its neighbors: {_others(constraints, shares, worst)}"
        if len(constraints) > 1
        else "loosen it, or widen the parameters it names",
    )


def _others(constraints: Sequence[Constraint], shares: Floats, worst: int) -> str:
    order = [i for i in np.argsort(-shares) if i != worst][:3]
    return "; ".join(f"{constraints[i].rule.text!r} rejects {shares[i]:.1%}" for i in order)
