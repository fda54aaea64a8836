"""Predictions of improvers against outcomes, step by step: shares inside 1 and 2 std, and sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icpi_benchmarks.statistics.blocks import ResultBlock
from icpi_benchmarks.statistics.intervals import divided, percentile_interval, resampled_means
from icpi_benchmarks.statistics.summaries import IntervalEstimate, TaskSummary
from icpi_ros.core.types import Array

TARGETS = (0.68, 0.95)
"""Shares of outcomes inside 1 and 2 predicted standard deviations, were they normal around it."""
ALL = "all"
"""Name of all tasks together."""


@dataclass(frozen=True)
class StepPredictions:
    """Predictions of one improver for one adjustment, or for all of them.

    z is (cost - predicted) / predicted standard deviation, so above 0 the outcome was worse than
    predicted.

    Attributes:
        improver: label.
        condition: name.
        task: name, or ``all``.
        step: number of the adjustment; None = all of them.
        count: predictions with an outcome and a standard deviation.
        within_1, within_2: share of outcomes with z from -1 to 1 and from -2 to 2.
        mean_z: mean of z, where the standard deviation is not 0.
        above: share of outcomes with a cost above the predicted one.
    """

    improver: str
    condition: str
    task: str
    step: int | None
    count: int
    within_1: IntervalEstimate
    within_2: IntervalEstimate
    mean_z: IntervalEstimate
    above: IntervalEstimate


def predictions(found: Sequence[TaskSummary]) -> list[StepPredictions]:
    """Return what is known of the predictions of every improver that predicts.

    By improver, then condition, then task with all of them last, then step with all of them last.
    Intervals are of a bootstrap over instances.  Those of all tasks are over numbers of instances:
    what the tasks have of one number is drawn together, because it comes of the same random
    numbers, and two tasks of the same spaces share physics, goal and first theta.
    """
    labels = dict.fromkeys(label for one in found for label in one.block.improvers)
    conditions = dict.fromkeys(one.condition for one in found)
    rows = []
    for label in labels:
        for condition in conditions:
            here = [
                one.block
                for one in found
                if one.condition == condition and label in one.block.improvers
            ]
            counted = [(one, _table(one, label)) for one in here]
            counted = [(one, table) for one, table in counted if table[:, :, 0].any()]
            tables = {one.task: table for one, table in counted}
            if len(tables) > 1:
                tables[ALL] = _by_number([(one.instances, table) for one, table in counted])
            for task, table in tables.items():
                steps: list[int | None] = [*range(1, table.shape[1]), None]
                rows += [_row(label, condition, task, s, table, found[0].seed) for s in steps]
    return [row for row in rows if row.count]


def _table(block: ResultBlock, label: str) -> Array:
    """Return ``(N, T, 6)``: known, inside 1 std, inside 2, z is known, z, cost is above."""
    i = block.row_of(label)
    cost, predicted, std = block.cost[i], block.predicted[i], block.predicted_std[i]
    known = np.isfinite(cost) & np.isfinite(predicted) & np.isfinite(std) & ~block.fell_back[i]
    known[:, 0] = False
    off = np.where(known, cost - predicted, 0.0)
    scaled = known & (std > 0.0)
    z = np.divide(off, std, out=np.zeros_like(off), where=scaled)
    inside = [known & (np.abs(off) <= n * np.where(known, std, 0.0)) for n in (1, 2)]
    return np.stack([known, *inside, scaled, z, known & (off > 0.0)], axis=2).astype(np.float64)


def _by_number(tables: Sequence[tuple[Sequence[int], Array]]) -> Array:
    """Return the sums of tables with their numbers of instances: a row for each number."""
    numbers = sorted({number for known, _ in tables for number in known})
    total = np.zeros((len(numbers), *tables[0][1].shape[1:]))
    for known, table in tables:
        total[np.searchsorted(numbers, known)] += table
    return total


def _row(
    label: str, condition: str, task: str, step: int | None, table: Array, seed: int
) -> StepPredictions:
    chosen = table.sum(axis=1) if step is None else table[:, step]
    sums = chosen.sum(axis=0)
    resampled = resampled_means(chosen, seed)

    def share(above: int, below: int) -> IntervalEstimate:
        if not sums[below]:
            return IntervalEstimate(*3 * [float("nan")])
        drawn = resampled[resampled[:, below] > 0.0]
        low, high = percentile_interval(divided(drawn[:, above], drawn[:, below]))
        return IntervalEstimate(float(sums[above] / sums[below]), float(low), float(high))

    return StepPredictions(
        improver=label,
        condition=condition,
        task=task,
        step=step,
        count=int(sums[0]),
        within_1=share(1, 0),
        within_2=share(2, 0),
        mean_z=share(4, 3),
        above=share(5, 0),
    )
