"""Run a benchmark: resumable, anywhere, the same rows every time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icpi_benchmarks.contest import datasets, frozen
from icpi_benchmarks.contest.cell import CellResult, TaskCells
from icpi_benchmarks.contest.cell_log import CellLog, Key, kept
from icpi_benchmarks.contest.conditions import Condition
from icpi_benchmarks.contest.deadline import Deadline, build_limit
from icpi_benchmarks.contest.entrants import Entrant, entrants
from icpi_benchmarks.contest.plan import ContestPlan, all_versions
from icpi_benchmarks.instances import draw_instance
from icpi_benchmarks.results import Results, write
from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.core.redact import jsonable, leaked, watch
from icpi_ros.learn.building.build import BuildProgress
from icpi_ros.learn.building.workers import Workers, require_versions
from icpi_ros.learn.dataset.dataset import Dataset, fingerprint, paths_fingerprint
from icpi_ros.robots import ARMS
from icpi_ros.tasks.base import Task

FINGERPRINTS = {"datasets": fingerprint, "paths_fingerprint": paths_fingerprint}
"""Keys of the results' ``config`` that identify the data sets, and how."""


@dataclass(frozen=True)
class ContestProgress:
    """Progress of a contest: ``done`` of ``total`` instances, now at ``task``.

    ``rollouts`` counts the trials that were simulated since this process began.
    """

    done: int
    total: int
    task: str
    rollouts: int = 0


OnCell = Callable[[ContestProgress], None]
OnDraw = Callable[[str, BuildProgress], None]


def run(
    plan: ContestPlan,
    workers: Workers | None = None,
    out: Path | None = None,
    on_cell: OnCell = lambda _: None,
    on_draw: OnDraw = lambda _task, _progress: None,
    rest: Callable[[], str] | None = None,
) -> Results:
    """Return the results of a benchmark, and write them.

    Args:
        plan: what to run.
        workers: who does it; None = this process.  Rows do not depend on it, times apart.
        out: results file, by way of ``out.parts/``: the same call continues a broken one.  None =
            nothing is kept.
        on_cell: called after every instance, and once before the first of each task.
        on_draw: told how far the data set of a task is, where a larger one than the shipped is
            needed.
        rest: says what is kept of a broken benchmark; None = the files beside ``out``.

    Raises:
        UsageError: an improver refuses its options or data set, ``out`` belongs to another
            benchmark, or the plan is not the frozen benchmark that it says it is.
        IcpiError: a worker failed, or the disk is full; says what is kept.
    """
    frozen.check(plan)
    check(plan)
    manifest = plan.config() | {
        "command": plan.command(),
        **{
            key: {task.name: of(plan.examples(task)) for task in plan.tasks}
            for key, of in FINGERPRINTS.items()
        },
    }
    with ExitStack() as stack:
        if out is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            return _Benchmark(plan, workers, folder, None, on_cell, on_draw).run(plan.command())
        log = stack.enter_context(CellLog(out, manifest))
        try:
            benchmark = _Benchmark(plan, workers, log.folder, log, on_cell, on_draw)
            results = benchmark.run(plan.command(out.name))
            write(results, out)
        except IcpiError as exc:
            left = kept(out, plan.cells) if rest is None else rest()
            exc.args = (f"{exc}; {left}",)
            raise
        log.remove()
    return results


def check(plan: ContestPlan) -> None:
    """Build every improver once under every condition, so that wrong options show at once.

    Raises:
        UsageError: one refuses, or an option holds a key; the message names the improver, the
            task and the condition, but no option, which may be a key.
        DatasetError: examples are of another arm, and that is not meant.
    """
    plan.mixed()
    _refuse_keys(plan)
    for condition in plan.conditions:
        for entrant in plan.entrants(condition.players(plan.improvers)):
            _check_options(entrant.under(condition.options))
    for task in plan.tasks:
        for condition in plan.conditions:
            whole = plan.examples(task)
            count = len(whole) if condition.examples is None else condition.examples
            dataset = datasets.first(whole, min(count, len(whole)))
            for entrant in plan.entrants(condition.players(plan.improvers)):
                _check_entrant(entrant, task, condition, dataset, plan)
    _refuse_keys(plan)  # by now the variables that models.yaml names are known, too


def _refuse_keys(plan: ContestPlan) -> None:
    """Refuse a plan that would write a key of the environment into the results."""
    for entrant in entrants(plan.improvers):
        watch(entrant.options.get("key_variable"))
    if name := leaked(jsonable(plan.config() | {"command": plan.command()})):
        raise UsageError(
            f"the benchmark's options hold the value of {name}: keys are read from the "
            "environment and never stored; remove the option"
        )


