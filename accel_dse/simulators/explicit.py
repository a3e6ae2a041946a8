"""Simulating designs that bring their own mappings: the other half of co-design.

A design has the hardware's parameters and, for each distinct layer, those of a mapping
(`mapping_space`). Layers run one after the other; nothing stays on the chip between them.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import OptionError
from accel_dse.hardware import Hardware
from accel_dse.mapping import Mappings
from accel_dse.mapping_space import LayerMapping
from accel_dse.metrics import Metrics
from accel_dse.simulators import loop_nest, timeline
from accel_dse.simulators.base import Columns, Simulator
from accel_dse.template import Template, bind
from accel_dse.workload import Layer, Workload

Floats = NDArray[np.float64]

FIDELITIES = ("cycle", "analytical")


@dataclass(frozen=True, kw_only=True)
class ExplicitMappingSimulator(Simulator):
    """Cycle-level (or analytical) simulation of hardware with explicit mappings.

    Metrics: `latency_ms`, `latency_cycles`, `energy_mj`, `edp` (mJ x ms: the sum of the layers'
    energies times the sum of their delays), `layer_edp` (mJ x ms: the sum of the layers'
    energy-delay products, which each layer's mapping makes small on its own), `area_mm2`; and of
    one run of each distinct layer `LAYER/latency_ms`, `LAYER/energy_mj`, `LAYER/edp`. What does
    not multiply (pooling, softmax) is not counted.

    Attributes:
        template: the accelerator.
        fidelity: `cycle`, or `analytical`, faster and optimistic: no latencies, no start-up.
        ragged: whether factors may cover more than the loop; as in `mapping_space`.

    Source:
        The sum of products is the objective of Shi et al., arXiv 2010.02075; the product of sums
        that of Spotlight, HPCA 2023.
    """

    version: ClassVar[str] = "1"
    takes_template: ClassVar[bool] = True
    takes_mappings: ClassVar[bool] = True

    template: Template
    fidelity: Literal["cycle", "analytical"] = "cycle"
    ragged: bool = False

    def __post_init__(self) -> None:
        if self.fidelity not in FIDELITIES:
            raise OptionError(
                f"explicit: fidelity: got {self.fidelity!r}",
                hint=f"known: {', '.join(FIDELITIES)}",
            )

    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Measures `n` designs on `workload`; see the class for the metrics."""
        layers = workload.unique()
        mapped = [LayerMapping(self.template, layer, self.ragged) for layer in layers]
        choices = {p.name for layer in mapped for p in layer.parameters}
        hardware = bind(self.template, {k: v for k, v in designs.items() if k not in choices})
        n = len(hardware)
        reasons = [""] * n
        totals = {name: np.zeros(n) for name in ("latency_cycles", "energy_mj", "layer_edp")}
        found: dict[str, Floats] = {}
        for layer, mapping in zip(layers, mapped):
            cycles, energy_mj, why = self._run(hardware, layer, mapping.mappings(designs))
            latency_ms = cycles / hardware.clock_ghz / 1e6
            for i in np.flatnonzero(np.isnan(cycles)).tolist():
                reasons[i] = reasons[i] or f"{layer.name}: {why[i]}"
            one = {"latency_ms": latency_ms, "energy_mj": energy_mj, "edp": latency_ms * energy_mj}
            found |= {f"{mapping.prefix}/{name}": column for name, column in one.items()}
            totals["latency_cycles"] += layer.count * cycles
            totals["energy_mj"] += layer.count * energy_mj
            totals["layer_edp"] += layer.count * one["edp"]
        totals["latency_ms"] = totals["latency_cycles"] / hardware.clock_ghz / 1e6
        totals["edp"] = totals["energy_mj"] * totals["latency_ms"]
        totals["area_mm2"] = hardware.area_mm2.copy()
        broken = np.array([bool(reason) for reason in reasons], dtype=bool)
        return Metrics(
            {name: np.where(broken, np.nan, column) for name, column in (totals | found).items()},
            tuple(reasons),
        )

    def _run(
        self, hardware: Hardware, layer: Layer, mappings: Mappings
    ) -> tuple[Floats, Floats, dict[int, str]]:
        """Cycles and mJ of one run, `(n,)`, NaN where a mapping is not valid; and why it is not."""
        n = len(hardware)
        rows, zeros = np.arange(n), np.zeros(n, dtype=np.int64)
        counted = loop_nest.evaluate(hardware, [layer], mappings, rows, zeros, rows)
        cycles = counted.cycles.copy()
        good = np.flatnonzero(counted.codes == 0)
        if self.fidelity == "cycle" and len(good):
            on_chip = np.zeros(len(good), dtype=bool)
            cycles[good] = timeline.simulate(
                hardware, [layer], mappings, good, zeros[good], good, on_chip, on_chip
            ).cycles
        seconds = cycles / (hardware.clock_ghz * 1e9)
        energy_mj = counted.energy_pj * 1e-9 + hardware.static_w * seconds * 1e3
        why = {i: counted.reason(i) for i in np.flatnonzero(counted.codes).tolist()}
        return cycles, energy_mj, why
