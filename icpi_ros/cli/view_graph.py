"""Page of a graph that is up: another client of its topics and services; it moves nothing."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.cli.commands import need_ros
from icpi_ros.cli.view import address_of, say_link
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.text import error_line, printable
from icpi_ros.report.operator_request import request_text
from icpi_ros.robots import find_arm
from icpi_ros.robots.base import prefixed
from icpi_ros.ros.bringup.parent import Parent
from icpi_ros.tasks import TASKS
from icpi_ros.view.page import PageAddress, RunPage, Subject
from icpi_ros.view.panels import WaitingQuestion

if TYPE_CHECKING:
    from icpi_ros.ros.clients.graph_watch import GraphState, GraphWatch
    from icpi_ros.ros.clients.operator_client import OperatorClient

PERIOD = 1.0 / 30.0
"""Time between two pictures [s]."""
QUIET = 2.0
"""Time without joint states from which on the page says so [s]."""
BY = "a person at the page"


@dataclass(frozen=True)
class GraphAddress:
    """Graph to look at.

    Attributes:
        namespace: of the graph.
        arm: another arm than its own; empty = its own.
        wait: longest time for it to answer what it moves [s].
        camera: show the camera image with what perception sees in it.
    """

    namespace: str = ""
    arm: str = ""
    wait: float = 10.0
    camera: bool = False


class GraphControls:
    """Way from the page to the services of a graph, those of `icpi approve` and `icpi stop`."""

    def __init__(self, client: OperatorClient) -> None:
        """Take the client."""
        self._client, self._deciding = client, threading.Lock()

    def stop(self) -> str:
        """Press the software stop."""
        return self._client.stop()

    def reset(self) -> str:
        """Release it."""
        return self._client.reset_stop()

    def decide(self, request: int, kind: str, theta: Sequence[float] = ()) -> str:
        """Decide about the question of that id; see Controls.

        Raises:
            ExecutionFailed: it waits no more, or the decision was not taken or does not count.
        """
        with self._deciding:
            pending = self._client.pending
            if pending is None or pending.request_id != request:
                raise ExecutionFailed(f"request {request} does not wait any more")
            if refusal := self._client.decide(pending, kind, theta, BY):
                raise ExecutionFailed(refusal)
            outcome = self._client.verdict(kind)
        if not outcome.counted:
            raise ExecutionFailed(f"the decision did not count: {outcome.reason}")
        return outcome.reason


class GraphPage:
    """Page of a graph, which is followed until it is closed; a context manager."""

    def __init__(self, graph: GraphAddress, address: PageAddress) -> None:
        """Find the graph and open the page.

        Raises:
            UsageError: no graph answers, or the page cannot be opened.
        """
        from icpi_ros.ros.clients.graph_watch import GraphWatch, SubjectClient  # needs ROS
        from icpi_ros.ros.clients.operator_client import OperatorClient  # needs ROS

        with SubjectClient(graph.namespace) as asked:
            known = asked.parameters(graph.wait)
        task = TASKS.get(known.get("task", ""))
        arm = find_arm(graph.arm or known.get("arm") or task.arm)
        joints = prefixed(arm, known.get("joint_prefix", "")).joints
        self._task, self._units = task, [p.shown_unit for p in task.space.parameters]
        self._ending = threading.Event()
        with ExitStack() as stack:
            self._watch: GraphWatch = stack.enter_context(
                GraphWatch(graph.namespace, joints, graph.camera)
            )
            operator = stack.enter_context(OperatorClient(graph.namespace))
            title = f"{task.name}, {arm.name}, graph /{graph.namespace.strip('/')}"
            self.page = RunPage(
                Subject(title, task, arm, task.default_goal, live=True),
                address,
                GraphControls(operator),
            )
            stack.callback(self.page.close)
            self._stack = stack.pop_all()
        self._thread = threading.Thread(target=self._follow, name="page", daemon=True)
        self._thread.start()

    def __enter__(self) -> GraphPage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close page and clients; the graph does not notice."""
        self._ending.set()
        self._thread.join(5.0)
        self._stack.close()

    @property
    def alive(self) -> bool:
        """True while the page follows the graph."""
        return self._thread.is_alive()

    def _follow(self) -> None:
        shown: GraphState | None = None
        while not self._ending.wait(PERIOD):
            state = self._watch.state
            try:
                self._show(state, shown)
            except Exception as exc:  # a client: the graph goes on whatever is wrong here
                text = f"icpi: the page is closed, the graph goes on: {error_line(exc)}"
                print(printable(text), file=sys.stderr, flush=True)
                return
            shown = state

    def _show(self, state: GraphState, shown: GraphState | None) -> None:
        """Show what has changed."""
        page = self.page
        if state.joints is not None and (shown is None or state.joints is not shown.joints):
            page.show_joints(state.joints)
        if state.position is not None and (shown is None or state.position is not shown.position):
            page.show_object(state.position)
        if shown is None or state.trials is not shown.trials:
            if state.trials and (goal := state.trials[-1].origin.goal) is not None:
                page.show_goal(goal)
            page.show_trials(state.trials)
        if shown is None or state.question is not shown.question:
            page.show_question(self._question(state.question))
        if state.image is not None and (shown is None or state.image is not shown.image):
            page.show_image(state.image)
        page.show_stopped(state.stopped)
        page.warn(_warning(state))

    def _question(self, msg: Any) -> WaitingQuestion | None:
        """Return what waits, with the bounds in force: those of this step where there are any."""
        if msg is None:
            return None
        text = request_text(msg, self._units)
        if not msg.theta or msg.task != self._task.name:
            return WaitingQuestion(int(msg.request_id), text)
        near = bool(msg.step_lower)
        return WaitingQuestion(
            int(msg.request_id),
            text,
            np.array(msg.theta),
            np.array(msg.step_lower if near else msg.lower),
            np.array(msg.step_upper if near else msg.upper),
        )


def _warning(state: GraphState) -> str:
    """Return what a person must know before all else; empty = nothing."""
    quiet = time.monotonic() - state.heard
    if state.heard == 0.0:
        return "no joint states yet: the arm is drawn at home"
    if quiet > QUIET:
        return f"no joint states for {quiet:.0f} s: the arm is drawn where it was"
    if state.stopped:
        return "STOPPED: nothing moves until the stop is released"
    if state.question is not None:
        return f"a person is asked: {state.question.question}"
    return ""


def show_graph(args: argparse.Namespace) -> None:
    """Show the graph of ``icpi view`` until Ctrl-C.

    Raises:
        UsageError: no graph answers, or an option is about stored runs.
        ExecutionFailed: the page could not go on.
    """
    need_ros()
    starter, graph = Parent(), GraphAddress(args.namespace, args.arm or "", args.wait, args.camera)
    with GraphPage(graph, address_of(args)) as shown:
        say_link(shown.page, stops=True, json=args.json)
        print("the graph is shown; Ctrl-C ends the page, not the graph", flush=True)
        while shown.alive and not starter.ended:
            time.sleep(0.5)
    if not starter.ended:
        raise ExecutionFailed("the page has ended; the graph goes on")
