"""One motion of one trial, phase by phase, in a worker thread; supervised all the way.

Time limits of the motion are in the arm's own time (stamps of ``joint_states``), so that a slow
simulation is not mistaken for a stuck arm; that this time goes on at all is watched on the
steady clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import TrialWindow
from icpi_ros.arms.base import Arm
from icpi_ros.errors import IcpiError, MotionRefused
from icpi_ros.motion.primitive import point_to_point
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.nodes.arm_port import ArmPort, ArmState
from icpi_ros.nodes.convert import SECOND, ns_from_seconds
from icpi_ros.nodes.scene_port import ScenePort
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array

Code = ExecuteMotion.Result
Phase = ExecuteMotion.Feedback
DWELL = 0.3
"""Time to hold the end of a slow move, so that the servos' lag dies out [s]."""
LAG = 10.0
"""Longest steady time to wait for a perception that works, but behind the present [s]."""
STANDING = 20_000_000
"""An arm stands if it does so for this long of its own time [ns]."""


class TrialEnded(IcpiError):
    """The trial cannot go on: ``code`` is an error code of ExecuteMotion."""

    def __init__(self, code: int, message: str) -> None:
        """Keep the code and the reason."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Settings:
    """Tolerances and deadlines; all have safe defaults, none can be switched off.

    Attributes:
        speed_scale: share of the arm's limits for slow moves, 0 to 1.
        goal_tolerance: joint distance at which a move has arrived [rad].
        tracking_tolerance: largest joint distance from the motion under way [rad].
        silence: longest steady time without a joint state [s].
        blindness: longest steady time without an object state [s].
        reply: longest steady time for the controller or the scene to answer [s].
        stop_limit: longest steady time until a stopped arm stands [s].
    """

    speed_scale: float = 0.5
    goal_tolerance: float = 0.01
    tracking_tolerance: float = 0.1
    silence: float = 0.5
    blindness: float = 1.0
    reply: float = 2.0
    stop_limit: float = 2.0


@dataclass
class Report:
    """What happened: window [ns], planned motion and settling time [s]."""

    start: int = 0
    stop: int = 0
    motion: float = 0.0
    settling: float = 0.0


class TrialExecution:
    """Executes one theta; :meth:`run` is called once, in its own thread."""

    def __init__(
        self,
        task: Task,
        arm: Arm,
        ports: tuple[ArmPort, ScenePort],
        changed: threading.Condition,
        settings: Settings,
        on_phase: Callable[[int], None],
        on_problem: Callable[[str], None],
    ) -> None:
        """Keep the parts; nothing moves yet."""
        self._on_problem = on_problem
        self._task, self._arm = task, arm
        self._port, self._scene = ports
        self._changed, self._settings, self._on_phase = changed, settings, on_phase
        self._gate = SafetyGate(arm)
        self._cancelled = threading.Event()
        self._window_open = False
        self._sent = False
        self._trial_id = ""
        self.report = Report()

    def cancel(self) -> None:
        """End the trial at the next look, at most some milliseconds later; from any thread."""
        self._cancelled.set()
        with self._changed:
            self._changed.notify_all()

    def run(self, trial_id: str, theta: Array) -> Report:
        """Execute all phases and return when the object rests or the time limit is reached.

        Raises:
            TrialEnded: refused, failed or cancelled; the window is aborted and the arm stands,
                or the message says that it was not seen to.
        """
        self._trial_id = trial_id
        try:
            self._phases(theta)
        except MotionRefused as exc:
            raise TrialEnded(Code.MOTION_REFUSED, str(exc) + self._give_up()) from exc
        except TrialEnded as exc:
            raise TrialEnded(exc.code, str(exc) + self._give_up()) from exc
        except BaseException:
            self._give_up()
            raise
        return self.report

    def _phases(self, theta: Array) -> None:
        motion = self._task.motion(theta, self._arm)
        # The whole stroke is checked before anything moves, and again at its start.
        self._gate.check(motion.stroke, motion.start)
        self._wait(lambda: self._port.state is not None, self._settings.reply, self._silent)
        self._look(0.0)  # a state from before the arm fell silent would pass for the present
        self._on_phase(Phase.RETREATING)
        self._move_to(motion.ready, "retreat")
        self._on_phase(Phase.RESETTING)
        self._reset_scene()
        self._on_phase(Phase.APPROACHING)
        self._move_to(motion.start, "approach")
        self._require_sight(self.now)
        self._on_phase(Phase.STROKING)
        end = self._stroke(motion.stroke)
        self._on_phase(Phase.SETTLING)
        self._settle(end)

    # --- phases ---------------------------------------------------------------------------

    def _move_to(self, goal: Array, name: str) -> None:
        here = self._state.q
        if not np.abs(goal - here).max() <= 1e-3:  # also where it is not a number: refused
            scale = self._settings.speed_scale
            self._follow(point_to_point(self._arm, here, goal, scale, DWELL), name)

    def _reset_scene(self) -> None:
        failed, limit = Code.RESET_FAILED, self._settings.reply

        def missing() -> TrialEnded:
            return TrialEnded(failed, f"nobody serves reset_scene: waited {limit:g} s")

        def silent() -> TrialEnded:
            for future in futures:
                self._scene.forget(future)
            return TrialEnded(failed, f"reset_scene did not answer within {limit:g} s")

        self._wait(lambda: self._scene.can_reset, limit, missing)
        futures = [self._scene.reset(self._trial_id)]
        asked = time.monotonic()

        def answered() -> bool:
            if len(futures) == 1 and time.monotonic() - asked > 0.5 * limit:
                futures.append(self._scene.reset(self._trial_id))  # the reply may have got lost
            return any(future.done() for future in futures)

        self._wait(answered, limit, silent)
        answer = next(future.result() for future in futures if future.done())
        if not answer.success:
            raise TrialEnded(failed, f"the scene could not be reset: {answer.message}")

    def _stroke(self, stroke: JointTrajectory) -> int:
        """Run the stroke with the window open; return the stamp of its end [ns]."""
        rule = self._task.rest

        def open_window(start: int) -> None:
            self.report.start = start
            self._window_open = True
            samples = int(np.ceil(stroke.duration / rule.period - 1e-9)) + rule.samples
            # The rest rule looks back one window: as in rollouts, all of it after the stroke.
            self._scene.watch_rest(start + samples * ns_from_seconds(rule.period))
            self._announce(TrialWindow.OPEN)

        start = self._follow(stroke, "stroke", open_window)
        return start + ns_from_seconds(stroke.duration)

    def _settle(self, stroke_end: int) -> None:
        limit = self.report.start + ns_from_seconds(self._task.max_duration)
        while self._scene.rest is None and not (self._scene.seen and self._scene.seen.ns >= limit):
            self._look(0.05)
            self._check_sight()
        rest = self._scene.rest
        self.report.stop = rest.ns if rest is not None and rest.ns < limit else limit
        self.report.settling = max(0, self.report.stop - stroke_end) / SECOND
        self._announce(TrialWindow.CLOSED, self.report.stop)
        self._window_open = False

    # --- following a motion ---------------------------------------------------------------

    def _follow(
        self,
        trajectory: JointTrajectory,
        name: str,
        on_start: Callable[[int], None] = lambda ns: None,
    ) -> int:
        """Send a motion, supervise it to its end, return the stamp of its start [ns]."""
        checked = self._gate.check(trajectory, self._state.q)
        self._sent = True
        label = self._port.label(f"{self._trial_id}/{name}")
        self.report.motion += trajectory.duration
        if self._cancelled.is_set():
            raise self._cancellation()
        self._wait(lambda: self._port.has_controller, self._settings.reply, self._no_controller)
        self._port.send(checked, label)
        start = self._started(label)
        on_start(start)
        watchdog = start + ns_from_seconds(1.2 * trajectory.duration + 0.5)
        end = start + ns_from_seconds(trajectory.duration)
        # One state per round: a newer one may come in the middle, and it may have arrived.
        while not self._arrived(state := self._state, trajectory, end):
            self._check_tracking(state, trajectory, start, name)
            if state.ns > watchdog:
                raise TrialEnded(
                    Code.TRACKING_FAILED,
                    f"{name} is not at its end after {1.2 * trajectory.duration + 0.5:.2f} s "
                    f"(1.2 x its duration + 0.5 s): "
                    f"{self._distance(state, trajectory.positions[-1])}",
                )
            self._look(0.05)
        return start

    def _started(self, label: str) -> int:
        """Wait until the controller has taken the motion; return the stamp of its start."""
        if not self._port.reports_status:
            return self.now  # a real controller: it starts on receipt
        reply = self._settings.reply

        def unanswered() -> TrialEnded:
            return TrialEnded(Code.ARM_SILENT, f"the controller took no motion within {reply:g} s")

        def answered() -> bool:
            return self._port.status(label, "accepted", "rejected") is not None

        self._wait(answered, reply, unanswered)
        status = self._port.status(label, "accepted", "rejected")
        if status is None or status.state == "rejected":
            reason = status.reason if status is not None else "no reason given"
            raise TrialEnded(Code.MOTION_REFUSED, f"the arm rejected the motion: {reason}")
        return status.ns

    def _arrived(self, state: ArmState, trajectory: JointTrajectory, end: int) -> bool:
        off = np.abs(state.q - trajectory.positions[-1]).max()
        return bool(state.ns >= end and off < self._settings.goal_tolerance and state.stands)

    def _check_tracking(
        self, state: ArmState, trajectory: JointTrajectory, start: int, name: str
    ) -> None:
        if state.ns < start:
            return
        wanted, _, _ = trajectory.sample(np.array([(state.ns - start) / SECOND]))
        if np.abs(state.q - wanted[0]).max() > self._settings.tracking_tolerance:
            raise TrialEnded(
                Code.TRACKING_FAILED,
                f"{name} left its path: {self._distance(state, wanted[0])}, "
                f"allowed {self._settings.tracking_tolerance:g} rad",
            )

    def _distance(self, state: ArmState, wanted: Array) -> str:
        off = np.abs(state.q - wanted)
        worst = int(np.argmax(off))
        speed = float(np.abs(state.qd).max())
        return f"{self._arm.joints[worst]} is {off[worst]:.4f} rad away at {speed:.3f} rad/s"

    # --- waiting and watching -------------------------------------------------------------

    def _look(self, timeout: float) -> None:
        """Wait for news, at most ``timeout`` [s]; end if cancelled or the arm is silent."""
        with self._changed:
            self._changed.wait(timeout)
        if self._cancelled.is_set():
            raise self._cancellation()
        state = self._port.state
        if state is not None and time.monotonic() - state.arrival > self._settings.silence:
            raise self._silent()

    def _wait(
        self, done: Callable[[], bool], limit: float, failure: Callable[[], TrialEnded]
    ) -> None:
        deadline = time.monotonic() + limit
        while not done():
            if time.monotonic() > deadline:
                raise failure()
            self._look(0.05)

    def _require_sight(self, since: int) -> None:
        """Never strike blind: a state of the object that is newer than ``since`` is needed."""
        begin = time.monotonic()
        while self._scene.seen is None or self._scene.seen.ns < since:
            self._look(0.05)
            self._check_sight(begin)
            if time.monotonic() - begin > LAG:
                raise TrialEnded(
                    Code.PERCEPTION_SILENT, f"perception lags behind by more than {LAG:g} s"
                )

    def _check_sight(self, begin: float = 0.0) -> None:
        """End if nothing was seen for too long, counted from ``begin`` [s, steady] at the most."""
        seen = self._scene.seen
        last = begin if seen is None else max(begin, seen.arrival)
        if time.monotonic() - last > self._settings.blindness:
            raise self._blind()

    def _give_up(self) -> str:
        """Stop the arm, abort the window; return what is to be added to the reason."""
        self._on_phase(Phase.STOPPING)
        more = ""
        if self._sent and not self.stop_arm():
            more = "; the arm was stopped, but it was not seen to stand"
            self._on_problem(more.removeprefix("; "))
        if self._window_open:
            self._window_open = False
            self._announce(TrialWindow.ABORTED, self.now)
        return more

    def stop_arm(self) -> bool:
        """Brake and wait until the arm stands; tell whether it does."""
        label = self._port.label(f"{self._trial_id}/stop")
        reports = self._port.reports_status
        self._port.stop(label)
        deadline = time.monotonic() + self._settings.stop_limit
        since: int | None = None
        while time.monotonic() < deadline:
            with self._changed:
                self._changed.wait(0.05)
            state = self._port.state
            if state is None or time.monotonic() - state.arrival > self._settings.silence:
                return False  # nobody is left who could say that it stands
            braking = not reports or self._port.status(label, "stopped") is not None
            if not braking or not state.stands:
                since = None
            elif since is None:
                since = state.ns
            elif state.ns - since >= STANDING:  # one sample could be a turning point
                return True
        return False

    def _announce(self, state: int, stop: int = 0) -> None:
        self._scene.window(state, self._trial_id, self._task.name, self.report.start, stop)

    @property
    def _state(self) -> ArmState:
        state = self._port.state
        if state is None:
            raise self._silent()
        return state

    @property
    def now(self) -> int:
        """The arm's time [ns]."""
        return self._port.state.ns if self._port.state is not None else 0

    def _cancellation(self) -> TrialEnded:
        return TrialEnded(Code.CANCELLED, "cancelled by the client")

    def _silent(self) -> TrialEnded:
        return TrialEnded(
            Code.ARM_SILENT,
            f"no joint state for {self._settings.silence:g} s: is the arm's driver running?",
        )

    def _no_controller(self) -> TrialEnded:
        return TrialEnded(Code.ARM_SILENT, "nobody takes joint trajectories: is the arm up?")

    def _blind(self) -> TrialEnded:
        return TrialEnded(
            Code.PERCEPTION_SILENT,
            f"no object state for {self._settings.blindness:g} s: is perception running?",
        )
