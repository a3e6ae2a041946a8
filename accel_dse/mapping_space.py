"""Mappings as parameters of a design space: for searching hardware and mappings together.

A layer's mapping becomes one factorization for each loop dimension, over all places where the
template lets that dimension step or split, and one order of the loops for each level. What makes a
mapping valid (fan-out, capacity, dimensions held whole) becomes constraints over these and the
hardware's parameters, so that no invalid mapping need ever be simulated.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_dse.constraints import Constraint
from accel_dse.designs import Columns, length
from accel_dse.errors import DesignError
from accel_dse.expressions import MAX_LENGTH, Expression
from accel_dse.mapping import Mappings
from accel_dse.parameters import Factorization, Parameter, Permutation
from accel_dse.space import DesignSpace
from accel_dse.template.description import Level, Macs, Template
from accel_dse.workload import DIMS, RELEVANT, Layer, Workload

SEPARATOR = "__"
"""Between a layer's name and what is chosen for it, as in `conv1__k`."""

Slot = tuple[int, str]
"""A level, outermost 0, and `t` (its loops), `x` or `y` (instances of the level inside)."""


def mapping_space(
    space: DesignSpace, template: Template, workload: Workload, *, ragged: bool = False
) -> DesignSpace:
    """The space of hardware designs, each with a mapping for every distinct layer of `workload`.

    Args:
        space: of the hardware.
        template: over its parameters.
        workload: whose layers are mapped.
        ragged: whether factors may cover more than the loop.

    Raises:
        DesignError: two layers have the same name, or no mapping of one is ever valid.
    """
    layers = [LayerMapping(template, layer, ragged) for layer in workload.unique()]
    names = [layer.prefix for layer in layers]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DesignError(f"two layers are named {twice!r}", hint="rename one")
    return DesignSpace(
        f"{space.name}_{workload.name}",
        (*space.parameters, *(p for layer in layers for p in layer.parameters)),
        (*space.constraints, *(c for layer in layers for c in layer.constraints)),
        {**space.features, **{k: v for layer in layers for k, v in layer.features.items()}},
    )


