"""One trial, phase by phase, in a worker thread; see :mod:`icpi_ros.ros.following.following`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import Proposal, TrialWindow
from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import SECOND, Array, Tracking
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.ros.arm_ports.controller_inquiry import ANSWER, ControllerInquiry
from icpi_ros.ros.arm_ports.gripper_port import GripperPort
from icpi_ros.ros.base.convert import ns_from_seconds, to_ns
from icpi_ros.ros.base.serving import ActionServers
from icpi_ros.ros.executor.approval import Approval
from icpi_ros.ros.executor.gripping import close, require
from icpi_ros.ros.executor.scene_port import ObjectSighting, ScenePort
from icpi_ros.ros.following.following import MotionFollower
from icpi_ros.ros.following.memory import RunMemory
from icpi_ros.ros.following.planning import (
    APPROACH,
    REHEARSAL,
    RETREAT,
    STROKE,
    MotionPlan,
    Planner,
)
from icpi_ros.ros.following.rules import ExecutorRules, ExecutorSettings
from icpi_ros.ros.following.trial_ended import GoalRejected, TrialEnded
from icpi_ros.tasks.base import Task

Code = ExecuteMotion.Result
Phase = ExecuteMotion.Feedback
MAX_LAG = 10.0
"""Longest steady time to wait for a perception that works, but behind the present [s]."""
MAX_SCENE_QUESTIONS = 20
"""Times that a person is asked to put the same scene back."""


@dataclass
class Report:
    """Report of a trial: window [ns], planned motion and settling time [s], theta and who chose it.

    ``tracking``: the last command to the arm, and how it followed.  ``note``: of the release.
    """

    start: int = 0
    stop: int = 0
    motion: float = 0.0
    settling: float = 0.0
    theta: Array = field(default_factory=lambda: np.empty(0))
    decided_by: str = ""
    tracking: Tracking = field(default_factory=Tracking)
    note: str = ""


@dataclass(frozen=True)
class Guard:
    """Safeguards between a theta and the arm: rules, memory, planner, approval, its controller.

    ``servers``: of the action itself; a second one would move the arm too.  ``gripper``: of a
    task that lets go, as far as there is one.
    """

    rules: ExecutorRules
    memory: RunMemory
    planner: Planner
    approval: Approval
    controller: ControllerInquiry
    servers: ActionServers
    gripper: GripperPort | None = None


def stopped(release: str) -> TrialEnded:
    """Return the end of a trial by the software stop; ``release``: what lets motions pass again."""
    return TrialEnded(Code.STOPPED, f"the software stop was pressed: release it with {release}")


class TrialExecution:
    """Execution of one theta; :meth:`run` is called once, in its own thread."""

    def __init__(
        self,
        task: Task,
        follower: MotionFollower,
        scene: ScenePort,
        guard: Guard,
        settings: ExecutorSettings,
        on_phase: Callable[[int], None],
        on_problem: Callable[[str], None],
    ) -> None:
        """Keep the parts; nothing moves yet."""
        self._on_problem = on_problem
        self._task, self._follower, self._scene, self._guard = task, follower, scene, guard
        self._settings, self._on_phase = settings, on_phase
        self._window_open = False
        self._trial_id = ""
        self.report = Report()

    def cancel(self) -> None:
        """End the trial at the next look, at most some milliseconds later; from any thread."""
        self._follower.interrupt(TrialEnded(Code.CANCELLED, "cancelled by the client"))

    def stop(self, release: str) -> None:
        """The same because of the software stop; ``release``: see :func:`stopped`."""
        self._follower.interrupt(stopped(release))

    @property
    def has_moved(self) -> bool:
        """True once a motion was handed to the arm."""
        return self._follower.sent

    def run(self, trial_id: str, theta: Array, proposal: Proposal) -> Report:
        """Execute all phases and return when the object rests or the time limit is reached.

        Args:
            trial_id: names windows and motions.
            theta: ``(d,)`` inside the task's bounds.
            proposal: where theta comes from.

        Raises:
            TrialEnded: refused, failed or cancelled; the window is aborted and the arm stands,
                or the message reports that it was not seen to.
        """
        self._trial_id = trial_id
        self._follower.begin(trial_id)
        try:
            self._phases(theta, proposal)
        except MotionRefused as exc:
            end = self._give_up()
            refusal = replace(exc.refusal, text=str(exc) + end)
            raise TrialEnded(Code.MOTION_REFUSED, refusal) from exc
        except TrialEnded as exc:
            text = str(exc) + self._give_up() + self._behind(exc)
            raise TrialEnded(exc.code, replace(exc.refusal, text=text)) from exc
        except BaseException:
            self._give_up()
            raise
        finally:
            self.report.motion = self._follower.planned
            self.report.tracking = self._follower.tracking
            self.report.note = self._follower.note
        return self.report

    def _phases(self, theta: Array, proposal: Proposal) -> None:
        plan = self._agreed(self._guard.planner.plan(theta, proposal.run_id), proposal)
        motion = plan.motion
        self._begin(Phase.RETREATING)
        self._follower.move_to(motion.ready, RETREAT, plan.slow_scale, plan.begin)
        if plan.rehearsal is not None:
            self._rehearse(plan, plan.rehearsal)
        self._on_phase(Phase.RESETTING)
        if self._guard.rules.operator_resets:
            self._ask_for_scene()
        else:
            self._reset_scene()
        if motion.release is not None:
            close(self._guard.gripper, self._follower, self._settings.reply_timeout)
        self._begin(Phase.APPROACHING)
        self._follower.move_to(motion.start, APPROACH, plan.slow_scale, plan.starts(motion.ready))
        self._require_sight(self._follower.now)
        self._begin(Phase.STROKING)
        end = self._stroke(plan, proposal.run_id)
        self._on_phase(Phase.SETTLING)
        self._settle(end)

    def _begin(self, phase: int) -> None:
        """Go on to a phase in which the arm moves."""
        self._require_alone()
        self._on_phase(phase)

    def _require_alone(self) -> None:
        """End the trial if another node obeys the same goal: both would move the arm."""
        if doubt := self._guard.servers.doubt:
            raise TrialEnded(Code.MOTION_REFUSED, doubt)

    def _agreed(self, plan: MotionPlan, proposal: Proposal) -> MotionPlan:
        """Return the plan that may be executed."""
        self._follower.wait_still(
            lambda: self._scene.is_published, self._settings.start_timeout, self._no_perception
        )
        self._follower.await_arm()
        self._require_alone()  # before a person is asked
        self._require_controller()
        if plan.motion.release is not None and not self._guard.rules.dry_run:
            require(self._guard.gripper, self._follower, self._settings.start_timeout)
        if self._guard.rules.approval:
            self._on_phase(Phase.WAITING)
            plan = self._guard.approval.of(plan, self._trial_id, proposal, self._follower)
        self.report.theta, self.report.decided_by = plan.theta, plan.decided_by
        if self._guard.rules.dry_run:
            raise self._passed(plan)
        return plan

    def _passed(self, plan: MotionPlan) -> TrialEnded:
        """Return the end of a dry run; its slow motions are checked where no person saw them."""
        if not plan.shown:
            plan = self._guard.planner.shown(plan, self._follower.next_start)
        *slow, stroke = plan.shown
        lines = [f"{one.label} {one.summary.brief()}" for one in slow]
        text = "; ".join([", ".join(stroke.summary.lines()), *dict.fromkeys(lines)])
        return TrialEnded(
            Code.DRY_RUN, f"dry run: nothing moved; the motion passed all checks: {text}"
        )

    def _require_controller(self) -> None:
        """End the trial if the controller is not set up as a motion needs it.

        In a dry run whatever answers is checked: there may be no controller yet.
        """
        if not self._guard.rules.dry_run:
            self._follower.await_controller()
        inquiry = self._guard.controller
        inquiry.begin()
        overdue = TrialEnded(Code.ARM_SILENT, "the controller's answers were waited for too long")
        self._follower.wait_still(inquiry.done, 2.0 * ANSWER, lambda: overdue)
        if reason := inquiry.refusal():
            raise TrialEnded(Code.MOTION_REFUSED, reason)

    def _behind(self, ended: TrialEnded) -> str:
        """Return what may be behind a rejection that the controller did not explain."""
        if not isinstance(ended, GoalRejected) or ended.explained:
            return ""
        return f"; {self._guard.controller.explain_rejection()}"

    def _rehearse(self, plan: MotionPlan, slow: JointTrajectory) -> None:
        """Go through the stroke slowly and back, before the scene is put back."""
        self._begin(Phase.REHEARSING)
        ready, start, slower = plan.motion.ready, plan.motion.start, plan.slow_scale
        self._follower.move_to(start, APPROACH, slower, plan.starts(ready))
        self._require_alone()
        self._follower.follow(slow, REHEARSAL)
        self._require_alone()
        self._follower.move_to(ready, RETREAT, slower, plan.starts(slow.positions[-1]))

    # --- phases ---------------------------------------------------------------------------

    def _ask_for_scene(self) -> None:
        """Have a person put the scene back, until perception sees it in its place."""
        remark = ""
        for _ in range(MAX_SCENE_QUESTIONS):
            self._guard.approval.scene_is_back(self._trial_id, self._follower, remark)
            since = self._follower.now
            if self._scene.can_reset:  # a simulation, where no person can
                since = max(since, self._reset_scene() + 1)
            seen = self._require_sight(since)
            remark = self._task.misplaced(seen.position)
            if not remark:
                return
        raise TrialEnded(Code.RESET_FAILED, f"the scene is not back: {remark}")

    def _reset_scene(self) -> int:
        """Have the scene put back; return when it was [ns]."""
        failed, limit = Code.RESET_FAILED, self._settings.reply_timeout

        def missing() -> TrialEnded:
            return TrialEnded(failed, f"nobody serves reset_scene: waited {limit:g} s")

        def unanswered() -> TrialEnded:
            for future in futures:
                self._scene.forget(future)
            return TrialEnded(failed, f"reset_scene did not answer within {limit:g} s")

        self._follower.wait(lambda: self._scene.can_reset, limit, missing)
        futures = [self._scene.reset(self._trial_id)]
        asked = time.monotonic()

        def answered() -> bool:
            if len(futures) == 1 and time.monotonic() - asked > 0.5 * limit:
                futures.append(self._scene.reset(self._trial_id))  # the reply may have got lost
            return any(future.done() for future in futures)

        self._follower.wait(answered, limit, unanswered)
        answer = next(future.result() for future in futures if future.done())
        if not answer.success:
            raise TrialEnded(failed, f"the scene could not be reset: {answer.message}")
        return to_ns(answer.stamp)

    def _stroke(self, plan: MotionPlan, run_id: str) -> int:
        """Run the stroke with the window open; return the stamp of its end [ns]."""
        rule, stroke = self._task.rest, plan.motion.trajectory

        def open_window(start: int) -> None:
            self._guard.memory.add(run_id, plan.theta)  # a strike that was refused is none
            self.report.start = start
            self._window_open = True
            samples = int(np.ceil(stroke.duration / rule.period - 1e-9)) + rule.samples
            # The rest rule looks back one window: as in rollouts, all of it after the stroke.
            self._scene.watch_rest(start + samples * ns_from_seconds(rule.period))
            self._announce(TrialWindow.OPEN)

        release = plan.motion.release
        if plan.shown and plan.shown[-1].summary.release_time != release:
            raise MotionRefused(Refusal("the release is another than was shown", Kind.START))
        start = self._follower.follow(stroke, STROKE, open_window, release=release)
        return start + ns_from_seconds(stroke.duration)

    def _settle(self, stroke_end: int) -> None:
        limit = self.report.start + ns_from_seconds(self._task.max_duration)
        while self._scene.rest is None and not (self._scene.seen and self._scene.seen.ns >= limit):
            self._follower.look(0.05)
            self._check_sight()
        rest = self._scene.rest
        self.report.stop = rest.ns if rest is not None and rest.ns < limit else limit
        self.report.settling = max(0, self.report.stop - stroke_end) / SECOND
        self._announce(TrialWindow.CLOSED, self.report.stop)
        self._window_open = False

    # --- watching -------------------------------------------------------------------------

    def _require_sight(self, since: int) -> ObjectSighting:
        """Return a state of the object that is newer than ``since``: never strike blind."""
        begin = time.monotonic()
        while (seen := self._scene.seen) is None or seen.ns < since:
            self._follower.look(0.05)
            self._check_sight(begin)
            if time.monotonic() - begin > MAX_LAG:
                raise TrialEnded(
                    Code.PERCEPTION_SILENT, f"perception lags behind by more than {MAX_LAG:g} s"
                )
        return seen

    def _check_sight(self, begin: float = 0.0) -> None:
        """End if nothing was seen for too long, counted from ``begin`` [s, steady] at the most."""
        seen = self._scene.seen
        last = begin if seen is None else max(begin, seen.arrival)
        if time.monotonic() - last > self._settings.object_state_timeout:
            raise self._no_object_state()

    def _give_up(self) -> str:
        """Stop the arm, abort the window; return what is to be added to the reason."""
        try:
            self._on_phase(Phase.STOPPING)
        finally:  # the arm is stopped even if no feedback can be sent
            try:
                more = self._stop_arm()
            finally:  # and its window is aborted even if that failed
                if self._window_open:
                    self._window_open = False
                    self._announce(TrialWindow.ABORTED, self._follower.now)
        return self._follower.cause + more

    def _stop_arm(self) -> str:
        if not self._follower.sent or self._follower.stop_arm():
            return ""
        unseen = "the arm was stopped, but it was not seen to stand"
        self._on_problem(unseen)
        return f"; {unseen}"

    def _announce(self, state: int, stop: int = 0) -> None:
        self._scene.window(state, self._trial_id, self._task.name, self.report.start, stop)

    def _no_perception(self) -> TrialEnded:
        limit = self._settings.start_timeout
        return TrialEnded(
            Code.PERCEPTION_SILENT, f"nobody tells object_state: waited {limit:g} s for perception"
        )

    def _no_object_state(self) -> TrialEnded:
        why = self._scene.unseen or (
            "perception is not running, or it sees no object; `icpi status` tells which"
        )
        limit = self._settings.object_state_timeout
        return TrialEnded(Code.PERCEPTION_SILENT, f"no object state for {limit:g} s: {why}")
