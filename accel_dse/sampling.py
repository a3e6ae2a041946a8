"""Random designs that keep all constraints, without drawing in vain."""

import math
from collections.abc import Collection, Sequence
from functools import cached_property

import numpy as np

from accel_dse.choices import Coded
from accel_dse.coding import Coding
from accel_dse.constraints import Constraint
from accel_dse.designs import Column, Columns, length, rows
from accel_dse.parameters.base import Floats, Indices, Parameter, weighted

MOST_ROWS = 2**18
"""Partial designs that one group of parameters may list while its valid ones are worked out."""

MOST_VALUES = 2**23
"""Values of designs that are held in memory together."""

TRIAL_DRAWS = 2**15
"""Draws that decide whether refusing whole draws is a way to find valid ones."""

ENOUGH = 4
"""Valid ones among them that make it one."""

FEWEST, MOST = 2**13, 2**16
"""Partial designs that grow together where refusing whole draws is not a way."""

GROWN_FOR_ONE = 128
"""Of those, how many for each design that is wanted, within the bounds."""

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
        place = {parameter.name: i for i, parameter in enumerate(self.parameters)}
        self._decided: list[list[Constraint]] = [[] for _ in self.parameters]
        self._last_use = [0] * len(place)
        for constraint in constraints:
            places = [place[name] for name in constraint.rule.names]
            self._decided[max(places)].append(constraint)
            for i in places:
                self._last_use[i] = max(self._last_use[i], *places)
        self.coding = Coding(self.parameters, self.constraints)
        self._stages = [Coding(self.parameters, decided) for decided in self._decided]

    @cached_property
    def _table(self) -> Indices:
        """Choices of the first parameters that no rule refuses, `(m, listed)`."""
        table = np.zeros((1, 0), np.int64)
        for i, parameter in enumerate(self.parameters):
            if not 0 < len(table) * parameter.count <= MOST_ROWS:
                break
            choices = np.arange(int(parameter.count))
            table = np.column_stack(
                [np.repeat(table, len(choices), axis=0), np.tile(choices, len(table))]
            )
            if self._decided[i]:
                names = {name for rule in self._decided[i] for name in rule.rule.names}
                table = table[self._stages[i].possible(self._values(table, names))]
        decided = [rule for rules in self._decided[: table.shape[1]] for rule in rules]
        listed = Coding(self.parameters, decided)
        return table[listed.satisfied(self._values(table))] if decided else table

    def _values(self, table: Indices, names: Collection[str] = ()) -> Coded:
        """The coded columns of choices of the first parameters; those named, or all."""
        listed = zip(self.parameters, table.T)
        return {
            p.name: self.coding.chosen(p, choices)
            for p, choices in listed
            if not names or p.name in names
        }

    @property
    def count(self) -> int | None:
        """How many valid combinations there are; None if the list of them is not complete."""
        found, listed = self._table.shape
        return found if not found or listed == len(self.parameters) else None

    def combinations(self) -> dict[str, Column]:
        """All valid combinations, by column; only if `count` is known and not 0."""
        return self.coding.columns(self._values(self._table))

    @cached_property
    def _heap(self) -> Floats | None:
        """Running sum of how often each listed row is drawn; None if all equally often."""
        weights = [
            parameter.weights[choices]
            for parameter, choices in zip(self.parameters, self._table.T)
            if parameter.weights is not None
        ]
        return np.cumsum(np.prod(weights, axis=0)) if weights else None

    @cached_property
    def _at_once(self) -> int:
        return MOST_VALUES // len(self.parameters)

    @cached_property
    def _share(self) -> float:
        """The share of whole draws that are valid; 0 if too few are for refusing the others.

        Found out by the same draws each time: what is sampled depends on nothing before it.
        """
        tried = min(TRIAL_DRAWS, self._at_once)
        valid = int(self.coding.satisfied(self._attempt(tried, np.random.default_rng(0))).sum())
        return valid / tried if valid >= ENOUGH else 0.0

    def draw(self, n: int, rng: np.random.Generator) -> Coded | None:
        """`n` valid combinations, coded; None if there is none, or none was found."""
        if self.count == 0:
            return None
        if self.count is not None or n == 0:
            return self._attempt(n, rng)
        parts: list[Coded] = []
        missing, idle = n, 0
        while missing > 0:
            if self._share:
                size = np.clip(1.1 * missing / self._share, 64, self._at_once)
                coded = self._attempt(int(size), rng)
            else:
                coded = self._grown(n, rng)
            parts.append(rows(coded, self.coding.satisfied(coded)))
            missing -= length(parts[-1])
            idle = idle + 1 if not length(parts[-1]) else 0
            if idle == SWEEPS and not self._share:
                return None
        return {
            p.name: np.concatenate([part[p.name] for part in parts])[:n] for p in self.parameters
        }

    def _attempt(self, n: int, rng: np.random.Generator) -> Coded:
        """`n` combinations that keep the rules among the listed parameters."""
        coded = self._listed(n, rng)
        free = self.parameters[len(coded) :]
        return coded | {p.name: self.coding.drawn(p, n, rng) for p in free}

    def _listed(self, n: int, rng: np.random.Generator) -> Coded:
        """`n` random values of the listed parameters."""
        if self._heap is None:
            picked = rng.integers(len(self._table), size=n)
        else:
            picked = weighted(self._heap, n, rng)
        return self._values(self._table[picked])

    def _grown(self, wanted: int, rng: np.random.Generator) -> Coded:
        """Combinations that grew together, parameter by parameter; none if all died out.

        Only columns that some rule still needs are kept in step with the survivors; the others
        are looked up through the survivors' ancestors in the end.
        """
        n = min(int(np.clip(GROWN_FOR_ONE * wanted, FEWEST, MOST)), self._at_once)
        needed = self._listed(n, rng)
        retired: list[Coded] = []
        ancestors: list[Indices] = []
        for i in range(len(needed), len(self.parameters)):
            parameter = self.parameters[i]
            needed[parameter.name] = self.coding.drawn(parameter, n, rng)
            alive = np.flatnonzero(self._stages[i].possible(needed))
            if not len(alive):
                return self.coding.coded({p.name: p.column([]) for p in self.parameters})
            done = {p.name for p, last in zip(self.parameters, self._last_use) if last <= i}
            retired.append({name: needed.pop(name) for name in done & needed.keys()})
            last_one = i + 1 == len(self.parameters)
            ancestors.append(rng.permutation(alive) if last_one else rng.choice(alive, size=n))
            needed = rows(needed, ancestors[-1])
        grown: Coded = {}
        line = np.arange(len(ancestors[-1]))
        for columns, parents in zip(reversed(retired), reversed(ancestors)):
            line = parents[line]
            grown |= rows(columns, line)
        return grown


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
