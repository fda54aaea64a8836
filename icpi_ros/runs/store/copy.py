"""A store that cannot or must not be written where it is, in a temporary folder, to read it.

SQLite has to write beside a file with a write-ahead log in order to read it.  Its flag
``immutable`` would spare that, and would miss what is in the log, and what another machine writes
meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from icpi_ros.core.files import open_file

_BESIDE = ("-wal", "-journal")
"""What SQLite keeps beside a file and needs in order to read it."""
_LOG_HEADER = 32
_TRIES = 20


@dataclass(frozen=True)
class _Stamp:
    """State of a file by which a change is seen; a log that begins anew has another header."""

    inode: int = 0
    size: int = -1
    modified: int = 0
    start: bytes = b""

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        with contextlib.suppress(FileNotFoundError), open_file(path) as file:
            found = os.fstat(file.fileno())
            start = file.read(_LOG_HEADER)
            return cls(found.st_ino, found.st_size, found.st_mtime_ns, start)
        return cls()


class StoreCopy:
    """Copy of a store as it was at one moment, log included.

    Attributes:
        path: of the copy.

    Raises:
        OSError: it cannot be read, there is no room for the copy, or it is written all the time.
    """

    def __init__(self, store: Path) -> None:
        """Copy it at once."""
        self._store = store
        self._folder = TemporaryDirectory(prefix="icpi-store-")
        self.path = Path(self._folder.name) / "trials.sqlite"
        try:
            self._stamps = self._copied()
        except BaseException:
            self.close()
            raise

    @property
    def is_current(self) -> bool:
        """Return whether the store is as it was when it was copied."""
        return self._stamps == self._now()

    def close(self) -> None:
        """Remove the copy."""
        self._folder.cleanup()

    def _copied(self) -> list[_Stamp]:
        """Copy until nothing has changed meanwhile but the end of the log, which has checksums."""
        for _ in range(_TRIES):
            before = self._now()
            if before[0] == _Stamp():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._store))
            room = shutil.disk_usage(self.path.parent).free
            if 2 * sum(max(0, stamp.size) for stamp in before) > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path.parent))
            shutil.copyfile(self._store, self.path)
            for end in _BESIDE:
                copy = Path(f"{self.path}{end}")
                copy.unlink(missing_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{self._store}{end}", copy)
            after = self._now()
            if after[0] == before[0] and [s.start for s in after] == [s.start for s in before]:
                return before
        raise OSError("another process writes it all the time")

    def _now(self) -> list[_Stamp]:
        return [_Stamp.of(Path(f"{self._store}{end}")) for end in ("", *_BESIDE)]
