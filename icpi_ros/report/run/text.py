"""A run as text: one line per trial while it goes on, a table at its end, two runs compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.text import printable
from icpi_ros.core.types import Proposal, Tracking, Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.llm.client.budget import Spending
from icpi_ros.report.run.remarks import belief_lines, remark_lines
from icpi_ros.runs.answer import made_how
from icpi_ros.runs.earlier import learned_text
from icpi_ros.runs.store.records import RunRecord

_MAX_REASON = 60
Pair = tuple[Any, Any]


def improver_label(proposal: Proposal) -> str:
    """Return the improver behind a proposal: ``embedded (fallback: llm: no answer)``."""
    if not proposal.fallback_reason:
        return printable(proposal.provenance)
    reason = _shortened(proposal.fallback_reason)
    return f"{printable(proposal.provenance)} (fallback: {reason})"


def trial_line(trial: Trial, space: ParameterSpace, budget: int) -> str:
    """Return one line of progress: number, theta, cost, improver, wall time.

    Trials count from 0 (the common first attempt) wherever they are shown or stored.

    ``trial 3 (4/8)  speed=1.02 m/s heading=-0.13 rad  cost 4.21 mm  ridge  2.6 s``
    """
    parts = [
        f"trial {trial.number:>{len(str(budget - 1))}} ({trial.number + 1}/{budget})",
        space.describe(trial.theta) + (" (projected)" if trial.projected else ""),
        _outcome(trial),
        improver_label(trial.proposal) + (", a repeat" if trial.proposal.is_repeat else ""),
        f"{_seconds(trial.seconds)} s",
    ]
    return "  ".join(parts)


def run_summary(record: RunRecord, trials: Sequence[Trial], space: ParameterSpace) -> str:
    """Return a stored run as text: its configuration, its table, its failures."""
    config = record.config
    end = f"{record.state}: {record.note}" if record.note else record.state
    lines = [
        f"run {record.run_id}: {config.task} with {config.improver}, seed {config.seed}, {end}",
        *mixed_lines(record),
        *learned_lines(record),
        *belief_lines(trials),
        *run_table(trials, space).split("\n"),
    ]
    lines += [
        f"! trial {trial.number} {trial.status.value}: {trial.note or 'no reason given'}"
        for trial in trials
        if trial.status is not TrialStatus.DONE
    ]
    lines += [*remark_lines(trials), *tracking_lines(trials)]
    return "\n".join(map(printable, lines))


def mixed_lines(record: RunRecord) -> list[str]:
    """Return the examples that were mixed in a run on purpose, one line each."""
    found = {
        "mixed on purpose": record.mixed,
        "data set of another arm on purpose": record.config.dataset_arm,
    }
    return [f"! {what}: {value}" for what, value in found.items() if value]


def learned_lines(record: RunRecord) -> list[str]:
    """Return the earlier runs that a run learns from, as one line; none if there are none."""
    trials = record.config.learned_from
    if not trials:
        return []
    each = ", ".join(f"{run_id} ({count})" for run_id, count in trials.items())
    return [f"learns from {learned_text(trials)}: {each}"]


def run_table(trials: Sequence[Trial], space: ParameterSpace) -> str:
    """Return the table of a run: a row per trial, the best one marked with ``*``.

    If any improver predicted a cost, it stands beside what came out.
    """
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    best = min(done, key=lambda trial: trial.cost, default=None)
    header = ["trial"] + [p.heading for p in space.parameters]
    predicts = any(math.isfinite(trial.proposal.predicted_cost) for trial in trials)
    header += ["predicted"] if predicts else []
    header += ["cost", "best so far", "seconds", "improver"]
    how = [made_how(trial, trials) for trial in trials]
    rows = [_row(t, t is best, predicts, made) for t, made in zip(trials, how, strict=True)]
    rows.insert(0, header)
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def prediction(proposal: Proposal) -> str:
    """Return the predicted cost with its standard deviation: ``4.2 mm ± 1.0 mm``; ``-`` if none."""
    std = proposal.predicted_std
    tolerance = f" ± {millimetres(std)}" if math.isfinite(std) else ""
    return millimetres(proposal.predicted_cost) + tolerance


def spending_line(spent: Spending) -> str:
    """Return the cost of a model: ``5 calls, 4210 tokens (0 cached), 3.2 s, money unknown``."""
    estimated = f", {spent.estimated} calls estimated" if spent.estimated else ""
    money = "money unknown" if math.isnan(spent.money) else f"money {spent.money:.6g}"
    return (
        f"{spent.calls} calls, {spent.tokens} tokens ({spent.cached_tokens} cached{estimated}), "
        f"{_seconds(spent.seconds)} s, {money}"
    )


def tracking_text(tracking: Tracking) -> str:
    """Return one line; empty where nothing was commanded.

    ``stroke: elbow_joint 0.0123 rad off at 0.31 s``
    """
    if not tracking.known:
        return f"{tracking.motion}: not seen to follow" if tracking.motion else ""
    return (
        f"{tracking.motion}: {tracking.joint} {tracking.error:.4f} rad off at {tracking.time:.2f} s"
    )


def tracking_lines(trials: Sequence[Trial]) -> list[str]:
    """Return the worst of a run's trials, and every one that was stopped or not seen."""
    known = [trial for trial in trials if trial.tracking.motion]
    seen = [trial for trial in known if trial.tracking.known]
    worst = max(seen, key=lambda trial: trial.tracking.error, default=None)
    shown = [
        t for t in known if t is worst or not t.tracking.known or "stopped" in t.tracking.motion
    ]
    return [
        f"arm in trial {trial.number}{' (worst)' if trial is worst else ''}: "
        f"{tracking_text(trial.tracking)}"
        for trial in shown
    ]


