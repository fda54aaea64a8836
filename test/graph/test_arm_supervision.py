"""A controller that says nothing, as a real one on its topic: our own supervision is alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import JointState

from icpi_msgs.action import ExecuteMotion
from icpi_ros.ros.base import qos
from icpi_ros.ros.following.sending import REST

from .faulty_arm import TRIALS, FaultyArm, graph_of, warm


@pytest.fixture(scope="module")
def mute(tmp_path_factory, domain):
    folder = tmp_path_factory.mktemp("mute")
    with graph_of(folder, "topic", status=False, real_time_factor=1) as running:
        warm(running)
        yield running


def test_supervision_alone_lets_a_good_stroke_pass(mute, observer, client):
    arm = FaultyArm(observer, client, mute)
    arm.fail("", 0.0)
    # One of some: a start that the machine delays by 0.1 s is a path left as well.
    for seed in range(TRIALS):
        trial = arm.trial(seed)
        if trial.status.value == "done":
            break
        assert "left its path" in trial.note
    assert (trial.status.value, trial.note) == ("done", "")
    assert arm.stopped(trial)


def test_a_cancelled_stroke_stops_although_nothing_is_said(mute, observer):
    joints = observer.record(JointState, "joint_states", qos.SENSOR_LATEST)

    def attempt(number):
        handle, future = observer.start([1.2, 0.0], trial_id=f"mute/cancel/{number}")
        observer.until(ExecuteMotion.Feedback.STROKING, future)
        observer.wait(
            lambda: future.done() or np.abs(joints[-1].velocity).max() > 1.0, "full speed"
        )
        observer.cancel(handle)
        answer = observer.reply(future)
        # A start that the machine delays is a path left: another one is cancelled.
        left = answer.result.error_code == ExecuteMotion.Result.TRACKING_FAILED
        return SimpleNamespace(result=SimpleNamespace(error_code=0)) if left else answer

    result = observer.interrupted(attempt).result
    assert result.error_code == ExecuteMotion.Result.CANCELLED
    assert "not seen to stand" not in result.error_msg
    assert np.abs(joints[-1].velocity).max() < 0.05


# The last ones: a hold after a drift may rest below the workspace, and nothing moves then.
@pytest.mark.parametrize("kind", ["reject", "abort", "drift"])
def test_supervision_alone_notices_what_no_controller_says(mute, observer, client, kind):
    arm = FaultyArm(observer, client, mute)
    # A start that the machine delays by 0.1 s is a path left before the fault: then once more.
    for _ in range(TRIALS):
        arm.fail(kind, REST + 0.2)  # in the stroke, after the rest in front of it
        trial = arm.trial(seed=1)
        if trial.status.value == "done":  # motions that ran into each other count as one: no fault
            continue
        assert trial.status.value == "failed"
        assert "left its path" in trial.note
        assert arm.stopped(trial), trial.note
        if "stroke" in trial.note:
            break
    assert "stroke left its path" in trial.note
