"""SCALE-Sim v3 as an external simulator: systolic arrays, cycle by cycle.

    SCALESIM_PYTHON stub.py        in an environment with `pip install scalesim==3.0.0`

Source: Raj et al., "SCALE-Sim v3: A modular cycle-accurate systolic accelerator simulator for
end-to-end system analysis", ISPASS 2025.
"""

import csv
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from recording import Tool, options
from serving import Infeasible, count_macs, serve, unique

DATAFLOWS = {"weight_stationary": "ws", "output_stationary": "os", "input_stationary": "is"}
REPORTS = ("COMPUTE_REPORT.csv", "DETAILED_ACCESS_REPORT.csv")
METRICS = (
    "latency_cycles",
    "compute_cycles",
    "stall_cycles",
    "utilization",
    "dram_bytes",
    "sram_bytes",
)
PARAMETERS = ("rows", "columns", "dataflow", "ifmap_kib", "filter_kib", "ofmap_kib")

CONFIG = """[general]
run_name = run

[architecture_presets]
ArrayHeight: {rows}
ArrayWidth: {columns}
IfmapSramSzkB: {ifmap_kib}
FilterSramSzkB: {filter_kib}
OfmapSramSzkB: {ofmap_kib}
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: {bandwidth}
Dataflow: {dataflow}
MemoryBanks: 1
ReadRequestBuffer: 32
WriteRequestBuffer: 32

[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: {bandwidth}
IfmapSRAMBankNum: 1
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: {bandwidth}
FilterSRAMBankNum: 1
FilterSRAMBankPort: 2

[sparsity]
SparsitySupport: false
SparseRep: ellpack_block
OptimizedMapping: false
BlockSize: 8
RandomNumberGeneratorSeed: 40

[run_presets]
InterfaceBandwidth: {interface}
UseRamulatorTrace: False
"""
"""Where the bandwidth is the user's, SCALE-Sim takes that of ifmap and filter from their SRAM's
banks, and only that of the ofmap from `Bandwidth`: here all three get the same."""

HEADER = (
    "Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Filters, Strides,"
)


def topology_row(layer):
    """A layer as SCALE-Sim knows it, and how often it runs.

    It has no groups and no batch: each is run on its own. It has one stride and no dilation: what
    needs more is run as the matrix multiply it is, whose windows share no inputs.
    """
    runs = layer["count"] * layer["N"] * layer["G"]
    p, q, r, s, c, k = (layer[dim] for dim in "PQRSCK")
    stride, other = layer["stride"]
    is_matrix_multiply = q == r == s == 1
    if stride == other and layer["dilation"] == [1, 1] and not is_matrix_multiply:
        row = [(p - 1) * stride + r, (q - 1) * stride + s, r, s, c, k, stride]
    else:
        row = [p * q, c * r * s, 1, c * r * s, 1, k, 1]
    return row, runs


def inputs(design, rows):
    """SCALE-Sim's input files, name -> content."""
    bandwidth = int(design.get("dram_words_per_cycle", 0))
    values = {name: design[name] for name in PARAMETERS}
    values["dataflow"] = DATAFLOWS[design["dataflow"]]
    values["bandwidth"] = bandwidth or 10
    values["interface"] = "USER" if bandwidth else "CALC"
    lines = [f"layer{i}," + ",".join(map(str, row)) + "," for i, row in enumerate(rows)]
    return {
        "config.cfg": CONFIG.format(**values),
        "topology.csv": "\n".join([HEADER, *lines]) + "\n",
        "layout.csv": "unused,\n",
    }


def run(folder):
    """Runs SCALE-Sim on the files in `folder`."""
    from scalesim.scale_sim import scalesim

    files = [str(folder / name) for name in ("config.cfg", "topology.csv", "layout.csv")]
    simulation = scalesim(
        save_disk_space=True, verbose=False, config=files[0], topology=files[1], layout=files[2]
    )
    simulation.run_scale(top_path=str(folder))
    for report in REPORTS:
        (folder / "run" / report).rename(folder / report)


def table(text):
    """A report, one dictionary of numbers a layer."""
    lines = [[cell.strip() for cell in line] for line in csv.reader(text.splitlines())]
    return [{name: float(cell) for name, cell in zip(lines[0], line) if name} for line in lines[1:]]


def measure(workload, design, tool):
    """The metrics of one design."""
    if min(design["rows"], design["columns"]) < 1:
        raise Infeasible("the array has no PEs")
    rows, runs = zip(*(topology_row(layer) for layer in unique(workload)))
    reports = tool(inputs(design, rows), REPORTS)
    compute, access = (table(reports[name]) for name in REPORTS)

    def total(cells, *names):
        return sum(n * sum(cell[name] for name in names) for n, cell in zip(runs, cells))

    cycles = total(compute, "Total Cycles (incl. prefetch)")
    stalls = total(compute, "Stall Cycles")
    return {
        "latency_cycles": cycles,
        "compute_cycles": total(compute, "Total Cycles") - stalls,
        "stall_cycles": stalls,
        "utilization": count_macs(workload) / cycles / (design["rows"] * design["columns"]),
        "dram_bytes": total(access, "DRAM IFMAP Reads", "DRAM Filter Reads", "DRAM OFMAP Writes"),
        "sram_bytes": total(access, "SRAM IFMAP Reads", "SRAM Filter Reads", "SRAM OFMAP Writes"),
    }


def main():
    tool = Tool(run, lambda: version("scalesim"), options(__doc__).parse_args())
    serve(
        lambda workload, design: measure(workload, design, tool),
        simulator="scalesim",
        version=tool.version,
        metrics=METRICS,
        parameters=PARAMETERS,
    )


if __name__ == "__main__":
    main()
