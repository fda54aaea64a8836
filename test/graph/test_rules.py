"""Dry run, and a person who does not answer; a graph for each."""

import time

from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.action import ExecuteMotion
from icpi_ros.nodes import qos

from .conftest import RunningGraph

State, Code = ExecuteMotion.Feedback, ExecuteMotion.Result
THETA = [1.0, 0.1]


def test_a_dry_run_does_everything_but_move(tmp_path, domain, observer):
    with RunningGraph(tmp_path, dry_run="true"):
        sent = observer.record(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", qos.COMMAND
        )
        answer = observer.execute(THETA, trial_id="dry/0")
        refused = observer.execute([9.0, 0.0], trial_id="dry/1")
    assert answer.error_code == Code.DRY_RUN
    assert "nothing moved" in answer.error_msg
    assert "tool speed up to 1.00 m/s" in answer.error_msg
    assert refused.error_code == Code.INVALID_THETA
    assert sent == []


def test_a_person_who_does_not_answer_ends_the_trial(tmp_path, domain, observer):
    nodes = {"executor": {"approval_timeout": 1.0}}
    with RunningGraph(tmp_path, nodes=nodes, approval="true"):
        _, future = observer.start(THETA, trial_id="late/0")
        observer.until(ExecuteMotion.Feedback.WAITING, future)
        begin = time.monotonic()
        answer = observer.reply(future).result
    assert time.monotonic() - begin > 0.5
    assert answer.error_code == Code.REJECTED
    assert answer.error_msg == "nobody decided within 1 s"
