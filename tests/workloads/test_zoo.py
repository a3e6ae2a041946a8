"""The zoo against what is published about its networks."""

from dataclasses import dataclass

import pytest

from accel_dse.workload import Layer, Workload
from accel_dse.workloads.load import load, names
from accel_dse.workloads.zoo.detection import build_ssdlite_v2
from accel_dse.workloads.zoo.segmentation import build_unet

TORCHVISION = "torchvision 0.28, `meta['num_params']` and `meta['_ops']` of the weights"
OPEN_MODEL_ZOO = "OpenVINO Open Model Zoo, specification table of the model's README"


@dataclass(frozen=True)
class Published:
    """MACs, in the digits they are printed with, and parameters with biases and normalization."""

    macs: float
    parameters: int
    source: str


PUBLISHED = {
    "alexnet": Published(
        724e6, 60_965_224, "Sze et al., Proc. IEEE 2017, table II; Caffe bvlc_alexnet"
    ),
    "vgg16": Published(15.47e9, 138_357_544, TORCHVISION),
    "resnet18": Published(1.814e9, 11_689_512, TORCHVISION),
    "resnet50": Published(4.089e9, 25_557_032, TORCHVISION),
    "mobilenet_v2": Published(0.301e9, 3_504_872, TORCHVISION),
    "mobilenet_v3_large": Published(0.217e9, 5_483_032, TORCHVISION),
    "mobilenet_edgetpu": Published(
        990e6, 4_091_432, "MACs: TensorFlow slim/nets/mobilenet README; parameters: timm 1.0"
    ),
    "mnasnet": Published(0.314e9, 4_383_312, TORCHVISION),
    "efficientnet_b0": Published(0.386e9, 5_288_548, TORCHVISION),
    "ssdlite_mobilenet_v3": Published(0.583e9, 3_440_060, TORCHVISION),
}
"""Classifiers and detectors: exact numbers of parameters, MACs to three digits or more."""

BIASED = ("fc", "squeeze", "excite", "class", "box")
"""Layers with a bias; all others have batch norm, a scale and an offset a channel."""


def parameters(workload: Workload, normalized: bool = True) -> int:
    def beside(layer: Layer) -> int:
        last = layer.name.rpartition("/")[2]
        biased = not normalized or last.startswith(BIASED)
        return layer.G * layer.K * (1 if biased else 2)

    return workload.weights + sum(beside(layer) for layer in workload.layers)


@pytest.mark.parametrize("name", PUBLISHED)
def test_macs_and_parameters_are_the_published_ones(name):
    workload, published = load(name), PUBLISHED[name]
    assert workload.macs == pytest.approx(published.macs, rel=0.01)
    assert parameters(workload, name not in {"alexnet", "vgg16"}) == published.parameters


