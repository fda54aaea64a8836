"""Files that are whole or not there at all, bounded reads, locks between processes, hashes.

The kernel drops a lock whatever way its holder ends.  Plain ``flock`` and not the package
``filelock``: its lock names no holder and leaves its file, and the one for many readers is a data
base of its own, not a lock of the file that they read.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

CACHE = "ICPI_CACHE"
"""Environment variable with the folder of caches; else the user's (XDG base directory
specification: a relative ``XDG_CACHE_HOME`` does not count)."""
HASH_DIGITS = 12
"""Hexadecimal digits of a hash that are shown."""


def cache_folder(kind: str) -> Path:
    """Return the folder of one kind of what can be made again; it need not exist.

    Raises:
        RuntimeError: this user has no home, and no folder is named.
    """
    if chosen := os.environ.get(CACHE):
        return Path(chosen) / kind
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "icpi" / kind


_KINDS = {
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFSOCK: "it is a socket",
}


def require_regular(path: Path) -> None:
    """Check that what a user names is a file with an end, without opening it.

    A pipe or a device may never answer, and some devices act on being opened.

    Raises:
        OSError: it is not there, or is a folder, a device, a pipe, a socket or a part of /proc.
    """
    _check_kind(os.stat(path), path)


def open_file(path: Path) -> BinaryIO:
    """Open a file that a user names for reading; it never waits.

    Raises:
        OSError: as :func:`require_regular`, or it may not be read.
    """
    require_regular(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _check_kind(os.fstat(fd), path)  # it may be another one by now
        return os.fdopen(fd, "rb")
    except BaseException:
        os.close(fd)
        raise


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file that a user names.

    Raises:
        OSError: as :func:`open_file`, or it has more than ``max_bytes`` bytes (``EFBIG``).
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(max_bytes + 1) if size <= max_bytes else b""
    if max(size, len(content)) > max_bytes:
        raise OSError(errno.EFBIG, f"it has more than {max_bytes} bytes", str(path))
    return content


def _check_kind(found: os.stat_result, path: Path) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    why = _KINDS.get(kind, "")
    if not why and found.st_dev in _kernel_devices():
        why = "it is a window into the kernel"
    if why:
        raise OSError(errno.EINVAL, f"{why}, not a file", str(path))


@functools.cache
def _kernel_devices() -> frozenset[int]:
    """Return the device numbers of /proc and /sys, whose files may have no end."""
    found = {os.stat(place).st_dev for place in ("/proc", "/sys") if os.path.exists(place)}
    return frozenset(found - {os.stat("/").st_dev})


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
        OSError: they cannot: permissions alone do not decide (root, /proc, a read-only disk).
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


class LockTaken(Exception):
    """Another process, or another :class:`FileLock` of this one, holds the lock.

    Attributes:
        holder: process id; None where it is not known.
    """

    def __init__(self, holder: int | None) -> None:
        super().__init__(f"held by process {holder or 'unknown'}")
        self.holder = holder


class FileLock:
    """Exclusive lock held until :meth:`release` or the end of the process; its file has the pid.

    Args:
        path: of the lock file, made if it is not there.

    Raises:
        LockTaken: another holder has it.
        OSError: the file cannot be made or locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = self._acquire()

    def release(self, remove: bool = False) -> None:
        """Give it back, and remove its file if asked; releasing twice is allowed."""
        if self._fd is None:
            return
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()  # still locked: no other process can hold this file
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
        """Return whether ``path`` still names the file that was locked."""
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False


def lock_until_closed(descriptor: int, shared: bool = False) -> None:
    """Wait for the lock of an open file, alone or ``shared``; closing the file gives it back.

    Raises:
        OSError: the file system has no locks.
    """
    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


@dataclass(frozen=True)
class HashedFile:
    """File whose content decides how an arm moves, as it was when it was read.

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
        return f"{self.path.absolute()} (sha256 {self.sha256[:HASH_DIGITS]})"
