"""Random designs that keep all constraints, without drawing in vain."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_dse.constraints import Constraint, kept
from accel_dse.designs import Column, Columns, length, rows
from accel_dse.parameters.base import Floats, Indices, Parameter, weighted

MOST_ROWS = 2**20
"""Partial designs that one group of parameters may list while its valid ones are worked out."""

TRIAL_DRAWS = 2**15
"""Draws that decide whether refusing whole draws is a way to find valid ones."""

ENOUGH = 4
"""Valid ones among `TRIAL_DRAWS` that make it one."""

AT_ONCE = 2**17
"""Draws that are held in memory together."""

FEWEST, MOST = 2**13, 2**16
"""Partial designs that grow together where refusing whole draws is not a way."""

GROWN_FOR_ONE = 128
"""Of those, how many for each design that is wanted, within the bounds."""

MOST_VALUES = 2**22
"""Values that partial designs may have together."""

SWEEPS = 8
"""Times that they grow without a single survivor before a group is given up as empty."""


class Group:
    """Parameters tied together by constraints; different groups have nothing to do with each other.

    The combinations that keep the constraints are listed parameter by parameter, and a partial
    one is dropped as soon as a rule refuses it. Where the list grows too long, the parameters
    listed so far are drawn from it and the others freely, and whole draws are refused. Either way
    every valid combination is as likely as if all designs were drawn and the invalid ones refused.

    Where too few draws would be left, many partial combinations grow together, parameter by
    parameter, and those that break a rule are replaced by copies of others: nearly the same
    distribution, though designs drawn together may share parts.

    Source: the list is the chain of trees of BaCO (Hellsten et al., "BaCO: A Fast and Portable
    Bayesian Compiler Optimization Framework", ASPLOS 2023) as a flat table; growing together is a
    particle filter (Gordon, Salmond, Smith, IEE Proceedings F 140(2), 1993).
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
            table = table[self._possible(listed, _columns(listed, table))]
        if decided := self._decided(listed):
            table = table[kept(decided, _columns(listed, table))]
        return listed, table

    def _decided(self, known: Sequence[Parameter]) -> list[Constraint]:
        names = {parameter.name for parameter in known}
        return [c for c in self.constraints if names.issuperset(c.rule.names)]

    def _possible(self, known: Sequence[Parameter], columns: Columns) -> NDArray[np.bool_]:
        """Which rows are not refused by the rules that the last of `known` decides."""
        keep = np.ones(length(columns), dtype=bool)
        for constraint in self._decided(known):
            if known[-1].name in constraint.rule.names:
                values, unknown = constraint.rule.evaluate_where_defined(columns)
                keep &= (values != 0) | unknown
        return keep

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

    @cached_property
    def _share(self) -> float:
        """The share of attempts that are valid, as far as `TRIAL_DRAWS` can tell.

        The draws are always the same: what is sampled must not depend on what was before.
        """
        columns = self._attempt(TRIAL_DRAWS, np.random.default_rng(0))
        return float(kept(self.constraints, columns).mean())

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Column] | None:
        """`n` valid combinations, by column; None if there is none, or none was found."""
        if self.count == 0:
            return None
        if self.count is not None or n == 0:
            return self._attempt(n, rng)
        parts: list[dict[str, Column]] = []
        found, idle = 0, 0
        while found < n:
            if self._share * TRIAL_DRAWS >= ENOUGH:
                size = int(np.clip(1.1 * (n - found) / self._share, 64, AT_ONCE))
                columns = self._attempt(size, rng)
            else:
                columns = self._grown(n, rng)
            parts.append(rows(columns, kept(self.constraints, columns)))
            found += length(parts[-1])
            idle = 0 if length(parts[-1]) else idle + 1
            if self._share * TRIAL_DRAWS < ENOUGH and idle == SWEEPS:
                return None
        return {
            p.name: np.concatenate([part[p.name] for part in parts])[:n] for p in self.parameters
        }

    def _attempt(self, n: int, rng: np.random.Generator) -> dict[str, Column]:
        """`n` combinations that keep the rules among the listed parameters."""
        columns = self._listed(n, rng)
        free = self.parameters[len(columns) :]
        return columns | {parameter.name: parameter.draw(n, rng) for parameter in free}

    def _listed(self, n: int, rng: np.random.Generator) -> dict[str, Column]:
        """Values of the listed parameters."""
        listed, table = self._table
        if self._heap is None:
            picked = rng.integers(len(table), size=n)
        else:
            picked = weighted(self._heap, n, rng)
        return _columns(listed, table[picked])

    def _grown(self, wanted: int, rng: np.random.Generator) -> dict[str, Column]:
        """Combinations that grew together, parameter by parameter; none if all died out."""
        n = min(
            int(np.clip(GROWN_FOR_ONE * wanted, FEWEST, MOST)), MOST_VALUES // len(self.parameters)
        )
        columns = self._listed(n, rng)
        for i in range(len(columns), len(self.parameters)):
            parameter = self.parameters[i]
            columns[parameter.name] = parameter.draw(n, rng)
            alive = np.flatnonzero(self._possible(self.parameters[: i + 1], columns))
            if len(alive) == n:
                continue
            last = i + 1 == len(self.parameters)
            heirs = rng.permutation(alive) if last or not len(alive) else rng.choice(alive, size=n)
            columns = rows(columns, heirs)
            if not len(alive):
                return {p.name: p.column([]) for p in self.parameters}
        return columns


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
