"""Writer of an MCAP file that can be read at any moment, whatever becomes of the writer.

The writer of the ``mcap`` library closes a chunk when it is full, which may take minutes on a
quiet topic; here a chunk is also closed when it is asked for.  Schemas and channels stand before
the chunks, not in them, so that a damaged chunk never takes them along.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Message,
    MessageIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

from icpi_ros.bags.formats.definitions import Definition
from icpi_ros.bags.formats.mcap_file import MAGIC

CHUNK_SIZE = 2**20
"""A chunk is closed when it is as large [B]."""
ZSTD_LEVEL = 1
"""Of zstd: images shrink to half at several hundred MB/s."""
PROFILE, LIBRARY = "ros2", "icpi_ros"


@dataclass
class _Open:
    """The chunk that is being filled."""

    builder: RecordBuilder = field(default_factory=RecordBuilder)
    index: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    first: int = 2**63 - 1
    last: int = 0


class McapWriter:
    """Writer of one new MCAP file; used by one thread.

    Raises:
        OSError: it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.counts: dict[int, int] = {}
        self.start = 2**63 - 1
        self.stop = 0
        self._file = path.open("xb", buffering=0)
        self._schemas: dict[str, Schema] = {}
        self._channels: list[Channel] = []
        self._chunks: list[ChunkIndex] = []
        self._open = _Open()
        self._put(MAGIC + _bytes(Header(PROFILE, LIBRARY)))

    def add_channel(self, topic: str, what: Definition, qos: str) -> int:
        """Return the id of a new channel; ``qos`` is its offered profiles as YAML."""
        schema = self._schemas.get(what.kind)
        if schema is None:
            number = len(self._schemas) + 1
            schema = Schema(number, what.text.encode(), "ros2msg", what.kind)
            self._schemas[what.kind] = schema
            self._put(_bytes(schema))
        channel = Channel(
            id=len(self._channels) + 1,
            topic=topic,
            message_encoding="cdr",
            metadata={"offered_qos_profiles": qos, "topic_type_hash": what.digest},
            schema_id=schema.id,
        )
        self._channels.append(channel)
        self.counts[channel.id] = 0
        self._put(_bytes(channel))
        return channel.id

    def write(self, channel: int, ns: int, data: bytes) -> None:
        """Put a message that was received at ``ns`` [ns] into the chunk; it is not yet safe."""
        chunk = self._open
        chunk.index.setdefault(channel, []).append((ns, chunk.builder.count))
        Message(channel, ns, data, ns, 0).write(chunk.builder)
        chunk.first, chunk.last = min(chunk.first, ns), max(chunk.last, ns)
        if chunk.builder.count >= CHUNK_SIZE:
            self.flush()

    def flush(self) -> None:
        """Close the chunk: what was written so far survives the end of this process."""
        chunk, self._open = self._open, _Open()
        if not chunk.index:
            return
        records = chunk.builder.end()
        packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(records)
        out, offset = RecordBuilder(), self.size
        Chunk("zstd", packed, chunk.last, chunk.first, zlib.crc32(records), len(records)).write(out)
        length, places = out.count, {}
        for channel, entries in chunk.index.items():
            places[channel] = offset + out.count
            MessageIndex(channel, entries).write(out)
        index = ChunkIndex(
            length,
            offset,
            "zstd",
            len(packed),
            chunk.last,
            out.count - length,
            places,
            chunk.first,
            len(records),
        )
        self._put(out.end())
        self._chunks.append(index)
        for channel, entries in chunk.index.items():
            self.counts[channel] += len(entries)
        self.start, self.stop = min(self.start, chunk.first), max(self.stop, chunk.last)

    @property
    def count(self) -> int:
        """Messages that are on the disk."""
        return sum(self.counts.values())

    def close(self) -> None:
        """Close the chunk, write the summary and end the file."""
        self.flush()
        out = RecordBuilder()
        DataEnd(0).write(out)
        self._put(out.end())
        begin, offsets = self.size, []
        groups: list[tuple[Opcode, list[McapRecord]]] = [
            (Opcode.SCHEMA, list(self._schemas.values())),
            (Opcode.CHANNEL, list(self._channels)),
            (Opcode.STATISTICS, [self._statistics()]),
            (Opcode.CHUNK_INDEX, list(self._chunks)),
        ]
        for opcode, records in groups:
            group = out.count
            for record in records:
                record.write(out)
            if records:
                offsets.append(SummaryOffset(opcode, begin + group, out.count - group))
        offset_start = begin + out.count
        for record in offsets:
            record.write(out)
        summary = out.end()
        foot = struct.pack("<BQQQ", Opcode.FOOTER, 20, begin, offset_start)
        crc = zlib.crc32(foot, zlib.crc32(summary))
        self._put(summary + _bytes(Footer(begin, offset_start, crc)) + MAGIC)
        self._file.close()

    def abandon(self) -> None:
        """Leave the file as it is up to the last whole record."""
        with contextlib.suppress(OSError):
            self._file.truncate(self.size)
        with contextlib.suppress(OSError):
            self._file.close()

    def _statistics(self) -> Statistics:
        return Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts=dict(self.counts),
            chunk_count=len(self._chunks),
            message_count=self.count,
            message_end_time=self.stop,
            message_start_time=self.start if self.count else 0,
            metadata_count=0,
            schema_count=len(self._schemas),
        )

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.size += len(data)


def _bytes(record: McapRecord) -> bytes:
    out = RecordBuilder()
    record.write(out)
    return bytes(out.end())
