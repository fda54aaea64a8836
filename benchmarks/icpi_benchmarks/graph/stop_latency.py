"""Latency of stops of a simulated graph's motions at random moments.

All processes are on one machine, so their steady clocks are one.  The simulated arm's status says
when the first braking command is due on it; that the arm stands is seen in ``joint_states``.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from icpi_benchmarks.graph import bare_cancel
from icpi_benchmarks.graph.stop_command import StopCommand
from icpi_benchmarks.stopping.controllers import HeardStop
from icpi_benchmarks.stopping.latency import Press, Stop, effort
from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import Proposal
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.robots import argument_of
from icpi_ros.robots.base import Arm, ArmLimits
from icpi_ros.ros.arm_ports.arm_feed import AT_REST
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.calls import SafeActionClient
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.base.topics import (
    CONTROLLER_STATUS,
    CONTROLLER_TRAJECTORY,
    EXECUTE_MOTION,
    JOINT_STATES,
    RESET_STOP,
    STOP,
)
from icpi_ros.ros.bringup import parent
from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.bringup.instance import reserve_domain
from icpi_ros.ros.bringup.processes import STOP_LIMIT, BackgroundGraph
from icpi_ros.ros.clients.client_node import ClientNode
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.feasibility import first_possible, simulated_feasibility

TASK = "slide"
START_LIMIT, REPLY_LIMIT = 30.0, 15.0
MOVING = 0.1
"""Joint speed from which a motion counts as under way [rad/s]."""
MAX_DELAY = 0.3
"""Requests come up to this long after a motion got going [s]."""
PARAMETERS = """\
/**:
  executor:
    ros__parameters: {{controller: {controller}}}
"""
PHASES = {"approach": ExecuteMotion.Feedback.APPROACHING, "stroke": ExecuteMotion.Feedback.STROKING}


@dataclass
class Measured:
    """Measurements of a run.

    Attributes:
        limits: of the arm.
        stops: one each.
        missed: requests that came when nothing moved any more.
        cancels: bare cancel round trips, one beside every stop [s].
        heard: the stops that could be overheard on their way.
        presses: of the stop by the command `icpi stop`.
    """

    limits: ArmLimits
    stops: list[Stop] = field(default_factory=list)
    missed: int = 0
    cancels: list[float] = field(default_factory=list)
    heard: list[HeardStop] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)


def measure(
    arm: Arm, trials: int, seed: int, request: str, controller: str, commands: int = 0
) -> Measured:
    """Return ``trials`` stops, and as many bare cancels between two processes.

    Args:
        arm: that is stopped.
        trials: how many.
        seed: of motions and moments.
        request: ``cancel``, ``service`` or ``both``; without a service all are cancels.
        controller: way to the arm, ``topic`` or ``action``.
        commands: presses of the stop by `icpi stop` after that.

    Raises:
        ExecutionFailed: the graph does not start or does not answer.
    """
    number, held = reserve_domain()
    os.environ["ROS_DOMAIN_ID"] = str(number)
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "params.yaml"
            file.write_text(PARAMETERS.format(controller=controller), encoding="utf-8")
            given = {
                "params_file": str(file),
                "task": TASK,
                "arm": argument_of(arm),
                "real_time_factor": "1.0",
                "store": str(Path(folder) / "trials.sqlite"),
            }
            with (
                BackgroundGraph("sim", given, Path(folder) / "graph.log") as graph,
                _bare(Path(folder) / "bare.log"),
                StopClient(graph, arm) as client,
            ):
                found = client.measure(trials, np.random.default_rng(seed), request)
                found.presses = client.presses(commands)
                return found
    finally:
        held.release()


@contextlib.contextmanager
def _bare(log: Path) -> Iterator[None]:
    """Run the node that is only cancelled, in a process of its own."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", bare_cancel.__name__],
            env={**environment(), parent.VARIABLE: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:  # not worth a wait on a machine that busy
                process.kill()


class StopClient(ClientNode):
    """Client that starts and stops motions; callbacks record events, the caller's thread waits."""

    def __init__(self, graph: BackgroundGraph, arm: Arm) -> None:
        super().__init__("icpi_stop_latency")
        self._graph = graph
        self._arm, self._why_not = arm, simulated_feasibility(TASKS.get(TASK), arm)
        self._phase = -1
        self._states: deque[tuple[float, float]] = deque(maxlen=500)
        self._statuses: deque[MotionStatus] = deque(maxlen=100)
        self._sent: deque[JointTrajectory] = deque(maxlen=100)
        self._bare = SafeActionClient(self.node, ExecuteMotion, bare_cancel.BARE_CANCEL)
        self._motions = SafeActionClient(self.node, ExecuteMotion, EXECUTE_MOTION)
        self._stop = self.node.create_client(Trigger, STOP)
        self._reset = self.node.create_client(Trigger, RESET_STOP)
        listen = self.node.create_subscription
        listen(JointState, JOINT_STATES, self._on_state, qos.SENSOR_EVERY)
        listen(DiagnosticStatus, CONTROLLER_STATUS, self._on_status, qos.EVENT)
        listen(JointTrajectory, CONTROLLER_TRAJECTORY, self._on_trajectory, qos.COMMAND)
        self._command = StopCommand(self.node, self._wait)
        self.spin()

    def measure(self, trials: int, rng: np.random.Generator, request: str) -> Measured:
        """Return stops, and as many bare cancels."""
        self.wait_for_graph()
        self._wait(self._bare.ready, START_LIMIT, "bare_cancel")
        served = self._stop.service_is_ready() and self._reset.service_is_ready()
        kinds = {"both": ("cancel", "service")}.get(request, (request,)) if served else ("cancel",)
        found = Measured(self._arm.limits)
        while len(found.stops) < trials:
            if self.stopped(rng, kinds[len(found.stops) % len(kinds)], found):
                found.cancels.append(self._cancel_bare())
        return found

    def presses(self, count: int) -> list[Press]:
        """Return presses of the stop by the command, each released again."""
        found: list[Press] = []
        for _ in range(count):
            found.append(self._command.press())
            self.release()
        return found

    def wait_for_graph(self) -> None:
        """Wait until motions can be started and joint states come."""
        self._wait(self._motions.ready, START_LIMIT, "execute_motion")
        self._wait(lambda: bool(self._states), START_LIMIT, "joint states")

    def stopped(self, rng: np.random.Generator, kind: str, found: Measured) -> bool:
        """Start a motion, stop it and note that in ``found``; False = it came too late."""
        stop = self._one(rng, kind, found)
        if stop is not None:
            found.stops.append(stop)
            return True
        found.missed += 1
        if found.missed > len(found.stops) + 20:
            raise ExecutionFailed(f"{found.missed} motions ended before they could be stopped")
        return False

    def _cancel_bare(self) -> float:
        """Return how long it takes to cancel a goal of a process that does nothing else [s]."""
        handle = self._reply(self._bare.send(ExecuteMotion.Goal(), lambda msg: None))
        result = self._bare.result(handle)
        asked = time.monotonic()
        self._bare.cancel(handle)
        self._reply(result)
        return time.monotonic() - asked

    def _one(self, rng: np.random.Generator, kind: str, found: Measured) -> Stop | None:
        motion = str(rng.choice(list(PHASES)))
        task = TASKS.get(TASK)
        trial_id = f"stop/{rng.integers(2**62)}"
        theta = first_possible(task.space, rng, self._why_not).tolist()
        proposal = Proposal(theta_names=list(task.space.names), theta=theta)
        goal = ExecuteMotion.Goal(task=TASK, trial_id=trial_id, proposal=proposal)
        delay = float(rng.uniform(0.0, MAX_DELAY))
        self._phase = -1
        self._statuses.clear()
        self._sent.clear()
        handle = self._reply(self._motions.send(goal, self._on_feedback))
        result = self._motions.result(handle)
        self._wait(
            lambda: result.done() or (self._phase == PHASES[motion] and self._speed > MOVING),
            REPLY_LIMIT,
            "a motion",
        )
        begin = time.monotonic()
        while (left := begin + delay - time.monotonic()) > 0.0:
            time.sleep(left)  # the random moment itself: nothing to wait for
        speed = self._speed
        asked = self.ask(kind, handle)
        answer = self._reply(result)
        if kind != "cancel":
            self.release()
        if speed < MOVING or answer.result.error_code == ExecuteMotion.Result.NONE:
            return None
        return self._noted(kind, motion, speed, asked, found)

    def ask(self, kind: str, handle: Any) -> float:
        """Ask for a stop; return when that was [s of the steady clock]."""
        asked = time.monotonic()
        if kind == "cancel":
            self._motions.cancel(handle)
        else:
            self._stop.call_async(Trigger.Request())
        return asked

    def release(self) -> None:
        """Release the stop that was pressed."""
        self._reply(self._reset.call_async(Trigger.Request()))

    def _noted(
        self, kind: str, motion: str, speed: float, asked: float, found: Measured
    ) -> Stop | None:
        def begun() -> list[MotionStatus]:
            return [s for s in list(self._statuses) if s.state == "accepted" and _kind(s.motion)]

        self._wait(lambda: bool(begun()), REPLY_LIMIT, "the arm's report of the stop")
        first = begun()[0]
        states = [(at, fast) for at, fast in list(self._states) if at > asked]
        moving = [at for at, fast in states if fast >= AT_REST]
        held = _kind(first.motion) == "hold"
        share, heard = None, self._heard(first)
        if heard is not None:
            share = effort(heard.stop, self._arm.limits)
            if not held:
                found.heard.append(heard)
        standing = (moving[-1] if moving else asked) - asked
        return Stop(kind, motion, speed, first.steady - asked, standing, share, held)

    def _heard(self, stop: MotionStatus) -> HeardStop | None:
        """Return a stop as it was overheard; None where motions come as goals."""
        sent = list(self._sent)
        at = next((i for i, m in enumerate(sent) if m.header.frame_id == stop.motion), 0)
        if at == 0:
            return None
        motion, message = sent[at - 1], sent[at]
        begun = [
            s.ns
            for s in list(self._statuses)
            if s.state == "accepted" and s.motion == motion.header.frame_id
        ]
        if not begun:
            return None
        paths = [convert.trajectory_from(m, self._arm.joints) for m in (motion, message)]
        return HeardStop(paths[0], begun[0], paths[1], stop.ns, stop.taken_ns)

    @property
    def _speed(self) -> float:
        return self._states[-1][1]

    def _wait(self, done: Callable[[], bool], limit: float, what: str) -> None:
        deadline = time.monotonic() + limit
        while not done():
            if time.monotonic() > deadline or not self._graph.alive:
                why = self._graph.reason() if not self._graph.alive else f"{limit:g} s"
                raise ExecutionFailed(f"waited for {what} in vain: {why}")
            with self.changed:
                self.changed.wait(0.02)

    def _reply(self, future: Any) -> Any:
        self._wait(future.done, REPLY_LIMIT, "a reply")
        return future.result()

    def _on_state(self, msg: JointState) -> None:
        with self.changed:
            self._states.append((time.monotonic(), float(np.abs(msg.velocity).max())))
            self.changed.notify_all()

    def _on_status(self, msg: DiagnosticStatus) -> None:
        with self.changed:
            self._statuses.append(convert.motion_status_from(msg))
            self.changed.notify_all()

    def _on_trajectory(self, msg: JointTrajectory) -> None:
        self._sent.append(msg)

    def _on_feedback(self, msg: Any) -> None:
        with self.changed:
            self._phase = msg.feedback.state
            self.changed.notify_all()


def _kind(label: str) -> str:
    """Return ``stop`` or ``hold`` for such a label of the executor, else nothing."""
    word = label.rsplit("/", 2)[-2] if label.count("/") > 1 else ""
    return word if word in ("stop", "hold") else ""
