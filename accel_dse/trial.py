"""A design and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from accel_dse.notebook_view import facts

Design = Mapping[str, Any]
"""Parameter name -> value. A structured parameter's value is a tuple."""


class Outcome(StrEnum):
    """The four ends of a trial, never confused. Metric limits play no part: see `Problem`."""

    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A design and what became of it; immutable.

    Attributes:
        index: its place in the log, from 0.
        design: what was simulated.
        outcome: how it ended.
        metrics: name -> finite value; empty unless `outcome` is feasible.
        reason: why it is infeasible, failed or timed out; "" if feasible.
        source: which part of the optimizer proposed it; "" if it has no parts.
        started, ended: seconds since the epoch; bookkeeping, not compared.
        host: where it ran; bookkeeping, not compared.
    """

    index: int
    design: Design
    outcome: Outcome
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    source: str = ""
    started: float = field(default=0.0, compare=False)
    ended: float = field(default=0.0, compare=False)
    host: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.FEASIBLE) != bool(self.metrics):
            raise ValueError(f"trial {self.index}: {self.outcome} with metrics {self.metrics}")
        if (self.outcome is Outcome.FEASIBLE) == bool(self.reason):
            raise ValueError(f"trial {self.index}: {self.outcome} with reason {self.reason!r}")

    @property
    def feasible(self) -> bool:
        """Whether the design works; it may still break a metric limit."""
        return self.outcome is Outcome.FEASIBLE

    def _repr_html_(self) -> str:
        rows = {"trial": self.index, "outcome": self.outcome.value}
        rows |= {"reason": self.reason} if self.reason else {}
        return facts(rows | dict(self.design) | dict(self.metrics))
