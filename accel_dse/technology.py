"""What things cost at a technology node: energy, area and static power of an accelerator's parts.

The constants, each with its Source:, are in `technology_tables.py`; `describe()` prints them.
Formulas are smooth and grow with capacity, width and ports. How far they are from published
chips is in `docs/technology.md`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accel_dse import technology_tables as tables
from accel_dse.errors import OptionError
from accel_dse.technology_tables import (
    NODES,
    Constant,
    DramCost,
    Operation,
    Precision,
    named,
)

__all__ = ["DramCost", "MacCost", "Precision", "StorageCost", "Technology", "describe"]

Column = NDArray[np.float64]


@dataclass(frozen=True)
class StorageCost:
    """One instance of a storage, for `n` designs; all `(n,)`.

    Attributes:
        read_pj_per_bit, write_pj_per_bit: energy of a full-width access over its width.
        area_mm2: as placed on a chip.
        leakage_w: whatever is accessed.
    """

    read_pj_per_bit: Column
    write_pj_per_bit: Column
    area_mm2: Column
    leakage_w: Column


@dataclass(frozen=True)
class MacCost:
    """One multiply-accumulate unit, for `n` designs; all `(n,)`.

    Attributes:
        energy_pj: a multiplication and an addition, registers not counted.
        area_mm2: as placed on a chip: arithmetic and a register for each operand and the sum.
        leakage_w: of that area.
    """

    energy_pj: Column
    area_mm2: Column
    leakage_w: Column


@dataclass(frozen=True)
class Technology:
    """One technology node.

    Attributes:
        name: one of `Technology.names()`.
    """

    name: str

    def __post_init__(self) -> None:
        named(dict.fromkeys(NODES), self.name, "technology")

    @staticmethod
    def names() -> tuple[str, ...]:
        """The nodes there are."""
        return NODES

    @staticmethod
    def named(name: str) -> "Technology":
        """The technology of a node.

        Raises:
            OptionError: no node has this name.
        """
        return Technology(name)

    def value(self, constant: Constant) -> float:
        """A constant of the tables at this node."""
        return constant.at(self.name)

    @property
    def energy_path(self) -> float:
        """How far the energy of logic has come from 45 nm (0) to 7 nm (1).

        Source: ours. Both ends are published for each operation, and differ by 2.1 to 4.3. The
        transistor models of Stillmaker and Baas 2017 promise 12; so they give only the shape of
        the way between.
        """
        first, last, here = (
            math.log(_gate_energy(node)) for node in (NODES[0], NODES[-1], self.name)
        )
        return (first - here) / (first - last)

    @property
    def wire_pj_per_bit_mm(self) -> float:
        """To move one bit of random data by one millimeter."""
        return self.value(tables.WIRE_PJ_PER_BIT_MM)

    def sram(
        self, capacity_bits: ArrayLike, width_bits: ArrayLike, ports: ArrayLike = 1
    ) -> StorageCost:
        """One SRAM with its banks, decoders and H-tree.

        Area and the energy of an access grow with capacity, width and ports; energy per bit
        falls with width, since the bits of an access share its address.

        Args:
            capacity_bits: fitted from 256 bits to 32 MiB.
            width_bits: of one access.
            ports: that read or write at the same time.

        Raises:
            OptionError: a capacity or width is not a positive finite number, or there is no port.
        """
        capacity, width, ports_ = _storage("sram", capacity_bits, width_bits, ports)
        side = 1 + self.value(tables.PORT_SIDE_GROWTH) * (ports_ - 1)
        mm2_per_cell = (
            self.value(tables.BITCELL_UM2) / self.value(tables.SRAM_DENSITY) * side**2 * 1e-6
        )
        cells = (
            capacity
            + self.value(tables.SRAM_ROW_COLUMN_CELLS) * np.sqrt(capacity)
            + self.value(tables.SRAM_PORT_CELLS) * width
        )
        route_mm = self.value(tables.SRAM_ROUTE) * np.sqrt(capacity * mm2_per_cell)
        read = (1 + self.value(tables.SRAM_ADDRESS_BITS) / width) * (
            self.value(tables.SRAM_LOCAL_PJ_PER_BIT) + self.wire_pj_per_bit_mm * route_mm
        )
        leakage = self.value(tables.SRAM_LEAKAGE_NW_PER_BIT) * 1e-9 * side
        return StorageCost(
            read_pj_per_bit=read,
            write_pj_per_bit=read * self.value(tables.SRAM_WRITE_TO_READ),
            area_mm2=cells * mm2_per_cell,
            leakage_w=leakage * capacity,
        )

    def register_file(
        self, capacity_bits: ArrayLike, width_bits: ArrayLike, ports: ArrayLike = 1
    ) -> StorageCost:
        """One storage of flip-flops, smaller than an SRAM below some hundred bits.

        Energy per bit does not depend on `width_bits`, which is there so that the two kinds of
        storage can take each other's place.

        Raises:
            OptionError: a capacity or width is not a positive finite number, or there is no port.
        """
        capacity, _, ports_ = _storage("register_file", capacity_bits, width_bits, ports)
        flip_flop = self.value(tables.FLIP_FLOP_UM2)
        cell_um2 = flip_flop * (1 + self.value(tables.MUX_TO_FLIP_FLOP) * ports_)
        area = self._placed_mm2(capacity * cell_um2)
        route_mm = self.value(tables.REGISTER_FILE_ROUTE) * np.sqrt(area)
        energy = self.value(tables.FLIP_FLOP_PJ) + self.wire_pj_per_bit_mm * route_mm
        return StorageCost(energy, energy, area, area * self.logic_leakage_w_per_mm2)

    def mac(self, precision: Precision) -> MacCost:
        """One multiply-accumulate unit of a precision; arrays of length 1."""
        return self.mac_of(
            max(precision.weights, precision.inputs),
            precision.partial_sums,
            precision.exponent_bits,
        )

    def mac_of(
        self, operand_bits: ArrayLike, accumulator_bits: ArrayLike, exponent_bits: ArrayLike = 0
    ) -> MacCost:
        """One multiply-accumulate unit.

        Sizes between and beyond the published ones follow power laws through them.

        Args:
            operand_bits: of both factors.
            accumulator_bits: of the sum. A floating sum wider than its factors has 8 exponent
                bits.
            exponent_bits: of the factors; 0 for integers, 5 for fp16, 8 for bf16 and fp32.

        Raises:
            OptionError: a size is not positive, or an exponent leaves no significand.
        """
        # An exponent may have 0 bits, but not fewer, so it is checked one bit longer.
        operand, accumulator, longer = _columns(
            "mac", operand_bits, accumulator_bits, np.asarray(exponent_bits) + 1
        )
        exponent = longer - 1
        sum_exponent = np.where(accumulator > operand, np.minimum(exponent, 1) * 8, exponent)
        factor, total = operand - exponent, accumulator - sum_exponent
        _columns("mac: significand", factor, total)
        floating = exponent > 0
        pj, um2 = (
            np.where(floating, float_multiply + float_add, integer_multiply + integer_add)
            for float_multiply, float_add, integer_multiply, integer_add in zip(
                self._cost(tables.FLOAT_MULTIPLY, factor),
                self._cost(tables.FLOAT_ADD, total),
                self._cost(tables.INTEGER_MULTIPLY, factor),
                self._cost(tables.INTEGER_ADD, total),
            )
        )
        registers = self.value(tables.FLIP_FLOP_UM2) * (2 * operand + accumulator)
        area = self._placed_mm2(um2 * self.value(tables.LOGIC_AREA) + registers)
        return MacCost(pj, area, area * self.logic_leakage_w_per_mm2)

    def control_mm2(self, macs_mm2: ArrayLike) -> Column:
        """Control, operand delivery and post-processing that come with so much MAC area."""
        return np.asarray(macs_mm2, dtype=np.float64) * self.value(tables.CONTROL_AREA)

    @property
    def logic_leakage_w_per_mm2(self) -> float:
        """Leakage of placed logic."""
        return self.value(tables.LOGIC_LEAKAGE_W_PER_MM2)

    def logic_static_w(self, logic_mm2: ArrayLike, clock_ghz: ArrayLike) -> Column:
        """Leakage and clock of placed logic, MACs included; SRAM brings its own leakage."""
        clock = self.value(tables.CLOCK_W_PER_MM2_GHZ) * np.asarray(clock_ghz, dtype=np.float64)
        area = np.asarray(logic_mm2, dtype=np.float64)
        return np.asarray(area * (self.logic_leakage_w_per_mm2 + clock))

    def network_pj_per_bit(self, area_mm2_spanned: ArrayLike) -> Column:
        """To bring one bit from a storage to one of the instances inside that area.

        A bit travels half the side of the area that the network spans, on average.
        """
        side_mm = np.sqrt(np.asarray(area_mm2_spanned, dtype=np.float64))
        return np.asarray(self.wire_pj_per_bit_mm * side_mm / 2)

    def dram(self, kind: str) -> DramCost:
        """The cost of a kind of external memory, the same at all nodes.

        Raises:
            OptionError: no kind has this name.
        """
        return named(tables.DRAM, kind, "DRAM")

    def dram_interface_mm2(self, kind: str, gb_per_s: ArrayLike) -> Column:
        """PHY and controller on the die, for a peak rate in 10^9 bytes/s.

        Raises:
            OptionError: no kind has this name.
        """
        dram = self.dram(kind)
        shrink = self.value(tables.LOGIC_AREA) / tables.LOGIC_AREA.at("7nm")
        per_gb_s = dram.phy_mm2_per_gb_s + shrink * dram.controller_mm2_per_gb_s
        return np.asarray(gb_per_s, dtype=np.float64) * per_gb_s

    def _placed_mm2(self, cells_um2: Column) -> Column:
        return cells_um2 * 1e-6 / self.value(tables.PLACEMENT)

    def _cost(self, operation: Operation, bits: Column) -> tuple[Column, Column]:
        """Energy in pJ at this node, and cell area in um2 at 45 nm."""
        early = _power_law(bits, operation.bits, operation.pj_45nm)
        late = _power_law(bits, operation.bits, operation.pj_7nm)
        path = self.energy_path
        return early ** (1 - path) * late**path, _power_law(
            bits, operation.bits, operation.um2_45nm
        )


def describe() -> str:
    """All constants, one line each with its source, as a Markdown table."""
    lines = ["| constant | " + " | ".join(NODES) + " | unit | Source: |", "|---" * 7 + "|"]
    for name, constant in vars(tables).items():
        if isinstance(constant, Constant):
            values = constant.values * (len(NODES) // len(constant.values))
            lines.append(_row(name, [f"{v:g}" for v in values], constant.unit, constant.source))
        elif isinstance(constant, Operation):
            for i, bits in enumerate(constant.bits):
                ends = [f"{constant.pj_45nm[i]:g}", "", "", f"{constant.pj_7nm[i]:g}"]
                lines.append(_row(f"{name}, {bits} bits", ends, "pJ", constant.source))
                area = [f"{constant.um2_45nm[i]:g}", "", "", ""]
                lines.append(_row(f"{name}, {bits} bits", area, "um2", "as above"))
    for kind, dram in tables.DRAM.items():
        lines.append(_row(f"{kind}, energy", [f"{dram.pj_per_bit:g}"] * 4, "pJ/bit", dram.source))
        lines.append(_row(f"{kind}, latency", [f"{dram.latency_ns:g}"] * 4, "ns", "as above"))
        areas = [f"{float(Technology(node).dram_interface_mm2(kind, 1)):.3f}" for node in NODES]
        lines.append(_row(f"{kind}, interface", areas, "mm2/(GB/s)", "as above"))
    return "\n".join(lines)


def _row(name: str, values: Sequence[str], unit: str, source: str) -> str:
    return f"| {name} | " + " | ".join(values) + f" | {unit} | {source} |"


def _columns(what: str, *values: ArrayLike) -> list[Column]:
    """The values as columns of one length, all positive and finite."""
    columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, np.float64)) for v in values))
    for column in columns:
        wrong = ~(np.isfinite(column) & (column > 0))
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            raise OptionError(
                f"{what}: sizes must be positive and finite, design {i} has {column[i]:g}"
            )
    return list(columns)


def _storage(
    what: str, capacity_bits: ArrayLike, width_bits: ArrayLike, ports: ArrayLike
) -> list[Column]:
    columns = _columns(what, capacity_bits, width_bits, ports)
    if (columns[2] < 1).any():
        raise OptionError(f"{what}: needs a port, has {columns[2].min():g}")
    return columns


def _power_law(bits: Column, at_bits: Sequence[int], values: Sequence[float]) -> Column:
    """Through the points, straight in logarithms, going on beyond them at the same slope."""
    x, knots, logs = np.log(bits), np.log(at_bits), np.log(values)
    slopes = np.diff(logs) / np.diff(knots)
    piece = np.clip(np.searchsorted(knots, x) - 1, 0, len(slopes) - 1)
    return np.asarray(np.exp(logs[piece] + slopes[piece] * (x - knots[piece])))


def _gate_energy(node: str) -> float:
    nm, v = int(node.removesuffix("nm")), tables.SUPPLY_V.at(node)
    known = sorted(tables.STILLMAKER_ENERGY)
    coefficients = (tables.STILLMAKER_ENERGY[each] for each in known)
    energies = [a * v**2 + b * v + c for a, b, c in coefficients]
    return float(np.exp(np.interp(math.log(nm), np.log(known), np.log(energies))))
