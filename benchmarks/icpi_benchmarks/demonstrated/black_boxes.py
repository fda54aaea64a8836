"""Worlds as black boxes, and the tasks that a person would make for them from a demonstration."""

from __future__ import annotations

import io
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from icpi_ros.cli.task_new import new_task
from icpi_ros.core.errors import UnknownName
from icpi_ros.motion.demonstration import write_csv
from icpi_ros.motion.demonstration.recording import JointRecording
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.described.reading import load_task
from icpi_ros.testing.demonstrations import pushed, thrown

PARAMETERS = "  parameters:"
RELEASE = "  release: 0.0               # s, after the highest speed of the tool\n"
"""Line of a task's file that lets go of the ball always at the same moment."""
GUESS = "# All below is a guess"
"""Begin of the part of a new task's file that a person replaces."""


@dataclass(frozen=True)
class BlackBox:
    """World, and all that a person says of the task to be solved in it.

    Attributes:
        world: name of the task in whose scene and physics the motions are carried out.
        record: function from arm and seed to a demonstration.
        parameters: of ``icpi task new``, with bounds, by their number.
        rest: of the task's file: what is observed, the goals, the object, when it rests.
    """

    world: str
    record: Callable[[Arm, int], JointRecording]
    parameters: Mapping[int, str]
    rest: str

    @property
    def task(self) -> Task:
        """Task that the world is of."""
        return TASKS.get(self.world)

    def name(self, demonstration: int, parameters: int) -> str:
        """Return the name of a task in this world."""
        return f"{self.world}-shown{demonstration}-by{parameters}"

    def described(self, demonstration: int, parameters: int, folder: Path) -> Task:
        """Return the task of a demonstration, as ``icpi task new`` and a person write it.

        Args:
            demonstration: seed of the hand.
            parameters: number of parameters, see :attr:`parameters`.
            folder: where its files are written; the task does not need them afterwards.
        """
        name, arm = self.name(demonstration, parameters), ARMS.get(self.task.arm)
        recording, made = folder / f"{name}-recorded.csv", folder / f"{name}.yaml"
        write_csv(recording, self.record(arm, demonstration))
        asked = Namespace(
            name=name,
            arm=arm.name,
            parameters=self.parameters[parameters],
            limits="",
            sources=[recording],
            topic=None,
            between=None,
            out=folder,
            json=None,
        )
        with redirect_stdout(io.StringIO()):
            new_task(asked)
        proposed = made.read_text(encoding="utf-8").partition(GUESS)[0]
        if self.task.lets_go(arm) and "release" not in self.parameters[parameters]:
            proposed = proposed.replace(PARAMETERS, RELEASE + PARAMETERS, 1)
        made.write_text(proposed + self.rest, encoding="utf-8")
        return load_task(made)


BLACK_BOXES = {
    box.world: box
    for box in (
        BlackBox(
            "slide",
            pushed,
            {
                2: "speed=0.3:2.0,heading=-0.4:0.4",
                4: "speed=0.3:2.0,heading=-0.4:0.4,reach=0.8:1.2,lateral=-0.03:0.03",
            },
            """\
observe: {at: rest, coordinates: [x, y]}
goal:
  x: {lower: 0.5, upper: 0.7}
  y: {lower: 0.38, upper: 0.45}
  varies: true
object: {name: puck}
rest: {speed: 0.01, window: 0.1}
max_duration: 6.0
""",
        ),
        BlackBox(
            "toss-gc",
            thrown,
            {
                2: "speed=0.3:2.5,heading=-0.3:0.3",
                4: "speed=0.3:2.5,heading=-0.3:0.3,elevation=-0.2:0.2,release=-0.06:0.06",
            },
            """\
observe: {at: crossing, plane: {z: -0.62}, direction: down, coordinates: [x, y]}
goal:
  x: {lower: 0.85, upper: 1.0}
  y: {lower: 0.0, upper: 0.15}
  varies: true
object: {name: ball}
rest: {speed: 0}
max_duration: 2.5
""",
        ),
    )
}


def black_box(world: str) -> BlackBox:
    """Return the black box of a world.

    Raises:
        UnknownName: there is none.
    """
    if world not in BLACK_BOXES:
        raise UnknownName("black box", world, BLACK_BOXES)
    return BLACK_BOXES[world]
