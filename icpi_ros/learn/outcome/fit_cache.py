"""Fits of the outcome model on disk, so that a data set is fitted once per machine.

A fit takes seconds, and every run, worker and command would do it again.  What is stored is the
vector that the optimiser found, under a hash of all that it depends on: the rows, the source of
the fit, the versions of numpy and scipy.  A file that is missing, damaged or of another shape
counts as none, and a folder that cannot be written costs the time of a fit, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from icpi_ros.core.files import replacing
from icpi_ros.core.types import Array

FOLDER = "ICPI_CACHE"
"""Environment variable with the folder; else the user's cache (XDG base directory specification:
a relative ``XDG_CACHE_HOME`` does not count)."""
MAX_FILES = 512
"""Fits that are kept, 3 kB each; the oldest go."""


def folder() -> Path:
    """Return the folder of stored fits; it need not exist.

    Raises:
        RuntimeError: this user has no home, and no folder is named.
    """
    if chosen := os.environ.get(FOLDER):
        return Path(chosen) / "fits"
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "icpi" / "fits"


def stored(key: str, size: int, compute: Callable[[], Array]) -> Array:
    """Return the vector ``(size,)`` under ``key``, computed and stored if there is none."""
    try:
        path = folder() / f"{key}.npy"
    except RuntimeError:
        return compute()
    with contextlib.suppress(OSError, ValueError, EOFError, MemoryError), path.open("rb") as file:
        found = np.lib.format.read_array(file, allow_pickle=False)
        if found.shape == (size,) and found.dtype == np.float64 and np.isfinite(found).all():
            return np.asarray(found, dtype=np.float64)
    values = compute()
    with contextlib.suppress(OSError):
        _write(path, values)
    return values


def key_of(arrays: Sequence[np.ndarray], *texts: str) -> str:
    """Return a hash of contents, types and shapes of ``arrays`` and of ``texts``."""
    total = hashlib.sha256("\0".join(texts).encode())
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _write(path: Path, values: Array) -> None:
    """Write a fit; drop the oldest where there are too many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft, draft.open("wb") as file:
        np.lib.format.write_array(file, values, allow_pickle=False)
    kept = sorted(path.parent.glob("*.npy"), key=lambda file: file.stat().st_mtime)
    for old in kept[:-MAX_FILES]:
        old.unlink(missing_ok=True)
