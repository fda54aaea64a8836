"""A throw that is stopped, or whose gripper fails: the ball stays in the hand."""

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import TrialWindow
from icpi_ros.core.types import SECOND
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import JOINT_STATES, OBJECT_POSE, TRIAL_WINDOW
from icpi_ros.tasks.toss import TOSS_GC

from .test_gripper import THETA, graph_of, late

Code = ExecuteMotion.Result
RELEASE = TOSS_GC.motion(THETA, UR5E).release
SURELY = RELEASE - 0.1
"""Time in the stroke [s]: a stop by then came before the release, late joint states or not."""
HELD = 0.045
"""Distance from the tool point within which the ball is in the hand [m]; it hangs 0.04 below."""
MOVES = 0.1
"""Joint speed of an arm that has begun its throw, long before it lets go [rad/s]."""
FALL = 30
"""Poses of a ball that was let go until it is far from the hand: 0.3 s, a fall of 0.4 m."""
ATTEMPTS = 5
"""How often a throw is begun for which a busy machine was too slow."""
THROW = 2
"""Number of a throw among the motions from rest after one that came to its end: after a retreat."""


class Thrower:
    """A slow graph with a real gripper's action, and what is seen of ball and hand."""

    def __init__(self, observer):
        self.observer = observer
        self.joints = observer.record(JointState, JOINT_STATES, qos.SENSOR_LATEST)
        self.balls = observer.record(PoseStamped, OBJECT_POSE, qos.SENSOR_LATEST)
        self.windows = observer.record(TrialWindow, TRIAL_WINDOW, qos.EVENT)
        self.set = observer.node.create_client(SetParameters, "mujoco_arm/set_parameters")
        observer.wait(self.set.service_is_ready, "the arm's parameters")

    def begin(self):
        """Begin a throw; return its handle and result once the arm moves in it."""
        self.windows.clear()
        names = list(TOSS_GC.space.names)
        fields = {"theta_names": names, "task": "toss-gc"}
        handle, result = self.observer.start(THETA.tolist(), **fields)
        self.observer.wait(lambda: self.windows or result.done(), "the throw")
        self.observer.wait(
            lambda: result.done() or np.abs(self.joints[-1].velocity).max() > MOVES, "its motion"
        )
        return handle, result

    def throw(self):
        """Return the answer to a throw that nobody stops, once a busy machine kept its moment."""
        for _ in range(ATTEMPTS):
            answer = self.observer.reply(self.begin()[1]).result
            if not late(answer.error_msg):
                break
        return answer

    def stopped(self, stop, afterwards=lambda: None):
        """Return the answer to a throw that ``stop(handle)`` ends before it lets go.

        A busy machine may come too late: another one is stopped.
        """
        for _ in range(ATTEMPTS):
            handle, result = self.begin()
            stop(handle)
            seen = convert.to_ns(self.joints[-1].header.stamp)
            answer = self.observer.reply(result).result
            afterwards()
            if seen < convert.to_ns(self.windows[0].start) + SURELY * SECOND:
                return answer
        raise AssertionError(f"{ATTEMPTS} throws were over before they were stopped")

    def held(self):
        """Tell whether the ball is in the hand, long enough after the arm has come to rest."""
        count = len(self.balls)
        self.observer.wait(lambda: len(self.balls) > count + FALL, "the ball")
        hand = UR5E.tool_pose(convert.joint_state_from(self.joints[-1], UR5E.joints)[1])[0]
        ball = convert.point_from(self.balls[-1].pose.position)
        return np.linalg.norm(ball - hand) < HELD

    def fail(self, **values):
        for name, value in values.items():
            item = Parameter(name, value=value).to_parameter_msg()
            request = SetParameters.Request(parameters=[item])
            assert self.observer.reply(self.set.call_async(request)).results[0].successful


@pytest.fixture(scope="module")
def slowly(tmp_path_factory, domain):
    """A graph in which there is time to stop a throw before it lets go."""
    with graph_of(tmp_path_factory.mktemp("slowly"), "action", real_time_factor=0.3) as graph:
        yield graph


@pytest.fixture
def thrower(slowly, observer):
    return Thrower(observer)


@pytest.mark.slow
def test_a_cancelled_throw_keeps_the_ball(thrower):
    answer = thrower.stopped(thrower.observer.cancel)
    assert (answer.error_code, answer.last_motion) == (Code.CANCELLED, "stroke, then stopped")
    assert thrower.held()
    assert answer.note == ""


@pytest.mark.slow
def test_the_software_stop_keeps_the_ball(thrower, person):
    answer = thrower.stopped(lambda handle: person.stop(), person.reset)
    assert (answer.error_code, answer.last_motion) == (Code.STOPPED, "stroke, then stopped")
    assert thrower.held()


@pytest.mark.slow
def test_a_controller_that_gives_up_keeps_the_ball(thrower):
    answer = thrower.throw()
    assert answer.error_code == Code.NONE, answer.error_msg
    assert answer.note.startswith(f"release at {RELEASE:.4f} s")
    assert not thrower.held()  # nobody stopped it
    thrower.fail(fault_motion=THROW, fault_after=0.25, fault="abort")
    answer = thrower.throw()
    thrower.fail(fault="")
    assert (answer.error_code, answer.last_motion) == (Code.ARM_FAILED, "stroke")
    assert thrower.held()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("reject", "rejected the command to open"),
        ("abort", "gave up and did not open"),
        ("stalled", "is stalled and did not open"),
    ],
)
def test_a_gripper_that_fails_ends_the_trial_with_the_reason(fault, why, thrower):
    thrower.fail(gripper_fault=fault)
    answer = thrower.throw()
    thrower.fail(gripper_fault="")
    assert answer.error_code == Code.ARM_FAILED
    assert why in answer.error_msg
    assert thrower.held()
