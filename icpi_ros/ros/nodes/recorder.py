"""Node ``recorder``: writes what perception and improvement need into a bag, byte for byte.

Messages are not decoded: what came over the wire goes into the file.  Texts that hold a key are
left out.  Times of recording are ROS time, so that they fit the stamps also in simulation and a
player can make /clock of them.  A disk that is full ends the recording, never the graph.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.serialization import serialize_message
from std_msgs.msg import String

from icpi_ros.bags.formats.definitions import Definition, definition
from icpi_ros.bags.recording import RecordedTopic, Recording, RecordingLimits
from icpi_ros.bags.topics import PARAMETERS
from icpi_ros.core.redact import jsonable, leaked, redact, watch
from icpi_ros.ros.bags.recorded import COMPRESSED_IMAGE, MOTIONS, Recorded, kind_name, recorded
from icpi_ros.ros.base import diagnostics, qos
from icpi_ros.ros.base.fitting import FittingSubscription, Heard, image_topics
from icpi_ros.ros.base.parameters import declare
from icpi_ros.ros.base.qos import qos_text
from icpi_ros.ros.base.spin import IcpiNode, run

PERIOD = 1.0
"""Time between two looks for nodes that have not been asked [s]."""
MAX_NODES = 20
"""Nodes that are asked at most."""

Put = Callable[[str, Any, bytes], None]


class ParameterSnapshot:
    """Every node of the namespace is asked once, as soon as it can be.

    Args:
        node: that asks.
        put: takes a topic's name, its type, and a serialised message: JSON with ``node`` and
            ``parameters``, keys of the environment removed.
    """

    def __init__(self, node: Node, put: Put) -> None:
        self._node, self._put = node, put
        self._asked: set[str] = {node.get_name()}
        node.create_timer(PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _look(self) -> None:
        here = self._node.get_namespace()
        for name, namespace in self._node.get_node_names_and_namespaces():
            if namespace != here or name in self._asked or len(self._asked) > MAX_NODES:
                continue
            full = f"{here.rstrip('/')}/{name}"
            client = self._node.create_client(ListParameters, f"{full}/list_parameters")
            if not client.service_is_ready():
                self._node.destroy_client(client)  # asked again at the next look
                continue
            self._asked.add(name)
            client.call_async(ListParameters.Request()).add_done_callback(
                lambda future, full=full, client=client: self._listed(full, client, future)
            )

    def _listed(self, full: str, client: Any, future: Any) -> None:
        self._node.destroy_client(client)
        names = list(future.result().result.names)
        values = self._node.create_client(GetParameters, f"{full}/get_parameters")
        values.call_async(GetParameters.Request(names=names)).add_done_callback(
            lambda future: self._got(full, names, values, future)
        )

    def _got(self, full: str, names: list[str], client: Any, future: Any) -> None:
        self._node.destroy_client(client)
        found = zip(names, future.result().values, strict=False)
        parameters = {name: parameter_value_to_python(value) for name, value in found}
        watch(parameters.get("key_variable"))  # named by a person: no suffix gives it away
        text = json.dumps(redact(jsonable({"node": full, "parameters": parameters})))
        self._put(PARAMETERS, String, serialize_message(String(data=text)))


MEBI = 2**20
WATCH_PERIOD = 0.5
"""Steady time between two counts of those that take motions [s]."""
QUIET = 0.3
"""Time without a message after which the graph is taken to have ended [s]."""
DRAIN_LIMIT = 1.5
"""Longest time to wait for that at the end [s]: sensors of others go on for ever."""


class RecorderNode(IcpiNode):
    """Node that records a bag; single-threaded, callbacks only."""

    def __init__(self) -> None:
        super().__init__("recorder")
        values = declare(self, "recorder")
        limits = RecordingLimits(
            int(values["max_size"] * MEBI),
            values["max_duration"],
            int(values["keep_free"] * MEBI),
        )
        folder = Path(values["folder"] or "bag").expanduser().resolve()
        self._known: dict[str, RecordedTopic] = {}
        self._withheld = 0
        self._motions: FittingSubscription | None = None
        wanted = recorded()
        every = (*wanted, COMPRESSED_IMAGE, MOTIONS)
        definitions = {one.name: _definition(one.kind) for one in every}
        self._definitions = definitions
        self._recording = Recording(folder, limits, self.get_logger().error)
        for one in wanted:
            self._subscribe(one)
        self._snapshot = ParameterSnapshot(self, self._put)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(WATCH_PERIOD, self._watch_motions, clock=steady)
        diagnostics.Diagnostics(self, self._health)
        self.get_logger().info(f"recording to {folder}")

    def close(self) -> None:
        """Take the last messages of the ending nodes, then end the bag."""
        deadline, seen, pause = time.monotonic() + DRAIN_LIMIT, -1, threading.Event()
        while seen != self._recording.received and time.monotonic() < deadline:
            seen = self._recording.received
            pause.wait(QUIET)
        if not self._recording.close():
            self.get_logger().error("the bag could not be ended in time; it reads all the same")

    def _subscribe(self, one: Recorded) -> FittingSubscription:
        names = [(one.name, one.kind)] if one.instead is None else image_topics(self, one.name)
        kinds = {each.kind: each for each in (one, one.instead) if each is not None}
        heard = [Heard(name, kind, self._taker(name, kinds[kind])) for name, kind in names]
        return FittingSubscription(self, heard, one.profile, raw=True)

    def _taker(self, name: str, one: Recorded) -> Callable[[bytes], None]:
        def on_message(data: bytes) -> None:
            if one.text and leaked(data.decode("latin-1")):
                self._withheld += 1
                return
            self._record(name, one, data)

        return on_message

    def _record(self, name: str, one: Recorded, data: bytes) -> None:
        topic = self._known.get(one.name)
        if topic is None:
            offered = self.get_publishers_info_by_topic(self.resolve_topic_name(name))
            qos_kept = qos_text([p.qos_profile for p in offered], one.profile)
            # Under our own name whatever the topic's is here: what reads a bag looks for that.
            kept = self.resolve_topic_name(one.name, only_expand=True)
            topic = RecordedTopic(kept, self._definitions[one.name], qos_kept)
            self._known[one.name] = topic
        self._recording.put(topic, self.get_clock().now().nanoseconds, data)

    def _put(self, name: str, kind: Any, data: bytes) -> None:
        topic = RecordedTopic(
            self.resolve_topic_name(name), _definition(kind), qos_text([], qos.RECORD)
        )
        self._recording.put(topic, self.get_clock().now().nanoseconds, data)

    def _watch_motions(self) -> None:
        """Listen to motions while another node takes them.

        An executor counts subscribers to see whether there is an arm: the recorder is none.
        """
        topic = self.resolve_topic_name(MOTIONS.name)  # counting does not remap
        others = self.count_subscribers(topic) - (self._motions is not None)
        if others > 0 and self._motions is None:
            self._motions = self._subscribe(MOTIONS)
        elif others <= 0 and self._motions is not None:
            self._motions.close()
            self._motions = None

    def _health(self) -> diagnostics.Health:
        recording = self._recording
        values = {
            "messages": str(recording.received),
            "lost": str(recording.lost),
            "withheld": str(self._withheld),
        }
        if recording.trouble:
            return diagnostics.Health(diagnostics.ERROR, recording.trouble, values)
        if recording.lost:
            line = f"{recording.lost} messages lost: the disk is too slow"
            return diagnostics.Health(diagnostics.WARN, line, values)
        return diagnostics.Health(diagnostics.OK, "recording", values)


def _definition(kind: Any) -> Definition:
    return definition(kind_name(kind))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(RecorderNode, argv)


if __name__ == "__main__":
    sys.exit(main())
