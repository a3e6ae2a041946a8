"""What happens to a proposed design, wherever that is."""

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from accel_dse.errors import SimulatorError, SimulatorTimeoutError
from accel_dse.metrics import Metrics
from accel_dse.problem import Problem
from accel_dse.simulators.base import Simulator
from accel_dse.trial import Design, Outcome, Trial


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What became of a design; plain data, which may travel. See `Trial` for its attributes."""

    outcome: Outcome
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    started: float
    ended: float
    host: str

    def trial(self, index: int, design: Design, source: str = "") -> Trial:
        """The trial of `design`, at its place in the log."""
        return Trial(index=index, design=design, source=source, **dict(vars(self).items()))


@dataclass(frozen=True)
class Measure:
    """Measures designs for a problem: on every workload, whatever the simulator does.

    Attributes:
        problem: says which workloads, and how their metrics become one.
        simulator: measures.
    """

    problem: Problem
    simulator: Simulator

    def __call__(self, designs: Sequence[Design]) -> list[Measured]:
        """What became of each of `designs`.

        Raises:
            OptionError: an objective or a limit names a metric that the simulator does not give.
            SimulatorError: it gave too few results to know whose they are.
        """
        columns = self.problem.space.columns(designs)
        started = time.time()
        outcomes = [
            self.simulator.outcomes(workload, columns) for workload, _ in self.problem.workloads
        ]
        ended = time.time()
        for outcome in outcomes:
            if len(outcome) != len(designs):
                raise SimulatorError(
                    f"{type(self.simulator).__name__} gave {len(outcome)} results for "
                    f"{len(designs)} designs"
                )
        failures: dict[int, SimulatorError] = {}
        for outcome in outcomes:
            failures = {**outcome.failures, **failures}
        alive = [i for i in range(len(designs)) if i not in failures]
        metrics = self.problem.combine([_rows(outcome.metrics, alive) for outcome in outcomes])
        if metrics.values or "" in metrics.infeasible:
            self.problem.check_metrics(metrics.values)
        places = {place: i for i, place in enumerate(alive)}
        about = (started, ended, socket.gethostname())
        return [
            failed(failures[i], *about) if i in failures else _measured(metrics, places[i], *about)
            for i in range(len(designs))
        ]

    def trials(self, designs: Sequence[Design], first: int = 0) -> list[Trial]:
        """What became of each of `designs` as trials, which no log keeps; `first` is an index."""
        measured = enumerate(zip(designs, self(designs)), first)
        return [what.trial(i, design) for i, (design, what) in measured]


def failed(error: SimulatorError, started: float, ended: float, host: str) -> Measured:
    """What became of a design on which the simulator failed."""
    late = isinstance(error, SimulatorTimeoutError)
    return Measured(
        outcome=Outcome.TIMED_OUT if late else Outcome.FAILED,
        reason=_text(str(error)) or type(error).__name__,
        started=started,
        ended=ended,
        host=host,
    )


def _measured(metrics: Metrics, i: int, started: float, ended: float, host: str) -> Measured:
    reason = _text(metrics.infeasible[i])
    return Measured(
        outcome=Outcome.INFEASIBLE if reason else Outcome.FEASIBLE,
        metrics=metrics.row(i),
        reason=reason,
        started=started,
        ended=ended,
        host=host,
    )


def _rows(metrics: Metrics, rows: Sequence[int]) -> Metrics:
    return Metrics(
        {name: column[list(rows)] for name, column in metrics.values.items()},
        tuple(metrics.infeasible[i] for i in rows),
    )


def _text(reason: str) -> str:
    """`reason` as any file can hold it: a broken simulator may print anything."""
    return reason.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
