"""Compare improvers on the same instances of the tasks, in simulation."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from icpi_benchmarks.cassettes.recordings import Recordings
from icpi_benchmarks.contest.cell_log import finished_cells, kept
from icpi_benchmarks.contest.conditions import Preset, preset
from icpi_benchmarks.contest.entrants import entrants, option_text, with_nulls
from icpi_benchmarks.contest.frozen import frozen
from icpi_benchmarks.contest.plan import DEFAULT_TIME_LIMIT, ContestPlan
from icpi_benchmarks.contest.run import ContestProgress
from icpi_benchmarks.contest.run import run as run_plan
from icpi_benchmarks.report.text import bench_spending, bench_text
from icpi_benchmarks.results import Results, results_text
from icpi_ros.cli.arguments import chosen_arm
from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.errors import DatasetError, UsageError
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.learn.building.build import BuildProgress
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import Dataset, load
from icpi_ros.learn.dataset.parquet import metadata
from icpi_ros.llm.connect import LOCAL_MODEL, require_reachable
from icpi_ros.robots import find_arm
from icpi_ros.tasks import TASKS

INTERRUPTED = 130
EXTRA_TIME = 5.0
"""Added to a model's own deadline [s]."""


def run(args: argparse.Namespace) -> int:
    """Run, keep and print; the same arguments give the same rows, and continue a broken run."""
    plan = _plan(args)
    alone = args.record is not None  # a server that is asked by two is slower for both
    workers = Workers(args.workers or (1 if alone else len(os.sched_getaffinity(0))), args.dask)
    with tempfile.TemporaryDirectory() as folder:
        out = _results_file(args.json, Path(folder))
        rest = partial(_rest, args.json, out, plan)
        try:
            with _Display(plan.cells) as display:
                results = run_plan(plan, workers, out, display.on_cell, display.on_draw, rest)
        except KeyboardInterrupt:
            print(f"icpi: interrupted; {rest()}", file=sys.stderr)
            return INTERRUPTED
    if args.json and not args.json.path:
        args.json.write_text(results_text(results))
        out = None
    print(bench_text(results))
    if spending := bench_spending(results):
        print(f"\n{spending}\n")
    print(display.speed())
    if out:
        print(f"results: {out}; as a page: icpi report {shlex.quote(str(out))} --html FILE")
    return 0


def _results_file(output: JsonOutput | None, folder: Path) -> Path | None:
    """Return the path of the results; for standard output in a temporary ``folder``."""
    return None if output is None else output.path or folder / "-"


def _rest(output: JsonOutput | None, out: Path | None, plan: ContestPlan) -> str:
    """Return a sentence on the kept part of a broken benchmark; write it if to standard output."""
    if output is None or out is None:
        return "nothing is kept without --json"
    if output.path:
        return kept(out, plan.cells)
    cells = finished_cells(out)
    config = {"command": plan.command(out.name), **plan.config(), "datasets": {}}
    rows = [row for cell in cells for row in cell.rows]
    output.write_text(results_text(Results(config, [cell.instance for cell in cells], rows)))
    return f"{len(cells)} of {plan.cells} instances are written, nothing is kept without a FILE"


def _plan(args: argparse.Namespace) -> ContestPlan:
    chosen = preset(args.preset)
    if args.draws:
        chosen = chosen.with_draws(args.draws)
    usual = tuple(frozen(chosen.frozen)["tasks"]) if chosen.frozen else tuple(TASKS.built_in)
    tasks = _names("--tasks", args.tasks) or chosen.tasks or usual
    recordings = _recordings(args, chosen)
    improvers = _names("--improvers", args.improvers) or chosen.improvers
    improvers = with_nulls(_with_model(improvers, recordings, args), recordings)
    chosen = chosen.with_improvers(improvers)
    found = tuple(TASKS.get(name) for name in tasks)
    for task in found:
        _ = task.required_scene
        chosen_arm(args.arm, task)
    return ContestPlan(
        tasks=found,
        improvers=improvers,
        conditions=chosen.conditions,
        instances=args.instances or chosen.instances,
        trials=args.trials or chosen.trials,
        seed=args.seed,
        time_limit=_time_limit(improvers, recordings, args),
        threshold=args.threshold,
        preset=args.preset,
        draws=args.draws or "",
        arm=find_arm(args.arm) if args.arm else None,
        datasets=tuple(_dataset(path) for path in args.dataset),
        dataset_files=tuple(str(path.absolute()) for path in args.dataset),
        mix=args.mix,
        recordings=recordings,
    )


