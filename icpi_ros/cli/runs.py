"""List the stored runs."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_store
from icpi_ros.text import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--store``."""
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Print one line per run, the newest last."""
    from icpi_ros.data.store import TrialStore, default_path

    path = args.store or default_path()
    if not path.exists():
        print(f"no runs: {path} does not exist yet")
        return 0
    with TrialStore(path) as store:
        for run in store.runs():
            best = (
                "no trial observed"
                if run.best_cost != run.best_cost
                else f"{1e3 * run.best_cost:.1f} mm"
            )
            line = (
                f"{run.run_id}  {run.task}  {run.improver}  {run.state}  "
                f"{run.trials}/{run.budget} trials  best {best}  {run.execution}"
            )
            if run.mixed:
                line += f"; mixed on purpose: {run.mixed}"
            print(printable(line))
    return 0
