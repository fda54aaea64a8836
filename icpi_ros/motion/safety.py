"""Safety gate: the only one, passed by every motion just before an arm.

Whatever made the motion - a model, a planner, a person - an arm adapter takes only a
:class:`CheckedTrajectory`, and only a :class:`SafetyGate` makes one.  The gate refuses with
a reason; it never clamps or mends a motion.  No limit can be left out (ArmLimits has no
defaults), limits can only be tightened.  This is not a certified safety function.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, fields

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, MotionRefused, Refusal
from icpi_ros.core.types import Array
from icpi_ros.motion.extremes import enclosures, extremes
from icpi_ros.motion.path_check import ROUNDING, PathCheck, reaches
from icpi_ros.motion.release import checked_time
from icpi_ros.motion.trajectory import JointTrajectory, PathPoint
from icpi_ros.robots.base import Arm, ArmLimits

START_TOLERANCE = 0.02
"""Largest distance of a joint from the first point of a motion [rad]."""
MAX_POINTS = 2000
"""Most points of a motion that is accepted."""
MAX_DURATION = 30.0
"""Longest motion that is accepted [s]."""
MIN_SEGMENT = 1e-4
"""Shortest time between two points [s]: controllers round times to 1 ns and run at 1 kHz."""
SURE = 1e-6
"""Share of a limit's range by which bounds of a motion are inside where extremes are not sought."""

_PASS = object()


@dataclass(frozen=True)
class CheckedTrajectory:
    """Joint trajectory that passed the gate; cannot be made in any other way.

    Attributes:
        trajectory: the motion.
        release: time in it at which the gripper lets go [s]; None = it does not.
    """

    trajectory: JointTrajectory
    token: InitVar[object] = None
    release: float | None = None

    def __post_init__(self, token: object) -> None:
        """Refuse to exist unless the gate made it.

        Raises:
            MotionRefused: constructed elsewhere.
        """
        if token is not _PASS:
            text = "a CheckedTrajectory comes only from SafetyGate.check"
            raise MotionRefused(Refusal(text, Kind.NOT_CHECKED))


