"""Arithmetic over named columns, read from text and evaluated safely: no `eval`, no attributes."""

import ast
import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import DesignError

MAX_LENGTH = 2_000
"""Characters of one expression; a longer one is not a formula that somebody reads."""

MAX_DEPTH = 40
"""How deep operations may nest."""

Array = NDArray[Any]


def _ceil_div(a: Array, b: Array) -> Array:
    return np.asarray(-(-a // b))


_BINARY: dict[type[ast.operator], Callable[[Array, Array], Array]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Array], Array]] = {
    ast.USub: np.negative,
    ast.UAdd: np.positive,
    ast.Not: np.logical_not,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Array, Array], Array]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Array]]] = {
    "ceil": (1, np.ceil),
    "floor": (1, np.floor),
    "round": (1, np.rint),
    "sqrt": (1, np.sqrt),
    "log2": (1, np.log2),
    "exp2": (1, np.exp2),
    "abs": (1, np.abs),
    "ceil_div": (2, _ceil_div),
}
_REDUCTIONS: dict[str, Any] = {
    "min": np.minimum,
    "max": np.maximum,
    "sum": np.add,
    "prod": np.multiply,
}
FUNCTIONS = (*_FUNCTIONS, *_REDUCTIONS, "where", "position")
"""What may be called. `min`, `max`, `sum` and `prod` take several numbers, or one structured
column; `position(order, 'K')` is the place of an item in a permutation, from 0."""


@dataclass(frozen=True)
class Expression:
    """A formula over named columns, such as `pes_x * pes_y <= 256`.

    Python's spelling and precedence: `+ - * / // % **`, comparisons (also chained), `and or not`,
    `a if c else b`, `in`, and `FUNCTIONS`. A structured column is indexed or sliced with constants
    (`tiling[0]`, `prod(tiling[1:])`); text is compared with `==`, `!=` and `in`.

    Numbers are computed in 64-bit floating point, so whole numbers are exact up to 2^53 and
    nothing wraps around. As in Python, the part of `and`, `or` and `if` that is not taken may be
    undefined.

    Attributes:
        text: the formula.
        names: the columns it reads, in order of first use.
        compared: pairs (column, text constant) that it compares.

    Raises:
        DesignError: on construction, if the text is not such a formula.
    """

    text: str
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    compared: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _body: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        body = _parse(self.text)
        reader = _Reader(self.text)
        reader.read(body, 0)
        object.__setattr__(self, "_body", body)
        object.__setattr__(self, "names", tuple(dict.fromkeys(reader.names)))
        object.__setattr__(self, "compared", tuple(reader.compared))

    def __reduce__(self) -> tuple[type["Expression"], tuple[str]]:
        return (Expression, (self.text,))

    def __str__(self) -> str:
        return self.text

    def check_names(self, known: Iterable[str]) -> None:
        """Raises DesignError if it reads a column that is not `known`."""
        known = list(known)
        for name in self.names:
            if name not in known:
                column = next(
                    node.col_offset + 1
                    for node in ast.walk(self._body)
                    if isinstance(node, ast.Name) and node.id == name
                )
                raise DesignError(
                    f"{self.text!r}, column {column}: nothing is named {name!r}",
                    hint=suggestion(name, known),
                )

    def evaluate(self, columns: Mapping[str, Any]) -> Array:
        """The value for each of `n` rows.

        Args:
            columns: name -> array of shape `(n,)`, or `(n, k)` if structured, or a scalar.

        Returns:
            Shape `(n,)`: bool for a comparison or a logical formula, else float64.

        Raises:
            DesignError: a name is unknown, text stands where a number is needed, or a row has no
                finite value (a division by zero, an overflow).
        """
        values, undefined, blame = self._evaluate(columns)
        if undefined.any():
            raise self.undefined_at(columns, int(np.flatnonzero(undefined)[0]), blame)
        return values

    def evaluate_where_defined(self, columns: Mapping[str, Any]) -> tuple[Array, NDArray[np.bool_]]:
        """As `evaluate`, but rows without a finite value are marked instead of refused.

        Returns:
            The values and where they are undefined, both of shape `(n,)`; an undefined row's
            value means nothing.
        """
        values, undefined, _ = self._evaluate(columns)
        return values, undefined

    def undefined_at(self, columns: Mapping[str, Any], row: int, blame: str = "") -> DesignError:
        """The error that says why `row` has no value."""
        if not blame:
            _, _, blame = self._evaluate({name: _row(columns[name], row) for name in self.names})
        what = "has no finite value" if blame == self.text else f"{blame!r} has no finite value"
        values = ", ".join(f"{name}={_shown(columns[name], row)}" for name in self.names)
        return DesignError(
            f"{self.text!r}: {what} for {values or 'any design'}",
            hint="guard a division, as in 'b == 0 or a / b <= 2' or 'a / b if b > 0 else 0'",
        )

    def _evaluate(self, columns: Mapping[str, Any]) -> tuple[Array, NDArray[np.bool_], str]:
        self.check_names(columns)
        lengths = {len(column) for column in columns.values() if np.ndim(column) > 0}
        if len(lengths) > 1:
            raise ValueError(f"columns differ in length: {sorted(lengths)}")
        n = lengths.pop() if lengths else 1
        evaluation = _Evaluation(self.text, columns)
        with np.errstate(all="ignore"):
            values, undefined = evaluation.term(self._body)
        if values.dtype.kind == "U":
            raise DesignError(f"{self.text!r}: expected a number or a comparison, got text")
        mask = np.broadcast_to(np.asarray(undefined), (n,))
        return np.array(np.broadcast_to(values, (n,))), mask, evaluation.blame(mask)


