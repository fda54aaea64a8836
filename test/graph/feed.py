"""A camera of the tests: publishes painted images, good and bad, and watches a perception node."""

import subprocess
import time
from array import array

import numpy as np
import warm
from diagnostic_msgs.msg import DiagnosticArray
from observer import LIMIT
from sensor_msgs.msg import CameraInfo, Image

from icpi_msgs.msg import ObjectState
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import CAMERA_IMAGE, CAMERA_INFO, OBJECT_STATE
from icpi_ros.ros.bringup.description import NodeSpec
from icpi_ros.ros.perception.images import camera_info_msg
from icpi_ros.tasks.slide import PUCK, SLIDE
from icpi_ros.testing.synthetic_images import draw, expose, overhead

POINT = np.array([0.62, 0.1, 0.01])
PERIOD = 1 / 60


def perception(log, namespace="/test", **parameters):
    """Start the node alone, on the wall clock."""
    given = {"task": "slide", "source": "camera", "silent_after": 0.3}
    given |= {"diagnostics_period": 0.2} | parameters
    with log.open("wb") as out:
        return warm.Popen(
            NodeSpec("perception", namespace, given).command(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def painted(camera):
    return expose(draw(camera, PUCK, SLIDE.camera_target.plane, POINT))


def image(pixels, stamp, encoding="rgb8", **fields):
    """An image message; fields override what fits the pixels."""
    height, width, depth = pixels.shape
    content = {"height": height, "width": width, "step": depth * width, "encoding": encoding}
    data = fields.pop("data", pixels.tobytes())
    return Image(
        header=convert.header(stamp, "camera"), data=array("B", data), **(content | fields)
    )


class Feed:
    def __init__(self, observer, width=320, height=240):
        self.observer = observer
        self.images = observer.node.create_publisher(Image, CAMERA_IMAGE, qos.IMAGE)
        self.infos = observer.node.create_publisher(CameraInfo, CAMERA_INFO, qos.IMAGE)
        self.states = observer.record(ObjectState, OBJECT_STATE, qos.SENSOR_EVERY)
        self.reports = observer.record(DiagnosticArray, "/diagnostics", qos.EVENT)
        self.use(overhead(width, height))

    def use(self, camera):
        self.camera, self.pixels = camera, painted(camera)

    @staticmethod
    def now():
        return time.time_ns()

    def good(self, stamp=None):
        stamp = self.now() if stamp is None else stamp
        self.infos.publish(camera_info_msg(stamp, self.camera))
        self.images.publish(image(self.pixels, stamp))
        return stamp

    def stream(self, send, done, what, limit=LIMIT, period=PERIOD):
        """Call ``send`` at a steady rate until ``done``."""
        deadline = due = time.monotonic()
        deadline += limit
        while not done():
            assert time.monotonic() < deadline, f"waited {limit} s for {what}: {self.said()}"
            send()
            due = max(due + period, time.monotonic() - period)
            while (left := due - time.monotonic()) > 0.0:
                with self.observer.changed:
                    self.observer.changed.wait(left)

    def said(self, since=None):
        """Levels and lines of the last reports, or of those ``since`` a number of them."""
        return [
            (s.level[0], s.message)
            for report in self.reports[-18 if since is None else since :]
            for s in report.status
            if s.name == "/test/perception"
        ]

    def until_tracked(self):
        """Send good images until one that was sent from now on is tracked."""
        begin = self.now()
        self.stream(
            self.good,
            lambda: any(convert.to_ns(s.header.stamp) >= begin for s in self.states[-20:]),
            "a tracked image",
        )

    def until_said(self, send, level, words):
        """Send until a report made from now on says so; return it."""
        begin, found = len(self.reports), []

        def done():
            for report in self.reports[begin:]:
                for status in report.status:
                    own = ": " not in status.name  # beside it stand lines of the checklist
                    if own and status.level[0] == level and words in status.message:
                        found.append(status)
            return found

        self.stream(send, done, f"level {level} with {words!r}")
        return found[0]

    def errors(self):
        """Distances of all published positions from the truth [m]."""
        there = [[s.position.x, s.position.y, s.position.z] for s in self.states]
        return np.linalg.norm(np.reshape(there, (-1, 3)) - POINT, axis=1)
