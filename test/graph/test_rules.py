"""Dry run, and a person who does not answer; a graph for each."""

import hashlib
import re
import time

from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.action import ExecuteMotion
from icpi_ros.core.resources import share_path
from icpi_ros.ros.base import qos

from .command_line import icpi
from .conftest import HANG, NAMESPACE, RunningGraph

State, Code = ExecuteMotion.Feedback, ExecuteMotion.Result
THETA = [1.0, 0.1]


def test_a_dry_run_does_everything_but_move(tmp_path, domain, observer):
    with RunningGraph(tmp_path, dry_run="true"):
        sent = observer.record(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", qos.COMMAND
        )
        answer = observer.execute(THETA, trial_id="dry/0")
        refused = observer.execute([9.0, 0.0], trial_id="dry/1")
        shown = icpi(["status", "--namespace", NAMESPACE, "--timeout", HANG, "--wait", HANG])
        out, _ = shown.communicate(timeout=2 * HANG)
    assert answer.error_code == Code.DRY_RUN
    assert "nothing moved" in answer.error_msg
    assert "tool speed up to 1.00 m/s" in answer.error_msg
    slow = r"; retreat \d+\.\d s at \d+% of a joint's speed, .*; approach "
    assert re.search(slow, answer.error_msg)
    assert refused.error_code == Code.INVALID_THETA
    assert sent == []
    assert (shown.returncode, "mode          DRY RUN" in out) == (0, True), out
    assert out.splitlines()[-1].startswith("ready (DRY RUN: nothing will move): icpi run --attach")


def test_the_log_begins_with_the_arm_and_the_limits_that_are_in_force(tmp_path, domain, observer):
    shipped = share_path("config", "arms", "ur5e.yaml").read_text()
    arm, limits = tmp_path / "lab.yaml", tmp_path / "limits.yaml"
    arm.write_text(shipped.replace("name: ur5e_described", "name: ur5e_lab"))
    limits.write_text("velocity: 1.5\nacceleration: [10, 10, 10, 20, 20, 20]\n")
    with RunningGraph(tmp_path, arm=arm, limits=limits) as graph:
        observer.wait(lambda: "; tightened by" in graph.text(), "the limits in the log")
        log = graph.text()
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in (arm, limits)]
    assert f"arm ur5e_lab: {arm} (sha256 {hashes[0]})\n" in log
    assert (
        "limits of ur5e_lab: velocity 1.5 rad/s, acceleration [10, 10, 10, 20, 20, 20] rad/s^2, "
        f"tool speed 4 m/s, tool energy 2.4 J; tightened by {limits} (sha256 {hashes[1]})\n"
    ) in log


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
