"""The simulated arm's gripper as others see it: the actions of real ones, services, a topic.

Documented extra, which no real gripper has: the topic ``simulated_gripper/binding`` sets the moment
of a motion at which it opens, by the clock of the simulation.  An empty message takes that back.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from icpi_ros.ros.arm_ports import action_port
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.base.serving import RESULT_KEPT
from icpi_ros.ros.base.spin import IcpiNode
from icpi_ros.ros.base.topics import GRIPPER_BINDING, GRIPPER_STATUS
from icpi_ros.ros.sim.hand import HandOrder

ACTIONS = {
    "gripper_controller/gripper_cmd": "GripperCommand",
    "parallel_gripper_controller/gripper_cmd": "ParallelGripperCommand",
}
"""Actions that it serves where ``control_msgs`` is installed, and their types."""
OPEN_SERVICE, CLOSE_SERVICE, OUTPUT = "open_gripper", "close_gripper", "digital_output"
HALF_OPEN = 0.02
"""Position from which a command opens it [m]."""
LATE = 0.3
"""Delay of a command that is accepted late [steady s]."""


class SimulatedGripper:
    """Interface of the gripper; commands go to the thread that simulates.

    Args:
        node: whose executor serves.
        put: hands a command to the simulation.
    """

    def __init__(self, node: IcpiNode, put: Callable[[HandOrder], None]) -> None:
        self._node, self._put = node, put
        self._status = node.create_publisher(DiagnosticStatus, GRIPPER_STATUS, qos.EVENT)
        node.create_subscription(JointTrajectory, GRIPPER_BINDING, self._on_binding, qos.COMMAND)
        node.create_subscription(Bool, OUTPUT, self._on_output, qos.COMMAND)
        for name, opens in ((OPEN_SERVICE, True), (CLOSE_SERVICE, False)):
            node.create_service(Trigger, name, self._service(opens))
        if action_port.installed():
            module = importlib.import_module("control_msgs.action")
            found = {name: getattr(module, kind, None) for name, kind in ACTIONS.items()}
            self._servers = [self._serve(n, kind) for n, kind in found.items() if kind is not None]

    def report(self, label: str, state: str, ns: int) -> None:
        """Say what became of a binding."""
        self._status.publish(convert.motion_status_msg(MotionStatus(label, state, ns)))

    @property
    def _fault(self) -> str:
        """Fault of commands that open, now; empty = none."""
        return str(self._node.get_parameter("gripper_fault").value)

    def _on_binding(self, msg: JointTrajectory) -> None:
        if not msg.points:
            self._put(HandOrder())
            return
        moment = convert.to_ns(msg.points[0].time_from_start)
        self._put(HandOrder(label=msg.header.frame_id, moment=moment))

    def _on_output(self, msg: Bool) -> None:
        self._put(HandOrder(opens=msg.data))

    def _service(self, opens: bool) -> Callable[[Any, Any], Any]:
        def answer(request: Any, response: Any) -> Any:
            failed = opens and self._fault in ("reject", "abort", "stalled")
            if not failed:
                self._put(HandOrder(opens=opens))
            response.success, response.message = not failed, "a fault" if failed else ""
            return response

        return answer

    def _serve(self, name: str, kind: Any) -> ActionServer:
        return ActionServer(
            self._node,
            kind,
            name,
            partial(self._execute, kind),
            goal_callback=self._on_goal,
            cancel_callback=lambda handle: CancelResponse.ACCEPT,
            result_timeout=RESULT_KEPT,
        )

    async def _on_goal(self, goal: Any) -> GoalResponse:
        if not _opens(goal):
            return GoalResponse.ACCEPT
        if self._fault == "late":
            due = Future()
            threading.Timer(LATE, self._set, (due,)).start()
            await due
        return GoalResponse.REJECT if self._fault == "reject" else GoalResponse.ACCEPT

    async def _execute(self, kind: Any, handle: ServerGoalHandle) -> Any:
        opens = _opens(handle.request)
        failed = opens and self._fault in ("abort", "stalled")
        held = False
        if not failed:
            done = Future()
            self._put(HandOrder(opens=opens, answer=lambda: self._set(done)))
            await done
            held = not opens  # it closes on the ball
        if handle.is_cancel_requested:
            handle.canceled()
        elif failed:
            handle.abort()
        else:
            handle.succeed()
        stuck = opens and self._fault == "stalled"
        return kind.Result(stalled=stuck or held, reached_goal=opens and not failed)

    def _set(self, future: Future) -> None:
        if not future.done():
            future.set_result(None)
        if self._node.executor is not None:  # a foreign thread's result does not wake it
            self._node.executor.wake()


def _opens(goal: Any) -> bool:
    """Tell whether a goal of either action opens."""
    position = goal.command.position
    return bool((position if isinstance(position, float) else position[0]) > HALF_OPEN)
