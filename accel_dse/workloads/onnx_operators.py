"""What each ONNX operator comes down to.

Source: the ONNX operator specification, opsets 1 to 24 (docs/Operators.md in onnx/onnx).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accel_dse.errors import WorkloadError
from accel_dse.workloads import operators
from accel_dse.workloads.network import Network, Shape, Tensor


@dataclass(frozen=True)
class Node:
    """One operation of a graph.

    Attributes:
        net: where it is recorded.
        name: its own, or its first result's.
        kind: the operator.
        inputs: its operands; none where an optional one is left out.
        shape: of its first result.
        attributes: by name.
    """

    net: Network
    name: str
    kind: str
    inputs: tuple[Tensor | None, ...]
    shape: Shape
    attributes: Mapping[str, Any]

    def operand(self, place: int) -> Tensor:
        """The operand at `place`, which must be there."""
        x = self.inputs[place] if place < len(self.inputs) else None
        if x is None:
            raise WorkloadError(f"{self.name} ({self.kind}): operand {place} is missing")
        return x

    @property
    def x(self) -> Tensor:
        """The first operand."""
        return self.operand(0)

    @property
    def present(self) -> list[Tensor]:
        """All operands that are there."""
        return [x for x in self.inputs if x is not None]


def _pointwise(node: Node) -> Tensor:
    return node.net.pointwise(node.name, node.present, node.shape)


def _view(node: Node) -> Tensor:
    return node.net.view(node.x, node.shape)


def _rearrange(node: Node) -> Tensor:
    if node.kind != "Concat" and node.x.size == math.prod(node.shape):
        return _view(node)
    xs = node.present if node.kind == "Concat" else [node.x]
    return node.net.rearrange(xs, node.shape)


def _stored(node: Node) -> Tensor:
    return node.net.stored(*node.shape)


def _gather(node: Node) -> Tensor:
    table, rows = node.operand(0), node.operand(1)
    if rows.stored:
        return node.net.rearrange([table], node.shape)
    return operators.look_up(node.net, node.name, table, rows, node.shape)


def _scatter(node: Node) -> Tensor:
    return operators.update(node.net, node.name, node.x, node.operand(2), node.shape)


def _convolution(node: Node, weights: int = 1) -> Tensor | None:
    w = node.operand(weights)
    rank = len(w.shape) - 2
    if rank not in {1, 2}:
        return None
    make = (
        operators.transposed_convolution if node.kind == "ConvTranspose" else operators.convolution
    )
    return make(
        node.net,
        node.name,
        node.x,
        w,
        node.shape,
        stride=node.attributes.get("strides", (1,) * rank),
        dilation=node.attributes.get("dilations", (1,) * rank),
        groups=node.attributes.get("group", 1),
    )


def _matmul(node: Node, right: int = 1) -> Tensor:
    return operators.matrix_multiply(node.net, node.name, node.x, node.operand(right))


def _gemm(node: Node) -> Tensor:
    left = "km" if node.attributes.get("transA", 0) else "mk"
    right = "nk" if node.attributes.get("transB", 0) else "kn"
    axes = f"{left},{right}->mn"
    product = operators.contraction(node.net, node.name, node.x, node.operand(1), axes)
    return node.net.pointwise(f"{node.name}/add", [product, *node.present[2:]], node.shape)


def _einsum(node: Node) -> Tensor | None:
    axes = node.attributes["equation"].decode().replace(" ", "")
    operands, arrow, result = axes.partition("->")
    terms = operands.split(",")
    repeats = any(len(set(term)) < len(term) for term in terms)
    if len(terms) != 2 or not arrow or "..." in axes or repeats:
        return None
    lost = set(terms[0]) ^ set(terms[1])
    if lost - set(result):
        return None
    return operators.contraction(node.net, node.name, node.x, node.operand(1), axes)


def _recurrent(node: Node) -> Tensor:
    batch_first = node.attributes.get("layout", 0) == 1
    first, second, _ = node.x.shape
    steps, batch = (second, first) if batch_first else (first, second)
    hidden = node.attributes["hidden_size"]
    directions = 2 if node.attributes.get("direction", b"forward") == b"bidirectional" else 1
    shape = (
        (batch, steps, directions, hidden) if batch_first else (steps, directions, batch, hidden)
    )
    return operators.recurrent(
        node.net,
        node.name,
        node.kind,
        node.x,
        shape,
        steps=steps,
        hidden=hidden,
        directions=directions,
    )


def _attention(node: Node) -> Tensor:
    q, k, v = (_heads(node, node.operand(place), place) for place in range(3))
    past_k, past_v = (*node.inputs[4:6], None, None)[:2]
    k, v = _with_past(node, k, past_k), _with_past(node, v, past_v)
    return node.net.view(operators.attention(node.net, node.name, q, k, v), node.shape)


def _heads(node: Node, x: Tensor, place: int) -> Tensor:
    if len(x.shape) == 4:
        return x
    heads = node.attributes["kv_num_heads" if place else "q_num_heads"]
    batch, tokens, width = x.shape
    return node.net.view(x, (batch, heads, tokens, width // heads))


def _with_past(node: Node, x: Tensor, past: Tensor | None) -> Tensor:
    if past is None:
        return x
    batch, heads, tokens, depth = x.shape
    return node.net.rearrange([past, x], (batch, heads, tokens + past.shape[2], depth))


def _pool(node: Node) -> Tensor:
    window = math.prod(node.attributes["kernel_shape"])
    return operators.pool(node.net, node.name, node.x, node.shape, window)


def _reduce(node: Node) -> Tensor:
    window = node.x.size // math.prod(node.shape)
    return operators.pool(node.net, node.name, node.x, node.shape, window)


def _softmax(node: Node) -> Tensor:
    return operators.softmax(node.net, node.name, node.x)


def _normalize(node: Node) -> Tensor:
    return operators.normalize(node.net, node.name, node.x)


def _normalize_locally(node: Node) -> Tensor:
    return operators.normalize_locally(node.net, node.name, node.x, node.attributes["size"])


def _resize(node: Node) -> Tensor:
    linear = node.attributes.get("mode", b"nearest") != b"nearest"
    return operators.resize(node.net, node.name, node.x, node.shape, linear=linear)


def _rotate(node: Node) -> Tensor:
    """A rotary embedding: two products and a sum an element."""
    return node.net.move(node.name, [node.x], node.shape, operations=3 * node.x.size)


def _scan(node: Node) -> Tensor:
    return node.net.move(node.name, [node.x], node.shape, operations=node.x.size)


Operator = Callable[[Node], Tensor | None]
"""Records a node and returns its first result, or nothing if it cannot be told what it costs."""

POINTWISE = """
Abs Acos Acosh Add And Asin Asinh Atan Atanh BatchNormalization Binarizer BitShift BitwiseAnd
BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Cos Cosh DequantizeLinear Div Dropout
Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN LeakyRelu
Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow QuantizeLinear Reciprocal Relu
Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh
ThresholdedRelu Trilu Where Xor
"""
VIEWS = "DepthToSpace Flatten Identity Pad Reshape SpaceToDepth Squeeze Transpose Unsqueeze"
REARRANGED = "Concat Expand Slice Split Tile"
STORED = "Constant ConstantOfShape EyeLike Range Shape Size"
REDUCED = """
ArgMax ArgMin GlobalAveragePool GlobalLpPool GlobalMaxPool ReduceL1 ReduceL2 ReduceLogSum
ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
"""
NORMALIZED = """
GroupNormalization InstanceNormalization LayerNormalization LpNormalization
MeanVarianceNormalization RMSNormalization
"""

MULTIPLY: Mapping[str, Operator] = {
    "Attention": _attention,
    "Conv": _convolution,
    "ConvInteger": _convolution,
    "ConvTranspose": _convolution,
    "Einsum": _einsum,
    "GRU": _recurrent,
    "Gemm": _gemm,
    "LSTM": _recurrent,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearConv": lambda node: _convolution(node, weights=3),
    "QLinearMatMul": lambda node: _matmul(node, right=3),
    "RNN": _recurrent,
}
"""The operators made of multiply-accumulates: without their shapes there is no workload."""

OPERATORS: Mapping[str, Operator] = {
    **dict.fromkeys(POINTWISE.split(), _pointwise),
    **dict.fromkeys(VIEWS.split(), _view),
    **dict.fromkeys(REARRANGED.split(), _rearrange),
    **dict.fromkeys(STORED.split(), _stored),
    **dict.fromkeys(REDUCED.split(), _reduce),
    **dict.fromkeys(NORMALIZED.split(), _normalize),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _pool),
    **dict.fromkeys(("Hardmax", "LogSoftmax", "Softmax"), _softmax),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    **dict.fromkeys(("Gather", "GatherElements", "GatherND"), _gather),
    **dict.fromkeys(("ScatterElements", "ScatterND"), _scatter),
    "CumSum": _scan,
    "LRN": _normalize_locally,
    "RotaryEmbedding": _rotate,
    **MULTIPLY,
}

WEIGHT_OPERANDS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "GRU": (1, 2, 3),
    "Gemm": (1, 2),
    "LSTM": (1, 2, 3),
    "LayerNormalization": (1, 2),
    "MatMul": (1,),
    "RNN": (1, 2, 3),
}
"""Where an operator expects weights, for files that declare them as inputs."""
