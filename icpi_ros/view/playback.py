"""Motions that can be scrubbed: those of the trials, and one that is proposed."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import viser

from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from icpi_ros.bags.joint_states import JointPath

PERIOD = 1.0 / 30.0
"""Time from one picture to the next while a motion is played [s]."""


@dataclass(frozen=True)
class Clip:
    """A motion of the arm and the path of the object beside it; None = not known.

    Attributes:
        motion: as commanded, from its begin.
        path: of the object, on the same clock.
        seen: joints of the arm as they were recorded, on the same clock.
    """

    motion: JointTrajectory | None
    path: ObjectTrajectory | None
    seen: JointPath | None = None

    @property
    def duration(self) -> float:
        """Time of its end [s]."""
        times = [] if self.motion is None else [self.motion.duration]
        if self.path is not None and len(self.path.times):
            times.append(float(self.path.times[-1]))
        times += [] if self.seen is None else [float(self.seen.times[-1])]
        return max(times, default=0.0)

    def joints(self, moment: float) -> Array | None:
        """Return joint positions ``(n,)`` [rad]; None = not known."""
        return None if self.motion is None else self.motion.at(moment).position

    def recorded(self, moment: float) -> Array | None:
        """Return the recorded joint positions ``(n,)`` [rad]; None = not known."""
        return None if self.seen is None else self.seen.at(moment)

    def position(self, moment: float) -> Array | None:
        """Return the object's position ``(3,)``, frame ``base`` [m]; None = not known."""
        if self.path is None:
            return None
        seen = np.isfinite(self.path.positions).all(axis=1)
        if not seen.any():
            return None
        times, points = self.path.times[seen], self.path.positions[seen]
        return np.array([np.interp(moment, times, column) for column in points.T])


def motion_of(task: Task, arm: Arm, theta: Array, scale: float = 1.0) -> JointTrajectory | None:
    """Return the dynamic part of the motion at ``scale`` times its speed; None = there is none."""
    try:
        motion = task.motion(theta, arm).slowed(scale).trajectory
    except Exception:  # a task of a plug-in, or a theta of another arm: the rest can be shown
        return None
    return motion if np.isfinite(motion.positions).all() else None


class Playback:
    """Choice of a motion, a slider for its time, and a button that plays it."""

    def __init__(
        self,
        gui: viser.GuiApi,
        place: Callable[[str, Array | None, Array | None], None],
        move_object: Callable[[Array], None],
    ) -> None:
        """Add the controls, without a motion.

        Args:
            gui: to add them to.
            place: puts the arm of a motion, by its name, at joint positions ``(n,)`` [rad]: those
                that were commanded, and those that were recorded.
            move_object: puts the object at ``(3,)`` [m].
        """
        self._place, self._move_object = place, move_object
        self._clips: dict[str, Clip] = {}
        self._lock = threading.RLock()  # held while drawing: no moment of an older motion is late
        self._stop = threading.Event()
        self._choice: Any = gui.add_dropdown("motion", ("none",))
        self._time: Any = gui.add_slider("time [s]", min=0.0, max=1.0, step=0.01, initial_value=0.0)
        self._button = gui.add_button("play")
        self._choice.on_update(lambda event: None if event.client is None else self._chosen())
        self._time.on_update(lambda event: None if event.client is None else self._scrub())
        self._button.on_click(lambda _: self.play())

    def offer(self, clips: dict[str, Clip], chosen: str) -> None:
        """Offer these motions by name in place of the last ones, one of them chosen."""
        with self._lock:
            self._clips = dict(clips)
            self._choice.options = tuple(clips) or ("none",)
            if chosen in clips:
                self._choice.value = chosen
            self._chosen()

    @property
    def clip(self) -> Clip:
        """The chosen motion."""
        with self._lock:
            return self._clips.get(self._choice.value, Clip(None, None))

    def play(self) -> None:
        """Play the chosen motion from its begin; one that is being played ends."""
        with self._lock:
            self._stop.set()
            self._stop = stop = threading.Event()
            threading.Thread(target=self._played, args=(self.clip, stop), daemon=True).start()

    def close(self) -> None:
        """End what is being played, and wait until nothing of it is being drawn."""
        with self._lock:
            self._stop.set()

    def _played(self, clip: Clip, stop: threading.Event) -> None:
        begin = time.monotonic()
        while (moment := time.monotonic() - begin) < clip.duration:
            if not self._put(moment, stop) or stop.wait(PERIOD):
                return
        self._put(clip.duration, stop)

    def _put(self, moment: float, stop: threading.Event) -> bool:
        """Show one moment of what is played; False = it has ended."""
        with self._lock:
            if stop.is_set():
                return False
            self._time.value = moment
            self._scrub()
            return True

    def _chosen(self) -> None:
        """Show the end of the chosen motion."""
        with self._lock:
            self._stop.set()
            end = max(math.ceil(100.0 * self.clip.duration) / 100.0, 0.01)
            self._time.max = end
            self._time.value = end
            self._scrub()

    def _scrub(self) -> None:
        with self._lock:
            clip, moment = self.clip, float(self._time.value)
            self._place(str(self._choice.value), clip.joints(moment), clip.recorded(moment))
            if (position := clip.position(moment)) is not None:
                self._move_object(position)
