"""Networks in ONNX: files of others, and small ones made here, good and bad."""

import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from accel_dse.errors import WorkloadError
from accel_dse.workload import Layer
from accel_dse.workloads import onnx as importer
from accel_dse.workloads.load import load

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "../shared/reference/onnx"
SHIPPED = ROOT / "notebooks/networks/mobilenet_v2.onnx"

with_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="the reference networks are not beside the checkout"
)


def model(nodes, inputs, outputs, weights=(), *, opset=17, functions=(), more_opsets=()):
    """A model whose `inputs`, `outputs` and `weights` are given by name and shape."""

    def infos(shapes):
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ]

    constants = []
    for name, value in dict(weights).items():
        if isinstance(value, tuple):  # a shape: declared, but without data
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=value)
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="absent.bin")
        else:
            tensor = numpy_helper.from_array(value, name)
        constants.append(tensor)
    graph = helper.make_graph(nodes, "g", infos(inputs), infos(outputs), constants)
    opsets = [helper.make_opsetid("", opset), *more_opsets]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=9)


@pytest.fixture
def read(tmp_path):
    def read_model(proto, **options):
        path = tmp_path / "net.onnx"
        path.write_bytes(proto.SerializeToString())
        return importer.load(path, **options)

    return read_model


def node(kind, inputs, outputs="y", **attributes):
    return helper.make_node(kind, inputs.split(), outputs.split(), name=kind.lower(), **attributes)


@with_reference
@pytest.mark.parametrize(
    ("file", "name"), [("resnet18.onnx", "resnet18"), ("mobilenetv2.onnx", "mobilenet_v2")]
)
def test_a_file_of_others_is_the_network_of_the_zoo(file, name):
    assert importer.load(REFERENCE / file).fingerprint() == load(name).fingerprint()


@with_reference
def test_alexnet_of_others_has_the_zoos_weights_on_a_smaller_image():
    """Its 224 x 224 image without padding makes 54 x 54; the paper's is in effect 227 x 227."""
    alexnet = importer.load(REFERENCE / "alexnet.onnx")
    assert [layer.P for layer in alexnet.layers] == [54, 26, 12, 12, 12, 1, 1, 1]
    assert alexnet.weights == load("alexnet").weights


@with_reference
@pytest.mark.parametrize(
    ("file", "macs", "weights"),
    [("light_vgg19.onnx", 19.632e9, 143_667_240), ("light_squeezenet.onnx", 0.349e9, 1_235_496)],
)
def test_weights_that_are_computed_from_shapes_count_as_published(file, macs, weights):
    """Source: torchvision, `vgg19` and `squeezenet1_1`, whose parameters include biases."""
    workload = importer.load(REFERENCE / file)
    biases = sum(layer.K for layer in workload.layers)
    assert workload.macs == pytest.approx(macs, rel=0.001)
    assert workload.weights + biases == weights
    assert not workload.unknown


@with_reference
def test_inputs_that_are_only_multiplied_by_are_weights():
    head = importer.load(REFERENCE / "attention_head.onnx")
    assert [layer.weights_stored for layer in head.layers] == [True, True, True, False, False]
    assert head.weights == 3 * 512 * 64


@with_reference
def test_functions_of_the_file_are_looked_into():
    swiglu = importer.load(REFERENCE / "swiglu_256_512_2048.onnx")
    assert swiglu.macs == 3 * 256 * 512 * 2048
    assert [op.name for op in swiglu.vector_ops] == ["Elt_Mul"], "Silu is an activation"


def test_the_shipped_network_is_the_one_of_the_zoo():
    shipped, zoo = importer.load(SHIPPED), load("mobilenet_v2")
    assert SHIPPED.stat().st_size < 100_000
    assert shipped.fingerprint() == zoo.fingerprint()
    assert [layer.shape for layer in shipped.unique()] == [layer.shape for layer in zoo.unique()]
    assert not shipped.unknown


def test_the_shipped_network_is_valid_onnx():
    onnx.checker.check_model(onnx.load(SHIPPED), full_check=True)


