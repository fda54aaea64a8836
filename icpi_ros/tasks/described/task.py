"""Task that a YAML file describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.motion.trajectory import Motion, TrajectoryBatch
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.described.motions import MotionFamily, peak_times
from icpi_ros.tasks.described.observed import AXES, CrossingPosition, ObservedPosition
from icpi_ros.tasks.described.scene import SceneDescription

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True)
class StartPlace:
    """Place of the object when a trial begins, and how it gets there.

    Attributes:
        text: instruction to a person, one imperative without a full stop; empty = made from place.
        place: coordinates by their names [m]; empty = not known.
        tolerance: largest distance from it [m].
    """

    text: str = ""
    place: Mapping[str, float] | None = None
    tolerance: float = 0.0

    def instruction(self, what: str) -> str:
        """Return the instruction to put ``what`` back."""
        if self.text or not self.place:
            return self.text or f"put the {what} back at its start, at rest"
        return f"put the {what} at {_at(self.place)} in frame base"

    def misplaced(self, what: str, position: Array) -> str:
        """Return the reason why ``what`` is not here; empty if it is, or no place is known."""
        if not self.place:
            return ""
        columns = [AXES.index(axis) for axis in self.place]
        off = float(np.linalg.norm(position[columns] - np.array(list(self.place.values()))))
        if off <= self.tolerance:
            return ""
        seen = _at(dict(zip(self.place, position[columns].tolist(), strict=True)))
        return (
            f"the {what} is seen at {seen}, {1e3 * off:.0f} mm from its place, at most "
            f"{1e3 * self.tolerance:.0f} mm"
        )


class DescribedTask(Task):
    """Task whose facts come from a YAML file; see :func:`.reading.load_task`.

    The error is the observed position minus the goal, coordinate by coordinate.

    Attributes:
        file: absolute path of the YAML file.
    """

    revision: ClassVar[int] = 1
    within_limits: ClassVar[bool] = False

    def __init__(
        self,
        file: Path,
        facts: Mapping[str, Any],
        family: MotionFamily,
        observed: ObservedPosition,
        start: StartPlace,
        scene: SceneDescription | None,
        release: float | None = None,
    ) -> None:
        """Keep what was read.

        Args:
            file: absolute path.
            facts: attributes of :class:`Task` by name.
            family: of motions.
            observed: position on the object's path.
            start: of the object.
            scene: None = there is none.
            release: after the tool is fastest [s], where it is no parameter; None = nothing is
                let go.
        """
        vars(self).update(facts)  # Task has them on its class, and each file its own
        self.file, self._family, self._observed = file, family, observed
        self._start, self._scene = start, scene
        self._release = release

    @property
    def how_to_reset(self) -> str:
        """Instruction of the file; see :meth:`Task.how_to_reset`."""
        return self._start.instruction(self.object_body)

    def misplaced(self, position: Array) -> str:
        """Compare with the place of the file; see :meth:`Task.misplaced`."""
        return self._start.misplaced(self.object_body, position)

    def goal_point(self, goal: Array) -> Array | None:
        """Place of the goal as far as goal, plane of crossing and of the camera tell.

        Where nothing tells a height it is that of the table; see :meth:`Task.goal_point`.
        """
        known = {"z": 0.0}
        if self.camera_target is not None:
            plane = self.camera_target.plane
            axis = int(np.argmax(np.abs(plane.normal)))
            known[AXES[axis]] = plane.offset * float(plane.normal[axis])
        if isinstance(self._observed, CrossingPosition):
            known[self._observed.axis] = self._observed.level
        known |= dict(zip(self._observed.axes, goal.tolist(), strict=True))
        return np.array([known[axis] for axis in AXES]) if set(AXES) <= set(known) else None

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Motions of the file's family; see :meth:`Task.trajectories`."""
        return self._family.trajectories(self._shape(thetas), arm)

    def releases(self, thetas: Array, arm: Arm) -> Array | None:
        """The moment of highest tool speed plus the last parameter, or the file's number.

        One outside of the motion is refused by the gate: moved into it, theta would not be what
        was executed.  See :meth:`Task.releases`.
        """
        if not self.lets_go(arm):  # a rollout without a release need not make motions twice
            return None
        return self._releases(thetas, self.trajectories(thetas, arm), arm)

    def _releases(self, thetas: Array, motions: TrajectoryBatch, arm: Arm) -> Array | None:
        """Return :meth:`releases` of thetas whose motions are there already."""
        varies = self.space.dim > self._family.space.dim
        after = thetas[:, -1] if varies else self._release
        return None if after is None else np.asarray(peak_times(motions, arm) + after)

    def lets_go(self, arm: Arm) -> bool:
        """Tell whether the file has a release, as a parameter or a number."""
        return self._release is not None or self.space.dim > self._family.space.dim

    def motion(self, theta: Array, arm: Arm) -> Motion:
        """Motion of one theta, made once; see :meth:`Task.motion`."""
        thetas = theta[np.newaxis, :]
        motions = self.trajectories(thetas, arm)
        releases = self._releases(thetas, motions, arm)
        release = None if releases is None else float(releases[0])
        return Motion(self.ready(theta, arm), motions[0], release)

    def ready(self, theta: Array, arm: Arm) -> Array:
        """Pose of the file's family; see :meth:`Task.ready`."""
        return self._family.ready(self._shape(theta), arm)

    def _shape(self, thetas: Array) -> Array:
        """Return the parameters ``(..., d)`` of the path: all but the moment of release."""
        return thetas[..., : self._family.space.dim]

    @property
    def first_theta(self) -> Array | None:
        """The demonstration, let go at its highest speed; see :attr:`Task.first_theta`."""
        shape = self._family.first
        if shape is None:
            return None
        return self.space.project(np.append(shape, 0.0)[: self.space.dim])[0]

    def error(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Observed position minus goal; see :meth:`Task.error`.

        Raises:
            ObservationMissing: the samples that are needed are not there.
        """
        return self._observed.of(trajectory, goal) - goal

    def outcome_goal(self, trajectory: ObjectTrajectory) -> Array:
        """The observed position, for the default goal; see :meth:`Task.outcome_goal`."""
        return self._observed.of(trajectory, self.default_goal)

    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Write the file's physics where it says; see :meth:`Task.apply_physics`.

        Raises:
            DescriptionError: the scene lacks what the file names.
        """
        if self._scene is not None:  # without one there is no model either
            self._scene.apply(model, physics, self.object_body)

    def definition(self) -> dict[str, Any]:
        """All of :meth:`Task.definition`, the motion, the observation, the start and the scene."""
        scene = {} if self._scene is None else self._scene.definition()
        observed = self._observed.definition() | {"axes": list(self._observed.axes)}
        place = dict(self._start.place or {})
        more = {"motion": self._family.definition(), "observe": observed, "start": place}
        fixed = {} if self._release is None else {"release": self._release}
        return super().definition() | more | fixed | scene


def _at(place: Mapping[str, float]) -> str:
    return ", ".join(f"{axis} = {value:.3f} m" for axis, value in place.items())
