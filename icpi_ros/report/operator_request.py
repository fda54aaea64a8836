"""Question to the operator as text; takes the message's fields, imports no ROS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from icpi_ros.core.text import printable
from icpi_ros.core.units import millimetres
from icpi_ros.motion.release import Release


def request_text(request: Any, units: Sequence[str]) -> str:
    """Return an OperatorRequest as printable lines; ``units`` are those of theta."""
    lines = [f"trial {request.trial_id} of task {request.task}, request {request.request_id}"]
    if request.theta:
        lines += _motion_lines(request, units)
    lines.append(request.question)
    if request.remark:
        lines.append(f"({request.remark})")
    return "\n".join(map(printable, lines))


def request_json(value: Any) -> Any:
    """Return a message, or a value in one, as JSON types; None stays None."""
    if hasattr(value, "get_fields_and_field_types"):
        return {n: request_json(getattr(value, n)) for n in value.get_fields_and_field_types()}
    if isinstance(value, list | tuple):
        return [request_json(one) for one in value]
    return value


def _motion_lines(request: Any, units: Sequence[str]) -> list[str]:
    lines = [_parameter_line(request, i, unit) for i, unit in enumerate(units)]
    made = request.proposal.provenance or "not reported"
    if request.proposal.fallback_reason:
        made += f" (instead of {request.proposal.requested}: {request.proposal.fallback_reason})"
    lines.append(f"  proposed by      {made}")
    if request.proposal.projected:
        lines.append(f"  moved back       {_moved_back(request, units)}")
    if request.proposal.run_id and np.isfinite(request.proposal.predicted_cost):
        cost = millimetres(request.proposal.predicted_cost)
        if np.isfinite(request.proposal.predicted_std):
            cost += f" +- {millimetres(request.proposal.predicted_std)}"
        lines.append(f"  predicted cost   {cost}")
    lines += [
        f"  stroke           {request.duration:.2f} s at {request.stroke_scale:.0%} speed",
        *_release_lines(request),
        f"  fastest joint    {request.fastest_joint}, {request.joint_speed:.2f} rad/s "
        f"({request.joint_speed_share:.0%} of its limit)",
        f"  acceleration     {request.acceleration_share:.0%} of a limit",
        f"  tool             {request.tool_speed:.2f} m/s, {request.tool_energy:.2f} J, "
        f"down to z = {request.tool_height:.3f} m",
        f"  clearance        {millimetres(request.clearance)} from itself, "
        f"{millimetres(request.floor_distance)} above the lowest plane",
        f"  slow moves       at {request.speed_scale:.0%} of their usual speed"
        + (", with a slow rehearsal of the stroke" if request.rehearsal else "")
        + "; before the stroke, in this order:",
        *(_motion_line(motion) for motion in request.motions[:-1]),
        *_block("in force", request.limits),
        *_block("loosened", request.loosened),
    ]
    if request.dry_run:
        lines.append("  dry run          nothing will move")
    return lines


def _release_lines(request: Any) -> list[str]:
    if not request.has_release:
        return []
    point, velocity = request.release_point, request.release_velocity
    release = Release(
        request.release,
        np.array([point.x, point.y, point.z]),
        np.array([velocity.x, velocity.y, velocity.z]),
    )
    return [f"  lets go          {release.text}"]


def _parameter_line(request: Any, i: int, unit: str) -> str:
    name, value = request.theta_names[i], f"{request.theta[i]:.4g} {unit}".rstrip()
    step = f", {request.dtheta[i]:+.4g} from the last" if request.dtheta else ""
    allowed = f"{request.lower[i]:g} to {request.upper[i]:g}"
    if request.step_lower:
        near = f"{request.step_lower[i]:.4g} to {request.step_upper[i]:.4g}"
        allowed = f"{near} in this step, {allowed} at all"
    return f"  {name:<16} {value}{step} (allowed {allowed})"


def _moved_back(request: Any, units: Sequence[str]) -> str:
    """Return the original theta and the reason why it was moved back, as far as reported."""
    asked, names = request.proposal.proposed_theta, request.theta_names
    why = request.proposal.moved_reason or "no reason was reported"
    if len(asked) != len(names):
        return why
    values = zip(names, asked, units, strict=True)
    return f"from {' '.join(f'{n}={v:.4g} {u}' for n, v, u in values)}: {why}"


def _motion_line(motion: Any) -> str:
    """Return one of the slow motions, which are listed in the order in which they move."""
    return (
        f"    {motion.label:<14} {motion.duration:.1f} s, {motion.fastest_joint} "
        f"{motion.joint_speed:.2f} rad/s ({motion.joint_speed_share:.0%}), "
        f"tool {motion.tool_speed:.2f} m/s, down to z = {motion.tool_height:.3f} m; "
        f"{millimetres(motion.clearance)} from itself, "
        f"{millimetres(motion.floor_distance)} above the lowest plane"
    )


def _block(title: str, lines: Sequence[str]) -> list[str]:
    """Return lines below each other, the first behind their title."""
    return [f"  {title if n == 0 else '':<16} {line}" for n, line in enumerate(lines)]
