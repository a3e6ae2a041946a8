"""The logs of the DOSA artifact: Gemmini hardware and mappings, by Timeloop or on its RTL.

A design is the hardware (`mesh`, `accumulator_words`, `scratchpad_words`) and the mapping: how
often each dimension is looped over at each level, which are unrolled in space, and the order of
the loops over DRAM. An application is a layer. The space has the values that occur in the file.

Source: Hong et al., "DOSA: Differentiable Model-Based One-Loop Search for DNN Accelerators",
MICRO 2023, and its artifact.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from accel_dse.dataset import Dataset, texts
from accel_dse.datasets.complaints import Complaints
from accel_dse.datasets.delimited import distinct, measurement, rows_of
from accel_dse.errors import FileError, WorkloadError
from accel_dse.parameters import Categorical, Ordinal, Parameter
from accel_dse.space import DesignSpace
from accel_dse.workload import Layer, Workload

HARDWARE = {
    "mesh": "arch.meshX",
    "accumulator_words": "arch.mem1_entries",
    "scratchpad_words": "arch.mem2_entries",
}
LEVELS = ("dram", "scratchpad", "accumulator", "registers")
LOOP = re.compile(r"([NKCPQRS])(\d+)(X?)")
MEASURED = "target.gemmini_cycle"
"""Cycles of the RTL, where the file has them: there `target.cycle` repeats it."""

METRICS = {"latency_cycles": "target.cycle", "energy_uj": "target.energy"}


def read(path: Path) -> tuple[Dataset, Complaints]:
    """A file of the artifact.

    Returns:
        The rows that make sense, and what is wrong with the others.

    Raises:
        FileError: it is not one, or no row in it makes sense.
    """
    rows = rows_of(path)
    metrics = dict(METRICS)
    if MEASURED in rows[0]:
        metrics["latency_cycles"] = MEASURED
    for column in (*HARDWARE.values(), *metrics.values(), "mapping.mapping", "prob.K"):
        if column not in rows[0]:
            raise FileError(f"{path}: has no column {column!r}: not a log of DOSA")
    complaints = Complaints()
    designs: list[dict[str, int | str]] = []
    measured: list[list[float]] = []
    applications: list[str] = []
    workloads: dict[str, Workload] = {}
    for number, row in enumerate(rows, 2):
        try:
            workload = layer_of(row)
            design = {n: int(measurement(row[c], c)) for n, c in HARDWARE.items()}
            values = [measurement(row[column], column) for column in metrics.values()]
            designs.append({**design, **factors(row["mapping.mapping"])})
        except (ValueError, WorkloadError) as error:
            complaints.add(f"line {number}: {error}")
            continue
        measured.append(values)
        applications.append(workload.name)
        workloads[workload.name] = workload
    if not designs:
        raise FileError(f"{path}: no row makes sense: {complaints.examples[0]}")
    space = _space(designs)
    table = np.array(measured)
    dataset = Dataset(
        space,
        space.columns(designs),
        {name: table[:, i] for i, name in enumerate(metrics)},
        texts("" for _ in designs),
        texts(applications),
        workloads,
        {"converted_from": "dosa", "file": path.name, "corrupt_records": complaints.count},
    )
    return dataset, complaints


def factors(text: str) -> dict[str, int | str]:
    """A mapping string, `L3[WIO] K8 Q28 - L2[WI] K4X - ...`, as parameters.

    Raises:
        ValueError: it is none.
    """
    parts = text.split(" - ")
    if len(parts) != len(LEVELS):
        raise ValueError(f"mapping: expected {len(LEVELS)} levels, got {text!r}")
    names = [f"{level}_{dim}" for level in LEVELS for dim in "KCPQRS"]
    found = dict.fromkeys([*names, "spatial_K", "spatial_C"], 1)
    order = ""
    for level, part in zip(LEVELS, parts):
        for dim, factor, across in LOOP.findall(part.partition("]")[2]):
            name = f"spatial_{dim}" if across else f"{level}_{dim}"
            if dim == "N" and factor == "1":  # an empty loop
                continue
            if name not in found:
                raise ValueError(f"mapping: unexpected loop {dim}{factor}{across}")
            found[name] *= int(factor)
            if level == "dram" and int(factor) > 1:
                order += dim
    return {**found, "dram_order": order or "none"}


def layer_of(row: Mapping[str, str]) -> Workload:
    """The layer of a row, as a network of its own."""
    bounds: dict[str, Any] = {
        dim: int(measurement(row[f"prob.{dim}"], f"prob.{dim}")) for dim in "NKCPQRS"
    }
    stride, dilation = (
        (int(float(row[f"prob.W{what}"])), int(float(row[f"prob.H{what}"])))
        for what in ("stride", "dilation")
    )
    label = "_".join(f"{dim.lower()}{bound}" for dim, bound in bounds.items() if dim != "N")
    name = f"layer_{label}_stride{stride[0]}"
    return Workload(name, (Layer(name=name, **bounds, stride=stride, dilation=dilation),))


def _space(designs: list[dict[str, int | str]]) -> DesignSpace:
    """The space of the values that occur."""
    parameters: list[Parameter] = []
    for name in designs[0]:
        values = distinct([design[name] for design in designs])
        if name == "dram_order":
            parameters.append(Categorical(name, values))
        else:
            parameters.append(Ordinal(name, values, scale="log"))
    return DesignSpace("gemmini_dosa", tuple(parameters))
