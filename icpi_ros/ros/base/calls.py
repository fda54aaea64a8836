"""Action calls from a worker thread that cannot lose their reply.

Three ways to lose one, all met in practice, and what is done about each:

- rclpy's ActionClient sends a request first and notes its future afterwards, without a lock.
  When the executor's thread takes a quick reply in between, it drops it ("Ignoring unexpected
  goal response").  Here the executor's own thread sends, which cannot be overtaken.
- A server may not have discovered the client when the client has discovered it; its replies go
  nowhere, and rclpy never starts such a goal.  Here a harmless request is repeated until it is
  answered; DDS discovers endpoints in the order of their making, so the action client's own
  endpoints, made before, are discovered too.
- A reply that is lost all the same is asked for again when the goal's status says that it ended.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.task import Future

PROBE = 0.2
"""Time after which an unanswered probe is repeated [s]."""
ASK_AGAIN = 1.0
"""Time after which the result of a goal that ended is asked for again [s]."""
_ENDED = (
    GoalStatus.STATUS_SUCCEEDED,
    GoalStatus.STATUS_CANCELED,
    GoalStatus.STATUS_ABORTED,
)


def call(executor: Executor, send: Callable[[], Future]) -> Future:
    """Run ``send`` in the executor's thread; return a future of what its future will hold."""
    reply = Future()

    def done(future: Future) -> None:
        error = future.exception()
        if error is not None:
            reply.set_exception(error)
        else:
            reply.set_result(future.result())

    def task() -> None:
        try:
            send().add_done_callback(done)
        except Exception as exc:
            reply.set_exception(exc)

    executor.create_task(task)
    return reply


class SafeActionClient:
    """ActionClient whose calls keep their replies; made in any thread, used in a worker's.

    Args:
        node: whose executor sends and receives.
        action: action type.
        name: action name.
        on_reply: called in the executor's thread after every reply.
    """

    def __init__(
        self, node: Node, action: Any, name: str, on_reply: Callable[[], None] = lambda: None
    ) -> None:
        """Open the client; the probe is made after it, see the module."""
        self._node, self._on_reply = node, on_reply
        self._client = ActionClient(node, action, name)
        self._request = action.Impl.GetResultService.Request
        self._probe = node.create_client(action.Impl.GetResultService, f"{name}/_action/get_result")
        self._probes: list[Future] = []
        self._next = 0.0

    @property
    def present(self) -> bool:
        """True while the server is in the ROS graph; a killed one stays for some seconds."""
        return bool(self._client.server_is_ready())

    def forget(self) -> None:
        """Probe anew: the server may be another one by now."""
        for probe in self._probes:
            self._probe.remove_pending_request(probe)
        self._probes = []
        self._next = 0.0

    def ready(self) -> bool:
        """Tell whether the server answers; called again and again until it does."""
        if any(probe.done() for probe in self._probes):
            return True
        now = time.monotonic()
        if self.present and now >= self._next:
            self._next = now + PROBE
            # Nobody has this goal: the server says "unknown" at once.
            request = self._request()
            request.goal_id.uuid = list(uuid.uuid4().bytes)
            probe = self._probe.call_async(request)
            probe.add_done_callback(lambda _: self._on_reply())
            self._probes.append(probe)
        return False

    def send(
        self,
        goal: Any,
        on_feedback: Callable[[Any], None],
        on_send: Callable[[], None] = lambda: None,
    ) -> Future:
        """Send a goal; the future holds its handle; ``on_send`` is called when it goes out."""

        def send() -> Future:
            on_send()
            return self._client.send_goal_async(goal, on_feedback)

        return self._call(send)

    def cancel(self, handle: ClientGoalHandle) -> Future:
        """Ask for the end of a goal."""
        return self._call(handle.cancel_goal_async)

    def result(self, handle: ClientGoalHandle) -> GoalResult:
        """Ask for the result of a goal."""
        return GoalResult(lambda: self._call(handle.get_result_async), handle)

    def _call(self, send: Callable[[], Future]) -> Future:
        if self._node.executor is None:
            raise RuntimeError(f"node {self._node.get_name()} does not spin")
        reply = call(self._node.executor, send)
        reply.add_done_callback(lambda _: self._on_reply())
        return reply


class GoalResult:
    """Used like a future: the result of a goal, asked for again if it got lost."""

    def __init__(self, ask: Callable[[], Future], handle: ClientGoalHandle) -> None:
        self._ask, self._handle = ask, handle
        self._asked: list[Future] = [ask()]
        self._ended = float("inf")

    def done(self) -> bool:
        """Tell whether the result is here."""
        if any(future.done() for future in self._asked):
            return True
        if self._handle.status in _ENDED:
            now = time.monotonic()
            self._ended = min(self._ended, now)
            if now - self._ended > ASK_AGAIN:
                self._ended = now
                self._asked.append(self._ask())
        return False

    def result(self) -> Any:
        """Return the response: status and result."""
        return next(future.result() for future in self._asked if future.done())
