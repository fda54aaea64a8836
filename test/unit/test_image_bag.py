"""Images out of bags that were written as Jazzy writes them."""

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from icpi_ros.data.image_bag import ImageBag
from icpi_ros.errors import InvalidValue, UsageError

STORE = get_typestore(Stores.ROS2_JAZZY)
IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"


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


def test_an_encoding_that_cannot_be_used(tmp_path):
    wrong = image(0, PIXELS[0], "16UC3")
    path = write(tmp_path / "bag", {"/camera/image_raw": (IMAGE, [(0, wrong)])})
    with pytest.raises(InvalidValue, match="16UC3"):
        list(ImageBag(path).frames())
