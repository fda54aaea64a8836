"""Data sets of (theta, error, dtheta) examples: the context from which improvers learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from icpi_ros.types import Array

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Dataset:
    """``N`` examples of one task.

    Attributes:
        task: name of the task.
        theta: ``(N, d)`` executed policy parameters [units of the task's space].
        error: ``(N, m)`` relative error of the outcome to the example's goal (task.error).
        dtheta: ``(N, d)`` adjustment that the label asks for: theta + dtheta solves the example.
        goal: ``(N, g)`` goal of each example.
        cost: ``(N,)`` cost [m] of the executed theta.
        label_cost: ``(N,)`` cost [m] that theta + dtheta reached under the same physics; NaN
            where it was not measured.
        group: ``(N,)`` int: examples of one physics draw share a number.
        provenance: how it was made: command, seed, versions, task definition (JSON-able).
    """

    task: str
    theta: Array
    error: Array
    dtheta: Array
    goal: Array
    cost: Array
    label_cost: Array
    group: Array
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of examples."""
        return int(self.theta.shape[0])
