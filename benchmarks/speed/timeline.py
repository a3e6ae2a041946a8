"""What one evaluation of the cycle-level engine costs, on one core, and how that grows with steps.

Three sets of (design, layer, mapping), on the four levels of `edge` and the layers of MobileNetV2:

- mapped: random designs, each layer mapped by the mapper;
- mapped, small: the same on designs with few, small memories, where tiles are small and steps many;
- random loops: factors and orders drawn at random at every level, ragged or not.

    python benchmarks/speed/timeline.py [--evaluations 1000] [--json]

Times are of the thread, so other work on the machine disturbs them little.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from accel_dse.files.space_file import load_space
from accel_dse.mapping import Mappings
from accel_dse.simulators.kernels import compiled
from accel_dse.simulators.loop_records import pack_layers
from accel_dse.simulators.mapper import EFFORTS, map_layers
from accel_dse.simulators.timeline import cycles_of, new_scratch
from accel_dse.simulators.timeline_machine import walk
from accel_dse.simulators.timeline_plan import count_steps, lay_out, pack_machine
from accel_dse.template.binding import bind
from accel_dse.template.reader import read_template
from accel_dse.workloads.load import load

ARGUMENTS = argparse.ArgumentParser(description=__doc__)
ARGUMENTS.add_argument("--evaluations", type=int, default=1000, help="of each set")
ARGUMENTS.add_argument("--seed", type=int, default=0)
ARGUMENTS.add_argument("--json", action="store_true")
ARGUMENTS.add_argument("--quick", action="store_true", help="20 evaluations")

SPACE = Path(__file__).resolve().parents[2] / "design_spaces" / "edge.yaml"
SMALL = {"pes_x": [1, 2], "pes_y": [1, 2], "pe_memory_kib": [256], "core_memory_kib": [4, 8]}
REPEATS = 20
FEW_STEPS = 100_000


def main() -> None:
    options = ARGUMENTS.parse_args()
    if options.quick:
        options.evaluations = 20
    rng = np.random.default_rng(options.seed)
    layers = load("mobilenet_v2").unique()
    sets = {
        "mapped": mapped(layers, {}, options.evaluations, rng),
        "mapped, small": mapped(layers, SMALL, options.evaluations, rng),
        "random loops": random_loops(layers, options.evaluations, rng),
    }
    found = {name: measure(*given) for name, given in sets.items()}
    if options.json:
        print(json.dumps(found))
        return
    columns = list(next(iter(found.values())))
    print(f"{'':16s}" + "".join(f"{column:>19s}" for column in columns))
    for name, row in found.items():
        print(f"{name:16s}" + "".join(f"{row[column]:19,.1f}" for column in columns))


def mapped(layers, fixed, n, rng):
    """`n` evaluations of mapped layers, on designs drawn at random."""
    file = load_space(SPACE)
    designs = file.space.sample_columns(400, rng)
    for name, values in fixed.items():
        designs[name] = rng.choice(values, 400)
    hardware = bind(read_template(file.accelerator, file.space), designs)
    table = map_layers(hardware, layers, effort=EFFORTS["normal"])
    design, layer = np.nonzero(table.found)
    chosen = rng.permutation(len(design))[:n]
    design, layer = design[chosen], layer[chosen]
    mappings = table.mappings.select(table.first[design, layer])
    return hardware, layers, mappings, design, layer


def random_loops(layers, n, rng):
    """`n` evaluations of random mappings; capacities are not looked at."""
    file = load_space(SPACE)
    template = read_template(file.accelerator, file.space)
    hardware = bind(template, file.space.sample_columns(n, rng))
    layer = rng.integers(len(layers), size=n)
    bounds = np.array([a.dims for a in layers])[layer]
    shape = (n, len(hardware.levels), 8)
    temporal, spatial = np.ones(shape, dtype=np.int64), np.ones(shape, dtype=np.int64)
    for level, dim, most in ((3, 2, 8), (3, 3, 4), (1, 2, 4), (0, 4, 4), (0, 5, 4), (3, 1, 8)):
        spatial[:, level, dim] = np.minimum(bounds[:, dim], rng.integers(1, most + 1, n))
        bounds[:, dim] = -(-bounds[:, dim] // spatial[:, level, dim])
    for level in (3, 2, 1):
        factors = np.exp(rng.uniform(size=bounds.shape) * np.log(bounds)).round().astype(np.int64)
        temporal[:, level] = np.where(rng.random(bounds.shape) < 0.8, factors, 1)
        bounds = -(-bounds // temporal[:, level])
    temporal[:, 0] = bounds
    order = rng.permuted(np.broadcast_to(np.arange(8), shape), axis=2)
    mappings = Mappings(temporal, spatial, np.ones_like(spatial), order)
    return hardware, layers, mappings, np.arange(n), layer


@compiled
def again(machine, layer, temporal, spatial_x, spatial_y, order, scratch, times):
    found = 0
    for _ in range(times):
        found = cycles_of(
            machine, layer, temporal, spatial_x, spatial_y, order, False, False, scratch
        )
    return found


def measure(hardware, layers, mappings, design, layer):
    """Microseconds of one evaluation, and of the plain engine where it has few steps."""
    machines, bounds, scratch = pack_machine(hardware), pack_layers(layers), new_scratch()[0]
    plan, state = scratch["plan"], scratch["state"]
    spent, steps, ratios = [], [], []
    for i in range(len(design)):
        rows = (mappings.temporal, mappings.spatial_x, mappings.spatial_y, mappings.order)
        machine, bound = machines[design[i]], bounds[layer[i]]
        given = (machine, bound, *(array[i] for array in rows))
        again(*given, scratch, 1)
        cycles, once = timed(lambda given=given: again(*given, scratch, REPEATS))
        spent.append(once / REPEATS)
        steps.append(int(count_steps(plan, len(hardware.levels) - 1)))
        if 1000 <= steps[-1] <= FEW_STEPS:
            lay_out(*given, False, False, plan)
            plain, slow = timed(
                lambda machine=machine, bound=bound: walk(machine, bound, plan, state)
            )
            assert plain == cycles
            ratios.append(slow / spent[-1])
    return {
        "steps, median": float(np.median(steps)),
        "steps, 95 %": float(np.percentile(steps, 95)),
        "us, median": float(np.median(spent)),
        "us, mean": float(np.mean(spent)),
        "us, 99 %": float(np.percentile(spent, 99)),
        "us, worst": float(np.max(spent)),
        "plain/this, median": float(np.median(ratios)) if ratios else float("nan"),
    }


def timed(call):
    """What `call` returns, and how many microseconds of this thread it took."""
    begun = time.thread_time_ns()
    found = call()
    return found, (time.thread_time_ns() - begun) / 1e3


if __name__ == "__main__":
    main()
