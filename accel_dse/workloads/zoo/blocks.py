"""The blocks that the zoo's networks are made of. They track shapes; images are `(1, C, H, W)`."""

from accel_dse.workloads import operators
from accel_dse.workloads.network import Network, Tensor


def conv(
    net: Network,
    name: str,
    x: Tensor,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    *,
    groups: int = 1,
    padding: int | None = None,
) -> Tensor:
    """A square convolution to `channels`; without `padding`, padded so that stride 1 keeps size."""
    batch, inputs, height, width = x.shape
    pad = 2 * (kernel // 2 if padding is None else padding) - kernel
    shape = (batch, channels, (height + pad) // stride + 1, (width + pad) // stride + 1)
    weights = net.stored(channels, inputs // groups, kernel, kernel)
    return operators.convolution(
        net, name, x, weights, shape, stride=(stride, stride), groups=groups
    )


def depthwise(net: Network, name: str, x: Tensor, kernel: int, stride: int = 1) -> Tensor:
    """A convolution of each channel on its own."""
    return conv(net, name, x, x.shape[1], kernel, stride, groups=x.shape[1])


def linear(net: Network, name: str, x: Tensor, features: int) -> Tensor:
    """Every vector along the last axis times one matrix."""
    return operators.matrix_multiply(net, name, x, net.stored(x.shape[-1], features))


def flat(net: Network, x: Tensor) -> Tensor:
    """Each image as one vector."""
    return net.view(x, (x.shape[0], x.size // x.shape[0]))


def add(net: Network, name: str, x: Tensor, y: Tensor) -> Tensor:
    """A residual connection."""
    return net.pointwise(name, [x, y], x.shape)


def max_pool(
    net: Network, name: str, x: Tensor, kernel: int, stride: int, padding: int = 0
) -> Tensor:
    """Maximum over square windows."""
    batch, channels, height, width = x.shape
    pad = 2 * padding - kernel
    shape = (batch, channels, (height + pad) // stride + 1, (width + pad) // stride + 1)
    return operators.pool(net, name, x, shape, kernel * kernel)


def global_pool(net: Network, name: str, x: Tensor) -> Tensor:
    """Mean of each channel."""
    batch, channels, height, width = x.shape
    return operators.pool(net, name, x, (batch, channels, 1, 1), height * width)


def squeeze_excite(net: Network, name: str, x: Tensor, squeezed: int) -> Tensor:
    """Scales each channel by a function of all channels' means.

    Source: Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018.
    """
    means = global_pool(net, f"{name}/pool", x)
    scale = conv(net, f"{name}/squeeze", means, squeezed)
    scale = conv(net, f"{name}/excite", scale, x.shape[1])
    return net.pointwise(f"{name}/scale", [x, scale], x.shape)


def inverted_residual(
    net: Network,
    name: str,
    x: Tensor,
    channels: int,
    *,
    expanded: int,
    kernel: int = 3,
    stride: int = 1,
    squeezed: int = 0,
    fused: bool = False,
    residual: bool = True,
) -> Tensor:
    """Expands to `expanded` channels, filters each, and projects to `channels`.

    Args:
        net: where it is recorded.
        name: prefix of its layers' names.
        x: its input.
        channels: of the result.
        expanded: inner channels; no expansion if they are the input's.
        kernel: of the filter.
        stride: of the filter.
        squeezed: inner channels of squeeze-and-excite; 0: without.
        fused: expand and filter by one ordinary convolution.
        residual: add the input, where it has the result's shape.

    Source:
        Sandler et al., "MobileNetV2", CVPR 2018, table 1; fused: Gupta and Akin, "Accelerator-aware
        Neural Network Design using AutoML", 2020.
    """
    y = x
    if expanded != x.shape[1]:
        y = conv(net, f"{name}/expand", y, expanded, *((kernel, stride) if fused else ()))
    if not fused:
        y = depthwise(net, f"{name}/depthwise", y, kernel, stride)
    if squeezed:
        y = squeeze_excite(net, f"{name}/se", y, squeezed)
    y = conv(net, f"{name}/project", y, channels)
    return add(net, f"{name}/add", x, y) if residual and x.shape == y.shape else y


def round_channels(channels: float) -> int:
    """The multiple of 8 nearest to `channels`, at least 8 and never more than 10 % below.

    Source: `_make_divisible` in TensorFlow's slim/nets/mobilenet, named by Howard et al. 2019.
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
