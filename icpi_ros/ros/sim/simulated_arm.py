"""The simulated arm and its controller without ROS: takes motions, advances by ticks.

A tick is one sensor period of the task.  Motions and resets take effect at tick boundaries only,
so that the samples of the object fall on the same grid after the start of a strike as in a
rollout.  The controller (:mod:`icpi_ros.sim.trajectory_controller`) updates at every step of the
simulation; its command is for one step later, and that is when the servos get it.  So a motion
that starts where the arm is held is commanded exactly as in-process rollouts command it.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import Array
from icpi_ros.motion.carried_stop import carried_stop
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots.base import Arm
from icpi_ros.ros.base.convert import ns_from_seconds
from icpi_ros.ros.sim.arm_faults import Fault, FaultPlan, Faults
from icpi_ros.ros.sim.hand import Hand
from icpi_ros.sim.controller_orders import Event, Order
from icpi_ros.sim.trajectory_controller import ControllerOptions, JointCommand, TrajectoryController
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task

STILL = 1e-5
"""An object that moves less than this in a tick counts as still [m]."""
LINGER = 0.05
"""Time for which the arm counts as busy after all is seen to rest [s]."""


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
    """One arm in one scene; used by one thread."""

    def __init__(
        self,
        world: World,
        arm: Arm,
        task: Task,
        see: Callable[[int, Array], None] | None = None,
        fault: FaultPlan | None = None,
        options: ControllerOptions | None = None,
        servo_lag: float = 0.0,
        grip: Callable[[str, str, int], None] | None = None,
    ) -> None:
        """Hold the arm where it is.

        Args:
            world: the scene.
            arm: the arm in it.
            task: whose sensor period is the tick.
            see: called with time [ns] and joint positions ``(nq,)`` of the scene (a view) after
                every step, and after a reset of the object; for a camera.
            fault: what is to go wrong.
            options: of the controller; its rate is that of the simulation's steps.
            servo_lag: how much later than its controller commands the arm moves [s].
            grip: called with what becomes of a bound opening, see :class:`Hand`.
        """
        self._world, self._arm, self._task = world, arm, task
        self._see = see or (lambda ns, qpos: None)
        self._gate = SafetyGate(arm)
        self.faults = Faults(fault or FaultPlan())
        self._steps = round(task.rest.period / world.dt)
        self._step_ns = ns_from_seconds(world.dt)
        options = replace(options or ControllerOptions(), rate=1.0 / world.dt)
        here = world.joint_positions
        self._controller = TrajectoryController(arm.joints, here, options)
        still = JointCommand(here, np.zeros_like(here), np.zeros_like(here))
        self._on_its_way = deque([still] * (1 + round(servo_lag / world.dt)))
        self.hand = Hand(world, grip or (lambda label, state, ns: None))
        self._busy_until = 0
        self._may_move_until = 0
        self.snapshot = self._look(0)
        self._see(0, world.data.qpos)

    def start(self, order: Order) -> tuple[Event, ...]:
        """Take a motion at the present tick; return the events of what it replaced.

        Raises:
            MotionRefused: the controller rejects it.
        """
        now = self.snapshot.ns
        if self.faults.protected:
            text = "protective stop: see to the arm, then call its clear_fault"
            raise MotionRefused(Refusal(text, Kind.PROTECTIVE_STOP))
        from_rest = not self._controller.moving and len(order.trajectory.times) > 1
        if from_rest:
            kind = self.faults.begins()
            if kind is Fault.REJECT:
                raise MotionRefused(Refusal("fault: this motion is rejected", Kind.FAULT))
            if kind is Fault.INACTIVE:
                self._controller.active = False
        events = self._controller.take(order, now)
        self.hand.see(events)
        seconds = order.trajectory.duration + self._task.max_duration
        self._may_move_until = max(now, order.start_ns) + ns_from_seconds(seconds)
        return events

    def cancel(self, label: str) -> tuple[Event, ...]:
        """Cancel the goal of this label, if it is under way."""
        events = self._controller.cancel(self.snapshot.ns, label)
        self.hand.see(events)
        return events

    def clear_fault(self) -> None:
        """End what a fault left behind."""
        self.faults.clear()
        self._controller.active = True

    def brake(self) -> None:
        """Brake on the path of the motion under way, at the end of the simulation.

        A stop passes the gate like every motion.  One that does not is not made: the motion
        under way was checked and ends at rest by itself.
        """
        controller, now = self._controller, self.snapshot.ns
        if not controller.moving:
            return
        begin = max(controller.elapsed(now), 0.0) + 2.0 * self._world.dt
        with contextlib.suppress(MotionRefused):
            stop = carried_stop(self._gate, controller.path, begin)
            start = controller.start_ns + ns_from_seconds(stop.first)
            controller.take(Order("", stop.checked.trajectory, start), now)

    @property
    def tick_ns(self) -> int:
        """Length of a tick [ns]."""
        return self._steps * self._step_ns

    def reset_object(self) -> None:
        """Put the object back at its start, at rest."""
        moving = self._controller.moving
        self._world.reset_object(None if moving else self._controller.command.q)
        self._see(self.snapshot.ns, self._world.data.qpos)

    def tick(self) -> tuple[Event, ...]:
        """Advance by one tick; return what became of motions in it.

        Raises:
            SimulationUnstable: the simulation has no finite state any more.
        """
        before, world = self.snapshot, self._world
        events: list[Event] = []
        for step in range(self._steps):
            ns = before.ns + step * self._step_ns
            command, news = self._controller.update(
                ns, world.joint_positions, world.joint_velocities
            )
            events.extend(news)
            self.hand.see(news)
            self._on_its_way.append(command)
            now = self._on_its_way.popleft()
            world.step(*self.faults.distort(now.q, now.qd, world.dt))
            self._see(ns + self._step_ns, world.data.qpos)
        self.snapshot = self._look(before.ns + self.tick_ns)
        self._note_activity(before)
        failed = self._fail()
        self.hand.see(failed)
        self.hand.look(self.snapshot.ns)
        return (*events, *failed)

    @property
    def busy(self) -> bool:
        """True while the arm or the object moves, and a little longer."""
        return self.snapshot.ns < self._busy_until

    def _fail(self) -> tuple[Event, ...]:
        """Let the fault begin that is due."""
        controller, ns = self._controller, self.snapshot.ns
        # In the rest before a motion there is nothing that could go wrong.
        if not controller.moving or not controller.command.qd.any():
            return ()
        kind = self.faults.due(controller.elapsed(ns))
        if kind is Fault.SILENT:
            self.faults.silent = True
        elif kind is Fault.DRIFT:
            self.faults.drift(controller.command.q)
        elif kind is Fault.ABORT:
            return controller.abort(ns, "fault: the controller gave up")
        elif kind is Fault.PROTECTIVE_STOP:
            self.faults.protected = True
            return controller.abort(ns, "protective stop")
        return ()

    def _note_activity(self, before: Snapshot) -> None:
        now = self.snapshot
        # An object may creep for ever on a tilted table: the time limit of the task bounds it.
        way = now.position - before.position
        if now.active or (now.ns < self._may_move_until and float(way @ way) > STILL**2):
            self._busy_until = now.ns + ns_from_seconds(self._task.rest.window + LINGER)

    def _look(self, ns: int) -> Snapshot:
        world = self._world
        position, quaternion = world.object_pose
        return Snapshot(
            ns=ns,
            q=world.joint_positions,
            qd=world.joint_velocities,
            position=position,
            quaternion=quaternion,
            active=self._controller.moving,
            wanted=self._controller.command.q,
        )
