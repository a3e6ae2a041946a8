"""Records what a network computes, one operation after the other, and turns it into a workload.

The zoo and every importer speak to this one recorder, so a network costs the same whichever way
it came in. What is free, what moves data and which layer `follows` the one before is decided here.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from accel_dse.errors import WorkloadError
from accel_dse.workload import Layer, VectorOp, Workload

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """What an operation reads or writes.

    Attributes:
        shape: its extents; images are `(N, C, H, W)`, sequences `(..., features)`.
        data: which data it is. Other views of the same data, and what an activation function
            made of it on the way, share the number.
        stored: whether it is known before the network runs: a weight or another constant.
    """

    shape: Shape
    data: int
    stored: bool = False

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


class Network:
    """Records the operations of one network, in execution order.

    Whatever reads only stored tensors is worked out before the network runs, and costs nothing.

    Attributes:
        name: the workload's name.
        source: the paper or file it is taken from.
    """

    def __init__(self, name: str, source: str = "") -> None:
        self.name = name
        self.source = source
        self._layers: list[Layer] = []
        self._layer_reads: list[int] = []
        self._written_by: dict[int, int] = {}
        self._readers: Counter[int] = Counter()
        self._vector_ops: list[VectorOp] = []
        self._unknown: list[str] = []
        self._tensors = 0

    def input(self, *shape: int) -> Tensor:
        """Data that comes from outside when the network runs."""
        return self._new(shape)

    def stored(self, *shape: int) -> Tensor:
        """A weight or another constant."""
        return replace(self._new(shape), stored=True)

    def output(self, x: Tensor) -> None:
        """Marks `x` as read by the outside."""
        self._readers[x.data] += 1

    def view(self, x: Tensor, shape: Shape) -> Tensor:
        """The same data under another shape or order; free."""
        return replace(x, shape=shape)

    def rearrange(self, xs: Sequence[Tensor], shape: Shape) -> Tensor:
        """Data picked from `xs`: a slice, a concatenation, a broadcast.

        Free, because whoever writes `xs` can write to the place where it is read.
        """
        return self._result(xs, shape)

    def pointwise(self, name: str, xs: Sequence[Tensor], shape: Shape) -> Tensor:
        """Element `i` of the result depends on element `i` of every `x`.

        A function of one tensor, and of constants along one dimension at most (a bias, a scale),
        is applied as results pass by and is free; so is `x * sigmoid(x)`. Everything else moves
        data: a residual add reads both sides.
        """
        moved = [x for x in xs if not (x.stored and _is_vector(x))]
        if len({x.data for x in moved}) == 1 and moved[0].size == math.prod(shape):
            return replace(moved[0], shape=shape)
        return self.move(name, moved or xs, shape, operations=math.prod(shape))

    def move(self, name: str, xs: Sequence[Tensor], shape: Shape, *, operations: int) -> Tensor:
        """Reads every `x` once, computes, and writes the result: a `VectorOp`."""
        result = self._result(xs, shape)
        if not result.stored:
            reads = sum(x.size for x in xs)
            self.vector_op(
                VectorOp(name=name, reads=reads, writes=result.size, operations=operations)
            )
        return result

    def vector_op(self, op: VectorOp) -> None:
        """Adds work that is not tied to one tensor."""
        self._vector_ops.append(op)

    def layer(
        self,
        name: str,
        x: Tensor,
        shape: Shape,
        *,
        weights: Tensor | None = None,
        count: int = 1,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        N: int = 1,
        G: int = 1,
        K: int = 1,
        C: int = 1,
        P: int = 1,
        Q: int = 1,
        R: int = 1,
        S: int = 1,
    ) -> Tensor:
        """One loop nest over `x`.

        Args:
            name: what the network calls it.
            x: its inputs.
            shape: of the result.
            weights: its second operand; none: parameters of the layer's own.
            count: how many times in a row it runs.
            stride: steps of the window.
            dilation: spacing of its taps.
            N, G, K, C, P, Q, R, S: bounds of the loops.
        """
        operands = [x] if weights is None else [x, weights]
        result = self._result(operands, shape)
        if not result.stored:
            self._written_by[result.data] = len(self._layers)
            self._layer_reads.append(x.data)
            self._layers.append(
                Layer(
                    name=name,
                    N=N,
                    G=G,
                    K=K,
                    C=C,
                    P=P,
                    Q=Q,
                    R=R,
                    S=S,
                    stride=stride,
                    dilation=dilation,
                    count=count,
                    weights_stored=weights is None or weights.stored,
                )
            )
        return result

    def unknown(self, name: str, kind: str) -> None:
        """Notes an operation that has no cost here."""
        self._unknown.append(f"{name}: {kind}")

    def workload(self) -> Workload:
        """What was recorded.

        Raises:
            WorkloadError: nothing in it multiplies.
        """
        layers = tuple(
            replace(layer, follows=self._follows(place)) for place, layer in enumerate(self._layers)
        )
        if not layers and self._unknown:
            raise WorkloadError(
                f"{self.name}: no layer that multiplies; not understood: {', '.join(self._unknown)}"
            )
        return Workload(
            self.name, layers, tuple(self._vector_ops), self.source, tuple(self._unknown)
        )

    def _follows(self, place: int) -> bool:
        data = self._layer_reads[place]
        return place > 0 and self._written_by.get(data) == place - 1 and self._readers[data] == 1

    def _result(self, xs: Sequence[Tensor], shape: Shape) -> Tensor:
        if all(x.stored for x in xs):
            return self.stored(*shape)
        for x in xs:
            self._readers[x.data] += 1
        return self._new(shape)

    def _new(self, shape: Shape) -> Tensor:
        self._tensors += 1
        return Tensor(shape, self._tensors)


def _is_vector(x: Tensor) -> bool:
    return sum(extent > 1 for extent in x.shape) <= 1
