"""Timeloop's model as an external simulator: an array with one buffer, mapped by a simple rule.

    python stub.py --timeloop PATH        PATH is the program timeloop-model

Source: Parashar et al., "Timeloop: A Systematic Approach to DNN Accelerator Evaluation", ISPASS
2019. Input files are of its version 0.3, which later releases of the program read, too.
"""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from recording import Tool, options, program
from serving import Infeasible, serve, unique

METRICS = ("latency_cycles", "energy_mj", "utilization")
PARAMETERS = ("rows", "columns", "buffer_kib", "dram_words_per_cycle")
DIMS = "NKCPQRS"
"""Groups are not among them: each is run on its own."""

MAC_PJ = 0.3
"""Source: Horowitz, "Computing's energy problem", ISSCC 2014: 45 nm, 8-bit multiply 0.2 pJ and
32-bit add 0.1 pJ."""
DRAM_PJ = 160.0
"""A byte. Source: the same: 1.3 to 2.6 nJ for 64 bits, the lower end."""
REGISTER_PJ = 0.15
"""A byte. Source: Chen et al., "Eyeriss", ISCA 2016, figure 22: a 16-bit register access costs as
much as a multiply-accumulate."""


def buffer_pj(kib):
    """Energy of a byte from the buffer.

    Source: Horowitz, ISSCC 2014: 64 bits cost 10 pJ from 8 KiB and 100 pJ from 1 MiB; a power law
    between the two (it gives 19 pJ for 32 KiB, where the table says 20).
    """
    return 10 / 8 * (kib / 8) ** 0.4746


def architecture(design):
    """DRAM, a buffer, and PEs with a register for one weight each; a word is a byte."""
    pes, columns = design["rows"] * design["columns"], design["columns"]
    bandwidth = design["dram_words_per_cycle"]

    def storage(name, kind, **attributes):
        fixed = {"width": 8, "datawidth": 8, "block-size": 1}
        free = {"addr-gen-energy": 0, "energy-per-hop": 0}
        return {"name": name, "class": kind, "attributes": {**fixed, **free, **attributes}}

    dram = storage("DRAM", "DRAM", read_bandwidth=bandwidth, write_bandwidth=bandwidth)
    buffer = storage("Buffer", "SRAM", depth=1024 * design["buffer_kib"])
    register = storage("Register", "regfile", depth=1, meshX=columns)
    mac = {"name": "mac", "class": "intmac", "attributes": {"datawidth": 8, "meshX": columns}}
    array = {"name": f"pe[0..{pes - 1}]", "local": [register, mac]}
    system = {"name": "system", "attributes": {"technology": "45nm"}, "local": [dram, buffer]}
    return {"architecture": {"version": 0.3, "subtree": [{**system, "subtree": [array]}]}}


def energy(design):
    """Energies of single accesses, in Accelergy's form."""
    costs = {"DRAM": DRAM_PJ, "Buffer": buffer_pj(design["buffer_kib"]), "Register": REGISTER_PJ}
    tables = [
        {
            "name": f"system.{name}",
            "actions": [
                {"name": action, "arguments": {}, "energy": cost}
                for action in ("read", "write", "update")
            ],
        }
        for name, cost in costs.items()
    ]
    compute = [{"name": "compute", "arguments": {}, "energy": MAC_PJ}]
    return {
        "ERT": {"version": 0.3, "tables": [*tables, {"name": "system.mac", "actions": compute}]}
    }


def problem(layer):
    """One group of a layer."""

    def window(out, tap, stride, dilation):
        return [[tap, dilation], [out, stride]]

    axes = [window("P", "R", "Hstride", "Hdilation"), window("Q", "S", "Wstride", "Wdilation")]
    coefficients = ("Hstride", "Wstride", "Hdilation", "Wdilation")
    shape = {
        "name": "layer",
        "dimensions": list(DIMS),
        "coefficients": [{"name": name, "default": 1} for name in coefficients],
        "data-spaces": [
            {"name": "Weights", "projection": [[[dim]] for dim in "KCRS"]},
            {"name": "Inputs", "projection": [[["N"]], [["C"]], *axes]},
            {"name": "Outputs", "projection": [[[dim]] for dim in "NKPQ"], "read-write": True},
        ],
    }
    instance = {dim: layer[dim] for dim in DIMS}
    steps = dict(zip(coefficients, (*layer["stride"], *layer["dilation"])))
    return {"problem": {"shape": shape, "instance": {**instance, **steps}}}


def divisor(bound, most):
    """The largest divisor of `bound` that is not above `most`."""
    return max(i for i in range(1, min(bound, most) + 1) if bound % i == 0)


def words(layer, tile):
    """Words of all tensors of a tile of one group."""
    rows = (tile["P"] - 1) * layer["stride"][0] + (tile["R"] - 1) * layer["dilation"][0] + 1
    columns = (tile["Q"] - 1) * layer["stride"][1] + (tile["S"] - 1) * layer["dilation"][1] + 1
    return (
        tile["K"] * tile["C"] * tile["R"] * tile["S"]
        + tile["N"] * tile["C"] * rows * columns
        + tile["N"] * tile["K"] * tile["P"] * tile["Q"]
    )


