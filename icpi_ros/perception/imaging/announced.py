"""Sizes that compressed images announce: a few bytes can stand for gigabytes of pixels.

Formats: PNG (W3C), JPEG (ITU-T T.81, annex B), WebP (RFC 9649) and TIFF 6.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

_NO_FRAME = (0xC4, 0xC8, 0xCC)
_ALONE = (0x01, *range(0xD0, 0xD9))
"""Markers of JPEG that no length follows."""
_WIDTH, _HEIGHT, _SHORT = 256, 257, 3
MAX_TAGS = 1000


def announced_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a compressed image [px].

    None: it is of another format, or cut off before it tells.
    """
    read = next((read for start, read in _READERS.items() if data.startswith(start)), None)
    size = None if read is None else read(data)
    return size if size and min(size) > 0 else None


def _png(data: bytes) -> tuple[int, int]:
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xFF or kind in _ALONE:
            at += 1 if kind == 0xFF else 2
        elif 0xC0 <= kind <= 0xCF and kind not in _NO_FRAME:
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            return int.from_bytes(data[at + 7 : at + 9], "big"), height
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    def number(first: int, last: int) -> int:
        return int.from_bytes(data[first:last], "little")

    kind = data[12:16] if data[8:12] == b"WEBP" and len(data) >= 30 else b""
    if kind == b"VP8X":
        return number(24, 27) + 1, number(27, 30) + 1
    if kind == b"VP8L":
        bits = number(21, 25)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return (number(26, 28) & 0x3FFF, number(28, 30) & 0x3FFF) if kind == b"VP8 " else None


def _tiff(data: bytes) -> tuple[int, int] | None:
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    first = number(4, 4)
    found = dict[int, int]()
    for tag in range(min(number(first, 2), MAX_TAGS)):
        at = first + 2 + 12 * tag
        found[number(at, 2)] = number(at + 8, 2 if number(at + 2, 2) == _SHORT else 4)
    return (found[_WIDTH], found[_HEIGHT]) if {_WIDTH, _HEIGHT} <= found.keys() else None


_READERS: Mapping[bytes, Callable[[bytes], tuple[int, int] | None]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8": _jpeg,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
}
