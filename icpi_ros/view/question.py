"""Question that waits for a person, and whether a page can show what it asks about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task
from icpi_ros.view.playback import motion_of

AGREES = 0.001
"""Largest distance between the drawn motion's tool and the path that the question names [m]."""
SAME_TIME = 0.001
"""Largest difference of their durations [s]."""
MAX_PATH = 10_000
"""Most points of a path that is compared."""


class QuestionKind(StrEnum):
    """Subject of a question."""

    MOTION = "motion"
    SCENE = "scene"


_MEANT = {
    "approve": QuestionKind.MOTION,
    "edit": QuestionKind.MOTION,
    "clear": QuestionKind.SCENE,
}


def not_meant(button: str, kind: QuestionKind) -> str:
    """Return why a button does not decide about a question of that kind; empty = it does."""
    if button == "reject" or _MEANT.get(button) is kind:
        return ""
    return f"{button} is no decision about a {kind}"


@dataclass(frozen=True, eq=False)
class AskedMotion:
    """Motion that a question is about, as the executor checked it.

    Attributes:
        theta: ``(d,)`` [units of the parameters].
        lower, upper: ``(d,)`` bounds in force [the same].
        scale: speed of the dynamic part, 1 = as proposed.
        duration: of the dynamic part [s].
        path: ``(T, 3)`` of the tool in it, frame ``base`` [m].
        slow: ``(T, 3)`` of the tool in each slow motion before it [the same].
        release: ``(3,)`` of the tool where the gripper lets go [the same]; None = it does not.
    """

    theta: Array
    lower: Array
    upper: Array
    scale: float
    duration: float
    path: Array
    slow: tuple[Array, ...] = ()
    release: Array | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """Value that is equal for equal motions, NaN included."""
        arrays = (self.theta, self.lower, self.upper, self.path, *self.slow)
        return (repr((self.scale, self.duration)), *(array.tobytes() for array in arrays))


@dataclass(frozen=True, eq=False)
class WaitingQuestion:
    """Question that waits for a person.

    Attributes:
        request: id that a decision names.
        kind: subject.
        text: all of it, several lines.
        headline: what is asked and what became of the last decision, one or two lines.
        motion: of a MOTION.
        foreign: why it is not one for this page; empty = it is.
        kept: it has the theta from before a change that was refused.
    """

    request: int
    kind: QuestionKind
    text: str
    headline: str = ""
    motion: AskedMotion | None = None
    foreign: str = ""
    kept: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """Value that is equal for the same question that came again."""
        asked = None if self.motion is None else self.motion.key
        return self.request, self.kind, self.text, self.headline, self.foreign, self.kept, asked

    def undecidable(self, dim: int) -> str:
        """Return why no button belongs under it; empty = some do.

        Args:
            dim: number of parameters of the page's task.
        """
        if self.foreign or self.kind is QuestionKind.SCENE:
            return self.foreign
        if self.motion is None:
            return "it names no motion"
        found = (self.motion.theta, self.motion.lower, self.motion.upper)
        if any(values.shape != (dim,) or not np.isfinite(values).all() for values in found):
            return f"its theta and bounds are not {dim} numbers each"
        if (self.motion.lower > self.motion.upper).any():
            return "its lower bounds are above its upper ones"
        return ""


def drawn_motion(task: Task, arm: Arm, asked: AskedMotion) -> tuple[JointTrajectory | None, str]:
    """Return the motion that a question is about, or None and why it cannot be drawn.

    It is made anew from theta, and drawn only if its tool goes where the question says.
    """
    motion = motion_of(task, arm, asked.theta, asked.scale)
    if motion is None:
        return None, "the motion cannot be drawn for this task and arm"
    path = asked.path
    if not 2 <= len(path) <= MAX_PATH or not np.isfinite(path).all():
        return None, "the question names no path of the tool to compare the drawing with"
    if not abs(motion.duration - asked.duration) <= SAME_TIME:
        return None, f"the question's motion takes {asked.duration:.3g} s, the drawn one another"
    q, _, _ = motion.sample(np.linspace(0.0, motion.duration, len(path)))
    off = float(np.linalg.norm(arm.tool_pose(q)[0] - path, axis=1).max())
    if not off <= AGREES:
        return None, f"the tool's path of the question is {1000.0 * off:.3g} mm off the drawn one"
    return motion, ""
