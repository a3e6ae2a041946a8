"""What every simulator is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import SimulatorError
from accel_dse.metrics import Metrics
from accel_dse.workload import Workload

Columns = Mapping[str, NDArray[Any]]
"""`n` designs by column: parameter name -> array of shape `(n,)`, or `(n, k)` if structured."""


@dataclass(frozen=True)
class Outcomes:
    """What became of `n` designs, when the simulator may have failed on some.

    Attributes:
        metrics: `n` rows. A row named in `failures` is NaN and holds no result: look there first.
        failures: place in the batch -> what went wrong; a `SimulatorTimeoutError` if time ran out.
    """

    metrics: Metrics
    failures: Mapping[int, SimulatorError] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.metrics)


class Simulator(ABC):
    """Measures designs. Deterministic; a design's metrics do not depend on its batch.

    Knows nothing of problems, optimizers or logs.

    Attributes:
        version: goes into the log; raise it when the same design may get other metrics.
        takes_template: whether it is constructed with the space file's `template`.
        takes_mappings: whether a design must bring a mapping of every layer, see `mapping_space`.
    """

    version: ClassVar[str] = "1"
    takes_template: ClassVar[bool] = False
    takes_mappings: ClassVar[bool] = False

    @abstractmethod
    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Measures `n` designs on `workload`.

        A design that cannot work is a result, with its reason.

        Raises:
            SimulatorError: the simulator itself failed.
        """

    def close(self) -> None:  # noqa: B027  most hold nothing
        """Lets go of processes and files. What another thread still waits for is cancelled."""

    def outcomes(self, workload: Workload, designs: Columns) -> Outcomes:
        """Measures `n` designs on `workload`; a failure on one does not lose the others.

        Never raises SimulatorError. As written here, a batch that fails is measured again design
        by design; a simulator that knows which design failed should say so itself.
        """
        try:
            return Outcomes(self.simulate(workload, designs))
        except SimulatorError as error:
            n = len(next(iter(designs.values())))
            if n == 1:
                return Outcomes(Metrics({}, (str(error) or type(error).__name__,)), {0: error})
        alone = [
            self.outcomes(workload, {name: column[i : i + 1] for name, column in designs.items()})
            for i in range(n)
        ]
        names = list(dict.fromkeys(name for one in alone for name in one.metrics.values))
        values = {
            name: np.array([one.metrics.values.get(name, [np.nan])[0] for one in alone])
            for name in names
        }
        reasons = tuple(reason for one in alone for reason in one.metrics.infeasible)
        failures = {i: one.failures[0] for i, one in enumerate(alone) if one.failures}
        return Outcomes(Metrics(values, reasons), failures)


class Explained(Protocol):
    """A design on a network, layer by layer; see `explanation.Explanation`, which is one."""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """One for each layer: its name, its bottleneck, and numbers."""

    @property
    def mappings(self) -> Mapping[str, str]:
        """Layer name -> its mapping as text, of those that have one."""

    @property
    def storage(self) -> Sequence[Mapping[str, Any]]:
        """One for each level: bytes there are, and bytes that are ever used. May be empty."""

    @property
    def area(self) -> Sequence[Mapping[str, Any]]:
        """One for each part of the chip: `part`, `mm2` and its `share`. May be empty."""


@runtime_checkable
class Explains(Protocol):
    """A simulator that can tell layers apart."""

    def explain(self, workload: Workload, design: Mapping[str, Any]) -> Explained:
        """What each layer of `workload` takes on `design`."""


@runtime_checkable
class Traces(Protocol):
    """A simulator that can write a timeline."""

    def trace(self, workload: Workload, design: Mapping[str, Any], path: Path) -> None:
        """Writes what happens when, for Perfetto."""
