"""Reads the topologies of SCALE-Sim: one layer a line, as convolutions or as matrix multiplies."""

import csv
import math
from pathlib import Path

from accel_dse.errors import WorkloadError
from accel_dse.workload import Layer, Workload

LARGEST_FILE_BYTES = 5_000_000
"""More than any network needs; 20,000 layers."""

CONVOLUTION_COLUMNS = (
    "IFMAP height",
    "IFMAP width",
    "filter height",
    "filter width",
    "channels",
    "filters",
    "stride",
)
GEMM_COLUMNS = ("M", "N", "K")


def load(path: Path | str) -> Workload:
    """The layers of a topology; the first line tells which of the two forms it is.

    A convolution's input includes its padding, and its output is what SCALE-Sim makes of it:
    `ceil((input - filter + stride) / stride)`. A layer whose name contains `DP` is depthwise. A
    fifth number of a matrix multiply is its batch. Sparsity (`2:4`) is listed in `unknown`.

    Source:
        `topology_utils.py` of SCALE-Sim v2 and v3.

    Raises:
        WorkloadError: a line is not of that form.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise WorkloadError(f"{path}: larger than {LARGEST_FILE_BYTES} bytes")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise WorkloadError(f"{path}: not a table: {error}") from error
    if not rows or len(rows[0]) < 4:
        raise WorkloadError(
            f"{path}: line 1: not the head of a topology",
            hint=f"Layer, {', '.join(GEMM_COLUMNS)} or Layer, {', '.join(CONVOLUTION_COLUMNS)}",
        )
    gemm = tuple(cell.upper() for cell in rows[0][1:4]) == GEMM_COLUMNS
    layers, unknown = [], []
    for line, row in enumerate(rows[1:], 2):
        if any(row):
            layer, sparsity = _layer(f"{path}: line {line}", row, gemm)
            layers.append(layer)
            if sparsity:
                unknown.append(f"{layer.name}: sparsity {sparsity}")
    if not layers:
        raise WorkloadError(f"{path}: no layer below the head")
    return Workload(path.stem, tuple(layers), source=str(path), unknown=tuple(unknown))


def _layer(place: str, row: list[str], gemm: bool) -> tuple[Layer, str]:
    """The layer of one line, and its sparsity if it has any."""
    columns = GEMM_COLUMNS if gemm else CONVOLUTION_COLUMNS
    ratios = [cell for cell in row[1:] if ":" in cell]
    cells = [cell for cell in row[1:] if ":" not in cell]
    while cells and not cells[-1]:
        cells.pop()
    if len(cells) < len(columns):
        raise WorkloadError(f"{place}: expected a name and {', '.join(columns)}, got {row}")
    numbers = [
        _whole(f"{place}: {column}", cell)
        for column, cell in zip((*columns, "number"), cells, strict=False)
    ]
    try:
        layer = _gemm(row[0], numbers) if gemm else _convolution(place, row[0], numbers)
    except WorkloadError as error:
        raise WorkloadError(f"{place}: {error}") from error
    return layer, next((ratio for ratio in ratios if len(set(ratio.split(":"))) > 1), "")


def _gemm(name: str, numbers: list[int]) -> Layer:
    m, n, k, *batch = numbers
    groups = batch[0] if batch else 1
    return Layer(name=name, G=groups, P=m, K=n, C=k, weights_stored=groups == 1)


def _convolution(place: str, name: str, numbers: list[int]) -> Layer:
    height, width, r, s, channels, filters, down, *right = numbers
    stride = (down, right[0] if right else down)
    if r > height or s > width:
        raise WorkloadError(
            f"{place}: a {r} x {s} filter is larger than its {height} x {width} input"
        )
    depthwise = "DP" in name
    return Layer(
        name=name,
        G=channels if depthwise else 1,
        K=filters,
        C=1 if depthwise else channels,
        P=math.ceil((height - r + stride[0]) / stride[0]),
        Q=math.ceil((width - s + stride[1]) / stride[1]),
        R=r,
        S=s,
        stride=stride,
    )


def _whole(place: str, cell: str) -> int:
    try:
        number = int(cell)
    except ValueError as error:
        raise WorkloadError(f"{place}: expected a whole number, got {cell!r}") from error
    if not 1 <= number < 2**31:
        raise WorkloadError(f"{place}: expected 1 to 2^31-1, got {number}")
    return number
