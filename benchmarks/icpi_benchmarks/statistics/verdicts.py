"""Verdicts on improvers that ask a model: better than their nulls and knn, or within noise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from icpi_benchmarks.results import MIN_OWN
from icpi_benchmarks.statistics.intervals import divided, percentile_interval, resampled_means
from icpi_benchmarks.statistics.model_use import ModelUse
from icpi_benchmarks.statistics.summaries import (
    IntervalEstimate,
    TaskSummary,
    block_ratio,
    is_ranked,
)


class Judgement(StrEnum):
    """Result of a paired comparison by its 95 % interval."""

    BETTER = "better than"
    NOISE = "within noise of"
    WORSE = "worse than"


@dataclass(frozen=True)
class Verdict:
    """One improver against another on the same instances.

    Attributes:
        improver: label.
        rival: label.
        ratio: of mean best costs, with its paired 95 % interval.
    """

    improver: str
    rival: str
    ratio: IntervalEstimate

    @property
    def judgement(self) -> Judgement:
        """Side of 1 on which the interval of the ratio lies; noise if it holds 1."""
        if self.ratio.high < 1.0:
            return Judgement.BETTER
        return Judgement.WORSE if self.ratio.low > 1.0 else Judgement.NOISE


def verdicts(found: TaskSummary, trial: int) -> tuple[Verdict, ...]:
    """Return the verdicts after ``trial`` adjustments on all that ask a model, against rivals.

    There is none on a model that is not ranked, or of whose proposals more than 10 % are not on
    cassette.
    """
    block = found.block
    if not block.instances:
        return ()
    return tuple(
        Verdict(label, rival, block_ratio(block, label, rival, trial, found.seed))
        for label in block.improvers
        if is_ranked(block, label) and _is_known(block.use.get(label, ModelUse()))
        for rival in found.rivals.get(label, ())
        if rival in block.improvers
    )


def _is_known(use: ModelUse) -> bool:
    return use.missing <= (1.0 - MIN_OWN) * (use.missing + use.proposals)


def improved_share(found: TaskSummary, improver: str) -> IntervalEstimate:
    """Return the share of own steps that improved, resampled over instances; NaN without any."""
    block = found.block
    place = block.row_of(improver)
    counts = [flags[place].sum(axis=1) for flags in (block.own_improved, block.own)]
    improved, own = map(float, (counts[0].sum(), counts[1].sum()))
    if not own:
        return IntervalEstimate(*3 * [float("nan")])
    resampled = resampled_means(np.array(counts, dtype=np.float64).T, found.seed)
    with_steps = resampled[resampled[:, 1] > 0.0]
    low, high = percentile_interval(divided(with_steps[:, 0], with_steps[:, 1]))
    return IntervalEstimate(improved / own, float(low), float(high))
