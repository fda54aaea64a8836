"""Trackers of real labs: node and evaluation of bags judge them alike, and a run says why."""

import threading
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import (
    PointStamped,
    PoseStamped,
    PoseWithCovarianceStamped,
    Transform,
    TransformStamped,
    Vector3,
)
from rclpy.clock_type import ClockType
from rclpy.serialization import serialize_message

from icpi_msgs.action import Improve
from icpi_msgs.msg import TrialWindow
from icpi_ros.bags.formats.definitions import definition
from icpi_ros.bags.formats.mcap_writer import McapWriter
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.types import SECOND, TrialStatus
from icpi_ros.evaluate.reperception import perceive
from icpi_ros.perception.poses.settings import PoseSettings
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import OBJECT_POSE
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveRequest
from icpi_ros.ros.improver.motion_client import Deadlines, MotionClient
from icpi_ros.ros.nodes.perception import ClosedWindow, Perception
from icpi_ros.ros.perception import sources
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.settings.poses import POSE_SETTINGS
from icpi_ros.settings.table import find
from icpi_ros.tasks import TASKS

from .conftest import HANG, RunningGraph

TASK = TASKS.get("slide")
START, LENGTH, PERIOD = 100 * SECOND, SECOND, SECOND // 100
STAMPS = [START - 20 * PERIOD + n * PERIOD for n in range(140)]
TABLE = [0.4, -0.2, 0.05, 0.0, 0.0, 0.6, 0.8]


class Node:
    """A node without a graph; its clock is that of a message's arrival."""

    def __init__(self):
        self.callbacks, self.errors, self.now = {}, [], 0

    def create_subscription(self, kind, topic, callback, qos):
        self.callbacks[topic] = callback
        return SimpleNamespace(topic_name=f"/{topic}")

    def get_logger(self):
        return SimpleNamespace(error=self.errors.append)

    def get_clock(self):
        now = SimpleNamespace(nanoseconds=self.now)
        return SimpleNamespace(clock_type=ClockType.ROS_TIME, now=lambda: now)

    def get_parameter(self, name):
        return SimpleNamespace(value=False)

    def get_publishers_info_by_topic(self, topic):
        return [SimpleNamespace(topic_type="geometry_msgs/msg/TransformStamped")]


def place(ns):
    return np.array([0.6, 0.1 + 0.2e-9 * (ns - START), 0.01])


def pose(ns, position, frame="base", turn=(1.0, 0.0, 0.0, 0.0)):
    msg = convert.pose_msg(ns, position, np.array(turn))
    msg.header.frame_id = frame
    return msg


def lost(ns):
    return START + 2 * SECOND // 10 < ns < START + 8 * SECOND // 10


def covariance(ns, variance=1e-6):
    msg = PoseWithCovarianceStamped(header=convert.header(ns))
    msg.pose.pose = pose(ns, place(ns)).pose
    msg.pose.covariance = np.diag([variance] * 6).ravel()
    return msg


def transformed(ns):
    x, y, z = place(ns)
    return TransformStamped(
        header=convert.header(ns), transform=Transform(translation=Vector3(x=x, y=y, z=z))
    )


def point(ns, position):
    return PointStamped(header=convert.header(ns), point=convert.point(position))


@dataclass(frozen=True)
class Kind:
    """Messages of a kind, by their time; what is said of them, empty = they are fine."""

    make: object
    words: str = ""
    source: str = "tracked_pose"
    settings: tuple = ()


