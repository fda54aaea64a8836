"""A person beside the arm: approval, change, rejection, the software stop, dry run, the ramp."""

import re
import threading

import numpy as np
import pytest
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import Marker, MarkerArray

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import OperatorRequest, Proposal
from icpi_ros.report.operator_request import request_text
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveRequest
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS

from .conftest import HANG, RunningGraph
from .person import ASKED

State, Code = ExecuteMotion.Feedback, ExecuteMotion.Result
THETA = [1.0, 0.1]
MOTIONS = ["retreat", "approach", "rehearsal", "retreat", "approach", "stroke"]
"""Of a trial of the ramp, in the order in which they are shown and executed."""
STAMPED = "joint_trajectory_controller/joint_trajectory"


@pytest.fixture(scope="module")
def careful(tmp_path_factory, domain):
    """A simulated graph with the rules of a real one."""
    rules = {"approval": "true", "scene": "operator", "ramp_trials": 2, "rehearse": "true"}
    rules |= {"max_step": 0.5, "viewer": "true", "speed_scale": 1.0, "ramp_scale": 0.6}
    with RunningGraph(tmp_path_factory.mktemp("careful"), **rules) as graph:
        yield graph


def test_an_arm_of_the_package_is_told_with_its_limits(careful, observer):
    observer.wait(lambda: "; no limits file" in careful.text(), "the limits in the log")
    log = careful.text()
    assert re.search(
        r"arm ur5e: module icpi_ros.robots.ur5e \(sha256 of its limits \w{12}\)\n", log
    )
    own = "velocity 3.142 rad/s, acceleration 40 rad/s^2, tool speed 4 m/s, tool energy 2.4 J"
    assert f"limits of ur5e: {own}; no limits file\n" in log


def test_nothing_moves_before_a_person_approves(careful, observer, person):
    sent = observer.record(JointTrajectory, STAMPED, qos.COMMAND)
    _, result = observer.start(THETA, trial_id="approve/0")
    shown = person.question(OperatorRequest.MOTION)
    assert shown.trial_id == "approve/0"
    np.testing.assert_allclose(shown.theta, THETA)
    assert shown.tool_speed == pytest.approx(1.0, abs=0.01)
    assert 0.0 < shown.joint_speed_share < 1.0
    assert len(shown.tool_path) > 10
    assert [motion.label for motion in shown.motions] == MOTIONS
    assert "rehearse" not in "".join(shown.loosened)
    count = observer.node.count_publishers(STAMPED)
    observer.wait(lambda: observer.feedback.count(State.WAITING) >= 2, "two signs of life")
    assert (count, sent, result.done()) == (1, [], False)
    assert person.decide(shown).accepted
    scene = person.question(OperatorRequest.SCENE)
    assert "x = 0.600 m, y = -0.150 m" in scene.question
    phases = [phase for phase in observer.feedback if phase != State.WAITING]
    assert State.REHEARSING in phases
    assert State.STROKING not in phases
    assert person.decide(scene).accepted
    answer = observer.reply(result).result
    assert (answer.error_code, answer.error_msg, answer.decided_by) == (0, "", "")
    assert [msg.header.frame_id.split("/")[2] for msg in sent] == MOTIONS
    for msg, motion in zip(sent, shown.motions, strict=True):  # what was shown is what moved
        assert convert.to_ns(msg.points[-1].time_from_start) == round(1e9 * motion.duration)
        last = UR5E.tool_pose(np.array(msg.points[-1].positions))[0]
        np.testing.assert_allclose(convert.point_from(motion.tool_path[-1]), last, atol=1e-9)


def test_the_preview_shows_the_slow_motions_apart_from_the_stroke(careful, observer, person):
    views = observer.record(MarkerArray, "markers", qos.LATCHED)
    _, result = observer.start(THETA, trial_id="preview/0")
    shown = person.question(OperatorRequest.MOTION)
    lines = 2 * sum(len(motion.tool_path) - 1 for motion in shown.motions[:-1])

    def found(kind):
        return next((m for m in views[-1].markers if m.ns == kind), None) if views else None

    def previewed():
        slow = found("slow_moves")
        return slow is not None and len(slow.points) == lines

    observer.wait(previewed, "the slow motions")
    slow, stroke = found("slow_moves"), found("proposal")
    assert (slow.type, slow.action) == (Marker.LINE_LIST, Marker.ADD)
    assert slow.points[0] == shown.motions[0].tool_path[0]
    assert slow.points[-1] == shown.motions[-2].tool_path[-1]
    assert list(stroke.points) == list(shown.tool_path)
    assert slow.color != stroke.color
    person.decide(shown, ASKED.REJECT)
    assert observer.reply(result).result.error_code == Code.REJECTED


def test_a_rejected_motion_never_moves_and_the_reason_comes_back(careful, observer, person):
    sent = observer.record(JointTrajectory, STAMPED, qos.COMMAND)
    _, result = observer.start(THETA, trial_id="reject/0")
    shown = person.question(OperatorRequest.MOTION)
    person.decide(shown, ASKED.REJECT, decided_by="eve", comment="too fast for today")
    answer = observer.reply(result).result
    assert answer.error_code == Code.REJECTED
    assert answer.error_msg == "the motion was rejected by eve: too fast for today"
    assert sent == []


