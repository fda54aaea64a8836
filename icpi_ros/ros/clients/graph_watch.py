"""Watch over a graph for a page: its arm, object, trials, questions and software stop."""

from __future__ import annotations

import contextlib
import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rcl_interfaces.srv import GetParameters
from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from rclpy.node import NodeNameNonExistentError
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool

from icpi_msgs.msg import ObjectState, OperatorRequest
from icpi_msgs.msg import ObjectTrajectory as ObjectTrajectoryMsg
from icpi_msgs.msg import Trial as TrialMsg
from icpi_ros.bags.trial_message import trial_from
from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.types import Array, ObjectTrajectory, Trial
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import (
    CAMERA_DEBUG,
    JOINT_STATES,
    OBJECT_STATE,
    OBJECT_TRAJECTORY,
    OPERATOR_REQUEST,
    STOPPED,
    TRIALS,
)
from icpi_ros.ros.clients.client_node import ClientNode

MAX_PATHS = 200
"""Most object paths that are kept, the latest ones."""
KNOW = {
    "executor": ("task", "arm", "joint_prefix"),
    "replay": ("task", "bag"),
    "perception": ("task",),
}
"""Nodes that know what a graph moves, and their parameters of it; the first that answers counts."""
SECOND_BEST = 2.0
"""Time after which the answer of another node than the first is taken: a replay has no executor."""


@dataclass(frozen=True)
class GraphState:
    """State of a graph, as last heard.

    Attributes:
        joints: ``(n,)`` [rad]; None = none came yet.
        position: of the object ``(3,)``, frame ``base`` [m]; None = none came yet.
        trials: of the latest run, by number.
        question: that waits for a person; None = none.
        stopped: the software stop is latched.
        executor: whether the node with the software stop gives signs of life; None = none was
            seen, or the middleware does not tell.
        heard: steady time of the last joint state [s]; 0 = never.
        image: camera image with the tracking drawn into it, ``(h, w, 3)`` red, green, blue; None =
            none came yet, or it is not looked at.
    """

    joints: Array | None = None
    position: Array | None = None
    trials: tuple[Trial, ...] = ()
    question: OperatorRequest | None = None
    stopped: bool = False
    executor: bool | None = None
    heard: float = 0.0
    image: NDArray[np.uint8] | None = None


class SubjectClient(ClientNode):
    """Client that asks a graph for its task and arm; a context manager."""

    def __init__(self, namespace: str = "") -> None:
        """Open the clients; nothing is waited for."""
        super().__init__("icpi_view_subject", namespace)
        self._clients = {
            name: self.node.create_client(GetParameters, f"{name}/get_parameters") for name in KNOW
        }
        self.spin()

    def parameters(self, limit: float) -> dict[str, str]:
        """Return the parameters in ``KNOW`` that the graph has.

        Raises:
            UsageError: no graph answers within ``limit`` [s].
        """
        begin = time.monotonic()
        asked: dict[str, Any] = {}
        while (waited := time.monotonic() - begin) < limit:
            for n, (name, client) in enumerate(self._clients.items()):
                if name not in asked and client.service_is_ready():
                    asked[name] = client.call_async(GetParameters.Request(names=KNOW[name]))
                if name in asked and asked[name].done() and (n == 0 or waited > SECOND_BEST):
                    values = asked[name].result().values
                    return {n: v.string_value for n, v in zip(KNOW[name], values, strict=False)}
            with self.changed:
                self.changed.wait(0.05)
        raise UsageError(
            f"no graph answers in namespace {self.node.get_namespace()} and ROS domain "
            f"{os.environ.get('ROS_DOMAIN_ID', '0')} within {limit:g} s: start one (icpi up), "
            "give --namespace or set ROS_DOMAIN_ID, or name a stored run or a bag"
        )

    def joint_states(self, limit: float = SECOND_BEST) -> str:
        """Return the topic from which the executor takes joint states, as it was remapped.

        Ours where none is seen within ``limit`` [s]: a replay has no executor.
        """
        kind, until = "sensor_msgs/msg/JointState", time.monotonic() + limit
        while self._clients["executor"].service_is_ready() and time.monotonic() < until:
            with contextlib.suppress(NodeNameNonExistentError):
                heard = self.node.get_subscriber_names_and_types_by_node(
                    "executor", self.node.get_namespace()
                )
                if found := [name for name, kinds in heard if kind in kinds]:
                    return found[0]
            with self.changed:
                self.changed.wait(0.05)
        return JOINT_STATES


