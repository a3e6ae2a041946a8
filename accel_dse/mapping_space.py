"""Mappings as parameters of a design space: for searching hardware and mappings together.

A layer's mapping becomes one factorization for each loop dimension, over all places where the
template lets that dimension step or split, and one order of the loops for each level. What makes a
mapping valid (fan-out, capacity, dimensions held whole) becomes constraints over these and the
hardware's parameters, so that no invalid mapping need ever be simulated.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_dse.constraints import Constraint
from accel_dse.designs import Columns, length
from accel_dse.errors import DesignError
from accel_dse.expressions import MAX_LENGTH, Expression
from accel_dse.mapping import Mappings
from accel_dse.mapping_features import MappingFeatures
from accel_dse.mapping_formulas import MappingFormulas
from accel_dse.mapping_slots import SEPARATOR, LayerSlots
from accel_dse.parameters import Factorization, Parameter, Permutation
from accel_dse.space import DesignSpace
from accel_dse.template.description import Template
from accel_dse.workload import DIMS, Layer, Workload


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
    def slots(self) -> LayerSlots:
        """Where its loops may step or split."""
        return LayerSlots(self.template, self.layer)

    @property
    def prefix(self) -> str:
        """What the names of its parameters begin with."""
        return self.slots.prefix

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """A factorization for each dimension, an order for each level."""
        return (*self._factors.values(), *self._orders.values())

    @cached_property
    def _factors(self) -> dict[str, Factorization]:
        """By dimension."""
        return {
            dim: Factorization(
                self.slots.name(dim.lower()),
                self.slots.bounds[dim],
                len(places),
                self.ragged,
                description=f"{self.layer.name}: {dim} over "
                + ", ".join(self.slots.described(place) for place in places),
            )
            for dim, places in self.slots.places.items()
        }

    @cached_property
    def _orders(self) -> dict[int, Permutation]:
        """By level."""
        names = [level.name for level in self.template.levels]
        return {
            i: Permutation(
                self.slots.name(f"order_{names[i]}"),
                tuple(dim.lower() for dim in dims),
                description=f"{self.layer.name}: loops of {names[i]}",
            )
            for i, dims in self.slots.orders.items()
        }

    @cached_property
    def _formulas(self) -> MappingFormulas:
        return MappingFormulas(self.slots, {dim: p.count for dim, p in self._factors.items()})

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """The rules of a valid mapping.

        A rule about many dimensions is preceded by what it says about the first, the first two,
        and so on, if the others were not split at all: that refuses most draws early.

        Raises:
            DesignError: a rule cannot be kept, whatever is chosen.
        """
        rules = dict.fromkeys((self._inlined(rule), why) for rule, why in self._formulas.rules())
        found = [Constraint(Expression(rule), f"{self.layer.name}: {why}") for rule, why in rules]
        for constraint in found:
            if not constraint.rule.names and not constraint.rule.evaluate({"": np.zeros(1)}).all():
                raise DesignError(f"no mapping is valid: {constraint} never holds")
        return tuple(constraint for constraint in found if constraint.rule.names)

    @cached_property
    def features(self) -> Mapping[str, Expression]:
        """What may tell a surrogate more than factors and orders do; see `MappingFeatures`.

        Formulas that would be longer than an expression may be are left out.
        """
        texts = {
            k: self._inlined(text) for k, text in MappingFeatures(self._formulas).texts().items()
        }
        return {
            name: Expression(text)
            for name, text in texts.items()
            if len(text) <= MAX_LENGTH and SEPARATOR in text
        }

    def _inlined(self, text: str) -> str:
        """`text` with the template's derived values written out."""
        if not self.template.derived:
            return text
        return ast.unparse(_Inline(self.template.derived).visit(ast.parse(text, mode="eval")))

    def mappings(self, columns: Columns) -> Mappings:
        """The mappings that `n` designs hold for this layer."""
        shape = (length(columns), len(self.template.levels), len(DIMS))
        factors = {kind: np.ones(shape, dtype=np.int64) for kind in "txy"}
        for dim, places in self.slots.places.items():
            column = columns[self._factors[dim].name]
            for part, (level, kind) in enumerate(places):
                factors[kind][:, level, DIMS.index(dim)] = column[:, part]
        order = np.tile(np.arange(len(DIMS)), (*shape[:2], 1))
        for level, parameter in self._orders.items():
            order[:, level] = _completed(columns[parameter.name])
        return Mappings(factors["t"], factors["x"], factors["y"], order)


def _completed(column: NDArray[np.str_]) -> NDArray[np.int64]:
    """Orders of some dimensions as orders of all: those that are not named come first, `(n, 8)`."""
    names = np.array([dim.lower() for dim in DIMS])
    alphabetic = np.argsort(names)
    numbers = alphabetic[np.searchsorted(names, column, sorter=alphabetic)]
    absent = [i for i in range(len(DIMS)) if i not in numbers[:1]] if len(numbers) else []
    return np.hstack([np.tile(np.array(absent, dtype=np.int64), (len(numbers), 1)), numbers])


class _Inline(ast.NodeTransformer):
    """Replaces names by expressions, again and again."""

    def __init__(self, expressions: Mapping[str, Expression]) -> None:
        self._expressions = expressions

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self._expressions:
            return node
        inlined: ast.AST = self.visit(ast.parse(self._expressions[node.id].text, mode="eval").body)
        return inlined
