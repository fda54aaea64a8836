"""Ports to a gripper: told to open or close; what it is told with is the setting ``gripper``.

A gripper has no clock of its motion: it is told when the moment has come, so much ahead as it
needs.  The simulated arm's own keeps the moment by itself, by the clock of the motion.
"""

from __future__ import annotations

import importlib
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from icpi_ros.core.errors import UsageError
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.calls import GoalResult, SafeActionClient
from icpi_ros.ros.base.serving import SEND_GOAL
from icpi_ros.ros.base.topics import GRIPPER_BINDING, GRIPPER_STATUS
from icpi_ros.settings.gripper import GripperKind, gripper_choice

LOOK_PERIOD = 0.2
"""Steady time between two looks for the type of an action [s]."""
TYPES = ("GripperCommand", "ParallelGripperCommand")
"""Actions of ``control_msgs`` that open a gripper."""


@dataclass(eq=False)
class GripperOrder:
    """One command to a gripper; callbacks write, the worker reads.

    Attributes:
        opens: it is to open, else to close.
        sent: steady time at which it went out [s]; 0 = not yet.
        done: it has done it, or nothing more will be heard.
        trouble: reason why it did not; empty = none so far.
        unwanted: it was taken back.
    """

    opens: bool
    sent: float = 0.0
    done: bool = False
    trouble: str = ""
    unwanted: bool = False

    def went_out(self, latest: float = math.inf) -> None:
        """Note that it goes out now.

        Raises:
            RuntimeError: it was taken back, or ``latest`` (steady time [s]) has passed: the caller
                must not send it.
        """
        now = time.monotonic()
        if self.unwanted or now > latest:
            self.end(f"the gripper was not told to {self.verb}: its moment had passed")
            raise RuntimeError(self.trouble)
        self.sent = now

    def end(self, trouble: str = "") -> None:
        """Note that it is over; the first end counts."""
        if not self.done:
            self.trouble, self.done = trouble, True

    @property
    def verb(self) -> str:
        """Name of the command."""
        return "open" if self.opens else "close"