def smallest_factor(n):
    """The smallest prime factor of `n`, which is above 1."""
    return next((i for i in range(2, math.isqrt(n) + 1) if n % i == 0), n)


def mapping(layer, design):
    """A mapping by rule: output channels across columns, input channels down rows, weights still.

    Factors divide their bounds, as Timeloop's model wants them. What the buffer does not hold is
    cut: first images and rows, channels next, the filter last. A tile that still does not fit is
    left for Timeloop to refuse.
    """
    across = "K" if layer["K"] > 1 else "Q"
    down = "C" if layer["C"] > 1 else "R"
    spatial = dict.fromkeys(DIMS, 1)
    spatial[across] = divisor(layer[across], design["columns"])
    spatial[down] = divisor(layer[down], design["rows"])
    inner = {dim: layer[dim] // spatial[dim] for dim in DIMS}
    outer = dict.fromkeys(DIMS, 1)

    def tile():
        return {dim: inner[dim] * spatial[dim] for dim in DIMS}

    while words(layer, tile()) > 1024 * design["buffer_kib"] and max(inner.values()) > 1:
        dim = next(dim for dim in "NPKQCRS" if inner[dim] > 1)
        cut = smallest_factor(inner[dim])
        inner[dim], outer[dim] = inner[dim] // cut, outer[dim] * cut

    def factors(values):
        return " ".join(f"{dim}={value}" for dim, value in values.items())

    def level(target, kind, values, order, **more):
        return {
            "target": target,
            "type": kind,
            "factors": factors(values),
            "permutation": order,
            **more,
        }

    ones = dict.fromkeys(DIMS, 1)
    innermost_first = "QPSRCKN"
    return {
        "mapping": [
            level("DRAM", "temporal", outer, "CRSQPKN"),
            level("Buffer", "temporal", inner, innermost_first),
            level(
                "Buffer",
                "spatial",
                spatial,
                across + down + "NKCPQRS".replace(across, "").replace(down, ""),
                split=1,
            ),
            level("Register", "temporal", ones, innermost_first),
            {
                "target": "Register",
                "type": "bypass",
                "keep": ["Weights"],
                "bypass": ["Inputs", "Outputs"],
            },
        ]
    }


def inputs(layer, design):
    """Timeloop's input files, name -> content.

    Values are JSON, which is YAML; keys are not, as Timeloop joins its files before it reads them.
    """
    documents = {
        "arch.yaml": architecture(design),
        "ert.yaml": energy(design),
        "problem.yaml": problem(layer),
        "map.yaml": mapping(layer, design),
    }
    return {
        name: "".join(f"{key}: {json.dumps(value, indent=1)}\n" for key, value in content.items())
        for name, content in documents.items()
    }


def read_stats(text):
    """Cycles, picojoules and utilization from Timeloop's statistics.

    The energy of the summary has few digits, so it is added up from the parts.
    """
    cycles = re.search(r"^Cycles: (\d+)", text, re.MULTILINE)
    utilization = re.search(r"^Utilization: ([\d.]+)(%?)", text, re.MULTILINE)
    parts = re.findall(r"^\s*(?:.*Energy|Energy) \(total\)\s*: ([\d.e+-]+) pJ", text, re.MULTILINE)
    if not (cycles and utilization and parts):
        raise RuntimeError("Timeloop's statistics hold no cycles, utilization or energy")
    share = float(utilization[1]) / (100 if utilization[2] else 1)
    return int(cycles[1]), sum(map(float, parts)), share


def measure(workload, design, tool):
    """The metrics of one design."""
    cycles = picojoules = busy = 0.0
    for layer in unique(workload):
        written = tool(inputs(layer, design), ["timeloop-model.stats.txt", "refused.txt"])
        if "refused.txt" in written:
            raise Infeasible(f"{layer['name']}: {written['refused.txt'].strip()}")
        runs = layer["count"] * layer["G"]
        each_cycles, each_pj, utilization = read_stats(written["timeloop-model.stats.txt"])
        cycles += runs * each_cycles
        picojoules += runs * each_pj
        busy += runs * each_cycles * utilization
    return {
        "latency_cycles": cycles,
        "energy_mj": picojoules * 1e-9,
        "utilization": busy / cycles,
    }


def main():
    parser = options(__doc__)
    parser.add_argument("--timeloop", default="timeloop-model", help="the program")
    chosen = parser.parse_args()
    path, version = program(chosen.timeloop)

    def run(folder):
        """A mapping that does not fit is told from a failure by Timeloop's own words."""
        files = ("arch.yaml", "ert.yaml", "problem.yaml", "map.yaml")
        done = subprocess.run(
            [path, *files],
            check=False,
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
        if refusal := re.search(r"ERROR: (couldn't map level .*)", done.stderr):
            (folder / "refused.txt").write_text(refusal[1] + "\n")
        elif done.returncode:
            raise RuntimeError(f"timeloop-model ended with {done.returncode}")

    tool = Tool(run, version, chosen)
    serve(
        lambda workload, design: measure(workload, design, tool),
        simulator="timeloop",
        version=tool.version,
        metrics=METRICS,
        parameters=PARAMETERS,
    )


if __name__ == "__main__":
    main()
