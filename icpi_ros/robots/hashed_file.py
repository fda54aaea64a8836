"""A file whose content decides how an arm moves, by its path and the hash of what was read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

DIGITS = 12
"""Hexadecimal digits of a hash that are shown."""


@dataclass(frozen=True)
class HashedFile:
    """A file as it was when it was read.

    Attributes:
        path: of the file.
        sha256: of its bytes, 64 hexadecimal digits.
    """

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path, content: bytes) -> HashedFile:
        """Return the file at ``path`` with the hash of ``content``, its bytes."""
        return cls(path, hashlib.sha256(content).hexdigest())

    def __str__(self) -> str:
        """Return the path, absolute, and the first digits of the hash."""
        return f"{self.path.absolute()} (sha256 {self.sha256[:DIGITS]})"
