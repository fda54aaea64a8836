"""One Improve goal: a :class:`icpi_ros.runs.run.Run` through the graph."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rclpy.action.server import ServerGoalHandle

from icpi_msgs.action import Improve
from icpi_ros.core.errors import (
    BudgetSpent,
    DatasetError,
    ExecutionCancelled,
    IcpiError,
    InvalidValue,
    ModelUnavailable,
    ObservationMissing,
    StoreError,
    UnknownName,
    UsageError,
)
from icpi_ros.core.types import Array, Trial
from icpi_ros.improvers import IMPROVERS
from icpi_ros.learn.dataset.dataset import Dataset, load
from icpi_ros.learn.dataset.execution import Execution
from icpi_ros.ros.base.convert import proposal_msg
from icpi_ros.ros.improver.motion_client import MotionClient
from icpi_ros.runs.answer import answer_of
from icpi_ros.runs.earlier import AUTO, learned_text
from icpi_ros.runs.run import Run
from icpi_ros.runs.setup import require_model
from icpi_ros.runs.store.store import TrialStore, UnknownRun
from icpi_ros.settings.table import RUN_FIELDS
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import FeasibilityCheck, anything

Code = Improve.Result
State = Improve.Feedback


@dataclass(frozen=True)
class Setup:
    """Set-up of all runs of a node; ``dataset``, ``store`` None = the shipped, the default one."""

    task: Task
    improver: str
    store: Path | None
    dataset: Path | None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of whichever improver a goal asks for: each gets those that it has."""
    max_step: float = 1.0
    """Largest step of theta between trials, a share of each parameter's range."""
    why_not: FeasibilityCheck = anything
    """Returns why the arm cannot execute a theta."""
    execution: Execution = field(default_factory=Execution)
    """Execution of trials by the graph, as far as this node knows it."""
    mix: bool = False
    """Examples of another arm are meant."""
    learn_from: str = AUTO
    """Earlier runs of the store that a run learns from."""
    fallback: bool = False
    """A run begins although its model cannot be asked."""
    first: str = "demonstration"
    """First trial of new runs: the demonstration, of a task that has one, or random."""
    stop: str = "after-trials"
    """End of runs, of resumed ones, too: after their trials, or when a trial is not worth it."""


@dataclass(frozen=True)
class Listener:
    """Callbacks of a run: every feedback, every finished trial, every proposal, every log line."""

    feedback: Callable[[int, Run, int, Trial | None], None]
    finished: Callable[[Run, Trial], None]
    proposed: Callable[[Run, Trial], None]
    log: Callable[[str], None]


