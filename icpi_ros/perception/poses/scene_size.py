"""Size of a task's scene, by which a unit that is a thousand times off is noticed."""

from __future__ import annotations

import itertools

import numpy as np

from icpi_ros.perception.poses.frames import length
from icpi_ros.tasks.base import Task

MIN_FAR = 4.0
"""Least distance from the arm's foot at which no object of a task is [m]."""
FAR_GOALS = 5.0
"""The same, in distances of the farthest goal."""
INSIDE = 0.01
"""Distance from the arm's foot within which no object is: the arm stands there [m]."""


def far_of(task: Task) -> float:
    """Return the distance from the origin of ``base`` at which no object of the task is [m]."""
    space = task.goal_space
    corners = itertools.islice(
        itertools.product(*zip(space.lower.tolist(), space.upper.tolist(), strict=True)), 64
    )
    points = [task.goal_point(np.array(corner)) for corner in corners]
    goals = [length(point) for point in points if point is not None and np.isfinite(point).all()]
    return max(MIN_FAR, FAR_GOALS * max(goals, default=0.0))
