"""One door to all workloads: a name of the zoo, or a file of another tool."""

import difflib
from collections.abc import Mapping
from pathlib import Path

from accel_dse.errors import WorkloadError
from accel_dse.workload import Workload
from accel_dse.workloads.zoo import NETWORKS

SUFFIXES = (".onnx", ".csv", ".yaml", ".yml")
"""Of ONNX networks, SCALE-Sim topologies and Timeloop problems."""


def names() -> tuple[str, ...]:
    """The zoo's networks, in the order in which it lists them."""
    return tuple(NETWORKS)


def load(text: str, *, shapes: Mapping[str, int] | None = None) -> Workload:
    """The workload that `text` names.

    Args:
        text: a name of the zoo, or the path of a `.onnx`, `.csv` (SCALE-Sim) or `.yaml` (Timeloop)
            file.
        shapes: values of an ONNX network's symbolic dimensions, as `{"batch": 1}`.

    Raises:
        WorkloadError: there is no such name or file, or the file cannot be read.
    """
    path = Path(text)
    if path.suffix.lower() in SUFFIXES:
        return _load_file(path, shapes or {})
    if text not in NETWORKS:
        close = difflib.get_close_matches(text.lower(), NETWORKS, n=4, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}" if close else f"known: {', '.join(NETWORKS)}"
        if path.suffix or path.exists():
            hint = f"a file must end in {', '.join(SUFFIXES)}"
        raise WorkloadError(f"no workload is named {text!r}", hint=hint)
    if shapes:
        raise WorkloadError(
            f"{text}: a network of the zoo has no dimensions to set: {dict(shapes)}"
        )
    return NETWORKS[text]()


def _load_file(path: Path, shapes: Mapping[str, int]) -> Workload:
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        from accel_dse.workloads import onnx

        return onnx.load(path, shapes=shapes)
    if shapes:
        raise WorkloadError(f"{path}: only an ONNX file has dimensions to set: {dict(shapes)}")
    if suffix == ".csv":
        from accel_dse.workloads import scalesim

        return scalesim.load(path)
    from accel_dse.workloads import timeloop

    return timeloop.load(path)
