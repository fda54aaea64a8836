"""Rows of all stored runs, read again when another process has written, with what is new."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from icpi_ros.core.errors import IcpiError, StoreError
from icpi_ros.core.redact import Json
from icpi_ros.core.text import error_line
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.view.stored.rows import UNDER_WAY, Row, clean, row_of, settings_of, shown

LOOK_EVERY = 0.5
"""Least time from one look at the store to the next [s], however many pages ask."""
MAX_SHARE = 0.1
"""Largest share of the time that is spent on looks: those at a large store are further apart."""
STORE_TIMEOUT = 2.0
"""Longest wait for another process's write [s]."""


class RunListing:
    """Rows of a store's runs; each is numbered by the change that it came with.

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
        self._rows: dict[str, tuple[int, Row]] = {}
        self._gone: dict[str, int] = {}
        self._trouble = ""

    def close(self) -> None:
        """Close the store; a later look opens it again."""
        with self._lock:
            self._close()

    def news(self, since: int) -> Row:
        """Return the rows that changed after a version, all of them after version 0.

        ``trouble`` is one line where the store cannot be read: the rows are those from before.
        """
        with self._lock:
            self._look()
            every = not 0 < since <= self._version
            rows: list[Json] = [
                row for number, row in self._rows.values() if every or number > since
            ]
            gone: list[Json] = [
                run_id for run_id, number in self._gone.items() if not every and number > since
            ]
            return {
                "version": self._version,
                "whole": every,
                "runs": rows,
                "gone": gone,
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
        if begun < self._next:
            return
        try:
            self._open()
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

    def _read(self) -> None:
        """Read all runs if anything was written, else see only who still writes."""
        store = self._store
        if store is None:
            self._take([])
            return
        writes = store.writes_of_others()
        if writes == self._seen and not self._a_writer_ended(store):
            return
        found = [
            row_of(run, run.record.state == "open" and store.writer(run.record.run_id) is not None)
            for run in store.overviews()
        ]
        self._seen = writes
        self._take(clean(found))

    def _a_writer_ended(self, store: TrialStore) -> bool:
        """Tell whether a run is no longer written: a killed process leaves no word of its end."""
        return any(
            (row["state"] == UNDER_WAY) != (store.writer(run_id) is not None)
            for run_id, (_, row) in self._rows.items()
            if row["state"] in (UNDER_WAY, "open")
        )

    def _take(self, rows: list[Row]) -> None:
        """Number what is new, changed or gone."""
        version = self._version + 1
        before, self._rows = self._rows, {}
        for row in rows:
            run_id = str(row["id"])
            known = before.pop(run_id, None)
            same = known is not None and known[1] == row
            self._rows[run_id] = known if known is not None and same else (version, row)
            self._gone.pop(run_id, None)
        self._gone.update(dict.fromkeys(before, version))
        newest = max((number for number, _ in self._rows.values()), default=0)
        if before or newest == version:
            self._version = version

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store, self._file, self._seen = None, None, -1
