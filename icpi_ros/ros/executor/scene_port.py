"""Port to the scene: reset of the object, its states, and trial windows."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.task import Future

from icpi_msgs.msg import ObjectState, TrialWindow
from icpi_msgs.srv import ResetScene
from icpi_ros.core.types import Array
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import OBJECT_STATE, RESET_SCENE, TRIAL_WINDOW
from icpi_ros.settings.nodes import PERCEPTION


@dataclass(frozen=True)
class ObjectSighting:
    """One object state: stamp [ns], position [m], rest or not, steady time of arrival [s]."""

    ns: int
    position: Array
    at_rest: bool
    arrival: float

    @property
    def age(self) -> float:
        """Steady time since it arrived [s]."""
        return time.monotonic() - self.arrival


class ScenePort:
    """Object states and resets: callbacks write, the worker thread reads."""

    def __init__(self, node: Node, changed: threading.Condition) -> None:
        self._node, self._changed = node, changed
        self.seen: ObjectSighting | None = None
        self._rest: ObjectSighting | None = None
        self._windows = node.create_publisher(TrialWindow, TRIAL_WINDOW, qos.EVENT)
        self._reset = node.create_client(ResetScene, RESET_SCENE)
        # Every state: the first one at rest ends the window.
        self._states = node.create_subscription(
            ObjectState, OBJECT_STATE, self._on_state, qos.SENSOR_EVERY
        )
        self._rest_after = 0
        self._perception = f"{node.get_namespace().rstrip('/')}/{PERCEPTION}"
        self._unseen, self._unseen_at = "", 0.0
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.EVENT)

    def watch_rest(self, after: int) -> None:
        """From now on look for the first state at rest that is stamped ``after`` [ns] or later."""
        with self._changed:
            self._rest_after, self._rest = after, None

    @property
    def rest(self) -> ObjectSighting | None:
        """That state, None so far."""
        return self._rest

    @property
    def unseen(self) -> str:
        """Reason why nothing was seen lately, as perception gives it; empty = not known."""
        last = 0.0 if self.seen is None else self.seen.arrival
        return self._unseen if self._unseen_at > last else ""

    @property
    def is_published(self) -> bool:
        """True if a node publishes object states, whatever is in them."""
        return self._node.count_publishers(self._states.topic_name) > 0

    @property
    def can_reset(self) -> bool:
        """True if a node serves the reset."""
        return bool(self._reset.service_is_ready())

    def reset(self, trial_id: str) -> Future:
        """Ask for the object to be put back; ``changed`` is notified when it is answered."""
        future = self._reset.call_async(ResetScene.Request(trial_id=trial_id))
        future.add_done_callback(lambda _: self._notify())
        return future

    def forget(self, future: Future) -> None:
        """Give up a reset that is not answered."""
        self._reset.remove_pending_request(future)

    def window(self, state: int, trial_id: str, task: str, start: int, stop: int = 0) -> None:
        """Publish that a trial window opens, closes or is given up."""
        self._windows.publish(
            TrialWindow(
                state=state,
                trial_id=trial_id,
                task=task,
                start=convert.time_msg(start),
                stop=convert.time_msg(stop),
            )
        )

    def _on_state(self, msg: ObjectState) -> None:
        ns = convert.to_ns(msg.header.stamp)
        position = convert.point_from(msg.position)
        with self._changed:
            self.seen = ObjectSighting(ns, position, msg.at_rest, time.monotonic())
            if msg.at_rest and self._rest is None and ns >= self._rest_after:
                self._rest = self.seen
            self._changed.notify_all()

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name == self._perception:
                self._unseen = "" if status.level == DiagnosticStatus.OK else status.message
                self._unseen_at = time.monotonic()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
