"""The shapes of all tensors of an ONNX graph.

ONNX's own inference over a whole model stops where a shape is computed by the model itself, as
exporters of transformers like to do. Here each node is inferred in turn, and the arithmetic on
small constants is carried out on the way.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from accel_dse.errors import WorkloadError
from accel_dse.workloads.network import Shape

SMALL_TENSOR_ELEMENTS = 1024
"""Larger tensors do not hold shapes, so their values are not looked at."""

FOLDED = """
Add And Cast CastLike Ceil Concat Constant ConstantOfShape Div Equal Expand Floor Gather
Greater GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg Not Or Range ReduceMax
ReduceMin ReduceProd ReduceSum Reshape ScatterND Shape Size Slice Split Sqrt Squeeze Sub
Transpose Unsqueeze Where
"""
"""Operators that exporters compute shapes with."""


def infer_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """The shape of every tensor for which it can be told.

    Args:
        model: its inputs have fixed sizes; functions are inlined.

    Returns:
        Name of the tensor -> shape.

    Raises:
        WorkloadError: the shapes of a node's operands contradict each other.
    """
    inference = _Inference(model)
    for node in model.graph.node:
        inference.visit(node)
    return {
        name: shape for name, kind in inference.types.items() if (shape := _shape(kind)) is not None
    }


class _Inference:
    """One pass over a graph, in execution order.

    Attributes:
        types: name of a tensor -> element type and shape, as far as known.
        values: name of a small tensor that is known beforehand -> what it holds.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.opsets = list(model.opset_import)
        self.versions = {opset.domain: opset.version for opset in self.opsets}
        self.written = {value.name: value.type for value in (*graph.value_info, *graph.output)}
        self.types = {value.name: value.type for value in graph.input}
        self.values: dict[str, onnx.TensorProto] = {}
        for tensor in graph.initializer:
            self.types[tensor.name] = _type(tensor)
            if _has_small_data(tensor):
                self.values[tensor.name] = tensor

    def visit(self, node: onnx.NodeProto) -> None:
        inferred = self._infer(node)
        for name in filter(None, node.output):
            found = [t for t in (inferred.get(name), self.written.get(name)) if t is not None]
            known = [t for t in found if _shape(t) is not None]
            if found:
                self.types[name] = (known or found)[0]
        self._fold(node)

    def _infer(self, node: onnx.NodeProto) -> Mapping[str, onnx.TypeProto]:
        domain = "" if node.domain == "ai.onnx" else node.domain
        operands = [name for name in node.input if name]
        if any(name not in self.types for name in operands):
            return {}
        try:
            schema = onnx.defs.get_schema(node.op_type, self.versions.get(domain, 1), domain)
            inferred: Mapping[str, onnx.TypeProto] = shape_inference.infer_node_outputs(
                schema,
                node,
                {name: self.types[name] for name in operands},
                {name: self.values[name] for name in operands if name in self.values},
                opset_imports=self.opsets,
            )
        except onnx.defs.SchemaError:
            return {}
        except (shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            if all(name in self.written for name in node.output):
                return {}
            reason = next(line for line in str(error).splitlines() if line.strip())
            raise WorkloadError(f"{node.name or node.output[0]}: {reason}") from error
        return inferred

    def _fold(self, node: onnx.NodeProto) -> None:
        """Works out the values of `node`'s results, if they are small and known beforehand."""
        shapes = [_shape(self.types[o]) if o in self.types else None for o in node.output]
        if node.op_type not in FOLDED.split() or any(
            shape is None or math.prod(shape) > SMALL_TENSOR_ELEMENTS for shape in shapes
        ):
            return
        if node.op_type in {"Shape", "Size"}:
            results: list[Any] = self._shape_values(node)
        elif all(name in self.values for name in node.input if name):
            feeds = {name: numpy_helper.to_array(self.values[name]) for name in node.input if name}
            results = self._evaluate(node, feeds)
        else:
            return
        for name, result in zip(node.output, results):
            self.values[name] = numpy_helper.from_array(np.asarray(result), name)

    def _evaluate(self, node: onnx.NodeProto, feeds: dict[str, Any]) -> list[Any]:
        """What `node` makes of known operands; nothing where it cannot be run."""
        function = onnx.helper.make_function(
            "", "fold", list(feeds), list(node.output), [node], self.opsets
        )
        try:
            with np.errstate(all="ignore"):
                return list(ReferenceEvaluator(function).run(None, feeds, attributes={}))
        except (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError):
            return []

    def _shape_values(self, node: onnx.NodeProto) -> list[Any]:
        shape = _shape(self.types.get(node.input[0], onnx.TypeProto()))
        if shape is None:
            return []
        if node.op_type == "Size":
            return [np.array(math.prod(shape), np.int64)]
        bounds = {a.name: a.i for a in node.attribute}
        return [np.array(shape[bounds.get("start", 0) : bounds.get("end")], np.int64)]


def _type(tensor: onnx.TensorProto) -> onnx.TypeProto:
    return onnx.helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))


def _shape(kind: onnx.TypeProto) -> Shape | None:
    tensor = kind.tensor_type
    dims = tensor.shape.dim
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in dims):
        return None
    return tuple(dim.dim_value for dim in dims)


def _has_small_data(tensor: onnx.TensorProto) -> bool:
    return (
        math.prod(tensor.dims) <= SMALL_TENSOR_ELEMENTS
        and tensor.data_location != onnx.TensorProto.EXTERNAL
        and any(field.name.endswith("_data") for field, _ in tensor.ListFields())
    )
