"""Constrained problems of the literature whose best value is known: nothing of ours is in them.

Each is a design space, a function of its designs, limits, and the least value that keeps them.
Some constraints are rules of the space (known beforehand), some are limits on metrics (learned),
and of some problems a region has no value at all (found by simulating, like a design that cannot
be built). Formulas are BoTorch's where it has them (`botorch.test_functions`, compared in
`tests/benchmarks/test_suites.py`); the optimum of a grid is found by listing it, others are the
published ones, which the same test tries to beat with a local solver.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accel_dse.constraints import Constraint
from accel_dse.expressions import Expression
from accel_dse.metrics import Metrics
from accel_dse.parameters import Integer, Ordinal, Parameter, Real
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.simulators.base import Columns, Simulator
from accel_dse.space import DesignSpace
from accel_dse.workload import Layer, Workload

Floats = NDArray[np.float64]
NOTHING = Workload("function", (Layer(name="none"),))
"""A problem needs a workload; a function has none."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A problem with a known best value.

    Attributes:
        parameters: in the order of the columns of `x`.
        value: what is minimized, `(n, d) -> (n,)`.
        beyond: constraints to be learned, each `<= 0` where it is kept, `(n, d) -> (n, m)`.
        names: of those constraints, `m`; empty where breaking one leaves a design without value.
        rules: constraints known beforehand.
        best: where the least value is.
        optimum: the least value that keeps everything.
    """

    parameters: tuple[Parameter, ...]
    value: Callable[[Floats], Floats]
    beyond: Callable[[Floats], Floats]
    names: tuple[str, ...]
    best: tuple[float, ...]
    optimum: float
    rules: tuple[str, ...] = field(default=())

    def space(self, name: str) -> DesignSpace:
        """Where designs come from."""
        rules = tuple(Constraint(Expression(rule)) for rule in self.rules)
        return DesignSpace(name, self.parameters, rules)


@dataclass(frozen=True)
class FunctionSimulator(Simulator):
    """Measures `value`, and every limit, of one function.

    Attributes:
        function: its name in `FUNCTIONS`.
    """

    function: str

    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Values of `n` designs, one by one, so that they do not depend on the batch."""
        it = FUNCTIONS[self.function]
        table = np.column_stack([np.asarray(designs[p.name], float) for p in it.parameters])
        value = np.array([it.value(row[None])[0] for row in table])
        beyond = np.array([it.beyond(row[None])[0] for row in table])
        if it.names:
            return Metrics({"value": value, **dict(zip(it.names, beyond.T))}, ("",) * len(value))
        hole = (beyond > 0).any(axis=1)
        return Metrics(
            {"value": np.where(hole, np.nan, value)},
            tuple("no value here" if h else "" for h in hole),
        )


def problem(name: str) -> Problem:
    """The search for the least value of a function."""
    it = FUNCTIONS[name]
    limits = tuple(Limit(constraint, "<=", 0.0) for constraint in it.names)
    return Problem(it.space(name), ((NOTHING, 1.0),), (Objective("value"),), limits)


def grid(name: str, low: float, high: float, count: int) -> Ordinal:
    """`count` values in even steps; rounded, so that they are what they look like."""
    return Ordinal(name, tuple(np.round(np.linspace(low, high, count), 9).tolist()))


def reals(bounds: Mapping[str, tuple[float, float]]) -> tuple[Real, ...]:
    """Numbers within bounds."""
    return tuple(Real(name, low, high) for name, (low, high) in bounds.items())


def branin(x: Floats) -> Floats:
    """Source: Branin, 1972; as in BoTorch."""
    bend = x[:, 1] - 5.1 / (4 * np.pi**2) * x[:, 0] ** 2 + 5 / np.pi * x[:, 0] - 6
    return np.asarray(bend**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x[:, 0]) + 10)


def disk(x: Floats) -> Floats:
    """Source: Gelbart et al., "Bayesian Optimization with Unknown Constraints", 2014."""
    return ((x[:, 0] - 2.5) ** 2 + (x[:, 1] - 7.5) ** 2 - 50)[:, None]


def gramacy(x: Floats) -> Floats:
    """Source: Gramacy et al., "Modeling an Augmented Lagrangian for Blackbox Constrained
    Optimization", 2016; what is beyond each of its two constraints.
    """
    a, b = x.T
    wave = 1.5 - a - 2 * b - 0.5 * np.sin(2 * np.pi * (a**2 - 2 * b))
    return np.column_stack([wave, a**2 + b**2 - 1.5])


def ackley(x: Floats) -> Floats:
    """Source: Ackley, 1987; as in BoTorch."""
    root = np.sqrt((x**2).mean(axis=1))
    waves = np.cos(2 * np.pi * x).mean(axis=1)
    return np.asarray(-20 * np.exp(-0.2 * root) - np.exp(waves) + 20 + np.e)


