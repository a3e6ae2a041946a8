"""What things cost, as data: every constant with its unit and its Source:.

No formulas here; they are in `technology.py`. Where published values disagree, the source says by
how much. "recalled" marks a figure quoted from memory of the named paper and not re-read; the
others were read in the paper, in a transcription of it, or in the named public file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from accel_dse.errors import OptionError

T = TypeVar("T")


def named(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of `table` called `name`.

    Raises:
        OptionError: there is none.
    """
    if name not in table:
        raise OptionError(f"no {what} is named {name!r}", hint=f"known: {', '.join(table)}")
    return table[name]


NODES = ("45nm", "28nm", "16nm", "7nm")
"""The nodes that have values below, in the order of `Constant.values`."""


@dataclass(frozen=True)
class Constant:
    """One physical constant.

    Attributes:
        values: one value for each of `NODES`, or a single one that holds at all.
        unit: "" where it has none.
        source: who says so.
    """

    values: tuple[float, ...]
    unit: str
    source: str

    def at(self, node: str) -> float:
        """Its value at a node."""
        return self.values[NODES.index(node)] if len(self.values) > 1 else self.values[0]


@dataclass(frozen=True)
class Operation:
    """Cost of an adder or a multiplier, at the operand sizes that are published.

    Attributes:
        bits: of an integer, or of a floating-point significand with its hidden bit.
        pj_45nm, pj_7nm, um2_45nm: energy of one operation and cell area, one for each of `bits`.
        source: who says so.
    """

    bits: tuple[int, ...]
    pj_45nm: tuple[float, ...]
    pj_7nm: tuple[float, ...]
    um2_45nm: tuple[float, ...]
    source: str


@dataclass(frozen=True)
class Precision:
    """A number format of an accelerator.

    Attributes:
        name: what users call it.
        weights, inputs, outputs, partial_sums: bits of each kind of word.
        exponent_bits: of weights and inputs; 0 for integers.
    """

    name: str
    weights: int
    inputs: int
    outputs: int
    partial_sums: int
    exponent_bits: int = 0

    @staticmethod
    def named(name: str) -> "Precision":
        """The precision of this name.

        Raises:
            OptionError: there is none.
        """
        return named(PRECISIONS, name, "precision")


@dataclass(frozen=True)
class DramCost:
    """Cost of one kind of external memory.

    Attributes:
        pj_per_bit: to read or write one bit: array, interface and controller.
        latency_ns: from request to first data, bank closed, no queue.
        phy_mm2_per_gb_s: die area of the interface circuits for each 10^9 bytes/s. They are bound
            by pads and analog parts, so the same at all nodes.
        controller_mm2_per_gb_s: of the controller, at 7 nm; it scales as logic.
        source: who says so.
    """

    pj_per_bit: float
    latency_ns: float
    phy_mm2_per_gb_s: float
    controller_mm2_per_gb_s: float
    source: str


_HOROWITZ = (
    "45 nm: Horowitz, 'Computing's energy problem', ISSCC 2014; areas by the same group in Dally, "
    "'High-performance hardware for machine learning', NIPS 2015 tutorial (areas recalled). "
    "7 nm: Jouppi et al., 'Ten lessons ... TPUv4i', ISCA 2021, table 2"
)

INTEGER_ADD = Operation((8, 32), (0.03, 0.1), (0.007, 0.03), (36, 137), _HOROWITZ)
INTEGER_MULTIPLY = Operation((8, 32), (0.2, 3.1), (0.07, 1.48), (282, 3495), _HOROWITZ)
FLOAT_ADD = Operation(
    (8, 11, 24),
    (0.275, 0.4, 0.9),
    (0.11, 0.16, 0.38),
    (935, 1360, 4184),
    _HOROWITZ + ". bf16 (8 bits) at 45 nm: fp16 times the ratio bf16/fp16 at 7 nm, 0.11/0.16",
)
FLOAT_MULTIPLY = Operation(
    (8, 11, 24),
    (0.679, 1.1, 3.7),
    (0.21, 0.34, 1.31),
    (1013, 1640, 7700),
    _HOROWITZ + ". bf16 (8 bits) at 45 nm: fp16 times the ratio bf16/fp16 at 7 nm, 0.21/0.34",
)

