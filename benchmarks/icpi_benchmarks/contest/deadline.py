"""Calls that are given up after a time limit, whatever they are busy with."""

from __future__ import annotations

import functools
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

T = TypeVar("T")
BUILD_FACTOR, MIN_BUILD_LIMIT = 10.0, 120.0
MAX_WAIT = 30.0
"""Longest wait for calls that were given up [s]."""
_GIVEN_UP = "given up: "
"""Prefix of their threads' names: the list of threads is the only record of them."""


class TookTooLong(Exception):
    """The call did not return within its time limit."""


class Deadline:
    """Makes calls in a thread of its own, one at a time, each with a time limit.

    Python cannot stop a thread: a call that is given up goes on in the background and keeps a
    processor busy until it returns or the process ends; the next call gets a new thread.

    Args:
        limit: of each call [s], wall time.
        label: of who is called.
    """

    def __init__(self, limit: float, label: str) -> None:
        """Set the limit; the thread starts with the first call."""
        self.limit, self._label = limit, label
        self._thread: threading.Thread | None = None
        self._todo: queue.SimpleQueue[Callable[[], Any] | None] | None = None
        self._done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def call(self, function: Callable[[], T], limit: float | None = None) -> T:
        """Return ``function()``; its exceptions are raised here.

        Args:
            function: what to call.
            limit: [s], instead of the usual one.

        Raises:
            TookTooLong: it did not return in time.
        """
        if self._todo is None:
            self._start()
        assert self._todo is not None
        assert self._thread is not None
        limit = self.limit if limit is None else limit
        self._todo.put(function)
        try:
            result, error = self._done.get(timeout=limit)
        except queue.Empty:
            self._thread.name = _GIVEN_UP + self._label
            self.close()
            raise TookTooLong(f"took longer than {limit:g} s") from None
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
        self._thread = threading.Thread(
            target=_work, args=(self._todo, self._done), daemon=True, name="proposals"
        )
        self._thread.start()


def build_limit(limit: float) -> float:
    """Return the time limit of building an improver [s] whose proposals may take ``limit`` [s].

    The first of a kind in a process may fit a model or load one.
    """
    return max(BUILD_FACTOR * limit, MIN_BUILD_LIMIT)


def still_busy(limit: float) -> set[str]:
    """Wait for the calls of this process that were given up; return the labels of those that go on.

    A call that goes on slows down all others, so there is a wait, of ``limit`` [s] and at most
    :data:`MAX_WAIT` for all of them together.
    """
    end = time.monotonic() + min(limit, MAX_WAIT)
    found = [each for each in threading.enumerate() if each.name.startswith(_GIVEN_UP)]
    for thread in found:
        thread.join(max(end - time.monotonic(), 0.0))
    return {each.name.removeprefix(_GIVEN_UP) for each in found if each.is_alive()}


@functools.lru_cache(maxsize=1)
def _thread_pools(modules: int) -> ThreadpoolController:
    """Return the thread pools of this process; to look for them takes as long as a proposal.

    New ones come with imports, so ``modules``, the number of the loaded ones, is another then.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _work(
    todo: queue.SimpleQueue[Callable[[], Any] | None],
    done: queue.SimpleQueue[tuple[Any, BaseException | None]],
) -> None:
    # OpenMP's limit is one of the thread.
    with _thread_pools(len(sys.modules)).limit(limits=1, user_api="openmp"):
        while (function := todo.get()) is not None:
            try:
                done.put((function(), None))
            except BaseException as exc:  # SystemExit, too, belongs to the caller
                done.put((None, exc))
