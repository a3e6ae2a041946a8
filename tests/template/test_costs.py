"""What a bound template costs: the parts add up, and each memory pays for its own."""

import numpy as np
import pytest

from accel_dse.parameters import Ordinal
from accel_dse.space import DesignSpace
from accel_dse.technology import Precision, Technology
from accel_dse.template import bind, read_template

SPACE = DesignSpace("tiny", (Ordinal("kib", (1, 2, 4, 8, 16)),))
NODE = Technology.named("16nm")
READ, FILL, UPDATE = range(3)
MAC = NODE.mac(Precision.named("int8"))
UNIT_MM2 = MAC.area_mm2[0] + NODE.control_mm2(MAC.area_mm2)[0]


def hardware(*levels, kib=4, **top):
    """One design: a DRAM, these levels, and a single multiply-accumulate unit."""
    dram = {"name": "dram", "memory": "lpddr4", "bandwidth": {"shared": 8}}
    section = {
        "technology": "16nm",
        "precision": "int8",
        "clock_ghz": 1,
        "levels": [dram, *levels],
        **top,
    }
    return bind(read_template(section, SPACE), {"kib": np.array([kib])})


def buffer(**changed):
    return {
        "name": "buffer",
        "memory": "sram",
        "capacity_bytes": "kib * 1024",
        "bandwidth": {"read": 16, "write": 16},
        **changed,
    }


def test_a_level_costs_what_its_memory_costs_at_its_width():
    found = hardware(buffer())
    sram = NODE.sram(4 * 8192, 128)
    assert found.access_pj_per_bit[0, 1].tolist() == pytest.approx(
        [sram.read_pj_per_bit[0], sram.write_pj_per_bit[0], sram.write_pj_per_bit[0]]
    )


def test_the_area_is_that_of_memory_units_control_and_dram_interface():
    parts = [
        NODE.sram(4 * 8192, 128).area_mm2[0],
        UNIT_MM2,
        float(NODE.dram_interface_mm2("lpddr4", 8.0)),
        0.5,
    ]
    assert hardware(buffer(), logic_mm2=0.5).area_mm2[0] == pytest.approx(sum(parts))


def test_memories_of_a_level_share_its_port():
    apart = {"weights": "kib * 1024", "inputs": "kib * 1024", "outputs": "kib * 1024"}
    stores = hardware(buffer(capacity_bytes=apart, bandwidth={"read": 48, "write": 48}))
    one = hardware(buffer())
    three = 3 * NODE.sram(4 * 8192, 128).area_mm2[0]
    once = NODE.sram(4 * 8192, 128).area_mm2[0]
    assert stores.area_mm2[0] - one.area_mm2[0] == pytest.approx(three - once)


def test_an_update_costs_what_the_memory_of_the_outputs_costs():
    found = hardware(
        buffer(
            memory={"weights + inputs": "sram", "outputs": "registers"},
            capacity_bytes={"weights + inputs": "kib * 1024", "outputs": 16},
            bandwidth={"read": 3, "write": 3},
        )
    )
    large, small = NODE.sram(4 * 8192, 16), NODE.register_file(128, 8)
    reads = (2 * large.read_pj_per_bit[0] + small.read_pj_per_bit[0]) / 3
    assert found.access_pj_per_bit[0, 1, READ] == pytest.approx(reads)
    assert found.access_pj_per_bit[0, 1, UPDATE] == pytest.approx(small.write_pj_per_bit[0])


def test_a_level_without_outputs_is_never_updated_and_pays_nothing_for_it():
    found = hardware(buffer(keeps=["weights"]))
    assert found.access_pj_per_bit[0, 1, UPDATE] == 0


@pytest.mark.parametrize("kib", [1, 2, 4, 8])
def test_more_capacity_costs_area_energy_and_leakage(kib):
    less, more = hardware(buffer(), kib=kib), hardware(buffer(), kib=2 * kib)
    assert more.area_mm2[0] > less.area_mm2[0]
    assert more.static_w[0] > less.static_w[0]
    assert (more.access_pj_per_bit[0, 1] > less.access_pj_per_bit[0, 1]).all()
    assert more.network_pj_per_bit[0, 0] > less.network_pj_per_bit[0, 0]


def test_copies_multiply_area_and_units_and_not_the_energy_of_an_access():
    registers = {"name": "pe", "memory": "registers", "keeps": ["weights"], "capacity_bytes": 2}
    one = hardware(buffer(), registers)
    many = hardware(buffer(), {**registers, "copies": {"x": 8}, "unroll": {"x": ["K"]}})
    assert many.macs[0] == 8 * one.macs[0]
    inside = NODE.register_file(16, 16).area_mm2[0] + UNIT_MM2
    assert many.area_mm2[0] - one.area_mm2[0] == pytest.approx(7 * inside, rel=1e-6)
    assert (many.access_pj_per_bit == one.access_pj_per_bit).all()


def test_a_word_may_be_wider_on_the_whole_chip_or_at_one_level():
    whole = hardware(buffer(), word_bits={"partial_sums": 24})
    assert whole.word_bits[0, :, 3].tolist() == [24, 24]
    level = hardware(buffer(word_bits={"outputs": 32}))
    assert level.word_bits[0, :, 2].tolist() == [8, 32]


def test_bandwidth_is_given_in_bytes_and_capacity_too():
    found = hardware(buffer())
    assert found.read_bits_per_cycle[0].tolist() == [np.inf, 128]
    assert found.shared_bits_per_cycle[0].tolist() == [64, np.inf]
    assert found.capacity_bits[0, 1].tolist() == [4 * 8192] * 3
