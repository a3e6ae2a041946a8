"""Reads the rows of an SQLite file page by page, without trusting what connects the pages.

For files that SQLite refuses. What comes out is a guess: the caller checks each row's hash.

Source: https://www.sqlite.org/fileformat.html, sections 1.3 (header), 1.6 (b-tree pages), 2.1
(records) and 4 (write-ahead log).
"""

import struct
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

HEADER_BYTES = 100
PAGE_BYTES = 4096
"""What SQLite uses unless it is told otherwise; taken where the header is lost."""

TABLE_LEAF = 0x0D
"""First byte of a page that holds rows."""

WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24

LARGEST_ROW = 1 << 28
"""Bytes; a row that claims more is none."""


def carved_rows(path: Path) -> Iterator[tuple[int, list[Any]]]:
    """Row id and values of each row in the file at `path` and in its journal, in no order."""
    content = path.read_bytes()
    size = struct.unpack(">H", content[16:18].ljust(2, b"\0"))[0]
    size = 65536 if size == 1 else size
    if size < 512 or size & (size - 1):
        size = PAGE_BYTES
    pages = {i + 1: content[at : at + size] for i, at in enumerate(range(0, len(content), size))}
    journal = path.with_name(f"{path.name}-wal")
    if journal.is_file():
        pages |= _journal_pages(journal.read_bytes(), size)
    usable = size - (content[20] if len(content) > 20 and content[20] <= 64 else 0)
    for number, page in pages.items():
        yield from _rows(page, HEADER_BYTES if number == 1 else 0, pages, usable)


def _journal_pages(content: bytes, size: int) -> dict[int, bytes]:
    """The pages that the journal's finished transactions wrote."""
    salt = content[16:24]
    committed: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    step = FRAME_HEADER_BYTES + size
    for at in range(WAL_HEADER_BYTES, len(content) - step + 1, step):
        number, commit = struct.unpack(">II", content[at : at + 8])
        if content[at + 8 : at + 16] != salt:
            break
        pending[number] = content[at + FRAME_HEADER_BYTES : at + step]
        if commit:
            committed |= pending
            pending = {}
    return committed


def _rows(
    page: bytes, start: int, pages: Mapping[int, bytes], usable: int
) -> Iterator[tuple[int, list[Any]]]:
    if len(page) < start + 8 or page[start] != TABLE_LEAF:
        return
    (count,) = struct.unpack(">H", page[start + 3 : start + 5])
    for i in range(count):
        pointer = page[start + 8 + 2 * i : start + 10 + 2 * i]
        if len(pointer) == 2:
            try:
                yield _row(page, struct.unpack(">H", pointer)[0], pages, usable)
            except (ValueError, IndexError, struct.error):  # damaged: its neighbors may be whole
                continue


def _row(page: bytes, at: int, pages: Mapping[int, bytes], usable: int) -> tuple[int, list[Any]]:
    length, at = _varint(page, at)
    row_id, at = _varint(page, at)
    if length > LARGEST_ROW:
        raise ValueError("no row is that long")
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    here = least + (length - least) % (usable - 4)
    here = length if length <= most else here if here <= most else least
    payload = page[at : at + here]
    following = page[at + here : at + here + 4] if here < length else b""
    for _ in range(len(pages)):  # a damaged chain may be a circle
        if len(payload) >= length or len(following) < 4:
            break
        overflow = pages.get(struct.unpack(">I", following)[0], b"")
        following, more = overflow[:4], overflow[4:usable]
        payload += more[: length - len(payload)]
    if len(payload) < length:
        raise ValueError("a part of the row is missing")
    return row_id, _values(payload)


def _values(payload: bytes) -> list[Any]:
    header, at = _varint(payload, 0)
    kinds = []
    while at < header:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    ends = [header]
    for kind in kinds:
        ends.append(ends[-1] + _width(kind))
    if ends[-1] > len(payload):
        raise ValueError("values go beyond the row")
    return [_value(kind, payload[a:b]) for kind, (a, b) in zip(kinds, pairwise(ends))]


def _width(kind: int) -> int:
    """Bytes of a value of this serial type."""
    return (kind - 12) // 2 if kind >= 12 else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]


def _value(kind: int, data: bytes) -> Any:
    if kind == 0:
        return None
    if kind == 7:
        return struct.unpack(">d", data)[0]
    if kind in (8, 9):
        return kind - 8
    if kind >= 12:
        return data.decode() if kind % 2 else data
    return int.from_bytes(data, "big", signed=True)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to nine bytes, seven bits in each but the last, and where it ends."""
    value = 0
    for i in range(8):
        byte = data[at + i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + i + 1
    return value << 8 | data[at + 8], at + 9
