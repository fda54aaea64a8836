"""How well a data set covers the box of its policy parameters."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset

CELLS = 8
"""Cells per parameter of the coarse grid."""


def coverage(dataset: Dataset, space: ParameterSpace) -> dict[tuple[str, ...], float]:
    """Return the share of cells of a coarse grid over theta that hold an example, 0 to 1.

    One entry per pair of parameters: the box of the two is cut into 8 x 8 equal cells, all other
    parameters are ignored.  A task with one parameter has one entry, of 8 cells.
    """
    cells = np.floor((space.normalise(dataset.theta) + 1.0) * 0.5 * CELLS)
    cells = np.clip(cells, 0, CELLS - 1).astype(np.int64)
    size = min(2, space.dim)
    return {
        tuple(space.names[i] for i in chosen): _share(cells[:, list(chosen)])
        for chosen in combinations(range(space.dim), size)
    }


def solved_share(dataset: Dataset, space: ParameterSpace) -> float:
    """Return the share of examples whose theta + dtheta lies inside the box, 0 to 1."""
    slack = 1e-9 * space.half_range
    target: Array = dataset.theta + dataset.dtheta
    inside = (target >= space.lower - slack) & (target <= space.upper + slack)
    return float(inside.all(axis=1).mean())


def _share(cells: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
    return len(np.unique(cells, axis=0)) / float(CELLS ** cells.shape[1])
