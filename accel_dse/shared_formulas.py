"""Many formulas over the same designs, evaluated together.

What two formulas share is computed once, and what depends on one parameter alone is looked up in
a table over its choices, so that little arithmetic is left for each design.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.choices import Choices, Coded
from accel_dse.designs import length
from accel_dse.expressions import Expression
from accel_dse.formula import ARITHMETIC, COMPARISONS, MAPS, REDUCTIONS, SIGNS, Array

MANY = 2_048
"""Designs from which on it pays to leave out those already refused."""

Bools = NDArray[np.bool_]
Operation = Callable[..., Any]


class UnsuitedError(Exception):
    """A formula must be evaluated on its own, where it has a value or an error of its own."""


class SharedFormulas:
    """Formulas compiled into one sequence of steps, each an operation on whole columns.

    Values are those of `Expression.evaluate`, bit by bit. Where some term has no finite value for
    some design, nothing is said of any: evaluated one by one, formulas tell whether it matters.
    """

    def __init__(
        self, formulas: Sequence[Expression], choices: Mapping[str, Choices | None]
    ) -> None:
        """Compiles.

        Args:
            formulas: over parameters.
            choices: parameter -> its table, or None where designs hold values.

        Raises:
            UnsuitedError: a formula computes with text, or in a way that has no meaning.
        """
        terms = _Terms(choices)
        self._results: list[tuple[int, int]] = []
        for formula in formulas:
            slot = terms.each(terms.of(ast.parse(formula.text, mode="eval").body))
            self._results.append((slot, len(terms.steps)))
        self._steps = terms.steps
        self._begin = [t if o == "" else None for o, t in zip(terms.owners, terms.tables)]

    def evaluate(self, coded: Coded) -> list[Array]:
        """The formulas' values for `n` designs, each of shape `(n,)`.

        Raises:
            FloatingPointError: some term has no finite value for some design.
        """
        values: list[Any] = list(self._begin)
        self._run(values, coded, 0, len(self._steps))
        return [np.broadcast_to(values[slot], (length(coded),)) for slot, _ in self._results]

    def all_hold(self, coded: Coded) -> Bools:
        """Which of `n` designs all formulas hold for (are true or not zero), `(n,)`.

        Raises:
            FloatingPointError: some term has no finite value for some design.
        """
        held = np.zeros(length(coded), dtype=bool)
        rows, alive = np.arange(len(held)), ~held
        values: list[Any] = list(self._begin)
        done = 0
        for slot, end in self._results:
            self._run(values, coded, done, end)
            alive, done = alive & (values[slot] != 0), end
            if len(alive) > MANY and 2 * np.count_nonzero(alive) < len(alive):
                rows, coded = rows[alive], {name: column[alive] for name, column in coded.items()}
                values = [v[alive] if np.ndim(v) else v for v in values]
                alive = alive[alive]
        held[rows[alive]] = True
        return held

    def _run(self, values: list[Any], coded: Coded, begin: int, end: int) -> None:
        """Takes some of the steps."""
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            for slot, operate, args, name in self._steps[begin:end]:
                if name:
                    values[slot] = operate(coded[name])
                else:
                    values[slot] = operate(*[values[i] for i in args])


class _Terms:
    """The terms of formulas; each has a slot, and a step that fills it unless it is constant.

    Attributes:
        owners: the parameter that each slot depends on: "" if on none, None if on several.
        tables: its value for each choice of that parameter; None if it has no table.
        steps: (slot to fill, operation, slots it reads, parameter that it reads instead).
    """

    def __init__(self, choices: Mapping[str, Choices | None]) -> None:
        self.owners: list[str | None] = []
        self.tables: list[Array | None] = []
        self.steps: list[tuple[int, Operation, tuple[int, ...], str]] = []
        self._choices = choices
        self._truths: set[int] = set()
        self._known: dict[tuple[Any, ...], int] = {}

    def of(self, node: ast.expr) -> int:
        """The slot of a term."""
        match node:
            case ast.Constant(value=str(text)):
                return self._slot(("text", text), "", np.array(text))
            case ast.Constant(value=bool() | int() | float() as number):
                return self._slot(("number", float(number)), "", np.array(float(number)))
            case ast.Name() | ast.Subscript():
                return self._leaf(node, "value", lambda values: values)
            case ast.UnaryOp(op=op, operand=operand):
                negated = isinstance(op, ast.Not)
                return self._apply(SIGNS[type(op)], self._number(operand), truth=negated)
            case ast.BinOp(left=left, op=op, right=right):
                return self._apply(ARITHMETIC[type(op)], self._number(left), self._number(right))
            case ast.BoolOp(op=op, values=parts):
                both = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return self._folded(both, [self._truth(part) for part in parts], truth=True)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._choice(test, body, other)
            case ast.Compare():
                return self._comparison(node)
            case ast.Call():
                return self._call(node)
        raise UnsuitedError

    def each(self, slot: int) -> int:
        """The slot that holds a term's value for each design, or its only one."""
        name, table = self.owners[slot], self.tables[slot]
        if table is None or name == "":
            return slot
        key = ("each", slot)
        if key not in self._known:
            self._slot(key, None, None)
            self.steps.append((self._known[key], table.take, (), name or ""))
        return self._known[key]

    def _slot(self, key: tuple[Any, ...], owner: str | None, table: Array | None) -> int:
        if key not in self._known:
            self._known[key] = len(self.owners)
            if table is not None and table.shape == (1,):
                owner, table = "", table[0]
            self.owners.append(owner)
            self.tables.append(table)
        return self._known[key]

    def _apply(self, operate: Operation, *args: int, truth: bool = False) -> int:
        """The slot of an operation: a table if it depends on one parameter that has one."""
        key = (operate, *args)
        if key in self._known:
            return self._known[key]
        owners = {self.owners[i] for i in args} - {""}
        table = None
        if len(owners) <= 1 and None not in owners:
            table = _tabulated(operate, [self.tables[i] for i in args])
        if table is None:
            reads = tuple(self.each(i) for i in args)
            slot = self._slot(key, None, None)
            self.steps.append((slot, operate, reads, ""))
        else:
            slot = self._slot(key, owners.pop() if owners else "", table)
        if truth:
            self._truths.add(slot)
        return slot

    def _folded(self, operate: Operation, slots: Sequence[int], *, truth: bool = False) -> int:
        found = slots[0]
        for slot in slots[1:]:
            found = self._apply(operate, found, slot, truth=truth)
        return found

    def _number(self, node: ast.expr) -> int:
        slot = self.of(node)
        self._require_text(slot, False)
        return self._apply(_as_number, slot) if slot in self._truths else slot

    def _truth(self, node: ast.expr) -> int:
        slot = self.of(node)
        self._require_text(slot, False)
        return slot if slot in self._truths else self._apply(_as_truth, slot, truth=True)

    def _is_text(self, slot: int) -> bool:
        table = self.tables[slot]
        return table is not None and table.dtype.kind == "U"

    def _require_text(self, slot: int, wanted: bool) -> None:
        """Raises UnsuitedError if a term is text and should not be, or the reverse."""
        if self._is_text(slot) != wanted:
            raise UnsuitedError

    def _leaf(self, node: ast.expr, what: str, read: Callable[[Array], Array]) -> int:
        """The slot of a parameter's values, or of what is computed from their parts.

        Args:
            node: the parameter, or an index or a slice of it.
            what: tells apart what is computed.
            read: from values, `(n,)` or `(n, k)`, to one number or text each, `(n,)`.
        """
        base = node.value if isinstance(node, ast.Subscript) else node
        if not isinstance(base, ast.Name) or base.id not in self._choices:
            raise UnsuitedError
        index = _index(node.slice) if isinstance(node, ast.Subscript) else ...

        def values(column: Array) -> Array:
            part = column[:, index] if column.ndim > 1 and index is not ... else column
            found = read(part if part.dtype.kind == "U" else part.astype(np.float64))
            if found.ndim != 1 or (column.ndim == 1 and index is not ...):
                raise UnsuitedError
            return found

        key = (what, ast.unparse(node))
        choices = self._choices[base.id]
        if choices is not None:
            return self._slot(key, base.id, values(choices.values))
        if key not in self._known:
            self.steps.append((self._slot(key, None, None), _finite(values), (), base.id))
        return self._known[key]

    def _choice(self, test: ast.expr, body: ast.expr, other: ast.expr) -> int:
        return self._apply(np.where, self._truth(test), self._number(body), self._number(other))

    def _comparison(self, node: ast.Compare) -> int:
        terms = [node.left, *node.comparators]
        links = [self._link(*link) for link in zip(terms, node.ops, node.comparators)]
        return self._folded(np.logical_and, links, truth=True)

    def _link(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> int:
        """One comparison of a chain."""
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List):
                raise UnsuitedError
            equal = [self._link(left, ast.Eq(), option) for option in right.elts]
            found = self._folded(np.logical_or, equal, truth=True)
            negated = isinstance(op, ast.NotIn)
            return self._apply(np.logical_not, found, truth=True) if negated else found
        a, b = self.of(left), self.of(right)
        self._require_text(b, self._is_text(a))
        return self._apply(COMPARISONS[type(op)], a, b, truth=True)

    def _call(self, node: ast.Call) -> int:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "where":
            return self._choice(*node.args)
        if name == "position":
            order, item = node.args
            sought = ast.literal_eval(item)
            return self._leaf(order, f"position {sought!r}", lambda v: _position(v, sought))
        if name in MAPS:
            return self._apply(MAPS[name][1], *[self._number(part) for part in node.args])
        reduce = REDUCTIONS[name]
        if len(node.args) == 1 and isinstance(node.args[0], ast.Name | ast.Subscript):
            return self._leaf(node.args[0], name, lambda v: _reduced(reduce, v))
        return self._folded(reduce, [self._number(part) for part in node.args])