class SafetyGate:
    """Check of motions of one arm against its limits, or against tighter ones."""

    def __init__(self, arm: Arm, limits: ArmLimits | None = None) -> None:
        """Keep the arm and the limits that hold: the arm's own unless tighter ones are given.

        Raises:
            InvalidValue: ``limits`` are looser than the arm's own somewhere, or the arm's body
                touches itself at home.
        """
        self.limits = arm.limits if limits is None else _not_looser(limits, arm)
        self.arm = arm
        self.path = PathCheck(arm, self.limits)

    def check(
        self, trajectory: JointTrajectory, current: Array, release: float | None = None
    ) -> CheckedTrajectory:
        """Return the trajectory as checked, copied so that no caller can change it afterwards.

        Args:
            trajectory: the motion; between its points the controller's quintic is checked.
            current: ``(n,)`` present joint positions [rad].
            release: time in it at which the gripper lets go [s]; None = it does not.

        Raises:
            MotionRefused: names the fault: joint, value, limit.
        """
        motion = self._in_form(trajectory)
        moment = checked_time(release, motion.duration)
        self._check_ends(motion, current)
        return self._checked(motion, moment)

    def check_stop(self, stop: JointTrajectory, begin: PathPoint) -> CheckedTrajectory:
        """Return a controlled stop as checked: as :meth:`check`, but it starts in motion.

        Args:
            stop: ends at rest.
            begin: state of the motion under way when the stop takes over; see
                :meth:`JointTrajectory.at`.

        Raises:
            MotionRefused: names the fault.
        """
        motion = self._in_form(stop)
        if np.any(motion.velocities[-1]):
            raise self._moving("a stop ends at rest: the last velocity must be 0", motion, [-1])
        self._check_begin(motion, begin)
        return self._checked(motion)

    def _checked(self, motion: JointTrajectory, release: float | None = None) -> CheckedTrajectory:
        with np.errstate(all="ignore"):  # what overflows is not inside any limit
            self._check_joints(motion)
            self.path.check(motion)
        return CheckedTrajectory(motion, _PASS, release)

    def _in_form(self, t: JointTrajectory) -> JointTrajectory:
        """Return a private copy of a trajectory of the right shape: finite, in order, bounded."""
        n = len(self.arm.joints)
        if t.joints != self.arm.joints:
            text = f"motion is for joints {t.joints}, the arm has {self.arm.joints}"
            limit = self.arm.joints
            raise MotionRefused(
                Refusal(text, Kind.WRONG_JOINTS, "joints", value=t.joints, limit=limit)
            )
        t = _frozen_copy(t)
        count = t.times.size
        if count > MAX_POINTS:
            text = f"motion has {count} points: allowed are at most {MAX_POINTS}"
            raise _bad_points(text, count)
        shapes = {a.shape for a in (t.positions, t.velocities, t.accelerations)}
        if count < 2 or t.times.ndim != 1 or shapes != {(count, n)}:
            text = f"motion needs at least 2 points of {n} joints with all derivatives"
            raise _bad_points(text, count)
        for label, values in (
            ("time", t.times[:, np.newaxis]),
            ("position", t.positions),
            ("velocity", t.velocities),
            ("acceleration", t.accelerations),
        ):
            if not np.isfinite(values).all():
                raise self._not_finite(label, values)
        _check_times(t)
        return t

    def _check_ends(self, t: JointTrajectory, current: Array) -> None:
        if np.shape(current) != (len(self.arm.joints),) or not np.isfinite(current).all():
            where = " ".join(str(current).split())  # numpy breaks its lines
            text = f"current joint positions are not known: {where}"
            raise MotionRefused(Refusal(text, Kind.UNKNOWN_POSE, "position", unit="rad"))
        if np.any(t.velocities[0]) or np.any(t.velocities[-1]):
            text = "a motion starts and ends at rest: first and last velocity must be 0"
            raise self._moving(text, t, [0, -1])
        far = np.abs(t.positions[0] - current)
        worst = int(np.argmax(far))
        if far[worst] > START_TOLERANCE:
            joint, off = self.arm.joints[worst], float(far[worst])
            text = (
                f"{joint} is at {current[worst]:.6f} rad, the motion starts at "
                f"{t.positions[0, worst]:.6f} rad: allowed difference {START_TOLERANCE:g} rad"
            )
            limit = (0.0, START_TOLERANCE)
            raise MotionRefused(
                Refusal(text, Kind.START, "distance from the start", joint, off, limit, "rad")
            )

    def _check_begin(self, stop: JointTrajectory, begin: PathPoint) -> None:
        for what, unit, found, expected in (
            ("position", "rad", stop.positions[0], begin.position),
            ("velocity", "rad/s", stop.velocities[0], begin.velocity),
        ):
            near = np.abs(found - expected) <= ROUNDING
            if not near.all():
                i = int(np.argmin(near))
                joint, value, limit = self.arm.joints[i], float(found[i]), float(expected[i])
                text = (
                    f"a stop starts where the path is: {what} of {joint} is "
                    f"{value:.6f}, expected {limit:.6f} {unit}"
                )
                raise MotionRefused(
                    Refusal(text, Kind.START, what, joint, value, (limit, limit), unit)
                )

    def _check_joints(self, motion: JointTrajectory) -> None:
        limits = self.limits
        allowed = (
            (limits.lower, limits.upper),
            (-limits.velocity, limits.velocity),
            (-limits.acceleration, limits.acceleration),
        )
        if all(map(_surely_inside, enclosures(motion), allowed)):
            return
        q, qd, qdd = extremes(motion)
        self._refuse_outside("position", "rad", q, *allowed[0])
        self._refuse_outside("velocity", "rad/s", qd, *allowed[1])
        self._refuse_outside("acceleration", "rad/s^2", qdd, *allowed[2])

    def _refuse_outside(self, what: str, unit: str, values: Array, low: Array, high: Array) -> None:
        beyond = np.maximum(low - values, values - high)
        if (beyond <= ROUNDING).all():
            return
        worst = np.argmax(np.where(np.isnan(beyond), np.inf, beyond))
        row, joint = np.unravel_index(worst, beyond.shape)
        value, limit = float(values[row, joint]), (float(low[joint]), float(high[joint]))
        name = self.arm.joints[joint]
        raise MotionRefused(reaches(Kind.JOINT_LIMIT, what, value, limit, unit, joint=name))

    def _not_finite(self, label: str, values: Array) -> MotionRefused:
        """Return the refusal of the first of ``values`` ``(K, n or 1)`` that is not finite."""
        bad = ~np.isfinite(values)
        point = int(np.argmax(bad.any(axis=1)))
        column = int(np.argmax(bad[point]))
        joint = "" if label == "time" else self.arm.joints[column]
        value, field = float(values[point, column]), f"points[{point}]"
        text = f"{label} of point {point} is not finite"
        return MotionRefused(Refusal(text, Kind.NOT_FINITE, label, joint, value=value, field=field))

    def _moving(self, text: str, motion: JointTrajectory, points: list[int]) -> MotionRefused:
        """Return the refusal of a motion that is not at rest at some of ``points``."""
        ends = motion.velocities[points]
        row, joint = np.unravel_index(np.argmax(np.abs(ends)), ends.shape)
        name, value = self.arm.joints[joint], float(ends[row, joint])
        return MotionRefused(
            Refusal(text, Kind.NOT_AT_REST, "velocity", name, value, (0.0, 0.0), "rad/s")
        )


