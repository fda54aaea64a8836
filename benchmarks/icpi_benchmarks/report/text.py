"""A benchmark as text: one table per condition and task."""

from __future__ import annotations

from collections.abc import Sequence

from icpi_benchmarks.report.words import (
    cost_text,
    count_text,
    instances_text,
    key_trials,
    milliseconds,
    nothing_text,
    percent,
    ratio_text,
    shown_trials,
    threshold_text,
    title,
    unused_text,
)
from icpi_benchmarks.results import Results, mixed_lines
from icpi_benchmarks.statistics.summaries import ImproverSummary, TaskSummary, summarise
from icpi_ros.core.text import printable
from icpi_ros.llm.client.budget import Spending
from icpi_ros.report.run.text import spending_line

_LONGEST = 100


def bench_tables(results: Results) -> list[str]:
    """Return a table per condition and task, improvers as rows.

    Columns: mean / 95th percentile of the best cost so far [mm] after some numbers of
    adjustments, success after the last, median adjustments to the threshold, mean cost as a
    multiple of the default's with its paired 95 % interval, wall time of a proposal [ms].
    Failures and fallbacks follow below each table.  What was mixed on purpose comes first.

    Raises:
        InvalidValue: rows are missing or there twice.
    """
    mixed = [printable(line) for line in mixed_lines(results.config)]
    return [*mixed, *(task_table(found) for found in summarise(results))]


def bench_spending(results: Results) -> str:
    """Return a line per improver that asked a model: what all its proposals cost; "" if none."""
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
        "ms",
    ]
    rows = [header, *(_row(line, found) for line in found.improvers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    notes = [unused] if (unused := unused_text(found)) else []
    shown = [_heading(found), *lines, *notes, *_troubles(found.improvers)]
    return "\n".join(map(printable, shown))


def _heading(found: TaskSummary) -> str:
    return (
        f"{title(found)}: best cost [mm], mean / p95 over {instances_text(found)}; "
        f"ratios of means to {found.default}"
    )


def _row(line: ImproverSummary, found: TaskSummary) -> list[str]:
    trials = found.block.trials
    return [
        line.improver + (" *" if line.improver == found.default else ""),
        *(cost_text(line, n) for n in shown_trials(trials)),
        percent(line.success[-1]),
        line.steps.text,
        *(ratio_text(line, n) for n in key_trials(trials)),
        milliseconds(line.proposal_seconds),
    ]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Right-align all columns but the first, which is text."""
    return [row[0].ljust(widths[0])] + [
        cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
    ]


def _troubles(lines: Sequence[ImproverSummary]) -> list[str]:
    """Return a line per improver with failures or fallbacks."""
    found = []
    for line in lines:
        for kind, reasons in (
            ("failed", line.failure_reasons),
            ("fell back", line.fallback_reasons),
        ):
            if reasons:
                total = sum(number for _, number in reasons)
                found.append(_shortened(f"! {line.improver} {kind} {total}: {count_text(reasons)}"))
    return found


def _shortened(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
