"""Benchmarks in `icpi report`: one results file, or several: joined where that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from icpi_benchmarks.report.comparison import (
    checked,
    compare,
    comparison_markdown,
    comparison_text,
)
from icpi_benchmarks.report.exports import write_tables
from icpi_benchmarks.report.figures import save_pngs
from icpi_benchmarks.report.markdown import save_markdown
from icpi_benchmarks.report.page import bench_page
from icpi_benchmarks.report.text import bench_text, task_table
from icpi_benchmarks.report.words import key_trials
from icpi_benchmarks.results import Results, arms_of, read
from icpi_benchmarks.statistics.joining import File, joined, why_not
from icpi_benchmarks.statistics.predictions import predictions
from icpi_benchmarks.statistics.summaries import TaskSummary, summarise
from icpi_benchmarks.statistics.verdicts import verdicts
from icpi_ros.cli.report import MIXED
from icpi_ros.cli.report_outputs import Outputs, say_file, say_page
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.learn.dataset.mixing import refuse_ways
from icpi_ros.report.page import save


def report_file(path: Path, asked: Outputs) -> None:
    """Write the requested outputs of one results file; without any, print its tables.

    Raises:
        UsageError: a video is asked for, or a file cannot be written.
    """
    refuse_video(asked)
    results = read(path)
    found = summarise(results)
    if asked.json:
        asked.json.write(benchmark_json(results, found))
    _write(results, found, [(path, results)], asked)


def report_files(paths: Sequence[Path], asked: Outputs, mix: bool) -> None:
    """Report on several results files: as one if they are of the same instances.

    Others are printed one below the other, with the reason; a page of them is refused.

    Raises:
        UsageError: of a task, two arms are among them, or a page is asked for of files that
            cannot be joined.
    """
    refuse_video(asked)
    found = [(path, checked(path)) for path in paths]
    mixed = _two_files([(path, results.config) for path, results in found])
    what = f"a comparison of {len(paths)} files"
    mixed = refuse_ways(mixed, what, "compare benchmarks of one of them", mix)
    if mixed:
        print(printable(f"{MIXED}: {mixed}"))
    if reason := why_not(found):
        _one_by_one(found, asked, reason)
        return
    results = joined(found)
    summary = summarise(results)
    if asked.json:
        names = " + ".join(map(str, paths))
        asked.json.write([{"file": names, **benchmark_json(results, summary)}])
    _write(results, summary, found, asked)


def report_comparison(text: str, paths: Sequence[Path], asked: Outputs) -> None:
    """Show two improvers side by side: of results files, or of two files named in ``text``.

    Raises:
        UsageError: what cannot be compared; a page, figures or tables of rows are asked for.
    """
    refuse_video(asked)
    if asked.page or asked.folder or asked.csv or asked.parquet:
        raise UsageError("--compare prints tables, --json and --markdown write them: no others")
    found = compare(text, paths)
    if asked.json:
        asked.json.write([one.as_dict() for one in found])
    if asked.markdown:
        save(asked.markdown, comparison_markdown(found))
        say_page(asked.markdown)
    else:
        print(comparison_text(found))


def _one_by_one(found: Sequence[File], asked: Outputs, reason: str) -> None:
    """Print the tables of files that cannot be joined, and write what needs no joining.

    Raises:
        UsageError: a page or figures are asked for.
    """
    if asked.page or asked.folder or asked.markdown:
        raise UsageError(f"--html, --png and --markdown show one benchmark: {reason}")
    summaries = [summarise(results) for _, results in found]
    if asked.json:
        pairs = zip(found, summaries, strict=True)
        asked.json.write(
            [{"file": str(path), **benchmark_json(res, one)} for (path, res), one in pairs]
        )
    write_tables(found, asked)
    if asked.csv or asked.parquet:
        return
    print(printable(f"shown one below the other: {reason}") + "\n")
    for (path, _), summary in zip(found, summaries, strict=True):
        print(printable(f"{path}:"))
        print("\n\n".join(task_table(one) for one in summary) + "\n")


def _write(
    results: Results, found: Sequence[TaskSummary], files: Sequence[File], asked: Outputs
) -> None:
    """Write what is asked for of one benchmark; without any of it, print its tables."""
    if asked.page:
        save(asked.page, bench_page(results, found))
        say_page(asked.page)
    if asked.folder:
        print(f"{len(save_pngs(asked.folder, found))} figures in {asked.folder.absolute()}")
    if asked.markdown:
        names = " ".join(path.name for path, _ in files)
        picture = save_markdown(asked.markdown, results, found, names)
        say_page(asked.markdown)
        say_file("figure", picture)
    write_tables(files, asked)
    if not (asked.page or asked.folder or asked.csv or asked.parquet or asked.markdown):
        print(bench_text(results, found))


def _two_files(configs: Sequence[tuple[Path, Any]]) -> str:
    """Return two files with different arms for one task, in words; "" if there are none."""
    known: dict[str, list[tuple[Path, Any]]] = {}
    for path, config in configs:
        for task, arm in arms_of(config).items():
            for other, before in known.setdefault(task, []):
                if before.differs(arm):
                    return f"{task} with {before} in {other} and with {arm} in {path}"
            known[task].append((path, arm))
    return ""


def refuse_video(asked: Outputs) -> None:
    """Refuse a video of a benchmark's trials.

    Raises:
        UsageError: one is asked for.
    """
    if asked.video:
        raise UsageError("--video shows a run: give the id of one, or a bag")


def benchmark_json(results: Results, found: Sequence[TaskSummary]) -> dict[str, Any]:
    """Return the summary of a benchmark for programs: its configuration, and each improver."""
    tasks = [
        {
            "condition": one.condition,
            "task": one.task,
            "default": one.default,
            "threshold": one.threshold,
            "improvers": [asdict(improver) for improver in one.improvers],
            "models": {label: asdict(use) for label, use in one.block.use.items()},
            "verdicts": _verdicts(one),
        }
        for one in found
    ]
    predicted = [asdict(one) for one in predictions(found)]
    return {"config": results.config, "tasks": tasks, "predictions": predicted}


def _verdicts(found: TaskSummary) -> list[dict[str, Any]]:
    trial = key_trials(found.block.trials)[0]
    return [asdict(v) | {"judgement": v.judgement, "trial": trial} for v in verdicts(found, trial)]
