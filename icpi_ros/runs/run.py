"""A run of the improvement loop, ask and tell; the caller executes its trials.

    run = Run("slide", improver="embedded", seed=1)
    while not run.finished:
        trial = run.ask()
        run.tell(my_robot(trial.theta))  # the object's trajectory, or the error vector

Its storage is an argument: memory, or a ``TrialStore``, where a trial is on disk as running before
anything moves, and as done before the next one starts.  Trial ``n`` draws from
``numpy.random.default_rng([seed, n])``, so a run that was killed and resumed goes on the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from icpi_ros.core.errors import BudgetSpent, IcpiError, InvalidValue, require_kind
from icpi_ros.core.types import Array, ObjectTrajectory, Tracking, Trial, TrialStatus
from icpi_ros.improvers import DEFAULT_IMPROVER
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.dataset.execution import UNKNOWN_EXECUTION, Execution
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.runs.answer import AFTER_TRIALS, Foreseen, may_have_converged, with_answer
from icpi_ros.runs.earlier import AUTO
from icpi_ros.runs.outcome import outcome
from icpi_ros.runs.progress import RunProgress
from icpi_ros.runs.proposals import Proposals, lowest_cost, next_trial
from icpi_ros.runs.setup import (
    Continuation,
    PreparedRun,
    check_surroundings,
    prepare,
    resumable,
)
from icpi_ros.runs.store.records import RunConfig, origin_of
from icpi_ros.runs.store.storage import MemoryStorage, Storage
from icpi_ros.runs.under_way import UnderWay
from icpi_ros.runs.values import named, real, whole
from icpi_ros.tasks import find_task
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import Confined, Confinement, FeasibilityCheck, anything

UNOBSERVED_ATTEMPTS = 2
"""A trial that perception missed is tried once more, then the run stops."""


class Run(RunProgress):
    """A run of the improvement loop, new or resumed.

    It owns its stored run until it ends or is closed.  Not thread-safe: one worker drives it.

    Attributes, besides those of :class:`RunProgress`:
        storage: of its trials.
        resumed_from: number of the trial that a resumed run continues at; None for a new run.
        execution: way of execution from here on; stored with each trial.
        remark: one line about its examples and a resumed run's earlier execution; empty = none.
        why_not: reason why the arm cannot execute a theta; set before the first trial.
    """

    def __init__(
        self,
        task: str | Task,
        *,
        improver: str = DEFAULT_IMPROVER,
        goal: ArrayLike | None = None,
        trials: int = 8,
        seed: int = 0,
        dataset: Dataset | None = None,
        options: Mapping[str, Any] | None = None,
        target_cost: float = 0.0,
        max_step: float = 1.0,
        first: str = "demonstration",
        stop: str = AFTER_TRIALS,
        storage: Storage | None = None,
        execution: Execution = UNKNOWN_EXECUTION,
        mix: bool = False,
        learn_from: str | Sequence[str] = AUTO,
        proposals: Proposals | None = None,
    ) -> None:
        """Check the arguments and store a new run.

        Args:
            task: to improve, its name, or the path of its YAML file.
            improver: registered improver.
            goal: ``(g,)``; None = the task's default goal; anywhere with ``proposals`` of its own.
            trials: number of trials in all, the first attempt included, 1 to 1000.
            seed: of the first attempt and of the improver, 0 to 2^64 - 1.
            dataset: examples of the task; None = the shipped set, where the improver needs one.
            options: settings of the improver, JSON-able; never a key.
            target_cost: stop when a trial costs at most this [m]; 0 = use the whole budget.
            max_step: largest change of theta from an executed trial, a share of each parameter's
                range; what is proposed beyond is moved back and marked as projected.
            first: first trial: ``demonstration``, of a task that has one, or ``random``.
            stop: ``after-trials``, or ``when-converged``: as soon as a further one is not worth it.
            storage: of the trials; None = in memory.
            execution: of its trials, as far as that is known.
            mix: examples of another arm are meant; the stored configuration names it.
            learn_from: earlier runs of the storage that stand behind the data set: ``store`` = all
                of the task, arm and backend, ``none``, ids, ``auto`` = all if there is no data set.
            proposals: source of theta, the first one included; None = the improver.

        Raises:
            UsageError: any argument is not allowed, the message names it; or the data set is of
                another arm and ``mix`` is false, or an earlier run does not fit.
            StoreError: the run cannot be stored.
        """
        task = task if isinstance(task, Task) else find_task(task)
        check_surroundings(storage, execution, mix, proposals)
        check = task.check_goal if proposals is None else task.goal_space.as_vector
        checked = check(task.default_goal if goal is None else goal)
        config = RunConfig(
            task=task.name,
            improver=improver,
            goal=tuple(checked.tolist()),
            budget=whole(trials),
            target_cost=real(target_cost),
            seed=whole(seed),
            options=named(options),
            max_step=real(max_step),
            first=first,
            stop=stop,
        )
        prepared = prepare(task, config, dataset, proposals, storage, execution, mix, learn_from)
        storage = MemoryStorage() if storage is None else storage
        run_id = storage.create_run(prepared.config, execution)
        self._begin(storage, run_id, prepared, execution)

    def _begin(
        self, storage: Storage, run_id: str, prepared: PreparedRun, execution: Execution
    ) -> None:
        self.storage, self.run_id = storage, run_id
        self.task, self.config = prepared.task, prepared.config
        self.execution, self.remark = execution, prepared.remark
        self.why_not: FeasibilityCheck = anything
        self.trials: list[Trial] = []
        self.resumed_from: int | None = None
        self.state, self.reason, self._proposals = "open", "", prepared.proposals
        self._steps = StepLimit(self.task.space, self.config.max_step)
        self._under_way = UnderWay(run_id)
        self._again: Trial | None = None
        self._unobserved = 0

    @classmethod
    def resume(
        cls,
        storage: Storage,
        run_id: str,
        *,
        dataset: Dataset | None = None,
        execution: Execution = UNKNOWN_EXECUTION,
        stop: str | None = None,
    ) -> Run:
        """Continue a stored run at its first trial that is not done; marks half-run trials.

        Args:
            storage: of the run.
            run_id: id of the run.
            dataset: the examples that the run began with; None = the shipped set.
            execution: of its trials from here on, as far as that is known.
            stop: its end from here on, as of a new run; None = as it began.

        Raises:
            UnknownRun: no such run.
            RunInUse: another process is writing it.
            UsageError: the task's definition or the data set is not that of the run, or it would
                mix arms or backends without a permission (``Storage.allow_mix``).
        """
        found = resumable(storage, run_id, dataset, execution, stop)
        run = cls.__new__(cls)
        run._begin(storage, run_id, found, execution)
        try:
            run._take_over(found.continuation)
        except BaseException:
            run.close()
            raise
        return run

    def _take_over(self, continuation: Continuation) -> None:
        self.storage.mark_interrupted(self.run_id)
        for trial in self.storage.trials(self.run_id):
            if trial.status is TrialStatus.DONE:
                self.trials.append(trial)
            else:  # not paid for twice, and the same theta again
                self._again = trial
        self.resumed_from = len(self.trials)
        if continuation.permitted:
            what = continuation.mixed and f"from trial {self.resumed_from} {continuation.mixed}"
            self.storage.note_mix(self.run_id, what)
        self.storage.set_state(self.run_id, "open")
        self._end_if_complete()

    def ask(self) -> Trial:
        """Return the next trial to execute: inside the bounds, finite, and stored as running.

        Raises:
            StoreError: the start cannot be written; nothing may move then.
            BudgetSpent: the budget of the model is used up; the run is finished now.
            RuntimeError: the run is finished, or the last trial has not been told.
        """
        return self._start(self._next)

    def take(
        self, trial: Trial, observed: ObjectTrajectory | ArrayLike, *, note: str = ""
    ) -> Trial:
        """Add a trial that was executed elsewhere with what is observed of it now; its path stays.

        Raises:
            ObservationMissing: as :meth:`tell`; the trial is left out.
            InvalidValue: the run is finished, theta is none of the task, or as :meth:`tell`.
            RuntimeError: the last trial has not been told.
        """
        if self.finished:
            raise InvalidValue(f"run {self.run_id} takes no more trials: {self.reason}")
        theta, best = self.task.space.as_vector(trial.theta), lowest_cost(self.history)
        known = (trial.number, theta, trial.proposal, trial.projected)
        path = None if isinstance(observed, ObjectTrajectory) else trial.trajectory
        begun = Trial(*known, best_cost=best, trajectory=path, note=note, origin=trial.origin)
        self._start(lambda: begun)
        try:
            return self.tell(observed)
        except IcpiError as exc:
            self.skip(str(exc))
            raise

    def _start(self, make: Callable[[], Trial]) -> Trial:
        if self.finished:
            raise RuntimeError(f"run {self.run_id} is {self.state}: {self.reason}")
        self._under_way.start()
        trial = make()
        trial.theta.setflags(write=False)  # improvers share it
        known = (trial.number, trial.theta, trial.proposal, trial.projected)
        self.storage.begin_trial(self.run_id, *known, self.execution)
        self._under_way.trial = trial
        return trial

    def _next(self) -> Trial:
        history, again = self.history, self._again
        number = len(history)
        # What failed is repeated as it is, unless this arm is known not to be able to do it.
        if again is not None and again.number == number and not self.why_not(again.theta):
            known = Confined(again.theta, again.projected, again.moved_back)
            return self._own(known.trial(number, again.proposal, lowest_cost(history)))
        try:
            return self.preview(number)
        except BudgetSpent as exc:
            self._end("finished", str(exc))
            raise

    def preview(self, number: int) -> Trial:
        """Return trial ``number`` as it would be begun after the trials so far; nothing is noted.

        Raises:
            BudgetSpent: the budget of the model is used up.
        """
        confinement = Confinement(self._steps, self.why_not)
        return self._own(next_trial(self._proposals, confinement, self.history, number))

    def _own(self, trial: Trial) -> Trial:
        return replace(trial, origin=origin_of(self.run_id, self.config, self.execution))

    def change(self, theta: Array, by: str) -> Trial:
        """Note that a person had another theta ``(d,)`` executed in the trial under way.

        Raises:
            InvalidValue: outside the bounds.
            RuntimeError: no trial is under way.
        """
        self._under_way.required()
        return self._under_way.change(self.task.space.validate(theta), by)

    def followed(self, tracking: Tracking, note: str = "") -> None:
        """Note how the arm followed its last command in the trial under way, and a line to keep."""
        self._under_way.followed(tracking, note)

    def tell(self, observed: ObjectTrajectory | ArrayLike, *, moving: float = math.nan) -> Trial:
        """Take the outcome of the trial under way; it is stored when this returns.

        Args:
            observed: trajectory of the object, or its error ``(m,)`` to the goal.
            moving: time of the arm's motions and of settling [s]; NaN = not known.

        Raises:
            ObservationMissing: the trajectory does not show what the task needs; the trial is
                still under way: call :meth:`unobserved`.
            InvalidValue: it is neither, or ``moving`` is no number; the trial is still under way.
            TaskFailed: the task's own code cannot judge it: call :meth:`fail`.
            StoreError: it cannot be written; the trial is still under way, this can be repeated.
        """
        pending = self._under_way.required()
        require_kind("moving", moving, Real, "seconds, or NaN")
        found = outcome(self.task, self.goal, pending.theta, observed)
        trial = replace(
            self._under_way.ended(TrialStatus.DONE, ""),
            error=found.error,
            cost=found.cost,
            best_cost=float(np.fmin(found.cost, pending.best_cost)),
            moving=moving,
            trajectory=observed if isinstance(observed, ObjectTrajectory) else pending.trajectory,
        )
        trial = with_answer(self.trials, trial, self._proposals)
        self._record(trial)
        self._again, self._unobserved = None, 0
        self._end_if_complete()
        return trial

    def unobserved(self, reason: str) -> bool:
        """Record that perception missed the trial under way; nothing is invented.

        Returns:
            True if :meth:`ask` gives the same theta once more, False if the run has failed.
        """
        self._again = trial = self.skip(reason)
        self._unobserved += 1
        if self._unobserved < UNOBSERVED_ATTEMPTS:
            return True
        self._end("failed", f"trial {trial.number} was unobserved twice: {reason}")
        return False

    def skip(self, reason: str) -> Trial:
        """Record that the trial under way was not observed; the next one is proposed anew."""
        return self._record(self._under_way.ended(TrialStatus.UNOBSERVED, reason))

    def fail(self, reason: str) -> Trial | None:
        """End the run: the executor refused or aborted the trial under way, which is returned.

        The run's ``reason`` adds what resuming would do; the trial's note is ``reason`` alone.
        """
        hint = (
            f"; resuming repeats trial {len(self.history)} with the same theta: if it can never be "
            "executed, start a new run"
        )
        return self._stop(TrialStatus.FAILED, "failed", reason, hint)

    def cancel(self, reason: str) -> Trial | None:
        """End the run at the user's wish; return the trial that was under way, None if none."""
        return self._stop(TrialStatus.CANCELLED, "cancelled", reason)

    def close(self) -> None:
        """Let other processes resume the run; a run that has ended is closed already."""
        self.storage.release(self.run_id)

    def _record(self, trial: Trial) -> Trial:
        self.storage.finish_trial(self.run_id, trial)
        self._note(trial)
        return trial

    def _note(self, trial: Trial) -> None:
        self.trials = [t for t in self.trials if t.number != trial.number] + [trial]
        self._under_way.trial = None
        self._redraw()

    def _stop(self, status: TrialStatus, state: str, reason: str, hint: str = "") -> Trial | None:
        trial = None
        if self._under_way.trial is not None:
            stored = self.storage.trials(self.run_id)[-1]
            if stored.status is TrialStatus.RUNNING:
                trial = self._record(self._under_way.ended(status, reason))
            else:  # an interrupt came between the commit of its end and our note of it
                self._note(stored)
        if not self.finished:
            self._end(state, reason + (hint if trial is not None else ""))
        return trial

    def _end_if_complete(self) -> None:
        reason = self._completion()
        if not reason and may_have_converged(self.config, self.history):
            self._proposals = Foreseen.of(self._proposals, self.history, self.why_not)
            reason = self._proposals.converged(self.config.budget)
        if reason:
            self._end("finished", reason)

    def _end(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason
        self.storage.set_state(self.run_id, state, reason)
        self.close()
        self._redraw()
