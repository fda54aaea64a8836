"""The improver's side of a trial: ask the executor, collect what perception saw."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import ObjectTrajectory as ObjectTrajectoryMsg
from icpi_msgs.msg import Proposal
from icpi_ros.core.errors import ExecutionCancelled, ExecutionFailed, IcpiError, ObservationMissing
from icpi_ros.core.types import Array, ObjectTrajectory, Tracking
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.calls import SafeActionClient
from icpi_ros.ros.base.topics import EXECUTE_MOTION, OBJECT_TRAJECTORY
from icpi_ros.tasks.base import Task

Code = ExecuteMotion.Result
LOOK = 0.02
"""Longest time between two looks at deadlines [s]; news are waited for, not looked for."""


@dataclass(frozen=True)
class Deadlines:
    """Steady times [s]: until the executor is there, between its signs of life, for the path."""

    connect: float = 10.0
    heartbeat: float = 5.0
    observation: float = 5.0


class MotionClient:
    """Client that executes one theta at a time; callbacks write, the worker thread waits."""

    def __init__(self, node: Node, task: Task, deadlines: Deadlines) -> None:
        self._task, self._deadlines = task, deadlines
        self._changed = threading.Condition()
        self._cancelled = threading.Event()
        self._last_sign = 0.0
        self._paths: deque[ObjectTrajectoryMsg] = deque(maxlen=8)
        self._client = SafeActionClient(node, ExecuteMotion, EXECUTE_MOTION, self._wake)
        node.create_subscription(ObjectTrajectoryMsg, OBJECT_TRAJECTORY, self._on_path, qos.EVENT)

    def arm(self) -> None:
        """Forget an earlier cancellation; called at the start of a run."""
        self._cancelled.clear()

    def cancel(self) -> None:
        """End the motion under way; from any thread."""
        self._cancelled.set()
        self._wake()

    def execute(
        self,
        trial_id: str,
        proposal: Proposal,
        on_change: Callable[[Array, str], None],
        on_tracking: Callable[[Tracking, str], None],
    ) -> tuple[ObjectTrajectory, float]:
        """Execute a proposal's theta; return what was seen and how long things moved [s].

        Args:
            trial_id: no other attempt has it.
            proposal: with the theta to execute.
            on_change: called with what was executed instead, and whose decision it was, before
                anything is raised or returned.
            on_tracking: called with how the arm followed its last command, and one line to keep
                with the trial, likewise.

        Raises:
            ExecutionCancelled: cancelled from here or there, or rejected by a person; the arm
                stands.
            ExecutionFailed: refused or aborted; the message is the executor's.
            ObservationMissing: executed, but nothing usable was seen.
        """
        result = self._result(trial_id, proposal)
        if result.decided_by:
            on_change(np.array(result.theta), result.decided_by)
        on_tracking(tracking_from(result), result.note)
        if result.error_code == Code.PERCEPTION_SILENT:
            raise ObservationMissing(result.error_msg)
        if result.error_code in (Code.CANCELLED, Code.REJECTED, Code.DRY_RUN):
            raise ExecutionCancelled(result.error_msg)
        if result.error_code != Code.NONE:
            raise ExecutionFailed(result.error_msg or f"executor error {result.error_code}")
        return self._path(trial_id), result.motion_duration + result.settling_duration

    def _result(self, trial_id: str, proposal: Proposal) -> Any:
        limit = self._deadlines.connect
        self._client.forget()
        self._wait(
            self._client.ready,
            limit,
            ExecutionFailed(f"nobody serves execute_motion ({limit:g} s)"),
        )
        goal = ExecuteMotion.Goal(
            task=self._task.name,
            trial_id=trial_id,
            proposal=proposal,
        )
        if self._cancelled.is_set():
            raise ExecutionCancelled("cancelled by the client")
        self._last_sign = time.monotonic()
        handle = self._await(self._client.send(goal, self._on_feedback), None)
        if not handle.accepted:
            raise ExecutionFailed("the executor rejected the goal without a reason")
        return self._await(self._client.result(handle), handle).result

    def _await(self, future: Any, handle: Any) -> Any:
        """Wait for a reply while the executor gives signs of life; pass a cancellation on."""
        ask = handle is not None
        while not future.done():
            if self._cancelled.is_set() and ask:
                self._client.cancel(handle)
                ask = False
            if time.monotonic() - self._last_sign > self._deadlines.heartbeat:
                self._abandon(future, handle)
                raise ExecutionFailed(
                    f"the executor gave no sign of life for {self._deadlines.heartbeat:g} s: "
                    "is it still running?"
                )
            self._pause(future.done, ask)
        return future.result()

    def _abandon(self, future: Any, handle: Any) -> None:
        """Cancel at an executor that does not answer, now or when it accepts."""
        if handle is not None:
            self._client.cancel(handle)
        else:
            future.add_done_callback(lambda reply: reply.result().cancel_goal_async())

    def _path(self, trial_id: str) -> ObjectTrajectory:
        def found() -> ObjectTrajectoryMsg | None:
            return next((m for m in list(self._paths) if m.trial_id == trial_id), None)

        missing = ObservationMissing(
            f"perception sent no trajectory within {self._deadlines.observation:g} s"
        )
        self._wait(lambda: found() is not None, self._deadlines.observation, missing)
        msg = found()
        if msg is None:
            raise missing
        if not msg.good and not len(msg.times):
            raise ObservationMissing(msg.reason)
        if not msg.good:
            raise ObservationMissing(f"the object's path is too poor to learn from: {msg.reason}")
        return convert.object_trajectory_from(msg)

    def _wait(self, done: Callable[[], bool], limit: float, failure: IcpiError) -> None:
        deadline = time.monotonic() + limit
        while not done():
            if self._cancelled.is_set():
                raise ExecutionCancelled("cancelled by the client")
            if time.monotonic() > deadline:
                raise failure
            self._pause(done, True)

    def _pause(self, done: Callable[[], bool], ask: bool) -> None:
        """Wait for news, a cancellation if it is to ask for, unless they came in between."""
        with self._changed:
            if not done() and not (ask and self._cancelled.is_set()):
                self._changed.wait(LOOK)

    def _on_feedback(self, msg: Any) -> None:
        self._last_sign = time.monotonic()

    def _on_path(self, msg: ObjectTrajectoryMsg) -> None:
        with self._changed:
            self._paths.append(msg)
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def tracking_from(result: Any) -> Tracking:
    """Return how the arm followed its last command, from a result of ExecuteMotion."""
    return Tracking(
        result.last_motion, result.tracking_error, result.tracking_joint, result.tracking_time
    )
