"""Packed cassettes: one xz stream of the lines that a replay needs, small and read-only.

A recorded cassette has the text of every request, for people, and whatever was tried before; both
are left out here.  A reader tells the two kinds apart by their first bytes, not by their name.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import replacing

MAGIC = b"\xfd7zXZ\x00"
"""First bytes of an xz stream."""
SUFFIX = ".xz"
MAX_PACKED, MAX_UNPACKED = 16 * 2**20, 64 * 2**20
"""Largest file, and what it may unpack to [bytes]."""
MAX_MEMORY = 128 * 2**20
"""For unpacking [bytes]."""
SECONDS_DECIMALS = 3
"""Decimal places of the recorded wall times that are kept [s]."""


def is_packed(start: bytes) -> bool:
    """Return whether a file that begins with ``start`` is packed."""
    return start.startswith(MAGIC)


def unpacked(data: bytes) -> bytes:
    """Return the lines in a packed file's content.

    Raises:
        ValueError: it is damaged, cut off, or too large; the message continues "the file ...".
    """
    if len(data) > MAX_PACKED:
        raise ValueError(f"is larger than {MAX_PACKED >> 20} MiB")
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_MEMORY)
    try:
        text = reader.decompress(data, max_length=MAX_UNPACKED + 1)
    except lzma.LZMAError as exc:
        raise ValueError(f"is damaged ({exc})") from None
    if len(text) > MAX_UNPACKED:
        raise ValueError(f"unpacks to more than {MAX_UNPACKED >> 20} MiB")
    if not reader.eof:
        raise ValueError("is cut off")
    if reader.unused_data:
        raise ValueError("has something behind its end")
    return text


def packed(entries: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the content of a packed file with these entries: the same for the same entries."""
    lines = (json.dumps(_slim(entry), separators=(",", ":")) + "\n" for entry in entries)
    text = "".join(lines).encode("ascii")
    if len(text) > MAX_UNPACKED:
        raise ValueError(f"would unpack to more than {MAX_UNPACKED >> 20} MiB")
    return lzma.compress(text, lzma.FORMAT_XZ, lzma.CHECK_SHA256, preset=9)


def write_packed(path: Path, entries: Iterable[Mapping[str, Any]]) -> int:
    """Write a packed cassette, whole or not at all; return its size [bytes].

    Raises:
        UsageError: it cannot be written, or is too large.
    """
    try:
        data = packed(entries)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except ValueError as exc:
        raise UsageError(f"cannot pack {path}: it {exc}; record into several files") from None
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror or exc}") from None
    return len(data)


def _slim(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with wall times to the millisecond, and weights without their folder.

    Some servers call a model by the path of its file, which is that of the recording machine.
    """
    slim, spent = dict(entry), dict(entry["spent"])
    if "seconds" in spent:
        spent["seconds"] = round(spent["seconds"], SECONDS_DECIMALS)
    if slim.get("model", "").endswith(".gguf"):
        slim["model"] = PurePath(slim["model"]).name
    return slim | {"spent": spent}
