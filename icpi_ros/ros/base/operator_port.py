"""Questions of the executor to a person: a latched request, and the service for the decision."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rclpy.node import Node

from icpi_msgs.msg import OperatorRequest
from icpi_msgs.srv import Decide
from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.topics import DECIDE, OPERATOR_REQUEST

DecisionKind = Decide.Request
WORDS = {
    DecisionKind.APPROVE: "approved",
    DecisionKind.REJECT: "rejected",
    DecisionKind.EDIT: "changed",
}
"""First word of the remark that follows a decision."""
_CHANGE_REFUSED = "the change was refused: "
"""Begin of the remark of a question that keeps its theta, since no motion came of the new one."""
MIN_LOOK_TIME = 1.0
"""Steady time from a question to the first approval or change [s]: in less it cannot be read."""


@dataclass(frozen=True)
class Decision:
    """Decision of a person.

    Attributes:
        kind: APPROVE, REJECT or EDIT of Decide.
        theta: ``(d,)`` of an EDIT, checked against the bounds; else None.
        by: name of the person; "the operator" where none was given.
        comment: one line, may be empty.
    """

    kind: int
    theta: Array | None
    by: str
    comment: str

    def __str__(self) -> str:
        return f"{_decided(self.kind)}{self.by}" + (f": {self.comment}" if self.comment else "")


# An OperatorRequest has the outcome of the last decision in its remark alone, and it comes from
# another process: the three functions below are the only ones that write and read these words.


def change_refused(why: object) -> str:
    """Return the remark of a question after a change of which no motion came."""
    return f"{_CHANGE_REFUSED}{why}"


def is_change_refused(remark: str) -> bool:
    """Tell whether a remark from outside is that of a change of which no motion came."""
    return remark.startswith(_CHANGE_REFUSED)


def is_decided(remark: str, kind: int) -> bool:
    """Tell whether a remark from outside is that of a decision of this kind, which counted."""
    return remark.startswith(_decided(kind))


def _decided(kind: int) -> str:
    return f"{WORDS[kind]} by "


class OperatorPort:
    """One question at a time; callbacks write, the worker thread reads.

    Args:
        node: of the topic and the service.
        changed: notified when a decision has come.
        check: returns a changed theta ``(d,)`` in the task's units, raises InvalidValue.
    """

    def __init__(
        self, node: Node, changed: threading.Condition, check: Callable[[Array], Array]
    ) -> None:
        """Open topic and service; nothing is asked yet."""
        self._node, self._changed, self._check = node, changed, check
        self._pending: OperatorRequest | None = None
        self._next = secrets.randbelow(2**31)  # no decision for an earlier executor fits
        self._decision: Decision | None = None
        self._asked = 0.0
        self._out = node.create_publisher(OperatorRequest, OPERATOR_REQUEST, qos.LATCHED)
        node.create_service(Decide, DECIDE, self._on_decide)

    @property
    def waiting(self) -> bool:
        """True while a question is open."""
        return self._pending is not None

    @property
    def decision(self) -> Decision | None:
        """The decision about the last question; None so far."""
        return self._decision

    def ask(self, request: OperatorRequest) -> None:
        """Publish a question under an id of its own."""
        with self._changed:
            self._next += 1
            request.request_id = self._next
            self._pending, self._decision = request, None
            self._asked = time.monotonic()
        self._out.publish(request)

    def close_question(self, remark: str) -> None:
        """Publish that nothing is to be decided any more, with the outcome as ``remark``."""
        with self._changed:
            if self._pending is None:
                return
            self._pending = None
        self._out.publish(OperatorRequest(kind=OperatorRequest.NONE, remark=remark))

    def _on_decide(self, asked: Decide.Request, reply: Decide.Response) -> Decide.Response:
        with self._changed:  # all of it: the next question may be asked at any moment
            try:
                self._decision = self._checked(asked)
            except InvalidValue as exc:
                reply.message = str(exc)
                return reply
            self._changed.notify_all()
        reply.accepted = True
        return reply

    def _checked(self, asked: Decide.Request) -> Decision:
        pending = self._pending
        if pending is None:
            raise InvalidValue("nothing waits for a decision")
        if asked.request_id != pending.request_id:
            raise InvalidValue(
                f"request {asked.request_id} is not the one that waits (request "
                f"{pending.request_id}): look at it again before you decide"
            )
        if self._decision is not None:
            raise InvalidValue(f"request {asked.request_id} has been decided: {self._decision}")
        if asked.decision not in WORDS:
            raise InvalidValue(
                f"decision = {asked.decision} is not allowed: {DecisionKind.APPROVE} approve, "
                f"{DecisionKind.REJECT} reject, {DecisionKind.EDIT} edit"
            )
        too_early = time.monotonic() - self._asked < MIN_LOOK_TIME
        if too_early and asked.decision != DecisionKind.REJECT:  # a no is never too early
            raise InvalidValue(
                f"request {asked.request_id} appeared less than {MIN_LOOK_TIME:g} s ago: look at "
                "it and try again"
            )
        theta = None
        if asked.decision == DecisionKind.EDIT:
            if pending.kind != OperatorRequest.MOTION:
                raise InvalidValue("a scene cannot be edited: approve when it is back, or reject")
            theta = self._check(np.array(asked.theta, dtype=np.float64))
        by = " ".join(asked.decided_by.split()) or "the operator"
        return Decision(int(asked.decision), theta, by, " ".join(asked.comment.split()))
