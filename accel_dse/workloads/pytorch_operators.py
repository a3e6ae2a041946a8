"""What each operator of PyTorch's ATen library comes down to. Does not import PyTorch.

Source: `native_functions.yaml` of PyTorch, for the operators' names and arguments.
"""

import math
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accel_dse.workloads import operators
from accel_dse.workloads.network import Network, Shape, Tensor


@dataclass(frozen=True)
class Call:
    """One call of an operator.

    Attributes:
        net: where it is recorded.
        name: the module that makes it.
        kind: the operator.
        arguments: by the names of the operator's schema.
        shape: of its first result.
    """

    net: Network
    name: str
    kind: str
    arguments: Mapping[str, Any]
    shape: Shape

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    @property
    def tensors(self) -> list[Tensor]:
        """All operands that are tensors."""
        found = []
        for value in self.arguments.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, Tensor):
                    found.append(item)
        return found

    @property
    def x(self) -> Tensor:
        """The first operand."""
        return self.tensors[0]


def _pointwise(call: Call) -> Tensor:
    return call.net.pointwise(call.name, call.tensors, call.shape)


def _view(call: Call) -> Tensor:
    return call.net.view(call.x, call.shape)


def _rearrange(call: Call) -> Tensor:
    xs = call.arguments.get("tensors", [call.x])
    if len(xs) == 1 and call.x.size == math.prod(call.shape):
        return _view(call)
    return call.net.rearrange(xs, call.shape)


def _stored(call: Call) -> Tensor:
    return call.net.stored(*call.shape)


def _parts(call: Call) -> Tensor:
    return call.x


def _index(call: Call) -> Tensor:
    table, *rows = call.tensors
    if all(x.stored for x in rows):
        return call.net.rearrange([table], call.shape)
    dynamic = next(x for x in rows if not x.stored)
    return operators.look_up(call.net, call.name, table, dynamic, call.shape)


def _copy(call: Call) -> Tensor:
    return call.net.rearrange([call["src"]], call.shape)


def _embedding(call: Call) -> Tensor:
    return operators.look_up(call.net, call.name, call["weight"], call["indices"], call.shape)


def _convolution(call: Call) -> Tensor | None:
    x, weights = call["input"], call["weight"]
    rank = len(weights.shape) - 2
    if rank not in {1, 2} or len(x.shape) != rank + 2:
        return None
    transposed = "transpose" in call.kind or call.arguments.get("transposed", False)
    make = operators.transposed_convolution if transposed else operators.convolution
    return make(
        call.net,
        call.name,
        x,
        weights,
        call.shape,
        stride=_spread(call["stride"], rank),
        dilation=_spread(call["dilation"], rank),
        groups=call["groups"],
    )


def _spread(value: Any, rank: int) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return list(values) * rank if len(values) == 1 else list(values)


def _linear(call: Call) -> Tensor:
    x = call["input"]
    rows = string.ascii_lowercase[: len(x.shape) - 1]
    return operators.contraction(call.net, call.name, x, call["weight"], f"{rows}y,zy->{rows}z")


def _matmul(call: Call) -> Tensor:
    left, right = call.tensors[:2]
    return operators.matrix_multiply(call.net, call.name, left, right)


def _add_matmul(call: Call) -> Tensor:
    added, left, right = call.tensors
    product = operators.matrix_multiply(call.net, call.name, left, right)
    return call.net.pointwise(f"{call.name}/add", [product, added], call.shape)


def _einsum(call: Call) -> Tensor | None:
    axes = call["equation"].replace(" ", "")
    operands, arrow, result = axes.partition("->")
    terms = operands.split(",")
    repeats = any(len(set(term)) < len(term) for term in terms)
    if len(terms) != 2 or not arrow or "..." in axes or repeats:
        return None
    if (set(terms[0]) ^ set(terms[1])) - set(result):
        return None
    left, right = call["tensors"]
    return operators.contraction(call.net, call.name, left, right, axes)


def _attention(call: Call) -> Tensor:
    q, k, v = (_four_axes(call.net, call[name]) for name in ("query", "key", "value"))
    return call.net.view(operators.attention(call.net, call.name, q, k, v), call.shape)


def _four_axes(net: Network, x: Tensor) -> Tensor:
    *batch, tokens, depth = x.shape
    heads = batch[-1] if batch else 1
    return net.view(x, (math.prod(batch[:-1]), heads, tokens, depth))


def _recurrent(call: Call) -> Tensor:
    """All layers of an `nn.LSTM`, `nn.GRU` or `nn.RNN`."""
    cell, x = _cell(call), call["input"]
    directions = 2 if call["bidirectional"] else 1
    batched = x if len(x.shape) == 3 else call.net.view(x, (x.shape[0], 1, x.shape[1]))
    steps = batched.shape[1 if call["batch_first"] and len(x.shape) == 3 else 0]
    parameters = call["params"]
    matrices = [w for w in parameters if len(w.shape) == 2]
    each = len(matrices) // (call["num_layers"] * directions)
    hidden = matrices[0].shape[0] // operators.GATES[cell]
    projection = matrices[2].shape[0] if each == 3 else 0
    shape = (*batched.shape[:2], directions * (projection or hidden))
    for number in range(call["num_layers"]):
        batched = operators.recurrent(
            call.net,
            f"{call.name}/{number}",
            cell,
            batched,
            shape,
            steps=steps,
            hidden=hidden,
            directions=directions,
            projection=projection,
        )
    return call.net.view(batched, call.shape)