def _check_options(entrant: Entrant) -> None:
    try:
        entrant.kind.check(entrant.options)
    except UsageError as exc:
        exc.args = (f"improver {entrant.label.split(':')[0]}: {exc}",)
        raise


def _check_entrant(
    entrant: Entrant, task: Task, condition: Condition, dataset: Dataset, plan: ContestPlan
) -> None:
    instance = draw_instance(task, condition.draws, plan.seed, 0)
    most = build_limit(plan.time_limit)
    chosen, deadline = entrant.under(condition.options), Deadline(plan.time_limit, entrant.label)
    try:
        deadline.call(
            lambda: chosen.build(task, plan.arm_of(task), instance.goal, instance.physics, dataset),
            most,
        )
    except UsageError as exc:
        where = f"{task.name}, {condition.name}" if condition.name else task.name
        exc.args = (f"improver {entrant.label.split(':')[0]} on {where}: {exc}",)
        raise
    except (Exception, SystemExit):
        pass  # a failure of that improver: its rows will say so
    finally:
        deadline.close()


class _Benchmark:
    """One run of a plan."""

    def __init__(
        self,
        plan: ContestPlan,
        workers: Workers | None,
        folder: Path,
        log: CellLog | None,
        on_cell: OnCell,
        on_draw: OnDraw,
    ) -> None:
        self._plan, self._workers = plan, workers or Workers()
        self._folder, self._log = folder, log
        self._on_cell, self._on_draw = on_cell, on_draw
        self._cells: dict[Key, CellResult] = log.take_up() if log else {}
        self._fingerprints: dict[str, dict[str, str]] = {key: {} for key in FINGERPRINTS}
        self._rollouts = 0

    def run(self, command: str) -> Results:
        """Play the missing cells."""
        for task in self._plan.tasks:
            self._run_task(task)
        cells = [self._cells[key] for key in self._keys()]
        config = {"command": command, **self._plan.config(), **self._fingerprints}
        return Results(
            config,
            [cell.instance for cell in cells],
            [row for cell in cells for row in cell.rows],
        )

    def _keys(self) -> Iterator[Key]:
        """Yield all cells in the order of the results."""
        for condition in self._plan.conditions:
            for task in self._plan.tasks:
                for number in range(self._plan.instances):
                    yield task.name, condition.name, number

    def _run_task(self, task: Task) -> None:
        self._tell(task)
        work = self._work(task)
        items = [
            index * self._plan.instances + number
            for index, condition in enumerate(self._plan.conditions)
            for number in range(self._plan.instances)
            if (task.name, condition.name, number) not in self._cells
        ]
        for item, cell in self._workers.run(work, items):
            require_versions(cell.versions, all_versions())
            if self._log:
                self._log.add(cell)
            index, number = divmod(item, self._plan.instances)
            self._cells[task.name, self._plan.conditions[index].name, number] = cell
            self._rollouts += cell.rollouts
            self._tell(task)

    def _work(self, task: Task) -> TaskCells:
        plan, whole = self._plan, self._large(task)
        made: dict[tuple[Any, ...], Dataset] = {}
        for condition in plan.conditions:
            kind = (condition.examples, condition.label_noise)
            if kind not in made:
                made[kind] = datasets.under(condition, task, plan.examples(task), whole)
            name = f"{task.name}/{condition.name}"
            for key, of in FINGERPRINTS.items():
                self._fingerprints[key][name] = of(made[kind])
        found = tuple(made[c.examples, c.label_noise] for c in plan.conditions)
        who, arm = plan.entrants(), plan.arm_of(task)
        return TaskCells(task, arm, plan.conditions, plan.instances, who, found, plan.rules)

    def _large(self, task: Task) -> Dataset | None:
        most = max(condition.examples or 0 for condition in self._plan.conditions)
        if self._plan.own_examples(task) is not None or most <= len(self._plan.examples(task)):
            return None

        def on_draw(progress: BuildProgress) -> None:
            self._on_draw(task.name, progress)

        own = ARMS.get(task.arm)  # it goes on where the shipped set ends
        return datasets.large(task, own, self._folder, self._workers, on_draw)

    def _tell(self, task: Task) -> None:
        done = len(self._cells)
        self._on_cell(ContestProgress(done, self._plan.cells, task.name, self._rollouts))
