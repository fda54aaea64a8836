"""Sentences of the safety pages about a trial that no other test holds; stand-ins, no graph.

docs/safety_tests.md says which test holds which sentence.
"""

import re
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from rclpy.node import Node

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import Proposal
from icpi_ros.cli import main as command_line
from icpi_ros.core.errors import ExecutionCancelled, ExecutionFailed, ObservationMissing
from icpi_ros.learn.dataset.execution import Backend
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.auto_port import make_port
from icpi_ros.ros.arm_ports.topic_port import headed, hold_point
from icpi_ros.ros.base.parameters import declare
from icpi_ros.ros.base.stop_latch import StopLatch
from icpi_ros.ros.bringup.checklist import State
from icpi_ros.ros.bringup.description import graph
from icpi_ros.ros.clients import stop_client
from icpi_ros.ros.executor.approval import Approval
from icpi_ros.ros.executor.request_msg import InForce
from icpi_ros.ros.executor.scene_port import ObjectSighting
from icpi_ros.ros.executor.trial import MAX_SCENE_QUESTIONS, Guard, TrialExecution
from icpi_ros.ros.following.memory import RunMemory
from icpi_ros.ros.following.planning import Planner
from icpi_ros.ros.following.rules import PARAMETERS, ExecutorRules, ExecutorSettings
from icpi_ros.ros.following.trial_ended import TrialEnded
from icpi_ros.ros.improver.motion_client import MotionClient
from icpi_ros.ros.nodes import policy_improver
from icpi_ros.ros.nodes.perception import Perception
from icpi_ros.ros.nodes.policy_improver import PolicyImprover
from icpi_ros.settings.table import of_node
from icpi_ros.tasks import TASKS

from .conftest import HANG, NAMESPACE
from .test_approval import YES, Person
from .test_arm_following import Port, arrives, follower
from .test_arm_stopping import state_at
from .test_trial_end import Follower

SLIDE, ARM = TASKS.get("slide"), ARMS.get("ur5e")
GATE = SafetyGate(ARM)
THETA = np.array([1.0, 0.1])
Code = ExecuteMotion.Result
PLACE, BESIDE = np.array([0.6, -0.15, 0.01]), np.array([0.6, -0.05, 0.01])


def test_no_parameter_switches_gate_or_supervision_off():
    switches = {spec.name for spec in PARAMETERS if isinstance(spec.default, bool)}
    assert switches == {"simulated", "approval", "dry_run", "rehearse", "recorded"}
    limits = {spec.name: spec.upper for spec in PARAMETERS}
    watched = ("tracking_tolerance", "joint_state_timeout", "object_state_timeout")
    assert [limits[name] for name in watched] == [0.5, 10.0, 60.0]


class Names(Follower):
    """Keeps the names of what moves."""

    next_start = ARM.home

    def __init__(self):
        super().__init__(refused="")
        self.moved = []

    def follow(self, trajectory, name, on_start=lambda ns: None, release=None):
        self.moved.append(name)
        return super().follow(trajectory, name, on_start)

    def look(self, timeout):
        pass


LATER = 10**12
"""Stamp of an object state after the end of any trial [ns]."""


def trial(*places, blind_in=None, rules=ExecutorRules(scene="operator"), approve=None):  # noqa: B008
    """A trial in which a person puts the object to one place after the other; what is said of it.

    ``blind_in``: the phase from which on nothing is seen.  ``approve`` makes what asks for approval
    of planner and rules.
    """
    told, left = [], list(places)

    def put(trial_id, arm, remark):
        told.append(remark)
        scene.seen = ObjectSighting(LATER, left.pop(0), True, float("inf"))

    def on_phase(phase):
        if phase == blind_in:
            scene.seen = replace(scene.seen, ns=0, arrival=0.0)

    ignored = {"window": lambda *_: None, "watch_rest": lambda after: None, "unseen": "a lens cap"}
    scene = SimpleNamespace(is_published=True, can_reset=False, rest=None, seen=None, **ignored)
    controller = SimpleNamespace(begin=lambda: None, done=lambda: True, refusal=lambda: "")
    memory, person = RunMemory(), SimpleNamespace(scene_is_back=put)
    planner = Planner(SLIDE, ARM, GATE, rules, memory)
    arm, settings = Names(), ExecutorSettings(object_state_timeout=0.0)
    person = person if approve is None else approve(planner, rules, arm)
    guard = Guard(rules, memory, planner, person, controller, SimpleNamespace(doubt=""))
    execution = TrialExecution(SLIDE, arm, scene, guard, settings, on_phase, lambda text: None)
    return lambda: execution.run("trial", THETA, Proposal(run_id="run")), arm, told