def half_ball(x: Floats) -> Floats:
    """Source: Eriksson and Poloczek, "Scalable Constrained Bayesian Optimization", 2021."""
    return np.column_stack([x.sum(axis=1), np.sqrt((x**2).sum(axis=1)) - 5])


HARTMANN_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14],
     [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)  # fmt: skip
HARTMANN_P = 1e-4 * np.array(
    [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
     [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]
)  # fmt: skip
HARTMANN_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
"""Source of the three: Hartman, 1973, in six dimensions; as in BoTorch."""


def hartmann(x: Floats) -> Floats:
    """Six dimensions."""
    inner = (HARTMANN_A * (x[:, None] - HARTMANN_P) ** 2).sum(axis=2)
    return np.asarray(-np.exp(-inner) @ HARTMANN_WEIGHTS)


def ball(x: Floats) -> Floats:
    """Source: Letham et al., "Constrained Bayesian Optimization with Noisy Experiments", 2019."""
    return (np.sqrt((x**2).sum(axis=1)) - 1)[:, None]


def vessel(x: Floats) -> Floats:
    """Cost of a pressure vessel. Source: Coello Coello and Mezura Montes, 2002; as in BoTorch."""
    shell, head, radius, length = x.T
    return np.asarray(
        0.6224 * shell * radius * length
        + 1.7781 * head * radius**2
        + 3.1661 * shell**2 * length
        + 19.84 * shell**2 * radius
    )


def vessel_volume(x: Floats) -> Floats:
    """The one constraint that is no plain rule: it must hold 1,296,000 cubic inches."""
    _, _, radius, length = x.T
    return (1296000 - np.pi * radius**2 * length - 4 / 3 * np.pi * radius**3)[:, None]


def beam(x: Floats) -> Floats:
    """Cost of a welded beam. Source: as `vessel`."""
    weld, joint, height, thick = x.T
    return np.asarray(1.10471 * weld**2 * joint + 0.04811 * height * thick * (14 + joint))


def beam_limits(x: Floats) -> Floats:
    """Shear stress, bending stress, cost of material, deflection and buckling load."""
    weld, joint, height, thick = x.T
    load, length, young, shear = 6000.0, 14.0, 30e6, 12e6
    moment = load * (length + joint / 2)
    reach = np.sqrt(0.25 * (joint**2 + (weld + height) ** 2))
    inertia = 2 * np.sqrt(2) * weld * joint * (joint**2 / 12 + 0.25 * (weld + height) ** 2)
    slender = 1 - 0.25 * height * np.sqrt(young / shear) / length
    buckling = 4.013 * young * height * thick**3 * 6 / length**2 * slender
    direct, bent = load / (np.sqrt(2) * weld * joint), moment * reach / inertia
    stress = np.sqrt(direct**2 + direct * bent * joint / reach + bent**2)
    return np.column_stack(
        [
            stress - 13600,
            6 * load * length / (thick * height**2) - 30000,
            0.10471 * weld**2 + 0.04811 * height * thick * (14 + joint) - 5,
            4 * load * length**3 / (young * height**3 * thick) - 0.25,
            load - buckling,
        ]
    )


def spring(x: Floats) -> Floats:
    """Weight of a spring. Source: Hedar and Fukushima, 2006; as in BoTorch."""
    wire, coil, turns = x.T
    return np.asarray(wire**2 * coil * (turns + 2))


def spring_limits(x: Floats) -> Floats:
    """Deflection, shear stress and surge frequency; none counts for more than 100."""
    wire, coil, turns = x.T
    bent = (4 * coil**2 - wire * coil) / (12566 * wire**3 * (coil - wire)) + 1 / (5108 * wire**2)
    limits = [
        1 - coil**3 * turns / (71785 * wire**4),
        bent - 1,
        1 - 140.45 * wire / (turns * coil**2),
    ]
    return np.minimum(np.column_stack(limits), 100)


def reducer(x: Floats) -> Floats:
    """Weight of a speed reducer. Source: Lemonge et al., 2010; as in BoTorch."""
    face, module, teeth, length1, length2, shaft1, shaft2 = x.T
    return np.asarray(
        0.7854 * face * module**2 * (3.3333 * teeth**2 + 14.9334 * teeth - 43.0934)
        - 1.508 * face * (shaft1**2 + shaft2**2)
        + 7.4777 * (shaft1**3 + shaft2**3)
        + 0.7854 * (length1 * shaft1**2 + length2 * shaft2**2)
    )


def reducer_limits(x: Floats) -> Floats:
    """Bending and surface stress of the teeth, deflections of and stresses in the shafts."""
    face, module, teeth, length1, length2, shaft1, shaft2 = x.T
    gear = module * teeth
    return np.column_stack(
        [
            27 / (face * module * gear) - 1,
            397.5 / (face * gear**2) - 1,
            1.93 * length1**3 / (gear * shaft1**4) - 1,
            1.93 * length2**3 / (gear * shaft2**4) - 1,
            np.sqrt((745 * length1 / gear) ** 2 + 16.9e6) / (0.1 * shaft1**3) - 1100,
            np.sqrt((745 * length2 / gear) ** 2 + 157.5e6) / (0.1 * shaft2**3) - 850,
        ]
    )


FUNCTIONS = {
    "branin_disk": Function(
        parameters=(grid("a", -5, 10, 151), grid("b", 0, 15, 151)),
        value=branin, beyond=disk, names=("disk",), best=(3.1, 2.3), optimum=0.406_250_4,
    ),
    "gramacy_holes": Function(
        parameters=(grid("a", 0, 1, 101), grid("b", 0, 1, 101)),
        value=lambda x: x.sum(axis=1), beyond=gramacy, names=(), best=(0.19, 0.42), optimum=0.61,
    ),
    "ackley_4": Function(
        parameters=tuple(grid(name, -5, 10, 31) for name in "abcd"),
        value=ackley, beyond=half_ball, names=("total", "radius"), best=(0.0,) * 4, optimum=0.0,
    ),
    "tension_spring": Function(
        parameters=reals({"wire": (0.01, 1), "coil": (0.01, 1), "turns": (0.01, 20)}),
        value=spring, beyond=spring_limits, names=("deflection", "stress", "surge"),
        best=(0.051689, 0.356718, 11.288966), optimum=0.012_665_2,
        rules=("coil + wire <= 1.5", "coil > wire"),
    ),
    "hartmann_ball": Function(
        parameters=reals(dict.fromkeys("abcdef", (0.0, 1.0))),
        value=hartmann, beyond=ball, names=("radius",),
        best=(0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573), optimum=-3.322_37,
    ),
    "hartmann_holes": Function(
        parameters=tuple(grid(name, 0, 1, 21) for name in "abcdef"),
        value=hartmann, beyond=ball, names=(),
        best=(0.2, 0.15, 0.45, 0.3, 0.3, 0.65), optimum=-3.291_596_6,
    ),
    "pressure_vessel": Function(
        parameters=(
            grid("shell", 0.0625, 10, 160), grid("head", 0.0625, 10, 160),
            Real("radius", 10, 50), Real("length", 150, 200),
        ),
        value=vessel, beyond=vessel_volume, names=("volume",),
        best=(0.8125, 0.4375, 42.098446, 176.636596), optimum=6_059.714_3,
        rules=("shell >= 0.0193 * radius", "head >= 0.00954 * radius"),
    ),
    "welded_beam": Function(
        parameters=reals({
            "weld": (0.125, 10), "joint": (0.1, 10), "height": (0.1, 10), "thick": (0.1, 10)
        }),
        value=beam, beyond=beam_limits,
        names=("shear", "bending", "material", "deflection", "buckling"),
        best=(0.205730, 3.470489, 9.036624, 0.205730), optimum=1.724_852, rules=("weld <= thick",),
    ),
    "speed_reducer": Function(
        parameters=(
            Real("face", 2.6, 3.6), Real("module", 0.7, 0.8), Integer("teeth", 17, 28),
            Real("length1", 7.3, 8.3), Real("length2", 7.8, 8.3), Real("shaft1", 2.9, 3.9),
            Real("shaft2", 5.0, 5.5),
        ),
        value=reducer, beyond=reducer_limits,
        names=("bending", "surface", "bend1", "bend2", "stress1", "stress2"),
        best=(3.5, 0.7, 17, 7.3, 7.8, 3.350215, 5.286683), optimum=2_996.348_2,
        rules=(
            "module * teeth <= 40", "face >= 5 * module", "face <= 12 * module",
            "1.5 * shaft1 + 1.9 <= length1", "1.1 * shaft2 + 1.9 <= length2",
        ),
    ),
    "ackley_10": Function(
        parameters=reals(dict.fromkeys("abcdefghij", (-5.0, 10.0))),
        value=ackley, beyond=half_ball, names=("total", "radius"), best=(0.0,) * 10, optimum=0.0,
    ),
}  # fmt: skip

TUNING = ("branin_disk", "gramacy_holes", "ackley_4", "hartmann_holes")
"""Problems on which options may be chosen; no figure is reported of them."""

REPORT = (
    "tension_spring", "hartmann_ball", "pressure_vessel", "welded_beam", "speed_reducer",
    "ackley_10",
)  # fmt: skip
"""Problems on which optimizers are reported; no option is chosen on them."""
