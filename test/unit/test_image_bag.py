"""Images out of bags that were written as Jazzy writes them."""

from pathlib import Path

import cv2
import mujoco
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import ImageBag, stream_samples
from icpi_ros.cli.main import main
from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.perception.targets import tracked_target
from icpi_ros.sim.camera import SimulatedCamera
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.sim.world import load_model
from icpi_ros.tasks import TASKS

STORE = get_typestore(Stores.ROS2_JAZZY)
IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
COMPRESSED = "sensor_msgs/msg/CompressedImage"


def header(ns):
    stamp = STORE.types["builtin_interfaces/msg/Time"](ns // 10**9, ns % 10**9)
    return STORE.types["std_msgs/msg/Header"](stamp, "camera_optical")


def image(ns, pixels, encoding="rgb8"):
    height, width = pixels.shape[:2]
    step = pixels[0].size
    return STORE.types[IMAGE](
        header(ns), height, width, encoding, 0, step, np.ascontiguousarray(pixels).ravel()
    )


def write(path: Path, topics, storage=StoragePlugin.MCAP):
    with Writer(path, version=9, storage_plugin=storage) as writer:
        for topic, (kind, messages) in topics.items():
            connection = writer.add_connection(topic, kind, typestore=STORE)
            for ns, msg in messages:
                writer.write(connection, ns, STORE.serialize_cdr(msg, kind))
    return path


PIXELS = np.random.default_rng(0).integers(0, 255, (3, 12, 16, 3), dtype=np.uint8)
MESSAGES = [(n * 10**7, image(n * 10**7, pixels)) for n, pixels in enumerate(PIXELS)]


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_images_come_out_as_they_went_in(tmp_path, storage):
    path = write(tmp_path / "bag", {"/camera/image_raw": (IMAGE, MESSAGES)}, storage)
    bag = ImageBag(path)
    found = list(bag.frames())
    assert bag.count() == len(found) == 3
    assert [ns for ns, _ in found] == [0, 10**7, 2 * 10**7]
    for (_, frame), pixels in zip(found, PIXELS, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels)
    assert bag.info() is None


def test_several_topics_need_a_name(tmp_path):
    topics = {"/left": (IMAGE, MESSAGES), "/right": (IMAGE, MESSAGES[:1])}
    path = write(tmp_path / "bag", topics)
    with pytest.raises(UsageError, match="which images: image topics are /left, /right"):
        list(ImageBag(path).frames())
    with pytest.raises(UsageError, match="no images on topic '/up'"):
        list(ImageBag(path, "/up").frames())
    assert ImageBag(path, "/right").count() == 1


def test_bags_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="there is no bag"):
        ImageBag(tmp_path / "none").count()
    (tmp_path / "damaged.mcap").write_bytes(b"no bag at all")
    with pytest.raises(UsageError, match="cannot read bag"):
        ImageBag(tmp_path / "damaged.mcap").count()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot read bag"):
        ImageBag(tmp_path / "folder").count()


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_bag_with_damaged_bytes_is_one_line(tmp_path, storage):
    path = write(tmp_path / "bag", {"/camera/image_raw": (IMAGE, MESSAGES)}, storage)
    rng, said = np.random.default_rng(0), []
    for file in path.iterdir():
        content = file.read_bytes()
        for _ in range(25):
            damaged = bytearray(content)
            for place in rng.integers(len(damaged), size=20):
                damaged[place] = rng.integers(256)
            file.write_bytes(damaged)
            try:
                list(ImageBag(path).frames())
            except UsageError as exc:
                said.append(str(exc))
        file.write_bytes(content)
    assert said
    assert not [text for text in said if "\n" in text]


def lens_info(focal):
    roi = STORE.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    matrix = np.array([focal, 0.0, 8.0, 0.0, focal, 6.0, 0.0, 0.0, 1.0])
    return STORE.types[INFO](
        header(0), 12, 16, "plumb_bob", np.zeros(5), matrix, np.eye(3).ravel(), np.zeros(12),
        0, 0, roi,
    )  # fmt: skip


def test_the_lens_is_that_of_the_camera_whose_images_are_read(tmp_path):
    topics = {
        "/left/camera_info": (INFO, [(0, lens_info(100.0))]),
        "/right/camera_info": (INFO, [(0, lens_info(200.0))]),
        "/left/image_raw": (IMAGE, MESSAGES),
        "/right/image_raw": (IMAGE, MESSAGES),
        "/up/image_raw": (IMAGE, MESSAGES),
    }
    path = write(tmp_path / "bag", topics)
    assert ImageBag(path, "/left/image_raw").info().k[0] == 100.0
    assert ImageBag(path, "/right/image_raw").info().k[0] == 200.0
    with pytest.raises(UsageError, match="no camera_info beside /up/image_raw"):
        ImageBag(path, "/up/image_raw").info()


