"""Area, peak, speed and energy of the shipped reference designs beside published ones.

    python benchmarks/fidelity/reference_designs.py [--json]

Areas leave out the DRAM interface, unless the published one has it; energy and power are the
chip's, without DRAM. `Published` says where a figure comes from; `docs/reference_designs.md` says
why the two differ. Nothing is fitted to these, but that two constants of the technology tables have
TPUv1 and NVDLA among their sources (density of SRAM, control beside MACs).
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from accel_dse.files import load_space
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.technology import Technology
from accel_dse.technology_tables import LOGIC_AREA
from accel_dse.template import Template, bind, read_template
from accel_dse.workload import Workload
from accel_dse.workloads.load import load

NVDLA = "nvdla.org, primer, 16 nm"
NVDLA_CONFIGURATIONS = {
    # MACs: atomic C, atomic K, KiB, entries, GB/s; mm2, frames/s, W on average.
    2048: ((64, 32, 512, 128, 20), (3.3, 269, 0.291)),
    1024: ((64, 16, 256, 128, 15), (1.8, 153, 0.143)),
    512: ((32, 16, 256, 64, 10), (1.4, 93, 0.080)),
    256: ((32, 8, 256, 64, 5), (1.0, 46, 0.048)),
    128: ((16, 8, 256, 32, 2), (0.84, 20, 0.031)),
    64: ((8, 8, 128, 32, 1), (0.55, 7.3, 0.021)),
    32: ((8, 4, 128, 32, 0.5), (0.51, 3.6, 0.017)),
}
"""Source: the primer's table. It gives MACs, KiB and GB/s; how the MACs of the five in the middle
divide into atomic C and K is ours, between those of nv_small and nv_large."""


@dataclass(frozen=True)
class Chip:
    """One design of a template, bound.

    Attributes:
        template: what it is.
        design: its parameters.
    """

    template: Template
    design: Mapping[str, Any]

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The design as a batch of one."""
        return {name: np.array([value]) for name, value in self.design.items()}

    def area_mm2(self, *, dram: bool = False) -> float:
        """With or without the interface to DRAM."""
        hardware = bind(self.template, self.columns)
        rate = float(hardware.shared_bits_per_cycle[0, 0] / 8 * hardware.clock_ghz[0])
        kind = self.template.levels[0].dram
        interface = float(self.template.technology.dram_interface_mm2(kind, rate))
        return float(hardware.area_mm2[0]) - (0 if dram else interface)

    def peak_tops(self) -> float:
        """A multiply-accumulate is two operations."""
        hardware = bind(self.template, self.columns)
        return float(2 * hardware.macs[0] * hardware.clock_ghz[0]) / 1e3

    def run(self, workload: Workload) -> dict[str, float]:
        """Frames/s, chip power in W, chip energy for each multiply-accumulate in pJ."""
        metrics = AcceleratorSimulator(template=self.template).simulate(workload, self.columns)
        row = metrics.row(0)
        dram = self.template.technology.dram(self.template.levels[0].dram).pj_per_bit
        energy_mj = row["energy_mj"] - row["dram_bytes"] * 8 * dram * 1e-9
        return {
            "frames_per_s": 1e3 / row["latency_ms"],
            "power_w": energy_mj / row["latency_ms"],
            "pj_per_mac": energy_mj * 1e9 / workload.macs,
            "utilization": row["utilization"],
        }


@cache
def chip(space: str, reference: str) -> Chip:
    """A reference design of a shipped space."""
    file = load_space(space)
    return Chip(
        read_template(file.accelerator or {}, file.space), file.references[reference].design
    )


@cache
def nvdla(macs: int) -> Chip:
    """A configuration of the primer's table."""
    atomic_c, atomic_k, kib, entries, rate = NVDLA_CONFIGURATIONS[macs][0]
    design = {
        "atomic_c": atomic_c,
        "atomic_k": atomic_k,
        "buffer_kib": kib,
        "accumulator_entries": entries,
        "dram_gb_per_s": rate,
    }
    return Chip(chip("nvdla_like", "nv_small").template, design)


@cache
def network(name: str) -> Workload:
    return load(name)


@dataclass(frozen=True)
class Published:
    """One figure.

    Attributes:
        design: what it is of.
        figure: which, with its unit.
        value: published, brought to our node where `note` says so.
        ours: computes the model's.
        source: who published it.
        note: how the two compare.
    """

    design: str
    figure: str
    value: float
    ours: Callable[[], float]
    source: str
    note: str = ""


