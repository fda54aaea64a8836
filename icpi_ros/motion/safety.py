"""The one gate that every motion passes just before an arm.

Whatever made the motion - a model, a planner, a person - an arm adapter takes only a
:class:`CheckedTrajectory`, and only :meth:`SafetyGate.check` makes one.  The gate refuses with
a reason; it never clamps or mends a motion.  No limit can be left out (ArmLimits has no
defaults).  This is not a certified safety function.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass

import numpy as np

from icpi_ros.arms.base import Arm
from icpi_ros.errors import MotionRefused
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.types import Array

START_TOLERANCE = 0.02
"""Largest distance of a joint from the first point of a motion [rad]."""
CHECK_PERIOD = 0.002
"""Limits are checked on the interpolated motion this finely [s], points included."""
CHECKS_PER_SEGMENT = 8
"""And at least this often between two points, however near in time they are."""
MAX_POINTS = 2000
"""Most points of a motion that is accepted."""
MAX_DURATION = 30.0
"""Longest motion that is accepted [s]."""

_PASS = object()


@dataclass(frozen=True)
class CheckedTrajectory:
    """A joint trajectory that passed the gate; cannot be made in any other way."""

    trajectory: JointTrajectory
    token: InitVar[object] = None

    def __post_init__(self, token: object) -> None:
        """Refuse to exist unless the gate made it.

        Raises:
            MotionRefused: constructed elsewhere.
        """
        if token is not _PASS:
            raise MotionRefused("a CheckedTrajectory comes only from SafetyGate.check")


class SafetyGate:
    """Checks motions of one arm against its limits."""

    def __init__(self, arm: Arm) -> None:
        """Keep the arm whose limits hold."""
        self._arm = arm

    def check(self, trajectory: JointTrajectory, current: Array) -> CheckedTrajectory:
        """Return the trajectory as checked, copied so that nobody can change it afterwards.

        Args:
            trajectory: the motion; between its points the controller's quintic is checked.
            current: ``(n,)`` [rad] where the arm is now.

        Raises:
            MotionRefused: names what is wrong: joint, value, limit.
        """
        self._check_form(trajectory)
        self._check_ends(trajectory, current)
        q, qd, qdd = self._dense(trajectory)
        self._check_joints(q, qd, qdd)
        self._check_tool(q, qd)
        return CheckedTrajectory(_frozen_copy(trajectory), _PASS)

    def check_stop(self, stop: JointTrajectory) -> CheckedTrajectory:
        """Return a controlled stop as checked: as :meth:`check`, but it starts in motion.

        Raises:
            MotionRefused: names what is wrong.
        """
        self._check_form(stop)
        if np.any(stop.velocities[-1]):
            raise MotionRefused("a stop ends at rest: the last velocity must be 0")
        q, qd, qdd = self._dense(stop)
        self._check_joints(q, qd, qdd)
        self._check_tool(q, qd)
        return CheckedTrajectory(_frozen_copy(stop), _PASS)

    def _check_form(self, t: JointTrajectory) -> None:
        n = len(self._arm.joints)
        if t.joints != self._arm.joints:
            raise MotionRefused(f"motion is for joints {t.joints}, the arm has {self._arm.joints}")
        shape = (len(t.times), n)
        if len(t.times) < 2 or not all(
            a.shape == shape for a in (t.positions, t.velocities, t.accelerations)
        ):
            raise MotionRefused(
                f"motion needs at least 2 points of {n} joints with all derivatives"
            )
        for label, values in (
            ("time", t.times[:, np.newaxis]),
            ("position", t.positions),
            ("velocity", t.velocities),
            ("acceleration", t.accelerations),
        ):
            if not np.isfinite(values).all():
                point = int(np.argmax(~np.isfinite(values).all(axis=1)))
                raise MotionRefused(f"{label} of point {point} is not finite")
        if t.times[0] != 0.0 or not (np.diff(t.times) > 0.0).all():
            raise MotionRefused("times of a motion start at 0 and increase strictly")
        if len(t.times) > MAX_POINTS:
            raise MotionRefused(
                f"motion has {len(t.times)} points: allowed are at most {MAX_POINTS}"
            )
        if t.duration > MAX_DURATION:
            raise MotionRefused(
                f"motion lasts {t.duration:.3g} s: allowed are at most {MAX_DURATION:g} s"
            )

    def _check_ends(self, t: JointTrajectory, current: Array) -> None:
        if np.shape(current) != (len(self._arm.joints),) or not np.isfinite(current).all():
            raise MotionRefused(f"current joint positions are not known: {current}")
        if np.any(t.velocities[0]) or np.any(t.velocities[-1]):
            raise MotionRefused(
                "a motion starts and ends at rest: first and last velocity must be 0"
            )
        far = np.abs(t.positions[0] - current)
        worst = int(np.argmax(far))
        if far[worst] > START_TOLERANCE:
            raise MotionRefused(
                f"{self._arm.joints[worst]} is at {current[worst]:.4f} rad, the motion starts at "
                f"{t.positions[0, worst]:.4f} rad: allowed difference {START_TOLERANCE:g} rad"
            )

    def _dense(self, t: JointTrajectory) -> tuple[Array, Array, Array]:
        """Sample finely, inside every segment too; the points' own values are added."""
        count = max(2, int(np.ceil(t.duration / CHECK_PERIOD)) + 1)
        parts = np.linspace(0.0, 1.0, CHECKS_PER_SEGMENT, endpoint=False)
        inside = t.times[:-1, np.newaxis] + np.diff(t.times)[:, np.newaxis] * parts
        times = np.union1d(np.linspace(0.0, t.duration, count), inside.ravel())
        q, qd, qdd = t.sample(times)
        return (
            np.concatenate([q, t.positions]),
            np.concatenate([qd, t.velocities]),
            np.concatenate([qdd, t.accelerations]),
        )

    def _check_joints(self, q: Array, qd: Array, qdd: Array) -> None:
        limits = self._arm.limits
        self._refuse_outside("position", "rad", q, limits.lower, limits.upper)
        self._refuse_outside("velocity", "rad/s", qd, -limits.velocity, limits.velocity)
        self._refuse_outside(
            "acceleration", "rad/s^2", qdd, -limits.acceleration, limits.acceleration
        )

    def _check_tool(self, q: Array, qd: Array) -> None:
        limits = self._arm.limits
        point, _ = self._arm.tool_pose(q)
        inside = (point >= limits.workspace_lower) & (point <= limits.workspace_upper)
        if not inside.all():
            row, axis = np.argwhere(~inside)[0]
            raise MotionRefused(
                f"tool {'xyz'[axis]} reaches {point[row, axis]:.4f} m: allowed "
                f"{limits.workspace_lower[axis]:g} to {limits.workspace_upper[axis]:g} m"
            )
        speed = np.linalg.norm((self._arm.jacobian(q)[:, :3] @ qd[..., np.newaxis])[..., 0], axis=1)
        if not speed.max() <= limits.tool_speed:
            raise MotionRefused(
                f"tool speed reaches {speed.max():.3f} m/s: allowed {limits.tool_speed:g} m/s"
            )

    def _refuse_outside(self, what: str, unit: str, values: Array, low: Array, high: Array) -> None:
        inside = (values >= low) & (values <= high)
        if inside.all():
            return
        row, joint = np.argwhere(~inside)[0]
        raise MotionRefused(
            f"{what} of {self._arm.joints[joint]} reaches {values[row, joint]:.4f} {unit}: "
            f"allowed {low[joint]:.4f} to {high[joint]:.4f} {unit}"
        )


def _frozen_copy(t: JointTrajectory) -> JointTrajectory:
    arrays = [a.copy() for a in (t.times, t.positions, t.velocities, t.accelerations)]
    for array in arrays:
        array.flags.writeable = False
    return JointTrajectory(t.joints, *arrays)
