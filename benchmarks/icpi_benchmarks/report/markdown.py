"""A benchmark as a page of Markdown with one figure beside it, as in docs/benchmark/."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from icpi_benchmarks.contest.conditions import PRESETS
from icpi_benchmarks.report.figures import by_task, save_summary
from icpi_benchmarks.report.predictions import prediction_rows
from icpi_benchmarks.report.text import model_rows, verdict_lines
from icpi_benchmarks.report.verdict import bench_verdict
from icpi_benchmarks.report.words import (
    APART,
    cost_text,
    estimate_text,
    improved_text,
    instances_text,
    key_trials,
    milliseconds,
    missing_text,
    mm,
    nothing_text,
    own_text,
    percent,
    ratio_text,
    reading_notes,
    shown_trials,
    threshold_text,
    unused_text,
)
from icpi_benchmarks.results import Results, mixed_lines
from icpi_benchmarks.statistics.comparison import compared
from icpi_benchmarks.statistics.predictions import predictions
from icpi_benchmarks.statistics.summaries import ImproverSummary, TaskSummary
from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.text import printable
from icpi_ros.report.page import save

CALIBRATION = "calibration"
"""The preset whose page is about predictions."""
_STUDY_STEPS = (1, 3, 5, 10)


def save_markdown(path: Path, results: Results, found: Sequence[TaskSummary], files: str) -> Path:
    """Write the page and, under the same name, its figure as PNG; return the figure's path.

    Args:
        path: of the page, ends in ``.md``.
        results: of the benchmark.
        found: its summary.
        files: results files as given, for the command that makes the page again.

    Raises:
        UsageError: another ending, or a file cannot be written.
    """
    if path.suffix != ".md":
        raise UsageError(f"--markdown {path}: the name of the page must end in .md")
    picture = path.with_suffix(".png")
    save_summary(picture, found, results.config["preset"])
    command = f"icpi report {files} --markdown {path.name}"
    save(path, bench_markdown(results, found, picture.name, command))
    return picture


def bench_markdown(
    results: Results, found: Sequence[TaskSummary], picture: str, command: str
) -> str:
    """Return the page; ``picture`` is its figure, ``command`` what writes both."""
    config = results.config
    name = config["preset"] or "own choice"
    question = PRESETS[name].summary if name in PRESETS else ""
    parts = [
        f"# `{name}`" + (f": {question}" if question else ""),
        _commands(config, command),
        _what(config, found),
        *([verdict] if (verdict := _plain(bench_verdict(found))) else []),
        f"![{name}]({picture})",
    ]
    if name == CALIBRATION:
        parts += _calibration(found)
    for task, ones in by_task(found).items():
        parts += [f"## {_plain(task)}", *_task(ones)]
    parts += _notes(config, found)
    return "\n\n".join(parts) + "\n"


# --- head and foot ------------------------------------------------------------------------------


def _commands(config: Any, command: str) -> str:
    origins = config.get("files") or [config]
    made = [one["command"] for one in origins if one["command"]]
    return "\n".join(f"    {_plain(line)}" for line in [*made, command])


def _what(config: Any, found: Sequence[TaskSummary]) -> str:
    adjustments = int(config["trials"]) - 1
    lost = sum(len(one.block.left_out) for one in found)
    versions = [one["versions"] for one in config.get("files") or [config]]
    known = dict.fromkeys(
        ", ".join(f"{n} {one[n]}" for n in ("icpi_ros", "numpy", "mujoco") if n in one)
        for one in versions
    )
    words = [
        f"{config['instances']} instances of each task, {adjustments} adjustments, "
        f"seed {config['seed']}; {'; '.join(known)}.",
        "Best cost so far [mm]; intervals are 95 %, paired over instances.",
    ]
    if isinstance(frozen := config.get("benchmark"), dict):
        words.append(f"Frozen benchmark {frozen.get('name')}, hash {frozen.get('hash')}.")
    if lost:
        words.append(f"Left out for all alike, without a first outcome: {lost}.")
    return _plain(" ".join([*words, *mixed_lines(config)]))


def _notes(config: Any, found: Sequence[TaskSummary]) -> list[str]:
    notes = [*reading_notes(config), missing_text(found)]
    notes += [f"{text}." for text in dict.fromkeys(map(unused_text, found)) if text]
    failed: dict[str, int] = {}
    for one in found:
        for line in one.improvers:
            failed[line.improver] = failed.get(line.improver, 0) + int(line.failures.sum())
    told = ", ".join(f"`{name}` {count}" for name, count in failed.items() if count)
    notes.append(f"Failed trials: {told or 'none'}.")
    return ["\n".join(f"- {_plain(note)}" for note in notes if note)]


# --- tables -------------------------------------------------------------------------------------


def _task(ones: Sequence[TaskSummary]) -> list[str]:
    shown = [one for one in ones if one.improvers]
    if not shown:
        return [_plain(f"{nothing_text(one)}.") for one in ones[:1]]
    parts = [_one_table(shown[0])] if len(ones) == 1 else _study(shown)
    return [*parts, *(part for one in shown for part in _models(one))]


def _models(found: TaskSummary) -> list[str]:
    """Return the replies of those that asked a model, and the verdicts on them."""
    rows = model_rows(found)
    if not rows:
        return []
    if found.condition:
        rows[0][0] = f"{found.condition}: {rows[0][0]}"
    lines = [f"- {_plain(line.strip())}" for line in verdict_lines(found)[1:]]
    head = [_plain(line) for line in verdict_lines(found)[:1]]
    return [table(rows[0], rows[1:]), *head, *(["\n".join(lines)] if lines else [])]


def _one_table(found: TaskSummary) -> str:
    """Return the table of one condition: improvers as rows."""
    trials = found.block.trials
    key = key_trials(trials)
    header = [
        "improver",
        *(f"after {n}" for n in shown_trials(trials)),
        f"within {threshold_text(found.threshold)}",
        *(f"{found.default} / this at {n}" for n in key),
        "own steps",
        "improved",
        "ms",
    ]
    lines = [_line(one, trials) for one in found.ranked]
    if found.apart:
        lines += [[f"*{APART}*", *[""] * (len(header) - 1)]]
        lines += [_line(one, trials) for one in found.apart]
    return f"{instances_text(found)}, mean / p95:\n\n" + table(header, lines)


def _line(line: ImproverSummary, trials: int) -> list[str]:
    return [
        f"`{line.improver}`",
        *(cost_text(line, n) for n in shown_trials(trials)),
        percent(line.success[-1]),
        *(ratio_text(line, n) for n in key_trials(trials)),
        own_text(line),
        improved_text(line),
        milliseconds(line.proposal_seconds),
    ]


def _study(ones: Sequence[TaskSummary]) -> list[str]:
    """Return means under all conditions, and ratios to the first one where instances are shared."""
    trials = min(one.block.trials for one in ones)
    steps = sorted({n for n in _STUDY_STEPS if n < trials - 1} | {trials - 1})
    labels = list(dict.fromkeys(label for one in ones for label in one.block.improvers))
    names = [one.condition or "plain" for one in ones]
    head = "mean after " + ", ".join(map(str, steps))
    means = [[f"`{label}`", *(_means(one, label, steps) for one in ones)] for label in labels]
    parts = [f"{instances_text(ones[0])}, {head}:\n\n" + table(["improver", *names], means)]
    step = key_trials(trials)[0]
    ratios = [[f"`{label}`", *_ratios(ones, label, step)] for label in labels]
    if any(cell for row in ratios for cell in row[1:]):
        told = f"This / {names[0]}, mean after {step}, the same improver and instances:"
        parts.append(f"{told}\n\n" + table(["improver", *names[1:]], ratios))
    rivals = [
        [f"`{label}`", *(_rival(one, label, ones[0].default, step) for one in ones)]
        for label in labels
    ]
    told = f"{ones[0].default} / this, mean after {step}:"
    if len(labels) > 1:
        parts.append(f"{told}\n\n" + table(["improver", *names], rivals))
    return parts


def _means(one: TaskSummary, label: str, steps: Sequence[int]) -> str:
    if label not in one.block.improvers:
        return "-"
    line = one.of(label)
    text = ", ".join(mm(line.mean[n]) for n in steps)
    return text if line.ranked else f"({text})"


def _ratios(ones: Sequence[TaskSummary], label: str, step: int) -> list[str]:
    """Return the ratio of each later condition to the first; "" where there is none."""
    first, cells = ones[0], []
    for one in ones[1:]:
        cell = ""
        if label in first.block.improvers and label in one.block.improvers and _paired(first, one):
            try:
                steps = compared(one.block, label, first.block, label, one.seed)
                cell = estimate_text(steps[step - 1].ratio)
            except InvalidValue:
                cell = ""
        cells.append(cell)
    return cells


def _paired(one: TaskSummary, other: TaskSummary) -> bool:
    """Return whether the first outcomes of two conditions show the same instances."""
    a, b = one.block.best[0, :, 0], other.block.best[0, :, 0]
    return a.shape == b.shape and bool((abs(a - b) <= 1e-9).all())


def _rival(one: TaskSummary, label: str, default: str, step: int) -> str:
    """Return the ratio to the default; ``-`` where one of the two does not take part."""
    known = label in one.block.improvers and one.default == default
    return ratio_text(one.of(label), step) if known else "-"


def _calibration(found: Sequence[TaskSummary]) -> list[str]:
    parts = []
    rows = predictions(found)
    for label in dict.fromkeys(row.improver for row in rows):
        header, lines = prediction_rows([row for row in rows if row.improver == label])
        parts += [f"## Predictions of `{_plain(label)}`", table(header, lines)]
    return parts


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown; the texts hold no line ends and no bars that count."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Return a text in one line, without what Markdown would take for markup of a page."""
    line = printable(" ".join(text.split()))
    return re.sub(r"[<>]", lambda found: {"<": "&lt;", ">": "&gt;"}[found.group()], line)
