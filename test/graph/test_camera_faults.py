"""A real perception node and a camera that misbehaves: it says so, invents nothing, recovers."""

import re
import time
from array import array

import cv2
import numpy as np
import pytest
from feed import Feed, image, perception
from observer import Observer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from icpi_msgs.msg import ObjectTrajectory, TrialWindow
from icpi_ros.perception.calibration.file import Calibration, save
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import (
    CAMERA_DEBUG,
    CAMERA_IMAGE,
    CAMERA_INFO,
    COMPRESSED,
    OBJECT_TRAJECTORY,
    TRIAL_WINDOW,
)
from icpi_ros.ros.perception.camera_health import MAX_RATE
from icpi_ros.ros.perception.images import camera_info_msg
from icpi_ros.testing.synthetic_images import overhead

from .conftest import HANG

WARN, ERROR = 1, 2
TRUE = 0.002  # a tracked position is this close to the truth [m]; pixels are 5 mm
SECOND = 1_000_000_000
NAN = float("nan")


@pytest.fixture(scope="module")
def node(tmp_path_factory, domain):
    """One perception process for all faults."""
    log = tmp_path_factory.mktemp("faults") / "log"
    process = perception(log)
    yield process, log
    process.terminate()
    assert process.wait(HANG) == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def feed(node):
    observer = Observer("/test")
    yield Feed(observer)
    observer.close()


@pytest.fixture
def tracked(feed, node):
    """The feed while the node tracks; afterwards it must track again, and lives."""
    feed.until_tracked()
    yield feed
    feed.until_tracked()
    assert node[0].poll() is None
    assert feed.errors().max() < TRUE


def refused(feed, send, level, words):
    """Send a faulty image again and again: it is named, and never gives a position."""
    stamps = set()

    def once():
        stamps.add(send())

    status = feed.until_said(once, level, words)
    published = {convert.to_ns(s.header.stamp) for s in feed.states}
    assert stamps
    assert not stamps & published
    return status


def test_without_camera_info_nothing_is_published(feed):
    """First in this file: the node has not heard any yet."""

    def send():
        stamp = feed.now()
        feed.images.publish(image(feed.pixels, stamp))
        return stamp

    refused(feed, send, ERROR, "no camera_info yet")
    feed.until_tracked()


def info(feed, change):
    def send():
        stamp = feed.now()
        msg = camera_info_msg(stamp, feed.camera)
        change(msg)
        feed.infos.publish(msg)
        feed.images.publish(image(feed.pixels, stamp))
        return stamp

    return send


@pytest.mark.parametrize(
    ("k", "d", "words"),
    [
        ({0: NAN}, {}, "camera_info: camera matrix or distortion is not finite"),
        ({}, {1: NAN}, "camera_info: camera matrix or distortion is not finite"),
        ({6: 0.0, 7: 0.0, 8: 0.0}, {}, "camera_info: the camera matrix cannot be inverted"),
        (dict.fromkeys(range(9), 0.0), {}, "the camera is not calibrated"),
        ({0: -5.0}, {}, "focal lengths -5"),
    ],
)
def test_a_calibration_that_is_none_stops_positions(tracked, k, d, words):
    def change(msg):
        for values, new in ((msg.k, k), (msg.d, d)):
            for index, value in new.items():
                values[index] = value

    feed = tracked
    # The good calibration may still be in use for the images that overtake the bad one.
    send, before = info(feed, change), len(feed.reports)
    feed.stream(
        send, lambda: any(words in line for _, line in feed.said(before)), "the first report"
    )
    refused(feed, send, ERROR, words)


