"""The first motion of a graph that is recorded waits for its recorder."""

import time

import pytest
import rclpy
from rclpy.context import Context
from trajectory_msgs.msg import JointTrajectory

from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.arm_ports import recorder_wait
from icpi_ros.ros.arm_ports.topic_port import TopicPort
from icpi_ros.ros.base import qos

from .conftest import HANG

TOPIC = "arm/joint_trajectory"


@pytest.fixture
def named(domain):
    """Nodes of one namespace by name."""
    context, nodes = Context(), []
    rclpy.init(context=context)

    def node(name):
        nodes.append(rclpy.create_node(name, namespace="recorded", context=context))
        return nodes[-1]

    yield node
    context.try_shutdown()


def takes_motions(node):
    node.create_subscription(JointTrajectory, TOPIC, lambda _: None, qos.COMMAND)


def until(there):
    end = time.monotonic() + HANG
    while not there() and time.monotonic() < end:
        time.sleep(0.005)  # the middleware's own threads find each other
    assert there()


def test_the_first_motion_waits_for_the_recorder(named, monkeypatch):
    monkeypatch.setattr(recorder_wait, "RECORDER_LIMIT", HANG)
    node = named("executor")
    port = TopicPort(node, UR5E, None, "arm", recorded=True)
    for name in ("mujoco_arm", "somebody"):
        takes_motions(named(name))
    until(lambda: node.count_subscribers(TOPIC) == 2)
    assert port.controller_seen
    assert not port.has_controller
    takes_motions(named("recorder"))
    until(lambda: port.has_controller)


def test_a_graph_without_a_recorder_waits_for_none_and_one_that_fails_for_a_while(
    named, monkeypatch, capfd
):
    monkeypatch.setattr(recorder_wait, "RECORDER_LIMIT", 0.0)
    node = named("executor")
    takes_motions(named("mujoco_arm"))
    plain, recorded = (TopicPort(node, UR5E, None, "arm", flag) for flag in (False, True))
    until(lambda: plain.has_controller)
    until(lambda: recorded.has_controller)
    assert capfd.readouterr().err.count("may be missing in the bag") == 1
