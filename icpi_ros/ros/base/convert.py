"""The module between core values and ROS messages; questions to a person: ``request_msg``.

Times: messages carry integer seconds and nanoseconds, core values float seconds since the start
of a window or motion; stamps stay integer nanoseconds in between, so that nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Duration, Time
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, PoseStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMsg
from trajectory_msgs.msg import JointTrajectoryPoint

from icpi_msgs.msg import ObjectState
from icpi_msgs.msg import ObjectTrajectory as ObjectTrajectoryMsg
from icpi_msgs.msg import Proposal as ProposalMsg
from icpi_msgs.msg import Trial as TrialMsg
from icpi_ros.bags.trial_message import proposal_fields, trial_fields
from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.types import SECOND, Array, ObjectTrajectory, Trial
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.perception.quality import Quality
from icpi_ros.ros.base.joint_reading import JointReading, read_joints
from icpi_ros.tasks.base import Task

FRAME = "base"
"""Frame of all positions: the arm's Denavit-Hartenberg base frame."""


def to_ns(stamp: Time | Duration) -> int:
    """Return a time or duration message as nanoseconds."""
    return int(stamp.sec) * SECOND + int(stamp.nanosec)


def time_msg(ns: int) -> Time:
    """Return nanoseconds as a time message."""
    return Time(sec=ns // SECOND, nanosec=ns % SECOND)


def header(ns: int, frame: str = FRAME) -> Header:
    """Return a header stamped ``ns``."""
    return Header(stamp=time_msg(ns), frame_id=frame)


def ns_from_seconds(seconds: float) -> int:
    """Return seconds as nanoseconds, rounded."""
    return round(seconds * SECOND)


# --- arm --------------------------------------------------------------------------------------


def trajectory_msg(
    trajectory: JointTrajectory, motion: str, start_ns: int = 0
) -> JointTrajectoryMsg:
    """Return a trajectory for the controller, labelled ``motion``.

    The label travels in ``header.frame_id``, which joint_trajectory_controller ignores; the
    simulated arm repeats it in its status so that the executor knows which motion is meant.

    Args:
        trajectory: points; a first time above 0 lets the controller join from where it is.
        motion: the label.
        start_ns: time of the arm's clock at which it starts [ns]; 0 = at once.
    """
    points = [
        JointTrajectoryPoint(
            positions=q, velocities=qd, accelerations=qdd, time_from_start=duration_msg(t)
        )
        for t, q, qd, qdd in zip(
            trajectory.times.tolist(),
            trajectory.positions.tolist(),
            trajectory.velocities.tolist(),
            trajectory.accelerations.tolist(),
            strict=True,
        )
    ]
    return JointTrajectoryMsg(
        header=header(start_ns, motion), joint_names=list(trajectory.joints), points=points
    )


def trajectory_from(msg: JointTrajectoryMsg, joints: Sequence[str]) -> JointTrajectory:
    """Return the trajectory of a message with its joints in the order of ``joints``.

    Raises:
        InvalidValue: joints are missing or unknown, or a point lacks values; names them.
    """
    order = _joint_order(msg.joint_names, joints)
    for number, point in enumerate(msg.points):
        for kind in ("positions", "velocities", "accelerations"):
            count = len(getattr(point, kind))
            if count != len(joints):
                text = (
                    f"point {number} has {count} {kind}, expected {len(joints)}: "
                    "every point needs positions, velocities and accelerations"
                )
                field = f"points[{number}].{kind}"
                raise InvalidValue(Refusal(text, Kind.FORM, kind, value=count, field=field))
    return JointTrajectory(
        joints=tuple(joints),
        times=np.array([to_ns(p.time_from_start) / SECOND for p in msg.points]),
        positions=np.array([p.positions for p in msg.points], dtype=np.float64)[:, order],
        velocities=np.array([p.velocities for p in msg.points], dtype=np.float64)[:, order],
        accelerations=np.array([p.accelerations for p in msg.points], dtype=np.float64)[:, order],
    )


@dataclass(frozen=True)
class MotionStatus:
    """Status of a motion that was sent to the arm.

    Attributes:
        motion: label of the motion.
        state: ``accepted`` or ``rejected``, then ``done``, ``aborted``, ``cancelled`` or
            ``replaced`` (by the motion that came next).
        ns: when it happened [ns of ROS time]; for ``accepted`` the start of the motion.
        reason: why it was rejected or aborted; empty otherwise.
        steady: when it happened on the steady clock of the arm's machine [s], for ``accepted``
            when the first command is due that is another than without it; 0 = not reported.
        taken_ns: for ``accepted`` when the controller took it [ns of ROS time]; 0 = not reported.
    """

    motion: str
    state: str
    ns: int
    reason: str = ""
    steady: float = 0.0
    taken_ns: int = 0


def motion_status_msg(status: MotionStatus) -> DiagnosticStatus:
    """Return a motion status as a message; standard types only, so any arm can send it."""
    bad = status.state in ("rejected", "aborted")
    return DiagnosticStatus(
        level=DiagnosticStatus.ERROR if bad else DiagnosticStatus.OK,
        name=status.motion,
        message=status.reason,
        values=[
            KeyValue(key="state", value=status.state),
            KeyValue(key="stamp_ns", value=str(status.ns)),
            KeyValue(key="steady", value=repr(status.steady)),
            KeyValue(key="taken_ns", value=str(status.taken_ns)),
        ],
    )


def motion_status_from(msg: DiagnosticStatus) -> MotionStatus:
    """Return the motion status of a message.

    Raises:
        InvalidValue: it has no state or no stamp.
    """
    values = {item.key: item.value for item in msg.values}
    try:
        return MotionStatus(
            msg.name,
            values["state"],
            int(values["stamp_ns"]),
            msg.message,
            float(values.get("steady", "0")),
            int(values.get("taken_ns", "0")),
        )
    except (KeyError, ValueError) as exc:
        raise InvalidValue(f"status of motion {msg.name!r} lacks {exc}") from exc


def joint_state_msg(ns: int, joints: Sequence[str], q: Array, qd: Array) -> JointState:
    """Return joint positions [rad] and velocities [rad/s] as a message."""
    return JointState(
        header=header(ns, ""), name=list(joints), position=q.tolist(), velocity=qd.tolist()
    )


def joint_reading_from(msg: JointState, joints: Sequence[str]) -> tuple[int, JointReading]:
    """Return stamp [ns] and reading of a message, joints in the order of ``joints``.

    Raises:
        UnusableState: it does not give the arm's position; the message has the reason.
    """
    reading = read_joints(msg.name, msg.position, msg.velocity, joints)
    return to_ns(msg.header.stamp), reading


def joint_state_from(msg: JointState, joints: Sequence[str]) -> tuple[int, Array, Array]:
    """Return stamp [ns], positions [rad] and velocities [rad/s] (NaN = not reported) likewise."""
    ns, reading = joint_reading_from(msg, joints)
    return ns, reading.q, reading.qd


def _joint_order(names: Sequence[str], joints: Sequence[str]) -> list[int]:
    missing = [name for name in joints if name not in names]
    unknown = [name for name in names if name not in joints]
    if missing or unknown or len(names) != len(joints):
        text = (
            f"joints {', '.join(names)} are not those of the arm: "
            f"missing {', '.join(missing) or 'none'}, unknown {', '.join(unknown) or 'none'}"
        )
        found = tuple(names)
        raise InvalidValue(
            Refusal(text, Kind.WRONG_JOINTS, "joints", value=found, limit=tuple(joints))
        )
    return [list(names).index(name) for name in joints]


def duration_msg(seconds: float) -> Duration:
    """Return seconds as a duration message."""
    ns = ns_from_seconds(seconds)
    return Duration(sec=ns // SECOND, nanosec=ns % SECOND)


# --- object -----------------------------------------------------------------------------------


def pose_msg(ns: int, position: Array, quaternion: Array) -> PoseStamped:
    """Return a pose; ``position`` ``(3,)`` [m], ``quaternion`` ``(4,)`` w, x, y, z."""
    msg = PoseStamped(header=header(ns))
    msg.pose.position = point(position)
    w, x, y, z = quaternion.tolist()
    msg.pose.orientation.w, msg.pose.orientation.x = w, x
    msg.pose.orientation.y, msg.pose.orientation.z = y, z
    return msg


def object_state_msg(ns: int, position: Array, at_rest: bool) -> ObjectState:
    """Return the state of the tracked object at ``position`` ``(3,)`` [m]."""
    return ObjectState(header=header(ns), position=point(position), at_rest=at_rest)


def object_trajectory_msg(
    trial_id: str, start_ns: int, trajectory: ObjectTrajectory, quality: Quality, at_rest: bool
) -> ObjectTrajectoryMsg:
    """Return the object's trajectory in one trial window that began at ``start_ns``."""
    return ObjectTrajectoryMsg(
        header=header(start_ns),
        trial_id=trial_id,
        times=trajectory.times.tolist(),
        positions=[point(p) for p in trajectory.positions],
        coverage=quality.coverage,
        longest_gap=quality.longest_gap,
        residual=quality.residual,
        rate=quality.rate,
        good=quality.good,
        reason=quality.reason or "",
        at_rest=at_rest,
    )


def unseen_trajectory_msg(trial_id: str, start_ns: int, reason: str | None) -> ObjectTrajectoryMsg:
    """Return the trajectory of a window in which the object was not seen: no samples, a reason."""
    nan = float("nan")
    reason = f"the object was not seen: {reason}" if reason else "the object was not seen"
    quality = Quality(0.0, nan, nan, nan, reason)
    nothing = ObjectTrajectory(np.empty(0), np.empty((0, 3)))
    return object_trajectory_msg(trial_id, start_ns, nothing, quality, at_rest=False)


def object_trajectory_from(msg: ObjectTrajectoryMsg) -> ObjectTrajectory:
    """Return the trajectory of a message.

    Raises:
        InvalidValue: times and positions do not fit together.
    """
    try:
        return ObjectTrajectory(np.array(msg.times), points_from(msg.positions))
    except ValueError as exc:
        raise InvalidValue(f"object trajectory of trial {msg.trial_id}: {exc}") from exc


def point_from(msg: Point) -> Array:
    """Return a point as ``(3,)`` [m]."""
    return np.array([msg.x, msg.y, msg.z])


def points_from(msgs: Iterable[Point]) -> Array:
    """Return points as ``(n, 3)`` [m]."""
    return np.array([point_from(msg) for msg in msgs], dtype=np.float64).reshape(-1, 3)


def point(position: Iterable[float]) -> Point:
    """Return ``(3,)`` [m] as a point."""
    x, y, z = (float(value) for value in position)
    return Point(x=x, y=y, z=z)


# --- trials -----------------------------------------------------------------------------------


def trial_msg(ns: int, task: Task, trial: Trial) -> TrialMsg:
    """Return a finished trial of a run of ``task``, stamped ``ns``."""
    fields = trial_fields(trial, task.space.names)
    return TrialMsg(header=header(ns, ""), proposal=proposal_msg(task, trial), **fields)


def proposal_msg(task: Task, trial: Trial) -> ProposalMsg:
    """Return the proposal that a trial of ``task`` executes, after projection into the bounds."""
    return ProposalMsg(**proposal_fields(trial, task.space.names))
