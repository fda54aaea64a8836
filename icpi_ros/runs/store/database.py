"""The SQLite file under the trial store: opening, transactions, and errors in plain words."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from icpi_ros.core.errors import StoreError, StoreUnusable
from icpi_ros.core.files import (
    Planted,
    make_private_folder,
    open_file,
    open_private,
    require_place,
)
from icpi_ros.runs.store.copy import StoreCopy
from icpi_ros.runs.store.rows import APPLICATION_ID, SCHEMA_VERSION, TABLES, UPGRADES

PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR)
"""Reasons why a store cannot be opened now that are no reason to choose another."""
_MAGIC = b"SQLite format 3\0"
_REFUSED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_ELSEWHERE = (
    "; `icpi runs`, `report` and `view` can read it; to write, choose another with --store or "
    "ICPI_STORE"
)
_BESIDE = ("", "-wal", "-shm", "-journal")
"""Endings of the files that SQLite writes."""


class Database:
    """One connection, shared by threads under a lock; every commit is on disk when it returns.

    Args:
        path: the file; made, with its directory, if it is not there.
        timeout: longest wait for another process's write [s].
        reading: nothing will be written: a store that cannot be is read from a copy.

    Raises:
        StoreUnusable: read-only, damaged, made by a newer version, or not a trial store.
        StoreError: locked for too long, or the disk is full.
    """

    def __init__(self, path: Path, timeout: float, reading: bool = False) -> None:
        """Open the file and make the tables if it is new."""
        self.path = path
        self.timeout = timeout
        self._copy: StoreCopy | None = None
        self._copies = 0
        self._connection: sqlite3.Connection
        self._lock = threading.RLock()
        self._opened: os.stat_result | None = None
        try:
            self._open_or_copy(reading)
        except StoreError as exc:
            if _code(exc.__cause__) in PASSING:
                raise
            raise StoreUnusable(str(exc)) from exc.__cause__
        except OSError as exc:  # a folder above it may not be entered
            raise StoreUnusable(
                f"cannot open the trial store in {path}: {exc.strerror or exc}; choose another "
                "with --store or ICPI_STORE"
            ) from exc

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        with self._lock:
            self._connection.close()
            if self._copy:
                self._copy.close()

    @contextlib.contextmanager
    def guard(self, doing: str) -> Iterator[sqlite3.Connection]:
        """Hold the lock and turn errors of SQLite into one clear line."""
        with self._lock:
            self._follow()
            try:
                yield self._connection
            except sqlite3.Error as exc:
                raise self._explain(exc, doing) from exc

    @contextlib.contextmanager
    def transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        """Commit everything inside, or nothing."""
        with self.guard(doing) as db:
            self._require_writable(doing)
            self._require_in_place(doing)
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")  # not begun, or undone by SQLite after a full disk
                raise

    def writes_of_others(self, doing: str) -> int:
        """Return a number that changes when another process has written to the file."""
        with self.guard(doing) as db:  # each copy has a connection of its own, which counts anew
            return int(db.execute("PRAGMA data_version").fetchone()[0]) + (self._copies << 32)

    def _open_or_copy(self, reading: bool) -> None:
        """Open the file, or a copy of one that is only to be read and cannot be written."""
        try:
            self._open(self.path)
        except StoreError as exc:
            kept_out = isinstance(exc.__cause__, Planted) or why_not_writable(self.path)
            if not (reading and kept_out and self._is_readable):
                raise
            self._open_copy()

    def _open_copy(self) -> None:
        try:
            copy = StoreCopy(self.path)
        except OSError as exc:
            raise StoreError(
                f"cannot read {self.path}, which is not to be written, from a copy in the "
                f"temporary folder: {exc.strerror or exc}; TMPDIR names another folder"
            ) from exc
        try:
            self._open(copy.path)
        except BaseException:
            copy.close()
            raise
        self._copy = copy
        self._copies += 1

    @property
    def _is_readable(self) -> bool:
        return self.path.is_file() and os.access(self.path, os.R_OK)

    def _follow(self) -> None:
        """Read a store anew that another process has written since it was copied."""
        if self._copy is None or self._copy.is_current:
            return
        before = self._copy, self._connection
        self._copy = self._opened = None
        try:
            self._open_copy()
        except BaseException:
            self._copy, self._connection = before
            raise
        before[1].close()
        before[0].close()

    def _require_writable(self, doing: str) -> None:
        if self._copy:
            why = why_not_writable(self.path) or "it was opened to be read"
            raise StoreError(f"cannot {doing} in {self.path}: {why}{_ELSEWHERE}")

    def _open(self, path: Path) -> None:
        self._refuse_planted(path)
        self._refuse_other_files()
        if path == self.path and self._is_readable and not os.access(path, os.W_OK):
            # SQLite would only notice at the first trial.
            why = why_not_writable(path)
            raise StoreError(f"cannot open the trial store in {path}: {why}{_ELSEWHERE}")
        self._connection = self._connect(path)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _connect(self, path: Path) -> sqlite3.Connection:
        try:
            make_private_folder(path.parent)
        except OSError as exc:
            raise StoreError(
                f"cannot make the directory {self.path.parent} of the trial store: "
                f"{exc.strerror}; choose another with --store or ICPI_STORE"
            ) from exc
        self._make_private(path)
        try:
            connection = sqlite3.connect(
                path, timeout=self.timeout, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as exc:
            raise self._explain(exc, "open the trial store") from exc
        connection.row_factory = sqlite3.Row
        return connection

    def _refuse_planted(self, path: Path) -> None:
        """Refuse what another user has put in the place of the file, or beside it."""
        try:
            for ending in _BESIDE:
                require_place(path.with_name(path.name + ending))
        except OSError as exc:
            raise StoreError(
                f"cannot open the trial store in {self.path}: {exc.strerror}; choose another with "
                "--store or ICPI_STORE"
            ) from exc

    @staticmethod
    def _make_private(path: Path) -> None:
        """Make a new file for its owner alone: SQLite gives the log beside it the same permissions.

        Where it cannot be made, SQLite tells why.
        """
        if not path.exists():
            with contextlib.suppress(OSError):
                open_private(path, "ab").close()

    def _refuse_other_files(self) -> None:
        """Leave a short file of another kind alone: SQLite would take it for an empty one."""
        why = ""
        try:
            with open_file(self.path) as file:
                if file.read(len(_MAGIC)) not in (b"", _MAGIC):
                    why = "it is not a trial store"
        except OSError as exc:
            why = str(exc.strerror) if exc.errno == errno.EINVAL else ""  # no file at all
        if why:
            raise StoreError(
                f"cannot open the trial store in {self.path}: {why}; choose another with --store"
            )

    def _require_in_place(self, doing: str) -> None:
        """Check that ``path`` is still the opened file: in WAL mode SQLite does not."""
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if self._opened is None:
            self._opened = found
        if found is None or self._opened is None or not os.path.samestat(found, self._opened):
            raise StoreError(
                f"cannot {doing} in {self.path}: the file was moved or deleted while in use; "
                "put it back, or stop the run and resume it from the moved file with --store"
            )

    def _prepare(self) -> None:
        """Set the journal up and make the tables in an empty file."""
        self._enter_wal()
        with self.guard("open the trial store") as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
        with self.transaction("open the trial store") as db:  # also shows a read-only file now
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise StoreError(
                    f"{self.path} was written by a newer icpi_ros (schema {version}, this one "
                    f"reads up to {SCHEMA_VERSION}): upgrade, or choose another with --store"
                )
            if version == 0:
                self._create_tables(db)
            elif version < SCHEMA_VERSION:
                self._upgrade(db, version)

    def _enter_wal(self) -> None:
        """Switch to WAL; two processes that open a new file at once get "locked" at once."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                with self.guard("open the trial store") as db:
                    self._refuse_foreign(db)
                    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                break
            except StoreError as exc:
                if not _is_busy(exc.__cause__) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        if mode != "wal":
            raise StoreError(
                f"the file system of {self.path} has no write-ahead log (network share?): "
                "choose a local one with --store"
            )

    def _refuse_foreign(self, db: sqlite3.Connection) -> None:
        """Leave the data base of another program as it is.

        Tables and application id are committed together: asked for in this order, a file that
        another process fills meanwhile is never taken for a foreign one.
        """
        filled = db.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0] > 0
        if filled and db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{self.path} is not an ICPI trial store: choose another with --store")

    def _create_tables(self, db: sqlite3.Connection) -> None:
        for statement in TABLES.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _upgrade(self, db: sqlite3.Connection, version: int) -> None:
        """Add what later versions have; whoever has an older program open goes on writing."""
        for later in range(version + 1, SCHEMA_VERSION + 1):
            for statement in UPGRADES[later]:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _explain(self, exc: sqlite3.Error, doing: str) -> StoreError:
        code = _code(exc)
        where = f"cannot {doing} in {self.path}"
        reasons = {
            sqlite3.SQLITE_FULL: "the disk is full; free some space, finished trials are safe",
            sqlite3.SQLITE_READONLY: "the file or its directory is read-only (or was moved or "
            "deleted); choose another with --store or ICPI_STORE",
            sqlite3.SQLITE_CANTOPEN: "it is a directory or may not be opened; choose another "
            "with --store or ICPI_STORE",
            sqlite3.SQLITE_PERM: "access denied; choose another with --store or ICPI_STORE",
            sqlite3.SQLITE_BUSY: f"another process has locked it for more than {self.timeout:g} s; "
            "wait for it or stop it",
            sqlite3.SQLITE_NOTADB: "it is not a trial store; choose another with --store",
            sqlite3.SQLITE_CORRUPT: "the file is damaged; move it away, what can be read of it is "
            "saved by `sqlite3 FILE .recover`",
            sqlite3.SQLITE_IOERR: f"{exc}; is the disk full or gone?",
        }
        if code in _REFUSED and (why := why_not_writable(self.path)):
            if self._is_readable:
                return StoreError(f"{where}: {why}{_ELSEWHERE}")
            if self.path.is_file():
                owner = self.path.stat()
                return StoreError(
                    f"{where}: it may not be opened by this user (it belongs to user "
                    f"{owner.st_uid}, with permissions {owner.st_mode & 0o7777:o}): chmod or chown "
                    "it, or choose another with --store or ICPI_STORE"
                )
            if not self.path.exists():
                return StoreError(f"{where}: {why}; choose another with --store or ICPI_STORE")
        return StoreError(f"{where}: {reasons.get(code, str(exc))}")


def why_not_writable(path: Path) -> str:
    """Return why a store cannot be written or made; "" = it can, as far as can be seen."""
    there = path if path.exists() else path.parent
    if os.access(there, os.W_OK) and os.access(path.parent, os.W_OK):
        return ""
    with contextlib.suppress(OSError):
        if os.statvfs(there).f_flag & os.ST_RDONLY:
            return "its file system is read-only"
    what = "the file" if os.access(path.parent, os.W_OK) else f"its directory {path.parent}"
    return f"{what} is read-only for this user"


def _code(exc: BaseException | None) -> int:
    """Return the primary result code of SQLite, 255 if there is none."""
    return int(getattr(exc, "sqlite_errorcode", -1)) & 0xFF


def _is_busy(exc: BaseException | None) -> bool:
    return _code(exc) == sqlite3.SQLITE_BUSY
