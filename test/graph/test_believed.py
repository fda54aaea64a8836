"""Joint states that cannot be used or believed, in a graph of real processes.

The simulated arm's joint states pass through the test, which makes of them what bad drivers do.
"""

import os

import numpy as np
import pytest
import warm
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.action import ExecuteMotion
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.topics import CONTROLLER_TRAJECTORY, JOINT_STATES
from icpi_ros.ros.bringup import parent
from icpi_ros.ros.bringup.description import NodeSpec
from icpi_ros.ros.bringup.environment import environment

from .conftest import LOOSE, NAMESPACE, RunningGraph
from .observer import Observer

Code, Phase = ExecuteMotion.Result, ExecuteMotion.Feedback
DRIVER = "driver_states"
THETA = [1.2, 0.1]
OFFSET = 2.0
"""More than any joint moves while a busy machine drops some of the states [rad]."""


class Arm:
    """Passes joint states on; ``change`` is what becomes of each."""

    def __init__(self, observer):
        self.observer, self.change = observer, self.unchanged
        self.true = []
        self.sent = observer.record(JointTrajectory, CONTROLLER_TRAJECTORY, qos.COMMAND)
        self._health = observer.record(DiagnosticArray, "/diagnostics", qos.EVENT)
        self._out = observer.node.create_publisher(JointState, JOINT_STATES, qos.SENSOR)
        observer.node.create_subscription(JointState, DRIVER, self._pass, qos.SENSOR_EVERY)

    @staticmethod
    def unchanged(msg):
        return msg

    def _pass(self, msg):
        self.true = [*self.true[-50:], np.array(msg.velocity)]
        self._out.publish(self.change(msg))

    def says(self, words):
        """Whether the executor's last report has these words."""
        found = [s for r in self._health for s in r.status if s.name.endswith("executor")]
        return bool(found) and words in found[-1].message

    def speed(self):
        return float(np.abs(self.true[-1]).max()) if self.true else 0.0

    def execute(self, name):
        return self.observer.execute(THETA, trial_id=name)


def without_velocities(msg):
    msg.velocity = []
    return msg


def without_a_joint(msg):
    return JointState(
        header=msg.header, name=msg.name[1:], position=msg.position[1:], velocity=msg.velocity[1:]
    )


def with_a_prefix(msg):
    msg.name = [f"ur_{name}" for name in msg.name]
    return msg


def elsewhere(msg):
    msg.position = [q + OFFSET for q in msg.position]
    return msg


@pytest.fixture(scope="module")
def arm(tmp_path_factory, domain):
    folder = tmp_path_factory.mktemp("believed")
    patience = {  # of a machine that has other work; a trial that waits for nothing costs as much
        "start_timeout": 60.0,
        "joint_state_timeout": 4.0,
        "object_state_timeout": 60.0,
        "reply_timeout": 4.0,
        "controller": "topic",
    }
    specs = [
        NodeSpec("mujoco_arm", f"/{NAMESPACE}", {}, remappings=((JOINT_STATES, DRIVER),)),
        NodeSpec("perception", f"/{NAMESPACE}", {"use_sim_time": True}),
        NodeSpec("executor", f"/{NAMESPACE}", {"use_sim_time": True, **LOOSE, **patience}),
    ]
    nodes = []
    observer = Observer("/" + NAMESPACE)
    try:
        with (folder / "graph.log").open("ab") as log:
            RunningGraph.logs.append(folder / "graph.log")
            env = environment() | {parent.VARIABLE: str(os.getpid())}
            nodes += [warm.Popen(s.command(), env=env, stdout=log, stderr=log) for s in specs]
        yield Arm(observer)
    finally:
        for node in reversed(nodes):
            node.terminate()
        for node in nodes:
            node.wait(60.0)
        observer.close()


def test_an_arm_without_velocities_executes_a_trial(arm):
    arm.change = without_velocities
    result = arm.execute("believed/estimated")
    assert (result.error_code, result.error_msg) == (Code.NONE, "")


def test_states_that_cannot_be_used_are_not_called_silence(arm):
    arm.change = without_a_joint
    result = arm.execute("believed/unusable")
    assert result.error_code == Code.ARM_SILENT
    assert "no usable joint state" in result.error_msg
    assert "joint_states lack shoulder_pan_joint" in result.error_msg
    assert "driver running" not in result.error_msg


def test_a_prefix_that_was_not_asked_for_is_named(arm):
    arm.change = with_a_prefix
    result = arm.execute("believed/prefix")
    assert result.error_code == Code.ARM_SILENT
    assert "start with joint_prefix:=ur_" in result.error_msg


def test_nothing_moves_while_a_second_node_publishes_joint_states(arm):
    arm.change = arm.unchanged
    other = Observer("/elsewhere")
    second = other.node.create_publisher(JointState, f"/{NAMESPACE}/{JOINT_STATES}", qos.SENSOR)

    def both(msg):
        second.publish(elsewhere(JointState(**fields(msg))))
        return msg

    try:
        arm.observer.wait(lambda: arm.says("has 2 publishers"), "the executor to see both")
        before, arm.change = len(arm.sent), both
        result = arm.execute("believed/second")
    finally:
        arm.change = arm.unchanged
        other.close()
    assert result.error_code == Code.ARM_SILENT
    assert f"/{NAMESPACE}/{JOINT_STATES} has 2 publishers" in result.error_msg
    assert f"/{NAMESPACE}/observer" in result.error_msg
    assert "/elsewhere/observer" in result.error_msg
    assert len(arm.sent) == before
    arm.observer.wait(lambda: arm.says("ready"), "its end")


def fields(msg):
    return {n: getattr(msg, n) for n in ("header", "name", "position", "velocity")}


def test_a_jump_in_motion_stops_the_arm_on_its_path(arm):
    arm.change = arm.unchanged
    _, result = arm.observer.start(THETA, trial_id="believed/jump")
    arm.observer.until(Phase.STROKING, result)
    arm.observer.wait(lambda: arm.speed() > 0.5, "a moving arm")
    before, arm.change = len(arm.sent), elsewhere
    answer = arm.observer.reply(result).result
    arm.change = arm.unchanged
    assert answer.error_code == Code.ARM_SILENT
    assert "the arm's state is unknown" in answer.error_msg
    assert "jumped from" in answer.error_msg
    labels = [msg.header.frame_id for msg in arm.sent[before:]]
    assert any("/stop/" in label for label in labels), labels  # braked on the path
    arm.observer.wait(lambda: arm.speed() < 0.02, "a standing arm")
