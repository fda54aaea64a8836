"""Page of a graph that is up: another client of its topics and services; it moves nothing."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_ros.cli.arguments import same_arm
from icpi_ros.cli.bags import arms_of, open_bag
from icpi_ros.cli.commands import need_ros
from icpi_ros.cli.graph_question import GraphControls, another_graph, question_of
from icpi_ros.cli.view import address_of, say_link
from icpi_ros.core.errors import ExecutionFailed, UsageError
from icpi_ros.core.text import error_line, printable
from icpi_ros.robots import find_arm
from icpi_ros.robots.base import Arm, prefixed
from icpi_ros.ros.bringup.parent import Parent
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.view.page import PageAddress, RunPage, Subject

if TYPE_CHECKING:
    from icpi_ros.ros.clients.graph_watch import GraphState, GraphWatch, SubjectClient

PERIOD = 1.0 / 30.0
"""Time between two pictures [s]."""
ANSWER, GLANCE = 5.0, 1.0
"""Longest time for the graph to say what it moves, before a decision and beside a question [s]."""
NO_EXECUTOR = "NO EXECUTOR: STOP here reaches nothing; use the emergency stop of the arm"
"""A driver goes on with joint states, and an arm with its motion, without any executor."""
QUIET = 2.0
"""Time without joint states from which on the page says so [s]."""


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


class GraphPage:
    """Page of a graph, which is followed until it is closed; a context manager."""

    def __init__(self, graph: GraphAddress, address: PageAddress) -> None:
        """Find the graph and open the page.

        Raises:
            UsageError: no graph answers, the page cannot be opened, or it would approve for
                another arm than the graph's.
        """
        if graph.arm and address.operate:
            raise UsageError(
                "--arm draws another arm than the graph's, and what is approved is the graph's "
                "own motion: leave out --arm or --operate"
            )
        from icpi_ros.ros.clients.graph_watch import GraphWatch, SubjectClient  # needs ROS
        from icpi_ros.ros.clients.operator_client import OperatorClient  # needs ROS

        self._ending = threading.Event()
        with ExitStack() as stack:
            self._graph: SubjectClient = stack.enter_context(SubjectClient(graph.namespace))
            self._known = known = self._graph.parameters(graph.wait)
            self._task = task = TASKS.get(known.get("task", ""))
            arm = arm_of_graph(graph.arm, known, task)
            joints = prefixed(arm, known.get("joint_prefix", "")).joints
            self._watch: GraphWatch = stack.enter_context(
                GraphWatch(graph.namespace, joints, graph.camera, self._graph.joint_states())
            )
            self._operator = operator = stack.enter_context(OperatorClient(graph.namespace))
            self._controls = GraphControls(operator, task.name, self._another)
            title = f"{task.name}, {arm.name}, graph /{graph.namespace.strip('/')}"
            subject = Subject(title, task, arm, task.default_goal, live=True)
            self.page = RunPage(subject, address, self._controls)
            stack.callback(self.page.close)
            stack.callback(self._controls.close)
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
                self._controls.close()
                self.page.close()
                text = f"icpi: the page is closed, the graph goes on: {error_line(exc)}"
                print(printable(text), file=sys.stderr, flush=True)
                return
            self._controls.seen()
            self.page.beat()
            shown = state

    def _another(self, limit: float = ANSWER) -> str:
        """Return why the graph is not the one that is shown, as after a restart; empty = it is.

        Raises:
            UsageError: it does not answer within ``limit`` [s].
        """
        return another_graph(self._known, self._graph.parameters(limit))

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
            other = ""
            if state.question is not None:
                with suppress(UsageError):  # no answer: it is asked again before a decision
                    other = self._another(GLANCE)
            run = state.trials[-1].origin.run_id if state.trials else ""
            page.show_question(question_of(state.question, self._task, other, run))
        if state.image is not None and (shown is None or state.image is not shown.image):
            page.show_image(state.image)
        alive = self._operator.can_stop and state.executor is not False  # discovery is slower
        can_stop = alive or "bag" in self._known  # in a replay nothing moves
        page.show_status(state.stopped, _warning(state) if can_stop else NO_EXECUTOR)


def arm_of_graph(asked: str, known: Mapping[str, str], task: Task) -> Arm:
    """Return the arm to draw: that asked for, of the graph, of the bag it replays, or the task's.

    Raises:
        UsageError: there is no such arm here, or the bag's is one of a file.
    """
    recorded = asked or known.get("arm")
    path = Path(known.get("bag", ""))
    if not recorded and known.get("bag") and path.exists():  # else it is on another machine
        return same_arm(None, task, arms_of(open_bag(path, None), task), f"bag {path}", mix=True)
    return find_arm(recorded or task.arm)


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
    if args.run_id or args.topics or args.store:
        raise UsageError("--run, --topics and --store are about a stored run or a bag: name it")
    need_ros()
    starter, graph = Parent(), GraphAddress(args.namespace, args.arm or "", args.wait, args.camera)
    with GraphPage(graph, address_of(args)) as shown:
        say_link(shown.page, stops=True, json=args.json)
        print("the graph is shown; Ctrl-C ends the page, not the graph", flush=True)
        while shown.alive and not starter.ended:
            time.sleep(0.5)
    if not starter.ended:
        raise ExecutionFailed("the page has ended; the graph goes on")
