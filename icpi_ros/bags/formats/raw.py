"""Values that storages hand on: channels, undecoded messages, and notes about omissions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import open_file
from icpi_ros.core.text import printable

MAX_LINES = 50
MAX_NAMES = 30


@dataclass(frozen=True)
class Channel:
    """A topic of one file.

    Attributes:
        topic: its name.
        kind: message type, for example ``sensor_msgs/msg/Image``.
        encoding: of its messages; only ``cdr`` can be decoded.
        definition: embedded definition of the type, its dependencies included; empty = none.
        language: of the definition: ``ros2msg`` or ``ros2idl``.
        qos: offered QoS profiles as YAML; empty = not known.
    """

    topic: str
    kind: str
    encoding: str = "cdr"
    definition: str = ""
    language: str = "ros2msg"
    qos: str = ""


class RawMessage(NamedTuple):
    """A message as it lies in the file: time of recording [ns], channel, serialised bytes."""

    ns: int
    channel: Channel
    data: bytes


class Notes:
    """Bounded lines about what was skipped, each kept once."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._more = 0

    def add(self, line: str) -> None:
        """Keep a line; beyond the bound lines are only counted."""
        line = printable(line)[:300]
        if line in self._lines:
            return
        if len(self._lines) < MAX_LINES:
            self._lines[line] = None
        else:
            self._more += 1

    @property
    def lines(self) -> list[str]:
        """All lines, and how many more there were."""
        more = [f"and {self._more} more of this kind"] if self._more else []
        return [*self._lines, *more]


def check_start(path: Path, magic: bytes, kind: str) -> int:
    """Check that a file begins as one of its ``kind`` does; return its size [B].

    Raises:
        UsageError: it does not, or cannot be read.
    """
    try:
        with open_file(path) as file:
            start, size = file.read(len(magic)), os.fstat(file.fileno()).st_size
    except OSError as exc:
        raise UsageError(f"cannot read bag {path}: {exc.strerror}") from exc
    if start != magic:
        what = f"it does not begin as {kind} does" if start else "it is empty"
        raise UsageError(f"cannot read bag {path}: {what}")
    return size


def shown(topics: Iterable[str]) -> str:
    """Return names of topics for a line to a person, sorted, the first ones of many."""
    names = sorted({printable(t)[:80] for t in topics})
    more = [f"and {len(names) - MAX_NAMES} more"] if len(names) > MAX_NAMES else []
    return ", ".join([*names[:MAX_NAMES], *more]) or "none"


def why(exc: Exception, max_length: int = 120) -> str:
    """Return an error of a parser as one line of bounded length."""
    return printable(" ".join(str(exc).split()))[:max_length] or type(exc).__name__
