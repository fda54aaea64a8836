"""The way of a page's buttons to the executor, without a graph: what is meant, and what is late."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from icpi_msgs.msg import OperatorRequest, Proposal
from icpi_ros.cli import graph_question, view_graph
from icpi_ros.cli.graph_question import GOAL_UNKNOWN, GraphControls, another_graph, question_of
from icpi_ros.cli.view_graph import GraphAddress, GraphPage
from icpi_ros.core.errors import ExecutionFailed, UsageError
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.ros.clients.graph_watch import GraphState
from icpi_ros.ros.clients.operator_client import DecisionOutcome, OperatorClient
from icpi_ros.ros.clients.stop_client import StillStopping
from icpi_ros.tasks import TASKS
from icpi_ros.view.page import PageAddress
from icpi_ros.view.question import QuestionKind

SLIDE = TASKS.get("slide")
MOTION, SCENE = OperatorRequest.MOTION, OperatorRequest.SCENE


def request(kind=MOTION, number=7, task="slide", **more):
    space = SLIDE.space
    fields = {"theta": [1.0, 0.0], "theta_names": list(space.names)} if kind == MOTION else {}
    if kind == MOTION:
        fields |= {"lower": space.lower.tolist(), "upper": space.upper.tolist()}
    return OperatorRequest(request_id=number, kind=kind, task=task, **fields | more)


class Client:
    """Stand-in for the client of a graph: notes what is sent."""

    def __init__(self, pending):
        self.pending, self.sent = pending, []
        self.taken, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def decide(self, question, kind, theta, by):
        self.sent.append((question.request_id, kind))
        self.taken.set()
        assert self.go_on.wait(60)

    def verdict(self, kind):
        return DecisionOutcome(True, kind, None)

    def abandon(self):
        self.go_on.set()


@pytest.mark.parametrize(
    ("pending", "kind", "why"),
    [
        (request(), "clear", "clear is no decision about a motion"),
        (request(SCENE), "approve", "approve is no decision about a scene"),
        (request(SCENE), "edit", "edit is no decision about a scene"),
        (request(task="toss"), "approve", "another task: toss"),
        (request(task="toss"), "reject", "another task: toss"),
        (request(SCENE, task="toss"), "clear", "another task: toss"),
        (request(kind=9), "clear", "a question of another version"),
        (request(number=8), "approve", "does not wait any more"),
        (None, "approve", "does not wait any more"),
    ],
)
def test_a_button_reaches_only_the_question_it_is_for(pending, kind, why):
    client = Client(pending)
    with pytest.raises(ExecutionFailed, match=why):
        GraphControls(client, "slide").decide(7, kind)
    assert client.sent == []


@pytest.mark.parametrize(
    ("pending", "kind"), [(request(), "approve"), (request(), "reject"), (request(SCENE), "clear")]
)
def test_what_is_meant_is_sent(pending, kind):
    client = Client(pending)
    assert GraphControls(client, "slide").decide(7, kind) == kind
    assert client.sent == [(7, kind)]


def test_a_page_that_is_behind_approves_nothing_and_rejects(monkeypatch):
    monkeypatch.setattr(graph_question, "FROZEN", -1.0)
    controls = GraphControls(client := Client(request()), "slide")
    with pytest.raises(ExecutionFailed, match="behind the graph"):
        controls.decide(7, "approve")
    controls.decide(7, "reject")
    assert client.sent == [(7, "reject")]


def test_a_second_decision_is_told_that_one_is_under_way():
    client = Client(request())
    client.go_on.clear()
    controls = GraphControls(client, "slide")
    first = threading.Thread(target=controls.decide, args=(7, "reject"))
    first.start()
    assert client.taken.wait(60)
    with pytest.raises(ExecutionFailed, match="a decision is under way"):
        controls.decide(7, "reject")
    controls.close()  # ends the wait of the first
    first.join(60)
    assert not first.is_alive()
    with pytest.raises(ExecutionFailed, match="the page is closed"):
        controls.decide(7, "reject")
    assert client.sent == [(7, "reject")]


@pytest.mark.parametrize("kind", [MOTION, SCENE])
def test_a_question_of_another_task_is_shown_as_such(kind):
    found = question_of(request(kind, task="toss", question="may toss be executed?"), SLIDE)
    assert found.undecidable(2) == "another task: toss; this page shows slide"
    assert "may toss be executed?" in found.headline


@pytest.mark.parametrize(
    "wrong", [{"theta": []}, {"lower": [0.6]}, {"theta_names": ["a", "b"]}, {"step_lower": [0.6]}]
)
def test_a_theta_that_is_not_the_task_s_has_no_buttons(wrong):
    found = question_of(request(**wrong), SLIDE)
    assert found.kind is QuestionKind.MOTION
    assert "not that of the task" in found.undecidable(2)


@pytest.mark.parametrize(("run", "known"), [("", False), ("before", False), ("mine", True)])
def test_a_ring_that_may_be_another_run_s_goal_is_told(run, known):
    asked = request(proposal=Proposal(run_id="mine"))
    assert (GOAL_UNKNOWN in question_of(asked, SLIDE, shown_run=run).text) is not known


def test_what_became_of_the_last_decision_comes_first():
    msg = request(question="may it?", remark="the change was refused: too fast")
    found = question_of(msg, SLIDE)
    assert found.headline == "(the change was refused: too fast)\nmay it?"
    assert found.kept
    np.testing.assert_array_equal(found.motion.lower, SLIDE.space.lower)


UR5E, OTHER = {"task": "slide", "arm": ""}, {"task": "slide", "arm": "ur10e"}


@pytest.mark.parametrize(("kind", "decision"), [(MOTION, "approve"), (SCENE, "clear")])
def test_a_graph_that_was_restarted_with_another_arm_is_told_apart(kind, decision):
    why = "the graph has another arm: ur10e; this page shows the usual one: open it anew"
    assert another_graph(UR5E, UR5E) == ""
    found = question_of(request(kind), SLIDE, another_graph(UR5E, OTHER))
    assert found.undecidable(2) == why
    client = Client(request(kind))
    controls = GraphControls(client, "slide", lambda: another_graph(UR5E, OTHER))
    with pytest.raises(ExecutionFailed, match=why):
        controls.decide(7, decision)
    controls.decide(7, "reject")
    assert client.sent == [(7, "reject")]


def test_an_arm_that_is_not_the_graph_s_approves_nothing():
    with pytest.raises(UsageError, match="leave out --arm or --operate"):
        GraphPage(GraphAddress(arm="ur5e"), PageAddress(operate=True))


def test_a_replay_is_drawn_with_the_arm_that_was_recorded(monkeypatch, tmp_path):
    monkeypatch.setattr(view_graph, "open_bag", lambda path, _: path)
    monkeypatch.setattr(view_graph, "arms_of", lambda *_: (ArmId("fr3"),))
    known = {"task": "slide", "bag": str(tmp_path)}
    assert view_graph.arm_of_graph("", known, SLIDE).name == "fr3"
    assert view_graph.arm_of_graph("ur5e", known, SLIDE).name == "ur5e"
    assert view_graph.arm_of_graph("", known | {"arm": "ur5e_stick"}, SLIDE).name == "ur5e_stick"
    elsewhere = known | {"bag": "/not/here"}
    assert view_graph.arm_of_graph("", elsewhere, SLIDE).name == SLIDE.arm


class Unready:
    def __init__(self, ready):
        self.ready, self.calls = ready, 0

    def service_is_ready(self):
        return self.ready

    def call_async(self, _):
        self.calls += 1
        reply = SimpleNamespace(success=False, message=STILL)
        return SimpleNamespace(done=lambda: True, result=lambda: reply)


def test_the_page_releases_in_one_attempt_and_not_after_its_end():
    client = Client(None)
    client.reset_stop_once = lambda: "released"  # it has no other
    controls = GraphControls(client, "slide")
    assert controls.reset() == "released"
    controls.close()
    with pytest.raises(ExecutionFailed, match="the page is closed"):
        controls.reset()


STILL = "the arm is still being stopped"


@pytest.mark.parametrize("ready", [True, False])
def test_a_release_is_asked_for_once_and_at_once(monkeypatch, domain, ready):
    monkeypatch.setattr("icpi_ros.ros.clients.stop_client.STILL", STILL)
    with OperatorClient("nowhere") as client:
        client._reset = service = Unready(ready)
        with pytest.raises(StillStopping if ready else ExecutionFailed):
            client.reset_stop_once()
    assert service.calls == int(ready)


@pytest.mark.parametrize(
    ("known", "can_stop", "said"),
    [
        ({"arm": "ur5e"}, True, "STOPPED"),
        ({"arm": "ur5e"}, False, "NO EXECUTOR: STOP here reaches nothing"),
        ({"bag": "b"}, False, "STOPPED"),
    ],
)
def test_a_page_whose_stop_reaches_nothing_says_so(known, can_stop, said):
    """The driver's joint states go on without an executor, and all else looks as ever."""
    bar = []
    page = SimpleNamespace(show_status=lambda _, warning: bar.append(warning))
    operator = SimpleNamespace(can_stop=can_stop)
    state = GraphState(heard=time.monotonic(), stopped=True)
    GraphPage._show(SimpleNamespace(page=page, _operator=operator, _known=known), state, state)
    assert bar[0].startswith(said)


def test_without_a_graph_nothing_can_be_stopped(domain):
    with OperatorClient("nowhere") as client:
        assert not client.can_stop


def test_no_outcome_is_waited_for_once_the_client_is_closed(domain):
    with OperatorClient("nowhere") as client:
        waiting = ThreadPoolExecutor(1).submit(client.verdict, "approve")
    with pytest.raises(ExecutionFailed, match="closed before the executor answered"):
        waiting.result(60)


def test_a_page_that_fails_is_closed_before_it_says_so(monkeypatch, capsys):
    """Its link is dead and its controls reach nothing; the graph is not touched."""
    order = []
    page = GraphPage.__new__(GraphPage)
    page._ending = threading.Event()
    page._watch = SimpleNamespace(state=None)
    page._controls = SimpleNamespace(close=lambda: order.append("controls"))
    page.page = SimpleNamespace(close=lambda: order.append("page"))
    page._show = lambda *_: 1 / 0
    monkeypatch.setattr(view_graph.sys, "stderr", SimpleNamespace(
        write=lambda _: order.append("said"), flush=lambda: None))  # fmt: skip
    page._follow()
    assert order[:3] == ["controls", "page", "said"]
