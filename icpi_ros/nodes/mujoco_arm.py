"""Node ``mujoco_arm``: a simulated arm behind the interface of a real one.

In: ``joint_trajectory_controller/joint_trajectory`` (an empty one stops the arm), service
``reset_scene``.  Out: ``joint_states``, ``object_pose`` (not with ``publish_pose`` false),
``/clock``, each 100 Hz of simulated time (/clock not more than 250 Hz of real time), and
``joint_trajectory_controller/status``: what became of each motion, and why.  With ``camera`` true
also images, see :mod:`icpi_ros.nodes.camera_port`.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.task import Future
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.srv import ResetScene
from icpi_ros.arms import ARMS
from icpi_ros.errors import IcpiError, MotionRefused, UsageError
from icpi_ros.nodes import camera_port, convert, diagnostics, qos
from icpi_ros.nodes.camera_port import CameraPort
from icpi_ros.nodes.convert import MotionStatus
from icpi_ros.nodes.parameters import Spec, declare
from icpi_ros.nodes.simulated_arm import LoadedMotion, Pacer, SimulatedArm
from icpi_ros.nodes.spin import IcpiNode, run
from icpi_ros.nodes.topics import (
    CONTROLLER_STATUS,
    CONTROLLER_TRAJECTORY,
    JOINT_STATES,
    OBJECT_POSE,
    RESET_SCENE,
)
from icpi_ros.perception.targets import WATCHES
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array

PARAMETERS = (
    Spec("task", "slide", "task whose scene is simulated", choices=TASKS.names()),
    Spec("arm", "", "arm that is simulated; empty = the task's", choices=("", *ARMS.names())),
    Spec("physics", [], "hidden physics in the order of the task; empty = draw from physics_seed"),
    Spec("physics_seed", 0, "seed of the hidden physics", lower=0, upper=2**62),
    Spec(
        "real_time_factor",
        1.0,
        "simulated per real time, at least 0.05; 0 = as fast as possible, with a camera: as fast "
        "as it can render",
        lower=0.0,
        upper=100.0,
    ),
    Spec("publish_pose", True, "publish object_pose, the true pose of the object"),
    *camera_port.PARAMETERS,
)
BRAKING, SEEN = 1.0, 0.2
"""At the end: longest real time for a moving arm to brake, and for others to see it stand [s]."""
CLOCK_PERIOD = 0.004
"""Shortest real time between two /clock messages [s]: every node pays for each of them."""
INBOX = 16
"""Commands that may wait for the next tick."""


class MujocoArm(IcpiNode):
    """See the module; one thread simulates, callbacks only hand it commands."""

    def __init__(self) -> None:
        """Load the scene and start the simulation thread."""
        super().__init__("mujoco_arm")
        values = declare(self, PARAMETERS)
        if 0.0 < values["real_time_factor"] < 0.05:
            raise UsageError("mujoco_arm: parameter real_time_factor: 0, or 0.05 to 100")
        self.hold(self.resolve_topic_name("/clock"), "a simulation that publishes")
        task = TASKS.get(values["task"])
        self._arm = ARMS.get(values["arm"] or task.arm)
        world = World(task, self._arm, physics_of(task, values))
        self._camera = self._open_camera(world, values)
        self._sim = SimulatedArm(
            world, self._arm, task, None if self._camera is None else self._camera.see
        )
        self._pacer = Pacer(values["real_time_factor"])
        self._inbox: queue.Queue[tuple[str, Any]] = queue.Queue(INBOX)
        self._wake = threading.Event()
        self._end = threading.Event()
        self._closing = False
        self._clock_sent = 0.0
        self._open_topics(values["publish_pose"])
        diagnostics.Diagnostics(self, self._health, lambda: convert.time_msg(self._sim.snapshot.ns))
        self._thread = threading.Thread(target=self._simulate, daemon=True)
        self._thread.start()
        self.get_logger().info(f"simulating {task.name} with {self._arm.name}")

    def _open_camera(self, world: World, values: dict[str, Any]) -> CameraPort | None:
        if not values["camera"]:
            return None
        settings = camera_port.settings_of(values)
        free = values["real_time_factor"] == 0.0
        name, target = values["camera_name"], WATCHES.get(values["task"])
        painted = None if target is None else target.target
        return CameraPort(self, world.model, name, settings, free, painted)

    def _open_topics(self, pose: bool) -> None:
        self._clock_out = self.create_publisher(Clock, "/clock", qos.CLOCK)
        self._joints_out = self.create_publisher(JointState, JOINT_STATES, qos.SENSOR)
        # Not even created otherwise: whoever listens can tell that no ground truth is there.
        self._pose_out = (
            self.create_publisher(PoseStamped, OBJECT_POSE, qos.SENSOR) if pose else None
        )
        self._status_out = self.create_publisher(DiagnosticStatus, CONTROLLER_STATUS, qos.EVENT)
        self.create_subscription(
            JointTrajectory, CONTROLLER_TRAJECTORY, self._on_trajectory, qos.COMMAND
        )
        self.create_service(ResetScene, RESET_SCENE, self._on_reset)

    def close(self) -> None:
        """Stop the arm, let an executor that ends too see it stand, end the simulation."""
        self._closing = True
        self._put("stop", "close")
        deadline = time.monotonic() + BRAKING
        while self._sim.snapshot.active and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(SEEN)
        self._end.set()
        self._wake.set()
        if self._camera is not None:
            self._camera.close()
        self._thread.join(2.0)

    # --- callbacks ------------------------------------------------------------------------

    def _on_trajectory(self, msg: JointTrajectory) -> None:
        label = msg.header.frame_id
        try:
            if not msg.points:
                self._put("stop", label)
                return
            if self._closing:
                raise MotionRefused("the simulation is ending")
            trajectory = convert.trajectory_from(msg, self._arm.joints)
            self._put("start", self._sim.prepare(label, trajectory))
        except IcpiError as exc:
            self.get_logger().error(f"motion {label!r} rejected: {exc}")
            self._report(label, "rejected", self._sim.snapshot.ns, str(exc))

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
                self._take_commands()
                ended = self._sim.tick()
                self._publish()
                if ended is not None:
                    self._report(ended.label, "done", self._sim.snapshot.ns)
                self._pacer.wait(self._sim.snapshot.ns, self._sim.busy, self._wake)
        except Exception as exc:
            if not self._end.is_set():
                self.fail(exc)

    def _take_commands(self) -> None:
        for _ in range(self._inbox.qsize()):
            kind, item = self._inbox.get_nowait()
            now = self._sim.snapshot.ns
            if kind == "start":
                self._start(item, now)
            elif kind == "stop":
                self._sim.stop()
                self._report(item, "stopped", now)
            elif kind == "reset":
                self._sim.reset_object()
                item.set_result(now)
                if self.executor is not None:  # a foreign thread's result does not wake it
                    self.executor.wake()

    def _start(self, motion: LoadedMotion, now: int) -> None:
        try:
            self._sim.start(motion)
        except MotionRefused as exc:
            self.get_logger().error(f"motion {motion.label!r} rejected: {exc}")
            self._report(motion.label, "rejected", now, str(exc))
        else:
            self._report(motion.label, "accepted", now)

    def _publish(self) -> None:
        now = self._sim.snapshot
        real = time.monotonic()
        if real - self._clock_sent >= CLOCK_PERIOD:
            self._clock_sent = real
            self._clock_out.publish(Clock(clock=convert.time_msg(now.ns)))
        self._joints_out.publish(convert.joint_state_msg(now.ns, self._arm.joints, now.q, now.qd))
        if self._pose_out is not None:
            self._pose_out.publish(convert.pose_msg(now.ns, now.position, now.quaternion))
        if self._camera is not None:
            self._camera.release(now.ns)

    def _report(self, label: str, state: str, ns: int, reason: str = "") -> None:
        status = MotionStatus(label, state, ns, reason)
        self._status_out.publish(convert.motion_status_msg(status))

    def _health(self) -> diagnostics.Health:
        now = self._sim.snapshot
        message = "moving" if now.active else "idle"
        values = {"simulated time [s]": f"{now.ns / convert.SECOND:.2f}"}
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
