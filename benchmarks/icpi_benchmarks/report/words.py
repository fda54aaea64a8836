"""Numbers of a benchmark as words, the same in all of its reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from icpi_benchmarks.contest.conditions import NULLS
from icpi_benchmarks.contest.entrants import with_option
from icpi_benchmarks.results import MIN_OWN
from icpi_benchmarks.statistics.summaries import ImproverSummary, IntervalEstimate, TaskSummary
from icpi_benchmarks.statistics.verdicts import Verdict
from icpi_ros.improvers.llm.options import HOLD

_SHOWN = (0, 1, 2, 3, 5, 8, 10, 15, 20, 50)
KEY_TRIAL = 3
"""Adjustments after which improvers are compared first."""
APART = f"not ranked: more than {100.0 * (1.0 - MIN_OWN):.0f} % of their steps are not their own"
"""Line above such improvers."""
HELD = (
    "A proposal that a model did not make costs it a trial: the best theta is repeated "
    "(substitute=hold), no other improver's counts as its own, unless its label has "
    "another substitute."
)
OLDER = "Made by an older version: where a model failed, embedded's proposals are in its costs."
WAITED = (
    "s: waiting for the model per proposal, on the machine that asked it when it was recorded, "
    "whatever else that did: no measurement of speed."
)
DRIFT = (
    "Where the physics drift, best cost is what the best theta so far costs now, under the physics "
    "of that trial; it can rise."
)
NULLS_MEAN = (
    "null-label and null-mean adjust by a random one, and by the mean, of the k labels that a "
    "model is shown: a model that is no better has read nothing out of them."
)


def shown_trials(trials: int) -> list[int]:
    """Return the numbers of adjustments that get a column: a few and the last."""
    last = trials - 1
    return [n for n in _SHOWN if n < last] + [last]


def key_trials(trials: int) -> list[int]:
    """Return the numbers of adjustments at which ratios are given."""
    return sorted({min(KEY_TRIAL, trials - 1), trials - 1})


def is_oracle(improver: str) -> bool:
    """Return True if an improver knows the hidden physics: a practical limit, not a rival."""
    return improver.split(":")[0].endswith("oracle")


def mm(metres: float) -> str:
    """Return a length [m] in mm with three digits and no unit; ``-`` if there is none."""
    return significant(1000.0 * metres)


def significant(value: float) -> str:
    """Return three significant digits, at most three decimals: ``296``, ``83.1``, ``0.007``."""
    if not math.isfinite(value):
        return "inf" if value == math.inf else "-"
    size = abs(value)
    decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.0995 else 3
    return f"{value:.{decimals}f}"


def threshold_text(metres: float) -> str:
    """Return the threshold [m] as it was set: ``5 mm``."""
    return f"{1000.0 * metres:g} mm"


def percent(share: float) -> str:
    """Return a share in percent, rounded so that only all is 100 and only none is 0."""
    if not math.isfinite(share):
        return "-"
    if 0.0 < share < 1.0:
        share = min(max(share, 0.01), 0.99)
    return f"{100.0 * share:.0f} %"


def milliseconds(seconds: float) -> str:
    """Return a time [s] in ms without unit."""
    return significant(1000.0 * seconds)


def ratio_text(line: ImproverSummary, trial: int) -> str:
    """Return the paired ratio default / this with its interval: ``0.24 [0.16, 0.36]``.

    Exactly 1, as for the default itself, is written ``1``.
    """
    if line.ratio_low[trial] == line.ratio_high[trial] == 1.0:
        return "1"
    ends = f"[{significant(line.ratio_low[trial])}, {significant(line.ratio_high[trial])}]"
    return f"{significant(line.ratio[trial])} {ends}"


def cost_text(line: ImproverSummary, trial: int) -> str:
    """Return mean and 95th percentile of the best cost [mm]: ``6.72 / 21.4``."""
    return f"{mm(line.mean[trial])} / {mm(line.p95[trial])}"


def title(found: TaskSummary) -> str:
    """Return the task and, if it has a name, the condition."""
    return f"{found.task}, {found.condition}" if found.condition else found.task


def instances_text(found: TaskSummary) -> str:
    """Return the number of instances that count, and of those left out: ``200 instances``."""
    count, lost = len(found.block.instances), len(found.block.left_out)
    text = f"{count} instance{'' if count == 1 else 's'}"
    if lost:
        text += f" ({lost} more left out for all alike: the common first attempt failed)"
    return text


def nothing_text(found: TaskSummary) -> str | None:
    """Return the reason why a condition and task have no figures at all; None if they have."""
    if found.improvers:
        return None
    return (
        f"nothing can be compared: the common first attempt failed in all "
        f"{len(found.block.left_out)} instances"
    )


def unused_text(found: TaskSummary) -> str:
    """Return who does not use the condition's options, or who alone does; "" = all do."""
    return "; ".join(_unused(option, names, found) for option, names in found.unused.items())


