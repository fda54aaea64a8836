"""Two improvers on the same instances, step by step: ratio, difference and wins, all paired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_benchmarks.statistics.blocks import ResultBlock
from icpi_benchmarks.statistics.intervals import divided, percentile_interval, resampled_means
from icpi_benchmarks.statistics.summaries import IntervalEstimate
from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array


@dataclass(frozen=True)
class StepComparison:
    """Best costs of two improvers after so many adjustments, under one condition and task.

    Attributes:
        condition, task: names.
        step: number of adjustments.
        instances: number of them.
        mean_a, mean_b: mean best cost [m].
        ratio: mean of a over mean of b; below 1, a is closer.
        difference: mean of a minus mean of b [m].
        wins: share of instances in which a is closer.
        ties: share of instances in which both are equally close.
    """

    condition: str
    task: str
    step: int
    instances: int
    mean_a: float
    mean_b: float
    ratio: IntervalEstimate
    difference: IntervalEstimate
    wins: IntervalEstimate
    ties: float


def compared(
    one: ResultBlock, a: str, other: ResultBlock, b: str, seed: int
) -> list[StepComparison]:
    """Return a comparison per adjustment; ``seed`` is the run's.

    Args:
        one: rows of improver ``a``.
        a: label.
        other: rows of improver ``b``, may be of another file or condition.
        b: label.
        seed: fixes the resamples.

    Raises:
        InvalidValue: an improver has no rows there, or the instances differ.
    """
    if one.instances != other.instances or one.trials != other.trials:
        raise InvalidValue(
            f"{one.where} and {other.where} have other instances or numbers of trials: only the "
            "same instances can be compared"
        )
    if not one.instances:
        raise InvalidValue(f"{one.where}: the first attempt failed in all instances")
    ours, theirs = one.best[one.row_of(a)], other.best[other.row_of(b)]
    won, tied = ours < theirs, ours == theirs
    resampled = resampled_means(np.stack([ours, theirs, won.astype(np.float64)], axis=1), seed)

    def estimate(value: float, values: Array) -> IntervalEstimate:
        return IntervalEstimate(value, *map(float, percentile_interval(values)))

    def step(t: int) -> StepComparison:
        mean_a, mean_b = float(ours[:, t].mean()), float(theirs[:, t].mean())
        drawn_a, drawn_b, drawn_won = (resampled[:, n, t] for n in range(3))
        return StepComparison(
            condition=one.condition,
            task=one.task,
            step=t,
            instances=len(one.instances),
            mean_a=mean_a,
            mean_b=mean_b,
            ratio=estimate(float(divided(mean_a, mean_b)), divided(drawn_a, drawn_b)),
            difference=estimate(mean_a - mean_b, drawn_a - drawn_b),
            wins=estimate(float(won[:, t].mean()), drawn_won),
            ties=float(tied[:, t].mean()),
        )

    return [step(t) for t in range(1, one.trials)]
