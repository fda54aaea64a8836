"""Reader of MCAP files, whole, cut off or damaged; what cannot be read is skipped and noted.

The file is read from its beginning record by record: footer and summary are not needed, so a bag
whose writer was killed reads as well as any other.  Records are parsed by the ``mcap`` library;
chunks are unpacked here, with bounds on what they may grow to, and without an object for every
message that is not wanted.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel as ChannelRecord
from mcap.records import ChunkIndex, Schema

from icpi_ros.bags.formats.embedded import full_kind
from icpi_ros.bags.formats.frames import lz4_frames, zstd_into
from icpi_ros.bags.formats.raw import Channel, Notes, RawMessage, check_start, why
from icpi_ros.bags.formats.read_ahead import Room, in_turn, read_ahead

MAGIC = b"\x89MCAP0\r\n"
MAX_CHUNK = 256 * 2**20
"""Largest chunk and largest single record, unpacked [B]; writers use 1 to 4 MiB."""
MAX_AHEAD = 16 * 2**20
"""Largest record, packed or not, that is loaded before it is needed [B]."""
SMALL = 8 * 2**20
"""Files below with few chunks are read without a second thread [B]."""
FEW = 8
"""Chunks, as far as a summary tells them."""
SEARCH_PIECE = 2**20
"""Piece of a damaged file that is searched for the next chunk at once [B]."""
_CHUNK = struct.Struct("<BQQQQII")
_CHUNK_BODY = struct.Struct("<QQQII")
_MARKS = (b"\x04\x00\x00\x00zstd", b"\x03\x00\x00\x00lz4")
_RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")

Wanted = Callable[[Channel], bool]
Content = bytes | memoryview
Load = Callable[[], Content]
"""Function that returns the records in a chunk, or the content of another record."""


class _Record(NamedTuple):
    offset: int
    opcode: int
    length: int


class McapFile:
    """Reader of one MCAP file; ``notes`` has what was skipped."""

    def __init__(self, path: Path, notes: Notes) -> None:
        """Look at the first bytes.

        Raises:
            UsageError: it cannot be opened, or is not an MCAP file.
        """
        self.path, self._notes = path, notes
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._chunks: list[int] = []
        self._held: dict[int, frozenset[int]] = {}
        self._size = check_start(path, MAGIC, "an MCAP file")

    def channels(self) -> list[Channel]:
        """Return the channels; a file without a sound summary is read through for them."""
        if not self._read_summary():
            for _ in self.messages(lambda channel: False):
                pass
        return list(self._channels.values())

    def messages(self, wanted: Wanted) -> Iterator[RawMessage]:
        """Yield messages of wanted channels, in the order in which they were written."""
        with self.path.open("rb") as file:
            load, records = partial(_load, file.fileno()), self._wanted(file, wanted)
            many = self._size >= SMALL or len(self._chunks) > FEW
            order = read_ahead if many else in_turn
            for record, loaded in order(load, records):
                try:
                    yield from self._of_record(record, loaded()(), wanted)
                except Exception as exc:  # damaged bytes: whatever parsers stumble over
                    self._skip(record, exc)

    # --- records --------------------------------------------------------------------------

    def _records(self, file: BinaryIO) -> Iterator[_Record]:
        """Yield the records of the data section; after damage go on with the next chunk."""
        offset = len(MAGIC)
        while True:
            if offset >= self._size:
                self._note(f"no end: the writer was stopped or the file cut off at {offset} B")
                return
            file.seek(offset)
            head = file.read(_RECORD.size)
            if len(head) < _RECORD.size:
                self._note(f"the last {len(head)} B are not a record")
                return
            opcode, length = _RECORD.unpack(head)
            if opcode in (Opcode.DATA_END, Opcode.FOOTER):
                return
            end = offset + _RECORD.size + length
            if self._plausible(opcode, length, end):
                yield _Record(offset, opcode, length)
                offset = end
                continue
            after = self._next_chunk(file, offset + 1)
            if after is None:
                self._note(f"from {offset} B on nothing can be read ({self._size - offset} B lost)")
                return
            self._note(f"{after - offset} B from {offset} B on are damaged and skipped")
            offset = after

    def _plausible(self, opcode: int, length: int, end: int) -> bool:
        known = 0 < opcode <= Opcode.DATA_END or opcode >= 0x80
        return known and end <= self._size and length <= MAX_CHUNK

    def _next_chunk(self, file: BinaryIO, offset: int) -> int | None:
        """Return where the next chunk begins; None = there is none that can be found."""
        later = bisect_left(self._chunks, offset)
        if later < len(self._chunks):
            return self._chunks[later]
        return find_chunk(file, offset, self._size)

    def _wanted(self, file: BinaryIO, wanted: Wanted) -> Iterator[_Record]:
        """Yield the records that may hold a wanted message, or describe one."""
        for record in self._records(file):
            held, known = self._held.get(record.offset), self._channels
            if held and held <= known.keys() and not any(wanted(known[id_]) for id_ in held):
                continue  # by the summary nothing in this chunk is wanted
            if record.opcode in (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.CHUNK, Opcode.MESSAGE):
                yield record

    def _of_record(self, record: _Record, data: Content, wanted: Wanted) -> Iterator[RawMessage]:
        if record.opcode == Opcode.CHUNK:
            yield from self._inside(data, wanted)
        elif record.opcode == Opcode.MESSAGE:
            head = _RECORD.pack(record.opcode, record.length)
            yield from self._inside(head + bytes(data), wanted)
        else:
            self._define(record.opcode, data)

    def _inside(self, data: Content, wanted: Wanted) -> Iterator[RawMessage]:
        """Yield the messages among the records in ``data``."""
        at, end = 0, len(data)
        keep = {id_: channel for id_, channel in self._channels.items() if wanted(channel)}
        lost = 0
        while at + _RECORD.size <= end:
            opcode, length = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            if at + length > end:
                raise EOFError("a record in it is cut off")
            if opcode == Opcode.MESSAGE and length >= _MESSAGE.size:
                id_, _, ns, _ = _MESSAGE.unpack_from(data, at)
                if channel := keep.get(id_):
                    yield RawMessage(ns, channel, bytes(data[at + _MESSAGE.size : at + length]))
                elif id_ not in self._channels:
                    lost += 1
            elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                self._define(opcode, data[at : at + length])
                keep = {i: channel for i, channel in self._channels.items() if wanted(channel)}
            at += length
        if lost:
            self._note("messages of a channel that is described nowhere are skipped")

    def _define(self, opcode: int, data: Content) -> None:
        stream = ReadDataStream(BytesIO(data))
        if opcode == Opcode.SCHEMA:
            schema = Schema.read(stream)
            self._schemas.setdefault(schema.id, schema)
            return
        found = ChannelRecord.read(stream)
        schema = self._schemas.get(found.schema_id) or Schema(0, b"", "", "")
        self._channels.setdefault(
            found.id,
            Channel(
                found.topic,
                full_kind(schema.name),
                found.message_encoding,
                schema.data.decode("utf-8", "replace"),
                schema.encoding,
                found.metadata.get("offered_qos_profiles", ""),
            ),
        )

    # --- summary --------------------------------------------------------------------------

    def _read_summary(self) -> bool:
        """Read schemas and channels out of the summary; False if there is none that is sound."""
        try:
            with self.path.open("rb") as file:
                section = self._summary(file)
            for opcode, data in section:
                if opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                    self._define(opcode, data)
                elif opcode == Opcode.CHUNK_INDEX:
                    index = ChunkIndex.read(ReadDataStream(BytesIO(data)))
                    self._chunks.append(index.chunk_start_offset)
                    self._held[index.chunk_start_offset] = frozenset(index.message_index_offsets)
            self._chunks.sort()
        except Exception:  # damaged bytes: whatever parsers stumble over
            return False
        return bool(self._channels)

    def _summary(self, file: BinaryIO) -> list[tuple[int, bytes]]:
        foot = 29 + len(MAGIC)
        file.seek(max(0, self._size - foot))
        footer = file.read()
        opcode, _, start, _, crc = struct.unpack_from("<BQQQI", footer)
        if opcode != Opcode.FOOTER or footer[-len(MAGIC) :] != MAGIC or not start:
            return []
        if not 0 < self._size - foot - start <= MAX_CHUNK:
            return []
        file.seek(start)
        data = file.read(self._size - foot - start)
        if crc and zlib.crc32(footer[:25], zlib.crc32(data)) != crc:
            return []
        return list(_split(data))

    # --- words ----------------------------------------------------------------------------

    def _skip(self, record: _Record, exc: Exception) -> None:
        kind = "chunk" if record.opcode == Opcode.CHUNK else "record"
        self._note(f"a {kind} of {record.length} B at {record.offset} B is skipped: {why(exc)}")

    def _note(self, line: str) -> None:
        self._notes.add(f"{self.path.name}: {line}")


def _load(file: int, record: _Record, room: Room) -> Load:
    """Return how the content of a record is had: it is there already, or large and loaded late."""
    if record.length > MAX_AHEAD:
        return partial(_content, file, record)
    data: Content = _body(file, record, room)
    if record.opcode == Opcode.CHUNK:
        if unpacked_size(data) > MAX_AHEAD:
            return partial(unpacked, bytes(data))
        data = unpacked(data, room)
    return lambda: data


def _content(file: int, record: _Record) -> Content:
    data = _body(file, record, Room())
    return unpacked(data) if record.opcode == Opcode.CHUNK else data


def _body(file: int, record: _Record, room: Room) -> memoryview:
    data = room.of("packed", record.length)
    if os.preadv(file, [data], record.offset + _RECORD.size) < record.length:
        raise EOFError("cut off")
    return data


def _split(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _RECORD.size <= len(data):
        opcode, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        yield opcode, data[at : at + length]
        at += length


def find_chunk(file: BinaryIO, offset: int, size: int) -> int | None:
    """Return where the first compressed chunk from ``offset`` on begins; None = there is none.

    Args:
        file: of ``size`` bytes.
        offset: where the search begins.
        size: of the file [B].
    """
    before = _CHUNK.size
    while offset < size:
        file.seek(offset)
        piece = file.read(SEARCH_PIECE + before + 16)
        for at in sorted(at for mark in _MARKS for at in _places(piece, mark)):
            start = offset + at - before + 4  # the mark begins with the length of its name
            if start >= offset and _is_chunk(file, start, size):
                return start
        offset += SEARCH_PIECE
    return None


def _is_chunk(file: BinaryIO, offset: int, size: int) -> bool:
    file.seek(offset)
    head = file.read(_CHUNK.size + 12)
    if len(head) < _CHUNK.size + 12:
        return False
    opcode, length, _, _, unpacked_size, _, name = _CHUNK.unpack_from(head)
    if opcode != Opcode.CHUNK or name not in (3, 4) or unpacked_size > MAX_CHUNK:
        return False
    (inside,) = struct.unpack_from("<Q", head, _CHUNK.size + name)
    fits = length == 40 + name + inside and length <= MAX_CHUNK
    return bool(fits and offset + _RECORD.size + length <= size)


def unpacked_size(body: Content) -> int:
    """Return the size that a chunk record's ``body`` says to have, unpacked [B]."""
    return int(_CHUNK_BODY.unpack_from(body)[2])


