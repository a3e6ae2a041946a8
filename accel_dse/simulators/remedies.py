"""What would make a design work that does not: the nearest value of each parameter that helps."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from accel_dse.designs import rows
from accel_dse.simulators.base import Simulator
from accel_dse.space import DesignSpace
from accel_dse.trial import Design
from accel_dse.workload import Workload


@dataclass(frozen=True)
class Remedy:
    """One change after which the design works.

    Attributes:
        parameter: what to change.
        value: to what.
        metrics: what the design then measures.
    """

    parameter: str
    value: Any
    metrics: dict[str, float]


def remedies(
    simulator: Simulator, workload: Workload, space: DesignSpace, design: Design
) -> list[Remedy]:
    """Single changes after which `design` works, the smallest of each parameter, smallest first.

    All values of all parameters are tried, one at a time: some hundred simulations.

    Args:
        simulator: says what works.
        workload: what the design is to run.
        space: says which changes are valid, and how large they are.
        design: does not work.

    Raises:
        SimulatorError: the simulator itself failed.
    """
    around, _ = space.neighbor_columns(space.columns([design]))
    if not len(next(iter(around.values()))):
        return []
    metrics = simulator.simulate(workload, around)
    works = np.array([not reason for reason in metrics.infeasible], dtype=bool)
    found = space.designs(rows(around, works))
    if not found:
        return []
    places = np.flatnonzero(works)
    nearest: dict[str, Remedy] = {}
    for i in np.argsort(space.distance([design], found)[0], kind="stable").tolist():
        changed = next(name for name in space.names if found[i][name] != design[name])
        row = metrics.row(int(places[i]))
        nearest.setdefault(changed, Remedy(changed, found[i][changed], row))
    return list(nearest.values())
