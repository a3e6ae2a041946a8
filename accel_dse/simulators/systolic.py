"""Systolic arrays, cycle by cycle, as SCALE-Sim v3 counts them.

An `R x C` array multiplies an `M x K` by a `K x N` matrix: a convolution is one with `M` output
pixels, `K` taps of the filter and `N` filters. It does so in *folds*: `Sr` rows and `Sc` columns of
one matrix are cut into pieces of the array's size, and for each piece the other operands stream
through in `T` steps.

| dataflow          | Sr | Sc | T | cycles of a fold  |
|-------------------|----|----|---|-------------------|
| weight-stationary | K  | N  | M | 2 R + C + T - 2   |
| input-stationary  | K  | M  | N | 2 R + C + T - 2   |
| output-stationary | M  | N  | K | R + C + T - 2     |

A layer takes `ceil(Sr / R) * ceil(Sc / C)` folds and, as SCALE-Sim names the last cycle and not
their number, one cycle less, plus its stalls. The closed form of the ISPASS 2020 paper has
`2 R + C + T - 2` for all three; SCALE-Sim v3 lets output-stationary results leave the array in the
cycle in which they are complete, `R` cycles a fold earlier.

Each operand has its own SRAM and its own interface to DRAM. Half of an SRAM serves the array while
the other half is filled (or, for outputs, written back). Two modes, as SCALE-Sim's `USER` and
`CALC`:

- **Limited bandwidth.** A read buffer holds half of its size of a prefetch order, the operand's
  blocks one after another. A request for anything else moves it on along that order, half a size at
  a time and round and round, until it is there; the array waits.
- **Unlimited bandwidth** (`inf`). No read ever waits; DRAM reads are what a buffer of half the size
  misses that forgets everything when it is full.

Cycles, stalls and DRAM accesses equal SCALE-Sim's, not nearly but to the word: see
`benchmarks/fidelity/scalesim.py`. With them come its oddities, worth knowing before a search finds
them:

- Under limited bandwidth each wait for a read is counted twice over (`read_buffer.py` adds it to
  the offset, and adds it again if it is positive).
- A buffer never goes back: an operand that is used again, or loaded last row first as stationary
  operands are, may send it around through all of its matrix. Stalls then exceed by far what the
  bandwidth asks for.
- Reads under limited bandwidth count whole bus lines, and each prefetch as half a buffer.
- Writes count the empty places of bus lines that were closed early, except in the last of a
  write-back: with unlimited bandwidth up to `C - 1` words too many.
- The read interfaces take their bandwidth from `[layout] IfmapSRAMBankBandwidth` and
  `FilterSRAMBankBandwidth`; `Bandwidth` is that of the outputs only.

One thing is not copied: SCALE-Sim counts `R + C` SRAM writes too many in each output-stationary
fold (`systolic_compute_os.py`).

Source: A. Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN
Accelerators using SCALE-Sim", ISPASS 2020; SCALE-Sim 3.0.0, github.com/scalesim-project/SCALE-Sim.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import WorkloadError
from accel_dse.metrics import Metrics, concatenate
from accel_dse.simulators import systolic_replay as replay
from accel_dse.simulators.base import Columns, Simulator
from accel_dse.simulators.systolic_designs import OPERANDS, Arrays, read_designs
from accel_dse.simulators.systolic_streams import IS, OS, WS
from accel_dse.simulators.threads import in_threads
from accel_dse.workload import Layer, Workload

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_FOLDS = 10**8
"""Of one layer; more would take minutes."""

MOST_CYCLES = 2**53
"""Whole numbers up to here are exact as `float64`."""

MOST_OVERLAPPING_READS = 2**38
"""SRAM reads of one layer whose windows overlap; more would take minutes."""

MOST_INPUT_WORDS = 2**32
"""Of one layer whose windows overlap: a bit is kept for each word."""

MOST_PIXELS = 2**26
"""Outputs of one filter, likewise: a number is kept for each."""

MOST_CUT_PRODUCTS = 2**27
"""Products of one filter where windows hang over the input's edge: a number is kept for each."""

CHUNK = 4096
"""Designs simulated at a time: bounds memory at about 100 MB for a network of 50 layers."""