def _unused(option: str, names: Sequence[str], found: TaskSummary) -> str:
    users = [line.improver for line in found.improvers if line.improver not in names]
    if len(users) == 1 < len(names):
        return f"only {users[0]} uses the condition's {option}"
    verb = "does" if len(names) == 1 else "do"
    return f"{', '.join(names)} {verb} not use the condition's {option}"


def own_text(line: ImproverSummary) -> str:
    """Return the number of own steps of those asked for: ``118 / 120``; ``-`` without any."""
    return f"{line.own_steps} / {line.steps_asked}" if line.steps_asked else "-"


def improved_text(line: ImproverSummary) -> str:
    """Return the number of own steps that improved, and its share: ``96, 81 %``."""
    if not line.own_steps:
        return "-"
    return f"{line.own_improved}, {percent(line.own_improved / line.own_steps)}"


def outcomes_text(found: Sequence[Verdict]) -> str:
    """Return verdicts on one improver: ``better than knn 0.81 [0.7, 0.93]; within noise ...``."""
    return "; ".join(f"{one.judgement} {one.rival} {estimate_text(one.ratio)}" for one in found)


def estimate_text(found: IntervalEstimate) -> str:
    """Return a number with its interval: ``0.81 [0.70, 0.93]``."""
    return f"{significant(found.value)} [{significant(found.low)}, {significant(found.high)}]"


def share_text(found: IntervalEstimate) -> str:
    """Return a share with its interval: ``81 % [70 %, 90 %]``; ``-`` if there is none."""
    if math.isnan(found.value):
        return "-"
    return f"{percent(found.value)} [{percent(found.low)}, {percent(found.high)}]"


def missing_text(found: Sequence[TaskSummary]) -> str:
    """Return a sentence on the proposals that are not on cassette; "" if all are."""
    use = [one for task in found for one in task.block.use.values()]
    missing = sum(one.missing for one in use)
    if not missing:
        return ""
    return (
        f"! {missing} of {missing + sum(one.proposals for one in use)} proposals of language "
        "models are NOT ON CASSETTE: what was asked differs from what was recorded (other options "
        "or draws, or another processor's last digit). They count as steps that were not the "
        "model's own, and say nothing of it."
    )


def reading_notes(config: Mapping[str, Any]) -> list[str]:
    """Return sentences on reading a benchmark: of drift, and of language models."""
    drifts = any(condition.get("drift") for condition in config["conditions"])
    return [*([DRIFT] if drifts else []), *_model_notes(config)]


def _model_notes(config: Mapping[str, Any]) -> list[str]:
    """Return sentences on reading a benchmark of language models; none where none was asked."""
    labels = config["improvers"]
    if not with_option("substitute", labels):
        return []
    notes = [HELD if config.get("substitute") == HOLD else OLDER]
    if not {label.split(":")[0] for label in labels}.isdisjoint(NULLS):
        notes.append(NULLS_MEAN)
    return notes


def column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of every column of a table."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, all columns right-aligned but the first, which is text."""
    first, *others = column_widths(rows)
    return [
        "  ".join([row[0].ljust(first), *map(str.rjust, row[1:], others)]).rstrip() for row in rows
    ]
