"""A person's approval of a plan, and confirmation that the scene is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import OperatorRequest, Proposal
from icpi_msgs.srv import Decide
from icpi_ros.core.errors import MotionRefused
from icpi_ros.ros.base.operator_port import Decision, OperatorPort, change_refused
from icpi_ros.ros.executor.request_msg import (
    InForce,
    motion_request_msg,
    proposal_shown,
    scene_request_msg,
)
from icpi_ros.ros.following.following import MotionFollower
from icpi_ros.ros.following.planning import MotionPlan, Planner
from icpi_ros.ros.following.rules import ExecutorRules
from icpi_ros.ros.following.trial_ended import TrialEnded
from icpi_ros.tasks.base import Task

Code = ExecuteMotion.Result
MAX_EDITS = 100
"""Changes of one motion, and moves of the arm meanwhile, before its trial ends."""

ASKED_AGAIN = "asked again: "
"""Begin of the remark where the arm was moved between question and approval."""


class Approval:
    """Dialogue with a person about one trial after another; used by one worker thread.

    Args:
        task: for names, units and bounds.
        planner: plans what a person changes theta to.
        port: the way to the person.
        rules: how long to wait.
        log: takes one line about every decision.
        in_force: what is shown of limits and protections.
    """

    def __init__(
        self,
        task: Task,
        planner: Planner,
        port: OperatorPort,
        rules: ExecutorRules,
        log: Callable[[str], object],
        in_force: InForce,
    ) -> None:
        self._task, self._planner, self._port = task, planner, port
        self._rules, self._log, self._in_force = rules, log, in_force

    def of(
        self, plan: MotionPlan, trial_id: str, proposal: Proposal, follower: MotionFollower
    ) -> MotionPlan:
        """Show a plan until it, or what a person makes of it, is approved; return that one.

        An approval counts only while the arm is where the motions were shown from; else they are
        planned from where it is, and asked again.

        Raises:
            MotionRefused: a motion that leads to the stroke breaks a limit.
            TrialEnded: rejected, not decided in time, or interrupted.
        """
        remark = ""
        with self._closing():
            plan = self._planner.shown(plan, follower.next_start)
            for _ in range(MAX_EDITS):
                request = motion_request_msg(
                    follower.now, trial_id, self._task, plan, self._in_force
                )
                request.proposal, request.remark = proposal_shown(proposal, plan), remark
                decision = self._ask(request, follower)
                if decision.theta is not None:
                    plan, remark = self._changed(plan, proposal.run_id, decision, follower)
                    self._log(f"trial {trial_id}: {remark}")
                    continue
                if decision.kind != Decide.Request.APPROVE:
                    self._close(request, str(decision))
                    raise TrialEnded(Code.REJECTED, f"the motion was {decision}")
                moved = self._planner.moved(plan, follower.next_start)
                remark = f"{ASKED_AGAIN}{moved}" if moved else str(decision)
                self._close(request, remark)
                if not moved:
                    return plan
                plan = self._planner.shown(plan, follower.next_start)
            raise TrialEnded(Code.REJECTED, f"changed {MAX_EDITS} times and never approved")

    def scene_is_back(self, trial_id: str, follower: MotionFollower, remark: str = "") -> None:
        """Wait until a person confirms that the scene is back.

        Args:
            trial_id: of the trial.
            follower: of its motions; an interruption ends the wait.
            remark: reason why the person is asked again; empty at first.

        Raises:
            TrialEnded: the person denies it, does not answer in time, or it was interrupted.
        """
        request = scene_request_msg(follower.now, trial_id, self._task, self._planner.lets_go)
        request.remark = remark
        with self._closing():
            decision = self._ask(request, follower)
            self._close(request, str(decision))
        if decision.kind != Decide.Request.APPROVE:
            raise TrialEnded(Code.RESET_FAILED, f"the reset of the scene was {decision}")

    def _ask(self, request: OperatorRequest, follower: MotionFollower) -> Decision:
        request.patience, request.dry_run = self._rules.approval_timeout, self._rules.dry_run
        limit = self._rules.approval_timeout

        def undecided() -> TrialEnded:
            return TrialEnded(Code.REJECTED, f"nobody decided within {limit:g} s")

        self._port.ask(request)
        self._log(f"trial {request.trial_id} waits for a person: {request.question} (icpi approve)")
        follower.wait(lambda: self._port.decision is not None, limit, undecided)
        decision = self._port.decision
        if decision is None:
            raise undecided()
        return decision

    def _close(self, request: OperatorRequest, remark: str) -> None:
        """Close a question with its outcome; that of a change is the planner's."""
        self._log(f"trial {request.trial_id}: {remark}")
        self._port.close_question(remark)

    @contextmanager
    def _closing(self) -> Iterator[None]:
        """Leave no question open; one that was not decided is closed with what ended it."""
        remark = "the trial ended"
        try:
            yield
        except (MotionRefused, TrialEnded) as exc:
            remark = str(exc)
            raise
        finally:
            self._port.close_question(remark)

    def _changed(
        self, plan: MotionPlan, run_id: str, decision: Decision, follower: MotionFollower
    ) -> tuple[MotionPlan, str]:
        """Return the plan of a changed theta, or the old one and why that was refused."""
        if decision.theta is None:
            return plan, ""
        try:
            new = self._planner.plan(decision.theta, run_id)
            new = self._planner.shown(new, follower.next_start)
        except MotionRefused as exc:
            return plan, change_refused(exc)
        return new.changed_by(decision.by), str(decision)
