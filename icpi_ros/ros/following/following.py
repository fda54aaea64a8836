"""Following motions: send one to the arm, watch it to its end, stop the arm.

Time limits of a motion are in the arm's own time (stamps of ``joint_states``), so that a slow
simulation is not mistaken for a stuck arm; that this time goes on at all is watched on the
steady clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import SECOND, Array, Tracking
from icpi_ros.motion.primitives import SAME_POSE, slow_move
from icpi_ros.motion.safety import CheckedTrajectory, SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports import arm_watch
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.arm_port import ArmPort
from icpi_ros.ros.arm_ports.gripper_port import GripperPort
from icpi_ros.ros.arm_ports.recorder_wait import RECORDER_LIMIT
from icpi_ros.ros.base.convert import ns_from_seconds
from icpi_ros.ros.following.answers import started, unreported
from icpi_ros.ros.following.letting_go import LettingGo
from icpi_ros.ros.following.memory import LastCommand
from icpi_ros.ros.following.planning import elsewhere
from icpi_ros.ros.following.prepared_stops import Leads
from icpi_ros.ros.following.rules import ExecutorSettings
from icpi_ros.ros.following.sending import RECENT, Running, path_start, sending
from icpi_ros.ros.following.stopping import Stopper
from icpi_ros.ros.following.trial_ended import Code, TrialEnded

Failure = Callable[[], TrialEnded]
MAX_CLOCK_STEP_BACK = 100_000_000
"""Largest step of the stamps backwards [ns]: what a busy network does."""


class MotionFollower:
    """Motions of one trial after another; used by one worker thread.

    :meth:`interrupt` alone may be called from any thread.

    Args:
        arm: that moves.
        gate: that every motion passes.
        port: the way to the arm.
        changed: notified at every news of arm and scene.
        settings: tolerances and deadlines.
        leads: what is measured of the way to the arm, kept from trial to trial.
        last: what the arm was last commanded, kept from trial to trial.
        gripper: that lets go in motions with a release; None = there is none.
    """

    def __init__(
        self,
        arm: Arm,
        gate: SafetyGate,
        port: ArmPort,
        changed: threading.Condition,
        settings: ExecutorSettings,
        leads: Leads | None = None,
        last: LastCommand | None = None,
        gripper: GripperPort | None = None,
    ) -> None:
        """Keep the parts; nothing moves yet."""
        self._arm, self.gate, self._port = arm, gate, port
        self._changed, self._settings = changed, settings
        timeout, limit = settings.joint_state_timeout, settings.stop_limit
        self._stopper = Stopper(port, gate, changed, timeout, limit, leads)
        self._last = last or LastCommand()
        self._gripper = gripper
        self._letting_go: LettingGo | None = None
        self.note = ""
        """One line about the release, for the record; empty = nothing was let go."""
        self._running: Running | None = None
        self._pending = self._unexplained = self._trial_id = ""
        self._interruption: TrialEnded | None = None
        self.sent = False
        """True once a motion was handed to the arm."""
        self.planned = 0.0
        """Planned time of all motions that were begun [s]."""
        self.tracking = Tracking()
        """Last command to the arm, and its largest distance from it [rad]."""

    def begin(self, trial_id: str) -> None:
        """Name the motions that follow after a trial."""
        self._trial_id = trial_id

    def interrupt(self, reason: TrialEnded) -> None:
        """End the trial for this reason at the next look, milliseconds later; the first counts."""
        if self._interruption is None:
            self._interruption = reason
        running = self._running
        try:
            self._call_off()
            if running is not None:  # first of all, in the thread of the caller
                self._stopper.fire(running, self._settings.tracking_tolerance, self._trial_id)
        finally:  # the worker stops the arm, whatever became of that
            with self._changed:
                self._changed.notify_all()

    def await_arm(self) -> None:
        """Wait for a joint state of the present; nothing moves yet, so a pause may end.

        Raises:
            TrialEnded: there is none within the reply limit, or none that can be used and
                believed; an arm without any state so far may be starting, and has the start limit.
        """
        known, timeout = self._port.state is not None, self._settings.joint_state_timeout
        limit = self._settings.reply_timeout if known else self._settings.start_timeout

        def trouble() -> str:
            return arm_watch.trouble(self._port, timeout, limit)

        def failure() -> TrialEnded:
            return TrialEnded(Code.ARM_SILENT, trouble() or "the arm was heard too late")

        self.wait_still(lambda: not trouble(), limit, failure)

    def wait_still(self, done: Callable[[], bool], limit: float, failure: Failure) -> None:
        """As :meth:`wait`, before anything moves: joint states may be missing meanwhile."""
        self._news(0.0)  # an interruption counts even where there is nothing to wait for
        self._until(done, limit, failure, self._news)

    def move_to(
        self, goal: Array, name: str, slower: float = 1.0, shown_from: Array | None = None
    ) -> None:
        """Go slowly to joint positions ``(n,)`` [rad], at ``slower`` times the usual speed.

        Args:
            goal: where to.
            name: for labels and reasons.
            slower: than usual.
            shown_from: ``(n,)`` [rad] where this move began when a person was shown it; from
                elsewhere it is another one.  None = no person was shown it.

        Raises:
            MotionRefused: as :meth:`follow`, or the arm is not where the move was shown from.
            TrialEnded: as :meth:`follow`.
        """
        self.await_controller()
        here = self._at_rest().q
        start = self._last.near(here)
        begin = here if start is None else start
        if shown_from is not None and (moved := elsewhere(self._arm.joints, begin, shown_from)):
            raise MotionRefused(replace(moved, text=f"{name}: {moved}"))
        # Also where the goal is not a number: that is refused.
        if start is None or not np.abs(goal - start).max() <= SAME_POSE:
            move = slow_move(self._arm, begin, goal, self._settings.speed_scale * slower)
            self.follow(move, name, joined=start is None)

    def follow(
        self,
        trajectory: JointTrajectory,
        name: str,
        on_start: Callable[[int], None] = lambda ns: None,
        joined: bool = False,
        release: float | None = None,
    ) -> int:
        """Send a motion, supervise it to its end, return the stamp of its start [ns].

        Args:
            trajectory: from rest to rest.
            name: for labels and reasons.
            on_start: called with the stamp of its start [ns].
            joined: it starts where the arm is measured, and what is commanded is not known: the
                controller goes over into it up to its second point.
            release: time in it at which the gripper lets go [s]; None = it stays as it is.

        Raises:
            MotionRefused: the gate refuses it.
            TrialEnded: the arm does not do it, or the trial was interrupted.
        """
        self.await_controller()
        state = self._at_rest()
        sent = sending(self._port, trajectory, joined)
        trajectory = sent.trajectory
        moment = None if release is None else release + sent.rest
        checked = self.gate.check(trajectory, state.q, moment)
        label = self._port.label(f"{self._trial_id}/{name}")
        self.planned += trajectory.duration
        if sent.stamp:  # planning took time, and a state may be old: its rest must lie ahead
            reply, recent = self._settings.reply_timeout, lambda: self._state.age <= RECENT
            self.wait(recent, reply, lambda: self._no_joint_state(RECENT))
            sent = sent.dated(self._state.ns)
        letting_go = self._letting_go = self._let_go(checked, label)
        self.look(0.0)  # where nothing was waited for, no look was taken
        self.sent = True
        self._last.set(None)
        self.tracking = Tracking(name)
        self._unexplained = label
        self._port.send(sent.command(checked, label))
        self._pending = label if self._port.answers else ""
        start = started(self._port, label, self.wait, self._settings.reply_timeout)
        self._pending = ""
        running = sent.running(start, self._port.exact(label))
        self._stopper.prepare(running)
        self._running = running
        if letting_go is not None:
            letting_go.follow(running)
        on_start(path_start(sent, running))
        watchdog = running.start + ns_from_seconds(1.2 * trajectory.duration + 0.5)
        end = running.start + ns_from_seconds(trajectory.duration)
        # One state per round: a newer one may come in the middle, and it may have arrived.
        latest = state.ns
        goal, near = trajectory.positions[-1], self._settings.goal_tolerance
        while not arm_watch.arrived(state := self._state, goal, end, near):
            latest = self._check_clock(state, latest)
            self._stopper.leads.observe(state.ns, state.arrival, self._port.pace)
            if (sharper := sent.sharper(running, self._port, label)) is not running:
                running = self._running = sharper
                self._stopper.prepare(running)
                if letting_go is not None:
                    letting_go.follow(running)
            self._stopper.passed(running)
            self._check_given_up(label)
            self._check_tracking(state, running, name)
            if letting_go is not None:
                letting_go.check()
            if state.ns > watchdog:
                where = arm_watch.distance(self._arm.joints, state, np.abs(state.q - goal))
                overdue = f"{name} is not at its end after 1.2 x its duration + 0.5 s: {where}"
                raise TrialEnded(Code.TRACKING_FAILED, overdue)
            self.look(0.05)
        self._running = None
        self._stopper.forget()
        # It stands where it should; its report has come late when simulated time ran ahead of it.
        reply = self._settings.reply_timeout
        self.wait(lambda: self._over(label), reply, lambda: unreported(name, reply))
        self._last.set(goal)
        if letting_go is not None:
            self.note, self._letting_go = letting_go.end(sent.rest, self.wait), None
        return path_start(sent, running)

    def _let_go(self, checked: CheckedTrajectory, label: str) -> LettingGo | None:
        """Return the release of a motion that is about to be sent; None = it has none."""
        if checked.release is None:
            return None
        found = LettingGo(self._gripper, checked, self._port, self._stopper.leads, self._settings)
        found.prepare(label, lambda: None if self._interruption else self._running, self.wait)
        return found

    def _call_off(self) -> None:
        """Keep the gripper closed if it is still to let go; from any thread."""
        if (letting_go := self._letting_go) is not None:
            letting_go.call_off()

    def await_controller(self) -> None:
        """Wait for the controller, which may come later than joint states, then for a recorder.

        Called before a motion is planned: without a controller an arm can be moved by hand, and
        what was planned from where it was would make it jump.
        """
        limit = self._settings.reply_timeout if self.sent else self._settings.start_timeout
        missing = TrialEnded(Code.ARM_SILENT, "nobody takes joint trajectories: is the arm up?")
        self.wait(lambda: self._port.controller_seen, limit, lambda: missing)
        late = limit if self.sent else limit + RECORDER_LIMIT
        self.wait(lambda: self._port.has_controller, late, lambda: missing)

    def _at_rest(self) -> ArmState:
        """Return where the arm stands; a motion that begins at rest would jerk a moving arm.

        Raises:
            TrialEnded: something else moves it, and goes on within the reply limit.
        """
        found: list[ArmState] = []

        def stands() -> bool:
            state = self._state  # once: a newer one may come in the middle
            found[:] = [state]
            return state.stands

        def refused() -> TrialEnded:
            if not found[0].has_velocity:
                return TrialEnded(Code.ARM_SILENT, arm_watch.no_velocity(self._port))
            moving = arm_watch.moving(self._arm.joints, found[0], self._settings.reply_timeout)
            return TrialEnded(Code.MOTION_REFUSED, moving)

        self.wait(stands, self._settings.reply_timeout, refused)
        return found[0]

    def _over(self, label: str) -> bool:
        """Tell whether the controller is done with a motion, as far as it answers."""
        self._check_given_up(label)
        return not self._port.answers or self._port.status(label, "done") is not None

    def _check_clock(self, state: ArmState, latest: int) -> int:
        """Return the latest stamp so far [ns]; end the trial if the arm's clock went back."""
        if latest - state.ns > MAX_CLOCK_STEP_BACK:
            self._running = None  # nothing is known of its time any more: it cannot be braked on
            back = f"went back by {(latest - state.ns) / SECOND:.3g} s"
            raise TrialEnded(Code.ARM_SILENT, f"the clock of joint_states {back}")
        return max(latest, state.ns)

    def _check_given_up(self, label: str) -> None:
        """End the trial if the controller gave the motion up."""
        status = self._port.status(label, "aborted", "cancelled", "replaced")
        if status is not None:
            if self._interruption is not None:
                raise self._interruption  # our own stop has replaced it
            self._running = None  # the controller holds by itself: there is nothing to brake
            self._unexplained = ""
            how = arm_watch.ended(status)
            raise TrialEnded(Code.ARM_FAILED, f"the controller ended the motion ({how})")

    @property
    def cause(self) -> str:
        """Reason that the controller gave for ending the last motion; empty = none, or reported."""
        return arm_watch.cause(self._port, self._unexplained)

    def _check_tracking(self, state: ArmState, running: Running, name: str) -> None:
        if state.ns < running.start:
            return
        aligned, off = running.aligned(state)
        joints, elapsed = self._arm.joints, aligned.elapsed(state.ns)
        self.tracking = arm_watch.worst(self.tracking, joints, off, elapsed)
        if off.max() > (allowed := self._settings.tracking_tolerance):
            where = f"{arm_watch.distance(joints, state, off)}, allowed {allowed:g} rad"
            raise TrialEnded(Code.TRACKING_FAILED, f"{name} left its path: {where}")

    def look(self, timeout: float) -> None:
        """Wait for news, at most ``timeout`` [s]; end if cancelled or without good states."""
        self._news(timeout)
        if doubt := self._port.doubt:
            raise TrialEnded(Code.ARM_SILENT, arm_watch.unknown(doubt))
        if self._port.state is not None and not arm_watch.is_recent(
            self._port, self._settings.joint_state_timeout
        ):
            raise self._no_joint_state(self._settings.joint_state_timeout)

    def _news(self, timeout: float) -> None:
        """Wait for news, at most ``timeout`` [s]; end if cancelled."""
        with self._changed:
            self._changed.wait(timeout)
        if self._interruption is not None:
            raise self._interruption

    def wait(self, done: Callable[[], bool], limit: float, failure: Failure) -> None:
        """Look again and again until ``done``, at most ``limit`` [s]; else raise ``failure``."""
        self._until(done, limit, failure, self.look)

    @staticmethod
    def _until(
        done: Callable[[], bool],
        limit: float,
        failure: Failure,
        look: Callable[[float], None],
    ) -> None:
        deadline = time.monotonic() + limit
        while not done():
            if time.monotonic() > deadline:
                raise failure()
            look(0.05)

    def stop_arm(self) -> bool:
        """Brake and wait until the arm stands; tell whether it was seen to."""
        self._call_off()
        running, self._running = self._running, None
        pending, self._pending = self._pending, ""
        if running is not None or pending:
            self.tracking = replace(self.tracking, motion=f"{self.tracking.motion}, then stopped")
        tolerance = self._settings.tracking_tolerance
        self._last.set(None)
        try:
            seen = self._stopper.stop(running, tolerance, self._trial_id, pending)
        except Exception:  # a fault of ours: the arm is at least commanded to hold
            self._port.hold(self._port.label(f"{self._trial_id}/hold"))
            raise
        finally:
            self._stopper.forget()
        self._last.set(self._stopper.rests_at if seen else None)
        return seen

    @property
    def next_start(self) -> Array:
        """Start of a slow move now ``(n,)`` [rad]: as commanded if known, or measured."""
        here = self._state.q
        commanded = self._last.near(here)
        return here if commanded is None else commanded

    @property
    def _state(self) -> ArmState:
        state = self._port.state
        if state is None:
            raise self._no_joint_state(self._settings.joint_state_timeout)
        return state

    @property
    def now(self) -> int:
        """The arm's time [ns]."""
        return self._port.state.ns if self._port.state is not None else 0

    def _no_joint_state(self, seconds: float) -> TrialEnded:
        return TrialEnded(Code.ARM_SILENT, arm_watch.missing_states(self._port, seconds))