SUPPLY_V = Constant(
    (0.9, 0.9, 0.8, 0.75),
    "V",
    "45 nm: Horowitz 2014 (his table is at 0.9 V); the others: nominal supply of TSMC 28HPM, "
    "16FF+, N7 (recalled)",
)

STILLMAKER_ENERGY: Mapping[int, tuple[float, float, float]] = {
    45: (1.018, -0.3107, 0.1539),
    32: (0.8367, -0.4341, 0.1701),
    20: (0.373, -0.1582, 0.04104),
    16: (0.2958, -0.1241, 0.03024),
    7: (0.1776, -0.09097, 0.02447),
}
"""Energy of a gate, relative: a V^2 + b V + c, high-performance transistors, by node in nm.

Source: Stillmaker and Baas, "Scaling equations for the accurate prediction of CMOS device
performance from 180 nm to 7 nm", Integration 58 (2017), table 5, as transcribed in the public
nodeScale script (UCLA); the 32 nm row also stands in the authors' erratum.
"""

LOGIC_AREA = Constant(
    (1.0, 0.368, 0.19, 0.059),
    "x 45 nm",
    "Stillmaker and Baas 2017, table of area factors, as transcribed in nodeScale and in "
    "hwcomponents; 28 nm between their 32 nm (0.46) and 20 nm (0.21), on a log-log line",
)

BITCELL_UM2 = Constant(
    (0.346, 0.127, 0.074, 0.027),
    "um2",
    "high-density 6T cells: Intel 45 nm (Mistry et al., IEDM 2007); TSMC 28 nm (recalled); TSMC "
    "16FF (WikiChip; 0.070 in Chen et al., ISSCC 2014); TSMC 7 nm (Chang et al., ISSCC 2017)",
)

SRAM_DENSITY = Constant(
    (0.33,),
    "",
    "share of the area of SRAM on a chip that is bit cells. Ours, so that `sram` gives published "
    "areas; each alone would need: AMD V-Cache (41 mm2, ISSCC 2022) 0.35, Gemmini scratchpad 0.37, "
    "NVDLA buffer 0.33, TPUv1 unified buffer 0.27. A bare macro reaches 0.7 (TSMC at IEDM 2022: "
    "0.021 um2, 31.8 Mib/mm2); the rest goes to banking, test, repair, power grid and routing",
)
SRAM_ROW_COLUMN_CELLS = Constant(
    (40.0,),
    "cells / sqrt(bit)",
    "periphery along rows and columns. Fitted to 18 single-port macros, 256 B to 32 KiB, of IHP's "
    "130 nm memory compiler (IHP-Open-PDK, sg13g2_sram data sheets): their areas to 14 %",
)
SRAM_PORT_CELLS = Constant(
    (100.0,), "cells / bit of width", "the same fit: sense amplifiers, drivers, latches"
)

