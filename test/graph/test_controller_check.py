"""The executor asks its controller before the first motion; a stand-in of the test answers."""

import json
import os
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
import warm
from geometry_msgs.msg import Point
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import ListParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import ObjectState
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports import controller_inquiry, controller_watch
from icpi_ros.ros.arm_ports.controller_inquiry import ANSWER, ASKED, ControllerInquiry, Question
from icpi_ros.ros.arm_ports.controller_watch import ControllerWatch
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import CONTROLLER, CONTROLLER_TRAJECTORY, JOINT_STATES, OBJECT_STATE
from icpi_ros.ros.bringup import parent
from icpi_ros.ros.bringup.checklist import State
from icpi_ros.ros.bringup.description import NodeSpec
from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.sim.simulated_controller import ControllerParameters

from .command_line import icpi
from .conftest import LOOSE, NAMESPACE, RunningGraph
from .controllers import with_control_msgs

ARM = ARMS.get("ur5e")
LIMIT = 60.0
Code = ExecuteMotion.Result


class Log:
    def __init__(self):
        self.said = []

    def warning(self, text):
        self.said.append(text)


class Asking(Node):
    """A node whose warnings are kept."""

    def __init__(self, context):
        self.log = Log()
        super().__init__("asking", namespace="/test", context=context)

    def get_logger(self):
        return self.log


