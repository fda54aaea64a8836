"""End of ``icpi run``: the table of the run, what was asked for as a file, and how to go on."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import numpy as np

from icpi_ros.cli.resuming import arm_of_way
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.llm.client.budget import spent_on
from icpi_ros.report.picture import save_figure
from icpi_ros.report.run.export import record_json
from icpi_ros.report.run.remarks import remark_lines
from icpi_ros.report.run.text import fallback_line, run_table, spending_line
from icpi_ros.runs.answer import AFTER_TRIALS, WHEN_CONVERGED
from icpi_ros.runs.edges import edge_lines
from icpi_ros.runs.picture import draw
from icpi_ros.runs.setup import last_execution
from icpi_ros.runs.store.store import TrialStore, UnknownRun

if TYPE_CHECKING:
    from icpi_ros.cli.run import Plan

ALL_FELL_BACK = 3
"""Exit code of a complete run of which another improver made every proposal."""


def say(line: str) -> None:
    """Print a line that is no result to stderr."""
    print(printable(f"icpi: {line}"), file=sys.stderr)


def kept_elsewhere(plan: Plan, run_id: str) -> str:
    """Return in one line that the graph which a run is attached to has another store."""
    return (
        f"run {run_id} is not kept in {plan.store}: the graph that is up has a store of its own, "
        f"`icpi status` names it; give it as --store, here and to `icpi report {run_id}`"
    )


def report(plan: Plan, run_id: str) -> int:
    """Print the final table from the store, write what was asked for.

    Returns:
        0 if the run is complete; 3 if it is, but no proposal was its improver's own; 1 if not.

    Raises:
        UsageError: the run is in another store.
    """
    with TrialStore(plan.store) as store:
        try:
            record, trials = store.run(run_id), store.trials(run_id)
        except UnknownRun:
            raise UsageError(f"nothing can be shown: {kept_elsewhere(plan, run_id)}") from None
        spent = spent_on(store.trials(run_id, all_attempts=True))
        way = last_execution(store, run_id)
    print(run_table(trials, plan.task.space))
    if spent.calls:
        print(f"model: {spending_line(spent)}")
    print(printable(f"stored run: {run_id} in {plan.store}"))
    if plan.json:
        plan.json.write(record_json(run_id, record.config, trials, spent))
    if plan.picture:
        save_figure(plan.picture, draw(plan.task, np.array(record.config.goal), trials))
        print(f"picture: {plan.picture.absolute()}")
    edges = edge_lines(plan.task, plan.arm or arm_of_way(way), trials)
    for line in (*edges, *remark_lines(trials)):
        print(printable(line))
    if fell_back := fallback_line(record.config.improver, trials):
        say(fell_back)
    if record.state != "finished":
        why = f"{record.state}: {record.note}" if record.note else "not finished"
        other = plan.stop if plan.stop != record.config.stop else ""
        print(printable(f"run {why}; continue with: {_resume_command(plan, run_id, other)}"))
        return 1
    if len(trials) < plan.trials:
        print(printable(f"run finished: {record.note}"))
        if plan.stop == WHEN_CONVERGED:
            print(printable(f"to use all trials: {_resume_command(plan, run_id, AFTER_TRIALS)}"))
    return ALL_FELL_BACK if fell_back else 0


def _resume_command(plan: Plan, run_id: str, stop: str = "") -> str:
    other = ["--stop", stop] if stop else []
    return shlex.join(["icpi", "run", "--resume", run_id, *plan.again, *other])
