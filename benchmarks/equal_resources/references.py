"""Reference designs and a searched one, all with the same lanes, area, precision and process.

    python benchmarks/equal_resources/references.py [--quick] [--macs 256|1024] [--area 10]
        [--workload mobilenet_v2 ...] [--trials 200] [--seeds 3] [--optimizer auto]

Chips are published in different processes, sizes and precisions; a ratio between them says little
about how they are organized. Here each is what its template makes of it with the same number of
multiply-accumulates (MACs), 8 bits, one process, one clock and one DRAM: its array keeps the
proportions that are published, and all of its storage is multiplied by the largest power of two
that fits into the area. Eyeriss has 256 MACs alone, the TPU 1,024 and more. `searched` is the best
of each seed on the edge template, with at most these MACs in this area; every simulation counts.
"""

import argparse
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from accel_dse import plugins
from accel_dse.constraints import Constraint
from accel_dse.expressions import Expression
from accel_dse.files import load_space
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.space import DesignSpace
from accel_dse.study import Study
from accel_dse.template import Template, bind, read_template
from accel_dse.trial_log import TrialLog
from accel_dse.workload import Workload
from accel_dse.workloads.load import load

EQUAL = {"technology": "16nm", "precision": "int8", "clock_ghz": 1.0}
DRAM = {"memory": "lpddr4", "bandwidth": {"shared": 16}}
"""Bytes per cycle: 16 GB/s."""


@dataclass(frozen=True)
class Reference:
    """A chip as its template makes it with so many lanes.

    Attributes:
        name: of the chip.
        space: the template.
        array: parameters that give the MACs, in the published proportions.
        storage: parameters of memories, as published; scaled together.
    """

    name: str
    space: str
    array: Mapping[str, Any]
    storage: Mapping[str, float]


EYERISS = {"pe_x": 16, "glb_x": 1, "glb_y": 1, "glb_block": 4, "glb_cluster": 1, "r_whole": 0,
           "s_whole": 1, "input_words": 12, "weight_words": 192, "psum_words": 16}  # fmt: skip
REFERENCES = {
    256: (
        Reference("Eyeriss, 16 x 16", "eyeriss_256", EYERISS, {}),
        Reference("NVDLA-like, 16 x 16", "nvdla_like", {"atomic_c": 16, "atomic_k": 16},
                  {"buffer_kib": 128, "accumulator_entries": 32}),
        Reference("Gemmini 16 x 16", "gemmini", {"mesh": 16},
                  {"scratchpad_kib": 256, "accumulator_kib": 64}),
        Reference("EdgeTPU-like", "edge", {"pes_x": 1, "pes_y": 1, "cores": 4, "lanes": 16},
                  {"pe_memory_kib": 256, "core_memory_kib": 16, "activation_entries": 4096,
                   "parameter_entries": 4096, "instruction_entries": 8192}),
    ),
    1024: (
        Reference("NVDLA-like, 32 x 32", "nvdla_like", {"atomic_c": 32, "atomic_k": 32},
                  {"buffer_kib": 256, "accumulator_entries": 64}),
        Reference("Gemmini 32 x 32", "gemmini", {"mesh": 32},
                  {"scratchpad_kib": 256, "accumulator_kib": 64}),
        Reference("TPU-like, 32 x 32", "tpu_like", {"mesh": 32, "weight_tiles": 4},
                  {"unified_mib": 1, "accumulator_mib": 0.5}),
        Reference("Simba chiplet", "simba_like",
                  {"pes_x": 4, "pes_y": 4, "vector_macs": 8, "vector_width": 8},
                  {"global_buffer_kib": 64, "weight_buffer_kib": 32, "input_buffer_kib": 8,
                   "accumulation_buffer_kib": 3}),
        Reference("EdgeTPU-like", "edge", {"pes_x": 2, "pes_y": 2, "cores": 4, "lanes": 16},
                  {"pe_memory_kib": 256, "core_memory_kib": 16, "activation_entries": 4096,
                   "parameter_entries": 4096, "instruction_entries": 8192}),
    ),
}  # fmt: skip
"""Source of the proportions: `references` of each space, docs/reference_designs.md."""


def template(space: str) -> tuple[Template, DesignSpace]:
    """The template of a shipped space in the common process, precision, clock and DRAM."""
    file = load_space(space)
    described: dict[str, Any] = copy.deepcopy(dict(file.accelerator))
    described.update(EQUAL)
    described.pop("word_bits", None)
    described["levels"][0].update(DRAM)
    return read_template(described, file.space), file.space


