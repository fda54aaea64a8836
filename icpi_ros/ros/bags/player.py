"""Player of a bag's messages as they are, with their clock, no faster than perception follows.

Sensors and trial windows keep their names; what the recorded nodes published goes out under
``recorded/``, motions included, so that no arm and no subscriber takes it for the present.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock

from icpi_msgs.msg import ObjectState
from icpi_ros.bags.formats.definitions import definition, digest
from icpi_ros.bags.formats.raw import RawMessage
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import stamp_of
from icpi_ros.core.errors import ExecutionFailed, UsageError
from icpi_ros.core.types import SECOND
from icpi_ros.ros.bags.recorded import COMPRESSED_IMAGE, MOTIONS, Recorded, kind_name, recorded
from icpi_ros.ros.base import convert, qos, topics
from icpi_ros.ros.base.spin import IcpiNode

PREFIX = "recorded/"
AS_THEY_ARE = (topics.CAMERA_INFO, topics.JOINT_STATES, topics.TRIAL_WINDOW, "/tf", "/tf_static")
"""Topics that keep their names, beside those of the sensors."""
LEFT_OUT = ("/clock", "/diagnostics", "/rosout", topics.STOPPED)
"""Of the present, or about nodes that are not there."""
START_LIMIT = 30.0
"""Longest time for perception to listen [s]."""
MAX_LAG = 40
"""Measurements that perception may be behind."""
FOLLOW_TIMEOUT = 0.5
"""Longest time to wait for perception at once [s]: it reports nothing about what it did not see."""
CLOCK_PERIOD = 1_000_000
"""Shortest time between two messages on /clock [ns of the bag's time]."""
POLL = 0.05
"""Time between two counts of the listeners [s]."""


class Player:
    """Player of one bag, in a thread of its own.

    Args:
        node: to publish with.
        bag: to play.
        rate: times real time; 0 = as fast as perception follows.
        ended: called in the playing thread after the last message.

    Raises:
        UsageError: the bag has nothing that perception could see, or its messages have another
            definition than those that are installed.
    """

    def __init__(self, node: IcpiNode, bag: Bag, rate: float, ended: Callable[[], None]) -> None:
        """Open the topics; playing begins with :meth:`start`."""
        self._node, self._bag, self._rate, self._ended = node, bag, rate, ended
        bag.require(topics.TRIAL_WINDOW)
        wanted = (*recorded(), COMPRESSED_IMAGE)
        sensors = [one for one in wanted if one.source]
        self._sensors = [one.name for one in sensors]
        there = [bag.look_for(one.name, kind_name(one.kind)) for one in sensors]
        if not any(there):
            bag.require(self._sensors[0])
        self._compressed = COMPRESSED_IMAGE.name in bag.topics
        self._end = threading.Event()
        self._news = threading.Condition()
        self._seen = 0
        self.played = 0
        self._outs: dict[str, Publisher] = {}
        self._names: dict[str, str] = {}
        for one in (*wanted, MOTIONS):
            self._open(one)
        self._clock = node.create_publisher(Clock, "/clock", qos.CLOCK)
        self._clock_ns = 0
        node.create_subscription(ObjectState, topics.OBJECT_STATE, self._on_state, qos.SENSOR_EVERY)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def close(self) -> None:
        """End playing."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _open(self, one: Recorded) -> None:
        if one.name in LEFT_OUT:
            return
        wanted = self._bag.topics.get(one.name)
        ending = f"/{one.name.lstrip('/')}"
        for channel in self._bag.channels:
            ours = channel.topic == wanted if wanted else channel.topic.endswith(ending)
            if not ours:
                continue
            if channel.kind != kind_name(one.kind):
                self._bag.note(f"{channel.topic} is not played: its type is {channel.kind}")
                continue
            if channel.definition and digest(channel) != definition(channel.kind).digest:
                raise UsageError(
                    f"bag {self._bag.path}: {channel.topic} was recorded with another definition "
                    f"of {channel.kind}: replay it with the version that recorded it"
                )
            name = one.name if one.source or one.name in AS_THEY_ARE else PREFIX + one.name
            self._names[channel.topic] = one.name
            if channel.topic not in self._outs:
                self._outs[channel.topic] = self._node.create_publisher(one.kind, name, one.profile)

    # --- playing thread -------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._await_listeners()
            self._play()
            for line in self._bag.skipped:
                self._node.get_logger().warning(line)
            self._ended()
        except Exception as exc:
            if not self._end.is_set():
                self._node.fail(exc)

    def _await_listeners(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not self._end.is_set():
            found = [name for name in self._sensors if self._node.count_subscribers(name)]
            if found and self._node.count_subscribers(topics.TRIAL_WINDOW):
                if any(name in self._bag.topics for name in found):
                    self._sensors = found  # nothing is seen of the others: they set no pace
                    return
                # Of a camera perception takes compressed images once it sees no others.
                if not (self._compressed and topics.CAMERA_IMAGE in found):
                    raise UsageError(
                        f"bag {self._bag.path}: no topic {found[0]}, which perception listens to: "
                        "choose another source, or give a mapping"
                    )
            if time.monotonic() > deadline:
                raise ExecutionFailed("nobody listens to sensors and windows: is perception up?")
            self._end.wait(POLL)

    def _play(self) -> None:
        begin, first, own_clock = time.monotonic(), 0, "clock" not in self._bag.topics
        clock = self._bag.topics.get("clock", "")
        sensors: list[int] = []
        for message in self._bag.raw({*self._outs, clock}):
            first = first or message.ns
            if self._rate > 0.0:
                due = begin + (message.ns - first) / SECOND / self._rate
                if self._end.wait(max(0.0, due - time.monotonic())):
                    return
            if self._end.is_set():
                return
            if message.channel.topic == clock:
                self._clock.publish(message.data)
                continue
            if own_clock:
                self._tick(message.ns)
            self._outs[message.channel.topic].publish(message.data)
            self.played += 1
            self._follow(message, sensors)

    def _tick(self, ns: int) -> None:
        if ns - self._clock_ns >= CLOCK_PERIOD:
            self._clock_ns = ns
            self._clock.publish(Clock(clock=convert.time_msg(ns)))

    def _follow(self, message: RawMessage, sensors: list[int]) -> None:
        """Wait while perception is too far behind; ``sensors`` holds the last stamps [ns]."""
        if self._names[message.channel.topic] not in self._sensors:
            return
        stamp = stamp_of(message)
        if stamp is None:
            return
        sensors.append(stamp)
        if len(sensors) <= MAX_LAG:
            return
        needed = sensors.pop(0)
        with self._news:
            if not self._news.wait_for(lambda: self._seen >= needed, FOLLOW_TIMEOUT):
                sensors.clear()  # it does not see the object: it is asked again later

    def _on_state(self, msg: Any) -> None:
        with self._news:
            self._seen = max(self._seen, convert.to_ns(msg.header.stamp))
            self._news.notify_all()
