"""Sensor sources: the node and the evaluation of bags use the same object, and a new one is a file.

Messages go into a bag and, as they are, into the node's feed; no process is started.
"""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from feed import image
from geometry_msgs.msg import Point, PointStamped
from rclpy.clock_type import ClockType
from rclpy.serialization import serialize_message

from icpi_msgs.msg import TrialWindow
from icpi_ros.bags.formats.definitions import definition
from icpi_ros.bags.formats.mcap_writer import McapWriter
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import read_mapping
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.errors import UnknownName
from icpi_ros.core.types import SECOND
from icpi_ros.evaluate.reperception import choose_source, perceive
from icpi_ros.perception.image_source import ImageSource
from icpi_ros.perception.sources import SOURCES, PoseSample, PoseSource, stamp_ns
from icpi_ros.ros.bags import player
from icpi_ros.ros.bags.recorded import RECORDED, Recorded
from icpi_ros.ros.bags.recorded import recorded as recorded_topics
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.perception.images import camera_info_msg
from icpi_ros.ros.perception.sources import open_feed
from icpi_ros.settings.nodes import PERCEPTION, PLAYER, RECORDER
from icpi_ros.settings.table import of_node
from icpi_ros.tasks import TASKS
from icpi_ros.testing.synthetic_images import draw, expose, overhead

TASK = TASKS.get("slide")
CAMERA = overhead(320, 240)
START, LENGTH, PERIOD = 100 * SECOND, SECOND // 2, SECOND // 60
STAMPS = [START - 2 * PERIOD + n * PERIOD for n in range(36)]


class Node:
    """A node without a graph: keeps the callbacks that a feed subscribes with."""

    def __init__(self):
        self.callbacks, self.errors = {}, []

    def create_subscription(self, kind, topic, callback, qos, raw=False):
        self.callbacks[topic] = callback
        return SimpleNamespace(topic_name=topic)

    def create_publisher(self, kind, topic, qos):
        return SimpleNamespace(get_subscription_count=lambda: 0)

    def get_logger(self):
        return SimpleNamespace(error=self.errors.append)

    def get_clock(self):
        return SimpleNamespace(clock_type=ClockType.ROS_TIME)

    def get_parameter(self, name):
        return SimpleNamespace(value=True)

    def count_publishers(self, topic):
        return 1

    def resolve_topic_name(self, topic):
        return topic

    def create_timer(self, period, callback, clock):
        return None  # whose publishers never change


def place(ns):
    return np.array([0.6, 0.1 + 0.2e-9 * (ns - START), 0.01])


def pose(ns):
    return "object_pose", convert.pose_msg(ns, place(ns), np.array([1.0, 0.0, 0.0, 0.0]))


def picture(ns):
    target = TASK.camera_target
    pixels = expose(draw(CAMERA, target.target, target.plane, place(ns)))
    return "camera/image_raw", image(pixels, ns)


def point(ns):
    x, y, z = place(ns)
    return "object_point", PointStamped(header=convert.header(ns), point=Point(x=x, y=y, z=z))


class Pointed(PoseSource):
    """A sensor of somebody else: points instead of poses."""

    topic = "object_point"
    message_type = "geometry_msgs/msg/PointStamped"

    @staticmethod
    def read(msg):
        return PoseSample(stamp_ns(msg), np.array([msg.point.x, msg.point.y, msg.point.z]))


@pytest.fixture(autouse=True)
def pointed():
    with SOURCES.temporarily("pointed", Pointed):
        yield


def messages(sensor):
    """Topic, time [ns] and message: all of the sensor's, and the window's end."""
    info = ("camera/camera_info", STAMPS[0], camera_info_msg(STAMPS[0], CAMERA))
    found = [info] if sensor is picture else []
    found += [(topic, ns, msg) for ns in STAMPS for topic, msg in [sensor(ns)]]
    start, stop = convert.time_msg(START), convert.time_msg(START + LENGTH)
    for state, ns in ((TrialWindow.OPEN, START), (TrialWindow.CLOSED, STAMPS[-1])):
        window = TrialWindow(state=state, trial_id="run/0", task=TASK.name, start=start, stop=stop)
        found.append(("trial_window", ns, window))
    return found


def recorded(path, found, mapping=None):
    writer, channels = McapWriter(path), {}
    for topic, ns, msg in sorted(found, key=lambda item: item[1]):
        kind = "/".join([type(msg).__module__.split(".")[0], "msg", type(msg).__name__])
        if topic not in channels:
            channels[topic] = writer.add_channel(f"/{topic}", definition(kind), "[]")
        writer.write(channels[topic], ns, serialize_message(msg))
    writer.close()
    return Bag(path, mapping)