def suggestion(name: str, known: Iterable[str]) -> str:
    """A hint: the known name closest to `name`, or all of them."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}" if known else ""


def _parse(text: str) -> ast.expr:
    if not isinstance(text, str):
        raise DesignError(f"expected an expression such as 'a * b <= 256', got {text!r}")
    if len(text) > MAX_LENGTH:
        raise DesignError(
            f"{text[:40]!r}...: {len(text):,} characters, at most {MAX_LENGTH:,} are allowed"
        )
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise DesignError(
            f"{text!r}, column {error.offset or 1}: cannot read this expression: {error.msg}"
        ) from None
    except (ValueError, MemoryError, RecursionError):
        raise DesignError(f"{text[:40]!r}: cannot read this expression") from None


def _row(column: Any, row: int) -> Any:
    return np.asarray(column)[row : row + 1] if np.ndim(column) else column


def _shown(column: Any, row: int) -> str:
    value = np.asarray(column)
    return str(value[row].tolist() if value.ndim else value.tolist())


class _Reader:
    """Refuses whatever is not a formula, and collects the names in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: list[str] = []
        self.compared: list[tuple[str, str]] = []

    def refuse(self, node: ast.AST, why: str, hint: str = "") -> DesignError:
        column = getattr(node, "col_offset", 0) + 1
        return DesignError(f"{self.text!r}, column {column}: {why}", hint=hint)

    def read(self, node: ast.expr, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self.refuse(node, f"nested deeper than {MAX_DEPTH}")
        for child in self.operands(node):
            self.read(child, depth + 1)

    def operands(self, node: ast.expr) -> list[ast.expr]:
        """The parts of `node` that are formulas themselves, once `node` itself is allowed."""
        match node:
            case ast.Constant(value=bool() | int() | float()):
                self.number(node)
                return []
            case ast.Constant(value=str()):
                return []
            case ast.Name(id=name):
                if name in FUNCTIONS:
                    raise self.refuse(node, f"{name!r} is a function", f"write {name}(...)")
                self.names.append(name)
                return []
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return [operand]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return [left, right]
            case ast.BoolOp(values=values):
                return values
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return [test, body, orelse]
            case ast.Compare():
                return self.comparison(node)
            case ast.Subscript(value=ast.Name() as column):
                self.index(node)
                return [column]
            case ast.Call():
                return self.call(node)
        shown = ast.unparse(node)
        raise self.refuse(
            node,
            f"{shown[:40]!r} is not allowed in an expression",
            f"use numbers, names, + - * / // % **, comparisons, and/or/not, {', '.join(FUNCTIONS)}",
        )

    def number(self, node: ast.Constant) -> None:
        try:
            if np.isfinite(float(node.value)):  # type: ignore[arg-type]
                return
        except OverflowError:
            pass
        raise self.refuse(node, "a number this large cannot be computed with")

    def comparison(self, node: ast.Compare) -> list[ast.expr]:
        terms = [node.left, *node.comparators]
        for left, op, right in zip(terms, node.ops, node.comparators):
            if isinstance(op, ast.In | ast.NotIn):
                if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
                    raise self.refuse(right, "expected a list after 'in'", "write a in (1, 2)")
                pairs = [(left, item) for item in right.elts]
                if not all(isinstance(item, ast.Constant) for item in right.elts):
                    raise self.refuse(right, "expected constants after 'in'")
            elif type(op) in _COMPARE:
                pairs = [(left, right), (right, left)]
            else:
                raise self.refuse(node, "this comparison is not allowed", "use == or !=")
            self.compared += [
                (column.id, item.value)
                for column, item in ((_column_of(a), b) for a, b in pairs)
                if column and isinstance(item, ast.Constant) and isinstance(item.value, str)
            ]
        return [
            part
            for term in terms
            for part in (term.elts if isinstance(term, ast.Tuple | ast.List) else [term])
        ]

    def index(self, node: ast.Subscript) -> None:
        part = node.slice
        bounds = [part.lower, part.upper] if isinstance(part, ast.Slice) else [part]
        if isinstance(part, ast.Slice) and part.step is not None:
            raise self.refuse(node, "a slice has no step here")
        for bound in bounds:
            if bound is not None and _whole(bound) is None:
                raise self.refuse(node, "an index must be a whole number", "write tiling[0]")

    def call(self, node: ast.Call) -> list[ast.expr]:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS:
            raise self.refuse(
                node, f"no function is named {name[:40]!r}", suggestion(name, FUNCTIONS)
            )
        wanted = {"where": 3, "position": 2}.get(name) or _FUNCTIONS.get(name, (0,))[0]
        if node.keywords or not node.args or (wanted and len(node.args) != wanted):
            raise self.refuse(
                node, f"{name} takes {wanted or 'at least one'} value(s), got {len(node.args)}"
            )
        if name == "position":
            column, item = node.args
            if not isinstance(column, ast.Name) or not isinstance(item, ast.Constant):
                raise self.refuse(node, "position needs a permutation and an item of it")
            self.compared.append((column.id, str(item.value)))
        return list(node.args)


def _whole(node: ast.expr) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _whole(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def _column_of(node: ast.expr) -> ast.Name | None:
    node = node.value if isinstance(node, ast.Subscript) else node
    return node if isinstance(node, ast.Name) else None


Undefined = NDArray[np.bool_] | bool
"""Where a term has no value; False if it has one everywhere."""

Term = tuple[Array, Undefined]
"""Values, shape `(n,)` or `()`, and where they are undefined."""


class _Evaluation:
    """One evaluation: walks a formula that `_Reader` let pass."""

    def __init__(self, text: str, columns: Mapping[str, Any]) -> None:
        self.text = text
        self.columns = columns
        self.failures: list[tuple[ast.expr, Array]] = []

    def blame(self, undefined: NDArray[np.bool_]) -> str:
        """The innermost term that made the first undefined row so."""
        if not undefined.any():
            return ""
        row = int(np.flatnonzero(undefined)[0])
        for node, bad in self.failures:
            if bad if bad.ndim == 0 else bad[row]:
                return ast.unparse(node)
        return self.text

    def term(self, node: ast.expr) -> Term:
        match node:
            case ast.Constant(value=str() | bool()):
                return np.array(node.value), False
            case ast.Constant():
                return np.array(float(node.value)), False  # type: ignore[arg-type]
            case ast.Name() | ast.Subscript():
                column = self.column(node)
                if column.ndim > 1:
                    raise self.wrong(node, "has several values", "index it, or use sum or prod")
                return self.checked(node, column, False)
            case ast.UnaryOp(op=op, operand=operand):
                value, undefined = self.number(operand)
                return _UNARY[type(op)](value), undefined
            case ast.BinOp(left=left, op=op, right=right):
                (a, bad_a), (b, bad_b) = self.number(left), self.number(right)
                return self.checked(node, _BINARY[type(op)](a, b), bad_a | bad_b)
            case ast.BoolOp(op=op, values=values):
                return self.logical(isinstance(op, ast.And), values)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.choice(test, body, orelse)
            case ast.Compare():
                return self.comparison(node)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(node, name, arguments)
        raise AssertionError(ast.dump(node))

    def number(self, node: ast.expr) -> Term:
        value, undefined = self.term(node)
        if value.dtype.kind == "U":
            raise self.wrong(node, "is text, expected a number", "compare it with == or in")
        return value.astype(np.float64), undefined

    def truth(self, node: ast.expr) -> Term:
        value, undefined = self.number(node)
        return value != 0, undefined

    def column(self, node: ast.expr) -> Array:
        """The column, or the part of it, that `node` stands for."""
        if isinstance(node, ast.Subscript):
            whole = self.column(node.value)
            if whole.ndim != 2:
                raise self.wrong(node.value, "has one value, and cannot be indexed")
            part = node.slice
            if isinstance(part, ast.Slice):
                low, high = (b and _whole(b) for b in (part.lower, part.upper))
                return whole[:, low:high]
            place = _whole(part)
            if place is None or not -whole.shape[1] <= place < whole.shape[1]:
                raise self.wrong(node, f"is out of range: there are {whole.shape[1]} values")
            return np.asarray(whole[:, place])
        assert isinstance(node, ast.Name)
        column = np.asarray(self.columns[node.id])
        return column if column.dtype.kind in "Ub" else column.astype(np.float64)

    def logical(self, conjunction: bool, nodes: list[ast.expr]) -> Term:
        """`and`, `or`: a later part counts only where the earlier ones leave it open."""
        value, undefined = self.truth(nodes[0])
        for node in nodes[1:]:
            later, bad = self.truth(node)
            still_open = value if conjunction else ~value
            undefined = undefined | (bad & still_open)
            value = value & later if conjunction else value | later
        return value, undefined

    def choice(self, test: ast.expr, body: ast.expr, orelse: ast.expr) -> Term:
        condition, bad = self.truth(test)
        (a, bad_a), (b, bad_b) = self.number(body), self.number(orelse)
        return np.where(condition, a, b), bad | np.where(condition, bad_a, bad_b)

    def comparison(self, node: ast.Compare) -> Term:
        value: Array = np.array(True)
        undefined: Undefined = False
        left = node.left
        for op, right in zip(node.ops, node.comparators):
            if isinstance(right, ast.Tuple | ast.List):
                parts = [self.compare(left, ast.Eq, item) for item in right.elts]
                found = np.any(np.broadcast_arrays(*(part for part, _ in parts)), axis=0)
                result, bad = np.asarray(found) ^ isinstance(op, ast.NotIn), parts[0][1]
            else:
                result, bad = self.compare(left, type(op), right)
            value, undefined = value & result, undefined | bad
            left = right
        return value, undefined

    def compare(self, left: ast.expr, op: type[ast.cmpop], right: ast.expr) -> Term:
        (a, bad_a), (b, bad_b) = self.term(left), self.term(right)
        if (a.dtype.kind == "U") != (b.dtype.kind == "U"):
            text, other = (left, right) if a.dtype.kind == "U" else (right, left)
            raise self.wrong(text, f"is text and cannot be compared with {ast.unparse(other)!r}")
        if a.dtype.kind == "U" and op not in (ast.Eq, ast.NotEq):
            raise self.wrong(left, "is text, and text has no order", "compare it with == or !=")
        return _COMPARE[op](a, b), bad_a | bad_b

    def call(self, node: ast.expr, name: str, arguments: list[ast.expr]) -> Term:
        if name == "where":
            return self.choice(*arguments)
        if name == "position":
            order = self.column(arguments[0])
            item = arguments[1]
            assert isinstance(item, ast.Constant)
            if order.ndim != 2 or order.dtype.kind != "U":
                raise self.wrong(arguments[0], "is not a permutation")
            return (order == item.value).argmax(axis=1).astype(np.float64), False
        if name in _REDUCTIONS:
            return self.reduction(node, name, arguments)
        terms = [self.number(argument) for argument in arguments]
        undefined: Undefined = False
        for _, bad in terms:
            undefined = undefined | bad
        return self.checked(node, _FUNCTIONS[name][1](*(value for value, _ in terms)), undefined)

    def reduction(self, node: ast.expr, name: str, arguments: list[ast.expr]) -> Term:
        reduce = _REDUCTIONS[name]
        if len(arguments) == 1 and isinstance(arguments[0], ast.Name | ast.Subscript):
            column = self.column(arguments[0])
            if column.ndim == 2:
                if column.dtype.kind == "U" or (column.shape[1] == 0 and name in ("min", "max")):
                    raise self.wrong(arguments[0], f"has no {name}")
                return self.checked(node, reduce.reduce(column, axis=1), False)
        value, undefined = self.number(arguments[0])
        for argument in arguments[1:]:
            other, bad = self.number(argument)
            value, undefined = reduce(value, other), undefined | bad
        return self.checked(node, value, undefined)

    def checked(self, node: ast.expr, value: Array, undefined: Undefined) -> Term:
        """Marks where `value` is not finite."""
        value = np.asarray(value)
        if value.dtype.kind != "f":
            return value, undefined
        bad = ~np.isfinite(value)
        if not bad.any():
            return value, undefined
        self.failures.append((node, bad))
        return value, undefined | bad

    def wrong(self, node: ast.expr, why: str, hint: str = "") -> DesignError:
        column = node.col_offset + 1
        return DesignError(
            f"{self.text!r}, column {column}: {ast.unparse(node)!r} {why}", hint=hint
        )
