"""Files that are whole or not there at all, even after a crash in the middle of writing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place, durably, if all goes well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def check_folder_writable(path: Path) -> None:
    """Check that files can be written into a folder, or that it can be made; nothing is left.

    Raises:
        OSError: they cannot: permissions alone do not tell (root, /proc, a read-only disk).
    """
    there = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    with TemporaryDirectory(dir=there, prefix=".icpi-"):
        pass


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