@dataclass(frozen=True)
class LayerMapping:
    """How a layer's mapping onto a template is written in parameters.

    Attributes:
        template: what it is mapped onto.
        layer: what is mapped.
        ragged: whether factors may cover more than the loop.
    """

    template: Template
    layer: Layer
    ragged: bool = False

    @cached_property
    def prefix(self) -> str:
        """What the names of this layer's parameters begin with."""
        return re.sub(r"\W|__+", "_", self.layer.name, flags=re.ASCII).strip("_") or "layer"

    @cached_property
    def bounds(self) -> dict[str, int]:
        """The loops that are more than one step long."""
        return {dim: bound for dim, bound in zip(DIMS, self.layer.dims) if bound > 1}

    @cached_property
    def slots(self) -> dict[str, tuple[Slot, ...]]:
        """Dimension -> where it may step or split, outermost first."""
        found = {}
        for dim in self.bounds:
            places: list[Slot] = []
            for i, (level, inside) in enumerate(self._levels):
                if dim in level.loops:
                    places.append((i, "t"))
                places += [(i, a) for a, dims in zip("xy", inside.unroll) if dim in dims]
            found[dim] = tuple(places)
        return found

    @cached_property
    def _levels(self) -> list[tuple[Level, Level | Macs]]:
        """Each level, and what its instances feed."""
        levels = self.template.levels
        return list(zip(levels, (*levels[1:], self.template.macs)))

    @cached_property
    def orders(self) -> dict[int, tuple[str, ...]]:
        """Level -> the dimensions its loops may step through, where there are several.

        The innermost level has none: the order of its loops does not matter to what is moved.
        """
        stepping = {
            i: tuple(dim for dim, places in self.slots.items() if (i, "t") in places)
            for i in range(len(self._levels) - 1)
        }
        return {i: dims for i, dims in stepping.items() if len(dims) > 1}

    def name(self, what: str) -> str:
        """The name of a parameter or a feature of this layer."""
        return f"{self.prefix}{SEPARATOR}{what}"

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """A factorization for each dimension, an order for each level."""
        factors = [
            Factorization(
                self.name(dim.lower()),
                self.bounds[dim],
                len(places),
                self.ragged,
                description=f"{self.layer.name}: {dim} over "
                + ", ".join(self._described(place) for place in places),
            )
            for dim, places in self.slots.items()
        ]
        orders = [
            Permutation(
                self.name(f"order_{self._levels[i][0].name}"),
                tuple(dim.lower() for dim in dims),
                description=f"{self.layer.name}: loops of {self._levels[i][0].name}",
            )
            for i, dims in self.orders.items()
        ]
        return (*factors, *orders)

    def _described(self, place: Slot) -> str:
        level, inside = self._levels[place[0]]
        if place[1] == "t":
            return level.name
        return f"{inside.name if isinstance(inside, Level) else 'macs'} along {place[1]}"

    # What follows is text of expressions. `dims` are those that it is about; of all others the
    # factors and tiles count as 1.

    def _factor(self, dim: str, place: Slot) -> str:
        """The factor of `dim` at `place`, "1" if there is none."""
        places = self.slots.get(dim, ())
        return f"{self.name(dim.lower())}[{places.index(place)}]" if place in places else "1"

    def _extent(self, dim: str, level: int) -> str:
        """What the tile of `level` spans of `dim`."""
        first = sum(place[0] < level for place in self.slots.get(dim, ()))
        if first >= len(self.slots.get(dim, ())):
            return "1"
        return f"prod({self.name(dim.lower())}[{first}:])"

    def _words(self, tensor: str, level: int, dims: Iterable[str] = DIMS) -> str:
        """Words of the tile of `level`."""
        here = [d for d in self.bounds if d in dims and d in RELEVANT[tensor]]
        if tensor != "inputs":
            return product_of([self._extent(dim, level) for dim in here])
        terms = [self._extent(dim, level) for dim in here if dim not in "PQRS"]
        for axis in range(2):
            window = {"PQ"[axis]: self.layer.stride[axis], "RS"[axis]: self.layer.dilation[axis]}
            spans = [
                f"{step} * ({self._extent(dim, level)} - 1)"
                for dim, step in window.items()
                if dim in here
            ]
            terms += [f"({' + '.join(spans)} + 1)"] if spans else []
        return product_of(terms)

    def _split(self, level: int, axis: str, dims: Iterable[str] = DIMS) -> list[str]:
        """Factors of `dims` that split over the instances inside `level` along `axis`."""
        factors = [self._factor(dim, (level, axis)) for dim in self.bounds if dim in dims]
        return [factor for factor in factors if factor != "1"]

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """The rules of a valid mapping.

        A rule about many dimensions is preceded by what it says about the first, the first two,
        and so on, if the others were not split at all: that refuses most draws early.

        Raises:
            DesignError: a rule cannot be kept, whatever is chosen.
        """
        rules = dict.fromkeys((self._inlined(rule), why) for rule, why in self._rules())
        found = [Constraint(Expression(rule), f"{self.layer.name}: {why}") for rule, why in rules]
        return tuple(each for each in found if each.rule.names or not self._sure(each))

    @staticmethod
    def _sure(constraint: Constraint) -> bool:
        """Whether a rule about nothing that is chosen holds."""
        if not constraint.rule.evaluate({"": np.zeros(1)}).all():
            raise DesignError(f"no mapping is valid: {constraint} never holds")
        return True

    def _growing(self, dims: Iterable[str]) -> list[tuple[str, ...]]:
        """The first of `dims`, the first two, and so on; those with the fewest choices first."""
        count = {dim: p.count for dim, p in zip(self.slots, self.parameters)}
        ordered = sorted((dim for dim in self.bounds if dim in dims), key=lambda dim: count[dim])
        return [tuple(ordered[: i + 1]) for i in range(len(ordered))]

    def _rules(self) -> Iterator[tuple[str, str]]:
        """Texts of rules, and why."""
        for i, (level, inside) in enumerate(self._levels):
            yield from self._fan_out_rules(i, inside)
            for store in level.stores:
                relevant = {dim for t in store.tensors for dim in RELEVANT[t]}
                room = f"8 * ({store.capacity_bytes.text})"
                for dims in self._growing(relevant):
                    bits = self._bits(store.tensors, i, dims)
                    yield f"{bits} <= {room}", f"{level.name} holds its {', '.join(store.tensors)}"
            for dim, condition in level.whole.items():
                if dim in self.bounds:
                    spans = f"{self._extent(dim, i)} >= {self.bounds[dim]}"
                    yield f"({condition.text}) == 0 or {spans}", f"{level.name} holds {dim} whole"

    def _fan_out_rules(self, level: int, inside: Level | Macs) -> Iterator[tuple[str, str]]:
        name = inside.name if isinstance(inside, Level) else "macs"
        for axis, copies, hardwired in zip("xy", inside.copies, inside.hardwired):
            split = [d for d, places in self.slots.items() if (level, axis) in places]
            for dims in self._growing(split):
                exact = hardwired and len(dims) == len(split)
                factors = product_of(self._split(level, axis, dims))
                relation = "==" if exact else "<="
                yield f"{factors} {relation} ({copies.text})", f"instances of {name} along {axis}"

    def _bits(self, tensors: Iterable[str], level: int, dims: Iterable[str]) -> str:
        """Bits of the tiles of `tensors`."""
        width = {tensor: self._width(self.template.levels[level], tensor) for tensor in tensors}
        return " + ".join(f"{self._words(t, level, dims)} * {bits}" for t, bits in width.items())

    def _width(self, level: Level, tensor: str) -> str:
        """Bits of a word; of an output those of a sum, which it may be."""
        kinds = ("outputs", "partial_sums") if tensor == "outputs" else (tensor,)
        widths = [
            f"({level.word_bits[kind].text})"
            if kind in level.word_bits
            else repr(getattr(self.template.precision, kind))
            for kind in kinds
        ]
        return widths[0] if len(set(widths)) == 1 else f"max({', '.join(widths)})"

    @cached_property
    def features(self) -> Mapping[str, Expression]:
        """What tells mappings apart to a surrogate: parallelism, tiles, and traffic (in log2).

        Source: Shi et al., arXiv 2010.02075, use buffer usage and parallelism; the words that
        each level is sent are ours, Timeloop's rule of loop orders as a formula.
        """
        found = {
            "parallel": product_of(
                [
                    f
                    for i in range(len(self._levels))
                    for f in (*self._split(i, "x"), *self._split(i, "y"))
                ]
            )
        }
        for i, (level, _) in enumerate(self._levels):
            for tensor in level.keeps if i else ():
                found[f"{tensor}_in_{level.name}"] = self._words(tensor, i)
                found[f"{tensor}_to_{level.name}"] = self._sent(tensor, i)
        texts = {name: self._inlined(f"log2({text})") for name, text in found.items()}
        return {
            self.name(name): Expression(text)
            for name, text in texts.items()
            if len(text) <= MAX_LENGTH and SEPARATOR in text
        }

    def _sent(self, tensor: str, level: int) -> str:
        """Words of `tensor` sent to all instances of `level`, each to several at once."""
        spread = [
            factor
            for i in range(level)
            for axis in "xy"
            for factor in self._split(i, axis, [d for d in DIMS if d in RELEVANT[tensor]])
        ]
        return product_of([self._words(tensor, level), self._changes(tensor, level - 1), *spread])

    def _changes(self, tensor: str, level: int) -> str:
        """How often loops down to those of `level` bring another tile of `tensor`.

        All loops outside the innermost one that moves the tensor count.
        """
        here = {d: f for d in self.bounds if (f := self._factor(d, (level, "t"))) != "1"}
        moving = [d for d in here if d in RELEVANT[tensor]]
        if level < 0:
            return "1"
        if not moving:
            return self._changes(tensor, level - 1)
        order = self.name(f"order_{self._levels[level][0].name}")
        steps = [here[d] for d in moving]
        if level in self.orders:
            last = [f"({here[e]} > 1) * position({order}, '{e.lower()}')" for e in moving]
            deepest = f"max({', '.join(last)})" if len(last) > 1 else last[0]
            steps += [
                f"where(position({order}, '{d.lower()}') < {deepest}, {factor}, 1)"
                for d, factor in here.items()
                if d not in moving
            ]
        outside = [self._factor(d, (i, "t")) for i in range(level) for d in self.bounds]
        every = product_of([*(factor for factor in outside if factor != "1"), *steps])
        if level == 0:
            return every
        moves = f"{product_of([here[d] for d in moving])} > 1"
        return f"where({moves}, {every}, {self._changes(tensor, level - 1)})"

    def _inlined(self, text: str) -> str:
        """`text` with the template's derived values written out."""
        derived = {name: ast.parse(e.text, mode="eval").body for name, e in self._derived.items()}
        tree = ast.parse(text, mode="eval")
        return ast.unparse(_Inline(derived).visit(tree)) if derived else text

    @cached_property
    def _derived(self) -> Mapping[str, Expression]:
        return self.template.derived

    def mappings(self, columns: Columns) -> Mappings:
        """The mappings that `n` designs hold for this layer."""
        shape = (length(columns), len(self._levels), len(DIMS))
        factors = {kind: np.ones(shape, dtype=np.int64) for kind in "txy"}
        for dim, places in self.slots.items():
            column = columns[self.name(dim.lower())]
            for part, (level, kind) in enumerate(places):
                factors[kind][:, level, DIMS.index(dim)] = column[:, part]
        order = np.tile(np.arange(len(DIMS)), (*shape[:2], 1))
        for level in self.orders:
            column = columns[self.name(f"order_{self._levels[level][0].name}")]
            order[:, level] = _completed(column)
        return Mappings(factors["t"], factors["x"], factors["y"], order)


def product_of(terms: Sequence[str]) -> str:
    """The text of a product."""
    return " * ".join(terms) if terms else "1"


def _completed(column: NDArray[np.str_]) -> NDArray[np.int64]:
    """Orders of some dimensions as orders of all: those that are not named come first, `(n, 8)`."""
    names = np.array([dim.lower() for dim in DIMS])
    alphabetic = np.argsort(names)
    numbers = alphabetic[np.searchsorted(names, column, sorter=alphabetic)]
    absent = [i for i in range(len(DIMS)) if i not in numbers[:1]] if len(numbers) else []
    return np.hstack([np.tile(np.array(absent, dtype=np.int64), (len(numbers), 1)), numbers])


class _Inline(ast.NodeTransformer):
    """Replaces names by expressions, again and again."""

    def __init__(self, expressions: Mapping[str, ast.expr]) -> None:
        self._expressions = expressions

    def visit_Name(self, node: ast.Name) -> ast.AST:
        found = self._expressions.get(node.id)
        return (
            node if found is None else self.visit(ast.parse(ast.unparse(found), mode="eval").body)
        )
