"""The file of a cassette: JSON lines, append-only, shared between threads and processes.

A packed one (:mod:`icpi_ros.llm.cassettes.packed`) is only read.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import lock_until_closed, open_file, open_private
from icpi_ros.core.redact import redact
from icpi_ros.llm.cassettes.packed import MAGIC, MAX_PACKED, is_packed, unpacked
from icpi_ros.llm.client.completer import WIRES, Wire

VERSION = 1
MAX_NEWS = 512 * 2**20
"""Longest text that is read at once [B]."""
_START = '{"cassette":'
"""Beginning of every line; its value is the version."""
_NUMBERS = (int, float)
_CHECK = 256
"""Bytes before the end of what was read that show whether a file has only grown."""
_log = logging.getLogger(__name__)


class CassetteFile:
    """The entries of one file, kept in memory and brought up to date by :meth:`refresh`."""

    def __init__(self, path: Path) -> None:
        """Remember the path; nothing is read yet."""
        self.path = path
        self._lock = threading.Lock()
        self._start_over()

    def _start_over(self) -> None:
        self._entries: dict[tuple[str, int], dict[str, Any]] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._end = 0  # of the last whole line that was read [bytes]
        self._last = b""  # what stands just before it
        self._cut_at = -1
        self._is_ours = False  # a line of it was read
        self._is_packed = False

    def find(self, key: str, occurrence: int) -> dict[str, Any] | None:
        """Return the latest entry of the ``occurrence``-th request of that key, counted from 0."""
        with self._lock:
            return self._entries.get((key, occurrence))

    def entries(self) -> list[dict[str, Any]]:
        """Return the latest entry of every request, without its text, in the file's order."""
        with self._lock:
            return list(self._entries.values())

    @property
    def is_packed(self) -> bool:
        """Return whether what was read is a packed file."""
        return self._is_packed

    def refresh(self) -> None:
        """Read what has been added to the file; all of it if it is another one.

        Raises:
            UsageError: it is no cassette or cannot be read.
        """
        with self._lock:
            try:
                self._read_news()
            except OSError as exc:
                raise UsageError(f"cannot read the cassette {self.path}: {exc.strerror}") from None

    def _read_news(self) -> None:
        if _stamp(self.path.stat()) == self._stamp:
            return
        with open_file(self.path) as file:
            lock_until_closed(file.fileno(), shared=True)  # never half a line of another process
            stamp = _stamp(os.fstat(file.fileno()))
            if os.fstat(file.fileno()).st_size - self._end > MAX_NEWS:
                raise UsageError(
                    f"cannot read the cassette {self.path}: it is larger than {MAX_NEWS >> 20} MiB"
                )
            if is_packed(file.read(len(MAGIC))):
                self._read_packed(file)
                self._stamp = stamp
                return
            if self._is_packed:
                self._start_over()
            file.seek(self._end - len(self._last))
            news = file.read(MAX_NEWS + _CHECK)
            if not self._has_grown(stamp, news):
                self._start_over()
                file.seek(0)
                news = file.read(MAX_NEWS)
        self._take(news[len(self._last) :])
        self._stamp = stamp

    def _read_packed(self, file: BinaryIO) -> None:
        """Read a packed file, which is another one whenever it has changed."""
        self._start_over()
        file.seek(0)
        try:
            text = unpacked(file.read(MAX_PACKED + 1))
        except ValueError as exc:
            raise UsageError(
                f"cannot read the cassette {self.path}: the packed file {exc}; get it again"
            ) from None
        self._take(text)
        self._last, self._end, self._is_packed = b"", 0, True

    def _has_grown(self, stamp: tuple[int, int, int], news: bytes) -> bool:
        """Return whether a file is what was read, and perhaps more."""
        same_file = self._stamp is None or self._stamp[0] == stamp[0]
        return same_file and news.startswith(self._last)

    def _take(self, news: bytes) -> None:
        """Take in whole lines; a cut one at the end is left for later."""
        whole, newline, rest = news.rpartition(b"\n")
        taken = whole + newline
        for line in whole.split(b"\n") if newline else []:
            self._take_line(line)
        self._last = (self._last + taken)[-_CHECK:]
        self._end += len(taken)
        if rest:
            self._warn_of_cut(rest)

    def _take_line(self, line: bytes) -> None:
        if not line.strip():
            return
        entry = self._parse(line)
        if entry is None:
            _log.warning("cassette %s: a damaged line is skipped", self.path)
        else:
            self._entries[entry["key"], entry["occurrence"]] = entry

    def _parse(self, line: bytes) -> dict[str, Any] | None:
        """Return the relevant part of a line; None if it is damaged.

        Raises:
            UsageError: it is of another format.
        """
        self._require_likeness(line)
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(entry, dict) or "cassette" not in entry:
            return None
        if entry["cassette"] != VERSION:
            self._refuse(f"has a line of version {str(entry['cassette'])[:9]!r}, not {VERSION}")
        self._is_ours = True
        entry.pop("request", None)  # only for people: it need not fill the memory
        return entry if _is_complete(entry) else None

    def _require_likeness(self, line: bytes) -> None:
        """Refuse a file whose first line begins like none of ours, be it cut off."""
        start = _START.encode()
        if not (self._is_ours or line.startswith(start) or start.startswith(line)):
            self._refuse("does not look like one")

    def _refuse(self, why: str) -> None:
        raise UsageError(
            f"{self.path} is not a cassette of this program: it {why}; choose another file"
        )

    def _warn_of_cut(self, rest: bytes) -> None:
        self._require_likeness(rest)
        if self._cut_at != self._end:
            self._cut_at = self._end
            _log.warning("cassette %s: the last line is cut off and skipped", self.path)

    def append(self, entry: dict[str, Any]) -> None:
        """Add an entry in one write, without any key of the environment.

        Raises:
            OSError: it cannot be written.
        """
        clean = redact(json.loads(json.dumps({"cassette": VERSION} | entry)))
        line = json.dumps(clean, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
        with self._lock, open_private(self.path, "a+b", 0) as file:
            lock_until_closed(file.fileno())
            _write_all(file.fileno(), (b"" if _ends_a_line(file) else b"\n") + line)


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _ends_a_line(file: Any) -> bool:
    """Return whether a new line may begin: not after one that a crash cut off."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def _write_all(descriptor: int, data: bytes) -> None:
    while data:  # a full disk or a signal can shorten a write
        data = data[os.write(descriptor, data) :]


def _is_complete(entry: dict[str, Any]) -> bool:
    """Return whether an entry has what a replay needs."""
    kinds: dict[str, Any] = {"key": str, "occurrence": int, "spent": dict}
    kinds |= (
        {"texts": list, "model": str, "format": str, "tries": list}
        if "texts" in entry
        else {"error": str, "line": str}
    )
    kinds |= {"tries": list} if "tries" in entry else {}
    fitting = all(isinstance(entry.get(name), kind) for name, kind in kinds.items())
    fitting = fitting and entry.get("wire", Wire.JSON) in WIRES
    fitting = fitting and _are_texts(entry) and _are_numbers(entry["spent"])
    return fitting and _are_tokens(entry.get("tokens", []))


def _are_texts(entry: dict[str, Any]) -> bool:
    texts = entry.get("texts", []) + entry.get("tries", [])
    return all(isinstance(t, str) for t in texts) and entry.get("texts") != []


def _are_tokens(tokens: Any) -> bool:
    """Return whether they are lists [text, [[text, logarithm of its probability], ...]]."""
    try:
        return all(
            isinstance(text, str) and isinstance(other, str) and _is_number(logprob)
            for some in tokens
            for text, options in some or []
            for other, logprob in options
        )
    except (TypeError, ValueError):
        return False


def _are_numbers(spent: dict[str, Any]) -> bool:
    return all(
        _is_number(value) or (name == "money" and value is None) for name, value in spent.items()
    )


def _is_number(value: Any) -> bool:
    """Return whether a value is a finite number; an integer can be too large for one."""
    return type(value) in _NUMBERS and abs(value) <= sys.float_info.max


@functools.cache
def cassette_file(path: Path) -> CassetteFile:
    """Return the process's only object of a cassette's file, so that it is read once."""
    return CassetteFile(path)
