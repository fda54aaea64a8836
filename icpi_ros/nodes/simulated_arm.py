"""The simulated arm and its controller without ROS: takes motions, advances by ticks.

A tick is one sensor period of the task.  Motions and resets take effect at tick boundaries only,
so that the samples of the object fall on the same grid after the start of a stroke as in a
rollout.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from icpi_ros.arms.base import Arm
from icpi_ros.errors import MotionRefused
from icpi_ros.motion.safety import START_TOLERANCE, SafetyGate
from icpi_ros.motion.stop import controlled_stop
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.nodes.convert import ns_from_seconds
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array

STILL = 1e-5
"""An object that moves less than this in a tick counts as still [m]."""
MAX_LAG = 0.1
"""Real time that a slow machine may catch up [s]; what is beyond is given up."""


@dataclass(frozen=True)
class LoadedMotion:
    """A checked motion with the commands of all its steps.

    Attributes:
        label: name that the sender gave it.
        trajectory: the motion.
        positions, velocities: ``(S, n)`` commands, one per step [rad], [rad/s].
    """

    label: str
    trajectory: JointTrajectory
    positions: Array
    velocities: Array

    @classmethod
    def sampled(cls, label: str, trajectory: JointTrajectory, dt: float) -> LoadedMotion:
        """Sample a trajectory at every step, exactly as in-process rollouts do."""
        steps = int(np.ceil(trajectory.duration / dt - 1e-6)) + 1
        q, qd, _ = trajectory.sample(dt * np.arange(steps, dtype=np.float64))
        return cls(label, trajectory, q, qd)


@dataclass(frozen=True)
class Snapshot:
    """State after a tick: ``ns`` of simulated time, joints, object, whether a motion runs."""

    ns: int
    q: Array
    qd: Array
    position: Array
    quaternion: Array
    active: bool


class SimulatedArm:
    """One arm in one scene.  :meth:`prepare` may be called from any thread, the rest from one."""

    def __init__(
        self,
        world: World,
        arm: Arm,
        task: Task,
        see: Callable[[int, Array], None] | None = None,
    ) -> None:
        """Hold the arm where it is.

        Args:
            world: the scene.
            arm: the arm in it.
            task: whose sensor period is the tick.
            see: called with time [ns] and joint positions ``(nq,)`` of the scene (a view) after
                every step, and after a reset of the object; for a camera.
        """
        self._world, self._arm, self._task = world, arm, task
        self._see = see or (lambda ns, qpos: None)
        self._gate = SafetyGate(arm)
        self._steps = round(task.rest.period / world.dt)
        self._step_ns = ns_from_seconds(world.dt)
        self._hold = world.joint_positions
        self._rest = np.zeros_like(self._hold)
        self._motion: LoadedMotion | None = None
        self._step = 0
        self._stopping = False
        self._busy_until = 0
        self._may_move_until = 0
        self.snapshot = self._look(0)
        self._see(0, world.data.qpos)

    def prepare(self, label: str, trajectory: JointTrajectory) -> LoadedMotion:
        """Check a motion against the arm's limits and its present state.

        Raises:
            MotionRefused: names joint, value and limit.
        """
        self._check_end(trajectory)
        now = self.snapshot
        if now.active:
            raise MotionRefused(
                "another motion runs: stop it (empty trajectory) or wait for its end"
            )
        checked = self._gate.check(trajectory, now.q)
        return LoadedMotion.sampled(label, checked.trajectory, self._world.dt)

    def start(self, motion: LoadedMotion) -> None:
        """Begin a prepared motion at the present tick.

        Raises:
            MotionRefused: since it was prepared another motion began, or the arm moved.
        """
        now = self.snapshot
        if now.active:
            raise MotionRefused("another motion began first: wait for its end")
        if not np.abs(now.q - motion.positions[0]).max() <= START_TOLERANCE:
            raise MotionRefused("the arm has moved since the motion was checked: send it again")
        self._motion, self._step, self._stopping = motion, 0, False
        seconds = motion.trajectory.duration + self._task.max_duration
        self._may_move_until = self.snapshot.ns + ns_from_seconds(seconds)

    def stop(self) -> bool:
        """Brake on the path of the motion under way; tell whether there was one to stop.

        A stop passes the gate like every motion.  One that does not is not sent: the motion
        under way was checked and ends at rest by itself.
        """
        if self._motion is None or self._stopping:
            return False
        elapsed = self._step * self._world.dt
        braking = controlled_stop(self._motion.trajectory, elapsed, self._arm.limits)
        self._stopping = True
        with contextlib.suppress(MotionRefused):
            checked = self._gate.check_stop(braking).trajectory
            self._motion = LoadedMotion.sampled(self._motion.label, checked, self._world.dt)
            self._step = 0
        return True

    def reset_object(self) -> None:
        """Put the object back at its start, at rest."""
        self._world.reset_object(self._hold if self._motion is None else None)
        self._see(self.snapshot.ns, self._world.data.qpos)

    def tick(self) -> LoadedMotion | None:
        """Advance by one tick; return the motion that ended in it, if one did.

        Raises:
            SimulationUnstable: the simulation has no finite state any more.
        """
        before = self.snapshot
        ended = None
        for step in range(self._steps):
            self._world.step(*self._command())
            self._see(before.ns + (step + 1) * self._step_ns, self._world.data.qpos)
            # The last command is what is held afterwards: who sees a state stamped with the
            # motion's end may send the next motion at once.
            if self._motion is not None and self._step >= len(self._motion.positions) - 1:
                self._hold = self._motion.positions[-1]
                ended, self._motion, self._stopping = self._motion, None, False
        self.snapshot = self._look(before.ns + self._steps * self._step_ns)
        self._note_activity(before)
        return ended

    @property
    def busy(self) -> bool:
        """True while the arm or the object moves, and a little longer."""
        return self.snapshot.ns < self._busy_until

    def _command(self) -> tuple[Array, Array]:
        if self._motion is None:
            return self._hold, self._rest
        q, qd = self._motion.positions[self._step], self._motion.velocities[self._step]
        self._step += 1
        return q, qd

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
        )

    def _check_end(self, trajectory: JointTrajectory) -> None:
        if len(trajectory.velocities) == 0:
            return
        for joint, velocity in zip(trajectory.joints, trajectory.velocities[-1], strict=True):
            if velocity != 0.0:
                raise MotionRefused(
                    f"{joint} ends with velocity {velocity:.3g} rad/s: it must end at rest"
                )


class Pacer:
    """Keeps simulated time at a multiple of real time.

    Args:
        factor: simulated seconds per real second; 0 = as fast as possible while something
            moves, and real time while nothing does, so that an idle simulation leaves the
            processor to others.
    """

    def __init__(self, factor: float) -> None:
        """Anchor the two times at the first wait."""
        self._factor = factor
        self._anchor: tuple[float, int] | None = None

    def wait(self, ns: int, busy: bool, wake: threading.Event) -> None:
        """Wait until simulated time ``ns`` is due; a free-running one is woken by ``wake``."""
        free = self._factor == 0.0
        if free and (busy or wake.is_set()):
            wake.clear()
            self._anchor = None
            return
        now = time.monotonic()
        if self._anchor is None:
            self._anchor = (now, ns)
        begin, begin_ns = self._anchor
        ahead = begin + (ns - begin_ns) * 1e-9 / (self._factor or 1.0) - now
        if ahead < -MAX_LAG:
            self._anchor = (now, ns)
        elif ahead > 0.0 and free:
            wake.wait(ahead)
        elif ahead > 0.0:
            time.sleep(ahead)
