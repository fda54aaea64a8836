"""Outcome of one trial, from what was observed of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from icpi_ros.core.errors import InvalidValue, ObservationMissing
from icpi_ros.core.types import Array, ObjectTrajectory, Outcome
from icpi_ros.tasks.base import Task


def outcome(
    task: Task, goal: Array, theta: Array, observed: ObjectTrajectory | ArrayLike
) -> Outcome:
    """Return the outcome of an executed theta.

    Args:
        task: that was executed.
        goal: ``(g,)``.
        theta: ``(d,)``.
        observed: trajectory of the object, or its error ``(m,)`` to the goal.

    Raises:
        ObservationMissing: it does not show what the task needs.
        InvalidValue: the error has the wrong length.
    """
    if isinstance(observed, ObjectTrajectory):
        error = _error(task, task.error(observed, goal))
    else:
        error = _error(task, observed)
    cost = task.cost(error)
    if not (np.isfinite(error).all() and math.isfinite(cost)):
        raise ObservationMissing("error or cost is not finite")
    error.setflags(write=False)  # improvers share it
    return Outcome(theta, error, cost)


def _error(task: Task, values: ArrayLike) -> Array:
    names = task.error_names
    try:
        error = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        error = np.empty(0)
    if error.shape != (len(names),):
        raise InvalidValue(
            f"tell a trajectory or the error of task {task.name}: {len(names)} numbers "
            f"({', '.join(names)}), not {type(values).__name__} of shape {np.shape(values)}"
        )
    return error
