"""The gripper before a throw: it is there, and closes on what was put into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rclpy.node import Node

from icpi_msgs.action import ExecuteMotion
from icpi_ros.core.errors import UsageError
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports.gripper_port import GripperPort, make_gripper
from icpi_ros.ros.following.following import MotionFollower
from icpi_ros.ros.following.trial_ended import TrialEnded
from icpi_ros.tasks.base import Task

Code = ExecuteMotion.Result
SET_IT = "gripper:=action:NAME, trigger:OPEN or topic:NAME"
"""Remedy where no gripper is set."""
NO_GRIPPER = f"this task lets go in its motion, and nothing is set that opens a gripper: {SET_IT}"


def gripper_of(node: Node, task: Task, arm: Arm, values: Mapping[str, Any]) -> GripperPort | None:
    """Return the gripper of a task that lets go, None of any other and in a dry run without one.

    Raises:
        UsageError: the parameters name none, or none that can be used.
    """
    if not task.lets_go(arm):
        return None
    gripper = make_gripper(node, values)
    if gripper is None and not values["dry_run"]:
        raise UsageError(NO_GRIPPER)
    return gripper


def require(gripper: GripperPort | None, follower: MotionFollower, limit: float) -> None:
    """Wait for the gripper, before a person is asked.

    Args:
        gripper: of a task that lets go; None = there is none.
        follower: of the trial; an interruption ends the wait.
        limit: longest steady time to wait [s].

    Raises:
        TrialEnded: there is none, nothing serves it, or the trial was interrupted.
    """
    if gripper is None:
        raise TrialEnded(Code.MOTION_REFUSED, NO_GRIPPER)

    def missing() -> TrialEnded:
        return TrialEnded(Code.MOTION_REFUSED, f"{gripper.missing}: waited {limit:g} s")

    follower.wait_still(lambda: not gripper.missing, limit, missing)


def close(gripper: GripperPort | None, follower: MotionFollower, limit: float) -> None:
    """Close the gripper on what was put into it; the arm stands meanwhile.

    Args:
        gripper: of a task that lets go.
        follower: of the trial; an interruption ends the wait.
        limit: longest steady time for it to answer [s].

    Raises:
        TrialEnded: it does not close, or the trial was interrupted.
    """
    if gripper is None:
        raise TrialEnded(Code.MOTION_REFUSED, NO_GRIPPER)
    order = gripper.command(opens=False)

    def over() -> bool:
        gripper.look(order)
        return order.done

    def silent() -> TrialEnded:
        return TrialEnded(Code.ARM_FAILED, f"{gripper.name} did not close within {limit:g} s")

    follower.wait(over, limit, silent)
    if order.trouble:
        raise TrialEnded(Code.ARM_FAILED, order.trouble)
