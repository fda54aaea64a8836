"""Progress of long work: a bar on a terminal, a line every 10 s where there is none."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from tqdm import tqdm

EVERY = 10.0
"""Time from one line to the next [s]."""


def progress_bar(total: int, unit: str, desc: str = "", **options: Any) -> Any:
    """Return what shows how many of ``total`` units are done, on stderr; a context manager.

    Args:
        total: number of units.
        unit: what they are called, in the singular.
        desc: what is being done.
        options: of tqdm, for a terminal.
    """
    if sys.stderr.isatty():
        return tqdm(total=total, unit=unit, desc=desc or None, **options)
    return Lines(total, unit, desc)


class Lines:
    """The part of tqdm that is used here, for a log: no bar, a line from time to time.

    Args:
        total: number of units.
        unit: what they are called, in the singular.
        desc: what is being done.
        every: time from one line to the next [s].
    """

    def __init__(self, total: int, unit: str, desc: str = "", every: float = EVERY) -> None:
        """Begin; nothing is printed before ``every`` has passed."""
        self.total, self.unit, self.n, self.initial = total, unit, 0, 0
        self._desc, self._more, self._begin = desc, "", time.monotonic()
        self._stream, self._closed = sys.stderr, threading.Event()
        self._thread = threading.Thread(target=self._talk, args=(every,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, n: float = 1) -> None:
        """Count ``n`` more units."""
        self.n += int(n)

    def set_description(self, desc: str, refresh: bool = True) -> None:
        """Say what is being done."""
        self._desc = desc

    def set_postfix(self, **values: object) -> None:
        """Say what else is to be known."""
        self._more = "".join(f", {name} {value}" for name, value in values.items())

    def clear(self) -> None:
        """Nothing is in the way of other lines."""

    def close(self) -> None:
        """Print no more; closing twice is allowed."""
        self._closed.set()
        self._thread.join()

    def line(self) -> str:
        """Return how far it is."""
        what = f"{self._desc}: " if self._desc else ""
        seconds = time.monotonic() - self._begin
        return f"icpi: {what}{self.n} of {self.total} {self.unit}s{self._more}, {seconds:.0f} s"

    def _talk(self, every: float) -> None:
        while not self._closed.wait(every):
            print(self.line(), file=self._stream, flush=True)
