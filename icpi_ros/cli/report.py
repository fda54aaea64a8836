"""Show a benchmark, a stored run or a bag: tables, one HTML page, figures, exports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icpi_ros.cli.arguments import add_mix, add_store, checked_output
from icpi_ros.cli.json_output import JsonOutput, add_json
from icpi_ros.text import printable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from icpi_ros.bench.results import Results
    from icpi_ros.bench.statistics import TaskSummary
    from icpi_ros.data.records import RunRecord
    from icpi_ros.models.budget import Spending
    from icpi_ros.report.run_page import Section
    from icpi_ros.tasks.base import Task
    from icpi_ros.types import Array, Trial

BAGS = (".mcap", ".db3")


@dataclass(frozen=True)
class Outputs:
    """Files to write: page, folder of figures, tables, JSON; None = not asked for."""

    page: Path | None = None
    folder: Path | None = None
    csv: Path | None = None
    parquet: Path | None = None
    json: JsonOutput | None = field(default=None, compare=False)  # tables are printed all the same

    @property
    def files(self) -> list[Path]:
        """Those that are one file each."""
        named = self.json.path if self.json else None
        return [path for path in (self.page, self.csv, self.parquet, named) if path]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `icpi report` takes."""
    parser.add_argument(
        "what",
        nargs="+",
        metavar="RUN|BAG|FILE",
        help="id of a stored run (see `icpi runs`), a bag, or the JSON file of `icpi bench`; "
        "several runs, or several files, are shown one below the other",
    )
    add_mix(parser, "report on runs or files of several arms or backends")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write one page that needs no network"
    )
    parser.add_argument(
        "--png", type=Path, metavar="FOLDER", help="write the figures for papers (200 dpi)"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a run's trials as CSV")
    parser.add_argument(
        "--parquet", type=Path, metavar="FILE", help="write a run's trials as Parquet"
    )
    add_json(parser, "the runs, or what the tables of a benchmark show,")
    parser.add_argument(
        "--run", dest="run_id", default="", metavar="ID", help="which run of a bag that has several"
    )
    parser.add_argument(
        "--topics", type=Path, metavar="FILE", help="YAML: our topic names to those of the bag"
    )
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Write what was asked for; print tables if nothing was."""
    asked = Outputs(
        checked_output(args.html) if args.html else None,
        _checked_folder(args.png) if args.png else None,
        checked_output(args.csv) if args.csv else None,
        checked_output(args.parquet) if args.parquet else None,
        args.json,
    )
    if len(args.what) > 1:
        _report_many(args, asked)
        return 0
    path = Path(args.what[0])
    for file in asked.files:
        _refuse_same(file, path)
    if path.is_dir() or path.suffix in BAGS:
        from icpi_ros.cli.report_bag import report_bag

        report_bag(path, args.run_id, args.topics, args.store, asked)
        return 0
    if args.run_id or args.topics:
        _refuse_bag_options(path)
    if _is_file(path):
        from icpi_ros.bench.results import read

        refuse_exports(asked)
        _report_benchmark(read(path), asked)
    else:
        write_stored_run(args.what[0], _store(args.what[0], args.store), asked, args.mix)
    return 0


def _is_file(path: Path) -> bool:
    """Tell whether an argument means a file, not the id of a run."""
    return path.is_file() or path.suffix == ".json" or len(path.parts) > 1


def _report_many(args: argparse.Namespace, asked: Outputs) -> None:
    """Report on several runs, or on several results files.

    Raises:
        UsageError: bags, or both kinds, are among them.
    """
    from icpi_ros.cli.report_many import report_benchmarks, report_runs
    from icpi_ros.errors import UsageError

    paths = [Path(what) for what in args.what]
    if any(path.is_dir() or path.suffix in BAGS for path in paths):
        raise UsageError("one bag at a time: a comparison is of stored runs, or of results files")
    if args.run_id or args.topics:
        _refuse_bag_options(paths[0])
    for path, file in ((p, f) for p in paths for f in asked.files):
        _refuse_same(file, path)
    files = [_is_file(path) for path in paths]
    if all(files):
        report_benchmarks(paths, asked, args.mix)
    elif any(files):
        raise UsageError("runs and results files cannot be compared: give several of one kind")
    else:
        report_runs(args.what, _store(args.what[0], args.store), asked, args.mix)


def refuse_pages(asked: Outputs) -> None:
    """Refuse a page or figures of several runs or files.

    Raises:
        UsageError: one is asked for.
    """
    from icpi_ros.errors import UsageError

    if asked.page or asked.folder:
        raise UsageError("--html and --png show one run or one file: give one")


def _refuse_bag_options(path: Path) -> None:
    from icpi_ros.errors import UsageError

    raise UsageError(f"--run and --topics are about bags, and {path} is none")


def refuse_exports(asked: Outputs) -> None:
    """Refuse tables of a benchmark's trials.

    Raises:
        UsageError: one is asked for.
    """
    from icpi_ros.errors import UsageError

    if asked.csv or asked.parquet:
        raise UsageError(
            "--csv and --parquet write the trials of a run; a benchmark's rows are in its JSON file"
        )


def _refuse_same(page: Path, path: Path) -> None:
    """Refuse to write the page over the file that it is made of."""
    from icpi_ros.errors import UsageError

    if page.exists() and path.exists() and page.samefile(path):
        raise UsageError(f"{page} is the file that is read: name another one")


def _checked_folder(path: Path) -> Path:
    """Return ``path`` if figures can be written there.

    Raises:
        UsageError: it is a file.
    """
    from icpi_ros.errors import UsageError

    if path.exists() and not path.is_dir():
        raise UsageError(f"--png {path} is a file: name a folder")
    return path


def benchmark_json(results: Results, found: Sequence[TaskSummary]) -> dict[str, Any]:
    """Return the summary of a benchmark for programs: how it was made, and each improver."""
    tasks = [
        {
            "condition": one.condition,
            "task": one.task,
            "default": one.default,
            "threshold": one.threshold,
            "improvers": [asdict(improver) for improver in one.improvers],
        }
        for one in found
    ]
    return {"config": results.config, "tasks": tasks}


def _report_benchmark(results: Results, asked: Outputs) -> None:
    from icpi_ros.bench.results import mixed_lines
    from icpi_ros.bench.statistics import summarise
    from icpi_ros.report.bench_text import task_table

    found = summarise(results)
    if asked.json:
        asked.json.write(benchmark_json(results, found))
    page, folder = asked.page, asked.folder
    if page:
        from icpi_ros.report.bench_page import bench_page
        from icpi_ros.report.page import save

        save(page, bench_page(results, found))
        _say_page(page)
    if folder:
        from icpi_ros.report.bench_figures import save_pngs

        print(f"{len(save_pngs(folder, found))} figures in {folder.absolute()}")
    if not page and not folder:
        print("\n\n".join([*map(printable, mixed_lines(results.config)), *map(task_table, found)]))


def _store(run_id: str, store: Path | None) -> Path:
    """Return the trial store of a run.

    Raises:
        UsageError: it is not there.
    """
    from icpi_ros.data.store import default_path
    from icpi_ros.errors import UsageError

    path = store or default_path()
    if not path.exists():
        raise UsageError(
            f"{run_id!r} is no file, and there is no trial store at {path}: name the JSON file of "
            "`icpi bench`, a bag, or the store of the run with --store"
        )
    return path


def write_stored_run(run_id: str, store: Path, asked: Outputs, mix: bool = False) -> None:
    """Write what was asked for about one run of a store; print its table if nothing was.

    Raises:
        UsageError: its trials are of several arms or backends, and ``mix`` is false.
    """
    import numpy as np

    from icpi_ros.cli.report_many import refuse_mixed_run
    from icpi_ros.data.store import TrialStore
    from icpi_ros.models.budget import spent_on
    from icpi_ros.tasks import TASKS

    with TrialStore(store) as opened:
        record, trials = opened.run(run_id), opened.trials(run_id)
        spent = spent_on(opened.trials(run_id, all_attempts=True))
    refuse_mixed_run(record, mix)
    task, goal = TASKS.get(record.config.task), np.array(record.config.goal)
    write_run(record, task, trials, goal, spent, asked)


def write_run(
    record: RunRecord,
    task: Task,
    trials: Sequence[Trial],
    goal: Array,
    spent: Spending,
    asked: Outputs,
    more: Sequence[Section] = (),
) -> None:
    """Write what was asked for about one run; print its table if nothing was.

    Arguments as those of :func:`icpi_ros.report.run_page.run_page`.
    """
    if asked.json:
        from icpi_ros.report.run_json import record_json

        asked.json.write(record_json(record.run_id, record.config, list(trials), spent))
    if asked.page:
        from icpi_ros.report.page import save
        from icpi_ros.report.run_page import run_page

        save(asked.page, run_page(record, task, trials, goal, spent, more))
        _say_page(asked.page)
    if asked.folder:
        from icpi_ros.report.run_picture import save_picture

        picture = asked.folder / f"{record.run_id}.png"
        save_picture(picture, task, goal, trials)
        print(f"picture: {picture.absolute()}")
    if asked.csv or asked.parquet:
        write_rows([(record, task, trials, goal)], asked)
    if asked == Outputs():
        from icpi_ros.report.run_text import run_summary

        print(run_summary(record, trials, task.space))


def write_rows(
    runs: Sequence[tuple[RunRecord, Task, Sequence[Trial], ArrayLike]], asked: Outputs
) -> None:
    """Write the trials of runs of one task as tables."""
    import numpy as np

    from icpi_ros.report.export import trial_rows, write_csv, write_parquet

    rows = [
        row
        for record, task, trials, goal in runs
        for row in trial_rows(
            record.run_id, record.config.improver, task, np.asarray(goal, np.float64), trials
        )
    ]
    if asked.csv:
        write_csv(asked.csv, rows)
        print(f"{len(rows)} trials: {asked.csv.absolute()}")
    if asked.parquet:
        write_parquet(asked.parquet, rows)
        print(f"{len(rows)} trials: {asked.parquet.absolute()}")


def _say_page(page: Path) -> None:
    size = page.stat().st_size
    shown = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"
    print(f"page: {page.absolute()} ({shown})")
