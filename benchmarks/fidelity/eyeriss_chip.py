"""Latency and traffic of the Eyeriss chip, layer by layer, beside the `eyeriss_168` template.

    python benchmarks/fidelity/eyeriss_chip.py [--data PATH] [--json]

PATH is a table of the chip's measurements, or a folder of them, named `*alexnet.csv` (batches of 4)
or `*vgg16.csv` (of 3): Chen et al., "Eyeriss: an energy-efficient reconfigurable accelerator for
deep convolutional neural networks", JSSC 52(1), 2017, tables V and VI, at 200 MHz and 1 V.

The template's reference design gets what the chip has: 100 KB of global buffer for inputs and
partial sums (8 of 108 KB hold filters on their way), 12, 224 and 24 words in a processing element
(PE), and 64 bits of DRAM at up to 90 MHz, 3.6 bytes for each cycle of the core. Nothing is fitted.

Two mappings are played:

- `mapper`: the built-in mapper's, at high effort. It may map the layer as it likes.
- `chip`: the chip's own, where it is published (AlexNet, `SHAPES`). It fills more than half of a
  scratchpad, and on the chip each word makes way for the next one by itself. The engine moves whole
  tiles, so here scratchpads have room for the next tile beside the present one (`twice`).

And two times compared: *total latency* with all transfers between DRAM and the chip, and
*processing latency* with DRAM that costs no time. Measured DRAM traffic is of run-length coded
activations; the model's is of all of them, zeros of the padding included.
"""

import argparse
import copy
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from accel_dse.errors import FileError
from accel_dse.files import load_space
from accel_dse.mapping import Mappings
from accel_dse.simulators import loop_nest, mapper, timeline
from accel_dse.template import bind, read_template
from accel_dse.workload import DIMS, Layer

HERE = Path(__file__).resolve()
DATA = HERE.parents[3] / "shared/reference/eyeriss_chip"

CYCLES_PER_MS = 200e3
WORD_BYTES = 2
GLOBAL_BUFFER_BYTES = 100 * 1024
PE_WORDS = {"weights": 224, "inputs": 12, "outputs": 24}
DRAM_BYTES_PER_CYCLE = 8 * 90 / 200
COLUMNS = 14

Run = Mapping[str, float]


def conv(name: str, n: int, k: int, c: int, p: int, r: int, stride: int = 1, g: int = 1) -> Layer:
    return Layer(name=name, N=n, G=g, K=k, C=c, P=p, Q=p, R=r, S=r, stride=(stride, stride))


ALEXNET = (
    conv("CONV1", 4, 96, 3, 55, 11, stride=4),
    conv("CONV2", 4, 128, 48, 27, 5, g=2),
    conv("CONV3", 4, 384, 256, 13, 3),
    conv("CONV4", 4, 192, 192, 13, 3, g=2),
    conv("CONV5", 4, 128, 192, 13, 3, g=2),
)
VGG16 = tuple(
    conv(f"CONV{block}-{i}", 3, k, c, p, 3)
    for block, i, k, c, p in (
        *((1, 1, 64, 3, 224), (1, 2, 64, 64, 224), (2, 1, 128, 64, 112), (2, 2, 128, 128, 112)),
        *((3, 1, 256, 128, 56), (3, 2, 256, 256, 56), (3, 3, 256, 256, 56)),
        *((4, 1, 512, 256, 28), (4, 2, 512, 512, 28), (4, 3, 512, 512, 28)),
        *((5, 1, 512, 512, 14), (5, 2, 512, 512, 14), (5, 3, 512, 512, 14)),
    )
)
NETWORKS = {"alexnet": ALEXNET, "vgg16": VGG16}


@dataclass(frozen=True)
class Shape:
    """A row-stationary mapping, in the letters of the JSSC paper.

    Attributes:
        m: output channels whose sums are in the global buffer.
        n: images at a time.
        e: output rows at a time.
        p, q: output and input channels in a PE.
        r, t: sets of PEs that work on other input channels, on other output channels.
    """

    m: int
    n: int
    e: int
    p: int
    q: int
    r: int
    t: int


SHAPES = {
    ("alexnet", "CONV1"): Shape(m=96, n=1, e=7, p=16, q=1, r=1, t=2),
    ("alexnet", "CONV2"): Shape(m=64, n=1, e=27, p=16, q=2, r=1, t=1),
    ("alexnet", "CONV3"): Shape(m=64, n=4, e=13, p=16, q=4, r=1, t=4),
    ("alexnet", "CONV4"): Shape(m=64, n=4, e=13, p=16, q=3, r=2, t=2),
    ("alexnet", "CONV5"): Shape(m=64, n=4, e=13, p=16, q=3, r=2, t=2),
}
"""Source: JSSC 2017, table III (recalled; checked: `R e r t` is how many PEs are active by the
measurements, and what each mapping stores fits the chip's memories with little to spare)."""