@dataclass(frozen=True)
class SystolicLayers:
    """What each layer of a network does on each of `n` designs: one run of one of its groups.

    Attributes:
        layers: of the network, in order, `u` of them. A layer runs `G * count` times in a row.
        values: name -> `(n, u)`, NaN where the design is infeasible.
            `folds`; `compute_cycles` in them; `cycles` with stalls, `stall_cycles` among them;
            `prefetched_cycles`, from the first DRAM read to the last DRAM write.
            `macs`; `utilization`, those over the peak in `cycles`; `compute_utilization`, over the
            peak in `compute_cycles`; `mapped_pes`, PEs with work, summed over folds;
            `mapping_efficiency`, their share.
            `ifmap_sram_words` and `filter_sram_words` (read), `ofmap_sram_words` (written);
            `ifmap_dram_words` and so on; the first and last cycle of the latter,
            `ifmap_dram_start_cycle`, `ifmap_dram_stop_cycle` and so on, where the array's first
            cycle is 0.
        infeasible: `n` strings, "" where the design works.
    """

    layers: tuple[Layer, ...]
    values: Mapping[str, Floats]
    infeasible: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SystolicSimulator(Simulator):
    """Cycle-exact simulation of systolic arrays; see the module for what is exact.

    A design may set any of the attributes below as a parameter of the same name; what it does not
    set is as given here. Layers run one after another, groups and repeated layers as often as they
    are; vector operations cost nothing. Energy and area are not estimated.

    Metrics: `latency_cycles`, `latency_ms`, `stall_cycles`, `utilization` (multiply-accumulates
    over the peak in that time), `mapping_efficiency` (share of PEs with work, mean over folds),
    `sram_read_words`, `sram_write_words`, `dram_read_words`, `dram_write_words`, `dram_bytes`,
    `pes` and `sram_kib`.

    Attributes:
        array_rows, array_columns: PEs.
        dataflow: `weight_stationary`, `output_stationary` or `input_stationary`; or `ws`, `os`,
            `is`.
        ifmap_sram_kib, filter_sram_kib, ofmap_sram_kib: both halves of each buffer.
        bandwidth_words_per_cycle: of each operand's interface to DRAM, a whole number; or `inf`.
        ifmap_words_per_cycle, filter_words_per_cycle, ofmap_words_per_cycle: of one of the
            interfaces; 0 means `bandwidth_words_per_cycle`.
        word_bytes: of all operands.
        clock_ghz: turns cycles into time.
    """

    version: ClassVar[str] = "1"

    array_rows: int = 32
    array_columns: int = 32
    dataflow: Literal[
        "weight_stationary", "output_stationary", "input_stationary", "ws", "os", "is"
    ] = "weight_stationary"
    ifmap_sram_kib: float = 64
    filter_sram_kib: float = 64
    ofmap_sram_kib: float = 64
    bandwidth_words_per_cycle: float = 10
    ifmap_words_per_cycle: float = 0
    filter_words_per_cycle: float = 0
    ofmap_words_per_cycle: float = 0
    word_bytes: float = 1
    clock_ghz: float = 1.0

    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Measures `n` designs on `workload`; see the class for the metrics.

        Raises:
            OptionError: a parameter is unknown or has values of another type.
            WorkloadError: a layer is too large to replay.
        """
        arrays = read_designs(vars(self), designs)
        layers = workload.unique()
        bounds = _bounds(layers, [None] * len(layers))
        return concatenate(
            [
                _total(workload, layers, part, *_run(layers, bounds, part))
                for part in arrays.parts(CHUNK)
            ]
        )

    def layers(
        self,
        workload: Workload,
        designs: Columns,
        *,
        inputs: Sequence[tuple[int, int] | None] | None = None,
    ) -> SystolicLayers:
        """What each layer of `workload` does on each of `n` designs.

        Args:
            workload: the network.
            designs: `n` of them.
            inputs: rows and columns of each layer's input, where windows hang over its edge
                (SCALE-Sim rounds the output up): nothing is fetched there. `None` for what the
                windows touch.

        Raises:
            OptionError: a parameter is unknown or has values of another type.
            WorkloadError: a layer is too large to replay.
        """
        arrays = read_designs(vars(self), designs)
        bounds = _bounds(workload.layers, inputs or [None] * len(workload.layers))
        distinct, places = np.unique(bounds, axis=0, return_index=True, return_inverse=True)[1:]
        values, infeasible = _run([workload.layers[i] for i in distinct], bounds[distinct], arrays)
        return SystolicLayers(
            workload.layers,
            {name: column[:, places.ravel()] for name, column in values.items()},
            infeasible,
        )


def _bounds(layers: Sequence[Layer], inputs: Sequence[tuple[int, int] | None]) -> Ints:
    """Fields of `Conv` of one group of each layer, `(u, 13)`; refuses what is too large."""
    rows = []
    for layer, size in zip(layers, inputs, strict=True):
        height, width = size or (layer.input_rows, layer.input_columns)
        pixels = layer.N * layer.P * layer.Q
        if layer.R * layer.S > 1:
            _refuse(layer, "input words", layer.words("inputs") // layer.G, MOST_INPUT_WORDS)
            _refuse(layer, "output pixels", pixels, MOST_PIXELS)
        if size:
            products = pixels * layer.C * layer.R * layer.S
            _refuse(layer, "products of a filter", products, MOST_CUT_PRODUCTS)
        window = (*layer.stride, *layer.dilation, height, width)
        rows.append(
            (layer.N, layer.P, layer.Q, layer.K, layer.C, layer.R, layer.S, *window),
        )
    return np.array(rows, dtype=np.int64)


def _refuse(layer: Layer, what: str, count: int, most: int) -> None:
    if count > most:
        raise WorkloadError(
            f"layer {layer.name!r}: too large to replay: {count:,} {what}",
            hint=f"split it into layers of at most {most:,}",
        )


def _closed_form(bounds: Ints, arrays: Arrays) -> dict[str, Floats]:
    """What needs no replay, name -> `(n, u)`. Source: the table in the module's description."""
    n, p, q, k, c, r, s = (column.astype(np.float64) for column in bounds.T[:7])
    M, K, N = n * p * q, c * r * s, k
    R, C = (arrays.settings[:, [i]].astype(np.float64) for i in (replay.ROWS, replay.COLUMNS))
    dataflow = arrays.settings[:, [replay.DATAFLOW]]
    Sr = np.where(dataflow == OS, M, K)
    Sc = np.where(dataflow == IS, M, N)
    T = np.where(dataflow == WS, M, np.where(dataflow == IS, N, K))
    down, across = np.ceil(Sr / R), np.ceil(Sc / C)
    return {
        "folds": down * across,
        "compute_cycles": down * across * (np.where(dataflow == OS, R, 2 * R) + C + T - 2),
        "mapped_pes": Sr * Sc,
        "mapping_efficiency": Sr * Sc / (down * across * R * C),
        "ifmap_sram_words": M * K * np.where(dataflow == IS, 1, across),
        "filter_sram_words": K * N * np.choose(dataflow, (np.ones_like(down), down, across)),
        "ofmap_sram_words": M * N * np.where(dataflow == OS, 1, down),
        "macs": M * K * N * np.ones_like(R),
    }


