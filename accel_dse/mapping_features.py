"""What tells mappings apart to a surrogate, as texts of expressions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from accel_dse.expressions import Expression
from accel_dse.mapping_formulas import MappingFormulas, product_of
from accel_dse.workload import DIMS, RELEVANT


@dataclass(frozen=True)
class MappingFeatures:
    """Parallelism, tiles, traffic and time of a layer's mapping, over its parameters.

    They are estimates, whose use is that they vary as what is measured does: a regression on them
    needs few examples.

    Attributes:
        basis: texts of factors and tiles.
    """

    basis: MappingFormulas

    def texts(self) -> dict[str, str]:
        """Name -> the logarithm (base 2) of an estimate.

        Parallelism, tiles, the words that each level is sent, the bits that pass between the chip
        and the outermost level, and cycles.

        Source: Shi et al., arXiv 2010.02075, use buffer usage and parallelism. The others are ours.
        """
        levels = self.basis.slots.template.levels
        found = {"parallel": self._parallel}
        for i, level in enumerate(levels):
            for tensor in level.keeps if i else ():
                found[f"{tensor}_in_{level.name}"] = self.basis.words(tensor, i)
                found[f"{tensor}_to_{level.name}"] = self._sent(tensor, i)
        moved = [bits for way in self._traffic(0) for bits in way.values()]
        if moved:
            found[f"bits_of_{levels[0].name}"] = " + ".join(moved)
        found["cycles"] = self._cycles()
        return {self.basis.slots.name(name): f"log2({text})" for name, text in found.items()}

    @property
    def _parallel(self) -> str:
        """Multiply-accumulate units at work."""
        depth = range(len(self.basis.slots.levels))
        return product_of([f for i in depth for axis in "xy" for f in self.basis.split(i, axis)])

    # Time

    def _cycles(self) -> str:
        """Cycles of the slowest part: a level's ports, or the units with all that they wait for.

        Source: the roofline of Williams, Waterman, Patterson, CACM 2009, with a roof for each
        port; waiting is ours, the rule by which the cycle-level engine loads tiles.
        """
        slots = self.basis.slots
        busy = [f"{math.prod(slots.bounds.values())} / ({self._parallel})"]
        ports: list[str] = []
        for i, level in enumerate(slots.template.levels):
            outward, inward = (list(way.values()) for way in self._traffic(i))
            ports += _time(outward, level.read) + _time(inward, level.write)
            ports += _time([*outward, *inward], level.shared)
            busy += self._waits(i)
        return _most([" + ".join(busy), *ports])

    def _waits(self, level: int) -> list[str]:
        """Cycles in which nothing is done while stores of `level` are filled and emptied.

        That is where a store has no room for the next tiles beside those in use.
        """
        here = self.basis.slots.template.levels[level]
        found = []
        for store in here.stores:
            times = [time for tensor in store.tensors for time in self._exchange(tensor, level)]
            if times and here.double_buffered:
                tiles = self.basis.bits(store.tensors, level, DIMS)
                twice = f"2 * ({tiles}) <= 8 * ({store.capacity_bytes.text})"
                found.append(f"where({twice}, 0, {' + '.join(times)})")
            else:
                found += times
        return found

    def _exchange(self, tensor: str, level: int) -> list[str]:
        """Cycles in which `level` gets a tensor's tiles, and gives them back."""
        levels = self.basis.slots.template.levels
        source = max(i for i in range(level) if tensor in levels[i].keeps)
        rates = (levels[source].read, levels[source].write)
        return [
            time
            for way, rate in zip(self._traffic(source), rates)
            if tensor in way
            for time in _time([way[tensor]], rate or levels[source].shared)
        ]

    # Traffic

    def _traffic(self, level: int) -> tuple[dict[str, str], dict[str, str]]:
        """Bits that one instance of `level` sends to levels inside, and gets from them, by tensor.

        Sums that are not complete come back. What the units themselves ask for is left out.
        """
        outward, inward = {}, {}
        levels = self.basis.slots.template.levels
        for tensor in levels[level].keeps:
            inside = [i for i in range(level + 1, len(levels)) if tensor in levels[i].keeps]
            if not inside:
                continue
            width = self.basis.width(levels[level], tensor)
            sent = self._sent(tensor, inside[0], level)
            outward[tensor] = f"{sent} * {width}"
            if tensor == "outputs":
                inward[tensor] = outward[tensor]
                outward[tensor] = f"({sent} - {self._outputs_of(level)}) * {width}"
        return outward, inward

    def _outputs_of(self, level: int) -> str:
        """Outputs that one instance of `level` sees."""
        bounds = self.basis.slots.bounds
        here = [dim for dim in bounds if dim in RELEVANT["outputs"]]
        total = math.prod(bounds[dim] for dim in here)
        shares = [f for i in range(level) for axis in "xy" for f in self.basis.split(i, axis, here)]
        return f"{total} / ({product_of(shares)})"

    def _sent(self, tensor: str, level: int, outside: int = 0) -> str:
        """Words of `tensor` that one instance of `outside` sends to `level`, to several at once."""
        relevant = [dim for dim in DIMS if dim in RELEVANT[tensor]]
        spread = [
            factor
            for i in range(outside, level)
            for axis in "xy"
            for factor in self.basis.split(i, axis, relevant)
        ]
        words = [self.basis.words(tensor, level), self._changes(tensor, level - 1), *spread]
        if tensor == "inputs":
            sliding = [dim for dim in "PQRS" if dim in self._steps(level - 1)]
            words += [self._slide(dim, level) for dim in sliding]
        return product_of(words)

    def _steps(self, level: int) -> dict[str, str]:
        """The factors that loops of `level` may have, by dimension."""
        factors = {dim: self.basis.factor(dim, (level, "t")) for dim in self.basis.slots.bounds}
        return {dim: factor for dim, factor in factors.items() if factor != "1"}

    def _place(self, dim: str, level: int) -> str:
        """Where the loop of `dim` stands among those of `level`, from outside."""
        order = self.basis.slots.name(f"order_{self.basis.slots.template.levels[level].name}")
        return f"position({order}, '{dim.lower()}')"

    def _slide(self, dim: str, level: int) -> str:
        """The share of inputs that is new where the loop of `dim` slides the window of `level`.

        It does if it is the innermost of the next level outside, of which alone that is asked.
        """
        layer, outside = self.basis.slots.layer, level - 1
        steps = self._steps(outside)
        axis = "PQ".find(dim) if dim in "PQ" else "RS".find(dim)
        stride, dilation = layer.stride[axis], layer.dilation[axis]
        output, kernel = (self.basis.extent(dims[axis], level) for dims in ("PQ", "RS"))
        spans = f"({stride} * ({output} - 1) + {dilation} * ({kernel} - 1) + 1)"
        step = f"{stride} * {output}" if dim in "PQ" else f"{dilation} * {kernel}"
        step = product_of([step, *(f for a in "xy" for f in self.basis.split(outside, a, dim))])
        new = f"(1 + ({steps[dim]} - 1) * min(1, {step} / {spans})) / {steps[dim]}"
        others = [f"({f} > 1) * {self._place(d, outside)}" for d, f in steps.items() if d != dim]
        moves = [f"{steps[dim]} > 1"]
        moves += [f"{self._place(dim, outside)} >= {_most(others)}"] if others else []
        return f"where({' and '.join(moves)}, {new}, 1)"

    def _changes(self, tensor: str, level: int) -> str:
        """How often loops down to those of `level` bring another tile of `tensor`.

        All loops outside the innermost one that moves the tensor count. Source: Timeloop's rule.
        """
        if level < 0:
            return "1"
        here = self._steps(level)
        moving = [dim for dim in here if dim in RELEVANT[tensor]]
        if not moving:
            return self._changes(tensor, level - 1)
        steps = [here[dim] for dim in moving]
        if level in self.basis.slots.orders:
            deepest = _most([f"({here[dim]} > 1) * {self._place(dim, level)}" for dim in moving])
            steps += [
                f"where({self._place(dim, level)} < {deepest}, {factor}, 1)"
                for dim, factor in here.items()
                if dim not in moving
            ]
        outside = [factor for i in range(level) for factor in self._steps(i).values()]
        every = product_of([*outside, *steps])
        if level == 0:
            return every
        moves = f"{product_of([here[dim] for dim in moving])} > 1"
        return f"where({moves}, {every}, {self._changes(tensor, level - 1)})"


def _time(bits: Sequence[str], bytes_per_cycle: Expression | None) -> list[str]:
    """Cycles to move `bits`, if that takes any."""
    if not bits or bytes_per_cycle is None:
        return []
    return [f"({' + '.join(bits)}) / (8 * ({bytes_per_cycle.text}))"]


def _most(terms: Sequence[str]) -> str:
    """The text of the largest."""
    return f"max({', '.join(terms)})" if len(terms) > 1 else terms[0]
