"""A systolic array stepped PE by PE: registers that move once a cycle, and nothing in closed form.

Every PE holds what it was sent in the cycle before. Operands are numbers, so that the products can
be checked, and each carries a tag, so that results say which they are.
"""

from dataclasses import dataclass

import numpy as np

NOTHING = -1
"""The tag of an empty register."""


@dataclass(frozen=True)
class Run:
    """A finished matrix multiply.

    Attributes:
        product: `(M, N)`.
        last_cycle: in which the last result left the array; the first cycle is 0.
    """

    product: np.ndarray
    last_cycle: int


def padded(block: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return np.pad(block, ((0, rows - block.shape[0]), (0, columns - block.shape[1])))


def stationary_fold(still: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, int]:
    """`moving (T, R) @ still (R, C)` with `still` loaded into the PEs, and the cycles it took."""
    R, C = still.shape
    T = len(moving)
    cycles = 0
    weight = np.zeros((R, C), dtype=np.int64)
    for row in still[::-1]:  # rows enter at the top and move down, the last first
        weight[1:] = weight[:-1].copy()
        weight[0] = row
        cycles += 1
    value, tag = np.zeros((R, C), dtype=np.int64), np.full((R, C), NOTHING)
    partial = np.zeros((R, C), dtype=np.int64)
    result, missing = np.zeros((T, C), dtype=np.int64), T * C
    step = 0
    while missing:
        value[:, 1:], tag[:, 1:] = value[:, :-1].copy(), tag[:, :-1].copy()
        for r in range(R):  # row r is fed r cycles late, so that it meets its partial sum
            fed = 0 <= step - r < T
            value[r, 0], tag[r, 0] = (moving[step - r, r], step - r) if fed else (0, NOTHING)
        above = np.vstack([np.zeros((1, C), dtype=np.int64), partial[:-1]])
        partial = above + weight * value
        for c in np.flatnonzero(tag[-1] != NOTHING):
            result[tag[-1, c], c] = partial[-1, c]
            missing -= 1
        step += 1
    return result, cycles + step


def output_fold(left: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, int]:
    """`left (R, T) @ top (T, C)` with the sums kept in the PEs, and the cycles it took.

    A sum leaves its PE in the cycle in which it is complete.
    """
    R, T = left.shape
    C = top.shape[1]
    a, b = np.zeros((R, C), dtype=np.int64), np.zeros((R, C), dtype=np.int64)
    tag = np.full((R, C), NOTHING)
    total, missing, step = np.zeros((R, C), dtype=np.int64), R * C, 0
    while missing:
        a[:, 1:], tag[:, 1:] = a[:, :-1].copy(), tag[:, :-1].copy()
        b[1:] = b[:-1].copy()
        for r in range(R):
            fed = 0 <= step - r < T
            a[r, 0], tag[r, 0] = (left[r, step - r], step - r) if fed else (0, NOTHING)
        for c in range(C):
            b[0, c] = top[step - c, c] if 0 <= step - c < T else 0
        total += a * b
        missing -= int((tag == T - 1).sum())
        step += 1
    return total, step


def multiply(a: np.ndarray, b: np.ndarray, dataflow: str, R: int, C: int) -> Run:
    """`a (M, K) @ b (K, N)` on an `R x C` array, fold after fold."""
    (M, K), N = a.shape, b.shape[1]
    cycles = 0
    if dataflow == "os":
        product = np.zeros((M, N), dtype=np.int64)
        for n in range(0, N, C):
            for m in range(0, M, R):
                left, top = padded(a[m : m + R], R, K), padded(b[:, n : n + C], K, C)
                block, took = output_fold(left, top)
                product[m : m + R, n : n + C] = block[: M - m, : N - n]
                cycles += took
        return Run(product, cycles - 1)
    still, moving = (b, a) if dataflow == "ws" else (a.T, b.T)
    T, S = len(moving), still.shape[1]
    product = np.zeros((T, S), dtype=np.int64)
    for s in range(0, S, C):
        for k in range(0, K, R):
            block, took = stationary_fold(
                padded(still[k : k + R, s : s + C], R, C), padded(moving[:, k : k + R], T, R)
            )
            product[:, s : s + C] += block[:, : S - s]
            cycles += took
    return Run(product if dataflow == "ws" else product.T, cycles - 1)