def bad_image(feed, fault):
    pixels, stamp = feed.pixels, feed.now()
    small = np.ascontiguousarray(pixels[::2, ::2])
    if fault == "future":
        stamp += 60 * SECOND
    messages = {
        "size": lambda: image(small, stamp),
        "encoding": lambda: image(pixels, stamp, "32FC1"),
        "truncated": lambda: image(pixels, stamp, data=pixels.tobytes()[:-1000]),
        "no data": lambda: image(pixels, stamp, data=b""),
        "empty": lambda: image(pixels[:0, :0], stamp),
        "step": lambda: image(pixels, stamp, step=7),
        "future": lambda: image(pixels, stamp),
        "black": lambda: image(np.zeros_like(pixels), stamp),
        "white": lambda: image(np.full_like(pixels, 255), stamp),
        "table": lambda: image(np.full_like(pixels, 200), stamp),
    }
    feed.infos.publish(camera_info_msg(stamp, feed.camera))
    feed.images.publish(messages[fault]())
    return stamp


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("size", "image of 160 x 120 px, but the camera is calibrated for 320 x 240 px"),
        ("encoding", "image encoding '32FC1' is that of a depth image"),
        ("truncated", "image of 229400 B: 240 rows of 960 B are 230400 B"),
        ("no data", "image of 0 B"),
        ("empty", "image of 0 x 0 px: must be positive"),
        ("step", "image step 7 B"),
        ("future", "frame from the future"),
        ("black", "image is black"),
        ("white", "image is saturated"),
        ("table", "nothing looks like the object"),
    ],
)
def test_an_image_that_is_none_gives_no_position(tracked, fault, words):
    status = refused(tracked, lambda: bad_image(tracked, fault), ERROR, words)
    assert re.match(r"no measurement for \d+\.\d s: ", status.message)
    assert "\n" not in status.message


def test_one_bad_image_among_good_ones_is_a_warning(tracked):
    turn = iter(range(10**6))

    def send():
        bad = next(turn) % 10 == 0
        return bad_image(tracked, "encoding") if bad else tracked.good()

    status = tracked.until_said(send, WARN, "image encoding '32FC1'")
    shares = {item.key: item.value for item in status.values}
    assert any(key.startswith("unusable: image encoding") for key in shares)


@pytest.mark.parametrize(("kind", "topic"), [(Image, CAMERA_IMAGE), (CameraInfo, CAMERA_INFO)])
def test_two_cameras_on_one_topic_are_not_mixed(tracked, kind, topic):
    other = tracked.observer.node.create_publisher(kind, topic, qos.IMAGE)
    try:
        words = f"2 nodes publish /test/{topic}: stop all but one"
        tracked.until_said(tracked.good, ERROR, words)
        refused(tracked, tracked.good, ERROR, words)
    finally:
        tracked.observer.node.destroy_publisher(other)


@pytest.mark.parametrize("length", [-SECOND, 2 * 10**17])
def test_a_clock_that_jumps_within_a_trial_is_survived(tracked, node, length):
    """A window that ends before it begins, or years later, is named and gives no path."""
    observer = tracked.observer
    windows = observer.node.create_publisher(TrialWindow, TRIAL_WINDOW, qos.EVENT)
    paths = observer.record(ObjectTrajectory, OBJECT_TRAJECTORY, qos.EVENT)
    name, start = f"jump/{length}", tracked.now() - SECOND
    msg = TrialWindow(
        trial_id=name,
        state=TrialWindow.CLOSED,
        start=convert.time_msg(start),
        stop=convert.time_msg(start + length),
    )
    observer.wait(lambda: windows.get_subscription_count() == 1, "the node")
    windows.publish(msg)
    tracked.stream(
        tracked.good, lambda: f"trial {name}: its window lasts" in node[1].read_text(), "a line"
    )
    assert not [path for path in paths if path.trial_id == name]


