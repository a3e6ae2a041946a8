"""Turns the syntax tree of an expression into one function over columns; no `eval`.

Only the operations in the tables below exist. Every other piece of Python is refused when the
formula is compiled.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import DesignError

MAX_DEPTH = 40
"""How deep operations may nest."""

Array = NDArray[Any]

Undefined = NDArray[np.bool_] | bool
"""Where a term has no value; False if it has one everywhere."""

Term = tuple[Array, Undefined]
"""Values, shape `(n,)` or `()`, and where they are undefined."""


def _ceil_div(a: Array, b: Array) -> Array:
    return np.asarray(-(-a // b))


ARITHMETIC: dict[type[ast.operator], Callable[[Array, Array], Array]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
}
SIGNS: dict[type[ast.unaryop], Callable[[Array], Array]] = {
    ast.USub: np.negative,
    ast.UAdd: np.positive,
    ast.Not: np.logical_not,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Array, Array], Array]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
MAPS: dict[str, tuple[int, Callable[..., Array]]] = {
    "ceil": (1, np.ceil),
    "floor": (1, np.floor),
    "round": (1, np.rint),
    "sqrt": (1, np.sqrt),
    "log2": (1, np.log2),
    "exp2": (1, np.exp2),
    "abs": (1, np.abs),
    "ceil_div": (2, _ceil_div),
}
REDUCTIONS: dict[str, np.ufunc] = {
    "min": np.minimum,
    "max": np.maximum,
    "sum": np.add,
    "prod": np.multiply,
}
FUNCTIONS = (*MAPS, *REDUCTIONS, "where", "position")
"""What may be called. `min`, `max`, `sum` and `prod` take several numbers, or one structured
column; `position(order, 'K')` is the place of an item in a permutation, from 0."""


@dataclass
class Rows:
    """The columns of one evaluation, and which terms had no value in which rows."""

    columns: Mapping[str, Any]
    failures: list[tuple[str, Array]] = field(default_factory=list)

    def checked(self, node: ast.expr, values: Array, undefined: Undefined) -> Term:
        """Marks where `values` are not finite."""
        values = np.asarray(values)
        if values.dtype.kind != "f":
            return values, undefined
        bad = ~np.isfinite(values)
        if not bad.any():
            return values, undefined
        self.failures.append((ast.unparse(node), bad))
        return values, undefined | bad

    def forget(self, since: int) -> None:
        """Forgets the failures after the first `since`: the terms were not reached."""
        del self.failures[since:]


Formula = Callable[[Rows], Term]


@dataclass
class Compiler:
    """Compiles the syntax tree of one expression.

    Attributes:
        text: the expression, for messages.
        names: the columns read, with the place in the text, in order; filled while compiling.
        compared: pairs (column, text it is compared with); filled while compiling.
    """

    text: str
    names: dict[str, int] = field(default_factory=dict)
    compared: list[tuple[str, str]] = field(default_factory=list)

    def _wrong(self, node: ast.expr, why: str, hint: str = "") -> DesignError:
        """The error about the term `node`."""
        part = ast.get_source_segment(self.text, node) or ast.unparse(node)
        place = "" if part == self.text else f", column {node.col_offset + 1}: {shown(part)}"
        return DesignError(f"{shown(self.text)}{place}: {why}", hint=hint)

    def term(self, node: ast.expr, depth: int = 0) -> Formula:
        """A formula that gives numbers, truth values or text."""
        if depth > MAX_DEPTH:
            raise DesignError(f"{shown(self.text)}: nested deeper than {MAX_DEPTH} operations")
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name() | ast.Subscript():
                return self._reading(node)
            case ast.UnaryOp() if type(node.op) in SIGNS:
                return self._sign(node, depth + 1)
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                return self._arithmetic(node, depth + 1)
            case ast.BoolOp():
                return self._logic(node, depth + 1)
            case ast.IfExp():
                return self._choice(node.test, node.body, node.orelse, depth + 1)
            case ast.Compare():
                return self._comparison(node, depth + 1)
            case ast.Call():
                return self._call(node, depth + 1)
        raise self._wrong(
            node,
            "not allowed in an expression",
            f"use numbers, names, + - * / // % **, comparisons, and/or/not, {', '.join(FUNCTIONS)}",
        )

    def _number(self, node: ast.expr, depth: int) -> Formula:
        """A formula that gives numbers, and refuses text."""
        formula = self.term(node, depth)

        def evaluate(rows: Rows) -> Term:
            values, undefined = formula(rows)
            if values.dtype.kind == "U":
                raise self._wrong(node, "is text, expected a number", "compare it with == or in")
            return values.astype(np.float64), undefined

        return evaluate

    def _constant(self, node: ast.Constant) -> Formula:
        if isinstance(node.value, bool | str):
            value = np.array(node.value)
        elif isinstance(node.value, int | float):
            try:
                value = np.array(float(node.value))
            except OverflowError:
                value = np.array(np.inf)
            if not np.isfinite(value):
                raise self._wrong(node, "too large a number to compute with")
        else:
            raise self._wrong(node, "not allowed in an expression", "use numbers and 'text'")
        return lambda rows: (value, False)

    def _column(self, node: ast.expr) -> Callable[[Rows], Array]:
        """What reads a whole column, shape `(n,)` or `(n, k)`, or a part of a structured one."""
        if isinstance(node, ast.Subscript):
            return self._part(node)
        if not isinstance(node, ast.Name):
            raise self._wrong(node, "expected the name of a parameter")
        name = node.id
        if name in FUNCTIONS:
            raise self._wrong(node, f"{name} is a function", f"write {name}(...)")
        self.names.setdefault(name, node.col_offset + 1)

        def read(rows: Rows) -> Array:
            column = np.asarray(rows.columns[name])
            return column if column.dtype.kind in "Ub" else column.astype(np.float64)

        return read

    def _part(self, node: ast.Subscript) -> Callable[[Rows], Array]:
        if not isinstance(node.value, ast.Name):
            raise self._wrong(node, "only a parameter can be indexed")
        whole, index = self._column(node.value), self._place(node.slice)

        def read(rows: Rows) -> Array:
            column = whole(rows)
            if column.ndim != 2:
                raise self._wrong(node, f"{ast.unparse(node.value)} has one value, not several")
            if isinstance(index, int) and not -column.shape[1] <= index < column.shape[1]:
                raise self._wrong(node, f"out of range: there are {column.shape[1]} values, from 0")
            return np.asarray(column[:, index])

        return read

    def _place(self, node: ast.expr) -> int | slice:
        """The constant index or slice that `node` is."""
        match node:
            case ast.Constant(value=int(value)) if not isinstance(value, bool):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
                return -value
            case ast.Slice(lower=lower, upper=upper, step=None):
                low, high = (bound and self._place(bound) for bound in (lower, upper))
                return slice(low, high)
        raise self._wrong(node, "an index must be a whole number", "write tiling[0] or tiling[1:]")

    def _reading(self, node: ast.expr) -> Formula:
        column = self._column(node)

        def evaluate(rows: Rows) -> Term:
            values = column(rows)
            if values.ndim > 1:
                raise self._wrong(
                    node, "has several values", "index it, or use prod, sum, min, max"
                )
            return rows.checked(node, values, False)

        return evaluate

    def _sign(self, node: ast.UnaryOp, depth: int) -> Formula:
        operate, operand = SIGNS[type(node.op)], self._number(node.operand, depth)

        def evaluate(rows: Rows) -> Term:
            values, undefined = operand(rows)
            return operate(values), undefined

        return evaluate

    def _arithmetic(self, node: ast.BinOp, depth: int) -> Formula:
        operate = ARITHMETIC[type(node.op)]
        left, right = self._number(node.left, depth), self._number(node.right, depth)

        def evaluate(rows: Rows) -> Term:
            (a, bad_a), (b, bad_b) = left(rows), right(rows)
            return rows.checked(node, operate(a, b), bad_a | bad_b)

        return evaluate

    def _logic(self, node: ast.BoolOp, depth: int) -> Formula:
        """`and`, `or`: a later part counts only where the earlier ones leave it open."""
        conjunction = isinstance(node.op, ast.And)
        parts = [self._number(part, depth) for part in node.values]

        def evaluate(rows: Rows) -> Term:
            numbers, undefined = parts[0](rows)
            values = numbers != 0
            for part in parts[1:]:
                still_open, known = values if conjunction else ~values, len(rows.failures)
                later, bad = part(rows)
                if not still_open.any():
                    rows.forget(known)
                undefined = undefined | (bad & still_open)
                values = values & (later != 0) if conjunction else values | (later != 0)
            return values, undefined

        return evaluate

    def _choice(self, test: ast.expr, body: ast.expr, orelse: ast.expr, depth: int) -> Formula:
        """`if`, `where`: the branch that is not taken may be undefined."""
        condition, taken, other = (self._number(part, depth) for part in (test, body, orelse))

        def evaluate(rows: Rows) -> Term:
            number, undefined = condition(rows)
            first, known = number != 0, len(rows.failures)
            a, bad_a = taken(rows)
            if not first.any():
                rows.forget(known)
            known = len(rows.failures)
            b, bad_b = other(rows)
            if first.all():
                rows.forget(known)
            return np.where(first, a, b), undefined | np.where(first, bad_a, bad_b)

        return evaluate

    def _comparison(self, node: ast.Compare, depth: int) -> Formula:
        terms = [node.left, *node.comparators]
        links = [
            self._link(left, op, right, depth)
            for left, op, right in zip(terms, node.ops, node.comparators)
        ]

        def evaluate(rows: Rows) -> Term:
            values, undefined = links[0](rows)
            for link in links[1:]:
                more, bad = link(rows)
                values, undefined = values & more, undefined | bad
            return values, undefined

        return evaluate

    def _link(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Formula:
        """One comparison of a chain."""
        if not isinstance(op, ast.In | ast.NotIn):
            return self._compare(left, op, right, depth)
        if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
            raise self._wrong(right, "expected a list after 'in'", "write a in (1, 2)")
        options = [self._compare(left, ast.Eq(), option, depth) for option in right.elts]

        def evaluate(rows: Rows) -> Term:
            found, undefined = options[0](rows)
            for option in options[1:]:
                values, bad = option(rows)
                found, undefined = found | values, undefined | bad
            return found ^ isinstance(op, ast.NotIn), undefined

        return evaluate

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Formula:
        if type(op) not in COMPARISONS:
            raise self._wrong(left, "'is' is not allowed in an expression", "use == or !=")
        operate = COMPARISONS[type(op)]
        a, b = self.term(left, depth), self.term(right, depth)
        for column, text in ((left, right), (right, left)):
            column = column.value if isinstance(column, ast.Subscript) else column
            if isinstance(column, ast.Name) and isinstance(text, ast.Constant):
                self.compared += [(column.id, text.value)] if isinstance(text.value, str) else []

        def evaluate(rows: Rows) -> Term:
            (x, bad_x), (y, bad_y) = a(rows), b(rows)
            if (x.dtype.kind == "U") != (y.dtype.kind == "U"):
                text, other = (left, right) if x.dtype.kind == "U" else (right, left)
                raise self._wrong(text, f"is text, {ast.unparse(other)!r} is a number")
            if x.dtype.kind == "U" and not isinstance(op, ast.Eq | ast.NotEq):
                raise self._wrong(left, "is text, which has no order", "compare it with == or !=")
            return operate(x, y), bad_x | bad_y

        return evaluate

    def _call(self, node: ast.Call, depth: int) -> Formula:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS:
            raise self._wrong(
                node, f"no function is named {name[:40]!r}", suggestion(name, FUNCTIONS)
            )
        wanted = {"where": 3, "position": 2}.get(name) or MAPS.get(name, (0,))[0]
        if node.keywords or not node.args or (wanted and len(node.args) != wanted):
            raise self._wrong(
                node, f"{name} takes {wanted or 'one or more'} value(s), got {len(node.args)}"
            )
        if name == "where":
            test, body, orelse = node.args
            return self._choice(test, body, orelse, depth)
        if name == "position":
            order, item = node.args
            return self._position(order, item)
        if name in REDUCTIONS:
            return self._reduction(node, REDUCTIONS[name], depth)
        operate, parts = MAPS[name][1], [self._number(part, depth) for part in node.args]

        def evaluate(rows: Rows) -> Term:
            values, bad = zip(*(part(rows) for part in parts))
            return rows.checked(node, operate(*values), _any(bad))

        return evaluate

    def _position(self, order: ast.expr, item: ast.expr) -> Formula:
        column = self._column(order)
        if not (isinstance(order, ast.Name) and isinstance(item, ast.Constant)):
            raise self._wrong(item, "position needs a permutation and one of its items")
        self.compared.append((order.id, str(item.value)))

        def evaluate(rows: Rows) -> Term:
            items = column(rows)
            if items.ndim != 2 or items.dtype.kind != "U":
                raise self._wrong(order, "is not a permutation")
            return (items == item.value).argmax(axis=1).astype(np.float64), False

        return evaluate

    def _reduction(self, node: ast.Call, reduce: np.ufunc, depth: int) -> Formula:
        if len(node.args) == 1 and isinstance(node.args[0], ast.Name | ast.Subscript):
            return self._inner_reduction(node, reduce)
        parts = [self._number(part, depth) for part in node.args]

        def evaluate(rows: Rows) -> Term:
            values, undefined = parts[0](rows)
            for part in parts[1:]:
                more, bad = part(rows)
                values, undefined = reduce(values, more), undefined | bad
            return rows.checked(node, values, undefined)

        return evaluate

    def _inner_reduction(self, node: ast.Call, reduce: np.ufunc) -> Formula:
        """`prod(tiling[1:])`: over the parts of a structured column."""
        column = self._column(node.args[0])

        def evaluate(rows: Rows) -> Term:
            values = column(rows)
            if values.dtype.kind == "U" or values.ndim < 2 or values.shape[1] == 0:
                raise self._wrong(node, "expected several numbers")
            return rows.checked(node, reduce.reduce(values, axis=1), False)

        return evaluate


def shown(value: Any) -> str:
    """`value` as Python writes it, cut where it is too long for a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _any(masks: Iterable[Undefined]) -> Undefined:
    undefined: Undefined = False
    for mask in masks:
        undefined = undefined | mask
    return undefined


def suggestion(name: str, known: Iterable[str]) -> str:
    """A hint: the known name closest to `name`, or some of them."""
    known = [str(k) for k in known]
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}"
    return f"known: {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}" if known else ""
