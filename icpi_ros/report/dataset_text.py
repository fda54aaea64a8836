"""A data set in words."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from icpi_ros.data.coverage import CELLS, coverage, solved_share
from icpi_ros.data.dataset import Dataset, fingerprint
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array


def describe_dataset(dataset: Dataset, task: Task, source: str) -> Iterator[str]:
    """Yield the lines that say what a data set holds, covers, and how it was made."""
    yield f"{source}: {len(dataset)} examples of {task.name}"
    yield f"fingerprint: {fingerprint(dataset)}"
    yield f"arm: {', '.join(map(str, dataset.arms)) or 'unknown'}"
    groups, goals = np.unique(dataset.group), np.unique(dataset.goal, axis=0)
    yield f"physics draws: {len(groups)}, goals: {len(goals)}"
    yield from _ranges(dataset, task)
    yield f"cost: {_costs(dataset.cost)}"
    known = dataset.label_cost[np.isfinite(dataset.label_cost)]
    yield f"cost after the label: {_costs(known) if len(known) else 'not measured'}"
    yield f"labels inside the box of theta: {100 * solved_share(dataset, task.space):.0f} %"
    yield f"coverage: cells of a {CELLS}-per-parameter grid over the box that hold an example"
    for names, share in coverage(dataset, task.space).items():
        yield f"  {' x '.join(names)}: {100 * share:.0f} %"
    yield "provenance:"
    for key, value in dataset.provenance.items():
        yield f"  {key}: {value if isinstance(value, str) else json.dumps(value)}"


def _ranges(dataset: Dataset, task: Task) -> Iterator[str]:
    space, goals = task.space.parameters, task.goal_space.parameters
    d_units = [p.shown_unit for p in space]
    for label, values, names, units in (
        ("theta", dataset.theta, task.space.names, d_units),
        ("dtheta", dataset.dtheta, task.space.names, d_units),
        ("error", dataset.error, task.error_names, ("",) * len(task.error_names)),
        ("goal", dataset.goal, task.goal_space.names, [p.shown_unit for p in goals]),
    ):
        for name, unit, column in zip(names, units, values.T, strict=True):
            text = f"{label} {name}: {column.min():.4g} to {column.max():.4g} {unit}"
            yield text.rstrip()


def _costs(costs: Array) -> str:
    mm = 1e3 * costs
    median, high = np.percentile(mm, [50, 95])
    return (
        f"mean {mm.mean():.2f} mm, median {median:.2f}, 95 % below {high:.2f}, worst {mm.max():.2f}"
    )
