"""Report on several runs, or several benchmarks, beside each other: of one arm and one backend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_ros.cli.report_outputs import refuse_pages, write_rows
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.learn.dataset.mixing import refuse_ways, two_ways
from icpi_ros.llm.client.budget import spent_on
from icpi_ros.report.run.export import record_json
from icpi_ros.report.run.text import run_summary
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS

if TYPE_CHECKING:
    from icpi_ros.cli.report_outputs import Outputs
    from icpi_ros.runs.store.records import RunRecord

MIXED = "mixed on purpose"


def report_runs(run_ids: Sequence[str], path: Path, asked: Outputs, mix: bool) -> None:
    """Print stored runs one below the other; write their trials as one table if that is asked.

    Raises:
        UsageError: runs of several tasks for one table, or of several arms or backends.
    """
    refuse_pages(asked)
    with TrialStore(path) as store:
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
