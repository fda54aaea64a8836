"""Decisions that come at the same moment as the next question."""

import threading
from types import SimpleNamespace

from icpi_msgs.msg import OperatorRequest
from icpi_msgs.srv import Decide
from icpi_ros.nodes.operator_port import OperatorPort


def test_a_decision_never_counts_for_a_question_asked_meanwhile():
    served = []
    node = SimpleNamespace(
        create_publisher=lambda *_: SimpleNamespace(publish=lambda msg: None),
        create_service=lambda kind, name, callback: served.append(callback),
    )
    askers = []

    def next_question(theta):
        """Take the place of the worker that asks about the theta of a first decision."""
        asker = threading.Thread(target=port.ask, args=(OperatorRequest(kind=1),), daemon=True)
        asker.start()
        asker.join(0.3)
        askers.append(asker)
        return theta

    port = OperatorPort(node, threading.Condition(), next_question)
    question = OperatorRequest(kind=OperatorRequest.MOTION)
    port.ask(question)
    edit = Decide.Request(
        request_id=question.request_id, decision=Decide.Request.EDIT, theta=[1.0, 0.0]
    )
    served[0](edit, Decide.Response())
    askers[0].join(60.0)
    assert not askers[0].is_alive()
    assert port.waiting
    assert port.decision is None
