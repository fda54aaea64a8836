"""What RViz and Foxglove show: the markers, and that the shipped views name what is there."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from visualization_msgs.msg import Marker, MarkerArray

from icpi_ros.core.resources import share_path
from icpi_ros.robots import ARMS
from icpi_ros.robots.description.urdf import read_urdf
from icpi_ros.ros.base import frames, qos
from icpi_ros.ros.clients.improve_client import ImproveRequest

from .conftest import HANG, NAMESPACE, RunningGraph
from .controllers import with_package

CLIENT = Path(__file__).with_name("frames_client.py")


@pytest.fixture(scope="module")
def viewed(tmp_path_factory, domain):
    folder, env = tmp_path_factory.mktemp("viewed"), with_package("tf2_msgs")
    with RunningGraph(folder, env=env, viewer="true") as graph:
        yield graph


def by_namespace(array):
    return {marker.ns: marker for marker in array.markers}


def test_arm_object_goal_proposal_and_path_are_shown(viewed, client, observer):
    client.connect(HANG, viewed.death)
    seen = observer.record(MarkerArray, "markers", qos.LATCHED)
    result = client.improve(ImproveRequest("slide", "random", budget=2, seed=3))
    assert result.error_code == 0
    wanted = {"arm", "arm_joints", "object", "object_path", "goal", "proposal", "proposal_text"}
    observer.wait(lambda: seen and wanted <= set(by_namespace(seen[-1])), "all markers")
    shown = by_namespace(seen[-1])
    assert {marker.header.frame_id for marker in seen[-1].markers} == {"base"}
    goal = shown["goal"].pose.position
    np.testing.assert_allclose([goal.x, goal.y], [0.6, 0.42])
    path = shown["object_path"]
    assert path.type == Marker.LINE_LIST
    assert (path.points[0].x, path.points[0].y) == pytest.approx((0.6, -0.15), abs=0.01)
    assert "trial 1" in shown["proposal_text"].text
    tool = [p.z for p in shown["proposal"].points]
    assert max(tool) - min(tool) < 1e-3
    quaternions = [m.pose.orientation for m in seen[-1].markers]
    np.testing.assert_allclose(
        [q.w**2 + q.x**2 + q.y**2 + q.z**2 for q in quaternions], 1.0, atol=1e-9
    )


def test_frames_and_the_arm_are_told_as_tf_and_rviz_take_them(viewed, client, tmp_path):
    """The tool and the links are where the arm's own kinematics have them, ``base`` the parent."""
    client.connect(HANG, viewed.death)
    arm = ARMS.get("ur5e")
    names = ["tool", *(f"link_{n}" for n in range(1, 7))]
    env = {**os.environ, **with_package("tf2_msgs")}
    done = subprocess.run(
        [sys.executable, str(CLIENT), *names],
        env=env,
        timeout=HANG,
        capture_output=True,
        check=True,
    )
    told = json.loads(done.stdout)
    q = np.array(told["q"])
    places = {"tool": arm.tool_pose(q)[0]}
    places |= {f"link_{n}": arm.links(q)[n][:3, 3] for n in range(1, 7)}
    for name, place in places.items():
        parent, there, turn = told["frames"][name]
        assert parent == "base"
        np.testing.assert_allclose(there, place, atol=1e-3)
        assert np.linalg.norm(turn) == pytest.approx(1.0)
    (tmp_path / "arm.urdf").write_text(told["urdf"])
    assert read_urdf(tmp_path / "arm.urdf", "base", "tool").joints == arm.joints


def test_frames_are_told_once_for_each_time(monkeypatch):
    """As listeners of tf2 expect: an arm whose states have stopped is not told again and again."""
    published = []
    topic = SimpleNamespace(publish=published.append, topic_name="tf")
    node = SimpleNamespace(create_publisher=lambda *_: topic, count_publishers=lambda _: 1)
    monkeypatch.setattr(frames, "tf_message", lambda: SimpleNamespace)
    publisher = frames.FramePublisher(node)
    for ns in (0, 5, 5, 5, 7, 0):
        publisher.move(ns, {"tool": np.eye(4)})
    stamps = [msg.transforms[0].header.stamp.nanosec for msg in published]
    assert stamps == [0, 5, 7, 0]  # the last of a simulation that began anew


def rviz_topics(config):
    for display in config["Visualization Manager"]["Displays"]:
        assert display["Class"].startswith("rviz_default_plugins/")
        if "Topic" in display:
            yield display["Class"], display["Topic"]["Value"]


def test_the_views_name_topics_and_services_of_the_graph(viewed, client, observer):
    client.connect(HANG, viewed.death)
    node = observer.node
    types = {"rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray"}

    def served(name, kind=None):
        known = dict(node.get_topic_names_and_types() + node.get_service_names_and_types())
        found = known.get(f"/{NAMESPACE}/{name.lstrip('/')}") or known.get(name)
        return bool(found) and (kind is None or kind in found)

    rviz = yaml.safe_load(share_path("config", "icpi.rviz").read_text())
    assert rviz["Visualization Manager"]["Global Options"]["Fixed Frame"] == "base"
    topics = dict(rviz_topics(rviz))
    assert topics["rviz_default_plugins/MarkerArray"] == "markers"
    for display, topic in topics.items():
        if display in types:
            observer.wait(lambda t=topic, d=display: served(t, types[d]), topic)

    layout = json.loads(share_path("config", "foxglove.json").read_text())
    panels = set(layout["configById"])
    assert panels == set(leaves(layout["layout"]))
    named = [
        config[key]
        for config in layout["configById"].values()
        for key in ("serviceName", "topicPath", "topicToRender")
        if key in config
    ]
    named += [*layout["configById"]["3D!icpi"]["topics"]]
    named += [path["value"].split(".")[0] for path in layout["configById"]["Plot!cost"]["paths"]]
    for name in named:
        observer.wait(lambda n=name: served(n), name)


def leaves(tree):
    """Return the panels of a layout."""
    if isinstance(tree, str):
        return [tree]
    return leaves(tree["first"]) + leaves(tree["second"])
