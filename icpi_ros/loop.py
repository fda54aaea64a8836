"""The improvement loop, ask and tell, without ROS: who executes a trial is the caller's affair.

    run = ImprovementRun.new(task, "embedded", None, goal, budget=8, seed=1, store=store)
    while not run.finished:
        trial = run.next()              # on disk as running before anything moves
        run.tell(rollout(trial.theta))  # on disk as done before the next one starts

Trial ``n`` draws from ``numpy.random.default_rng([seed, n])``, so a run that was killed and
resumed proposes what an uninterrupted one would have.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from icpi_ros.data.dataset import Dataset, check_arm
from icpi_ros.data.execution import NOT_TOLD, Execution
from icpi_ros.data.mixing import ArmId
from icpi_ros.data.store import RunConfig, RunInUse, TrialStore
from icpi_ros.errors import (
    BudgetSpent,
    ExecutionCancelled,
    IcpiError,
    ObservationMissing,
    StoreError,
    UsageError,
)
from icpi_ros.feasible import Confined, Confinement, WhyNot, anything, first_possible
from icpi_ros.models.budget import spent_on
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.proposing import Proposer
from icpi_ros.run_setup import (
    Continuation,
    check_execution,
    examples_hash,
    find_examples,
    make_proposer,
    versions,
)
from icpi_ros.settings.table import check_run
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, ObjectTrajectory, Outcome, Proposal, Tracking, Trial, TrialStatus

UNOBSERVED_ATTEMPTS = 2
"""A trial that perception missed is tried once more, then the run stops."""

OPERATOR = "operator"
"""Provenance of a theta that a person chose."""

_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


class ImprovementRun:
    """One run of the loop, new or resumed; it owns its stored run until it ends or is closed.

    Use :meth:`new` or :meth:`resume`.  Not thread-safe: one worker drives it.

    Attributes:
        run_id: id in the store.
        task: what is being improved.
        config: what the run was asked to do.
        trials: last attempt of every trial so far, by number (not the one under way).
        resumed_from: number of the trial that a resumed run continues at; None for a new run.
        state: ``open``, ``finished`` (budget used or target reached), ``failed``, ``cancelled``.
        reason: why it is not open any more, one line.
        execution: how trials are executed from here on; stored with each.
        remark: of a resumed run: what is unknown about how it was executed; empty = nothing.
        why_not: says which thetas the arm cannot execute; set before the first trial.
    """

    why_not: WhyNot = staticmethod(anything)

    def __init__(
        self,
        store: TrialStore,
        run_id: str,
        task: Task,
        config: RunConfig,
        proposer: Proposer,
        execution: Execution = NOT_TOLD,
    ) -> None:
        """Keep the parts; nothing is written yet."""
        self.execution = execution
        self.remark = ""
        self.store = store
        self.run_id = run_id
        self.task = task
        self.config = config
        self.trials: list[Trial] = []
        self.resumed_from: int | None = None
        self.state = "open"
        self.reason = ""
        self._proposer = proposer
        self._steps = StepLimit(task.space, config.max_step)
        self._pending: Trial | None = None
        self._again: Trial | None = None
        self._unobserved = 0
        self._started = 0.0

    @classmethod
    def new(
        cls,
        task: Task,
        improver_name: str,
        dataset: Dataset | None,
        goal: ArrayLike | None,
        budget: int,
        seed: int,
        store: TrialStore,
        target_cost: float = 0.0,
        options: Mapping[str, Any] = _NO_OPTIONS,
        max_step: float = 1.0,
        execution: Execution = NOT_TOLD,
        mix: bool = False,
    ) -> ImprovementRun:
        """Check the arguments, store a new run and return it.

        Args:
            task: what to improve.
            improver_name: registered improver.
            dataset: examples of the task; None = the shipped set (if the improver needs one).
            goal: ``(g,)``; None = the task's default goal.
            budget: number of trials in all, the first attempt included, 1 to 1000.
            seed: of the first attempt and of the improver, 0 to 2^64 - 1.
            store: where trials go.
            target_cost: stop when a trial costs at most this [m]; 0 = use the whole budget.
            options: settings of the improver, JSON-able; never a key.
            max_step: largest change of theta from an executed trial to the next, a share of each
                parameter's range; proposals beyond are moved back and marked as projected.
            execution: how its trials are executed, as far as that is known.
            mix: examples of another arm are meant; the stored configuration says of which.

        Raises:
            UsageError: any argument is not allowed, the message names it; or the data set is of
                another arm and ``mix`` is false.
            StoreError: the run cannot be stored.
        """
        checked = task.check_goal(task.default_goal if goal is None else goal)
        examples = find_examples(task, improver_name, dataset)
        config = RunConfig(
            task=task.name,
            improver=improver_name,
            goal=tuple(checked.tolist()),
            budget=budget,
            target_cost=float(target_cost),
            seed=seed,
            options=dict(options),
            versions=versions(),
            definition_hash=task.definition_hash(),
            dataset_hash=examples_hash(examples),
            max_step=max_step,
            dataset_arm=check_arm(examples, ArmId.of_way(execution), mix),
        )
        check_run(config)
        proposer = make_proposer(task, config, examples)
        run_id = store.create_run(config, execution)
        return cls(store, run_id, task, config, proposer, execution)

    @classmethod
    def resume(
        cls,
        store: TrialStore,
        run_id: str,
        dataset: Dataset | None = None,
        execution: Execution = NOT_TOLD,
    ) -> ImprovementRun:
        """Continue a stored run at its first trial that is not done; marks half-run trials.

        Args:
            store: where the run is.
            run_id: id of the run.
            dataset: the examples that the run began with; None = the shipped set.
            execution: how its trials are executed from here on, as far as that is known.

        Raises:
            UnknownRun: no such run.
            RunInUse: another process is writing it.
            UsageError: the task's definition or the data set is not that of the run, or it would
                mix arms or backends without a permission (``TrialStore.allow_mix``).
        """
        if store.holds(run_id):
            raise RunInUse(f"run {run_id} is still under way in this process: wait for its end")
        config = store.run(run_id).config
        task = TASKS.get(config.task)
        if config.definition_hash != task.definition_hash():
            raise UsageError(
                f"run {run_id} was made with another definition of task {task.name} "
                f"({config.definition_hash}, now {task.definition_hash()}): start a new run"
            )
        continuation = check_execution(store, run_id, execution)
        examples = find_examples(task, config.improver, dataset)
        if config.dataset_hash != examples_hash(examples):
            raise UsageError(
                f"run {run_id} began with another data set ({config.dataset_hash or 'none'}): "
                "give that one with --dataset, or start a new run"
            )
        spent = spent_on(store.trials(run_id, all_attempts=True))
        proposer = make_proposer(task, config, examples, spent)
        run = cls(store, run_id, task, config, proposer, execution)
        try:
            run._take_over(continuation)
        except BaseException:
            run.close()
            raise
        return run

    def _take_over(self, continuation: Continuation) -> None:
        self.store.mark_interrupted(self.run_id)
        for trial in self.store.trials(self.run_id):
            if trial.status is TrialStatus.DONE:
                self.trials.append(trial)
            else:  # not paid for twice, and the same theta again
                self._again = trial
        self.resumed_from = len(self.trials)
        self.remark = continuation.remark
        if continuation.permitted:
            what = continuation.mixed and f"from trial {self.resumed_from} {continuation.mixed}"
            self.store.note_mix(self.run_id, what)
        self.store.set_state(self.run_id, "open")
        self._end_if_complete()

    # --- state ------------------------------------------------------------------------------

    @property
    def goal(self) -> Array:
        """Goal ``(g,)`` of the run."""
        return np.array(self.config.goal, dtype=np.float64)

    @property
    def finished(self) -> bool:
        """True when there is no next trial: budget used, target reached, failed or cancelled."""
        return self.state != "open"

    @property
    def history(self) -> list[Outcome]:
        """What improvers may see: outcomes of the trials that are done, oldest first."""
        return [trial.outcome for trial in self.trials if trial.outcome is not None]

    @property
    def best(self) -> Trial | None:
        """The trial of lowest cost, None if none was observed."""
        done = [trial for trial in self.trials if trial.status is TrialStatus.DONE]
        return min(done, key=lambda trial: trial.cost, default=None)

    # --- ask --------------------------------------------------------------------------------

    def next(self) -> Trial:
        """Return the next trial to execute: inside the bounds, finite, and on disk as running.

        Raises:
            StoreError: the start cannot be written; nothing may move then.
            BudgetSpent: what may be spent on the model is used up; the run is finished now.
            RuntimeError: the run is finished, or the last trial has not been told.
        """
        if self.finished:
            raise RuntimeError(f"run {self.run_id} is {self.state}: {self.reason}")
        if self._pending is not None:
            raise RuntimeError(f"trial {self._pending.number} has not been told yet")
        self._started = time.monotonic()
        trial = self._next_trial()
        self.store.begin_trial(
            self.run_id,
            trial.number,
            trial.theta,
            trial.proposal,
            trial.projected,
            self.execution,
        )
        self._pending = trial
        return trial

    def _next_trial(self) -> Trial:
        history = self.history
        number = len(history)
        best_cost = min((outcome.cost for outcome in history), default=math.nan)
        again = self._again
        # What failed is repeated as it is, unless this arm is known not to be able to do it.
        if again is not None and again.number == number and not self.why_not(again.theta):
            known = Confined(again.theta, again.projected, again.moved_back)
            return known.trial(number, again.proposal, best_cost)
        proposal = self._proposal(number, history)
        confined = Confinement(self._steps, self.why_not).of(
            proposal.theta, [outcome.theta for outcome in history]
        )
        return confined.trial(number, proposal, best_cost)

    def _proposal(self, number: int, history: list[Outcome]) -> Proposal:
        if number == 0:
            rng = np.random.default_rng([self.config.seed, 0])
            theta = first_possible(self.task.space, rng, self.why_not)
            return Proposal(theta=theta, provenance="first attempt")
        try:
            return self._proposer.propose(history, self.config.seed, number)
        except BudgetSpent as exc:
            self._end("finished", str(exc))
            raise

    def change(self, theta: Array, by: str) -> Trial:
        """Note that a person had another theta ``(d,)`` executed in the trial under way.

        Raises:
            InvalidValue: outside the bounds.
            RuntimeError: no trial is under way.
        """
        pending = self._require_pending()
        proposal = replace(
            pending.proposal,
            provenance=OPERATOR,
            predicted_cost=math.nan,
            predicted_std=math.nan,
        )
        self._pending = replace(
            pending,
            theta=self.task.space.validate(theta),
            proposal=proposal,
            projected=False,
            note=f"{by} changed what {pending.proposal.provenance} proposed",
        )
        return self._pending

    # --- tell -------------------------------------------------------------------------------

    def followed(self, tracking: Tracking) -> None:
        """Note how the arm followed its last command in the trial under way, before its end."""
        self._pending = replace(self._require_pending(), tracking=tracking)

    def tell(self, trajectory: ObjectTrajectory, moving: float = math.nan) -> Trial:
        """Take the outcome of the trial under way; it is durable when this returns.

        Args:
            trajectory: of the object.
            moving: time of the arm's motions and of settling [s]; NaN = not known.

        Raises:
            ObservationMissing: the trajectory does not show what the task needs; the trial is
                still under way: call :meth:`unobserved`.
            StoreError: it cannot be written; the trial is still under way, this can be repeated.
        """
        pending = self._require_pending()
        error = self.task.error(trajectory, self.goal)
        cost = self.task.cost(error)
        if not (np.isfinite(error).all() and math.isfinite(cost)):
            raise ObservationMissing(f"trial {pending.number}: error or cost is not finite")
        trial = replace(
            self._ended(TrialStatus.DONE, ""),
            error=error,
            cost=cost,
            best_cost=float(np.fmin(cost, pending.best_cost)),
            moving=moving,
            trajectory=trajectory,
        )
        self._record(trial)
        self._again, self._unobserved = None, 0
        self._end_if_complete()
        return trial

    def unobserved(self, reason: str) -> bool:
        """Record that perception missed the trial under way; nothing is invented.

        Returns:
            True if :meth:`next` gives the same theta once more, False if the run has failed.
        """
        trial = self._ended(TrialStatus.UNOBSERVED, reason)
        self._record(trial)
        self._unobserved += 1
        self._again = trial
        if self._unobserved < UNOBSERVED_ATTEMPTS:
            return True
        self._end("failed", f"trial {trial.number} was unobserved twice: {reason}")
        return False

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
        self.store.release(self.run_id)

    # --- inside -----------------------------------------------------------------------------

    def _require_pending(self) -> Trial:
        if self._pending is None:
            raise RuntimeError(f"no trial of run {self.run_id} is under way: call next() first")
        return self._pending

    def _ended(self, status: TrialStatus, note: str) -> Trial:
        seconds = time.monotonic() - self._started
        pending = self._require_pending()
        notes = "; ".join(filter(None, (note, pending.note)))  # how it ended comes first
        return replace(pending, status=status, note=notes, seconds=seconds)

    def _record(self, trial: Trial) -> None:
        self.store.finish_trial(self.run_id, trial)
        self._note(trial)

    def _note(self, trial: Trial) -> None:
        self.trials = [t for t in self.trials if t.number != trial.number] + [trial]
        self._pending = None

    def _stop(self, status: TrialStatus, state: str, reason: str, hint: str = "") -> Trial | None:
        trial = None
        if self._pending is not None:
            stored = self.store.trials(self.run_id)[-1]
            if stored.status is TrialStatus.RUNNING:
                trial = self._ended(status, reason)
                self._record(trial)
            else:  # an interrupt came between the commit of its end and our note of it
                self._note(stored)
        if not self.finished:
            self._end(state, reason + (hint if trial is not None else ""))
        return trial

    def _end_if_complete(self) -> None:
        best, target = self.best, self.config.target_cost
        if best is not None and target > 0.0 and best.cost <= target:
            self._end("finished", f"target reached: {best.cost:.4g} m, at most {target:g} m asked")
        elif len(self.history) >= self.config.budget:
            self._end("finished", f"all {self.config.budget} trials used")

    def _end(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason
        self.store.set_state(self.run_id, state, reason)
        self.close()


def run_in_process(
    run: ImprovementRun,
    rollout: Callable[[Array], ObjectTrajectory],
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> None:
    """Drive a run to its end with a function instead of a robot.

    Args:
        run: new or resumed.
        rollout: theta ``(d,)`` to the object's trajectory; after ObservationMissing the trial
            is unobserved, after ExecutionCancelled the run cancelled, after any other IcpiError
            failed.
        on_trial: called with every trial after it is stored, unobserved ones included.

    Raises:
        StoreError: a trial cannot be written.
        KeyboardInterrupt: the run is cancelled if it came in ``rollout``; anywhere else the run
            stays open.  It can be resumed either way.
    """
    while not run.finished:
        try:
            trial = run.next()
        except BudgetSpent:
            return
        try:
            try:
                trajectory = rollout(trial.theta)
            except KeyboardInterrupt:
                run.cancel("interrupted by the user")
                raise
            run.tell(trajectory)
        except ObservationMissing as exc:
            run.unobserved(str(exc))
        except ExecutionCancelled as exc:
            run.cancel(str(exc))
        except StoreError:
            raise
        except IcpiError as exc:
            run.fail(str(exc))
        on_trial(run.trials[-1])
