"""Rules that every design must keep, and random draws that keep them without waste."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Column, Columns, length, rows
from accel_dse.errors import DesignError
from accel_dse.expressions import Expression
from accel_dse.parameters.base import Floats, Indices, Parameter, weighted

MOST_ROWS = 2**20
"""Partial designs that one group of parameters may list while its valid ones are worked out."""

MOST_DRAWS = 1_000_000
"""Draws in a row without a valid one after which a group is given up as empty."""

AT_ONCE = 2**17
"""Draws that are held in memory together."""


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


def broken(constraints: Sequence[Constraint], columns: Columns) -> NDArray[np.bool_]:
    """Which of `n` designs break which constraints, shape `(n, constraints)`.

    A rule without a value (a division by zero) counts as broken where another rule is: that one
    is there to exclude such designs.

    Raises:
        DesignError: a rule has no value for a design that keeps all others.
    """
    refused = np.zeros((length(columns), len(constraints)), dtype=bool)
    unknown = np.zeros_like(refused)
    for i, constraint in enumerate(constraints):
        values, unknown[:, i] = constraint.rule.evaluate_where_defined(columns)
        refused[:, i] = (values == 0) & ~unknown[:, i]
    alone = unknown.any(axis=1) & ~refused.any(axis=1)
    if alone.any():
        row = int(np.flatnonzero(alone)[0])
        culprit = constraints[int(np.flatnonzero(unknown[row])[0])]
        raise culprit.rule.undefined_in(columns, row)
    return refused | unknown


class Group:
    """Parameters tied together by constraints; different groups have nothing to do with each other.

    The combinations that keep the constraints are listed parameter by parameter, and a partial
    one is dropped as soon as a rule refuses it. Where the list grows too long, the parameters
    listed so far are drawn from it and the others freely, and whole draws are refused. Either way
    every valid combination is as likely as if all designs were drawn and the invalid ones refused.

    Source: the chain of trees of BaCO (Hellsten et al., "BaCO: A Fast and Portable Bayesian
    Compiler Optimization Framework", ASPLOS 2023), as flat tables.
    """

    def __init__(self, parameters: Sequence[Parameter], constraints: Sequence[Constraint]) -> None:
        self.parameters = _ordered(parameters, constraints)
        self.constraints = tuple(constraints)

    @cached_property
    def _table(self) -> tuple[list[Parameter], Indices]:
        """The parameters listed, and choices of theirs that no rule refuses, `(m, listed)`."""
        listed: list[Parameter] = []
        table = np.zeros((1, 0), np.int64)
        for parameter in self.parameters:
            if not 0 < len(table) * parameter.count <= MOST_ROWS:
                break
            choices = np.arange(int(parameter.count))
            table = np.column_stack(
                [np.repeat(table, len(choices), axis=0), np.tile(choices, len(table))]
            )
            listed.append(parameter)
            table = table[self._possible(listed, table)]
        if decided := self._decided(listed):
            table = table[~broken(decided, _columns(listed, table)).any(axis=1)]
        return listed, table

    def _possible(self, listed: Sequence[Parameter], table: Indices) -> NDArray[np.bool_]:
        """Which rows are not refused by the rules that the last parameter decides."""
        keep = np.ones(len(table), dtype=bool)
        columns = _columns(listed, table)
        for constraint in self._decided(listed):
            if listed[-1].name in constraint.rule.names:
                values, unknown = constraint.rule.evaluate_where_defined(columns)
                keep &= (values != 0) | unknown
        return keep

    def _decided(self, listed: Sequence[Parameter]) -> list[Constraint]:
        names = {parameter.name for parameter in listed}
        return [c for c in self.constraints if names.issuperset(c.rule.names)]

    @property
    def count(self) -> int | None:
        """How many valid combinations there are; None if the list of them is not complete."""
        listed, table = self._table
        return len(table) if not len(table) or len(listed) == len(self.parameters) else None

    def combinations(self) -> dict[str, Column]:
        """All valid combinations, by column; only if `count` is known and not 0."""
        return _columns(*self._table)

    @cached_property
    def _heap(self) -> Floats | None:
        """Running sum of how often each listed row is drawn; None if all equally often."""
        listed, table = self._table
        weights = [p.weights[table[:, i]] for i, p in enumerate(listed) if p.weights is not None]
        return np.cumsum(np.prod(weights, axis=0)) if weights else None

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Column] | None:
        """`n` valid combinations, by column; None if there is none, or none was found."""
        if self.count == 0:
            return None
        if self.count is not None:
            return self._attempt(n, rng)
        parts = [self._attempt(0, rng)]
        found, tried, idle = 0, 0, 0
        while found < n:
            share = max(found / tried if tried else 1.0, 1e-3)
            size = int(np.clip(1.1 * (n - found) / share, 64, AT_ONCE))
            columns = self._attempt(size, rng)
            kept = rows(columns, ~broken(self.constraints, columns).any(axis=1))
            parts.append(kept)
            idle = 0 if length(kept) else idle + size
            if idle >= MOST_DRAWS:
                return None
            found, tried = found + length(kept), tried + size
        return {
            p.name: np.concatenate([part[p.name] for part in parts])[:n] for p in self.parameters
        }

    def _attempt(self, n: int, rng: np.random.Generator) -> dict[str, Column]:
        """`n` combinations that keep the rules among the listed parameters."""
        listed, table = self._table
        if self._heap is None:
            picked = rng.integers(len(table), size=n)
        else:
            picked = weighted(self._heap, n, rng)
        columns = _columns(listed, table[picked])
        return columns | {p.name: p.draw(n, rng) for p in self.parameters[len(listed) :]}


def groups(
    parameters: Sequence[Parameter], constraints: Sequence[Constraint]
) -> tuple[list[Parameter], list[Group]]:
    """The parameters that no constraint names, and the others in groups."""
    tied: dict[str, str] = {name: name for c in constraints for name in c.rule.names}

    def root(name: str) -> str:
        while tied[name] != name:
            tied[name] = name = tied[tied[name]]
        return name

    for constraint in constraints:
        first, *others = constraint.rule.names
        for name in others:
            tied[root(name)] = root(first)
    members: dict[str, list[Parameter]] = {}
    rules: dict[str, list[Constraint]] = {}
    for parameter in parameters:
        if parameter.name in tied:
            members.setdefault(root(parameter.name), []).append(parameter)
    for constraint in constraints:
        rules.setdefault(root(constraint.rule.names[0]), []).append(constraint)
    free = [parameter for parameter in parameters if parameter.name not in tied]
    return free, [Group(members[name], rules[name]) for name in members]


def _ordered(parameters: Sequence[Parameter], constraints: Sequence[Constraint]) -> list[Parameter]:
    """The parameters in an order that decides the constraints with the fewest choices first."""
    waiting = {parameter.name: parameter for parameter in parameters}
    ordered: list[Parameter] = []

    def choices(constraint: Constraint) -> float:
        return math.prod(float(waiting[n].count) for n in constraint.rule.names if n in waiting)

    while waiting:
        rule = min((c for c in constraints if waiting.keys() & set(c.rule.names)), key=choices).rule
        missing = [waiting.pop(name) for name in rule.names if name in waiting]
        ordered += sorted(missing, key=lambda parameter: parameter.count)
    return ordered


def product(tables: Sequence[Columns]) -> dict[str, Column]:
    """All combinations of the rows of several tables, the first table's varying fastest."""
    total = math.prod(length(table) for table in tables)
    columns: dict[str, Column] = {}
    below = 1
    for table in tables:
        each = np.repeat(np.arange(length(table)), below)
        columns |= rows(table, np.resize(each, total))
        below *= length(table)
    return columns


def _columns(listed: Sequence[Parameter], table: Indices) -> dict[str, Column]:
    return {parameter.name: parameter.choice(table[:, i]) for i, parameter in enumerate(listed)}


def nothing_valid(
    constraints: Sequence[Constraint], refused: NDArray[np.bool_], *, certain: bool
) -> DesignError:
    """The error that says which of `constraints` leave no valid design.

    Args:
        constraints: of the space.
        refused: which of `n` free draws break which constraints, `(n, constraints)`.
        certain: whether there is no valid design, or just none was found.
    """
    shares = refused.mean(axis=0)
    order = np.argsort(-shares, kind="stable")[:4]
    worst, *others = [f"{constraints[i]} rejects {shares[i]:.1%}" for i in order]
    found = "there is no valid design" if certain else "found no valid design"
    return DesignError(
        f"{found}: of {len(refused):,} random ones, constraint {worst}",
        hint="; ".join(["loosen it, or widen what it names", *others]),
    )