def _recurrent_cell(call: Call) -> Tensor:
    """One step of an `nn.LSTMCell`, `nn.GRUCell` or `nn.RNNCell`."""
    x, hidden = call["input"], call["w_hh"].shape[1]
    rows = call.net.view(x, (x.size // x.shape[-1], x.shape[-1]))
    return operators.recurrent(
        call.net, call.name, _cell(call), rows, call.shape, steps=1, hidden=hidden
    )


def _cell(call: Call) -> str:
    return next(cell for cell in operators.GATES if call.kind.upper().startswith(cell))


def _pool(call: Call) -> Tensor:
    rank = len(call.shape) - 2
    window = math.prod(_spread(call["kernel_size"], rank))
    return operators.pool(call.net, call.name, call.x, call.shape, window)


def _reduce(call: Call) -> Tensor:
    if len(call.tensors) > 1:  # the larger or smaller of two, element by element
        return _pointwise(call)
    window = call.x.size // math.prod(call.shape)
    return operators.pool(call.net, call.name, call.x, call.shape, window)


def _softmax(call: Call) -> Tensor:
    return operators.softmax(call.net, call.name, call.x)


def _normalize(call: Call) -> Tensor:
    return operators.normalize(call.net, call.name, call.x)


def _resize(call: Call) -> Tensor:
    linear = "linear" in call.kind
    return operators.resize(call.net, call.name, call.x, call.shape, linear=linear)


def _scan(call: Call) -> Tensor:
    return call.net.move(call.name, [call.x], call.shape, operations=call.x.size)


Operator = Callable[[Call], Tensor | None]
"""Records a call and returns its first result, or nothing if it cannot be told what it costs."""

POINTWISE = """
_to_copy abs add addcdiv addcmul atan batch_norm bitwise_and bitwise_not bitwise_or ceil celu clamp
clamp_max clamp_min cos div dropout elu eq erf exp expm1 feature_dropout floor floor_divide
fmod ge gelu gt hardsigmoid hardswish hardtanh isinf isnan le leaky_relu lerp log log1p log_sigmoid
logical_and logical_not logical_or lt masked_fill maximum minimum mish mul ne neg pow prelu
reciprocal relu relu6 remainder round rsqrt rsub selu sigmoid sign silu sin softplus softsign sqrt
square sub tan tanh threshold to tril triu where
"""
VIEWS = """
_unsafe_view alias clone constant_pad_nd contiguous detach flatten lift_fresh_copy movedim pad
permute pixel_shuffle pixel_unshuffle reshape squeeze swapaxes t transpose type_as unflatten
unsqueeze view view_as
"""
REARRANGED = """
broadcast_to cat channel_shuffle concat expand expand_as flip index_select narrow repeat
repeat_interleave roll select slice stack unfold
"""
STORED = """
arange empty empty_like eye full full_like linspace new_empty new_full new_ones new_zeros ones
ones_like scalar_tensor zeros zeros_like
"""
PARTS = frozenset({"chunk", "split", "split_with_sizes", "tensor_split", "unbind"})
"""Operators whose several results are parts of their operand."""

REDUCED = """
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d amax amin argmax
argmin max mean min norm prod std sum var
"""
NORMALIZED = "group_norm instance_norm layer_norm native_layer_norm rms_norm"

MULTIPLY: Mapping[str, Operator] = {
    **dict.fromkeys(
        ("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "convolution"), _convolution
    ),
    **dict.fromkeys(("addmm", "baddbmm"), _add_matmul),
    **dict.fromkeys(("bmm", "matmul", "mm", "mv"), _matmul),
    **dict.fromkeys(("gru", "lstm", "rnn_relu", "rnn_tanh"), _recurrent),
    **dict.fromkeys(("gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"), _recurrent_cell),
    "einsum": _einsum,
    "linear": _linear,
    "scaled_dot_product_attention": _attention,
}
"""The operators made of multiply-accumulates: one that is not understood is an error."""

OPERATORS: Mapping[str, Operator] = {
    **dict.fromkeys(POINTWISE.split(), _pointwise),
    **dict.fromkeys(VIEWS.split(), _view),
    **dict.fromkeys(REARRANGED.split(), _rearrange),
    **dict.fromkeys(STORED.split(), _stored),
    **dict.fromkeys(PARTS, _parts),
    **dict.fromkeys(REDUCED.split(), _reduce),
    **dict.fromkeys(NORMALIZED.split(), _normalize),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d"), _pool),
    **dict.fromkeys(("_softmax", "log_softmax", "softmax"), _softmax),
    **dict.fromkeys(("upsample_bilinear2d", "upsample_linear1d", "upsample_nearest2d"), _resize),
    "copy": _copy,
    "cumsum": _scan,
    "embedding": _embedding,
    "index": _index,
    **MULTIPLY,
}
