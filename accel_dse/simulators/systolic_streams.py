"""What a systolic array asks for and hands over, line by line, in closed form.

The array asks in *lines*, one a cycle, with one request per *lane*. A *fold* is the work between
two loads of the array. A *stream* is one operand's requests: its matrix has *pixels* (output pixels
of the ifmap, filters of the filter) by *taps* (the reduction), cut into *blocks* as wide as the
array, one per fold. Most blocks come *skewed*: lane `c` is `c` lines late.

Source: SCALE-Sim 3.0.0 (github.com/scalesim-project/SCALE-Sim), its files under `compute`; read
and restated.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]

OPTIONS: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",  # no divisor here is zero
    "no_cpython_wrapper": True,  # called from other kernels only: half the time to compile
    "no_cfunc_wrapper": True,
}

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """A kernel that other kernels call."""
    return cast(Function, njit(**OPTIONS)(function))


WS, OS, IS = 0, 1, 2
"""Weight-, output- and input-stationary."""

SKEWED_TAPS, SKEWED_PIXELS, LOADED = 0, 1, 2
"""How an operand enters: skewed, with taps over the lanes and pixels in time; skewed, with pixels
over the lanes; or loaded row by row, pixels over the lanes, the last tap first."""

NEVER = 2**62
"""A line that is not reached."""


class Conv(NamedTuple):
    """One group of a layer; a matrix multiply has `r = s = q = 1`.

    Attributes:
        n, p, q, k, c, r, s: its bounds.
        stride_h, stride_w, dilation_h, dilation_w: of its window.
        rows, columns: of its input; taps beyond are not asked for.
    """

    n: int
    p: int
    q: int
    k: int
    c: int
    r: int
    s: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    rows: int
    columns: int


class Stream(NamedTuple):
    """One operand's requests.

    Attributes:
        kind: how it enters the array.
        pixels, taps: shape of its matrix.
        width: lanes.
        depth: taps that one fold loads, if `LOADED`.
        folds: of the layer.
        repeat: folds in a row that use the same block.
        line: the line of a fold in which its block begins.
        fold_lines: lines of a fold.
        conv: where (pixel, tap) lies in the input; of filters, a matrix.
        unique: no two (pixel, tap) are the same word.
        cut: some windows hang over the input's edge.
    """

    kind: int
    pixels: int
    taps: int
    width: int
    depth: int
    folds: int
    repeat: int
    line: int
    fold_lines: int
    conv: Conv
    unique: bool
    cut: bool


class Block(NamedTuple):
    """A part of a stream's matrix: `pixels` from `pixel` by `taps` from `tap`."""

    pixel: int
    pixels: int
    tap: int
    taps: int


class Outputs(NamedTuple):
    """When outputs leave: in each fold a skewed block of rows by lanes.

    Attributes:
        rows: of a whole fold's block.
        total_rows: of one column of folds.
        width: lanes of a whole fold's block.
        total_lanes: of all columns of folds.
        down: folds in a column.
        line: the line of a whole fold in which its block begins.
        fold_lines: lines of a fold.
    """

    rows: int
    total_rows: int
    width: int
    total_lanes: int
    down: int
    line: int
    fold_lines: int


@compiled
def number(value: int) -> int:
    """`value`, not as a literal: for each literal, all that is called with it is compiled anew."""
    return int(np.int64(value))