def _run(
    layers: Sequence[Layer], bounds: Ints, arrays: Arrays
) -> tuple[dict[str, Floats], tuple[str, ...]]:
    """The values of `SystolicLayers`, `(n, u)`, and why designs are infeasible."""
    values = _closed_form(bounds, arrays)
    overlapping = np.array([layer.R * layer.S > 1 for layer in layers])
    reasons = list(arrays.infeasible)
    for name, most, looked_at in (
        ("folds", MOST_FOLDS, np.ones_like(overlapping)),
        ("compute_cycles", MOST_CYCLES, np.ones_like(overlapping)),
        ("ifmap_sram_words", MOST_OVERLAPPING_READS, overlapping),
    ):
        for i, j in np.argwhere((values[name] > most) & looked_at):
            what = f"{values[name][i, j]:.3g} {name.replace('_', ' ')}, more than {most:.3g}"
            reasons[i] = reasons[i] or f"layer {layers[j].name!r}: {what}"
    works = np.array([not reason for reason in reasons], dtype=bool)
    found = _replay(bounds, arrays, works)
    for i, j in np.argwhere(found[:, :, replay.CYCLES] > MOST_CYCLES):
        works[i] = False
        reasons[i] = reasons[i] or f"layer {layers[j].name!r}: over {MOST_CYCLES:.3g} cycles"
    found[~works] = np.nan
    for i, name in enumerate(OPERANDS):
        values[f"{name}_dram_words"] = found[:, :, replay.IFMAP_READS + i]
        values[f"{name}_dram_start_cycle"] = found[:, :, replay.IFMAP_START + i]
        values[f"{name}_dram_stop_cycle"] = found[:, :, replay.IFMAP_STOP + i]
    first = found[:, :, [replay.IFMAP_START, replay.FILTER_START]].min(axis=2)
    # A single multiply-accumulate on one PE ends in cycle 0; nothing takes no time.
    values["cycles"] = np.maximum(found[:, :, replay.CYCLES], 1)
    values["stall_cycles"] = found[:, :, replay.STALLS]
    values["prefetched_cycles"] = found[:, :, replay.OFMAP_STOP] - first
    peak = arrays.settings[:, [replay.ROWS]] * arrays.settings[:, [replay.COLUMNS]]
    values["utilization"] = values["macs"] / (peak * values["cycles"])
    values["compute_utilization"] = values["macs"] / (peak * values["compute_cycles"])
    return {name: np.where(works[:, None], v, np.nan) for name, v in values.items()}, tuple(reasons)


