"""The page of `icpi run --view`: beside a run of this process, or of a graph."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from icpi_ros.cli.view import address_of, say_link
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.core.types import Trial
from icpi_ros.view import need_viser

if TYPE_CHECKING:
    from icpi_ros.robots.base import Arm
    from icpi_ros.runs.run import Run
    from icpi_ros.tasks.base import Task
    from icpi_ros.view.following import RunStop
    from icpi_ros.view.page import RunPage


class RunView:
    """Page of one `icpi run`; a context manager, which does nothing without ``--view``."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Check the options; nothing is opened yet.

        Raises:
            UsageError: ``--operate`` without a page or a graph, or viser is not installed.
        """
        self._args, self._wanted = args, bool(args.view)
        self._stack = ExitStack()
        self._open = False
        self._page: RunPage | None = None
        self._stop: RunStop | None = None
        if args.operate and not (args.view and not args.in_process):
            raise UsageError("--operate lets the page of --view decide, in a run through a graph")
        if self._wanted:
            need_viser()

    def __enter__(self) -> RunView:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the page; after a run that ended by itself a person at a terminal does."""
        with self._stack, suppress(KeyboardInterrupt):
            if self._open and kind is None and sys.stdin.isatty():
                _say("the page stays open until Ctrl-C")
                while True:
                    time.sleep(1.0)

    def open_page(self, task: Task, improver: str, arm: Arm, goal: Sequence[float]) -> None:
        """Open the page of a run in this process, before there is one.

        Raises:
            UsageError: it cannot be opened; nothing is stored yet.
        """
        if not self._wanted:
            return
        from icpi_ros.view.following import RunStop  # viser is a quarter of a second
        from icpi_ros.view.page import RunPage, Subject

        self._stop = RunStop()
        subject = Subject(f"{task.name} with {improver}", task, arm, np.array(goal))
        self._page = RunPage(subject, address_of(self._args), self._stop)
        self._stack.callback(self._page.close)
        self._open = True
        say_link(self._page, stops=True)

    @contextmanager
    def following(
        self, run: Run, show: Callable[[Trial], None]
    ) -> Iterator[Callable[[Trial], None]]:
        """Yield what is to be called after each trial of a run in this process.

        Args:
            run: to follow; a STOP of the page cancels it.
            show: called with each trial, too.
        """
        page, stop = self._page, self._stop
        if page is None or stop is None:
            yield show
            return
        from icpi_ros.view.following import PRESSED, Follower

        follower = Follower(page, run.config.budget, _say)
        follower.show(run.trials)

        def stop_if_pressed() -> None:
            if stop.pressed and not run.finished:
                run.cancel(PRESSED)

        def shown(trial: Trial) -> None:
            show(trial)
            follower.show(run.trials)
            stop_if_pressed()

        stop_if_pressed()

        try:
            yield shown
        finally:
            follower.finish()
            page.show_stopped(stop.pressed)

    def of_graph(self, namespace: str) -> None:
        """Open the page of the graph that carries out the run; its page stays when it ends.

        Raises:
            UsageError: the page cannot be opened.
        """
        if not self._wanted:
            return
        from icpi_ros.cli.view_graph import GraphAddress, GraphPage  # needs ROS

        shown = GraphPage(GraphAddress(namespace), address_of(self._args))
        self._stack.enter_context(shown)
        self._open = True
        say_link(shown.page, stops=True)


def _say(line: str) -> None:
    print(printable(f"icpi: {line}"), file=sys.stderr, flush=True)
