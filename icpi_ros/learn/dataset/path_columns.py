"""Paths of the examples in a Parquet file: one column of float32 per place and axis.

``path_x_0``, ``path_x_1``, ... and ``label_path_x_0``, ... [m], with a number for each time of the
list in the metadata ``icpi.path_times``; a row of empty cells is an unknown path.  A file without
these times has no paths, whatever its columns are called.

Flat as all columns are: lists may hold any number of places, which nothing bounds before they are
read, and pyarrow ends the process where the footer of their columns is damaged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from icpi_ros.core.errors import DatasetError
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import PATHS, Dataset
from icpi_ros.learn.paths import are_path_times

TIMES = "icpi.path_times"
"""Key of the metadata with the times of the places: a JSON list of seconds."""
MAX_PLACES = 500
"""Most places of a path."""
UNIT = "m"


def names_of(field: str, places: int) -> list[str]:
    """Return the columns of ``path`` or ``label_path`` in the order of the array."""
    return [f"{field}_{axis}_{place}" for place in range(places) for axis in "xyz"]


def columns_of(dataset: Dataset) -> dict[str, Array]:
    """Return the columns ``(N,)`` of a data set's paths, by name; none if it has no paths."""
    if dataset.path_times is None:
        return {}
    found: dict[str, Array] = {}
    for field in PATHS:
        flat = getattr(dataset, field).reshape(len(dataset), -1).T
        found |= dict(zip(names_of(field, len(dataset.path_times)), flat, strict=True))
    return found


def metadata(dataset: Dataset) -> dict[str, str]:
    """Return the times of the places as metadata; none if there are no paths."""
    times = dataset.path_times
    return {} if times is None else {TIMES: json.dumps(times.tolist())}


def wanted(texts: Mapping[str, str], there: Sequence[str], path: Path) -> list[str]:
    """Return which columns to read of the file at ``path`` whose columns are ``there``.

    Those of the labels may be left out, all of them.

    Raises:
        DatasetError: the times in its metadata ``texts`` are damaged.
    """
    times = times_of(texts, path)
    if times is None:
        return []
    labels = names_of(PATHS[1], len(times))
    known = set(there)
    return names_of(PATHS[0], len(times)) + (labels if known.intersection(labels) else [])


def fields_of(
    column: Callable[[str], Array], there: Sequence[str], rows: int, times: Array | None
) -> dict[str, Array]:
    """Return the fields of :class:`Dataset` about paths; none if there are no ``times``.

    Args:
        column: from the name of a column to its values ``(N,)``.
        there: names of the columns.
        rows: N.
        times: see :func:`times_of`.
    """
    if times is None:
        return {}
    found: dict[str, Array] = {"path_times": times}
    for field in PATHS:
        shape, names = (rows, len(times), 3), names_of(field, len(times))
        known = names[0] in there
        found[field] = (
            np.stack([column(name) for name in names], axis=-1).reshape(shape)
            if known
            else np.full(shape, np.nan)
        )
    return found


def times_of(texts: Mapping[str, str], path: Path) -> Array | None:
    """Return the times in the metadata of the file at ``path`` ``(P,)`` [s]; None = no paths.

    Raises:
        DatasetError: damaged.
    """
    if TIMES not in texts:
        return None
    try:
        times = np.array(json.loads(texts[TIMES]), dtype=np.float64)
    except (ValueError, TypeError, RecursionError):
        times = np.empty(0)
    if times.ndim != 1 or not 1 < len(times) <= MAX_PLACES:
        raise DatasetError(
            f"data set {path}: metadata {TIMES} is damaged: must be a list of 2 to {MAX_PLACES} "
            "seconds"
        )
    if not are_path_times(times):
        raise DatasetError(
            f"data set {path}: metadata {TIMES} is damaged: its seconds must be finite and "
            "increase from 0"
        )
    return times
