"""Files that `icpi report` writes: of runs a page, figures and tables, and all of it as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Array, Trial
from icpi_ros.learn.dataset.mixing import refuse_ways
from icpi_ros.llm.client.budget import Spending, spent_on
from icpi_ros.report.page import save
from icpi_ros.report.picture import save_figure
from icpi_ros.report.run.export import record_json, write_csv, write_parquet
from icpi_ros.report.run.page import PageSection, run_page
from icpi_ros.report.run.text import run_summary
from icpi_ros.runs.picture import draw
from icpi_ros.runs.store.records import RunRecord
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.runs.trial_tables import trial_rows
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task


@dataclass(frozen=True)
class Outputs:
    """Files to write: pages, folder of figures, video, tables, JSON; None = not asked for."""

    page: Path | None = None
    folder: Path | None = None
    csv: Path | None = None
    parquet: Path | None = None
    video: Path | None = None
    json: JsonOutput | None = field(default=None, compare=False)  # tables are printed all the same
    markdown: Path | None = None

    @property
    def files(self) -> list[Path]:
        """Those that are one file each."""
        named = self.json.path if self.json else None
        found = (self.page, self.csv, self.parquet, self.video, named, self.markdown)
        return [path for path in found if path]


def refuse_pages(asked: Outputs) -> None:
    """Refuse a page or figures of several runs or files.

    Raises:
        UsageError: one is asked for.
    """
    if asked.page or asked.folder:
        raise UsageError("--html and --png show one run or one file: give one")
    if asked.video:
        raise UsageError("--video shows one run: give one")


def refuse_mixed_run(record: RunRecord, mix: bool) -> None:
    """Refuse one report of a run whose trials are of several arms or backends.

    Raises:
        DatasetError: they are, and ``mix`` is false.
    """
    what = f"a report of run {record.run_id}"
    refuse_ways(record.mixed, what, "report on a run that is not mixed", mix)


def write_stored_run(run_id: str, store: Path, asked: Outputs, mix: bool = False) -> None:
    """Write what was asked for about one run of a store; print its table if nothing was.

    Raises:
        UsageError: its trials are of several arms or backends, and ``mix`` is false.
    """
    with TrialStore(store, reading=True) as opened:
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
    more: Sequence[PageSection] = (),
) -> None:
    """Write what was asked for about one run; print its table if nothing was.

    Arguments as those of :func:`icpi_ros.report.run.page.run_page`.
    """
    if asked.json:
        asked.json.write(record_json(record.run_id, record.config, list(trials), spent))
    if asked.page:
        save(asked.page, run_page(record, task, trials, goal, spent, more))
        say_page(asked.page)
    if asked.folder:
        picture = asked.folder / f"{record.run_id}.png"
        save_figure(picture, draw(task, goal, trials))
        print(f"picture: {picture.absolute()}")
    if asked.video:
        from icpi_ros.report.run.video import save_video  # the simulation is half a second

        save_video(asked.video, record, task, trials, goal)
        say_file("video", asked.video)
    if asked.csv or asked.parquet:
        write_rows([(task, trials)], asked)
    if asked == Outputs():
        print(run_summary(record, trials, task.space))


def write_rows(runs: Sequence[tuple[Task, Sequence[Trial]]], asked: Outputs) -> None:
    """Write the trials of runs of one task as tables."""
    rows = [row for task, trials in runs for row in trial_rows(task, trials)]
    if asked.csv:
        write_csv(asked.csv, rows)
        print(f"{len(rows)} trials: {asked.csv.absolute()}")
    if asked.parquet:
        write_parquet(asked.parquet, rows)
        print(f"{len(rows)} trials: {asked.parquet.absolute()}")


def say_page(page: Path) -> None:
    """Print where a page is and how large."""
    say_file("page", page)


def say_file(kind: str, path: Path) -> None:
    """Print where a file is and how large."""
    size = path.stat().st_size
    shown = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"
    print(f"{kind}: {path.absolute()} ({shown})")
