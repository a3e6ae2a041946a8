"""Parameters whose values have parts: how a total splits into factors, and orders of items."""

# ruff: noqa: D102 (a method that overrides means what its interface says)

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import DesignError
from accel_dse.parameters import Column, Floats, Indices, Parameter, plain_number

MOST_ITEMS = 20
"""Items of a permutation: 20! is the last factorial below 2^63."""

LARGEST_TOTAL = 2**31
"""Total of an exact factorization; its divisors are found by trial."""

LARGEST_RAGGED_TOTAL = 2**17
"""Total of a ragged factorization; its tables grow as total x log(total)."""

MOST_PARTS = 12
"""Parts of a factorization."""


@dataclass(frozen=True)
class Permutation(Parameter):
    """An order of all items, first one first: the loops of one level, outermost first.

    Encoded as the place of each item, so that the squared distance of two encodings is
    Spearman's: the sum of squared changes of place. One exchange swaps two items.

    Attributes:
        items: distinct strings.
    """

    items: tuple[str, ...]

    def __post_init__(self) -> None:
        self._require(
            0 < len(self.items) <= MOST_ITEMS,
            f"a permutation has 1 to {MOST_ITEMS} items, got {len(self.items)}",
        )
        for item in self.items:
            self._require(type(item) is str, f"items must be strings, got {item!r}", "quote it")
        self._require(
            len(set(self.items)) == len(self.items),
            f"items must be distinct, got {', '.join(self.items)}",
        )

    @property
    def count(self) -> int:
        return math.factorial(len(self.items))

    @property
    def width(self) -> int:
        return len(self.items)

    @property
    def fields(self) -> tuple[int, ...]:
        """For each place, which item stands there."""
        return (len(self.items),) * len(self.items)

    @property
    def distance_weight(self) -> float:
        """Spearman's footrule of a reversed order is `floor(m^2 / 2)` places."""
        m = len(self.items)
        return (m - 1) / (m * m // 2) if m > 1 else 1.0

    @cached_property
    def _items(self) -> Column:
        return np.array(self.items)

    @cached_property
    def _sorted(self) -> Indices:
        return np.argsort(self._items)

    def content(self) -> Mapping[str, Any]:
        return {"permutation": list(self.items)}

    def summary(self) -> str:
        return f"orders of {', '.join(self.items)}"

    def canonical(self, value: Any) -> tuple[str, ...]:
        order = tuple(value) if isinstance(value, Sequence | np.ndarray) else ()
        if len(order) != len(self.items) or set(order) != set(self.items):
            raise DesignError(
                f"{value!r} is not an order of {', '.join(self.items)}",
                hint=f"write {list(self.items)}",
            )
        return tuple(str(item) for item in order)

    def column(self, values: Sequence[Any]) -> Column:
        if not len(values):
            return np.empty((0, len(self.items)), self._items.dtype)
        if any(len(value) != len(self.items) for value in values):
            raise DesignError(f"{self.name}: some values are not {self.summary()}")
        return np.array(values, dtype=str)

    def plain(self, column: Column) -> list[Any]:
        return list(map(tuple, column.tolist()))

    def _numbers(self, column: Column) -> Indices:
        """Each item's place in `items`, shape `(n, m)`."""
        at = np.searchsorted(self._items, column, sorter=self._sorted)
        numbers = self._sorted[np.minimum(at, len(self.items) - 1)]
        wrong = (self._items[numbers] != column).any(axis=1)
        wrong |= (np.sort(numbers, axis=1) != np.arange(len(self.items))).any(axis=1)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DesignError(
                f"design {row}: {self.name}: {column[row].tolist()} is not one of the "
                f"{self.summary()}"
            )
        return numbers

    def _places(self, column: Column) -> Indices:
        """Where each of `items` stands, shape `(n, m)`."""
        return np.argsort(self._numbers(column), axis=1)

    def index(self, column: Column) -> Indices:
        """Its place in lexicographic order, by Lehmer code."""
        numbers = self._numbers(column)
        m = len(self.items)
        index = np.zeros(len(column), np.int64)
        for i in range(m):
            smaller_later = (numbers[:, i + 1 :] < numbers[:, i : i + 1]).sum(axis=1)
            index = index * (m - i) + smaller_later
        return index

    def choice(self, index: Indices) -> Column:
        m = len(self.items)
        digits = np.empty((len(index), m), np.int64)
        rest = np.asarray(index, np.int64)
        for i in range(m - 1, -1, -1):
            rest, digits[:, i] = np.divmod(rest, m - i)
        # Undo the Lehmer code from the back: an item at or above one placed before it moves up.
        for i in range(m - 2, -1, -1):
            digits[:, i + 1 :] += digits[:, i + 1 :] >= digits[:, i : i + 1]
        return self._items[digits]

    def field_choices(self, column: Column) -> Indices:
        return self._numbers(column)

    def encode(self, column: Column) -> Floats:
        return self._places(column) / max(len(self.items) - 1, 1)

    def decode(self, codes: Floats) -> Column:
        return self._items[np.argsort(codes, axis=1, kind="stable")]

    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        m = len(self.items)
        first, second = np.triu_indices(m, 1)
        swaps = np.tile(np.arange(m), (len(first), 1))
        rows = np.arange(len(first))
        swaps[rows, first], swaps[rows, second] = second, first
        swapped = column[:, swaps].reshape(-1, m)
        return swapped, np.repeat(np.arange(len(column)), len(first))

    def step(self, column: Column, rng: np.random.Generator) -> Column:
        """Two items swapped, or one item moved past others."""
        n, m = column.shape
        if m == 1:
            return column
        rows = np.arange(n)
        source = rng.integers(m, size=n)
        target = (source + rng.integers(1, m, size=n)) % m
        keys = np.tile(np.arange(m, dtype=np.float64), (n, 1))
        swap = rng.random(n) < 0.5
        past = np.where(target > source, 0.5, -0.5)
        keys[rows, source] = target + np.where(swap, 0, past)
        swapped = np.flatnonzero(swap)
        keys[swapped, target[swapped]] = source[swapped]
        return np.take_along_axis(column, np.argsort(keys, axis=1), axis=1)

    def cross(self, a: Column, b: Column, rng: np.random.Generator) -> Column:
        """Each item asks for its place in one parent or the other; ties by a coin.

        Source: random keys, Bean, ORSA Journal on Computing 6(2), 1994.
        """
        keys = np.where(rng.random(a.shape) < 0.5, self._places(a), self._places(b))
        return self._items[np.argsort(keys + 0.5 * rng.random(a.shape), axis=1)]


@dataclass(frozen=True)
class Factorization(Parameter):
    """How a total splits into ordered factors, outermost first: a loop over levels.

    Exact: the factors' product is the total. Ragged: any inner factors, and each at most what is
    left to cover: `f[i] <= ceil(total / (f[i+1] * ... * f[k-1]))`, the outermost equal to it;
    so the last tile of a level may be partly empty, but no whole tile is.

    Encoded as each factor's share of the total, `log2(factor) / log2(total)`. One exchange moves
    a prime factor from one part to another; in a ragged one, it doubles, halves or nudges an inner
    factor and lets the others follow.

    Attributes:
        total: what is split, at least 1.
        parts: how many factors.
        ragged: whether factors may cover more than the total.
    """

    total: int
    parts: int
    ragged: bool = False

    def __post_init__(self) -> None:
        limit = LARGEST_RAGGED_TOTAL if self.ragged else LARGEST_TOTAL
        self._require(
            type(self.total) is int and 1 <= self.total <= limit,
            f"total must be a whole number from 1 to {limit:,}, got {self.total!r}",
        )
        self._require(
            type(self.parts) is int and 1 <= self.parts <= MOST_PARTS,
            f"parts must be a whole number from 1 to {MOST_PARTS}, got {self.parts!r}",
        )
        self._require(isinstance(self.ragged, bool), "ragged: expected true or false")

    @cached_property
    def _tree(self) -> "_Tree":
        return _tree(self.total, self.ragged)

    @cached_property
    def count(self) -> int:
        return int(self._tree.ways(self.parts)[-1])

    @property
    def width(self) -> int:
        return self.parts

    @property
    def fields(self) -> tuple[int, ...]:
        """For each part, which factor it is."""
        return (len(self._tree.factors),) * self.parts

    @property
    def distance_weight(self) -> float:
        """Moving all of the total from one part to another changes two shares by 1."""
        return 0.5

    def content(self) -> Mapping[str, Any]:
        return {"factorization": self.total, "parts": self.parts, "ragged": self.ragged}

    def summary(self) -> str:
        ragged = ", ragged" if self.ragged else ""
        return f"{self.parts} factors of {self.total}{ragged}"

    def canonical(self, value: Any) -> tuple[int, ...]:
        items = list(value) if isinstance(value, Sequence | np.ndarray) else []
        factors = [plain_number(item) for item in items]
        if len(factors) == self.parts and all(f is not None and f % 1 == 0 for f in factors):
            whole = tuple(int(f) for f in factors if f is not None)
            if max(whole) <= self.total and self._known(np.array([whole]))[0]:
                return whole
        rule = f"the product must be {self.total}"
        if self.ragged:
            rule = "each must be at most what the later ones leave to cover, the first equal to it"
        raise DesignError(
            f"{value!r} is not {self.summary()}: {rule}",
            hint=f"write {[self.total] + [1] * (self.parts - 1)}",
        )

    def column(self, values: Sequence[Any]) -> Column:
        if not len(values):
            return np.empty((0, self.parts), np.int64)
        if any(len(value) != self.parts for value in values):
            raise DesignError(f"{self.name}: some values are not {self.summary()}")
        column = np.array(values)
        if column.dtype.kind != "i":
            raise DesignError(f"{self.name}: some values are not whole numbers")
        return column.astype(np.int64)

    def plain(self, column: Column) -> list[Any]:
        return list(map(tuple, column.tolist()))

    def _known(self, column: Column) -> NDArray[np.bool_]:
        """Which rows are values of this parameter."""
        good = ((column >= 1) & (column <= self.total)).all(axis=1)
        state = np.full(len(column), len(self._tree.totals) - 1)
        for part in range(self.parts - 1, 0, -1):
            place, found = self._tree.find(state, np.where(good, column[:, part], 1))
            good &= found
            state = self._tree.after[place]
        return np.asarray(good & (self._tree.totals[state] == column[:, 0]))

    def index(self, column: Column) -> Indices:
        wrong = ~self._known(column)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DesignError(
                f"design {row}: {self.name}: {tuple(column[row].tolist())} is not {self.summary()}"
            )
        tree = self._tree
        state = np.full(len(column), len(tree.totals) - 1)
        index = np.zeros(len(column), np.int64)
        for part in range(self.parts - 1, 0, -1):
            before = tree.before(part)
            place, _ = tree.find(state, column[:, part])
            index += before[place] - before[tree.start[state]]
            state = tree.after[place]
        return index

    def choice(self, index: Indices) -> Column:
        tree = self._tree
        column = np.empty((len(index), self.parts), np.int64)
        state = np.full(len(index), len(tree.totals) - 1)
        rest = np.asarray(index, np.int64)
        for part in range(self.parts - 1, 0, -1):
            before = tree.before(part)
            target = before[tree.start[state]] + rest
            place = np.searchsorted(before, target, side="right") - 1
            column[:, part], rest = tree.factor[place], target - before[place]
            state = tree.after[place]
        column[:, 0] = tree.totals[state]
        return column

    def field_choices(self, column: Column) -> Indices:
        self.index(column)
        return np.searchsorted(self._tree.factors, column)

    def encode(self, column: Column) -> Floats:
        self.index(column)
        return np.log2(column) / max(math.log2(self.total), 1.0)

    def decode(self, codes: Floats) -> Column:
        return self._settle(codes * math.log2(self.total))

    def _settle(self, logs: Floats) -> Column:
        """Valid factors near those whose `log2` is given: innermost first, each the nearest."""
        tree = self._tree
        column = np.empty(logs.shape, np.int64)
        state = np.full(len(logs), len(tree.totals) - 1)
        for part in range(self.parts - 1, 0, -1):
            place = tree.nearest(state, logs[:, part])
            column[:, part] = tree.factor[place]
            state = tree.after[place]
        column[:, 0] = tree.totals[state]
        return column

    @cached_property
    def _moves(self) -> Floats:
        """What one exchange multiplies the factors by, shape `(moves, parts)`."""
        primes = [2] if self.ragged else _primes(self.total)
        eye = np.eye(self.parts)
        moves = [
            p ** (eye[i] - eye[j])
            for p in primes
            for i in range(self.parts)
            for j in range(self.parts)
            if i != j
        ]
        return np.array(moves).reshape(-1, self.parts)

    def neighbors(self, column: Column) -> tuple[Column, Indices]:
        wanted = column[:, None, :] * self._moves
        if self.ragged:
            nudges = np.eye(self.parts)[1:]
            wanted = np.concatenate(
                [wanted, column[:, None, :] + nudges, column[:, None, :] - nudges], axis=1
            )
            allowed = np.ones(wanted.shape[:2], dtype=bool)
        else:
            allowed = (wanted % 1 == 0).all(axis=2)
        origin, place = np.nonzero(allowed)
        found = self._settle(np.log2(np.maximum(wanted[origin, place], 1)))
        # The order of first appearance does not matter; the origin must ascend.
        table = np.unique(np.column_stack([origin, found]), axis=0)
        changed = (table[:, 1:] != column[table[:, 0]]).any(axis=1)
        return table[changed, 1:], table[changed, 0]

    def step(self, column: Column, rng: np.random.Generator) -> Column:
        """A random one-exchange neighbor."""
        stepped = column.copy()
        for low in range(0, len(column), 4096):
            rows = slice(low, min(low + 4096, len(column)))
            found, origin = self.neighbors(column[rows])
            many = np.bincount(origin, minlength=rows.stop - low)
            pick = np.cumsum(many) - many + (rng.random(len(many)) * many).astype(np.int64)
            moved = np.flatnonzero(many)
            stepped[low + moved] = found[pick[moved]]
        return stepped

    def cross(self, a: Column, b: Column, rng: np.random.Generator) -> Column:
        """Each part asks for its factor in one parent or the other, and gets the nearest."""
        return self._settle(np.log2(np.where(rng.random(a.shape) < 0.5, a, b)))


class _Tree:
    """The choices met when a total is split innermost factor first.

    A state is what is left to cover; taking `factor` leads to `ceil(state / factor)`. Exact
    splits take divisors only, ragged ones any factor up to the state. All states' choices lie in
    one row, so that a batch is looked up at once.
    """

    def __init__(self, total: int, ragged: bool) -> None:
        if ragged:
            self.factors = np.arange(1, total + 1)
            self.totals = np.unique(-(-total // self.factors))
            choices = [self.factors[:state] for state in self.totals]
        else:
            self.factors = _divisors(total)
            self.totals = self.factors
            choices = [self.factors[state % self.factors == 0] for state in self.totals]
        lengths = np.array([len(c) for c in choices])
        self.start = np.concatenate([[0], np.cumsum(lengths)])
        self.factor = np.concatenate(choices)
        state = np.repeat(np.arange(len(self.totals)), lengths)
        self.after = np.searchsorted(self.totals, -(-self.totals[state] // self.factor))
        self._keys = state * (LARGEST_TOTAL + 1) + self.factor
        self._before: dict[int, Indices] = {}

    def before(self, inner: int) -> Indices:
        """Splits into `inner + 1` parts that come before each choice, over the whole row."""
        if inner not in self._before:
            ways = self.ways(inner)[self.after]
            self._before[inner] = np.concatenate([[0], np.cumsum(ways)])
        return self._before[inner]

    def ways(self, parts: int) -> Indices:
        """How many splits into `parts` each state has, shape `(states,)`."""
        if parts == 1:
            return np.ones(len(self.totals), np.int64)
        before = self.before(parts - 1)
        return before[self.start[1:]] - before[self.start[:-1]]

    def find(self, state: Indices, factor: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """Where the choice `factor` of each `state` is in the row, and whether there is one."""
        keys = state * (LARGEST_TOTAL + 1) + factor
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return place, self._keys[place] == keys

    def nearest(self, state: Indices, log: Floats) -> Indices:
        """The choice of each `state` whose `log2` is nearest to `log`."""
        wanted = np.exp2(np.clip(log, 0, np.log2(self.totals[state]))).astype(np.int64)
        keys = state * (LARGEST_TOTAL + 1) + np.maximum(wanted, 1)
        low = np.searchsorted(self._keys, keys, side="right") - 1
        high = np.minimum(low + 1, self.start[state + 1] - 1)
        nearer = np.abs(np.log2(self.factor[high]) - log) < np.abs(np.log2(self.factor[low]) - log)
        return np.asarray(np.where(nearer, high, low))


@lru_cache(maxsize=256)
def _tree(total: int, ragged: bool) -> _Tree:
    return _Tree(total, ragged)


def _divisors(total: int) -> Indices:
    small = np.arange(1, math.isqrt(total) + 1)
    small = small[total % small == 0]
    return np.unique(np.concatenate([small, total // small]))


def _primes(total: int) -> list[int]:
    found, p = [], 2
    while p * p <= total:
        if total % p == 0:
            found.append(p)
            total //= p
            while total % p == 0:
                total //= p
        p += 1
    return [*found, total] if total > 1 else found
