"""Rows of all stored runs, read again when another process has written, with what is new."""

from __future__ import annotations

import os
import threading
import time
from itertools import takewhile
from pathlib import Path

from icpi_ros.core.errors import IcpiError, StoreError
from icpi_ros.core.redact import Json
from icpi_ros.core.text import error_line
from icpi_ros.runs.store.overview import RunOverview
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.view.stored.rows import UNDER_WAY, Row, clean, row_of, settings_of, shown

LOOK_EVERY = 0.5
"""Least time from one look at the store to the next [s], however many pages ask."""
MAX_SHARE = 0.1
"""Largest share of the time that is spent on looks: those at a large store are further apart."""
FIRST_ROWS, MAX_ROWS = 500, 2500
"""Most runs that are read, and rows that are sent, at once: first, and then; the newest begin
where a store is read for the first time."""
STORE_TIMEOUT = 2.0
"""Longest wait for another process's write [s]."""


class RunListing:
    """Rows of a store's runs; each is numbered as it came, and again when it has changed.

    Callable from several threads.  The store need not be there yet, and may go and come back.

    Args:
        path: of the store; it is never made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = threading.Lock()
        self._store: TrialStore | None = None
        self._file: os.stat_result | None = None
        self._seen = -1
        self._next = 0.0
        self._version = 0
        self._marks: dict[str, int] = {}  # of the runs that were read
        self._unread: dict[str, int] = {}  # the same of those that come next
        self._rows: dict[str, tuple[int, Row]] = {}  # in the order of their numbers
        self._gone: dict[str, int] = {}
        self._trouble = ""

    def close(self) -> None:
        """Close the store; a later look opens it again."""
        with self._lock:
            self._close()

    def news(self, since: int) -> Row:
        """Return the first rows that changed after a version, of all of them after version 0.

        ``version`` is that of the last one, ``left`` how many come after it.  ``trouble`` is one
        line where the store cannot be read: the rows are those from before.
        """
        with self._lock:
            self._look()
            every = not 0 < since <= self._version
            after = 0 if every else since
            changed = list(takewhile(lambda row: row[0] > after, reversed(self._rows.values())))
            sent = changed[-(FIRST_ROWS if every else MAX_ROWS) :][::-1]
            left = len(changed) - len(sent)
            gone: list[Json] = [run for run, number in self._gone.items() if number > after]
            return {
                "version": sent[-1][0] if left else self._version,
                "whole": every,
                "runs": [row for _, row in sent],
                "left": left + len(self._unread),
                "gone": [] if every else gone,
                "store": shown(str(self.path)),
                "there": self._store is not None,
                "trouble": shown(self._trouble),
            }

    def settings(self, run_id: str) -> Row:
        """Return all settings of a run as texts.

        Raises:
            UnknownRun: it is not stored.
            StoreError: it cannot be read.
        """
        with self._lock:
            if self._store is None:
                raise StoreError(f"there is no trial store at {self.path}")
            return settings_of(self._store.run(run_id))

    def _look(self) -> None:
        begun = time.monotonic()
        if begun < self._next and not self._unread:
            return
        try:
            self._open()
            self._find()
            self._read()
            self._trouble = ""
        except Exception as exc:  # a file of another hand may hold anything
            self._close()
            self._trouble = str(exc) if isinstance(exc, IcpiError) else error_line(exc)
        ended = time.monotonic()
        self._next = ended + max(LOOK_EVERY, (ended - begun) / MAX_SHARE)

    def _open(self) -> None:
        """Open the store if it is there; the file may be another than before."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._close()
            return
        if self._store is not None and (
            self._file is None or not os.path.samestat(found, self._file)
        ):
            self._close()
        if self._store is None:
            self._store = TrialStore(self.path, STORE_TIMEOUT, reading=True)
            self._file = self.path.stat()

    def _find(self) -> None:
        """Find what is to be read: new and changed runs, and those that are no longer written."""
        store = self._store
        if store is None:
            self._forget(set(self._rows))
            return
        writes = store.writes_of_others()
        if writes != self._seen:
            marks = store.marks()
            self._forget(self._rows.keys() - marks.keys())
            self._unread = {n: mark for n, mark in marks.items() if self._marks.get(n) != mark}
            self._seen = writes
        for run_id, (_, row) in self._rows.items():
            if row["state"] not in (UNDER_WAY, "open") or run_id in self._unread:
                continue
            if (row["state"] == UNDER_WAY) != (store.writer(run_id) is not None):
                self._unread[run_id] = self._marks[run_id]  # a killed process leaves no word

    def _read(self) -> None:
        """Read the next runs and number those that are new or changed."""
        ids = list(self._unread)[: MAX_ROWS if self._rows else FIRST_ROWS]
        if self._store is None or not ids:
            return
        found = self._store.overviews(ids)
        rows = [row_of(run, self._is_written(run_id, run)) for run_id, run in found.items()]
        for run_id, row in zip(found, clean(rows), strict=True):
            self._marks[run_id] = self._unread[run_id]
            if run_id not in self._rows or self._rows[run_id][1] != row:
                self._rows.pop(run_id, None)
                self._version += 1
                self._rows[run_id] = self._version, row
                self._gone.pop(str(row["id"]), None)
        for run_id in ids:
            del self._unread[run_id]

    def _is_written(self, run_id: str, run: RunOverview) -> bool:
        store = self._store
        return run.record.state == "open" and store is not None and bool(store.writer(run_id))

    def _forget(self, run_ids: set[str]) -> None:
        """Number runs that are gone."""
        for run_id in run_ids:
            self._version += 1
            self._gone[str(self._rows.pop(run_id)[1]["id"])] = self._version
            self._marks.pop(run_id, None)

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store, self._file, self._seen = None, None, -1
        self._marks, self._unread = {}, {}
