"""What is measured: a batch of metrics, looked up by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.notebook_view import table


@dataclass(frozen=True)
class Metrics:
    """Measurements of a batch of `n` designs.

    Attributes:
        values: metric name -> array of shape `(n,)`. A name ends in its unit where it has one
            (`latency_cycles`, `area_mm2`), so no reader has to guess.
        infeasible: `n` strings; "" where the design works, else why it does not.
            The metrics of an infeasible design are NaN, those of a feasible one are finite.
    """

    values: Mapping[str, NDArray[np.float64]]
    infeasible: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.infeasible)
        works = np.array([not reason for reason in self.infeasible], dtype=bool)
        for name, column in self.values.items():
            if column.shape != (n,):
                raise ValueError(f"{name} has shape {column.shape}, expected {(n,)}")
            if (np.isfinite(column) != works).any():
                wrong = int(np.flatnonzero(np.isfinite(column) != works)[0])
                raise ValueError(
                    f"{name} must be finite where the design works and NaN where it does not; "
                    f"design {wrong} has {column[wrong]} and reason {self.infeasible[wrong]!r}"
                )

    def __len__(self) -> int:
        return len(self.infeasible)

    def row(self, i: int) -> dict[str, float]:
        """The metrics of design `i`; empty if it is infeasible."""
        if self.infeasible[i]:
            return {}
        return {name: float(column[i]) for name, column in self.values.items()}

    def _repr_html_(self) -> str:
        rows: list[dict[str, object]] = []
        for i, reason in enumerate(self.infeasible):
            values = {name: float(column[i]) for name, column in self.values.items()}
            rows.append({"design": i, **values})
            if any(self.infeasible):
                rows[-1]["infeasible"] = reason
        return table(rows)


def concatenate(parts: Sequence[Metrics]) -> Metrics:
    """One batch from several, in order. All parts measure the same metrics."""
    names = parts[0].values.keys()
    return Metrics(
        {name: np.concatenate([part.values[name] for part in parts]) for name in names},
        tuple(reason for part in parts for reason in part.infeasible),
    )
