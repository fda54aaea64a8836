"""Hindsight relabelling: two executions under one physics make one exact example.

ICPI, arXiv 2508.15021, "hindsight relabelling": take executions a and b under the same hidden
physics and pretend that the outcome of b was the goal of a.  Then the error of a is its error to
that goal, and dtheta = theta_b - theta_a solves it exactly.  No simulator is needed, so a real
robot's own trials become data.  n executions hold n (n - 1) such pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icpi_ros.core.errors import DatasetError, ObservationMissing
from icpi_ros.core.types import Array, Indices, ObjectTrajectory
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.paths import path_times, sample_paths
from icpi_ros.tasks.base import Task


def all_pairs(count: int) -> Indices:
    """Return all ordered pairs ``(count (count - 1), 2)`` of different executions."""
    first, second = np.nonzero(~np.eye(count, dtype=bool))
    return np.stack([first, second], axis=-1).astype(np.int64)


def choose_pairs(count: int, wanted: int, rng: np.random.Generator) -> Indices:
    """Return ``wanted`` different pairs ``(n, 2)`` of ``count`` executions, or all there are."""
    pairs = all_pairs(count)
    chosen = rng.choice(len(pairs), min(wanted, len(pairs)), replace=False)
    return pairs[np.sort(chosen)]


def relabel(
    task: Task, thetas: Array, trajectories: Sequence[ObjectTrajectory], pairs: Indices, group: int
) -> Dataset:
    """Return one example per pair (a, b).

    Args:
        task: of the executions; it must have ``outcome_goal``.
        thetas: ``(n, d)`` executed policy parameters, all under the same physics.
        trajectories: of the object, one per theta.
        pairs: ``(N, 2)`` indices a, b.
        group: number of the physics.

    Raises:
        DatasetError: the task has no hindsight goals.
        ObservationMissing: a trajectory does not show what is needed.
    """
    goals = [outcome_goal(task, trajectory) for trajectory in trajectories]
    errors = [task.error(trajectories[a], goals[b]) for a, b in pairs]
    reached = [task.cost(task.error(t, goal)) for t, goal in zip(trajectories, goals, strict=True)]
    first, second = pairs[:, 0], pairs[:, 1]
    times = path_times(task)
    paths = sample_paths(trajectories, times)
    n, m, g = len(pairs), len(task.error_names), task.goal_space.dim
    return Dataset(
        task=task.name,
        theta=thetas[first],
        error=np.reshape(errors, (n, m)),
        dtheta=thetas[second] - thetas[first],
        goal=np.reshape([goals[b] for b in second], (n, g)),
        cost=np.array([task.cost(error) for error in errors], dtype=np.float64),
        label_cost=np.array([reached[b] for b in second], dtype=np.float64),
        group=np.full(n, group, dtype=np.int64),
        path=paths[first],
        label_path=paths[second],
        path_times=times,
    )


def outcome_goal(task: Task, trajectory: ObjectTrajectory) -> Array:
    """Return the goal ``(g,)`` that an outcome reaches.

    Raises:
        DatasetError: the task has none.
        ObservationMissing: the trajectory does not show what is needed.
    """
    goal = task.outcome_goal(trajectory)
    if goal is None:
        raise DatasetError(
            f"task {task.name} has no hindsight labels: it does not say which goal an outcome "
            "reaches (Task.outcome_goal); use brute-force labels"
        )
    return goal


def shows_outcome(task: Task, trajectory: ObjectTrajectory | None) -> bool:
    """Return whether a trajectory shows what became of the object."""
    if trajectory is None:
        return False
    try:
        return bool(np.isfinite(outcome_goal(task, trajectory)).all())
    except ObservationMissing:
        return False