@compiled
def ceil_div(a: int, b: int) -> int:
    """`a / b`, rounded up."""
    return -(-a // b)


@compiled
def skewed_before(line: int, h: int, w: int) -> int:
    """Elements of a skewed block of `h` rows by `w` lanes that come before `line`."""
    low, high = min(h, w), max(h, w)
    if line <= 0:
        return 0
    if line <= low:
        return line * (line + 1) // 2
    if line <= high:
        return low * (low + 1) // 2 + (line - low) * low
    left = max(h + w - 1 - line, 0)
    return h * w - left * (left + 1) // 2


@compiled
def skewed_line(k: int, h: int, w: int) -> int:
    """The line in which element `k` (from 0) of a skewed `h x w` block comes."""
    low, high = 0, h + w - 2
    while low < high:
        middle = (low + high) // 2
        if skewed_before(middle + 1, h, w) > k:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def streams_of(conv: Conv, dataflow: int, R: int, C: int) -> tuple[Stream, Stream]:
    """The ifmap's and the filter's stream on an array of `R` rows by `C` columns."""
    pixels, taps = conv.n * conv.p * conv.q, conv.r * conv.s * conv.c
    matrix = Conv(1, conv.k, 1, 1, taps, 1, 1, 1, 1, 1, 1, conv.k, 1)
    tall, wide = (conv.r - 1) * conv.dilation_h, (conv.s - 1) * conv.dilation_w
    unique = (conv.r == 1 or conv.p == 1 or conv.stride_h > tall) and (
        conv.s == 1 or conv.q == 1 or conv.stride_w > wide
    )
    cut = (conv.p - 1) * conv.stride_h + tall >= conv.rows or (
        conv.q - 1
    ) * conv.stride_w + wide >= conv.columns
    if dataflow == OS:
        down = ceil_div(pixels, R)
        folds, lines = down * ceil_div(conv.k, C), R + C + taps - 2
        return (
            Stream(SKEWED_PIXELS, pixels, taps, R, 0, folds, 1, 0, lines, conv, unique, cut),
            Stream(SKEWED_PIXELS, conv.k, taps, C, 0, folds, down, 0, lines, matrix, True, False),
        )
    down = ceil_div(taps, R)
    if dataflow == WS:
        folds, lines = down * ceil_div(conv.k, C), 2 * R + C + pixels - 2
        return (
            Stream(SKEWED_TAPS, pixels, taps, R, 0, folds, 1, R, lines, conv, unique, cut),
            Stream(LOADED, conv.k, taps, C, R, folds, 1, 0, lines, matrix, True, False),
        )
    folds, lines = down * ceil_div(pixels, C), 2 * R + C + conv.k - 2
    return (
        Stream(LOADED, pixels, taps, C, R, folds, 1, 0, lines, conv, unique, cut),
        Stream(SKEWED_TAPS, conv.k, taps, R, 0, folds, 1, R, lines, matrix, True, False),
    )


@compiled
def block_of(stream: Stream, fold: int) -> Block:
    """What `fold` asks for."""
    if stream.kind == LOADED:
        down = ceil_div(stream.taps, stream.depth)
        pixel, tap = fold // down * stream.width, fold % down * stream.depth
        pixels, taps = stream.pixels - pixel, stream.taps - tap
        return Block(pixel, min(stream.width, pixels), tap, min(stream.depth, taps))
    if stream.kind == SKEWED_TAPS:
        blocks = ceil_div(stream.taps, stream.width)
        tap = fold // stream.repeat % blocks * stream.width
        return Block(0, stream.pixels, tap, min(stream.width, stream.taps - tap))
    blocks = ceil_div(stream.pixels, stream.width)
    pixel = fold // stream.repeat % blocks * stream.width
    return Block(pixel, min(stream.width, stream.pixels - pixel), 0, stream.taps)


@compiled
def block_lines(stream: Stream, block: Block) -> tuple[int, int]:
    """First line of a fold's block, counted from `stream.line`, and the line after its last."""
    if stream.kind == LOADED:
        return stream.depth - block.taps, stream.depth
    return 0, block.pixels + block.taps - 1


@compiled
def requests(stream: Stream, block: Block, line: int) -> int:
    """Requests in a block's `line`."""
    if stream.kind == LOADED:
        return block.pixels
    low, high = min(block.pixels, block.taps), max(block.pixels, block.taps)
    return min(low, line + 1, low + high - 1 - line)


@compiled
def element(stream: Stream, block: Block, line: int, i: int) -> tuple[int, int]:
    """Pixel and tap of request `i`, from the lowest lane, in a block's `line`."""
    if stream.kind == LOADED:
        return block.pixel + i, block.tap + stream.depth - 1 - line
    if stream.kind == SKEWED_TAPS:
        lane = max(0, line - block.pixels + 1) + i
        return line - lane, block.tap + lane
    lane = max(0, line - block.taps + 1) + i
    return block.pixel + lane, line - lane


@compiled
def absent(stream: Stream, pixel: int, tap: int) -> bool:
    """Whether the word lies beyond the input's edge, so that it is not asked for."""
    if not stream.cut:
        return False
    conv = stream.conv
    row = pixel // conv.q % conv.p * conv.stride_h + tap // (conv.s * conv.c) * conv.dilation_h
    column = pixel % conv.q * conv.stride_w + tap // conv.c % conv.s * conv.dilation_w
    return row >= conv.rows or column >= conv.columns


@compiled
def line_of(stream: Stream, k: int) -> int:
    """The line of the layer in which request `k` (from 0) comes, if no block repeats."""
    total = stream.pixels * stream.taps
    lap, k = k // total, k % total
    if stream.kind == LOADED:
        down = ceil_div(stream.taps, stream.depth)
        across = min(k // (stream.width * stream.taps), ceil_div(stream.pixels, stream.width) - 1)
        k -= across * stream.width * stream.taps
        lanes = min(stream.width, stream.pixels - across * stream.width)
        fold = across * down + k // (lanes * stream.depth)
        first, _ = block_lines(stream, block_of(stream, fold))
        return fold * stream.fold_lines + first + k % (lanes * stream.depth) // lanes
    length, across = stream.pixels, stream.taps
    if stream.kind == SKEWED_PIXELS:
        length, across = stream.taps, stream.pixels
    blocks = ceil_div(across, stream.width)
    at = min(k // (length * stream.width), blocks - 1)
    lanes = min(stream.width, across - at * stream.width)
    line = skewed_line(k - at * length * stream.width, length, lanes)
    return (lap * blocks + at) * stream.fold_lines + stream.line + line


@compiled
def outputs_of(conv: Conv, dataflow: int, R: int, C: int) -> Outputs:
    """The outputs of a layer on an array of `R` rows by `C` columns."""
    pixels, taps = conv.n * conv.p * conv.q, conv.r * conv.s * conv.c
    if dataflow == OS:
        down, lines = ceil_div(pixels, R), R + C + taps - 2
        return Outputs(R, pixels, C, conv.k, down, taps - 1, lines)
    rows, lanes = (pixels, conv.k) if dataflow == WS else (conv.k, pixels)
    down, lines = ceil_div(taps, R), 2 * R + C + rows - 2
    return Outputs(rows, rows * down, C, lanes, down, 2 * R - 1, lines)


@compiled
def fold_outputs(out: Outputs, fold: int) -> tuple[int, int, int, int]:
    """Of a fold: outputs before it, rows, lanes, and the line in which its block begins."""
    across, down = fold // out.down, fold % out.down
    lanes = min(out.width, out.total_lanes - across * out.width)
    rows = min(out.rows, out.total_rows - down * out.rows)
    before = across * out.width * out.total_rows + down * out.rows * lanes
    # A ragged output-stationary block begins late: its last row leaves first.
    return before, rows, lanes, fold * out.fold_lines + out.line + out.rows - rows


@compiled
def outputs_before(out: Outputs, line: int) -> int:
    """Outputs that leave before a line of the layer."""
    fold = line // out.fold_lines
    if fold >= out.down * ceil_div(out.total_lanes, out.width):
        return out.total_rows * out.total_lanes
    before, rows, lanes, first = fold_outputs(out, fold)
    return before + skewed_before(line - first, rows, lanes)


@compiled
def output_line(out: Outputs, k: int) -> int:
    """The line of the layer in which output `k` (from 0) leaves; `NEVER` if there are fewer."""
    if k >= out.total_rows * out.total_lanes:
        return NEVER
    column = out.width * out.total_rows
    across = min(k // column, ceil_div(out.total_lanes, out.width) - 1)
    lanes = min(out.width, out.total_lanes - across * out.width)
    down = (k - across * column) // (lanes * out.rows)
    before, rows, lanes, first = fold_outputs(out, across * out.down + down)
    return first + skewed_line(k - before, rows, lanes)
