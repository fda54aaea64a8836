"""Camera of a real ``mujoco_arm``: rate, stamps, calibration, no ground truth, clean end."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import warm
from diagnostic_msgs.msg import DiagnosticArray
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import CAMERA_IMAGE, CAMERA_INFO, OBJECT_POSE
from icpi_ros.ros.bringup.description import NodeSpec
from icpi_ros.sim.camera import true_camera
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.sim.world import load_model
from icpi_ros.tasks import TASKS

from .conftest import HANG, NAMESPACE

LENS = [-0.1, 0.02, 0.0005, -0.0005, 0.0]


class Arm:
    """The node ``mujoco_arm`` alone."""

    def __init__(self, log, **parameters):
        given = {"camera": True} | parameters
        self.log = log
        with log.open("wb") as out:
            self.process = warm.Popen(
                NodeSpec("mujoco_arm", "/" + NAMESPACE, given).command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(HANG)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(HANG)


def stamps(messages):
    return np.array([convert.to_ns(msg.header.stamp) for msg in messages])


def test_a_camera_at_real_time(tmp_path, observer):
    images = observer.record(Image, CAMERA_IMAGE, qos.IMAGE_EVERY)
    infos = observer.record(CameraInfo, CAMERA_INFO, qos.IMAGE)
    clock = observer.record(Clock, "/clock", qos.CLOCK)
    health = observer.record(DiagnosticArray, "/diagnostics", qos.EVENT)
    with Arm(tmp_path / "log", publish_pose=False, camera_distortion=LENS) as arm:
        observer.wait(lambda: len(images) >= 10, "images")
        first = len(images)
        observer.wait(lambda: len(images) > first + 120, "more images")
        seen, told = list(images), len(health)  # the next one may have been made before
        observer.wait(lambda: len(health) >= told + 2, "diagnostics later than these images")
        topics = [name for name, _ in observer.node.get_topic_names_and_types()]
        assert arm.interrupt() == 0
    ns = stamps(seen)
    numbers = np.round(ns * 60e-9).astype(int)
    assert np.abs(ns - numbers * 1e9 / 60.0).max() <= 1.0  # on the grid of the rate
    assert (np.diff(numbers) >= 1).all()
    values = {item.key: item.value for item in health[-1].status[0].values}
    # What was not rendered in time is counted; what a busy subscriber missed was published.
    published = int(values["images published"])
    assert published >= len(seen)
    assert numbers[-1] - numbers[0] < published + int(values["images not rendered in time"])
    assert ns[-1] <= convert.to_ns(clock[-1].clock)
    assert f"/{NAMESPACE}/{CAMERA_IMAGE}" in topics
    assert not [name for name in topics if name.endswith(OBJECT_POSE)]

    assert set(ns) & set(stamps(infos))
    task = TASKS.get("slide")
    truth = true_camera(
        load_model(task, task.seeded_physics(0)), "", CameraSettings(distortion=tuple(LENS))
    )
    info, image = infos[-1], images[-1]
    np.testing.assert_array_equal(np.reshape(info.k, (3, 3)), truth.intrinsics.matrix)
    assert info.d.tolist() == LENS
    assert (info.width, info.height, info.distortion_model) == (320, 240, "plumb_bob")
    assert info.header.frame_id == image.header.frame_id == truth.frame

    assert (image.width, image.height, image.encoding, image.step) == (320, 240, "rgb8", 960)
    pixels = np.frombuffer(image.data, np.uint8).reshape(240, 320, 3).astype(int)
    rows, columns = np.nonzero(pixels[..., 0] > 2 * pixels[..., 1])
    puck = truth.project(np.array([[0.6, -0.15, 0.02]]))[0]
    assert [columns.mean(), rows.mean()] == pytest.approx(puck, abs=1.0)

    assert "Traceback" not in arm.log.read_text()


def test_a_free_running_camera_loses_nothing_but_what_is_asked_for(tmp_path, observer):
    images = observer.record(Image, CAMERA_IMAGE, qos.IMAGE_EVERY)
    clock = observer.record(Clock, "/clock", qos.CLOCK)
    settings = {"camera_drop": 0.25, "camera_latency": 0.1, "camera_seed": 7}
    with Arm(tmp_path / "log", real_time_factor=0.0, **settings) as arm:
        observer.wait(lambda: len(images) >= 100, "images")
        late = convert.to_ns(clock[-1].clock) - stamps(images[-1:])[0]
        assert arm.interrupt() == 0
    numbers = np.round(stamps(images) * 60e-9).astype(int)
    drawn = np.random.default_rng([7, 0xD20B]).random(numbers[-1] + 1) >= 0.25
    expected = np.flatnonzero(drawn)
    np.testing.assert_array_equal(numbers, expected[(expected >= numbers[0])])
    assert late >= 0.09e9


def test_a_subscriber_that_stands_still_holds_up_neither_clock_nor_images(tmp_path, observer):
    code = (
        "import rclpy; from sensor_msgs.msg import Image; from icpi_ros.ros.base import qos\n"
        f"rclpy.init(); node = rclpy.create_node('slow', namespace='{NAMESPACE}')\n"
        f"node.create_subscription(Image, '{CAMERA_IMAGE}', lambda m: print('got', flush=True), "
        "qos.IMAGE)\n"
        "rclpy.spin(node)"
    )
    images = observer.record(Image, CAMERA_IMAGE, qos.IMAGE)
    clock = observer.record(Clock, "/clock", qos.CLOCK)
    with Arm(tmp_path / "log") as arm:
        slow = warm.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        try:
            assert slow.stdout.readline() == "got\n"
            os.kill(slow.pid, signal.SIGSTOP)
            observer.wait(lambda: images and clock, "images")
            full = len(images) + qos.IMAGE_EVERY.depth  # from then on the publisher's buffer is
            observer.wait(lambda: len(images) > full, "more images than a buffer takes")
            count, begin = len(images), convert.to_ns(clock[-1].clock)
            observer.wait(
                lambda: len(images) > count + 120 and convert.to_ns(clock[-1].clock) > begin + 2e9,
                "images and clock while the subscriber stands",
            )
            numbers = np.round(stamps(images[count:]) * 60e-9)
        finally:
            slow.kill()
            slow.wait(HANG)
            slow.stdout.close()
        assert arm.interrupt() == 0
    # A wait for the subscriber is 100 ms an image: 6 periods, all of them on any machine.
    assert np.diff(numbers).min() <= 3


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"camera_name": "below"}, "unknown camera 'below': choose one of overhead"),
        ({"camera_rate": 500.0}, r"camera_rate = 500.0 is not allowed: .* from 1 to 240 \[Hz\]"),
        ({"camera_exposure": 0.05}, "camera exposure = 0.05 s: must be at most 1 / rate"),
        ({"camera_distortion": [0.1]}, "must be 5 finite numbers"),
        ({"camera_distortion": [-1.5, 0.0, 0.0, 0.0, 0.0]}, "folds the image"),
    ],
)
def test_a_bad_camera_is_refused_in_one_line(tmp_path, parameters, words):
    with Arm(tmp_path / "log", **parameters) as arm:
        assert arm.process.wait(HANG) == 2
    text = arm.log.read_text()
    assert re.search(words, text)
    assert "Traceback" not in text
