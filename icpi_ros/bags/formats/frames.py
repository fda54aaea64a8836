"""Compressed content of several frames, as writers append them, unpacked within bounds."""

from __future__ import annotations

import contextlib
import struct

import lz4.frame
import zstandard

_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_SKIPPED = struct.Struct("<II")
_SKIPPED_MAGIC = range(0x184D2A50, 0x184D2A60)
"""Frames of either compression that carry something else."""
MAX_FRAMES = 10_000
"""Of one chunk; empty ones could be without end."""
_PIECE = 2**16


def zstd_frames(packed: bytes | memoryview, size: int) -> bytes:
    """Return what all frames hold, at most one byte more than ``size``; padding is passed over.

    Raises:
        zstandard.ZstdError: damaged before that.
    """
    if zstandard.get_frame_parameters(packed).content_size == size:
        with contextlib.suppress(zstandard.ZstdError):  # the usual frame, alone
            return zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    with reader:
        out = bytes(reader.read(size))
        with contextlib.suppress(zstandard.ZstdError):  # of padding behind the last frame
            out += reader.read(1)
    return out


def zstd_into(packed: bytes | memoryview, room: memoryview) -> int:
    """Unpack into ``room``; return how much all frames hold, at most one byte more than its size.

    Raises:
        zstandard.ZstdError: damaged before that.
    """
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    with reader:
        count = int(reader.readinto(room))
        with contextlib.suppress(zstandard.ZstdError):  # of padding behind the last frame
            count += len(reader.read(1))
    return count


def lz4_frames(packed: bytes | memoryview, size: int) -> bytes:
    """Return what all frames hold, at most one byte more than ``size``; padding is passed over.

    Raises:
        RuntimeError: damaged before that.
    """
    view, at, out = memoryview(packed), 0, bytearray()
    for _ in range(MAX_FRAMES):
        at = _behind_skipped(view, at)
        if len(out) > size or view[at : at + len(_LZ4_MAGIC)] != _LZ4_MAGIC:
            break
        reader = lz4.frame.LZ4FrameDecompressor()
        while not reader.eof and len(out) <= size:
            piece = view[at : at + _PIECE] if reader.needs_input else b""
            if reader.needs_input and not piece:
                return bytes(out)  # cut off
            at += len(piece)
            out += reader.decompress(piece, size + 1 - len(out))
        at -= len(reader.unused_data or b"")
    return bytes(out)


def _behind_skipped(data: memoryview, at: int) -> int:
    while at + _SKIPPED.size <= len(data):
        magic, length = _SKIPPED.unpack_from(data, at)
        if magic not in _SKIPPED_MAGIC:
            break
        at += _SKIPPED.size + length
    return at
