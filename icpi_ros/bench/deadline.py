"""Calls that are given up after a time limit, whatever they are busy with."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class TookTooLong(Exception):
    """The call did not return within its time limit."""


class Deadline:
    """Makes calls in a thread of its own, one at a time, each with a time limit.

    Python cannot stop a thread: a call that is given up goes on in the background and keeps a
    processor busy until it returns or the process ends; the next call gets a new thread.

    Args:
        limit: of each call [s], wall time.
    """

    def __init__(self, limit: float) -> None:
        """Set the limit; the thread starts with the first call."""
        self.limit = limit
        self._todo: queue.SimpleQueue[Callable[[], Any] | None] | None = None
        self._done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def call(self, function: Callable[[], T]) -> T:
        """Return ``function()``; what it raises is raised here.

        Raises:
            TookTooLong: it did not return in time.
        """
        if self._todo is None:
            self._start()
        assert self._todo is not None
        self._todo.put(function)
        try:
            result, error = self._done.get(timeout=self.limit)
        except queue.Empty:
            self.close()
            raise TookTooLong(f"took longer than {self.limit:g} s") from None
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the thread as soon as it returns from its call; more calls are allowed."""
        if self._todo is not None:
            self._todo.put(None)
            self._todo = None

    def _start(self) -> None:
        self._todo, self._done = queue.SimpleQueue(), queue.SimpleQueue()
        threading.Thread(
            target=_work, args=(self._todo, self._done), daemon=True, name="proposals"
        ).start()


def _work(
    todo: queue.SimpleQueue[Callable[[], Any] | None],
    done: queue.SimpleQueue[tuple[Any, BaseException | None]],
) -> None:
    while (function := todo.get()) is not None:
        try:
            done.put((function(), None))
        except BaseException as exc:  # SystemExit, too, belongs to the caller
            done.put((None, exc))
