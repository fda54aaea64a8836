"""Report on a run that lies in a bag."""

from __future__ import annotations

from pathlib import Path

from icpi_ros.bags.parameters import recorded_setup
from icpi_ros.cli.bags import only_run, open_bag, refuse_inside
from icpi_ros.cli.report_outputs import Outputs, write_run
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Trial
from icpi_ros.evaluate.recorded_runs import settled
from icpi_ros.llm.client.budget import spent_on
from icpi_ros.report.bag.sections import as_record, as_trials, bag_sections
from icpi_ros.runs.store.store import TrialStore, UnknownRun, default_path


def report_bag(
    path: Path, run_id: str | None, topics: Path | None, store: Path | None, asked: Outputs
) -> None:
    """Write what was asked for about one run of a bag; print its table if nothing was.

    Args:
        path: of the bag.
        run_id: which run; None = the only one.
        topics: mapping of topics; None = ours.
        store: where the run's prompts and replies are, if it is known there; None = the
            default store.
        asked: what to write.

    Raises:
        UsageError: the bag or the run cannot be read, or the bag has several runs.
    """
    refuse_inside(path, asked.files)
    bag = open_bag(path, topics)
    found, skipped = only_run(bag, run_id)
    run = settled(found, None, recorded_setup(bag))
    trials = as_trials(run, _stored(run.run_id, store))
    more = bag_sections(bag, run, (*bag.skipped, *skipped))
    record = as_record(run, str(path))
    write_run(record, run.task, trials, run.goal, spent_on(trials), asked, more)


def _stored(run_id: str, store: Path | None) -> list[Trial]:
    """Return the run's trials of the store; none if it is not known there.

    Raises:
        UsageError: a store was named, and it is not there.
    """
    path = store or default_path()
    if not path.exists():
        if store:
            raise UsageError(f"there is no trial store at {path}")
        return []
    with TrialStore(path, reading=True) as opened:
        try:
            return opened.trials(run_id)
        except UnknownRun:
            return []
