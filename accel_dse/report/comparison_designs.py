"""The designs that a page compares: the best ones, and named references, simulated alike."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accel_dse.errors import DseError
from accel_dse.problem import Problem
from accel_dse.readable import number
from accel_dse.report.inside import inside
from accel_dse.simulators.base import Simulator
from accel_dse.trial import Design, Trial

MOST_LOOKED_INTO = 3
"""Best designs that are looked into, besides the references."""


@dataclass(frozen=True, kw_only=True)
class Lab:
    """What simulates designs again, as the study did, or why nothing can.

    Attributes:
        problem: of the study; None if it cannot be made again.
        simulator: of the study; None if it cannot be made again.
        references: name -> a design of the space to compare with.
        descriptions: name -> what the reference is.
        reason: why there is no simulator; "" if there is.
    """

    problem: Problem | None = None
    simulator: Simulator | None = None
    references: Mapping[str, Design] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    def measured_references(self) -> dict[str, Any]:
        """Each reference with its metrics, or why it has none."""
        if self.problem is None or self.simulator is None:
            return {"reason": self.reason, "designs": []}
        found = [
            {
                "name": name,
                "description": self.descriptions.get(name, ""),
                "design": dict(design),
                **self._measured(design),
            }
            for name, design in self.references.items()
        ]
        return {"reason": "" if found else "the space names no reference designs", "designs": found}

    def _measured(self, design: Design) -> dict[str, Any]:
        if self.problem is None or self.simulator is None:
            return {"metrics": {}, "reason": self.reason, "accepted": False}
        problem, simulator = self.problem, self.simulator
        try:
            columns = problem.space.columns([design])
            measured = problem.combine(
                [simulator.simulate(workload, columns) for workload, _ in problem.workloads]
            )
        except DseError as error:
            return {"metrics": {}, "reason": str(error), "accepted": False}
        metrics = measured.row(0)
        kept = not measured.infeasible[0] and all(v <= 0 for v in problem.violations(metrics))
        return {"metrics": metrics, "reason": measured.infeasible[0], "accepted": kept}

    def looked_into(self, trials: Sequence[tuple[str, Trial]]) -> dict[str, Any]:
        """The first of named `trials`, and all references, layer by layer."""
        if self.problem is None or self.simulator is None:
            return {"reason": self.reason, "warning": "", "designs": []}
        looked = [(name, trial.design) for name, trial in trials[:MOST_LOOKED_INTO]]
        named = [*looked, *self.references.items()]
        found = [
            {"design": name, "workload": workload.name, **inside(self.simulator, workload, design)}
            for name, design in named
            for workload, _ in self.problem.workloads
        ]
        return {
            "reason": "" if found else "there is no design to look into",
            "warning": self._drift(trials[:1]),
            "designs": found,
        }

    def _drift(self, trials: Sequence[tuple[str, Trial]]) -> str:
        """Which metrics of a trial are others now than in the log; "" if none is."""
        for name, trial in trials:
            now = self._measured(trial.design)["metrics"]
            changed = [
                f"{metric} was {number(value)} and is {number(now[metric])}"
                if metric in now
                else f"{metric} was {number(value)} and is gone"
                for metric, value in trial.metrics.items()
                if not math.isclose(value, now.get(metric, math.nan), rel_tol=1e-9)
            ]
            if changed:
                return f"{name} simulated again differs from the log: {', '.join(changed[:4])}"
        return ""
