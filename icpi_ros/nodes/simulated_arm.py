"""The simulated arm and its controller without ROS: takes motions, advances by ticks.

A tick is one sensor period of the task.  Motions and resets take effect at tick boundaries only,
so that the samples of the object fall on the same grid after the start of a stroke as in a
rollout.  A motion from rest is commanded exactly as in-process rollouts command it; one that
comes while another runs replaces it, see :mod:`icpi_ros.nodes.joining`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from icpi_ros.arms.base import Arm
from icpi_ros.errors import MotionRefused
from icpi_ros.motion.safety import START_TOLERANCE, SafetyGate
from icpi_ros.motion.stop import safe_stop
from icpi_ros.motion.trajectory import PathPoint
from icpi_ros.nodes.arm_faults import FaultPlan, Faults
from icpi_ros.nodes.convert import ns_from_seconds
from icpi_ros.nodes.joining import join
from icpi_ros.sim.motions import Event, LoadedMotion, Order, check_order
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.types import SECOND, Array

STILL = 1e-5
"""An object that moves less than this in a tick counts as still [m]."""
STOPPED = 0.01
"""Joint speed below which a goal counts as reached [rad/s], ros2_control's default."""


@dataclass(frozen=True)
class Snapshot:
    """State after a tick: ``ns`` of simulated time, joints, object, whether a motion runs.

    ``wanted`` are the joint positions ``(n,)`` that are commanded then [rad].
    """

    ns: int
    q: Array
    qd: Array
    position: Array
    quaternion: Array
    active: bool
    wanted: Array


