"""Outcome of one trial, from what was observed of it.

The only place where the code of a task, which may be anybody's, judges a trial that was executed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from icpi_ros.core.errors import IcpiError, Kind, ObservationMissing, TaskFailed, invalid
from icpi_ros.core.space import TEXTS
from icpi_ros.core.text import error_line
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
        InvalidValue: ``observed`` is neither.
        TaskFailed: error or cost of the task raised an error, or gave no number.
    """
    error = _error(task, goal, observed)
    cost = _cost(task, error)
    if not (np.isfinite(error).all() and math.isfinite(cost)):
        raise ObservationMissing("error or cost is not finite")
    error.setflags(write=False)  # improvers share it
    return Outcome(theta, error, cost)


def _error(task: Task, goal: Array, observed: ObjectTrajectory | ArrayLike) -> Array:
    """Return the error ``(m,)``, the task's own or the one that is told."""
    names = task.error_names
    wanted = f"{len(names)} numbers ({', '.join(names)})"
    if isinstance(observed, ObjectTrajectory):
        found = _asked(task, "error", observed, goal)
        error = _numbers(found, len(names))
        if error is None:
            raise TaskFailed(f"task {task.name}: error() gave {_described(found)}, not {wanted}")
        return error
    error = _numbers(observed, len(names))
    if error is None:
        raise invalid(
            f"tell a trajectory or the error of task {task.name}: {wanted}, not "
            f"{_described(observed)}",
            "observed",
            observed,
            names,
            kind=Kind.FORM,
        )
    return error


def _cost(task: Task, error: Array) -> float:
    found = _asked(task, "cost", error)
    cost = _numbers([found], 1)
    if cost is None:
        raise TaskFailed(f"task {task.name}: cost() gave {_described(found)}, not a number")
    return float(cost[0])


def _asked(task: Task, method: str, *given: Any) -> Any:
    """Return what a method of the task answers; any error of its code is one line with a name."""
    try:
        return getattr(task, method)(*given)
    except IcpiError:
        raise
    except Exception as exc:
        raise TaskFailed(f"task {task.name}: {method}() raised {error_line(exc)}") from exc


def _numbers(values: Any, count: int) -> Array | None:
    """Return ``values`` as ``(count,)``; None = they are something else."""
    try:
        is_text = np.asarray(values).dtype.kind in TEXTS
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return None if is_text or numbers.shape != (count,) else numbers


def _described(values: Any) -> str:
    try:
        shape = np.shape(values)
    except ValueError:  # lists of different lengths
        shape = (len(values),)
    return f"{type(values).__name__} of shape {shape}"
