"""The header of a GGUF file: what the model is, and whether the file is whole.

Format: llama.cpp's specification of GGUF, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import open_file
from icpi_ros.core.text import printable

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_ENTRIES = 1_000_000
"""Most entries of metadata, and most tensors."""
MAX_DEPTH = 3
"""Depth of arrays in arrays."""
ALIGNMENT = 32
"""Boundary at which tensors begin, unless the file says otherwise [bytes]."""
_TEXT, _ARRAY = 8, 9
_FORMS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
"""Formats of numbers, as :mod:`struct` has them, by GGUF's number of their type."""
HALF = 2
"""Bytes of a number of the cache of keys and values."""


class WeightsUnusable(UsageError):
    """A file or package that does not hold weights that can be served."""


@dataclass(frozen=True)
class Header:
    """Facts of a GGUF file.

    Attributes:
        path: of the file.
        name: of the model as its makers gave it; "" = none.
        architecture: family of the network.
        license: as the file names it; "" = none.
        context: tokens of context in training; 0 = not known.
        token_bytes: memory for keys and values of a token of context; 0 = not known.
    """

    path: Path
    name: str
    architecture: str
    license: str
    context: int
    token_bytes: int

    @classmethod
    def read(cls, path: Path) -> Header:
        """Read the header of a file.

        Raises:
            WeightsUnusable: it is no GGUF file, or it is cut off; the message is one line.
        """
        try:
            with open_file(path) as file:
                if file.read(len(MAGIC)) != MAGIC:
                    raise WeightsUnusable(f"{path} is not a GGUF file: it does not begin with GGUF")
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    return cls._of(path, _Reader(content))
        except OSError as exc:
            raise WeightsUnusable(f"cannot read {path}: {exc.strerror}") from None
        except (struct.error, IndexError, OverflowError):
            raise _cut_off(path) from None
        except (ValueError, UnicodeDecodeError) as exc:
            raise WeightsUnusable(f"{path} is not a valid GGUF file: {exc}") from None

    @classmethod
    def _of(cls, path: Path, reader: _Reader) -> Header:
        tensors, facts = reader.metadata()
        starts = list(reader.tensor_starts(tensors))
        alignment = _number(facts.get("general.alignment")) or ALIGNMENT
        begin = -(-reader.at // alignment) * alignment
        if begin + max(starts, default=0) >= len(reader.content):
            raise _cut_off(path)
        family = str(facts.get("general.architecture", "unknown"))
        return cls(
            path=path,
            name=printable(str(facts.get("general.name", ""))),
            architecture=printable(family),
            license=printable(str(facts.get("general.license", ""))),
            context=_number(facts.get(f"{family}.context_length")),
            token_bytes=_token_bytes(facts, family),
        )


def _cut_off(path: Path) -> WeightsUnusable:
    return WeightsUnusable(f"{path} is cut off: copy or download it again")


def _number(value: Any) -> int:
    """Return a number, the largest of a list of numbers, or 0."""
    numbers = value if isinstance(value, list) else [value]
    return max((int(n) for n in numbers if isinstance(n, int | float)), default=0)


def _token_bytes(facts: dict[str, Any], family: str) -> int:
    """Return the memory that a token of context takes in the cache of keys and values."""

    def fact(name: str) -> int:
        return _number(facts.get(f"{family}.{name}"))

    heads = fact("attention.head_count")
    groups = fact("attention.head_count_kv") or heads
    width = fact("embedding_length") // heads if heads else 0
    key = fact("attention.key_length") or width
    value = fact("attention.value_length") or width
    return fact("block_count") * groups * (key + value) * HALF


class _Reader:
    """Reader of the bytes of a header, one after the other.

    Attributes:
        content: of the file.
        at: place of the next byte.
    """

    def __init__(self, content: mmap.mmap) -> None:
        self.content, self.at = content, len(MAGIC)

    def metadata(self) -> tuple[int, dict[str, Any]]:
        """Return the number of tensors and all entries; long lists only as far as they matter.

        Raises:
            ValueError: a version or a number that cannot be.
            struct.error: the end of the file.
        """
        version, tensors, entries = self._take("IQQ")
        if version not in VERSIONS:
            raise ValueError(f"version {version}, known are {' and '.join(map(str, VERSIONS))}")
        if max(tensors, entries) > MAX_ENTRIES:
            raise ValueError(f"{tensors} tensors and {entries} entries: at most {MAX_ENTRIES}")
        return tensors, dict(self._entry() for _ in range(entries))

    def tensor_starts(self, count: int) -> Iterator[int]:
        """Yield the place of each tensor behind the header [bytes]."""
        for _ in range(count):
            self._skip_text()
            (dimensions,) = self._take("I")
            self.at += 8 * dimensions + 4
            (start,) = self._take("Q")
            yield start

    def _entry(self) -> tuple[str, Any]:
        name = self._text()
        (kind,) = self._take("I")
        return name, self._value(kind, MAX_DEPTH)

    def _value(self, kind: int, depth: int) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind == _ARRAY:
            return self._array(depth)
        if kind not in _FORMS:
            raise ValueError(f"metadata of unknown type {kind}")
        return self._take(_FORMS[kind])[0]

    def _array(self, depth: int) -> list[Any] | None:
        """Return the numbers of a short list; what is longer or holds texts is passed over."""
        kind, count = self._take("IQ")
        if depth == 0 or count > len(self.content):
            raise ValueError("a list that cannot be")
        if kind in _FORMS:
            form = f"{count}{_FORMS[kind]}"
            if count > MAX_LAYERS:
                self.at += struct.calcsize(f"<{form}")
                return None
            return list(self._take(form))
        for _ in range(count):
            if kind == _TEXT:
                self._skip_text()
            else:
                self._value(kind, depth - 1)
        return None

    def _text(self) -> str:
        (length,) = self._take("Q")
        if self.at + length > len(self.content):
            raise IndexError
        self.at += length
        return self.content[self.at - length : self.at].decode("utf-8")

    def _skip_text(self) -> None:
        (length,) = _LENGTH.unpack_from(self.content, self.at)
        self.at += 8 + length

    def _take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self.content, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found


_LENGTH = struct.Struct("<Q")
MAX_LAYERS = 1024
"""Longest list of numbers that is read: one per layer."""
