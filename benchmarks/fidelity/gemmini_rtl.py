"""Mappings measured on Gemmini's RTL against the analytical model and the cycle-level engine.

    python benchmarks/fidelity/gemmini_rtl.py [--data PATH] [--calibrate] [--json]

The data is the RTL part of the DOSA artifact (Hong et al., MICRO 2023): mapping strings, and the
cycles that FireSim measured (`target.gemmini_cycle`; `target.cycle` repeats it and is not read).

A mapping string says how large the tile in the scratchpad is. What is done with it is Gemmini's
program, the same for all rows (`tiled_conv` and `tiled_matmul` of gemmini-rocc-tests, `gemmini.h`):

- Tiles go in a fixed order, reductions innermost, whatever order the string gives. Sums stay in
  the accumulator; inputs and weights are loaded anew for each tile.
- In a tile, blocks of weights as large as the array stay in it while all output pixels stream.
- A matrix multiply rounds its tiles up to whole blocks.

Three readings come from the measurements alone:

- The side of the array is not `arch.meshX` (128) but the power of two that holds the row's spatial
  factors. With it no row is faster than its array, and many rows take just that long.
- Where the output is not square (P != Q > 1) the program computed a square one, P x P: those rows
  take 10 times what P x Q would, and P is 10 Q.
- DRAM moves 8 bytes a cycle, as the data set says of its own model.

Five physical constants are calibrated on half of the problems (`CALIBRATED`), the same for all
rows; figures are of the other half. Which half a problem is in depends on itself and `SEED` only.
"""

import argparse
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gemmini_timeloop import load, read_hardware, read_layer, read_mappings
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import spearmanr

from accel_dse.hardware import UNLIMITED, Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators.loop_nest import evaluate
from accel_dse.simulators.timeline import simulate
from accel_dse.workload import DIMS, Layer

HERE = Path(__file__).resolve()
DATA = HERE.parents[3] / "shared/reference/gemmini_rtl_train.csv"
MEASURED = "target.gemmini_cycle"
SEED = 0

LEVELS = ("dram", "scratchpad", "accumulator", "array")
KEEPS = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=bool)
DRAM_BYTES_PER_CYCLE = 8.0
N, G, K, C, P, Q, R, S = range(8)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Constants:
    """Cycles that no mapping string tells.

    Attributes:
        read_row: beyond its bytes, to fetch one row of a tile (the contiguous channels of a pixel
            or of a filter tap): each is a request of its own to the DMA.
        write_row: the same to write one.
        latency: from a tile's request to its first word, through TileLink, L2 and DRAM.
        issue: to issue the move of one tile: configuration and loop instructions over RoCC.
        fill: to start another block of weights in the array: its pipeline, and the hand-over from
            the preload.
    """

    read_row: float
    write_row: float
    latency: float
    issue: float
    fill: float


GUESS = Constants(read_row=1.0, write_row=1.0, latency=200.0, issue=10.0, fill=8.0)
"""Where calibration starts: orders of magnitude."""

CALIBRATED = Constants(read_row=1.15, write_row=0.73, latency=366.0, issue=14.8, fill=7.5)
"""What `--calibrate` finds on the file of 1,567 rows.

They are what one would expect: about a cycle to start each row of a transfer; a few hundred cycles
from a tile's first request to its words, which also holds the core's own work between tiles; some
fifteen cycles of instructions for each of a tile's moves; a short pipeline in the array.
"""


