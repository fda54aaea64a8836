"""The page of `icpi runs --view`: stored runs side by side, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from datetime import UTC
from pathlib import Path

import numpy as np

from icpi_ros.core.text import printable
from icpi_ros.llm.client.budget import spent_on
from icpi_ros.report.page import policy
from icpi_ros.report.run.page import run_page
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS
from icpi_ros.view.rules import LOOPBACK
from icpi_ros.view.stored.page import StoredRunsPage
from icpi_ros.view.stored.server import PageResponse


def show_runs(args: argparse.Namespace, path: Path) -> int:
    """Show the page of a store until Ctrl-C; 0 then."""
    page = StoredRunsPage(
        path, args.host or LOOPBACK, args.port or 0, start_filters(args), lambda i: _report(i, path)
    )
    with suppress(KeyboardInterrupt), page:
        if args.json:
            args.json.write({"page": page.link, "stop": None}, secret=True)
        print(f"icpi: page: {page.link}", file=sys.stderr, flush=True)
        print(printable(f"runs of {path}; Ctrl-C ends the page"), flush=True)
        while True:
            time.sleep(1.0)
    return 0


def start_filters(args: argparse.Namespace) -> dict[str, str]:
    """Return the filters of the command as they stand in the page's address."""
    since = args.since.astimezone(UTC).isoformat(timespec="seconds")[:19] if args.since else ""
    given = {"task": args.task, "arm": args.arm, "backend": args.backend, "from": since}
    return {name: value for name, value in given.items() if value}


def _report(run_id: str, path: Path) -> PageResponse:
    """Return the page of one run, as `icpi report --html` writes it.

    Raises:
        IcpiError: there is none, its task is not here, or it is damaged.
    """
    with TrialStore(path, reading=True) as store:
        record, trials = store.run(run_id), store.trials(run_id)
        spent = spent_on(store.trials(run_id, all_attempts=True))
    task, goal = TASKS.get(record.config.task), np.array(record.config.goal)
    return PageResponse(run_page(record, task, trials, goal, spent), "text/html", policy())
