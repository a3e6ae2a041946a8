"""What hardware can gain over the hand-tuned Eyeriss at all, by workload.

python benchmarks/codesign/headroom.py [--quick] [--designs 3000] [--steps 24]
    [--workload NAME ...]

Hardware is searched where a mapping costs milliseconds: the simulator's own mapper (highest effort,
least energy-delay product) maps each layer, and its finalists are played. It may use factors that
do not divide a loop, which the co-design's mappings may not. The best of random designs, then
exchanges and mutations of the best dozen; all with Eyeriss's PEs and storage, and no more area.
What it finds is a bound from below of what there is to gain.
"""

import argparse

import numpy as np
from eyeriss import SPACES

from accel_dse.designs import length, rows
from accel_dse.files import load_space
from accel_dse.simulators import loop_nest, mapper, timeline
from accel_dse.template import bind, read_template
from accel_dse.workloads.load import load

BREED = 12
"""Designs that the next ones vary."""

MOST = 150
"""Designs that are mapped in one step."""


def layer_edp(template, layers, columns, effort):
    """Sum of the layers' least energy-delay products, `(n,)`; infinite where one has no mapping."""
    hardware = bind(template, columns)
    mapped = mapper.map_layers(hardware, layers, effort=mapper.EFFORTS[effort], goal="edp")
    many = mapped.found[mapped.found > 0]
    design, layer = (np.repeat(at, many) for at in np.nonzero(mapped.found))
    finalists = np.arange(len(mapped.mappings))
    which = (hardware, layers, mapped.mappings, design, layer, finalists)
    counted = loop_nest.evaluate(*which)
    on_chip = np.zeros(len(finalists), dtype=bool)
    cycles = timeline.simulate(*which, on_chip, on_chip).cycles
    ms = cycles / hardware.clock_ghz[design] / 1e6
    energy_mj = counted.energy_pj * 1e-9 + hardware.static_w[design] * ms
    least = np.full(mapped.found.shape, np.inf)
    np.minimum.at(least, (design, layer), ms * energy_mj)
    return least @ np.array([layer.count for layer in layers])


def search(name, designs, steps):
    """Eyeriss's product, and the least found with no more area."""
    file = load_space(SPACES[name])
    space = file.space
    template = read_template(file.accelerator, space)
    layers = load(name).unique()
    eyeriss = space.columns([file.references["eyeriss"].design])
    area = bind(template, eyeriss).area_mm2[0]
    rng = np.random.default_rng(0)

    def small(columns):
        return rows(columns, np.flatnonzero(bind(template, columns).area_mm2 <= area))

    known = small(space.sample_columns(designs, rng))
    first = np.argsort(layer_edp(template, layers, known, "low"))[: 5 * BREED]
    known = rows(known, first)
    costs = layer_edp(template, layers, known, "high")
    for _ in range(steps):
        best = space.coding.coded(rows(known, np.argsort(costs)[:BREED]))
        around, _ = space.coding.neighbors(best)
        copies = rows(best, np.repeat(np.arange(length(best)), BREED))
        varied = space.coding.mutated(copies, 0.3, rng)
        near = {key: np.concatenate([around[key], varied[key]]) for key in around}
        near = rows(near, np.flatnonzero(space.coding.satisfied(near)))
        near = small(space.coding.columns(near))
        near = rows(near, rng.permutation(length(near))[:MOST])
        costs = np.concatenate([costs, layer_edp(template, layers, near, "high")])
        known = {key: np.concatenate([known[key], near[key]]) for key in known}
    least = int(np.argmin(costs))
    design = {key: column[least].item() for key, column in known.items()}
    return layer_edp(template, layers, eyeriss, "high")[0], costs[least], design


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--designs", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--workload", action="append")
    options = parser.parse_args()
    if options.quick:
        options.designs, options.steps = 200, 1
    for name in options.workload or SPACES:
        tuned, least, design = search(name, options.designs, options.steps)
        print(f"{name}: {1 - least / tuned:.1%} lower; {tuned:.6g} and {least:.6g}; {design}")


if __name__ == "__main__":
    main()