class GraphWatch(ClientNode):
    """Subscriber of all that a page shows of a graph; a context manager."""

    def __init__(
        self,
        namespace: str,
        joints: Sequence[str],
        camera: bool = False,
        joint_states: str = JOINT_STATES,
    ) -> None:
        """Subscribe.

        Args:
            namespace: of the graph.
            joints: those of the arm, prefix included.
            camera: look at the camera image, which perception draws for those who look alone.
            joint_states: topic of the arm's joint states.
        """
        super().__init__("icpi_view", namespace)
        self._joints = tuple(joints)
        self._state = GraphState()
        self._runs: OrderedDict[str, dict[int, Trial]] = OrderedDict()
        self._paths: OrderedDict[tuple[str, int], ObjectTrajectory] = OrderedDict()
        latest, event = qos.SENSOR_LATEST, qos.EVENT
        for kind, topic, take, profile in (
            (JointState, joint_states, self._on_joints, latest),
            (ObjectState, OBJECT_STATE, self._on_object, latest),
            (ObjectTrajectoryMsg, OBJECT_TRAJECTORY, self._on_path, event),
            (TrialMsg, TRIALS, self._on_trial, qos.RECORD),
            (OperatorRequest, OPERATOR_REQUEST, self._on_request, qos.LATCHED),
            (Bool, STOPPED, self._on_stopped, qos.LATCHED),
        ):
            self.node.create_subscription(kind, topic, take, profile)
        with contextlib.suppress(UnsupportedEventTypeError):
            self._watch_executor()
        if camera:
            self.node.create_subscription(Image, CAMERA_DEBUG, self._on_image, latest)
        self.spin()

    @property
    def state(self) -> GraphState:
        """The state as last heard."""
        return self._state

    def _watch_executor(self) -> None:
        """Learn within seconds that the executor was killed, by a subscription of its own.

        An executor of an older version offers no signs of life: this one alone does not match it.
        """
        events = SubscriptionEventCallbacks(liveliness=self._on_alive, use_default_callbacks=False)
        self.node.create_subscription(
            Bool, STOPPED, lambda _: None, qos.LATCHED_ALIVE, event_callbacks=events
        )

    def _on_alive(self, event: Any) -> None:
        self._now(executor=event.alive_count > 0)
        self.notify()

    def _now(self, **changes: Any) -> None:
        """Take a change; callbacks run in one thread, and readers get a whole state."""
        self._state = replace(self._state, **changes)

    def _on_joints(self, msg: JointState) -> None:
        try:
            _, q, _ = convert.joint_state_from(msg, self._joints)
        except InvalidValue:
            return  # another device's joints on the same topic
        if np.isfinite(q).all():
            self._now(joints=q, heard=time.monotonic())

    def _on_object(self, msg: ObjectState) -> None:
        self._now(position=convert.point_from(msg.position))

    def _on_path(self, msg: ObjectTrajectoryMsg) -> None:
        run_id, _, rest = msg.trial_id.rpartition("/")
        number = rest.partition("-")[0]
        try:
            path = convert.object_trajectory_from(msg)
        except InvalidValue:
            return
        if number.isdecimal() and len(path.times):
            self._paths[run_id, int(number)] = path
            if len(self._paths) > MAX_PATHS:
                self._paths.popitem(last=False)
            self._join(run_id, int(number))

    def _on_trial(self, msg: TrialMsg) -> None:
        try:
            trial = trial_from(msg)
        except ValueError:
            return  # of another version
        self._runs.setdefault(msg.run_id, {})[trial.number] = trial
        self._runs.move_to_end(msg.run_id)
        if len(self._runs) > 2:
            self._runs.popitem(last=False)
        self._join(msg.run_id, trial.number)

    def _join(self, run_id: str, number: int) -> None:
        """Give a trial its path, whichever came first."""
        trials = self._runs.get(run_id, {})
        if number in trials and (path := self._paths.get((run_id, number))) is not None:
            trials[number] = replace(trials[number], trajectory=path)
        if trials and run_id == next(reversed(self._runs)):
            self._now(trials=tuple(trials[n] for n in sorted(trials)))

    def _on_request(self, msg: OperatorRequest) -> None:
        self._now(question=None if msg.kind == OperatorRequest.NONE else msg)

    def _on_image(self, msg: Image) -> None:
        if msg.encoding == "rgb8" and len(msg.data) == 3 * msg.width * msg.height > 0:
            pixels = np.frombuffer(bytes(msg.data), np.uint8)
            self._now(image=pixels.reshape(msg.height, msg.width, 3))

    def _on_stopped(self, msg: Bool) -> None:
        self._now(stopped=bool(msg.data))