class GripperPort(ABC):
    """Base of the ways to a gripper; commands take no time, and may come from any thread.

    Args:
        name: of what takes the commands, for messages.
    """

    timed: ClassVar[bool] = False
    """True: it keeps the moment of a motion by itself, see :meth:`bind`."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def missing(self) -> str:
        """Reason why nothing takes commands, one line; empty = it is there."""

    @abstractmethod
    def command(self, opens: bool, latest: float = math.inf) -> GripperOrder:
        """Tell it to open or to close.

        Args:
            opens: it is to open, else to close.
            latest: steady time after which nothing may go out any more [s].
        """

    def take_back(self, order: GripperOrder) -> None:
        """Tell it to stay, or go, closed: the motion in which it was to open was stopped."""
        order.unwanted = True
        self.command(opens=False)

    def look(self, order: GripperOrder) -> None:  # noqa: B027  # most hear of it by callbacks
        """Bring an order up to date."""

    def bind(self, label: str, moment: float) -> GripperOrder:
        """Have it open ``moment`` [s] after the start of the motion ``label``; only if timed."""
        raise NotImplementedError(f"{self.name} keeps no moment")


class ActionGripper(GripperPort):
    """A gripper behind one of the actions of ``control_msgs``, whichever is served.

    Args:
        node: whose executor serves.
        name: of the action.
        positions: open and closed [m] or [rad].
        effort: largest [N]; 0 = its own.
    """

    def __init__(
        self, node: Node, name: str, positions: tuple[float, float], effort: float
    ) -> None:
        super().__init__(name)
        self._node, self._positions, self._effort = node, positions, effort
        self._full = node.resolve_topic_name(f"{name}{SEND_GOAL}")
        self._client: SafeActionClient | None = None
        self._type, self._looked = "", 0.0
        self._lock = threading.Lock()
        self._goals: dict[GripperOrder, tuple[Any, GoalResult]] = {}

    @property
    def missing(self) -> str:
        """See the class."""
        with self._lock:
            if self._client is None and time.monotonic() - self._looked > LOOK_PERIOD:
                self._looked = time.monotonic()
                self._find()
        if self._client is not None and self._client.ready() and self._client.present:
            return ""
        return f"nothing serves the action {self.name} of a gripper"

    def command(self, opens: bool, latest: float = math.inf) -> GripperOrder:
        """See the class."""
        order, client = GripperOrder(opens), self._client
        if client is None:
            order.end(self.missing)
            return order
        # The executor's thread sends, which may be busy: it asks once more whether it still may.
        out = partial(order.went_out, latest)
        reply = client.send(self._goal(opens), lambda feedback: None, out)
        reply.add_done_callback(lambda future: self._on_reply(client, order, future))
        return order

    def take_back(self, order: GripperOrder) -> None:
        """See the class; a goal that closes replaces the one that opens."""
        super().take_back(order)
        if (goal := self._goals.get(order)) and self._client is not None:
            self._client.cancel(goal[0])

    def look(self, order: GripperOrder) -> None:
        """See the class."""
        if order.done or order not in self._goals or not self._goals[order][1].done():
            return
        response = self._goals.pop(order)[1].result()
        found, good = response.result, response.status == GoalStatus.STATUS_SUCCEEDED
        # A gripper that closes on something is stalled by it; one that opens is stuck.
        held = not order.opens and bool(found.stalled)
        if held or (good and (found.reached_goal or not found.stalled)):
            order.end()
        else:
            how = "is stalled" if found.stalled else "gave up"
            order.end(f"the gripper {how} and did not {order.verb}")

    def _on_reply(self, client: SafeActionClient, order: GripperOrder, future: Future) -> None:
        if future.exception() is not None or not future.result().accepted:
            order.end(f"the gripper rejected the command to {order.verb}")
            return
        handle = future.result()
        self._goals[order] = (handle, client.result(handle))
        if order.unwanted:
            client.cancel(handle)

    def _find(self) -> None:
        """Open the client of the type that is served."""
        served = dict(self._node.get_service_names_and_types()).get(self._full, [])
        for kind in TYPES:
            if any(f"/{kind}_" in name for name in served):
                action = getattr(importlib.import_module("control_msgs.action"), kind)
                self._type, self._client = kind, SafeActionClient(self._node, action, self.name)
                return

    def _goal(self, opens: bool) -> Any:
        action = getattr(importlib.import_module("control_msgs.action"), self._type)
        position = self._positions[0 if opens else 1]
        if self._type == "GripperCommand":
            goal = action.Goal()
            goal.command.position, goal.command.max_effort = position, self._effort
            return goal
        effort = [self._effort] if self._effort else []
        return action.Goal(command=JointState(position=[position], effort=effort))


class TriggerGripper(GripperPort):
    """A gripper behind one service that opens it and, perhaps, one that closes it.

    Args:
        node: whose executor serves.
        names: of the services: open, close.
    """

    def __init__(self, node: Node, names: tuple[str, ...]) -> None:
        super().__init__(", ".join(names))
        self._clients = [node.create_client(Trigger, name) for name in names]

    @property
    def missing(self) -> str:
        """See the class."""
        gone = [c.srv_name for c in self._clients if not c.service_is_ready()]
        return f"nothing serves {', '.join(gone)} (std_srvs/Trigger) of a gripper" if gone else ""

    def command(self, opens: bool, latest: float = math.inf) -> GripperOrder:
        """See the class; without a service that closes a person does."""
        order = GripperOrder(opens)
        if not opens and len(self._clients) < 2:
            order.end()
            return order
        order.went_out(latest)
        future = self._clients[0 if opens else 1].call_async(Trigger.Request())
        future.add_done_callback(lambda reply: self._on_reply(order, reply))
        return order

    @staticmethod
    def _on_reply(order: GripperOrder, future: Future) -> None:
        answer = future.result()
        good = answer is not None and answer.success
        why = f": {answer.message}" if answer is not None and answer.message else ""
        order.end("" if good else f"the gripper did not {order.verb}{why}")


class TopicGripper(GripperPort):
    """A gripper at a digital output, which tells nothing back.

    Args:
        node: that publishes.
        name: of the topic.
    """

    def __init__(self, node: Node, name: str) -> None:
        super().__init__(name)
        self._node = node
        self._out = node.create_publisher(Bool, name, qos.COMMAND)

    @property
    def missing(self) -> str:
        """See the class."""
        if self._node.count_subscribers(self._out.topic_name) > 0:
            return ""
        return f"nothing listens to the topic {self.name} (std_msgs/Bool) of a gripper"

    def command(self, opens: bool, latest: float = math.inf) -> GripperOrder:
        """See the class."""
        order = GripperOrder(opens)
        order.went_out(latest)
        self._out.publish(Bool(data=opens))
        order.end()
        return order


class BoundGripper(GripperPort):
    """The simulated arm's own gripper: told before the motion at which moment of it to open.

    A simulation may run faster than any message: no real gripper has this.

    Args:
        node: that publishes.
    """

    timed = True

    def __init__(self, node: Node) -> None:
        super().__init__("the simulated arm's gripper")
        self._node = node
        self._orders: dict[str, GripperOrder] = {}
        self._out = node.create_publisher(JointTrajectory, GRIPPER_BINDING, qos.COMMAND)
        node.create_subscription(DiagnosticStatus, GRIPPER_STATUS, self._on_status, qos.EVENT)

    @property
    def missing(self) -> str:
        """See the class."""
        if self._node.count_subscribers(self._out.topic_name) > 0:
            return ""
        return "no simulated arm has a gripper here: gripper:=simulated is for a simulation only"

    def command(self, opens: bool, latest: float = math.inf) -> GripperOrder:
        """See the class; whatever was bound is forgotten, and a reset puts the object in."""
        order = GripperOrder(opens)
        order.went_out(latest)
        self._out.publish(JointTrajectory())
        order.end()
        return order

    def bind(self, label: str, moment: float) -> GripperOrder:
        """See the class."""
        order = GripperOrder(opens=True)
        self._orders = {label: order}
        at = JointTrajectoryPoint(time_from_start=convert.duration_msg(moment))
        self._out.publish(JointTrajectory(header=convert.header(0, label), points=[at]))
        return order

    def _on_status(self, msg: DiagnosticStatus) -> None:
        status = convert.motion_status_from(msg)
        order = self._orders.get(status.motion)
        if order is None:
            return
        if status.state == "accepted":
            order.went_out()
        else:
            order.end(
                "" if status.state == "done" else f"the gripper did not open: {status.reason}"
            )


def make_gripper(node: Node, values: Mapping[str, Any]) -> GripperPort | None:
    """Return the way to the gripper that the parameters ask for; None = there is none.

    Raises:
        UsageError: they do not say which, or ``control_msgs`` is not installed for an action.
    """
    choice = gripper_choice(values["gripper"])
    if choice.kind is GripperKind.ACTION:
        try:
            importlib.import_module("control_msgs.action")
        except ImportError:
            text = "needs control_msgs: install ros-jazzy-control-msgs"
            raise UsageError(f"parameter gripper = {values['gripper']!r} {text}") from None
        positions = (values["gripper_open"], values["gripper_closed"])
        return ActionGripper(node, choice.names[0], positions, values["gripper_effort"])
    if choice.kind is GripperKind.TRIGGER:
        return TriggerGripper(node, choice.names)
    if choice.kind is GripperKind.TOPIC:
        return TopicGripper(node, choice.names[0])
    return BoundGripper(node) if choice.kind is GripperKind.SIMULATED else None
