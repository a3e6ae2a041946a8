"""ZigZag as an external simulator: a weight-stationary array, each layer mapped by its search.

    ZIGZAG_PYTHON stub.py        in an environment with `pip install zigzag-dse==3.9.1`

Source: Mei et al., "ZigZag: Enlarging joint architecture-mapping design space exploration for DNN
accelerators", IEEE Transactions on Computers 70(8), 2021.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from recording import Tool, options
from serving import Infeasible, count_macs, serve, unique

METRICS = ("latency_cycles", "energy_mj", "utilization")
PARAMETERS = ("rows", "columns", "weight_bytes", "buffer_kib", "dram_bits_per_cycle")
NO_MAPPING = (
    "MemoryHierarchyTooSmallException",
    "MemoryTooSmallException",
    "NoValidLoopOrderingFoundException",
)
"""What ZigZag raises where no mapping fits; anything else is a failure."""

INPUT_BITS, SUM_BITS = 8, 24
MAC_PJ = 0.3
"""Source: Horowitz, "Computing's energy problem", ISSCC 2014: 45 nm, 8-bit multiply 0.2 pJ and
32-bit add 0.1 pJ."""
DRAM_PJ_PER_BIT = 20.0
"""Source: the same: 1.3 to 2.6 nJ for 64 bits, the lower end."""
REGISTER_PJ_PER_BIT = MAC_PJ / 16
"""Source: Chen et al., "Eyeriss", ISCA 2016, figure 22: a 16-bit register access costs as much as a
multiply-accumulate."""


def sram_pj_per_bit(kib):
    """Energy of an SRAM access.

    Source: Horowitz, ISSCC 2014: 64 bits cost 10 pJ from 8 KiB and 100 pJ from 1 MiB; a power law
    between the two (it gives 19 pJ for 32 KiB, where the table says 20).
    """
    return 10 / 64 * (kib / 8) ** 0.4746


def memory(bits, pj_per_bit, width_bits, operands, served, ports):
    """One memory in ZigZag's terms; a cost is of one access of the smallest width."""
    return {
        "size": bits,
        "r_cost": pj_per_bit * width_bits[0],
        "w_cost": pj_per_bit * width_bits[0],
        "area": 0.0,
        "latency": 1,
        "operands": operands,
        "served_dimensions": served,
        "ports": [
            {
                "name": f"{'r' if 'read' in kind else ''}{'w' if 'write' in kind else ''}_port_1",
                "type": kind,
                "bandwidth_min": width_bits[0],
                "bandwidth_max": width_bits[1],
                "allocation": allocation,
            }
            for kind, allocation in ports.items()
        ],
    }


def hardware(design):
    """The accelerator: registers in the PEs, accumulators below the columns, a buffer, DRAM.

    D1 are columns (output channels), D2 rows (input channels, summed as they pass). `fh` is filled
    from above, `tl` read to below, `fl` filled from below, `th` read to above.
    """
    rows, columns, kib = design["rows"], design["columns"], design["buffer_kib"]
    all_ways = [f"{o}, {way}" for o in ("I1", "I2", "O") for way in ("fh", "tl")]
    sum_ways = ["O, fl", "O, th"]
    dram_bits = design["dram_bits_per_cycle"]
    buffer_bits = INPUT_BITS * rows + SUM_BITS * columns
    return {
        "name": "weight_stationary",
        "memories": {
            "weight_register": memory(
                8 * design["weight_bytes"], REGISTER_PJ_PER_BIT, (INPUT_BITS, INPUT_BITS),
                ["I2"], [], {"read": ["I2, tl"], "write": ["I2, fh"]},
            ),
            "accumulator": memory(
                64 * SUM_BITS, REGISTER_PJ_PER_BIT, (SUM_BITS, SUM_BITS),
                ["O"], ["D2"], {"read": ["O, tl", "O, th"], "write": ["O, fh", "O, fl"]},
            ),
            "buffer": memory(
                8 * 1024 * kib, sram_pj_per_bit(kib), (INPUT_BITS, buffer_bits),
                ["I1", "I2", "O"], ["D1", "D2"],
                {
                    "read": ["I1, tl", "I2, tl", "O, tl", "O, th"],
                    "write": ["I1, fh", "I2, fh", "O, fh", "O, fl"],
                },
            ),
            "dram": memory(
                2**40, DRAM_PJ_PER_BIT, (dram_bits, dram_bits),
                ["I1", "I2", "O"], ["D1", "D2"], {"read_write": all_ways + sum_ways},
            ),
        },
        "operational_array": {
            "unit_energy": MAC_PJ,
            "unit_area": 1.0,
            "dimensions": ["D1", "D2"],
            "sizes": [columns, rows],
        },
    }  # fmt: skip


