"""Node ``policy_improver``: serves Improve; every finished trial is on disk before the next."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rclpy.action.server import ServerGoalHandle

from icpi_msgs.action import Improve
from icpi_msgs.msg import Proposal as ProposalMsg
from icpi_msgs.msg import Trial as TrialMsg
from icpi_ros.core.types import Trial
from icpi_ros.core.units import millimetres
from icpi_ros.improvers import IMPROVERS, check_shared
from icpi_ros.improvers.options import parse_options
from icpi_ros.learn.dataset.execution import UNKNOWN, Backend, Execution
from icpi_ros.motion.limits_file import gate_of
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import find_arm
from icpi_ros.robots.base import Arm
from icpi_ros.ros.base import convert, diagnostics, qos
from icpi_ros.ros.base.parameters import declare
from icpi_ros.ros.base.serving import OneGoalServer
from icpi_ros.ros.base.spin import IcpiNode, run
from icpi_ros.ros.base.topics import IMPROVE, PROPOSALS, TRIALS
from icpi_ros.ros.bringup.checklist import NAMED, STORE, Line, State
from icpi_ros.ros.bringup.instance import domain_id
from icpi_ros.ros.improver.improvement import ImprovementJob, Listener, Setup, result_msg
from icpi_ros.ros.improver.motion_client import Deadlines, MotionClient
from icpi_ros.runs.earlier import read_learn_from
from icpi_ros.runs.run import Run
from icpi_ros.runs.setup import ALLOW
from icpi_ros.settings.table import find
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.feasibility import feasibility_of


class PolicyImprover(IcpiNode):
    """Node that serves Improve."""

    def __init__(self) -> None:
        super().__init__("policy_improver")
        values = declare(self, "policy_improver")
        task = TASKS.get(values["task"])
        arm = find_arm(values["arm"] or task.arm)
        gate = gate_of(arm, values["limits"])
        names = ("model", "base_url", "key_variable", "deadline")
        options = parse_options(values["options"])
        read_learn_from(values["learn_from"])  # a wrong one shows before a run
        check_shared(options, [values["improver"]], IMPROVERS)  # a goal may ask another one
        self._setup = Setup(
            task=task,
            improver=values["improver"],
            store=Path(values["store"]).expanduser() if values["store"] else None,
            dataset=Path(values["dataset"]).expanduser() if values["dataset"] else None,
            options=options | {name: values[name] for name in names if values[name]},
            max_step=values["max_step"],
            why_not=feasibility_of(task, arm, gate, values["gripper_latency"]),
            execution=_execution(values, arm, gate, self.get_namespace()),
            mix=values["mix"],
            learn_from=values["learn_from"],
            fallback=values["fallback"] == ALLOW,
            first=values["first"],
            stop=values["stop"],
        )
        deadlines = Deadlines(
            values["connect_timeout"], values["heartbeat_timeout"], values["observation_timeout"]
        )
        self._motions = MotionClient(self, self._setup.task, deadlines)
        self._trials = self.create_publisher(TrialMsg, TRIALS, qos.RECORD)
        self._proposals = self.create_publisher(ProposalMsg, PROPOSALS, qos.RECORD)
        self._server = OneGoalServer(self, Improve, IMPROVE, self._make_job, result_msg)
        self._last = "no run yet"
        diagnostics.Diagnostics(self, self._health)

    def close(self) -> None:
        """Cancel the run under way; the executor stops the arm."""
        self._server.close(4.0)

    def _make_job(self, handle: ServerGoalHandle) -> ImprovementJob:
        def feedback(state: int, run: Run, number: int, trial: Trial | None) -> None:
            msg = Improve.Feedback(state=state, run_id=run.run_id, next_trial=number)
            if trial is not None:
                msg.trial = self._trial_msg(run, trial)
            handle.publish_feedback(msg)

        listener = Listener(feedback, self._publish_trial, self._publish_proposal, self._log)
        return ImprovementJob(self._setup, handle, self._motions, listener)

    def _publish_trial(self, run: Run, trial: Trial) -> None:
        self._trials.publish(self._trial_msg(run, trial))
        cost = "" if trial.error is None else f", cost {millimetres(trial.cost)}"
        self._log(f"run {run.run_id} trial {trial.number}: {trial.status.value}{cost}")

    def _publish_proposal(self, run: Run, trial: Trial) -> None:
        self._proposals.publish(convert.proposal_msg(run.task, trial))

    def _trial_msg(self, run: Run, trial: Trial) -> TrialMsg:
        now = self.get_clock().now().nanoseconds
        return convert.trial_msg(now, run.task, trial)

    def _log(self, line: str) -> None:
        self._last = line
        self.get_logger().info(line)

    def _health(self) -> diagnostics.Health:
        busy = self._server.busy
        store = self._setup.store
        named = self._setup.improver
        values = {
            "last": self._last,
            STORE: "" if store is None else str(store.absolute()),
            NAMED: "" if named == find("improver").default else named,
        }
        return diagnostics.Health(
            diagnostics.OK, "running" if busy else "ready", values, (self._line(busy),)
        )

    def _line(self, busy: bool) -> Line:
        """Return the node's line of the checklist."""
        if busy:
            return Line("improver", State.WAITING, "a run is under way", "wait for its end")
        name, task = self._setup.improver, self._setup.task.name
        return Line("improver", State.OK, f"{name} is ready for runs of {task}")


def _execution(values: Mapping[str, Any], arm: Arm, gate: SafetyGate, namespace: str) -> Execution:
    """Return how this graph executes trials, as far as the parameters have it."""
    backend = Backend(values["backend"])
    return Execution.of(
        backend,
        arm,
        gate.limits,
        limits=values["limits"],
        source=values["source"],
        controller="simulated" if backend is Backend.SIMULATED else values["controller"],
        domain=str(domain_id()),
        namespace=namespace,
        world=values["world"] if backend is Backend.SIMULATED else "",
        dry_run=UNKNOWN if backend is Backend.UNKNOWN else str(values["dry_run"]).lower(),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(PolicyImprover, argv)


if __name__ == "__main__":
    sys.exit(main())