def fallback_line(improver: str, trials: Sequence[Trial]) -> str | None:
    """Return the reason why every proposal of a run fell back; None if not every one did.

    The first attempt is not a proposal of an improver.
    """
    proposals = {trial.number: trial.proposal for trial in trials if trial.number > 0}
    if not proposals or not all(proposal.fallback_reason for proposal in proposals.values()):
        return None
    who = " and ".join(dict.fromkeys(proposal.provenance for proposal in proposals.values()))
    number, first = next(iter(proposals.items()))
    return printable(
        f"every proposal fell back: {improver} was asked, {who} answered instead "
        f"(trial {number}: {' '.join(first.fallback_reason.split())}): put that right and start a "
        f"new run, or ask for another one with --improver"
    )


def _row(trial: Trial, is_best: bool, predicts: bool, how: str) -> list[str]:
    cost = millimetres(trial.cost) if trial.status is TrialStatus.DONE else trial.status.value
    return [
        str(trial.number) + (" *" if is_best else "  "),
        *(f"{value:.4g}" for value in trial.theta),
        *([prediction(trial.proposal)] if predicts else []),
        cost,
        millimetres(trial.best_cost),
        _seconds(trial.seconds),
        improver_label(trial.proposal) + how,
    ]


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 1.0 else f"{value:.3f}"


def _padded(row: list[str], widths: list[int]) -> list[str]:
    """Right-align all columns but the last, which is text."""
    numbers = [cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)]
    return [*numbers, row[-1]]


def _outcome(trial: Trial) -> str:
    if trial.status is TrialStatus.DONE:
        return f"cost {millimetres(trial.cost)}"
    note = f": {_shortened(trial.note)}" if trial.note else ""
    return f"{trial.status.value}{note}"


def _shortened(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= _MAX_REASON else line[: _MAX_REASON - 3] + "..."


def differences(a: RunRecord, b: RunRecord) -> dict[str, Pair]:
    """Return the settings in which two runs differ: name to both values, None where one has none.

    Names are those of the configuration, ``options.k`` for what is inside of one, and
    ``execution.arm`` and so on for how the runs began.
    """
    one, other = a.settings(), b.settings()
    pairs = {name: (one.get(name), other.get(name)) for name in (*one, *other)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def cost_pairs(a: Sequence[Trial], b: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return the cost of each trial in both runs [m], and the best so far; None = not observed."""
    return [
        {
            "trial": (one or other).number,
            "costs": [_finite(t.cost if t else math.nan) for t in (one, other)],
            "best_costs": [_finite(t.best_cost if t else math.nan) for t in (one, other)],
        }
        for one, other in zip_longest(a, b)
    ]


def difference_text(
    records: tuple[RunRecord, RunRecord], costs: Sequence[Mapping[str, Any]]
) -> str:
    """Return both as text: a line per difference, then a row per trial."""
    a, b = records
    found = differences(a, b)
    lines = [f"A = {a.run_id}, B = {b.run_id}"]
    width = max(map(len, found), default=0)
    lines += [
        f"{name:<{width}}  A: {_shown(one)}  B: {_shown(other)}"
        for name, (one, other) in found.items()
    ]
    lines += [] if found else ["their configurations are the same"]
    lines.append(f"{'trial':>5}  {'cost A':>10}  {'cost B':>10}  {'best A':>10}  {'best B':>10}")
    for row in costs:
        shown = [millimetres(_number(value)) for value in (*row["costs"], *row["best_costs"])]
        lines.append(f"{row['trial']:>5}  " + "  ".join(f"{text:>10}" for text in shown))
    return "\n".join(map(printable, lines))


def _shown(value: Any) -> str:
    """Return a value of a configuration; a dash where a run has none."""
    return "-" if value is None or value == "" else str(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