def _recordings(args: argparse.Namespace, chosen: Preset) -> Recordings | None:
    """Return the recordings that models are replayed from or added to; None = neither.

    Raises:
        UsageError: two places are given, or a folder is missing or cannot be made.
    """
    given = [n for n in ("record", "cassettes", "cassette") if getattr(args, n) is not None]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]}: give one of them")
    if args.cassettes and not args.cassettes.is_dir():
        raise UsageError(f"--cassettes {args.cassettes}: no such folder")
    if folder := args.record or args.cassettes:
        found = Recordings(folder.absolute(), records=args.record is not None)
        found.make_folder()
        return found
    return Recordings() if chosen.recorded and not args.cassette else None


def _dataset(path: Path) -> Dataset:
    """Return the data set in a file, of whichever task it is.

    Raises:
        DatasetError: missing, damaged, or of no task that is known here.
    """
    name = metadata(path).get("task")
    if not isinstance(name, str) or name not in TASKS:
        raise DatasetError(f"{path} is a Parquet file, but not a data set of a task known here")
    return load(path, TASKS.get(name))


def _with_model(
    labels: Sequence[str], recordings: Recordings | None, args: argparse.Namespace
) -> tuple[str, ...]:
    """Return improvers with the model and cassette that they are asked with, as options.

    Raises:
        UsageError: a wrong option, or a server of this machine that is needed does not answer.
    """
    model = args.model or os.environ.get("ICPI_MODEL", "").strip() or LOCAL_MODEL
    cassette = str(args.cassette.absolute()) if args.cassette else ""
    found = []
    for entrant in entrants(labels):
        given = {"model": model, "cassette": cassette}
        extra = [option_text(k, v) for k, v in given.items() if v and entrant.takes(k)]
        found.append(":".join([entrant.label, *extra]))
    choices = []
    for entrant in (one.using(recordings) for one in entrants(found)):
        if issubclass(entrant.kind, Llm):
            try:
                entrant.kind.check(entrant.options)
            except UsageError as exc:
                exc.args = (f"improver {entrant.label.split(':')[0]}: {exc}",)
                raise
            choices.append(entrant.kind.chosen(entrant.options).choice)
            require_reachable(choices[-1])
    if recordings:
        recordings.require_servers(choices)
    return tuple(found)


def _time_limit(
    labels: Sequence[str], recordings: Recordings | None, args: argparse.Namespace
) -> float:
    """Return the limit of one proposal [s]: a model must have time to miss its own deadline.

    Raises:
        UsageError: the limit that was given is too short for that.
    """
    asking = [entrant.using(recordings) for entrant in entrants(labels)]
    kinds = [(e, e.kind) for e in asking if issubclass(e.kind, Llm)]
    longest = max((kind.chosen(e.options).deadline for e, kind in kinds), default=0.0)
    if args.time_limit is None:
        return max(DEFAULT_TIME_LIMIT, longest + EXTRA_TIME)
    if args.time_limit < longest + 1.0:
        raise UsageError(
            f"--time-limit {args.time_limit:g}: a language model has a deadline of {longest:g} s, "
            f"allow {longest + 1.0:g} s or more, or lower its option deadline"
        )
    return float(args.time_limit)


def _names(option: str, text: str | None) -> tuple[str, ...]:
    """Return the names in a list with commas; none if the option is not given.

    Raises:
        UsageError: a name is empty.
    """
    names = () if text is None else tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise UsageError(f"{option}: a name is empty: give names with commas between")
    return names


class _Display:
    """Progress bars of instances and data sets, and the speed at the end."""

    def __init__(self, total: int) -> None:
        self._bar = progress_bar(total, "instance", smoothing=0.05)
        self._draws: Any = None
        self._begin, self._away = time.monotonic(), 0.0
        self._done, self._first, self._rollouts, self._seconds = 0, -1, 0, 0.0

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_draws()
        self._bar.close()

    def on_cell(self, progress: ContestProgress) -> None:
        """Show the number of finished instances; those of an earlier process are not speed."""
        self._close_draws()
        if self._first < 0:
            self._first = self._done = progress.done
            self._bar.initial = self._bar.n = progress.done
        self._bar.set_description(progress.task, refresh=False)
        self._bar.update(progress.done - self._done)
        self._done, self._rollouts = progress.done, progress.rollouts
        self._seconds = time.monotonic() - self._begin

    def on_draw(self, task: str, progress: BuildProgress) -> None:
        """Show the progress of a data set; its time does not count as speed."""
        if self._draws is None:
            self._away = time.monotonic()
            what = f"data set of {task}"
            self._draws = progress_bar(progress.draws, "draw", what, leave=False)
        self._draws.update(progress.done - self._draws.n)

    def speed(self) -> str:
        """Return the work of this process, its time [s] and its rate."""
        new, rate = self._done - max(self._first, 0), self._rollouts / max(self._seconds, 1e-9)
        return (
            f"{new} instances, {self._rollouts} rollouts in {self._seconds:.1f} s: "
            f"{rate:.0f} rollouts/s"
        )

    def _close_draws(self) -> None:
        if self._draws is not None:
            self._draws.close()
            self._draws = None
            self._begin += time.monotonic() - self._away