@dataclass(frozen=True)
class Program:
    """What Gemmini runs for `n` rows.

    Attributes:
        side: of the array, `(n,)`.
        tile: extents of the scratchpad's tile, in the order of `DIMS`, `(n, 8)`.
        outputs: how many tiles of outputs there are, `(n,)`.
        reductions: how many tiles of products each one adds up, `(n,)`.
        stride: of the window, `(n, 2)`.
    """

    side: Ints
    tile: Ints
    outputs: Ints
    reductions: Ints
    stride: Ints

    def layers(self) -> list[Layer]:
        """The loop nests: every tile of outputs is a group, as nothing is kept from one to the
        next, and all reductions are over channels, as tiles of products overlap nowhere.
        """
        blocks = self._blocks()
        return [
            Layer(
                name="tiles",
                G=int(self.outputs[i]),
                K=int(self.tile[i, K]),
                C=int(self.reductions[i] * blocks[i, C] * min(self.tile[i, C], self.side[i])),
                **{DIMS[d]: int(self.tile[i, d]) for d in (P, Q, R, S)},
                stride=(int(self.stride[i, 0]), int(self.stride[i, 1])),
            )
            for i in range(len(self.side))
        ]

    def _blocks(self) -> Ints:
        """Blocks of the array's side along each dimension of a tile."""
        return -(-self.tile // np.minimum(self.tile, self.side[:, None]))

    def mappings(self) -> Mappings:
        """Tile by tile; in a tile, block of weights by block; in a block, pixel by pixel."""
        n = len(self.side)
        temporal, spatial_x, spatial_y = (np.ones((n, 4, 8), dtype=np.int64) for _ in range(3))
        temporal[:, 0, G], temporal[:, 0, C] = self.outputs, self.reductions
        spatial_x[:, 1, K] = np.minimum(self.tile[:, K], self.side)
        spatial_y[:, 2, C] = np.minimum(self.tile[:, C], self.side)
        blocks = self._blocks()
        for d in (K, C):
            temporal[:, 2, d] = blocks[:, d]
        for d in (R, S):
            temporal[:, 2, d] = self.tile[:, d]
        for d in (P, Q):
            temporal[:, 3, d] = self.tile[:, d]
        order = np.array(
            [
                [G, C, N, K, P, Q, R, S],
                [N, G, K, C, P, Q, R, S],
                [K, R, S, C, N, G, P, Q],
                [P, Q, N, G, K, C, R, S],
            ]
        )
        return Mappings(temporal, spatial_x, spatial_y, np.tile(order, (n, 1, 1)))

    def hardware(self, constants: Constants) -> Hardware:
        """One Gemmini for each row. A row of a tile costs its bytes and a constant, so a word of
        DRAM is as wide as its share of that.
        """
        n = len(self.side)
        word_bits = np.full((n, 4, 4), 8.0)
        for kind, d, cycles in (
            (0, K, constants.read_row),
            (1, C, constants.read_row),
            (2, K, constants.write_row),
            (3, K, constants.write_row),
        ):
            word_bits[:, 0, kind] += 8 * cycles * DRAM_BYTES_PER_CYCLE / self.tile[:, d]
        read, shared = np.full((n, 4), UNLIMITED), np.full((n, 4), UNLIMITED)
        shared[:, 0] = 8 * DRAM_BYTES_PER_CYCLE
        read[:, 1] = 8.0 * self.side  # one row of weights a cycle into the array
        dram = np.array([1.0, 0.0, 0.0, 0.0])
        free, zeros = np.ones((4, 8), dtype=bool), np.zeros((n, 4))
        side = np.repeat(self.side[:, None], 4, axis=1)
        return Hardware(
            levels=LEVELS,
            keeps=KEEPS,
            partition=np.zeros((4, 3), dtype=np.int64),
            multicast=np.ones(4, dtype=bool),
            reduces=np.ones(4, dtype=bool),
            double_buffered=np.array([False, True, True, True]),
            loops_allowed=free,
            unroll_x=free,
            unroll_y=free,
            hardwired=np.zeros((4, 2), dtype=bool),
            whole=np.zeros((n, 4, 8), dtype=bool),
            capacity_bits=np.full((n, 4, 3), UNLIMITED),
            word_bits=word_bits,
            fanout_x=side,
            fanout_y=side,
            read_bits_per_cycle=read,
            write_bits_per_cycle=np.full((n, 4), UNLIMITED),
            shared_bits_per_cycle=shared,
            latency_cycles=np.full((n, 4), constants.latency) * dram,
            issue_cycles=np.full((n, 4), constants.issue) * dram,
            fill_cycles=np.full(n, constants.fill),
            program_entries=np.full(n, UNLIMITED),
            program_level=-1,
            access_pj_per_bit=np.zeros((n, 4, 3)),
            network_pj_per_bit=zeros,
            mac_pj=np.zeros(n),
            static_w=np.zeros(n),
            area_mm2=np.zeros(n),
            level_mm2=np.zeros((n, 4)),
            macs_mm2=np.zeros(n),
            clock_ghz=np.ones(n),
            vector_operations_per_cycle=np.ones(n),
        )


def read_program(layers: Sequence[Layer], mappings: Mappings) -> Program:
    """What the program makes of mapping strings; see the top of this file."""
    bounds = np.array([layer.dims for layer in layers])
    split = np.maximum(mappings.spatial_x[:, 1, K], mappings.spatial_y[:, 2, C])
    side = 2 ** np.ceil(np.log2(split)).astype(np.int64)
    tile = mappings.tile_extents()[:, 1].copy()
    multiplies = (bounds[:, Q] == 1) & (bounds[:, R] == 1) & (bounds[:, S] == 1)
    for d in (P, K, C):
        rounded = np.minimum(-(-tile[:, d] // side) * side, bounds[:, d])
        tile[:, d] = np.where(multiplies, rounded, tile[:, d])
    bounds[:, Q] = np.where(bounds[:, Q] > 1, bounds[:, P], bounds[:, Q])
    tiles = -(-bounds // tile)
    return Program(
        side,
        tile,
        tiles[:, [N, K, P, Q]].prod(axis=1),
        tiles[:, [C, R, S]].prod(axis=1),
        np.array([layer.stride for layer in layers]),
    )


def cycle_level(program: Program, constants: Constants) -> Floats:
    """Cycles by the engine."""
    index = np.arange(len(program.side))
    found = simulate(
        program.hardware(constants), program.layers(), program.mappings(), index, index, index
    )
    return found.cycles.astype(np.float64)


def analytical(hardware: Hardware, layers: Sequence[Layer], mappings: Mappings) -> Floats:
    """Cycles by the analytical model."""
    index = np.arange(len(layers))
    return evaluate(hardware, layers, mappings, index, index, index).cycles


def calibration_half(layers: Sequence[Layer]) -> NDArray[np.bool_]:
    """Which rows may be calibrated on."""
    return np.array([zlib.crc32(repr((SEED, layer.shape)).encode()) % 2 == 0 for layer in layers])


def calibrate(program: Program, measured: Floats, rows: NDArray[np.bool_]) -> Constants:
    """The constants with the least mean |log(predicted / measured)| on `rows`."""

    def loss(logs: Floats) -> float:
        cycles = cycle_level(program, Constants(*np.exp(logs)))
        return float(np.abs(np.log(cycles[rows] / measured[rows])).mean())

    start = np.log(astuple(GUESS))
    simplex = np.vstack([start, start + 0.5 * np.eye(len(start))])
    options = {"initial_simplex": simplex, "maxfev": 300, "xatol": 0.01, "fatol": 1e-4}
    found = minimize(loss, start, method="Nelder-Mead", options=options)
    return Constants(*(float(np.exp(x)) for x in found.x))


def figures(predicted: Floats, measured: Floats) -> dict[str, float | None]:
    if len(measured) < 2:
        return {"spearman": None, "median_abs_pct_error": None}
    return {
        "spearman": float(spearmanr(predicted, measured).statistic),
        "median_abs_pct_error": float(100 * np.median(np.abs(predicted / measured - 1))),
    }


def compare(rows: Sequence[Mapping[str, str]], *, again: bool) -> dict[str, Any]:
    """All figures; those at the top are the engine's on held-out rows."""
    measured = np.array([float(row[MEASURED]) for row in rows])
    layers = [read_layer(row) for row in rows]
    written = read_mappings([row["mapping.mapping"] for row in rows])
    program = read_program(layers, written)
    seen = calibration_half(layers)
    constants = calibrate(program, measured, seen) if again else CALIBRATED
    ideal = Constants(0.0, 0.0, 0.0, 0.0, 0.0)
    predicted = {
        "cycle_level": cycle_level(program, constants),
        "analytical": analytical(read_hardware(rows), layers, written),
        "analytical_as_run": analytical(
            program.hardware(ideal), program.layers(), program.mappings()
        ),
    }
    held_out = {name: figures(cycles[~seen], measured[~seen]) for name, cycles in predicted.items()}
    return {
        "rows": len(rows),
        **held_out["cycle_level"],
        "held_out_rows": int((~seen).sum()),
        "held_out": held_out,
        "calibration_rows": int(seen.sum()),
        "calibration": {n: figures(c[seen], measured[seen]) for n, c in predicted.items()},
        "constants": vars(constants),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--calibrate", action="store_true", help="calibrate again")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="every 8th row")
    options = parser.parse_args()
    found = compare(load(options.data)[:: 8 if options.quick else 1], again=options.calibrate)
    if options.json:
        print(json.dumps(found))
        return
    for half in ("calibration", "held_out"):
        print(f"{half} half, {found[half + '_rows']} rows")
        for name, row in found[half].items():
            print(f"  {name:18s} " + "   ".join(f"{k} {v:.4g}" for k, v in row.items() if v))
    print("constants: " + ", ".join(f"{n} {v:.3g}" for n, v in found["constants"].items()))


if __name__ == "__main__":
    main()
