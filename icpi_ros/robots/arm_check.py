"""Checks of an arm's description, each one line with the measured value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm
from icpi_ros.robots.collision import CollisionGeometry, free_pieces, heights

SAMPLES = 200
"""Joint positions that are sampled for a check."""
NEAR_HOME = 0.3
"""Largest distance from home of the poses at which inverse kinematics are checked [rad]."""
MAX_IK_ERROR, MAX_SLOPE_ERROR = 1e-9, 1e-6
"""Largest error of inverse kinematics [m], [rad], and of a derivative [m/rad], [rad/rad]."""
MIN_SINGULAR_VALUE = 0.02
"""Least singular value of the Jacobian at home."""
MIN_WORKSPACE_SHARE = 0.01
"""Least share of joint positions whose tool point lies in the workspace."""


@dataclass(frozen=True)
class ArmFinding:
    """Result of one check.

    Attributes:
        what: name of the check.
        sound: False: the description must be corrected.
        text: measured value, with unit.
    """

    what: str
    sound: bool
    text: str


def check_arm(arm: Arm, seed: int = 0) -> list[ArmFinding]:
    """Return the result of every check; joint positions are sampled with the seed."""
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(arm.limits.lower, arm.limits.upper, (SAMPLES, len(arm.joints)))
    near = np.clip(
        arm.home + rng.uniform(-NEAR_HOME, NEAR_HOME, drawn.shape),
        arm.limits.lower,
        arm.limits.upper,
    )
    return [
        _inverse(arm, near),
        _jacobian(arm, drawn),
        _rates(arm, near),
        _home_limits(arm),
        _home_stiffness(arm),
        _home_contact(arm),
        _home_height(arm),
        _workspace(arm, drawn),
    ]


def _inverse(arm: Arm, q: Array) -> ArmFinding:
    """Check that inverse kinematics answer poses near home, and exactly."""
    point, rotation = arm.tool_pose(q)
    answer = arm.ik(point, rotation)
    found = np.isfinite(answer).all(axis=1)
    if not found.any():
        return ArmFinding("inverse", False, "answers no pose near home")
    back = arm.tool_pose(answer[found])
    error = max(np.abs(back[0] - point[found]).max(), np.abs(back[1] - rotation[found]).max())
    text = f"answers {found.mean():.0%} of {len(q)} poses near home, error {error:.1e}"
    return ArmFinding("inverse", bool(error < MAX_IK_ERROR and found.mean() > 0.9), text)


def _jacobian(arm: Arm, q: Array) -> ArmFinding:
    """Check that the Jacobian is the derivative of the tool pose."""
    from scipy.spatial.transform import Rotation  # half a second that `icpi arm list` need not take

    step, worst = 1e-6, 0.0
    jacobian = arm.jacobian(q)
    for joint, unit in enumerate(np.eye(q.shape[1])):
        ahead, behind = arm.tool_pose(q + step * unit), arm.tool_pose(q - step * unit)
        moved = (ahead[0] - behind[0]) / (2 * step)
        turn = Rotation.from_matrix(ahead[1] @ np.swapaxes(behind[1], 1, 2)).as_rotvec()
        slope = np.concatenate([moved, turn / (2 * step)], axis=1)
        worst = max(worst, float(np.abs(jacobian[:, :, joint] - slope).max()))
    return ArmFinding(
        "jacobian", worst < MAX_SLOPE_ERROR, f"off the derivative of the pose by {worst:.1e}"
    )


def _rates(arm: Arm, q: Array) -> ArmFinding:
    """Check that differential inverse kinematics move the tool as asked, and nothing else."""
    try:
        off = np.abs(arm.jacobian(q) @ arm.differential_ik(q) - np.eye(6)).max()
    except np.linalg.LinAlgError:
        return ArmFinding("rates", False, "some directions of the tool cannot be reached near home")
    return ArmFinding(
        "rates", bool(off < MAX_SLOPE_ERROR), f"move the tool as asked within {off:.1e}"
    )


def _home_limits(arm: Arm) -> ArmFinding:
    margin = np.minimum(arm.home - arm.limits.lower, arm.limits.upper - arm.home)
    joint = int(np.argmin(margin))
    text = f"{margin[joint]:.2f} rad from the nearest joint limit ({arm.joints[joint]})"
    return ArmFinding("home in its limits", bool(margin[joint] > 0.0), text)


def _home_stiffness(arm: Arm) -> ArmFinding:
    least = float(np.linalg.svd(arm.jacobian(arm.home), compute_uv=False)[-1])
    text = f"least singular value {least:.3f}, needed {MIN_SINGULAR_VALUE:g}"
    return ArmFinding("home away from singularities", least >= MIN_SINGULAR_VALUE, text)


def _home_contact(arm: Arm) -> ArmFinding:
    """Check that the gate takes the arm at home; name the pieces that it never compares."""
    try:
        body = CollisionGeometry(arm)
    except InvalidValue as exc:
        return ArmFinding("home without self-contact", False, str(exc))
    distance, first, second = body.nearest(arm.links(arm.home))
    text = f"{first} and {second} are {1e3 * distance:.0f} mm apart"
    if body.constant:
        names = ", ".join(f"{a} and {b}" for a, b in body.constant)
        text += f"; never compared, because they touch at home: {names}"
    return ArmFinding("home without self-contact", True, text)


def _home_height(arm: Arm) -> ArmFinding:
    free = [arm.collision_geometry[i] for i in free_pieces(arm)]
    found = heights(free, arm.links(arm.home)[np.newaxis])[0]
    height, name = float(found.min()), free[int(found.argmin())].name
    floor = float(arm.limits.workspace_lower[2])
    text = f"lowest piece is {name} at z = {height:.3f} m, workspace from {floor:g} m"
    return ArmFinding("home above the table", height >= floor, text)


def _workspace(arm: Arm, q: Array) -> ArmFinding:
    """Check that the box holds the tool at home and a part of what the arm can reach."""
    low, high = arm.limits.workspace_lower, arm.limits.workspace_upper
    home, _ = arm.tool_pose(arm.home)
    points, _ = arm.tool_pose(q)
    share = float(((points >= low) & (points <= high)).all(axis=1).mean())
    inside = bool(((home >= low) & (home <= high)).all())
    where = "inside" if inside else "outside"
    text = f"tool at home is {where}; holds the tool in {share:.0%} of {len(q)} joint positions"
    return ArmFinding("workspace", inside and share >= MIN_WORKSPACE_SHARE, text)
