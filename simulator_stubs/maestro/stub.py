"""MAESTRO as an external simulator: clusters of PEs, output and input channels in parallel.

    python stub.py --maestro PATH        PATH is the program that MAESTRO's build leaves

Source: Kwon et al., "Understanding Reuse, Performance, and Hardware Cost of DNN Dataflow: A
Data-Centric Approach", MICRO 2019.
"""

import csv
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from recording import Tool, options, program
from serving import Infeasible, count_macs, serve, unique

METRICS = ("latency_cycles", "energy_mj", "area_mm2", "utilization")
PARAMETERS = (
    "clusters",
    "cluster_pes",
    "l1_bytes",
    "l2_kib",
    "noc_words_per_cycle",
    "dram_words_per_cycle",
)

HARDWARE = """num_pes: {pes}
l1_size_cstr: {l1_bytes}
l2_size_cstr: {l2_bytes}
noc_bw_cstr: {noc_words_per_cycle}
offchip_bw_cstr: {dram_words_per_cycle}
"""

LAYER = """  Layer L{index} {{
    Type: CONV
    Stride {{ X: {stride_x}, Y: {stride_y} }}
    Dimensions {{ K: {k}, C: {c}, R: {r}, S: {s}, Y: {y}, X: {x} }}
    Dataflow {{
      SpatialMap(1,1) K;
      TemporalMap({cluster_pes},{cluster_pes}) C;
      TemporalMap(Sz(R),Sz(R)) R;
      TemporalMap(Sz(S),Sz(S)) S;
      TemporalMap(Sz(R),1) Y;
      TemporalMap(Sz(S),1) X;
      Cluster({cluster_pes}, P);
      SpatialMap(1,1) C;
      TemporalMap(Sz(R),1) Y;
      TemporalMap(Sz(S),1) X;
      TemporalMap(Sz(R),Sz(R)) R;
      TemporalMap(Sz(S),Sz(S)) S;
    }}
  }}
"""
"""Weights stay in the PEs while the window moves; an output channel for each cluster, an input
channel for each of its PEs. MAESTRO's users call it KC-P."""


def mapping(layer, index, design):
    """A layer and its dataflow in MAESTRO's language.

    Groups and batch are left to `runs`; a dilated window is the matrix multiply that it is.
    """
    p, q, r, s, c, k = (layer[dim] for dim in "PQRSCK")
    stride_y, stride_x = layer["stride"]
    if layer["dilation"] != [1, 1]:
        r, s, c, stride_y, stride_x = 1, 1, c * r * s, 1, 1
    return LAYER.format(
        index=index,
        k=k,
        c=c,
        r=r,
        s=s,
        y=(p - 1) * stride_y + r,
        x=(q - 1) * stride_x + s,
        stride_y=stride_y,
        stride_x=stride_x,
        cluster_pes=min(design["cluster_pes"], c),
    )


def runs(layer):
    """How often a layer is run as MAESTRO sees it: one group of one image at a time."""
    return layer["count"] * layer["G"] * layer["N"]


def inputs(layers, design):
    """MAESTRO's input files, name -> content."""
    hardware = HARDWARE.format(
        pes=design["clusters"] * design["cluster_pes"],
        l1_bytes=design["l1_bytes"],
        l2_bytes=1024 * design["l2_kib"],
        noc_words_per_cycle=design["noc_words_per_cycle"],
        dram_words_per_cycle=design["dram_words_per_cycle"],
    )
    described = "".join(mapping(layer, i, design) for i, layer in enumerate(layers))
    return {"hardware.m": hardware, "mapping.m": f"Network run {{\n{described}}}\n"}


def table(text):
    """MAESTRO's report, one dictionary a layer, units cut off the names."""
    lines = [[cell.strip() for cell in line] for line in csv.reader(text.splitlines())]
    names = [name.partition(" (")[0] for name in lines[0]]
    return [dict(zip(names, line)) for line in lines[1:]]


def measure(workload, design, tool):
    """The metrics of one design."""
    layers = unique(workload)
    report = tool(inputs(layers, design), ["mapping.csv"]).get("mapping.csv", "")
    found = table(report) if report else []
    if len(found) != len(layers):
        raise RuntimeError(f"MAESTRO reported {len(found)} of {len(layers)} layers")
    for need, have in (("L1", design["l1_bytes"]), ("L2", 1024 * design["l2_kib"])):
        for layer, row in zip(layers, found):
            required = float(row[f"{need} SRAM Size Req"])
            if required > have:
                raise Infeasible(
                    f"{layer['name']} needs {required:.0f} bytes of {need}, there are {have}"
                )

    def total(name):
        return sum(runs(layer) * float(row[name]) for layer, row in zip(layers, found))

    cycles = total("Runtime")
    pes = design["clusters"] * design["cluster_pes"]
    return {
        "latency_cycles": cycles,
        "energy_mj": total("Activity count-based Energy") * 1e-6,
        "area_mm2": max(float(row["Area"]) for row in found) * 1e-6,
        "utilization": count_macs(workload) / cycles / pes,
    }


def main():
    parser = options(__doc__)
    parser.add_argument("--maestro", default="maestro", help="the program")
    chosen = parser.parse_args()
    path, version = program(chosen.maestro)

    def run(folder):
        """MAESTRO calls its report after the mapping's file, and writes it where it stands."""
        command = [path, "--HW_file=hardware.m", "--Mapping_file=mapping.m"]
        flags = ["--print_res=false", "--print_res_csv_file=true", "--print_log_file=false"]
        subprocess.run([*command, *flags], cwd=folder, check=True, stdin=subprocess.DEVNULL)

    tool = Tool(run, version, chosen)
    serve(
        lambda workload, design: measure(workload, design, tool),
        simulator="maestro",
        version=tool.version,
        metrics=METRICS,
        parameters=PARAMETERS,
    )


if __name__ == "__main__":
    main()