def test_a_client_s_texts_forge_no_line_of_the_log(careful, observer, person):
    forged = "\n[INFO] [0.0] [executor]: approved by eve\x1b[2J"
    _, result = observer.start(THETA, trial_id=f"forged/0{forged}")
    shown = person.question(OperatorRequest.MOTION)
    assert shown.trial_id == f"forged/0{forged}"  # stays the client's own
    person.decide(shown, ASKED.REJECT, decided_by=f"eve{forged}", comment=f"no{forged}")
    assert observer.reply(result).result.error_code == Code.REJECTED
    escaped = r"trial forged/0\n[INFO] [0.0] [executor]: approved by eve\x1b[2J: the motion was"
    observer.wait(lambda: escaped in careful.text(), "the line of the trial")
    log = careful.log.read_text()
    assert "\x1b[2J" not in log
    assert not any(line.startswith("[INFO] [0.0]") for line in log.splitlines())


def test_a_changed_motion_is_shown_again_and_executed_as_changed(careful, observer, person):
    run = Proposal(run_id="a-run", provenance="ridge")
    _, result = observer.start([1.2, 0.2], trial_id="edit/0", proposal=run)
    first = person.question(OperatorRequest.MOTION)
    refused = person.decide(first, ASKED.EDIT, theta=[9.0, 0.0])
    assert not refused.accepted
    assert "allowed 0.6 to 1.6" in refused.message
    assert person.decide(first, ASKED.EDIT, theta=[0.9, -0.1], decided_by="bob").accepted
    second = person.question(OperatorRequest.MOTION, after=first.request_id)
    assert second.remark == "changed by bob"
    stale = person.decide(first)
    assert not stale.accepted
    assert "look at it again" in stale.message
    person.decide(second)
    person.decide(person.question(OperatorRequest.SCENE))
    answer = observer.reply(result).result
    assert (answer.error_code, answer.decided_by) == (0, "bob")
    np.testing.assert_allclose(answer.theta, [0.9, -0.1])


def test_a_step_that_is_too_large_for_its_run_is_refused_without_a_question(
    careful, observer, person
):
    run = Proposal(run_id="steps", provenance="ridge")
    _, result = observer.start([0.7, 0.0], trial_id="steps/0", proposal=run)
    person.decide(person.question(OperatorRequest.MOTION))
    person.decide(person.question(OperatorRequest.SCENE))
    assert observer.reply(result).result.error_code == 0
    far = observer.execute([1.5, 0.0], trial_id="steps/1", proposal=run)
    assert far.error_code == Code.MOTION_REFUSED
    assert "speed = 1.5 m/s is too far" in far.error_msg
    other = Proposal(run_id="another run", provenance="ridge")
    _, result = observer.start([1.5, 0.0], trial_id="steps/2", proposal=other)
    person.decide(person.question(OperatorRequest.MOTION), ASKED.REJECT)
    assert observer.reply(result).result.error_code == Code.REJECTED


def test_the_ramp_ends_after_the_first_executions_of_a_run(careful, observer, person):
    run = Proposal(run_id="ramp", provenance="ridge")
    seen, last = [], None
    for number in range(3):
        _, result = observer.start(THETA, trial_id=f"ramp/{number}", proposal=run)
        shown = person.question(OperatorRequest.MOTION, last)
        seen.append((round(shown.speed_scale, 2), shown.rehearsal))
        person.decide(shown)
        scene = person.question(OperatorRequest.SCENE)
        person.decide(scene)
        assert observer.reply(result).result.error_code == 0
        last = shown.request_id
    assert seen == [(0.6, True), (0.8, True), (1.0, False)]


def test_a_run_keeps_what_a_person_changed_and_why_theta_was_moved_back(
    careful, client, observer, person
):
    client.connect(HANG, careful.death)
    trials, asked, sheets = [], [], []

    def answer(last):
        first = person.question(OperatorRequest.MOTION, last)
        person.decide(first, ASKED.EDIT, theta=[0.7, 0.3], decided_by="eve")
        second = person.question(OperatorRequest.MOTION, first.request_id)
        person.decide(second)
        person.decide(person.question(OperatorRequest.SCENE))
        shown = person.question(OperatorRequest.MOTION, second.request_id)
        sheets.append(request_text(shown, TASKS.get("slide").space.units))
        person.decide(shown, ASKED.REJECT, comment="enough")

    last = person.requests[-1].request_id if person.requests else None
    hand = threading.Thread(target=answer, args=(last,))
    hand.start()
    result = client.improve(
        ImproveRequest("slide", "random", budget=3, seed=4),
        Callbacks(on_trial=trials.append, on_question=asked.append),
    )
    hand.join(HANG)
    assert any("may" in question for question in asked)
    assert any("leave the workspace" in question for question in asked)
    assert f"trial {result.run_id}/0" in careful.text()
    assert "waits for a person: " in careful.text()
    assert result.cancelled
    assert "rejected by the operator: enough" in result.error_msg
    np.testing.assert_allclose(trials[0].theta, [0.7, 0.3])
    with TrialStore(careful.store) as store:
        stored = store.trials(result.run_id)
    assert [trial.status.value for trial in stored] == ["done", "cancelled"]
    assert stored[0].proposal.provenance == "operator"
    np.testing.assert_allclose(stored[0].theta, [0.7, 0.3])
    assert stored[0].note == "eve changed what first attempt proposed"
    assert np.abs(stored[0].proposal.theta - stored[0].theta).max() > 1e-3
    why = "speed = 1.57982 m/s is too far from what this run has executed: allowed 0.2 to 1.2 m/s"
    assert stored[1].moved_back.startswith(why)
    assert f"; moved back: {why}" in stored[1].note
    assert trials[1].moved_back == stored[1].moved_back
    (sheet,) = sheets
    assert f"moved back       from speed=1.58 m/s heading=-0.05284 rad: {why}" in sheet
    assert "(allowed 0.6 to 1.2 in this step, 0.6 to 1.6 at all)" in sheet
    assert "predicted" not in sheet
