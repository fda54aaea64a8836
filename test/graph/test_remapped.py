"""Who is there is found under the names that topics were remapped to."""

import threading

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.msg import ObjectState
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports.arm_feed import ArmFeed
from icpi_ros.ros.arm_ports.topic_port import TopicPort
from icpi_ros.ros.base import qos
from icpi_ros.ros.clients.graph_watch import SubjectClient
from icpi_ros.ros.executor.scene_port import ScenePort

ARM = ARMS.get("ur5e")
NAMES = {
    "arm/status": "/bench/told",
    "arm/joint_trajectory": "/bench/taken",
    "object_state": "/bench/seen",
    "joint_states": "/bench/joints",
}


@pytest.fixture
def node(domain):
    context = rclpy.Context()
    rules = [word for pair in NAMES.items() for word in ("-r", ":=".join(pair))]
    rclpy.init(args=["--ros-args", *rules], context=context)
    made = Node("executor", context=context)
    yield made
    made.destroy_node()
    rclpy.shutdown(context=context)


def test_controller_and_perception_are_found_under_other_names(node, observer):
    changed = threading.Condition()
    feed = ArmFeed(node, ARM, changed, "arm")
    arm = TopicPort(node, ARM, feed, "arm")
    scene = ScenePort(node, changed)
    assert not any([arm.has_controller, arm.answers, scene.is_published])
    observer.node.create_publisher(DiagnosticStatus, "/bench/told", qos.EVENT)
    observer.node.create_publisher(ObjectState, "/bench/seen", qos.SENSOR)
    observer.node.create_subscription(JointTrajectory, "/bench/taken", print, qos.COMMAND)
    observer.wait(lambda: arm.has_controller and arm.answers and scene.is_published, "all three")


def test_a_page_draws_the_arm_from_the_topic_that_the_executor_hears(node):
    with SubjectClient() as client:
        assert client.joint_states(0.0) == "joint_states"  # none is seen yet
        ArmFeed(node, ARM, threading.Condition(), "arm")
        assert client._clients["executor"].wait_for_service(5.0)
        assert client.joint_states() == "/bench/joints"
