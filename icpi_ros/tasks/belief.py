"""Belief about hidden physics: a normal distribution inside the task's box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_ros.core.errors import InvalidValue, invalid
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.tasks.base import Task

TRIES = 100
"""Samples outside the box that are thrown away before one is cut to its border."""


@dataclass(frozen=True)
class Belief:
    """Normal distribution over the ``P`` hidden parameters of a scene, cut to their ranges.

    Attributes:
        task: name of the task whose trials it comes from.
        scene: its scene; it holds for every task of that scene.
        names: of the parameters, in the order of the task.
        mean: ``(P,)`` in their units, inside the box.
        covariance: ``(P, P)`` rows.
    """

    task: str
    scene: str
    names: tuple[str, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, task: Task, mean: Array, covariance: Array) -> Belief:
        """Return the belief about the physics of ``task`` from ``(P,)`` and ``(P, P)``."""
        rows = tuple(tuple(float(v) for v in row) for row in covariance)
        middle = tuple(float(v) for v in mean)
        return cls(task.name, task.required_scene, task.physics_space.names, middle, rows)

    @property
    def deviations(self) -> Array:
        """Standard deviation ``(P,)`` of each parameter."""
        return np.asarray(np.sqrt(np.diag(np.array(self.covariance))))

    def check(self, task: Task) -> None:
        """Check that it is about the scene of ``task`` and makes sense.

        Raises:
            InvalidValue: another scene, other parameters, or no distribution inside the box.
        """
        space = task.physics_space
        if self.scene != task.scene or self.names != space.names:
            raise invalid(
                f"the physics are those of task {self.task} ({', '.join(self.names)}), not of "
                f"{task.name} ({', '.join(space.names)}): calibrate with trials of {task.name}",
                "task",
                self.task,
                (task.name,),
            )
        space.validate(self.mean)
        matrix = np.array(self.covariance, dtype=np.float64)
        if matrix.shape != (space.dim, space.dim) or not np.isfinite(matrix).all():
            raise InvalidValue(f"the covariance is not {space.dim} x {space.dim} finite numbers")
        scaled = matrix / np.outer(space.half_range, space.half_range)
        if np.abs(scaled - scaled.T).max() > 1e-6 or np.linalg.eigvalsh(scaled)[0] < -1e-6:
            raise InvalidValue("the covariance is not symmetric and positive: calibrate again")

    def sample(self, space: ParameterSpace, rng: np.random.Generator) -> Array:
        """Sample physics ``(P,)`` inside ``space``."""
        half = space.half_range
        values, vectors = np.linalg.eigh(np.array(self.covariance) / np.outer(half, half))
        scale = vectors * np.sqrt(np.maximum(values, 0.0))
        samples = np.array(self.mean) + half * (rng.standard_normal((TRIES, space.dim)) @ scale.T)
        inside = ((samples >= space.lower) & (samples <= space.upper)).all(axis=1)
        return space.project(samples[int(np.argmax(inside))])[0]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "task": self.task,
            "scene": self.scene,
            "names": list(self.names),
            "mean": list(self.mean),
            "covariance": [list(row) for row in self.covariance],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Belief:
        """Inverse of :meth:`as_dict`; not checked."""
        return cls(
            values["task"],
            values["scene"],
            tuple(values["names"]),
            tuple(values["mean"]),
            tuple(map(tuple, values["covariance"])),
        )
