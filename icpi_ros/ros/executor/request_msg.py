"""The executor's questions to a person as messages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import Vector3

from icpi_msgs.msg import MotionSummary as MotionSummaryMsg
from icpi_msgs.msg import OperatorRequest, Proposal
from icpi_ros.core.errors import InvalidValue
from icpi_ros.motion.release import Release
from icpi_ros.ros.base.convert import header, point
from icpi_ros.ros.following.planning import STROKE, MotionPlan, ShownMotion
from icpi_ros.tasks.base import Task

OF_STROKE = tuple(set(MotionSummaryMsg.get_fields_and_field_types()) - {"label"})
"""Fields that a question has of its strike, beside those of all motions."""


@dataclass(frozen=True)
class InForce:
    """Limits and protections in force, one line each.

    Attributes:
        limits: arm and limits with their files, hashes and values.
        loosened: protections that are off or looser than by default.
    """

    limits: Sequence[str] = ()
    loosened: Sequence[str] = ()


def motion_request_msg(
    ns: int, trial_id: str, task: Task, plan: MotionPlan, in_force: InForce
) -> OperatorRequest:
    """Return the question whether ``plan`` may be executed, stamped ``ns``; no id yet.

    Raises:
        InvalidValue: the plan has no motions to show.
    """
    if not plan.shown or plan.shown[-1].label != STROKE:
        raise InvalidValue("nothing is shown of this plan: Planner.shown")
    motions = [motion_summary_msg(one) for one in plan.shown]
    low, high = plan.step_bounds or ((), ())
    return OperatorRequest(
        header=header(ns),
        kind=OperatorRequest.MOTION,
        trial_id=trial_id,
        task=task.name,
        question=f"may {task.name} be executed with {task.space.describe(plan.theta)}?",
        theta_names=list(task.space.names),
        theta=plan.theta.tolist(),
        dtheta=[] if plan.dtheta is None else plan.dtheta.tolist(),
        lower=task.space.lower.tolist(),
        upper=task.space.upper.tolist(),
        step_lower=[float(value) for value in low],
        step_upper=[float(value) for value in high],
        limits=list(in_force.limits),
        loosened=list(in_force.loosened),
        speed_scale=plan.slow_scale,
        stroke_scale=plan.stroke_scale,
        rehearsal=plan.rehearsal is not None,
        motions=motions,
        **{name: getattr(motions[-1], name) for name in OF_STROKE},
    )


def proposal_shown(proposal: Proposal, plan: MotionPlan) -> Proposal:
    """Return the proposal as it is shown with ``plan``.

    Of a theta that a person has changed nothing was predicted, and nothing was moved back.
    """
    if list(proposal.theta) == plan.theta.tolist():
        return proposal
    shown = deepcopy(proposal)
    shown.predicted_cost = shown.predicted_std = math.nan
    shown.provenance = f"{plan.decided_by or 'a person'}, in place of {proposal.provenance}"
    shown.projected, shown.proposed_theta, shown.moved_reason = False, [], ""
    return shown


def scene_request_msg(ns: int, trial_id: str, task: Task, lets_go: bool) -> OperatorRequest:
    """Return the question whether the scene is back and the workspace empty; no id yet.

    Args:
        ns: its stamp.
        trial_id: of the trial.
        task: that is executed.
        lets_go: its gripper holds the object until a release; it closes when this is confirmed.
    """
    put = task.how_to_reset
    if lets_go:
        put = f"put the {task.object_body} into the gripper, which is told to close then"
    return OperatorRequest(
        header=header(ns),
        kind=OperatorRequest.SCENE,
        trial_id=trial_id,
        task=task.name,
        question=f"{put}, leave the workspace, then confirm both",
    )


def motion_summary_msg(motion: ShownMotion) -> MotionSummaryMsg:
    """Return a motion as a person is shown it."""
    peaks, release = motion.summary, motion.summary.release
    lets_go = {} if release is None else _release_fields(release)
    return MotionSummaryMsg(
        **lets_go,
        label=motion.label,
        duration=peaks.duration,
        fastest_joint=peaks.speed.joint,
        joint_speed=peaks.speed.value,
        joint_speed_share=peaks.speed.share,
        acceleration_share=peaks.acceleration.share,
        tool_speed=peaks.tool_speed,
        tool_energy=peaks.tool_energy,
        tool_height=peaks.tool_height,
        floor_distance=peaks.floor_distance,
        clearance=peaks.clearance,
        tool_path=[point(p) for p in motion.path],
    )


def _release_fields(release: Release) -> dict[str, Any]:
    x, y, z = release.velocity.tolist()
    return {
        "has_release": True,
        "release": release.time,
        "release_point": point(release.point),
        "release_velocity": Vector3(x=x, y=y, z=z),
    }
