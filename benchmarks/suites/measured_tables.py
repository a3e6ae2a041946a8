"""Tables of other people's simulations as problems: a design is looked up, nothing of ours runs.

The rows of one layer in the DOSA artifact's log (Gemmini hardware and mappings, measured by
Timeloop and Accelergy) are all there is to find: some 630 designs of a layer. A search space of
their parameters also has designs that were never measured; such a design counts as the row that is
nearest to it (summed differences of `DesignSpace.encode`; the first of equals), which its trial
reports as `table_row`. So the best value is known exactly, and the way to it is that of real
designs, but with plateaus that a simulator would not have.

Source of the data: Hong et al., "DOSA", MICRO 2023, and its artifact (BSD-2).
"""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accel_dse.datasets import dosa
from accel_dse.datasets.delimited import rows_of
from accel_dse.errors import OptionError
from accel_dse.metrics import Metrics
from accel_dse.parameters import Categorical, Ordinal, Parameter
from accel_dse.parameters.base import Floats
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.simulators.base import Columns, Simulator
from accel_dse.space import DesignSpace
from accel_dse.workload import Workload

LOG = Path(__file__).resolve().parents[3] / "shared/reference/gemmini_timeloop.csv.gz"

TIGHT = 0.3
"""The limit on energy is what this share of a layer's rows keeps."""

TUNING = (
    "layer_k128_c64_p56_q56_r1_s1_stride1",
    "layer_k128_c128_p27_q27_r3_s3_stride1",
)
"""Layers on which options may be chosen; no figure is reported of them."""

REPORT = (
    "layer_k512_c16_p14_q14_r3_s3_stride1",
    "layer_k512_c256_p28_q28_r1_s1_stride1",
    "layer_k128_c128_p112_q112_r3_s3_stride1",
    "layer_k512_c512_p7_q7_r2_s2_stride1",
)
"""Layers on which optimizers are reported. All six are among those where fewer than 2 % of random
designs are looked up as the best row, and half of those within the limit are 3 times slower."""


@dataclass(frozen=True)
class Table:
    """The measured designs of a layer.

    Attributes:
        space: of the values that occur.
        columns: the rows.
        metrics: theirs, each of shape `(n,)`.
        workload: the layer.
    """

    space: DesignSpace
    columns: Columns
    metrics: dict[str, NDArray[np.float64]]
    workload: Workload

    def problem(self) -> Problem:
        """Least latency within an energy that most rows exceed."""
        bound = float(np.quantile(self.metrics["energy_uj"], TIGHT))
        limit = Limit("energy_uj", "<=", float(f"{bound:.4g}"))
        goal = (Objective("latency_cycles"),)
        return Problem(self.space, ((self.workload, 1.0),), goal, (limit,))

    def optimum(self) -> float:
        """The least latency in the table that keeps the limit."""
        kept = self.problem().limits[0].violation(self.metrics["energy_uj"]) <= 0
        return float(self.metrics["latency_cycles"][kept].min())


@dataclass(frozen=True)
class TableSimulator(Simulator):
    """Looks designs up.

    Attributes:
        log: of one layer, see `extract`.
    """

    log: Path

    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """What was measured of the row nearest to each of `n` designs."""
        table = read(self.log)
        asked = table.space.encode_columns(designs)
        known = _codes(self.log)
        rows = np.array([int(np.abs(known - code).sum(axis=1).argmin()) for code in asked])
        values = {name: column[rows] for name, column in table.metrics.items()}
        return Metrics({**values, "table_row": rows * 1.0}, ("",) * len(rows))


def extract(log: Path, layers: Collection[str], folder: Path) -> dict[str, Path]:
    """Writes the rows of some layers to files of their own, which are read in no time.

    Args:
        log: a file of the artifact.
        layers: their names.
        folder: gets `LAYER.csv`; a file that is there already is kept.

    Raises:
        FileError: the log is not there, or is none of the artifact.
        OptionError: it has no such layer.
    """
    files = {layer: folder / f"{layer}.csv" for layer in layers}
    if all(file.exists() for file in files.values()):
        return files
    rows = rows_of(log)
    names = [dosa.layer_of(row).name for row in rows]
    for layer, file in files.items():
        found = [row for row, name in zip(rows, names) if name == layer]
        if not found:
            raise OptionError(f"{log}: no layer is called {layer!r}", hint=", ".join(set(names)))
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(found[0]))
            writer.writeheader()
            writer.writerows(found)
    return files


@cache
def read(log: Path) -> Table:
    """The rows of one layer."""
    rows = dosa.read(log)[0]
    (layer,) = rows.applications
    columns = {
        name: column
        for name, column in rows.columns.items()
        if not name.startswith("dram_") and len(set(column.tolist())) > 1
    }
    # of the order of the loops over DRAM the innermost decides what can stay below
    order = rows.columns["dram_order"].tolist()
    columns["dram_innermost"] = np.array([text[-1] if text != "none" else text for text in order])
    space = DesignSpace(layer, tuple(_parameter(name, column) for name, column in columns.items()))
    return Table(space, columns, dict(rows.metrics), rows.workloads[layer])


@cache
def _codes(log: Path) -> Floats:
    table = read(log)
    return table.space.encode_columns(table.columns)


def _parameter(name: str, column: NDArray) -> Parameter:
    values = tuple(sorted(set(column.tolist())))
    if name == "dram_innermost":
        return Categorical(name, values)
    return Ordinal(name, values, scale="log")
