"""What runs: the layers of a network, as loop nests with counts. Knows nothing of hardware."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Literal

from accel_dse.errors import WorkloadError
from accel_dse.notebook_view import table

DIMS = ("N", "G", "K", "C", "P", "Q", "R", "S")
"""Loop dimensions: batch, groups (or heads), output channels and input channels of one group,
output rows and columns, filter rows and columns. P goes with R, Q with S.

Source: Timeloop's CNN layer (Parashar et al., ISPASS 2019), with groups made a dimension."""

TENSORS = ("weights", "inputs", "outputs")
"""The operands of a layer. `weights` is the second operand of a matrix multiply, stored or not."""

RELEVANT: Mapping[str, frozenset[str]] = {
    "weights": frozenset("GKCRS"),
    "inputs": frozenset("NGCPQRS"),
    "outputs": frozenset("NGKPQ"),
}
"""Which dimensions index each tensor. `inputs` see P and R (Q and S) through one sliding window."""

LARGEST = 2**62
"""Products above this cannot be counted in 64-bit integers."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One loop nest: `out[n,g,k,p,q] += w[g,k,c,r,s] * in[n,g,c, p*stride+r*dilation, ...]`.

    A depthwise convolution has `G` channels and `K = C = 1`; a matrix multiply `M x N x K` has
    `P = M`, `K = N`, `C = K`; attention has one group for each head (and batch element).

    Attributes:
        name: what the network calls it.
        N, G, K, C, P, Q, R, S: the bounds of `DIMS`, all at least 1.
        stride: steps of the window along (P, Q).
        dilation: spacing of the window's taps along (R, S).
        count: how many times in a row it runs.
        weights_stored: whether `weights` are parameters of the network (false in attention).
        follows: whether its `inputs` are exactly what the layer before it in the network wrote,
            read by nobody else, so that they may stay on the chip.
    """

    name: str
    N: int = 1
    G: int = 1
    K: int = 1
    C: int = 1
    P: int = 1
    Q: int = 1
    R: int = 1
    S: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    count: int = 1
    weights_stored: bool = True
    follows: bool = False

    def __post_init__(self) -> None:
        for dim, bound in zip(DIMS, self.dims):
            if not isinstance(bound, int) or not 1 <= bound < 2**31:
                raise WorkloadError(
                    f"layer {self.name!r}: {dim}: expected a whole number from 1 to 2^31-1, "
                    f"got {bound!r}"
                )
        for label, pair in (("stride", self.stride), ("dilation", self.dilation)):
            if len(pair) != 2 or not all(isinstance(v, int) and 1 <= v < 2**31 for v in pair):
                raise WorkloadError(f"layer {self.name!r}: {label}: expected two, >= 1, got {pair}")
        if self.count < 1:
            raise WorkloadError(f"layer {self.name!r}: count: must be at least 1, got {self.count}")
        if max(self.macs * self.count, *(self.words(t) for t in TENSORS)) > LARGEST:
            raise WorkloadError(
                f"layer {self.name!r}: too large to count in 64 bits: {self.macs} MACs",
                hint="split the layer",
            )

    @property
    def dims(self) -> tuple[int, ...]:
        """The bounds, in the order of `DIMS`."""
        return (self.N, self.G, self.K, self.C, self.P, self.Q, self.R, self.S)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return math.prod(self.dims)

    @property
    def input_rows(self) -> int:
        """Input rows that the window touches."""
        return (self.P - 1) * self.stride[0] + (self.R - 1) * self.dilation[0] + 1

    @property
    def input_columns(self) -> int:
        """Input columns that the window touches."""
        return (self.Q - 1) * self.stride[1] + (self.S - 1) * self.dilation[1] + 1

    def words(self, tensor: str) -> int:
        """Elements of `tensor` in one run, padding included as elements."""
        if tensor == "weights":
            return self.G * self.K * self.C * self.R * self.S
        if tensor == "inputs":
            return self.N * self.G * self.C * self.input_rows * self.input_columns
        if tensor == "outputs":
            return self.N * self.G * self.K * self.P * self.Q
        raise KeyError(tensor)

    @property
    def kind(self) -> Literal["depthwise", "grouped", "conv", "gemm", "attention"]:
        """What an architect would call it."""
        if not self.weights_stored:
            return "attention"
        if self.G > 1:
            return "depthwise" if self.K == self.C == 1 else "grouped"
        return "conv" if self.R * self.S > 1 or self.Q > 1 else "gemm"

    @property
    def shape(self) -> tuple[object, ...]:
        """What the cost of one run depends on; equal layers have equal shapes."""
        return (self.dims, self.stride, self.dilation, self.weights_stored)


