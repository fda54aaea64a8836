"""Fits that are kept: those of the shipped data sets in the package, others once per machine.

A fit is a vector that an optimiser found, in seconds, under a hash of all that it depends on.
L-BFGS stops short of the optimum of a flat likelihood, at another place on another kind of
processor; the fit of a shipped set is therefore shipped with it and is the same everywhere.
A file that is missing, damaged or of another shape counts as none, and a folder that cannot be
written costs the time of a fit, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from icpi_ros.core.files import cache_folder, make_private_folder, replacing, require_place
from icpi_ros.core.types import Array

SHIPPED = Path(__file__).parent / "shipped_fits"
"""Folder of the shipped fits, one file each, named by its key; written by
``python -m icpi_ros.learn.outcome.ship_fits``."""

MAX_FILES = 512
"""Fits that are kept, 3 kB each; the oldest go."""


def folder() -> Path:
    """Return the folder of stored fits; it need not exist.

    Raises:
        RuntimeError: this user has no home, and no folder is named.
    """
    return cache_folder("fits")


def fetch(name: str, key: str, size: int, compute: Callable[[], Array]) -> Array:
    """Return the vector ``(size,)`` of a fit: shipped, else stored on this machine, else computed.

    Args:
        name: of the fit that comes with the package, if there is one; empty = none does.
        key: of one that this machine may have stored.
        size: of the vector.
        compute: searches it.
    """
    found = read(SHIPPED / f"{name}.npy", size) if name else None
    return stored(key, size, compute) if found is None else found


Fetch = Callable[[str, str, int, Callable[[], Array]], Array]
"""What :func:`fetch` does, or another way to find a fit."""


def stored(key: str, size: int, compute: Callable[[], Array]) -> Array:
    """Return the vector ``(size,)`` under ``key``, computed and stored if there is none."""
    try:
        path = folder() / f"{key}.npy"
    except RuntimeError:
        return compute()
    found = read(path, size)
    if found is not None:
        return found
    values = compute()
    with contextlib.suppress(OSError):
        _write(path, values)
    return values


def read(path: Path, size: int) -> Array | None:
    """Return the vector ``(size,)`` in a file; None = there is none, or another one."""
    with contextlib.suppress(OSError, ValueError, EOFError, MemoryError), _opened(path) as file:
        found = np.lib.format.read_array(file, allow_pickle=False)
        if found.shape == (size,) and found.dtype == np.float64 and np.isfinite(found).all():
            return np.asarray(found, dtype=np.float64)
    return None


def _opened(path: Path) -> BinaryIO:
    require_place(path)
    return path.open("rb")


def key_of(arrays: Sequence[np.ndarray], *texts: str) -> str:
    """Return a hash of contents, types and shapes of ``arrays`` and of ``texts``."""
    total = hashlib.sha256("\0".join(texts).encode())
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _write(path: Path, values: Array) -> None:
    """Write a fit; drop the oldest where there are too many."""
    make_private_folder(path.parent)
    keep(path, values)
    kept = sorted(path.parent.glob("*.npy"), key=lambda file: file.stat().st_mtime)
    for old in kept[:-MAX_FILES]:
        old.unlink(missing_ok=True)


def keep(path: Path, values: Array) -> None:
    """Write a fit to a file, whole or not at all."""
    with replacing(path) as draft, draft.open("wb") as file:
        np.lib.format.write_array(file, values, allow_pickle=False)
