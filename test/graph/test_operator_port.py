"""Decisions that come at the same moment as the next question, or before anybody has read it."""

import threading
from types import SimpleNamespace

import pytest

from icpi_msgs.msg import OperatorRequest
from icpi_msgs.srv import Decide
from icpi_ros.ros.base import operator_port
from icpi_ros.ros.base.operator_port import (
    WORDS,
    Decision,
    OperatorPort,
    change_refused,
    is_change_refused,
    is_decided,
)

ASKED = Decide.Request


@pytest.fixture
def clock(monkeypatch):
    """The port's steady clock, which stands until a test moves ``now`` [s]."""
    steady = SimpleNamespace(now=100.0)
    monkeypatch.setattr(operator_port, "time", SimpleNamespace(monotonic=lambda: steady.now))
    return steady


def opened(check):
    """Return a port without a middleware, and its service as a function of fields of Decide."""
    served = []
    node = SimpleNamespace(
        create_publisher=lambda *_: SimpleNamespace(publish=lambda msg: None),
        create_service=lambda kind, name, callback: served.append(callback),
    )
    port = OperatorPort(node, threading.Condition(), check)
    return port, lambda **fields: served[0](Decide.Request(**fields), Decide.Response())


def test_a_decision_never_counts_for_a_question_asked_meanwhile(clock):
    askers = []

    def next_question(theta):
        """Take the place of the worker that asks about the theta of a first decision."""
        asker = threading.Thread(target=port.ask, args=(OperatorRequest(kind=1),), daemon=True)
        asker.start()
        asker.join(0.3)
        askers.append(asker)
        return theta

    port, decide = opened(next_question)
    question = OperatorRequest(kind=OperatorRequest.MOTION)
    port.ask(question)
    clock.now += 1.0
    decide(request_id=question.request_id, decision=ASKED.EDIT, theta=[1.0, 0.0])
    askers[0].join(60.0)
    assert not askers[0].is_alive()
    assert port.waiting
    assert port.decision is None


@pytest.mark.parametrize("kind", [OperatorRequest.MOTION, OperatorRequest.SCENE])
@pytest.mark.parametrize("decision", [ASKED.APPROVE, ASKED.EDIT])
def test_a_question_is_looked_at_for_a_second_before_a_yes_or_a_change(clock, kind, decision):
    port, decide = opened(lambda theta: theta)
    question = OperatorRequest(kind=kind)
    port.ask(question)
    clock.now += 0.99
    reply = decide(request_id=question.request_id, decision=decision)
    assert not reply.accepted
    assert reply.message == (
        f"request {question.request_id} appeared less than 1 s ago: look at it and try again"
    )
    assert port.waiting
    assert port.decision is None


def test_a_second_is_enough_and_every_question_has_one_of_its_own(clock):
    port, decide = opened(lambda theta: theta)
    for _ in range(2):
        question = OperatorRequest(kind=OperatorRequest.MOTION)
        port.ask(question)
        assert not decide(request_id=question.request_id, decision=ASKED.APPROVE).accepted
        clock.now += 1.0
        assert decide(request_id=question.request_id, decision=ASKED.APPROVE).accepted


def test_a_no_is_never_too_early(clock):
    port, decide = opened(lambda theta: theta)
    question = OperatorRequest(kind=OperatorRequest.MOTION)
    port.ask(question)
    assert decide(request_id=question.request_id, decision=ASKED.REJECT).accepted
    assert port.decision.kind == ASKED.REJECT


@pytest.mark.parametrize("comment", ["", "too fast", "the change was refused: no"])
@pytest.mark.parametrize("kind", [ASKED.APPROVE, ASKED.REJECT, ASKED.EDIT])
def test_what_became_of_a_decision_is_read_as_it_was_written(kind, comment):
    decided = str(Decision(kind, None, "eve by night", comment))
    assert [each for each in WORDS if is_decided(decided, each)] == [kind]
    assert not is_change_refused(decided)
    refused = change_refused(f"changed by eve: {decided}")
    assert is_change_refused(refused)
    assert not any(is_decided(refused, each) for each in WORDS)
