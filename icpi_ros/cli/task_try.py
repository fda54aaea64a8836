"""Look at a task before anything moves, and at what its trials so far tell of it."""

from __future__ import annotations

import argparse
from typing import Any

from icpi_ros.cli.arguments import checked_picture, chosen_arm, opened_store
from icpi_ros.cli.json_output import kept
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.errors import ObservationMissing, TaskFailed, UsageError
from icpi_ros.core.text import printable
from icpi_ros.core.types import Trial
from icpi_ros.core.units import millimetres
from icpi_ros.evaluate.first_session import FirstSession, count_of_motions, first_session
from icpi_ros.evaluate.repeatability import repeatability
from icpi_ros.report.first_session import (
    repeatability_text,
    save_session,
    session_json,
    session_text,
)
from icpi_ros.report.picture import FORMATS
from icpi_ros.robots.base import Arm
from icpi_ros.runs.outcome import outcome
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task


def try_task(args: argparse.Namespace) -> int:
    """Carry out ``icpi task try``; 0, or 1 where the first trial cannot be executed.

    Raises:
        UsageError: an argument is not allowed, or the run has no trial of this task.
    """
    task = TASKS.get(args.task)
    arm = chosen_arm(args.arm, task)
    if args.picture:
        checked_picture(args.picture, FORMATS)
    trials = _trials(args, task) if args.trials else []
    about: dict[str, Any] = {"task": task.name, "arm": arm.name}
    with kept(args.json, about) as content:
        found = _session(task, arm, args.samples)
        for line in session_text(task, arm, found):
            print(printable(line))
        if task.caution:
            print(printable(task.caution))
        content.update(session_json(found))
        if args.picture:
            save_session(args.picture, task, arm, found)
            print(f"picture: {args.picture.absolute()}")
        if trials:
            content["trials"] = _judge(task, trials)
    return 1 if found.motions[0].refusal else 0


def _session(task: Task, arm: Arm, samples: int) -> FirstSession:
    with progress_bar(count_of_motions(task, samples), "motion", leave=False) as bar:

        def advance() -> None:
            bar.update()

        return first_session(task, arm, samples, advance)


def _trials(args: argparse.Namespace, task: Task) -> list[Trial]:
    with opened_store(args.store) as store:
        record = store.run(args.trials)
        if record.config.task != task.name:
            raise UsageError(
                f"run {args.trials} is of task {record.config.task}, not of {task.name}"
            )
        trials = store.trials(args.trials)
    if any(len(trial.theta) != task.space.dim for trial in trials):
        raise UsageError(
            f"run {args.trials} was made with other parameters than {', '.join(task.space.names)}: "
            "its trials do not fit this definition of the task"
        )
    found = [trial for trial in trials if trial.trajectory is not None]
    if not found:
        raise UsageError(f"run {args.trials} has no trial with a recorded path")
    return found


def _judge(task: Task, trials: list[Trial]) -> dict[str, Any]:
    """Print what the task observes on recorded trials, and their repeatability if known."""
    judged = []
    for trial in trials:
        try:
            found = outcome(task, task.default_goal, trial.theta, trial.path)
        except (ObservationMissing, TaskFailed) as exc:
            print(printable(f"trial {trial.number}: NOT observed: {exc}"))
            continue
        pairs = zip(task.error_names, found.error, strict=True)
        seen = ", ".join(f"{name} {value:+.4f}" for name, value in pairs)
        print(f"trial {trial.number}: to the default goal {seen}; cost {millimetres(found.cost)}")
        judged.append({"number": trial.number, "error": found.error.tolist(), "cost": found.cost})
    content: dict[str, Any] = {"judged": judged, "recorded": len(trials)}
    try:
        repeats = repeatability(task, trials)
    except UsageError as exc:
        print(f"repeatability: not known: {exc}")
        return content
    print(repeatability_text(task, repeats))
    return content | {"repeatability": repeats.floor, "repeats": repeats.repeats}
