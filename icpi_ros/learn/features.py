"""Features of a trial's outcome for improvers: the relative error, or state and goal (raw).

ICPI's ablation: relative error tokens e = s - g against the raw pair (s, g).  Raw coordinates are
taken from the middle of the goals in the data set, so that scaling them does not depend on where
the frame's origin is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, invalid
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset

FEATURES = ("error", "raw")


@dataclass(frozen=True)
class Features:
    """Features of the outcomes of one run; ``f`` = m for ``error``, 2 m for ``raw``.

    Attributes:
        raw: state and goal instead of their difference.
        goal: ``(g,)`` of the run.
        centre: ``(g,)`` origin of raw coordinates.
    """

    raw: bool
    goal: Array
    centre: Array

    @classmethod
    def of(cls, name: str, dataset: Dataset, goal: Array) -> Features:
        """Return the features called ``name``.

        Raises:
            InvalidValue: no such features, or raw ones of a task whose error is not a state minus
                the goal.
        """
        if name not in FEATURES:
            text = f"option features = {name!r}: choose {' or '.join(FEATURES)}"
            raise invalid(text, "options.features", name, tuple(FEATURES), kind=Kind.UNKNOWN_NAME)
        raw = name == "raw"
        if raw and dataset.error.shape[1] != len(goal):
            raise InvalidValue(
                f"option features = 'raw' needs an error that is a state minus the goal: task "
                f"{dataset.task} has {dataset.error.shape[1]} errors and {len(goal)} goal values"
            )
        # The middle of equal numbers is exact, their mean may not be.
        goals = dataset.goal if raw and len(dataset) else goal[np.newaxis, :]
        return cls(raw, goal, 0.5 * (goals.min(axis=0) + goals.max(axis=0)))

    def mask(self, cost_mask: Array) -> Array:
        """Return the weight ``(f,)`` of each feature."""
        return np.concatenate([cost_mask, cost_mask]) if self.raw else cost_mask

    def examples(self, dataset: Dataset) -> Dataset:
        """Return a data set with features ``(N, f)`` in place of its errors."""
        return replace(dataset, error=self._join(dataset.error, dataset.goal))

    def trial(self, error: Array) -> Array:
        """Return the features ``(..., f)`` of trials of this run with errors ``(..., m)``."""
        return self._join(error, self.goal)

    def pair(self, error: Array, other: Array) -> Array:
        """Return the features ``(..., f)`` of a trial, had the ``other`` one's state been its goal.

        Args:
            error: ``(..., m)`` of the trial.
            other: ``(..., m)`` of a trial under the same physics and goal.
        """
        return self._join(error - other, other + self.goal)

    def _join(self, error: Array, goal: Array) -> Array:
        if not self.raw:
            return error
        goals = np.broadcast_to(goal, error.shape)
        return np.concatenate([error + goals - self.centre, goals - self.centre], axis=-1)