@pytest.fixture
def asking(domain):
    """A node that spins in a thread."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node, executor = Asking(context), SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield node
    executor.shutdown(5.0)
    thread.join(60.0)
    node.destroy_node()
    rclpy.shutdown(context=context)


def inquire(inquiry):
    """Ask until it is over; a busy machine may need more than one attempt to be answered."""
    begun = time.monotonic()
    inquiry.begin()
    while not inquiry.done():
        assert time.monotonic() - begun < LIMIT
        time.sleep(0.01)
    return inquiry.refusal()


def until_answered(node, joints=ARM.joints, refuse=True):
    deadline = time.monotonic() + LIMIT
    while True:
        node.log.said.clear()
        reason = inquire(ControllerInquiry(node, CONTROLLER, joints, refuse))
        if not any("did not answer" in line for line in node.log.said):
            return reason
        assert time.monotonic() < deadline, node.log.said


def test_the_simulated_controller_tells_its_parameters_and_is_not_refused(asking):
    served = ControllerParameters(asking, CONTROLLER, ARM.joints, {})
    try:
        assert until_answered(asking) == ""
        said = " ".join(asking.log.said)
        assert "interpolate_from_desired_state is false" in said
        assert "goal_time is 0" in said
    finally:
        served.close()


def test_the_simulated_controller_tells_what_the_arm_s_own_parameters_say(asking):
    values = {"interpolate_from_desired_state": True, "constraints.goal_time": 0.5}
    served = ControllerParameters(asking, CONTROLLER, ARM.joints, values)
    try:
        assert until_answered(asking) == ""
        assert not any("interpolate" in line or "goal_time" in line for line in asking.log.said)
    finally:
        served.close()


@pytest.mark.parametrize("refuse", [True, False])
def test_another_arm_s_controller_is_refused_or_warned_of(asking, refuse):
    served = ControllerParameters(asking, CONTROLLER, ["left_" + j for j in ARM.joints], {})
    try:
        reason = until_answered(asking, refuse=refuse)
        told = reason if refuse else " ".join(asking.log.said)
        assert "lacks shoulder_pan_joint" in told
        assert "joint_prefix" in told
        assert bool(reason) is refuse
    finally:
        served.close()


def test_a_controller_that_does_not_answer_is_warned_of_once_and_not_refused(asking):
    inquiry = ControllerInquiry(asking, "nobody", ARM.joints, True)
    begun = time.monotonic()
    assert inquire(inquiry) == ""
    assert time.monotonic() - begun > ANSWER
    assert len(asking.log.said) == 1
    assert "controller nobody did not answer within 3 s: its parameters" in asking.log.said[0]
    again = time.monotonic()
    assert inquire(inquiry) == ""
    assert time.monotonic() - again < ANSWER


class Listing:
    """A node whose controller manager answers at once; no middleware."""

    def __init__(self, controllers):
        self.controllers, self.log, self.executor = controllers, Log(), self
        self.clients, self.silent = [], False

    def get_logger(self):
        return self.log

    def create_client(self, kind, name):
        self.clients.append(name)
        return self.client(self.answer, name.endswith("controller_manager/list_controllers"))

    def client(self, answer, served):
        return SimpleNamespace(
            service_is_ready=lambda: served,
            call_async=answer,
            remove_pending_request=lambda future: None,
        )

    def create_task(self, task):
        task()

    def answer(self, request):
        future = Future()
        rows = [SimpleNamespace(name=n, state=s, type=t) for n, s, t in self.controllers]
        if self.silent:
            return future
        future.set_result(SimpleNamespace(controller=rows))
        return future


@pytest.fixture
def listing(monkeypatch):
    kind = SimpleNamespace(Request=SimpleNamespace)
    monkeypatch.setattr(controller_inquiry, "_list_controllers", lambda: kind)
    monkeypatch.setattr(controller_inquiry, "ANSWER", 0.1)
    return Listing([(CONTROLLER, "inactive", "x/JointTrajectoryController")])


def test_an_inactive_controller_is_refused_until_it_is_active(listing):
    inquiry = ControllerInquiry(listing, CONTROLLER, ARM.joints, True)
    reason = inquire(inquiry)
    assert f"controller {CONTROLLER} is inactive and takes no motion" in reason
    assert "scaled_joint_trajectory_controller" in reason
    listing.controllers = [(CONTROLLER, "active", "x/JointTrajectoryController")]
    assert inquire(inquiry) == ""


def test_a_rejection_is_explained_by_the_controller_s_state(listing):
    inquiry = ControllerInquiry(listing, f"/ns/{CONTROLLER}", ARM.joints, True)
    assert "is inactive" in inquiry.explain_rejection()
    listing.controllers = [(CONTROLLER, "active", "x/JointTrajectoryController")]
    assert "an inactive controller rejects everything" in inquiry.explain_rejection()


def test_a_manager_that_does_not_answer_is_waited_for_once_and_warned_of(listing, monkeypatch):
    listing.silent = True
    inquiry = ControllerInquiry(listing, CONTROLLER, ARM.joints, True)
    assert inquire(inquiry) == ""
    assert any("controller_manager did not answer within 0.1 s" in s for s in listing.log.said)
    monkeypatch.setattr(controller_inquiry, "ANSWER", LIMIT)
    assert inquire(inquiry) == ""  # it is asked again, and hardly waited for
    listing.silent = False
    assert "is inactive" in inquire(inquiry)


@pytest.mark.parametrize(
    ("controller", "manager"),
    [
        (CONTROLLER, "controller_manager"),
        (f"left/{CONTROLLER}", "left/controller_manager"),
        (f"/robot/{CONTROLLER}", "/robot/controller_manager"),
        (f"/{CONTROLLER}", "/controller_manager"),
    ],
)
def test_a_controller_s_manager_is_beside_it(listing, controller, manager):
    ControllerInquiry(listing, controller, ARM.joints, True)
    assert f"{manager}/list_controllers" in listing.clients


class Telling(Listing):
    """A node whose controller lists two parameters; ``values`` are its answers, when it answers."""

    values = ()

    def create_client(self, kind, name):
        answer = self.names if name.endswith("list_parameters") else self.get
        return self.client(answer, not name.endswith("list_controllers"))

    def names(self, request):
        future = Future()
        names = ["joints", "constraints.goal_time"]
        future.set_result(SimpleNamespace(result=SimpleNamespace(names=names)))
        return future

    def get(self, request):
        self.future = Future()
        if not self.silent:
            values = [
                v
                if isinstance(v, ParameterValue)
                else Parameter("x", value=v).get_parameter_value()
                for v in self.values
            ]
            self.future.set_result(SimpleNamespace(values=values))
        return self.future


@pytest.fixture
def telling(monkeypatch):
    monkeypatch.setattr(controller_inquiry, "_list_controllers", lambda: None)
    monkeypatch.setattr(controller_inquiry, "ANSWER", 0.1)
    return Telling([])


def test_an_answer_that_is_too_short_is_not_taken_for_another_parameter_s(telling):
    telling.values = [0.0]
    assert inquire(ControllerInquiry(telling, CONTROLLER, ARM.joints, True)) == ""
    assert "told 1 of 2 parameters" in telling.log.said[0]
    telling.values = [["another_joint"], 1.0]
    inquiry = ControllerInquiry(telling, CONTROLLER, ARM.joints, True)
    assert "lacks shoulder_pan_joint" in inquire(inquiry)


def test_a_controller_that_was_slow_once_is_asked_again(telling):
    telling.silent = True
    inquiry = ControllerInquiry(telling, CONTROLLER, ARM.joints, True)
    assert inquire(inquiry) == ""
    assert "did not answer within 0.1 s" in telling.log.said[0]
    telling.silent, telling.values = False, [["another_joint"], 1.0]
    deadline = time.monotonic() + LIMIT
    while not (reason := inquire(inquiry)):
        assert time.monotonic() < deadline
    assert "lacks shoulder_pan_joint" in reason


RIGHT, WRONG = [list(ARM.joints), 1.0], [["another_joint"], 1.0]


def test_a_controller_that_came_back_with_other_parameters_is_refused_in_the_next_trial(telling):
    telling.values = RIGHT
    inquiry = ControllerInquiry(telling, CONTROLLER, ARM.joints, True)
    assert inquire(inquiry) == ""
    telling.values = WRONG
    assert "lacks shoulder_pan_joint" in inquire(inquiry)
    telling.values = RIGHT
    assert inquire(inquiry) == ""


def look_until(watch, state):
    deadline = time.monotonic() + LIMIT
    while watch.line.state is not state:
        assert time.monotonic() < deadline, watch.line
        watch.look()
        time.sleep(0.001)
    return watch.line


@pytest.fixture
def watch(telling, monkeypatch):
    monkeypatch.setattr(controller_watch, "ASK_PERIOD", 0.0)
    monkeypatch.setattr(controller_inquiry, "ASK_AGAIN", 0.01)
    telling.values = RIGHT
    inquiry = ControllerInquiry(telling, CONTROLLER, ARM.joints, True, log=lambda line: None)
    there = SimpleNamespace(controller_seen=True)
    return ControllerWatch(inquiry, there, CONTROLLER, simulated=True)


def test_a_controller_that_came_back_while_it_is_listed_is_shown_as_it_is_now(telling, watch):
    look_until(watch, State.OK)
    telling.values = WRONG
    assert "lacks shoulder_pan_joint" in look_until(watch, State.FAILED).detail
    telling.values = RIGHT
    look_until(watch, State.OK)


def test_a_controller_that_falls_silent_is_not_shown_as_it_was(telling, watch, monkeypatch):
    monkeypatch.setattr(controller_inquiry, "BRIEF", 0.0)  # looks of the node are rarer than it
    look_until(watch, State.OK)
    telling.silent = True
    assert "not checked: it does not tell them" in look_until(watch, State.WARN).detail
    telling.silent = False
    look_until(watch, State.OK)


def test_who_cannot_be_asked_whether_it_is_active_is_named(telling, monkeypatch):
    inquiry = ControllerInquiry(telling, CONTROLLER, ARM.joints, True)
    assert inquiry.unchecked == "controller_manager_msgs is not installed"
    kind = SimpleNamespace(Request=SimpleNamespace)
    monkeypatch.setattr(controller_inquiry, "_list_controllers", lambda: kind)
    inquiry = ControllerInquiry(telling, CONTROLLER, ARM.joints, True)
    assert inquiry.unchecked == "there is no controller_manager beside it"
    active = Listing([(CONTROLLER, "active", "x/JointTrajectoryController")])
    active.silent = True
    inquiry = ControllerInquiry(active, CONTROLLER, ARM.joints, True)
    assert inquire(inquiry) == ""
    assert inquiry.unchecked == "controller_manager does not answer"
    active.silent = False
    assert inquire(inquiry) == ""
    assert inquiry.unchecked == ""


@pytest.mark.parametrize(
    "value", ["500", [0.1], 3, ParameterValue(type=ParameterType.PARAMETER_BOOL), 0.5, [b"x"]]
)
def test_a_value_of_another_type_refuses_and_ends_nothing(telling, watch, value):
    telling.values = [value, 1.0]
    line = look_until(watch, State.FAILED)
    assert "joints is " in line.detail
    assert "allowed is a list of texts" in line.detail


def test_a_value_of_no_type_that_ros_has_refuses_too(telling, watch):
    telling.values = [ParameterValue(type=77), 1.0]
    assert "UnknownValue(type=77)" in look_until(watch, State.FAILED).detail


def test_a_service_that_never_answers_leaves_no_requests_behind(asking, monkeypatch):
    monkeypatch.setattr(controller_inquiry, "ASK_AGAIN", 0.0)
    deaf = Node("deaf", namespace="/test", context=asking.context)  # it does not spin
    deaf.create_service(ListParameters, "deaf/list_parameters", lambda request, reply: reply)
    asked = Question(asking, ListParameters, "deaf/list_parameters")
    client = asked._client
    sent, send = [], client.call_async
    monkeypatch.setattr(client, "call_async", lambda it: sent.append(it) or send(it))
    deadline = time.monotonic() + LIMIT
    try:
        while len(sent) < 4 * ASKED:
            assert time.monotonic() < deadline
            assert asked.answer(ListParameters.Request()) is None
            assert len(client._pending_requests) <= ASKED
            time.sleep(0.001)
        asked.forget()
        assert not client._pending_requests
    finally:
        deaf.destroy_node()


def test_a_request_that_is_given_up_before_it_is_sent_is_not_sent(telling, monkeypatch):
    later, sent, names = [], [], telling.names
    monkeypatch.setattr(telling, "create_task", later.append)
    monkeypatch.setattr(telling, "names", lambda request: sent.append(request) or names(request))
    known = []
    asked = Question(
        telling, ListParameters, "any/list_parameters", lambda: known.append(asked.answered)
    )
    assert asked.answer("first") is None
    asked.forget()
    assert asked.answer("second") is None
    for send in later:
        send()
    assert sent == ["second"]
    assert known == [True]  # whoever waits is told once the answer is there


# --- real processes ---------------------------------------------------------------------------


@pytest.fixture
def executor(tmp_path, domain):
    """The executor alone; the test plays the arm, its controller and perception."""
    log = tmp_path / "executor.log"
    RunningGraph.logs.append(log)
    given = {"controller": "topic", "start_timeout": 60.0, "reply_timeout": 1.0}
    slow = {"joint_state_timeout": 10.0, "object_state_timeout": 60.0}
    spec = NodeSpec("executor", f"/{NAMESPACE}", LOOSE | given | slow)
    with log.open("wb") as out:
        process = warm.Popen(
            spec.command(),
            env=environment() | {parent.VARIABLE: str(os.getpid())},
            stdout=out,
            stderr=out,
        )
    yield log
    process.terminate()
    process.wait(300.0)


def shown_by_status():
    """Return the exit code of `icpi status`, and what it says of the controller."""
    asked = icpi(["status", "--namespace", NAMESPACE, "--json", "-", "--timeout", 8])
    out, errors = asked.communicate(timeout=LIMIT)
    assert out, errors
    (line,) = (check for check in json.loads(out)["checks"] if check["name"] == "controller")
    return asked.returncode, line["state"], "interpolation_method is 'none'" in line["detail"]


def test_a_controller_with_wrong_parameters_is_refused_by_the_executor(executor, observer):
    node = observer.node
    states = node.create_publisher(JointState, JOINT_STATES, qos.SENSOR)
    objects = node.create_publisher(ObjectState, OBJECT_STATE, qos.SENSOR)
    taken = observer.record(JointTrajectory, CONTROLLER_TRAJECTORY, qos.COMMAND)

    def stand():
        now = time.time_ns()
        states.publish(convert.joint_state_msg(now, ARM.joints, ARM.home, np.zeros(6)))
        objects.publish(ObjectState(header=convert.header(now), position=Point()))

    timer = node.create_timer(0.02, stand)
    controller = Node(CONTROLLER, namespace=f"/{NAMESPACE}", context=node.context)
    given = {"joints": list(ARM.joints), "interpolation_method": "none", "update_rate": 50}
    for name, value in given.items():
        controller.declare_parameter(name, value)
    node.executor.add_node(controller)
    try:
        result = observer.execute([1.0, 0.0], trial_id="check/wrong")
        assert result.error_code == Code.MOTION_REFUSED
        assert f"{CONTROLLER}: interpolation_method is 'none'" in result.error_msg
        assert "set splines" in result.error_msg
        assert taken == []
        assert "update_rate is 50 Hz" in executor.read_text()  # a preference is logged
        assert shown_by_status() == (1, "failed", True)
        controller.set_parameters([Parameter("interpolation_method", value="splines")])
        after = observer.execute([1.0, 0.0], trial_id="check/right")
        assert "interpolation_method" not in after.error_msg  # asked again; this arm never moves
        assert taken
    finally:
        node.destroy_timer(timer)
        node.executor.remove_node(controller)
        controller.destroy_node()


REJECTS = {
    "executor": {"controller": "action"},
    "mujoco_arm": {"controller_status": False, "fault": "reject"},
}


def test_a_rejection_names_the_controller_and_the_usual_ones(tmp_path, domain, observer):
    with RunningGraph(tmp_path, env=with_control_msgs(), nodes=REJECTS) as graph:
        result = observer.execute([1.0, 0.0], trial_id="rejected/0")
        assert result.error_code == Code.MOTION_REFUSED, graph.text()
    assert "the arm rejected the motion: the controller's log says why" in result.error_msg
    assert f"`ros2 control list_controllers` for {CONTROLLER}" in result.error_msg
    assert "scaled_joint_trajectory_controller" in result.error_msg
