"""The executor's lines of the checklist, without a graph."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports import controller_watch
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.controller_facts import ControllerFinding
from icpi_ros.ros.arm_ports.controller_watch import ControllerWatch
from icpi_ros.ros.base import diagnostics
from icpi_ros.ros.bringup.checklist import Line, State
from icpi_ros.ros.executor.readiness import Readiness, ReadinessParts
from icpi_ros.ros.executor.scene_port import ObjectSighting
from icpi_ros.ros.following.rules import ExecutorRules, ExecutorSettings
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.strike_task import START

ARM, TASK = ARMS.get("ur5e"), TASKS.get("slide")
IN_PLACE = np.array([*START, 0.01])


def standing(q=ARM.home, age=0.0):
    return ArmState(1, q, np.zeros(len(q)), time.monotonic() - age)


def seen(position=IN_PLACE, age=0.0):
    return ObjectSighting(1, np.array(position), True, time.monotonic() - age)


def lines(busy=False, **changed):
    """The lines of an arm for which all is as needed, but for what is changed."""
    port = {"state": standing(), "received": 10**9, "doubt": "", "unusable": ""}
    scene = {"seen": seen(), "can_reset": False}
    parts = {
        "task": TASK,
        "arm": ARM,
        "gate": SafetyGate(ARM),
        "rules": ExecutorRules(approval=True, scene="operator"),
        "settings": ExecutorSettings(),
        "port": SimpleNamespace(**port | changed.pop("port", {})),
        "scene": SimpleNamespace(**scene | changed.pop("scene", {})),
        "servers": SimpleNamespace(doubt=""),
        "operator": SimpleNamespace(waiting=False),
        "latch": SimpleNamespace(engaged=False),
        "controller": SimpleNamespace(line=Line("controller", State.OK, "is active")),
        "gripper": None,
        "lets_go": False,
        "limits": "ur5e: velocity 3 rad/s",
        "loosened": (),
        "simulated": False,
        "namespace": "/lab",
    }
    return {line.name: line for line in Readiness(ReadinessParts(**parts | changed)).lines(busy)}


def test_an_arm_for_which_all_is_as_needed_is_green():
    assert {line.state for line in lines().values()} == {State.OK}
    assert lines()["mode"].detail.startswith("motions MOVE THE ARM")


BOX = "tool z"
"""What the gate refuses of a pose in which the arm hangs through the table."""
THROUGH = np.array([0.0, 1.2, 0.0, 0.0, 0.0, 0.0])
CASES = [
    ("mode", lambda: {"rules": ExecutorRules(dry_run=True)}, State.WARN, "DRY RUN", ""),
    ("protections", lambda: {"loosened": ["approval is off"]}, State.WARN, "approval is off", ""),
    (
        "alone",
        lambda: {"servers": SimpleNamespace(doubt="2 servers")},
        State.FAILED,
        "2 servers",
        "",
    ),
    (
        "joint states",
        lambda: {"port": {"state": None}},
        State.WAITING,
        "no joint state",
        "namespace",
    ),
    (
        "joint states",
        lambda: {"port": {"state": standing(age=9.0)}},
        State.FAILED,
        "no joint state",
        "",
    ),
    ("joint states", lambda: {"port": {"doubt": "2 publishers"}}, State.FAILED, "2 publishers", ""),
    ("joint states", lambda: {"port": {"received": 0}}, State.WARN, "0 Hz", "at least 50 Hz"),
    (
        "gripper",
        lambda: {"lets_go": True},
        State.WAITING,
        "the task lets go, and nothing opens its gripper",
        "gripper:=action:NAME",
    ),
    (
        "gripper",
        lambda: {"lets_go": True, "rules": ExecutorRules(dry_run=True)},
        State.WARN,
        "nothing opens its gripper",
        "gripper:=action:NAME",
    ),
    (
        "gripper",
        lambda: {"lets_go": True, "gripper": SimpleNamespace(missing="nobody", name="hand")},
        State.WAITING,
        "nobody",
        "",
    ),
    (
        "gripper",
        lambda: {"lets_go": True, "gripper": SimpleNamespace(missing="", name="hand")},
        State.OK,
        "hand opens it, gripper_latency 0 s",
        "",
    ),
    ("object", lambda: {"scene": {"seen": None}}, State.WAITING, "not seen yet", "in sight"),
    (
        "object",
        lambda: {"scene": {"seen": seen(age=9.0)}},
        State.FAILED,
        "not seen for",
        "in sight",
    ),
    (
        "object",
        lambda: {"scene": {"seen": seen([0.9, 0.3, 0.0])}},
        State.WAITING,
        "from its place",
        "put",
    ),
    ("gate", lambda: {"port": {"state": None}}, State.WAITING, "not known", ""),
    (
        "gate",
        lambda: {"port": {"state": standing(THROUGH)}},
        State.FAILED,
        "is refused",
        "move the arm",
    ),
    (
        "stop",
        lambda: {"latch": SimpleNamespace(engaged=True)},
        State.FAILED,
        "latched",
        "--namespace lab",
    ),
    (
        "person",
        lambda: {"operator": SimpleNamespace(waiting=True)},
        State.WAITING,
        "",
        "icpi approve",
    ),
]


@pytest.mark.parametrize(("name", "changed", "state", "detail", "remedy"), CASES)
def test_what_is_not_as_needed_shows_with_its_remedy(name, changed, state, detail, remedy):
    found = lines(**changed())[name]  # what was seen is seen now, not when tests were collected
    assert found.state is state, found
    assert detail in found.detail
    assert remedy in found.remedy


def test_an_object_that_a_service_puts_back_is_no_reason_to_wait():
    away = {"seen": seen([0.9, 0.3, 0.0]), "can_reset": True}
    assert lines(scene=away)["object"].state is State.OK
    nobody = lines(scene=away | {"can_reset": False}, rules=ExecutorRules())["object"]
    assert (nobody.state, "no node serves reset_scene" in nobody.detail) == (State.WAITING, True)
    assert nobody == replace(
        lines(rules=ExecutorRules())["object"], detail=nobody.detail
    )  # in its place
    away["can_reset"] = False
    assert lines(busy=True, scene=away)["object"].state is State.OK


def test_loosened_protections_of_a_simulated_arm_are_no_warning():
    found = lines(loosened=["approval is off"], simulated=True)
    assert (found["protections"].state, found["protections"].detail) == (
        State.OK,
        "approval is off",
    )
    assert "simulated arm" in found["mode"].detail


class Inquiry:
    """A controller that has answered; ``wrong`` and ``advice`` are what is found."""

    def __init__(self, wrong=(), advice=(), known=True, unchecked=""):
        self.parameters_known, self.unchecked = known, unchecked
        self.found = [ControllerFinding(text, "", True) for text in wrong] + list(advice)
        self.begun = 0

    def begin(self):
        self.begun += 1

    def forget(self):
        self.begun = 0

    def done(self):
        return True

    def findings(self):
        return self.found


def watched(inquiry, there=True, **options):
    watch = ControllerWatch(inquiry, SimpleNamespace(controller_seen=there), "jtc", **options)
    assert watch.line.state is (State.WAITING if there else watch.line.state)
    watch.look()
    watch.look()
    return watch


ADVICE = [
    ControllerFinding(
        "goal_time is 0", ": goals of others last for ever; 0.5", False, "goal_time", "jtc"
    ),
    ControllerFinding("rate is 50 Hz", ": late", False, "update_rate", "jtc"),
]
ALLOW, UNASKED = "its parameters allow motions", "whether it is active is not checked"
SIMULATED = {"simulated": True}
INACTIVE = "controller jtc is inactive and takes no motion"


@pytest.mark.parametrize(
    ("inquiry", "options", "state", "words"),
    [
        (Inquiry(), {}, State.OK, "jtc is active, its parameters allow motions"),
        (Inquiry(unchecked="nobody"), {}, State.WARN, f"jtc: {ALLOW}; {UNASKED} (nobody)"),
        (Inquiry(unchecked="nobody"), SIMULATED, State.OK, f"jtc: {ALLOW}; {UNASKED} (nobody)"),
        (Inquiry(known=False), {}, State.WARN, "its parameters are not checked"),
        (Inquiry(known=False), SIMULATED, State.WARN, "its parameters are not checked"),
        (Inquiry(advice=ADVICE), {}, State.WARN, "allow motions; goal_time is 0, rate is 50 Hz"),
        (Inquiry(advice=ADVICE), SIMULATED, State.OK, "allow motions"),
        (Inquiry(wrong=[INACTIVE]), {}, State.FAILED, INACTIVE),
        (Inquiry(wrong=[INACTIVE]), {"refuse": False}, State.WARN, INACTIVE),
        (Inquiry(), {"there": False}, State.WAITING, "no node takes motions at jtc"),
        (Inquiry(), {"there": False, "dry_run": True}, State.WARN, "a dry run needs none"),
    ],
)
def test_the_line_of_the_controller(inquiry, options, state, words):
    line = watched(inquiry, **options).line
    assert line.state is state
    assert words in line.detail


def test_an_inactive_controller_is_looked_at_again(monkeypatch):
    monkeypatch.setattr(controller_watch, "ASK_PERIOD", 0.0)
    inquiry = Inquiry(wrong=[INACTIVE])
    watch = watched(inquiry)
    assert watch.line.state is State.FAILED
    inquiry.found.clear()
    watch.look()
    assert watch.line.state is State.OK


def test_a_controller_that_went_is_asked_anew():
    watch = watched(Inquiry())
    assert watch.line.state is State.OK
    watch._port.controller_seen = False
    assert watch.line.state is State.WAITING
    assert watch._inquiry.begun == 0
    watch._port.controller_seen = True
    assert (watch.line.state, watch.line.detail) == (
        State.WAITING,
        "jtc is asked how it is set up",
    )
    watch.look()
    watch.look()
    assert watch.line.state is State.OK


def test_a_controller_that_went_between_two_lines_is_asked_anew():
    watch = watched(Inquiry())
    watch._port.controller_seen = False
    watch.look()
    watch._port.controller_seen = True
    assert watch.line.state is State.WAITING


def test_lines_travel_as_statuses_of_their_own():
    sent = Line("stop", State.FAILED, "latched", "icpi stop --reset")
    asked = Line("joint states", State.WAITING, "none yet")
    msg = DiagnosticArray(
        status=[diagnostics._check("/lab/executor", line) for line in (sent, asked)]
    )
    facts = [KeyValue(key="task", value="slide")]
    msg.status.append(DiagnosticStatus(name="/lab/executor", message="ready", values=facts))
    msg.status.append(DiagnosticStatus(name="/other/executor: stop", message="not ours"))
    assert diagnostics.reported(msg, "/lab/executor") == ([sent, asked], {"task": "slide"})
    levels = [status.level for status in msg.status[:2]]
    assert levels == [DiagnosticStatus.ERROR, DiagnosticStatus.OK]
