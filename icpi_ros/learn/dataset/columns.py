"""Names of the columns of theta, error and goal: the same in data sets and in tables of trials."""

from __future__ import annotations

import re
from dataclasses import dataclass

from icpi_ros.tasks.base import Task


@dataclass(frozen=True)
class VectorColumn:
    """One column: its ``name`` and ``unit``, and where it lies: ``field`` of Dataset, ``index``."""

    name: str
    unit: str
    field: str
    index: int


def columns(task: Task) -> list[VectorColumn]:
    """Return the vector columns of a task's data sets, in the order of the file.

    Raises:
        ValueError: two error features get the same column name.
    """
    errors = [_split_unit(name) for name in task.error_names]
    theta = list(zip(task.space.names, task.space.units, strict=True))
    goal = list(zip(task.goal_space.names, task.goal_space.units, strict=True))
    vectors = {"theta": theta, "error": errors, "dtheta": theta, "goal": goal}
    found = [
        VectorColumn(f"{field}_{name}", unit, field, index)
        for field, pairs in vectors.items()
        for index, (name, unit) in enumerate(pairs)
    ]
    if len({column.name for column in found}) != len(found):
        raise ValueError(f"column names of task {task.name} are not unique: {found}")
    return found


def _split_unit(text: str) -> tuple[str, str]:
    """Split ``"lateral error [m]"`` into a column name and a unit: lateral_error, m."""
    match = re.fullmatch(r"\s*(.*?)\s*(?:\[([^\]]*)\])?\s*", text)
    name, unit = match.groups() if match else (text, None)
    return re.sub(r"\W+", "_", name).strip("_"), unit or ""
