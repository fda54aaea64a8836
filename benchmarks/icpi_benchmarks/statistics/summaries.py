"""Summaries of a contest: costs with intervals, paired ratios, calibration of predictions.

Intervals are percentile intervals of a bootstrap over instances (Efron and Tibshirani, *An
Introduction to the Bootstrap*, 1993, chapter 13), drawn once for all improvers, so that ratios
are paired: what makes an instance hard is hard for both sides and cancels.  Point estimates on
few runs mislead (Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical
Precipice", NeurIPS 2021), hence an interval beside every mean.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icpi_benchmarks.contest.entrants import without
from icpi_benchmarks.results import MIN_OWN, Results
from icpi_benchmarks.statistics.blocks import ResultBlock, block, blocks
from icpi_benchmarks.statistics.intervals import (
    divided,
    median_interval,
    percentile_interval,
    resampled_means,
)
from icpi_ros.core.errors import InvalidValue, invalid
from icpi_ros.core.types import Array, Indices


@dataclass(frozen=True)
class IntervalEstimate:
    """A number with its 95 % interval, all in the unit of the number: [m], [s] or a share."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class StepsToThreshold:
    """Number of adjustments until the best cost was at most the threshold.

    Attributes:
        median: over instances [adjustments], those that never got there counted as longer than all;
            infinite = at least half never got there.
        reached: share of instances that got there, 0 to 1.
        limit: adjustments that were allowed.
    """

    median: float
    reached: float
    limit: int

    @property
    def text(self) -> str:
        """The median in words: ``2``, ``2.5`` or ``> 5``."""
        return f"{self.median:g}" if math.isfinite(self.median) else f"> {self.limit}"


@dataclass(frozen=True)
class PredictionCalibration:
    """Predictions against outcomes over all adjustments that have both.

    Attributes:
        predicted, outcome: ``(P,)`` cost [m].
        trial: ``(P,)`` number of the trial.
        spread: ``(P,)`` predicted standard deviation [m]; NaN = none given.
        within_1, within_2: share of outcomes within 1 and 2 predicted standard deviations; NaN
            without any.
        median_z: median of |outcome - predicted| / std; NaN without any.
    """

    predicted: Array
    outcome: Array
    trial: Indices
    spread: Array
    within_1: float
    within_2: float
    median_z: float


@dataclass(frozen=True)
class ImproverSummary:
    """One improver under one condition and task; arrays are over trials ``(T,)``.

    Attributes:
        improver: label.
        mean, median, p95: of the best cost so far over instances [m].
        mean_low, mean_high, median_low, median_high: 95 % intervals [m].
        success: share of instances with best cost at most the threshold and no failure so far.
        ratio, ratio_low, ratio_high: mean best cost of the default divided by this one's on the
            same instances, with its paired 95 % interval; exactly 1 for the default itself.
        failures, fallbacks: number of trials.
        proposal_seconds: mean wall time of a proposal over all adjustments [s]; NaN = none.
        steps: adjustments to the threshold.
        calibration: predictions against outcomes; None = it predicts nothing.
        failure_reasons, fallback_reasons: reason and how often, the most frequent first.
        steps_asked: adjustments that it was asked for, of all instances.
        own_steps: those that it proposed itself.
        own_improved: own steps that cost less than all trials before them.
        ranked: whether at least 90 % are its own: else its costs are no measure of it.
    """

    improver: str
    mean: Array
    median: Array
    p95: Array
    mean_low: Array
    mean_high: Array
    median_low: Array
    median_high: Array
    success: Array
    ratio: Array
    ratio_low: Array
    ratio_high: Array
    failures: Array
    fallbacks: Array
    proposal_seconds: float
    steps: StepsToThreshold
    calibration: PredictionCalibration | None
    failure_reasons: tuple[tuple[str, int], ...]
    fallback_reasons: tuple[tuple[str, int], ...]
    steps_asked: int
    own_steps: int
    own_improved: int
    ranked: bool


