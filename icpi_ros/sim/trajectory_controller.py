"""Joint trajectory controller of ros2_control in lock-step, with the faults of the real one.

A model of joint_trajectory_controller 4.42 (Jazzy) with a position command interface, written
from its documentation and from reading its sources.  What matters for the smoothness of commands:

- An update at time t commands the trajectory's point for t + T, T being the period, and remembers
  that point as if it belonged to t.
- A trajectory that has begun at its first update is *sampled*: the command goes straight to it.
- One that has not is *joined* by one polynomial from a state to its first point.  With
  ``interpolate_from_desired_state`` that is the remembered command, one period old: the first
  command after a join makes a double step.  Without it, the default, it is the measured state:
  the command falls back by what the servos lag behind.
- Late and far starts are taken as they are: nothing is checked against limits.
- A cancelled or aborted goal makes the command jump to the measured position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import SECOND, Array
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.sim.controller_orders import (
    Event,
    MotionState,
    MotionTolerances,
    Order,
    Tolerance,
    check_order,
)

SAME_COMMAND = 1e-7
"""Commands that differ by less are the same [rad]."""


@dataclass(frozen=True)
class ControllerOptions:
    """Parameters of the controller, by its own names; the defaults are its own.

    Attributes:
        rate: updates per second [Hz].
        interpolate_from_desired_state: join from the last command, not from the measured state.
        max_deceleration_on_cancel: ``(n,)`` [rad/s^2] of the ramp after a cancel; empty = no
            ramp, the parameter ``decelerate_on_cancel`` is false.
        constraints: tolerances of a trajectory that brings none.
        action_monitor_rate: how often the end of a goal is reported [Hz].
    """

    rate: float = 500.0
    interpolate_from_desired_state: bool = False
    max_deceleration_on_cancel: Array = field(default_factory=lambda: np.empty(0))
    constraints: MotionTolerances = field(default_factory=MotionTolerances)
    action_monitor_rate: float = 20.0

    @property
    def period_ns(self) -> int:
        """Time between two updates [ns]."""
        return round(SECOND / self.rate)


@dataclass(frozen=True)
class JointCommand:
    """Position [rad], velocity [rad/s], acceleration [rad/s^2] of all joints, each ``(n,)``."""

    q: Array
    qd: Array
    qdd: Array


class TrajectoryController:
    """One controller; used by one thread.  Trajectories take effect at the next update.

    Args:
        joints: names of the ``n`` joints.
        q: ``(n,)`` measured positions when the controller is activated [rad]; held at first.
        options: its parameters.
    """

    def __init__(self, joints: Sequence[str], q: Array, options: ControllerOptions) -> None:
        """Hold the position."""
        self._joints, self._options = tuple(joints), options
        self._rest = np.zeros_like(q)
        self._tolerances = options.constraints
        self._goal = ""
        self._waiting: Order | None = None
        self._measured = JointCommand(q, self._rest, self._rest)
        self._last_ns = self._start_ns = self._end_ns = 0
        self._q, self._qd, self._qdd = q[np.newaxis], self._rest[np.newaxis], self._rest[np.newaxis]
        self._index, self._label, self._over, self._holding = 0, "", True, True
        self._row = -1
        self._path = JointTrajectory(self._joints, np.zeros(1), self._q, self._qd, self._qdd)
        self.command = self.wanted = self._sample(0)
        """State that is commanded, and state that was desired, at the last update."""
        self.active = True
        """False: goals are rejected and trajectories ignored."""

    # --- goals and trajectories ------------------------------------------------------------

    def take(self, order: Order, now_ns: int) -> tuple[Event, ...]:
        """Take a trajectory at ``now_ns`` of the controller's clock; return the ends of others.

        A goal of the action preempts the goal under way.  A trajectory that came on the topic
        leaves it active, and it ends with *this* trajectory.

        Raises:
            MotionRefused: it is rejected.
        """
        if not self.active:
            raise MotionRefused(Refusal("the controller is not active", Kind.INACTIVE))
        check_order(order, now_ns)
        replaced = [] if self._over else [self._label]
        if self._waiting is not None:
            replaced.append(self._waiting.label)
        if order.goal:
            replaced += [self._goal] if self._goal and self._goal not in replaced else []
            self._goal = order.label
            self._tolerances = order.tolerances
        self._waiting, self._holding = order, False
        reason = "another motion came"
        return tuple(
            Event(label, MotionState.REPLACED, now_ns, reason)
            for label in replaced
            if label and (order.goal or label != self._goal)
        )

    def cancel(self, now_ns: int, label: str = "") -> tuple[Event, ...]:
        """Cancel the goal under way if it is ``label``, empty = whatever it is.

        A trajectory that came on the topic is no goal: it goes on.
        """
        if not self._goal or label not in ("", self._goal):
            return ()
        goal, self._goal = self._goal, ""
        waiting = self._waiting  # the hold takes the place of whatever came since the last update
        self._give_up()
        events = [Event(goal, MotionState.CANCELLED, now_ns)]
        if waiting is not None and waiting.label not in ("", goal):
            reason = "a goal was cancelled"
            events.append(Event(waiting.label, MotionState.REPLACED, now_ns, reason))
        return tuple(events)

    def abort(
        self, now_ns: int, reason: str, violated: Tolerance = Tolerance.NONE
    ) -> tuple[Event, ...]:
        """Give up whatever is under way, as after a violated tolerance."""
        labels = [] if self._over else [self._label]
        labels += [self._goal] if self._goal and self._goal not in labels else []
        self._goal = ""
        self._give_up()
        state = MotionState.ABORTED
        return tuple(
            Event(label, state, now_ns, reason, violated=violated) for label in labels if label
        )

    # --- the update -----------------------------------------------------------------------

    def update(self, ns: int, q: Array, qd: Array) -> tuple[JointCommand, tuple[Event, ...]]:
        """Return the command for one period after ``ns``, and the events of motions.

        Args:
            ns: time of the update [ns], one period after the last.
            q: ``(n,)`` measured positions [rad].
            qd: ``(n,)`` measured velocities [rad/s].
        """
        self._measured = JointCommand(q, qd, self._rest)
        events: list[Event] = []
        first = self._waiting is not None
        if self._waiting is not None:
            order, self._waiting = self._waiting, None
            due = self._load(order, ns)
            if order.label:
                state = MotionState.ACCEPTED
                events.append(Event(order.label, state, self._start_ns, due_ns=due, taken_ns=ns))
        desired, following = self._sample(self._index), self._sample(self._index + 1)
        self._index += 1
        trouble = self._supervise(ns, first, desired.q, events)
        if not trouble:
            self.command, self._last_ns = following, ns
        self.wanted = desired
        return self.command, tuple(events)

    @property
    def moving(self) -> bool:
        """True while a trajectory is under way or waits for its update."""
        return self._waiting is not None or self._index + 1 < len(self._q)

    @property
    def path(self) -> JointTrajectory:
        """The trajectory under way, with what it was joined from; see :meth:`elapsed`."""
        return self._path

    @property
    def start_ns(self) -> int:
        """Start of the trajectory under way on the controller's clock [ns]."""
        return self._start_ns

    def elapsed(self, ns: int) -> float:
        """Return the time of the trajectory under way at ``ns`` [s]."""
        return (ns - self._start_ns) / SECOND

    # --- inside ---------------------------------------------------------------------------

    def _supervise(self, ns: int, first: bool, desired: Array, events: list[Event]) -> bool:
        """Check the tolerances; return whether one is violated, which leaves the command alone."""
        at_end = self._index >= len(self._q) - 1
        if self._holding or self._over:
            return False
        off = np.abs(desired - self._measured.q)
        path = self._tolerances.off_path(off, self._joints) if not at_end or first else ""
        if path:
            events.extend(self.abort(ns, path, Tolerance.PATH))
            return True
        if not at_end:
            return False
        if not self._tolerances.off_goal(off):
            self._over = True
            done = self._goal or self._label
            self._goal = ""
            # A goal that a topic's trajectory brought to its end has succeeded as well.
            labels = (done,) if done == self._label else (self._label, done)
            events.extend(Event(label, MotionState.DONE, ns) for label in labels if label)
            return False
        late = (ns - self._end_ns) / SECOND
        if not 0.0 < self._tolerances.goal_time < late:
            return False
        worst = int(np.argmax(off))
        reason = f"{self._joints[worst]} is {off[worst]:.4f} rad from the goal"
        reason += f" {self._tolerances.goal_time:g} s after it"
        events.extend(self.abort(ns, reason, Tolerance.GOAL))
        return True

    def _load(self, order: Order, ns: int) -> int:
        """Sample a trajectory at all updates to come, joined if it has not begun.

        Returns the time of the first command that differs from the one before [ns].
        """
        before = self._q[min(self._index, len(self._q) - 1) :]
        path = order.trajectory
        self._label, self._over = order.label, False
        self._start_ns = order.start_ns or ns
        self._end_ns = self._start_ns + round(path.duration * SECOND)
        period = self._options.period_ns
        if self._options.interpolate_from_desired_state:
            # What was commanded one period ago for now counts as the state of one period ago.
            before_ns, state = self._last_ns or ns, self.command
        else:
            before_ns, state = ns, self._measured
        since = (before_ns - self._start_ns) / SECOND
        if since < path.times[0]:
            path = _joined(path, since, state)
        elif len(path.times) == 1:
            path = _joined(path, path.times[0] - 1.0, _last(path))
        self._path = path
        begin = (ns - self._start_ns) / SECOND
        count = max(int(np.ceil((path.times[-1] - begin) * self._options.rate - 1e-6)), 0) + 1
        # One product and no sum where it begins now: the very instants of a rollout.
        steps = period / SECOND * np.arange(count + 1, dtype=np.float64)
        self._q, self._qd, self._qdd = path.sample(steps if begin == 0.0 else begin + steps)
        self._index, self._row = 0, -1
        last = max(len(before), len(self._q)) - 1
        rows = np.arange(last + 1)
        old, new = (q[np.minimum(rows, len(q) - 1)] for q in (before, self._q))
        other = np.abs(new - old).max(axis=1)[1:] > SAME_COMMAND
        return ns + period * (1 + int(np.argmax(other))) if other.any() else self._end_ns

    def _sample(self, index: int) -> JointCommand:
        """Return the point for an update from now; what one update commands, the next desires."""
        row = min(index, len(self._q) - 1)
        if row != self._row:
            self._row = row
            self._sampled = JointCommand(self._q[row], self._qd[row], self._qdd[row])
        return self._sampled

    def _hold_at(self, q: Array) -> None:
        """Command one position from the next update on."""
        self._q, self._qd = q[np.newaxis], self._rest[np.newaxis]
        self._qdd = self._qd
        self._index, self._label, self._over, self._holding = 0, "", True, True
        self._row = -1

    def _give_up(self) -> None:
        """Go to the measured position at once, or slow down from there."""
        self._waiting = None
        here, ramp = self._measured, self._options.max_deceleration_on_cancel
        self._hold_at(here.q)
        if len(ramp) and here.qd.any():
            self._waiting = Order("", self._ramp(here, ramp))

    def _ramp(self, here: JointCommand, ramp: Array) -> JointTrajectory:
        """Return the ramp that starts at the measured state, joint by joint."""
        need = np.abs(here.qd) / ramp
        period = self._options.period_ns / SECOND
        times = period * np.arange(int(np.ceil(need.max() / period)) + 1, dtype=np.float64)
        since = np.minimum(times[:, np.newaxis], need)
        left = since < need
        slope = -np.sign(here.qd) * ramp
        qd = np.where(left, here.qd + slope * since, 0.0)
        if len(times) < 2:
            times, since, qd = times[:1], since[:1], np.zeros((1, len(here.q)))
        q = here.q + here.qd * since + 0.5 * slope * since**2
        return JointTrajectory(self._joints, times, q, qd, np.where(left, slope, 0.0))


def _joined(path: JointTrajectory, since: float, state: JointCommand) -> JointTrajectory:
    """Return a trajectory with a state in front, ``since`` [s] on the trajectory's clock."""
    rows = (path.positions, path.velocities, path.accelerations)
    parts = zip((state.q, state.qd, state.qdd), rows, strict=True)
    q, qd, qdd = (np.concatenate([first[np.newaxis], more]) for first, more in parts)
    times = np.concatenate([[since], path.times])
    return replace(path, times=times, positions=q, velocities=qd, accelerations=qdd)


def _last(path: JointTrajectory) -> JointCommand:
    q = path.positions[-1]
    return JointCommand(q, np.zeros_like(q), path.accelerations[-1])
