"""The operators of neural networks, as the loop nests and data movements they come down to."""

import math
from collections import Counter
from collections.abc import Sequence

from accel_dse.errors import WorkloadError
from accel_dse.workload import VectorOp
from accel_dse.workloads.network import Network, Shape, Tensor

SOFTMAX_OPERATIONS = 5
"""A softmax's operations an element: compare for the maximum, subtract, exponentiate, add, divide.

Source: counted from its numerically stable definition (Goodfellow et al., Deep Learning, 4.1)."""

NORMALIZATION_OPERATIONS = 7
"""A normalization's operations an element: add for the mean, subtract, square, add for the
variance, then divide by the deviation, scale and shift.

Source: counted from its definition (Ba et al., Layer Normalization, 2016, eq. 4)."""

CELL_OPERATIONS = {"RNN": 2, "GRU": 10, "LSTM": 13}
"""Operations an element of the state, once the multiplies of the gates are done.

Source: counted from the definitions. RNN: add the gates' two halves, tanh. GRU: three such adds
and three activations, `r*h`, `h + z*(n - h)`. LSTM: four adds, four activations, `f*c + i*g`,
`o*tanh(c)`."""

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
"""How many vectors as wide as the state a step computes. Source: their definitions."""


def convolution(
    net: Network,
    name: str,
    x: Tensor,
    weights: Tensor,
    shape: Shape,
    *,
    stride: Sequence[int] = (1, 1),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """A convolution in one or two dimensions.

    Args:
        net: where it is recorded.
        name: what the network calls it.
        x: shape `(N, groups * C, height, width)`, or without the width.
        weights: shape `(groups * K, C, R, S)`, or without `S`.
        shape: of the result, `(N, groups * K, P, Q)`; how much was padded follows from it.
        stride: along rows and columns.
        dilation: spacing of the taps.
        groups: into how many separate convolutions the channels are split.
    """
    outputs, channels, *taps = weights.shape
    _check_channels(name, x, channels * groups, outputs, groups)
    (p, q), (r, s) = _pair(shape[2:]), _pair(taps)
    return net.layer(
        name,
        x,
        shape,
        weights=weights,
        stride=_pair(stride),
        dilation=_pair(dilation),
        N=shape[0],
        G=groups,
        K=outputs // groups,
        C=channels,
        P=p,
        Q=q,
        R=r,
        S=s,
    )


def transposed_convolution(
    net: Network,
    name: str,
    x: Tensor,
    weights: Tensor,
    shape: Shape,
    *,
    stride: Sequence[int] = (1, 1),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """A transposed convolution in one or two dimensions, without multiplying by zeros.

    With stride `s`, the output's rows fall into `s` phases; the rows of one phase are an ordinary
    convolution of the input with every `s`-th row of the filter. Phases with equally many taps
    make one loop nest, so a 2x2 filter with stride 2 is one 1x1 convolution to four times the
    channels, and a 3x3 filter with stride 2 is four nests.

    Args:
        net: where it is recorded.
        name: what the network calls it.
        x: shape `(N, groups * C, height, width)`, or without the width.
        weights: shape `(groups * C, K, R, S)`, or without `S`.
        shape: of the result.
        stride: of the output along rows and columns.
        dilation: spacing of the taps.
        groups: into how many separate convolutions the channels are split.

    Source:
        Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016.
    """
    inputs, outputs, *taps = weights.shape
    _check_channels(name, x, inputs, outputs * groups, groups)
    (p, q), (r, s) = _pair(shape[2:]), _pair(taps)
    (down, right), dilations = _pair(stride), _pair(dilation)
    nests = [
        (row_taps, column_taps, row_phases * column_phases)
        for row_taps, row_phases in _phases(r, down, dilations[0]).items()
        for column_taps, column_phases in _phases(s, right, dilations[1]).items()
    ]
    parts = [
        net.layer(
            name if len(nests) == 1 else f"{name}/{row_taps}x{column_taps}",
            x,
            shape,
            weights=weights,
            N=shape[0],
            G=groups,
            K=outputs * phases,
            C=inputs // groups,
            P=math.ceil(p / down),
            Q=math.ceil(q / right),
            R=row_taps,
            S=column_taps,
        )
        for row_taps, column_taps, phases in nests
    ]
    return parts[0] if len(parts) == 1 else net.rearrange(parts, shape)


def contraction(net: Network, name: str, left: Tensor, right: Tensor, axes: str) -> Tensor:
    """A product of two tensors summed over some axes: matrix multiplies and their relatives.

    Args:
        net: where it is recorded.
        name: what the network calls it.
        left: first operand.
        right: second operand.
        axes: one letter an axis, as in `numpy.einsum`: `"mk,kn->mn"`. An extent of 1 broadcasts.

    Raises:
        WorkloadError: an axis is in one operand alone and not in the result, or extents differ.
    """
    operands, _, result = axes.partition("->")
    of_left, _, of_right = operands.partition(",")
    lefts = dict(zip(of_left, left.shape, strict=True))
    rights = dict(zip(of_right, right.shape, strict=True))
    extents = {a: max(lefts.get(a, 1), rights.get(a, 1)) for a in of_left + of_right}
    bounds = {"G": 1, "P": 1, "K": 1, "C": 1}
    left_alone, right_alone = ("K", "P") if left.stored and not right.stored else ("P", "K")
    for axis, extent in extents.items():
        in_left, in_right = lefts.get(axis, 1) == extent, rights.get(axis, 1) == extent
        if {lefts.get(axis, 1), rights.get(axis, 1)} - {1, extent}:
            raise WorkloadError(f"{name}: shapes {left.shape} and {right.shape} do not fit {axes}")
        if extent == 1:
            continue
        if in_left and in_right:
            bounds["G" if axis in result else "C"] *= extent
        elif axis in result:
            bounds[left_alone if in_left else right_alone] *= extent
        else:
            raise WorkloadError(f"{name}: {axes} sums {axis!r} over one operand alone")
    x, weights = (right, left) if left.stored and not right.stored else (left, right)
    shape = tuple(extents[a] for a in result)
    return net.layer(
        name,
        x,
        shape,
        weights=weights,
        G=bounds["G"],
        P=bounds["P"],
        K=bounds["K"],
        C=bounds["C"],
    )


def matrix_multiply(net: Network, name: str, left: Tensor, right: Tensor) -> Tensor:
    """A product of matrices, with leading batch axes that broadcast, as `numpy.matmul`.

    Batch axes that both sides have become groups; those of one side alone are more rows or
    columns of one larger product.
    """
    lefts = left.shape if len(left.shape) > 1 else (1, *left.shape)
    rights = right.shape if len(right.shape) > 1 else (*right.shape, 1)
    batch = "abcdefgh"[: max(len(lefts), len(rights)) - 2]
    of_left, of_right = batch[len(batch) - len(lefts) + 2 :], batch[len(batch) - len(rights) + 2 :]
    result = contraction(
        net,
        name,
        net.view(left, lefts),
        net.view(right, rights),
        f"{of_left}mk,{of_right}kn->{batch}mn",
    )
    shape = result.shape
    if len(right.shape) == 1:
        shape = shape[:-1]
    if len(left.shape) == 1:
        shape = (*shape[: len(batch)], *shape[len(batch) + 1 :])
    return net.view(result, shape)


def attention(net: Network, name: str, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot-product attention, every query with every key; a causal mask saves nothing.

    Args:
        net: where it is recorded.
        name: what the network calls it.
        q: queries, shape `(batch, heads, queries, depth)`.
        k: keys, shape `(batch, kv_heads, keys, depth)`; `heads / kv_heads` heads share one.
        v: values, shape `(batch, kv_heads, keys, value_depth)`.

    Returns:
        Shape `(batch, heads, queries, value_depth)`.

    Source:
        Vaswani et al., 2017, eq. 1; shared heads: Ainslie et al., 2023.
    """
    batch, heads, queries, depth = q.shape
    kv_heads = k.shape[1]
    if heads % kv_heads:
        raise WorkloadError(f"{name}: {heads} heads cannot share {kv_heads} evenly")
    split = net.view(q, (batch, kv_heads, heads // kv_heads, queries, depth))
    scores = contraction(net, f"{name}/scores", split, k, "bhrqd,bhkd->bhrqk")
    weighted = softmax(net, f"{name}/softmax", scores)
    context = contraction(net, f"{name}/context", weighted, v, "bhrqk,bhkd->bhrqd")
    return net.view(context, (batch, heads, queries, v.shape[-1]))


def recurrent(
    net: Network,
    name: str,
    cell: str,
    x: Tensor,
    shape: Shape,
    *,
    steps: int,
    hidden: int,
    directions: int = 1,
    projection: int = 0,
) -> Tensor:
    """One layer of an RNN, GRU or LSTM over whole sequences.

    The inputs' part of the gates is one matrix multiply over all steps; the state's part runs
    step by step, each time with the same weights.

    Args:
        net: where it is recorded.
        name: what the network calls it.
        cell: a key of `GATES`.
        x: any order of batch, steps and features, features last.
        shape: of the result.
        steps: length of the sequences.
        hidden: width of the state.
        directions: 2 if it also runs backward, with its own weights.
        projection: width the output is projected to before it is fed back; 0: not projected.

    Source:
        Hochreiter and Schmidhuber, 1997; Cho et al., 2014; projection: Sak et al., 2014.
    """
    width, batch = x.shape[-1], x.size // x.shape[-1] // steps
    gates, fed_back = GATES[cell] * hidden, projection or hidden
    gate_data = (x.size // width * gates,)
    states = []
    for direction in range(directions):
        label = name if directions == 1 else f"{name}/{'backward' if direction else 'forward'}"
        gated = net.layer(f"{label}/input", x, gate_data, P=batch * steps, K=gates, C=width)
        state = net.input(batch, fed_back)
        net.layer(f"{label}/state", state, gate_data, P=batch, K=gates, C=fed_back, count=steps)
        net.rearrange([gated], gate_data)
        net.vector_op(
            VectorOp(
                name=f"{label}/cell",
                reads=batch * (2 * gates + hidden),
                writes=batch * 2 * hidden,
                operations=batch * hidden * CELL_OPERATIONS[cell],
                count=steps,
            )
        )
        if projection:
            made = net.input(batch, hidden)
            net.layer(f"{label}/project", made, shape, P=batch, K=projection, C=hidden, count=steps)
        states.append(net.input(batch, fed_back))
    return net.rearrange(states, shape)


def pool(net: Network, name: str, x: Tensor, shape: Shape, window: int) -> Tensor:
    """Reduces windows of `window` elements to one, by maximum or mean."""
    return net.move(name, [x], shape, operations=math.prod(shape) * window)


def softmax(net: Network, name: str, x: Tensor) -> Tensor:
    """A softmax along one axis."""
    return net.move(name, [x], x.shape, operations=SOFTMAX_OPERATIONS * x.size)


def normalize(net: Network, name: str, x: Tensor) -> Tensor:
    """A normalization whose statistics come from the data itself (not batch norm at inference)."""
    return net.move(name, [x], x.shape, operations=NORMALIZATION_OPERATIONS * x.size)


def normalize_locally(net: Network, name: str, x: Tensor, window: int) -> Tensor:
    """Divides each element by a power of the sum of squares of `window` neighboring channels.

    Source: Krizhevsky et al., 2012, section 3.3: a square, `window - 1` additions, a scale, an
    offset, a power and a division an element.
    """
    return net.move(name, [x], x.shape, operations=(window + 4) * x.size)


def resize(net: Network, name: str, x: Tensor, shape: Shape, *, linear: bool) -> Tensor:
    """Resamples an image: takes the nearest pixel, or weighs four (four products, three sums)."""
    return net.move(name, [x], shape, operations=math.prod(shape) * (7 if linear else 1))


def look_up(net: Network, name: str, table: Tensor, rows: Tensor, shape: Shape) -> Tensor:
    """Copies those rows of `table` that `rows` names, as an embedding does."""
    result = net.rearrange([table, rows], shape)
    if not result.stored:
        size = math.prod(shape)
        net.vector_op(VectorOp(name=name, reads=size, writes=size, operations=0))
    return result


def update(net: Network, name: str, table: Tensor, rows: Tensor, shape: Shape) -> Tensor:
    """Writes `rows` into their places in `table`, as a cache of keys and values does."""
    result = net.rearrange([table, rows], shape)
    if not result.stored:
        net.vector_op(VectorOp(name=name, reads=rows.size, writes=rows.size, operations=0))
    return result


def _check_channels(name: str, x: Tensor, inputs: int, outputs: int, groups: int) -> None:
    if x.shape[1] != inputs or outputs % groups or inputs % groups:
        raise WorkloadError(
            f"{name}: {x.shape[1]} input channels do not fit weights for {inputs}, "
            f"{outputs} output channels and {groups} groups"
        )


def _pair(values: Sequence[int]) -> tuple[int, int]:
    rows, columns = (*values, 1)[:2]
    return rows, columns


def _phases(taps: int, stride: int, dilation: int) -> Counter[int]:
    """Taps of one phase of a transposed convolution -> how many phases have that many."""
    return Counter(Counter(tap * dilation % stride for tap in range(taps)).values())
