"""Questions of a graph on a page: which are its own, and the way of a decision to the executor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.text import printable
from icpi_ros.core.types import Array
from icpi_ros.report.operator_request import request_text
from icpi_ros.tasks.base import Task
from icpi_ros.view.question import AskedMotion, QuestionKind, WaitingQuestion, not_meant

if TYPE_CHECKING:
    from icpi_ros.ros.clients.operator_client import OperatorClient

BY = "a person at the page"
GOAL_UNKNOWN = "the goal of a run is known from its first trial on: the ring may be that of another"
"""Remark on a question of a run that no trial was heard of."""
FROZEN = 2.0
"""Time without a look at the graph from which on the page approves nothing [s]."""


class GraphControls:
    """Way from the page to the services of a graph, those of `icpi approve` and `icpi stop`."""

    def __init__(self, client: OperatorClient, task: str, another: Callable[[], str] = str) -> None:
        """Take what decisions go through.

        Args:
            client: of the graph.
            task: that the page shows.
            another: asks the graph why it is not the one that the page shows; empty = it is.
        """
        self._client, self._task, self._another = client, task, another
        self._deciding = threading.Lock()
        self._closed = threading.Event()
        self._seen = time.monotonic()

    def seen(self) -> None:
        """Note that the page has looked at the graph just now."""
        self._seen = time.monotonic()

    def close(self) -> None:
        """Let nothing reach the graph any more; a decision under way is not waited for."""
        self._closed.set()
        self._client.abandon()

    def stop(self) -> str:
        """Press the software stop."""
        return self._client.stop()

    def reset(self) -> str:
        """Release it, in one attempt: one that goes on would undo a later stop."""
        if self._closed.is_set():
            raise ExecutionFailed("the page is closed")
        return self._client.reset_stop_once()

    def decide(self, request: int, kind: str, theta: Sequence[float] = ()) -> str:
        """Decide about the question of that id; see Controls.

        Raises:
            ExecutionFailed: it waits no more, is not what the button is for, or the decision was
                not taken or does not count.
        """
        if not self._deciding.acquire(blocking=False):
            raise ExecutionFailed("a decision is under way")
        try:
            return self._decide(request, kind, theta)
        finally:
            self._deciding.release()

    def _decide(self, request: int, kind: str, theta: Sequence[float]) -> str:
        pending = self._client.pending
        if self._closed.is_set():
            raise ExecutionFailed("the page is closed")
        if pending is None or pending.request_id != request:
            raise ExecutionFailed(f"request {request} does not wait any more")
        if why := foreign(pending, self._task) or not_meant(kind, kind_of(pending)):
            raise ExecutionFailed(f"request {request}: {why}")
        if kind != "reject" and time.monotonic() - self._seen > FROZEN:
            raise ExecutionFailed("the page is behind the graph: look at it again")
        if kind != "reject" and (why := self._another()):
            raise ExecutionFailed(why)
        if refusal := self._client.decide(pending, kind, theta, BY):
            raise ExecutionFailed(refusal)
        outcome = self._client.verdict(kind)
        if not outcome.counted:
            raise ExecutionFailed(f"the decision did not count: {outcome.reason}")
        return outcome.reason


def kind_of(msg: Any) -> QuestionKind:
    """Return what an OperatorRequest asks about."""
    return QuestionKind.MOTION if msg.kind == type(msg).MOTION else QuestionKind.SCENE


def foreign(msg: Any, task: str) -> str:
    """Return why an OperatorRequest is none of a page of ``task``; empty = it is."""
    if msg.task != task:
        return f"another task: {printable(msg.task) or 'none is named'}; this page shows {task}"
    if msg.kind not in (type(msg).MOTION, type(msg).SCENE):
        return f"a question of another version, kind {msg.kind}"
    return ""


def another_graph(shown: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return why a graph is not the one that is shown, one line; empty = it is.

    Args:
        shown: what its executor said of task and arm when the page was opened.
        now: what it says now, after a restart perhaps.
    """
    for name in ("task", "arm", "joint_prefix"):
        before, found = (printable(values.get(name, "")) for values in (shown, now))
        if before != found:
            what = name.replace("_", " ")
            return (
                f"the graph has another {what}: {found or 'the usual one'}; this page shows "
                f"{before or 'the usual one'}: open it anew"
            )
    return ""


def question_of(
    msg: Any, task: Task, another: str = "", shown_run: str = ""
) -> WaitingQuestion | None:
    """Return what waits, with the bounds in force: those of this step where there are any.

    Args:
        msg: OperatorRequest; None = nothing waits.
        task: of the page.
        another: why the graph that asks is not the one that the page shows; empty = it is.
        shown_run: run of which the page shows trials, and so the goal; empty = none.
    """
    from icpi_ros.ros.base.operator_port import is_change_refused  # needs ROS

    if msg is None:
        return None
    other, kind = foreign(msg, task.name) or another, kind_of(msg)
    names = [f"({msg.remark})"] if msg.remark else []
    headline = "\n".join(printable(line) for line in (*names, msg.question))
    asked = _motion(msg) if kind is QuestionKind.MOTION else None
    if kind is QuestionKind.MOTION and not _fits(msg, task):
        other = other or "its theta is not that of the task of this page"
    units = [p.shown_unit for p in task.space.parameters]
    # What names no theta of this task cannot be shown in its units.
    text = headline if other else request_text(msg, units)
    if asked is not None and shown_run != msg.proposal.run_id:
        text = f"{GOAL_UNKNOWN}\n{text}"
    kept = bool(is_change_refused(msg.remark))
    return WaitingQuestion(int(msg.request_id), kind, text, headline, asked, other, kept)


def _fits(msg: Any, task: Task) -> bool:
    """Tell whether theta and its bounds are those of a task, by name and number."""
    fields = (msg.theta, msg.lower, msg.upper)
    changes = (msg.dtheta, msg.step_lower, msg.step_upper)
    return (
        list(msg.theta_names) == list(task.space.names)
        and all(len(field) == task.space.dim for field in fields)
        and all(len(field) in (0, task.space.dim) for field in changes)
        and len(msg.step_lower) == len(msg.step_upper)
    )


def _motion(msg: Any) -> AskedMotion:
    near = bool(msg.step_lower)
    point = msg.release_point
    return AskedMotion(
        theta=np.array(msg.theta, dtype=np.float64),
        lower=np.array(msg.step_lower if near else msg.lower, dtype=np.float64),
        upper=np.array(msg.step_upper if near else msg.upper, dtype=np.float64),
        scale=float(msg.stroke_scale),
        duration=float(msg.duration),
        path=_points(msg.tool_path),
        slow=tuple(_points(motion.tool_path) for motion in msg.motions[:-1]),
        release=np.array([point.x, point.y, point.z]) if msg.has_release else None,
    )


def _points(points: Sequence[Any]) -> Array:
    return np.array([[p.x, p.y, p.z] for p in points], dtype=np.float64).reshape(-1, 3)
