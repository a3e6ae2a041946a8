"""Reads networks in ONNX, the format that PyTorch, TensorFlow and others export to.

Weights are not needed: a file whose external data is absent, or that has no data at all, will do.
"""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import inliner

from accel_dse.errors import WorkloadError
from accel_dse.workload import Workload
from accel_dse.workloads.network import Network, Shape, Tensor
from accel_dse.workloads.onnx_operators import MULTIPLY, OPERATORS, WEIGHT_OPERANDS, Node
from accel_dse.workloads.onnx_shapes import SMALL_TENSOR_ELEMENTS, infer_shapes

LARGEST_FILE_BYTES = 2**31 - 1
"""Source: Protocol Buffers cannot hold more in one message."""

MALFORMED = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What the `onnx` package and the operators raise about a file that breaks the format's rules."""


def load(path: Path | str, *, shapes: Mapping[str, int] | None = None) -> Workload:
    """The layers of a network.

    An input of the graph that is only ever the second operand of a multiply without a batch is
    taken for a weight, as in files from which the weights were removed. Branches and loops are not
    entered: `If`, `Loop` and `Scan` are listed as unknown.

    Args:
        path: of the `.onnx` file.
        shapes: values of symbolic dimensions, as `{"batch": 1}`; an input's dimension without a
            name is called `"input[axis]"`.

    Returns:
        A workload; what has no cost here is listed in its `unknown`.

    Raises:
        WorkloadError: not an ONNX file, or a shape that matters is not known.
    """
    path = Path(path)
    try:
        model = _read(path)
        _drop_data(model)
        if model.functions:
            model = inliner.inline_local_functions(model)
        _set_shapes(model, shapes or {})
        return _Importer(Network(path.stem, str(path)), model.graph, infer_shapes(model)).workload()
    except WorkloadError as error:
        raise WorkloadError(f"{path}: {error}", hint=error.hint) from error
    except MALFORMED as error:
        raise WorkloadError(f"{path}: malformed: {_one_line(error)}") from error


