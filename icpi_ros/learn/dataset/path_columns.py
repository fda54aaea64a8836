"""Paths of the examples in a Parquet file: columns of lists, one list of places per example.

``path_x``, ``path_y``, ``path_z`` and ``label_path_x``, ... [m] hold lists of float32, as long as
the list of times in the metadata ``icpi.path_times``; an empty cell is an unknown path.  A file
without these times has no paths, whatever its columns are called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from icpi_ros.core.errors import DatasetError
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset import cells
from icpi_ros.learn.dataset.dataset import PATHS, Dataset
from icpi_ros.learn.paths import known_paths

TIMES = "icpi.path_times"
"""Key of the metadata with the times of the places: a JSON list of seconds."""
MAX_PLACES = 500
"""Most places of a path."""
UNIT = "m"
LEAF = ".list.element"
"""What the format adds to the name of a column of lists."""


def names_of(field: str) -> list[str]:
    """Return the columns of ``path`` or ``label_path``."""
    return [f"{field}_{axis}" for axis in "xyz"]


# --- writing ------------------------------------------------------------------------------------


def listed(dataset: Dataset) -> dict[str, Any]:
    """Return the Arrow columns of a data set's paths, by name; none if it has no paths."""
    found: dict[str, Any] = {}
    for field in PATHS:
        paths: Array | None = getattr(dataset, field)
        if paths is not None:
            known = known_paths(paths)
            lists = [_lists(paths[known, :, axis], known) for axis in range(3)]
            found |= dict(zip(names_of(field), lists, strict=True))
    return found


def _lists(values: Array, known: Any) -> Any:
    """Return lists of ``values`` ``(n, P)`` in the ``n`` cells that are ``known``."""
    import pyarrow as pa

    ends = values.shape[1] * np.concatenate([[0], np.cumsum(known)])
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), flat, mask=pa.array(~known))


def metadata(dataset: Dataset) -> dict[str, str]:
    """Return the times of the places as metadata; none if there are no paths."""
    times = dataset.path_times
    return {} if times is None else {TIMES: json.dumps(times.tolist())}


# --- reading ------------------------------------------------------------------------------------


def paths(table: Any, texts: Mapping[str, str], path: Path) -> dict[str, Array]:
    """Return the fields of :class:`Dataset` about paths; none if the file has no paths.

    Args:
        table: of Arrow, with the columns that are ``wanted``.
        texts: metadata of the file.
        path: of the file.

    Raises:
        DatasetError: damaged.
    """
    times = _times(texts, path)
    if times is None:
        return {}
    found: dict[str, Array] = {"path_times": times}
    for field in PATHS:
        names = [name for name in names_of(field) if name in table.schema.names]
        lists = [_places(table, name, len(times), path) for name in names]
        unknown = np.full((len(table), len(times), 3), np.nan)
        found[field] = np.stack(lists, axis=-1) if lists else unknown
    return found


def wanted(texts: Mapping[str, str], there: Sequence[str]) -> list[str]:
    """Return which columns to read of a file whose columns are ``there``.

    Those of the labels may be left out, all three of them.
    """
    if TIMES not in texts:
        return []
    labels = names_of(PATHS[1])
    return names_of(PATHS[0]) + (labels if any(name in there for name in labels) else [])


def check_lengths(
    metadata: Any, names: Sequence[str], texts: Mapping[str, str], path: Path
) -> None:
    """Check that the columns ``names`` hold no more places than their times, before they are read.

    A file of a few kilobytes may hold lists that fill the memory.

    Raises:
        DatasetError: they do.
    """
    times = _times(texts, path)
    if times is None:
        return
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for column in map(group.column, range(group.num_columns)):
            name = column.path_in_schema.partition(".")[0]
            if name in names and column.num_values > max(group.num_rows, 1) * len(times):
                raise _refused(path, name, f"holds more places than the {len(times)} of {TIMES}")


def _times(texts: Mapping[str, str], path: Path) -> Array | None:
    """Return the times in a file's metadata ``(P,)`` [s]; None = it has no paths."""
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
    if not (np.isfinite(times).all() and (np.diff(times) > 0.0).all()):
        raise DatasetError(
            f"data set {path}: metadata {TIMES} is damaged: its seconds must be finite and increase"
        )
    return times


def _places(table: Any, name: str, count: int, path: Path) -> Array:
    """Return a column of lists ``(N, count)``; an empty cell is NaN."""
    import pyarrow as pa
    from pyarrow import compute, types

    column = table.column(name)
    kind = column.type
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        shown = cells.shown_type(kind)
        raise _refused(path, name, f"has the type {shown}: must hold lists of numbers")
    lengths = compute.list_value_length(column).to_numpy().astype(np.float64)
    known = ~np.isnan(lengths)
    wrong = known & (lengths != count)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise _refused(
            path,
            name,
            f"holds {lengths[row]:.0f} places in row {row}: must be the {count} of {TIMES}, or an "
            "empty cell",
        )
    found = np.full((len(column), count), np.nan)
    flat = pa.chunked_array([chunk.flatten() for chunk in column.chunks], kind.value_type)
    try:
        found[known] = cells.numbers(flat).reshape(-1, count)
    except ValueError as exc:
        raise _refused(path, name, str(exc)) from exc
    return found


def _refused(path: Path, name: str, why: str) -> DatasetError:
    return DatasetError(f"data set {path}: column {name!r} {why}")
