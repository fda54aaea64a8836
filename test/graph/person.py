"""A person beside the arm, for tests: answers the executor's questions, presses the stop."""

import time
from contextlib import suppress

from std_srvs.srv import Trigger

from icpi_msgs.msg import OperatorRequest
from icpi_msgs.srv import Decide
from icpi_ros.ros.base import qos

ASKED = Decide.Request
LOST, ASKS = 20.0, 6
"""Time after which a reply counts as lost [s], and how often a decision is asked for in all."""
PAUSE = 0.1
"""After an answer that it is too early [s]: nothing says when it is not."""


class Person:
    """Answers the executor's questions."""

    def __init__(self, observer):
        self.observer = observer
        self.requests = observer.record(OperatorRequest, "operator_request", qos.LATCHED)
        self.client = observer.node.create_client(Decide, "decide")
        self.triggers = {
            name: observer.node.create_client(Trigger, name) for name in ("stop", "reset_stop")
        }

    def question(self, kind, after=None, result=None):
        """Wait for the next question of a kind.

        With the future of its motion's result the wait ends with the motion, and says how it ended.
        """

        def found():
            last = self.requests[-1] if self.requests else None
            fits = last is not None and last.kind == kind and last.request_id != after
            return last if fits else None

        def over():
            return result is not None and result.done()

        self.observer.wait(lambda: found() is not None or over(), "a question")
        question = found()
        if question is None:
            answer = result.result().result
            raise AssertionError(
                f"the motion ended before question {kind}: {answer.error_code}, {answer.error_msg}"
            )
        return question

    def decide(self, request, decision=ASKED.APPROVE, **fields):
        """Decide, again while it is too early: nobody has looked yet; return the reply."""
        self.observer.wait(self.client.service_is_ready, "the service decide")
        asked = Decide.Request(request_id=request.request_id, decision=decision, **fields)
        replies = []

        def looked():
            replies.append(self._reply(asked))
            return paused("look at it and try again" not in replies[-1].message)

        self.observer.wait(looked, "a decision that is not too early")
        return replies[-1]

    def _reply(self, asked):
        """Return the reply to a decision; it is asked again where a flood has swallowed one."""
        for _ in range(ASKS):
            future = self.client.call_async(asked)
            with suppress(AssertionError):
                return self.observer.reply(future, LOST)
        raise AssertionError(f"no reply of the service decide to {ASKS} requests")

    def trigger(self, name):
        self.observer.wait(self.triggers[name].service_is_ready, name)
        return self.triggers[name].call_async(Trigger.Request())

    def stop(self):
        reply = self.observer.reply(self.trigger("stop"))
        assert reply.success

    def reset(self):
        """Release the stop, once the arm is no longer being stopped."""

        def released():
            reply = self.observer.reply(self.trigger("reset_stop"))
            assert reply.success or "still being stopped" in reply.message
            return paused(reply.success)

        self.observer.wait(released, "the release of the stop")


def paused(done):
    """Return it; where it is False, after a pause."""
    if not done:
        time.sleep(PAUSE)
    return done