@dataclass(frozen=True)
class TaskSummary:
    """All improvers under one condition and task.

    Attributes:
        condition, task: names.
        default: label that the ratios refer to; ranked wherever any improver is.
        threshold: best cost that counts as success [m].
        seed: of the run; fixes the resamples.
        block: the rows behind it.
        improvers: summaries in the order of the run; none if no instance has a first outcome.
        unused: option that the condition sets, to the labels of those here that do not follow it.
        rivals: of improvers that ask a model, by label: whom they must beat.
    """

    condition: str
    task: str
    default: str
    threshold: float
    seed: int
    block: ResultBlock
    improvers: tuple[ImproverSummary, ...]
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rivals: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def ranked(self) -> tuple[ImproverSummary, ...]:
        """Improvers whose steps are their own, in the order of the run."""
        return tuple(line for line in self.improvers if line.ranked)

    @property
    def apart(self) -> tuple[ImproverSummary, ...]:
        """The others, which are shown apart."""
        return tuple(line for line in self.improvers if not line.ranked)

    def of(self, improver: str) -> ImproverSummary:
        """Return one improver's summary.

        Raises:
            InvalidValue: it has no rows here.
        """
        place = self.block.row_of(improver)
        _require_instances(self.block)
        return self.improvers[place]


def summarise(results: Results) -> list[TaskSummary]:
    """Return the summary of every condition and task that has rows, in the order of the run.

    Raises:
        InvalidValue: rows are missing, there twice, or hold something else than numbers.
    """
    found, config = blocks(results), results.config
    threshold, seed = float(config["threshold_m"]), int(config["seed"])
    conditions = {one["name"]: one for one in config["conditions"]}
    rivals = config["rivals"] if isinstance(config.get("rivals"), dict) else {}
    return [
        replace(
            _task_summary(one, config["default"], threshold, seed),
            unused=_unused(conditions[one.condition], one.improvers),
            rivals=rivals,
        )
        for one in found
    ]


