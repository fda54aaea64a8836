"""Show a benchmark or a stored run: tables, one HTML page, figures for papers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_ros.cli.arguments import add_store, checked_output

if TYPE_CHECKING:
    from icpi_ros.bench.results import Results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `icpi report` takes."""
    parser.add_argument(
        "what",
        metavar="RUN|FILE",
        help="id of a stored run (see `icpi runs`), or the JSON file of `icpi bench`",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write one page that needs no network"
    )
    parser.add_argument(
        "--png", type=Path, metavar="FOLDER", help="write the figures for papers (200 dpi)"
    )
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Write what was asked for; print tables if nothing was."""
    page = checked_output(args.html) if args.html else None
    folder = _checked_folder(args.png) if args.png else None
    path = Path(args.what)
    if page:
        _refuse_same(page, path)
    if path.is_file() or path.suffix == ".json" or len(path.parts) > 1:
        from icpi_ros.bench.results import read

        _report_benchmark(read(path), page, folder)
    else:
        _report_run(args.what, args.store, page, folder)
    return 0


def _refuse_same(page: Path, path: Path) -> None:
    """Refuse to write the page over the file that it is made of."""
    from icpi_ros.errors import UsageError

    if page.exists() and path.exists() and page.samefile(path):
        raise UsageError(f"--html {page} is the results file itself: name another file")


def _checked_folder(path: Path) -> Path:
    """Return ``path`` if figures can be written there.

    Raises:
        UsageError: it is a file.
    """
    from icpi_ros.errors import UsageError

    if path.exists() and not path.is_dir():
        raise UsageError(f"--png {path} is a file: name a folder")
    return path


def _report_benchmark(results: Results, page: Path | None, folder: Path | None) -> None:
    from icpi_ros.bench.statistics import summarise
    from icpi_ros.report.bench_text import task_table

    found = summarise(results)
    if page:
        from icpi_ros.report.bench_page import bench_page
        from icpi_ros.report.page import save

        save(page, bench_page(results, found))
        _say_page(page)
    if folder:
        from icpi_ros.report.bench_figures import save_pngs

        print(f"{len(save_pngs(folder, found))} figures in {folder.absolute()}")
    if not page and not folder:
        print("\n\n".join(task_table(one) for one in found))


def _report_run(run_id: str, store: Path | None, page: Path | None, folder: Path | None) -> None:
    import numpy as np

    from icpi_ros.data.store import TrialStore, default_path
    from icpi_ros.errors import UsageError
    from icpi_ros.models.budget import spent_on
    from icpi_ros.tasks import TASKS

    path = store or default_path()
    if not path.exists():
        raise UsageError(
            f"{run_id!r} is no file, and there is no trial store at {path}: name the JSON file of "
            "`icpi bench`, or the store of the run with --store"
        )
    with TrialStore(path) as opened:
        record, trials = opened.run(run_id), opened.trials(run_id)
        spent = spent_on(opened.trials(run_id, all_attempts=True))
    task, goal = TASKS.get(record.config.task), np.array(record.config.goal)
    if page:
        from icpi_ros.report.page import save
        from icpi_ros.report.run_page import run_page

        save(page, run_page(record, task, trials, goal, spent))
        _say_page(page)
    if folder:
        from icpi_ros.report.run_picture import save_picture

        picture = folder / f"{run_id}.png"
        save_picture(picture, task, goal, trials)
        print(f"picture: {picture.absolute()}")
    if not page and not folder:
        from icpi_ros.report.run_text import run_summary

        print(run_summary(record, trials, task.space))


def _say_page(page: Path) -> None:
    print(f"page: {page.absolute()} ({page.stat().st_size / 1e6:.1f} MB)")