def test_a_person_is_asked_again_until_perception_sees_the_object_in_its_place():
    run, arm, told = trial(BESIDE, BESIDE, PLACE)
    run()
    assert told[0] == ""
    assert ["from its place" in remark for remark in told[1:]] == [True, True]
    assert arm.moved == ["retreat", "approach", "stroke"]


def test_a_scene_that_is_never_back_ends_the_trial():
    run, arm, told = trial(*[BESIDE] * 100)
    with pytest.raises(TrialEnded, match="the scene is not back") as ended:
        run()
    assert ended.value.code == Code.RESET_FAILED
    assert len(told) == MAX_SCENE_QUESTIONS
    assert arm.moved == ["retreat"]


def test_nobody_strikes_blind():
    run, arm, _ = trial(PLACE, blind_in=ExecuteMotion.Feedback.APPROACHING)
    with pytest.raises(TrialEnded, match="no object state for 0 s: a lens cap") as ended:
        run()
    assert ended.value.code == Code.PERCEPTION_SILENT
    assert arm.moved == ["retreat", "approach"]
    assert arm.stops == 1


def test_an_object_that_is_lost_after_the_stroke_ends_the_trial():
    run, arm, _ = trial(PLACE, blind_in=ExecuteMotion.Feedback.SETTLING)
    with pytest.raises(TrialEnded, match="no object state for 0 s: a lens cap") as ended:
        run()
    assert ended.value.code == Code.PERCEPTION_SILENT
    assert arm.moved == ["retreat", "approach", "stroke"]
    assert arm.stops == 1


def test_a_dry_run_asks_a_person_like_any_other_and_moves_nothing():
    ports = []

    def approve(planner, rules, arm):
        ports.append(Person(arm, (YES, ARM.home)))
        return Approval(SLIDE, planner, ports[0], rules, lambda line: None, InForce())

    run, arm, _ = trial(PLACE, rules=ExecutorRules(approval=True, dry_run=True), approve=approve)
    with pytest.raises(TrialEnded, match="dry run: nothing moved; the motion passed all") as ended:
        run()
    assert ended.value.code == Code.DRY_RUN
    (asked,) = ports[0].asked
    assert asked.dry_run
    assert [motion.label for motion in asked.motions] == ["retreat", "approach", "stroke"]
    assert arm.moved == []


def test_a_motion_that_is_not_at_its_end_in_time_is_stopped():
    seconds = iter(range(1, 10_000))
    goal = ARM.home + 0.05  # never farther from the path than is allowed

    def stays(state):
        return ArmState(state.ns + next(seconds) * 10**8, ARM.home, np.zeros(6), 0.0)

    port = Port(after=stays)
    one = follower(port)
    with pytest.raises(
        TrialEnded, match=r"not at its end after 1\.2 x its duration \+ 0\.5 s"
    ) as e:
        one.move_to(goal, "retreat")
    assert e.value.code == Code.TRACKING_FAILED
    waited = (next(seconds) - 1) * 10**8  # some looks go on by 0.1 s each
    allowed = 1.2e9 * port.sent[0].trajectory.duration + 0.5e9
    assert allowed < waited < allowed + 2e9


def test_a_slow_move_whose_start_is_only_measured_is_checked_from_there_and_sent_without_it():
    port, how = Port(after=arrives()), []
    send = port.send
    port.send = lambda command: how.append(command) or send(command)
    one = follower(port)
    one.move_to(ARM.home + 0.1, "retreat")
    (command,), (checked,) = how, port.sent
    assert command.joined
    np.testing.assert_array_equal(checked.trajectory.positions[0], ARM.home)
    sent = headed(command)
    assert len(sent.points) == len(checked.trajectory.times) - 1
    np.testing.assert_array_equal(sent.points[0].positions, checked.trajectory.positions[1])


def test_each_further_hold_may_go_further_and_stays_inside_the_joint_limits():
    state = state_at(0.2)
    points = [hold_point(ARM, state, attempt).positions[0] for attempt in range(4)]
    away = [np.abs(point - state.q).max() for point in points]
    assert away == sorted(away)
    assert away[3] > 2.0 * away[0]
    for edge, way in ((ARM.limits.upper, 1.0), (ARM.limits.lower, -1.0)):
        fast = replace(state, q=edge - way * 0.01, qd=np.full(6, way))
        for attempt in range(4):
            np.testing.assert_array_equal(hold_point(ARM, fast, attempt).positions[0], edge)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Code.STOPPED, ExecutionFailed),
        (Code.TRACKING_FAILED, ExecutionFailed),
        (Code.ARM_FAILED, ExecutionFailed),
        (Code.CANCELLED, ExecutionCancelled),
        (Code.REJECTED, ExecutionCancelled),
        (Code.DRY_RUN, ExecutionCancelled),
        (Code.PERCEPTION_SILENT, ObservationMissing),
    ],
)
def test_a_run_fails_with_its_trial_but_a_no_or_a_dry_run_cancels_it(code, error):
    client = MotionClient.__new__(MotionClient)  # without a node: the executor has answered
    answer, notes = Code(error_code=code, error_msg="why", note="release at 0.3 s"), []
    client._result = lambda trial_id, proposal: answer
    with pytest.raises(error, match=r"^why$"):
        client.execute(
            "trial", Proposal(), lambda *change: None, lambda *told: notes.append(told[1])
        )
    assert notes == ["release at 0.3 s"]


