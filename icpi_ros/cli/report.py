"""Show a benchmark, a stored run or a bag: tables, one HTML page, figures, a video, exports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from icpi_ros.cli.arguments import checked_folder, checked_output, is_bag
from icpi_ros.cli.commands import load
from icpi_ros.cli.report_outputs import Outputs, refuse_pages, write_rows, write_stored_run
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.learn.dataset.mixing import refuse_ways, two_ways
from icpi_ros.llm.client.budget import spent_on
from icpi_ros.report.run.export import record_json
from icpi_ros.report.run.text import run_summary
from icpi_ros.runs.store.records import RunRecord
from icpi_ros.runs.store.store import TrialStore, default_path
from icpi_ros.tasks import TASKS

BENCHMARKS = "icpi_benchmarks.report.command"
"""Reports of results files, a part of the benchmarks."""
MIXED = "mixed on purpose"


def run(args: argparse.Namespace) -> int:
    """Write what was asked for; print tables if nothing was."""
    asked = Outputs(
        checked_output(args.html) if args.html else None,
        checked_folder("--png", args.png) if args.png else None,
        checked_output(args.csv) if args.csv else None,
        checked_output(args.parquet) if args.parquet else None,
        checked_output(args.video) if args.video else None,
        args.json,
        checked_output(args.markdown) if args.markdown else None,
    )
    if args.compare or not args.what:
        _compare(args, asked)
        return 0
    if len(args.what) > 1:
        _report_many(args, asked)
        return 0
    path = Path(args.what[0])
    for file in asked.files:
        _refuse_same(file, path)
    if is_bag(path):
        _refuse_markdown(asked)
        from icpi_ros.cli.report_bag import report_bag  # readers of bags are half a second

        report_bag(path, args.run_id or None, args.topics, args.store, asked)
        return 0
    if args.run_id or args.topics:
        _refuse_bag_options(path)
    if _is_file(path):
        load(BENCHMARKS).report_file(path, asked)
    else:
        _refuse_markdown(asked)
        write_stored_run(args.what[0], _store(args.what[0], args.store), asked, args.mix)
    return 0


def _compare(args: argparse.Namespace, asked: Outputs) -> None:
    """Show two improvers of benchmarks side by side.

    Raises:
        UsageError: no --compare, a run or a bag among the files, or a file would be overwritten.
    """
    if not args.compare:
        raise UsageError(
            "RUN|BAG|FILE is missing: give the id of a run, a bag, or the JSON file of `icpi bench`"
        )
    paths = [Path(what) for what in args.what]
    for path in paths:
        if is_bag(path) or not _is_file(path):
            raise UsageError(f"--compare is about results files of `icpi bench`, {path} is none")
    for path in [*paths, *map(Path, () if paths else args.compare.split(","))]:
        for file in asked.files:
            _refuse_same(file, path)
    load(BENCHMARKS).report_comparison(args.compare, paths, asked)


def _refuse_markdown(asked: Outputs) -> None:
    if asked.markdown:
        raise UsageError("--markdown is about results files of `icpi bench`")


def _is_file(path: Path) -> bool:
    """Tell whether an argument means a file, not the id of a run."""
    return path.is_file() or path.suffix == ".json" or len(path.parts) > 1


def _report_many(args: argparse.Namespace, asked: Outputs) -> None:
    """Report on several runs, or on several results files.

    Raises:
        UsageError: bags, or both kinds, are among them.
    """
    paths = [Path(what) for what in args.what]
    if any(map(is_bag, paths)):
        raise UsageError("one bag at a time: a comparison is of stored runs, or of results files")
    if args.run_id or args.topics:
        _refuse_bag_options(paths[0])
    for path, file in ((p, f) for p in paths for f in asked.files):
        _refuse_same(file, path)
    files = [_is_file(path) for path in paths]
    if all(files):
        load(BENCHMARKS).report_files(paths, asked, args.mix)
    elif any(files):
        raise UsageError("runs and results files cannot be compared: give several of one kind")
    else:
        _refuse_markdown(asked)
        report_runs(args.what, _store(args.what[0], args.store), asked, args.mix)


def _refuse_bag_options(path: Path) -> None:
    raise UsageError(f"--run and --topics are about bags, and {path} is none")


def _refuse_same(page: Path, path: Path) -> None:
    """Refuse to write the page over the file that it is made of."""
    if page.exists() and path.exists() and page.samefile(path):
        raise UsageError(f"{page} is the file that is read: name another one")


def _store(run_id: str, store: Path | None) -> Path:
    """Return the trial store of a run.

    Raises:
        UsageError: it is not there.
    """
    path = store or default_path()
    if not path.exists():
        raise UsageError(
            f"{run_id!r} is no file, and there is no trial store at {path}: name the JSON file of "
            "`icpi bench`, a bag, or the store of the run with --store"
        )
    return path


def report_runs(run_ids: Sequence[str], path: Path, asked: Outputs, mix: bool) -> None:
    """Print stored runs one below the other; write their trials as one table if that is asked.

    Raises:
        UsageError: runs of several tasks for one table, or of several arms or backends.
    """
    refuse_pages(asked)
    with TrialStore(path, reading=True) as store:
        found = [(store.run(run_id), store.trials(run_id)) for run_id in run_ids]
        spent = [spent_on(store.trials(run_id, all_attempts=True)) for run_id in run_ids]
        mixed = _mixture(store, [record for record, _ in found])
    what = f"a comparison of {len(run_ids)} runs"
    mixed = refuse_ways(mixed, what, "compare runs of one of them", mix)
    tasks = sorted({record.config.task for record, _ in found})
    if len(tasks) > 1 and (asked.csv or asked.parquet):
        raise UsageError(f"one table holds runs of one task, these are of {', '.join(tasks)}")
    if mixed:
        print(printable(f"{MIXED}: {mixed}"))
    if asked.json:
        asked.json.write(
            [
                record_json(record.run_id, record.config, trials, money)
                for (record, trials), money in zip(found, spent, strict=True)
            ]
        )
    if asked.csv or asked.parquet:
        rows = [(TASKS.get(record.config.task), trials) for record, trials in found]
        write_rows(rows, asked)
    else:
        texts = (run_summary(r, t, TASKS.get(r.config.task).space) for r, t in found)
        print("\n\n".join(texts))


def _mixture(store: TrialStore, records: Sequence[RunRecord]) -> str:
    """Return which two arms or backends would be mixed; empty = none."""
    for record in records:
        if record.mixed:
            return f"run {record.run_id} itself ({record.mixed})"
    return two_ways(
        (f"run {record.run_id}", way)
        for record in records
        for way in (record.execution, *store.executions(record.run_id))
    )
