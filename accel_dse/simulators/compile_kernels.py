"""Compiles the kernels of the built-in simulator, side by side: the last step of installing it.

Without this step the first simulation does it, in one process and hence in about twice the time:
numba compiles one kernel at a time.

    python -m accel_dse.simulators.compile_kernels

Numba keeps what is compiled next to the kernels, or in the user's cache folder where that may not
be written to, for each kind of CPU; what is there already is not compiled again.
"""

import gc
import multiprocessing
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter

import numpy as np

from accel_dse.files import load_space
from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators import loop_nest, mapper, timeline
from accel_dse.simulators.threads import cores
from accel_dse.template import bind, read_template
from accel_dse.workload import DIMS, Layer

LAYER = Layer(name="one multiply-accumulate")


def _design() -> Hardware:
    """A design that any layer can run on. Kernels are the same for all templates."""
    space = load_space("edge")
    design = next(iter(space.references.values())).design
    template = read_template(space.accelerator or {}, space.space)
    return bind(template, {name: np.array([value]) for name, value in design.items()})


def search_mappings() -> None:
    """Compiles the mapper."""
    mapper.map_layers(_design(), [LAYER], effort=mapper.EFFORTS["low"])


def play_and_count() -> None:
    """Compiles the cycle-level engine and the analytical model."""
    hardware = _design()
    order = np.tile(np.arange(len(DIMS)), (1, len(hardware.levels), 1))
    ones = np.ones_like(order)
    only = np.zeros(1, dtype=np.int64)
    case = (hardware, [LAYER], Mappings(ones, ones, ones, order), only, only, only)
    timeline.simulate(*case)
    loop_nest.evaluate(*case)


PROGRAMS: Mapping[str, Callable[[], None]] = {
    "the mapper": search_mappings,
    "the cycle-level engine and the analytical model": play_and_count,
}
"""What is compiled side by side, longest first."""


def compile_kernels() -> None:
    """Compiles what is not compiled yet, in as many processes as there are cores."""
    processes = min(cores(), len(PROGRAMS))
    if processes == 1:
        for program in PROGRAMS.values():
            program()
        return
    spawn = multiprocessing.get_context("spawn")
    # Looking for garbage would take a tenth of the time.
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=gc.disable) as pool:
        for done in [pool.submit(program) for program in PROGRAMS.values()]:
            done.result()


if __name__ == "__main__":
    start = perf_counter()
    compile_kernels()
    print(f"kernels compiled in {perf_counter() - start:.0f} s", file=sys.stderr)
