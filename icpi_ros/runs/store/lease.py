"""At most one process writes a run: a file lock that the kernel drops when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from icpi_ros.core.errors import StoreError


class RunInUse(StoreError):
    """Another process (or another store object of this one) is writing the run."""


class Lease:
    """Exclusive right to write one run, held until :meth:`release` or the end of the process.

    A lock in the data base would outlive ``kill -9``; ``flock`` does not.
    """

    def __init__(self, store: Path, run_id: str) -> None:
        """Take the lease at once.

        Raises:
            RunInUse: another process holds it; the message names it.
            StoreError: the lock file cannot be made.
        """
        self.path = store.with_name(f"{store.name}-lease-{run_id}")
        try:
            self._fd = self._acquire(run_id)
        except OSError as exc:
            raise StoreError(f"cannot lock run {run_id} with {self.path}: {exc.strerror}") from exc

    def release(self) -> None:
        """Give the lease back; releasing twice is allowed."""
        if self._fd is None:
            return
        with contextlib.suppress(OSError):
            self.path.unlink()  # still locked: no other process can hold this file
        os.close(self._fd)
        self._fd = None

    def _acquire(self, run_id: str) -> int | None:
        for _ in range(100):
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(fd, 32).decode(errors="replace").strip() or "?"
                os.close(fd)
                raise RunInUse(
                    f"run {run_id} is being written by process {holder}: "
                    "wait until it ends or stop it, then resume the run"
                ) from None
            except OSError:
                os.close(fd)
                raise
            if self._is_current(fd):
                os.ftruncate(fd, 0)
                with contextlib.suppress(OSError):  # the pid is a courtesy
                    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                return fd
            os.close(fd)  # its last holder unlinked it in between: take the new file
        raise RunInUse(f"run {run_id} is taken and released by other processes all the time")

    def _is_current(self, fd: int) -> bool:
        """Return whether ``path`` still names the file that was locked."""
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False
