"""Client of `icpi approve` and `icpi stop`: questions, decisions, the software stop."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.task import Future
from std_srvs.srv import Trigger

from icpi_msgs.msg import OperatorRequest
from icpi_msgs.srv import Decide
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.operator_port import WORDS, is_decided
from icpi_ros.ros.base.stop_latch import STILL
from icpi_ros.ros.base.topics import DECIDE, OPERATOR_REQUEST, RESET_STOP, STOP
from icpi_ros.ros.clients.client_node import ClientNode

ANSWER = 5.0
"""Longest time for the executor to be found, and to answer [s]."""
ASK_AGAIN = 0.5
"""Time after which a stop that was not answered is asked for again [s]."""
OUTCOME_TIMEOUT = 60.0
"""Longest time until the outcome of a decision is known [s]: a change is planned."""
STILL_STOPPING = 5.0
"""Steady time to wait until the arm is no longer being stopped [s]."""

_KINDS = {
    "approve": Decide.Request.APPROVE,
    "clear": Decide.Request.APPROVE,
    "reject": Decide.Request.REJECT,
    "edit": Decide.Request.EDIT,
}


class StillStopping(ExecutionFailed):
    """The executor does not release the software stop yet: the arm is still being stopped."""


@dataclass(frozen=True)
class DecisionOutcome:
    """Outcome of a decision.

    Attributes:
        counted: False: the planner refused the change, or the trial ended first.
        reason: one line, the executor's remark.
        next: the question that came of it, None where nothing waits any more.
    """

    counted: bool
    reason: str
    next: OperatorRequest | None


class OperatorClient(ClientNode):
    """Questions that wait for a decision, and the way to decide; a context manager."""

    def __init__(self, namespace: str = "") -> None:
        """Open topic and services; nothing is waited for."""
        super().__init__("icpi_operator", namespace)
        self._request: OperatorRequest | None = None
        self._since: deque[OperatorRequest] = deque(maxlen=10)
        self.node.create_subscription(
            OperatorRequest, OPERATOR_REQUEST, self._on_request, qos.LATCHED_EVERY
        )
        self._decide = self.node.create_client(Decide, DECIDE)
        self._stop = self.node.create_client(Trigger, STOP)
        self._reset = self.node.create_client(Trigger, RESET_STOP)
        self._abandoned = threading.Event()
        self.spin()

    @property
    def pending(self) -> OperatorRequest | None:
        """The question that waits for a decision; None if none does."""
        request = self._request
        return None if request is None or request.kind == OperatorRequest.NONE else request

    @property
    def can_stop(self) -> bool:
        """True if there is an executor now that takes the software stop."""
        return bool(self._stop.service_is_ready())

    def connect(self) -> None:
        """Wait until the executor is there.

        Raises:
            ExecutionFailed: it is not.
        """
        self._until(self._decide.service_is_ready, ANSWER, self._absent(DECIDE))

    def wait_for_request(self, limit: float) -> OperatorRequest | None:
        """Return the question that waits for a decision; None if none does within ``limit`` [s]."""
        deadline = time.monotonic() + limit
        while (request := self.pending) is None and time.monotonic() < deadline:
            with self.changed:
                self.changed.wait(0.05)
        return request

    def decide(
        self,
        question: OperatorRequest,
        kind: str,
        theta: Sequence[float] = (),
        by: str = "",
        comment: str = "",
    ) -> str | None:
        """Send a decision; return why it was not taken, None if it was.

        Args:
            question: what was looked at.
            kind: approve (a motion), clear (a scene), reject or edit.
            theta: ``(d,)`` [units of the task's parameters] of an edit.
            by: who decides.
            comment: one line why.

        Raises:
            ExecutionFailed: the executor does not answer.
        """
        request = Decide.Request(
            request_id=question.request_id,
            decision=_KINDS[kind],
            theta=[float(value) for value in theta],
            decided_by=by,
            comment=comment,
        )
        self.connect()
        self._since.clear()
        reply = self._reply(lambda: self._decide.call_async(request), DECIDE, again=False)
        return None if reply.accepted else str(reply.message)

    def verdict(self, kind: str) -> DecisionOutcome:
        """Wait for the outcome of the decision of this ``kind`` that was taken last; return it.

        Raises:
            ExecutionFailed: there is none: the executor hangs, or is gone.
        """
        missing = ExecutionFailed(
            f"taken, but the executor did not say within {OUTCOME_TIMEOUT:g} s what became of it: "
            "see its log, and what waits now: icpi approve --show"
        )
        self._until(lambda: bool(self._since), OUTCOME_TIMEOUT, missing)
        news, decision = self._since[0], _KINDS[kind]
        counted = is_decided(news.remark, decision)
        if news.kind == OperatorRequest.NONE:
            return DecisionOutcome(counted, news.remark, None)
        if kind == "edit":
            return DecisionOutcome(counted, news.remark, news)
        # The executor has gone on, its remark got lost on the way.
        return DecisionOutcome(True, WORDS[decision], news)

    def stop(self) -> str:
        """Press the software stop; return the executor's reply.

        Raises:
            ExecutionFailed: the executor does not answer: use the emergency stop of the arm.
        """
        return self._trigger(self._stop, STOP, again=True)

    def reset_stop(self) -> str:
        """Release the software stop, once the arm stands; return the executor's reply.

        Raises:
            ExecutionFailed: the executor does not answer, or it refuses.
        """
        deadline = time.monotonic() + STILL_STOPPING
        while True:
            try:
                return self._trigger(self._reset, RESET_STOP, again=False)
            except StillStopping:
                if time.monotonic() > deadline:
                    raise
            with self.changed:
                self.changed.wait(0.1)

    def reset_stop_once(self) -> str:
        """Ask for the release now, and once: a later stop is not undone by it.

        Raises:
            ExecutionFailed: the executor is not there, does not answer, or refuses.
        """
        if not self._reset.service_is_ready():
            raise self._absent(RESET_STOP)
        return self._trigger(self._reset, RESET_STOP, again=False)

    def abandon(self) -> None:
        """End every wait that is under way, and that of every later call."""
        self._abandoned.set()
        self.notify()

    def close(self) -> bool:
        """End waits, thread and node; see ClientNode."""
        self.abandon()
        return super().close()

    def _trigger(self, client: Any, name: str, again: bool) -> str:
        self._until(client.service_is_ready, ANSWER, self._absent(name))
        reply = self._reply(lambda: client.call_async(Trigger.Request()), name, again)
        if not reply.success:
            text = str(reply.message)  # from outside, and std_srvs/Trigger has nothing else
            raise StillStopping(text) if text == STILL else ExecutionFailed(text)
        return str(reply.message)

    def _reply(self, call: Callable[[], Future], name: str, again: bool) -> Any:
        """Wait for the reply; a request whose reply may have got lost is sent ``again``."""
        futures, asked = [call()], time.monotonic()

        def answered() -> bool:
            nonlocal asked
            if again and time.monotonic() - asked > ASK_AGAIN:
                futures.append(call())
                asked = time.monotonic()
            return any(future.done() for future in futures)

        self._until(answered, ANSWER, self._absent(name))
        return next(future.result() for future in futures if future.done())

    def _until(self, done: Callable[[], bool], limit: float, failure: ExecutionFailed) -> None:
        deadline = time.monotonic() + limit
        while not done():
            if self._abandoned.is_set():
                raise ExecutionFailed("the client was closed before the executor answered")
            if time.monotonic() > deadline:
                raise failure
            with self.changed:
                self.changed.wait(0.01)

    def _absent(self, name: str) -> ExecutionFailed:
        return ExecutionFailed(
            f"no executor answers {self.node.get_namespace().rstrip('/')}/{name} within "
            f"{ANSWER:g} s: is the graph up in this namespace and ROS_DOMAIN_ID "
            f"(here {os.environ.get('ROS_DOMAIN_ID', '0')})?"
        )

    def _on_request(self, msg: OperatorRequest) -> None:
        self._request = msg
        self._since.append(msg)
        self.notify()
