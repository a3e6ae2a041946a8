"""Designs as other projects' optimizers want them: a list of plain variables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from accel_dse.parameters import Categorical, Parameter
from accel_dse.space import DesignSpace
from accel_dse.trial import Design

MOST_STEPS = 1_000_000
"""A parameter of more values is a real number to a peer."""


@dataclass(frozen=True)
class Variable:
    """One variable of a peer.

    Attributes:
        name: unique.
        kind: a category (no order), an index (ordered), or a number from 0 to 1.
        size: how many categories or indices; 0 for a number.
    """

    name: str
    kind: Literal["category", "index", "number"]
    size: int = 0


class Variables:
    """A space as variables.

    A structured parameter is as many numbers as it is encoded in; one with a single value is none.
    """

    def __init__(self, space: DesignSpace) -> None:
        self._space = space
        self._parts = [_variables(parameter) for parameter in space.parameters]
        self.all = [variable for part in self._parts for variable in part]

    def vectors(self, designs: Sequence[Design]) -> list[dict[str, int | float]]:
        """The values of all variables, by name, of each design."""
        columns = self._space.columns(designs)
        vectors: list[dict[str, int | float]] = [{} for _ in designs]
        for parameter, part in zip(self._space.parameters, self._parts):
            column = columns[parameter.name]
            codes = parameter.index(column)[:, None] if _counted(part) else parameter.encode(column)
            for row, vector in zip(codes.tolist(), vectors):
                vector.update({variable.name: value for variable, value in zip(part, row)})
        return vectors

    def designs(self, vectors: Sequence[dict[str, int | float]]) -> list[Design]:
        """The inverse of `vectors`; numbers go to the nearest value. They may break constraints."""
        columns = {}
        for parameter, part in zip(self._space.parameters, self._parts):
            if not part:
                columns[parameter.name] = parameter.choice(np.zeros(len(vectors), dtype=np.int64))
                continue
            codes = np.array([[vector[v.name] for v in part] for vector in vectors])
            columns[parameter.name] = (
                parameter.choice(codes[:, 0].astype(np.int64))
                if _counted(part)
                else parameter.decode(codes.astype(np.float64))
            )
        return self._space.designs(columns)


def _counted(part: Sequence[Variable]) -> bool:
    return bool(part) and part[0].kind != "number"


def _variables(parameter: Parameter) -> list[Variable]:
    if parameter.count == 1:
        return []
    if isinstance(parameter, Categorical):
        return [Variable(parameter.name, "category", int(parameter.count))]
    if parameter.width == 1 and parameter.count <= MOST_STEPS:
        return [Variable(parameter.name, "index", int(parameter.count))]
    return [Variable(label, "number") for label in parameter.labels]