SRAM_LOCAL_PJ_PER_BIT = Constant(
    (0.028,),
    "pJ/bit",
    "sense amplifiers, latches, precharge. With SRAM_ROUTE fitted to Horowitz 2014 at 45 nm "
    "(64-bit read of 8 KiB, 32 KiB, 1 MiB: 10, 20, 100 pJ) to 10 %; kept at all nodes because "
    "Jouppi 2021 finds small SRAM little improved at 7 nm (8 KiB: 7.5 pJ)",
)
SRAM_ROUTE = Constant(
    (2.94,),
    "array sides",
    "wire that one bit of an access drives: bit lines and H-tree. Fitted, see "
    "SRAM_LOCAL_PJ_PER_BIT; the form a + b sqrt(capacity) also fits the access energies of IHP's "
    "compiler (13 % rms) and CACTI 7.0 from 64 KiB to 32 MiB (exponent 0.49)",
)
SRAM_ADDRESS_BITS = Constant(
    (27.0,),
    "bits",
    "an access costs like so many more bits: address, enables, word line, timing. Fitted to IHP's "
    "compiler (8 to 64 bits wide); CACTI 7.0 gives 28 between 8 and 64 bits at 2 MiB",
)
SRAM_WRITE_TO_READ = Constant(
    (1.1,),
    "",
    "CACTI 7.0 at 45 nm, low-operating-power cells, energy-delay optimum: geometric mean 1.14 over "
    "69 organizations, 256 B to 32 MiB, 32 to 256 bits; extremes 0.75 and 2.6",
)
PORT_SIDE_GROWTH = Constant(
    (0.4,),
    "of a side / port",
    "each further port lengthens a cell's both sides by so much. Area of two ports is then 1.96 "
    "times that of one: IHP's compiler 1.88 to 1.95, CACTI 7.0 2.1 (and 3.3, 5.0 for 3, 4 ports)",
)
SRAM_LEAKAGE_NW_PER_BIT = Constant(
    (1.7, 1.03, 0.55, 0.31),
    "nW/bit",
    "45 nm: CACTI 7.0, low-operating-power cells, 350 K (low-standby-power 0.02, high-performance "
    "130). Other nodes: times supply, times sqrt(cell area), times 0.79 for FinFETs (Parvais et "
    "al., VLSI-TSA 2009)",
)

FLIP_FLOP_UM2 = Constant(
    (7.82, 2.88, 1.49, 0.461),
    "um2",
    "Aladdin's 40 nm register (Shao et al., ISCA 2014): 5.98 um2 a bit, scaled by Stillmaker and "
    "Baas to 45 nm (/0.765) and by LOGIC_AREA from there",
)
FLIP_FLOP_PJ = Constant(
    (0.0105, 0.00798, 0.00504, 0.00366),
    "pJ/bit",
    "Aladdin's 40 nm register: 0.009 pJ a bit, scaled to 45 nm by Stillmaker and Baas (x 1.16); at "
    "7 nm times the geometric mean of the operations above, 0.349; between as energies are",
)
MUX_TO_FLIP_FLOP = Constant(
    (0.3,), "of a flip-flop / port", "6 transistors of a tri-state driver to some 20 of a flip-flop"
)
REGISTER_FILE_ROUTE = Constant(
    (1.5,),
    "sides",
    "wire that one bit drives. Fitted: 32 bits from a 1-Kibit file take 1 pJ at 45 nm (Han et al., "
    "EIE, ISCA 2016, table 1, recalled)",
)

PLACEMENT = Constant(
    (0.7,),
    "",
    "share of placed logic that is cells; usual utilization after routing (our assumption)",
)
CONTROL_AREA = Constant(
    (1.9,),
    "x MAC area",
    "sequencing, operand delivery, post-processing, DMA. Ours: what TPUv1's matrix unit (24 % of "
    "331 mm2) has beyond 65,536 `mac`; Gemmini's array has 0.6 (22 nm), NVDLA 2.3 to 3.2 for each "
    "MAC that is added (28 nm)",
)
LOGIC_LEAKAGE_W_PER_MM2 = Constant(
    (0.007, 0.0115, 0.0113, 0.019),
    "W/mm2",
    "45 nm: Aladdin's 40 nm cells leak 8.6 (adder) to 12.6 (multiplier) mW/mm2, here at 0.7 "
    "utilization. Other nodes: times supply, over sqrt(LOGIC_AREA) (leakage goes with gate width), "
    "times 0.79 for FinFETs",
)
CLOCK_W_PER_MM2_GHZ = Constant(
    (0.03,),
    "W/mm2/GHz",
    "clock tree and clock pins of logic, with clock gating. Between Eyeriss, 0.038 (a third of "
    "278 mW, 12.25 mm2, 0.2 GHz; recalled) and the most that NVDLA's smallest configurations leave "
    "room for on average, 0.033 to 0.038 (17 mW/0.51 mm2, 21 mW/0.55 mm2 at 1 GHz, 16 nm)",
)
WIRE_PJ_PER_BIT_MM = Constant(
    (0.121, 0.121, 0.096, 0.084),
    "pJ/bit/mm",
    "repeated wire, random data. 40 nm, 0.9 V: 310 pJ for 256 bits over 10 mm (Keckler et al., "
    "IEEE Micro 31(5), 2011, table 1); others with the supply squared, since capacitance a mm "
    "hardly changes (ibid.). Dally et al., CACM 63(7), 2020: 0.1 at 14 nm; Jouppi 2021: less than "
    "2x from 45 to 7 nm",
)

