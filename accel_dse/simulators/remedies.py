"""What would make a design work that does not: the nearest value of each parameter that helps."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

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


@dataclass(frozen=True)
class Remedies:
    """What was found in the time that there was.

    Attributes:
        found: the smallest change of each parameter that helps, smallest first.
        tried: changes that were simulated.
        untried: changes for which there was no time, all larger than those that were.
    """

    found: tuple[Remedy, ...]
    tried: int
    untried: int


def remedies(
    simulator: Simulator,
    workload: Workload,
    space: DesignSpace,
    design: Design,
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Remedies:
    """Single changes after which `design` works.

    Values of all parameters are tried, one at a time and nearest first, larger changes of a
    parameter only until one helps. They are simulated in batches: one, then as many again as were
    tried already, but no more than are expected to be done in time.

    Args:
        simulator: says what works.
        workload: what the design is to run.
        space: says which changes are valid, and how large they are.
        design: does not work.
        seconds: no batch begins that is not expected to end by then; 0 tries nothing. The first,
            of one design, may take longer.
        clock: tells the time in seconds.

    Raises:
        SimulatorError: the simulator itself failed.
    """
    waiting = _changes(space, design)
    found: dict[str, Remedy] = {}
    tried, began = 0, clock()
    while waiting and (left := seconds - (clock() - began)) > 0:
        pace = (seconds - left) / tried if tried else 0.0
        size = min(max(tried, 1), int(left / pace) if pace > 0 else len(waiting))
        if not size:
            break
        batch, waiting = waiting[:size], waiting[size:]
        metrics = simulator.simulate(workload, space.columns([changed for _, changed in batch]))
        tried += len(batch)
        for row, (name, changed) in enumerate(batch):
            if not metrics.infeasible[row]:
                found.setdefault(name, Remedy(name, changed[name], metrics.row(row)))
        waiting = [(name, changed) for name, changed in waiting if name not in found]
    return Remedies(tuple(found.values()), tried, len(waiting))


def _changes(space: DesignSpace, design: Design) -> list[tuple[str, Design]]:
    """The neighbors of `design`, nearest first, each with the parameter that differs."""
    around = space.neighbors(design)
    if not around:
        return []
    nearest = np.argsort(space.distance([design], around)[0], kind="stable").tolist()
    return [
        (next(name for name in space.names if around[i][name] != design[name]), around[i])
        for i in nearest
    ]
