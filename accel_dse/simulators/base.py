"""What every simulator is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from accel_dse.metrics import Metrics
from accel_dse.workload import Workload

Columns = Mapping[str, NDArray[Any]]
"""`n` designs by column: parameter name -> array of shape `(n,)`, or `(n, k)` if structured."""


class Simulator(ABC):
    """Measures designs. Deterministic; a design's metrics do not depend on its batch.

    Knows nothing of problems, optimizers or logs.

    Attributes:
        version: goes into the log; raise it when the same design may get other metrics.
        takes_template: whether it is constructed with the space file's `template`.
    """

    version: ClassVar[str] = "1"
    takes_template: ClassVar[bool] = False

    @abstractmethod
    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Measures `n` designs on `workload`.

        A design that cannot work is a result, with its reason.

        Raises:
            SimulatorError: the simulator itself failed.
        """
