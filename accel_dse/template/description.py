"""An accelerator described as data: the `accelerator` section of a space file.

A template is a chain of levels, outermost first, whose attributes are expressions over the
space's parameters. Nothing here knows what a cycle is: the physics is in `simulators/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from accel_dse.expressions import Expression
from accel_dse.technology import Precision, Technology
from accel_dse.workload import DIMS

MEMORIES = ("sram", "registers")
"""Kinds of storage on the chip; any other `memory` is a kind of DRAM of the technology table."""

MOST_LEVELS = 8
"""Levels that the simulators have room for."""

ONE, ZERO = Expression("1"), Expression("0")


@dataclass(frozen=True, kw_only=True)
class Store:
    """One memory of a level, shared by some of the tensors that the level keeps.

    Attributes:
        tensors: what it stores.
        memory: `sram` or `registers`.
        capacity_bytes: of one instance.
    """

    tensors: tuple[str, ...]
    memory: str
    capacity_bytes: Expression


@dataclass(frozen=True, kw_only=True)
class Level:
    """One storage level. Expressions are over the parameters and the derived values.

    Attributes:
        name: unique in its template.
        keeps: tensors it stores; the others pass by.
        dram: the kind of DRAM that it is; "" if it is on the chip.
        stores: its memories, if it is on the chip; each tensor that it keeps lies in one.
        copies: instances along x and y under each instance of the level outside.
        unroll: dimensions that may be split over those copies, along x and y.
        hardwired: axes whose copies always work as one wide unit.
        multicast: whether one word sent by the level outside can reach several copies at once.
        reduces: whether partial sums of several copies are added on their way out.
        read, write, shared: bytes per cycle of one instance.
        latency: cycles from request to first word.
        issue: cycles to issue one transfer to the level inside.
        double_buffered: whether the next tile may arrive while the present one is used.
        loops: dimensions its temporal loops may step through.
        whole: dimension -> condition under which its tile must span it whole.
        word_bits: kinds of words whose width here differs from the precision's.
        logic_mm2: control and datapath beside each instance.
    """

    name: str
    keeps: tuple[str, ...]
    dram: str = ""
    stores: tuple[Store, ...] = ()
    copies: tuple[Expression, Expression] = (ONE, ONE)
    unroll: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    hardwired: tuple[bool, bool] = (False, False)
    multicast: bool = True
    reduces: bool = True
    read: Expression | None = None
    write: Expression | None = None
    shared: Expression | None = None
    latency: Expression = ZERO
    issue: Expression = ZERO
    double_buffered: bool = True
    loops: tuple[str, ...] = DIMS
    whole: Mapping[str, Expression] = field(default_factory=dict)
    word_bits: Mapping[str, Expression] = field(default_factory=dict)
    logic_mm2: Expression = ZERO


@dataclass(frozen=True, kw_only=True)
class Macs:
    """The multiply-accumulate units under each instance of the last level."""

    copies: tuple[Expression, Expression]
    unroll: tuple[tuple[str, ...], tuple[str, ...]]
    hardwired: tuple[bool, bool] = (False, False)
    multicast: bool = True
    reduces: bool = True
    fill: Expression = ZERO


@dataclass(frozen=True, kw_only=True)
class Program:
    """An instruction memory: entries, what one transfer takes, and down to which level."""

    entries: Expression
    per_transfer: Expression
    level: str


@dataclass(frozen=True, kw_only=True)
class Template:
    """A chain of levels and its MACs, ready to be bound to designs.

    Attributes:
        name: of the space file.
        technology: a node of the technology table.
        precision: a precision of the technology table, with the widths that the template changes.
        clock_ghz: one clock for the whole chip.
        levels: outermost first; the first is the DRAM and keeps all tensors.
        macs: what computes.
        program: the instruction memory, if there is one.
        vector_lanes: elementwise operations per cycle, whole chip.
        logic_mm2: what is on the chip once, beside the levels and MACs.
        derived: named expressions that others may use, in order.
    """

    name: str
    technology: Technology
    precision: Precision
    clock_ghz: Expression
    levels: tuple[Level, ...]
    macs: Macs
    program: Program | None = None
    vector_lanes: Expression = ONE
    logic_mm2: Expression = ZERO
    derived: Mapping[str, Expression] = field(default_factory=dict)
