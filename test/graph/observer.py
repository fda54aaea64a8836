"""A node of the tests: records topics, sends motions, waits for events with deadlines."""

import time

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import Proposal
from icpi_ros.ros.base.calls import SafeActionClient
from icpi_ros.ros.base.topics import EXECUTE_MOTION
from icpi_ros.ros.clients.client_node import ClientNode

LIMIT = 120.0
"""Ends a wait for what will not come [s]; judges nothing."""
MOMENTS = 20
"""How often the middle of a motion may be missed."""


class MotionOver(AssertionError):
    """A motion ended, with the answer in ``args``, before its feedback told of a phase."""


class Observer(ClientNode):
    def __init__(self, namespace):
        super().__init__("observer", namespace)
        self.feedback = []
        self.motions = SafeActionClient(self.node, ExecuteMotion, EXECUTE_MOTION)
        self.spin()

    def close(self):
        assert super().close(), "the middleware did not let go"

    def record(self, kind, topic, qos, counts=lambda msg: True):
        """Return a list that grows by every message that counts."""
        found = []

        def keep(msg):
            if not counts(msg):
                return
            with self.changed:
                found.append(msg)
                self.changed.notify_all()

        self.node.create_subscription(kind, topic, keep, qos)
        return found

    def wait(self, condition, what="the event", limit=LIMIT):
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline, f"waited {limit} s for {what}"
            with self.changed:
                self.changed.wait(0.02)

    def reply(self, future, limit=LIMIT):
        self.wait(future.done, "a reply", limit)
        return future.result()

    def start(self, theta, trial_id="test/0", **fields):
        """Send a motion; return its goal handle and the future of its result."""
        self.motions.forget()
        self.wait(self.motions.ready, "execute_motion")
        self.feedback.clear()
        proposal = fields.pop("proposal", Proposal())
        proposal.theta_names = fields.pop("theta_names", ["speed", "heading"])
        proposal.theta = theta
        motion = {"task": "slide", "trial_id": trial_id, "proposal": proposal}
        goal = ExecuteMotion.Goal(**motion | fields)

        def keep(msg):
            with self.changed:
                self.feedback.append(msg.feedback.state)
                self.changed.notify_all()

        handle = self.reply(self.motions.send(goal, keep))
        assert handle.accepted
        return handle, self.motions.result(handle)

    def until(self, phase, result):
        """Wait for a phase of the motion whose result is still to come."""
        self.wait(lambda: phase in self.feedback or result.done(), f"phase {phase}")
        if phase not in self.feedback:
            raise MotionOver(result.result())

    def cancel(self, handle):
        return self.reply(self.motions.cancel(handle))

    def interrupted(self, attempt):
        """Return the answer to a motion that ``attempt(number)`` interrupts before its end.

        A busy machine may come too late: the motion is done, and another one is interrupted.
        """
        for number in range(MOMENTS):
            try:
                answer = attempt(number)
            except MotionOver as over:
                (answer,) = over.args
            if answer.result.error_code != ExecuteMotion.Result.NONE:
                return answer
        raise AssertionError(f"{MOMENTS} motions were over before they were interrupted")

    def execute(self, theta, **fields):
        _, future = self.start(theta, **fields)
        return self.reply(future).result
