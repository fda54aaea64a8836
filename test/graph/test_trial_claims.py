"""Sentences of the safety pages about a trial that no other test holds; stand-ins, no graph.

docs/safety_tests.md says which test holds which sentence.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import Proposal
from icpi_ros.arms import ARMS
from icpi_ros.errors import ExecutionCancelled, ExecutionFailed, ObservationMissing
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.nodes.arm_feed import ArmState
from icpi_ros.nodes.executor_parameters import PARAMETERS
from icpi_ros.nodes.motion_client import MotionClient
from icpi_ros.nodes.planning import Planner, Rules
from icpi_ros.nodes.run_memory import RunMemory
from icpi_ros.nodes.scene_port import Seen
from icpi_ros.nodes.settings import Settings
from icpi_ros.nodes.topic_port import headed, hold_point
from icpi_ros.nodes.trial import MOST_LOOKS, Guard, TrialExecution
from icpi_ros.nodes.trial_ended import TrialEnded
from icpi_ros.tasks import TASKS

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
    assert switches == {"simulated", "approval", "dry_run", "rehearse"}
    limits = {spec.name: spec.upper for spec in PARAMETERS}
    watched = ("tracking_tolerance", "joint_state_timeout", "object_state_timeout")
    assert [limits[name] for name in watched] == [0.5, 10.0, 60.0]


class Names(Follower):
    """Keeps the names of what moves."""

    def __init__(self):
        super().__init__(refused="")
        self.moved = []

    def follow(self, trajectory, name, on_start=lambda ns: None):
        self.moved.append(name)
        return super().follow(trajectory, name, on_start)

    def look(self, timeout):
        pass


LATER = 10**12
"""Stamp of an object state after the end of any trial [ns]."""


def trial(*places, blind_in=None):
    """A trial in which a person puts the object to one place after the other; what is said of it.

    ``blind_in``: the phase from which on nothing is seen.
    """
    told, left = [], list(places)

    def put(trial_id, arm, remark):
        told.append(remark)
        scene.seen = Seen(LATER, left.pop(0), True, float("inf"))

    def on_phase(phase):
        if phase == blind_in:
            scene.seen = replace(scene.seen, ns=0, arrival=0.0)

    ignored = {"window": lambda *_: None, "watch_rest": lambda after: None}
    scene = SimpleNamespace(is_told=True, can_reset=False, rest=None, seen=None, **ignored)
    controller = SimpleNamespace(begin=lambda: None, done=lambda: True, refusal=lambda: "")
    rules, memory = Rules(scene="operator"), RunMemory()
    planner, person = Planner(SLIDE, ARM, GATE, rules, memory), SimpleNamespace(scene_is_back=put)
    guard = Guard(rules, memory, planner, person, controller, SimpleNamespace(doubt=""))
    arm, settings = Names(), Settings(object_state_timeout=0.0)
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
    assert len(told) == MOST_LOOKS
    assert arm.moved == ["retreat"]


def test_nobody_strikes_blind():
    run, arm, _ = trial(PLACE, blind_in=ExecuteMotion.Feedback.APPROACHING)
    with pytest.raises(TrialEnded, match="no object state for 0 s") as ended:
        run()
    assert ended.value.code == Code.PERCEPTION_SILENT
    assert arm.moved == ["retreat", "approach"]
    assert arm.stops == 1


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
    port.send = lambda motion, label, start_ns=0, **more: how.append(more) or send(motion, label)
    one = follower(port)
    one.move_to(ARM.home + 0.1, "retreat")
    assert how == [{"joined": True}]
    (checked,) = port.sent
    np.testing.assert_array_equal(checked.trajectory.positions[0], ARM.home)
    sent = headed(checked, "retreat", 0, True, None)
    assert len(sent.points) == len(checked.trajectory.times) - 1
    np.testing.assert_array_equal(sent.points[0].positions, checked.trajectory.positions[1])


def test_each_further_hold_may_go_further_and_stays_inside_the_joint_limits():
    state = state_at(0.2)
    points = [hold_point(ARM, state, attempt).positions[0] for attempt in range(4)]
    away = [np.abs(point - state.q).max() for point in points]
    assert away == sorted(away)
    assert away[3] > 2.0 * away[0]
    for point in points:
        assert ((ARM.limits.lower <= point) & (point <= ARM.limits.upper)).all()


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
    answer = Code(error_code=code, error_msg="why")
    client._result = lambda trial_id, proposal: answer
    with pytest.raises(error, match=r"^why$"):
        client.execute("trial", Proposal(), lambda theta, by: None, lambda tracking: None)