def network(layers):
    """The layers in ZigZag's terms, none of them connected to another."""
    names = {"B": "N", "G": "G", "K": "K", "C": "C", "OY": "P", "OX": "Q", "FY": "R", "FX": "S"}
    return [
        {
            "id": i,
            "name": f"layer{i}",
            "operator_type": "Conv",
            "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
            "dimension_relations": [
                f"ix={layer['stride'][1]}*ox+{layer['dilation'][1]}*fx",
                f"iy={layer['stride'][0]}*oy+{layer['dilation'][0]}*fy",
            ],
            "loop_dims": list(names),
            "loop_sizes": [layer[dim] for dim in names.values()],
            "operand_precision": {"W": 8, "I": 8, "O": SUM_BITS, "O_final": 8},
            "operand_source": {"W": i, "I": i},
        }
        for i, layer in enumerate(layers)
    ]


def run(folder):
    """Maps and costs each layer described in `folder`, and writes results.json."""
    from zigzag.api import get_hardware_performance_zigzag

    search = json.loads((folder / "search.json").read_text())
    results = []
    for layer in json.loads((folder / "workload.yaml").read_text()):
        layer = {**layer, "id": 0, "operand_source": {"W": 0, "I": 0}}
        try:
            energy_pj, latency_cycles, _ = get_hardware_performance_zigzag(
                [layer],
                str(folder / "accelerator.yaml"),
                str(folder / "mapping.yaml"),
                opt="latency",
                lpf_limit=search["lpf_limit"],
                dump_folder=str(folder / "dump"),
                loma_show_progress_bar=False,
            )
        except Exception as error:
            if type(error).__name__ not in NO_MAPPING:
                raise
            results.append({"no_mapping": str(error).strip().splitlines()[0]})
        else:
            results.append({"energy_pj": float(energy_pj), "cycles": float(latency_cycles)})
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def measure(workload, design, tool, lpf_limit):
    """The metrics of one design."""
    layers = unique(workload)
    files = {
        "accelerator.yaml": hardware(design),
        "workload.yaml": network(layers),
        "mapping.yaml": [{"name": "default"}],  # ZigZag searches, in space and in time
        "search.json": {"lpf_limit": lpf_limit},
    }
    # JSON is YAML.
    inputs = {name: json.dumps(content, indent=1) + "\n" for name, content in files.items()}
    results = json.loads(tool(inputs, ["results.json"])["results.json"])
    for layer, result in zip(layers, results):
        if "no_mapping" in result:
            raise Infeasible(f"no mapping of {layer['name']} fits: {result['no_mapping']}")

    def total(name):
        return sum(layer["count"] * result[name] for layer, result in zip(layers, results))

    cycles = total("cycles")
    return {
        "latency_cycles": cycles,
        "energy_mj": total("energy_pj") * 1e-9,
        "utilization": count_macs(workload) / cycles / (design["rows"] * design["columns"]),
    }


def main():
    parser = options(__doc__)
    parser.add_argument("--lpf-limit", type=int, default=6, help="loop factors that are permuted")
    chosen = parser.parse_args()
    tool = Tool(run, lambda: version("zigzag-dse"), chosen)
    serve(
        lambda workload, design: measure(workload, design, tool, chosen.lpf_limit),
        simulator="zigzag",
        version=tool.version,
        metrics=METRICS,
        parameters=PARAMETERS,
    )


if __name__ == "__main__":
    main()