class ImprovementJob:
    """Work on one Improve goal; a :class:`icpi_ros.ros.base.serving.Job`."""

    def __init__(
        self, setup: Setup, handle: ServerGoalHandle, motions: MotionClient, listener: Listener
    ) -> None:
        """Prepare; nothing is stored yet."""
        self.handle = handle
        self._setup, self._motions, self._listener = setup, motions, listener
        self._goal = handle.request
        self._run: Run | None = None
        self._cancelled = False
        motions.arm()

    def cancel(self) -> None:
        """See :class:`Job`."""
        self._cancelled = True
        self._motions.cancel()

    def run(self) -> Any:
        """See :class:`Job`."""
        code, message = Code.NONE, ""
        try:
            with TrialStore(self._setup.store) as store:
                self._run = self._open(store)
                self._run.why_not = self._setup.why_not
                self._log_begin(self._run)
                try:
                    code, message = self._loop(self._run)
                finally:
                    self._run.close()
        except IcpiError as exc:
            code, message = error_code(exc), str(exc)
        if message:
            self._listener.log(message)
        return self._result(code, message)

    def _open(self, store: TrialStore) -> Run:
        goal, task = self._goal, self._setup.task
        if goal.task != task.name:
            raise WrongTask(
                f"this graph improves task {task.name!r}, not {goal.task!r}: "
                f"start it with another task argument, or ask for {task.name!r}"
            )
        dataset: Dataset | None = None
        if self._setup.dataset is not None:
            dataset = load(self._setup.dataset, task)
        if goal.resume_run_id:
            record = store.run(goal.resume_run_id)
            stored = record.config
            if stored.task != task.name:
                raise WrongTask(
                    f"run {goal.resume_run_id} is of task {stored.task!r}, this graph improves "
                    f"{task.name!r}: start it with task {stored.task!r}"
                )
            if record.state != "finished":  # else no proposal is left to be made
                self._require_model(stored.improver, stored.options)
            if stored.stop != self._setup.stop:
                self._listener.log(
                    f"run {goal.resume_run_id} began with stop = {stored.stop}, now it is "
                    f"{self._setup.stop}"
                )
            return Run.resume(
                store,
                goal.resume_run_id,
                dataset=dataset,
                execution=self._setup.execution,
                stop=self._setup.stop,
            )
        improver = goal.improver or self._setup.improver
        options = IMPROVERS.get(improver).taken(self._setup.options)
        self._require_model(improver, options)
        return Run(
            task,
            improver=improver,
            goal=list(goal.goal) or None,
            trials=int(goal.budget),
            seed=int(goal.seed),
            dataset=dataset,
            options=options,
            target_cost=float(goal.target_cost),
            max_step=self._setup.max_step,
            storage=store,
            execution=self._setup.execution,
            mix=self._setup.mix,
            learn_from=self._setup.learn_from,
            first=self._setup.first,
            stop=self._setup.stop,
        )

    def _require_model(self, improver: str, options: Mapping[str, Any]) -> None:
        if not self._setup.fallback:
            require_model(improver, options)

    def _log_begin(self, run: Run) -> None:
        if run.resumed_from is None:
            self._listener.log(
                f"run {run.run_id} begins: {run.task.name} with {run.config.improver}"
            )
            if run.config.dataset_arm:
                self._listener.log(
                    f"its data set is of arm {run.config.dataset_arm}, as mix allows"
                )
        else:
            self._listener.log(f"run {run.run_id} continues from trial {run.resumed_from}")
        if learned := learned_text(run.config.learned_from):
            self._listener.log(f"it learns from {learned}")
        if run.remark:
            self._listener.log(run.remark)

    def _loop(self, run: Run) -> tuple[int, str]:
        while not run.finished:
            number = len(run.history)
            if self._cancelled:
                return self._cancel(run)
            self._listener.feedback(State.PROPOSING, run, number, None)
            try:
                trial = run.ask()
            except BudgetSpent:
                break
            self._listener.proposed(run, trial)
            self._listener.feedback(State.EXECUTING, run, trial.number, None)
            try:
                self._attempt(run, trial)
            except ExecutionCancelled as exc:
                return self._cancel(run, str(exc))
            except ObservationMissing as exc:
                if not self._unobserved(run, trial, str(exc)):
                    return Code.UNOBSERVED, run.reason
            except StoreError:
                raise
            except IcpiError as exc:
                self._publish(run, run.fail(str(exc)))
                return Code.EXECUTION_FAILED, f"trial {trial.number}: {exc}"
        self._listener.log(f"run {run.run_id} ends: {run.reason}")
        if answer := answer_of(run.trials):
            self._listener.log(answer.line)
        return Code.NONE, ""

    def _attempt(self, run: Run, trial: Trial) -> None:
        # No two attempts share an id, so a late path of the first cannot pass for the second's.
        trial_id = f"{run.run_id}/{trial.number}-{secrets.token_hex(3)}"
        proposal = proposal_msg(run.task, trial)

        def changed(theta: Array, by: str) -> None:
            self._listener.proposed(run, run.change(theta, by))

        trajectory, moving = self._motions.execute(trial_id, proposal, changed, run.followed)
        self._publish(run, run.tell(trajectory, moving=moving))

    def _unobserved(self, run: Run, trial: Trial, reason: str) -> bool:
        again = run.unobserved(reason)
        what = "it is tried once more" if again else "the run ends"
        self._listener.log(f"trial {trial.number} was not observed ({reason}): {what}")
        return again

    def _cancel(self, run: Run, reason: str = "cancelled by the client") -> tuple[int, str]:
        self._publish(run, run.cancel(reason))
        return Code.CANCELLED, reason

    def _publish(self, run: Run, trial: Trial | None) -> None:
        if trial is not None:
            self._listener.finished(run, trial)
            self._listener.feedback(State.FINISHED_TRIAL, run, trial.number + 1, trial)

    def _result(self, code: int, message: str) -> Any:
        result = result_msg(code, message)
        if self._run is not None:
            best = self._run.best
            result.run_id = self._run.run_id
            result.trials = len(self._run.history)
            result.best_theta = best.theta.tolist() if best is not None else []
            result.best_cost = float(best.cost) if best is not None else math.nan
        return result


class WrongTask(IcpiError):
    """The graph is set up for another task."""


def result_msg(code: int, message: str) -> Any:
    """Return a result of a run that has nothing to show."""
    return Code(error_code=code, error_msg=message, best_cost=math.nan)


def error_code(error: IcpiError) -> int:
    """Return the error code of Improve that an error of the core stands for."""
    if isinstance(error, UnknownName):
        return int(Code.UNKNOWN_TASK if error.kind == "task" else Code.UNKNOWN_IMPROVER)
    if isinstance(error, InvalidValue):
        about_run = error.refusal.field in RUN_FIELDS
        return int(Code.INVALID_BUDGET if about_run else Code.INVALID_GOAL)
    table: tuple[tuple[type[IcpiError], int], ...] = (
        (WrongTask, Code.UNKNOWN_TASK),
        (ModelUnavailable, Code.UNKNOWN_IMPROVER),
        (UnknownRun, Code.UNKNOWN_RUN),
        (DatasetError, Code.DATASET),
        (StoreError, Code.STORE),
        (UsageError, Code.UNKNOWN_RUN),  # a stored run that does not fit what is here now
    )
    return next((int(code) for kind, code in table if isinstance(error, kind)), Code.INTERNAL)
