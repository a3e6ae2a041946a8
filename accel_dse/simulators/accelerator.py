"""The built-in simulator: a template's designs, each layer mapped, played, and added up.

For every design it binds the template, lets the mapper find good mappings of each distinct layer,
plays the finalists cycle by cycle (`fidelity="cycle"`) or takes the analytical model's word
(`fidelity="analytical"`), and sums over the network. Between layers, activations stay on the chip
where they fit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import DesignError, OptionError
from accel_dse.metrics import Metrics, concatenate
from accel_dse.simulators import mapper, timeline_trace
from accel_dse.simulators.base import Columns, Simulator
from accel_dse.simulators.explanation import Explanation, explain
from accel_dse.simulators.network import Played, ways_asked
from accel_dse.template import Template, bind
from accel_dse.trial import Design
from accel_dse.workload import Workload

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIDELITIES = ("cycle", "analytical")


@dataclass(frozen=True, kw_only=True)
class AcceleratorSimulator(Simulator):
    """Cycle-level (or analytical) simulation of a template.

    Metrics: `latency_cycles`, `latency_ms`, `energy_mj`, `edp` (mJ x ms), `area_mm2`, `power_w`,
    `dram_bytes`, `utilization` (multiply-accumulates over the peak in that time). A network's
    energy-delay product is the sum of its layers' energies times the sum of their delays.

    Attributes:
        template: the accelerator.
        fidelity: `cycle`, or `analytical`, faster and optimistic: no latencies, no start-up.
        mapper_effort: `low`, `normal` or `high`; more is slower and maps better.
        mapper_goal: what the mapper makes small for each layer: `latency`, `energy` or `edp`.
    """

    takes_template: ClassVar[bool] = True

    template: Template
    fidelity: Literal["cycle", "analytical"] = "cycle"
    mapper_effort: str = "normal"
    mapper_goal: mapper.Goal = "latency"

    @property
    def version(self) -> str:  # type: ignore[override]  # of an instance
        """Raised last for the mappings of one goal alone: results for the others still hold."""
        return "6" if self.mapper_goal == "edp" else "5"

    def __post_init__(self) -> None:
        for name, known in (
            ("fidelity", FIDELITIES),
            ("mapper_effort", tuple(mapper.EFFORTS)),
            ("mapper_goal", mapper.GOALS),
        ):
            if getattr(self, name) not in known:
                raise OptionError(
                    f"accelerator: {name}: got {getattr(self, name)!r}",
                    hint=f"known: {', '.join(known)}",
                )

    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Measures `n` designs on `workload`; see the class for the metrics."""
        n = len(next(iter(designs.values())))
        effort = mapper.EFFORTS[self.mapper_effort]
        size = max(1, mapper.MOST_ROWS // mapper.rows_for(effort, len(workload.unique())))
        parts = []
        for start in range(0, max(n, 1), size):
            chunk = {name: column[start : start + size] for name, column in designs.items()}
            parts.append(self.play(workload, chunk).metrics())
        return concatenate(parts)

    def play(self, workload: Workload, designs: Columns) -> "Played":
        """The whole story of `n` designs on `workload`, layer by layer.

        Memory grows with `n`; `simulate` calls it on chunks.
        """
        hardware = bind(self.template, designs)
        layers = workload.unique()
        mapped = mapper.map_layers(
            hardware,
            layers,
            effort=mapper.EFFORTS[self.mapper_effort],
            goal=self.mapper_goal,
            asked=ways_asked(workload),
        )
        return Played(workload, hardware, mapped, self.mapper_goal, self.fidelity == "cycle")

    def trace(self, workload: Workload, design: Design, path: Path) -> None:
        """Writes what happens when, layer by layer, as a trace that opens at ui.perfetto.dev.

        The cycles of the layers are those of `explain`, and all together the simulator's. What
        does not multiply is one event at the end.

        Raises:
            OptionError: the analytical model knows no timeline.
            DesignError: the design cannot run the workload.
        """
        if self.fidelity != "cycle":
            raise OptionError(
                f"a trace needs the cycle-level engine, got fidelity={self.fidelity}",
                hint="write fidelity=cycle",
            )
        played = self._play_one(workload, design)
        arrives, stays = (way[0].astype(bool) for way in played.ways)
        runs = [
            (
                timeline_trace.trace(
                    played.hardware,
                    workload.layers[k],
                    played.mapped.mappings,
                    mapping=int(played.mapping_rows[0, k]),
                    inputs_resident=bool(arrives[k]),
                    outputs_resident=bool(stays[k]),
                ),
                place.count,
            )
            for k, place in enumerate(played.places)
        ]
        count, cycles = len(workload.vector_ops), int(played.vector_ops[0][0])
        others = [(f"{count} vector operations", cycles)] if count else []
        timeline_trace.write(path, runs, others)

    def _play_one(self, workload: Workload, design: Design) -> Played:
        played = self.play(workload, {name: np.array([v]) for name, v in design.items()})
        if played.infeasible[0]:
            raise DesignError(f"the design cannot run {workload.name}: {played.infeasible[0]}")
        return played

    def explain(self, workload: Workload, design: Design) -> Explanation:
        """Why one design is as fast as it is, layer by layer.

        Raises:
            DesignError: the design cannot run the workload.
        """
        return explain(self._play_one(workload, design))
