"""Node ``mujoco_arm``: a simulated arm behind the interface of a real one.

In: what ros2_control's joint_trajectory_controller takes, see
:mod:`icpi_ros.ros.sim.simulated_controller`; services ``reset_scene`` and ``~/clear_fault`` (ends
what a simulated fault left behind).  Out: ``joint_states``, ``object_pose`` (not with
``publish_pose`` false), ``/clock``, each 100 Hz of simulated time (/clock not more than 100 Hz of
real time; where it runs freely in bursts, see :mod:`icpi_ros.ros.sim.state_port`).  With ``camera``
true also images, see :mod:`icpi_ros.ros.sim.camera_port`.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from rclpy.clock import Clock as NodeClock
from rclpy.clock_type import ClockType
from rclpy.task import Future
from std_srvs.srv import Trigger

from icpi_msgs.srv import ResetScene
from icpi_ros.core.errors import IcpiError, Kind, MotionRefused, Refusal, UsageError
from icpi_ros.core.types import SECOND, Array
from icpi_ros.robots import find_arm
from icpi_ros.robots.base import prefixed
from icpi_ros.ros.base import convert, diagnostics
from icpi_ros.ros.base.frames import FRAME_PERIOD, ArmDescription
from icpi_ros.ros.base.parameters import declare
from icpi_ros.ros.base.serving import SEND_GOAL
from icpi_ros.ros.base.spin import IcpiNode, run
from icpi_ros.ros.base.topics import EXECUTE_MOTION, RESET_SCENE
from icpi_ros.ros.sim import arm_faults, camera_port, simulated_controller
from icpi_ros.ros.sim.camera_port import CameraPort
from icpi_ros.ros.sim.pacer import Pacer
from icpi_ros.ros.sim.simulated_arm import SimulatedArm
from icpi_ros.ros.sim.simulated_controller import Answer, ControllerParameters, SimulatedController
from icpi_ros.ros.sim.simulated_gripper import SimulatedGripper
from icpi_ros.ros.sim.state_port import StatePort
from icpi_ros.sim.controller_orders import Event, Order
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

LAST_LOOK = 2.5
"""At the end: longest real time for a moving arm to brake and an executor that ends too to see it
stand [s]; with what else has to end less than :data:`icpi_ros.ros.base.spin.CLOSE_LIMIT`."""
FIRST = 1.5
"""Of it, time for an executor that ends too to stop the arm, as it has to stop a real one [s]."""
INBOX = 16
"""Commands that may wait for the next tick."""


class MujocoArm(IcpiNode):
    """Node with the simulated arm; one thread simulates, callbacks only hand it commands."""

    awaits = True

    def __init__(self) -> None:
        super().__init__("mujoco_arm")
        values = declare(self, "mujoco_arm")
        if 0.0 < values["real_time_factor"] < 0.05:
            raise UsageError("mujoco_arm: parameter real_time_factor: 0, or 0.05 to 100")
        self.hold(self.resolve_topic_name("/clock"), "a simulation that publishes")
        task = TASKS.get(values["task"])
        arm = find_arm(values["arm"] or task.arm)
        self._scene = TASKS.get(values["world"] or values["task"])
        world = World(self._scene, arm, physics_of(self._scene, values))
        self._arm = prefixed(arm, values["joint_prefix"])
        self._camera = self._open_camera(world, values)
        see = None if self._camera is None else self._camera.see
        self._sim = SimulatedArm(
            world,
            self._arm,
            task,
            see,
            arm_faults.plan_of(values),
            simulated_controller.options_of(values),
            values["servo_lag"],
            self._on_grip,
        )
        self._pace: float = values["real_time_factor"]
        self._pacer, self._shown = Pacer(self._pace), time.monotonic()
        self._inbox: queue.Queue[tuple[str, Any]] = queue.Queue(INBOX)
        self._wake = threading.Event()
        self._end = threading.Event()
        self._closing = False
        self._late: tuple[tuple[str, Any], float] | None = None
        self._states = StatePort(self, self._arm.joints, values["publish_pose"])
        self.create_service(Trigger, "~/clear_fault", self._on_clear)
        self.create_service(ResetScene, RESET_SCENE, self._on_reset)
        self._controller = SimulatedController(self, self._arm, self._order, self._hold, values)
        self._gripper = (
            SimulatedGripper(self, lambda order: self._put("hand", order))
            if world.gripped
            else None
        )
        self._controller_parameters = ControllerParameters(
            self, values["controller_name"], self._arm.joints, values
        )
        if values["publish_frames"]:
            self._describe()
        diagnostics.Diagnostics(self, self._health, lambda: convert.time_msg(self._sim.snapshot.ns))
        arm_faults.follow_parameters(self, lambda plan: self._put("fault", plan))
        self._thread = threading.Thread(target=self._simulate, daemon=True)
        self._thread.start()
        self.get_logger().info(f"simulating {self._scene.name} with {self._arm.name}")

    def _open_camera(self, world: World, values: dict[str, Any]) -> CameraPort | None:
        if not values["camera"]:
            return None
        settings = camera_port.settings_of(values)
        free = values["real_time_factor"] == 0.0
        name, sought = values["camera_name"], self._scene.camera_target
        painted = None if sought is None else sought.target
        return CameraPort(self, world.model, name, settings, free, painted)

    def _describe(self) -> None:
        """Publish the arm's description, of which this node is the source, and its links."""
        shown = ArmDescription(self, self._arm)

        def show() -> None:
            now = self._sim.snapshot
            shown.move(now.ns, now.q)

        if shown.moves:
            steady = NodeClock(clock_type=ClockType.STEADY_TIME)
            self.create_timer(FRAME_PERIOD, show, clock=steady)

    def close(self) -> None:
        """Let an executor that ends too stop the arm and see it stand, end the simulation."""
        begin = time.monotonic()
        while self._sim.snapshot.active and self._is_watched() and time.monotonic() - begin < FIRST:
            time.sleep(0.01)
        self._closing = True
        with contextlib.suppress(IcpiError):  # too slow for what waits: it ends all the same
            self._put("brake", None)
        while time.monotonic() - begin < LAST_LOOK and (
            self._sim.snapshot.active or self._is_watched()
        ):
            time.sleep(0.01)
        self._controller_parameters.close()
        self._end.set()
        self._wake.set()
        if self._camera is not None:
            self._camera.close()
        self._thread.join(1.0)

    def _is_watched(self) -> bool:
        return self.count_services(f"{EXECUTE_MOTION}{SEND_GOAL}") > 0

    # --- callbacks ------------------------------------------------------------------------

    def _order(self, order: Order, answer: Answer) -> None:
        if self._closing:
            raise MotionRefused(Refusal("the simulation is ending", Kind.CLOSING))
        self._put("start", (order, answer))

    def _hold(self, label: str) -> None:
        self._put("hold", label)

    def _on_clear(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._put("clear", None)
        response.success = True
        return response

    async def _on_reset(
        self, request: ResetScene.Request, response: ResetScene.Response
    ) -> ResetScene.Response:
        done = Future()
        try:
            self._put("reset", done)
        except IcpiError as exc:
            response.message = str(exc)
            return response
        response.stamp = convert.time_msg(await done)
        response.success = True
        return response

    def _put(self, kind: str, item: Any) -> None:
        try:
            self._inbox.put_nowait((kind, item))
        except queue.Full:
            raise IcpiError(f"{INBOX} commands already wait: the simulation is too slow") from None
        self._wake.set()

    # --- simulation thread ----------------------------------------------------------------

    def _simulate(self) -> None:
        try:
            while not self._end.is_set():
                # A state is published when its time has come, as a sensor's: no earlier.
                due = self._sim.snapshot.ns + self._sim.tick_ns
                self._pacer.wait(due, self._sim.busy, self._wake)
                self._take_commands()
                events = self._sim.tick()
                self._publish()
                self._report(events)
        except Exception as exc:
            if not self._end.is_set():
                self.fail(exc)

    def _take_commands(self) -> None:
        for _ in range(self._inbox.qsize() + 1):
            command = self._next()
            if command is None:
                return
            kind, item = command
            if kind == "start":
                self._start(*item)
            elif kind == "hold":
                self._report(self._sim.cancel(item))
            elif kind == "hand":
                self._sim.hand.take(item, self._came(item.arrival))
            elif kind == "brake":
                self._sim.brake()
            elif kind == "clear":
                self._sim.clear_fault()
            elif kind == "fault":
                self._sim.faults = arm_faults.Faults(item)
            elif kind == "reset":
                self._sim.reset_object()
                item.set_result(self._sim.snapshot.ns)
                if self.executor is not None:  # a foreign thread's result does not wake it
                    self.executor.wake()

    def _came(self, arrival: float) -> int:
        """Return the simulated time [ns] of what came at a steady time [s], since the last state.

        A free-running simulation takes it at its present time.
        """
        since = (arrival - self._shown) * self._pace * SECOND
        return self._sim.snapshot.ns + min(max(round(since), 0), self._sim.tick_ns)

    def _next(self) -> tuple[str, Any] | None:
        """Return the next command; a fault may keep it, and all that follow, waiting."""
        if self._late is not None:
            command, until = self._late
            if time.monotonic() < until:
                return None
            self._late = None
            return command
        try:
            command = self._inbox.get_nowait()
        except queue.Empty:
            return None
        delay = self._sim.faults.delay if command[0] == "start" else 0.0
        if delay == 0.0:
            return command
        self._late = (command, time.monotonic() + delay)
        return None

    def _start(self, order: Order, answer: Answer) -> None:
        try:
            events = self._sim.start(order)
        except MotionRefused as exc:
            answer(str(exc))
        else:
            self._report(events)
            answer(None)

    def _publish(self) -> None:
        now, self._shown = self._sim.snapshot, time.monotonic()
        if self._camera is not None:  # before the rest: to render takes longest
            self._camera.release(now.ns)
        waits = self._pace == 0.0 and self._sim.busy and self._camera is None  # rendering blocks
        self._states.take(now, self._sim.faults.silent, waits)

    def _report(self, events: Sequence[Event]) -> None:
        if events:  # what was before them, before them
            self._states.send()
        for event in events:
            self._controller.report(event, self._pacer.due(event.due_ns or event.ns))
        self._controller.show(self._sim.snapshot)

    def _on_grip(self, label: str, state: str, ns: int) -> None:
        if self._gripper is not None:
            self._gripper.report(label, state, ns)

    def _health(self) -> diagnostics.Health:
        now = self._sim.snapshot
        message = "moving" if now.active else "idle"
        values = {"simulated time [s]": f"{now.ns / SECOND:.2f}"}
        if self._camera is None:
            return diagnostics.Health(diagnostics.OK, message, values)
        trouble, images = self._camera.health()
        if trouble:
            return diagnostics.Health(diagnostics.WARN, trouble, values | images)
        return diagnostics.Health(diagnostics.OK, message, values | images)


def physics_of(task: Task, values: dict[str, Any]) -> Array:
    """Return the hidden physics that the parameters ask for, drawn or given."""
    if values["physics"]:
        return task.physics_space.validate(values["physics"])
    return task.seeded_physics(values["physics_seed"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(MujocoArm, argv)


if __name__ == "__main__":
    sys.exit(main())
