"""Writes mobilenet_v2.onnx: MobileNetV2 as a valid, runnable ONNX network without trained weights.

Each weight is a `ConstantOfShape`, so the file holds shapes only and stays small.

    python notebooks/networks/make.py

Source: Sandler et al., "MobileNetV2", CVPR 2018, table 2.
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

BOTTLENECKS = (  # expansion, channels, repeats, first stride
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Graph:
    """Nodes and weights of one network; each method adds an operation and returns its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def operation(self, kind: str, name: str, *inputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, [*inputs], [name], name=name, **attributes))
        return name

    def constant(self, name: str, kind: int, shape: list[int], values: list[float]) -> str:
        self.weights.append(helper.make_tensor(name, kind, shape, values))
        return name

    def weight(self, name: str, *shape: int) -> str:
        sizes = self.constant(f"{name}.shape", TensorProto.INT64, [len(shape)], [*shape])
        return self.operation("ConstantOfShape", name, sizes)

    def conv(
        self,
        name: str,
        x: str,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        relu6: bool = True,
    ) -> str:
        weight = self.weight(f"{name}.weight", outputs, inputs // groups, kernel, kernel)
        y = self.operation(
            "Conv",
            name,
            x,
            weight,
            self.weight(f"{name}.bias", outputs),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
            group=groups,
        )
        return self.operation("Clip", f"{name}.relu6", y, "zero", "six") if relu6 else y


def mobilenet_v2() -> onnx.ModelProto:
    graph = Graph()
    graph.constant("zero", TensorProto.FLOAT, [], [0.0])
    graph.constant("six", TensorProto.FLOAT, [], [6.0])
    channels = 32
    x = graph.conv("conv1", "image", 3, channels, kernel=3, stride=2)
    for stage, (expansion, outputs, repeats, first_stride) in enumerate(BOTTLENECKS, 1):
        for place in range(repeats):
            name = f"bottleneck{stage}.{place}"
            stride = 1 if place else first_stride
            inner = channels * expansion
            y = graph.conv(f"{name}.expand", x, channels, inner) if expansion > 1 else x
            y = graph.conv(f"{name}.depthwise", y, inner, inner, 3, stride, groups=inner)
            y = graph.conv(f"{name}.project", y, inner, outputs, relu6=False)
            same = stride == 1 and channels == outputs
            x = graph.operation("Add", f"{name}.add", x, y) if same else y
            channels = outputs
    x = graph.conv("conv2", x, channels, 1280)
    x = graph.operation("Flatten", "flat", graph.operation("GlobalAveragePool", "pool", x))
    weight, bias = (
        graph.weight("classifier.weight", 1280, 1000),
        graph.weight("classifier.bias", 1000),
    )
    graph.operation("Gemm", "scores", x, weight, bias)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1000])
    return helper.make_model(
        helper.make_graph(graph.nodes, "mobilenet_v2", [image], [scores], graph.weights),
        producer_name="accel_dse",
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 17)],
    )


if __name__ == "__main__":
    model = mobilenet_v2()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, Path(__file__).with_name("mobilenet_v2.onnx"))
