"""Contract of every arm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from icpi_ros.robots.base import Arm
from icpi_ros.testing.require import require

STEP = 1e-6
"""Of joints, for differences [rad]."""


def limits_are_real(arm: Arm) -> None:
    """Joints and tool have finite limits, and the home pose lies within them."""
    limits = arm.limits
    for low, high in (
        (limits.lower, limits.upper),
        (limits.workspace_lower, limits.workspace_upper),
    ):
        require(np.isfinite([low, high]).all(), f"limits {low} to {high} are not finite")
        require((low < high).all(), f"limits {low} to {high} are not in order")
    extent = float((limits.workspace_upper - limits.workspace_lower).max())
    require(extent < 3.0, f"its workspace is {extent:g} m wide: must be below 3")
    inside = (arm.home > limits.lower) & (arm.home < limits.upper)
    require(inside.all(), f"home {arm.home} is not within {limits.lower} to {limits.upper}")


def jacobian_is_that_of_the_pose(arm: Arm) -> None:
    """The Jacobian is the derivative of the tool's position by the joints."""
    moved = arm.home + STEP * np.eye(len(arm.home))
    here, there = arm.tool_pose(arm.home)[0], arm.tool_pose(moved)[0]
    found = arm.jacobian(arm.home)[:3]
    np.testing.assert_allclose((there - here).T / STEP, found, atol=1e-4)


def inverse_reaches_the_pose(arm: Arm) -> None:
    """The joints that the inverse gives for the tool's pose at home have that pose."""
    position, rotation = arm.tool_pose(arm.home)
    there = arm.tool_pose(arm.ik(position, rotation))
    np.testing.assert_allclose(there[0], position, atol=1e-6)
    np.testing.assert_allclose(there[1], rotation, atol=1e-6)


CHECKS: tuple[Callable[[Arm], None], ...] = (
    limits_are_real,
    jacobian_is_that_of_the_pose,
    inverse_reaches_the_pose,
)
