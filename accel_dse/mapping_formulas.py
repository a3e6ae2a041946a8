"""What makes a mapping valid, and what that is made of, as texts of expressions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from accel_dse.mapping_slots import LayerSlots, Slot
from accel_dse.template.description import Level, Macs
from accel_dse.workload import DIMS, RELEVANT


@dataclass(frozen=True)
class MappingFormulas:
    """Factors, tiles and rules of a layer's mapping, over its parameters and the template's.

    In what follows `dims` are the dimensions that a text is about; of all others the factors and
    tiles count as 1.

    Attributes:
        slots: where the factors stand.
        choices: dimension -> how many factorizations it has.
    """

    slots: LayerSlots
    choices: Mapping[str, float]

    def factor(self, dim: str, place: Slot) -> str:
        """The factor of `dim` at `place`, "1" if there is none."""
        places = self.slots.places.get(dim, ())
        return f"{self.slots.name(dim.lower())}[{places.index(place)}]" if place in places else "1"

    def extent(self, dim: str, level: int) -> str:
        """What the tile of `level` spans of `dim`."""
        first = sum(place[0] < level for place in self.slots.places.get(dim, ()))
        if first >= len(self.slots.places.get(dim, ())):
            return "1"
        return f"prod({self.slots.name(dim.lower())}[{first}:])"

    def words(self, tensor: str, level: int, dims: Iterable[str] = DIMS) -> str:
        """Words of the tile of `level`."""
        here = [d for d in self.slots.bounds if d in dims and d in RELEVANT[tensor]]
        if tensor != "inputs":
            return product_of([self.extent(dim, level) for dim in here])
        terms = [self.extent(dim, level) for dim in here if dim not in "PQRS"]
        for axis in range(2):
            window = {
                "PQ"[axis]: self.slots.layer.stride[axis],
                "RS"[axis]: self.slots.layer.dilation[axis],
            }
            spans = [
                f"{step} * ({self.extent(dim, level)} - 1)"
                for dim, step in window.items()
                if dim in here
            ]
            terms += [f"({' + '.join(spans)} + 1)"] if spans else []
        return product_of(terms)

    def split(self, level: int, axis: str, dims: Iterable[str] = DIMS) -> list[str]:
        """Factors of `dims` that split over the instances inside `level` along `axis`."""
        factors = [self.factor(dim, (level, axis)) for dim in self.slots.bounds if dim in dims]
        return [factor for factor in factors if factor != "1"]

    def _growing(self, dims: Iterable[str]) -> list[tuple[str, ...]]:
        """The first of `dims`, the first two, and so on; those with the fewest choices first."""
        here = [dim for dim in self.slots.bounds if dim in dims]
        ordered = sorted(here, key=lambda dim: self.choices.get(dim, 0))
        return [tuple(ordered[: i + 1]) for i in range(len(ordered))]

    def rules(self) -> Iterator[tuple[str, str]]:
        """Texts of rules, and why."""
        for i, (level, inside) in enumerate(self.slots.levels):
            yield from self._fan_out_rules(i, inside)
            for store in level.stores:
                relevant = {dim for t in store.tensors for dim in RELEVANT[t]}
                room = f"8 * ({store.capacity_bytes.text})"
                for dims in self._growing(relevant):
                    bits = self.bits(store.tensors, i, dims)
                    yield f"{bits} <= {room}", f"{level.name} holds its {', '.join(store.tensors)}"
            for dim, condition in level.whole.items():
                if dim in self.slots.bounds:
                    spans = f"{self.extent(dim, i)} >= {self.slots.bounds[dim]}"
                    yield f"({condition.text}) == 0 or {spans}", f"{level.name} holds {dim} whole"

    def _fan_out_rules(self, level: int, inside: Level | Macs) -> Iterator[tuple[str, str]]:
        name = inside.name if isinstance(inside, Level) else "macs"
        for axis, copies, hardwired in zip("xy", inside.copies, inside.hardwired):
            split = [d for d, places in self.slots.places.items() if (level, axis) in places]
            for dims in self._growing(split):
                exact = hardwired and len(dims) == len(split)
                factors = product_of(self.split(level, axis, dims))
                relation = "==" if exact else "<="
                yield f"{factors} {relation} ({copies.text})", f"instances of {name} along {axis}"

    def bits(self, tensors: Iterable[str], level: int, dims: Iterable[str]) -> str:
        """Bits of the tiles of `tensors`."""
        width = {
            tensor: self.width(self.slots.template.levels[level], tensor) for tensor in tensors
        }
        return " + ".join(f"{self.words(t, level, dims)} * {bits}" for t, bits in width.items())

    def width(self, level: Level, tensor: str) -> str:
        """Bits of a word; of an output those of a sum, which it may be."""
        kinds = ("outputs", "partial_sums") if tensor == "outputs" else (tensor,)
        widths = [
            f"({level.word_bits[kind].text})"
            if kind in level.word_bits
            else repr(getattr(self.slots.template.precision, kind))
            for kind in kinds
        ]
        return widths[0] if len(set(widths)) == 1 else f"max({', '.join(widths)})"


def product_of(terms: Sequence[str]) -> str:
    """The text of a product."""
    return " * ".join(terms) if terms else "1"
