"""Client of `icpi approve` and of the live page: questions, decisions, the software stop."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from icpi_msgs.msg import OperatorRequest
from icpi_msgs.srv import Decide
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.operator_port import WORDS, is_decided
from icpi_ros.ros.base.topics import DECIDE, OPERATOR_REQUEST
from icpi_ros.ros.clients.stop_client import ANSWER, SoftwareStopClient

OUTCOME_TIMEOUT = 60.0
"""Longest time until the outcome of a decision is known [s]: a change is planned."""

_KINDS = {
    "approve": Decide.Request.APPROVE,
    "clear": Decide.Request.APPROVE,
    "reject": Decide.Request.REJECT,
    "edit": Decide.Request.EDIT,
}


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


class OperatorClient(SoftwareStopClient):
    """Questions that wait for a decision, and the way to decide; a context manager."""

    def __init__(self, namespace: str = "") -> None:
        """Open topic and services; nothing is waited for."""
        super().__init__(namespace, "icpi_operator")
        self._request: OperatorRequest | None = None
        self._since: deque[OperatorRequest] = deque(maxlen=10)
        self.node.create_subscription(
            OperatorRequest, OPERATOR_REQUEST, self._on_request, qos.LATCHED_EVERY
        )
        self._decide = self.node.create_client(Decide, DECIDE)
        self.spin()

    @property
    def pending(self) -> OperatorRequest | None:
        """The question that waits for a decision; None if none does."""
        request = self._request
        return None if request is None or request.kind == OperatorRequest.NONE else request

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

    def _on_request(self, msg: OperatorRequest) -> None:
        self._request = msg
        self._since.append(msg)
        self.notify()
