"""Files that are whole or not there at all, or one user's alone; bounded reads; locks; hashes.

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
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, cast

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
def replacing(path: Path, private: bool = False) -> Iterator[Path]:
    """Give a temporary file beside ``path`` that takes its place, durably, if all goes well.

    Args:
        path: of the file; one that is there keeps its permissions.  A device, a pipe and an open
            file under /dev or /proc stay what they are, and get the content.
        private: a new one is for this user alone.
    """
    require_place(path)
    if _is_stream(path):
        with TemporaryDirectory(prefix="icpi-") as folder:
            yield Path(folder) / path.name
            _pass_on(Path(folder) / path.name, path)
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    _create(temporary, path, PRIVATE if private else 0o666)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    """Tell whether a path names what must not be replaced by a file, as root could: /dev/null."""
    above = path.absolute().parent.resolve()
    is_open = above == Path("/dev") or above.parts[:2] == ("/", "proc")
    return path.exists() and (is_open or not path.is_file())


def _pass_on(file: Path, stream: Path) -> None:
    """Give a file's content to a stream; what is printed there, too, comes after it."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    if _is_stdout(stream):
        fd = os.dup(1)
    else:
        fd = os.open(stream, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC)
    with file.open("rb") as content, os.fdopen(fd, "wb") as out:
        shutil.copyfileobj(content, out)


def _is_stdout(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False  # it is closed


def _create(temporary: Path, path: Path, mode: int) -> None:
    """Make an empty file where there is none, with the permissions of ``path`` if that is there."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, mode)
    try:
        with contextlib.suppress(FileNotFoundError):
            there = path.lstat()
            if stat.S_ISREG(there.st_mode) and there.st_uid == os.geteuid():
                os.fchmod(fd, stat.S_IMODE(there.st_mode))
    finally:
        os.close(fd)


def check_folder_writable(path: Path) -> None:
    """Check that files can be written into a folder, or that it can be made; nothing is left.

    Raises:
        OSError: they cannot: permissions alone do not decide (root, /proc, a read-only disk).
    """
    require_place(path)
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
        OSError: the file cannot be made or locked, is a link or another user's.
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
            require_place(self.path)
            fd = os.open(self.path, _OPEN_LOCK, PRIVATE)
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


_OPEN_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


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


PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
"""Permissions of what holds runs, prompts and replies: this user's alone, whatever the umask."""


class Planted(OSError):
    """File, folder or link of another user where this one's own should be."""

    def __init__(self, path: Path, uid: int, why: str) -> None:
        super().__init__(errno.EPERM, f"{path} belongs to user {uid}{why}", str(path))


def require_place(path: Path) -> None:
    """Check that no other user has put what is on the way to ``path`` where all may put things.

    Into a folder as /tmp anyone can put a link, a file or a folder under a name that is about to be
    used.  What belongs to this user, to root or to the owner of the folder is no such thing.

    Raises:
        Planted: another user has.
    """
    path = path.absolute()
    for one in (path, *path.parents[:-1]):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            _require_trusted(one, one.lstat(), one.parent.stat())


def _require_trusted(path: Path, there: os.stat_result, above: os.stat_result) -> None:
    trusted = there.st_uid in (os.geteuid(), 0, above.st_uid)
    if above.st_mode & stat.S_IWOTH and not trusted:
        raise Planted(path, there.st_uid, f", and all may write into {path.parent}")


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it that are not there, for this user alone.

    Raises:
        OSError: it cannot be made, or what is on the way is another user's.
    """
    require_place(path)
    for one in reversed((path, *path.parents)):
        if not one.is_dir():
            one.mkdir(PRIVATE_FOLDER, exist_ok=True)


def own_folder(path: Path) -> Path:
    """Return a folder that this user alone has, made if it is not there.

    Raises:
        OSError: it cannot be made, is a link or another user's.
    """
    make_private_folder(path)
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"{path} is a link", str(path))
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        there = os.fstat(fd)
        if there.st_uid != os.geteuid():
            raise Planted(path, there.st_uid, "")
        if stat.S_IMODE(there.st_mode) != PRIVATE_FOLDER:
            os.fchmod(fd, PRIVATE_FOLDER)
    finally:
        os.close(fd)
    return path


def open_private(path: Path, mode: str, buffering: int = -1) -> BinaryIO:
    """Open a file to be written, made for this user alone if it is not there.

    Args:
        path: of the file; one that is there keeps its permissions.
        mode: ``wb``, ``ab`` or ``a+b``.
        buffering: as :func:`open` takes it.

    Raises:
        OSError: it cannot be opened, or what is on the way is another user's.
    """
    require_place(path)
    return cast(BinaryIO, open(path, mode, buffering, opener=_open_private))


def _open_private(name: str, flags: int) -> int:
    """Open a file by the rules of :func:`open_private`; it is emptied only if it may be used."""
    path = Path(name).absolute()
    above = path.parent.stat()
    links = os.O_NOFOLLOW if above.st_mode & stat.S_IWOTH else 0
    try:
        fd = os.open(path, (flags & ~os.O_TRUNC) | links, PRIVATE)
    except OSError as exc:
        if exc.errno == errno.ELOOP and links:
            why = "it is a link where all may write: name the file itself"
            raise OSError(errno.ELOOP, why, name) from None
        raise
    try:
        there = os.fstat(fd)
        _require_trusted(path, there, above)
        if flags & os.O_TRUNC and stat.S_ISREG(there.st_mode):
            os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd
