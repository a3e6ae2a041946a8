"""U-Net."""

from accel_dse.workload import Workload
from accel_dse.workloads import operators
from accel_dse.workloads.network import Network, Tensor
from accel_dse.workloads.zoo.blocks import conv, max_pool


def unet() -> Workload:
    """U-Net as published: one channel, 572 x 572, unpadded convolutions, two classes."""
    return build_unet("unet", (1, 572, 572), classes=2)


def unet_small() -> Workload:
    """U-Net of 24 instead of 64 channels, 256 x 256 in color, padded.

    About the size of the U-Net of Kumar et al. (PRIME), ICLR 2022: 13.7 G operations.
    """
    return build_unet("unet_small", (3, 256, 256), classes=2, width=24, padded=True)


def build_unet(
    name: str,
    image: tuple[int, int, int],
    *,
    classes: int,
    width: int = 64,
    padded: bool = False,
) -> Workload:
    """U-Net with `width` channels at full resolution, doubled at each of four halvings.

    Args:
        name: of the workload.
        image: channels, rows and columns.
        classes: channels of the result.
        width: channels at full resolution.
        padded: whether convolutions keep the size; if not, what is handed across is cropped.
    """
    net = Network(name, "Ronneberger et al., MICCAI 2015")
    x, skipped = net.input(1, *image), []
    for level in range(4):
        x = _two_convs(net, f"down{level + 1}", x, width << level, padded)
        skipped.append(x)
        x = max_pool(net, f"pool{level + 1}", x, 2, 2)
    x = _two_convs(net, "bottom", x, width << 4, padded)
    for level in reversed(range(4)):
        x = _up(net, f"up{level + 1}/up", x, width << level)
        both = (1, 2 * x.shape[1], *x.shape[2:])
        x = net.rearrange([skipped[level], x], both)
        x = _two_convs(net, f"up{level + 1}", x, width << level, padded)
    conv(net, "classes", x, classes)
    return net.workload()


def _two_convs(net: Network, name: str, x: Tensor, channels: int, padded: bool) -> Tensor:
    padding = 1 if padded else 0
    x = conv(net, f"{name}/conv1", x, channels, 3, padding=padding)
    return conv(net, f"{name}/conv2", x, channels, 3, padding=padding)


def _up(net: Network, name: str, x: Tensor, channels: int) -> Tensor:
    """A transposed 2x2 convolution that doubles rows and columns."""
    batch, inputs, height, width = x.shape
    weights = net.stored(inputs, channels, 2, 2)
    shape = (batch, channels, 2 * height, 2 * width)
    return operators.transposed_convolution(net, name, x, weights, shape, stride=(2, 2))
