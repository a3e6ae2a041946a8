"""Image classifiers. One image, 224 x 224 unless said otherwise, 1000 classes."""

from accel_dse.workload import Workload
from accel_dse.workloads.network import Network, Tensor
from accel_dse.workloads.operators import normalize_locally
from accel_dse.workloads.zoo.blocks import (
    add,
    conv,
    flat,
    global_pool,
    inverted_residual,
    linear,
    max_pool,
    round_channels,
)


def alexnet() -> Workload:
    """AlexNet as published: 227 x 227 pixels, two groups in convolutions 2, 4 and 5."""
    net = Network("alexnet", "Krizhevsky et al., NeurIPS 2012")
    x = conv(net, "conv1", net.input(1, 3, 227, 227), 96, 11, 4, padding=0)
    x = max_pool(net, "pool1", normalize_locally(net, "norm1", x, 5), 3, 2)
    x = conv(net, "conv2", x, 256, 5, groups=2)
    x = max_pool(net, "pool2", normalize_locally(net, "norm2", x, 5), 3, 2)
    x = conv(net, "conv3", x, 384, 3)
    x = conv(net, "conv4", x, 384, 3, groups=2)
    x = conv(net, "conv5", x, 256, 3, groups=2)
    x = flat(net, max_pool(net, "pool5", x, 3, 2))
    for name, features in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        x = linear(net, name, x, features)
    return net.workload()


