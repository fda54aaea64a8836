"""A page beside work that must not wait for it: news is drawn in a thread of its own.

Of news that comes faster than it can be drawn, the latest counts.  If the page fails, it is closed
and said so once; the run goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.text import error_line
from icpi_ros.core.types import Trial
from icpi_ros.view.page import RunPage

CLOSE_LIMIT = 5.0
"""Longest time for what is being drawn to be finished at the end [s]."""


class Follower:
    """Page that follows the trials of a run of this process.

    Args:
        page: of the run.
        budget: number of trials in all.
        say: is told once if the page has failed.
    """

    def __init__(self, page: RunPage, budget: int, say: Callable[[str], None]) -> None:
        """Begin to follow."""
        self._page, self._budget, self._say = page, budget, say
        self._latest: list[Trial] | None = None
        self._changed = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._work, name="page", daemon=True)
        self._thread.start()

    def show(self, trials: Sequence[Trial]) -> None:
        """Take the trials so far; returns at once and cannot fail."""
        with self._changed:
            self._latest = list(trials)
            self._changed.notify()

    def finish(self) -> None:
        """Wait until the latest news is drawn; the page stays open."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(CLOSE_LIMIT)

    def _work(self) -> None:
        while (trials := self._next()) is not None:
            try:
                self._page.show_trials(trials, self._budget, play=True)
            except Exception as exc:  # a client: whatever is wrong with it, the run goes on
                self._page.close()
                self._say(f"the page is closed, the run goes on: {error_line(exc)}")
                return

    def _next(self) -> list[Trial] | None:
        """Return the latest trials that are not drawn yet; None = there will be none."""
        with self._changed:
            while self._latest is None and not self._ending:
                self._changed.wait(1.0)
            found, self._latest = self._latest, None
            return found


class RunStop:
    """Stop of a run in this process: latched; the run ends before its next motion."""

    def __init__(self) -> None:
        """Begin unlatched."""
        self._pressed = threading.Event()

    @property
    def pressed(self) -> bool:
        """True once STOP was pressed."""
        return self._pressed.is_set()

    def stop(self) -> str:
        """Latch it."""
        self._pressed.set()
        return "the run ends before its next trial"

    def reset(self) -> str:
        """Refuse: the run ends.

        Raises:
            ExecutionFailed: always.
        """
        raise ExecutionFailed("the run has been stopped: icpi run --resume RUN continues it")

    def decide(self, request: int, kind: str, theta: Sequence[float] = ()) -> str:
        """Refuse: a run in this process asks no person.

        Raises:
            ExecutionFailed: always.
        """
        raise ExecutionFailed("nothing waits for a decision")
