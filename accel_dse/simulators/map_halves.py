"""Mappings of a layer that are made of mappings of its half, for layers that run only briefly.

`map_search` spreads a layer over the array as far as it goes. A layer so small that it then takes a
few steps has nothing to hide its first words and its last ones behind: most of its time is start-up
and drain. Spread half as far, and sent in two halves, the second half comes while the first is
worked on. Such mappings are those of a layer of half the size along one dimension, with one more
loop of DRAM.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.simulators import loop_nest
from accel_dse.simulators.loop_records import Ints
from accel_dse.workload import DIMS, Layer

BRIEF = 8
"""Cycles for which the whole array works on a layer that is also looked at in halves. Latency and
the first words take some 40; with 64 here, networks gain 0.2 % at most and take twice as long to
map."""


@dataclass(frozen=True)
class Finalists:
    """Mappings, `m` of them, with the design and the layer that each is for, and its ways.

    Attributes:
        design, layer: `(m,)`.
        mappings: the mappings.
        ways: as in `mapper.Mapped`, `(m,)`.
    """

    design: Ints
    layer: Ints
    mappings: Mappings
    ways: Ints


def brief(hardware: Hardware, layer: Layer) -> NDArray[np.bool_]:
    """On which designs the layer runs briefly, `(n,)`."""
    return np.asarray(layer.macs <= BRIEF * hardware.macs)


def halves(hardware: Hardware, layer: Layer) -> list[tuple[int, Layer]]:
    """Dimensions that DRAM's loops may cut in two, and what is left of the layer then."""
    cuts = []
    for d, name in enumerate(DIMS):
        if layer.dims[d] > 1 and hardware.loops_allowed[0, d]:
            half: Any = {name: -(-layer.dims[d] // 2)}
            cuts.append((d, replace(layer, **half)))
    return cuts


def doubled(
    hardware: Hardware,
    layers: Sequence[Layer],
    which: int,
    of_halves: Finalists,
    dims: Ints,
    designs: NDArray[np.bool_],
) -> Finalists:
    """The mappings of halves of layer `which` as those of the layer, where they are valid.

    Args:
        hardware: `n` designs.
        layers: all of them.
        which: of the layers.
        of_halves: `layer` is a place in `dims`.
        dims: along which the layer was cut.
        designs: for which designs they are wanted, `(n,)`.
    """
    rows = np.flatnonzero(designs[of_halves.design])
    design, mappings = of_halves.design[rows], of_halves.mappings.select(rows)
    mappings.temporal[np.arange(len(rows)), 0, dims[of_halves.layer[rows]]] *= 2
    layer = np.full_like(design, which)
    found = loop_nest.evaluate(hardware, layers, mappings, design, layer, np.arange(len(rows)))
    kept = np.flatnonzero(found.codes == 0)
    ways = of_halves.ways[rows]
    return Finalists(design[kept], layer[kept], mappings.select(kept), ways[kept])
