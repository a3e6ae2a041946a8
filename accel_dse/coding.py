"""Designs by the indices of their choices: the form in which searching many of them is cheap."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_dse.choices import Choices, Coded, choices_of
from accel_dse.constraints import Constraint, kept
from accel_dse.designs import Column, Columns, length, rows
from accel_dse.expressions import Expression
from accel_dse.moves import changed
from accel_dse.parameters.base import Floats, Indices, Parameter
from accel_dse.shared_formulas import SharedFormulas, UnsuitedError

Bools = NDArray[np.bool_]


class Coding:
    """Designs in coded form: by column, each value as its index among the parameter's choices.

    A parameter with too many choices for a table stays as it is.

    Attributes:
        parameters: of the designs.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        constraints: Sequence[Constraint] = (),
        features: Mapping[str, Expression] | None = None,
    ) -> None:
        self.parameters = tuple(parameters)
        self._constraints = tuple(constraints)
        self._features = dict(features or {})
        self._choices = {p.name: choices_of(p) for p in self.parameters}
        self._movable = [p for p in self.parameters if p.count > 1]

    def coded(self, columns: Columns) -> Coded:
        """Designs by column in coded form.

        Raises:
            DesignError: a value is not one of its parameter's.
        """
        return {
            p.name: columns[p.name] if self._choices[p.name] is None else p.index(columns[p.name])
            for p in self.parameters
        }

    def columns(self, coded: Coded) -> dict[str, Column]:
        """The inverse of `coded`."""
        return {p.name: self.values(p, coded[p.name]) for p in self.parameters if p.name in coded}

    def values(self, parameter: Parameter, column: Column) -> Column:
        """The values of one parameter from its coded column."""
        choices = self._choices[parameter.name]
        return column if choices is None else choices.values[column]

    def chosen(self, parameter: Parameter, index: Indices) -> Column:
        """The coded column of choices by index."""
        return index if self._choices[parameter.name] is not None else parameter.choice(index)

    def drawn(self, parameter: Parameter, n: int, rng: np.random.Generator) -> Column:
        """`n` random values of one parameter, coded; the same as `Parameter.draw` gives."""
        if self._choices[parameter.name] is None:
            return parameter.draw(n, rng)
        return parameter.draw_index(n, rng)

    def encoded(self, coded: Coded) -> Floats:
        """`n` designs as points in the unit cube, `(n, width)`."""
        parts = []
        for p in self.parameters:
            choices = self._choices[p.name]
            column = coded[p.name]
            parts.append(p.encode(column) if choices is None else choices.codes[column])
        return np.hstack(parts)

    def satisfied(self, coded: Coded) -> Bools:
        """Which of `n` designs keep all constraints, `(n,)`.

        Raises:
            DesignError: a constraint has no value for a design that keeps all others.
        """
        held = self._all_hold(coded)
        return kept(self._constraints, self.columns(coded)) if held is None else held

    def possible(self, coded: Coded) -> Bools:
        """Which of `n` partial designs no constraint refuses, `(n,)`.

        A constraint without a value refuses none. Constraints read columns that are there.
        """
        held = self._all_hold(coded)
        if held is not None:
            return held
        columns, keep = self.columns(coded), np.ones(length(coded), dtype=bool)
        for constraint in self._constraints:
            values, unknown = constraint.rule.evaluate_where_defined(columns)
            keep &= (values != 0) | unknown
        return keep

    def _all_hold(self, coded: Coded) -> Bools | None:
        """Which of `n` designs keep all constraints; None if each must be evaluated on its own."""
        try:
            return None if self._rules is None else self._rules.all_hold(coded)
        except (FloatingPointError, UnsuitedError):
            return None

    @cached_property
    def _rules(self) -> SharedFormulas | None:
        return _shared([c.rule for c in self._constraints], self._choices)

    def feature_values(self, coded: Coded) -> dict[str, Floats]:
        """The features of `n` designs, each of shape `(n,)`.

        Raises:
            DesignError: a feature has no finite value for one of them.
        """
        if self._formulas is not None:
            try:
                values = self._formulas.evaluate(coded)
                return {k: v.astype(np.float64) for k, v in zip(self._features, values)}
            except (FloatingPointError, UnsuitedError):
                pass
        columns = self.columns(coded)
        return {k: e.evaluate(columns).astype(np.float64) for k, e in self._features.items()}

    @cached_property
    def _formulas(self) -> SharedFormulas | None:
        return _shared(list(self._features.values()), self._choices)

    def neighbors(self, coded: Coded) -> tuple[Coded, Indices]:
        """All designs one exchange in one parameter away from `n` designs, valid or not.

        Returns:
            `m` designs, and the row that each is a variation of, `(m,)`, not in order.
        """
        moved = {p.name: self._near(p, coded[p.name]) for p in self._movable}
        origin = np.concatenate([np.zeros(0, np.int64), *(rows for _, rows in moved.values())])
        varied, begin = rows(coded, origin), 0
        for name, (column, near) in moved.items():
            varied[name][begin : begin + len(near)] = column
            begin += len(near)
        return varied, origin

    def _near(self, parameter: Parameter, column: Column) -> tuple[Column, Indices]:
        choices = self._choices[parameter.name]
        return parameter.neighbors(column) if choices is None else choices.neighbors(column)

    def mutated(self, coded: Coded, rate: float, rng: np.random.Generator) -> Coded:
        """Each of `n` designs with some parameters changed, at least one; valid or not.

        Args:
            coded: the designs.
            rate: how likely each parameter is to change.
            rng: decides.
        """
        changes = changed(self.parameters, length(coded), rate, rng)
        varied = {}
        for parameter, change in zip(self.parameters, changes.T):
            column, which = coded[parameter.name].copy(), np.flatnonzero(change)
            choices = self._choices[parameter.name]
            some: Column = column[which]
            if len(which):
                mutate = parameter.mutate if choices is None else choices.mutate
                column[which] = mutate(some, rng)
            varied[parameter.name] = column
        return varied


def _shared(
    formulas: Sequence[Expression], choices: Mapping[str, Choices | None]
) -> SharedFormulas | None:
    """Formulas compiled together; None if some cannot be."""
    try:
        return SharedFormulas(formulas, choices)
    except UnsuitedError:
        return None
