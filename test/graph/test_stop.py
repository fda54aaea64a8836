"""The software stop in every state of a trial, at a known pace.

How fast it is is for `icpi bench-stop --request service` to say.
"""

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import OperatorRequest
from icpi_ros.arms import ARMS
from icpi_ros.motion.primitive import point_to_point
from icpi_ros.nodes import convert, qos
from icpi_ros.tasks import TASKS

from .conftest import PACE, RunningGraph
from .person import ASKED

State, Code = ExecuteMotion.Feedback, ExecuteMotion.Result
THETA = [1.0, 0.1]


def drive(observer, person, phase, trial_id):
    """Start a motion and take it to a phase; return the future of its result."""
    _, result = observer.start(THETA, trial_id=trial_id)
    motion = person.question(OperatorRequest.MOTION)
    if phase == State.WAITING:
        return result
    person.decide(motion)
    if phase in (State.RETREATING, State.REHEARSING):
        observer.until(phase, result)
        return result
    scene = person.question(OperatorRequest.SCENE)
    if phase == State.RESETTING:
        return result
    person.decide(scene)
    observer.until(phase, result)
    return result


@pytest.fixture(scope="module")
def slow(tmp_path_factory, domain):
    """The same at a known pace, so that there is a middle of every phase."""
    rules = {"approval": "true", "scene": "operator", "ramp_trials": 100, "rehearse": "true"}
    folder = tmp_path_factory.mktemp("slow")
    with RunningGraph(folder, **rules, real_time_factor=PACE, ramp_scale=0.9) as graph:
        yield graph


@pytest.mark.parametrize(
    "phase",
    [
        State.WAITING,
        State.RETREATING,
        State.REHEARSING,
        State.RESETTING,
        State.APPROACHING,
        State.STROKING,
        State.SETTLING,
    ],
)
def test_the_stop_works_in_every_state_and_holds_until_it_is_reset(slow, observer, person, phase):
    joints = observer.record(JointState, "joint_states", qos.SENSOR_LATEST)
    latched = observer.record(Bool, "stopped", qos.LATCHED)

    def attempt(number):
        if number:
            person.reset()
        result = drive(observer, person, phase, f"stop/{phase}/{number}")
        person.stop()
        return observer.reply(result)

    answer = observer.interrupted(attempt).result
    assert answer.error_code == Code.STOPPED
    assert "reset_stop" in answer.error_msg
    observer.wait(lambda: latched and latched[-1].data, "the latch")
    count = len(joints)
    observer.wait(lambda: len(joints) > count + 1, "joint states")
    assert np.abs(joints[-1].velocity).max() < 0.05
    again = observer.execute(THETA, trial_id=f"stop/{phase}/again")
    assert again.error_code == Code.STOPPED
    person.reset()
    observer.wait(lambda: not latched[-1].data, "the release")
    _, result = observer.start(THETA, trial_id=f"stop/{phase}/after")
    person.decide(person.question(OperatorRequest.MOTION), ASKED.REJECT)
    assert observer.reply(result).result.error_code == Code.REJECTED


@pytest.mark.parametrize("waiting", [False, True], ids=["no trial", "a trial that waits"])
def test_the_stop_holds_an_arm_that_another_program_moves(slow, observer, person, waiting):
    joints = observer.record(JointState, "joint_states", qos.SENSOR_LATEST)
    observer.wait(lambda: joints, "joint states")
    arm = TASKS.get("slide").arm
    here = convert.joint_state_from(joints[-1], ARMS.get(arm).joints)[1]
    away = point_to_point(ARMS.get(arm), here, here + 0.5 * np.eye(6)[0], 0.05, 0.0)
    commands = observer.node.create_publisher(
        JointTrajectory, "joint_trajectory_controller/joint_trajectory", qos.COMMAND
    )
    observer.wait(lambda: commands.get_subscription_count() > 0, "the controller")
    if waiting:
        _, result = observer.start(THETA, trial_id="stop/waiting")
        person.question(OperatorRequest.MOTION)
    commands.publish(convert.trajectory_msg(away, "another program"))
    observer.wait(lambda: np.abs(joints[-1].velocity).max() > 0.1, "its motion")
    person.stop()
    observer.wait(lambda: np.abs(joints[-1].velocity).max() < 0.02, "the stop")
    reached = convert.joint_state_from(joints[-1], ARMS.get(arm).joints)[1]
    if waiting:
        assert observer.reply(result).result.error_code == Code.STOPPED
    person.reset()
    assert np.abs(reached - away.positions[-1]).max() > 0.1
