"""Bags as arguments: opened with a mapping of topics, one run of them, never written into."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from icpi_ros.bags.parameters import recorded_setup
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import read_mapping
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.errors import UsageError
from icpi_ros.evaluate.recorded_runs import RecordedRun, group
from icpi_ros.learn.dataset.mixing import ArmId, distinct
from icpi_ros.perception.poses.settings import PoseSettings
from icpi_ros.settings.poses import POSE_SETTINGS
from icpi_ros.tasks.base import Task


def open_bag(path: Path, topics: Path | None) -> Bag:
    """Open a bag, with the mapping of a file if there is one.

    Raises:
        UsageError: one of them cannot be read.
    """
    return Bag(path, read_mapping(topics) if topics else None)


def only_run(bag: Bag, run_id: str | None) -> tuple[RecordedRun, tuple[str, ...]]:
    """Return the one run of a bag, or that of an id, and lines about what belongs to no run.

    Raises:
        UsageError: there is none, or there are several and no id chooses.
    """
    found = group(read_trials(bag), run_id=run_id)
    if len(found.runs) > 1:
        names = ", ".join(run.run_id for run in found.runs)
        raise UsageError(f"the bag has {len(found.runs)} runs: choose one with --run: {names}")
    return found.runs[0], found.skipped


def arms_of(bag: Bag, task: Task) -> tuple[ArmId, ...]:
    """Return the arm that executed the trials of a bag; none = it is not recorded."""
    return distinct([ArmId.of_way(recorded_setup(bag).way(task))])


def refuse_inside(bag: Path, outputs: list[Path]) -> None:
    """Refuse to write over or into a bag.

    Raises:
        UsageError: an output is the bag, or lies in its folder.
    """
    whole_bag = bag.absolute().resolve()
    for path in outputs:
        if whole_bag in (path.absolute().resolve(), path.absolute().resolve().parent):
            raise UsageError(f"{path} would be written into the bag: name a file elsewhere")


def given_poses(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of a tracker's poses that are given.

    Raises:
        UsageError: one is not allowed.
    """
    values = {name: getattr(args, name) for name in POSE_SETTINGS}
    given = {name: value for name, value in values.items() if value is not None}
    PoseSettings.of(given)
    return given
