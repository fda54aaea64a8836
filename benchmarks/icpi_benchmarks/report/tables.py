"""Tables of a benchmark's page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from icpi_benchmarks.report.style import plain
from icpi_benchmarks.report.verdict import best_other
from icpi_benchmarks.report.words import (
    APART,
    WAITED,
    improved_text,
    is_oracle,
    key_trials,
    milliseconds,
    mm,
    outcomes_text,
    own_text,
    percent,
    ratio_text,
    share_text,
    shown_trials,
    significant,
    threshold_text,
    title,
)
from icpi_benchmarks.statistics.summaries import (
    ImproverSummary,
    IntervalEstimate,
    TaskSummary,
    block_ratio,
)
from icpi_benchmarks.statistics.verdicts import improved_share, verdicts
from icpi_ros.report.page import Cell, TableColumn, Tone, joined, paragraph, table

_MAX_REASONS = 10
"""Rows per improver in the table of failures; the rest is summed up."""
_MAX_REASON_LENGTH = 300


def task_table(found: TaskSummary) -> Markup:
    """Return the table of one condition and task, improvers as rows; those not ranked below it."""
    trials = found.block.trials
    columns = [
        TableColumn("improver", numeric=False),
        *(
            TableColumn(
                f"after {n}", f"mean / 95th percentile of the best cost after {n} adjustments, mm"
            )
            for n in shown_trials(trials)
        ),
        TableColumn(
            f"≤ {threshold_text(found.threshold)}",
            "share of instances within the threshold at the end",
        ),
        TableColumn(
            "steps", "median adjustments to the threshold; share of instances that got there"
        ),
        *(
            TableColumn(
                f"ratio at {n}",
                f"mean cost of {found.default} divided by this one's, 95 % interval; below 1: "
                f"{found.default} is closer",
            )
            for n in key_trials(trials)
        ),
        TableColumn(
            "own steps", "adjustments that the improver itself proposed, of those asked for"
        ),
        TableColumn("improved", "own steps that cost less than all trials before them"),
        TableColumn("ms", "mean wall time of a proposal"),
        TableColumn("failed", "trials that failed"),
    ]
    marked = [n for n, line in enumerate(found.ranked) if line.improver == found.default]
    rows = [[_row(line, found) for line in lines] for lines in (found.ranked, found.apart)]
    name = f"{title(found)}: improvers"
    shown = [table(columns, rows[0], name, marked)] if rows[0] else []
    if rows[1]:
        shown += [paragraph(f"{APART}:", "bad"), table(columns, rows[1], f"{name}, {APART}")]
    return joined(shown)


def _row(line: ImproverSummary, found: TaskSummary) -> list[Cell]:
    trials = found.block.trials
    steps = line.steps.median if math.isfinite(line.steps.median) else 1e9
    return [
        Cell(line.improver),
        *(
            Cell(mm(line.mean[n]), float(line.mean[n]), f"/ {mm(line.p95[n])}")
            for n in shown_trials(trials)
        ),
        Cell(percent(line.success[-1]), float(line.success[-1])),
        Cell(line.steps.text, steps, percent(line.steps.reached)),
        *(_ratio_cell(line, n) for n in key_trials(trials)),
        Cell(own_text(line), line.own_steps, tone="" if line.ranked else "bad"),
        Cell(improved_text(line), line.own_improved),
        Cell(milliseconds(line.proposal_seconds), line.proposal_seconds),
        _count_cell(float(line.failures.sum())),
    ]


def _ratio_cell(line: ImproverSummary, trial: int) -> Cell:
    text, _, interval = ratio_text(line, trial).partition(" ")
    return Cell(text, float(line.ratio[trial]), interval)


def _count_cell(count: float) -> Cell:
    return Cell(f"{count:.0f}", count, tone="bad" if count else "quiet")


def overview(found: Sequence[TaskSummary], trial: int) -> Markup:
    """Return a table with a row per condition and task: the default, its best rival, the limit."""
    limits = any(is_oracle(i) for one in found for i in one.block.improvers if i != one.default)
    columns = [
        TableColumn("task", numeric=False),
        TableColumn("default", numeric=False),
        TableColumn(f"mean after {trial}", "mm, with its 95 % interval"),
        TableColumn("p95", "95th percentile over instances, mm"),
        TableColumn("success at the end"),
        TableColumn("best other", "lowest mean of the others, oracles not counted", numeric=False),
        TableColumn("its mean", "mm"),
        TableColumn("default / best other", "paired ratio of means with its 95 % interval"),
    ]
    if limits:
        meaning = "to the better oracle; paired ratio with its 95 % interval"
        columns.append(TableColumn("default / oracle", meaning))
    rows = [_overview_row(one, trial)[: len(columns)] for one in found]
    return table(columns, rows, "overview")


def _overview_row(one: TaskSummary, trial: int) -> list[Cell]:
    line = one.of(one.default)
    rival, limit = best_other(one, trial), best_other(one, trial, oracles=True)
    interval = f"[{mm(line.mean_low[trial])}, {mm(line.mean_high[trial])}]"
    return [
        Cell(title(one)),
        Cell(line.improver),
        Cell(mm(line.mean[trial]), float(line.mean[trial]), interval),
        Cell(mm(line.p95[trial]), float(line.p95[trial])),
        Cell(percent(line.success[-1]), float(line.success[-1])),
        Cell(rival.improver if rival else "-"),
        Cell(mm(rival.mean[trial]), float(rival.mean[trial])) if rival else Cell("-"),
        _against(one, line, rival, trial, judged=True),
        _against(one, line, limit, trial, judged=False),
    ]


def _against(
    one: TaskSummary, line: ImproverSummary, other: ImproverSummary | None, trial: int, judged: bool
) -> Cell:
    if other is None:
        return Cell("-")
    found: IntervalEstimate = block_ratio(one.block, line.improver, other.improver, trial, one.seed)
    tone: Tone = ""
    if judged:
        tone = "good" if found.high < 1.0 else "bad" if found.low > 1.0 else ""
    ends = f"[{significant(found.low)}, {significant(found.high)}]"
    return Cell(significant(found.value), found.value, ends, tone)


def model_table(found: TaskSummary) -> Markup:
    """Return a row per improver that asked a model: replies, cost, verdicts; "" without any."""
    use, trial = found.block.use, key_trials(found.block.trials)[0]
    if not use:
        return Markup("")
    columns = [
        TableColumn("asked a model", numeric=False),
        TableColumn(
            "readable", "replies that came and hold the numbers asked for, of those wanted"
        ),
        TableColumn("improved", "share of own steps that improved, 95 % interval"),
        TableColumn("tokens", "of a proposal, as the server reported"),
        TableColumn("s", WAITED),
        TableColumn("not on cassette", "proposals that say nothing of the model"),
        TableColumn(
            f"this / rival after {trial}",
            "verdict: ratio of mean best costs, paired; below 1 = this one is better",
            numeric=False,
            wraps=True,
        ),
    ]
    judged = verdicts(found, trial)
    rows = []
    for label in filter(use.__contains__, found.block.improvers):
        one, share = use[label], improved_share(found, label)
        rows.append(
            [
                Cell(label),
                Cell(percent(one.readable), one.readable),
                Cell(share_text(share), share.value),
                Cell(significant(one.tokens_each), one.tokens_each),
                Cell(significant(one.seconds_each), one.seconds_each),
                _count_cell(one.missing),
                Cell(outcomes_text([v for v in judged if v.improver == label])),
            ]
        )
    return table(columns, rows, f"{title(found)}: models")


def trouble_table(found: TaskSummary) -> Markup:
    """Return failures and fallbacks by improver with their reasons; empty if none."""
    rows = []
    for line in found.improvers:
        for kind, reasons in (
            ("failed", line.failure_reasons),
            ("fell back", line.fallback_reasons),
        ):
            rows += _reason_rows(line.improver, kind, reasons)
    if not rows:
        return Markup("")
    columns = [
        TableColumn("improver", numeric=False),
        TableColumn("what", numeric=False),
        TableColumn("trials"),
        TableColumn("why", numeric=False, wraps=True),
    ]
    return table(columns, rows, f"{title(found)}: failures and fallbacks")


def _reason_rows(improver: str, kind: str, reasons: Sequence[tuple[str, int]]) -> list[list[Cell]]:
    """Return a row per reason, the most frequent ones; the rest in one."""

    def row(count: int, why: str) -> list[Cell]:
        return [Cell(improver), Cell(kind, tone="bad"), Cell(str(count), count), Cell(why)]

    rows = [row(count, plain(why, _MAX_REASON_LENGTH)) for why, count in reasons[:_MAX_REASONS]]
    if rest := reasons[_MAX_REASONS:]:
        rows.append(row(sum(count for _, count in rest), f"{len(rest)} other reasons"))
    return rows


def calibration_table(found: TaskSummary) -> Markup:
    """Return a row per improver that predicts."""
    columns = [
        TableColumn("improver", numeric=False),
        TableColumn("predictions"),
        TableColumn("within 1 std", "68 % if outcomes were normal around the prediction"),
        TableColumn("within 2 std", "95 % if outcomes were normal around the prediction"),
        TableColumn("median |z|", "0.67 if outcomes were normal around the prediction"),
    ]
    rows = [
        [
            Cell(line.improver),
            Cell(str(len(known.predicted)), len(known.predicted)),
            Cell(percent(known.within_1), known.within_1),
            Cell(percent(known.within_2), known.within_2),
            Cell(significant(known.median_z), known.median_z),
        ]
        for line in found.improvers
        if (known := line.calibration)
    ]
    return table(columns, rows, f"{title(found)}: calibration")
