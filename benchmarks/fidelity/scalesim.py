"""The systolic simulator beside SCALE-Sim v3's own reports, layer by layer.

PATH is a folder of run folders. Each holds what SCALE-Sim was given, `config.cfg` and
`topology.csv` (convolutions, or `Layer, M, N, K`), and its reports `COMPUTE_REPORT.csv`,
`DETAILED_ACCESS_REPORT.csv` and, if there, `BANDWIDTH_REPORT.csv`.

    python benchmarks/fidelity/scalesim.py [--data PATH] [--json]

Figures are shares of layers, unless they say otherwise:

- `cycles_exact`: cycles without stalls are equal. `total_cycles_exact`, `cycles_within_1pct` and
  `median_abs_pct_error`: cycles with stalls; the last is in percent, of the layers run under
  limited bandwidth (null if there are none).
- `stalls_exact`, `stalls_within_5pct`: of the layers that stall there or here.
- `counts_exact`: all six counts are equal, SRAM and DRAM reads of the ifmap and the filter, writes
  of the ofmap, after the one correction below. `counts_exact_uncorrected`: without it.
- `dram_cycles_exact`: first and last cycle of each operand's DRAM accesses are equal.
- `utilization_exact`: utilization, mapping efficiency and (corrected) compute utilization are.
- `bandwidth_exact`: the average bandwidths of the six interfaces are.
- `ispass20_exact`: the closed form of the ISPASS 2020 paper, 2 R + C + T - 2 cycles a fold for
  every dataflow, gives the cycles without stalls. It is R cycles a fold too long for the
  output-stationary arrays of v3, whose results leave in the cycle in which they are complete.

Two slips of SCALE-Sim 3.0.0 are not copied by the simulator, but added here to its figures:

- An output-stationary fold counts R + C writes to the ofmap's SRAM too many
  (`systolic_compute_os.py`, `create_ofmap_demand_mat`).
- A weight- or input-stationary fold is taken for C - 1 cycles longer than it is in the compute
  utilization (`cycles_this_fold` adds a skew that the stationary operand does not have).

Others are in the simulator, because cycles follow from them; `slowdown` tells what they amount to:
SCALE-Sim's cycles under limited bandwidth over the least possible, the longer of the cycles without
stalls and of each operand's words over its bandwidth. A wait for a read is counted twice, and a
prefetcher that can only go on, never back, goes through a whole matrix again for one row of it.
"""

import argparse
import csv
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from accel_dse.errors import DseError, FileError
from accel_dse.simulators.systolic import SystolicSimulator
from accel_dse.workload import Layer, Workload
from accel_dse.workloads import scalesim

HERE = Path(__file__).resolve()
DATA = HERE.parents[3] / "shared/reference/scalesim"

OPERANDS = ("IFMAP", "Filter", "OFMAP")
ACCESSES = ("Reads", "Reads", "Writes")
NOT_MODELED = (
    ("sparsity", "SparsitySupport"),
    ("run_presets", "UseRamulatorTrace"),
    ("layout", "IfmapCustomLayout"),
    ("layout", "FilterCustomLayout"),
)


@dataclass(frozen=True)
class Run:
    """What SCALE-Sim was given and what it reported.

    Attributes:
        name: of its folder.
        simulator: with the settings of its configuration.
        bandwidths: words per cycle of the three interfaces.
        network: one layer for each row of the reports.
        inputs: rows and columns of each layer's input.
        reported: column of a report -> one number a layer.
    """

    name: str
    simulator: SystolicSimulator
    bandwidths: tuple[float, float, float]
    network: Workload
    inputs: Sequence[tuple[int, int] | None]
    reported: Mapping[str, np.ndarray]


def read_run(folder: Path) -> Run:
    """Reads a run folder.

    Raises:
        FileError: something is missing, or uses what is not modeled.
    """
    config = ConfigParser()
    try:
        config.read_string((folder / "config.cfg").read_text(encoding="utf-8"))
        for section, key in NOT_MODELED:
            if config.getboolean(section, key, fallback=False):
                raise FileError(f"{folder}: config.cfg: {section}: {key}: not modeled")
        simulator, bandwidths = _simulator(config)
    except (OSError, ConfigError, ValueError, KeyError) as error:
        raise FileError(f"{folder}: config.cfg: {error}") from error
    layers, inputs = _layers(folder / "topology.csv")
    reported = {
        **_report(folder / "COMPUTE_REPORT.csv"),
        **_report(folder / "DETAILED_ACCESS_REPORT.csv"),
    }
    if (folder / "BANDWIDTH_REPORT.csv").exists():
        reported |= _report(folder / "BANDWIDTH_REPORT.csv")
    for name, column in reported.items():
        if len(column) != len(layers):
            raise FileError(f"{folder}: {name}: {len(column)} rows for {len(layers)} layers")
    return Run(folder.name, simulator, bandwidths, Workload("run", tuple(layers)), inputs, reported)