def _tabulated(operate: Operation, tables: Sequence[Array | None]) -> Array | None:
    """An operation on tables; None if it has no finite value for some choice."""
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            return np.asarray(operate(*tables))
    except FloatingPointError:
        return None


def _finite(read: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """`read`, but FloatingPointError where it finds anything but finite numbers."""

    def checked(column: Array) -> Array:
        found = read(column)
        if found.dtype.kind == "U" or not np.isfinite(found).all():
            raise FloatingPointError
        return found

    return checked


def _as_number(values: Array) -> Array:
    return values.astype(np.float64)


def _as_truth(values: Array) -> Array:
    return np.asarray(values != 0)


def _position(orders: Array, item: str) -> Array:
    """Where an item stands in each of `n` orders, `(n,)`."""
    return np.asarray((orders == item).argmax(axis=1), np.float64)


def _reduced(reduce: np.ufunc, parts: Array) -> Array:
    """A reduction of the parts of each of `n` values, `(n,)`."""
    if parts.ndim < 2 or not parts.shape[1] or parts.dtype.kind == "U":
        raise UnsuitedError
    return np.asarray(reduce.reduce(parts, axis=1))


def _index(node: ast.expr) -> int | slice:
    """The constant index or slice that `node` is."""
    if isinstance(node, ast.Slice):
        return slice(*[end and ast.literal_eval(end) for end in (node.lower, node.upper)])
    return int(ast.literal_eval(node))
