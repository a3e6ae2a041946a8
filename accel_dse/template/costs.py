"""What a bound template costs: energy per access, area, static power."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.template.description import Level, Store, Template
from accel_dse.workload import TENSORS

Floats = NDArray[np.float64]

READ, FILL, UPDATE = range(3)

UNLIMITED_PORT_BITS = 64.0
"""Width of a port whose bandwidth is unlimited. Source: ours; it only prices accesses."""


@dataclass(frozen=True)
class Costs:
    """Costs of `n` designs with `L` levels; see `hardware.Hardware`.

    Attributes:
        access_pj_per_bit: `(n, L, 3)`.
        network_pj_per_bit: `(n, L)`.
        level_mm2: `(n, L)`.
        mac_pj, static_w, area_mm2, macs_mm2: `(n,)`.
    """

    access_pj_per_bit: Floats
    network_pj_per_bit: Floats
    mac_pj: Floats
    static_w: Floats
    area_mm2: Floats
    level_mm2: Floats
    macs_mm2: Floats


def cost(
    template: Template,
    instances: Floats,
    capacity_bits: Floats,
    rates: Mapping[str, Floats],
    clock_ghz: Floats,
    level_logic_mm2: Floats,
    logic_mm2: Floats,
) -> Costs:
    """The costs of `n` designs.

    Flip-flops and logic pay for their clock and leak by the area; SRAM leaks by the bit. A bit that
    leaves a level travels half the side of what one instance of the level has inside.

    Args:
        template: what is built.
        instances: of each level and of the multiply-accumulate units, `(n, L + 1)`.
        capacity_bits: of one instance, by tensor, `(n, L, 3)`.
        rates: `read`, `write`, `shared`: bits per cycle of one instance, `(n, L)` each.
        clock_ghz: `(n,)`.
        level_logic_mm2: beside each instance, `(n, L)`.
        logic_mm2: once on the chip, `(n,)`.
    """
    technology = template.technology
    n, count = capacity_bits.shape[:2]
    access = np.zeros((n, count, 3))
    level_mm2 = level_logic_mm2 * instances[:, :count]
    logic = level_mm2.sum(axis=1) + logic_mm2
    static_w = np.zeros(n)
    for i, level in enumerate(template.levels):
        port = _port_bits({key: rate[:, i] for key, rate in rates.items()})
        if level.dram:
            access[:, i] = technology.dram(level.dram).pj_per_bit
            peak = np.where(np.isfinite(port), port / 8 * clock_ghz, 0.0)
            level_mm2[:, i] += technology.dram_interface_mm2(level.dram, peak)
            continue
        for store in level.stores:
            bits = capacity_bits[:, i, TENSORS.index(store.tensors[0])]
            share = len(store.tensors) / len(level.keeps)
            width = np.where(np.isfinite(port), port * share, UNLIMITED_PORT_BITS)
            build = technology.sram if store.memory == "sram" else technology.register_file
            built = build(bits, np.minimum(width, bits))
            area = built.area_mm2 * instances[:, i]
            level_mm2[:, i] += area
            if store.memory == "registers":
                logic += area
            else:
                static_w += built.leakage_w * instances[:, i]
            _price(access[:, i], level, store, built.read_pj_per_bit, built.write_pj_per_bit)
    mac = technology.mac(template.precision)
    macs_mm2 = mac.area_mm2 * instances[:, count]
    macs_mm2 = macs_mm2 + technology.control_mm2(macs_mm2)
    inside = np.concatenate([level_mm2[:, 1:], macs_mm2[:, None]], axis=1)
    spanned = np.cumsum(inside[:, ::-1], axis=1)[:, ::-1] / instances[:, :count]
    return Costs(
        access_pj_per_bit=access,
        network_pj_per_bit=technology.network_pj_per_bit(spanned),
        mac_pj=np.broadcast_to(mac.energy_pj, (n,)).astype(np.float64),
        static_w=static_w + technology.logic_static_w(logic + macs_mm2, clock_ghz),
        area_mm2=level_mm2.sum(axis=1) + macs_mm2 + logic_mm2,
        level_mm2=level_mm2,
        macs_mm2=macs_mm2,
    )


def _port_bits(rates: Mapping[str, Floats]) -> Floats:
    """What a level delivers or takes in a cycle, all its stores together; infinite if unlimited."""
    read, write, shared = (rates[key] for key in ("read", "write", "shared"))
    bounded = [np.where(np.isfinite(rate), rate, 0.0) for rate in (read, write, shared)]
    widest = np.minimum(np.maximum(bounded[0], bounded[1]), shared)
    widest = np.where(widest > 0, widest, bounded[2])
    return np.where(widest > 0, widest, np.inf)


def _price(access: Floats, level: Level, store: Store, read: Floats, write: Floats) -> None:
    """Adds a store's share to a level's prices, `(n, 3)`.

    A multiply-accumulate reads one word of each tensor, so reads and fills cost the mean over the
    tensors; updates are of outputs alone.
    """
    share = len(store.tensors) / len(level.keeps)
    access[:, READ] += share * read
    access[:, FILL] += share * write
    if "outputs" in store.tensors:
        access[:, UPDATE] = write
