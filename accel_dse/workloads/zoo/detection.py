"""Single-shot detectors of four sizes, with their heads. COCO: 90 classes and the background.

A head reads feature maps of strides 16 to 512 and predicts a box and a score for every class at
every anchor. "SSDLite" filters each channel on its own in the heads and extra layers.

Source: Liu et al., "SSD", ECCV 2016; SSDLite: Sandler et al., CVPR 2018, section 6.2. Layers and
anchors are those of TensorFlow's object detection models and of torchvision.
"""

from accel_dse.workload import Workload
from accel_dse.workloads.network import Network, Tensor
from accel_dse.workloads.zoo.blocks import conv, depthwise, inverted_residual, round_channels
from accel_dse.workloads.zoo.classification import (
    MOBILENET_V2,
    MOBILENET_V3_LARGE,
    mobilenet_v2_block,
    mobilenet_v3_block,
)

CLASSES = 91
EXTRAS = (512, 256, 256, 128)
"""Channels of the feature maps made from the backbone's last one, each of half the size."""

FEWER_AT_FIRST = (3, 6, 6, 6, 6, 6)
"""Anchors a place of each feature map. Source: `ssd_anchor_generator` of TensorFlow's models."""

MOBILENET_V1 = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
"""Channels and stride of its 13 separable blocks. Source: Howard et al., 2017, table 1."""


def ssd_mobilenet_v1() -> Workload:
    """SSD on MobileNetV1, 300 x 300; heads of 1x1 and extra layers of ordinary convolutions."""
    net = Network("ssd_mobilenet_v1", "Howard et al., 2017; TensorFlow ssd_mobilenet_v1_coco")
    x = conv(net, "conv1", net.input(1, 3, 300, 300), 32, 3, 2)
    maps = []
    for number, (channels, stride) in enumerate(MOBILENET_V1, 1):
        x = depthwise(net, f"block{number}/depthwise", x, 3, stride)
        x = conv(net, f"block{number}/pointwise", x, channels)
        if number in {11, 13}:
            maps.append(x)
    for number, channels in enumerate(EXTRAS, 1):
        x = conv(net, f"extra{number}/reduce", x, channels // 2)
        x = conv(net, f"extra{number}/filter", x, channels, 3, 2)
        maps.append(x)
    _heads(net, maps, FEWER_AT_FIRST, lite=False)
    return net.workload()


def ssdlite_mobilenet_v2() -> Workload:
    """SSDLite on MobileNetV2, 300 x 300."""
    return build_ssdlite_v2("ssdlite_mobilenet_v2", 300, 1.0)


def ssdlite_mobilenet_v2_035() -> Workload:
    """SSDLite on MobileNetV2 with 0.35 of the channels, 320 x 320."""
    return build_ssdlite_v2("ssdlite_mobilenet_v2_035", 320, 0.35)


def build_ssdlite_v2(name: str, pixels: int, width: float) -> Workload:
    """SSDLite on MobileNetV2, `pixels` x `pixels`, with channels scaled by `width`."""
    net = Network(name, "Sandler et al., CVPR 2018; TensorFlow ssdlite_mobilenet_v2_coco")
    x = conv(net, "conv1", net.input(1, 3, pixels, pixels), round_channels(32 * width), 3, 2)
    for number in range(1, 14):
        x = mobilenet_v2_block(net, number, x, width)
    factor, channels, stride = MOBILENET_V2[13]
    inner = conv(net, "block14/expand", x, x.shape[1] * factor)
    narrow = round_channels(channels * width)
    x = inverted_residual(net, "block14", inner, narrow, expanded=inner.shape[1], stride=stride)
    for number in range(15, len(MOBILENET_V2) + 1):
        x = mobilenet_v2_block(net, number, x, width)
    x = conv(net, "conv2", x, round_channels(1280 * width))
    extras = tuple(max(16, int(channels * width)) for channels in EXTRAS)
    _heads(net, [inner, x, *_lite_extras(net, x, extras)], FEWER_AT_FIRST, lite=True)
    return net.workload()


def ssdlite_mobilenet_v3() -> Workload:
    """SSDLite on MobileNetV3-Large, 320 x 320, its last stage halved."""
    net = Network("ssdlite_mobilenet_v3", "Howard et al., ICCV 2019; torchvision ssdlite320")
    x = conv(net, "conv1", net.input(1, 3, 320, 320), 16, 3, 2)
    for number in range(1, 13):
        x = mobilenet_v3_block(net, number, x)
    kernel, expanded, channels, _, stride = MOBILENET_V3_LARGE[12]
    inner = conv(net, "block13/expand", x, expanded)
    x = inverted_residual(
        net,
        "block13",
        inner,
        channels // 2,
        expanded=expanded,
        kernel=kernel,
        stride=stride,
        squeezed=round_channels(expanded / 4),
    )
    for number in range(14, len(MOBILENET_V3_LARGE) + 1):
        x = mobilenet_v3_block(net, number, x, tail=2)
    x = conv(net, "conv2", x, 480)
    _heads(net, [inner, x, *_lite_extras(net, x, EXTRAS)], (6,) * 6, lite=True)
    return net.workload()


def _lite_extras(net: Network, x: Tensor, extras: tuple[int, ...]) -> list[Tensor]:
    maps = []
    for number, channels in enumerate(extras, 1):
        x = conv(net, f"extra{number}/reduce", x, channels // 2)
        x = depthwise(net, f"extra{number}/depthwise", x, 3, 2)
        x = conv(net, f"extra{number}/expand", x, channels)
        maps.append(x)
    return maps


def _heads(net: Network, maps: list[Tensor], anchors: tuple[int, ...], *, lite: bool) -> None:
    for number, (x, places) in enumerate(zip(maps, anchors, strict=True), 1):
        for what, values in (("box", 4), ("class", CLASSES)):
            y = depthwise(net, f"head{number}/{what}/depthwise", x, 3) if lite else x
            conv(net, f"head{number}/{what}", y, places * values)