DRAM: Mapping[str, DramCost] = {
    "lpddr4": DramCost(
        8.0,
        80,
        0.085,
        0.055,
        "energy: Accelergy's DRAM table, 8 pJ/bit for device, interface and controller (Dally et "
        "al. 2020: 4 for the device); latency: tRCD 18 + RL 17.5 + burst 5 ns (JESD209-4, "
        "recalled) + 40 ns controller and PHY (our assumption); area: 32 bits of DDR5 take a PHY "
        "of 1.45 mm2 and a controller of 90.4M transistors, 0.93 mm2 at 7 nm (LLMCompass, ISCA "
        "2024, from die photos), here at 4.27 Gb/s a pin",
    ),
    "lpddr5": DramCost(
        5.6,
        85,
        0.057,
        0.036,
        "energy: 30 % below LPDDR4 (Samsung's announcement of 2019, recalled); latency: tRCD 18 + "
        "RL 22 + burst 5 ns (recalled) + 40 ns; area: as LPDDR4, at 6.4 Gb/s a pin",
    ),
    "ddr4": DramCost(
        20.3,
        70,
        0.113,
        0.073,
        "energy: 1300 pJ for 64 bits (Jouppi 2021, table 2, DDR3/4; Horowitz 2014: 1300 to 2600); "
        "latency: tRCD 13.75 + CL 13.75 + burst 2.5 ns (DDR4-3200, recalled) + 40 ns; area: as "
        "LPDDR4, at 3.2 Gb/s a pin",
    ),
    "hbm2": DramCost(
        5.2,
        70,
        0.034,
        0.019,
        "energy: 250 to 450 pJ for 64 bits (Jouppi 2021, table 2), their geometric mean; the stack "
        "alone 3.9 pJ/bit (O'Connor et al., MICRO 2017, recalled); latency: as DDR4 (recalled); "
        "area: 1024 bits take a PHY of 10.45 mm2 and a controller of 553M transistors, 5.71 mm2 at "
        "7 nm (LLMCompass, from an A100 die photo), here at 2.4 Gb/s a pin",
    ),
}
"""By kind of memory, in the order of the fields of `DramCost`."""

PRECISIONS: Mapping[str, Precision] = {
    "int8": Precision("int8", 8, 8, 8, 32),
    "int16": Precision("int16", 16, 16, 16, 48),
    "fp16": Precision("fp16", 16, 16, 16, 32, exponent_bits=5),
    "bf16": Precision("bf16", 16, 16, 16, 32, exponent_bits=8),
    "fp32": Precision("fp32", 32, 32, 32, 32, exponent_bits=8),
}
"""Bits of weights, inputs, outputs, partial sums.

Source: sums of 32 bits as in TPUv1 (int8) and TPUv2 (bf16 factors, fp32 sums); 48 bits for int16
as in NVDLA (unit description, "CACC precision"). A template may say otherwise level by level.
"""
