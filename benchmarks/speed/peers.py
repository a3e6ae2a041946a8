r"""Seconds that SCALE-Sim and ZigZag take for a few layers, and that we take for them, in one run.

Each peer runs in the environment that it is installed in, through its client of `simulator_stubs/`.
What is timed there is the tool alone, after a tiny layer that imports and warms everything; ours is
the median of several calls, with compiled kernels warm. Seconds are of the processor: they depend
little on what else the machine does. Each peer is left out if it is not named.

    python benchmarks/speed/peers.py --scalesim scalesim-env/bin/python \
                                     --zigzag zigzag-env/bin/python

- SCALE-Sim: layers of ResNet-18 on one array of 32 x 32 with three SRAMs of 64 KiB, DRAM without a
  limit and of 10 words a cycle. Our `systolic` simulator is the same model: cycles are to be equal.
- ZigZag: a layer mapped and costed on its array of 16 x 16; ours mapped, by the normal effort, and
  played cycle by cycle on `gemmini`, also of 16 x 16. These are not the same machine, nor the same
  search: only what one mapped layer takes is compared, not cycles.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from accel_dse.files import load_space
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.simulators.base import Simulator
from accel_dse.simulators.protocol import workload_message
from accel_dse.simulators.systolic import SystolicSimulator
from accel_dse.template import read_template
from accel_dse.workload import Layer, Workload
from accel_dse.workloads.load import load

STUBS = Path(__file__).resolve().parents[2] / "simulator_stubs"

CLOCK = """
import contextlib, json, resource, sys, tempfile, time
from pathlib import Path

folder, arguments, runs = json.loads(sys.argv[1])
sys.path.insert(0, folder)
import stub

def tool(inputs, outputs):
    global cpu_s
    with tempfile.TemporaryDirectory() as name:
        for file, content in inputs.items():
            Path(name, file).write_text(content)
        begun = time.process_time()
        stub.run(Path(name))
        cpu_s = time.process_time() - begun
        return {file: Path(name, file).read_text() for file in outputs}

found = []
with contextlib.redirect_stdout(sys.stderr):
    for workload, design in runs:
        metrics = stub.measure(workload, design, tool, *arguments)
        found.append({"cpu_s": cpu_s, **metrics})
peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"runs": found, "peak_gb": peak_gb}))
"""
"""What runs in a peer's environment: its client, with a clock around the tool."""

WARM = Layer(name="warm", P=4, K=4, C=4)

SCALESIM_LAYERS = ("layer2.0/downsample", "layer4.0/conv1", "fc")
LARGE_MACS = 10e6
"""A layer with more than so many is not run under limited bandwidth: SCALE-Sim takes minutes."""

SCALESIM_ARRAY = {"rows": 32, "columns": 32, "ifmap_kib": 64, "filter_kib": 64, "ofmap_kib": 64}
DATAFLOWS = ("weight_stationary", "output_stationary", "input_stationary")
WORDS = {"unlimited": 0, "10 words/cycle": 10}
"""Bandwidth of DRAM; SCALE-Sim's client takes 0 for no limit."""

ZIGZAG_LAYERS = ("layer2.0/conv1", "layer4.0/downsample")
ZIGZAG_ARRAY = {
    "rows": 16,
    "columns": 16,
    "weight_bytes": 16,
    "buffer_kib": 256,
    "dram_bits_per_cycle": 128,
}


@dataclass(frozen=True)
class Run:
    """One layer in one way, as the peer is asked for it and as we are."""

    layer: Layer
    how: str
    theirs: Mapping[str, Any]
    simulator: Simulator
    ours: Mapping[str, Any]

    @property
    def workload(self) -> Workload:
        """The layer alone."""
        return Workload(self.layer.name, (self.layer,))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scalesim", metavar="PYTHON", help="one that has scalesim 3.0.0")
    parser.add_argument("--zigzag", metavar="PYTHON", help="one that has zigzag-dse 3.9.1")
    parser.add_argument("--lpf-limit", type=int, default=6, help="of ZigZag's search")
    parser.add_argument("--repeats", type=int, default=7, help="of our calls")
    parser.add_argument("--json", action="store_true", help="one object, for machines")
    parser.add_argument("--quick", action="store_true", help="one tiny layer, once")
    options = parser.parse_args()
    network = {layer.name: layer for layer in load("resnet18").layers}
    layers = [[network[name] for name in names] for names in (SCALESIM_LAYERS, ZIGZAG_LAYERS)]
    if options.quick:
        layers, options.repeats = [[WARM], [WARM]], 1
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = {
        "SCALE-Sim": compare(
            scalesim_runs(layers[0]),
            (options.scalesim, "scalesim"),
            options.repeats,
        ),
        "ZigZag": compare(
            zigzag_runs(layers[1]),
            (options.zigzag, "zigzag", options.lpf_limit),
            options.repeats,
        ),
    }
    if options.json:
        print(json.dumps(found))
        return
    for peer, result in found.items():
        show(peer, result)


