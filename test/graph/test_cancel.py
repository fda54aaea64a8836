"""Cancelling and refusing while the simulated arm moves at a known pace.

How fast is for `icpi bench-stop` (the stop) and `icpi bench-graph` (a trial) to say.
"""

import time

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import TrialWindow
from icpi_ros.ros.base import qos
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveRequest

from .conftest import HANG, PACE

State = ExecuteMotion.Feedback
Code = ExecuteMotion.Result
FAST = [1.5, 0.0]


def speed(state):
    return np.abs(state.velocity).max()


def test_cancel_in_a_stroke_stops_the_arm_before_its_end(timed, observer):
    joints = observer.record(JointState, "joint_states", qos.SENSOR_EVERY)
    windows = observer.record(TrialWindow, "trial_window", qos.EVENT)

    def attempt(number):
        handle, future = observer.start(FAST, trial_id=f"cancel/{number}")
        observer.until(State.STROKING, future)
        fast = len(joints)
        observer.wait(
            lambda: future.done() or any(speed(state) > 1.5 for state in joints[fast:]), "speed"
        )
        observer.cancel(handle)
        return observer.reply(future)

    answer = observer.interrupted(attempt)
    assert answer.result.error_code == Code.CANCELLED
    assert answer.status == GoalStatus.STATUS_CANCELED
    ours = [w.state for w in windows if w.trial_id == windows[-1].trial_id]
    assert ours == [TrialWindow.OPEN, TrialWindow.ABORTED]
    assert answer.result.error_msg == "cancelled by the client"  # it was seen to stand


@pytest.mark.parametrize(
    "phase", [State.RETREATING, State.APPROACHING, State.STROKING, State.SETTLING]
)
def test_cancel_in_any_phase_leaves_the_arm_standing(timed, observer, phase):
    joints = observer.record(JointState, "joint_states", qos.SENSOR_LATEST)

    def attempt(number):
        handle, future = observer.start([1.0, 0.0], trial_id=f"phase/{phase}/{number}")
        observer.until(phase, future)
        observer.cancel(handle)
        return observer.reply(future)

    assert observer.interrupted(attempt).result.error_code == Code.CANCELLED
    assert observer.feedback[-1] == State.STOPPING
    count = len(joints)
    observer.wait(lambda: len(joints) > count + 2, "joint states")
    assert speed(joints[-1]) < 0.05


def test_after_a_cancelled_one_a_trial_takes_its_time_whatever_else_is_asked_for(timed, observer):
    handle, cancelled = observer.start(FAST, trial_id="time/cancelled")
    observer.cancel(handle)
    assert observer.reply(cancelled).result.error_code == Code.CANCELLED

    def attempt(number):
        begin = time.monotonic()
        _, first = observer.start([1.2, 0.1], trial_id=f"time/{number}/0")
        _, second = observer.start([1.0, 0.0], trial_id=f"time/{number}/1")
        answer = observer.reply(second)
        result = observer.reply(first).result
        assert (result.error_code, result.error_msg) == (0, "")
        assert result.motion_duration > 0.5
        assert result.settling_duration > 0.0
        # Not less: its pace is kept.  How little more is for `icpi bench-graph` to say.
        simulated = result.motion_duration + result.settling_duration
        assert time.monotonic() - begin > 0.95 * simulated / PACE
        return answer

    second = observer.interrupted(attempt).result
    assert second.error_code == Code.BUSY
    assert "under way" in second.error_msg


def test_cancelling_a_run_keeps_its_trials_and_the_graph(timed, client, observer):
    client.connect(HANG, timed.death)
    shown = []

    def interrupt_in_the_second(trial):
        shown.append(trial)
        if len(shown) == 1:
            observer.wait(lambda: State.STROKING in phases, "the next stroke")
            raise KeyboardInterrupt

    phases, resumed = [], []
    action = ExecuteMotion.Impl.FeedbackMessage
    observer.node.create_subscription(
        action,
        "execute_motion/_action/feedback",
        lambda message: phases.append(message.feedback.state) if shown else None,
        qos.EVENT,
    )
    result = client.improve(
        ImproveRequest("slide", "random", budget=2), Callbacks(on_trial=interrupt_in_the_second)
    )
    assert result.cancelled
    assert result.interrupted
    assert result.trials == 1
    assert [trial.status.value for trial in shown] == ["done", "cancelled"]
    again = client.improve(
        ImproveRequest("slide", resume_run_id=result.run_id, budget=5),
        Callbacks(on_run=lambda run_id, trial: resumed.append((run_id, trial))),
    )
    assert resumed == [(result.run_id, 1)]
    assert (again.error_code, again.trials) == (0, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda m: m.points[-1].velocities.__setitem__(2, 0.5),
            "elbow_joint ends with velocity 0.5",
        ),
        (lambda m: m.points[1].positions.__setitem__(0, float("nan")), "not finite"),
        (lambda m: m.joint_names.__setitem__(0, "tail_joint"), "tail_joint"),
        (
            lambda m: setattr(m.points[1], "time_from_start", m.points[0].time_from_start),
            "increase",
        ),
    ],
)
def test_the_arm_refuses_what_a_controller_would(timed, observer, change, words):
    """Limits are not among it: a real controller looks at none."""
    from diagnostic_msgs.msg import DiagnosticStatus

    from icpi_ros.motion.primitives import point_to_point
    from icpi_ros.robots import ARMS
    from icpi_ros.ros.base import convert
    from icpi_ros.ros.base.topics import CONTROLLER_STATUS, CONTROLLER_TRAJECTORY

    arm = ARMS.get("ur5e")
    # In this order: who sends joint states to us knows of the subscription before it, too.
    statuses = observer.record(DiagnosticStatus, CONTROLLER_STATUS, qos.EVENT)
    joints = observer.record(JointState, "joint_states", qos.SENSOR_LATEST)
    out = observer.node.create_publisher(JointTrajectory, CONTROLLER_TRAJECTORY, qos.COMMAND)
    observer.wait(lambda: joints and speed(joints[-1]) < 0.01, "an arm at rest")
    observer.wait(lambda: out.get_subscription_count() > 0, "the arm")
    here = np.array(joints[-1].position)
    message = convert.trajectory_msg(point_to_point(arm, here, here + 0.1, 0.3), "probe")
    change(message)
    out.publish(message)
    observer.wait(lambda: any(s.name == "probe" for s in statuses), "the arm's answer")
    status = convert.motion_status_from(next(s for s in statuses if s.name == "probe"))
    assert status.state == "rejected"
    assert words in status.reason