def vgg16() -> Workload:
    """VGG-16 (configuration D)."""
    net = Network("vgg16", "Simonyan and Zisserman, ICLR 2015")
    x = net.input(1, 3, 224, 224)
    for stage, (channels, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for place in range(1, depth + 1):
            x = conv(net, f"conv{stage}_{place}", x, channels, 3)
        x = max_pool(net, f"pool{stage}", x, 2, 2)
    x = flat(net, x)
    for name, features in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        x = linear(net, name, x, features)
    return net.workload()


def resnet18() -> Workload:
    """ResNet-18."""
    return _resnet("resnet18", (2, 2, 2, 2), bottleneck=False)


def resnet50() -> Workload:
    """ResNet-50 "v1.5": bottlenecks step in their 3x3, as in PyTorch and MLPerf."""
    return _resnet("resnet50", (3, 4, 6, 3), bottleneck=True)


def _resnet(name: str, depths: tuple[int, ...], *, bottleneck: bool) -> Workload:
    net = Network(name, "He et al., CVPR 2016")
    x = conv(net, "conv1", net.input(1, 3, 224, 224), 64, 7, 2)
    x = max_pool(net, "pool1", x, 3, 2, padding=1)
    for stage, depth in enumerate(depths):
        for place in range(depth):
            stride = 2 if stage and not place else 1
            x = _residual(net, f"layer{stage + 1}.{place}", x, 64 << stage, stride, bottleneck)
    linear(net, "fc", flat(net, global_pool(net, "pool5", x)), 1000)
    return net.workload()


def _residual(
    net: Network, name: str, x: Tensor, width: int, stride: int, bottleneck: bool
) -> Tensor:
    if bottleneck:
        y = conv(net, f"{name}/conv1", x, width)
        y = conv(net, f"{name}/conv2", y, width, 3, stride)
        y = conv(net, f"{name}/conv3", y, 4 * width)
    else:
        y = conv(net, f"{name}/conv1", x, width, 3, stride)
        y = conv(net, f"{name}/conv2", y, width, 3)
    if x.shape != y.shape:
        x = conv(net, f"{name}/downsample", x, y.shape[1], 1, stride)
    return add(net, f"{name}/add", y, x)


MOBILENET_V2 = tuple(
    (factor, channels, 1 if place else stride)
    for factor, channels, repeats, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    for place in range(repeats)
)
"""Expansion factor, channels and stride of its 17 bottlenecks.

Source: Sandler et al., CVPR 2018, table 2."""


def mobilenet_v2_block(net: Network, number: int, x: Tensor, width: float = 1.0) -> Tensor:
    """Bottleneck `number`, from 1, of MobileNetV2 with channels scaled by `width`."""
    factor, channels, stride = MOBILENET_V2[number - 1]
    scaled, expanded = round_channels(channels * width), x.shape[1] * factor
    return inverted_residual(net, f"block{number}", x, scaled, expanded=expanded, stride=stride)


def mobilenet_v2() -> Workload:
    """MobileNetV2."""
    net = Network("mobilenet_v2", "Sandler et al., CVPR 2018")
    x = conv(net, "conv1", net.input(1, 3, 224, 224), 32, 3, 2)
    for number in range(1, len(MOBILENET_V2) + 1):
        x = mobilenet_v2_block(net, number, x)
    x = global_pool(net, "pool", conv(net, "conv2", x, 1280))
    linear(net, "fc", flat(net, x), 1000)
    return net.workload()


MOBILENET_V3_LARGE = (
    (3, 16, 16, False, 1),
    (3, 64, 24, False, 2),
    (3, 72, 24, False, 1),
    (5, 72, 40, True, 2),
    (5, 120, 40, True, 1),
    (5, 120, 40, True, 1),
    (3, 240, 80, False, 2),
    (3, 200, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 480, 112, True, 1),
    (3, 672, 112, True, 1),
    (5, 672, 160, True, 2),
    (5, 960, 160, True, 1),
    (5, 960, 160, True, 1),
)
"""Kernel, expanded channels, channels, squeeze-and-excite, stride.

Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, table 1."""


def mobilenet_v3_block(net: Network, number: int, x: Tensor, tail: int = 1) -> Tensor:
    """Block `number`, from 1, of MobileNetV3-Large.

    `tail` divides the channels of stride 32, as detectors do.
    """
    kernel, expanded, channels, squeeze, stride = MOBILENET_V3_LARGE[number - 1]
    expanded //= tail if number > 13 else 1
    return inverted_residual(
        net,
        f"block{number}",
        x,
        channels // (tail if number > 12 else 1),
        expanded=expanded,
        kernel=kernel,
        stride=stride,
        squeezed=round_channels(expanded / 4) if squeeze else 0,
    )


def mobilenet_v3_large() -> Workload:
    """MobileNetV3-Large."""
    net = Network("mobilenet_v3_large", "Howard et al., ICCV 2019")
    x = conv(net, "conv1", net.input(1, 3, 224, 224), 16, 3, 2)
    for number in range(1, len(MOBILENET_V3_LARGE) + 1):
        x = mobilenet_v3_block(net, number, x)
    x = global_pool(net, "pool", conv(net, "conv2", x, 960))
    linear(net, "fc2", linear(net, "fc1", flat(net, x), 1280), 1000)
    return net.workload()


MOBILENET_EDGETPU = (
    (True, 3, 1, 16, 1, 1),
    (True, 3, 8, 32, 2, 1),
    (True, 3, 4, 32, 1, 3),
    (True, 3, 8, 48, 2, 1),
    (True, 3, 4, 48, 1, 3),
    (False, 3, 8, 96, 2, 1),
    (False, 3, 4, 96, 1, 3),
    (False, 3, 8, 96, 1, 1),
    (False, 3, 4, 96, 1, 3),
    (False, 5, 8, 160, 2, 1),
    (False, 5, 4, 160, 1, 3),
    (False, 3, 8, 192, 1, 1),
)
"""Fused, kernel, expansion factor, channels, stride, repeats.

Source: `V3_EDGETPU` in TensorFlow's slim/nets/mobilenet/mobilenet_v3.py. The block with factor 8
and stride 1 among those with 96 channels has no residual connection there."""


def mobilenet_edgetpu() -> Workload:
    """MobileNetEdgeTPU at depth multiplier 1."""
    net = Network("mobilenet_edgetpu", "Gupta and Akin, 2020; TensorFlow models, V3_EDGETPU")
    x = conv(net, "conv1", net.input(1, 3, 224, 224), 32, 3, 2)
    block = 0
    for fused, kernel, factor, channels, stride, repeats in MOBILENET_EDGETPU:
        for _ in range(repeats):
            block += 1
            x = inverted_residual(
                net,
                f"block{block}",
                x,
                channels,
                expanded=x.shape[1] * factor,
                kernel=kernel,
                stride=stride,
                fused=fused,
                residual=factor != 8,
            )
    x = global_pool(net, "pool", conv(net, "conv2", x, 1280))
    linear(net, "fc", flat(net, x), 1000)
    return net.workload()


MNASNET_B1 = (
    (3, 3, 24, 3, 2),
    (5, 3, 40, 3, 2),
    (5, 6, 80, 3, 2),
    (3, 6, 96, 2, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
"""Kernel, expansion factor, channels, repeats, first stride.

Source: Tan et al., "MnasNet", CVPR 2019; B1, the variant without squeeze-and-excite, as in
TensorFlow's mnasnet and torchvision's `mnasnet1_0`."""

EFFICIENTNET_B0 = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
"""The same for EfficientNet-B0. Source: Tan and Le, "EfficientNet", ICML 2019, table 1."""


def mnasnet() -> Workload:
    """MnasNet-B1."""
    net = Network("mnasnet", "Tan et al., CVPR 2019 (B1)")
    x = conv(net, "conv1", net.input(1, 3, 224, 224), 32, 3, 2)
    x = inverted_residual(net, "block0", x, 16, expanded=32)
    return _mobile_stages(net, x, MNASNET_B1, squeeze=False)


def efficientnet_b0() -> Workload:
    """EfficientNet-B0."""
    net = Network("efficientnet_b0", "Tan and Le, ICML 2019")
    x = conv(net, "conv1", net.input(1, 3, 224, 224), 32, 3, 2)
    return _mobile_stages(net, x, EFFICIENTNET_B0, squeeze=True)


def _mobile_stages(
    net: Network, x: Tensor, stages: tuple[tuple[int, ...], ...], *, squeeze: bool
) -> Workload:
    block = 0
    for kernel, factor, channels, repeats, stride in stages:
        for place in range(repeats):
            block += 1
            x = inverted_residual(
                net,
                f"block{block}",
                x,
                channels,
                expanded=x.shape[1] * factor,
                kernel=kernel,
                stride=1 if place else stride,
                squeezed=x.shape[1] // 4 if squeeze else 0,
            )
    x = global_pool(net, "pool", conv(net, "conv2", x, 1280))
    linear(net, "fc", flat(net, x), 1000)
    return net.workload()
