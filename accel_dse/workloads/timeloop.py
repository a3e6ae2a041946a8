"""Reads problems of Timeloop: one layer in YAML, in the forms of its versions 0.2 to 0.4."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accel_dse.errors import WorkloadError
from accel_dse.workload import DIMS, Layer, Workload
from accel_dse.workloads import timeloop_yaml

NOT_COSTED = frozenset({"H", "W", "Hpad", "Wpad", "name", "shape", "version"})
"""Keys of an instance that the loop bounds already account for."""

SHAPES: Mapping[str, Mapping[str, Any]] = {
    "cnn_layer": {
        "dimensions": ["R", "S", "P", "Q", "C", "K", "N"],
        "coefficients": [
            {"name": name, "default": 1}
            for name in ("Wstride", "Hstride", "Wdilation", "Hdilation")
        ],
        "data_spaces": [
            {"name": "Weights", "projection": [[["C"]], [["K"]], [["R"]], [["S"]]]},
            {
                "name": "Inputs",
                "projection": [
                    [["N"]],
                    [["C"]],
                    [["R", "Wdilation"], ["P", "Wstride"]],
                    [["S", "Hdilation"], ["Q", "Hstride"]],
                ],
            },
            {
                "name": "Outputs",
                "projection": [[["N"]], [["K"]], [["Q"]], [["P"]]],
                "read_write": True,
            },
        ],
    },
    "gemm_abz": {
        "dimensions": ["M", "N", "K"],
        "data_spaces": [
            {"name": "A", "projection": [[["M"]], [["K"]]]},
            {"name": "B", "projection": [[["N"]], [["K"]]]},
            {"name": "Z", "projection": [[["M"]], [["N"]]], "read_write": True},
        ],
    },
}
"""The shapes that a problem may name instead of spelling out.

