"""What a person is asked and what an approval is worth; stand-ins for port and arm, no graph."""

from types import SimpleNamespace

import numpy as np
import pytest

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import OperatorRequest, Proposal
from icpi_msgs.srv import Decide
from icpi_ros.core.errors import MotionRefused
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.ros.base import convert
from icpi_ros.ros.base.operator_port import Decision
from icpi_ros.ros.executor.approval import MAX_EDITS, Approval
from icpi_ros.ros.executor.request_msg import InForce
from icpi_ros.ros.following.memory import RunMemory
from icpi_ros.ros.following.planning import Planner
from icpi_ros.ros.following.rules import ExecutorRules
from icpi_ros.ros.following.trial_ended import TrialEnded
from icpi_ros.tasks import TASKS

SLIDE, ARM = TASKS.get("slide"), ARMS.get("ur5e")
THETA, OTHER = np.array([1.0, 0.1]), np.array([0.9, -0.1])
PROPOSAL = Proposal(
    run_id="run",
    theta=THETA.tolist(),
    provenance="ridge",
    projected=True,
    moved_reason="out of bounds",
    predicted_cost=0.0076,
    predicted_std=0.004,
)
YES = Decision(Decide.Request.APPROVE, None, "eve", "")
NO = Decision(Decide.Request.REJECT, None, "eve", "")
ELSEWHERE = ARM.home + np.array([0.0, 0.1, 0.0, 0.0, 0.0, 0.0])
LOW = ARM.home + np.array([0.0, 0.75, 0.6, 0.0, 0.0, 0.0])
"""Its tool is below the table."""


class Person:
    """Stands for the port; answers with what a test has prepared: (decision, where the arm is)."""

    def __init__(self, follower, *answers):
        self.follower, self.answers = follower, list(answers)
        self.asked, self.closed, self.decision = [], [], None
        self.open = False

    def ask(self, request):
        self.asked.append(request)
        self.decision, self.follower.next_start = self.answers.pop(0)
        self.open = True

    def close_question(self, remark):
        if self.open:
            self.closed.append(remark)
        self.open = False


def approval(*answers, limits=(), **rules):
    follower = SimpleNamespace(next_start=ARM.home, now=1, wait=lambda done, *_: None)
    port, log = Person(follower, *answers), []
    rules = ExecutorRules(approval=True, **rules)
    planner = Planner(SLIDE, ARM, SafetyGate(ARM), rules, RunMemory())
    in_force = InForce(limits=limits, loosened=["rehearse is off"])
    asks = Approval(SLIDE, planner, port, rules, log.append, in_force)
    return (
        lambda: asks.of(planner.plan(THETA, "run"), "run/0", PROPOSAL, follower),
        port,
        log,
    )


def test_all_motions_and_what_is_in_force_are_shown():
    of, port, _ = approval((YES, ARM.home), limits=["limits of ur5e"], rehearse=True, ramp_trials=1)
    plan = of()
    (shown,) = port.asked
    assert shown.kind == OperatorRequest.MOTION
    labels = ["retreat", "approach", "rehearsal", "retreat", "approach", "stroke"]
    assert [motion.label for motion in shown.motions] == labels
    for motion, kept in zip(shown.motions, plan.shown, strict=True):
        assert motion.tool_height == kept.summary.tool_height
        assert motion.duration == kept.summary.duration
        assert len(motion.tool_path) == len(kept.path)
        assert motion.clearance >= 0.01
        assert motion.floor_distance >= 0.0
    assert (shown.duration, shown.tool_speed) == (
        shown.motions[-1].duration,
        shown.motions[-1].tool_speed,
    )
    assert (list(shown.limits), list(shown.loosened)) == (["limits of ur5e"], ["rehearse is off"])
    assert (list(shown.step_lower), list(shown.step_upper)) == ([], [])
    np.testing.assert_array_equal(plan.begin, ARM.home)
    assert port.closed == ["approved by eve"]


def test_an_approval_does_not_count_if_the_arm_was_moved_meanwhile_and_it_is_asked_again():
    of, port, log = approval((YES, ELSEWHERE), (YES, ELSEWHERE))
    plan = of()
    first, second = port.asked
    why = "asked again: the arm is not where this motion was shown from: shoulder_lift_joint is 0.1"
    assert second.remark.startswith(why)
    assert port.closed == [second.remark, "approved by eve"]
    assert any(second.remark in line for line in log)
    np.testing.assert_array_equal(plan.begin, ELSEWHERE)
    starts = [request.motions[0].tool_path[0] for request in (first, second)]
    for point, q in zip(starts, (ARM.home, ELSEWHERE), strict=True):
        np.testing.assert_allclose(convert.point_from(point), ARM.tool_pose(q)[0], atol=1e-9)


def test_a_change_is_shown_from_where_the_arm_is_by_then():
    change = Decision(Decide.Request.EDIT, OTHER, "bob", "")
    of, port, _ = approval((change, ELSEWHERE), (YES, ELSEWHERE))
    plan = of()
    assert (len(port.asked), port.asked[1].remark, plan.decided_by) == (2, "changed by bob", "bob")
    np.testing.assert_array_equal(plan.theta, OTHER)
    np.testing.assert_array_equal(plan.begin, ELSEWHERE)
    costs = [request.proposal.predicted_cost for request in port.asked]
    np.testing.assert_array_equal(costs, [0.0076, np.nan])  # none was predicted for this theta
    assert [request.proposal.projected for request in port.asked] == [True, False]
    assert port.asked[1].proposal.provenance == "bob, in place of ridge"
    assert port.asked[1].proposal.moved_reason == ""
    assert PROPOSAL.predicted_cost == 0.0076  # what was proposed is stored as it was


def test_a_change_whose_way_there_breaks_a_limit_is_refused_like_any_other():
    change = Decision(Decide.Request.EDIT, OTHER, "bob", "")
    of, port, _ = approval((change, LOW), (NO, LOW))
    with pytest.raises(TrialEnded, match="rejected by eve") as ended:
        of()
    assert ended.value.code == ExecuteMotion.Result.REJECTED
    assert port.asked[1].remark.startswith("the change was refused: retreat: ")
    np.testing.assert_array_equal(port.asked[1].theta, THETA)


def test_no_question_is_left_open_where_the_new_way_breaks_a_limit():
    of, port, _ = approval((YES, LOW))
    with pytest.raises(MotionRefused, match=r"^retreat: "):
        of()
    assert len(port.asked) == 1
    assert not port.open
    assert port.closed[0].startswith("asked again: ")


def test_an_arm_that_never_stands_still_ends_the_trial(monkeypatch):
    assert MAX_EDITS == 100
    monkeypatch.setattr("icpi_ros.ros.executor.approval.MAX_EDITS", 10)
    of, port, _ = approval(*((YES, ARM.home + 0.03 * (i % 2 == 0)) for i in range(20)))
    with pytest.raises(TrialEnded, match="never approved"):
        of()
    assert len(port.asked) == 10
