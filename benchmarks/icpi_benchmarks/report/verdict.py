"""Verdict of a benchmark in plain words: where the default is ahead, level or behind."""

from __future__ import annotations

from collections.abc import Sequence

from icpi_benchmarks.report.words import is_oracle, key_trials, significant, title
from icpi_benchmarks.statistics.summaries import ImproverSummary, TaskSummary, block_ratio

MAX_NAMED = 6
"""Up to so many tasks are named each."""
AHEAD, LEVEL, BEHIND = "ahead of all others", "level with the best other", "behind the best other"
_ORDER = (AHEAD, LEVEL, BEHIND)


def best_other(one: TaskSummary, trial: int, oracles: bool = False) -> ImproverSummary | None:
    """Return the ranked improver of lowest mean beside the default; None = there is no other.

    Args:
        one: condition and task.
        trial: number of adjustments.
        oracles: among those that know the hidden physics, instead of those that do not.
    """
    others = [
        line
        for line in one.ranked
        if line.improver != one.default and is_oracle(line.improver) is oracles
    ]
    return min(others, key=lambda line: float(line.mean[trial]), default=None)


def bench_verdict(found: Sequence[TaskSummary]) -> str:
    """Return in one or two sentences how the default stands against the best other improvers.

    A task counts where the 95 % interval of the ratio holds no 1.  Empty: nothing to compare.
    """
    shown = [one for one in found if one.improvers]
    if not shown:
        return ""
    trial = key_trials(min(one.block.trials for one in shown))[0]
    default, cases = shown[0].default, dict[str, list[str]]()
    for one in shown:
        if (other := best_other(one, trial)) is not None:
            kind, text = _standing(one, other, trial)
            cases.setdefault(kind, []).append(text)
    count = sum(map(len, cases.values()))
    if not count:
        return f"{default} alone was measured: there is no other improver to compare it with."
    after = f"After {trial} adjustment{'' if trial == 1 else 's'} {default} is "
    if count > MAX_NAMED:
        told = [f"{kind} in {len(cases[kind])}" for kind in _ORDER if kind in cases]
        return f"{after}{', '.join(told)} of {count} cases."
    told = [f"{kind} in {', '.join(cases[kind])}" for kind in _ORDER if kind in cases]
    return f"{after}{'; '.join(told)}."


def _standing(one: TaskSummary, other: ImproverSummary, trial: int) -> tuple[str, str]:
    """Return how the default stands against another improver in one task, and the figure."""
    ratio = block_ratio(one.block, one.default, other.improver, trial, one.seed)
    kind = AHEAD if ratio.high < 1.0 else BEHIND if ratio.low > 1.0 else LEVEL
    return kind, f"{title(one)} ({significant(ratio.value)} of {other.improver}'s mean cost)"
