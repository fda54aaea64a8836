"""The data sets of a benchmark: beginnings of one build per task, with or without label noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from icpi_benchmarks.contest.conditions import MAX_EXAMPLES, Condition
from icpi_ros.core.errors import invalid
from icpi_ros.learn.building.build import BuildProgress, build_file, with_label_noise
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import Dataset, load, shipped
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

EXAMPLES_PER_DRAW = 10
"""As in the shipped data sets, which are therefore the beginning of the large ones."""


def large(
    task: Task,
    arm: Arm,
    folder: Path,
    workers: Workers,
    on_draw: Callable[[BuildProgress], None] = lambda _: None,
) -> Dataset:
    """Return the data set of 500 examples that goes on where the shipped one ends.

    Args:
        task: of the examples.
        arm: that executes them.
        folder: where its file is kept, and taken from if it is there.
        workers: who builds it.
        on_draw: told how far it is.

    Raises:
        IcpiError: see :func:`build_file`.
    """
    path = large_path(task, folder)
    if path.exists():
        return load(path, task)
    plan = DatasetPlan(
        examples=MAX_EXAMPLES,
        draws=MAX_EXAMPLES // EXAMPLES_PER_DRAW,
        seed=int(shipped(task).provenance["seed"]),
    )
    return build_file(task, arm, plan, path, workers, on_draw=on_draw)


def large_path(task: Task, folder: Path) -> Path:
    """Return where :func:`large` keeps its file."""
    return folder / f"{task.name}-{MAX_EXAMPLES}.parquet"


def under(
    condition: Condition, task: Task, dataset: Dataset, whole: Dataset | None = None
) -> Dataset:
    """Return the examples of a condition.

    Args:
        condition: says how many of the first examples, and how noisy their labels are.
        task: of the examples.
        dataset: the shipped one, or another that was given.
        whole: the large data set, where the shipped one is too small.

    Raises:
        InvalidValue: the data set is too small.
    """
    if condition.examples is not None:
        more = whole if whole and condition.examples > len(dataset) else dataset
        dataset = first(more, condition.examples)
    if condition.label_noise > 0.0 and len(dataset):
        seed = int(dataset.provenance.get("seed", 0))
        dataset = with_label_noise(dataset, task, condition.label_noise, seed)
    return dataset


def first(dataset: Dataset, count: int) -> Dataset:
    """Return the first ``count`` examples.

    Raises:
        InvalidValue: there are fewer.
    """
    if not 0 <= count <= len(dataset):
        text = f"examples = {count}: the data set of {dataset.task} has 0 to {len(dataset)}"
        raise invalid(text, "examples", count, (0, len(dataset)))
    return dataset.take(slice(count))