def test_a_clock_that_jumps_backwards_is_followed(tracked):
    back = []

    def send():
        further = 100 * (1 + len(back) // 40) * SECOND  # again and again
        back.append(tracked.good(tracked.now() - further))

    tracked.until_said(send, WARN, "clock jumped backwards")
    published = {convert.to_ns(s.header.stamp) for s in tracked.states}
    assert back[0] not in published
    tracked.stream(
        send,
        lambda: {convert.to_ns(s.header.stamp) for s in tracked.states[-5:]} & set(back),
        "a position at the new time",
    )


def test_ten_times_the_images_are_survived(tracked):
    tracked.use(overhead(160, 120))  # a camera that changes its size says so in camera_info
    try:
        tracked.until_tracked()
        count, sent = len(tracked.states), [0]
        msg = image(tracked.pixels, 0)
        before = len(tracked.reports)

        def send():
            msg.header = convert.header(tracked.now(), "camera")
            tracked.images.publish(msg)
            sent[0] += 1

        tracked.stream(send, lambda: sent[0] >= 720, "a flood", period=1 / 600)
        tracked.stream(tracked.good, lambda: len(tracked.reports) >= before + 3, "reports")
        # What a busy machine does not manage is left out; of what it does something comes out.
        tracked.stream(tracked.good, lambda: len(tracked.states) > count + 60, "positions")
        for report in tracked.reports[before:]:
            values = {item.key: item.value for item in report.status[0].values}
            many = float(values["images per second"]) > MAX_RATE
            # The images of the old size that came last may be what the first report is about.
            if many and "is calibrated for" not in report.status[0].message:
                assert "images per second, at most 300 expected" in report.status[0].message
    finally:
        tracked.use(overhead(320, 240))


def test_a_picture_of_what_was_seen_is_sent_to_those_who_ask(tracked):
    begin, steady = tracked.now(), time.monotonic()
    pictures = tracked.observer.record(Image, CAMERA_DEBUG, qos.IMAGE)

    def new():
        return [p for p in pictures if convert.to_ns(p.header.stamp) >= begin]

    tracked.stream(tracked.good, lambda: len(new()) >= 5, "pictures")
    assert time.monotonic() - steady > 4 * 0.08  # at most 10 a second
    picture = new()[0]
    assert (picture.width, picture.encoding) == (640, "rgb8")
    assert len(picture.data) == picture.step * picture.height


# --- the calibration file -------------------------------------------------------------------


def test_an_unusable_calibration_file_is_refused_in_one_line(tmp_path, domain):
    good = tmp_path / "good.yaml"
    save(good, Calibration(overhead(320, 240).intrinsics, None, overhead(320, 240)))
    text = good.read_text()
    focal = re.search(r"data: \[([\d.]+)", text)[1]
    files = {
        "nan": (text.replace(focal, ".nan"), "not finite|finite number"),
        "singular": (text.replace("0.0, 0.0, 1.0]", "0.0, 0.0, 0.0]", 1), "cannot be inverted"),
        "truncated": (text[: len(text) // 3], "not a usable calibration|not YAML"),
        "missing": (None, "cannot read calibration"),
    }
    started = []
    for name, (content, words) in files.items():
        path, log = tmp_path / f"{name}.yaml", tmp_path / f"{name}.log"
        if content is not None:
            assert content != text
            path.write_text(content)
        started.append((perception(log, f"/{name}", calibration=str(path)), log, path, words))
    for process, log, path, words in started:
        assert process.wait(HANG) == 2
        lines = log.read_text().splitlines()
        assert len(lines) == 1, lines
        assert str(path) in lines[0]
        assert re.search(words, lines[0]), lines


def test_a_calibration_file_needs_no_camera_info(tmp_path, domain):
    observer = Observer("/filed")
    path, camera = tmp_path / "camera.yaml", overhead(320, 240)
    save(path, Calibration(camera.intrinsics, None, camera))
    feed = Feed(observer)
    process = perception(tmp_path / "log", "/filed", calibration=str(path))
    try:
        feed.observer.node.destroy_publisher(feed.images)
        feed.until_said(lambda: None, ERROR, f"nobody publishes /filed/{CAMERA_IMAGE}")
        elsewhere = observer.node.create_publisher(Image, "cam/color", qos.IMAGE)
        feed.until_said(lambda: None, ERROR, "images are published on /filed/cam/color")
        observer.node.destroy_publisher(elsewhere)
        jpeg = array("B", cv2.imencode(".jpg", feed.pixels[..., ::-1])[1].tobytes())

        def compressed():
            return CompressedImage(
                header=convert.header(feed.now(), "camera"), format="jpeg", data=jpeg
            )

        # Each camera is heard whatever it offers, one after the other.
        for topic, profile, message in (
            (CAMERA_IMAGE, qos.SENSOR, lambda: image(feed.pixels, feed.now())),
            (CAMERA_IMAGE + COMPRESSED, qos.SENSOR, compressed),
            (CAMERA_IMAGE, qos.IMAGE, lambda: image(feed.pixels, feed.now())),
        ):
            kind, begin = type(message()), feed.now()
            out = observer.node.create_publisher(kind, topic, profile)
            feed.stream(
                lambda out=out, message=message: out.publish(message()),
                lambda begin=begin: [
                    s for s in feed.states if convert.to_ns(s.header.stamp) > begin
                ],
                f"a position from {topic}",
            )
            observer.node.destroy_publisher(out)
        assert feed.errors().max() < TRUE
    finally:
        process.terminate()
        observer.close()
        assert process.wait(HANG) == 0
