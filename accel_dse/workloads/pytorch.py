"""Turns a PyTorch module into a workload, by tracing it with `torch.export`."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from accel_dse.errors import WorkloadError
from accel_dse.workload import Workload
from accel_dse.workloads.network import Network, Shape, Tensor
from accel_dse.workloads.pytorch_operators import MULTIPLY, OPERATORS, PARTS, Call


def trace(
    module: Any,
    inputs: Sequence[Any],
    *,
    keywords: Mapping[str, Any] | None = None,
    name: str = "",
) -> Workload:
    """The layers that `module` runs on `inputs`, at inference.

    Only shapes matter: both may live on the device `meta`, which holds no data.

    Args:
        module: a `torch.nn.Module`; left as it was.
        inputs: example tensors, in the order of its `forward`.
        keywords: example tensors that `forward` takes by name.
        name: of the workload; the class of `module` if not given.

    Returns:
        A workload; what has no cost here is listed in its `unknown`.

    Raises:
        WorkloadError: `torch.export` cannot trace it, or nothing in it multiplies.
    """
    import torch

    name = name or type(module).__name__
    training = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about running the program, which nobody will
            program = torch.export.export(module, tuple(inputs), dict(keywords or {}))
    except Exception as error:  # whatever the module's own code raises: it cannot be traced
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        raise WorkloadError(
            f"{name}: torch.export cannot trace it: {type(error).__name__}: {reason}"
        ) from error
    finally:
        for part, was_training in training.items():
            part.training = was_training
    return _Tracer(name, program).workload()


class _Tracer:
    """Walks the nodes of an exported program, which are in execution order, and records them."""

    def __init__(self, name: str, program: Any) -> None:
        signature = program.graph_signature
        self.graph = program.graph
        self.stored = {
            *signature.inputs_to_parameters,
            *signature.inputs_to_buffers,
            *signature.inputs_to_lifted_tensor_constants,
        }
        self.net = Network(name, f"PyTorch module {name}")
        self.made: dict[Any, Tensor] = {}

    def workload(self) -> Workload:
        for node in self.graph.nodes:
            if node.op == "placeholder":
                self._record_input(node)
            elif node.op == "call_function":
                self._record(node)
            elif node.op == "output":
                for x in _leaves(node.args):
                    if x in self.made:
                        self.net.output(self.made[x])
        return self.net.workload()

    def _record_input(self, node: Any) -> None:
        shape = _shape(node)
        if shape is not None:
            stored = node.name in self.stored
            self.made[node] = self.net.stored(*shape) if stored else self.net.input(*shape)

    def _record(self, node: Any) -> None:
        kind, arguments = _kind(node), _arguments(node)
        if kind == "getitem":
            self._record_part(node)
            return
        if kind.startswith("_assert"):
            return
        operator = OPERATORS.get(kind)
        name = _name(node)
        result = None
        if operator is not None:
            values = {key: self._value(value) for key, value in arguments.items()}
            shape = _shape(node) or ()
            try:
                result = operator(Call(self.net, name, kind, values, shape))
            except (LookupError, ValueError, TypeError, AttributeError) as error:
                raise WorkloadError(f"{name} ({node.target}): not understood: {error}") from error
        if result is not None:
            self.made[node] = result
        elif kind in MULTIPLY:
            raise WorkloadError(f"{name} ({node.target}): cannot tell what it multiplies")
        else:
            self._pass_over(node, name)

    def _record_part(self, node: Any) -> None:
        """One of several results."""
        source, place = node.args
        shape = _shape(node)
        if source not in self.made or shape is None or not node.users:
            return
        x = self.made[source]
        whole = place == 0 and _kind(source) not in PARTS
        self.made[node] = self.net.view(x, shape) if whole else self.net.rearrange([x], shape)

    def _pass_over(self, node: Any, name: str) -> None:
        reads = [self.made[x] for x in _leaves((node.args, node.kwargs)) if x in self.made]
        shape = _shape(node)
        stored = bool(reads) and all(x.stored for x in reads)
        if not stored:
            self.net.unknown(name, str(node.target))
            for x in reads:
                self.net.output(x)
        if shape is not None:
            self.made[node] = self.net.stored(*shape) if stored else self.net.input(*shape)

    def _value(self, value: Any) -> Any:
        """An argument, with the tensor it stands for in place of a node."""
        if isinstance(value, (list, tuple)):
            return [self._value(item) for item in value]
        return self.made.get(value) if hasattr(value, "users") else value


def _kind(node: Any) -> str:
    """The operator's name, without its overload and without the mark of working in place."""
    packet = getattr(node.target, "overloadpacket", None)
    name: str = getattr(packet or node.target, "__name__", str(node.target))
    return name.rstrip("_") if packet is not None else name


def _arguments(node: Any) -> dict[str, Any]:
    """Its arguments by name, defaults included, in the order of the operator's schema."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {}
    given = {**dict(zip((a.name for a in schema.arguments), node.args)), **node.kwargs}
    return {a.name: given.get(a.name, a.default_value) for a in schema.arguments}


def _name(node: Any) -> str:
    """The module that runs it, or where there is none its own name."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return (stack[-1][0] if stack else "") or str(node.name)


def _shape(node: Any) -> Shape | None:
    """The shape of its result, or of the first of several; none if it is no tensor."""
    value = node.meta.get("val")
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    shape = getattr(value, "shape", None)
    return None if shape is None else tuple(int(extent) for extent in shape)


def _leaves(value: Any) -> list[Any]:
    """All nodes in nested arguments."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value] if hasattr(value, "users") else []