ZERO, NAN = np.zeros(3), np.full(3, np.nan)
KINDS = {
    "fine": Kind(lambda ns: pose(ns, place(ns))),
    "zero": Kind(
        lambda ns: pose(ns, ZERO, turn=(0.0,) * 4) if lost(ns) else pose(ns, place(ns)), "all zero"
    ),
    "NaN": Kind(lambda ns: pose(ns, NAN if lost(ns) else place(ns)), "not finite"),
    "norm 0": Kind(
        lambda ns: pose(ns, place(ns), turn=(0.0,) * 4 if lost(ns) else (1.0, 0.0, 0.0, 0.0)),
        "norm 0",
    ),
    "repeated": Kind(
        lambda ns: pose(ns, place(min(ns, START + SECOND // 2))), "sends its last pose again"
    ),
    "all the same": Kind(lambda ns: pose(ns, place(START)), "all poses of the window are the same"),
    "stamp stands": Kind(
        lambda ns: pose(START + SECOND // 5 if lost(ns) else ns, place(ns)), "with one stamp"
    ),
    "backwards": Kind(
        lambda ns: pose(START + SECOND // 4 - (ns - START) // 10 if lost(ns) else ns, place(ns)),
        "backwards",
    ),
    "world": Kind(lambda ns: pose(ns, place(ns), "world"), "frame 'world', not 'base'"),
    "no frame": Kind(lambda ns: pose(ns, place(ns), ""), "no frame_id"),
    "in its place": Kind(
        lambda ns: pose(ns, place(ns) - TABLE[:3], "table"),
        settings=(("pose_transform", [*TABLE[:3], 0.0, 0.0, 0.0, 1.0]),),
    ),
    "uptime": Kind(lambda ns: pose(ns - 90 * SECOND, place(ns)), "90 s behind"),
    "arrival": Kind(
        lambda ns: pose(ns - 90 * SECOND, place(ns)), settings=(("pose_stamps", "received"),)
    ),
    "millimetres": Kind(lambda ns: pose(ns, 1e3 * place(ns)), "if its unit is mm"),
    "named millimetres": Kind(
        lambda ns: pose(ns, 1e3 * place(ns)), settings=(("pose_unit", "mm"),)
    ),
    "transform": Kind(transformed, source="tracked_transform"),
    "covariance": Kind(covariance, source="tracked_covariance"),
    "lost covariance": Kind(
        lambda ns: covariance(ns, 1e9 if lost(ns) else 1e-6), "beyond 0.05 m", "tracked_covariance"
    ),
    "point": Kind(lambda ns: point(ns, place(ns)), source="tracked_point"),
    "lost point": Kind(
        lambda ns: point(ns, ZERO if lost(ns) else place(ns)), "exactly 0, 0, 0", "tracked_point"
    ),
}


def kind_of(msg):
    return "/".join([type(msg).__module__.split(".")[0], "msg", type(msg).__name__])


def bag_of(path, topic, messages):
    """A bag of a tracker's messages, by their time of recording, and of one window."""
    start, stop = convert.time_msg(START), convert.time_msg(START + LENGTH)
    window = {"trial_id": "run/0", "task": TASK.name, "start": start, "stop": stop}
    found = [(ns, topic, msg) for ns, msg in messages]
    found.append((START, "trial_window", TrialWindow(state=TrialWindow.OPEN, **window)))
    found.append((START + LENGTH + 1, "trial_window", TrialWindow(state=1, **window)))
    writer, channels = McapWriter(path), {}
    for ns, name, msg in sorted(found, key=lambda item: item[0]):
        if name not in channels:
            channels[name] = writer.add_channel(f"/{name}", definition(kind_of(msg)), "[]")
        writer.write(channels[name], ns, serialize_message(msg))
    writer.close()
    return Bag(path)


def values(kind):
    usual = {name: find(name).default for name in POSE_SETTINGS}
    return usual | dict(kind.settings)


def live(kind, messages):
    """The feed of the node after the messages."""
    node = Node()
    given = {"source": kind.source, "history": 60.0, "calibration": "", "world": ""}
    feed = sources.open_feed(node, TASK, given | values(kind), lambda measured: None)
    for ns, msg in messages:
        node.now = ns
        node.callbacks[feed.source.topic](msg)
    return node, feed


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_node_and_the_evaluation_of_bags_judge_alike(tmp_path, kind):
    messages = [(ns, kind.make(ns)) for ns in STAMPS]
    node, feed = live(kind, messages)
    now = feed.source.path(START, START + LENGTH)
    bag = bag_of(tmp_path / "bag.mcap", feed.source.topic, messages)
    (trial,) = trials = read_trials(bag)
    settings = PoseSettings.of(values(kind))
    again = perceive(bag, kind.source, TASK, trials, poses=settings)[trial.trial_id]
    assert repr(again) == repr(now)
    if now.path is not None:
        assert again.path.positions.tobytes() == now.path.positions.tobytes()
    why = now.reason or now.quality.reason or ""
    assert (kind.words in why) if kind.words else why == ""
    if now.path is not None and not kind.words:
        true = [place(START + round(t * SECOND)) for t in now.path.times]
        np.testing.assert_allclose(now.path.positions, true, atol=1e-9)
    assert bool(node.errors) == (kind.words not in ("", KINDS["all the same"].words))
    assert not node.errors or kind.words in node.errors[0]
    trouble, _ = feed.trouble()
    assert (kind.words in trouble) if node.errors else trouble is None


@dataclass
class Told:
    """A message of /tf without the package that defines it."""

    transforms: list


def test_frames_are_asked_for_once_poses_need_them(monkeypatch):
    kind = KINDS["world"]
    real = sources.message_class
    monkeypatch.setattr(
        sources, "message_class", lambda name: Told if "tf2" in name else real(name)
    )
    node, feed = live(KINDS["fine"], [(ns, KINDS["fine"].make(ns)) for ns in STAMPS])
    assert "/tf" not in node.callbacks  # a robot's frames are many
    node, feed = live(kind, [(STAMPS[0], kind.make(STAMPS[0]))])
    here = TransformStamped(header=convert.header(START), child_frame_id="world")
    node.callbacks["/tf_static"](Told([here]))
    assert "/tf" in node.callbacks
    for ns in STAMPS:
        node.now = ns
        node.callbacks["object_pose"](kind.make(ns))
    assert feed.source.path(START, START + LENGTH).quality.good


def test_where_frames_cannot_be_read_it_is_said(monkeypatch):
    real = sources.message_class

    def missing(name):
        if "tf2" in name:
            raise ModuleNotFoundError(name)
        return real(name)

    monkeypatch.setattr(sources, "message_class", missing)
    node, _ = live(KINDS["world"], [(ns, KINDS["world"].make(ns)) for ns in STAMPS])
    assert "tf2_msgs is not installed; give pose_transform" in node.errors[1]


def test_a_topic_of_another_type_is_named_with_the_source_that_takes_it():
    _, feed = live(KINDS["fine"], [])
    trouble, _ = feed.trouble()
    assert "/object_pose is geometry_msgs/msg/TransformStamped, expected" in trouble
    assert "start with source:=tracked_transform, and remap object_transform to it" in trouble


def test_a_window_in_which_nothing_was_seen_has_a_path_without_samples_and_the_reason():
    _, feed = live(KINDS["fine"], [(ns, pose(ns, ZERO, turn=(0.0,) * 4)) for ns in STAMPS])
    node, sent = Perception.__new__(Perception), []  # without a graph
    node._feed, node._at_rest = feed, False
    node._path_out = SimpleNamespace(publish=sent.append)
    node.get_logger = lambda: SimpleNamespace(error=lambda text: None)
    node._send(ClosedWindow("run/0-a", START, START + LENGTH, 0.0))
    client = MotionClient.__new__(MotionClient)
    client._paths, client._deadlines, client._cancelled = sent, Deadlines(), threading.Event()
    why = "^the object was not seen: position and orientation are all zero: the tracker lost"
    with pytest.raises(ObservationMissing, match=why):
        client._path("run/0-a")


class Relay:
    """A tracker beside a simulation: its own frame, millimetres, and an object that it loses."""

    def __init__(self, observer):
        self._out = observer.node.create_publisher(
            TransformStamped, "object_transform", qos.SENSOR_EVERY
        )
        self.loses = False
        observer.node.create_subscription(PoseStamped, OBJECT_POSE, self._on_pose, qos.SENSOR_EVERY)

    def _on_pose(self, msg):
        x, y, z = 1e3 * (convert.point_from(msg.pose.position) - TABLE[:3])
        out = TransformStamped(header=msg.header, child_frame_id="puck")
        out.header.frame_id = "world"
        out.transform.translation = Vector3(x=x, y=y, z=z)
        if self.loses and msg.pose.position.y > -0.05:  # struck
            out.transform.translation = Vector3()
            out.transform.rotation.w = 0.0
        self._out.publish(out)


def test_a_run_on_a_tracker_of_a_lab_and_one_whose_object_is_lost(tmp_path, observer, client):
    relay = Relay(observer)
    numbers = ",".join(map(str, [*TABLE[:3], 0.0, 0.0, 0.0, 1.0]))
    given = {"source": "tracked_transform", "pose_unit": "mm", "pose_transform": numbers}
    nodes = {"executor": {"object_state_timeout": 3.0}}
    with RunningGraph(tmp_path, nodes=nodes, real_time_factor=4, **given) as graph:
        client.connect(HANG, graph.death)
        calls = Callbacks(death=graph.death)
        fine = client.improve(ImproveRequest("slide", "random", budget=1), calls)
        relay.loses = True
        blind = client.improve(ImproveRequest("slide", "random", budget=2), calls)
        text = graph.text()
    assert (fine.error_code, fine.trials) == (0, 1)
    assert np.isfinite(fine.best_cost)
    assert (blind.error_code, blind.trials) == (Improve.Result.UNOBSERVED, 0)
    assert "position and orientation are all zero" in blind.error_msg
    with TrialStore(graph.store) as store:
        attempts = store.trials(blind.run_id, all_attempts=True)
    assert [trial.status for trial in attempts] == [TrialStatus.UNOBSERVED] * 2
    assert all("all zero: the tracker lost the object" in trial.note for trial in attempts)
    assert all(trial.error is None for trial in attempts)
    assert "Traceback" not in text
