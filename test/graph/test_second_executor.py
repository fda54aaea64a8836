"""Two executors in one domain and namespace that no lock file keeps apart; careful defaults.

The second has another folder for lock files, as it has in another container.
"""

import contextlib
import os
import time

import numpy as np
import pytest
import warm
from careful import CAREFUL
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Point
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import ObjectState
from icpi_ros.robots import ARMS
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import CONTROLLER_TRAJECTORY, JOINT_STATES, OBJECT_STATE
from icpi_ros.ros.bringup import parent
from icpi_ros.ros.bringup.description import NodeSpec
from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.following.rules import DEFAULTS, loosened

from .conftest import HANG, LOOSE, NAMESPACE, PATIENCE, RunningGraph

Code = ExecuteMotion.Result
ARM = ARMS.get("ur5e")
THETA = [1.0, 0.1]
SERVERS = f"/{NAMESPACE}/execute_motion has 2 servers"


@contextlib.contextmanager
def executor(folder, **values):
    """An executor in a process of its own, with lock files of its own; yields its log."""
    log = folder / "executor.log"
    RunningGraph.logs.append(log)
    locks = folder / "locks"
    locks.mkdir()
    env = environment() | {parent.VARIABLE: str(os.getpid()), "XDG_RUNTIME_DIR": str(locks)}
    spec = NodeSpec("executor", f"/{NAMESPACE}", PATIENCE["executor"] | values)
    with log.open("wb") as out:
        process = warm.Popen(spec.command(), env=env, stdout=out, stderr=out)
    try:
        yield log
    finally:
        process.terminate()
        process.wait(HANG)


class Reports:
    """What the executors of the namespace say in diagnostics."""

    def __init__(self, observer):
        self._heard = observer.record(DiagnosticArray, "/diagnostics", qos.EVENT)

    def last(self):
        found = [s for r in self._heard for s in r.status if s.name == f"/{NAMESPACE}/executor"]
        return found[-1] if found else DiagnosticStatus()


def test_two_executors_refuse_a_goal_and_one_alone_takes_it(tmp_path, domain, observer):
    sent = observer.record(JointTrajectory, CONTROLLER_TRAJECTORY, qos.COMMAND)
    reports = Reports(observer)
    folder = tmp_path / "second"
    folder.mkdir()
    with RunningGraph(tmp_path) as graph:
        observer.wait(lambda: reports.last().message == "ready", "the first executor")
        with executor(folder, use_sim_time=True, **LOOSE) as log:
            # Each sees the other, whoever answers first.
            observer.wait(lambda: SERVERS in graph.text(), "the first to see the second")
            observer.wait(lambda: SERVERS in log.read_text(), "the second to see the first")
            result = observer.execute(THETA, trial_id="second/refused")
            assert (result.error_code, SERVERS in result.error_msg) == (Code.MOTION_REFUSED, True)
            assert "stop all but one" in result.error_msg
            refused = "trial second/refused: " + SERVERS
            observer.wait(lambda: refused in graph.text(), "the refusal of the first")
            observer.wait(lambda: refused in log.read_text(), "the refusal of the second")
            # Names come a little later than services.
            named = f"beside this node /{NAMESPACE}/executor: nothing moves"
            observer.wait(lambda: named in reports.last().message, "the name of the other")
            assert sent == []
        observer.wait(lambda: reports.last().message == "ready", "the end of the second")
        after = observer.execute(THETA, trial_id="second/gone")
        assert (after.error_code, after.error_msg) == (Code.NONE, "")
        assert sent


@pytest.fixture
def arm(observer):
    """Joint and object states of a real arm that stands."""
    states = observer.node.create_publisher(JointState, JOINT_STATES, qos.SENSOR)
    objects = observer.node.create_publisher(ObjectState, OBJECT_STATE, qos.SENSOR)

    def stand():
        now = time.time_ns()
        states.publish(convert.joint_state_msg(now, ARM.joints, ARM.home, np.zeros(6)))
        objects.publish(ObjectState(header=convert.header(now), position=Point()))

    timer = observer.node.create_timer(0.02, stand)
    yield
    observer.node.destroy_timer(timer)


def test_an_executor_that_is_told_nothing_asks_a_person(tmp_path, domain, observer, arm, person):
    sent = observer.record(JointTrajectory, CONTROLLER_TRAJECTORY, qos.COMMAND)
    observer.node.create_subscription(  # a controller, as far as an executor can tell
        JointTrajectory, CONTROLLER_TRAJECTORY, lambda msg: None, qos.COMMAND
    )
    with executor(tmp_path, controller="topic"):
        handle, result = observer.start(THETA, trial_id="careful/0")
        observer.until(ExecuteMotion.Feedback.WAITING, result)
        assert sent == []
        observer.cancel(handle)
        assert observer.reply(result).result.error_code == Code.CANCELLED


def test_what_is_loosened_at_a_real_arm_is_warned_of(tmp_path, domain, observer, arm):
    reports = Reports(observer)
    with executor(tmp_path, controller="topic", approval=False, max_step=1.0) as log:
        observer.wait(lambda: reports.last().message.startswith("ready, but"), "its report")
        text = log.read_text()
    assert reports.last().level == DiagnosticStatus.WARN
    for said in ("approval is off", "max_step is 1, by default 0.5"):
        assert said in reports.last().message
        assert len([ln for ln in text.splitlines() if said in ln and "[WARN]" in ln]) == 1
    assert "scene is" not in reports.last().message


def test_the_defaults_are_those_of_the_real_graph_and_nothing_is_said_of_them():
    assert {name: DEFAULTS[name] for name in CAREFUL} == CAREFUL
    assert loosened(DEFAULTS) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"approval": False}, "approval is off"),
        ({"scene": "service"}, "no person confirms"),
        ({"rehearse": False}, "rehearse is off"),
        ({"ramp_trials": 0}, "ramp_trials is 0, by default 3"),
        ({"ramp_scale": 1.0}, "ramp_scale is 1, by default 0.3"),
        ({"max_step": 0.8}, "max_step is 0.8, by default 0.5"),
        ({"speed_scale": 0.5}, "speed_scale is 0.5, by default 0.25"),
        ({"controller_check": "warn"}, "controller_check is warn"),
        ({"tracking_tolerance": 0.5}, "tracking_tolerance is 0.5, by default 0.1"),
    ],
)
def test_each_protection_that_is_loosened_is_named(values, words):
    (line,) = loosened(DEFAULTS | values)
    assert words in line


@pytest.mark.parametrize(
    "values",
    [{"dry_run": True}, {"max_step": 0.1}, {"ramp_trials": 9}, {"approval_timeout": 9.0}],
)
def test_what_tightens_is_not_named(values):
    assert loosened(DEFAULTS | values) == []
