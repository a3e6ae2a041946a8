"""AccelForge as an external simulator: a weight-stationary array, mapped by its optimal mapper.

    ACCELFORGE_PYTHON stub.py        in an environment with Python 3.12 and `pip install accelforge`

Source: https://github.com/Accelergy-Project/accelforge, its papers under "Citing AccelForge".
"""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from recording import Tool, options
from serving import Infeasible, count_macs, serve, unique

METRICS = ("latency_cycles", "energy_mj", "utilization")
PARAMETERS = ("rows", "columns", "buffer_kib", "dram_bits_per_cycle")

CLOCK_HZ = 1e9
"""AccelForge thinks in seconds. The clock cancels out of latency in cycles; energy has no leakage
here, so it does not depend on it either."""

NO_MAPPING = "has no pmappings"
"""What AccelForge says where no mapping fits, in a ValueError; its last line names the cause."""

MAC_PJ = 0.3
"""Source: Horowitz, "Computing's energy problem", ISSCC 2014: 45 nm, 8-bit multiply 0.2 pJ and
32-bit add 0.1 pJ."""
DRAM_PJ_PER_BIT = 20.0
"""Source: the same: 1.3 to 2.6 nJ for 64 bits, the lower end."""

ARCHITECTURE = """arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    leak_power: 0
    area: 0
    tensors: {{keep: All}}
    actions:
    - {{name: read, energy: {dram_energy}, throughput: {dram_throughput}}}
    - {{name: write, energy: {dram_energy}, throughput: {dram_throughput}}}
  - !Memory
    name: Buffer
    size: {buffer_bits}
    leak_power: 0
    area: 0
    tensors: {{keep: All}}
    actions:
    - {{name: read, energy: {buffer_energy}, throughput: inf}}
    - {{name: write, energy: {buffer_energy}, throughput: inf}}
  - !Container
    name: PE
    spatial:
    - {{name: columns, fanout: {columns}, reuse: input, min_usage: 0}}
    - {{name: rows, fanout: {rows}, reuse: output, min_usage: 0}}
  - !Memory
    name: Register
    size: 8
    leak_power: 0
    area: 0
    tensors: {{keep: weight}}
    actions:
    - {{name: read, energy: 0, throughput: inf}}
    - {{name: write, energy: 0, throughput: inf}}
  - !Compute
    name: MAC
    leak_power: 0
    area: 0
    actions:
    - {{name: compute, energy: {mac_energy}, throughput: {clock}}}
"""
"""DRAM, a buffer, and PEs that hold one weight each. Inputs are shared along the columns, outputs
summed along the rows."""


def architecture(design):
    """The architecture in AccelForge's YAML; energy in joules a bit, throughput in bits a second.

    Source of the buffer's energy: Horowitz, ISSCC 2014: 64 bits cost 10 pJ from 8 KiB and 100 pJ
    from 1 MiB; a power law between the two.
    """
    return ARCHITECTURE.format(
        rows=design["rows"],
        columns=design["columns"],
        buffer_bits=8 * 1024 * design["buffer_kib"],
        buffer_energy=10e-12 / 64 * (design["buffer_kib"] / 8) ** 0.4746,
        dram_energy=DRAM_PJ_PER_BIT * 1e-12,
        dram_throughput=design["dram_bits_per_cycle"] * CLOCK_HZ,
        mac_energy=MAC_PJ * 1e-12,
        clock=CLOCK_HZ,
    )


def einsum(layer):
    """A layer as a workload of its own; dimensions of size 1 are left out, they cost search."""
    sizes = {dim: layer[dim] for dim in "NGKCPQRS" if layer[dim] > 1} or {"K": 1}
    stride, dilation = layer["stride"], layer["dilation"]

    def window(out, tap, step, spacing):
        parts = [f"{step}*{out.lower()}"] * (out in sizes) + [f"{spacing}*{tap.lower()}"] * (
            tap in sizes
        )
        return {f"I{out}": " + ".join(parts)} if parts else {}

    def plain(dims):
        return {dim: dim.lower() for dim in dims if dim in sizes}

    projections = {
        "Input": {
            **plain("NGC"),
            **window("P", "R", stride[0], dilation[0]),
            **window("Q", "S", stride[1], dilation[1]),
        },
        "Weight": plain("GKCRS"),
        "Output": plain("NGKPQ"),
    }
    return {
        "workload": {
            "iteration_space_shape": {
                dim.lower(): f"0 <= {dim.lower()} < {size}" for dim, size in sizes.items()
            },
            "bits_per_value": {"All": 8},
            "einsums": [
                {
                    "name": "Layer",
                    "tensor_accesses": [
                        {"name": name, "projection": projection, "output": name == "Output"}
                        for name, projection in projections.items()
                    ],
                    "renames": {"input": "Input", "weight": "Weight", "output": "Output"},
                }
            ],
        }
    }


def run(folder):
    """Maps each layer described in `folder`, and writes results.json."""
    import accelforge

    accelforge.set_n_parallel_jobs(1)
    results = []
    for i, workload in enumerate(json.loads((folder / "layers.json").read_text())):
        path = folder / f"layer{i}.yaml"
        path.write_text(json.dumps(workload))  # JSON is YAML
        spec = accelforge.Spec.from_yaml(str(folder / "architecture.yaml"), str(path))
        spec.mapper.metrics = accelforge.Metrics.ENERGY_DELAY_PRODUCT
        try:
            found = spec.map_workload_to_arch(print_progress=False)
        except ValueError as error:
            if NO_MAPPING not in str(error):
                raise
            results.append({"no_mapping": str(error).splitlines()[-1].strip()})
        else:
            results.append({"energy_j": float(found.energy()), "latency_s": float(found.latency())})
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def measure(workload, design, tool):
    """The metrics of one design."""
    layers = unique(workload)
    inputs = {
        "architecture.yaml": architecture(design),
        "layers.json": json.dumps([einsum(layer) for layer in layers], indent=1) + "\n",
    }
    results = json.loads(tool(inputs, ["results.json"])["results.json"])
    for layer, result in zip(layers, results):
        if "no_mapping" in result:
            raise Infeasible(f"no mapping of {layer['name']} fits: {result['no_mapping']}")

    def total(name):
        return sum(layer["count"] * result[name] for layer, result in zip(layers, results))

    cycles = total("latency_s") * CLOCK_HZ
    return {
        "latency_cycles": cycles,
        "energy_mj": total("energy_j") * 1e3,
        "utilization": count_macs(workload) / cycles / (design["rows"] * design["columns"]),
    }


def main():
    chosen = options(__doc__).parse_args()
    if not chosen.recorded and not shutil.which("dot"):
        sys.exit("accelforge draws each mapping it finds, for which it needs Graphviz: no 'dot'")
    tool = Tool(run, lambda: version("accelforge"), chosen)
    serve(
        lambda workload, design: measure(workload, design, tool),
        simulator="accelforge",
        version=tool.version,
        metrics=METRICS,
        parameters=PARAMETERS,
    )


if __name__ == "__main__":
    main()