def _area_ratio(nm: int) -> float:
    """Logic area at 16 nm over that at `nm`, between 16 and 28 nm, on a log-log line."""
    fine, coarse = (Technology(node).value(LOGIC_AREA) for node in ("16nm", "28nm"))
    here = np.exp(np.interp(np.log(nm), np.log([16, 28]), np.log([fine, coarse])))
    return float(fine / here)


def published() -> tuple[Published, ...]:
    """All figures, by design."""
    eyeriss, gemmini = chip("eyeriss_168", "eyeriss"), chip("gemmini", "gemmini_16")
    simba, tpu = chip("simba_like", "simba_chiplet"), chip("tpu_like", "tpu_v1")
    edge, resnet = chip("edge", "edge_tpu_like"), network("resnet50")
    jssc, isca = "Chen et al., JSSC 2017", "Jouppi et al., ISCA 2017"
    rows = [
        Published("eyeriss", "area, mm2", 12.25 * (45 / 65) ** 2, eyeriss.area_mm2, jssc,
                  "core, 12.25 mm2 at 65 nm, times (45/65)^2"),
        Published("eyeriss", "peak, TOPS", 0.0672, eyeriss.peak_tops, jssc, "168 PEs, 200 MHz"),
        Published("gemmini_16", "area, mm2", 0.806 * _area_ratio(22), gemmini.area_mm2,
                  "Genc et al., DAC 2021", "array and memories, 0.806 mm2 at 22 nm, as logic"),
        Published("simba_chiplet", "area, mm2", 6.0, simba.area_mm2, "Shao et al., MICRO 2019",
                  "the whole chiplet"),
        Published("simba_chiplet", "peak, TOPS at 1 GHz", 4.01 / 1.96, simba.peak_tops,
                  "Zimmer et al., VLSI 2019", "4.01 TOPS at 1.96 GHz"),
        Published("simba_chiplet", "energy, pJ/MAC", 2 * 0.11 * (0.8 / 0.42) ** 2,
                  lambda: simba.run(resnet)["pj_per_mac"], "Zimmer et al., VLSI 2019",
                  "0.11 pJ/op at 0.42 V, at its best, times (0.8/0.42)^2; ours: ResNet-50"),
        Published("tpu_v1", "area, mm2", 331 * 0.65, lambda: tpu.area_mm2(dram=True), isca,
                  "65 % of at most 331 mm2: the blocks that are described, DDR3 ports among them"),
        Published("tpu_v1", "peak, TOPS", 92, tpu.peak_tops, isca),
        Published("tpu_v1", "power, W", 40, lambda: tpu.run(network("vgg16"))["power_w"], isca,
                  "busy, of all; ours: VGG-16 at batch 1"),
        Published("edge_tpu_like", "peak, TOPS", 26.2 / 2, edge.peak_tops, "arXiv 2102.10423",
                  "26.2 with 64 lanes; the space's most are 32 (recalled)"),
        Published("edge_tpu_like", "area, mm2", 29, lambda: edge.area_mm2(dram=True),
                  "Kumar et al., ICLR 2022", "a limit of PRIME's searches, no chip (recalled)"),
    ]  # fmt: skip
    for macs, (_, (area, frames, watts)) in NVDLA_CONFIGURATIONS.items():
        name, one = f"nvdla {macs}", nvdla(macs)
        rows += [
            Published(name, "area, mm2", area, one.area_mm2, NVDLA, "after synthesis"),
            Published(name, "ResNet-50, frames/s", frames,
                      lambda one=one: one.run(resnet)["frames_per_s"], NVDLA, "estimate"),
            Published(name, "power, W", watts,
                      lambda one=one: one.run(resnet)["power_w"], NVDLA, "average, estimate"),
        ]  # fmt: skip
    return tuple(rows)


def compare(*, simulated: bool = True) -> list[dict[str, Any]]:
    """Every figure, ours, and the ratio of ours to the published one.

    Args:
        simulated: whether those are compared, too, that need a simulation.
    """
    rows = []
    for row in published():
        if not simulated and not row.figure.startswith(("area", "peak")):
            continue
        ours = row.ours()
        rows.append(
            {
                "design": row.design,
                "figure": row.figure,
                "published": row.value,
                "ours": ours,
                "ratio": ours / row.value,
                "source": row.source,
                "note": row.note,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="peaks and areas: nothing simulated")
    options = parser.parse_args()
    rows = compare(simulated=not options.quick)
    if options.json:
        print(json.dumps({"rows": len(rows), "figures": rows}))
        return
    print("| design | figure | published | ours | ours / published | note |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['design']} | {row['figure']} | {row['published']:.3g} | {row['ours']:.3g} "
            f"| {row['ratio']:.2f} | {row['source']}{': ' if row['note'] else ''}{row['note']} |"
        )


if __name__ == "__main__":
    main()