def _surely_inside(bounds: tuple[Array, Array], limits: tuple[Array, Array]) -> bool:
    """Return whether values between ``bounds`` are inside limits, rounding or not; NaN is not."""
    (low, high), (lower, upper) = bounds, limits
    room = SURE * (upper - lower)
    return bool(((low >= lower + room) & (high <= upper - room)).all())


def _bad_points(text: str, count: int) -> MotionRefused:
    limit = (2.0, float(MAX_POINTS))
    return MotionRefused(Refusal(text, Kind.FORM, "points", value=count, limit=limit))


def _check_times(t: JointTrajectory) -> None:
    if t.times[0] != 0.0 or not (np.diff(t.times) > 0.0).all():
        text = "times of a motion start at 0 and increase strictly"
        raise MotionRefused(Refusal(text, Kind.TIMES, "time", unit="s"))
    if t.duration > MAX_DURATION:
        text = f"motion lasts {t.duration:.9g} s: allowed are at most {MAX_DURATION:g} s"
        value, limit = t.duration, (0.0, MAX_DURATION)
        raise MotionRefused(
            Refusal(text, Kind.DURATION, "duration", value=value, limit=limit, unit="s")
        )
    short = np.diff(t.times) < MIN_SEGMENT
    if short.any():
        point = int(np.argmax(short))
        value = float(np.diff(t.times)[point])
        text = (
            f"points {point} and {point + 1} are {value:.3g} s apart: "
            f"allowed are at least {MIN_SEGMENT:g} s"
        )
        limit, field = (MIN_SEGMENT, np.inf), f"points[{point}]"
        raise MotionRefused(
            Refusal(text, Kind.SPACING, "spacing", "", value, limit, "s", field=field)
        )


def _not_looser(limits: ArmLimits, arm: Arm) -> ArmLimits:
    own = arm.limits
    if limits.tool_mass < own.tool_mass:
        text = (
            f"tool_mass = {limits.tool_mass:g} kg is less than the arm's own {own.tool_mass:g} kg"
        )
        value, limit, field = limits.tool_mass, (own.tool_mass, np.inf), "tool_mass"
        raise InvalidValue(
            Refusal(text, Kind.LOOSER, field, value=value, limit=limit, unit="kg", field=field)
        )
    values = {f.name: getattr(limits, f.name) for f in fields(limits) if f.name != "tool_mass"}
    own.tightened(values, arm.joints)
    return limits


def _frozen_copy(t: JointTrajectory) -> JointTrajectory:
    try:
        parts = (t.times, t.positions, t.velocities, t.accelerations)
        arrays = [np.array(a, dtype=np.float64) for a in parts]
    except (TypeError, ValueError):
        text = "motion holds something that is not a number"
        raise MotionRefused(Refusal(text, Kind.FORM, "points")) from None
    for array in arrays:
        array.flags.writeable = False
    return JointTrajectory(t.joints, *arrays)
