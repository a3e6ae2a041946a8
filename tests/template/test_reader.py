"""What is wrong in an `accelerator` section is refused, with its key and its value."""

import copy

import numpy as np
import pytest

from accel_dse.errors import DesignError, FileError
from accel_dse.files import load_space
from accel_dse.template import bind, read_template

EDGE = load_space("edge")
MISSING = object()


def edge(path, value):
    """The edge accelerator with another value at `path`."""
    section = copy.deepcopy(dict(EDGE.accelerator))
    at = section
    for key in path[:-1]:
        at = at[key]
    if value is MISSING:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return section


def refused(path, value):
    with pytest.raises(FileError) as caught:
        read_template(edge(path, value), EDGE.space)
    return str(caught.value), caught.value.hint


def level(place, key):
    return ("levels", place, key)


WRONG = [
    # What is derived.
    (("derived",), {"a": "b + 1", "b": "c", "c": "a"}, "derived.a: needs itself: a -> b -> c -> a"),
    (("derived",), {"a": "2 * a"}, "derived.a: needs itself: a -> a"),
    (("derived",), {"a": "b", "b": "pes_x"}, "derived.a: needs 'b', which comes after it"),
    (("derived",), {"pes_x": 3}, "derived.pes_x: there is a parameter of this name"),
    (("derived",), {"a b": 3}, "derived.a b: expected a name"),
    (("derived",), [1], "derived: expected a mapping, got [1]"),
    # What a level keeps, and where.
    (level(1, "keeps"), [], "levels.pe_memory.keeps: a level must keep at least one tensor"),
    (level(1, "keeps"), ["inputs", "inputs"], "pe_memory.keeps: expected a list of distinct"),
    (level(1, "keeps"), ["biases"], "levels.pe_memory.keeps: 'biases' is not known"),
    (level(0, "keeps"), ["inputs"], "levels.dram.keeps: the outermost level keeps all tensors"),
    (level(1, "capacity_bytes"), 0, "levels.pe_memory.capacity_bytes: must be positive, got 0"),
    (level(1, "capacity_bytes"), -4, "levels.pe_memory.capacity_bytes: must be positive, got -4"),
    (level(1, "capacity_bytes"), "1 / 0", "capacity_bytes: '1 / 0'"),
    (level(1, "capacity_bytes"), "1e999", "levels.pe_memory.capacity_bytes: '1e999'"),
    (level(1, "capacity_bytes"), "kib * 1024", "levels.pe_memory.capacity_bytes: 'kib * 1024'"),
    (level(1, "capacity_bytes"), MISSING, "levels.pe_memory.capacity_bytes: missing"),
    (level(1, "capacity_bytes"), {"inputs": 9}, "names inputs, but the level keeps inputs"),
    (level(0, "capacity_bytes"), 4, "levels.dram.capacity_bytes: the outermost level has none"),
    (level(1, "memory"), "flash", "pe_memory.memory: no memory on the chip is named 'flash'"),
    (level(1, "memory"), {"inputs": "sram"}, "levels.pe_memory.memory: names inputs, but"),
    (
        level(1, "memory"),
        {"inputs": "sram", "outputs": "registers"},
        "levels.pe_memory.memory: inputs, outputs share one capacity but are in two memories",
    ),
    (level(0, "memory"), "lpddr9", "levels.dram.memory: no DRAM is named 'lpddr9'"),
    (level(0, "memory"), "sram", "levels.dram.memory: the outermost level is a DRAM, got 'sram'"),
    # What moves, and how fast.
    (level(1, "bandwidth"), {"read": -64}, "levels.pe_memory.bandwidth.read: must be positive"),
    (level(1, "bandwidth"), {"read": 0}, "pe_memory.bandwidth.read: must be positive, got 0"),
    (level(1, "bandwidth"), {"reed": 9}, "levels.pe_memory.bandwidth.reed: unknown key"),
    (level(1, "bandwidth"), 64, "levels.pe_memory.bandwidth: expected a mapping, got 64"),
    (level(1, "latency"), -1, "levels.pe_memory.latency: must not be negative, got -1"),
    (("clock_ghz",), 0, "clock_ghz: must be positive, got 0"),
    (("vector_lanes",), 0, "vector_lanes: must be positive, got 0"),
    # How many there are, and of what.
    (level(1, "copies"), {"x": 0}, "levels.pe_memory.copies.x: must be positive, got 0"),
    (level(1, "copies"), {"x": 2.5}, "levels.pe_memory.copies.x: must be a whole number, got 2.5"),
    (level(1, "copies"), {"z": 2}, "levels.pe_memory.copies.z: unknown key"),
    (level(1, "unroll"), {"y": ["K"]}, "levels.pe_memory.unroll.x: no dimension may be split"),
    (level(1, "unroll"), {"x": ["A"]}, "levels.pe_memory.unroll.x: 'A' is not known"),
    (level(3, "whole"), {"T": 1}, "levels.core_registers.whole.T: unknown key"),
    (level(3, "loops"), ["N", "N"], "levels.core_registers.loops: expected a list of distinct"),
    (level(1, "word_bits"), {"weights": 0}, "levels.pe_memory.word_bits.weights: must be positive"),
    (("word_bits",), {"weights": 8.5}, "word_bits.weights: expected a whole number up to 1024"),
    (level(1, "multicast"), "yes", "levels.pe_memory.multicast: expected true or false, got 'yes'"),
    (level(1, "name"), "dram", "levels: two levels are named 'dram'"),
    (level(1, "banks"), 4, "levels.pe_memory.banks: unknown key"),
    (("precision",), "int7", "precision: no precision is named 'int7'"),
    (("technology",), "3nm", "technology: no technology is named '3nm'"),
    (("levels",), [], "levels: expected a list of 2 to 8 levels"),
    (("levels",), [{}] * 9, "levels: expected a list of 2 to 8 levels"),
    (("levels", 1), "sram", "levels[1]: expected a mapping, got 'sram'"),
    (("program", "level"), "l9", "program.level: no level is named 'l9'"),
    (("program", "entries"), 0, "program.entries: must be positive, got 0"),
    (("clock_ghz",), MISSING, "clock_ghz: missing"),
    (("power",), 3, "power: unknown key"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_what_no_accelerator_can_be_is_refused_with_place_and_value(path, value, message):
    found, _ = refused(path, value)
    assert found.startswith("accelerator.")
    assert message in found


@pytest.mark.parametrize(
    ("path", "value", "hint"),
    [
        (("technology",), "3nm", "45nm, 28nm, 16nm, 7nm"),
        (level(0, "memory"), "lpddr9", "lpddr4, lpddr5, ddr4, hbm2"),
        (level(1, "memory"), "flash", "sram, registers"),
        (level(1, "levles"), 1, "known:"),
        (level(1, "latncy"), 1, "did you mean 'latency'"),
        (level(1, "latency"), "lane", "did you mean 'lanes'"),
        (level(1, "copies"), {"x": "pes_x"}, "name some of N, G, K, C, P, Q, R, S"),
    ],
)
def test_the_hint_names_what_is_known(path, value, hint):
    section = edge(path, value)
    if path[-1] == "copies":
        section["levels"][1].pop("unroll")
    with pytest.raises(FileError) as caught:
        read_template(section, EDGE.space)
    assert hint in caught.value.hint


@pytest.mark.parametrize("junk", [None, 5, "x", [], [{}], {"a": {}}, True, -1.5, {"R": [1]}])
def test_any_value_at_any_key_is_read_or_refused_in_plain_words(junk):
    keys = [(key,) for key in EDGE.accelerator]
    keys += [level(i, k) for i, item in enumerate(EDGE.accelerator["levels"]) for k in item]
    keys += [("macs", key) for key in EDGE.accelerator["macs"]]
    complaints = []
    for key in keys:
        try:
            read_template(edge(key, junk), EDGE.space)
        except FileError as error:
            complaints.append(str(error))
    assert complaints
    assert all(complaint.startswith("accelerator.") for complaint in complaints)


def design(**changed):
    reference = next(iter(EDGE.references.values())).design
    return {name: np.array([v]) for name, v in {**reference, **changed}.items()}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (level(1, "capacity_bytes"), "pe_memory_kib - 2048", "must be positive, got 0 for pe_mem"),
        (level(1, "bandwidth"), {"read": "16 - 2 * io_gb_per_s"}, "got -16 for io_gb_per_s=16"),
        (level(1, "copies"), {"x": "pes_x / 3"}, "must be a whole number, got 1.33333 for pes_x=4"),
        (level(1, "copies"), {"x": "2 ** 31 * pes_x"}, "8.59e+09 is more than 2^31"),
        (("macs", "copies"), {"x": 2**30, "y": 2**30}, "multiply-accumulate units are more than"),
        (("clock_ghz",), "1 / (pes_x - 4)", "no finite value for pes_x=4"),
        (("derived",), {"a": "log2(pes_x - 4)"}, "accelerator.derived.a: 'log2(pes_x - 4)'"),
        (("logic_mm2",), "pes_x - 5", "logic_mm2: 'pes_x - 5' must not be negative, got -1"),
    ],
)
def test_an_expression_that_gives_no_hardware_is_refused_with_the_design(path, value, message):
    template = read_template(edge(path, value), EDGE.space)
    with pytest.raises(DesignError) as caught:
        bind(template, design())
    assert message in str(caught.value)


def test_what_is_derived_may_be_used_and_may_be_negative():
    section = edge(("derived",), {"less": -1, "wide": "2 * pes_x + less"})
    section["levels"][1]["copies"]["x"] = "wide"
    assert bind(read_template(section, EDGE.space), design(pes_x=4)).fanout_x[0, 0] == 7
