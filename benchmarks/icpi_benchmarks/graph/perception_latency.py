"""Time from an image to the object's state, through a graph of real processes.

    python -m icpi_benchmarks.graph.perception_latency [seconds] [width]

A simulated camera at real time and 60 Hz, one `object_state` per image.  Three times, each for
the same stamp, as the middleware notes them (wall clock of this machine, so Python callbacks of
this program do not count):

- exposure to state: from the tick of /clock that reaches the image's stamp; with rendering.
- publication to state: from the camera's publish call to the arrival of the state here.
- arrival to state: from the arrival of the image here to the arrival of the state here.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from icpi_benchmarks.program import run_program
from icpi_msgs.msg import ObjectState
from icpi_ros.cli.arguments import number, whole
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.types import Array
from icpi_ros.core.units import in_ms, times
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import CAMERA_IMAGE, OBJECT_STATE
from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.bringup.instance import reserve_domain
from icpi_ros.ros.bringup.processes import BackgroundGraph
from icpi_ros.tasks import TASKS

START_LIMIT = 30.0
"""Longest wait for the first state [s]."""
TASK = "slide"
"""Whose scene is filmed."""
WARM_UP = 2.0
"""Left out at the beginning [s]."""


class StampRecorder:
    """Times of sending and arrival of messages [ns of the wall clock], by stamp [ns]."""

    def __init__(self, node: Node) -> None:
        self.clock: dict[int, int] = {}
        self.sent: dict[int, int] = {}
        self.arrived: dict[int, int] = {}
        self.states: dict[int, int] = {}

        def on_image(msg: Image, info: Any) -> None:
            stamp = convert.to_ns(msg.header.stamp)
            self.sent[stamp] = info["source_timestamp"]
            self.arrived[stamp] = info["received_timestamp"]

        def on_state(msg: ObjectState, info: Any) -> None:
            stamp = convert.to_ns(msg.header.stamp)
            self.states.setdefault(stamp, info["received_timestamp"])

        def on_clock(msg: Clock, info: Any) -> None:
            self.clock[convert.to_ns(msg.clock)] = info["source_timestamp"]

        node.create_subscription(Image, CAMERA_IMAGE, on_image, qos.IMAGE_EVERY)
        node.create_subscription(ObjectState, OBJECT_STATE, on_state, qos.SENSOR_EVERY)
        node.create_subscription(Clock, "/clock", on_clock, qos.SENSOR_EVERY)

    def delays(self) -> dict[str, Array]:
        """Return the three times of every image that gave a state [s]."""
        pairs = [(stamp, there) for stamp, there in self.states.items() if stamp in self.sent]
        ticks = np.array(sorted(self.clock))
        tick = convert.ns_from_seconds(TASKS.get(TASK).rest.period)
        found: dict[str, list[int]] = {}
        for stamp, there in pairs:
            index = int(np.searchsorted(ticks, stamp))
            # A tick that was not told, or lost, does not count: a later one would flatter.
            if index < len(ticks) and ticks[index] - stamp < tick:
                exposed = self.clock[int(ticks[index])]
                found.setdefault("exposure to state", []).append(there - exposed)
            found.setdefault("publication to state", []).append(there - self.sent[stamp])
            found.setdefault("arrival to state", []).append(there - self.arrived[stamp])
        return {name: 1e-9 * np.array(values, dtype=np.float64) for name, values in found.items()}


def measure(seconds: float, width: int) -> StampRecorder:
    """Run the graph for some time [s] and return the recorded stamps."""
    arguments = {
        "task": TASK,
        "source": "camera",
        "camera_width": str(width),
        "camera_height": str(width * 3 // 4),
        "real_time_factor": "1.0",
    }
    with tempfile.TemporaryDirectory() as folder:
        given = {**arguments, "store": str(Path(folder) / "trials.sqlite")}
        with BackgroundGraph("sim", given, Path(folder) / "graph.log") as graph:
            rclpy.init()
            node = rclpy.create_node("perception_latency")
            try:
                return _record(node, graph, seconds)
            finally:
                node.destroy_node()
                rclpy.try_shutdown()


def _record(node: Node, graph: BackgroundGraph, seconds: float) -> StampRecorder:
    recorder = StampRecorder(node)

    def spin(done: Callable[[], bool], limit: float) -> None:
        deadline = time.monotonic() + limit
        while not done() and time.monotonic() < deadline and graph.alive:
            rclpy.spin_once(node, timeout_sec=0.1)

    spin(lambda: bool(recorder.states), START_LIMIT)
    if not recorder.states:
        raise ExecutionFailed(f"no object state within {START_LIMIT:g} s: {graph.reason()}")
    spin(lambda: False, WARM_UP)
    for noted in (recorder.sent, recorder.arrived, recorder.states):
        noted.clear()
    spin(lambda: False, seconds)
    return recorder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add length and image size."""
    parser.add_argument("seconds", type=number(0.1, 86_400.0), nargs="?", default=20.0)
    parser.add_argument("width", type=whole(16, 8192), nargs="?", default=320, help="[px]")


def run(args: argparse.Namespace) -> int:
    """Print the times."""
    domain, held = reserve_domain()
    os.environ.update(environment())
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    try:
        recorder = measure(args.seconds, args.width)
    finally:
        held.release()
    print(
        f"{args.width} x {args.width * 3 // 4} px, {args.seconds:g} s: {len(recorder.sent)} "
        f"images, {len(recorder.states)} states"
    )
    rows = []
    for name, values in recorder.delays().items():
        rows.append({"name": name, "images": len(values), **times(values, 95)})
        print(f"{name:22} {in_ms(times(values, 95), '6.2f')}  ({len(values)} images)")
    if args.json:
        args.json.write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