def _replay(bounds: Ints, arrays: Arrays, works: NDArray[np.bool_]) -> Floats:
    """What the buffers did, `(n, u, RESULTS)`; NaN for designs that do not work."""
    n, u = len(works), len(bounds)
    found = np.full((n, u, replay.RESULTS), np.nan)
    unlimited = arrays.settings[:, replay.BANDWIDTHS] == 0
    for kernel, chosen in ((replay.run_unlimited, unlimited), (replay.run_limited, ~unlimited)):
        pairs = np.argwhere(np.broadcast_to((works & chosen)[:, None], (n, u)))
        if len(pairs):
            found[pairs[:, 0], pairs[:, 1]] = _play(kernel, pairs, arrays.settings, bounds)
    return found


def _play(kernel: Callable[..., None], pairs: Ints, settings: Ints, bounds: Ints) -> Ints:
    """What `kernel` finds for each pair of (design, layer), `(m, RESULTS)`."""
    results = np.zeros((len(pairs), replay.RESULTS), dtype=np.int64)

    def task(start: int, stop: int) -> None:
        kernel(start, stop, pairs, settings, bounds, results)

    # Arrays laid out otherwise would be compiled for anew.
    pairs, settings, bounds = (np.ascontiguousarray(a) for a in (pairs, settings, bounds))
    in_threads(task, len(pairs))
    return results


def _total(
    workload: Workload,
    layers: Sequence[Layer],
    arrays: Arrays,
    values: Mapping[str, Floats],
    infeasible: tuple[str, ...],
) -> Metrics:
    """The metrics of the whole network."""
    runs = np.array([layer.count * layer.G for layer in layers], dtype=np.float64)

    def total(name: str) -> Floats:
        return np.asarray((values[name] * runs).sum(axis=1))

    columns = arrays.columns
    cycles, pes = total("cycles"), columns["array_rows"] * columns["array_columns"]
    dram_reads = total("ifmap_dram_words") + total("filter_dram_words")
    dram_writes = total("ofmap_dram_words")
    metrics = {
        "latency_cycles": cycles,
        "latency_ms": cycles / columns["clock_ghz"] / 1e6,
        "stall_cycles": total("stall_cycles"),
        "utilization": workload.macs / (pes * cycles),
        "mapping_efficiency": total("mapped_pes") / (pes * total("folds")),
        "sram_read_words": total("ifmap_sram_words") + total("filter_sram_words"),
        "sram_write_words": total("ofmap_sram_words"),
        "dram_read_words": dram_reads,
        "dram_write_words": dram_writes,
        "dram_bytes": (dram_reads + dram_writes) * columns["word_bytes"],
        "pes": pes,
        "sram_kib": sum(columns[f"{name}_sram_kib"] for name in OPERANDS),
    }
    works = np.array([not reason for reason in infeasible], dtype=bool)
    return Metrics(
        {name: np.where(works, column, np.nan) for name, column in metrics.items()}, infeasible
    )
