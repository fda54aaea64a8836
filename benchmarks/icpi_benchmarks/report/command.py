"""Benchmarks in `icpi report`: one results file, or several one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from icpi_benchmarks.report.exports import write_tables
from icpi_benchmarks.report.figures import save_pngs
from icpi_benchmarks.report.page import bench_page
from icpi_benchmarks.report.text import bench_text, task_table
from icpi_benchmarks.report.words import key_trials
from icpi_benchmarks.results import Results, arms_of, read
from icpi_benchmarks.statistics.summaries import TaskSummary, summarise
from icpi_benchmarks.statistics.verdicts import verdicts
from icpi_ros.cli.report import MIXED
from icpi_ros.cli.report_outputs import Outputs, refuse_pages, say_page
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
    page, folder = asked.page, asked.folder
    if page:
        save(page, bench_page(results, found))
        say_page(page)
    if folder:
        print(f"{len(save_pngs(folder, found))} figures in {folder.absolute()}")
    write_tables([(path, results)], asked)
    if not (page or folder or asked.csv or asked.parquet):
        print(bench_text(results, found))


def report_files(paths: Sequence[Path], asked: Outputs, mix: bool) -> None:
    """Print the tables of several results files one below the other.

    Raises:
        UsageError: of a task, two arms are among them, or a page of them is asked for.
    """
    refuse_video(asked)
    refuse_pages(asked)
    found = [(path, read(path)) for path in paths]
    mixed = _two_files([(path, results.config) for path, results in found])
    what = f"a comparison of {len(paths)} files"
    mixed = refuse_ways(mixed, what, "compare benchmarks of one of them", mix)
    if mixed:
        print(printable(f"{MIXED}: {mixed}"))
    summaries = [summarise(results) for _, results in found]
    if asked.json:
        pairs = zip(found, summaries, strict=True)
        asked.json.write(
            [{"file": str(path), **benchmark_json(res, one)} for (path, res), one in pairs]
        )
    write_tables(found, asked)
    if asked.csv or asked.parquet:
        return
    for (path, _), summary in zip(found, summaries, strict=True):
        print(printable(f"{path}:"))
        print("\n\n".join(task_table(one) for one in summary) + "\n")


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
    return {"config": results.config, "tasks": tasks}


def _verdicts(found: TaskSummary) -> list[dict[str, Any]]:
    trial = key_trials(found.block.trials)[0]
    return [asdict(v) | {"judgement": v.judgement, "trial": trial} for v in verdicts(found, trial)]
