"""Physics samples of a data set whose objects' paths are known, and those where none is.

The fit of paths needs one of every sample.  Where a few have none (their trials were not tracked,
or are of an older version) they are left out: two models on slide, roll-gc and rope-swing, without
3 of 30 samples or with all of them and errors alone, end at 1.24 and 2.79, 4.8 and 5.3, 28 and
26 mm after one adjustment, and at 0.42 and 0.49, 0.52 and 0.49, 1.5 and 2.1 mm after three (48
instances of ``--draws train``).  Without 10 of 30 the ropes are twice as far off.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from icpi_ros.core.types import Indices
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.outcome.fitting.fit import Rows
from icpi_ros.learn.outcome.fitting.rows import kept_examples
from icpi_ros.learn.outcome.path_model import MAX_PATHS
from icpi_ros.learn.paths import known_paths

MAX_LEFT_OUT = 0.1
"""Largest share of the physics samples that is left out for the paths of the others."""


def count_pathless(dataset: Dataset) -> tuple[int, int]:
    """Return of how many physics samples no path is known, and the number of all."""
    samples = len(np.unique(dataset.group))
    return samples - len(np.unique(dataset.group[_known(dataset)])), samples


def may_be_left_out(dataset: Dataset) -> bool:
    """Return whether there are samples without any path, and few enough to leave them out."""
    without, samples = count_pathless(dataset)
    return 0 < without <= MAX_LEFT_OUT * samples


def without_pathless(dataset: Dataset) -> Dataset:
    """Return the data set without its samples that have no path, where they are few."""
    if not may_be_left_out(dataset):
        return dataset
    return dataset.take(np.isin(dataset.group, dataset.group[_known(dataset)]))


def remark_on_paths(dataset: Dataset, improver: str) -> str:
    """Return one line on samples without paths; empty = all have some, or none has."""
    without, samples = count_pathless(dataset)
    if without in (0, samples):
        return ""
    what = f"no path is known of {without} of {samples} physics samples of the data set"
    if may_be_left_out(dataset):
        return f"{what}: {improver} learns from the others alone, or with features=error from all"
    return f"{what}: {improver} learns from no path (at most one sample in ten may have none)"


def evenly_known(dataset: Dataset, errors: Rows) -> Dataset:
    """Return a data set of whose paths so few are known that none is skipped, all samples alike.

    The fit takes every n-th of many paths; where that would skip all of a sample, the paths that
    stay known are chosen in turn from one sample after another.

    Args:
        dataset: with paths or without.
        errors: its rows.
    """
    if dataset.path is None:
        return dataset
    examples = kept_examples(dataset)
    first = np.flatnonzero(known_paths(dataset.path[examples]))
    group = errors.group[first]
    some = group[:: max(1, -(-len(first) // MAX_PATHS))]
    if len(np.unique(some)) == len(np.unique(group)):
        return dataset
    chosen = examples[first[np.argsort(_turns(group), kind="stable")[:MAX_PATHS]]]
    path = np.full_like(dataset.path, np.nan)
    path[chosen] = dataset.path[chosen]
    return replace(dataset, path=path)


def _known(dataset: Dataset) -> Indices:
    if dataset.path is None:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(known_paths(dataset.path))


def _turns(group: Indices) -> Indices:
    """Return how many rows of the same sample come before each row ``(N,)``."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], group[order])
    turns = np.empty(len(group), dtype=np.int64)
    turns[order] = np.arange(len(group)) - starts
    return turns
