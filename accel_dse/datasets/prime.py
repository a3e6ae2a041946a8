"""The public PRIME logs: TFRecord files, read without TensorFlow.

A TFRecord is, again and again: the length of a record (8 bytes, little-endian), the masked CRC-32C
of these bytes (4), the record, the masked CRC-32C of the record (4). Here a record is a
`tf.train.Example`: named features `param_1` ... `param_10`, `runtime`, `area` (floats) and
`infeasible` (an integer).

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details";
tensorflow/core/example/example.proto and feature.proto; the data and their units:
google-research/prime, README.
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accel_dse.dataset import Dataset, texts
from accel_dse.datasets.complaints import Complaints
from accel_dse.errors import DesignError, FileError
from accel_dse.space import DesignSpace
from accel_dse.workload import Workload

PARAMETERS: Mapping[str, tuple[str, float]] = {
    "param_1": ("pes_x", 1),
    "param_2": ("pes_y", 1),
    "param_3": ("cores", 1),
    "param_4": ("lanes", 1),
    "param_5": ("pe_memory_kib", 1024),
    "param_6": ("core_memory_kib", 1024),
    "param_7": ("activation_entries", 1),
    "param_8": ("instruction_entries", 1),
    "param_9": ("parameter_entries", 1),
    "param_10": ("io_gb_per_s", 1),
}
"""Feature -> parameter of the `edge` space, and by what its value is divided.

Source: the values are those of PRIME's notebook; names follow table 1 of the paper."""

METRICS = {"runtime": "latency_ms", "area": "area_mm2"}

NO_REASON = "infeasible (the log gives no reason)"

LARGEST_RECORD = 1 << 20
"""Bytes; one of PRIME has about 300. A longer one is a corrupt length."""


def read(
    path: Path, space: DesignSpace, application: str, workloads: Mapping[str, Workload]
) -> tuple[Dataset, Complaints]:
    """A TFRecord file of PRIME as designs of the `edge` space.

    Args:
        path: the file.
        space: `edge`.
        application: what ran.
        workloads: name -> layers, if they are known.

    Returns:
        The rows that make sense, and the records that do not.

    Raises:
        FileError: the file cannot be read, or no record in it makes sense.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    complaints = Complaints()
    rows: list[dict[str, float]] = []
    for number, record in enumerate(records(content, complaints)):
        try:
            rows.append(_row(features(record), space))
        except (ValueError, DesignError) as error:
            complaints.add(f"record {number}: {error}")
    if not rows:
        first = f": {complaints.examples[0]}" if complaints.examples else ""
        raise FileError(f"{path}: holds no record of PRIME{first}")
    works = np.array([not row["infeasible"] for row in rows])
    columns = {
        p.name: p.column([p.canonical(row[p.name]) for row in rows]) for p in space.parameters
    }
    metrics = {
        metric: np.where(works, [row[metric] for row in rows], np.nan)
        for metric in METRICS.values()
    }
    known = {application: workloads[application]} if application in workloads else {}
    dataset = Dataset(
        space,
        columns,
        metrics,
        texts("" if good else NO_REASON for good in works),
        texts([application] * len(rows)),
        known,
        {"converted_from": "prime", "file": path.name, "corrupt_records": complaints.count},
    )
    return dataset, complaints


def _row(found: Mapping[str, list[float]], space: DesignSpace) -> dict[str, float]:
    """One record with our names and units."""
    row = {}
    for name in (*PARAMETERS, *METRICS, "infeasible"):
        values = found.get(name)
        if values is None or len(values) != 1:
            raise ValueError(f"{name}: expected one number, got {values}")
        row[name] = values[0]
    for name, (parameter, divisor) in PARAMETERS.items():
        value = row.pop(name) / divisor
        try:
            space.parameter(parameter).canonical(value)
        except DesignError as error:
            raise ValueError(f"{name}: {error}") from error
        row[parameter] = value
    if row["infeasible"] not in (0, 1):
        raise ValueError(f"infeasible: expected 0 or 1, got {row['infeasible']}")
    for name, metric in METRICS.items():
        value = row.pop(name)
        if not row["infeasible"] and not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a number above 0, got {value}")
        row[metric] = value
    return row


def records(content: bytes, complaints: Complaints) -> Iterator[bytes]:
    """The records of a TFRecord file whose checksums are right.

    A record whose own checksum is wrong is skipped; after a wrong length nothing can be found.
    """
    at = number = 0
    while at < len(content):
        head = content[at : at + 12]
        if len(head) < 12:
            complaints.add(f"record {number} at byte {at}: the file ends within its length")
            return
        length, check = struct.unpack("<QI", head)
        if masked_crc32c(head[:8]) != check or length > LARGEST_RECORD:
            complaints.add(
                f"record {number} at byte {at}: its length is corrupt; "
                f"{len(content) - at} bytes from there on are lost"
            )
            return
        body = content[at + 12 : at + 12 + length]
        tail = content[at + 12 + length : at + 16 + length]
        if len(body) < length or len(tail) < 4:
            complaints.add(f"record {number} at byte {at}: the file ends within it")
            return
        if masked_crc32c(body) != struct.unpack("<I", tail)[0]:
            complaints.add(f"record {number} at byte {at}: its checksum is wrong")
        else:
            yield body
        at += 16 + length
        number += 1


def _crc_table() -> NDArray[np.uint32]:
    """Source: RFC 3720, appendix B.4: the Castagnoli polynomial, here bit-reversed."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


