"""At most one process writes a run: a file lock that the kernel drops when its holder dies."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from icpi_ros.core.errors import StoreError
from icpi_ros.core.files import FileLock, LockTaken


class RunInUse(StoreError):
    """Another process (or another store object of this one) is writing the run."""


class Lease:
    """Exclusive right to write one run, held until :meth:`release` or the end of the process.

    A lock in the data base would outlive ``kill -9``; that of a file does not.
    """

    def __init__(self, store: Path, run_id: str) -> None:
        """Take the lease at once.

        Raises:
            RunInUse: another process holds it; the message names it.
            StoreError: the lock file cannot be made.
        """
        self.path = _path(store, run_id)
        try:
            self._lock = FileLock(self.path)
        except LockTaken as taken:
            raise RunInUse(
                f"run {run_id} is being written by process {taken.holder or '?'}: "
                "wait until it ends or stop it, then resume the run"
            ) from None
        except OSError as exc:
            raise StoreError(f"cannot lock run {run_id} with {self.path}: {exc.strerror}") from exc
        with contextlib.suppress(OSError):  # who may read the store may see who writes it
            self._share(stat.S_IMODE(store.stat().st_mode) & 0o666)

    def _share(self, mode: int) -> None:
        """Give the file of the lease permissions, as SQLite gives its log those of the store."""
        fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(fd, mode)
        finally:
            os.close(fd)

    def release(self) -> None:
        """Give the lease back and remove its file; releasing twice is allowed."""
        self._lock.release(remove=True)


def lease_holder(store: Path, run_id: str) -> int | None:
    """Return the living process whose id is in the file of a lease; None = there is none.

    The lock is not tried: to try it is to hold it for a moment, which a run that begins then would
    take for another writer.
    """
    with contextlib.suppress(OSError, ValueError):
        pid = int(_path(store, run_id).read_text(encoding="ascii"))
        if pid > 0 and _is_alive(pid):
            return pid
    return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # of another user
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _path(store: Path, run_id: str) -> Path:
    return store.with_name(f"{store.name}-lease-{run_id}")
