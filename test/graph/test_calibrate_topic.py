"""`icpi calibrate` from a live topic, with a camera that is another process."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import warm

from icpi_ros.perception.calibration.board import Board
from icpi_ros.perception.calibration.file import Calibration, load, load_camera, save
from icpi_ros.perception.calibration.markers import Marker

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "unit"))

from rendering import TRUTH, angle, board_images, look, marker_table  # noqa: E402

CAMERA = look([0.5, -0.25, 0.65], [0.5, 0.2, 0.0])
MARKERS = [
    Marker.flat(n, 0.06, np.array([x, y, 0.0]))
    for n, (x, y) in {0: (0.25, 0.0), 5: (0.75, 0.0), 7: (0.75, 0.4), 9: (0.25, 0.4)}.items()
]


@contextlib.contextmanager
def camera(observer, folder, topic):
    """Images on a topic, of one publisher more than before."""
    others = observer.node.count_publishers(topic)
    process = warm.Popen([sys.executable, HERE / "image_publisher.py", folder, topic])
    try:
        observer.wait(lambda: observer.node.count_publishers(topic) > others, "the camera")
        yield process
    finally:
        process.kill()
        process.wait(120)


PATIENT = """
import sys
from icpi_ros.cli.main import main
from icpi_ros.ros.clients import image_client
image_client.IMAGE_TIMEOUT = 120.0  # that two processes find each other may take seconds
sys.exit(main())
"""


def command(*words):
    return [sys.executable, "-c", PATIENT, "calibrate", *map(str, words)]


def finished(command):
    return warm.run(command)


def icpi(*words):
    return finished(command(*words))


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views")
    for number, image in enumerate(board_images(Board(), 10)):
        cv2.imwrite(str(folder / f"{number:02d}.png"), image)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    for number in range(3):
        image = marker_table(MARKERS, "4x4_50", CAMERA, seed=number)
        cv2.imwrite(str(folder / f"{number:02d}.png"), image)
    return folder


def test_a_board_before_a_live_camera_is_enough(observer, views, tmp_path):
    out = tmp_path / "camera.yaml"
    with camera(observer, views, "/bench/image"):
        done = icpi("camera", "--topic", "/bench/image", "--views", 8, "--timeout", 250,
                    "--out", out, "--picture", tmp_path / "camera.png")  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = load(out)
    assert found.made.samples == 8
    assert "topic /bench/image" in found.made.how
    assert abs(found.intrinsics.matrix[0, 0] / TRUTH.matrix[0, 0] - 1.0) < 0.005
    assert (tmp_path / "camera.png").exists()


def test_markers_before_a_live_camera_give_the_pose(observer, table, tmp_path):
    save(tmp_path / "camera.yaml", Calibration(TRUTH))
    words = [f"--marker={m.number},{m.size},{m.position[0]},{m.position[1]},0" for m in MARKERS]
    with camera(observer, table, "/bench/table"):
        done = icpi("table", "--camera", tmp_path / "camera.yaml", "--topic", "/bench/table",
                    *words, "--out", tmp_path / "camera.yaml")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert angle(load_camera(tmp_path / "camera.yaml"), CAMERA) < 0.05


def test_a_silent_topic_ends_in_one_line(tmp_path):
    words = ["calibrate", "camera", "--topic", "/bench/nothing", "--out", tmp_path / "c.yaml"]
    done = finished([sys.executable, "-m", "icpi_ros.cli.main", *map(str, words)])
    assert done.returncode == 1
    assert done.stderr.startswith("icpi: error: no image on /bench/nothing for 5 s")
    assert done.stderr.count("\n") == 1


def test_a_topic_without_a_board_ends_in_time(observer, table, tmp_path):
    with camera(observer, table, "/bench/empty"):
        done = icpi("camera", "--topic", "/bench/empty", "--timeout", 2, "--out",
                    tmp_path / "c.yaml")  # fmt: skip
    assert done.returncode == 1
    assert "0 of 20 views within 2 s" in done.stderr


def test_two_cameras_on_one_topic_are_refused(observer, table, tmp_path):
    topic = "/bench/two"
    with camera(observer, table, topic), camera(observer, table, topic):
        done = icpi("camera", "--topic", topic, "--timeout", 100, "--out",
                    tmp_path / "c.yaml")  # fmt: skip
    assert done.returncode == 1
    assert "several publishers" in done.stderr


def test_a_name_that_is_no_topic_is_wrong_usage(tmp_path):
    done = icpi("camera", "--topic", "no topic", "--out", tmp_path / "c.yaml")
    assert done.returncode == 2
    assert "'no topic' is not a ROS name" in done.stderr


LEFT = """
import atexit
from icpi_ros.ros.clients.image_client import ImageClient
clients = []
atexit.register(lambda: print(clients[0].node.context.ok()))
clients.append(ImageClient("/bench/none"))
raise KeyboardInterrupt
"""


def test_a_client_that_ctrl_c_leaves_open_is_closed_before_the_interpreter_goes(observer):
    done = finished([sys.executable, "-c", LEFT])
    assert (done.returncode, done.stdout.split()) == (-signal.SIGINT, ["False"])


def test_ctrl_c_ends_it(observer, tmp_path):
    words = ["camera", "--topic", "/bench/none", "--out", tmp_path / "c.yaml"]
    process = warm.Popen(command(*words), stderr=subprocess.PIPE)
    observer.wait(lambda: observer.node.count_subscribers("/bench/none") > 0, "its subscription")
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    assert process.stderr.read() == b"icpi: interrupted\n"
