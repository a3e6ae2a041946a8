"""How a layer runs on a chain of levels: tile factors, spatial factors, loop orders."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.workload import DIMS


@dataclass(frozen=True)
class Mappings:
    """A batch of `m` mappings onto `L` storage levels, outermost level first.

    The loops of level `i` step through the tiles of level `i + 1` (the last level's loops step
    through single multiply-accumulates), first in space, then in time; so the tile that level
    `i` holds spans the product of all factors of levels `i..L-1`. Factors of a dimension may
    multiply to more than its bound: tiles are clipped at the edge, and a clipped tile has fewer
    steps.

    Attributes:
        temporal: loop bounds, shape `(m, L, 8)`, in the order of `DIMS`.
        spatial_x: how many instances along x of the next level split a dimension, `(m, L, 8)`.
        spatial_y: the same along y.
        order: `order[m, i]` lists dimensions (indices into `DIMS`) of level `i`'s temporal loops,
            outermost first, shape `(m, L, 8)`.
    """

    temporal: NDArray[np.int64]
    spatial_x: NDArray[np.int64]
    spatial_y: NDArray[np.int64]
    order: NDArray[np.int64]

    def __post_init__(self) -> None:
        shape = self.temporal.shape
        for name in ("temporal", "spatial_x", "spatial_y", "order"):
            array = getattr(self, name)
            if array.ndim != 3 or array.shape != shape or shape[2] != len(DIMS):
                raise ValueError(f"{name}: expected shape (m, L, 8), got {array.shape}")
            if array.dtype != np.int64:
                raise ValueError(f"{name}: expected int64, got {array.dtype}")
            if name != "order" and (array < 1).any():
                raise ValueError(f"{name}: every factor must be at least 1")
        if (np.sort(self.order, axis=2) != np.arange(len(DIMS))).any():
            raise ValueError("order: every row must be a permutation of 0..7")

    def __len__(self) -> int:
        return int(self.temporal.shape[0])

    @property
    def levels(self) -> int:
        """How many storage levels there are."""
        return int(self.temporal.shape[1])

    def tile_extents(self) -> NDArray[np.int64]:
        """What each level's tile spans before clipping, `(m, L, 8)`, levels outermost first."""
        factors = self.temporal * self.spatial_x * self.spatial_y
        return np.asarray(np.cumprod(factors[:, ::-1], axis=1)[:, ::-1])

    def select(self, index: NDArray[np.int64]) -> "Mappings":
        """The mappings at `index`, in that order."""
        return Mappings(
            self.temporal[index], self.spatial_x[index], self.spatial_y[index], self.order[index]
        )
