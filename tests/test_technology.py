"""What things cost: published operations come back, and laws hold."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_dse import technology_tables as tables
from accel_dse.errors import OptionError
from accel_dse.technology import Precision, StorageCost, Technology

NODES = Technology.names()
KIB, MIB = 8 * 2**10, 8 * 2**20


def test_every_constant_has_a_value_for_each_node_and_a_source():
    constants = [c for c in vars(tables).values() if isinstance(c, tables.Constant)]
    assert len(constants) > 15
    for constant in constants:
        assert len(constant.values) in {1, len(NODES)}
        assert all(value > 0 for value in constant.values)
        assert len(constant.source) > 20
    assert all(len(dram.source) > 20 for dram in tables.DRAM.values())


@pytest.mark.parametrize(
    ("operand", "accumulator", "exponent", "pj_45nm", "pj_7nm"),
    [
        (8, 8, 0, 0.2 + 0.03, 0.07 + 0.007),
        (8, 32, 0, 0.2 + 0.1, 0.07 + 0.03),
        (32, 32, 0, 3.1 + 0.1, 1.48 + 0.03),
        (16, 16, 5, 1.1 + 0.4, 0.34 + 0.16),
        (16, 32, 5, 1.1 + 0.9, 0.34 + 0.38),
        (32, 32, 8, 3.7 + 0.9, 1.31 + 0.38),
    ],
)
def test_arithmetic_takes_the_published_energy_at_45_and_7_nm(
    operand, accumulator, exponent, pj_45nm, pj_7nm
):
    for node, pj in (("45nm", pj_45nm), ("7nm", pj_7nm)):
        cost = Technology.named(node).mac_of(operand, accumulator, exponent)
        assert cost.energy_pj == pytest.approx([pj])


def test_bf16_costs_what_its_ratio_to_fp16_at_7_nm_says():
    bf16_multiply = 1.1 * 0.21 / 0.34
    assert tables.FLOAT_MULTIPLY.pj_45nm[0] == pytest.approx(bf16_multiply, rel=1e-3)
    assert tables.FLOAT_ADD.pj_45nm[0] == pytest.approx(0.4 * 0.11 / 0.16)
    assert tables.FLOAT_MULTIPLY.um2_45nm[0] == pytest.approx(1640 * 0.21 / 0.34, rel=1e-3)
    assert tables.FLOAT_ADD.um2_45nm[0] == pytest.approx(1360 * 0.11 / 0.16)


def test_a_power_law_through_8_and_32_bits_gives_the_published_16_bit_adder():
    adder = Technology.named("45nm").mac_of(8, 16).energy_pj - 0.2
    assert adder == pytest.approx([0.05], rel=0.1)


@pytest.mark.parametrize("node", NODES)
def test_wider_formats_cost_more(node):
    costs = [
        Technology.named(node).mac(Precision.named(p)) for p in ("int8", "bf16", "fp16", "fp32")
    ]
    energies = [float(cost.energy_pj[0]) for cost in costs]
    areas = [float(cost.area_mm2[0]) for cost in costs]
    assert energies == sorted(energies)
    assert areas == sorted(areas)


def test_the_energy_path_goes_from_45_to_7_nm_without_turning():
    path = [Technology.named(node).energy_path for node in NODES]
    assert path[0] == 0
    assert path[-1] == 1
    assert path == sorted(path)


def test_the_32_nm_gate_energy_is_the_one_in_the_authors_erratum():
    a, b, c = tables.STILLMAKER_ENERGY[32]
    assert a * 0.9**2 + b * 0.9 + c == pytest.approx(0.4571, abs=5e-5)


def test_28_nm_logic_lies_on_the_line_between_32_and_20_nm():
    share = math.log(32 / 28) / math.log(32 / 20)
    assert tables.LOGIC_AREA.at("28nm") == pytest.approx(0.46 * (0.21 / 0.46) ** share, rel=1e-3)


@pytest.mark.parametrize("node", NODES)
def test_derived_constants_follow_their_stated_rules(node):
    supply = tables.SUPPLY_V.at(node) / tables.SUPPLY_V.at("45nm")
    fin = 0.79 if node in {"16nm", "7nm"} else 1.0
    logic = tables.LOGIC_AREA.at(node)
    cell = tables.BITCELL_UM2.at(node) / tables.BITCELL_UM2.at("45nm")
    sram = tables.SRAM_LEAKAGE_NW_PER_BIT
    assert sram.at(node) == pytest.approx(1.7 * supply * cell**0.5 * fin, rel=0.02)
    assert tables.LOGIC_LEAKAGE_W_PER_MM2.at(node) == pytest.approx(
        0.007 * supply / logic**0.5 * fin, rel=0.02
    )
    assert tables.FLIP_FLOP_UM2.at(node) == pytest.approx(5.98 / 0.765 * logic, rel=0.005)
    assert tables.WIRE_PJ_PER_BIT_MM.at(node) == pytest.approx(0.121 * supply**2, rel=0.005)
    operations = [o for o in vars(tables).values() if isinstance(o, tables.Operation)]
    ratios = [late / early for o in operations for late, early in zip(o.pj_7nm, o.pj_45nm)]
    shrink = np.exp(np.log(ratios).mean() * Technology.named(node).energy_path)
    assert tables.FLIP_FLOP_PJ.at(node) == pytest.approx(0.0105 * shrink, rel=0.005)


sizes = st.floats(min_value=256, max_value=32 * MIB)
widths = st.floats(min_value=8, max_value=4096)
growth = st.floats(min_value=1, max_value=1000)
always_the_same_cases = settings(derandomize=True, deadline=None)


def storage(kind: str, node: str) -> Callable[..., StorageCost]:
    technology = Technology.named(node)
    return technology.sram if kind == "sram" else technology.register_file


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("kind", ["sram", "register_file"])
@always_the_same_cases
@given(capacity=sizes, width=widths, factor=growth)
def test_more_of_anything_never_costs_less(kind, node, capacity, width, factor):
    make = storage(kind, node)
    small = make(capacity, width)
    for larger, wide in (
        (make(capacity * factor, width), width),
        (make(capacity, width * factor), width * factor),
        (make(capacity, width, 1 + factor), width),
    ):
        assert larger.area_mm2 >= small.area_mm2
        assert larger.leakage_w >= small.leakage_w
        assert wide * larger.read_pj_per_bit >= width * small.read_pj_per_bit
        assert wide * larger.write_pj_per_bit >= width * small.write_pj_per_bit


@pytest.mark.parametrize("kind", ["sram", "register_file"])
@always_the_same_cases
@given(capacity=sizes, width=widths)
def test_one_percent_more_capacity_costs_at_most_one_percent_more(kind, capacity, width):
    for node in NODES:
        before, after = (storage(kind, node)(size, width) for size in (capacity, capacity * 1.01))
        assert after.area_mm2 <= 1.0101 * before.area_mm2
        assert after.read_pj_per_bit <= 1.0101 * before.read_pj_per_bit


@pytest.mark.parametrize("kind", ["sram", "register_file"])
@always_the_same_cases
@given(capacity=sizes, width=widths)
def test_a_finer_node_is_smaller_and_takes_less_energy(kind, capacity, width):
    costs = [storage(kind, node)(capacity, width) for node in NODES]
    for coarse, fine in pairwise(costs):
        assert fine.area_mm2 < coarse.area_mm2
        assert fine.read_pj_per_bit < coarse.read_pj_per_bit


@pytest.mark.parametrize("node", NODES)
def test_registers_are_smaller_than_sram_for_a_word_and_larger_for_a_kilobit(node):
    technology = Technology.named(node)
    bits = np.array([16.0, 1024.0])
    registers, sram = technology.register_file(bits, 16), technology.sram(bits, 16)
    assert registers.area_mm2[0] < sram.area_mm2[0]
    assert registers.area_mm2[1] > sram.area_mm2[1]
    assert (registers.read_pj_per_bit < sram.read_pj_per_bit).all()


def test_a_kilobit_of_registers_reads_32_bits_for_a_picojoule_at_45_nm():
    cost = Technology.named("45nm").register_file(1024, 32)
    assert 32 * cost.read_pj_per_bit == pytest.approx([1.0], rel=0.06)


def test_a_second_port_doubles_the_area():
    one, two = (Technology.named("28nm").sram(64 * KIB, 64, ports) for ports in (1, 2))
    assert two.area_mm2 / one.area_mm2 == pytest.approx([1.96])


@always_the_same_cases
@given(st.lists(st.tuples(sizes, widths), min_size=2, max_size=5))
def test_the_cost_of_a_design_does_not_depend_on_its_batch(designs):
    capacity, width = np.array(designs).T
    technology = Technology.named("16nm")
    together = technology.sram(capacity, width)
    for i, (bits, wide) in enumerate(designs):
        alone = technology.sram(bits, wide)
        assert alone.area_mm2[0] == together.area_mm2[i]
        assert alone.read_pj_per_bit[0] == together.read_pj_per_bit[i]


def test_scalars_are_spread_over_the_batch():
    technology = Technology.named("28nm")
    assert technology.sram(np.full(3, 1000.0), 64).leakage_w.shape == (3,)
    assert technology.sram(1000, 64).area_mm2.shape == (1,)
    assert technology.mac_of(8, np.array([16, 32])).energy_pj.shape == (2,)
    assert technology.mac_of(16, 32, np.array([0, 5, 8])).area_mm2.shape == (3,)


def test_a_bit_travels_half_the_side_of_the_area_its_network_spans():
    technology = Technology.named("45nm")
    assert technology.network_pj_per_bit([4.0, 16.0]) == pytest.approx([0.121, 0.242])


def test_the_dram_phy_does_not_shrink_and_its_controller_does():
    at = {node: float(Technology.named(node).dram_interface_mm2("lpddr4", 1.0)) for node in NODES}
    dram = Technology.named("7nm").dram("lpddr4")
    assert at["7nm"] == pytest.approx(dram.phy_mm2_per_gb_s + dram.controller_mm2_per_gb_s)
    assert at["45nm"] > at["28nm"] > at["16nm"] > at["7nm"] > dram.phy_mm2_per_gb_s


def test_external_memory_costs_more_than_any_memory_on_the_chip():
    chip = Technology.named("7nm").sram(32 * MIB, 64).read_pj_per_bit
    assert all(dram.pj_per_bit > chip for dram in tables.DRAM.values())


def test_static_power_is_leakage_at_rest_and_grows_with_the_clock():
    technology = Technology.named("16nm")
    rest, fast = technology.logic_static_w(2.0, np.array([0.0, 1.0]))
    assert rest == pytest.approx(2.0 * 0.0113)
    assert fast - rest == pytest.approx(2.0 * 0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Technology.named("5nm"), "no technology is named '5nm'"),
        (lambda: Technology.named("7nm").dram("ddr9"), "no DRAM is named 'ddr9'"),
        (lambda: Precision.named("int3"), "no precision is named 'int3'"),
        (lambda: Technology.named("7nm").sram([64, 0], 8), "design 1 has 0"),
        (lambda: Technology.named("7nm").sram(math.inf, 8), "design 0 has inf"),
        (lambda: Technology.named("7nm").sram(64, math.nan), "design 0 has nan"),
        (lambda: Technology.named("7nm").sram(64, 8, 0.5), "sram: needs a port, has 0.5"),
        (lambda: Technology.named("7nm").register_file(-8, 8), "register_file: sizes must be"),
        (lambda: Technology.named("7nm").mac_of(0, 32), "mac: sizes must be positive"),
        (lambda: Technology.named("7nm").mac_of(8, 32, -1), "mac: sizes must be positive"),
        (lambda: Technology.named("7nm").mac_of(8, 8, 8), "mac: significand"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_value(make, message):
    with pytest.raises(OptionError, match=message):
        make()
