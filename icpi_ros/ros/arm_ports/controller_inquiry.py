"""Inquiry of the arm's controller before the first motion: its parameters and its state.

Standard services alone: ``<controller>/list_parameters`` and ``get_parameters`` (of every node; a
request for a parameter that a node does not have is answered with nothing at all, hence the list
first), and ``controller_manager/list_controllers`` where ``controller_manager_msgs`` is installed.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.task import Future

from icpi_ros.ros.arm_ports.controller_facts import (
    ControllerFinding,
    ListedController,
    UnknownValue,
    asked_for,
    judge_activity,
    judge_parameters,
    rejection_hint,
)

ANSWER = 3.0
"""Steady time for a controller to answer [s]; one that does not is warned of."""
BRIEF = 0.3
"""Time for one that did not answer before an earlier trial [s]: it costs every trial."""
EXPLAIN, POLL = 1.0, 0.01
"""Steady time to ask why a motion was rejected, and between looks [s]."""
MANAGER = "controller_manager"
PARAMETERS_OF = "controller {}"
NOT_CHECKED = {
    MANAGER: "whether the controller is active is not checked",
    PARAMETERS_OF: "its parameters are not checked; see docs/controller.md for those that are "
    "recommended",
}


class ControllerInquiry:
    """Parameters and state of the arm's controller, as far as known; used by one worker thread.

    Args:
        node: whose executor receives the answers.
        controller: its name, relative: it moves with the node's namespace.
        joints: of the arm.
        refuse: True if wrong values end a trial, False if they are logged alone.
        advise: True if preferences are logged too.
        log: takes what is not refused, a line each; None = the node's warnings.
        on_answer: called in the executor's thread after every answer.
    """

    def __init__(
        self,
        node: Node,
        controller: str,
        joints: Sequence[str],
        refuse: bool,
        advise: bool = True,
        log: Callable[[str], object] | None = None,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        """Open the clients; nothing is asked yet."""
        self._advise = advise
        self._name, self._joints, self._refuse = controller, tuple(joints), refuse
        self._log = log or node.get_logger().warning
        self._list = Question(node, ListParameters, f"{controller}/list_parameters", on_answer)
        self._get = Question(node, GetParameters, f"{controller}/get_parameters", on_answer)
        self._manager: Question | None = None
        kind = _list_controllers()
        if kind is not None:
            beside = controller.rpartition("/")  # the manager of a controller is beside it
            manager = f"{beside[0]}{beside[1]}{MANAGER}/list_controllers"
            self._manager = Question(node, kind, manager, on_answer)
            self._request = kind.Request
        self._reported: dict[str, Any] | None = None
        self._slow: set[str] = set()  # did not answer in time: asked, but not waited for
        self._begun = 0.0
        self._active: list[ControllerFinding] | None = None
        self._warned: set[str] = set()

    def begin(self) -> None:
        """Ask all anew: since the last trial another controller may have taken the name."""
        self._begun = time.monotonic()
        if self._manager is not None and self._manager.answered:  # late, but it does
            self._slow.discard(MANAGER)
        if self._list.answered:
            self._slow.discard(PARAMETERS_OF)
        self.forget()

    def done(self) -> bool:
        """Tell whether all has been answered, or waited for; called again and again.

        A node that did not answer in time once is waited for briefly from then on.
        """
        self._look()
        waited = time.monotonic() - self._begun
        listed = self._manager is None or self._active is not None or not self._manager.served
        known = {PARAMETERS_OF: self._reported is not None, MANAGER: listed}
        self._slow -= {who for who, is_known in known.items() if is_known}
        limits = {who: BRIEF if who in self._slow else ANSWER for who in known}
        late = {who for who, limit in limits.items() if waited > limit and not known[who]}
        for who in late - self._slow:
            self._warn(
                f"{who.format(self._name)} did not answer within {ANSWER:g} s: {NOT_CHECKED[who]}"
            )
        over = all(known[who] or who in late for who in known)
        if over:
            self._slow |= late
        return over

    def refusal(self) -> str:
        """Return why nothing may move: every wrong value, its remedy; log what is a preference."""
        findings = self.findings()
        wrong = [finding for finding in findings if finding.wrong and self._refuse]
        for finding in findings:
            if finding not in wrong and (finding.wrong or self._advise):
                self._warn(finding.text)
        return "; ".join(finding.text for finding in wrong)

    def forget(self) -> None:
        """Take nothing for known, and wait for no answer any more."""
        self._active, self._reported = None, None
        for question in (self._list, self._get, self._manager):
            if question is not None:
                question.forget()

    def findings(self) -> list[ControllerFinding]:
        """Return all that should be otherwise, as far as it is known."""
        return [*(self._active or ()), *self._parameters()]

    @property
    def unchecked(self) -> str:
        """Reason why it is not known whether the controller is active; empty = it is known."""
        if self._active is not None:
            return ""
        if self._manager is None:
            return "controller_manager_msgs is not installed"
        if not self._manager.served:
            return f"there is no {MANAGER} beside it"
        return f"{MANAGER} does not answer"

    @property
    def parameters_known(self) -> bool:
        """True if the controller has reported its parameters."""
        return self._reported is not None

    def explain_rejection(self) -> str:
        """Return what may be behind a rejection without a reason; takes :data:`EXPLAIN` at most."""
        if self._manager is not None and self._manager.served:
            self.begin()
            while self._active is None and time.monotonic() - self._begun < EXPLAIN:
                self._look()
                time.sleep(POLL)
        return "; ".join(f.text for f in self._active or ()) or rejection_hint(self._name)

    def _look(self) -> None:
        """Take what has been answered, ask what is next."""
        if self._manager is not None and self._active is None:
            listed = self._manager.answer(self._request())
            if listed is not None:
                known = [ListedController(c.name, c.state, c.type) for c in listed.controller]
                self._active = judge_activity(known, self._name.rpartition("/")[2])
        if self._reported is None:
            names = self._list.answer(ListParameters.Request())
            if names is not None:
                wanted = asked_for(self._joints)
                names = [name for name in names.result.names if name in wanted]
                values = self._get.answer(GetParameters.Request(names=names))
                if values is not None:
                    self._reported = self._read(names, values.values)

    def _read(self, names: Sequence[str], values: Sequence[Any]) -> dict[str, Any] | None:
        if len(values) != len(names):  # which of them are these?
            self._warn(
                f"controller {self._name} told {len(values)} of {len(names)} parameters that it "
                f"lists: {NOT_CHECKED[PARAMETERS_OF]}"
            )
            self._list.forget()
            self._get.forget()
            return None
        reported = zip(names, map(_value, values), strict=True)
        return {name: value for name, value in reported if value is not None}

    def _parameters(self) -> list[ControllerFinding]:
        return judge_parameters(self._reported or {}, self._name, self._joints)

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._log(text)


def _value(reported: ParameterValue) -> Any:
    """Return a value as Python has it, whatever another node calls its type."""
    try:
        return parameter_value_to_python(reported)
    except RuntimeError:
        return UnknownValue(reported.type)


def _list_controllers() -> Any:
    """Return the type of the service, None where ``controller_manager_msgs`` is not installed."""
    try:
        return importlib.import_module("controller_manager_msgs.srv").ListControllers
    except ImportError:
        return None


ASK_AGAIN = 0.5
"""Steady time after which a question is repeated: replies get lost while nodes still meet [s]."""
ASKED = 8
"""Requests under way at most; a late answer to the oldest is not waited for any more."""


class Question:
    """One question to one service; polled by one thread.

    Args:
        node: whose executor receives the answer.
        kind: type of the service.
        name: of the service.
        on_answer: called in the executor's thread after every answer.
    """

    def __init__(
        self, node: Node, kind: Any, name: str, on_answer: Callable[[], None] = lambda: None
    ) -> None:
        """Open the client; nothing is asked yet."""
        self._node, self._on_answer = node, on_answer
        self._client = node.create_client(kind, name)
        self._asked: deque[_Request] = deque()
        self._next = 0.0

    @property
    def served(self) -> bool:
        """True while a node serves that name."""
        return bool(self._client.service_is_ready())

    @property
    def answered(self) -> bool:
        """True if there is an answer since it was last forgotten."""
        return self._reply() is not None

    def forget(self) -> None:
        """Ask anew: what was answered may be otherwise by now."""
        self._drop(0)
        self._next = 0.0

    def answer(self, request: Any) -> Any:
        """Ask; return the answer, None so far."""
        reply = self._reply()
        if reply is not None:
            return reply
        now = time.monotonic()
        if self.served and now >= self._next and self._node.executor is not None:
            self._next = now + ASK_AGAIN
            self._drop(ASKED - 1)
            asked = _Request(self._client, request, self._on_answer)
            self._asked.append(asked)
            # As in calls.py: a quick reply cannot overtake what the executor's own thread sends.
            self._node.executor.create_task(asked.send)
        return None

    def _drop(self, left: int) -> None:
        while len(self._asked) > left:
            self._asked.popleft().drop()

    def _reply(self) -> Any:
        replies = (asked.reply for asked in self._asked)
        return next((reply for reply in replies if reply is not None), None)


class _Request:
    """A request that is sent in one thread and taken back in another, in either order."""

    def __init__(self, client: Client, request: Any, on_answer: Callable[[], None]) -> None:
        self._client, self._request, self._on_answer = client, request, on_answer
        self._lock = threading.Lock()
        self._future: Future | None = None
        self._dropped = False

    def send(self) -> None:
        """Send it unless it was taken back; what cannot be sent is asked again later."""
        with self._lock, contextlib.suppress(Exception):
            if not self._dropped:
                self._future = self._client.call_async(self._request)
                self._future.add_done_callback(lambda _: self._on_answer())

    def drop(self) -> None:
        """Take it back: its reply is not waited for any more."""
        with self._lock:
            self._dropped = True
            if self._future is not None:
                self._client.remove_pending_request(self._future)

    @property
    def reply(self) -> Any:
        """The answer; None so far."""
        future = self._future
        if future is None or not future.done() or future.exception() is not None:
            return None
        return future.result()