class SimulatedArm:
    """One arm in one scene.  :meth:`prepare` may be called from any thread, the rest from one."""

    def __init__(
        self,
        world: World,
        arm: Arm,
        task: Task,
        see: Callable[[int, Array], None] | None = None,
        fault: FaultPlan | None = None,
    ) -> None:
        """Hold the arm where it is.

        Args:
            world: the scene.
            arm: the arm in it.
            task: whose sensor period is the tick.
            see: called with time [ns] and joint positions ``(nq,)`` of the scene (a view) after
                every step, and after a reset of the object; for a camera.
            fault: what is to go wrong.
        """
        self._world, self._arm, self._task = world, arm, task
        self._see = see or (lambda ns, qpos: None)
        self._gate = SafetyGate(arm)
        self.faults = Faults(fault or FaultPlan())
        self._steps = round(task.rest.period / world.dt)
        self._step_ns = ns_from_seconds(world.dt)
        self._hold = world.joint_positions
        self._rest = np.zeros_like(self._hold)
        self._motion: LoadedMotion | None = None
        self._ending: LoadedMotion | None = None
        self._step = 0
        self._end_ns = 0
        self._busy_until = 0
        self._may_move_until = 0
        self.snapshot = self._look(0)
        self._see(0, world.data.qpos)

    def prepare(self, order: Order) -> LoadedMotion | None:
        """Check an order; one for an arm at rest becomes its motion, any other joins at its start.

        Raises:
            MotionRefused: names joint, value and limit.
        """
        now = self.snapshot
        check_order(order, now.ns)
        at_once = order.start_ns == 0 and order.trajectory.times[0] == 0.0
        if now.active or not at_once:
            return None
        checked = self._gate.check(order.trajectory, now.q)
        return LoadedMotion.sampled(order, checked.trajectory, self._world.dt)

    def start(self, order: Order, prepared: LoadedMotion | None) -> tuple[Event, ...]:
        """Begin a motion at the present tick; say what it replaced and when it starts.

        Raises:
            MotionRefused: it does not fit what the arm does now; that goes on.
        """
        now, running = self.snapshot, self._motion
        if self.faults.protected:
            raise MotionRefused("protective stop: see to the arm, then call its clear_fault")
        if _from_rest(order) and self.faults.begins() == "reject":
            raise MotionRefused("fault: this motion is rejected")
        begin = max(order.start_ns, now.ns)
        if prepared is None or running is not None:
            lead = (order.start_ns - now.ns) / SECOND if order.start_ns else 0.0
            entry = self._commanded()
            joined = join(entry, order.trajectory, lead)
            checked = self._gate.check_stop(joined, PathPoint(*entry[:2]))
            prepared = LoadedMotion.sampled(order, checked.trajectory, self._world.dt)
        elif not np.abs(now.q - prepared.positions[0]).max() <= START_TOLERANCE:
            raise MotionRefused("the arm has moved since the motion was checked: send it again")
        replaced = self._leave("replaced", "another motion came")
        self._motion, self._step = prepared, 0
        seconds = prepared.trajectory.duration + self._task.max_duration
        self._may_move_until = now.ns + ns_from_seconds(seconds)
        return (*replaced, Event(order.label, "accepted", begin))

    def hold(self, state: str, reason: str = "") -> tuple[Event, ...]:
        """Give the motion up and hold the position where the arm is, as a controller does."""
        left = self._leave(state, reason)
        self._hold = self.snapshot.q
        return left

    def brake(self) -> None:
        """Brake on the path of the motion under way, at the end of the simulation.

        A stop passes the gate like every motion.  One that does not is not made: the motion
        under way was checked and ends at rest by itself.
        """
        motion = self._motion
        if motion is None:
            return
        elapsed = self._step * self._world.dt
        with contextlib.suppress(MotionRefused):
            checked = safe_stop(self._gate, motion.trajectory, elapsed).trajectory
            self._motion = LoadedMotion.sampled(
                Order(motion.label, checked), checked, self._world.dt
            )
            self._step = 0

    @property
    def tick_ns(self) -> int:
        """Length of a tick [ns]."""
        return self._steps * self._step_ns

    @property
    def label(self) -> str:
        """Label of the motion under way or about to end; empty = none."""
        motion = self._motion or self._ending
        return "" if motion is None else motion.label

    def reset_object(self) -> None:
        """Put the object back at its start, at rest."""
        self._world.reset_object(self._hold if self._motion is None else None)
        self._see(self.snapshot.ns, self._world.data.qpos)

    def tick(self) -> tuple[Event, ...]:
        """Advance by one tick; return what became of motions in it.

        Raises:
            SimulationUnstable: the simulation has no finite state any more.
        """
        before = self.snapshot
        wanted = self._hold
        for step in range(self._steps):
            wanted, speed = self._command()
            self._world.step(*self.faults.distort(wanted, speed, self._world.dt))
            self._see(before.ns + (step + 1) * self._step_ns, self._world.data.qpos)
            # The last command is what is held afterwards: who sees a state stamped with the
            # motion's end may send the next motion at once.
            if self._motion is not None and self._step >= len(self._motion.positions) - 1:
                self._hold = self._motion.positions[-1]
                self._ending, self._motion = self._motion, None
                self._end_ns = before.ns + (step + 1) * self._step_ns
        self.snapshot = self._look(before.ns + self.tick_ns)
        self._note_activity(before)
        return (*self._supervise(wanted), *self._fail())

    @property
    def busy(self) -> bool:
        """True while the arm or the object moves, and a little longer."""
        return self.snapshot.ns < self._busy_until

    def _supervise(self, wanted: Array) -> tuple[Event, ...]:
        """Watch the tolerances; say if a motion is done or given up."""
        now = self.snapshot
        off = np.abs(now.q - wanted)
        if self._motion is not None:
            excess = self._motion.watch.off_path(off, self._arm.joints)
            return self.hold("aborted", excess) if excess else ()
        if self._ending is None:
            return ()
        watch, label = self._ending.watch, self._ending.label
        reached = not watch.off_goal(off) and (not watch.asked or np.abs(now.qd).max() <= STOPPED)
        if reached:
            self._ending = None
            return (Event(label, "done", now.ns),)
        if 0.0 < watch.goal_time < (now.ns - self._end_ns) / SECOND:
            worst = int(np.argmax(off))
            reason = f"{self._arm.joints[worst]} is {off[worst]:.4f} rad from the goal"
            return self.hold("aborted", f"{reason} {watch.goal_time:g} s after its time")
        return ()

    def _fail(self) -> tuple[Event, ...]:
        """Let the fault begin that is due."""
        if self._motion is None:
            return ()
        kind = self.faults.due(self._step * self._world.dt)
        if kind == "silent":
            self.faults.silent = True
        elif kind == "drift":
            self.faults.drift(self._commanded()[0])
        elif kind == "abort":
            return self.hold("aborted", "fault: the controller gave up")
        elif kind == "protective_stop":
            self.faults.protected = True
            return self.hold("aborted", "protective stop")
        return ()

    def _leave(self, state: str, reason: str) -> tuple[Event, ...]:
        """Forget the motion under way or about to end; say so."""
        motion = self._motion or self._ending
        self._motion = self._ending = None
        return () if motion is None else (Event(motion.label, state, self.snapshot.ns, reason),)

    def _command(self) -> tuple[Array, Array]:
        if self._motion is None:
            return self._hold, self._rest
        q, qd = self._motion.positions[self._step], self._motion.velocities[self._step]
        self._step += 1
        return q, qd

    def _commanded(self) -> tuple[Array, Array, Array]:
        """Return position, velocity and acceleration that are commanded at the present tick."""
        if self._motion is None:
            return self._hold, self._rest, self._rest
        q, qd, qdd = self._motion.trajectory.sample(np.array([self._step * self._world.dt]))
        return q[0], qd[0], qdd[0]

    def _note_activity(self, before: Snapshot) -> None:
        now = self.snapshot
        # An object may creep for ever on a tilted table: the time limit of the task bounds it.
        moved = float(np.linalg.norm(now.position - before.position)) > STILL
        if now.active or (moved and now.ns < self._may_move_until):
            self._busy_until = now.ns + ns_from_seconds(self._task.rest.window + 0.2)

    def _look(self, ns: int) -> Snapshot:
        world = self._world
        return Snapshot(
            ns=ns,
            q=world.joint_positions,
            qd=world.joint_velocities,
            position=world.object_position,
            quaternion=world.object_quaternion,
            active=self._motion is not None,
            wanted=self._commanded()[0],
        )


def _from_rest(order: Order) -> bool:
    """Tell whether an order is a motion of its own, no stop and no hold; these faults count."""
    new = order.trajectory
    return order.start_ns == 0 and new.times[0] == 0.0 and not new.velocities[0].any()
