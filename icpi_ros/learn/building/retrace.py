"""Paths for a data set that was built without them: its thetas executed again, nothing searched.

The plan in its provenance gives the physics of each sample again, and the outcomes have to be the
stored ones: a path belongs to its example, or there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from icpi_ros.core.errors import DatasetError, InvalidValue, ObservationMissing
from icpi_ros.core.types import Array, Indices, ObjectTrajectory
from icpi_ros.learn.building.build import BuildProgress, versions
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.learn.dataset.dataset import REBUILD_TOLERANCE, Dataset
from icpi_ros.learn.paths import path_times, sample_paths
from icpi_ros.robots.base import Arm
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import SimulationUnstable
from icpi_ros.tasks.base import Task


def retraced(
    task: Task,
    arm: Arm,
    dataset: Dataset,
    threads: int = 1,
    on_draw: Callable[[BuildProgress], None] = lambda _: None,
) -> Dataset:
    """Return a data set with the paths of its examples and labels; all else is the same bits.

    A label whose cost was not measured gets no path: it may not be the one that was executed.

    Args:
        task: of the examples.
        arm: that executed them.
        dataset: as :func:`icpi_ros.learn.building.build.build` made it, of any version.
        threads: simulation threads; the result does not depend on it.
        on_draw: called after every physics sample, and once before the first.

    Raises:
        DatasetError: it was not built in simulation, or an outcome is not the stored one.
    """
    times, groups = path_times(task), np.unique(dataset.group)
    plan = _plan(dataset.provenance if groups[0] >= 0 else {})
    path, label_path = (np.full((len(dataset), len(times), 3), np.nan) for _ in range(2))
    on_draw(BuildProgress(0, len(groups), 0))
    for done, draw in enumerate(groups.tolist(), 1):
        rows = np.flatnonzero(dataset.group == draw)
        physics = plan.sample_physics(task, plan.rng(draw))
        found = _executed(task, arm, physics, dataset.theta[rows], threads)
        _compare(task, dataset, rows, found)
        path[rows] = sample_paths(found, times)
        known = rows[np.isfinite(dataset.label_cost[rows])]  # others cannot be compared
        if plan.label_noise == 0.0 and len(known):
            label_path[known] = _label_paths(task, arm, physics, dataset, known, threads)
        on_draw(BuildProgress(done, len(groups), 0))
    made = {**dataset.provenance, "paths": {"versions": versions("mujoco")}}
    return replace(dataset, provenance=made, path=path, label_path=label_path, path_times=times)


def _plan(provenance: Mapping[str, Any]) -> DatasetPlan:
    """Return the plan that a data set was built by."""
    try:
        return DatasetPlan.from_dict(provenance)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidValue):
        raise DatasetError(
            "the data set has no plan that `icpi dataset build` made it by, so that its thetas "
            "cannot be executed again: build or import it again, which keeps the paths"
        ) from None


def _executed(
    task: Task, arm: Arm, physics: Array, thetas: Array, threads: int
) -> list[ObjectTrajectory]:
    try:
        return rollout(task, arm, physics, thetas, threads).trajectories
    except SimulationUnstable as exc:
        raise DatasetError(f"an example cannot be executed again: {exc}") from exc


def _compare(
    task: Task, dataset: Dataset, rows: Indices, trajectories: list[ObjectTrajectory]
) -> None:
    """Check that the executions of ``rows`` have their errors."""
    for row, trajectory in zip(rows, trajectories, strict=True):
        error = _error(task, trajectory, dataset, row, "row")
        off = float(np.max(np.abs(error - dataset.error[row])))
        if off > REBUILD_TOLERANCE:
            raise _other(int(row), "error", off)


def _error(
    task: Task, trajectory: ObjectTrajectory, dataset: Dataset, row: int, what: str
) -> Array:
    try:
        return task.error(trajectory, dataset.goal[row])
    except ObservationMissing as exc:
        raise DatasetError(f"{what} {row} cannot be executed again: {exc}") from exc


def _label_paths(
    task: Task, arm: Arm, physics: Array, dataset: Dataset, rows: Indices, threads: int
) -> Array:
    """Return the paths ``(n, P, 3)`` of the labels of ``rows``; each theta is executed once."""
    thetas = dataset.theta[rows] + dataset.dtheta[rows]
    # One solution is the label of many examples, equal but for rounding.
    _, first, label = np.unique(thetas.round(9), axis=0, return_index=True, return_inverse=True)
    found = _executed(task, arm, physics, thetas[first], threads)
    label = label.reshape(-1)
    for row, number in zip(rows, label, strict=True):
        cost = task.cost(_error(task, found[number], dataset, row, "label of row"))
        off = abs(cost - dataset.label_cost[row])
        if off > REBUILD_TOLERANCE:
            raise _other(int(row), "label_cost", float(off))
    return sample_paths(found, path_times(task))[label]


def _other(row: int, what: str, off: float) -> DatasetError:
    return DatasetError(
        f"{what} of row {row} is off by {off:.3g} when it is executed again, at most "
        f"{REBUILD_TOLERANCE:g}: the data set was built with another arm, or other versions; build "
        "it again"
    )