CONVOLUTIONS = {
    "plain": ("Conv", (8, 4, 3, 3), (1, 8, 6, 6), {}, Layer(name="conv", K=8, C=4)),
    "grouped": (
        "Conv",
        (8, 2, 3, 3),
        (1, 8, 6, 6),
        {"group": 2},
        Layer(name="conv", G=2, K=4, C=2),
    ),
    "depthwise": ("Conv", (4, 1, 3, 3), (1, 4, 6, 6), {"group": 4}, Layer(name="conv", G=4)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions(read, case):
    kind, weights, shape, attributes, expected = CONVOLUTIONS[case]
    conv = node(kind, "x w", **attributes)
    (layer,) = read(model([conv], {"x": (1, 4, 8, 8)}, {"y": shape}, {"w": weights})).layers
    assert (layer.G, layer.K, layer.C) == (expected.G, expected.K, expected.C)
    assert (layer.P, layer.Q, layer.R, layer.S) == (6, 6, 3, 3)


def test_padding_and_stride_show_in_the_output_alone(read):
    conv = node("Conv", "x w", strides=[2, 2], pads=[3, 3, 3, 3])
    net = model([conv], {"x": (1, 3, 224, 224)}, {"y": None}, {"w": (64, 3, 7, 7)})
    (layer,) = read(net).layers
    assert (layer.P, layer.Q, layer.stride) == (112, 112, (2, 2))


def test_a_transposed_convolution_has_no_zeros_to_multiply(read):
    up = node("ConvTranspose", "x w", strides=[2, 2])
    net = model([up], {"x": (1, 16, 5, 5)}, {"y": None}, {"w": (16, 8, 2, 2)})
    (layer,) = read(net).layers
    assert layer.macs == 5 * 5 * 16 * 8 * 4


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_gemm_in_every_order(read, trans_a, trans_b):
    gemm = node("Gemm", "x w b", transA=trans_a, transB=trans_b)
    x, w = (5, 4) if trans_a else (4, 5), (6, 5) if trans_b else (5, 6)
    workload = read(model([gemm], {"x": x}, {"y": None}, {"w": w, "b": (6,)}))
    assert workload.layers == (Layer(name="gemm", P=4, K=6, C=5),)
    assert not workload.vector_ops, "a bias is added as results pass by"


def test_a_product_of_two_activations_has_groups_and_no_weights(read):
    net = model([node("MatMul", "q k")], {"q": (2, 8, 10, 16), "k": (2, 8, 16, 30)}, {"y": None})
    (layer,) = read(net).layers
    assert layer == Layer(name="matmul", G=16, P=10, K=30, C=16, weights_stored=False)


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers(read, kind, gates):
    rnn = node(kind, "x w r", "y", hidden_size=16, direction="bidirectional")
    weights = {"w": (2, gates * 16, 20), "r": (2, gates * 16, 16)}
    workload = read(model([rnn], {"x": (7, 3, 20)}, {"y": None}, weights))
    assert workload.weights == 2 * gates * 16 * (20 + 16)
    assert workload.macs == 7 * 3 * workload.weights


def test_the_attention_operator_with_shared_heads_and_a_cache(read):
    attention = helper.make_node(
        "Attention",
        ["q", "k", "v", "", "pk", "pv"],
        ["y", "k2", "v2"],
        q_num_heads=8,
        kv_num_heads=2,
    )
    inputs = {"q": (1, 1, 128), "k": (1, 1, 32), "v": (1, 1, 32)}
    cache = {"pk": (1, 2, 63, 16), "pv": (1, 2, 63, 16)}
    outputs = {"y": None, "k2": None, "v2": None}
    scores, context = read(model([attention], inputs | cache, outputs, opset=23)).layers
    assert (scores.G, scores.P, scores.K, scores.C) == (2, 4, 64, 16)
    assert (context.G, context.P, context.K, context.C) == (2, 4, 16, 64)


def test_an_einsum_of_two_operands_is_a_product(read):
    einsum = node("Einsum", "q k", equation="bhid,bhjd->bhij")
    net = model([einsum], {"q": (2, 4, 10, 16), "k": (2, 4, 30, 16)}, {"y": (2, 4, 10, 30)})
    (layer,) = read(net).layers
    assert (layer.G, layer.P, layer.K, layer.C) == (8, 10, 30, 16)


def test_an_einsum_that_is_no_product_is_listed(read):
    nodes = [node("Einsum", "y", "z", equation="ij->i"), node("MatMul", "x w")]
    net = model(nodes[::-1], {"x": (4, 5)}, {"z": (4,)}, {"w": (5, 6)})
    assert read(net).unknown == ("einsum: Einsum",)


def test_a_quantized_convolution_finds_its_weights(read):
    conv = node("QLinearConv", "x xs xz w ws wz ys yz")
    scale, zero = np.float32(0.1), np.uint8(0)
    constants = dict.fromkeys(("xs", "ws", "ys"), np.array(scale))
    constants |= dict.fromkeys(("xz", "wz", "yz"), np.array(zero))
    net = model([conv], {"x": (1, 4, 8, 8)}, {"y": None}, constants)
    net.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    weights = TensorProto(name="w", data_type=TensorProto.UINT8, dims=(8, 4, 3, 3))
    net.graph.initializer.append(weights)
    (layer,) = read(net).layers
    assert (layer.K, layer.C, layer.weights_stored) == (8, 4, True)


def test_pooling_softmax_and_adds_move_data(read):
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
        node("Relu", "a", "b"),
        node("Add", "b x", "c"),
        node("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2]),
        node("Softmax", "d", "y"),
    ]
    workload = read(model(nodes, {"x": (1, 4, 8, 8)}, {"y": None}, {"w": (4, 4, 3, 3)}))
    assert [(op.name, op.reads, op.writes) for op in workload.vector_ops] == [
        ("add", 512, 256),
        ("maxpool", 256, 64),
        ("softmax", 64, 64),
    ]


def test_shapes_that_the_network_computes_itself_are_worked_out(read):
    """As exporters write `x.reshape(batch, tokens, heads, width // heads)`."""
    nodes = [
        node("MatMul", "x w", "a"),
        node("Shape", "a", "s"),
        node("Gather", "s two", "n"),
        node("Div", "n heads", "d"),
        node("Cast", "d", "e", to=TensorProto.INT64),
        node("Concat", "front heads e", "t", axis=0),
        node("Reshape", "a t", "r"),
        helper.make_node("MatMul", ["r", "v"], ["y"], name="second"),
    ]
    constants = {
        "w": (16, 24),
        "v": (6, 10),
        "two": np.array([2]),
        "heads": np.array([4]),
        "front": np.array([0, -1]),
    }
    workload = read(model(nodes, {"x": (2, 5, 16)}, {"y": None}, constants))
    assert workload.layers[1] == Layer(name="second", P=2 * 5 * 4, K=10, C=6, follows=True)


def test_symbolic_dimensions_need_values(read):
    net = model([node("MatMul", "x w")], {"x": ("batch", "seq", 16)}, {"y": None}, {"w": (16, 8)})
    with pytest.raises(WorkloadError, match="no value for the dimensions batch, seq") as caught:
        read(net)
    assert caught.value.hint == (
        '--shape batch=1 --shape seq=1, or from Python shapes={"batch": 1, "seq": 1}'
    )
    (layer,) = read(net, shapes={"batch": 2, "seq": 10}).layers
    assert layer.P == 20


def test_a_dimension_without_a_name_is_called_by_its_input_and_axis(read):
    net = model([node("MatMul", "x w")], {"x": (None, 16)}, {"y": None}, {"w": (16, 8)})
    with pytest.raises(WorkloadError, match=r"x\[0\]"):
        read(net)
    (layer,) = read(net, shapes={"x[0]": 3}).layers
    assert layer.P == 3


@pytest.mark.parametrize("value", [0, -1, 2.5, "4"])
def test_a_dimension_is_a_positive_whole_number(read, value):
    net = model([node("MatMul", "x w")], {"x": ("batch", 16)}, {"y": None}, {"w": (16, 8)})
    with pytest.raises(WorkloadError, match="dimension 'batch': expected a whole number"):
        read(net, shapes={"batch": value})


def test_a_value_for_no_dimension_is_a_mistake(read):
    net = model([node("MatMul", "x w")], {"x": ("batch", 16)}, {"y": None}, {"w": (16, 8)})
    with pytest.raises(WorkloadError, match="no input has a dimension named btach") as caught:
        read(net, shapes={"batch": 1, "btach": 1})
    assert "batch" in caught.value.hint


def test_an_operator_without_a_cost_is_listed_and_not_ignored(read):
    nodes = [node("MatMul", "x w", "a"), node("TopK", "a k", "y i")]
    net = model(nodes, {"x": (4, 16)}, {"y": None, "i": None}, {"w": (16, 8), "k": np.array([3])})
    workload = read(net)
    assert workload.unknown == ("topk: TopK",)
    assert len(workload.layers) == 1


def test_an_operator_of_another_domain_is_listed_by_its_full_name(read):
    nodes = [node("MatMul", "x w", "a"), node("Magic", "a", "y", domain="com.example")]
    extra = [helper.make_opsetid("com.example", 1)]
    net = model(nodes, {"x": (4, 16)}, {"y": (4, 8)}, {"w": (16, 8)}, more_opsets=extra)
    assert read(net).unknown == ("magic: com.example.Magic",)


def test_a_multiply_whose_shape_nobody_knows_is_an_error(read):
    nodes = [node("Magic", "x", "a", domain="com.example"), node("MatMul", "a w", "y")]
    extra = [helper.make_opsetid("com.example", 1)]
    net = model(nodes, {"x": (4, 16)}, {"y": None}, {"w": (16, 8)}, more_opsets=extra)
    with pytest.raises(WorkloadError, match=r"matmul \(MatMul\): the shape of 'a' is not known"):
        read(net)


def test_a_layer_norm_of_unknown_data_does_not_pass_for_a_constant(read):
    nodes = [
        node("MatMul", "x w", "a"),
        node("Magic", "a", "b", domain="com.example"),
        node("Add", "b bias", "c"),
        node("Gemm", "c w", "y"),
    ]
    extra = [helper.make_opsetid("com.example", 1)]
    weights = {"w": (16, 16), "bias": (16,)}
    net = model(nodes, {"x": (4, 16)}, {"y": (4, 16)}, weights, more_opsets=extra)
    with pytest.raises(WorkloadError, match="the shape of 'c' is not known"):
        read(net)


def test_a_three_dimensional_convolution_is_listed(read):
    nodes = [
        node("Conv", "v w3", "z"),
        helper.make_node("MatMul", ["x", "w"], ["y"], name="m"),
    ]
    inputs = {"x": (4, 16), "v": (1, 2, 5, 5, 5)}
    weights = {"w": (16, 8), "w3": (2, 2, 3, 3, 3)}
    workload = read(model(nodes, inputs, {"y": None, "z": None}, weights))
    assert workload.unknown == ("conv: Conv",)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x00" * 100, b"\x08\x09"])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(WorkloadError, match=r"net\.onnx: not an ONNX file, or cut short"):
        importer.load(path)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, kept):
    whole = SHIPPED.read_bytes()
    path = tmp_path / "net.onnx"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(WorkloadError, match="not an ONNX file, or cut short"):
        importer.load(path)


def test_a_damaged_file_is_still_a_network_or_one_clear_line(tmp_path):
    whole, path = SHIPPED.read_bytes(), tmp_path / "net.onnx"
    rng, refusals = random.Random(0), []
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            assert importer.load(path).macs > 0
        except WorkloadError as error:
            refusals.append(str(error))
    assert len(refusals) > 30
    assert all(text.startswith(f"{path}: ") and "\n" not in text for text in refusals)


def test_a_file_of_two_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "net.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(WorkloadError, match=r"2\.0 GiB, but an ONNX file holds less") as caught:
        importer.load(path)
    assert "save_as_external_data" in caught.value.hint


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(WorkloadError, match="cannot be read"):
            importer.load(path)


def test_operands_that_do_not_fit_are_refused(read):
    net = model([node("MatMul", "x w")], {"x": (4, 16)}, {"y": None}, {"w": (17, 8)})
    with pytest.raises(WorkloadError, match=r"net\.onnx: matmul"):
        read(net)


def test_a_node_without_its_operands_is_refused(read):
    net = model([node("Conv", "x")], {"x": (1, 4, 8, 8)}, {"y": (1, 8, 6, 6)})
    with pytest.raises(WorkloadError, match=r"conv \(Conv\): operand 1 is missing"):
        read(net)
