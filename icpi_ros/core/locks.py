"""Locks of files between processes; the kernel drops them whatever way their holder ends.

Plain ``flock`` and not the package ``filelock``: its lock names no holder and leaves its file, and
the one for many readers is a data base of its own, not a lock of the file that they read.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path


class LockTaken(Exception):
    """Another process, or another :class:`FileLock` of this one, holds the lock.

    Attributes:
        holder: process id; None where it is not known.
    """

    def __init__(self, holder: int | None) -> None:
        """Keep the holder."""
        super().__init__(f"held by process {holder or 'unknown'}")
        self.holder = holder


class FileLock:
    """Exclusive lock held until :meth:`release` or the end of the process; its file has the pid.

    Args:
        path: of the lock file, made if it is not there.

    Raises:
        LockTaken: somebody else holds it.
        OSError: the file cannot be made or locked.
    """

    def __init__(self, path: Path) -> None:
        """Take it at once."""
        self.path = path
        self._fd: int | None = self._acquire()

    def release(self, remove: bool = False) -> None:
        """Give it back, and remove its file if asked; releasing twice is allowed."""
        if self._fd is None:
            return
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()  # still locked: nobody else can hold this file
        os.close(self._fd)
        self._fd = None

    def _acquire(self) -> int:
        for _ in range(100):
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(fd, 32).strip()
                os.close(fd)
                raise LockTaken(int(holder) if holder.isdigit() else None) from None
            except OSError:
                os.close(fd)
                raise
            if self._is_current(fd):
                with contextlib.suppress(OSError):  # the pid is a courtesy
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                return fd
            os.close(fd)  # its last holder unlinked it in between: take the new file
        raise OSError(errno.EBUSY, "other processes take and release it all the time")

    def _is_current(self, fd: int) -> bool:
        """Tell whether ``path`` still names the file that was locked."""
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False


def lock_until_closed(descriptor: int, shared: bool = False) -> None:
    """Wait for the lock of an open file, which closing it gives back.

    Args:
        descriptor: of the file.
        shared: with all others who ask for it shared.

    Raises:
        OSError: the file system has no locks.
    """
    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
