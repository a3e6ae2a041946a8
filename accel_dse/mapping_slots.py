"""Where the loops of a layer may step or split on a template, and what that is called."""

import re
from dataclasses import dataclass
from functools import cached_property

from accel_dse.template.description import Level, Macs, Template
from accel_dse.workload import DIMS, Layer

SEPARATOR = "__"
"""Between a layer's name and what is chosen for it, as in `conv1__k`."""

Slot = tuple[int, str]
"""A level, outermost 0, and `t` (its loops), `x` or `y` (instances of the level inside)."""


@dataclass(frozen=True)
class LayerSlots:
    """The places for the factors of a layer's loops.

    Attributes:
        template: what the layer is mapped onto.
        layer: what is mapped.
    """

    template: Template
    layer: Layer

    @cached_property
    def prefix(self) -> str:
        """What the names of this layer's parameters begin with."""
        return re.sub(r"\W|__+", "_", self.layer.name, flags=re.ASCII).strip("_") or "layer"

    @cached_property
    def bounds(self) -> dict[str, int]:
        """The loops that are more than one step long."""
        return {dim: bound for dim, bound in zip(DIMS, self.layer.dims) if bound > 1}

    @cached_property
    def places(self) -> dict[str, tuple[Slot, ...]]:
        """Dimension -> where it may step or split, outermost first."""
        found = {}
        for dim in self.bounds:
            places: list[Slot] = []
            for i, (level, inside) in enumerate(self.levels):
                if dim in level.loops:
                    places.append((i, "t"))
                places += [(i, a) for a, dims in zip("xy", inside.unroll) if dim in dims]
            found[dim] = tuple(places)
        return found

    @cached_property
    def levels(self) -> list[tuple[Level, Level | Macs]]:
        """Each level, and what its instances feed."""
        levels = self.template.levels
        return list(zip(levels, (*levels[1:], self.template.macs)))

    @cached_property
    def orders(self) -> dict[int, tuple[str, ...]]:
        """Level -> the dimensions its loops may step through, where there are several.

        The innermost level has none: the order of its loops does not matter to what is moved.
        """
        stepping = {
            i: tuple(dim for dim, places in self.places.items() if (i, "t") in places)
            for i in range(len(self.levels) - 1)
        }
        return {i: dims for i, dims in stepping.items() if len(dims) > 1}

    def name(self, what: str) -> str:
        """The name of a parameter or a feature of this layer."""
        return f"{self.prefix}{SEPARATOR}{what}"

    def described(self, place: Slot) -> str:
        """A slot, for people."""
        level, inside = self.levels[place[0]]
        if place[1] == "t":
            return level.name
        return f"{inside.name if isinstance(inside, Level) else 'macs'} along {place[1]}"