def filled(reference: Reference, area_mm2: float) -> tuple[Template, dict[str, Any], float]:
    """The reference with as much storage as fits: template, design, area; or its least storage."""
    made, space = template(reference.space)
    choices = {p.name: p.values for p in space.parameters if hasattr(p, "values")}
    least = {name: values[0] for name, values in choices.items()}
    best = None
    for factor in 2.0 ** np.arange(-4, 8):
        design = {**least, **reference.array}
        for name, published in reference.storage.items():
            near = np.abs(np.log2(np.array(choices[name]) / (published * factor)))
            design[name] = choices[name][int(near.argmin())]
        columns = {p.name: np.array([design[p.name]]) for p in space.parameters}
        if not space.satisfied(columns).all():
            continue
        area = float(bind(made, columns).area_mm2[0])
        if best is None or area <= area_mm2:
            best = (made, design, area)
    assert best is not None
    return best


def search(
    made: Template, space: DesignSpace, network: Workload, options: argparse.Namespace, seed: int
) -> dict[str, float]:
    """The best design of one seed: its metrics."""
    rule = Constraint(Expression(f"pes_x * pes_y * cores * lanes * 4 <= {options.macs}"))
    bounded = replace(space, constraints=(*space.constraints, rule))
    limit = Limit("area_mm2", "<=", options.area)
    problem = Problem(bounded, ((network, 1.0),), (Objective("edp"),), (limit,))
    optimizer = plugins.load("optimizers", options.optimizer)(problem=problem, seed=seed)
    study = Study(
        problem=problem, optimizer=optimizer, simulator=AcceleratorSimulator(template=made),
        log=TrialLog(":memory:"),
    )  # fmt: skip
    best = problem.best(study.run(options.trials))
    return dict(best.metrics) if best else {}


def rows(network: Workload, options: argparse.Namespace) -> list[tuple[str, dict[str, float], str]]:
    """Name, metrics and what there is to say, references first."""
    found = []
    for reference in REFERENCES[options.macs]:
        made, design, area = filled(reference, options.area)
        columns = {name: np.array([value]) for name, value in design.items()}
        metrics = AcceleratorSimulator(template=made).simulate(network, columns)
        note = "" if area <= options.area else "larger than the area, with its least storage"
        found.append((reference.name, metrics.row(0), metrics.infeasible[0] or note))
    made, space = template("edge")
    for seed in range(options.seeds):
        best = search(made, space, network, options, seed)
        found.append((f"searched, seed {seed}", best, "" if best else "found nothing"))
    return found


def show(network: Workload, found: Sequence[tuple[str, dict[str, float], str]]) -> Table:
    """Latency, energy and EDP, and EDP over the best reference's."""
    table = Table(title=network.name, box=box.SIMPLE_HEAD)
    for name in ("design", "area mm2", "latency ms", "energy mJ", "EDP", "over the best", "note"):
        table.add_column(name, justify="left" if name in ("design", "note") else "right")
    known = [m["edp"] for name, m, _ in found if m and not name.startswith("searched")]
    for name, metrics, note in found:
        if not metrics:
            table.add_row(name, *["-"] * 5, note)
            continue
        energy = next(v for k, v in metrics.items() if k.startswith("energy"))
        numbers = (metrics["area_mm2"], metrics["latency_ms"], energy, metrics["edp"])
        ratio = metrics["edp"] / min(known) if known else np.nan
        table.add_row(name, *(f"{v:.4g}" for v in numbers), f"{ratio:.2f}", note)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--macs", type=int, choices=tuple(REFERENCES), default=256)
    parser.add_argument("--area", type=float, default=10.0, help="mm2 in 16 nm, DRAM interface too")
    parser.add_argument("--workload", nargs="*", default=["mobilenet_v2", "resnet18"])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--optimizer", default="auto")
    parser.add_argument("--quick", action="store_true", help="one small network, 10 trials, 1 seed")
    options = parser.parse_args()
    if options.quick:
        options.workload, options.trials, options.seeds = ["mlp"], 10, 1
        options.optimizer = "random"
    console = Console(width=130)
    console.print(f"{options.macs} MACs, {EQUAL}, DRAM {DRAM}, at most {options.area:g} mm2")
    for name in options.workload:
        network = load(name)
        console.print(show(network, rows(network, options)))


if __name__ == "__main__":
    main()
