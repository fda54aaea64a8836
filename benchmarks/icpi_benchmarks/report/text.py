"""A benchmark as text: one table per condition and task."""

from __future__ import annotations

from collections.abc import Sequence

from icpi_benchmarks.report.predictions import predictions_text
from icpi_benchmarks.report.verdict import bench_verdict
from icpi_benchmarks.report.words import (
    APART,
    WAITED,
    aligned,
    column_widths,
    cost_text,
    improved_text,
    instances_text,
    key_trials,
    milliseconds,
    missing_text,
    nothing_text,
    outcomes_text,
    own_text,
    percent,
    ratio_text,
    reading_notes,
    share_text,
    shown_trials,
    significant,
    threshold_text,
    title,
    unused_text,
)
from icpi_benchmarks.results import Results, mixed_lines
from icpi_benchmarks.statistics.summaries import ImproverSummary, TaskSummary, summarise
from icpi_benchmarks.statistics.verdicts import Verdict, improved_share, verdicts
from icpi_ros.core.text import printable
from icpi_ros.llm.client.budget import Spending
from icpi_ros.report.run.text import spending_line

_MAX_LINE = 100
_MAX_REASONS = 3


def bench_tables(results: Results) -> list[str]:
    """Return a table per condition and task, improvers as rows.

    Columns: mean / 95th percentile of the best cost so far [mm] after some numbers of
    adjustments, success after the last, median adjustments to the threshold, mean cost of the
    default divided by this one's with its paired 95 % interval, steps that were the improver's
    own and those of them that improved, wall time of a proposal [ms].  Improvers whose steps are
    not their own, failures and fallbacks follow below each table.  What was mixed on purpose
    comes first, how to read a benchmark of language models last.

    Raises:
        InvalidValue: rows are missing or there twice.
    """
    return _tables(results, summarise(results))


def bench_text(results: Results, found: Sequence[TaskSummary] | None = None) -> str:
    """Return the verdict, then the tables; ``found`` is the results' summary, if it is at hand.

    Raises:
        InvalidValue: rows are missing or there twice.
    """
    found = summarise(results) if found is None else found
    first = [printable(verdict)] if (verdict := bench_verdict(found)) else []
    last = [predictions_text(found)] if results.config["preset"] == "calibration" else []
    return "\n\n".join([*first, *_tables(results, found), *filter(None, last)])


def _tables(results: Results, found: Sequence[TaskSummary]) -> list[str]:
    notes = [*reading_notes(results.config), missing_text(found)]
    shown = [*mixed_lines(results.config), *map(task_table, found), *filter(None, notes)]
    return [printable(text) if "\n" not in text else text for text in shown]


def bench_spending(results: Results) -> str:
    """Return the cost of all proposals, a line per improver that asked a model; "" if none did."""
    spent: dict[str, Spending] = {}
    for row in results.rows:
        if isinstance(row.get("spent"), dict):
            before = spent.get(row["improver"], Spending())
            spent[row["improver"]] = before + Spending.from_dict(row["spent"])
    lines = [f"{name}: {spending_line(total)}" for name, total in spent.items()]
    return "\n".join(map(printable, lines))


def task_table(found: TaskSummary) -> str:
    """Return the table of one condition and task."""
    if nothing := nothing_text(found):
        return printable(f"{title(found)}: {nothing}")
    trials = found.block.trials
    header = [
        "improver",
        *(f"after {n}" for n in shown_trials(trials)),
        f"<= {threshold_text(found.threshold)}",
        "steps",
        *(f"ratio at {n} [95 %]" for n in key_trials(trials)),
        "own steps",
        "improved",
        "ms",
    ]
    rows = [header, *(_row(line, found) for line in (*found.ranked, *found.apart))]
    lines = aligned(rows)
    lines.insert(1, "  ".join("-" * width for width in column_widths(rows)))
    if found.apart:
        lines[2 + len(found.ranked) : 2 + len(found.ranked)] = [f"{APART}:"]
    notes = [unused] if (unused := unused_text(found)) else []
    shown = [_heading(found), *lines, *notes, *_models(found), *_troubles(found.improvers)]
    return "\n".join(map(printable, shown))


def _heading(found: TaskSummary) -> str:
    return (
        f"{title(found)}: best cost [mm], mean / p95 over {instances_text(found)}; "
        f"ratios of means {found.default} / this one"
    )


def _row(line: ImproverSummary, found: TaskSummary) -> list[str]:
    trials = found.block.trials
    return [
        line.improver + (" *" if line.improver == found.default else ""),
        *(cost_text(line, n) for n in shown_trials(trials)),
        percent(line.success[-1]),
        line.steps.text,
        *(ratio_text(line, n) for n in key_trials(trials)),
        own_text(line),
        improved_text(line),
        milliseconds(line.proposal_seconds),
    ]


def _models(found: TaskSummary) -> list[str]:
    """Return a table of those that asked a model, and the verdicts on them; empty without any."""
    rows = model_rows(found)
    if not rows:
        return []
    return [*aligned(rows), WAITED, *verdict_lines(found)]


def model_rows(found: TaskSummary) -> list[list[str]]:
    """Return header and a row for each of those that asked a model; nothing if none did."""
    use = found.block.use
    if not use:
        return []
    header = ["asked a model", "readable", "improved [95 %]", "tokens", "s", "not on cassette"]
    rows = [header]
    for label in filter(use.__contains__, found.block.improvers):
        one = use[label]
        rows.append(
            [
                label,
                percent(one.readable),
                share_text(improved_share(found, label)),
                significant(one.tokens_each),
                significant(one.seconds_each),
                str(one.missing),
            ]
        )
    return rows


def verdict_lines(found: TaskSummary) -> list[str]:
    """Return a line per improver: how its mean best cost compares with its rivals'."""
    by_label: dict[str, list[Verdict]] = {}
    trial = key_trials(found.block.trials)[0]
    for one in verdicts(found, trial):
        by_label.setdefault(one.improver, []).append(one)
    head = (
        [f"after {trial}, mean best cost of this / rival, paired [95 %]; below 1 = this is better:"]
        if by_label
        else []
    )
    return head + [f"  {label}: {outcomes_text(ones)}" for label, ones in by_label.items()]


def _troubles(lines: Sequence[ImproverSummary]) -> list[str]:
    """Return a line per improver with failures or fallbacks, and one below it per reason.

    However long a label is, the reason is not cut off for it.
    """
    found = []
    for line in lines:
        for kind, reasons in (
            ("failed", line.failure_reasons),
            ("fell back", line.fallback_reasons),
        ):
            if reasons:
                total = sum(number for _, number in reasons)
                found.append(f"! {line.improver} {kind} {total}:")
                found += [_shortened(f"{n} x {why}") for why, n in reasons[:_MAX_REASONS]]
            if len(reasons) > _MAX_REASONS:
                found.append(f"    {len(reasons) - _MAX_REASONS} other reasons")
    return found


def _shortened(text: str) -> str:
    line = "    " + printable(" ".join(text.split()))
    return line if len(line) <= _MAX_LINE else line[: _MAX_LINE - 3] + "..."
