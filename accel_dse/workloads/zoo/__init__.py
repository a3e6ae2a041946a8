"""Networks by name, built from their published descriptions in a few milliseconds each.

MACs and weights agree with published figures; `tests/workloads/test_zoo.py` cites them.
"""

from collections.abc import Callable, Mapping
from functools import partial

from accel_dse.workload import Workload
from accel_dse.workloads.zoo import classification, codesign, detection, language, segmentation

NETWORKS: Mapping[str, Callable[[], Workload]] = {
    "alexnet": classification.alexnet,
    "vgg16": classification.vgg16,
    "resnet18": classification.resnet18,
    "resnet50": classification.resnet50,
    "mobilenet_v2": classification.mobilenet_v2,
    "mobilenet_v3_large": classification.mobilenet_v3_large,
    "mobilenet_edgetpu": classification.mobilenet_edgetpu,
    "mnasnet": classification.mnasnet,
    "efficientnet_b0": classification.efficientnet_b0,
    "ssd_mobilenet_v1": detection.ssd_mobilenet_v1,
    "ssdlite_mobilenet_v2": detection.ssdlite_mobilenet_v2,
    "ssdlite_mobilenet_v3": detection.ssdlite_mobilenet_v3,
    "ssdlite_mobilenet_v2_035": detection.ssdlite_mobilenet_v2_035,
    "unet": segmentation.unet,
    "unet_small": segmentation.unet_small,
    "bert_base": language.bert_base,
    "gpt2_prefill": language.gpt2_prefill,
    "gpt2_decode": language.gpt2_decode,
    "t_rnn_encoder": language.t_rnn_encoder,
    "t_rnn_decoder": language.t_rnn_decoder,
    "dqn": codesign.dqn,
    "mlp": codesign.mlp,
    **{name: partial(codesign.family, name) for name in codesign.LAYERS},
    **{
        layer.name: partial(codesign.single, layer.name)
        for layers in codesign.LAYERS.values()
        for layer in layers
    },
}