def _unused(condition: Mapping[str, Any], labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    options = condition.get("options")
    if not isinstance(options, dict):
        return {}
    found = {key: without(key, value, labels) for key, value in options.items()}
    return {key: names for key, names in found.items() if names}


def ratio(
    results: Results, task: str, numerator: str, denominator: str, trial: int, condition: str = ""
) -> IntervalEstimate:
    """Return mean best cost of one improver over that of another on the same instances.

    Args:
        results: of a benchmark.
        task: name.
        numerator: label of an improver.
        denominator: label of the other.
        trial: number of adjustments, 0 = after the common first attempt.
        condition: name.

    Raises:
        InvalidValue: there are no such rows, or they are not paired.
    """
    found = block(results, task, condition)
    return block_ratio(found, numerator, denominator, trial, int(results.config["seed"]))


def block_ratio(
    found: ResultBlock, numerator: str, denominator: str, trial: int, seed: int
) -> IntervalEstimate:
    """As :func:`ratio`, for one condition and task at hand; ``seed`` is the run's."""
    if not 0 <= trial < found.trials:
        text = f"trial {trial}: allowed are 0 to {found.trials - 1}"
        raise invalid(text, "trial", trial, (0, found.trials - 1))
    _require_instances(found)
    pair = [found.row_of(numerator), found.row_of(denominator)]
    chosen = found.best[pair, :, trial]
    means = chosen.mean(axis=1)
    resampled = resampled_means(chosen.T, seed)
    low, high = percentile_interval(divided(resampled[:, 0], resampled[:, 1]))
    return IntervalEstimate(float(divided(means[0], means[1])), float(low), float(high))


def _require_instances(found: ResultBlock) -> None:
    if not found.instances:
        raise InvalidValue(
            f"{found.where}: the first attempt failed in all {len(found.left_out)} instances, "
            "nothing can be compared: run more instances"
        )


# --- one condition and task ---------------------------------------------------------------------


def _task_summary(found: ResultBlock, default: str, threshold: float, seed: int) -> TaskSummary:
    reference = _reference(found, default)
    if not found.instances:
        return TaskSummary(found.condition, found.task, reference, threshold, seed, found, ())
    by_instance = np.moveaxis(found.best, 1, 0)
    means = resampled_means(by_instance, seed)
    mean = found.best.mean(axis=1)
    place = found.row_of(reference)
    bands = {
        "mean": (mean, percentile_interval(means)),
        "median": (np.median(found.best, axis=1), median_interval(by_instance)),
        "ratio": (
            divided(mean[place], mean),
            percentile_interval(divided(means[:, place : place + 1], means)),
        ),
    }
    return TaskSummary(
        condition=found.condition,
        task=found.task,
        default=reference,
        threshold=threshold,
        seed=seed,
        block=found,
        improvers=tuple(
            _improver_summary(found, i, threshold, bands) for i in range(len(found.improvers))
        ),
    )


def _reference(found: ResultBlock, default: str) -> str:
    """Return the default, or the first improver of the run, that is ranked; else it anyway."""
    wanted = list(dict.fromkeys((default, *found.improvers)))
    known = [label for label in wanted if label in found.improvers]
    return next((label for label in known if is_ranked(found, label)), known[0])


def is_ranked(found: ResultBlock, label: str) -> bool:
    """Return whether so many steps of an improver are its own that it may be compared."""
    own = found.own[found.row_of(label), :, 1:]
    return own.size == 0 or float(own.mean()) >= MIN_OWN


def _improver_summary(
    found: ResultBlock, i: int, threshold: float, bands: dict[str, tuple[Array, Array]]
) -> ImproverSummary:
    named: dict[str, Array] = {}
    for name, (value, (low, high)) in bands.items():
        named |= {name: value[i], f"{name}_low": low[i], f"{name}_high": high[i]}
    best, seconds = found.best[i], found.seconds[i]
    untroubled = ~np.logical_or.accumulate(found.failed[i], axis=1)
    later = seconds[:, 1:][np.isfinite(seconds[:, 1:])]
    return ImproverSummary(
        improver=found.improvers[i],
        p95=np.quantile(best, 0.95, axis=0),
        success=((best <= threshold) & untroubled).mean(axis=0),
        failures=found.failed[i].sum(axis=0).astype(np.float64),
        fallbacks=found.fell_back[i].sum(axis=0).astype(np.float64),
        proposal_seconds=float(later.mean()) if len(later) else math.nan,
        steps=steps_to_threshold(best, threshold),
        calibration=_calibration(found, i),
        failure_reasons=_counted(found.failures[i].ravel()),
        fallback_reasons=_counted(found.fallbacks[i].ravel()),
        steps_asked=found.own[i, :, 1:].size,
        own_steps=int(found.own[i].sum()),
        own_improved=int(found.own_improved[i].sum()),
        ranked=is_ranked(found, found.improvers[i]),
        **named,
    )


def steps_to_threshold(best: Array, threshold: float) -> StepsToThreshold:
    """Return how many adjustments ``best`` ``(N, T)`` [m] takes to get to ``threshold`` [m]."""
    there = best <= threshold
    steps = np.where(there.any(axis=1), there.argmax(axis=1), np.inf)
    with np.errstate(invalid="ignore"):  # the middle of two that never got there
        median = float(np.median(steps))
    return StepsToThreshold(
        median=math.inf if math.isnan(median) else median,
        reached=float(np.isfinite(steps).mean()),
        limit=best.shape[1] - 1,
    )


def _calibration(found: ResultBlock, i: int) -> PredictionCalibration | None:
    """Return predictions against outcomes; those of a substitute are left out."""
    own = np.isfinite(found.predicted[i]) & np.isfinite(found.cost[i]) & ~found.fell_back[i]
    own[:, 0] = False
    if not own.any():
        return None
    predicted, outcome, std = (
        values[i][own] for values in (found.predicted, found.cost, found.predicted_std)
    )
    known = np.isfinite(std)
    miss, std_known = np.abs(outcome - predicted)[known], std[known]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(miss == 0.0, 0.0, miss / std_known)
    return PredictionCalibration(
        predicted=predicted,
        outcome=outcome,
        trial=np.nonzero(own)[1].astype(np.int64),
        spread=std,
        within_1=float((miss <= std_known).mean()) if len(miss) else math.nan,
        within_2=float((miss <= 2.0 * std_known).mean()) if len(miss) else math.nan,
        median_z=float(np.median(z)) if len(z) else math.nan,
    )


def _counted(reasons: NDArray[np.object_]) -> tuple[tuple[str, int], ...]:
    """Return every non-empty reason with its number, the most frequent first."""
    counts = Counter(str(reason) for reason in reasons if reason)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
