"""Action servers that work on one goal at a time, in a thread of its own.

Callbacks never block: the coroutine of a goal awaits a future that the worker completes.  So
one executor thread serves everything, and cancel requests are seen at any moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from icpi_ros.ros.base.spin import IcpiNode

RESULT_KEPT = 60
"""Time for which a result can be fetched [s]; rclpy keeps results in memory for that time."""


class Job(Protocol):
    """Work on one goal: ``run`` returns the result message, ``cancel`` makes it return soon."""

    def run(self) -> Any:
        """Do the work in a worker thread; errors become error codes, not exceptions."""

    def cancel(self) -> None:
        """Ask for a quick end; from any thread."""


class OneGoalServer:
    """Action server that works on one goal and answers BUSY to any other.

    Args:
        node: whose executor serves.
        action: action type.
        name: action name.
        make_job: makes the work of an accepted goal.
        failed: makes a result from an error code and a message.
    """

    def __init__(
        self,
        node: IcpiNode,
        action: Any,
        name: str,
        make_job: Callable[[ServerGoalHandle], Job],
        failed: Callable[[int, str], Any],
    ) -> None:
        self._node, self._action = node, action
        self._make_job, self._failed = make_job, failed
        self._job: Job | None = None
        self._worker: threading.Thread | None = None
        self._closing = False
        self._server = ActionServer(
            node,
            action,
            name,
            self._execute,
            goal_callback=lambda goal: GoalResponse.ACCEPT,  # reasons travel in the result
            cancel_callback=self._on_cancel,
            result_timeout=RESULT_KEPT,
        )

    @property
    def busy(self) -> bool:
        """True while a goal is worked on."""
        return self._job is not None

    def close(self, limit: float) -> bool:
        """Cancel the work and wait for its end, at most ``limit`` [s]; tell whether it ended."""
        self._closing = True
        job, worker = self._job, self._worker
        if job is None or worker is None:
            return True
        job.cancel()
        worker.join(limit)
        return not worker.is_alive()

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        if self._job is not None and getattr(self._job, "handle", None) is handle:
            self._job.cancel()
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> Any:
        if self._job is not None:
            handle.abort()
            codes = self._action.Result
            return self._failed(codes.BUSY, "another goal is under way: wait for it or cancel it")
        job = self._job = self._make_job(handle)
        if self._closing or handle.is_cancel_requested:
            job.cancel()  # the request came before there was a job to cancel
        done = Future()
        self._worker = threading.Thread(target=self._work, args=(job, done), daemon=True)
        self._worker.start()
        try:
            result = await done
        finally:
            self._job = self._worker = None
        self._finish(handle, result)
        return result

    def _work(self, job: Job, done: Future) -> None:
        try:
            result = job.run()
        except BaseException as exc:
            self._node.get_logger().error(f"{type(exc).__name__} in a worker: {exc}")
            result = self._failed(self._action.Result.INTERNAL, f"{type(exc).__name__}: {exc}")
            done.set_result(result)
            self._node.fail(exc)
        else:
            done.set_result(result)
        executor = self._node.executor
        if executor is not None:  # a result from a foreign thread does not wake the executor
            executor.wake()

    def _finish(self, handle: ServerGoalHandle, result: Any) -> None:
        codes = self._action.Result
        if result.error_code == codes.NONE:
            handle.succeed()
        elif result.error_code == codes.CANCELLED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()


SEND_GOAL = "/_action/send_goal"
"""The service by which an action's server can be found."""


class ActionServers:
    """Servers of the action that ``node`` serves; used by any thread.

    Args:
        node: that looks, and serves the action itself.
        action: name of the action, relative.
    """

    def __init__(self, node: Node, action: str) -> None:
        self._node = node
        self._service = node.resolve_service_name(f"{action}{SEND_GOAL}")  # as remapped
        self._known = ""

    @property
    def doubt(self) -> str:
        """The servers, if there are more than one; empty = the node's own alone.

        The graph is known already: to count takes some microseconds.
        """
        count = self._node.count_services(self._service)
        text = "" if count < 2 else self._text(count)
        if text and not self._known:
            self._node.get_logger().error(text)
        self._known = text
        return text

    def _text(self, count: int) -> str:
        names = ", ".join(self._others()) or "another one, whose name is not known yet"
        return (
            f"{self._service.removesuffix(SEND_GOAL)} has {count} servers, beside this node "
            f"{names}: nothing moves while there is more than one; stop all but one (one that was "
            "killed is listed for some 20 s more)"
        )

    def _others(self) -> list[str]:
        """Return the nodes beside this one that serve the action; it takes a look at every node.

        Nodes of the same name cannot be distinguished: they are asked for once, and named as
        often as they are there.
        """
        own = (self._node.get_name(), self._node.get_namespace())
        nodes = self._node.get_node_names_and_namespaces()
        if own in nodes:
            nodes.remove(own)
        return sorted(f"{n[1].rstrip('/')}/{n[0]}" for n in nodes if self._serves(*n))

    def _serves(self, name: str, namespace: str) -> bool:
        try:
            found = self._node.get_service_names_and_types_by_node(name, namespace)
        except RuntimeError:  # it has just gone
            return False
        return any(service == self._service for service, _ in found)
