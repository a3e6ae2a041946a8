"""The kinds of parameters that a design is made of."""

from accel_dse.parameters.base import Parameter
from accel_dse.parameters.categorical import Categorical
from accel_dse.parameters.factorization import Factorization
from accel_dse.parameters.grid import Integer, Ordinal
from accel_dse.parameters.permutation import Permutation
from accel_dse.parameters.real import Real

__all__ = [
    "Categorical",
    "Factorization",
    "Integer",
    "Ordinal",
    "Parameter",
    "Permutation",
    "Real",
]
