"""What may stand in our files, key by key."""

# ruff: noqa: D102 (a method that overrides means what its interface says)

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from accel_dse.parameters import (
    Categorical,
    Factorization,
    Integer,
    Ordinal,
    Parameter,
    Permutation,
    Real,
)

MOST_ENTRIES = 1_000
"""Parameters, constraints, features, references or workloads of one file."""

Scale = Literal["linear", "log"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=100)]
Pair = Annotated[list[Any], Field(min_length=2, max_length=2)]


class Entry(BaseModel):
    """A mapping with known keys and exact types: `'12'` is not a number, nor `true`."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class ParameterEntry(Entry, ABC):
    """What every kind of parameter may say."""

    unit: str = ""
    description: str = ""

    @abstractmethod
    def parameter(self, name: str) -> Parameter:
        """The parameter that is described; DesignError if the description makes no sense."""


class OrdinalEntry(ParameterEntry):
    """`{ordinal: [1, 2, 4], scale: log}`, or `[1, 2, 4]` for a linear one."""

    ordinal: list[Any]
    scale: Scale = "linear"

    def parameter(self, name: str) -> Parameter:
        return Ordinal(
            name, tuple(self.ordinal), self.scale, unit=self.unit, description=self.description
        )


class IntegerEntry(ParameterEntry):
    """`{integer: [1, 16], step: 1}`."""

    integer: Pair
    step: int = 1
    scale: Scale = "linear"

    def parameter(self, name: str) -> Parameter:
        return Integer(
            name,
            self.integer[0],
            self.integer[1],
            self.step,
            self.scale,
            unit=self.unit,
            description=self.description,
        )


class RealEntry(ParameterEntry):
    """`{real: [0.2, 1.2], scale: log}`."""

    real: Pair
    scale: Scale = "linear"

    def parameter(self, name: str) -> Parameter:
        return Real(
            name,
            self.real[0],
            self.real[1],
            self.scale,
            unit=self.unit,
            description=self.description,
        )


class CategoricalEntry(ParameterEntry):
    """`{categorical: [ws, os, is]}`."""

    categorical: list[Any]

    def parameter(self, name: str) -> Parameter:
        return Categorical(
            name, tuple(self.categorical), unit=self.unit, description=self.description
        )


class FactorizationEntry(ParameterEntry):
    """`{factorization: 64, parts: 3, ragged: false}`."""

    factorization: int
    parts: int
    ragged: bool = False

    def parameter(self, name: str) -> Parameter:
        return Factorization(
            name,
            self.factorization,
            self.parts,
            self.ragged,
            unit=self.unit,
            description=self.description,
        )


class PermutationEntry(ParameterEntry):
    """`{permutation: [K, C, P, Q]}`."""

    permutation: list[Any]

    def parameter(self, name: str) -> Parameter:
        return Permutation(
            name, tuple(self.permutation), unit=self.unit, description=self.description
        )


PARAMETERS: dict[str, type[ParameterEntry]] = {
    "ordinal": OrdinalEntry,
    "integer": IntegerEntry,
    "real": RealEntry,
    "categorical": CategoricalEntry,
    "factorization": FactorizationEntry,
    "permutation": PermutationEntry,
}
"""The key that says which kind a parameter is -> what else it may say."""


class RuleEntry(Entry):
    """`{rule: pes_x * pes_y <= 256, why: the clock tree ends there}`."""

    rule: str
    why: str = ""


class ReferenceEntry(Entry):
    """A design that others are compared with."""

    design: dict[str, Any]
    description: str = ""
    source: str = ""


class SpaceEntry(Entry):
    """A space file."""

    version: Literal[1]
    name: Name
    source: str = ""
    parameters: dict[str, Any] = Field(min_length=1, max_length=MOST_ENTRIES)
    constraints: list[Any] = Field(default=[], max_length=MOST_ENTRIES)
    features: dict[str, Any] = Field(default={}, max_length=MOST_ENTRIES)
    references: dict[str, Any] = Field(default={}, max_length=MOST_ENTRIES)
    accelerator: dict[str, Any] | None = None


class StudyEntry(Entry):
    """A study file."""

    version: Literal[1]
    space: str
    workloads: Any
    minimize: Any = None
    maximize: Any = None
    limits: Any = None
    aggregate: Literal["mean", "worst", "geomean"] = "mean"
    optimizer: Any = "auto"
    simulator: Any = "accelerator"
    trials: int = Field(ge=1)
    batch: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    warm_start: Any = None
    workers: int | None = Field(default=None, ge=0)
    max_hours: float | None = Field(default=None, gt=0)
    target: float | None = None