def unpacked(body: Content, room: Room | None = None) -> Content:
    """Return the records of a chunk record's ``body``, checked against its size and checksum.

    Args:
        body: as it lies in the file.
        room: for the records.

    Raises:
        ValueError: it is too large, of an unknown compression, or damaged.
    """
    _, _, size, crc, name = _CHUNK_BODY.unpack_from(body)
    at = _CHUNK_BODY.size + name + 8
    compression = bytes(body[_CHUNK_BODY.size : at - 8][:20]).decode("utf-8", "replace")
    (length,) = struct.unpack_from("<Q", body, at - 8)
    packed = memoryview(body)[at : at + length]
    if size > MAX_CHUNK:
        raise ValueError(f"it would grow to {size} B, at most {MAX_CHUNK} B are allowed")
    data: Content = packed
    if compression == "zstd":
        data = (room or Room()).of("unpacked", size)
        count = zstd_into(packed, data)
    elif compression == "lz4":
        data = lz4_frames(packed, size)
        count = len(data)
    elif compression == "":
        count = len(packed)
    else:
        raise ValueError(f"compression {compression!r} is not known: zstd, lz4 or none")
    if count != size:
        raise ValueError("its size is not what it says")
    if crc and zlib.crc32(data) != crc:
        raise ValueError("its checksum is wrong")
    return data


def _places(piece: bytes, mark: bytes) -> Iterator[int]:
    at = piece.find(mark)
    while at >= 0:
        yield at
        at = piece.find(mark, at + 1)