def mapping_of(shape: Shape, layer: Layer) -> Mappings:
    """The mapping onto DRAM, global buffer and PEs.

    Sums stay in the global buffer until all input channels are added; there, weights stay in the
    PEs while a row of outputs passes, for each image.
    """
    temporal, across_x, across_y = (np.ones((1, 3, 8), dtype=np.int64) for _ in range(3))

    def put(array: np.ndarray, level: int, **factors: int) -> None:
        for dim, factor in factors.items():
            array[0, level, DIMS.index(dim)] = factor

    wide = min(shape.e, COLUMNS)
    sets_x = min(shape.t, COLUMNS // wide)
    put(across_x, 1, P=wide, K=sets_x)
    put(across_y, 1, R=layer.R, C=shape.r, K=shape.t // sets_x, P=-(-shape.e // wide))
    put(temporal, 2, K=shape.p, C=shape.q, S=layer.S)
    put(temporal, 1, N=shape.n, K=shape.m // (shape.p * shape.t), Q=layer.Q)
    put(temporal, 0, N=layer.N // shape.n, G=layer.G, K=-(-layer.K // shape.m))
    put(temporal, 0, C=-(-layer.C // (shape.q * shape.r)), P=-(-layer.P // shape.e))
    loops = ("NGPKCQRS", "GKCRSPNQ", "NGPQRSKC")
    order = np.array([[[DIMS.index(d) for d in each] for each in loops]])
    return Mappings(temporal, across_x, across_y, order)


class Chip:
    """The template with the chip's numbers.

    Args:
        free_dram: whether DRAM costs no time.
        twice: whether a scratchpad has room for the next tile beside the present one.
    """

    def __init__(self, *, free_dram: bool, twice: bool) -> None:
        file = load_space("eyeriss_168")
        section: dict[str, Any] = copy.deepcopy(dict(file.accelerator or {}))
        dram, buffer, pe = section["levels"]
        dram["bandwidth"] = {} if free_dram else {"shared": DRAM_BYTES_PER_CYCLE}
        if free_dram:
            dram["latency"] = 0
        buffer["capacity_bytes"] = GLOBAL_BUFFER_BYTES
        places = 2 if twice else 1
        pe["capacity_bytes"] = {t: places * WORD_BYTES * n for t, n in PE_WORDS.items()}
        columns = file.space.columns([file.references["eyeriss"].design])
        self.hardware = bind(read_template(section, file.space), columns)

    def candidates(self, layer: Layer) -> Mappings:
        """What the built-in mapper finds."""
        found = mapper.map_layers(self.hardware, [layer], effort=mapper.EFFORTS["high"])
        return found.mappings.select(np.arange(found.found[0, 0]))

    def run(self, layer: Layer, mappings: Mappings) -> Run:
        """The fastest of the mappings, played."""
        many = np.arange(len(mappings))
        zeros = np.zeros_like(many)
        arguments = (self.hardware, [layer], mappings, zeros, zeros, many)
        counted = loop_nest.evaluate(*arguments, detail=True)
        if counted.codes.any() or counted.levels is None:
            raise ValueError(f"{layer.name}: {counted.reason(int(np.argmax(counted.codes)))}")
        played = timeline.simulate(*arguments)
        best = int(np.argmin(played.cycles))
        counts = counted.levels
        buffer = counts.total_reads + counts.total_fills + counts.total_updates
        return {
            "ms": played.cycles[best] / CYCLES_PER_MS,
            "analytical_ms": counted.cycles[best] / CYCLES_PER_MS,
            "dram_mb": (counted.dram_read_bits + counted.dram_written_bits)[best] / 8e6,
            "buffer_mb": float(buffer[best, 1].sum()) * WORD_BYTES / 1e6,
            "active_pes": float(counts.instances[best, 2]),
        }


def load(path: Path) -> list[dict[str, Any]]:
    """The measured rows of a table or of a folder of tables, each with its network and layer."""
    rows = []
    for table in sorted(path.glob("*.csv")) if path.is_dir() else [path]:
        network = table.stem.rpartition("-")[2]
        layers = {layer.name: layer for layer in NETWORKS.get(network, ())}
        if not layers:
            raise FileError(f"{table}: no network is named {network!r}", hint="alexnet or vgg16")
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["Layer"] != "Total":
                    rows.append({"network": network, "layer": layers[row["Layer"]], **row})
    if not rows:
        raise FileError(f"{path}: no table of measurements")
    return rows


def measured(row: Mapping[str, Any]) -> Run:
    return {
        "total_ms": float(row["Total Latency (ms)"]),
        "processing_ms": float(row["Processing Latency (ms)"]),
        "dram_mb": float(row["DRAM Accesses (MB)"]),
        "buffer_mb": float(row["Global Buffer Accesses (MB)"]),
        "active_pes": float(row.get("Num. of Active PEs") or row["PEs"]),
    }


def compare(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Measured, mapped and the chip's own mapping, layer by layer."""
    chips = {
        side: [Chip(free_dram=free, twice=side == "chip") for free in (False, True)]
        for side in ("mapper", "chip")
    }
    found = []
    for row in rows:
        layer, shape = row["layer"], SHAPES.get((row["network"], row["layer"].name))
        entry = {"network": row["network"], "layer": layer.name, "measured": measured(row)}
        for side, pair in chips.items():
            if side == "mapper":
                total, processing = (chip.run(layer, chip.candidates(layer)) for chip in pair)
            elif shape is not None:
                total, processing = (chip.run(layer, mapping_of(shape, layer)) for chip in pair)
            else:
                continue
            entry[side] = {
                "total_ms": total["ms"],
                "processing_ms": processing["ms"],
                "analytical_ms": processing["analytical_ms"],
                **{key: total[key] for key in ("dram_mb", "buffer_mb", "active_pes")},
            }
        found.append(entry)
    return found


def figures(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All figures; those at the top are of processing latency under the built-in mapper."""
    result: dict[str, Any] = {"rows": len(found)}
    for side in ("mapper", "chip"):
        rows = [row for row in found if side in row]
        for key in ("processing_ms", "total_ms", "dram_mb", "buffer_mb"):
            if rows:
                result[f"{side}_{key}"] = _agreement(rows, side, key)
    best = result["mapper_processing_ms"]
    return {
        "rows": len(found),
        "spearman": best["spearman"],
        "median_abs_pct_error": best["median_abs_pct_error"],
        **result,
        "layers": list(found),
    }


def _agreement(rows: Sequence[Mapping[str, Any]], side: str, key: str) -> dict[str, Any]:
    ours = np.array([row[side][key] for row in rows])
    theirs = np.array([row["measured"][key] for row in rows])
    names = np.array([row["network"] for row in rows])
    sums = {n: float(ours[names == n].sum() / theirs[names == n].sum()) for n in sorted(set(names))}
    return {
        "spearman": float(spearmanr(ours, theirs).statistic) if len(rows) > 2 else None,
        "median_abs_pct_error": float(100 * np.median(np.abs(ours / theirs - 1))),
        "ratio_of_sums": sums,
        "least_ratio": float((ours / theirs).min()),
        "largest_ratio": float((ours / theirs).max()),
    }


def show(result: Mapping[str, Any]) -> None:
    keys = {"processing_ms": "processing ms", "total_ms": "total ms", "dram_mb": "DRAM MB"}
    keys |= {"buffer_mb": "buffer MB", "active_pes": "PEs"}
    print(f"{'':24s}" + "".join(f"{label:>22s}" for label in keys.values()))
    print(f"{'':24s}" + f"{'chip':>8s}{'model':>8s}{'ratio':>6s}" * len(keys))
    for row in result["layers"]:
        for side in ("mapper", "chip"):
            if side in row:
                cells = [(row["measured"][key], row[side][key]) for key in keys]
                print(
                    f"{row['network']:8s}{row['layer']:9s}{side:7s}"
                    + "".join(f"{a:8.1f}{b:8.1f}{b / a:6.2f}" for a, b in cells)
                )
    for name, value in result.items():
        if isinstance(value, dict):
            sums = ", ".join(f"{n} {ratio:.2f}" for n, ratio in value["ratio_of_sums"].items())
            print(
                f"{name:22s} ratio of sums: {sums}; by layer {value['least_ratio']:.2f} to "
                f"{value['largest_ratio']:.2f}; median error {value['median_abs_pct_error']:.0f} %"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="a table, or a folder of tables")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="the first network alone")
    options = parser.parse_args()
    try:
        rows = load(options.data)[: 5 if options.quick else None]
    except (FileError, OSError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    result = figures(compare(rows))
    if options.json:
        print(json.dumps(result))
    else:
        show(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
