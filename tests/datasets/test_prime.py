"""The public PRIME logs."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_dse.datasets import prime
from accel_dse.datasets.complaints import Complaints
from accel_dse.errors import FileError
from accel_dse.files import load_space

SPACE = load_space("edge").space

GOOD = {
    "param_1": 4.0, "param_2": 8.0, "param_3": 16.0, "param_4": 32.0, "param_5": 2.0**20,
    "param_6": 2.0**14, "param_7": 4096.0, "param_8": 16384.0, "param_9": 8192.0,
    "param_10": 20.0, "runtime": 252.25, "area": 26.5, "infeasible": 0,
}  # fmt: skip


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def block(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(values):
    """A serialized tf.train.Example."""
    entries = b""
    for name, value in values.items():
        if isinstance(value, int):
            feature = block(3, block(1, varint(value)))
        else:
            feature = block(2, block(1, struct.pack("<f", value)))
        entries += block(1, block(1, name.encode()) + block(2, feature))
    return block(1, entries)


def framed(record):
    head = struct.pack("<Q", len(record))
    checks = (prime.masked_crc32c(head), prime.masked_crc32c(record))
    return head + struct.pack("<I", checks[0]) + record + struct.pack("<I", checks[1])


def written(folder, *records):
    place = folder / "log.tfrecord"
    place.write_bytes(b"".join(map(framed, records)))
    return place


def read(place):
    return prime.read(place, SPACE, "mobilenet_v2", {})


def test_the_checksum_is_that_of_the_standard():
    """Source: RFC 3720, appendix B.4, 32 bytes of zeros and of ones; masked as TensorFlow does."""
    for content, crc in ((bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)):
        masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        assert prime.masked_crc32c(content) == masked


def test_records_become_designs_of_the_edge_space(tmp_path):
    broken = {**GOOD, "param_1": 32.0, "runtime": 0.0, "area": 0.0, "infeasible": 1}
    dataset, complaints = read(written(tmp_path, example(GOOD), example(broken)))
    assert complaints.count == 0
    assert dataset.space.designs(dataset.columns)[0] == {
        "pes_x": 4, "pes_y": 8, "cores": 16, "lanes": 32, "pe_memory_kib": 1024,
        "core_memory_kib": 16, "activation_entries": 4096, "instruction_entries": 16384,
        "parameter_entries": 8192, "io_gb_per_s": 20,
    }  # fmt: skip
    np.testing.assert_array_equal(dataset.metrics["latency_ms"], [252.25, np.nan])
    np.testing.assert_array_equal(dataset.metrics["area_mm2"], [26.5, np.nan])
    assert dataset.infeasible.tolist() == ["", prime.NO_REASON]


def test_numbers_may_be_packed_or_not(tmp_path):
    record = example({k: v for k, v in GOOD.items() if k not in ("area", "infeasible")})
    loose = block(2, varint(1 << 3 | 5) + struct.pack("<f", 26.5))
    packed = block(3, block(1, varint(0)))
    unpacked = block(3, varint(1 << 3) + varint(0))
    for flag in (packed, unpacked):
        more = block(1, block(1, b"area") + block(2, loose)) + block(
            1, block(1, b"infeasible") + block(2, flag)
        )
        _, inner = next(iter(prime._messages(record)))
        dataset, _ = read(written(tmp_path, block(1, inner + more)))
        assert dataset.metrics["area_mm2"].tolist() == [26.5]


def test_a_flipped_bit_costs_its_record_only_and_is_named(tmp_path):
    place = written(tmp_path, *[example(GOOD)] * 3)
    content = bytearray(place.read_bytes())
    size = len(content) // 3
    content[size + 40] ^= 1
    place.write_bytes(content)
    dataset, complaints = read(place)
    assert len(dataset) == 2
    assert complaints.examples == [f"record 1 at byte {size}: its checksum is wrong"]


def test_after_a_corrupt_length_the_rest_is_named_as_lost(tmp_path):
    place = written(tmp_path, *[example(GOOD)] * 3)
    content = bytearray(place.read_bytes())
    size = len(content) // 3
    content[size] ^= 1
    place.write_bytes(content)
    dataset, complaints = read(place)
    assert len(dataset) == 1
    assert complaints.count == 1
    assert f"its length is corrupt; {2 * size} bytes" in complaints.examples[0]


@pytest.mark.parametrize("lost", [1, 4, 5, 100])
def test_a_file_cut_short_keeps_what_is_whole(tmp_path, lost):
    place = written(tmp_path, *[example(GOOD)] * 2)
    place.write_bytes(place.read_bytes()[:-lost])
    dataset, complaints = read(place)
    assert len(dataset) == 1
    assert "record 1" in complaints.examples[0]
    assert "the file ends within it" in complaints.examples[0]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"param_1": 3.0}, "record 1: param_1: 3.0 is not one of"),
        ({"runtime": float("nan")}, "record 1: runtime: expected a number above 0, got nan"),
        ({"area": -1.0}, "record 1: area: expected a number above 0, got -1.0"),
        ({"infeasible": 7}, "record 1: infeasible: expected 0 or 1, got 7"),
    ],
)
def test_a_record_that_makes_no_sense_is_named_and_left_out(tmp_path, change, complaint):
    dataset, complaints = read(written(tmp_path, example(GOOD), example({**GOOD, **change})))
    assert len(dataset) == 1
    assert complaints.count == 1
    assert complaint in complaints.examples[0]


def test_a_missing_feature_is_named(tmp_path):
    record = {name: value for name, value in GOOD.items() if name != "area"}
    _, complaints = read(written(tmp_path, example(GOOD), example(record)))
    assert complaints.examples == ["record 1: area: expected one number, got None"]


def test_a_file_without_a_good_record_is_refused(tmp_path):
    place = tmp_path / "noise.tfrecord"
    place.write_bytes(b"not a TFRecord at all")
    with pytest.raises(FileError, match=r"noise\.tfrecord: holds no record of PRIME: record 0"):
        read(place)
    with pytest.raises(FileError, match="No such file"):
        read(tmp_path / "none.tfrecord")


WHOLE = b"".join(map(framed, [example(GOOD)] * 3))


@settings(max_examples=150, deadline=None)
@given(
    cut=st.integers(0, len(WHOLE)),
    flips=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 7)), max_size=3),
)
def test_whatever_happens_to_a_file_no_wrong_record_gets_through(cut, flips):
    content = bytearray(WHOLE)
    for at, bit in flips:
        content[at] ^= 1 << bit
    complaints = Complaints()
    found = list(prime.records(bytes(content[:cut]), complaints))
    assert all(record == example(GOOD) for record in found)
    if bytes(content[:cut]) != WHOLE[:cut] or cut % (len(WHOLE) // 3):
        assert complaints.count >= 1
    assert len(found) + complaints.count <= 3


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_example_or_one_of_numbers(noise):
    try:
        found = prime.features(noise)
    except ValueError:
        return
    assert all(isinstance(value, float) for values in found.values() for value in values)
