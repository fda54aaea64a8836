"""Bags as arguments: opened with a mapping of topics, and never written into."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import read_mapping
from icpi_ros.core.errors import UsageError
from icpi_ros.perception.poses.settings import PoseSettings
from icpi_ros.settings.poses import POSE_SETTINGS


def open_bag(path: Path, topics: Path | None) -> Bag:
    """Open a bag, with the mapping of a file if there is one.

    Raises:
        UsageError: one of them cannot be read.
    """
    return Bag(path, read_mapping(topics) if topics else None)


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