OPERATIONS = {
    "mobilenet_v2": (0.615e9, 3.489e6),
    "ssd_mobilenet_v1": (2.494e9, 6.807e6),
    "ssdlite_mobilenet_v2": (1.525e9, 4.475e6),
    "vgg16": (30.974e9, 138.358e6),
}
"""Operations and parameters. Source: OPEN_MODEL_ZOO (mobilenet-v2, ssd_mobilenet_v1_coco, ...)."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_the_published_ones(name):
    """Their tool counts two operations for a MAC, and two for a result: bias and activation."""
    workload, (operations, published) = load(name), OPERATIONS[name]
    results = sum(layer.words("outputs") for layer in workload.layers)
    assert 2 * (workload.macs + results) == pytest.approx(operations, rel=0.001)
    assert parameters(workload, name != "vgg16") == pytest.approx(published, rel=0.01)


def test_small_ssdlite_agrees_to_the_digits_printed():
    """Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, table 6; 0.16 B is cut off."""
    small = load("ssdlite_mobilenet_v2_035")
    assert small.weights == pytest.approx(0.93e6, rel=0.01)
    assert int(small.macs / 1e7) == 16
    half, whole = build_ssdlite_v2("half", 320, 0.5), build_ssdlite_v2("whole", 320, 1.0)
    assert half.weights == pytest.approx(1.54e6, rel=0.01)
    assert half.macs == pytest.approx(0.27e9, rel=0.01)
    assert whole.macs == pytest.approx(0.80e9, rel=0.01)


def test_unet_agrees_with_the_published_padded_variant():
    """Source: OPEN_MODEL_ZOO, unet-camvid-onnx-0001: 260.1 GFLOPs, 31.03 M parameters."""
    camvid = build_unet("camvid", (3, 368, 480), classes=12, padded=True)
    results = sum(layer.words("outputs") for layer in camvid.layers)
    assert 2 * (camvid.macs + results) == pytest.approx(260.1e9, rel=0.001)
    assert camvid.weights == pytest.approx(31.03e6, rel=0.001)
    assert load("unet").weights == pytest.approx(31.03e6, rel=0.001)


def test_unet_has_the_sizes_of_its_paper():
    """Source: Ronneberger et al., MICCAI 2015, figure 1."""
    convs = [570, 568, 282, 280, 138, 136, 66, 64, 30, 28, 54, 52, 102, 100, 198, 196, 390, 388]
    unet = load("unet")
    assert [layer.P for layer in unet.layers if layer.R == 3] == convs
    assert [layer.P for layer in unet.layers if layer.R == 1] == [28, 52, 100, 196, 388]


def test_small_unet_has_the_operations_of_prime():
    """Source: Kumar et al. (PRIME), ICLR 2022: 13,707,214,848 operations."""
    assert 2 * load("unet_small").macs == pytest.approx(13_707_214_848, rel=0.01)


def test_bert_base_agrees():
    """Sources: 110 M parameters, Devlin et al., NAACL 2019; 109,482,240 in Hugging Face's
    bert-base-uncased; 22.3874 GOps, OPEN_MODEL_ZOO, bert-base-ner: no pooler, but 9 classes."""
    bert = load("bert_base")
    width, pooler = 768, 768 * 768
    embeddings = (30522 + 512 + 2) * width
    norms = (1 + 2 * 12) * 2 * width
    biases = sum(layer.K for layer in bert.layers if layer.weights_stored)
    assert bert.weights + embeddings + norms + biases == 109_482_240
    assert 2 * (bert.macs - pooler + 128 * width * 9) == pytest.approx(22.3874e9, rel=0.01)


def test_gpt2_agrees():
    """Sources: 124,439,808 parameters in Hugging Face's gpt2, the output layer shared with the
    embedding; 293.0489 GFLOPs, OPEN_MODEL_ZOO, gpt-2: 1024 tokens, scores for each."""
    prefill, width, head = load("gpt2_prefill"), 768, 768 * 50257
    norms = (1 + 2 * 12) * 2 * width
    biases = 12 * (3 + 1 + 4 + 1) * width
    assert prefill.weights + 1024 * width + norms + biases == 124_439_808
    assert 2 * (prefill.macs + 1023 * head) == pytest.approx(293.0489e9, rel=0.01)


def test_a_decode_step_multiplies_by_every_weight_once_and_attends_to_all():
    """Source: Hoffmann et al., "Training compute-optimal large language models", 2022, appendix F:
    for a token, `2 * context * width` MACs of attention a layer beside the weights."""
    decode = load("gpt2_decode")
    assert decode.macs == decode.weights + 12 * 2 * 1024 * 768


def test_transducer_agrees():
    """Sources: 120 M parameters in all: He et al., ICASSP 2019, as cited in the README of MLPerf
    Inference's rnnt; 23 M in the decoder: Botros et al., "Tied & reduced RNN-T decoder", 2021."""
    encoder, decoder = load("t_rnn_encoder"), load("t_rnn_decoder")
    embedding = 4096 * 128
    assert encoder.weights + decoder.weights + embedding == pytest.approx(120e6, rel=0.01)
    assert decoder.weights == pytest.approx(23e6, rel=0.01)
    before_joining = sum(layer.words("weights") for layer in encoder.layers[:4])
    assert encoder.macs == encoder.weights + before_joining
    assert decoder.macs == decoder.weights


def test_dqn_agrees():
    """Source: Rusu et al., "Policy distillation", ICLR 2016, table 2: 1,693,362 parameters."""
    dqn = load("dqn")
    assert dqn.weights + sum(layer.K for layer in dqn.layers) == 1_693_362
    by_hand = 20 * 20 * 32 * 4 * 64 + 9 * 9 * 64 * 32 * 16 + 7 * 7 * 64 * 64 * 9
    assert dqn.macs == by_hand + 3136 * 512 + 512 * 18


def test_mlp_agrees():
    """Source: Han et al., "Learning both weights and connections", NeurIPS 2015: LeNet-300-100
    has 267 K parameters."""
    mlp = load("mlp")
    assert mlp.weights + sum(layer.K for layer in mlp.layers) == 266_610
    assert mlp.macs == mlp.weights


def test_codesign_layers_are_layers_of_the_networks_they_are_named_after():
    def shapes(name):
        return {layer.shape for layer in load(name).layers}

    assert shapes("resnet_k") <= shapes("resnet18")
    assert shapes("dqn_k") <= shapes("dqn")
    singles = [name for name in names() if name[:-1].endswith("_k")]
    assert len(singles) == 12
    assert {load(name).layers for name in singles} == {
        (layer,)
        for family in ("resnet_k", "dqn_k", "mlp_k", "transformer_k")
        for layer in load(family).layers
    }


@pytest.mark.parametrize("name", names())
def test_every_network_says_where_it_comes_from_and_is_fully_understood(name):
    workload = load(name)
    assert workload.name == name
    assert workload.source
    assert not workload.unknown


def follows(workload: Workload) -> dict[str, bool]:
    return {layer.name: layer.follows for layer in workload.layers}


def test_a_layer_follows_where_nobody_else_reads_its_input():
    mobilenet = follows(load("mobilenet_v2"))
    assert mobilenet["block3/depthwise"]
    assert mobilenet["block3/project"]
    assert mobilenet["block2/expand"], "nothing skips block 2, which halves the image"
    assert not mobilenet["block3/expand"], "block 3's input is also added to its result"
    assert not mobilenet["conv1"], "the image comes from outside"
    assert not mobilenet["fc"], "pooled in between"


def test_residual_adds_pooling_and_attention_move_data_but_activations_do_not():
    ops = [op.name for op in load("resnet18").vector_ops]
    assert ops[0] == "pool1"
    assert ops[-1] == "pool5"
    assert len(ops) == 2 + 8
    kinds = {op.name.rpartition("/")[2] for op in load("bert_base").vector_ops}
    assert kinds == {"embed", "norm", "softmax", "add1", "norm1", "add2", "norm2"}