Source: the files of `problem-shapes/` in NVlabs/timeloop, as data."""

Window = tuple[str, str]
"""A dimension and the name of its coefficient, "" for 1."""


@dataclass(frozen=True)
class _DataSpace:
    """A tensor: its name, whether it is written, and the terms of each of its axes."""

    name: str
    written: bool
    axes: tuple[tuple[Window, ...], ...]

    @property
    def dims(self) -> set[str]:
        return {dim for axis in self.axes for dim, _ in axis}


def load(path: Path | str) -> Workload:
    """The layer that a problem describes.

    What a dimension is, its data spaces tell: it indexes weights and outputs (output channels),
    weights and inputs (input channels, or a filter's taps where an axis of the inputs adds two
    dimensions), inputs and outputs (batch, rows, columns), or all three (groups).

    Raises:
        FileError: not YAML that is safe to read.
        WorkloadError: not a problem, or one that is no convolution and no matrix multiply.
    """
    path = Path(path)
    document = timeloop_yaml.read(path)
    try:
        problem = _mapping("the file", document)
        if "shape" not in problem and "instance" not in problem:
            problem = timeloop_yaml.merged(_mapping("problem", problem.get("problem")))
        layer, unknown = _layer(path.stem, problem)
    except WorkloadError as error:
        raise WorkloadError(f"{path}: {error}", hint=error.hint) from error
    return Workload(path.stem, (layer,), source=str(path), unknown=unknown)


def _layer(name: str, problem: Mapping[str, Any]) -> tuple[Layer, tuple[str, ...]]:
    """The layer, and what in its description has no meaning here."""
    shape = problem.get("shape", "cnn_layer")
    if isinstance(shape, str):
        key = shape.lower().replace("-", "_")
        if key not in SHAPES:
            raise WorkloadError(
                f"problem: shape: no shape is named {shape!r}",
                hint=f"known: {', '.join(SHAPES)}; or spell it out",
            )
        shape = SHAPES[key]
    shape = _mapping("problem: shape", shape)
    instance = _mapping("problem: instance", problem.get("instance", problem))
    bounds = {
        str(dim): _whole(f"problem: instance: {dim}", instance.get(dim))
        for dim in _sequence("problem: shape: dimensions", shape.get("dimensions"))
    }
    coefficients = {"": 1}
    for item in _sequence("problem: shape: coefficients", shape.get("coefficients", [])):
        key = str(_mapping("problem: shape: coefficients", item).get("name"))
        value = instance.get(key, item.get("default", 1))
        coefficients[key] = _whole(f"problem: instance: {key}", value)
    spaces = shape.get("data_spaces", shape.get("data-spaces"))
    data_spaces = [_data_space(item) for item in _sequence("problem: shape: data_spaces", spaces)]
    layer = _Roles(bounds, coefficients, *_sort(data_spaces)).layer(name)
    strange = [
        f"{name}: {key}"
        for key, value in instance.items()
        if key not in {*bounds, *coefficients, *NOT_COSTED} and value
    ]
    return layer, tuple(strange)


def _data_space(item: Any) -> _DataSpace:
    item = _mapping("problem: shape: data_spaces", item)
    name = str(item.get("name"))
    place = f"problem: shape: data_spaces: {name}: projection"
    axes = []
    for axis in _sequence(place, item.get("projection")):
        terms = [[axis]] if isinstance(axis, str) else _sequence(place, axis)
        pairs = [(*_sequence(place, term), "")[:2] for term in terms]
        axes.append(tuple((str(dim), str(coefficient)) for dim, coefficient in pairs))
    written = bool(item.get("read_write", item.get("read-write", False)))
    return _DataSpace(name, written, tuple(axes))


def _sort(spaces: list[_DataSpace]) -> tuple[_DataSpace, _DataSpace, _DataSpace]:
    """Weights, inputs and outputs.

    Inputs are read through a window, or called so; else they are the first operand, as in `A x B`.
    """
    read = [space for space in spaces if not space.written]
    written = [space for space in spaces if space.written]
    if any(len(axis) > 1 for space in written for axis in space.axes):
        raise WorkloadError("problem: shape: data_spaces: a result cannot slide")
    if len(read) != 2 or len(written) != 1:
        raise WorkloadError(
            "problem: shape: data_spaces: expected two that are read and one read_write, "
            f"got {len(read)} and {len(written)}"
        )
    inputs = min(
        read,
        key=lambda space: (
            not any(len(axis) > 1 for axis in space.axes),
            space.name.lower() in {"weights", "weight", "filters", "filter", "w"},
        ),
    )
    weights = read[1] if inputs is read[0] else read[0]
    return weights, inputs, written[0]


@dataclass(frozen=True)
class _Roles:
    """Finds out what each dimension does."""

    bounds: Mapping[str, int]
    coefficients: Mapping[str, int]
    weights: _DataSpace
    inputs: _DataSpace
    outputs: _DataSpace

    def layer(self, name: str) -> Layer:
        windows = list(self._windows())
        if len(windows) > 2:
            raise WorkloadError("problem: shape: more than two sliding windows")
        size: dict[str, Any] = dict.fromkeys(DIMS, 1)
        stride, dilation, taken = [1, 1], [1, 1], set()
        for place, (tap, position) in enumerate(windows):
            for (dim, factor), letter, steps in ((tap, "RS", dilation), (position, "PQ", stride)):
                taken.add(dim)
                size[letter[place]] = self.bounds.get(dim, 1)
                steps[place] = self._coefficient(factor)
        for dim, bound in self.bounds.items():
            if dim not in taken and bound > 1:
                size[self._role(dim, "N" if windows else "P")] *= bound
        return Layer(
            name=name,
            **size,
            stride=(stride[0], stride[1]),
            dilation=(dilation[0], dilation[1]),
        )

    def _windows(self) -> Iterator[tuple[Window, Window]]:
        """Tap and position of each axis of the inputs that slides."""
        for axis in self.inputs.axes:
            taps = [term for term in axis if term[0] not in self.outputs.dims]
            positions = [term for term in axis if term[0] not in self.weights.dims]
            if len(axis) == 1 and (not positions or self._coefficient(axis[0][1]) == 1):
                continue
            known = all(dim in self.outputs.dims for dim, _ in positions) and all(
                dim in self.weights.dims for dim, _ in taps
            )
            if not known or len(positions) != 1 or len(taps) + len(positions) != len(axis):
                raise WorkloadError(
                    f"problem: shape: {self.inputs.name}: cannot read the axis {list(axis)}"
                )
            yield (taps or [("", "")])[0], positions[0]

    def _role(self, dim: str, free: str) -> str:
        uses = tuple(dim in space.dims for space in (self.weights, self.inputs, self.outputs))
        roles = {
            (True, True, True): "G",
            (True, False, True): "K",
            (True, True, False): "C",
            (False, True, True): free,
        }
        if uses not in roles:
            raise WorkloadError(f"problem: shape: {dim} indexes fewer than two data spaces")
        return roles[uses]

    def _coefficient(self, name: str) -> int:
        if name not in self.coefficients:
            raise WorkloadError(f"problem: shape: no coefficient is named {name!r}")
        return self.coefficients[name]


def _mapping(place: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        raise WorkloadError(f"{place}: missing")
    if not isinstance(value, Mapping):
        raise WorkloadError(f"{place}: expected keys and values, got {str(value)[:60]!r}")
    return value


def _sequence(place: str, value: Any) -> list[Any]:
    if value is None:
        raise WorkloadError(f"{place}: missing")
    if not isinstance(value, list):
        raise WorkloadError(f"{place}: expected a list, got {str(value)[:60]!r}")
    return value


def _whole(place: str, value: Any) -> int:
    if value is None:
        raise WorkloadError(f"{place}: missing")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
        raise WorkloadError(f"{place}: expected a whole number from 1 to 2^31-1, got {value!r}")
    return value
