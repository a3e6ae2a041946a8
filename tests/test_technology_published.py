"""How far computed costs are from published memories, blocks and chips, and that the documentation
says so. The figures and their papers are in `docs/technology.md` and `docs/reference_designs.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from accel_dse.technology import Precision, Technology, describe

DOCUMENT = Path(__file__).parents[1] / "docs" / "technology.md"
KIB, MIB = 8 * 2**10, 8 * 2**20
INT8 = Precision.named("int8")


def read_pj(node: str, capacity_bits: float, width_bits: float) -> float:
    cost = Technology.named(node).sram(capacity_bits, width_bits)
    return float(width_bits * cost.read_pj_per_bit[0])


def sram_mm2(node: str, capacity_bits: float, width_bits: float) -> float:
    return float(Technology.named(node).sram(capacity_bits, width_bits).area_mm2[0])


def macs_mm2(node: str, count: int) -> float:
    """MACs of 8 bits with their control."""
    technology = Technology.named(node)
    area = count * float(technology.mac(INT8).area_mm2[0])
    return area + float(technology.control_mm2(area))


def nvdla_mm2(node: str, macs: int, buffer_kib: int) -> float:
    return macs_mm2(node, macs) + sram_mm2(node, buffer_kib * KIB, macs / 4)


def nvdla_mw(macs: int, buffer_kib: int, read_bytes: int) -> float:
    """All MACs busy at 1 GHz, one read of the buffer a cycle."""
    technology = Technology.named("16nm")
    buffer = technology.sram(buffer_kib * KIB, 8 * read_bytes)
    dynamic_pj = macs * technology.mac(INT8).energy_pj + 8 * read_bytes * buffer.read_pj_per_bit
    static_w = technology.logic_static_w(macs_mm2("16nm", macs), 1.0) + buffer.leakage_w
    return float((dynamic_pj * 1e-3 + static_w)[0] * 1e3)


def tpu_v1_mm2() -> float:
    ports = float(Technology.named("28nm").dram_interface_mm2("ddr4", 34))
    buffers = sram_mm2("28nm", 24 * MIB, 2048) + sram_mm2("28nm", 4 * MIB, 8192)
    return macs_mm2("28nm", 65536) + buffers + ports


def simba_core_mm2() -> float:
    pe = [(32 * KIB, 512), (8 * KIB, 64), (3 * KIB, 192)]
    storage = 16 * sum(sram_mm2("16nm", *each) for each in pe) + sram_mm2("16nm", 64 * KIB, 256)
    return storage + macs_mm2("16nm", 1024)


def eyeriss_core_mm2() -> float:
    """At 45 nm: 168 PEs of 16 bits with their three scratchpads, and the global buffer."""
    technology = Technology.named("45nm")
    mac = technology.mac_of(16, 16).area_mm2
    registers = technology.register_file([12 * 16, 24 * 16], 16).area_mm2.sum()
    pe = mac + technology.control_mm2(mac) + technology.sram(224 * 16, 16).area_mm2 + registers
    return float(168 * pe[0]) + sram_mm2("45nm", 108 * KIB, 64)


@dataclass(frozen=True)
class Published:
    """A published figure, how we compute it, and how far apart the two may be."""

    what: str
    unit: str
    published: float
    model: Callable[[], float]
    low: float
    high: float

    @property
    def row(self) -> str:
        value = self.model()
        return (
            f"| {self.what} | {self.published:.3g} {self.unit} | {value:.3g} {self.unit} "
            f"| {value / self.published:.2f} |"
        )


PUBLISHED = [
    Published(
        "8 KiB, 64 bits, 45 nm (Horowitz 2014)",
        "pJ",
        10,
        lambda: read_pj("45nm", 8 * KIB, 64),
        0.89,
        1.11,
    ),
    Published(
        "32 KiB, 64 bits, 45 nm (Horowitz 2014)",
        "pJ",
        20,
        lambda: read_pj("45nm", 32 * KIB, 64),
        0.89,
        1.11,
    ),
    Published(
        "1 MiB, 64 bits, 45 nm (Horowitz 2014)",
        "pJ",
        100,
        lambda: read_pj("45nm", MIB, 64),
        0.89,
        1.11,
    ),
    Published(
        "32 KiB, 32 bits, 45 nm (EIE 2016)", "pJ", 5, lambda: read_pj("45nm", 32 * KIB, 32), 0.5, 3
    ),
    Published(
        "8 KiB, 64 bits, 14 nm (Dally 2020) as 16 nm",
        "pJ",
        3.2,
        lambda: read_pj("16nm", 8 * KIB, 64),
        0.5,
        2,
    ),
    Published(
        "8 KiB, 64 bits, 7 nm (Jouppi 2021)", "pJ", 7.5, lambda: read_pj("7nm", 8 * KIB, 64), 0.5, 2
    ),
    Published(
        "32 KiB, 64 bits, 7 nm (Jouppi 2021)",
        "pJ",
        8.5,
        lambda: read_pj("7nm", 32 * KIB, 64),
        0.5,
        2,
    ),
    Published(
        "1 MiB, 64 bits, 7 nm (Jouppi 2021)", "pJ", 14, lambda: read_pj("7nm", MIB, 64), 0.5, 2
    ),
    Published(
        "TPUv1 unified buffer, 24 MiB, 28 nm",
        "mm2",
        0.29 * 331,
        lambda: sram_mm2("28nm", 24 * MIB, 2048),
        0.5,
        1.5,
    ),
    Published(
        "TPUv1 accumulators, 4 MiB",
        "mm2",
        0.06 * 331,
        lambda: sram_mm2("28nm", 4 * MIB, 8192),
        0.5,
        1.5,
    ),
    Published(
        "TPUv1 matrix unit, 65,536 MACs",
        "mm2",
        0.24 * 331,
        lambda: macs_mm2("28nm", 65536),
        0.95,
        1.05,
    ),
    Published(
        "TPUv1 DDR3 ports, 34 GB/s",
        "mm2",
        0.06 * 331,
        lambda: float(Technology.named("28nm").dram_interface_mm2("ddr4", 34)),
        0.5,
        2,
    ),
    Published("TPUv1 die", "mm2", 331, tpu_v1_mm2, 0.4, 1.1),
    Published(
        "NVDLA 2048 MACs, 512 KiB, 28 nm",
        "mm2",
        5.5,
        lambda: nvdla_mm2("28nm", 2048, 512),
        0.5,
        1.1,
    ),
    Published(
        "NVDLA 256 MACs, 256 KiB, 28 nm", "mm2", 1.7, lambda: nvdla_mm2("28nm", 256, 256), 0.5, 1.1
    ),
    Published(
        "NVDLA 64 MACs, 128 KiB, 28 nm", "mm2", 0.91, lambda: nvdla_mm2("28nm", 64, 128), 0.5, 1.1
    ),
    Published(
        "NVDLA 2048 MACs, 512 KiB, 16 nm",
        "mm2",
        3.3,
        lambda: nvdla_mm2("16nm", 2048, 512),
        0.5,
        1.1,
    ),
    Published(
        "NVDLA 64 MACs, 128 KiB, 16 nm", "mm2", 0.55, lambda: nvdla_mm2("16nm", 64, 128), 0.5, 1.1
    ),
    Published("Simba chiplet core, 16 nm", "mm2", 4.01 / 1.29, simba_core_mm2, 0.5, 1.1),
    Published(
        "Eyeriss core, 65 nm, times 0.66 for 45 nm", "mm2", 12.25 * 0.66, eyeriss_core_mm2, 0.4, 1.5
    ),
    Published(
        "AMD V-Cache, 64 MiB, 7 nm", "mm2", 41, lambda: sram_mm2("7nm", 64 * MIB, 1024), 0.8, 1.3
    ),
    Published(
        "TPUv4i common memory, 128 MiB, 7 nm (28 % of 400 mm2 at most)",
        "mm2",
        0.28 * 400,
        lambda: sram_mm2("7nm", 128 * MIB, 4096),
        0.5,
        1.5,
    ),
    Published(
        "NVDLA 2048 MACs, peak, 16 nm, 1 GHz", "mW", 766, lambda: nvdla_mw(2048, 512, 64), 0.5, 1.1
    ),
    Published(
        "NVDLA 64 MACs, peak, 16 nm, 1 GHz", "mW", 55, lambda: nvdla_mw(64, 128, 8), 0.3, 1.1
    ),
]


@pytest.mark.parametrize("each", PUBLISHED, ids=lambda each: each.what)
def test_published_figures_come_back_within_the_stated_factor(each):
    assert each.low <= each.model() / each.published <= each.high


@pytest.mark.parametrize("each", PUBLISHED, ids=lambda each: each.what)
def test_the_documented_ratio_is_the_computed_one(each):
    assert each.row in DOCUMENT.read_text()


def test_the_documented_constants_are_those_in_use():
    assert describe() in DOCUMENT.read_text()