def _read(path: Path) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise WorkloadError(
                f"{size / 2**30:.1f} GiB, but an ONNX file holds less than 2 GiB",
                hint="save its weights apart: onnx.save(model, path, save_as_external_data=True)",
            )
        model.ParseFromString(path.read_bytes())
    except OSError as error:
        raise WorkloadError(f"cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise WorkloadError("not an ONNX file, or cut short") from error
    if not model.graph.node or not model.opset_import:
        raise WorkloadError("not an ONNX file, or cut short: it holds no operation")
    return model


def _drop_data(model: onnx.ModelProto) -> None:
    """Forgets the values of weights, so that nothing below copies them."""
    constants = [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    for tensor in (*model.graph.initializer, *constants):
        if math.prod(tensor.dims) > SMALL_TENSOR_ELEMENTS:
            for field, _ in tensor.ListFields():
                if field.name.endswith("_data"):
                    tensor.ClearField(field.name)


def _set_shapes(model: onnx.ModelProto, shapes: Mapping[str, int]) -> None:
    """Gives the inputs' symbolic dimensions their values.

    Raises:
        WorkloadError: one has no value, or a value belongs to none.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    known, missing = set(), []
    for value in model.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            name = dim.dim_param or f"{value.name}[{axis}]"
            if value.name in weights or (dim.dim_value > 0 and not dim.dim_param):
                continue
            known.add(name)
            if name not in shapes:
                missing.append(name)
            elif not isinstance(shapes[name], int) or not 1 <= shapes[name] < 2**31:
                raise WorkloadError(
                    f"dimension {name!r}: expected a whole number >= 1, got {shapes[name]}"
                )
            else:
                dim.dim_value = shapes[name]
    if missing:
        missing = list(dict.fromkeys(missing))
        flags = " ".join(f"--shape {name}=1" for name in missing)
        example = ", ".join(f'"{name}": 1' for name in missing)
        raise WorkloadError(
            f"no value for the dimensions {', '.join(missing)}",
            hint=f"{flags}, or from Python shapes={{{example}}}",
        )
    if extra := set(shapes) - known:
        raise WorkloadError(
            f"no input has a dimension named {', '.join(sorted(extra))}",
            hint=f"its symbolic dimensions: {', '.join(sorted(known)) or 'none'}",
        )
    if known:  # they may be written out in shapes inferred earlier; infer those again
        del model.graph.value_info[:]
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")


class _Importer:
    """Walks the nodes of a graph, which are in execution order, and records them."""

    def __init__(self, net: Network, graph: onnx.GraphProto, shapes: dict[str, Shape]) -> None:
        self.net = net
        self.graph = graph
        self.shapes = shapes
        self.tensors: dict[str, Tensor] = {}
        self.used = Counter(name for node in graph.node for name in node.input)
        self.used.update(value.name for value in graph.output)

    def workload(self) -> Workload:
        self._record_inputs()
        for proto in self.graph.node:
            self._record(proto)
        for value in self.graph.output:
            if value.name in self.tensors:
                self.net.output(self.tensors[value.name])
        return self.net.workload()

    def _record_inputs(self) -> None:
        weights = {tensor.name: tuple(tensor.dims) for tensor in self.graph.initializer}
        for sparse in self.graph.sparse_initializer:
            weights[sparse.values.name] = tuple(sparse.dims)
        operands: dict[str, set[bool]] = {}
        for node in self.graph.node:
            for place, name in enumerate(node.input):
                matrix = len(self.shapes.get(name, ())) <= 2 or node.op_type != "MatMul"
                is_weight = matrix and place in WEIGHT_OPERANDS.get(node.op_type, ())
                operands.setdefault(name, set()).add(is_weight)
        for value in self.graph.input:
            shape = self.shapes.get(value.name)
            if operands.get(value.name) == {True} and shape is not None:
                weights.setdefault(value.name, shape)
            elif value.name not in weights and shape is not None:
                self.tensors[value.name] = self.net.input(*shape)
        for name, shape in weights.items():
            self.tensors[name] = self.net.stored(*shape)

    def _record(self, proto: onnx.NodeProto) -> None:
        name = proto.name or next(filter(None, proto.output), proto.op_type)
        kind = (
            proto.op_type if proto.domain in {"", "ai.onnx"} else f"{proto.domain}.{proto.op_type}"
        )
        operator = OPERATORS.get(kind)
        blocked = [i for i in proto.input if i and i not in self.tensors]
        blocked += [o for o in proto.output[:1] if o and o not in self.shapes]
        if operator is None or blocked:
            if kind in MULTIPLY:
                raise WorkloadError(
                    f"{name} ({kind}): the shape of {blocked[0]!r} is not known",
                    hint="save the network with fixed input sizes and inferred shapes",
                )
            self._pass_over(proto, name, kind)
            return
        try:
            result = operator(self._node(proto, name, kind))
        except MALFORMED as error:
            raise WorkloadError(f"{name} ({kind}): malformed: {_one_line(error)}") from error
        if result is None:
            self._pass_over(proto, name, kind)
            return
        self.tensors[proto.output[0]] = result
        for other in proto.output[1:]:
            if self.used[other] and other in self.shapes:
                self.tensors[other] = self.net.rearrange([result], self.shapes[other])

    def _node(self, proto: onnx.NodeProto, name: str, kind: str) -> Node:
        return Node(
            net=self.net,
            name=name,
            kind=kind,
            inputs=tuple(self.tensors.get(i) for i in proto.input),
            shape=self.shapes.get(proto.output[0], ()),
            attributes={a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute},
        )

    def _pass_over(self, proto: onnx.NodeProto, name: str, kind: str) -> None:
        operands = [i for i in proto.input if i]
        reads = [self.tensors[i] for i in operands if i in self.tensors]
        if operands and len(reads) == len(operands) and all(x.stored for x in reads):
            made = {o: self.net.stored(*self.shapes[o]) for o in proto.output if o in self.shapes}
        else:
            self.net.unknown(name, kind)
            made = {o: self.net.input(*self.shapes[o]) for o in proto.output if o in self.shapes}
            for x in reads:
                self.net.output(x)
        self.tensors.update(made)


def _one_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