_TABLE: list[int] = _crc_table().tolist()


def masked_crc32c(content: bytes) -> int:
    """The CRC-32C of `content`, masked as TFRecords have it.

    Source: tensorflow/core/lib/hash/crc32c.h, `Mask`: a CRC of data that hold CRCs is weak.
    """
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def features(record: bytes) -> dict[str, list[float]]:
    """Name -> numbers of a serialized `tf.train.Example`; lists of bytes are left out.

    Raises:
        ValueError: it is none.
    """
    found = {}
    for field_number, example in _messages(record):
        if field_number != 1:
            continue
        for _, entry in _messages(_bytes(example)):
            parts = dict(_messages(_bytes(entry)))
            name = _bytes(parts.get(1, b"")).decode("utf-8", "replace")
            numbers = _numbers(_bytes(parts.get(2, b"")))
            if numbers is not None:
                found[name] = numbers
    return found


def _numbers(feature: bytes) -> list[float] | None:
    """The numbers of a `tf.train.Feature`."""
    for kind, content in _messages(feature):
        if kind == 2:  # a list of floats, packed or one by one
            return [
                float(value)
                for _, part in _messages(_bytes(content), fixed=True)
                for value in np.frombuffer(_bytes(part), "<f4")
            ]
        if kind == 3:  # a list of integers
            return [
                float(value)
                for _, part in _messages(_bytes(content))
                for value in ([part] if isinstance(part, int) else _varints(part))
            ]
    return None


def _messages(content: bytes, *, fixed: bool = False) -> Iterator[tuple[int, bytes | int]]:
    """Field numbers and values of a protocol buffer message.

    Source: https://protobuf.dev/programming-guides/encoding/
    """
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(content, at)
            yield number, value
        elif wire in (2, 5) or (wire == 1):
            size, at = _varint(content, at) if wire == 2 else ((4 if wire == 5 else 8), at)
            if at + size > len(content) or (fixed and size % 4):
                raise ValueError("is cut short")
            yield number, content[at : at + size]
            at += size
        else:
            raise ValueError(f"is no tf.train.Example (wire type {wire})")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and where it ends."""
    value = 0
    for i, byte in enumerate(content[at : at + 10]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, at + i + 1
    raise ValueError("is cut short")


def _varints(content: bytes) -> list[int]:
    values, at = [], 0
    while at < len(content):
        value, at = _varint(content, at)
        values.append(value)
    return values


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError("is no tf.train.Example (a number, not a message)")  # noqa: TRY004
    return value
