"""Show a stored run, a bag or the graph that is up, live, as a page in the browser."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_ros.cli.arguments import is_bag, opened_store, same_arm
from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.text import printable
from icpi_ros.core.types import Trial, TrialStatus
from icpi_ros.view import need_viser
from icpi_ros.view.rules import check_frames

if TYPE_CHECKING:
    from icpi_ros.cli.json_output import JsonOutput
    from icpi_ros.runs.store.records import RunRecord
    from icpi_ros.view.page import PageAddress, RunPage

LOOK_EVERY = 1.0
"""Time between two looks at a stored run that is under way [s]."""


def run(args: argparse.Namespace) -> int:
    """Show the page until Ctrl-C; 0 then."""
    if args.foxglove:
        return _write_layout(args)
    with suppress(KeyboardInterrupt):
        if not args.what:
            need_viser()
            from icpi_ros.cli.view_graph import show_graph  # needs ROS and viser

            show_graph(args)
        elif is_bag(Path(args.what)):
            _show_bag(args, Path(args.what))
        else:
            _show_stored(args)
    return 0


def address_of(args: argparse.Namespace) -> PageAddress:
    """Return where the page is to be opened.

    Raises:
        UsageError: viser is not installed.
    """
    need_viser()
    from icpi_ros.view.page import PageAddress  # viser is a quarter of a second

    operate = getattr(args, "operate", False)
    check_frames(args.frame_ancestor, operate)  # before a graph is waited for
    return PageAddress(args.host, args.port, operate, tuple(args.frame_ancestor))


def say_link(page: RunPage, stops: bool = False, json: JsonOutput | None = None) -> None:
    """Print where the page is, on stderr: the link is a key, no result.

    Args:
        page: that is open.
        stops: there is something to stop.
        json: where the addresses are written, too.
    """
    if json:
        json.write({"page": page.link, "stop": page.stop_link if stops else None}, secret=True)
    print(f"icpi: page: {page.link}", file=sys.stderr, flush=True)
    if stops:
        print(f"icpi: STOP alone, without the token: {page.stop_link}", file=sys.stderr, flush=True)


def _write_layout(args: argparse.Namespace) -> int:
    """Write the layout of a graph or a bag for Foxglove; 0 then.

    Raises:
        UsageError: a stored run, or the file cannot be written.
    """
    from icpi_ros.bags.topics import TRIALS
    from icpi_ros.cli.bags import open_bag
    from icpi_ros.report.foxglove import layout

    namespace = args.namespace
    if args.what:
        bag = open_bag(Path(args.what), args.topics)
        bag.require(TRIALS)
        namespace = bag.topics[TRIALS].rpartition("/")[0]
    text = dumps(layout(namespace, recorded=bool(args.what)), indent=2) + "\n"
    try:
        with replacing(args.foxglove) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"cannot write {args.foxglove}: {exc.strerror or exc}") from exc
    print(printable(f"{args.foxglove}: in Foxglove, Layouts, Import from file"))
    return 0


def _show_stored(args: argparse.Namespace) -> None:
    """Show a stored run; one that is under way is followed."""
    from icpi_ros.learn.dataset.mixing import ArmId, distinct
    from icpi_ros.runs.setup import last_execution
    from icpi_ros.tasks import TASKS

    _refuse_operate(args, "a stored run")
    if args.run_id or args.topics:
        raise UsageError(f"--run and --topics are about bags, and {args.what} is none")
    address = address_of(args)
    with opened_store(args.store) as store:
        record, trials = store.run(args.what), store.trials(args.what)
        known = distinct([ArmId.of_way(last_execution(store, args.what))])
        config = record.config
        task = TASKS.get(config.task)
        arm = same_arm(args.arm, task, known, f"run {args.what}", mix=True)
        from icpi_ros.view.page import RunPage, Subject

        title = f"{config.task} with {config.improver}"
        subject = Subject(title, task, arm, task.goal_space.as_vector(config.goal))
        with closing(RunPage(subject, address)) as page:
            page.show_trials(trials, config.budget)
            page.say(_standing(record, trials))
            say_link(page, json=args.json)
            end = record.state + (f": {record.note}" if record.note else "")
            print(printable(f"run {args.what}: {title}, {end}; Ctrl-C ends the page"))
            while True:
                time.sleep(LOOK_EVERY)
                if record.state == "open":
                    record, found = store.run(args.what), store.trials(args.what)
                    if _progress(found) != _progress(trials) or record.state != "open":
                        page.show_trials(found, config.budget, play=_done(found) > _done(trials))
                        page.say(_standing(record, found))
                        trials = found


def _standing(record: RunRecord, trials: Sequence[Trial]) -> str:
    """Return how far a run is, and why it ended where that was before its last trial."""
    from icpi_ros.view.page import progress_line

    budget = record.config.budget
    early = record.state != "open" and _done(trials) < budget and record.note
    return progress_line(trials, budget) + (f"; {record.state}: {record.note}" if early else "")


def _progress(trials: Sequence[Trial]) -> list[tuple[int, TrialStatus]]:
    """Return by what a follower sees that a trial began or ended."""
    return [(trial.number, trial.status) for trial in trials]


def _done(trials: Sequence[Trial]) -> int:
    return sum(trial.status is TrialStatus.DONE for trial in trials)


def _show_bag(args: argparse.Namespace, path: Path) -> None:
    """Show one run of a bag."""
    from icpi_ros.bags.joint_states import joints_of
    from icpi_ros.cli.bags import arms_of, only_run, open_bag
    from icpi_ros.report.bag.sections import as_trials

    _refuse_operate(args, "a bag")
    address = address_of(args)
    bag = open_bag(path, args.topics)
    found, _ = only_run(bag, args.run_id or None)
    arm = same_arm(args.arm, found.task, arms_of(bag, found.task), f"bag {path}", mix=True)
    from icpi_ros.view.page import RunPage, Subject

    title = f"{found.task.name} with {found.improver or 'an unknown improver'}, {path.name}"
    with closing(RunPage(Subject(title, found.task, arm, found.goal), address)) as page:
        page.show_trials(as_trials(found), seen=joints_of(bag, found.trials, arm))
        say_link(page, json=args.json)
        print(printable(f"run {found.run_id} of bag {path}; Ctrl-C ends the page"), flush=True)
        while True:
            time.sleep(LOOK_EVERY)


def _refuse_operate(args: argparse.Namespace, what: str) -> None:
    if args.operate:
        raise UsageError(f"--operate is for a graph that is up: {what} only shows what was")
    if args.camera:
        raise UsageError(f"--camera is that of a graph that is up, and {what} is none")
    if args.namespace:
        raise UsageError(f"--namespace is that of a graph that is up, and {what} is none")
