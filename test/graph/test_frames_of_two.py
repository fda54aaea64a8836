"""Two graphs of one ROS domain whose frames have the same names on /tf."""

from types import SimpleNamespace

import numpy as np
import pytest

from icpi_ros.ros.base import frames


class Node:
    """A node of namespace ``/a`` beside publishers of /tf, by node and namespace."""

    def __init__(self, *others):
        self.others, self.warned = others, []

    def create_publisher(self, kind, topic, profile):
        return SimpleNamespace(topic_name=topic, publish=lambda msg: None)

    def get_name(self):
        return "viewer"

    def get_namespace(self):
        return "/a"

    def count_publishers(self, topic):
        return 1 + len(self.others)

    def get_publishers_info_by_topic(self, topic):
        there = [("viewer", "/a"), *self.others]
        return [SimpleNamespace(node_name=n, node_namespace=space) for n, space in there]

    def get_logger(self):
        return SimpleNamespace(warning=self.warned.append)


@pytest.mark.parametrize(
    ("others", "warned"),
    [
        ((), []),
        ((("robot_state_publisher", "/b"), ("perception", "/a")), []),
        ((("viewer", "/b"),), ["/b/viewer publishes frames of the same names on /tf: "]),
        ((("viewer", "/"),), ["/viewer publishes frames of the same names on /tf: "]),
    ],
)
def test_another_graphs_frames_of_the_same_names_are_warned_of_once(others, warned, monkeypatch):
    monkeypatch.setattr(frames, "tf_message", lambda: SimpleNamespace)
    node = Node(*others)
    publisher = frames.FramePublisher(node)
    for ns in range(3):
        publisher.move(ns, {"tool": np.eye(4)})
    assert len(node.warned) == len(warned)
    for line, start in zip(node.warned, warned, strict=True):
        assert line.startswith(start)
        assert line.endswith("or in another ROS domain")