def _simulator(config: ConfigParser) -> tuple[SystolicSimulator, tuple[float, float, float]]:
    array = config["architecture_presets"]
    bandwidths = (np.inf, np.inf, np.inf)
    if config["run_presets"]["InterfaceBandwidth"].strip() == "USER":
        outputs = float(array["Bandwidth"].split(",")[0])
        bandwidths = (
            config.getfloat("layout", "IfmapSRAMBankBandwidth", fallback=outputs),
            config.getfloat("layout", "FilterSRAMBankBandwidth", fallback=outputs),
            outputs,
        )
    simulator = SystolicSimulator(
        array_rows=array.getint("ArrayHeight"),
        array_columns=array.getint("ArrayWidth"),
        dataflow=array["Dataflow"].strip(),
        ifmap_sram_kib=array.getfloat("IfmapSramSzkB"),
        filter_sram_kib=array.getfloat("FilterSramSzkB"),
        ofmap_sram_kib=array.getfloat("OfmapSramSzkB"),
        ifmap_words_per_cycle=bandwidths[0],
        filter_words_per_cycle=bandwidths[1],
        ofmap_words_per_cycle=bandwidths[2],
    )
    return simulator, bandwidths


def _layers(path: Path) -> tuple[list[Layer], list[tuple[int, int] | None]]:
    """Layers and their inputs, a depthwise one as many times as SCALE-Sim runs it."""
    network = scalesim.load(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    gemm = [cell.strip().upper() for cell in head[1:4]] == ["M", "N", "K"]
    sizes = [None if gemm else (int(row[1]), int(row[2])) for row in rows]
    pairs = list(zip(network.layers, sizes, strict=True))
    layers = chain.from_iterable([layer] * layer.G for layer, _ in pairs)
    return list(layers), list(chain.from_iterable([size] * layer.G for layer, size in pairs))


def _report(path: Path) -> dict[str, np.ndarray]:
    """The columns of a report, without the layer's number."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = [
                [cell.strip() for cell in row if cell.strip()] for row in csv.reader(file) if row
            ]
        table = np.array(rows, dtype=np.float64)
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: cannot be read: {error}") from error
    return dict(zip(head[1:], table.T[1:], strict=True))


def compare(run: Run) -> dict[str, np.ndarray]:
    """What agrees, one truth value a layer; and cycles, stalls and the least possible cycles."""
    table = run.simulator.layers(run.network, {}, inputs=run.inputs)
    if table.infeasible[0]:
        raise FileError(f"{run.name}: {table.infeasible[0]}")
    ours = {name: column[0] for name, column in table.values.items()}
    theirs = run.reported
    stationary_outputs = run.simulator.dataflow == "os"
    R, C = run.simulator.array_rows, run.simulator.array_columns
    slip = ours["folds"] * (R + C) if stationary_outputs else 0
    equal = [
        ours[f"{operand.lower()}_{memory.lower()}_words"] == theirs[f"{memory} {operand} {access}"]
        for operand, access in zip(OPERANDS, ACCESSES)
        for memory in ("SRAM", "DRAM")
    ]
    uncorrected = np.logical_and.reduce(equal)
    equal[4] = ours["ofmap_sram_words"] + slip == theirs["SRAM OFMAP Writes"]
    edges = [
        ours[f"{operand.lower()}_dram_{edge.lower()}_cycle"]
        == theirs[f"DRAM {operand} {edge} Cycle"]
        for operand in OPERANDS
        for edge in ("Start", "Stop")
    ]
    longer = 1.0 if stationary_outputs else 1 + ours["folds"] * (C - 1) / ours["compute_cycles"]
    shares = [
        np.isclose(100 * ours["utilization"], theirs["Overall Util %"], rtol=1e-9),
        np.isclose(100 * ours["mapping_efficiency"], theirs["Mapping Efficiency %"], rtol=1e-9),
        np.isclose(100 * ours["compute_utilization"] / longer, theirs["Compute Util %"], rtol=1e-9),
    ]
    found = {
        "cycles": ours["cycles"],
        "stalls": ours["stall_cycles"],
        "their_cycles": theirs["Total Cycles"],
        "their_stalls": theirs["Stall Cycles"],
        "cycles_exact": ours["cycles"] - ours["stall_cycles"]
        == theirs["Total Cycles"] - theirs["Stall Cycles"],
        "counts_exact": np.logical_and.reduce(equal),
        "counts_exact_uncorrected": uncorrected,
        "dram_cycles_exact": np.logical_and.reduce(edges),
        "utilization_exact": np.logical_and.reduce(shares),
        "ispass20_exact": ours["compute_cycles"] + (ours["folds"] * R if stationary_outputs else 0)
        == ours["compute_cycles"],
        "least": least_cycles(run, ours),
        "limited": np.full(len(run.network.layers), np.isfinite(run.bandwidths[0])),
    }
    if "Avg IFMAP DRAM BW" in theirs:
        found["bandwidth_exact"] = np.logical_and.reduce(_bandwidths(ours, theirs, slip))
    return found


def least_cycles(run: Run, ours: Mapping[str, np.ndarray]) -> np.ndarray:
    """Cycles that a layer cannot do without: those of the array, or of an interface."""
    words = [
        np.array([layer.words(tensor) / layer.G for layer in run.network.layers])
        for tensor in ("inputs", "weights", "outputs")
    ]
    return np.maximum.reduce(
        [ours["compute_cycles"] - 1, *(w / b for w, b in zip(words, run.bandwidths))]
    )


def _bandwidths(
    ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], slip: np.ndarray | int
) -> list[np.ndarray]:
    """Whether average bandwidths agree, one row for each interface."""
    agree = []
    for operand in OPERANDS:
        name, label = operand.lower(), operand.upper()
        sram = ours[f"{name}_sram_words"] + (slip if name == "ofmap" else 0)
        cycles = ours[f"{name}_dram_stop_cycle"] - ours[f"{name}_dram_start_cycle"] + 1
        dram = ours[f"{name}_dram_words"] / cycles
        agree.append(np.isclose(sram / ours["cycles"], theirs[f"Avg {label} SRAM BW"], rtol=1e-9))
        agree.append(np.isclose(dram, theirs[f"Avg {label} DRAM BW"], rtol=1e-9))
    return agree


def figures(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float | int | None]:
    """The figures of all layers of `parts` together."""
    names = set.intersection(*(set(part) for part in parts))
    whole = {name: np.concatenate([part[name] for part in parts]) for name in names}
    error = np.abs(whole["cycles"] / whole["their_cycles"] - 1)
    stalled = (whole["stalls"] > 0) | (whole["their_stalls"] > 0)
    stalls, their_stalls = whole["stalls"][stalled], whole["their_stalls"][stalled]
    limited = whole["limited"]
    slowdown = (whole["their_cycles"] / whole["least"])[limited]
    return {
        "rows": len(error),
        **{
            name: float(whole[name].mean())
            for name in (
                *("cycles_exact", "counts_exact", "counts_exact_uncorrected"),
                *("dram_cycles_exact", "utilization_exact", "bandwidth_exact", "ispass20_exact"),
            )
            if name in whole
        },
        "total_cycles_exact": float((error == 0).mean()),
        "cycles_within_1pct": float((error <= 0.01).mean()),
        "limited_rows": int(limited.sum()),
        "median_abs_pct_error": float(100 * np.median(error[limited])) if limited.any() else None,
        "stalled_rows": int(stalled.sum()),
        "stalls_exact": float((stalls == their_stalls).mean()) if stalled.any() else None,
        "stalls_within_5pct": float((np.abs(stalls - their_stalls) <= 0.05 * their_stalls).mean())
        if stalled.any()
        else None,
        "median_slowdown": statistics.median(slowdown) if limited.any() else None,
        "largest_slowdown": float(slowdown.max()) if limited.any() else None,
    }


def show(runs: Mapping[str, dict[str, float | int | None]], whole: Mapping[str, object]) -> None:
    columns = ("cycles_exact", "total_cycles_exact", "counts_exact", "stalls_within_5pct")
    width = max(len(name) for name in (*runs, "all"))
    print(f"{'run':{width}}  rows  " + "  ".join(columns))
    for name, row in {**runs, "all": whole}.items():
        cells = "  ".join(
            f"{'-' if row[c] is None else f'{100 * row[c]:.1f} %':>{len(c)}}" for c in columns
        )
        print(f"{name:{width}}  {row['rows']:4d}  {cells}")
    print()
    for name, value in whole.items():
        text = value if isinstance(value, int) or value is None else f"{value:.4g}"
        print(f"{name:26s} {text}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of run folders")
    parser.add_argument("--json", action="store_true", help="one object, for machines")
    parser.add_argument("--quick", action="store_true", help="the first run alone")
    options = parser.parse_args()
    compared, skipped = {}, []
    folders = sorted(path.parent for path in options.data.glob("*/config.cfg"))
    for folder in folders[:1] if options.quick else folders:
        try:
            compared[folder.name] = compare(read_run(folder))
        except DseError as error:
            skipped.append(str(error))
            print(f"skipped: {error}", file=sys.stderr)
    if not compared:
        print(f"error: {options.data}: no run folder that can be compared", file=sys.stderr)
        return 2
    whole = figures(list(compared.values()))
    runs = {name: figures([part]) for name, part in compared.items()}
    if options.json:
        print(json.dumps({**whole, "runs": runs, "skipped": skipped}))
    else:
        show(runs, whole)
    return 0


if __name__ == "__main__":
    sys.exit(main())
