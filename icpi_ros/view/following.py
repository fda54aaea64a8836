"""A page beside work that must not wait for it: news is drawn in a thread of its own.

Of news that comes faster than it can be drawn, the latest counts.  If the page fails, it is closed
and said so once; the run goes on.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence

from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.html import template
from icpi_ros.core.text import error_line, printable
from icpi_ros.core.types import Trial
from icpi_ros.robots.base import Arm
from icpi_ros.runs.picture.live import need_notebook
from icpi_ros.runs.run import Run
from icpi_ros.view.page import PageAddress, RunPage, Subject

CLOSE_LIMIT = 5.0
"""Longest time for what is being drawn to be finished at the end [s]."""
PRESSED = "STOP was pressed on the page"
"""Reason of the end of a run that its page has ended."""


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


class RunFrame:
    """Live page of a run inside a notebook: the cell that returns it shows it in a frame.

    It only shows, and is open until :meth:`close` or the end of the process.

    Attributes:
        name: for a person.
    """

    name = "the page"

    def __init__(
        self, run: Run, arm: Arm, address: PageAddress, height: int, stop: RunStop | None = None
    ) -> None:
        """Open the page and follow the run.

        Args:
            run: to follow.
            arm: to draw.
            address: of the page.
            height: of the frame [pixels].
            stop: that the page's STOP presses; None = it has none.

        Raises:
            UsageError: the page cannot be opened.
        """
        self._run, self._height, self._stop = run, height, stop
        self._title = f"{run.config.task} with {run.config.improver}"
        subject = Subject(self._title, run.task, arm, run.goal)
        self._page = RunPage(subject, address, stop)
        self._follower = Follower(self._page, run.config.budget, self._say)
        self.update(last=run.finished)
        if not run.finished:
            run.tell_watcher(self)

    def __repr__(self) -> str:
        """Return one line with the link, which is a key until the page is closed."""
        return f"<RunFrame: {'closed' if self._page.closed else self.link}>"

    def _repr_html_(self) -> str:
        """Return the page in a frame, for notebooks."""
        values = {"link": self.link, "title": self._title, "height": self._height}
        return template("notebook_page.html").render(values)

    @property
    def link(self) -> str:
        """Address that opens the page, with its token."""
        return self._page.link

    def show(self) -> None:
        """Show the page here, before the cell has ended.

        Raises:
            UsageError: this is no notebook.
        """
        need_notebook().display.display(self)

    def update(self, last: bool = False) -> None:
        """Show the trials so far; ``last``: nothing follows, and the page stays."""
        self._follower.show(self._run.trials)
        if self._stop is not None:
            self._page.show_stopped(self._stop.pressed)
        if last:
            self._follower.finish()

    def stop_if_pressed(self) -> None:
        """End the run if STOP was pressed on the page; called between two trials."""
        if self._stop is not None and self._stop.pressed and not self._run.finished:
            self._run.cancel(PRESSED)

    def close(self) -> None:
        """Close the page; the run goes on."""
        self._follower.finish()
        self._page.close()

    def _say(self, line: str) -> None:
        print(printable(f"icpi: {line}"), file=sys.stderr, flush=True)


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
