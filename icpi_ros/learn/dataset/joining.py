"""Data sets of one task joined, one behind another, or chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import EXAMPLES, PATHS, Dataset, fingerprint
from icpi_ros.learn.dataset.mixing import distinct, refuse_ways, two_arms
from icpi_ros.tasks.base import Task


def join(task: Task, parts: Sequence[Dataset]) -> Dataset:
    """Return several sets of one task as one; their groups must differ where their physics do.

    Paths are those of the first part that has some; where another has none, or other times of its
    places, they are unknown.
    """
    columns: dict[str, Any] = {n: np.concatenate([getattr(p, n) for p in parts]) for n in EXAMPLES}
    times = next((part.path_times for part in parts if part.path_times is not None), None)
    if times is not None:
        columns |= {n: np.concatenate([_paths(p, n, times) for p in parts]) for n in PATHS}
    return Dataset(task=task.name, **columns, path_times=times)


def _paths(part: Dataset, name: str, times: Array) -> Array:
    """Return the paths ``(N, P, 3)`` of a part at ``times``; unknown where it has other times."""
    found: Array | None = getattr(part, name)
    same = part.path_times is not None and np.array_equal(part.path_times, times)
    if found is None or not same:
        return np.full((len(part), len(times), 3), np.nan)
    return found


def together(known: Dataset, added: Dataset, task: Task, mix: bool = False) -> Dataset:
    """Return ``added`` behind ``known``, as physics of their own; provenance names both.

    Args:
        known: first.
        added: second.
        task: of both.
        mix: they may be of different arms; provenance names them.

    Raises:
        DatasetError: they are of different arms, and that is not meant.
    """
    pair = two_arms((*known.arms, *added.arms))
    found = "" if pair is None else f"examples of {pair[0]} and of {pair[1]}"
    mixed = refuse_ways(found, "the data set", "leave out --with", mix)
    known, shifted = _apart(known, added)
    note = {"examples": len(known), "fingerprint": fingerprint(known)}
    made = {**added.provenance, "with": {**note, "provenance": known.provenance}}
    all_mixed = "; ".join(filter(None, (added.provenance.get("mixed"), mixed)))
    made |= {"mixed": all_mixed} if all_mixed else {}
    arms = distinct((*known.arms, *added.arms))
    return replace(join(task, [known, shifted]), provenance=made, arms=arms)


def _apart(known: Dataset, added: Dataset) -> tuple[Dataset, Dataset]:
    """Return two sets with other groups in the second; as numbers from 0 where they are huge."""
    first = 1 + int(np.max(known.group)) if len(known) else 0
    largest = int(np.max(added.group)) if len(added) else 0
    if first + largest > np.iinfo(np.int64).max:
        known, added = _renumbered(known), _renumbered(added)
        first = 1 + int(np.max(known.group))
    return known, replace(added, group=np.asarray(added.group, dtype=np.int64) + first)


def _renumbered(dataset: Dataset) -> Dataset:
    return replace(dataset, group=np.unique(dataset.group, return_inverse=True)[1])


def choose(dataset: Dataset, examples: int | None, seed: int) -> Dataset:
    """Return at most so many examples, chosen at random; None = all."""
    if examples is None or examples >= len(dataset):
        return dataset
    rows = np.sort(np.random.default_rng(seed).choice(len(dataset), examples, replace=False))
    return dataset.take(rows)