@dataclass(frozen=True, kw_only=True)
class VectorOp:
    """Work without multiply-accumulates that moves data: pooling, residual add, softmax.

    An operation that a chip applies as results pass by (ReLU, batch norm) is not one.

    Attributes:
        name: what the network calls it.
        reads: elements read in one run.
        writes: elements written in one run.
        operations: scalar operations in one run.
        count: how many times it runs.
    """

    name: str
    reads: int
    writes: int
    operations: int
    count: int = 1

    def __post_init__(self) -> None:
        for label in ("reads", "writes", "operations"):
            if not 0 <= getattr(self, label) <= LARGEST:
                raise WorkloadError(f"{self.name!r}: {label}: got {getattr(self, label)}")
        if self.count < 1:
            raise WorkloadError(f"{self.name!r}: count: must be at least 1, got {self.count}")


@dataclass(frozen=True)
class Workload:
    """A network: what runs, in order.

    Attributes:
        name: one word.
        layers: loop nests in execution order.
        vector_ops: everything else that moves data.
        source: the paper or file it was read from.
        unknown: operations of the file that have no cost here, `name: type`; empty for the zoo.
    """

    name: str
    layers: tuple[Layer, ...]
    vector_ops: tuple[VectorOp, ...] = ()
    source: str = ""
    unknown: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.layers:
            raise WorkloadError(f"workload {self.name!r} has no layer that multiplies")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs * layer.count for layer in self.layers)

    @property
    def weights(self) -> int:
        """Stored weights of its layers, biases and normalization not counted."""
        return sum(layer.words("weights") for layer in self.layers if layer.weights_stored)

    def fingerprint(self) -> str:
        """What it computes, as 64 hexadecimal digits (SHA-256).

        Names and source do not count: two networks of the same layers, in the same order and
        connected in the same way, agree.
        """
        layers = [(*layer.shape, layer.count, layer.follows) for layer in self.layers]
        vector_ops = [(op.reads, op.writes, op.operations, op.count) for op in self.vector_ops]
        return hashlib.sha256(json.dumps([layers, vector_ops]).encode()).hexdigest()

    def unique(self) -> tuple[Layer, ...]:
        """Its distinct layers in order of first use; `count` is how often each runs in all.

        Names are those of the first use. `follows` is dropped: it belongs to a place in the
        network, not to a shape.
        """
        merged: dict[tuple[object, ...], Layer] = {}
        for layer in self.layers:
            seen = merged.get(layer.shape)
            count = layer.count + (seen.count if seen else 0)
            merged[layer.shape] = replace(seen or layer, count=count, follows=False)
        return tuple(merged.values())

    def _repr_html_(self) -> str:
        rows = [
            {"layer": layer.name, "kind": layer.kind, **dict(zip(DIMS, layer.dims))}
            | {"count": layer.count, "million MACs in all": layer.macs * layer.count / 1e6}
            for layer in self.unique()
        ]
        return (
            f"<b>{escape(self.name)}</b>: {self.macs / 1e6:,.1f} M MACs, "
            f"{self.weights / 1e6:,.2f} M weights"
            + table(rows, bar="million MACs in all" if len(rows) > 1 else "", most=60)
        )
