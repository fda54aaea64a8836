"""Settings of the recorded graph, as far as they bear on its proposals."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import PARAMETERS
from icpi_ros.core.errors import IcpiError, InvalidValue
from icpi_ros.learn.dataset.execution import UNKNOWN, Backend, Execution
from icpi_ros.perception.poses.settings import PoseSettings
from icpi_ros.robots import ARMS, find_arm
from icpi_ros.tasks.base import Task

NODE, SEES = "policy_improver", "perception"
"""Node that proposed, and node that saw the object."""


@dataclass(frozen=True)
class RecordedSetup:
    """Parameters of the node that proposed.

    Attributes:
        max_step: largest step of theta, a share of its range; 1 = not recorded, or no limit.
        dataset: file of examples; None = the shipped set, or not recorded.
        arm: name or description file of the arm whose limits bound the proposals; "" = the
            task's own; None = not recorded: nothing but the parameters' bounds did.
        limits: file of tighter limits; None = none.
        options: of the improver, JSON; None = none.  They are only named: a bag may be a
            stranger's, and an option can name the server that a key is sent to.
        backend: what executed the trials.
        mix: examples of another arm were meant.
        source: of object positions; "" = not recorded.
        poses: unit, frame and clock of the tracker's poses, as perception took them.
    """

    max_step: float = 1.0
    dataset: str | None = None
    arm: str | None = None
    limits: str | None = None
    options: str | None = None
    backend: Backend = Backend.UNKNOWN
    mix: bool = False
    source: str = ""
    poses: PoseSettings = field(default_factory=PoseSettings)

    def way(self, task: Task) -> Execution:
        """Return how trials of ``task`` were executed, as far as it is recorded.

        The hash of the arm is not recorded: a file may have been changed since.
        """
        return Execution(self.backend, _arm_name(self.arm, task))


def _text(values: Mapping[str, Any], name: str) -> str | None:
    """Return a recorded text; None where it is empty (ROS knows no null) or missing."""
    return str(values.get(name, "")) or None


def _backend(recorded: object) -> Backend:
    return next((known for known in Backend if known == recorded), Backend.UNKNOWN)


def _arm_name(recorded: str | None, task: Task) -> str:
    if recorded is None:
        return UNKNOWN
    name = recorded or task.arm
    if name in ARMS:
        return name
    with contextlib.suppress(IcpiError):
        return find_arm(name).name
    return Path(name).stem  # its file is not here, but it is that of another arm than ours


def recorded_setup(bag: Bag) -> RecordedSetup:
    """Return the last settings in the bag; a message that is not a snapshot of them is noted."""
    found, poses = RecordedSetup(), PoseSettings()
    for message in bag.messages((PARAMETERS,)):
        try:
            content = json.loads(message.content.data)
            node = content["node"].rpartition("/")[2]
            if node == SEES:
                poses = PoseSettings.of(content["parameters"])
            if node == NODE:
                values = content["parameters"]
                step = float(values.get("max_step", 1.0))
                arm = values.get("arm")
                found = RecordedSetup(
                    step if 0.0 < step <= 1.0 else 1.0,
                    _text(values, "dataset"),
                    None if arm is None else str(arm),
                    _text(values, "limits"),
                    _text(values, "options"),
                    _backend(values.get("backend")),
                    values.get("mix") is True,
                    str(values.get("source", "")),
                )
        except (InvalidValue, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            bag.note(f"{PARAMETERS}: a message that is not a snapshot of parameters is skipped")
    return replace(found, poses=poses)