def live(source, found):
    """What the node would make of the messages: its feed, and all measurements."""
    node, measured = Node(), []
    values = {"source": source, "history": 60.0, "calibration": "", "world": ""}
    values["publish_frames"] = False
    feed = open_feed(node, TASK, values, measured.append)
    for topic, _, msg in found:
        if topic in node.callbacks:
            node.callbacks[topic](msg)
    assert node.errors == []
    return feed, measured


@pytest.mark.parametrize(
    ("name", "kind", "sensor"),
    [
        ("tracked_pose", PoseSource, pose),
        pytest.param("camera", ImageSource, picture, marks=pytest.mark.slow),
        ("pointed", Pointed, point),
    ],
)
def test_live_and_offline_paths_are_the_same_bytes_from_the_same_class(
    tmp_path, monkeypatch, name, kind, sensor
):
    made, make = [], kind.__init__
    monkeypatch.setattr(kind, "__init__", lambda s, *a, **k: (made.append(s), make(s, *a, **k))[1])
    found = messages(sensor)
    feed, measured = live(name, found)
    assert len(measured) == len(STAMPS)
    now = feed.source.path(START, START + LENGTH)
    bag = recorded(tmp_path / "bag.mcap", found)
    (trial,) = trials = read_trials(bag)
    again = perceive(bag, name, TASK, trials)[trial.trial_id]
    assert [type(source) for source in made] == [kind, kind]
    assert again.path.times.tobytes() == now.path.times.tobytes()
    assert again.path.positions.tobytes() == now.path.positions.tobytes()
    assert repr(again.quality) == repr(now.quality)
    assert again.path.coverage > 0.5
    assert bag.skipped == []


class Audience:
    """A node that the player publishes with; somebody listens to every topic."""

    def __init__(self, heard):
        self.published, self._heard = {}, heard

    def create_publisher(self, kind, topic, qos):
        return SimpleNamespace(publish=self.published.setdefault(topic, []).append)

    def create_subscription(self, kind, topic, callback, qos):
        pass

    def count_subscribers(self, topic):
        return topic in self._heard

    def get_logger(self):
        return SimpleNamespace(warning=print)

    def fail(self, exc):
        self.failed = exc


def test_a_replay_plays_a_new_sensor_into_perception(tmp_path, monkeypatch):
    monkeypatch.setattr(player, "FOLLOW_TIMEOUT", 3600.0)  # poses, which nobody sees, set no pace
    node, ended = Audience({"object_point", "trial_window"}), threading.Event()
    poses = [(topic, ns, msg) for ns in STAMPS for topic, msg in [pose(ns)]]
    bag = recorded(tmp_path / "bag.mcap", messages(point) + poses)
    assert len(STAMPS) <= player.MAX_LAG < 2 * len(STAMPS)
    playing = player.Player(node, bag, 0.0, ended.set)
    playing.start()
    assert ended.wait(60.0)
    playing.close()
    assert len(node.published["object_point"]) == len(STAMPS)
    assert len(node.published["trial_window"]) == 2


def test_what_a_new_sensor_sends_is_recorded_and_played_without_another_line():
    new = Recorded("object_point", PointStamped, qos.SENSOR_EVERY, source="pointed")
    assert recorded_topics() == (*RECORDED, new)
    for node in (PERCEPTION, RECORDER, PLAYER):  # they must know it, where a plug-in brings it
        assert "plugins" in [setting.name for setting in of_node(node)]


def test_a_bag_is_seen_by_the_source_of_its_recording(tmp_path):
    found = [*messages(point), *(("object_pose", ns, pose(ns)[1]) for ns in STAMPS)]
    bag = recorded(tmp_path / "bag.mcap", found)
    trials = read_trials(bag)
    chosen = [choose_source(bag, trials, then) for then in ("", "pointed", "lost")]
    assert chosen == ["tracked_pose", "pointed", "tracked_pose"]
    (line,) = bag.skipped
    assert "source 'lost' of the recording is not known here: give its --plugin" in line


def test_a_mapping_may_name_the_topic_of_a_new_sensor(tmp_path):
    found = [(t.replace("object_point", "tracker/spot"), ns, m) for t, ns, m in messages(point)]
    mapping = tmp_path / "topics.yaml"
    mapping.write_text("object_point: /tracker/spot")
    bag = recorded(tmp_path / "bag.mcap", found, read_mapping(mapping))
    trials = read_trials(bag)
    assert perceive(bag, "pointed", TASK, trials)["run/0"].path.coverage > 0.5


def test_a_mapping_of_no_topic_of_ours_names_those_that_are(tmp_path):
    (mapping := tmp_path / "topics.yaml").write_text("object_dot: /tracker/spot")
    with pytest.raises(UnknownName, match="object_point, object_pose"):
        read_mapping(mapping)