# --- nodes and commands -----------------------------------------------------------------------


def test_icpi_stop_presses_the_software_stop_and_releases_it(observer, capsys, monkeypatch):
    monkeypatch.setattr(stop_client, "ANSWER", HANG)
    pressed = []
    latch = StopLatch(observer.node, lambda: pressed.append(1) or "", lambda: False)
    stop = ["stop", "--namespace", NAMESPACE]
    assert command_line.main(stop) == 0
    assert (latch.engaged, bool(pressed)) == (True, True)
    release = f"icpi stop --reset --namespace {NAMESPACE} (service reset_stop)"
    assert capsys.readouterr().out == f"stopped; {release} before the next motion\n"
    assert command_line.main([*stop, "--reset"]) == 0
    assert not latch.engaged
    assert capsys.readouterr().out == "motions are allowed again\n"


def test_the_line_of_the_improver_waits_while_a_run_is_under_way():
    node = PolicyImprover.__new__(PolicyImprover)  # without a middleware
    node._setup, node._last = SimpleNamespace(improver="ridge", task=SLIDE, store=None), ""
    for busy, state, words in (
        (True, State.WAITING, "a run is under way"),
        (False, State.OK, "ridge is ready for runs of slide"),
    ):
        node._server = SimpleNamespace(busy=busy)
        (line,) = node._health().checks
        assert (line.name, line.state, line.detail) == ("improver", state, words)


IMAGES, INFOS = "images per second", "camera_info per second"


def test_the_line_of_the_sensor_has_the_rates_of_all_that_is_needed():
    node = Perception.__new__(Perception)
    node._sensed = False
    for rates, trouble, state, words in (
        ({IMAGES: "0.0", INFOS: "0.0"}, "nobody publishes x", State.WAITING, "images at 0.0 Hz"),
        ({IMAGES: "30.0", INFOS: "0.0"}, "no camera_info yet", State.WAITING, "no camera_info yet"),
        ({IMAGES: "30.0", INFOS: "30.0"}, "", State.OK, "images at 30.0 Hz, camera_info at 30.0"),
        ({IMAGES: "30.0"}, "too dark", State.WARN, "images at 30.0 Hz"),  # with a calibration
        ({IMAGES: "0.0"}, "no images", State.FAILED, "no images"),
    ):
        line = node._sensor(trouble, rates)
        assert (line.name, line.state) == ("sensor", state)
        assert words in line.detail
        assert bool(line.remedy) is (state is not State.OK)


def test_the_controller_of_a_real_arm_is_stored_where_a_parameter_names_it(domain):
    defaults = {spec.name: spec.default for spec in of_node("policy_improver")}
    for named, stored in (({}, "unknown"), ({"controller": "of_the_lab"}, "of_the_lab")):
        given = {"backend": Backend.REAL, "limits": "/lab/limits.yaml", "dry_run": True}
        way = policy_improver._execution(defaults | given | named, ARM, GATE, "/lab")
        assert (way.controller, way.namespace, way.domain) == (stored, "/lab", str(domain))
        assert (way.limits, way.dry_run) == ("/lab/limits.yaml", "true")


def test_the_argument_of_the_page_has_the_executor_use_another_controller(domain):
    page = Path(__file__).parents[2] / "docs" / "real_robot.md"
    (name,) = re.findall(r"`controller_name:=(scaled\w+)`", page.read_text("utf-8"))
    specs = {spec.name: spec for spec in graph("real", {"controller_name": name})}
    words = specs["executor"].command()
    context = rclpy.Context()
    rclpy.init(args=words[words.index("--ros-args") :], context=context)
    node = Node("executor", context=context)
    try:
        values = declare(node, "executor") | {"controller": "topic"}
        make_port(node, ARM, threading.Condition(), values)
        topics = {publisher.topic_name for publisher in node.publishers}
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
    assert "/scaled_joint_trajectory_controller/joint_trajectory" in topics