def scalesim_runs(layers: Sequence[Layer]) -> list[Run]:
    """Each layer with each dataflow and, but for large ones, each bandwidth."""
    return [
        Run(
            layer,
            f"{dataflow}, {label}",
            {**SCALESIM_ARRAY, "dataflow": dataflow, "dram_words_per_cycle": words},
            SystolicSimulator(),
            {"dataflow": dataflow, "bandwidth_words_per_cycle": words or np.inf},
        )
        for layer in layers
        for dataflow in DATAFLOWS
        for label, words in WORDS.items()
        if words == 0 or layer.macs <= LARGE_MACS
    ]


def zigzag_runs(layers: Sequence[Layer]) -> list[Run]:
    """Each layer, mapped."""
    file = load_space("gemmini")
    simulator = AcceleratorSimulator(template=read_template(file.accelerator, file.space))
    design = next(iter(file.references.values())).design
    return [Run(layer, "mapped", ZIGZAG_ARRAY, simulator, design) for layer in layers]


def compare(runs: Sequence[Run], peer: tuple[Any, ...], repeats: int) -> dict[str, Any]:
    """One row a run; theirs only where a `peer` is: its Python, its stub, and arguments of that."""
    python, name, *arguments = peer
    told = {"runs": [{}] * len(runs), "peak_gb": None}
    if python:
        told = ask(python, name, arguments, runs)
    rows = []
    for run, theirs in zip(runs, told["runs"], strict=True):
        seconds, cycles = timed(run, repeats)
        rows.append({"layer": run.layer.name, "how": run.how, "cpu_s": seconds, "cycles": cycles})
        if theirs:
            rows[-1] |= {
                "their_cpu_s": theirs["cpu_s"],
                "ratio": theirs["cpu_s"] / seconds,
                "their_cycles": theirs.get("compute_cycles", theirs["latency_cycles"])
                + theirs.get("stall_cycles", 0),
            }
    return {"rows": rows, "their_peak_gb": told["peak_gb"]}


def ask(python: str, name: str, arguments: Sequence[Any], runs: Sequence[Run]) -> dict[str, Any]:
    """What the peer finds, and how long it takes; a tiny layer comes before and is not counted."""
    warm = [(workload_message(Workload("warm", (WARM,))), runs[0].theirs)]
    asked = warm + [(workload_message(run.workload), run.theirs) for run in runs]
    words = json.dumps([str(STUBS / name), arguments, asked], default=dict)
    done = subprocess.run(
        [python, "-c", CLOCK, words],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    if done.returncode:
        raise SystemExit(f"{python}: {name} failed: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "runs": found["runs"][1:]}


def timed(run: Run, repeats: int) -> tuple[float, float]:
    """Our seconds of CPU, the median of `repeats` calls after one that compiles; and cycles."""
    design = {key: np.array([value]) for key, value in run.ours.items()}
    cycles = run.simulator.simulate(run.workload, design).values["latency_cycles"][0]
    seconds = []
    for _ in range(repeats):
        begun = time.process_time()
        run.simulator.simulate(run.workload, design)
        seconds.append(time.process_time() - begun)
    return statistics.median(seconds), float(cycles)


def show(peer: str, result: Mapping[str, Any]) -> None:
    rows = result["rows"]
    missing = "" if "ratio" in rows[0] else f"; {peer} left out: name a Python that has it"
    print(f"{peer}: {len(rows)} runs of a layer{missing}")
    for row in rows:
        line = f"  {row['layer']:20s} {row['how']:34s} ours {1e3 * row['cpu_s']:8.2f} ms"
        if "ratio" in row:
            line += f", theirs {row['their_cpu_s']:7.2f} s, {row['ratio']:9,.0f} times"
            line += f"; cycles {row['cycles']:,.0f} and {row['their_cycles']:,.0f}"
        print(line)
    if "ratio" in rows[0]:
        equal = sum(row["cycles"] == row["their_cycles"] for row in rows)
        ours, theirs = (sum(row[name] for row in rows) for name in ("cpu_s", "their_cpu_s"))
        print(
            f"  all: ours {ours:.3f} s, theirs {theirs:.1f} s, {theirs / ours:,.0f} times; cycles "
            f"equal in {equal} of {len(rows)}; its memory {result['their_peak_gb']:.2f} GB"
        )


if __name__ == "__main__":
    main()