def test_the_only_lens_is_that_of_the_only_camera_whatever_its_name(tmp_path):
    topics = {"/lens": (INFO, [(0, lens_info(100.0))]), "/eye/image_raw": (IMAGE, MESSAGES)}
    assert ImageBag(write(tmp_path / "bag", topics)).info().k[0] == 100.0


def compressed(number):
    """One of PIXELS as a driver's image transport compresses it, without loss."""
    data = cv2.imencode(".png", PIXELS[number][..., ::-1])[1].reshape(-1)
    return STORE.types[COMPRESSED](header(number * 10**9), "rgb8; png compressed bgr8", data)


@pytest.mark.parametrize(
    ("topic", "mapping"),
    [
        ("/camera/image_raw/compressed", {}),
        ("/lab/camera/image_raw/compressed", {}),
        ("/eye/color/compressed", {"camera/image_raw": "/eye/color/compressed"}),
    ],
)
def test_compressed_images_are_those_of_the_camera(tmp_path, topic, mapping):
    messages = [(n * 10**9, compressed(n)) for n in range(len(PIXELS))]
    path = write(tmp_path / "bag", {topic: (COMPRESSED, messages)})
    for number, (_, frame) in enumerate(ImageBag(path).frames()):
        np.testing.assert_array_equal(frame.patch(frame.box), PIXELS[number])
    samples = list(stream_samples(Bag(path, mapping), "camera"))
    assert [sample.ns for sample in samples] == [n * 10**9 for n in range(len(PIXELS))]


def test_raw_images_count_where_both_are_recorded(tmp_path):
    topics = {
        "/camera/image_raw": (IMAGE, MESSAGES),
        "/camera/image_raw/compressed": (COMPRESSED, [(0, compressed(0))]),
    }
    path = write(tmp_path / "bag", topics)
    assert ImageBag(path).count() == len(MESSAGES)
    assert len(list(stream_samples(Bag(path), "camera"))) == len(MESSAGES)


def test_an_encoding_that_cannot_be_used(tmp_path):
    wrong = image(0, PIXELS[0], "16SC3")
    path = write(tmp_path / "bag", {"/camera/image_raw": (IMAGE, [(0, wrong)])})
    with pytest.raises(InvalidValue, match="16SC3"):
        list(ImageBag(path).frames())


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """A bag of a rendered puck that moves 20 mm per image."""
    task = TASKS.get("slide")
    model = load_model(task, task.seeded_physics(0))
    data, messages = mujoco.MjData(model), []
    start = model.jnt_qposadr[model.body_jntadr[model.body(task.object_body).id]]
    with SimulatedCamera(
        model, "", CameraSettings(), tracked_target(TASKS.get("slide")).target
    ) as camera:
        lens = camera.camera.intrinsics
        for n in range(12):
            data.qpos[start : start + 2] = [0.6, 0.02 * n]
            messages.append(
                (10**9 + n * 16_666_667, image(10**9 + n * 16_666_667, camera.render(data)))
            )
    roi = STORE.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    info = STORE.types[INFO](
        header(10**9), lens.height, lens.width, "plumb_bob", np.zeros(5), lens.matrix.ravel(),
        np.eye(3).ravel(), np.zeros(12), 0, 0, roi,
    )  # fmt: skip
    topics = {
        "/camera/image_raw": (IMAGE, messages),
        "/camera/camera_info": (INFO, [(10**9, info)]),
    }
    return write(tmp_path_factory.mktemp("bag") / "filmed", topics)


def test_what_is_seen_in_a_bag_is_drawn(filmed, tmp_path, capsys):
    out = tmp_path / "debug"
    command = ["perception", "debug", str(filmed), "--task", "slide", "--out", str(out)]
    assert main([*command, "--every", "6"]) == 0
    assert "12 of 12 images: seen" in capsys.readouterr().out
    pictures = sorted(out.iterdir())
    assert [path.name for path in pictures] == ["000000.png", "000006.png"]
    drawn = cv2.imread(str(pictures[0]))
    assert drawn.shape == (480 + 26, 640, 3)
    assert (np.abs(drawn.astype(int) - [255, 110, 0]).max(axis=2) < 10).sum() > 20  # blue outline


def test_a_bag_without_camera_info_needs_a_calibration(tmp_path, capsys):
    path = write(tmp_path / "bag", {"/camera/image_raw": (IMAGE, MESSAGES)})
    command = ["perception", "debug", str(path), "--task", "slide", "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "no camera_info: give --calibration" in capsys.readouterr().err
