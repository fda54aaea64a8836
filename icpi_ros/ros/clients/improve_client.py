"""Blocking client of the action Improve, for `icpi run`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from icpi_msgs.action import Improve
from icpi_msgs.msg import OperatorRequest
from icpi_ros.bags.trial_message import trial_from
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.types import Trial
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.calls import SafeActionClient
from icpi_ros.ros.base.topics import IMPROVE, OPERATOR_REQUEST
from icpi_ros.ros.clients.client_node import ClientNode

GONE = 3.0
"""Time without the server in the ROS graph after which it counts as dead [s]."""
CANCEL_LIMIT = 20.0
"""Longest time for a cancelled run to end [s]."""


@dataclass(frozen=True)
class ImproveRequest:
    """A goal of Improve: ``goal`` (g,) [units of the task], ``target_cost`` [m].

    None: the graph's improver, a new run.
    """

    task: str
    improver: str | None = None
    goal: list[float] = field(default_factory=list)
    budget: int = 8
    target_cost: float = 0.0
    seed: int = 0
    resume_run_id: str | None = None


@dataclass(frozen=True)
class Result:
    """End of a run: ``error_code`` 0 = its job is done.

    ``best_theta``: (d,) [units of the task's parameters] of the trial of lowest measured cost,
    ``best_cost`` [m]; what the run recommends, ``Run.recommended``, is in its store.
    """

    run_id: str
    error_code: int
    error_msg: str
    trials: int
    best_theta: list[float]
    best_cost: float
    interrupted: bool = False
    """Ctrl-C asked for the end."""

    @property
    def cancelled(self) -> bool:
        """True if the run ended because it was cancelled."""
        return self.error_code == Improve.Result.CANCELLED

    @property
    def refused(self) -> bool:
        """True if the run to resume, the data set or the improver is not one that fits here."""
        codes = Improve.Result
        return self.error_code in (codes.UNKNOWN_RUN, codes.DATASET, codes.UNKNOWN_IMPROVER)


@dataclass(frozen=True)
class Callbacks:
    """Called in the caller's thread: a run is known (id, first trial), a trial has finished.

    ``on_question``: it waits for a person, who is asked this.
    """

    on_run: Callable[[str, int], None] = lambda run_id, trial: None
    on_trial: Callable[[Trial], None] = lambda trial: None
    on_question: Callable[[str], None] = lambda question: None
    death: Callable[[], str | None] = lambda: None
    """Returns why the graph is dead, None while it lives."""


class ImproveClient(ClientNode):
    """Client of the graph in a namespace; a context manager."""

    def __init__(self, namespace: str = "") -> None:
        """Open the client; nothing is waited for."""
        super().__init__("icpi_run", namespace)
        self._client = SafeActionClient(self.node, Improve, IMPROVE)
        self._feedback: list[Improve.Feedback] = []
        self._questions: list[OperatorRequest] = []
        self.node.create_subscription(
            OperatorRequest, OPERATOR_REQUEST, self._on_question, qos.LATCHED
        )
        self.spin()

    def connect(self, limit: float, death: Callable[[], str | None] = lambda: None) -> None:
        """Wait until the graph serves Improve.

        Raises:
            ExecutionFailed: it does not within ``limit`` [s], or ``death`` returns why it is dead.
        """
        deadline = time.monotonic() + limit
        while not self._client.ready():
            if reason := death():
                raise ExecutionFailed(f"the graph did not start: {reason}")
            if time.monotonic() > deadline:
                raise ExecutionFailed(
                    f"no policy_improver serves {self.node.get_namespace().rstrip('/')}/{IMPROVE} "
                    f"after {limit:g} s: start one with `icpi up sim`, or check namespace and "
                    f"ROS_DOMAIN_ID (here {os.environ.get('ROS_DOMAIN_ID', '0')})"
                )
            time.sleep(0.02)

    def improve(self, request: ImproveRequest, calls: Callbacks | None = None) -> Result:
        """Run one improvement run to its end; Ctrl-C cancels it and waits for the clean end.

        Raises:
            ExecutionFailed: the graph died or does not answer.
            KeyboardInterrupt: Ctrl-C, and the end was not seen; its text has the reason.
        """
        calls = calls or Callbacks()
        self._feedback.clear()
        try:
            sent = self._client.send(_goal(request), self._on_feedback)
            try:
                handle, interrupted = self._wait(sent, calls, 10.0), False
            except KeyboardInterrupt:  # the graph may have taken it all the same
                handle, interrupted = self._after_interrupt(sent, calls), True
            if not handle.accepted:
                raise ExecutionFailed("the graph rejected the goal without a reason")
            return self._finish(handle, calls, interrupted)
        finally:
            self._feedback.clear()

    def _finish(self, handle: Any, calls: Callbacks, interrupted: bool) -> Result:
        future = self._client.result(handle)
        shown = _Shown(calls)
        if not interrupted:
            try:
                self._wait(future, calls, None, shown)
            except KeyboardInterrupt:
                interrupted = True
        if interrupted:
            self._client.cancel(handle)
            self._after_interrupt(future, calls, shown)
        self._show(shown)
        result = future.result().result
        return Result(
            run_id=result.run_id,
            error_code=int(result.error_code),
            error_msg=result.error_msg,
            trials=int(result.trials),
            best_theta=list(result.best_theta),
            best_cost=float(result.best_cost),
            interrupted=interrupted,
        )

    def _after_interrupt(self, future: Any, calls: Callbacks, shown: _Shown | None = None) -> Any:
        try:
            return self._wait(future, calls, CANCEL_LIMIT, shown)
        except ExecutionFailed as exc:
            raise KeyboardInterrupt(str(exc)) from exc

    def _wait(
        self, future: Any, calls: Callbacks, limit: float | None, shown: _Shown | None = None
    ) -> Any:
        """Wait for a reply, showing feedback meanwhile; a dead graph ends the wait."""
        deadline = None if limit is None else time.monotonic() + limit
        seen = time.monotonic()
        while not future.done():
            with self.changed:
                self.changed.wait(0.02)
            self._show(shown)
            now = time.monotonic()
            seen = now if self._client.present else seen
            reason = calls.death()
            if not reason and now - seen > GONE:
                reason = "policy_improver left the ROS graph"
            if reason:
                raise ExecutionFailed(f"the graph ended: {reason}")
            if deadline is not None and now > deadline:
                raise ExecutionFailed(f"the graph did not answer within {limit:g} s")
        return future.result()

    def _show(self, shown: _Shown | None) -> None:
        if shown is None:
            return
        with self.changed:
            new, self._feedback = self._feedback, []
        for feedback in new:
            shown.show(feedback)
        if not shown.run_id:
            return  # the run of a question is not known yet
        with self.changed:
            asked, self._questions = self._questions, []
        for question in asked:
            shown.ask(question)

    def _on_question(self, msg: OperatorRequest) -> None:
        if msg.kind != OperatorRequest.NONE:
            with self.changed:
                self._questions.append(msg)
                self.changed.notify_all()

    def _on_feedback(self, msg: Any) -> None:
        with self.changed:
            self._feedback.append(msg.feedback)
            self.changed.notify_all()


class _Shown:
    """Feedback as it is passed on to the callbacks, the run only once."""

    def __init__(self, calls: Callbacks) -> None:
        self._calls = calls
        self.run_id = ""

    def ask(self, question: OperatorRequest) -> None:
        if question.trial_id.startswith(f"{self.run_id}/"):
            self._calls.on_question(question.question)

    def show(self, feedback: Improve.Feedback) -> None:
        if feedback.run_id != self.run_id:
            self.run_id = feedback.run_id
            self._calls.on_run(feedback.run_id, int(feedback.next_trial))
        if feedback.state == Improve.Feedback.FINISHED_TRIAL:
            self._calls.on_trial(trial_from(feedback.trial))


def _goal(request: ImproveRequest) -> Improve.Goal:
    return Improve.Goal(
        task=request.task,
        improver=request.improver or "",
        goal=[float(value) for value in request.goal],
        budget=request.budget,
        target_cost=float(request.target_cost),
        seed=request.seed,
        resume_run_id=request.resume_run_id or "",
    )
