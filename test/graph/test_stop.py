"""The software stop in every state of a trial, at a known pace.

How fast it is is for `icpi bench-stop --request service` to say.  ICPI_FLOOD says how long it is
attacked before it is pressed [s], in every state then: 20 at night (6 minutes).
"""

import os
import time

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import OperatorRequest
from icpi_ros.motion.primitives import point_to_point
from icpi_ros.robots import ARMS
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.base import convert, qos
from icpi_ros.tasks import TASKS

from .attacker import Attack
from .conftest import NAMESPACE, PACE, RunningGraph
from .person import ASKED

State, Code = ExecuteMotion.Feedback, ExecuteMotion.Result
THETA = [1.0, 0.1]
FLOOD = float(os.environ.get("ICPI_FLOOD", "0.5"))
STATES = (
    *(State.WAITING, State.RETREATING, State.REHEARSING, State.RESETTING),
    *(State.APPROACHING, State.STROKING, State.SETTLING),
)
FLOODED = (State.STROKING,)
ATTACKED = STATES if "ICPI_FLOOD" in os.environ else FLOODED


def drive(observer, person, phase, trial_id, asked=lambda: None):
    """Start a motion and take it to a phase; return the future of its result.

    ``asked`` is called while it waits for a person.
    """
    _, result = observer.start(THETA, trial_id=trial_id)
    motion = person.question(OperatorRequest.MOTION, result=result)
    asked()
    if phase == State.WAITING:
        return result
    person.decide(motion)
    if phase in (State.RETREATING, State.REHEARSING):
        observer.until(phase, result)
        return result
    scene = person.question(OperatorRequest.SCENE, result=result)
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


@pytest.mark.parametrize("phase", STATES)
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


@pytest.fixture(scope="module")
def attacker(slow):
    with Attack(NAMESPACE) as running:
        yield running


@pytest.fixture
def attack(attacker, observer):
    observer.wait(lambda: attacker.reports, "the attacker")
    yield attacker
    attacker.does()


def flood(observer, attack, *modes):
    """Attack, and wait until the graph has got its share of it."""
    before = {what: attack.count(what) for what in modes}
    attack.does(*modes)
    begin = time.monotonic()
    enough = {"goals": 3 * 20, "big": 5, "foreign": 5}

    def flooded():
        done = all(attack.count(what) - before[what] >= enough[what] for what in modes)
        return done and time.monotonic() - begin >= FLOOD

    observer.wait(flooded, f"a flood of {', '.join(modes)}")


def silenced(observer, attack):
    """End the attack, and wait until all of its goals are answered."""
    attack.does()
    count = len(attack.reports)
    observer.wait(
        lambda: len(attack.reports) > count + 2 and not attack.count("flying"), "the last answers"
    )


def own(state):
    """Tell whether a joint state is that of the arm itself."""
    return UR5E.joints[0] in state.name


def stands(observer, joints):
    """Wait until the arm's joints stand; return where."""
    count = len(joints)
    observer.wait(lambda: len(joints) > count + 5, "joint states")
    observer.wait(
        lambda: max(np.abs(state.velocity).max() for state in joints[-5:]) < 0.02,
        "an arm that stands",
    )
    return convert.joint_state_from(joints[-1], UR5E.joints)[1]


def check_latched(observer, person, attack, joints, name):
    """Nothing moves while the attack goes on, and everything does when it is over."""
    where = stands(observer, joints)
    refused = attack.count(Code.STOPPED)
    observer.wait(lambda: attack.count(Code.STOPPED) >= refused + 20, "goals that are refused")
    np.testing.assert_allclose(stands(observer, joints), where, atol=0.005)
    silenced(observer, attack)
    assert attack.count(Code.NONE) == 0
    person.reset()
    _, result = observer.start(THETA, trial_id=f"{name}/after")
    person.decide(person.question(OperatorRequest.MOTION), ASKED.REJECT)
    assert observer.reply(result).result.error_code == Code.REJECTED


@pytest.mark.slow
@pytest.mark.parametrize("phase", ATTACKED)
def test_the_stop_holds_in_a_flood_of_goals_and_big_messages(slow, observer, person, attack, phase):
    joints = observer.record(JointState, "joint_states", qos.SENSOR_LATEST)

    def attempt(number):
        if number:
            silenced(observer, attack)
            person.reset()
        name = f"flood/{phase}/{number}"
        result = drive(
            observer, person, phase, name, lambda: flood(observer, attack, "goals", "big")
        )
        person.stop()
        return observer.reply(result)

    assert observer.interrupted(attempt).result.error_code == Code.STOPPED
    check_latched(observer, person, attack, joints, f"flood/{phase}")


@pytest.mark.slow
def test_an_arm_stands_when_foreign_joints_come_beside_its_own_in_a_flood(
    slow, observer, person, attack
):
    joints = observer.record(JointState, "joint_states", qos.SENSOR_EVERY, own)

    def attempt(number):
        if number:
            silenced(observer, attack)
            person.reset()
        name = f"foreign/{number}"
        asked = lambda: attack.does("goals", "big")  # noqa: E731
        result = drive(observer, person, State.RETREATING, name, asked)
        flood(observer, attack, "goals", "big", "foreign")
        person.stop()
        return observer.reply(result)

    answer = observer.interrupted(attempt).result
    assert answer.error_code in (Code.STOPPED, Code.ARM_SILENT), answer.error_msg
    if answer.error_code == Code.ARM_SILENT:  # who publishes is seen before the stop is pressed
        assert "publishers" in answer.error_msg
    check_latched(observer, person, attack, joints, "foreign")
