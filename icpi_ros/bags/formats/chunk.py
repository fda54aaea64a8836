"""Chunks of an MCAP file: found after damage, and unpacked within bounds."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import lz4.frame
import zstandard
from mcap.opcode import Opcode

MOST_CHUNK = 256 * 2**20
"""Largest chunk and largest single record, unpacked [B]; writers use 1 to 4 MiB."""
SEARCH = 2**20
"""Piece of a damaged file that is searched for the next chunk at once [B]."""
_CHUNK = struct.Struct("<BQQQQII")
_CHUNK_BODY = struct.Struct("<QQQII")
_RECORD_HEAD = 9
_MARKS = (b"\x04\x00\x00\x00zstd", b"\x03\x00\x00\x00lz4")


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
        piece = file.read(SEARCH + before + 16)
        for at in sorted(at for mark in _MARKS for at in _places(piece, mark)):
            start = offset + at - before + 4  # the mark begins with the length of its name
            if start >= offset and _is_chunk(file, start, size):
                return start
        offset += SEARCH
    return None


def _is_chunk(file: BinaryIO, offset: int, size: int) -> bool:
    file.seek(offset)
    head = file.read(_CHUNK.size + 12)
    if len(head) < _CHUNK.size + 12:
        return False
    opcode, length, _, _, unpacked_size, _, name = _CHUNK.unpack_from(head)
    if opcode != Opcode.CHUNK or name not in (3, 4) or unpacked_size > MOST_CHUNK:
        return False
    (inside,) = struct.unpack_from("<Q", head, _CHUNK.size + name)
    fits = length == 40 + name + inside and length <= MOST_CHUNK
    return bool(fits and offset + _RECORD_HEAD + length <= size)


def unpacked(body: bytes) -> bytes:
    """Return the records of a chunk record's ``body``, checked against its size and checksum.

    Raises:
        ValueError: it is too large, of an unknown compression, or damaged.
    """
    _, _, size, crc, name = _CHUNK_BODY.unpack_from(body)
    at = _CHUNK_BODY.size + name + 8
    compression = body[_CHUNK_BODY.size : at - 8][:20].decode("utf-8", "replace")
    (length,) = struct.unpack_from("<Q", body, at - 8)
    packed = memoryview(body)[at : at + length]
    if size > MOST_CHUNK:
        raise ValueError(f"it would grow to {size} B, at most {MOST_CHUNK} B are allowed")
    if compression == "zstd":
        data = _zstd(packed, size)
    elif compression == "lz4":
        data = lz4.frame.LZ4FrameDecompressor().decompress(packed, size + 1)
    elif compression == "":
        data = bytes(packed)
    else:
        raise ValueError(f"compression {compression!r} is not known: zstd, lz4 or none")
    if len(data) != size:
        raise ValueError("its size is not what it says")
    if crc and zlib.crc32(data) != crc:
        raise ValueError("its checksum is wrong")
    return bytes(data)


def _zstd(packed: memoryview, size: int) -> bytes:
    """Return what is packed; at most one byte more than ``size`` where it does not fit."""
    frame = zstandard.get_frame_parameters(packed)
    if frame.content_size == size:
        return zstandard.ZstdDecompressor().decompress(packed)
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        return bytes(reader.read(size + 1))


def _places(piece: bytes, mark: bytes) -> Iterator[int]:
    at = piece.find(mark)
    while at >= 0:
        yield at
        at = piece.find(mark, at + 1)
